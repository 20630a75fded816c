/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_VSOCK: options, readiness, and the node /dev/vsock, which tells the
 * machine's address.
 */
#include "vsock.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/stat.h>
#include <abi/time.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/file.h>
#include <file/poll.h>
#include <fs/pseudo.h>
#include <fs/vfs.h>
#include <vm/uaccess.h>

#define MISC_MAJOR  10
#define VSOCK_MINOR 121 /* of those that Linux gives out as they come */

#define TICK_US	    (VSOCK_TICK_NS / 1000u)
#define TICKS_A_S   (NSEC_PER_SEC / VSOCK_TICK_NS)
#define SECONDS_MAX (INT64_MAX / (int64_t)TICKS_A_S - 1)

/* ---- options ---- */

static uint64_t *
size_of(struct vsock_sock *s, int name)
{
	switch (name) {
	case SO_VM_SOCKETS_BUFFER_SIZE:
		return &s->size;
	case SO_VM_SOCKETS_BUFFER_MIN_SIZE:
		return &s->size_min;
	case SO_VM_SOCKETS_BUFFER_MAX_SIZE:
		return &s->size_max;
	default:
		return NULL;
	}
}

static bool
is_timeout(int name)
{
	return name == SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD ||
	       name == SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW;
}

int
vsock_getopt(struct socket *sock, int level, int name, void *val, uint32_t *len)
{
	struct vsock_sock *s = vsock_of(sock);
	uint64_t *size = size_of(s, name);
	struct timeval tv;

	if (level != AF_VSOCK)
		return -ENOPROTOOPT;
	if (size) {
		if (*len < sizeof(*size))
			return -EINVAL;
		*len = sizeof(*size);
		memcpy(val, size, sizeof(*size));
		return 0;
	}
	if (!is_timeout(name))
		return -ENOPROTOOPT;
	if (*len < sizeof(tv))
		return -EINVAL;
	tv.tv_sec = (int64_t)(s->timeout_ticks / TICKS_A_S);
	tv.tv_usec = (int64_t)(s->timeout_ticks % TICKS_A_S * TICK_US);
	*len = sizeof(tv);
	memcpy(val, &tv, sizeof(tv));
	return 0;
}

static int
set_timeout(struct vsock_sock *s, const void *val, uint32_t len)
{
	struct timeval tv;
	uint64_t ticks;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000 ||
	    tv.tv_sec >= SECONDS_MAX)
		return -ERANGE;
	ticks = (uint64_t)tv.tv_sec * TICKS_A_S +
		((uint64_t)tv.tv_usec + TICK_US - 1) / TICK_US;
	WRITE_ONCE(s->timeout_ticks, ticks ? ticks : VSOCK_TIMEOUT_TICKS);
	return 0;
}

/* The bounds may contradict each other: the upper one wins, as on Linux. */
int
vsock_setopt(struct socket *sock, int level, int name, const void *val,
	     uint32_t len)
{
	struct vsock_sock *s = vsock_of(sock);
	uint64_t *size = size_of(s, name), v;
	irqflags_t f;

	if (level != AF_VSOCK)
		return -ENOPROTOOPT;
	if (is_timeout(name))
		return set_timeout(s, val, len);
	if (!size)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	f = vsock_lock_all();
	*size = v;
	s->size = min_u64(max_u64(s->size, s->size_min), s->size_max);
	if (s->state == VSOCK_CONNECTED)
		vsock_ctl(s, WANT_UPDATE);
	vsock_unlock(f);
	return 0;
}

/* ---- readiness ---- */

static bool
readable(const struct vsock_sock *s)
{
	if (s->shut & NO_RECV || s->peer_shut & NO_SEND)
		return true;
	return vsock_is_stream(s) ?
		       s->rx.bytes &&
			       s->rx.bytes >= (unsigned)s->sock.rcvlowat :
		       s->nmessages != 0;
}

static uint32_t
events_of(const struct vsock_sock *s)
{
	uint32_t ev = 0;

	if (READ_ONCE(s->sock.error))
		ev |= POLLERR;
	if (s->shut == NO_BOTH || s->shut & s->peer_shut & NO_SEND)
		ev |= POLLHUP;
	if (s->shut & NO_RECV || s->peer_shut & NO_SEND)
		ev |= POLLRDHUP;
	if (s->state == VSOCK_LISTENING)
		return ev | (list_empty(&s->queue) ? 0 : POLLIN | POLLRDNORM);
	if (readable(s))
		ev |= POLLIN | POLLRDNORM;
	if (s->state == VSOCK_CONNECTED) {
		if (!(s->shut & NO_SEND) && vsock_room(s))
			ev |= POLLOUT | POLLWRNORM;
	} else if (s->state != VSOCK_CONNECTING) {
		ev |= POLLOUT | POLLWRNORM;
	}
	return ev;
}

uint32_t
vsock_poll(struct socket *sock, struct poll_table *pt)
{
	struct vsock_sock *s = vsock_of(sock);
	irqflags_t f;
	uint32_t ev;

	poll_wait(pt, &s->wq);
	f = vsock_lock_all();
	ev = events_of(s);
	vsock_unlock(f);
	return ev;
}

/* ---- /dev/vsock ---- */

static long
node_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	uint32_t cid = vsock_device_cid();

	(void)f;
	if (cid == VMADDR_CID_ANY)
		cid = VMADDR_CID_LOCAL;
	if (cmd != IOCTL_VM_SOCKETS_GET_LOCAL_CID)
		return -ENOTTY;
	return copy_to_user((void __user *)arg, &cid, sizeof(cid));
}

static int
node_stat(struct file *f, struct kstat *st)
{
	inode_stat(f->inode, st);
	return 0;
}

static const struct file_ops node_fops = {
	.ioctl = node_ioctl,
	.stat = node_stat,
};

static int
node_open(struct inode *i, unsigned flags, struct file **out, void *arg)
{
	(void)i, (void)arg;
	return file_create(&node_fops, flags, NULL, out);
}

int
vsock_node(void)
{
	static const struct pseudo_entry node = {
		.path = "vsock",
		.mode = S_IFCHR | 0666,
		.rdev = DEV_MAKE(MISC_MAJOR, VSOCK_MINOR),
		.open = node_open,
	};

	return dev_register(&node);
}
