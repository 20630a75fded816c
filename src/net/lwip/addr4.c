/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 addresses of an interface.  lwIP knows one, the first; the others are
 * here, and lwIP asks for them where it compares an address with its own
 * (port_hooks.h): packets that come, ARP requests, broadcasts.
 *
 * As on Linux an address in the network of one before it is secondary: it
 * brings no route, is not picked as a source, and goes with the one before.
 */
#include "ether.h"

#include <abi/errno.h>
#include <abi/netlink.h>
#include <abi/socket.h>
#include <base/string.h>

#include <lwip/etharp.h>

#include "port_hooks.h"

unsigned port_more_addrs;

static u32_t
first_addr(const struct net_port *p)
{
	return READ_ONCE(netif_ip4_addr(&p->netif)->addr);
}

static u32_t
first_mask(const struct net_port *p)
{
	return READ_ONCE(netif_ip4_netmask(&p->netif)->addr);
}

static u32_t
bits_mask(unsigned bits)
{
	return bits ? lwip_htonl(~0u << (32 - bits)) : 0;
}

bool
net_addr4_own(const struct net_port *p, u32_t addr)
{
	if (!addr)
		return false;
	if (addr == first_addr(p))
		return true;
	for (unsigned k = 0; port_more_addrs && k < MORE_MAX; k++)
		if (READ_ONCE(p->more[k].addr) == addr)
			return true;
	return false;
}

static bool
is_broadcast(u32_t addr, u32_t ours, u32_t mask)
{
	return ours && ~mask && lwip_ntohl(mask) < 0xfffffffe &&
	       addr == (ours | ~mask);
}

bool
net_addr4_broadcast(const struct net_port *p, u32_t addr)
{
	if (is_broadcast(addr, first_addr(p), first_mask(p)))
		return true;
	for (unsigned k = 0; port_more_addrs && k < MORE_MAX; k++)
		if (is_broadcast(addr, READ_ONCE(p->more[k].addr),
				 READ_ONCE(p->more[k].mask)))
			return true;
	return false;
}

u32_t
net_addr4_source(const struct net_port *p, u32_t next)
{
	u32_t first = first_addr(p);

	if (!port_more_addrs || !((next ^ first) & first_mask(p)))
		return first;
	for (unsigned k = 0; k < MORE_MAX; k++)
		if (p->more[k].addr &&
		    !((next ^ p->more[k].addr) & p->more[k].mask))
			return p->more[k].addr;
	return first;
}

bool
net_addr4_new_net(const struct net_port *p, unsigned k)
{
	u32_t addr = p->more[k].addr, mask = p->more[k].mask;

	if (mask == first_mask(p) && !((addr ^ first_addr(p)) & mask))
		return false;
	while (k--)
		if (p->more[k].addr && mask == p->more[k].mask &&
		    !((addr ^ p->more[k].addr) & mask))
			return false;
	return true;
}

/* As Linux lists them: secondary ones last.  The index into more. */
static unsigned
more_nth(const struct net_port *p, unsigned n)
{
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned k = 0; k < MORE_MAX && p->more[k].addr; k++)
			if (net_addr4_new_net(p, k) == (pass == 0) && !n--)
				return k;
	return MORE_MAX;
}

bool
net_addr4_nth(const struct net_port *p, unsigned n, struct net_addr *a)
{
	unsigned k = n ? more_nth(p, n - 1) : 0;
	u32_t addr, mask, bc;

	if (k == MORE_MAX)
		return false;
	addr = n ? p->more[k].addr : first_addr(p);
	mask = n ? p->more[k].mask : first_mask(p);
	if (!addr)
		return false;
	memset(a, 0, sizeof(*a));
	a->ifindex = netif_get_index(&p->netif);
	a->family = AF_INET;
	a->prefix = net_mask_bits(mask);
	a->scope = p->nic || n ? 0 : RT_SCOPE_HOST;
	a->flags = p->dhcp_on && !n ? 0 : NET_ADDR_PERMANENT;
	if (n && !net_addr4_new_net(p, k))
		a->flags |= NET_ADDR_SECONDARY;
	a->valid_s = a->preferred_s = UINT32_MAX;
	memcpy(a->addr, &addr, 4);
	bc = addr | ~mask;
	if (p->nic && a->prefix < 31)
		memcpy(a->broadcast, &bc, 4);
	return true;
}

