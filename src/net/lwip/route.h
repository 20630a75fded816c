/* SPDX-License-Identifier: Apache-2.0 */
/* The way to an address, inside the core. */
#pragma once

#include <net/netif.h>

/* oif: through this interface only; 0: any.  Local addresses are not in it. */
bool net_route_find(int family, const uint8_t *dst, int oif,
		    struct net_route *out);
