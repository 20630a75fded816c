/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-9p (device id 9; the one queue and the configuration are those of
 * "virtio transport" in the 9P documents: a 16-bit length and the mount tag).
 *
 * A request is a chain: the message, then room for the answer.  Requests
 * that find no descriptors wait in order.
 *
 * Locks: the queue's holds the list of waiting requests.
 */
#include "channel.h"

#include <abi/errno.h>
#include <base/string.h>
#include <drivers/virtio/virtio.h>
#include <mem/heap.h>
#include <mem/page.h>

#define VIRTIO_ID_9P	      9
#define VIRTIO_9P_F_MOUNT_TAG (1ull << 0)
#define QUEUE_MAX	      128u

struct v9p {
	struct virtio_device *v;
	struct virtq *q;
	struct list waiting; /* [queue's lock] of p9_request */
	struct p9_channel chan;
};

/* With the queue's lock; 0, -ENOSPC, -EIO. */
static int
add_locked(struct v9p *p, struct p9_request *r)
{
	struct virtq_sg sg[P9_SEGS];
	unsigned n = r->nout + r->nin;

	if (n > P9_SEGS)
		return -EIO;
	for (unsigned i = 0; i < n; i++)
		sg[i] = (struct virtq_sg){ virt_to_phys(r->segs[i].data),
					   r->segs[i].len };
	return virtq_add(p->q, sg, r->nout, r->nin, r, NULL);
}

static void
fail(struct p9_request *r)
{
	r->status = -EIO;
	r->got = 0;
	r->done(r);
}

static void
submit(struct p9_channel *c, struct p9_request *r)
{
	struct v9p *p = c->priv;
	irqflags_t f = spin_lock_irq(&p->q->lock);
	int err = list_empty(&p->waiting) ? add_locked(p, r) : -ENOSPC;

	if (!err)
		virtq_kick(p->q);
	else if (err == -ENOSPC)
		list_add_tail(&p->waiting, &r->link);
	spin_unlock_irq(&p->q->lock, f);
	if (err && err != -ENOSPC)
		fail(r);
}

/* Moves what waits into the ring, while it fits. */
static void
add_waiting_locked(struct v9p *p)
{
	while (!list_empty(&p->waiting)) {
		struct p9_request *r;

		r = list_first_entry(&p->waiting, struct p9_request, link);
		if (add_locked(p, r))
			return;
		list_del(&r->link);
	}
}

/* Takes what is finished; the callbacks run without the lock. */
static void
done(struct virtq *q)
{
	struct v9p *p = q->priv;
	struct p9_request *r;
	struct list ready;
	irqflags_t f = spin_lock_irq(&q->lock);
	uint32_t len;

	list_init(&ready);
	do {
		while ((r = virtq_get(q, &len))) {
			r->got = len;
			r->status = 0;
			list_add_tail(&ready, &r->link);
		}
		add_waiting_locked(p);
		virtq_kick(q);
	} while (virtq_irq_enable(q) && !q->v->broken);
	spin_unlock_irq(&q->lock, f);
	while (!list_empty(&ready)) {
		r = list_first_entry(&ready, struct p9_request, link);
		list_del(&r->link);
		r->done(r);
	}
}

static void
broken(struct virtio_device *v)
{
	struct v9p *p = v->priv;
	struct p9_request *r;
	struct list dead;
	irqflags_t f = spin_lock_irq(&p->q->lock);

	list_init(&dead);
	while ((r = virtq_take_back(p->q)))
		list_add_tail(&dead, &r->link);
	while (!list_empty(&p->waiting)) {
		r = list_first_entry(&p->waiting, struct p9_request, link);
		list_del(&r->link);
		list_add_tail(&dead, &r->link);
	}
	spin_unlock_irq(&p->q->lock, f);
	while (!list_empty(&dead)) {
		r = list_first_entry(&dead, struct p9_request, link);
		list_del(&r->link);
		fail(r);
	}
}

static int
attach(struct virtio_device *v)
{
	struct v9p *p;
	uint16_t len;
	int err;

	if (!virtio_has(v, VIRTIO_9P_F_MOUNT_TAG))
		return -ENODEV;
	len = virtio_config16(v, 0);
	if (!len || len > P9_TAG_MAX)
		return -EINVAL;
	p = kzalloc(sizeof(*p), ALLOC_KERNEL);
	if (!p)
		return -ENOMEM;
	/* Bytes are read as bytes: an access is as wide as its field. */
	for (unsigned i = 0; i < len; i++)
		virtio_config(v, 2 + i, &p->chan.tag[i], 1);
	list_init(&p->waiting);
	p->v = v;
	p->chan.submit = submit;
	p->chan.priv = p;
	err = virtq_setup(v, 0, QUEUE_MAX, done, &p->q);
	if (err) {
		kfree(p);
		return err;
	}
	p->q->priv = p;
	v->priv = p;
	return 0;
}

static int
start(struct virtio_device *v)
{
	struct v9p *p = v->priv;

	p9_channel_add(&p->chan);
	return 0;
}

const struct virtio_driver virtio_9p = {
	.drv = VIRTIO_DRV("virtio-9p"),
	.device_id = VIRTIO_ID_9P,
	.features = VIRTIO_9P_F_MOUNT_TAG,
	.attach = attach,
	.start = start,
	.broken = broken,
};
