/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP and raw sockets: life, names, receiving, readiness, options; sending is
 * in dgram_send.c.
 *
 * A datagram for this machine goes straight from the sender into the
 * receiver's queue: one copy from the program, one to it, and no protocol.
 * The others leave and come through the core (lwip/far_dgram.c).
 *
 * Queues are bounded in bytes by SO_RCVBUF, counted as Linux does with the
 * memory around the data; what does not fit is dropped and counted.
 */
#include <net/dgram.h>

#include "dgram_priv.h"

#include <abi/errno.h>
#include <abi/inet.h>
#include <abi/poll.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <net/netif.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define EV_IN  (POLLIN | POLLRDNORM)
#define EV_OUT (POLLOUT | POLLWRNORM | POLLWRBAND)

/* ---- datagrams ---- */

struct dgram *
dgram_alloc(uint32_t len, unsigned alloc)
{
	struct dgram *d = kmalloc(sizeof(*d) + len, alloc);

	if (!d)
		return NULL;
	d->next = NULL;
	refcount_set(&d->refs, 1);
	d->len = len;
	d->truesize = len + DGRAM_OVERHEAD;
	return d;
}

void
dgram_put(struct dgram *d)
{
	if (refcount_put(&d->refs))
		kfree(d);
}

void
dgram_deliver(struct inet_sock *sk, struct dgram *d)
{
	struct dgram_sock *u = dgram_of(sk);
	irqflags_t f = spin_lock_irq(&sk->lock);
	bool taken = !u->rcv_shut &&
		     (u->bytes + d->truesize <= sk->sock.rcvbuf || !u->head);

	if (taken) {
		*u->tail = d;
		u->tail = &d->next;
		u->bytes += d->truesize;
	} else {
		u->drops++;
	}
	spin_unlock_irq(&sk->lock, f);
	if (!taken)
		dgram_put(d);
	else if (waitq_active(&sk->wq))
		wait_wake_all(&sk->wq, EV_IN);
}

/* [lock] */
static struct dgram *
unlink_head(struct dgram_sock *u)
{
	struct dgram *d = u->head;

	u->head = d->next;
	if (!u->head)
		u->tail = &u->head;
	u->bytes -= d->truesize;
	return d;
}

static struct dgram *
take(struct dgram_sock *u, bool peek)
{
	irqflags_t f;
	struct dgram *d;

	if (!READ_ONCE(u->head))
		return NULL;
	f = spin_lock_irq(&u->in.lock);
	d = u->head;
	if (d && peek)
		refcount_get(&d->refs);
	else if (d)
		unlink_head(u);
	spin_unlock_irq(&u->in.lock, f);
	return d;
}

/* ---- life ---- */

static int
create(bool v6, int type, int protocol, struct dgram_sock **out)
{
	struct dgram_sock *u = kzalloc(sizeof(*u), ALLOC_KERNEL);

	if (!u)
		return -ENOMEM;
	inet_init_sock(&u->in, &dgram_ops, v6, type, protocol);
	u->tail = &u->head;
	u->errs_tail = &u->errs;
	mutex_init(&u->cork_lock, RANK_SOCKET);
	*out = u;
	return 0;
}

int
udp_create(bool v6, struct socket **out)
{
	struct dgram_sock *u;
	int err = create(v6, SOCK_DGRAM, IPPROTO_UDP, &u);

	if (err)
		return err;
	inet_list_add(&u->in);
	*out = &u->in.sock;
	return 0;
}

int
raw_create(bool v6, int protocol, struct socket **out)
{
	struct dgram_sock *u;
	int err = create(v6, SOCK_RAW, protocol, &u);

	if (err)
		return err;
	u->in.hdrincl = protocol == IPPROTO_RAW;
	u->csum_at = v6 && protocol == IPPROTO_ICMPV6 ? 2 : -1;
	err = raw_far_open(u);
	if (err) {
		inet_put(&u->in);
		return err;
	}
	inet_list_add(&u->in);
	*out = &u->in.sock;
	return 0;
}

