/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of the network as messages of rtnetlink(7): links, addresses,
 * routes, neighbours, rules; one function each, for dumps, single answers
 * and notifications alike.
 */
#include "rtnl_priv.h"

#include <abi/netif.h>
#include <abi/socket.h>
#include <base/string.h>

#define NEVER UINT32_MAX

static uint32_t
addr_len(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

/* struct rtnl_link_stats64, and its 32-bit twin, by position. */
static void
fill_stats(struct nl_buf *b, const struct net_if_stats *s)
{
	const uint64_t v[] = {
		s->rx_packets, s->tx_packets, s->rx_bytes,
		s->tx_bytes,   s->rx_errors,  s->tx_errors,
		s->rx_dropped, s->tx_dropped, s->multicast,
	};
	uint64_t wide[25] = { 0 };
	uint32_t narrow[24] = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(v); i++) {
		wide[i] = v[i];
		narrow[i] = (uint32_t)v[i];
	}
	nl_attr(b, IFLA_STATS64, wide, sizeof(wide));
	nl_attr(b, IFLA_STATS, narrow, sizeof(narrow));
}

void
rtnl_fill_link(struct nl_buf *b, const struct rtnl_to *to, uint16_t type,
	       const struct net_if *i)
{
	bool lo = i->flags & IFF_LOOPBACK;
	bool running = i->flags & IFF_RUNNING;
	struct ifinfomsg *h =
		nl_begin(b, type, to->flags, to->seq, to->pid, sizeof(*h));

	if (!h)
		return;
	h->family = AF_UNSPEC;
	h->type = i->type;
	h->index = i->index;
	h->flags = i->flags;
	h->change = to->change;
	nl_attr_str(b, IFLA_IFNAME, i->name);
	nl_attr_u32(b, IFLA_TXQLEN, i->txqlen);
	nl_attr_u8(b, IFLA_OPERSTATE,
		   lo	   ? OPER_UNKNOWN :
		   running ? OPER_UP :
			     OPER_DOWN);
	nl_attr_u8(b, IFLA_LINKMODE, 0);
	nl_attr_u32(b, IFLA_MTU, i->mtu);
	nl_attr_u32(b, IFLA_GROUP, 0);
	nl_attr_u32(b, IFLA_PROMISCUITY, (i->flags & IFF_PROMISC) != 0);
	nl_attr_u32(b, IFLA_NUM_TX_QUEUES, 1);
	nl_attr_u32(b, IFLA_NUM_RX_QUEUES, 1);
	nl_attr_u8(b, IFLA_CARRIER, running);
	nl_attr_str(b, IFLA_QDISC, "noqueue");
	nl_attr(b, IFLA_ADDRESS, i->mac, sizeof(i->mac));
	nl_attr(b, IFLA_BROADCAST, i->broadcast, sizeof(i->broadcast));
	fill_stats(b, &i->stats);
	nl_end(b);
}

uint32_t
rtnl_addr_flags(const struct net_addr *a)
{
	uint32_t f = a->flags & NET_ADDR_PERMANENT ? IFA_F_PERMANENT : 0;

	if (a->flags & NET_ADDR_SECONDARY)
		f |= IFA_F_SECONDARY;
	switch (a->state) {
	case NET_ADDR_TENTATIVE:
		return f | IFA_F_TENTATIVE;
	case NET_ADDR_DEPRECATED:
		return f | IFA_F_DEPRECATED;
	case NET_ADDR_DUPLICATE:
		return f | IFA_F_TENTATIVE | IFA_F_DADFAILED;
	default:
		return f;
	}
}

