/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_INET and AF_INET6: creation by type and protocol, addresses in and out.
 */
#include <net/inet.h>

#include <abi/errno.h>
#include <abi/inet.h>
#include <abi/prctl.h>
#include <base/math.h>
#include <base/string.h>
#include <core/timer.h>
#include <mem/heap.h>
#include <net/bpf.h>
#include <net/dgram.h>
#include <net/netif.h>
#include <net/settings.h>

static inline uint16_t
swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

/* ---- addresses ---- */

bool
inet_is_multicast(const struct inet_addr *a)
{
	return inet_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

bool
inet_is_local(const struct inet_addr *a)
{
	return inet_is_v4(a) ? net_addr_is_local(AF_INET, a->b + 12) :
			       net_addr_is_local(AF_INET6, a->b);
}

bool
inet_is_own(const struct inet_addr *a)
{
	if (inet_is_local(a))
		return true;
	net_settle();
	return inet_is_local(a);
}

void
inet_need_route(const struct inet_addr *a)
{
	bool v4 = inet_is_v4(a);
	struct net_route r;

	if (likely(net_settled()))
		return;
	if (net_route_lookup(v4 ? AF_INET : AF_INET6, v4 ? a->b + 12 : a->b,
			     &r))
		net_settle();
}

bool
inet_over_router(const struct inet_addr *a)
{
	struct net_route r;

	return inet_is_v4(a) && !inet_is_local(a) && !inet_is_broadcast(a) &&
	       !inet_is_multicast(a) &&
	       !net_route_lookup(AF_INET, a->b + 12, &r) && r.has_gateway;
}

static int
addr4_in(const void *addr, uint32_t len, struct inet_end *out)
{
	struct sockaddr_in sa;

	if (len < sizeof(sa))
		return -EINVAL;
	memcpy(&sa, addr, sizeof(sa));
	out->addr = inet_v4(sa.addr);
	out->port = swap16(sa.port);
	out->scope = 0;
	return 0;
}

static int
addr6_in(const struct inet_sock *sk, const void *addr, uint32_t len,
	 struct inet_end *out)
{
	struct sockaddr_in6 sa = { 0 };

	if (len < SOCKADDR_IN6_MIN)
		return -EINVAL;
	memcpy(&sa, addr, min_u64(len, sizeof(sa)));
	memcpy(out->addr.b, sa.addr, 16);
	out->port = swap16(sa.port);
	out->scope = sa.addr[0] == 0xfe && (sa.addr[1] & 0xc0) == 0x80 ?
			     sa.scope_id :
			     0;
	if (sk->v6only && inet_is_v4(&out->addr))
		return -ENETUNREACH;
	return 0;
}

int
inet_addr_in(const struct inet_sock *sk, const void *addr, uint32_t len,
	     struct inet_end *out)
{
	uint16_t family;

	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, addr, sizeof(family));
	if (!sk->v6)
		return family == AF_INET ? addr4_in(addr, len, out) :
		       len < sizeof(struct sockaddr_in) ? -EINVAL :
							  -EAFNOSUPPORT;
	if (family == AF_INET6)
		return addr6_in(sk, addr, len, out);
	return len < SOCKADDR_IN6_MIN ? -EINVAL : -EAFNOSUPPORT;
}

uint32_t
inet_addr_out(bool v6, const struct inet_end *e, void *addr)
{
	struct sockaddr_in sa = { .family = AF_INET };
	struct sockaddr_in6 sa6 = { .family = AF_INET6 };

	if (!v6) {
		sa.port = swap16(e->port);
		sa.addr = e->addr.w[3];
		memcpy(addr, &sa, sizeof(sa));
		return sizeof(sa);
	}
	sa6.port = swap16(e->port);
	memcpy(sa6.addr, e->addr.b, 16);
	sa6.scope_id = e->scope;
	memcpy(addr, &sa6, sizeof(sa6));
	return sizeof(sa6);
}

bool
inet_may_bind(const struct inet_addr *a)
{
	return (READ_ONCE(net_settings.nonlocal_bind) && inet_is_v4(a)) ||
	       inet_is_own(a);
}

int
inet_name(struct inet_sock *sk, bool peer, void *addr, uint32_t *len)
{
	if (peer && !sk->connected)
		return -ENOTCONN;
	*len = inet_addr_out(sk->v6, peer ? &sk->remote : &sk->local, addr);
	return 0;
}