static void
dgram_release(struct socket *s)
{
	struct inet_sock *sk = inet_of(s);
	struct dgram_sock *u = dgram_of(sk);
	struct dgram *d;
	irqflags_t f;

	if (dgram_is_raw(sk))
		raw_far_close(u);
	else
		inet_drop_port(sk);
	inet_drop_groups(sk);
	inet_list_del(sk);
	/* Under the lock: who found the socket before it left the table may be
	 * about to deliver. */
	f = spin_lock_irq(&sk->lock);
	u->rcv_shut = true;
	sk->sock.rcvbuf = 0; /* nor is there room for an error */
	spin_unlock_irq(&sk->lock, f);
	while ((d = take(u, false)))
		dgram_put(d);
	dgram_err_purge(sk);
	dgram_send_fini(u);
	inet_put(sk);
}

/* ---- names ---- */

static int
dgram_bind(struct socket *s, const void *addr, uint32_t len)
{
	struct inet_sock *sk = inet_of(s);
	struct inet_end want;
	int err = inet_addr_in(sk, addr, len, &want);

	if (err == -ENETUNREACH)
		return -EINVAL;
	if (err)
		return err;
	if (sk->hashed)
		return -EINVAL;
	if (!inet_is_any(&want.addr) && !sk->freebind &&
	    !inet_is_multicast(&want.addr) && !inet_is_broadcast(&want.addr) &&
	    !inet_may_bind(&want.addr))
		return -EADDRNOTAVAIL;
	if (dgram_is_raw(sk)) {
		want.port = (uint16_t)sk->sock.protocol;
		sk->local = want;
		sk->bound_addr = !inet_is_any(&want.addr);
		return 0;
	}
	return inet_bind_port(sk, &want);
}

static bool
source_for(const struct inet_end *dst, struct inet_end *src)
{
	struct net_route r;
	bool v4 = inet_is_v4(&dst->addr);

	if (inet_is_local(&dst->addr)) {
		src->addr = inet_near_source(&dst->addr);
		return true;
	}
	if (net_route_lookup(v4 ? AF_INET : AF_INET6,
			     v4 ? dst->addr.b + 12 : dst->addr.b, &r))
		return false;
	if (v4) {
		src->addr = inet_v4(0);
		memcpy(src->addr.b + 12, r.src, 4);
	} else {
		memcpy(src->addr.b, r.src, 16);
	}
	return true;
}

static int
dgram_disconnect(struct inet_sock *sk)
{
	sk->connected = false;
	memset(&sk->remote, 0, sizeof(sk->remote));
	if (!sk->v6)
		sk->remote.addr = inet_v4(0);
	inet_reset_local(sk);
	if (!sk->bound && !dgram_is_raw(sk)) {
		inet_drop_port(sk);
		sk->local.port = 0;
	}
	return 0;
}

static int
dgram_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	struct inet_sock *sk = inet_of(s);
	struct inet_end dst, src = { 0 };
	uint16_t family;
	int err = 0;

	(void)nonblock;
	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, addr, sizeof(family));
	if (family == AF_UNSPEC)
		return dgram_disconnect(sk);
	err = dgram_dest_in(sk, addr, len, &dst);
	if (err)
		return err == -ENETUNREACH ? -EAFNOSUPPORT : err;
	dgram_any_to_loopback(sk, &dst);
	if (inet_is_broadcast(&dst.addr) && !sock_opt(s, SOCKOPT_BROADCAST))
		return -EACCES;
	if (inet_is_loopback4(&sk->local.addr) && !inet_is_local(&dst.addr))
		return -EINVAL;
	inet_need_route(&dst.addr);
	if (!source_for(&dst, &src) ||
	    (sock_opt(s, SOCKOPT_DONTROUTE) && inet_over_router(&dst.addr)))
		return -ENETUNREACH;
	if (!dgram_is_raw(sk) && !sk->hashed)
		err = inet_auto_port(sk);
	if (err)
		return -EAGAIN;
	if (inet_is_any(&sk->local.addr))
		sk->local.addr = src.addr;
	sk->remote = dst;
	WRITE_ONCE(sk->connected, true);
	return 0;
}

