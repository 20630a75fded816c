/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes and neighbours.
 *
 * The main table is not kept as such: routes of connected networks follow
 * from the addresses, the default route of IPv4 from an interface's gateway,
 * routes of IPv6 from lwIP's prefix and router lists.  What a program or the
 * manifest adds beside these is in `extra`.  The longest prefix wins, then
 * the lower metric.
 */
#include "route.h"
#include "ether.h"

#include <abi/errno.h>
#include <abi/socket.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/log.h>

#include <lwip/etharp.h>
#include <lwip/ip.h>
#include <lwip/ip6.h>
#include <lwip/nd6.h>
#include <lwip/priv/nd6_priv.h>

#include "port_hooks.h"

#define EXTRA_MAX 64

#define RTN_UNICAST   1
#define RTPROT_KERNEL 2
#define RTPROT_BOOT   3
#define RTPROT_RA     9
#define RTPROT_DHCP   16
#define RT_SCOPE_LINK 253

#define METRIC_RA   1024
#define METRIC_DHCP 100
#define METRIC_NET6 256

static struct {
	bool used;
	struct net_route r;
} extra[EXTRA_MAX];	   /* [core] */
static unsigned extra_top; /* [core] none at or above it is used */

bool
net_prefix_match(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return !memcmp(a, b, bytes) &&
	       (!rest || !((a[bytes] ^ b[bytes]) >> (8 - rest)));
}

/* ---- the table, enumerated ---- */

/* Slots: for each interface its network, its gateway, the link-local one, and
 * the networks of its other addresses; then lwIP's prefixes and routers, then
 * extra. */
enum { IF_SLOTS = 3 + MORE_MAX };
#define FIRST_PREFIX (IF_MAX * IF_SLOTS)
#define FIRST_ROUTER (FIRST_PREFIX + LWIP_ND6_NUM_PREFIXES)
#define FIRST_EXTRA  (FIRST_ROUTER + LWIP_ND6_NUM_ROUTERS)
#define ALL_SLOTS    (FIRST_EXTRA + EXTRA_MAX)

static bool
usable(const struct net_port *p)
{
	return p && p->nic && p->admin_up;
}

static bool
fill_net4(const struct net_port *p, int index, u32_t addr, u32_t mask,
	  struct net_route *r)
{
	u32_t net = addr & mask;

	if (!addr)
		return false;
	r->family = AF_INET;
	r->prefix = net_mask_bits(mask);
	r->protocol = RTPROT_KERNEL;
	r->scope = RT_SCOPE_LINK;
	r->ifindex = index;
	r->has_src = true;
	r->metric = p->dhcp_on ? METRIC_DHCP : 0;
	memcpy(r->dst, &net, 4);
	memcpy(r->src, &addr, 4);
	return true;
}

static bool
fill_more4(const struct net_port *p, int index, unsigned k, struct net_route *r)
{
	return net_addr4_new_net(p, k) &&
	       fill_net4(p, index, p->more[k].addr, p->more[k].mask, r);
}

static bool
fill_gw4(const struct net_port *p, int index, struct net_route *r)
{
	u32_t addr = netif_ip4_addr(&p->netif)->addr;
	u32_t gw = netif_ip4_gw(&p->netif)->addr;

	if (!addr || !gw)
		return false;
	r->family = AF_INET;
	r->protocol = p->dhcp_on ? RTPROT_DHCP : RTPROT_BOOT;
	r->ifindex = index;
	r->has_gateway = true;
	r->has_src = p->dhcp_on;
	r->metric = p->dhcp_on ? METRIC_DHCP : 0;
	memcpy(r->gateway, &gw, 4);
	addr = net_addr4_source(p, gw);
	memcpy(r->src, &addr, 4);
	return true;
}

static bool
fill_link6(const struct net_port *p, int index, struct net_route *r)
{
	if (!netif_ip6_addr_state(&p->netif, 0))
		return false;
	r->family = AF_INET6;
	r->prefix = 64;
	r->protocol = RTPROT_KERNEL;
	r->ifindex = index;
	r->metric = METRIC_NET6;
	r->dst[0] = 0xfe;
	r->dst[1] = 0x80;
	return true;
}

static bool
fill_prefix6(const struct nd6_prefix_list_entry *e, struct net_route *r)
{
	if (!e->netif || !e->invalidation_timer)
		return false;
	r->family = AF_INET6;
	r->prefix = 64;
	r->protocol = RTPROT_RA;
	r->ifindex = netif_get_index(e->netif);
	r->metric = METRIC_RA;
	memcpy(r->dst, e->prefix.addr, 16);
	return true;
}

