/* SPDX-License-Identifier: Apache-2.0 */
/* The way to an address, inside the core. */
#pragma once

#include "dhcp_options.h"

#include <net/netif.h>

/* oif: through this interface only; 0: any.  Local addresses are not in it. */
bool net_route_find(int family, const uint8_t *dst, int oif,
		    struct net_route *out);
/* net_route_add() for who holds the core lock. */
MUST_CHECK int net_route_add_core(const struct net_route *in);
/* What an address of IPv6 brings that no router advertises: its network, and
 * the default route by gateway, NULL: none. */
MUST_CHECK int net_route_static6(int ifindex, const uint8_t *addr,
				 uint8_t prefix, const uint8_t *gateway);
/* The last address of this network is gone: what it brought goes too. */
void net_route_gone6(int ifindex, const uint8_t *addr, uint8_t prefix);
/* A route that came with a lease of DHCP, if it has a gateway or has none; all
 * of an interface. */
void net_route_lease(int ifindex, const struct lease_route *r, bool gateway);
void net_route_lease_gone(int ifindex);
bool net_prefix_match(const uint8_t *a, const uint8_t *b, unsigned bits);
