/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP and raw sockets that talk to the outside: headers made and taken off,
 * ICMP errors.
 */
#include "ether.h"
#include "route.h"

#include <abi/errno.h>
#include <abi/inet.h>
#include <abi/packet.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <mem/alloc.h>
#include <net/bpf.h>
#include <net/dgram.h>
#include <net/lwip/far.h>

#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/ip6_frag.h>
#include <lwip/nd6.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/udp.h>
#include <lwip/raw.h>
#include <lwip/stats.h>
#include <lwip/udp.h>

#include "port_hooks.h"

/* abi/inet.h and lwIP name some options alike; lwIP's are not used here. */

void *
far_buf_alloc(uint32_t len, void **data)
{
	struct pbuf *p;

	if (len > 0xffff - PBUF_TRANSPORT)
		return NULL;
	p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)len, PBUF_RAM);
	if (p)
		*data = p->payload;
	return p;
}

void
far_buf_free(void *buf)
{
	pbuf_free(buf);
}

bool
inet_is_broadcast(const struct inet_addr *a)
{
	if (!inet_is_v4(a))
		return false;
	if (a->w[3] == 0xffffffffu)
		return true;
	for (unsigned i = 1; i < IF_MAX; i++) {
		const struct net_port *p = atomic_load_acquire(&net_ports[i]);

		if (p && net_addr4_broadcast(p, a->w[3]))
			return true;
	}
	return false;
}

/* ---- addresses of the two worlds ---- */

void
far_to_lwip(const struct inet_addr *a, struct netif *n, ip_addr_t *out)
{
	if (inet_is_v4(a)) {
		ip_addr_set_ip4_u32_val(*out, a->w[3]);
		return;
	}
	memset(out, 0, sizeof(*out));
	memcpy(ip_2_ip6(out)->addr, a->b, 16);
	IP_SET_TYPE_VAL(*out, IPADDR_TYPE_V6);
	if (n)
		ip6_addr_assign_zone(ip_2_ip6(out), IP6_UNKNOWN, n);
}

void
far_from_lwip(const ip_addr_t *a, struct inet_addr *out)
{
	if (IP_IS_V4(a))
		*out = inet_v4(ip_2_ip4(a)->addr);
	else
		memcpy(out->b, ip_2_ip6(a)->addr, 16);
}

/* ---- the way out ---- */

struct netif *
far_out_netif(const struct dgram_out *o)
{
	bool v4 = inet_is_v4(&o->dst.addr);
	struct net_route r;
	struct net_port *p;

	if (o->ifindex) {
		p = net_port_of(o->ifindex);
		return p ? &p->netif : NULL;
	}
	if (inet_is_local(&o->dst.addr) || (inet_is_loopback4(&o->src.addr) &&
					    inet_is_multicast(&o->dst.addr)))
		return &net_ports[0]->netif;
	if (net_route_find(v4 ? AF_INET : AF_INET6,
			   v4 ? o->dst.addr.b + 12 : o->dst.addr.b, 0, &r))
		return &net_port_of(r.ifindex)->netif;
	/* Multicast and broadcast need no route: the first NIC. */
	if (inet_is_multicast(&o->dst.addr) || o->dst.addr.w[3] == ~0u)
		for (unsigned i = 1; i < IF_MAX; i++)
			if (net_ports[i] && net_ports[i]->admin_up)
				return &net_ports[i]->netif;
	return NULL;
}

/* Of the network that the next hop is in. */
static u32_t
source4(struct netif *n, u32_t dst)
{
	struct net_port *p = net_port_of(netif_get_index(n));
	const ip4_addr_t d = { dst }, *next = NULL;

	if (port_more_addrs)
		next = port_gateway4(n, &d);
	return net_addr4_source(p, next ? next->addr : dst);
}

