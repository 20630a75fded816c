/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_VSOCK sockets as a program sees them: names, listening, connecting,
 * the end.
 *
 * Where a connection goes: to VMADDR_CID_LOCAL and the machine's own address
 * within the machine; to VMADDR_CID_HOST too, where there is no device; all
 * else by the device.
 */
#include "vsock.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <mem/heap.h>
#include <sched/thread.h>

#define EV_IN  (POLLIN | POLLRDNORM)
#define EV_ALL (EV_IN | POLLOUT | POLLWRNORM | POLLHUP | POLLRDHUP | POLLERR)

static const struct socket_ops vsock_ops;

/* ---- life ---- */

struct vsock_sock *
vsock_new(int type, unsigned alloc)
{
	struct vsock_sock *s = kzalloc(sizeof(*s), alloc);

	if (!s)
		return NULL;
	socket_init(&s->sock, &vsock_ops, AF_VSOCK, type, 0);
	refcount_set(&s->refs, 1);
	s->cid = s->peer_cid = VMADDR_CID_ANY;
	s->port = s->peer_port = VMADDR_PORT_ANY;
	waitq_init(&s->wq);
	mutex_init(&s->reader, RANK_FILEPOS);
	mutex_init(&s->sender, RANK_FILEPOS);
	vsock_queue_init(&s->rx);
	vsock_queue_init(&s->messages);
	s->size = s->size_max = VSOCK_BUFFER_DEFAULT;
	s->size_min = VSOCK_BUFFER_MIN;
	s->timeout_ticks = VSOCK_TIMEOUT_TICKS;
	list_init(&s->timed);
	list_init(&s->queue);
	list_init(&s->queue_link);
	list_init(&s->ctl.link);
	return s;
}

void
vsock_get(struct vsock_sock *s)
{
	refcount_get(&s->refs);
}

/* With the lock. */
void
vsock_put(struct vsock_sock *s)
{
	if (!refcount_put(&s->refs))
		return;
	vsock_unbind_port(s);
	vsock_forget_unread(s);
	vsock_queue_clear(&s->rx);
	vsock_queue_clear(&s->messages);
	socket_fini(&s->sock);
	kfree(s);
}

