/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device model's core: the list of devices, matching, and the second
 * look that an idle CPU takes at the rings (core/idle.h).
 *
 * Devices are added at boot by one CPU, by the buses' attach functions, and
 * stay.  The poll list is guarded by poll_lock, which is only ever tried by
 * idle CPUs: one of them looking is enough.
 */
#include <dev/device.h>

#include <abi/errno.h>
#include <base/fmt.h>
#include <core/idle.h>
#include <core/log.h>
#include <core/spinlock.h>
#include <dev/blk.h>
#include <mem/heap.h>

#define LATE_DRIVERS 16

static struct list devices = LIST_INIT(devices);
static const struct driver *late[LATE_DRIVERS];
static unsigned nlate;
static struct list polls = LIST_INIT(polls); /* [poll_lock] */
/* Unranked: polling takes the drivers' locks, which rank lower. */
static struct spinlock poll_lock = SPINLOCK_INIT(RANK_NONE);

/* Whether d is the one for dev; what attaching comes to is told. */
static bool
offer(struct device *dev, const struct driver *d)
{
	int err;

	if (d->bus != dev->bus)
		return false;
	dev->driver = d;
	if (!d->match(dev)) {
		dev->driver = NULL;
		return false;
	}
	err = d->attach(dev);
	if (err) {
		log_err("%s: %s: error %d", dev->name, d->name, -err);
		dev->driver = NULL;
	}
	return true;
}

void
device_add(struct device *dev)
{
	list_add_tail(&devices, &dev->link);
	for (const struct driver *const *d = platform_drivers; *d; d++)
		if (offer(dev, *d))
			return;
	for (unsigned i = 0; i < nlate; i++)
		if (offer(dev, late[i]))
			return;
}

int
device_add_driver(const struct driver *d)
{
	struct device *dev;

	if (nlate == LATE_DRIVERS)
		return -ENOSPC;
	late[nlate++] = d;
	list_for_each_entry(dev, &devices, link)
		if (!dev->driver)
			ignore(offer(dev, d));
	return 0;
}

static void
add_root(const struct driver *d)
{
	struct device *dev = kzalloc(sizeof(*dev), ALLOC_KERNEL);
	int err;

	if (!dev) {
		log_err("%s: no memory", d->name);
		return;
	}
	dev->bus = BUS_PLATFORM;
	dev->driver = d;
	ksnprintf(dev->name, sizeof(dev->name), "%s", d->name);
	if (d->match && !d->match(dev)) {
		kfree(dev);
		return;
	}
	list_add_tail(&devices, &dev->link);
	err = d->attach(dev);
	if (!err)
		return;
	log_err("%s: error %d", d->name, -err);
	list_del(&dev->link);
	kfree(dev);
}

static const struct idle_hooks idle_hooks = {
	.poll = dev_idle_poll,
	.begin = blk_idle_begin,
	.look = blk_idle_look,
	.end = blk_idle_end,
};

void
device_init(void)
{
	const struct driver *const *d;

	idle_set_hooks(&idle_hooks);
	for (d = platform_drivers; *d; d++)
		if ((*d)->bus == BUS_PLATFORM)
			add_root(*d);
}

void
device_poll_add(struct device_poll *p)
{
	irqflags_t f = spin_lock_irq(&poll_lock);

	list_add_tail(&polls, &p->link);
	spin_unlock_irq(&poll_lock, f);
}

void
device_poll_remove(struct device_poll *p)
{
	irqflags_t f = spin_lock_irq(&poll_lock);

	list_del(&p->link);
	spin_unlock_irq(&poll_lock, f);
}

void
dev_idle_poll(void)
{
	struct device_poll *p;

	if (!spin_trylock(&poll_lock))
		return;
	list_for_each_entry(p, &polls, link)
		p->fn(p);
	spin_unlock(&poll_lock);
}