static int
out_source(const struct dgram_out *o, struct netif *n, ip_addr_t *src)
{
	ip_addr_t dst;
	const ip_addr_t *s;

	if (inet_is_loopback4(&o->src.addr) && n != &net_ports[0]->netif)
		return -EINVAL;
	if (!inet_is_any(&o->src.addr) && !inet_is_multicast(&o->src.addr)) {
		far_to_lwip(&o->src.addr, n, src);
		return 0;
	}
	if (inet_is_v4(&o->dst.addr)) {
		ip_addr_set_ip4_u32_val(*src, source4(n, o->dst.addr.w[3]));
		return 0;
	}
	far_to_lwip(&o->dst.addr, n, &dst);
	s = ip6_select_source_address(n, ip_2_ip6(&dst));
	if (!s)
		return -ENETUNREACH;
	ip_addr_copy(*src, *s);
	return 0;
}

static int
errno_of(err_t e)
{
	switch (e) {
	case ERR_OK:
		return 0;
	case ERR_RTE:
		return -ENETUNREACH;
	case ERR_MEM:
	case ERR_BUF:
		return -ENOBUFS;
	case ERR_IF:
		return -ENETDOWN;
	default:
		return -EINVAL;
	}
}

/* Beyond it a datagram is cut: of IPv6, by what is known of the path. */
static uint32_t
way_mtu(const struct inet_sock *sk, struct netif *n, const ip_addr_t *dst)
{
	uint32_t mtu;

	if (IP_IS_V4(dst))
		return n->mtu;
	mtu = nd6_get_destination_mtu(ip_2_ip6(dst), n);
	return sk->frag6 && sk->frag6 < mtu ? sk->frag6 : mtu;
}

uint16_t port_frag6; /* [core] of what is being sent; 0: as the path says */

static err_t
ip_send(const struct inet_sock *sk, struct netif *n, struct pbuf *p,
	const ip_addr_t *src, const ip_addr_t *dst, const struct dgram_out *o,
	uint8_t proto)
{
	u8_t hops = (u8_t)(o->ttl < 0 ? 64 : o->ttl);
	err_t err;

	if (IP_IS_V4(dst))
		return ip4_output_if_src(p, ip_2_ip4(src), ip_2_ip4(dst), hops,
					 o->tos, proto, n);
	port_frag6 = sk->frag6;
	err = ip6_output_if_src(p, ip_2_ip6(src), ip_2_ip6(dst), hops, o->tos,
				proto, n);
	port_frag6 = 0;
	return err;
}

/* Copies for this machine's own members of the group. */
static void loop_multicast(struct inet_sock *sk, struct pbuf *p,
			   struct netif *n, const ip_addr_t *src,
			   const struct dgram_out *o);

static int
udp_output(struct inet_sock *sk, struct pbuf *p, const struct dgram_out *o)
{
	struct netif *n = far_out_netif(o);
	uint32_t ip_hdr = inet_is_v4(&o->dst.addr) ? IP_HLEN : IP6_HLEN;
	struct udp_hdr *h;
	ip_addr_t src, dst;
	bool frag;
	int err;

	err = n ? out_source(o, n, &src) : -ENETUNREACH;
	if (err)
		return err;
	if (ip_addr_isany(&src) && o->dst.addr.w[3] != ~0u)
		return -ENETUNREACH;
	if (inet_is_multicast(&o->dst.addr) ? sk->mcast_loop :
					      inet_is_broadcast(&o->dst.addr))
		loop_multicast(sk, p, n, &src, o);
	far_to_lwip(&o->dst.addr, n, &dst);
	frag = p->tot_len + UDP_HLEN + ip_hdr > way_mtu(sk, n, &dst);
	if (frag && dgram_may_not_cut(sk, IP_IS_V4_VAL(dst)))
		return -EMSGSIZE;
	if (pbuf_add_header(p, UDP_HLEN))
		return -ENOBUFS;
	h = p->payload;
	h->src = lwip_htons(sk->local.port);
	h->dest = lwip_htons(o->dst.port);
	h->len = lwip_htons(p->tot_len);
	h->chksum = 0;
	/* The device sums whole datagrams; a fragmented one we do. */
	if (frag || (n->chksum_flags & NETIF_CHECKSUM_GEN_UDP)) {
		h->chksum = ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len, &src,
					     &dst);
		if (!h->chksum)
			h->chksum = 0xffff;
	}
	UDP_STATS_INC(udp.xmit);
	return errno_of(ip_send(sk, n, p, &src, &dst, o, IP_PROTO_UDP));
}