static bool
fill_router6(const struct nd6_router_list_entry *e, struct net_route *r)
{
	if (!e->neighbor_entry || !e->invalidation_timer)
		return false;
	r->family = AF_INET6;
	r->protocol = RTPROT_RA;
	r->ifindex = netif_get_index(e->neighbor_entry->netif);
	r->metric = METRIC_RA;
	r->has_gateway = true;
	memcpy(r->gateway, e->neighbor_entry->next_hop_address.addr, 16);
	return true;
}

static bool
fill_slot(unsigned slot, struct net_route *r)
{
	memset(r, 0, sizeof(*r));
	r->type = RTN_UNICAST;
	if (slot < FIRST_PREFIX) {
		int index = (int)(slot / IF_SLOTS) + 1;
		const struct net_port *p = net_port_of(index);

		if (!usable(p))
			return false;
		switch (slot % IF_SLOTS) {
		case 0:
			return fill_net4(p, index,
					 netif_ip4_addr(&p->netif)->addr,
					 netif_ip4_netmask(&p->netif)->addr, r);
		case 1:
			return fill_gw4(p, index, r);
		case 2:
			return fill_link6(p, index, r);
		default:
			return fill_more4(p, index, slot % IF_SLOTS - 3, r);
		}
	}
	if (slot < FIRST_ROUTER)
		return fill_prefix6(&prefix_list[slot - FIRST_PREFIX], r);
	if (slot < FIRST_EXTRA)
		return fill_router6(&default_router_list[slot - FIRST_ROUTER],
				    r);
	if (!extra[slot - FIRST_EXTRA].used)
		return false;
	*r = extra[slot - FIRST_EXTRA].r;
	return usable(net_port_of(r->ifindex));
}

bool
net_route_next(unsigned *cursor, struct net_route *out)
{
	bool found = false;

	net_core_lock();
	for (; *cursor < ALL_SLOTS && !found; ++*cursor)
		found = fill_slot(*cursor, out);
	net_core_unlock();
	return found;
}

/* The best slot so far: the longest prefix, then the lowest metric, then the
 * first. */
struct best {
	unsigned slot; /* ALL_SLOTS: none */
	uint8_t prefix;
	uint32_t metric;
};

static void
consider(struct best *b, unsigned slot, uint8_t prefix, uint32_t metric)
{
	if (b->slot == ALL_SLOTS || prefix > b->prefix ||
	    (prefix == b->prefix && metric < b->metric))
		*b = (struct best){ slot, prefix, metric };
}

static void
find_net4(struct best *b, const uint8_t *dst, int oif)
{
	u32_t d, addr;

	memcpy(&d, dst, 4);
	for (int index = 1; index <= IF_MAX; index++) {
		const struct net_port *p = net_ports[index - 1];
		unsigned slot = (unsigned)(index - 1) * IF_SLOTS;
		u32_t mask, metric;

		if (!usable(p) || (oif && index != oif))
			continue;
		addr = netif_ip4_addr(&p->netif)->addr;
		mask = netif_ip4_netmask(&p->netif)->addr;
		metric = p->dhcp_on ? METRIC_DHCP : 0;
		if (!addr)
			continue;
		if (!((d ^ addr) & mask))
			consider(b, slot, net_mask_bits(mask), metric);
		if (netif_ip4_gw(&p->netif)->addr)
			consider(b, slot + 1, 0, metric);
		for (unsigned k = 0; port_more_addrs && k < MORE_MAX; k++)
			if (p->more[k].addr &&
			    !((d ^ p->more[k].addr) & p->more[k].mask) &&
			    net_addr4_new_net(p, k))
				consider(b, slot + 3 + k,
					 net_mask_bits(p->more[k].mask),
					 metric);
	}
}

static void
find_slots(struct best *b, int family, const uint8_t *dst, int oif,
	   unsigned slot, unsigned end, unsigned step)
{
	struct net_route r;

	for (; slot < end; slot += step)
		if (fill_slot(slot, &r) && r.family == family &&
		    (!oif || r.ifindex == oif) &&
		    net_prefix_match(dst, r.dst, r.prefix))
			consider(b, slot, r.prefix, r.metric);
}

/* For each packet: looks only where a route of the family can be. */
bool
net_route_find(int family, const uint8_t *dst, int oif, struct net_route *out)
{
	struct best b = { .slot = ALL_SLOTS };

	if (family == AF_INET) {
		find_net4(&b, dst, oif);
	} else {
		find_slots(&b, family, dst, oif, 2, FIRST_PREFIX, IF_SLOTS);
		find_slots(&b, family, dst, oif, FIRST_PREFIX, FIRST_EXTRA, 1);
	}
	find_slots(&b, family, dst, oif, FIRST_EXTRA, FIRST_EXTRA + extra_top,
		   1);
	return b.slot != ALL_SLOTS && fill_slot(b.slot, out);
}