static int
dgram_name(struct socket *s, bool peer, void *addr, uint32_t *len)
{
	return inet_name(inet_of(s), peer, addr, len);
}

/* ---- receiving ---- */

static NOINLINE void
tell_gro(struct sock_msg *m, const struct dgram_meta *d)
{
	int size = d->gso;

	sock_cmsg_put(m, IPPROTO_UDP, UDP_GRO, &size, sizeof(size));
}

static void
tell_pktinfo(struct inet_sock *sk, struct sock_msg *m,
	     const struct dgram_meta *d)
{
	bool v4 = inet_is_v4(&d->dst.addr);

	if (sk->pktinfo && v4) {
		struct in_pktinfo p = { d->ifindex, d->dst.addr.w[3],
					d->dst.addr.w[3] };

		sock_cmsg_put(m, IPPROTO_IP, IP_PKTINFO, &p, sizeof(p));
	}
	if (sk->pktinfo6 && sk->v6) {
		struct in6_pktinfo p = { .ifindex = d->ifindex };

		memcpy(p.addr, d->dst.addr.b, 16);
		sock_cmsg_put(m, IPPROTO_IPV6, IPV6_PKTINFO, &p, sizeof(p));
	}
}

void
dgram_tell_control(struct inet_sock *sk, struct sock_msg *m,
		   const struct dgram_meta *d)
{
	bool v4 = inet_is_v4(&d->dst.addr);
	int ttl = d->ttl, tos = d->tos;

	if (d->gso)
		tell_gro(m, d);
	tell_pktinfo(sk, m, d);
	if (v4 && sk->recvttl)
		sock_cmsg_put(m, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (v4 && sk->recvtos)
		sock_cmsg_put(m, IPPROTO_IP, IP_TOS, &d->tos, 1);
	if (!v4 && sk->recvttl6)
		sock_cmsg_put(m, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl,
			      sizeof(ttl));
	if (!v4 && sk->recvtos6)
		sock_cmsg_put(m, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	if (v4 && sk->recvorigdst) {
		struct inet_end e = d->dst;
		struct sockaddr_in sa;

		inet_addr_out(false, &e, &sa);
		sock_cmsg_put(m, IPPROTO_IP, IP_RECVORIGDSTADDR, &sa,
			      sizeof(sa));
	}
	if (sock_opt(&sk->sock, SOCKOPT_RXQ_OVFL)) {
		uint32_t n = READ_ONCE(dgram_of(sk)->drops);

		sock_cmsg_put(m, SOL_SOCKET, SO_RXQ_OVFL, &n, sizeof(n));
	}
}

static bool
can_recv(struct dgram_sock *u)
{
	return READ_ONCE(u->head) || READ_ONCE(u->rcv_shut) ||
	       READ_ONCE(u->in.sock.error);
}

static int
wait_for_one(struct dgram_sock *u, uint64_t deadline)
{
	struct wait_entry e;
	int err = 0;

	if (!deadline)
		return -EAGAIN;
	wait_start_exclusive(&u->in.wq, &e, true);
	while (!can_recv(u) && !err)
		err = wait_sleep(&e, deadline);
	wait_end(&u->in.wq, &e);
	return err && !can_recv(u) ? sock_wait_error(&u->in.sock, false, err) :
				     0;
}

static ssize_t
hand_out(struct dgram_sock *u, struct dgram *d, struct uio *uio,
	 struct sock_msg *m)
{
	struct inet_sock *sk = &u->in;
	size_t n = min_u64(uio->resid, d->len);
	ssize_t r = 0;

	if (n)
		r = uio_write(uio, d->data, n);
	if (r >= 0 && (size_t)r < n)
		r = -EFAULT;
	if (r >= 0) {
		if (d->len > n)
			m->out_flags |= MSG_TRUNC;
		if (m->addr) {
			struct inet_end from = d->m.src;

			if (dgram_is_raw(sk))
				from.port = 0;
			m->addrlen = inet_addr_out(sk->v6, &from, m->addr);
		}
		sock_cmsg_stamp(&sk->sock, m, d->m.stamp_ns);
		if (m->control_wanted)
			dgram_tell_control(sk, m, &d->m);
		if (m->flags & MSG_TRUNC)
			r = d->len;
	}
	dgram_put(d);
	return r;
}

static ssize_t
dgram_recv(struct socket *s, struct uio *u, struct sock_msg *m)
{
	struct dgram_sock *ds = dgram_of(inet_of(s));
	uint64_t deadline = sock_deadline(s, false, m->flags);
	struct dgram *d;
	int err;

	if (m->flags & MSG_OOB && dgram_is_raw(inet_of(s)))
		return -EOPNOTSUPP;
	if (m->flags & MSG_ERRQUEUE)
		return dgram_err_recv(inet_of(s), u, m);
	for (;;) {
		err = sock_take_error(s);
		if (err)
			return err;
		d = take(ds, m->flags & MSG_PEEK);
		if (d)
			return hand_out(ds, d, u, m);
		if (ds->rcv_shut)
			return 0;
		err = wait_for_one(ds, deadline);
		if (err)
			return err;
	}
}

static int
dgram_shutdown(struct socket *s, int how)
{
	struct dgram_sock *u = dgram_of(inet_of(s));

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (how != SHUT_WR)
		WRITE_ONCE(u->rcv_shut, true);
	if (how != SHUT_RD)
		WRITE_ONCE(u->snd_shut, true);
	wait_wake_all(&u->in.wq, EV_IN | EV_OUT | POLLHUP | POLLRDHUP);
	return u->in.connected ? 0 : -ENOTCONN;
}

static uint32_t
dgram_poll(struct socket *s, struct poll_table *pt)
{
	struct dgram_sock *u = dgram_of(inet_of(s));
	uint32_t mask = EV_OUT;

	poll_wait(pt, &u->in.wq);
	if (READ_ONCE(s->error))
		mask |= POLLERR;
	if (READ_ONCE(u->errs) || unlikely(READ_ONCE(u->in.zc_untold)))
		mask |= POLLERR |
			(sock_opt(s, SOCKOPT_ERR_QUEUE) ? POLLPRI : 0);
	if (u->rcv_shut)
		mask |= POLLRDHUP | EV_IN;
	if (u->rcv_shut && u->snd_shut)
		mask |= POLLHUP;
	if (READ_ONCE(u->head))
		mask |= EV_IN;
	return mask;
}

static long
dgram_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct dgram_sock *u = dgram_of(inet_of(s));
	irqflags_t f;
	int n;

	switch (cmd) {
	case SIOCINQ: /* of the next datagram */
		f = spin_lock_irq(&u->in.lock);
		n = u->head ? (int)u->head->len : 0;
		spin_unlock_irq(&u->in.lock, f);
		break;
	case SIOCOUTQ:
		n = 0;
		break;
	default:
		return -ENOTTY;
	}
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

#define ICMP_FILTER  1
#define ICMP6_FILTER 1
#define SOL_RAW	     255

static int
set_udp(struct dgram_sock *u, int name, const void *val, uint32_t len)
{
	int v, err = sock_opt_int(val, len, &v);

	if (err)
		return err;
	switch (name) {
	case UDP_CORK:
		WRITE_ONCE(u->corked, v != 0);
		return v ? 0 : dgram_uncork(&u->in);
	case UDP_SEGMENT:
		if (v < 0 || v > 0xffff)
			return -EINVAL;
		WRITE_ONCE(u->gso, (uint16_t)v);
		return 0;
	case UDP_GRO:
		WRITE_ONCE(u->gro, v != 0);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* Where the checksum of what is sent and received lies (RFC 3542, 3.1); ICMPv6's
 * place is its own, though SOL_RAW may say otherwise, as on Linux. */
static int
set_checksum(struct dgram_sock *u, int level, const void *val, uint32_t len)
{
	int v;

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (u->in.sock.protocol == IPPROTO_ICMPV6 && level == IPPROTO_IPV6)
		return -EINVAL;
	if (v > 0 && v & 1)
		return -EINVAL;
	WRITE_ONCE(u->csum_at, v < 0 ? -1 : v);
	return 0;
}

static bool
is_checksum(const struct inet_sock *sk, int level, int name)
{
	return name == IPV6_CHECKSUM && dgram_is_raw(sk) && sk->v6 &&
	       (level == IPPROTO_IPV6 || level == SOL_RAW);
}

/* Which types of messages are kept out, of a socket that gets such; NULL: the
 * option is another one. */
static void *
icmp_filter(struct dgram_sock *u, int level, int name, uint32_t *size)
{
	if (!dgram_is_raw(&u->in))
		return NULL;
	if (level == SOL_RAW && name == ICMP_FILTER &&
	    u->in.sock.protocol == IPPROTO_ICMP) {
		*size = sizeof(u->icmp_filter);
		return &u->icmp_filter;
	}
	if (level == IPPROTO_ICMPV6 && name == ICMP6_FILTER &&
	    u->in.sock.protocol == IPPROTO_ICMPV6) {
		*size = sizeof(u->icmp6_filter);
		return u->icmp6_filter;
	}
	return NULL;
}

static int
dgram_setopt(struct socket *s, int level, int name, const void *val,
	     uint32_t len)
{
	struct inet_sock *sk = inet_of(s);
	struct dgram_sock *u = dgram_of(sk);

	uint32_t size;
	void *at;

	at = icmp_filter(u, level, name, &size);
	if (at) {
		memcpy(at, val, min_u64(len, size));
		return 0;
	}
	if (level == SOL_SOCKET && name == SO_ZEROCOPY && !dgram_is_raw(sk))
		return inet_zc_setopt(sk, val, len);
	if (level == SOL_SOCKET && !dgram_is_raw(sk))
		return inet_steer_setopt(sk, name, val, len);
	if (level == IPPROTO_UDP && !dgram_is_raw(sk))
		return set_udp(u, name, val, len);
	if (is_checksum(sk, level, name))
		return set_checksum(u, level, val, len);
	return inet_setopt(sk, level, name, val, len);
}

static int
dgram_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct inet_sock *sk = inet_of(s);
	struct dgram_sock *u = dgram_of(sk);
	uint32_t size;
	void *at;

	at = icmp_filter(u, level, name, &size);
	if (at) {
		*len = (uint32_t)min_u64(*len, size);
		memcpy(val, at, *len);
		return 0;
	}
	if (level == SOL_SOCKET && name == SO_ZEROCOPY && !dgram_is_raw(sk))
		return sock_put_int(val, len, sk->zerocopy);
	if (is_checksum(sk, level, name))
		return sock_put_int(val, len, u->csum_at);
	if (level == SOL_RAW && dgram_is_raw(sk))
		return -ENOPROTOOPT;
	if (level != IPPROTO_UDP || dgram_is_raw(sk))
		return inet_getopt(sk, level, name, val, len);
	switch (name) {
	case UDP_CORK:
		return sock_put_int(val, len, u->corked);
	case UDP_SEGMENT:
		return sock_put_int(val, len, u->gso);
	case UDP_GRO:
		return sock_put_int(val, len, u->gro);
	default:
		return -ENOPROTOOPT;
	}
}

const struct socket_ops dgram_ops = {
	.bind = dgram_bind,
	.connect = dgram_connect,
	.name = dgram_name,
	.send = dgram_send,
	.recv = dgram_recv,
	.shutdown = dgram_shutdown,
	.getopt = dgram_getopt,
	.setopt = dgram_setopt,
	.poll = dgram_poll,
	.ioctl = dgram_ioctl,
	.release = dgram_release,
};