uint32_t
far_mtu(const struct dgram_out *o)
{
	struct netif *n;
	uint32_t mtu = 0;

	net_core_lock();
	n = far_out_netif(o);
	if (n)
		mtu = inet_is_v4(&o->dst.addr) ? n->mtu : n->mtu6;
	net_core_unlock();
	return mtu;
}

int
udp_far_send(struct inet_sock *sk, void *buf, const struct dgram_out *o)
{
	int err;

	net_core_lock();
	err = udp_output(sk, buf, o);
	pbuf_free(buf);
	net_core_unlock();
	return err == -ENOBUFS ? 0 : err; /* dropped, as by a full queue */
}

/* ---- the way in ---- */

static struct dgram *
dgram_of_pbuf(struct pbuf *p, uint16_t skip)
{
	uint32_t len = (uint32_t)(p->tot_len - skip);
	struct dgram *d = dgram_alloc(len, ALLOC_ATOMIC);

	if (!d)
		return NULL;
	pbuf_copy_partial(p, d->data, (u16_t)len, skip);
	memset(&d->m, 0, sizeof(d->m));
	d->m.stamp_ns = clock_real_ns();
	return d;
}

static void
fill_meta(struct dgram_meta *m, const struct netif *inp)
{
	far_from_lwip(ip_current_src_addr(), &m->src.addr);
	far_from_lwip(ip_current_dest_addr(), &m->dst.addr);
	m->ifindex = netif_get_index(inp);
	if (ip_current_is_v6()) {
		const struct ip6_hdr *h = ip6_current_header();

		m->ttl = IP6H_HOPLIM(h);
		m->tos = (uint8_t)IP6H_TC(h);
		if (m->src.addr.b[0] == 0xfe &&
		    (m->src.addr.b[1] & 0xc0) == 0x80)
			m->src.scope = (uint32_t)m->ifindex;
	} else {
		const struct ip_hdr *h = ip4_current_header();

		m->ttl = IPH_TTL(h);
		m->tos = IPH_TOS(h);
	}
}

struct multi {
	struct pbuf *p;
	uint16_t skip;
	const struct dgram_meta *m;
	struct inet_sock * not ;
};

static void
deliver_copy(struct inet_sock *sk, void *arg)
{
	const struct multi *x = arg;
	struct dgram *d = dgram_of_pbuf(x->p, x->skip);

	if (!d)
		return;
	d->m = *x->m;
	d->m.stamp_ns = clock_real_ns();
	dgram_deliver(sk, d);
}

static void
loop_multicast(struct inet_sock *sk, struct pbuf *p, struct netif *n,
	       const ip_addr_t *src, const struct dgram_out *o)
{
	struct dgram_meta m = { .dst = o->dst,
				.ifindex = netif_get_index(n),
				.ttl = (uint8_t)o->ttl,
				.tos = o->tos };
	struct multi x = { .p = p, .m = &m };

	far_from_lwip(src, &m.src.addr);
	m.src.port = sk->local.port;
	inet_each_udp(&m.dst, &m.src, m.ifindex, deliver_copy, &x);
}

static bool
checksum_bad(struct pbuf *p, struct netif *inp, const struct udp_hdr *h)
{
	if (!(inp->chksum_flags & NETIF_CHECKSUM_CHECK_UDP))
		return false;
	if (!h->chksum)
		return ip_current_is_v6(); /* RFC 8200, 8.1 */
	return ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len,
				ip_current_src_addr(),
				ip_current_dest_addr()) != 0;
}

/* p starts with UDP's header. */
static bool
load_far(const void *ctx, uint32_t off, void *to, uint32_t n)
{
	const struct pbuf *p = ctx;

	if (off > 0xffff - UDP_HLEN)
		return false;
	return pbuf_copy_partial(p, to, (u16_t)n, (u16_t)(off + UDP_HLEN)) == n;
}