/* ---- changing ---- */

static int
add_more(struct net_port *p, u32_t addr, u32_t mask)
{
	ip4_addr_t a = { addr };

	for (unsigned k = 0; k < MORE_MAX; k++) {
		if (p->more[k].addr)
			continue;
		p->more[k].mask = mask;
		WRITE_ONCE(p->more[k].addr, addr);
		port_more_addrs++;
		if (p->nic && netif_is_up(&p->netif) &&
		    netif_is_link_up(&p->netif))
			etharp_announce(&p->netif, &a);
		return 0;
	}
	return -ENOSPC;
}

static void
drop_more(struct net_port *p, unsigned k)
{
	for (; k + 1 < MORE_MAX; k++) {
		WRITE_ONCE(p->more[k].addr, p->more[k + 1].addr);
		p->more[k].mask = p->more[k + 1].mask;
	}
	WRITE_ONCE(p->more[k].addr, 0);
	port_more_addrs--;
}

int
net_addr4_add(struct net_port *p, const struct net_addr *a)
{
	ip4_addr_t addr, mask;

	if (a->prefix > 32 || (!p->nic && a->prefix < 32))
		return -EOPNOTSUPP; /* of networks lo has 127.0.0.0/8 */
	memcpy(&addr.addr, a->addr, 4);
	mask.addr = bits_mask(a->prefix);
	if (net_addr4_own(p, addr.addr))
		return -EEXIST;
	if (first_addr(p))
		return add_more(p, addr.addr, mask.addr);
	netif_set_addr(&p->netif, &addr, &mask, netif_ip4_gw(&p->netif));
	return 0;
}

/* Those in the same network go with it. */
static void
drop_secondaries(struct net_port *p, unsigned from, u32_t addr, u32_t mask)
{
	for (unsigned k = from; k < MORE_MAX && p->more[k].addr;)
		if (p->more[k].mask == mask &&
		    !((p->more[k].addr ^ addr) & mask))
			drop_more(p, k);
		else
			k++;
}

int
net_addr4_del(struct net_port *p, const struct net_addr *a)
{
	ip4_addr_t next = { 0 }, mask = { 0 };
	u32_t addr;

	memcpy(&addr, a->addr, 4);
	if (!net_addr4_own(p, addr))
		return -EADDRNOTAVAIL;
	if (!p->nic && addr == first_addr(p))
		return -EOPNOTSUPP; /* lo keeps 127.0.0.1 */
	for (unsigned k = 0; k < MORE_MAX; k++) {
		bool alone;

		if (p->more[k].addr != addr)
			continue;
		mask.addr = p->more[k].mask;
		alone = net_addr4_new_net(p, k);
		drop_more(p, k);
		if (alone)
			drop_secondaries(p, k, addr, mask.addr);
		return 0;
	}
	drop_secondaries(p, 0, addr, first_mask(p));
	if (p->more[0].addr) {
		next.addr = p->more[0].addr;
		mask.addr = p->more[0].mask;
		drop_more(p, 0);
	}
	netif_set_addr(&p->netif, &next, &mask, IP4_ADDR_ANY4);
	return 0;
}

/* ---- for lwIP ---- */

int
port_ip4_own(const struct netif *n, const ip4_addr_t *addr)
{
	return net_addr4_own(net_port_of(netif_get_index(n)), addr->addr);
}

int
port_ip4_broadcast(const struct netif *n, const ip4_addr_t *addr)
{
	return net_addr4_broadcast(net_port_of(netif_get_index(n)), addr->addr);
}