static void
pick_source(struct net_route *r, const void *dst)
{
	struct net_port *p = net_port_of(r->ifindex);
	const ip_addr_t *src;
	ip6_addr_t d = { 0 };

	if (r->has_src || !p)
		return;
	if (r->family == AF_INET) {
		u32_t next, addr;

		memcpy(&next, r->has_gateway ? r->gateway : dst, 4);
		addr = net_addr4_source(p, next);
		memcpy(r->src, &addr, 4);
		r->has_src = true;
		return;
	}
	memcpy(d.addr, dst, 16);
	ip6_addr_assign_zone(&d, IP6_UNKNOWN, &p->netif);
	src = ip6_select_source_address(&p->netif, &d);
	if (src) {
		memcpy(r->src, ip_2_ip6(src)->addr, 16);
		r->has_src = true;
	}
}

int
net_route_lookup(int family, const void *dst, struct net_route *out)
{
	bool ok = true;

	memset(out, 0, sizeof(*out));
	if (net_addr_is_local(family, dst)) {
		out->family = (uint16_t)family;
		out->type = 2; /* RTN_LOCAL */
		out->ifindex = NET_IF_LO;
		out->has_src = true;
		out->prefix = family == AF_INET ? 32 : 128;
		memcpy(out->src, dst, family == AF_INET ? 4 : 16);
		memcpy(out->dst, dst, family == AF_INET ? 4 : 16);
		return 0;
	}
	net_core_lock();
	ok = net_route_find(family, dst, 0, out);
	if (ok)
		pick_source(out, dst);
	net_core_unlock();
	return ok ? 0 : -ENETUNREACH;
}

/* ---- changes by programs ---- */

static bool
same_route(const struct net_route *a, const struct net_route *b)
{
	return a->family == b->family && a->prefix == b->prefix &&
	       !memcmp(a->dst, b->dst, 16) &&
	       (!b->ifindex || a->ifindex == b->ifindex) &&
	       (!b->metric || a->metric == b->metric) &&
	       (!b->has_gateway ||
		(a->has_gateway && !memcmp(a->gateway, b->gateway, 16)));
}

static int
check_route(struct net_route *r)
{
	struct net_route via;

	if (r->family != AF_INET && r->family != AF_INET6)
		return -EAFNOSUPPORT;
	if (r->has_gateway) {
		if (!net_route_find(r->family, r->gateway, r->ifindex, &via) ||
		    via.has_gateway)
			return -ENETUNREACH;
		r->ifindex = via.ifindex;
	}
	return usable(net_port_of(r->ifindex)) ? 0 : -ENODEV;
}

int
net_route_add_core(const struct net_route *in)
{
	struct net_route r = *in, have;
	unsigned i, at = EXTRA_MAX;
	int err = check_route(&r);

	for (i = 0; !err && i < ALL_SLOTS; i++)
		if (fill_slot(i, &have) && same_route(&have, &r))
			err = -EEXIST;
	for (i = 0; i < EXTRA_MAX && at == EXTRA_MAX; i++)
		if (!extra[i].used)
			at = i;
	if (!err && at == EXTRA_MAX)
		err = -ENOSPC;
	if (!err) {
		extra[at].used = true;
		extra[at].r = r;
		if (extra_top <= at)
			extra_top = at + 1;
		nd6_clear_destination_cache();
		net_changed(NET_CHANGE_ROUTE, r.ifindex);
	}
	return err;
}

int
net_route_add(const struct net_route *r)
{
	int err;

	net_core_lock();
	err = net_route_add_core(r);
	net_core_unlock();
	return err;
}

