/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-vsock (virtio 1.2, 5.10; device id 19).
 *
 * A packet is two pieces, header and data, as some devices want it.  Receive
 * buffers are a page each; when there is no memory for a new one a timer
 * tries again, and until then the device waits: that is the back-pressure on
 * top of the credit.  What is to be sent waits in a list (conn.c) until the
 * ring has room.
 *
 * From the device come lengths (checked by virtq_get() against the buffer,
 * and here against the header), headers (conn.c), events and the machine's
 * address.  Linux has one device of this kind, and so have we.
 */
#include "vsock.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/timer.h>
#include <drivers/virtio/virtio.h>
#include <mem/heap.h>
#include <mem/page.h>

#define VIRTIO_ID_VSOCK		 19
#define VIRTIO_VSOCK_F_STREAM	 (1ull << 0)
#define VIRTIO_VSOCK_F_SEQPACKET (1ull << 1)

enum { Q_RX, Q_TX, Q_EVENT };

#define RING	     128u
#define RX_BUFS	     (RING / 2) /* two descriptors each */
#define RX_BUFS_TINY 16u
#define TINY_PAGES   4096u /* below 16 MB */
#define RX_DATA	     (4096u - (uint32_t)sizeof(struct vsock_pkt))
#define REFILL_NS    20000000u
#define EVENTS	     4u
#define HEADER	     ((uint32_t)sizeof(struct virtio_vsock_hdr))

struct vvsock {
	struct virtio_device *v;
	struct virtq *rx, *tx, *event;
	struct timer refill;
	bool paused;	  /* [a] rx has fewer buffers, until answers are sent */
	uint32_t *events; /* EVENTS of them, for the device */
	uint32_t cid;	  /* as it was at first */
};

static struct vvsock *the_device; /* set once */

/* ---- receiving ---- */

static unsigned
rx_target(void)
{
	return mem_total_pages() < TINY_PAGES ? RX_BUFS_TINY : RX_BUFS;
}

/* What comes faster than its answers go has to wait: one that was left out
 * would leave its sender waiting for ever. */
static bool
rx_pauses(struct vvsock *d)
{
	if (likely(!vsock_answers_wait())) {
		atomic_store_relaxed(&d->paused, false);
		return false;
	}
	atomic_store_relaxed(&d->paused, true);
	atomic_fence(); /* with tx_done()'s */
	return vsock_answers_wait();
}

/* With the queue's lock. */
static void
rx_fill(struct vvsock *d)
{
	unsigned n = rx_target();

	while (d->rx->in_flight < n && !d->v->broken && !rx_pauses(d)) {
		struct vsock_pkt *p = vsock_pkt_alloc(RX_DATA, ALLOC_ATOMIC);
		struct virtq_sg sg[2];

		if (!p) {
			timer_set(&d->refill, clock_mono_ns() + REFILL_NS);
			break;
		}
		sg[0] = (struct virtq_sg){ virt_to_phys(&p->hdr), HEADER };
		sg[1] = (struct virtq_sg){ virt_to_phys(p->data), RX_DATA };
		if (virtq_add(d->rx, sg, 0, 2, p, NULL)) {
			kfree(p);
			break;
		}
	}
	virtq_kick(d->rx);
}

static void
refill(struct timer *t)
{
	struct vvsock *d = container_of(t, struct vvsock, refill);
	irqflags_t f = spin_lock_irq(&d->rx->lock);

	rx_fill(d);
	spin_unlock_irq(&d->rx->lock, f);
}

/* len bytes were written.  Only data packets have data. */
static bool
packet_ok(struct vsock_pkt *p, uint32_t len)
{
	uint32_t n = p->hdr.len; /* read once: the device is done with it */

	if (len < HEADER || n > len - HEADER)
		return false;
	p->len = p->hdr.op == VIRTIO_VSOCK_OP_RW ? n : 0;
	return true;
}

static void
rx_done(struct virtq *q)
{
	struct vvsock *d = q->priv;
	bool more;

	do {
		irqflags_t f = spin_lock_irq(&q->lock);
		struct vsock_pkt *p;
		struct list got;
		uint32_t len;

		list_init(&got);
		while ((p = virtq_get(q, &len))) {
			if (packet_ok(p, len))
				list_add_tail(&got, &p->link);
			else
				kfree(p);
		}
		rx_fill(d);
		more = virtq_irq_enable(q) && !d->v->broken;
		spin_unlock_irq(&q->lock, f);
		vsock_received(&got);
	} while (more);
}

/* ---- sending ---- */

/* With the queue's lock: moves what waits into the ring.  What a broken
 * device will never take goes to dead. */
static void
tx_fill(struct vvsock *d, struct list *dead)
{
	struct vsock_pkt *p;

	while ((p = vsock_next_out())) {
		struct virtq_sg sg[2] = {
			{ virt_to_phys(&p->hdr), HEADER },
			{ virt_to_phys(p->data), p->len },
		};
		int err = virtq_add(d->tx, sg, p->len ? 2 : 1, 0, p, NULL);

		if (err == -ENOSPC) {
			vsock_unget_out(p);
			break;
		}
		if (err)
			list_add_tail(dead, &p->link);
	}
	virtq_kick(d->tx);
}