static NOINLINE struct inet_sock *
far_steered(struct pbuf *p, const struct dgram_meta *m)
{
	const struct bpf_packet b = {
		.load = load_far,
		.ctx = p,
		.len = (uint32_t)max_u64(p->tot_len, UDP_HLEN) - UDP_HLEN,
		.protocol = ip_current_is_v6() ? ETH_P_IPV6 : ETH_P_IP,
		.ifindex = (uint32_t)m->ifindex,
	};

	return inet_find_steered(&m->dst, &m->src, m->ifindex, &b);
}

/* DHCP's and DHCPv6's client ports stay lwIP's while nobody here has them. */
int
port_udp_input(struct pbuf *p, struct netif *inp)
{
	struct udp_hdr *h = p->payload;
	struct dgram_meta m = { 0 };
	struct inet_sock *sk;
	struct dgram *d;
	uint16_t len = lwip_ntohs(h->len);

	fill_meta(&m, inp);
	m.src.port = lwip_ntohs(h->src);
	m.dst.port = lwip_ntohs(h->dest);
	if (inet_is_multicast(&m.dst.addr) || inet_is_broadcast(&m.dst.addr)) {
		struct multi x = { .p = p, .skip = UDP_HLEN, .m = &m };

		if (len < UDP_HLEN || len > p->tot_len ||
		    checksum_bad(p, inp, h))
			return 0;
		pbuf_realloc(p, len);
		inet_each_udp(&m.dst, &m.src, m.ifindex, deliver_copy, &x);
		return 0; /* lwIP may want it as well */
	}
	sk = likely(!READ_ONCE(inet_steered)) ?
		     inet_find_udp(&m.dst, &m.src, m.ifindex) :
		     far_steered(p, &m);
	if (!sk) {
		inet_refused(false, &m.dst);
		return 0;
	}
	if (len < UDP_HLEN || len > p->tot_len || checksum_bad(p, inp, h)) {
		UDP_STATS_INC(udp.chkerr);
		goto out;
	}
	pbuf_realloc(p, len);
	d = dgram_of_pbuf(p, UDP_HLEN);
	if (!d) {
		UDP_STATS_INC(udp.memerr);
		goto out;
	}
	m.stamp_ns = d->m.stamp_ns;
	d->m = m;
	dgram_deliver(sk, d);
out:
	inet_put(sk);
	pbuf_free(p);
	return 1;
}

/* ---- ICMP errors ---- */

#define ICMP_DUR_CODES 16

static const uint8_t errno_of_code[ICMP_DUR_CODES] = {
	ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,  ECONNREFUSED,
	EMSGSIZE,     EOPNOTSUPP,   ENETUNREACH,  EHOSTDOWN,
	ENONET,	      ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
	EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH,
};

static void
copy_quoted(const struct dgram_error *e, void *dst, uint32_t len)
{
	pbuf_copy_partial(e->arg, dst, (u16_t)len, (u16_t)e->off);
}

/* p is the packet that the error is about, head bytes of which are the header
 * of IP. */
static void
transport_error(struct dgram_error *e, struct pbuf *p, uint16_t head,
		uint8_t proto, uint32_t mtu)
{
	uint8_t ports[4];

	if (pbuf_copy_partial(p, ports, 4, head) == 4) {
		e->from.port = (uint16_t)(ports[0] << 8 | ports[1]);
		e->to.port = (uint16_t)(ports[2] << 8 | ports[3]);
	}
	e->info = mtu;
	e->copy = copy_quoted;
	e->arg = p;
	fill_meta(&e->m, ip_current_input_netif());
	e->m.stamp_ns = clock_real_ns();
	if (proto == IP_PROTO_TCP) {
		tcp_far_error(&e->from, &e->to, e->err, e->hard, mtu);
	} else if (proto == IP_PROTO_UDP) {
		e->off = head + UDP_HLEN;
		e->len = p->tot_len > e->off ? p->tot_len - e->off : 0;
		udp_error(e);
	}
	if (!inet_count(INET_RAW))
		return;
	e->from.port = e->to.port = 0;
	e->off = head;
	e->len = (uint32_t)p->tot_len - head;
	raw_error(e, proto);
}