int
net_route_static6(int ifindex, const uint8_t *addr, uint8_t prefix,
		  const uint8_t *gateway)
{
	struct net_route r = { .family = AF_INET6,
			       .prefix = prefix,
			       .type = RTN_UNICAST,
			       .protocol = RTPROT_KERNEL,
			       .ifindex = ifindex,
			       .metric = METRIC_NET6 };
	struct net_route via;
	int err = 0;

	/* What is in no prefix of a router's is in no slot above. */
	memcpy(r.dst, addr, prefix / 8);
	if (prefix % 8)
		r.dst[prefix / 8] =
			addr[prefix / 8] & (uint8_t)(0xff00 >> prefix % 8);
	if (prefix < 128)
		err = net_route_add_core(&r);
	if ((err && err != -EEXIST) || !gateway)
		return err == -EEXIST ? 0 : err;
	/* One beside the network has a route of its own. */
	if (!net_route_find(AF_INET6, gateway, ifindex, &via)) {
		r.prefix = 128;
		memcpy(r.dst, gateway, 16);
		err = net_route_add_core(&r);
		if (err)
			return err;
	}
	r = (struct net_route){ .family = AF_INET6,
				.type = RTN_UNICAST,
				.protocol = RTPROT_BOOT,
				.ifindex = ifindex,
				.metric = METRIC_RA,
				.has_gateway = true };
	memcpy(r.gateway, gateway, 16);
	err = net_route_add_core(&r);
	return err == -EEXIST ? 0 : err;
}

void
net_route_gone6(int ifindex, const uint8_t *addr, uint8_t prefix)
{
	for (unsigned i = 0; i < extra_top; i++) {
		const struct net_route *r = &extra[i].r;

		if (!extra[i].used || r->family != AF_INET6 ||
		    r->protocol != RTPROT_KERNEL || r->ifindex != ifindex ||
		    r->has_gateway || r->prefix != prefix ||
		    !net_prefix_match(r->dst, addr, prefix))
			continue;
		extra[i].used = false;
		net_changed(NET_CHANGE_ROUTE, ifindex);
	}
}

void
net_route_lease(int ifindex, const struct lease_route *l, bool gateway)
{
	static const uint8_t none[4];
	struct net_route r = { .family = AF_INET,
			       .prefix = l->prefix,
			       .type = RTN_UNICAST,
			       .protocol = RTPROT_DHCP,
			       .ifindex = ifindex,
			       .metric = METRIC_DHCP,
			       .has_gateway = !!memcmp(l->via, none, 4) };
	int err;

	/* The way out is the interface's. */
	if (r.has_gateway != gateway || (gateway && !l->prefix))
		return;
	memcpy(r.dst, l->dst, 4);
	memcpy(r.gateway, l->via, 4);
	err = net_route_add_core(&r);
	if (err && err != -EEXIST)
		log_info("a route of DHCP's is left out: error %d", -err);
}

void
net_route_lease_gone(int ifindex)
{
	for (unsigned i = 0; i < extra_top; i++)
		if (extra[i].r.protocol == RTPROT_DHCP &&
		    extra[i].r.ifindex == ifindex)
			extra[i].used = false;
	net_changed(NET_CHANGE_ROUTE, ifindex);
}

int
net_route_del(const struct net_route *r)
{
	int err = -ESRCH;
	struct net_route have;
	struct net_port *p;

	net_core_lock();
	for (unsigned i = 0; i < ALL_SLOTS && err; i++) {
		if (!fill_slot(i, &have) || !same_route(&have, r))
			continue;
		if (i >= FIRST_EXTRA) {
			extra[i - FIRST_EXTRA].used = false;
			err = 0;
		} else if (i < FIRST_PREFIX && i % IF_SLOTS == 1) {
			p = net_port_of(have.ifindex);
			netif_set_gw(&p->netif, IP4_ADDR_ANY4);
			err = 0;
		} else {
			err = -EOPNOTSUPP; /* goes with its address */
			break;
		}
		nd6_clear_destination_cache();
		net_changed(NET_CHANGE_ROUTE, have.ifindex);
	}
	net_core_unlock();
	return err;
}

/* ---- for lwIP (port_hooks.h) ---- */

/* What was found for the last destinations beyond the connected networks:
 * lwIP asks for every packet.  Any change of an interface, an address or a
 * route makes all of it void. */
#define NCACHE 64u

struct cached {
	ip4_addr_t dst, next;
	uint32_t generation; /* of net_generation; 0: unused */
	int ifindex;
};
static struct cached cache[NCACHE]; /* [core] */

/* dst is not local.  NULL: no way. */
static struct cached *
lookup4(const ip4_addr_t *dst, int oif)
{
	uint32_t now = atomic_load_relaxed(&net_generation);
	struct cached *c =
		&cache[(dst->addr ^ dst->addr >> 24 ^ dst->addr >> 16) %
		       NCACHE];
	struct net_route r;

	if (c->generation == now && c->dst.addr == dst->addr &&
	    (!oif || c->ifindex == oif))
		return c;
	if (!net_route_find(AF_INET, (const uint8_t *)dst, oif, &r))
		return NULL;
	c->dst = c->next = *dst;
	if (r.has_gateway)
		memcpy(&c->next, r.gateway, 4);
	c->ifindex = r.ifindex;
	c->generation = now;
	return c;
}

