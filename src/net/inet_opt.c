/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of IPPROTO_IP and IPPROTO_IPV6; those of multicast groups are in
 * mcast.c.
 *
 * Flags and small numbers are rows of a table; the rest has a function each.
 */
#include <net/inet.h>

#include <abi/errno.h>
#include <abi/inet.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <net/dgram.h>
#include <net/netif.h>

#define SLOT(f) offsetof(struct inet_sock, f)

enum opt_kind { FLAG, BYTE, SHORT, INT };

struct inet_opt {
	int level, name;
	enum opt_kind kind;
	uint16_t slot;
	int min, max;
};

static const struct inet_opt table[] = {
	{ IPPROTO_IP, IP_TOS, BYTE, SLOT(tos), 0, 255 },
	{ IPPROTO_IP, IP_TTL, SHORT, SLOT(ttl), -1, 255 },
	{ IPPROTO_IP, IP_PKTINFO, FLAG, SLOT(pktinfo), 0, 0 },
	{ IPPROTO_IP, IP_RECVTTL, FLAG, SLOT(recvttl), 0, 0 },
	{ IPPROTO_IP, IP_RECVTOS, FLAG, SLOT(recvtos), 0, 0 },
	{ IPPROTO_IP, IP_RECVERR, FLAG, SLOT(recverr), 0, 0 },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, FLAG, SLOT(bind_no_port), 0, 0 },
	{ IPPROTO_IP, IP_FREEBIND, FLAG, SLOT(freebind), 0, 0 },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, FLAG, SLOT(recvorigdst), 0, 0 },
	{ IPPROTO_IP, IP_MTU_DISCOVER, BYTE, SLOT(mtu_discover), 0, 5 },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, FLAG, SLOT(mcast_loop), 0, 0 },
	{ IPPROTO_IP, IP_MULTICAST_ALL, FLAG, SLOT(mcast_all), 0, 0 },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, SHORT, SLOT(hops), -1, 255 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, SHORT, SLOT(mcast_hops), -1, 255 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, FLAG, SLOT(mcast_loop), 0, 0 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_ALL, FLAG, SLOT(mcast_all), 0, 0 },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, BYTE, SLOT(mtu_discover6), 0, 5 },
	{ IPPROTO_IPV6, IPV6_RECVERR, FLAG, SLOT(recverr6), 0, 0 },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, FLAG, SLOT(pktinfo6), 0, 0 },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, FLAG, SLOT(recvttl6), 0, 0 },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, FLAG, SLOT(recvtos6), 0, 0 },
	{ IPPROTO_IPV6, IPV6_TCLASS, BYTE, SLOT(tclass), -1, 255 },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, FLAG, SLOT(whole6), 0, 0 },
	{ IPPROTO_IPV6, IPV6_FREEBIND, FLAG, SLOT(freebind), 0, 0 },
};

static const struct inet_opt *
opt_find(const struct inet_sock *sk, int level, int name)
{
	if (level == IPPROTO_IPV6 && !sk->v6)
		return NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].level == level && table[i].name == name)
			return &table[i];
	return NULL;
}

/* An int, or, as options of IPv4 allow, one byte. */
static int
value_in(int level, const void *val, uint32_t len, int *v)
{
	if (len >= sizeof(int))
		memcpy(v, val, sizeof(int));
	else if (len >= 1 && level == IPPROTO_IP)
		*v = *(const uint8_t *)val;
	else
		return -EINVAL;
	return 0;
}

static int
opt_store(struct inet_sock *sk, const struct inet_opt *o, int v)
{
	uint8_t *at = (uint8_t *)sk + o->slot;

	if (o->name == IP_TTL && o->level == IPPROTO_IP && v == 0)
		return -EINVAL;
	if (o->kind != FLAG && (v < o->min || v > o->max)) {
		if (o->level == IPPROTO_IP && o->name == IP_TOS)
			v &= 255; /* Linux keeps the low byte */
		else
			return -EINVAL;
	}
	if (o->name == IPV6_TCLASS && o->level == IPPROTO_IPV6 && v < 0)
		v = 0;
	switch (o->kind) {
	case FLAG:
		WRITE_ONCE(*(bool *)at, v != 0);
		break;
	case BYTE:
		WRITE_ONCE(*at, (uint8_t)v);
		break;
	case SHORT:
		WRITE_ONCE(*(int16_t *)(void *)at, (int16_t)v);
		break;
	case INT:
		WRITE_ONCE(*(int *)(void *)at, v);
		break;
	}
	return 0;
}

