/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending by UDP and raw sockets: where to, what control data says, and the
 * three ways: one datagram of one send; one of several (MSG_MORE, UDP_CORK),
 * which gathers in memory of the socket under a lock of its own; several of
 * one (UDP_SEGMENT), cut here, as no device is asked to.
 *
 * Several near ones stay one for a receiver that has UDP_GRO.
 */
#include <net/dgram.h>

#include "dgram_priv.h"

#include <abi/errno.h>
#include <abi/inet.h>
#include <abi/packet.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <mem/heap.h>
#include <net/bpf.h>
#include <net/netif.h>
#include <vm/uio.h>

#define SEGMENTS_MAX 128u /* of one send */

static int
out_pktinfo(struct dgram_out *o, const struct cmsghdr *h, const uint8_t *data)
{
	struct in_pktinfo p;

	if (h->len < sizeof(*h) + sizeof(p))
		return -EINVAL;
	memcpy(&p, data, sizeof(p));
	o->ifindex = p.ifindex ? p.ifindex : o->ifindex;
	if (p.spec_dst)
		o->src.addr = inet_v4(p.spec_dst);
	return 0;
}

static int
out_pktinfo6(struct dgram_out *o, const struct cmsghdr *h, const uint8_t *data)
{
	struct in6_pktinfo p;
	struct inet_addr a;

	if (h->len < sizeof(*h) + sizeof(p))
		return -EINVAL;
	memcpy(&p, data, sizeof(p));
	memcpy(a.b, p.addr, 16);
	o->ifindex = p.ifindex ? p.ifindex : o->ifindex;
	if (!inet_is_any(&a))
		o->src.addr = a;
	return 0;
}

static int
out_int(const struct cmsghdr *h, const uint8_t *data, int *v)
{
	if (h->len == sizeof(*h) + 1) {
		*v = data[0];
		return 0;
	}
	if (h->len < sizeof(*h) + sizeof(int))
		return -EINVAL;
	memcpy(v, data, sizeof(int));
	return 0;
}

static int
out_segment(struct dgram_out *o, const struct cmsghdr *h, const uint8_t *data)
{
	if (h->type != UDP_SEGMENT || h->len != sizeof(*h) + sizeof(o->gso))
		return -EINVAL;
	memcpy(&o->gso, data, sizeof(o->gso));
	return 0;
}

static int
out_cmsg(struct dgram_out *o, const struct cmsghdr *h, const uint8_t *data)
{
	int v = 0, err;

	if (h->level == SOL_SOCKET)
		return 0;
	if (h->level == IPPROTO_IP && h->type == IP_PKTINFO)
		return out_pktinfo(o, h, data);
	if (h->level == IPPROTO_IPV6 && h->type == IPV6_PKTINFO)
		return out_pktinfo6(o, h, data);
	if (h->level == IPPROTO_UDP && o->udp)
		return out_segment(o, h, data);
	if (h->level != IPPROTO_IP && h->level != IPPROTO_IPV6)
		return 0; /* another protocol's: Linux passes it over, too */
	err = out_int(h, data, &v);
	if (err)
		return err;
	if (h->level == IPPROTO_IP && h->type == IP_TTL) {
		if (v < 1 || v > 255)
			return -EINVAL;
		o->ttl = v;
	} else if (h->level == IPPROTO_IPV6 && h->type == IPV6_HOPLIMIT) {
		if (v < -1 || v > 255)
			return -EINVAL;
		o->ttl = v;
	} else if ((h->level == IPPROTO_IP && h->type == IP_TOS) ||
		   (h->level == IPPROTO_IPV6 && h->type == IPV6_TCLASS)) {
		if (v < -1 || v > 255)
			return -EINVAL;
		o->tos = (uint8_t)(v < 0 ? 0 : v);
	} else {
		return -EINVAL;
	}
	return 0;
}