void
rtnl_fill_addr(struct nl_buf *b, const struct rtnl_to *to, uint16_t type,
	       const struct net_addr *a)
{
	static const uint8_t none[4];
	struct ifa_cacheinfo ci = { a->preferred_s, a->valid_s, 0, 0 };
	uint32_t flags = rtnl_addr_flags(a), len = addr_len(a->family);
	struct net_if i;
	struct ifaddrmsg *h =
		nl_begin(b, type, to->flags, to->seq, to->pid, sizeof(*h));

	if (!h)
		return;
	h->family = (uint8_t)a->family;
	h->prefixlen = a->prefix;
	h->flags = (uint8_t)flags;
	h->scope = a->scope;
	h->index = (uint32_t)a->ifindex;
	nl_attr(b, IFA_ADDRESS, a->addr, len);
	if (a->family == AF_INET) {
		nl_attr(b, IFA_LOCAL, a->addr, len);
		if (memcmp(a->broadcast, none, sizeof(none)))
			nl_attr(b, IFA_BROADCAST, a->broadcast, len);
		if (!net_if_get(a->ifindex, &i))
			nl_attr_str(b, IFA_LABEL, i.name);
	}
	nl_attr_u32(b, IFA_FLAGS, flags);
	if (!ci.valid && flags & IFA_F_PERMANENT)
		ci.valid = ci.prefered = NEVER;
	nl_attr(b, IFA_CACHEINFO, &ci, sizeof(ci));
	nl_end(b);
}

void
rtnl_fill_route(struct nl_buf *b, const struct rtnl_to *to, uint16_t type,
		const struct net_route *r, bool cloned)
{
	uint32_t len = addr_len(r->family);
	struct rtmsg *h =
		nl_begin(b, type, to->flags, to->seq, to->pid, sizeof(*h));

	if (!h)
		return;
	h->family = (uint8_t)r->family;
	h->dst_len = cloned ? (uint8_t)(len * 8) : r->prefix;
	h->table = RT_TABLE_MAIN;
	h->protocol = cloned ? 0 : r->protocol;
	h->scope = r->scope;
	h->type = r->type;
	h->flags = cloned ? 0x200 : 0; /* RTM_F_CLONED */
	nl_attr_u32(b, RTA_TABLE, RT_TABLE_MAIN);
	if (h->dst_len || cloned)
		nl_attr(b, RTA_DST, r->dst, len);
	if (r->metric && !cloned)
		nl_attr_u32(b, RTA_PRIORITY, r->metric);
	if (r->has_src)
		nl_attr(b, RTA_PREFSRC, r->src, len);
	if (r->has_gateway)
		nl_attr(b, RTA_GATEWAY, r->gateway, len);
	nl_attr_u32(b, RTA_OIF, (uint32_t)r->ifindex);
	nl_end(b);
}

void
rtnl_fill_neigh(struct nl_buf *b, const struct rtnl_to *to, uint16_t type,
		const struct net_neigh *n)
{
	struct ndmsg *h =
		nl_begin(b, type, to->flags, to->seq, to->pid, sizeof(*h));

	if (!h)
		return;
	h->family = (uint8_t)n->family;
	h->ifindex = n->ifindex;
	h->state = n->state;
	h->flags = n->router ? NTF_ROUTER : 0;
	h->type = RTN_UNICAST;
	nl_attr(b, NDA_DST, n->addr, addr_len(n->family));
	if (n->has_mac)
		nl_attr(b, NDA_LLADDR, n->mac, sizeof(n->mac));
	nl_end(b);
}

void
rtnl_fill_rule(struct nl_buf *b, const struct rtnl_to *to, int family,
	       uint8_t table, uint32_t priority)
{
	struct fib_rule_hdr *h = nl_begin(b, RTM_NEWRULE, to->flags, to->seq,
					  to->pid, sizeof(*h));

	if (!h)
		return;
	h->family = (uint8_t)family;
	h->table = table;
	h->action = FR_ACT_TO_TBL;
	nl_attr_u32(b, FRA_TABLE, table);
	nl_attr_u32(b, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX);
	if (priority)
		nl_attr_u32(b, FRA_PRIORITY, priority);
	nl_end(b);
}