static int
opt_load(const struct inet_sock *sk, const struct inet_opt *o)
{
	const uint8_t *at = (const uint8_t *)sk + o->slot;
	int16_t s;

	switch (o->kind) {
	case FLAG:
	case BYTE:
		return *at;
	case SHORT:
		memcpy(&s, at, sizeof(s));
		if (s < 0)
			return o->name == IPV6_MULTICAST_HOPS ? 1 : 64;
		return s;
	default:
		return *(const int *)(const void *)at;
	}
}

static int
set_mcast_if4(struct inet_sock *sk, const void *val, uint32_t len)
{
	struct ip_mreqn r = { 0 };
	struct net_if nif;
	int err = 0;

	if (len >= sizeof(struct ip_mreq))
		memcpy(&r, val, min_u64(len, sizeof(r)));
	else if (len >= 4)
		memcpy(&r.address, val, 4);
	else
		return -EINVAL;
	if (r.ifindex)
		err = net_if_get(r.ifindex, &nif);
	else
		err = inet_if_of_addr(r.address, &r.ifindex);
	if (err)
		return -EADDRNOTAVAIL;
	sk->mcast_addr = inet_v4(r.address);
	WRITE_ONCE(sk->mcast_if, r.ifindex);
	return 0;
}

static int
set_mcast_if6(struct inet_sock *sk, int v)
{
	struct net_if nif;

	if (v < 0 || (v && net_if_get(v, &nif)))
		return -ENODEV;
	WRITE_ONCE(sk->mcast_if6, v);
	return 0;
}

/* ---- the two levels ---- */

static int
set_ip(struct inet_sock *sk, int name, const void *val, uint32_t len)
{
	int v, err;

	switch (name) {
	case IP_MULTICAST_IF:
		return sk->sock.type == SOCK_STREAM ?
			       -EINVAL :
			       set_mcast_if4(sk, val, len);
	case IP_OPTIONS:
		return len ? -EOPNOTSUPP : 0; /* none: they are none */
	default:
		break;
	}
	err = value_in(IPPROTO_IP, val, len, &v);
	if (name == IP_MULTICAST_TTL) {
		if (err || sk->sock.type == SOCK_STREAM || v < -1 || v > 255)
			return -EINVAL;
		WRITE_ONCE(sk->mcast_ttl, (uint8_t)(v < 0 ? 1 : v));
		return 0;
	}
	if (name == IP_HDRINCL) {
		if (sk->sock.type != SOCK_RAW)
			return -ENOPROTOOPT;
		if (!err)
			WRITE_ONCE(sk->hdrincl, v != 0);
		return err;
	}
	return -ENOPROTOOPT;
}

static int
set_ipv6(struct inet_sock *sk, int name, const void *val, uint32_t len)
{
	int v, err;

	err = value_in(IPPROTO_IPV6, val, len, &v);
	switch (name) {
	case IPV6_V6ONLY:
		if (err || sk->hashed)
			return -EINVAL;
		WRITE_ONCE(sk->v6only, v != 0);
		return 0;
	case IPV6_MULTICAST_IF:
		return err			    ? err :
		       sk->sock.type == SOCK_STREAM ? -ENOPROTOOPT :
						      set_mcast_if6(sk, v);
	case IPV6_MTU:
		if (err || (v && v < IPV6_MIN_MTU))
			return -EINVAL;
		/* No packet is larger than 64 KB: beyond, it limits nothing. */
		WRITE_ONCE(sk->frag6, (uint16_t)(v > 0xffff ? 0 : v));
		return 0;
	case IPV6_AUTOFLOWLABEL:
		if (!err)
			WRITE_ONCE(sk->autoflowlabel, v != 0);
		return err;
	default:
		return -ENOPROTOOPT;
	}
}

int
inet_setopt(struct inet_sock *sk, int level, int name, const void *val,
	    uint32_t len)
{
	const struct inet_opt *o = opt_find(sk, level, name);
	int v, err;

	if (o) {
		err = value_in(level, val, len, &v);
		if (!err)
			err = opt_store(sk, o, v);
		if (!err && !v && sk->sock.type != SOCK_STREAM &&
		    (level == IPPROTO_IP ? name == IP_RECVERR :
					   name == IPV6_RECVERR))
			dgram_err_purge(sk);
		return err;
	}
	if (level != IPPROTO_IP && (level != IPPROTO_IPV6 || !sk->v6))
		return -ENOPROTOOPT;
	err = inet_mcast_setopt(sk, level, name, val, len);
	if (err != -ENOPROTOOPT)
		return err;
	if (level == IPPROTO_IP)
		return set_ip(sk, name, val, len);
	return set_ipv6(sk, name, val, len);
}