int
dgram_dest_in(const struct inet_sock *sk, const void *addr, uint32_t len,
	      struct inet_end *out)
{
	struct sockaddr_in sa;

	if (!sk->v6 || len < sizeof(sa))
		return inet_addr_in(sk, addr, len, out);
	memcpy(&sa, addr, sizeof(sa));
	if (sa.family != AF_INET)
		return inet_addr_in(sk, addr, len, out);
	if (sk->v6only)
		return -ENETUNREACH;
	*out = (struct inet_end){
		.addr = inet_v4(sa.addr),
		.port = (uint16_t)(sa.port << 8 | sa.port >> 8),
	};
	return 0;
}

static int
destination(struct inet_sock *sk, const struct sock_msg *m, struct dgram_out *o)
{
	int err;

	if (m->addr && m->addrlen) {
		const struct sockaddr_in *sa = m->addr;

		/* Linux's raw and datagram sockets take AF_UNSPEC as
		 * AF_INET. */
		if (!sk->v6 && m->addrlen >= sizeof(*sa) &&
		    sa->family == AF_UNSPEC) {
			o->dst.addr = inet_v4(sa->addr);
			o->dst.port = (uint16_t)(sa->port << 8 | sa->port >> 8);
		} else {
			err = dgram_dest_in(sk, m->addr, m->addrlen, &o->dst);
			if (err)
				return err;
		}
	} else if (sk->connected) {
		o->dst = sk->remote;
	} else {
		return -EDESTADDRREQ;
	}
	if (!dgram_is_raw(sk) && !o->dst.port)
		return -EINVAL;
	dgram_any_to_loopback(sk, &o->dst);
	return 0;
}

static int
prepare(struct inet_sock *sk, const struct sock_msg *m, struct dgram_out *o)
{
	struct cmsghdr h;
	const uint8_t *data;
	uint32_t at = 0;
	bool v4, multi;
	int err = destination(sk, m, o);

	if (err)
		return err;
	v4 = inet_is_v4(&o->dst.addr);
	multi = inet_is_multicast(&o->dst.addr);
	o->src = sk->local;
	o->ifindex = sk->sock.ifindex;
	if (!o->ifindex && o->dst.scope)
		o->ifindex = (int)o->dst.scope;
	if (!o->ifindex && multi)
		o->ifindex = v4 ? sk->mcast_if : sk->mcast_if6;
	o->ttl = v4 ? (multi ? sk->mcast_ttl : sk->ttl) :
		      (multi ? sk->mcast_hops : sk->hops);
	if (!v4 && multi && o->ttl < 0)
		o->ttl = 1;
	o->tos = v4 ? sk->tos : sk->tclass;
	o->udp = !dgram_is_raw(sk);
	o->gso = READ_ONCE(dgram_of(sk)->gso);
	while (!err && m->control && sock_cmsg_next(m, &at, &h, &data))
		err = out_cmsg(o, &h, data);
	if (!err && v4 && inet_is_broadcast(&o->dst.addr) &&
	    !sock_opt(&sk->sock, SOCKOPT_BROADCAST))
		err = -EACCES;
	if (!err &&
	    unlikely(m->flags & MSG_DONTROUTE ||
		     sock_opt(&sk->sock, SOCKOPT_DONTROUTE)) &&
	    inet_over_router(&o->dst.addr))
		err = -ENETUNREACH;
	/* Multicast from an address of loopback stays unbound. */
	if (inet_is_v4(&o->src.addr) != v4) {
		o->src.addr = v4 ? inet_v4(0) : (struct inet_addr){ 0 };
	}
	return err;
}

static void
copy_dgram(const struct dgram_error *e, void *dst, uint32_t len)
{
	const struct dgram *d = e->arg;

	memcpy(dst, d->data, len);
}

/* Nobody has the port: what ICMP would say, with as much of the datagram as
 * fits into 576 bytes (RFC 1812, 4.3.2.3) or 1280 (RFC 4443, 2.4). */
