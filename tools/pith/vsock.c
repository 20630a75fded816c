/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine's AF_VSOCK leads to on the host, opened here and given to
 * QEMU as a descriptor: QEMU itself opens nothing.
 */
#include "vsock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define VHOST	  "/dev/vhost-vsock"
#define CID_FIRST 3u /* 0 to 2 are the hypervisor, the machine, the host */

const char *
vsock_set_cid(struct options *o, const char *v)
{
	if (parse_u32(v, &o->vsock_cid) || o->vsock_cid < CID_FIRST ||
	    o->vsock_cid == UINT32_MAX)
		return "it must be the machine's address, 3 to 4294967294";
	return NULL;
}

const char *
vsock_set_path(struct options *o, const char *v)
{
	if (!*v)
		return "it must name a socket";
	if (strlen(v) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "the path is too long for a socket";
	free(o->vsock_path);
	o->vsock_path = xstrdup(v);
	return NULL;
}

bool
vsock_wanted(const struct options *o)
{
	if (o->vsock_cid && o->vsock_path)
		die(STATUS_FAILED, "--vsock and --vsock-path: a machine has "
				   "one of the two");
	return o->vsock_cid || o->vsock_path;
}

static int
open_vhost(void)
{
	int fd = open(VHOST, O_RDWR);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		die(STATUS_FAILED,
		    "--vsock: this host has no " VHOST "; load the module "
		    "vhost_vsock, or use --vsock-path");
	die(STATUS_FAILED, "--vsock: " VHOST ": %s", strerror(errno));
}

static int
connect_backend(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(STATUS_FAILED, "--vsock-path %s: %s", printable(path),
		    errno == ECONNREFUSED ? "nobody listens there" :
					    strerror(errno));
	return fd;
}

int
vsock_open(const struct options *o)
{
	if (!vsock_wanted(o))
		return -1;
	if (o->print_qemu)
		return 130; /* stands for what a run opens */
	return o->vsock_path ? connect_backend(o->vsock_path) : open_vhost();
}