static int
get_mtu(struct inet_sock *sk, int *v)
{
	bool v4 = inet_is_v4(&sk->remote.addr);
	struct net_route r;
	struct net_if nif;

	if (!sk->connected)
		return -ENOTCONN;
	if (net_route_lookup(v4 ? AF_INET : AF_INET6,
			     v4 ? sk->remote.addr.b + 12 : sk->remote.addr.b,
			     &r) ||
	    net_if_get(r.ifindex, &nif))
		return -ENOTCONN;
	*v = (int)nif.mtu;
	return 0;
}

/* What the program asked for of the packet that made the connection. */
static int
get_pktoptions(const struct inet_sock *sk, void *val, uint32_t *len)
{
	struct sock_msg m = {
		.control = val,
		.control_size = *len,
		.control_room = *len,
		.control_wanted = true,
	};
	struct in_pktinfo p = { sk->mcast_if, sk->local.addr.w[3],
				sk->local.addr.w[3] };
	int ttl = sk->mcast_ttl, tos = sk->rcv_tos;

	if (sk->sock.type != SOCK_STREAM)
		return -ENOPROTOOPT;
	if (sk->pktinfo)
		sock_cmsg_put(&m, IPPROTO_IP, IP_PKTINFO, &p, sizeof(p));
	if (sk->recvttl)
		sock_cmsg_put(&m, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (sk->recvtos)
		sock_cmsg_put(&m, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	*len = m.control_len;
	return 0;
}

static int
put4(void *val, uint32_t *len, uint32_t v)
{
	*len = (uint32_t)min_u64(*len, 4);
	memcpy(val, &v, *len);
	return 0;
}

/* Options of IPv4 fit one byte where the program gave room for less than an
 * int and the value allows. */
static int
put_ip_int(int level, void *val, uint32_t *len, int v)
{
	if (level == IPPROTO_IP && *len < 4 && *len > 0 && v >= 0 && v <= 255) {
		*(uint8_t *)val = (uint8_t)v;
		*len = 1;
		return 0;
	}
	return sock_put_int(val, len, v);
}

int
inet_getopt(struct inet_sock *sk, int level, int name, void *val, uint32_t *len)
{
	const struct inet_opt *o = opt_find(sk, level, name);
	int v = 0, err = 0;

	if (o)
		return put_ip_int(level, val, len, opt_load(sk, o));
	if (level == IPPROTO_IP || (level == IPPROTO_IPV6 && sk->v6)) {
		err = inet_mcast_getopt(sk, level, name, val, len);
		if (err != -ENOPROTOOPT)
			return err;
		err = 0;
	}
	if (level == IPPROTO_IP) {
		switch (name) {
		case IP_MULTICAST_TTL:
			v = sk->mcast_ttl;
			break;
		case IP_HDRINCL:
			v = sk->hdrincl;
			err = sk->sock.type == SOCK_RAW ? 0 : -ENOPROTOOPT;
			break;
		case IP_MTU:
			err = get_mtu(sk, &v);
			break;
		case IP_MULTICAST_IF:
			return put4(val, len, sk->mcast_addr.w[3]);
		case IP_OPTIONS:
			*len = 0;
			return 0;
		case IP_PKTOPTIONS:
			return get_pktoptions(sk, val, len);
		default:
			err = -ENOPROTOOPT;
		}
	} else if (level == IPPROTO_IPV6 && sk->v6) {
		switch (name) {
		case IPV6_V6ONLY:
			v = sk->v6only;
			break;
		case IPV6_MTU:
			err = get_mtu(sk, &v);
			break;
		case IPV6_MULTICAST_IF:
			v = sk->mcast_if6;
			break;
		case IPV6_AUTOFLOWLABEL:
			v = sk->autoflowlabel;
			break;
		default:
			err = -ENOPROTOOPT;
		}
	} else {
		/* As Linux, whose two families differ in this. */
		err = level == SOL_SOCKET || level == sk->sock.protocol ||
				      sk->v6 ?
			      -ENOPROTOOPT :
			      -EOPNOTSUPP;
	}
	return err ? err : put_ip_int(level, val, len, v);
}