void
inet_reset_local(struct inet_sock *sk)
{
	if (sk->bound_addr)
		return;
	memset(&sk->local.addr, 0, sizeof(sk->local.addr));
	if (!sk->v6)
		sk->local.addr = inet_v4(0);
	sk->local.scope = 0;
}

/* ---- life ---- */

void
inet_init_sock(struct inet_sock *sk, const struct socket_ops *ops, bool v6,
	       int type, int protocol)
{
	socket_init(&sk->sock, ops, v6 ? AF_INET6 : AF_INET, type, protocol);
	refcount_set(&sk->refs, 1);
	spin_init(&sk->lock, RANK_EVENT);
	waitq_init(&sk->wq);
	list_init(&sk->all_link);
	sk->v6 = v6;
	if (!v6)
		sk->local.addr = sk->remote.addr = inet_v4(0);
	sk->ttl = sk->hops = -1;
	sk->mcast_hops = -1;
	sk->mcast_ttl = 1;
	sk->mcast_loop = sk->mcast_all = true;
	sk->mtu_discover = sk->mtu_discover6 = 1; /* WANT */
	sk->autoflowlabel = true;
	sk->v6only = v6 && net_settings.bindv6only;
}

void
inet_inherit(struct inet_sock *sk, const struct inet_sock *listener)
{
	socket_inherit(&sk->sock, &listener->sock);
	sk->v6only = listener->v6only;
	sk->freebind = listener->freebind;
	sk->bind_no_port = listener->bind_no_port;
	sk->recverr = listener->recverr;
	sk->recverr6 = listener->recverr6;
	sk->pktinfo = listener->pktinfo;
	sk->pktinfo6 = listener->pktinfo6;
	sk->recvttl = listener->recvttl;
	sk->recvttl6 = listener->recvttl6;
	sk->recvtos = listener->recvtos;
	sk->recvtos6 = listener->recvtos6;
	sk->recvorigdst = listener->recvorigdst;
	sk->autoflowlabel = listener->autoflowlabel;
	sk->ttl = listener->ttl;
	sk->hops = listener->hops;
	sk->tos = listener->tos;
	sk->tclass = listener->tclass;
	sk->mtu_discover = listener->mtu_discover;
	sk->mtu_discover6 = listener->mtu_discover6;
	sk->frag6 = listener->frag6;
	sk->whole6 = listener->whole6;
}

static void
free_later(struct reclaim_head *h)
{
	kfree(container_of(h, struct inet_sock, reclaim));
}

/* The timer holds no reference.  Its callback takes one unless there is none
 * left; it may be about to look, on another CPU, or be who drops the last
 * one, and then the timer's own code comes after it: so the memory stays
 * until no interrupt handler of now runs any more. */
void
inet_put(struct inet_sock *sk)
{
	if (!refcount_put(&sk->refs))
		return;
	if (unlikely(sk->rest))
		inet_rest_drop(sk);
	socket_fini(&sk->sock);
	sock_prog_free(sk->steer);
	if (sk->timer && sk->timer->home) {
		timer_try_cancel(sk->timer);
		reclaim_call(&sk->reclaim, free_later);
	} else {
		kfree(sk);
	}
}

static int
create(bool v6, int type, int protocol, struct socket **out)
{
	int icmp = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	switch (type) {
	case SOCK_STREAM:
		if (protocol && protocol != IPPROTO_TCP)
			return -EPROTONOSUPPORT; /* no SCTP, no MPTCP */
		return tcp_create(v6, out);
	case SOCK_DGRAM:
		if (protocol == icmp)
			return -EACCES; /* ping_group_range is empty */
		if (protocol && protocol != IPPROTO_UDP)
			return -EPROTONOSUPPORT;
		return udp_create(v6, out);
	case SOCK_RAW:
		if (!sock_capable(CAP_NET_RAW))
			return -EPERM;
		if (protocol <= 0 || protocol > 255)
			return -EPROTONOSUPPORT;
		return raw_create(v6, protocol, out);
	default:
		return -ESOCKTNOSUPPORT;
	}
}

static int
create4(int type, int protocol, struct socket **out)
{
	return create(false, type, protocol, out);
}

static int
create6(int type, int protocol, struct socket **out)
{
	return create(true, type, protocol, out);
}

const struct socket_family inet_family = {
	.family = AF_INET,
	.create = create4,
};

const struct socket_family inet6_family = {
	.family = AF_INET6,
	.create = create6,
};
