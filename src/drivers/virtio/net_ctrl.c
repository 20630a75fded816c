/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net's control queue (virtio 1.2, 5.1.6.5): which packets the device
 * lets in, how many queue pairs it uses.
 *
 * Nobody waits for a command (but for the number of pairs, at boot): what is
 * wanted is noted, the bits of `dirty` say which commands tell it, and one is
 * under way at a time.  Its completion sends the next.  Many changes in a
 * row so become one command, and a caller may hold any lock.
 *
 * A device that refuses to filter is asked to let all in.
 */
#include "net_priv.h"

#include <abi/errno.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <mem/heap.h>
#include <mem/page.h>

#define CLASS_RX  0
#define CLASS_MAC 1
#define CLASS_MQ  4

#define RX_PROMISC   0
#define RX_ALLMULTI  1
#define MAC_TABLE    0
#define MQ_PAIRS_SET 0

#define ACK_OK 0

#define WAIT_NS (100 * 1000000ull) /* for the number of pairs */

/* Bits of `dirty`, in the order of sending: opening before closing. */
#define STEP_PAIRS    1u
#define STEP_TABLE    2u
#define STEP_ALLMULTI 4u
#define STEP_PROMISC  8u

struct vctl_cmd {
	uint8_t class, command;
	uint8_t data[8 + 6 * VNET_MC_MAX];
	uint8_t ack;
};

/* virtio 1.2, 5.1.6.5.2: unicast addresses (none), then multicast ones. */
static unsigned
fill_table(struct vnet_ctrl *c)
{
	uint32_t n = 0;

	memcpy(c->cmd->data, &n, 4);
	n = c->nmc;
	memcpy(c->cmd->data + 4, &n, 4);
	memcpy(c->cmd->data + 8, c->mc, 6ul * n);
	return 8 + 6 * n;
}

static unsigned
fill(struct vnet_ctrl *c, unsigned step)
{
	struct vctl_cmd *cmd = c->cmd;

	switch (step) {
	case STEP_PAIRS:
		cmd->class = CLASS_MQ;
		cmd->command = MQ_PAIRS_SET;
		memcpy(cmd->data, &c->pairs, 2);
		return 2;
	case STEP_TABLE:
		cmd->class = CLASS_MAC;
		cmd->command = MAC_TABLE;
		return fill_table(c);
	default:
		cmd->class = CLASS_RX;
		cmd->command = step == STEP_PROMISC ? RX_PROMISC : RX_ALLMULTI;
		cmd->data[0] = step == STEP_PROMISC ? c->promisc : c->allmulti;
		return 1;
	}
}

/* With q->lock. */
static void
send_next(struct vnet_ctrl *c)
{
	struct virtq_sg sg[3];
	unsigned step = c->dirty & -c->dirty, len;

	if (c->busy || !step)
		return;
	len = fill(c, step);
	c->cmd->ack = 0xff;
	sg[0] = (struct virtq_sg){ virt_to_phys(c->cmd), 2 };
	sg[1] = (struct virtq_sg){ virt_to_phys(c->cmd->data), len };
	sg[2] = (struct virtq_sg){ virt_to_phys(&c->cmd->ack), 1 };
	if (virtq_add(c->q, sg, 2, 1, c, NULL))
		return; /* broken: there is nothing to filter any more */
	c->busy = step;
	c->dirty &= ~step;
	virtq_kick(c->q);
}

static void
finished(struct vnet_ctrl *c)
{
	unsigned step = c->busy;
	bool ok = c->cmd->ack == ACK_OK;

	c->busy = 0;
	if (step == STEP_PAIRS && ok)
		c->pairs_set = c->pairs;
	if (step == STEP_TABLE && !ok && !c->allmulti) {
		c->allmulti = true;
		c->dirty |= STEP_ALLMULTI;
	} else if (step == STEP_ALLMULTI && !ok && !c->promisc) {
		c->promisc = true;
		c->dirty |= STEP_PROMISC;
	}
}

static void
ctrl_done(struct virtq *q)
{
	struct vnet_ctrl *c = q->priv;
	irqflags_t f = spin_lock_irq(&q->lock);

	do {
		while (virtq_get(q, NULL)) {
			finished(c);
			send_next(c);
		}
	} while (virtq_irq_enable(q) && !q->v->broken);
	spin_unlock_irq(&q->lock, f);
}

int
vnet_ctrl_setup(struct vnet *d, unsigned index)
{
	struct vnet_ctrl *c = &d->ctrl;
	int err;

	c->cmd = kzalloc(sizeof(*c->cmd), ALLOC_KERNEL);
	if (!c->cmd)
		return -ENOMEM;
	err = virtq_setup(d->v, index, 4, ctrl_done, &c->q);
	if (err)
		return err;
	c->q->priv = c;
	if (c->q->num < 3) { /* a command takes three descriptors */
		log_err("%s: the control queue is too small", d->v->dev.name);
		return -EINVAL;
	}
	return 0;
}

unsigned
vnet_ctrl_set_pairs(struct vnet *d, unsigned pairs)
{
	struct vnet_ctrl *c = &d->ctrl;
	uint64_t end = clock_mono_ns() + WAIT_NS;
	irqflags_t f;
	unsigned set;

	f = spin_lock_irq(&c->q->lock);
	c->pairs_set = 1;
	c->pairs = (uint16_t)pairs;
	c->dirty |= STEP_PAIRS;
	send_next(c);
	spin_unlock_irq(&c->q->lock, f);
	do {
		virtq_interrupt(c->q);
		f = spin_lock_irq(&c->q->lock);
		set = c->pairs_set;
		if (c->busy != STEP_PAIRS)
			end = 0;
		spin_unlock_irq(&c->q->lock, f);
	} while (clock_mono_ns() < end);
	return set;
}

int
vnet_set_filter(struct nic *n, const uint8_t (*mc)[6], unsigned nmc,
		bool promisc)
{
	struct vnet *d = n->priv;
	struct vnet_ctrl *c = &d->ctrl;
	irqflags_t f;

	if (!c->q || !virtio_has(d->v, F_CTRL_RX))
		return -EOPNOTSUPP;
	f = spin_lock_irq(&c->q->lock);
	c->promisc = promisc;
	c->allmulti = !mc || nmc > VNET_MC_MAX;
	c->nmc = c->allmulti ? 0 : nmc;
	if (c->nmc)
		memcpy(c->mc, mc, 6ul * c->nmc);
	c->dirty |= STEP_TABLE | STEP_ALLMULTI | STEP_PROMISC;
	send_next(c);
	spin_unlock_irq(&c->q->lock, f);
	return 0;
}
