/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_ROUTE: requests (rtnl.c) and messages (rtnl_fill.c).
 */
#pragma once

#include "netlink.h"

#include <net/netif.h>

/* Whom a message is for. */
struct rtnl_to {
	uint16_t flags; /* NLM_F_* of the message */
	uint32_t seq, pid;
	uint32_t change; /* ifi_change */
};

/* IFA_F_*, also for /proc/net/if_inet6. */
uint32_t rtnl_addr_flags(const struct net_addr *a);
void rtnl_fill_link(struct nl_buf *b, const struct rtnl_to *to, uint16_t type,
		    const struct net_if *i);
void rtnl_fill_addr(struct nl_buf *b, const struct rtnl_to *to, uint16_t type,
		    const struct net_addr *a);
/* cloned: the way to one destination, as `ip route get` asks. */
void rtnl_fill_route(struct nl_buf *b, const struct rtnl_to *to, uint16_t type,
		     const struct net_route *r, bool cloned);
void rtnl_fill_neigh(struct nl_buf *b, const struct rtnl_to *to, uint16_t type,
		     const struct net_neigh *n);
void rtnl_fill_rule(struct nl_buf *b, const struct rtnl_to *to, int family,
		    uint8_t table, uint32_t priority);
