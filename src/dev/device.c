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

#include <base/fmt.h>
#include <core/idle.h>
#include <core/log.h>
#include <core/spinlock.h>
#include <mem/heap.h>

static struct list devices = LIST_INIT(devices);
static struct list polls = LIST_INIT(polls); /* [poll_lock] */
/* Unranked: polling takes the drivers' locks, which rank lower. */
static struct spinlock poll_lock = SPINLOCK_INIT(RANK_NONE);

void
device_add(struct device *dev)
{
	const struct driver *const *d;
	int err;

	list_add_tail(&devices, &dev->link);
	for (d = platform_drivers; *d; d++) {
		if ((*d)->bus != dev->bus)
			continue;
		dev->driver = *d;
		if (!(*d)->match(dev))
			continue;
		err = (*d)->attach(dev);
		if (!err)
			return;
		log_err("%s: %s: error %d", dev->name, (*d)->name, -err);
		break;
	}
	dev->driver = NULL;
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

void
device_init(void)
{
	const struct driver *const *d;

	idle_set_poll(dev_idle_poll);
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