static NOINLINE void
near_refused(struct inet_sock *sk, struct dgram *d)
{
	bool v4 = inet_is_v4(&d->m.dst.addr);
	struct dgram_error e = {
		.err = ECONNREFUSED,
		.hard = true,
		.origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6,
		.type = v4 ? 3 : 1,
		.code = v4 ? 3 : 4,
		.from = d->m.src,
		.to = d->m.dst,
		.m = d->m,
		.len = (uint32_t)min_u64(d->len, v4 ? 520 : 1184),
		.copy = copy_dgram,
		.arg = d,
	};

	e.m.src = d->m.dst;
	e.m.dst = d->m.src;
	e.m.ttl = 64;
	e.m.tos = 0;
	e.m.stamp_ns = clock_real_ns();
	dgram_error(sk, &e);
}

static bool
load_near(const void *ctx, uint32_t off, void *to, uint32_t n)
{
	const struct dgram *d = ctx;

	if (off > d->len || n > d->len - off)
		return false;
	memcpy(to, d->data + off, n);
	return true;
}

static NOINLINE struct inet_sock *
near_steered(const struct dgram *d)
{
	const struct bpf_packet p = {
		.load = load_near,
		.ctx = d,
		.len = d->len,
		.protocol = inet_is_v4(&d->m.dst.addr) ? ETH_P_IP : ETH_P_IPV6,
		.ifindex = NET_IF_LO,
	};

	return inet_find_steered(&d->m.dst, &d->m.src, NET_IF_LO, &p);
}

/* One datagram of len bytes for this machine; gso: of how many that are so
 * long it is made (UDP_GRO), 0: of itself. */
static ALWAYS_INLINE int
send_near(struct inet_sock *sk, struct uio *u, uint32_t len,
	  const struct dgram_out *o, uint16_t gso)
{
	struct dgram *d = dgram_alloc(len, ALLOC_KERNEL);
	struct inet_sock *to;

	if (!d)
		return -ENOBUFS;
	if (len && uio_read(u, d->data, len) != (ssize_t)len) {
		dgram_put(d);
		return -EFAULT;
	}
	memset(&d->m, 0, sizeof(d->m));
	d->m.src = o->src;
	if (inet_is_any(&o->src.addr))
		d->m.src.addr = inet_near_source(&o->dst.addr);
	d->m.src.port = sk->local.port;
	d->m.dst = o->dst;
	d->m.ifindex = NET_IF_LO;
	d->m.ttl = (uint8_t)(o->ttl < 0 ? 64 : o->ttl);
	d->m.tos = o->tos;
	d->m.gso = gso;
	to = likely(!READ_ONCE(inet_steered)) ?
		     inet_find_udp(&d->m.dst, &d->m.src, NET_IF_LO) :
		     near_steered(d);
	if (to) {
		d->m.stamp_ns = clock_real_ns();
		dgram_deliver(to, d);
		inet_put(to);
		return 0;
	}
	near_refused(sk, d);
	dgram_put(d);
	return 0;
}

static int
send_far(struct inet_sock *sk, struct uio *u, uint32_t len,
	 const struct dgram_out *o)
{
	void *data, *buf = far_buf_alloc(len, &data);
	int err;

	if (!buf)
		return -ENOBUFS;
	if (len && uio_read(u, data, len) != (ssize_t)len) {
		far_buf_free(buf);
		return -EFAULT;
	}
	err = dgram_is_raw(sk) ? raw_far_send(sk, buf, o) :
				 udp_far_send(sk, buf, o);
	if (err == -EMSGSIZE)
		ignore(dgram_too_large(sk, &o->dst, far_mtu(o)));
	return err;
}

/* ---- several of one send ---- */