void
vsock_device_push(void)
{
	struct vvsock *d = the_device;
	struct list dead;
	irqflags_t f;

	list_init(&dead);
	f = spin_lock_irq(&d->tx->lock);
	tx_fill(d, &dead);
	spin_unlock_irq(&d->tx->lock, f);
	if (!list_empty(&dead))
		vsock_sent(&dead);
}

static void
tx_done(struct virtq *q)
{
	struct vvsock *d = q->priv;
	struct vsock_pkt *p;
	struct list sent;
	irqflags_t f;

	list_init(&sent);
	f = spin_lock_irq(&q->lock);
	do {
		while ((p = virtq_get(q, NULL)))
			list_add_tail(&sent, &p->link);
		tx_fill(d, &sent);
	} while (virtq_irq_enable(q) && !d->v->broken);
	spin_unlock_irq(&q->lock, f);
	vsock_sent(&sent);
	atomic_fence();
	if (unlikely(atomic_load_relaxed(&d->paused)))
		refill(&d->refill);
}

/* ---- events ---- */

/* 0: the address that it gives is none. */
static uint32_t
read_cid(struct virtio_device *v)
{
	uint64_t cid = virtio_config64(v, 0);

	return cid > VMADDR_CID_HOST && cid < VMADDR_CID_ANY ? (uint32_t)cid :
							       0;
}

/* With the queue's lock. */
static void
event_post(struct vvsock *d, uint32_t *e)
{
	struct virtq_sg sg = { virt_to_phys(e), sizeof(*e) };

	ignore(virtq_add(d->event, &sg, 0, 1, e, NULL)); /* broken: no more */
	virtq_kick(d->event);
}

static void
event_done(struct virtq *q)
{
	struct vvsock *d = q->priv;
	irqflags_t f = spin_lock_irq(&q->lock);
	bool reset = false;
	uint32_t len, *e;

	do {
		while ((e = virtq_get(q, &len))) {
			reset |= len >= sizeof(*e) &&
				 *e == VIRTIO_VSOCK_EVENT_TRANSPORT_RESET;
			event_post(d, e);
		}
	} while (virtq_irq_enable(q) && !d->v->broken);
	spin_unlock_irq(&q->lock, f);
	if (reset) {
		uint32_t cid = read_cid(d->v);

		if (!cid)
			virtio_fail(d->v, "its address is none");
		vsock_device_reset(cid ? cid : VMADDR_CID_ANY);
	}
}

/* ---- the device ---- */

static void
broken(struct virtio_device *v)
{
	struct vvsock *d = v->priv;
	struct vsock_pkt *p;
	struct list dead;
	irqflags_t f;

	list_init(&dead);
	f = spin_lock_irq(&d->tx->lock);
	while ((p = virtq_take_back(d->tx)))
		list_add_tail(&dead, &p->link);
	spin_unlock_irq(&d->tx->lock, f);
	vsock_sent(&dead);
	vsock_device_reset(VMADDR_CID_ANY);
	f = spin_lock_irq(&d->rx->lock);
	while ((p = virtq_take_back(d->rx)))
		kfree(p);
	spin_unlock_irq(&d->rx->lock, f);
}

static int
attach(struct virtio_device *v)
{
	struct vvsock *d;
	int err = -ENOMEM;
	uint32_t cid;

	if (the_device)
		return -EBUSY;
	cid = read_cid(v);
	if (!cid)
		return -EINVAL;
	d = kzalloc(sizeof(*d), ALLOC_KERNEL);
	if (!d)
		return -ENOMEM;
	d->cid = cid;
	d->events = kcalloc(EVENTS, sizeof(*d->events), ALLOC_KERNEL);
	if (!d->events)
		goto failed;
	d->v = v;
	timer_init(&d->refill, refill);
	err = virtq_setup(v, Q_RX, RING, rx_done, &d->rx);
	if (!err)
		err = virtq_setup(v, Q_TX, RING, tx_done, &d->tx);
	if (!err)
		err = virtq_setup(v, Q_EVENT, EVENTS, event_done, &d->event);
	if (err)
		goto failed;
	d->rx->priv = d->tx->priv = d->event->priv = d;
	v->priv = d;
	return 0;
failed:
	kfree(d->events);
	kfree(d);
	return err;
}

static int
start(struct virtio_device *v)
{
	struct vvsock *d = v->priv;
	irqflags_t f = spin_lock_irq(&d->event->lock);

	for (unsigned i = 0; i < EVENTS && i < d->event->num; i++)
		event_post(d, &d->events[i]);
	spin_unlock_irq(&d->event->lock, f);
	the_device = d;
	vsock_device_up(d->cid, virtio_has(v, VIRTIO_VSOCK_F_SEQPACKET));
	refill(&d->refill); /* packets come from here on */
	return 0;
}

const struct virtio_driver virtio_vsock = {
	.drv = VIRTIO_DRV("virtio-vsock"),
	.device_id = VIRTIO_ID_VSOCK,
	.features = VIRTIO_VSOCK_F_STREAM | VIRTIO_VSOCK_F_SEQPACKET,
	.attach = attach,
	.start = start,
	.broken = broken,
};
