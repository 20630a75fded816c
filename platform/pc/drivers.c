/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers that this kernel has.  Platform drivers are the root buses and
 * start in this order.
 */
#include <dev/device.h>
#include <drivers/pci/pci.h>
#include <drivers/uart/ns16550.h>
#include <drivers/virtio/blk.h>
#include <drivers/virtio/mmio.h>
#include <drivers/virtio/net.h>
#include <drivers/virtio/pci.h>
#include <drivers/virtio/rng.h>
#include <drivers/virtio/serial.h>
#include <drivers/watchdog/i6300esb.h>

const struct driver *const platform_drivers[] = {
	&ns16550,	    &virtio_mmio,
	&pci_host,	    &virtio_pci,
	&virtio_serial.drv, &virtio_blk.drv,
	&virtio_net.drv,    &virtio_rng.drv,
	&i6300esb,	    NULL,
};
