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
	enum bus_type bus;	  /* set by the bus */
	char name[24];		  /* set by the bus: "pci0:4.0", "virtio3" */
	struct device *parent;	  /* set by the bus */
	const struct driver *driver; /* set by the core */
	void *priv;		  /* set by the driver */
	struct list link;	  /* the core's list of devices */
};

struct driver {
	const char *name;
	enum bus_type bus;
	bool (*match)(const struct device *dev);
	MUST_CHECK int (*attach)(struct device *dev);
	void (*detach)(struct device *dev);
};

extern const struct driver *const platform_drivers[]; /* NULL-terminated */

void device_add(struct device *dev);
/* Starts the platform's root buses (drivers with BUS_PLATFORM). */
void device_init(void);