static bool
near_takes_all(struct inet_sock *sk, const struct dgram_out *o)
{
	struct inet_end src = o->src;
	struct inet_sock *to;
	bool gro;

	if (inet_is_any(&src.addr))
		src.addr = inet_near_source(&o->dst.addr);
	src.port = sk->local.port;
	to = inet_find_udp(&o->dst, &src, NET_IF_LO);
	gro = to && READ_ONCE(dgram_of(to)->gro);
	if (to)
		inet_put(to);
	return gro;
}

static NOINLINE int
send_segments(struct inet_sock *sk, struct uio *u, const struct dgram_out *o)
{
	bool near = inet_is_local(&o->dst.addr);
	uint32_t head = inet_is_v4(&o->dst.addr) ? 28 : 48; /* IP and UDP */
	int err = 0;

	if (u->resid > (size_t)o->gso * SEGMENTS_MAX ||
	    o->gso + head > (near ? NET_LO_MTU : far_mtu(o)))
		return -EINVAL;
	if (near && near_takes_all(sk, o))
		return send_near(sk, u, (uint32_t)u->resid, o, o->gso);
	while (!err && u->resid) {
		uint32_t n = (uint32_t)min_u64(u->resid, o->gso);

		err = near ? send_near(sk, u, n, o, 0) : send_far(sk, u, n, o);
	}
	return err;
}

/* Is it larger than what IPV6_MTU allows, and may not be cut? */
static NOINLINE bool
limited(const struct inet_sock *sk, const struct uio *u,
	const struct dgram_out *o)
{
	size_t size = o->gso && u->resid > o->gso ? o->gso : u->resid;

	return !inet_is_v4(&o->dst.addr) && dgram_may_not_cut(sk, false) &&
	       size + (o->udp ? 48u : 40u) > sk->frag6;
}

static ALWAYS_INLINE int
transmit(struct inet_sock *sk, struct uio *u, const struct dgram_out *o)
{
	bool near = o->udp && inet_is_local(&o->dst.addr);

	if (!near)
		inet_need_route(&o->dst.addr);
	if (unlikely(sk->frag6) && limited(sk, u, o))
		return dgram_too_large(sk, &o->dst, sk->frag6);
	if (unlikely(o->gso) && o->udp && u->resid > o->gso)
		return send_segments(sk, u, o);
	return near ? send_near(sk, u, (uint32_t)u->resid, o, 0) :
		      send_far(sk, u, (uint32_t)u->resid, o);
}

static uint32_t
most_of(const struct dgram_out *o)
{
	return inet_is_v4(&o->dst.addr) ? UDP_MAX4 : UDP_MAX6;
}

static NOINLINE int
too_large(struct inet_sock *sk, const struct dgram_out *o)
{
	return dgram_too_large(sk, &o->dst,
			       inet_is_local(&o->dst.addr) ? NET_LO_MTU :
							     far_mtu(o));
}

/* ---- one of several sends ---- */

static void
cork_drop(struct dgram_sock *u)
{
	struct dgram_cork *c = u->cork;

	atomic_store_relaxed(&u->cork, NULL);
	if (c)
		kfree(c->data);
	kfree(c);
}

/* Room for n more; memory doubles. */
static int
cork_room(struct dgram_cork *c, uint32_t n)
{
	uint32_t size = c->size ? c->size : 256;
	uint8_t *data;

	while (size < c->len + n)
		size *= 2;
	if (size == c->size)
		return 0;
	data = kmalloc(size, ALLOC_KERNEL);
	if (!data)
		return -ENOBUFS;
	if (c->len)
		memcpy(data, c->data, c->len);
	kfree(c->data);
	c->data = data;
	c->size = size;
	return 0;
}

static int
cork_append(struct inet_sock *sk, struct dgram_cork *c, struct uio *u)
{
	uint32_t n = (uint32_t)u->resid;
	int err;

	if (n > most_of(&c->o) - c->len)
		return too_large(sk, &c->o);
	err = cork_room(c, n);
	if (!err && n && uio_read(u, c->data + c->len, n) != (ssize_t)n)
		err = -EFAULT;
	c->len += n;
	return err;
}

