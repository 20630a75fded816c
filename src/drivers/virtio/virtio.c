/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio core: matching, the status handshake (virtio 1.2, 3.1.1),
 * interrupts, and what happens to a device that misbehaves.
 */
#include <drivers/virtio/virtio.h>

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/math.h>
#include <core/log.h>
#include <mem/page.h>

#define RESET_POLLS 10000u

static const struct virtio_driver *
driver_of(const struct virtio_device *v)
{
	static_assert(offsetof(struct virtio_driver, drv) == 0, "first");
	return (const void *)v->dev.driver;
}

bool
virtio_match(const struct device *dev)
{
	static_assert(offsetof(struct virtio_device, dev) == 0, "first");
	const struct virtio_device *v = (const void *)dev;

	return driver_of(v)->device_id == v->device_id;
}

void
virtio_add(struct virtio_device *v)
{
	v->dev.bus = BUS_VIRTIO;
	device_add(&v->dev);
}

/* ---- misbehaving devices ---- */

void
virtio_fail(struct virtio_device *v, const char *why)
{
	if (atomic_xchg(&v->broken, true))
		return;
	log_err("%s: device is broken: %s", v->dev.name, why);
	/* From here on it may not touch memory any more. */
	v->ops->set_status(v, 0);
}

/* Tells the driver once.  Not from within its own queue lock, so not from
 * virtio_fail() itself. */
static bool
check_broken(struct virtio_device *v)
{
	if (likely(!atomic_load_relaxed(&v->broken)))
		return false;
	if (!atomic_xchg(&v->broken_told, true) && driver_of(v)->broken)
		driver_of(v)->broken(v);
	return true;
}

/* ---- interrupts ---- */

void
virtq_interrupt(struct virtq *q)
{
	if (q->done && !check_broken(q->v) && virtq_pending(q))
		q->done(q);
	check_broken(q->v);
}

void
virtio_interrupt(struct virtio_device *v)
{
	unsigned i;

	for (i = 0; i < v->nqueues; i++)
		if (v->queues[i])
			virtq_interrupt(v->queues[i]);
}

void
virtio_config_interrupt(struct virtio_device *v)
{
	const struct virtio_driver *d = driver_of(v);

	/* An interrupt before the driver has its state, or after failure. */
	if (d && d->config_changed && v->nqueues && !check_broken(v))
		d->config_changed(v);
}

/* The same, and the other direction: a notification that was thought to be
 * unnecessary before the device's own last look was visible. */
static void
poll(struct device_poll *p)
{
	struct virtio_device *v = container_of(p, struct virtio_device, poll);
	unsigned i;

	virtio_interrupt(v);
	for (i = 0; i < v->nqueues && !v->broken; i++) {
		struct virtq *q = v->queues[i];

		if (!q || !spin_trylock(&q->lock))
			continue;
		virtq_rekick(q);
		spin_unlock(&q->lock);
	}
}

/* ---- bringing a device up ---- */

static int
reset(struct virtio_device *v)
{
	unsigned i;

	v->ops->set_status(v, 0);
	for (i = 0; i < RESET_POLLS; i++)
		if (v->ops->get_status(v) == 0)
			return 0;
	return -ETIMEDOUT;
}

static int
negotiate(struct virtio_device *v, const struct virtio_driver *d)
{
	uint64_t want = d->features;
	uint64_t offered = v->ops->get_features(v);

	if (!(offered & VIRTIO_F_VERSION_1)) {
		log_err("%s: only the legacy interface is offered",
			v->dev.name);
		return -ENODEV;
	}
	if (d->select)
		want &= d->select(v, offered);
	v->features = offered & (want | VIRTIO_F_VERSION_1 |
				 VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
	v->ops->set_features(v, v->features);
	v->ops->set_status(v, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER |
				      VIRTIO_S_FEATURES_OK);
	if (!(v->ops->get_status(v) & VIRTIO_S_FEATURES_OK))
		return -ENODEV;
	return 0;
}

int
virtio_attach(struct device *dev)
{
	struct virtio_device *v = virtio_device_of(dev);
	const struct virtio_driver *d = driver_of(v);
	int err = reset(v);

	if (err)
		return err;
	v->ops->set_status(v, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	err = negotiate(v, d);
	if (!err)
		err = d->attach(v);
	if (err)
		goto failed;
	if (d->config_changed && v->ops->config_irq && v->ops->config_irq(v))
		log_warn("%s: changes of its state will not be seen",
			 v->dev.name);
	v->ops->set_status(v, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER |
				      VIRTIO_S_FEATURES_OK |
				      VIRTIO_S_DRIVER_OK);
	v->poll.fn = poll;
	device_poll_add(&v->poll);
	err = d->start(v);
	if (!err)
		return 0;
	/* Rings stay allocated: the interrupt may still be under way. */
	device_poll_remove(&v->poll);
	v->ops->set_status(v, 0);
failed:
	v->nqueues = 0; /* a late interrupt finds nothing */
	v->ops->set_status(v, VIRTIO_S_FAILED);
	return err;
}

/* ---- configuration ---- */

/* Reads that take more than one access are repeated until the generation
 * stands still, within reason: a device that changes it for ever gives what
 * was read last. */
void
virtio_config(struct virtio_device *v, unsigned off, void *buf, unsigned len)
{
	unsigned tries = 8;
	uint32_t gen;

	if (len <= 4) {
		v->ops->config_read(v, off, buf, len);
		return;
	}
	do {
		gen = v->ops->config_generation(v);
		v->ops->config_read(v, off, buf, len);
	} while (v->ops->config_generation(v) != gen && --tries);
}

uint16_t
virtio_config16(struct virtio_device *v, unsigned off)
{
	uint16_t x;

	virtio_config(v, off, &x, sizeof(x));
	return x;
}

uint32_t
virtio_config32(struct virtio_device *v, unsigned off)
{
	uint32_t x;

	virtio_config(v, off, &x, sizeof(x));
	return x;
}

uint64_t
virtio_config64(struct virtio_device *v, unsigned off)
{
	uint64_t x;

	virtio_config(v, off, &x, sizeof(x));
	return x;
}
