/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multicast groups of interfaces.  Of a NIC's routers are told (report.c);
 * those of lo are counted here, as nobody needs to be told.
 *
 * Which socket gets a group's datagrams is not decided here (net/ports.c).
 */
#include "ether.h"
#include "report.h"

#include <abi/errno.h>
#include <abi/socket.h>
#include <base/string.h>
#include <mem/heap.h>
#include <net/dgram.h>
#include <net/lwip/far.h>

#include <lwip/sys.h>

#include "port_hooks.h"

struct lo_group {
	struct lo_group *next;
	struct inet_addr addr;
	unsigned users;
};

static struct lo_group *lo_groups; /* [core] the last joined first */

/* ---- joining and leaving ---- */

static struct net_port *
group_port(const struct inet_addr *a, int ifindex)
{
	struct dgram_out o = { .dst.addr = *a, .ifindex = ifindex };
	struct netif *n = far_out_netif(&o);

	return n ? net_port_of(netif_get_index(n)) : NULL;
}

static int
lo_group(const struct inet_addr *a, bool join)
{
	struct lo_group **at = &lo_groups, *g;

	while ((g = *at) && !inet_same(&g->addr, a))
		at = &g->next;
	if (join && !g) {
		g = kzalloc(sizeof(*g), ALLOC_ATOMIC);
		if (!g)
			return -ENOBUFS;
		g->addr = *a;
		g->next = lo_groups;
		lo_groups = g;
	}
	if (g)
		g->users += join ? 1u : -1u;
	if (g && !g->users) {
		*at = g->next;
		kfree(g);
	}
	return 0;
}

static int
nic_group(struct net_port *p, const struct inet_addr *a, bool join)
{
	if (join)
		return mc_join(&p->netif, a) ? 0 : -ENOBUFS;
	mc_leave(&p->netif, a);
	return 0;
}

void
port_mcast_due(void)
{
	net_tick_start(TICK_MCAST, 1);
}

int
inet_far_group(const struct inet_addr *a, int *ifindex, bool join)
{
	struct net_port *p;
	int err = -ENODEV;

	net_core_lock();
	p = group_port(a, *ifindex);
	if (!p && !*ifindex)
		p = net_ports[0]; /* a machine with lo only */
	if (p) {
		*ifindex = netif_get_index(&p->netif);
		err = p->nic ? nic_group(p, a, join) : lo_group(a, join);
	}
	net_core_unlock();
	return err;
}

void
inet_far_filter(const struct inet_addr *a, int ifindex, bool include,
		const struct inet_addr *src, unsigned n)
{
	struct net_port *p;

	net_core_lock();
	p = net_port_of(ifindex);
	if (p && p->nic)
		mc_filter(&p->netif, a, include, src, n);
	net_core_unlock();
}

/* ---- the list ---- */

/* What each interface is in by itself (RFC 1112; RFC 4291, 2.8). */
static const uint8_t by_itself[][16] = {
	{ 224, 0, 0, 1 },
	{ 0xff, 2, [15] = 1 },
	{ 0xff, 1, [15] = 1 },
};

static int
own_index(const struct net_group *g)
{
	unsigned len = g->family == AF_INET ? 4 : 16;

	for (unsigned i = 0; i < ARRAY_SIZE(by_itself); i++)
		if ((i == 0) == (len == 4) &&
		    !memcmp(g->addr, by_itself[i], len))
			return (int)i;
	return -1;
}

static void
fill(struct net_group *out, const struct inet_addr *a, unsigned users)
{
	out->family = inet_is_v4(a) ? AF_INET : AF_INET6;
	memcpy(out->addr, a->b + (inet_is_v4(a) ? 12 : 0),
	       out->family == AF_INET ? 4 : 16);
	out->users = users;
}

static bool
nic_nth(const struct net_port *p, unsigned n, struct net_group *out)
{
	const struct mc_group *g = NULL;
	int32_t left;

	for (unsigned v6 = 0; v6 < 2 && !g; v6++)
		for (g = mc_groups(&p->netif, v6); g; g = g->next)
			if (g->users && !n--)
				break;
	if (!g)
		return false;
	fill(out, &g->addr, g->users);
	out->reporter = g->reporter;
	left = (int32_t)(g->due_ms - sys_now());
	if (g->due)
		out->timer_ns = left > 0 ? (uint64_t)left * 1000000 : 1;
	return true;
}

static bool
lo_nth(unsigned n, struct net_group *out)
{
	const struct lo_group *g = lo_groups;

	while (g && n--)
		g = g->next;
	if (!g)
		return false;
	fill(out, &g->addr, g->users);
	return true;
}

static bool
nth(const struct net_port *p, unsigned n, struct net_group *out)
{
	memset(out, 0, sizeof(*out));
	out->ifindex = netif_get_index(&p->netif);
	/* MLD and IGMP say nothing of groups of an interface (RFC 2710, 5). */
	if (!(p->nic ? nic_nth(p, n, out) : lo_nth(n, out)))
		return false;
	out->told = out->family == AF_INET || (out->addr[1] & 15) > 1;
	return true;
}

/* One that every interface is in; sockets may be users of it as well. */
static void
own(const struct net_port *p, unsigned i, struct net_group *out)
{
	struct net_group g;

	memset(out, 0, sizeof(*out));
	out->ifindex = netif_get_index(&p->netif);
	out->family = i ? AF_INET6 : AF_INET;
	memcpy(out->addr, by_itself[i], 16);
	out->users = 1;
	for (unsigned n = 0; nth(p, n, &g); n++)
		if (own_index(&g) == (int)i)
			out->users += g.users;
}

unsigned
net_igmp_version(int ifindex)
{
	struct net_port *p;
	unsigned v;

	net_core_lock();
	p = net_port_of(ifindex);
	v = p ? mc_version(&p->netif) : 3;
	net_core_unlock();
	return v;
}

#define PER_IF 0x10000u

bool
net_group_next(unsigned *cursor, struct net_group *out)
{
	bool found = false;

	net_core_lock();
	while (!found && *cursor / PER_IF < IF_MAX) {
		const struct net_port *p = net_ports[*cursor / PER_IF];
		unsigned n = *cursor % PER_IF;

		++*cursor;
		if (p && n >= PER_IF / 2) {
			n -= PER_IF / 2;
			found = n < ARRAY_SIZE(by_itself);
			if (found)
				own(p, n, out);
		} else if (p && nth(p, n, out)) {
			found = own_index(out) < 0;
			continue;
		} else if (p) {
			*cursor = *cursor / PER_IF * PER_IF + PER_IF / 2;
			continue;
		}
		if (!found)
			*cursor = (*cursor / PER_IF + 1) * PER_IF;
	}
	net_core_unlock();
	return found;
}
