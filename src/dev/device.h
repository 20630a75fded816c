/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device model: buses enumerate, the core matches, drivers attach.
 *
 * A bus fills a struct device and calls device_add(); the core looks through
 * platform_drivers[] (platform/<machine>/drivers.c) for the first driver of
 * the same bus whose match() accepts, and calls attach(), which undoes
 * everything and returns -errno on failure.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>

enum bus_type { BUS_PLATFORM, BUS_PCI, BUS_VIRTIO };

struct driver;

struct device {
	enum bus_type bus;	     /* set by the bus */
	char name[24];		     /* set by the bus: "pci0:4.0", "virtio3" */
	struct device *parent;	     /* set by the bus */
	const struct driver *driver; /* set by the core, before match() asks */
	void *priv;		     /* set by the driver */
	struct list link;	     /* the core's list of devices */
};

struct driver {
	const char *name;
	enum bus_type bus;
	/* dev->driver is the driver that is asked. */
	bool (*match)(const struct device *dev);
	MUST_CHECK int (*attach)(struct device *dev);
	void (*detach)(struct device *dev);
};

extern const struct driver *const platform_drivers[]; /* NULL-terminated */

void device_add(struct device *dev);
/* One more driver, of a klib, while the machine boots with one CPU: it is
 * offered the devices that nobody took, and those to come.  d stays.
 * -ENOSPC: there are too many. */
MUST_CHECK int device_add_driver(const struct driver *d);
/* Starts the platform's root buses (drivers with BUS_PLATFORM). */
void device_init(void);

/* A second look at a device's rings, from an idle CPU (core/idle.h); called
 * with interrupts disabled on any CPU, on one at a time. */
struct device_poll {
	void (*fn)(struct device_poll *p);
	struct list link;
};
void device_poll_add(struct device_poll *p);
void device_poll_remove(struct device_poll *p);
/* All of them; what the idle loop calls. */
void dev_idle_poll(void);