void
port_icmp4_error(struct pbuf *p, uint8_t type, uint8_t code, uint16_t mtu)
{
	uint8_t h[IP_HLEN];
	struct dgram_error e = {
		.err = type == ICMP_DUR ? errno_of_code[code % ICMP_DUR_CODES] :
		       type == ICMP_TE	? EHOSTUNREACH :
					  EPROTO,
		.hard = type == ICMP_DUR && (code == 2 || code == 3),
		.origin = SO_EE_ORIGIN_ICMP,
		.type = type,
		.code = code,
	};
	uint16_t ihl;

	if (pbuf_copy_partial(p, h, sizeof(h), 0) != sizeof(h) ||
	    h[0] >> 4 != 4)
		return;
	ihl = (uint16_t)((h[0] & 15) * 4);
	if (ihl < IP_HLEN || ihl + 4 > p->tot_len)
		return;
	e.from.addr = e.to.addr = inet_v4(0);
	memcpy(e.from.addr.b + 12, h + 12, 4);
	memcpy(e.to.addr.b + 12, h + 16, 4);
	transport_error(&e, p, ihl, h[9],
			type == ICMP_DUR && code == ICMP_DUR_FRAG ?
				(mtu ? mtu : 576) :
				0);
}

void
port_icmp6_error(struct pbuf *p, uint8_t type, uint8_t code, uint32_t mtu)
{
	uint8_t h[IP6_HLEN];
	struct dgram_error e = {
		.err = type == ICMP6_TYPE_PTB ? EMSGSIZE :
		       type == ICMP6_TYPE_PP  ? EPROTO :
		       type == ICMP6_TYPE_TE  ? EHOSTUNREACH :
		       code == 4	      ? ECONNREFUSED :
		       code == 1	      ? EACCES :
		       code == 0	      ? ENETUNREACH :
						EHOSTUNREACH,
		.hard = type == ICMP6_TYPE_DUR && (code == 1 || code == 4),
		.origin = SO_EE_ORIGIN_ICMP6,
		.type = type,
		.code = code,
	};

	if (pbuf_copy_partial(p, h, sizeof(h), 0) != sizeof(h) ||
	    IP6_HLEN + 4 > p->tot_len)
		return;
	memcpy(e.from.addr.b, h + 8, 16);
	memcpy(e.to.addr.b, h + 24, 16);
	transport_error(&e, p, IP6_HLEN, h[6], mtu);
}

/* ---- raw sockets ---- */

static bool
filtered(const struct dgram_sock *u, uint8_t type)
{
	if (u->in.sock.protocol == IPPROTO_ICMP)
		return type < 32 && u->icmp_filter & 1u << type;
	if (u->in.sock.protocol == IPPROTO_ICMPV6)
		return u->icmp6_filter[type / 32] & 1u << type % 32;
	return false;
}

/* Of a whole payload that has its sum in it, inverted: 0 where it is right. */
static uint16_t
sum_of(void *data, uint32_t len, uint8_t proto, const ip_addr_t *src,
       const ip_addr_t *dst)
{
	struct pbuf p = { .payload = data,
			  .len = (u16_t)len,
			  .tot_len = (u16_t)len };

	return ip_chksum_pseudo(&p, proto, (u16_t)len, src, dst);
}

