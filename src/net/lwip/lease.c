/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a lease of DHCP brings beside address, router and name servers.
 *
 * lwIP reads a message and binds to it in one go, under the core lock: the
 * options of the message gather in `coming`, and are the interface's when the
 * address is.  They go with the address.
 */
#include "ether.h"
#include "route.h"

#include <base/string.h>

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include "port_hooks.h"

static struct lease coming; /* [core] of the message that is being read */

void
port_dhcp_begin(void)
{
	memset(&coming, 0, sizeof(coming));
}

void
port_dhcp_option(struct pbuf *p, uint8_t option, uint8_t len, uint16_t off)
{
	uint8_t v[255];

	if (pbuf_copy_partial(p, v, len, off) == len)
		lease_option(&coming, option, v, len);
}

/* A server that gives routes has the way out among them (RFC 3442). */
void
port_dhcp_gateway(struct ip4_addr *gw)
{
	if (!coming.classless)
		return;
	gw->addr = 0;
	for (unsigned i = 0; i < coming.nroutes && !gw->addr; i++)
		if (!coming.routes[i].prefix)
			memcpy(&gw->addr, coming.routes[i].via, 4);
}

void
port_dhcp_bound(struct netif *n)
{
	struct net_port *p = net_port_of(netif_get_index(n));
	int index = netif_get_index(n);

	if (!p || !p->nic || !memcmp(&p->lease, &coming, sizeof(coming)))
		return;
	net_lease_gone(p);
	memcpy(&p->lease, &coming, sizeof(coming));
	if (coming.mtu && coming.mtu <= p->nic->mtu && !p->config.mtu)
		net_port_mtu(p, coming.mtu);
	/* Those on the link first: gateways are on it. */
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < coming.nroutes; i++)
			net_route_lease(index, &coming.routes[i], pass);
	if (coming.search[0])
		net_changed(NET_CHANGE_DNS, index);
}

void
net_lease_gone(struct net_port *p)
{
	int index = netif_get_index(&p->netif);

	if (p->lease.nroutes)
		net_route_lease_gone(index);
	if (p->lease.mtu && !p->config.mtu)
		net_port_mtu(p, p->nic->mtu);
	if (p->lease.search[0])
		net_changed(NET_CHANGE_DNS, index);
	memset(&p->lease, 0, sizeof(p->lease));
}