int
vsock_create(int type, int protocol, struct socket **out)
{
	struct vsock_sock *s;

	if (protocol && protocol != AF_VSOCK)
		return -EPROTONOSUPPORT;
	if (type == SOCK_DGRAM)
		return -ENODEV; /* virtio has none */
	if (type != SOCK_STREAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	s = vsock_new(type, ALLOC_KERNEL);
	if (!s)
		return -ENOMEM;
	*out = &s->sock;
	return 0;
}

int
vsock_wait(struct vsock_sock *s, bool (*ready)(struct vsock_sock *), bool send,
	   uint64_t deadline)
{
	struct wait_entry e UNINIT;
	int err = 0;

	if (ready(s))
		return 0;
	if (!deadline)
		return -EAGAIN;
	wait_start(&s->wq, &e, true);
	while (!ready(s) && !err)
		err = wait_sleep(&e, deadline);
	wait_end(&s->wq, &e);
	return err && !ready(s) ? sock_wait_error(&s->sock, send, err) : 0;
}

/* ---- names ---- */

static int
address(const void *addr, uint32_t len, struct sockaddr_vm *out)
{
	if (len < sizeof(*out))
		return -EINVAL;
	memcpy(out, addr, sizeof(*out));
	if (out->family != AF_VSOCK || out->flags & ~VMADDR_FLAG_TO_HOST)
		return -EINVAL;
	return 0;
}

static bool
is_own(uint32_t cid)
{
	return cid == VMADDR_CID_ANY || cid == VMADDR_CID_LOCAL ||
	       cid == vsock_device_cid();
}

static int
vsock_bind(struct socket *sock, const void *addr, uint32_t len)
{
	struct vsock_sock *s = vsock_of(sock);
	struct sockaddr_vm a;
	int err = address(addr, len, &a);
	irqflags_t f;

	if (err)
		return err;
	f = vsock_lock_all();
	if (s->bound || s->state != VSOCK_FRESH)
		err = -EINVAL;
	else if (!is_own(a.cid))
		err = -EADDRNOTAVAIL;
	else
		err = vsock_bind_port(s, a.cid, a.port);
	vsock_unlock(f);
	return err;
}

static bool
was_connected(const struct vsock_sock *s)
{
	return s->state == VSOCK_CONNECTED || s->state == VSOCK_ENDED;
}

static int
vsock_name(struct socket *sock, bool peer, void *addr, uint32_t *len)
{
	struct vsock_sock *s = vsock_of(sock);
	struct sockaddr_vm a = { .family = AF_VSOCK };
	irqflags_t f = vsock_lock_all();
	int err = peer && (!was_connected(s) || s->parting) ? -ENOTCONN : 0;

	a.cid = peer ? s->peer_cid : s->cid;
	a.port = peer ? s->peer_port : s->port;
	vsock_unlock(f);
	if (err)
		return err;
	memcpy(addr, &a, sizeof(a));
	*len = sizeof(a);
	return 0;
}

/* ---- listening ---- */

static int
vsock_listen(struct socket *sock, int backlog)
{
	struct vsock_sock *s = vsock_of(sock);
	irqflags_t f = vsock_lock_all();
	int err = 0;

	if ((s->state != VSOCK_FRESH && s->state != VSOCK_LISTENING) ||
	    !s->bound) {
		err = -EINVAL;
	} else {
		s->backlog = (unsigned)backlog;
		s->state = VSOCK_LISTENING;
		s->sock.listening = true;
	}
	vsock_unlock(f);
	return err;
}

static struct vsock_sock *
take_child(struct vsock_sock *l)
{
	struct vsock_sock *s = NULL;
	irqflags_t f = vsock_lock_all();

	if (!list_empty(&l->queue)) {
		s = list_first_entry(&l->queue, struct vsock_sock, queue_link);
		list_del(&s->queue_link);
		l->nqueue--;
	}
	vsock_unlock(f);
	return s;
}

static int
vsock_accept(struct socket *sock, bool nonblock, struct socket **out)
{
	struct vsock_sock *l = vsock_of(sock), *s;
	uint64_t until =
		sock_deadline(sock, false, nonblock ? MSG_DONTWAIT : 0);
	struct wait_entry e UNINIT;
	int err = 0;

	if (READ_ONCE(l->state) != VSOCK_LISTENING)
		return -EINVAL;
	s = take_child(l);
	if (!s && !until)
		return -EAGAIN;
	if (!s) {
		wait_start_exclusive(&l->wq, &e, true);
		while (!(s = take_child(l)) && !err)
			err = wait_sleep(&e, until);
		wait_end(&l->wq, &e);
		if (!list_empty(&l->queue))
			wait_wake_next(&l->wq);
		if (!s)
			return sock_wait_error(sock, false, err);
	}
	*out = &s->sock;
	return 0;
}

/* ---- connecting ---- */

static bool
connect_over(struct vsock_sock *s)
{
	return READ_ONCE(s->state) != VSOCK_CONNECTING;
}

static bool
is_near(uint32_t cid)
{
	uint32_t own = vsock_device_cid();

	return cid == VMADDR_CID_LOCAL ||
	       cid == (own == VMADDR_CID_ANY ? VMADDR_CID_HOST : own);
}

/* With the lock.  -EINPROGRESS, or why not. */
static int
start_connect(struct vsock_sock *s, const struct sockaddr_vm *a)
{
	bool near = is_near(a->cid);
	uint64_t ticks;
	int err;

	if (s->state == VSOCK_LISTENING)
		return -EINVAL;
	if (s->state == VSOCK_ENDED)
		return -EINVAL;
	if (!near && vsock_device_cid() == VMADDR_CID_ANY)
		return -ENODEV;
	if (!near && !vsock_is_stream(s) && !vsock_device_packets())
		return -ESOCKTNOSUPPORT;
	if (!s->bound) {
		err = vsock_bind_port(s, VMADDR_CID_ANY, VMADDR_PORT_ANY);
		if (err)
			return err;
	}
	ignore(sock_take_error(&s->sock)); /* of an earlier try */
	s->near = near;
	s->peer_cid = a->cid;
	s->peer_port = a->port;
	s->state = VSOCK_CONNECTING;
	vsock_add_peer(s);
	ticks = READ_ONCE(s->timeout_ticks);
	vsock_set_timer(s, ticks < UINT64_MAX / VSOCK_TICK_NS ?
				   ticks * VSOCK_TICK_NS :
				   UINT64_MAX);
	vsock_ctl(s, WANT_REQUEST);
	return -EINPROGRESS;
}

static int
try_connect(struct vsock_sock *s, const struct sockaddr_vm *a, int bad)
{
	irqflags_t f = vsock_lock_all();
	int err;

	if (s->state == VSOCK_CONNECTED)
		err = -EISCONN;
	else if (s->state == VSOCK_CONNECTING)
		err = -EALREADY;
	else
		err = bad ? bad : start_connect(s, a);
	vsock_unlock(f);
	return err;
}

/* A signal, or the program's own limit: nothing is left of the try. */
static void
give_up(struct vsock_sock *s)
{
	irqflags_t f = vsock_lock_all();

	vsock_reset(s, 0);
	vsock_unlock(f);
}

static int
vsock_connect(struct socket *sock, const void *addr, uint32_t len,
	      bool nonblock)
{
	struct vsock_sock *s = vsock_of(sock);
	struct sockaddr_vm a = { 0 };
	int bad = address(addr, len, &a), err;

	err = try_connect(s, &a, bad);
	if (err == -EALREADY && !nonblock)
		err = -EINPROGRESS; /* waits for what another call began */
	if (err != -EINPROGRESS)
		return err;
	if (nonblock)
		return err; /* even if it is over: as on Linux */
	err = vsock_wait(s, connect_over, true, TIME_NEVER);
	if (err) { /* a signal; it is not begun anew, as on Linux */
		give_up(s);
		return -EINTR;
	}
	if (READ_ONCE(s->state) == VSOCK_FRESH) {
		err = sock_take_error(sock);
		return err ? err : -ECONNABORTED;
	}
	return 0;
}

/* ---- the end ---- */

static int
vsock_shutdown(struct socket *sock, int how)
{
	struct vsock_sock *s = vsock_of(sock);
	int err = 0;
	irqflags_t f;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	f = vsock_lock_all();
	if (!was_connected(s)) {
		err = -ENOTCONN;
	} else {
		s->parting = true;
		/* SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2, as the packet has it. */
		s->shut |= (uint8_t)(how + 1);
		if (s->state == VSOCK_CONNECTED)
			vsock_ctl(s, WANT_SHUTDOWN);
		vsock_wake(s, EV_ALL);
	}
	vsock_unlock(f);
	return err;
}

static void release(struct vsock_sock *s);

/* Connections that nobody will accept. */
static void
drop_queue(struct vsock_sock *l)
{
	struct vsock_sock *s;

	while ((s = take_child(l)))
		release(s);
}

static void
release(struct vsock_sock *s)
{
	irqflags_t f = vsock_lock_all();

	vsock_queue_clear(&s->rx);
	if (s->state == VSOCK_CONNECTING)
		vsock_reset(s, 0);
	vsock_close(s);
	vsock_put(s);
	vsock_unlock(f);
}

static bool
has_ended(struct vsock_sock *s)
{
	return READ_ONCE(s->state) != VSOCK_CONNECTED;
}

/* SO_LINGER: until the peer has taken all and answered the end. */
static void
linger(struct vsock_sock *s)
{
	uint64_t ns = (uint64_t)s->sock.linger_s * NSEC_PER_SEC;
	irqflags_t f = vsock_lock_all();

	if (s->state == VSOCK_CONNECTED && s->shut != NO_BOTH) {
		s->shut = NO_BOTH;
		vsock_ctl(s, WANT_SHUTDOWN);
	}
	vsock_unlock(f);
	ignore(vsock_wait(s, has_ended, true, clock_mono_ns() + ns));
}

static void
vsock_release(struct socket *sock)
{
	struct vsock_sock *s = vsock_of(sock);
	irqflags_t f;

	if (s->state == VSOCK_LISTENING) {
		f = vsock_lock_all();
		s->state = VSOCK_FRESH; /* no request finds it any more */
		vsock_unlock(f);
		drop_queue(s);
	}
	if (sock_opt(sock, SOCKOPT_LINGER) && sock->linger_s)
		linger(s);
	release(s);
}

static const struct socket_ops vsock_ops = {
	.bind = vsock_bind,
	.connect = vsock_connect,
	.listen = vsock_listen,
	.accept = vsock_accept,
	.name = vsock_name,
	.send = vsock_send,
	.recv = vsock_recv,
	.shutdown = vsock_shutdown,
	.getopt = vsock_getopt,
	.setopt = vsock_setopt,
	.poll = vsock_poll,
	.release = vsock_release,
};
