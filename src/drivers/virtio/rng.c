/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-rng (virtio 1.2, 5.4): entropy from the host, without waiting.
 *
 * At start one request is sent; its completion mixes the bytes into the
 * generator.  Another one follows every REFILL_NS, by a timer, so that the
 * generator does not live on one seed for ever.
 */
#include <drivers/virtio/rng.h>

#include <abi/errno.h>
#include <core/clock.h>
#include <core/timer.h>
#include <dev/random.h>
#include <drivers/virtio/virtio.h>
#include <mem/heap.h>
#include <mem/page.h>

#define RNG_BYTES 64u
#define REFILL_NS (300 * NSEC_PER_SEC)

struct vrng {
	struct virtq *q;
	struct timer timer;
	uint8_t *buf; /* RNG_BYTES for the device */
};

static void
ask(struct vrng *r)
{
	struct virtq_sg sg = { virt_to_phys(r->buf), RNG_BYTES };
	irqflags_t f = spin_lock_irq(&r->q->lock);

	if (!virtq_add(r->q, &sg, 0, 1, r, NULL))
		virtq_kick(r->q);
	spin_unlock_irq(&r->q->lock, f);
}

static void
refill(struct timer *t)
{
	ask(container_of(t, struct vrng, timer));
}

static void
done(struct virtq *q)
{
	struct vrng *r = q->priv;
	irqflags_t f = spin_lock_irq(&q->lock);
	uint32_t len = 0;
	void *token;

	token = virtq_get(q, &len);
	ignore(virtq_irq_enable(q)); /* one request at a time: nothing else */
	spin_unlock_irq(&q->lock, f);
	if (!token)
		return;
	/* The host is trusted with our memory, so with our entropy, too. */
	random_add(r->buf, len, len * 8);
	timer_set(&r->timer, clock_mono_ns() + REFILL_NS);
}

static int
attach(struct virtio_device *v)
{
	struct vrng *r = kzalloc(sizeof(*r), ALLOC_KERNEL);
	int err = -ENOMEM;

	if (!r)
		return -ENOMEM;
	r->buf = kzalloc(RNG_BYTES, ALLOC_KERNEL);
	if (!r->buf)
		goto failed;
	timer_init(&r->timer, refill);
	err = virtq_setup(v, 0, 2, done, &r->q);
	if (err)
		goto failed;
	r->q->priv = r;
	v->priv = r;
	return 0;
failed:
	kfree(r->buf);
	kfree(r);
	return err;
}

static int
start(struct virtio_device *v)
{
	ask(v->priv);
	return 0;
}

const struct virtio_driver virtio_rng = {
	.drv = VIRTIO_DRV("virtio-rng"),
	.device_id = VIRTIO_ID_RNG,
	.attach = attach,
	.start = start,
};
