/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The klib "vsock": a family of sockets, a driver, a node of /dev.  Without a
 * device there are connections within the machine only, as with Linux's
 * vsock_loopback.
 */
#include "vsock.h"

#include <abi/errno.h>
#include <drivers/virtio/virtio.h>
#include <klib/klib.h>

static const struct socket_family family = { AF_VSOCK, vsock_create, NULL };

static int
init(const char *args)
{
	int err;

	if (*args)
		return -EINVAL; /* there are none */
	vsock_init();
	err = vsock_node();
	if (!err)
		err = device_add_driver(&virtio_vsock.drv);
	if (!err)
		err = socket_register(&family);
	return err;
}

KLIB("vsock", init);