struct netif *
port_route4(const ip4_addr_t *src, const ip4_addr_t *dst)
{
	const struct cached *c;

	(void)src;
	if (net_addr_is_local(AF_INET, dst))
		return &net_ports[0]->netif;
	c = lookup4(dst, 0);
	return c ? &net_port_of(c->ifindex)->netif : NULL;
}

const ip4_addr_t *
port_gateway4(struct netif *n, const ip4_addr_t *dst)
{
	const struct cached *c = lookup4(dst, netif_get_index(n));

	return c ? &c->next : NULL;
}

struct netif *
port_route6(const ip6_addr_t *src, const ip6_addr_t *dst)
{
	struct net_route r;

	(void)src;
	if (net_addr_is_local(AF_INET6, dst->addr))
		return &net_ports[0]->netif;
	if (!net_route_find(AF_INET6, (const uint8_t *)dst->addr, 0, &r))
		return NULL;
	return &net_port_of(r.ifindex)->netif;
}

const ip6_addr_t *
port_gateway6(struct netif *n, const ip6_addr_t *dst)
{
	static ip6_addr_t next; /* [core] */
	struct net_route r;

	if (!net_route_find(AF_INET6, (const uint8_t *)dst->addr,
			    netif_get_index(n), &r))
		return NULL;
	if (!r.has_gateway) {
		ip6_addr_copy(next, *dst); /* on the link */
		return &next;
	}
	if (r.protocol == RTPROT_RA)
		return NULL; /* lwIP's own, the one that answers */
	memcpy(next.addr, r.gateway, 16);
	ip6_addr_assign_zone(&next, IP6_UNKNOWN, n);
	return &next;
}

/* ---- neighbours ---- */

static uint16_t
nud_of(u8_t state)
{
	switch (state) {
	case ND6_INCOMPLETE:
		return 1;
	case ND6_REACHABLE:
		return 2;
	case ND6_STALE:
		return 4;
	case ND6_DELAY:
		return 8;
	default:
		return 16;
	}
}

static bool
fill_neigh6(unsigned i, struct net_neigh *n)
{
	const struct nd6_neighbor_cache_entry *e = &neighbor_cache[i];

	if (e->state == ND6_NO_ENTRY || !e->netif)
		return false;
	n->family = AF_INET6;
	n->ifindex = netif_get_index(e->netif);
	n->state = nud_of(e->state);
	n->router = e->isrouter;
	n->has_mac = e->state != ND6_INCOMPLETE;
	memcpy(n->addr, e->next_hop_address.addr, 16);
	memcpy(n->mac, e->lladdr, 6);
	return true;
}

static bool
fill_neigh4(size_t i, struct net_neigh *n)
{
	struct netif *netif;
	struct eth_addr *mac;
	ip4_addr_t *ip;

	if (!etharp_get_entry(i, &ip, &netif, &mac))
		return false;
	n->family = AF_INET;
	n->ifindex = netif_get_index(netif);
	n->state = 2;
	n->has_mac = true;
	memcpy(n->addr, ip, 4);
	memcpy(n->mac, mac, 6);
	return true;
}

bool
net_neigh_next(unsigned *cursor, struct net_neigh *out)
{
	bool found = false;

	net_core_lock();
	for (; *cursor < ARP_TABLE_SIZE + LWIP_ND6_NUM_NEIGHBORS && !found;
	     ++*cursor) {
		memset(out, 0, sizeof(*out));
		found = *cursor < ARP_TABLE_SIZE ?
				fill_neigh4(*cursor, out) :
				fill_neigh6(*cursor - ARP_TABLE_SIZE, out);
	}
	net_core_unlock();
	return found;
}

int
net_neigh_add(const struct net_neigh *n)
{
	struct eth_addr mac;
	ip4_addr_t ip;
	err_t e;

	if (n->family != AF_INET)
		return -EOPNOTSUPP;
	memcpy(&mac, n->mac, 6);
	memcpy(&ip, n->addr, 4);
	net_core_lock();
	e = etharp_add_static_entry(&ip, &mac);
	net_core_unlock();
	return e == ERR_OK ? 0 : e == ERR_RTE ? -ENETUNREACH : -ENOBUFS;
}

int
net_neigh_del(const struct net_neigh *n)
{
	ip4_addr_t ip;
	err_t e;

	if (n->family != AF_INET)
		return -EOPNOTSUPP;
	memcpy(&ip, n->addr, 4);
	net_core_lock();
	e = etharp_remove_static_entry(&ip);
	net_core_unlock();
	return e == ERR_OK ? 0 : -ENOENT;
}