static u8_t
raw_received(void *arg, struct raw_pcb *pcb, struct pbuf *p,
	     const ip_addr_t *addr)
{
	struct dgram_sock *u = arg;
	struct inet_sock *sk = &u->in;
	struct dgram_meta m = { 0 };
	/* IPv4's header is handed up, IPv6's is not. */
	uint16_t skip = ip_current_is_v6() ? ip_current_header_tot_len() : 0;
	uint8_t type = 0;
	struct dgram *d;

	(void)pcb, (void)addr;
	fill_meta(&m, ip_current_input_netif());
	if (ip_current_is_v6() != sk->v6 ||
	    (sk->connected && !inet_same(&sk->remote.addr, &m.src.addr)) ||
	    (!inet_is_any(&sk->local.addr) &&
	     !inet_same(&sk->local.addr, &m.dst.addr)) ||
	    (sk->sock.ifindex && sk->sock.ifindex != m.ifindex) ||
	    (inet_is_multicast(&m.dst.addr) &&
	     !inet_hears(sk, &m.dst.addr, &m.src.addr, m.ifindex)))
		return 0;
	pbuf_copy_partial(p, &type, 1, ip_current_header_tot_len());
	if (skip > p->tot_len || filtered(u, type))
		return 0;
	d = dgram_of_pbuf(p, skip);
	if (!d)
		return 0;
	if (READ_ONCE(u->csum_at) >= 0 &&
	    sum_of(d->data, d->len, (uint8_t)sk->sock.protocol,
		   ip_current_src_addr(), ip_current_dest_addr())) {
		dgram_put(d);
		return 0;
	}
	m.stamp_ns = d->m.stamp_ns;
	d->m = m;
	dgram_deliver(sk, d);
	return 0;
}

int
raw_far_open(struct dgram_sock *u)
{
	struct raw_pcb *pcb;

	net_core_lock();
	pcb = raw_new_ip_type(u->in.v6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4,
			      (u8_t)u->in.sock.protocol);
	if (pcb)
		raw_recv(pcb, raw_received, u);
	u->pcb = pcb;
	net_core_unlock();
	return pcb ? 0 : -ENOBUFS;
}

void
raw_far_close(struct dgram_sock *u)
{
	net_core_lock();
	raw_remove(u->pcb);
	u->pcb = NULL;
	net_core_unlock();
}

static int
raw_output_hdr(struct netif *n, struct pbuf *p, const ip_addr_t *src)
{
	struct ip_hdr *h = p->payload;
	ip4_addr_t dst;

	if (p->len < IP_HLEN || IPH_V(h) != 4)
		return -EINVAL;
	if (p->tot_len > n->mtu)
		return -EMSGSIZE;
	if (!h->src.addr)
		memcpy(&h->src, ip_2_ip4(src), 4);
	IPH_LEN_SET(h, lwip_htons(p->tot_len));
	IPH_CHKSUM_SET(h, 0);
	IPH_CHKSUM_SET(h, inet_chksum(h, IPH_HL_BYTES(h) <= p->len ?
						 IPH_HL_BYTES(h) :
						 IP_HLEN));
	memcpy(&dst, &h->dest, 4);
	return errno_of(ip4_output_if(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, n) ==
					ERR_OK ?
				ERR_OK :
				ERR_RTE);
}

static int
raw_output(struct inet_sock *sk, struct pbuf *p, const struct dgram_out *o)
{
	struct netif *n = far_out_netif(o);
	int at = READ_ONCE(dgram_of(sk)->csum_at);
	uint8_t *where;
	ip_addr_t src, dst;
	uint16_t sum;
	int err;

	err = n ? out_source(o, n, &src) : -ENETUNREACH;
	if (err)
		return err;
	far_to_lwip(&o->dst.addr, n, &dst);
	if (IP_IS_V4_VAL(dst) && sk->hdrincl)
		return raw_output_hdr(n, p, &src);
	if (at >= 0) {
		/* far_buf_alloc() gave one piece. */
		if (at + 2 > p->len)
			return -EINVAL;
		where = (uint8_t *)p->payload + at;
		memset(where, 0, 2);
		sum = ip_chksum_pseudo(p, (u8_t)sk->sock.protocol, p->tot_len,
				       &src, &dst);
		memcpy(where, &sum, 2);
	}
	return errno_of(
		ip_send(sk, n, p, &src, &dst, o, (uint8_t)sk->sock.protocol));
}

int
raw_far_send(struct inet_sock *sk, void *buf, const struct dgram_out *o)
{
	int err;

	net_core_lock();
	err = raw_output(sk, buf, o);
	pbuf_free(buf);
	net_core_unlock();
	return err;
}