static NOINLINE int
cork_flush(struct inet_sock *sk)
{
	struct dgram_sock *u = dgram_of(sk);
	struct uio uio;
	int err;

	uio_init_kernel(&uio, u->cork->data, u->cork->len);
	err = transmit(sk, &uio, &u->cork->o);
	cork_drop(u);
	return err;
}

/* The first one says where to (o); an error drops all of it.  o NULL: there
 * was one; *gone: no more. */
static NOINLINE ssize_t
send_corked(struct inet_sock *sk, struct uio *u, struct sock_msg *m,
	    const struct dgram_out *o, bool *gone)
{
	struct dgram_sock *d = dgram_of(sk);
	ssize_t len = (ssize_t)u->resid;
	int err = 0;

	mutex_lock(&d->cork_lock);
	*gone = !d->cork && !o;
	if (*gone)
		goto out;
	if (!d->cork) {
		struct dgram_cork *c = kzalloc(sizeof(*c), ALLOC_KERNEL);

		if (!c) {
			err = -ENOBUFS;
			goto out;
		}
		c->o = *o;
		atomic_store_relaxed(&d->cork, c);
	}
	err = cork_append(sk, d->cork, u);
	if (err)
		cork_drop(d);
	else if (!(m->flags & MSG_MORE) && !READ_ONCE(d->corked))
		err = cork_flush(sk);
out:
	mutex_unlock(&d->cork_lock);
	return err ? err : len;
}

int
dgram_uncork(struct inet_sock *sk)
{
	struct dgram_sock *d = dgram_of(sk);
	int err = 0;

	if (!READ_ONCE(d->cork))
		return 0;
	mutex_lock(&d->cork_lock);
	if (d->cork)
		err = cork_flush(sk);
	mutex_unlock(&d->cork_lock);
	return err;
}

void
dgram_send_fini(struct dgram_sock *u)
{
	cork_drop(u);
}

/* Where it goes, and a port of its own. */
static int
get_ready(struct inet_sock *sk, const struct sock_msg *m, struct dgram_out *o)
{
	int err = sock_take_error(&sk->sock);

	if (!err && dgram_of(sk)->snd_shut)
		err = -EPIPE;
	if (!err)
		err = prepare(sk, m, o);
	if (!err && o->udp && !sk->hashed)
		err = inet_auto_port(sk);
	return err == -EADDRNOTAVAIL ? -EAGAIN : err;
}

static ALWAYS_INLINE ssize_t
send_any(struct inet_sock *sk, struct uio *u, struct sock_msg *m)
{
	struct dgram_sock *d = dgram_of(sk);
	struct dgram_out o = { 0 };
	ssize_t len = (ssize_t)u->resid, r;
	bool gone = false;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (u->resid > 65535 && (!sk->v6 || dgram_is_raw(sk)))
		return -EMSGSIZE;
	if (unlikely(READ_ONCE(d->cork))) {
		r = send_corked(sk, u, m, NULL, &gone);
		if (!gone)
			return r;
	}
	err = get_ready(sk, m, &o);
	if (err)
		return err;
	if (unlikely(m->flags & MSG_MORE || READ_ONCE(d->corked)) && o.udp)
		return send_corked(sk, u, m, &o, &gone);
	if (o.udp && u->resid > most_of(&o))
		return too_large(sk, &o);
	err = transmit(sk, u, &o);
	return err ? err : len;
}

ssize_t
dgram_send(struct socket *s, struct uio *u, struct sock_msg *m)
{
	struct inet_sock *sk = inet_of(s);
	ssize_t r = send_any(sk, u, m);

	if (unlikely(m->flags & MSG_ZEROCOPY) && sk->zerocopy && r >= 0)
		inet_zc_sent(sk); /* in pieces or not, all is copied */
	return r;
}
