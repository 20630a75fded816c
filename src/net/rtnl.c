/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_ROUTE: what programs ask about links, addresses, routes and
 * neighbours, what they change, and what members of groups are told.
 *
 * All state is the stack's (netif.h), by copies.  A dump is made at once and
 * queued in pieces.  What the stack can't do is refused by its error.
 */
#include "rtnl_priv.h"

#include <abi/errno.h>
#include <abi/netif.h>
#include <abi/prctl.h>
#include <abi/socket.h>
#include <base/math.h>
#include <base/string.h>
#include <net/socket.h>

#define PRIO_MAIN    32766u
#define PRIO_DEFAULT 32767u

/* ---- dumps ---- */

/* A full piece goes out. */
static int
flush(struct nl_request *r, struct nl_buf *b, uint32_t limit)
{
	return b->len > limit ? nl_reply(r, b) : 0;
}

static struct rtnl_to
dump_to(const struct nl_request *r)
{
	struct rtnl_to to = { NLM_F_MULTI, r->hdr->seq, nl_port(r->from), 0 };

	return to;
}

static uint8_t
family_of(const struct nl_request *r)
{
	return r->len ? r->payload[0] : AF_UNSPEC;
}

/* What a strict program has set in the header of a dump for links. */
static int
dump_links(struct nl_request *r, struct nl_buf *b)
{
	struct rtnl_to to = dump_to(r);
	struct net_if i;
	int err = 0;

	for (int at = 0; !err && net_if_next(at, &i); at = i.index) {
		/* The largest is about 700 bytes. */
		err = flush(r, b, NL_PIECE - 800);
		rtnl_fill_link(b, &to, RTM_NEWLINK, &i);
	}
	return err;
}

static int
dump_addrs(struct nl_request *r, struct nl_buf *b)
{
	struct rtnl_to to = dump_to(r);
	uint8_t family = family_of(r);
	struct ifaddrmsg h = { 0 };
	struct net_addr a;
	unsigned cursor = 0;
	int err = 0;

	if (nl_strict(r->from)) {
		if (r->len < sizeof(h))
			return -EINVAL;
		memcpy(&h, r->payload, sizeof(h));
	}
	while (!err && net_addr_next(&cursor, &a)) {
		if ((family != AF_UNSPEC && a.family != family) ||
		    (h.index && (int)h.index != a.ifindex))
			continue;
		err = flush(r, b, NL_PIECE - 200);
		rtnl_fill_addr(b, &to, RTM_NEWADDR, &a);
	}
	return err;
}

/* Only the main table is there to be seen. */
static int
dump_routes(struct nl_request *r, struct nl_buf *b)
{
	struct rtnl_to to = dump_to(r);
	uint8_t family = family_of(r);
	uint32_t table = 0, oif = 0, len;
	struct net_route rt;
	unsigned cursor = 0;
	const void *p;
	int err = 0;

	if (nl_strict(r->from) && r->len >= sizeof(struct rtmsg)) {
		struct rtmsg h;

		memcpy(&h, r->payload, sizeof(h));
		table = h.table;
		p = nl_find(r, sizeof(h), RTA_TABLE, &len);
		if (p && len == sizeof(table))
			memcpy(&table, p, sizeof(table));
		p = nl_find(r, sizeof(h), RTA_OIF, &len);
		if (p && len == sizeof(oif))
			memcpy(&oif, p, sizeof(oif));
	}
	if (table && table != RT_TABLE_MAIN)
		return 0;
	while (!err && net_route_next(&cursor, &rt)) {
		if ((family != AF_UNSPEC && rt.family != family) ||
		    (oif && (int)oif != rt.ifindex))
			continue;
		err = flush(r, b, NL_PIECE - 200);
		rtnl_fill_route(b, &to, RTM_NEWROUTE, &rt, false);
	}
	return err;
}

static int
dump_neighs(struct nl_request *r, struct nl_buf *b)
{
	struct rtnl_to to = dump_to(r);
	uint8_t family = family_of(r);
	struct net_neigh n;
	unsigned cursor = 0;
	int err = 0;

	while (!err && net_neigh_next(&cursor, &n)) {
		if (family != AF_UNSPEC && n.family != family)
			continue;
		err = flush(r, b, NL_PIECE - 100);
		rtnl_fill_neigh(b, &to, RTM_NEWNEIGH, &n);
	}
	return err;
}

/* The three rules of a Linux that nobody has given others. */
static int
dump_rules(struct nl_request *r, struct nl_buf *b)
{
	struct rtnl_to to = dump_to(r);
	uint8_t family = family_of(r);

	if (family == AF_UNSPEC || family == AF_INET) {
		rtnl_fill_rule(b, &to, AF_INET, RT_TABLE_LOCAL, 0);
		rtnl_fill_rule(b, &to, AF_INET, RT_TABLE_MAIN, PRIO_MAIN);
		rtnl_fill_rule(b, &to, AF_INET, RT_TABLE_DEFAULT, PRIO_DEFAULT);
	}
	if (family == AF_UNSPEC || family == AF_INET6) {
		rtnl_fill_rule(b, &to, AF_INET6, RT_TABLE_LOCAL, 0);
		rtnl_fill_rule(b, &to, AF_INET6, RT_TABLE_MAIN, PRIO_MAIN);
	}
	return 0;
}

static int
dump(struct nl_request *r, struct nl_buf *b)
{
	switch (r->hdr->type) {
	case RTM_GETLINK:
		/* The bridge's view of links: there are no bridges. */
		return family_of(r) == 7 ? 0 : dump_links(r, b);
	case RTM_GETADDR:
		return dump_addrs(r, b);
	case RTM_GETROUTE:
		return dump_routes(r, b);
	case RTM_GETNEIGH:
		return dump_neighs(r, b);
	case RTM_GETRULE:
		return dump_rules(r, b);
	default:
		return -EOPNOTSUPP;
	}
}

/* ---- one object ---- */

static struct rtnl_to
answer_to(const struct nl_request *r)
{
	struct rtnl_to to = { 0, r->hdr->seq, nl_port(r->from), 0 };

	return to;
}

/* The link that a request names by index or name. */
static int
find_link(struct nl_request *r, struct ifinfomsg *h, struct net_if *i)
{
	char name[NET_NAME_MAX] = "";
	const void *p;
	uint32_t len;

	if (r->len < sizeof(*h))
		return -EINVAL;
	memcpy(h, r->payload, sizeof(*h));
	if (h->index > 0)
		return net_if_get(h->index, i);
	if (h->index < 0)
		return -EINVAL;
	p = nl_find(r, sizeof(*h), IFLA_IFNAME, &len);
	if (!p)
		p = nl_find(r, sizeof(*h), IFLA_ALT_IFNAME, &len);
	if (!p)
		return -EINVAL;
	memcpy(name, p, min_size(len, sizeof(name) - 1));
	return net_if_find(name, i);
}

static int
get_link(struct nl_request *r, struct nl_buf *b)
{
	struct rtnl_to to = answer_to(r);
	struct ifinfomsg h;
	struct net_if i;
	int err = find_link(r, &h, &i);

	if (!err)
		rtnl_fill_link(b, &to, RTM_NEWLINK, &i);
	return err;
}

static uint32_t
addr_len(int family)
{
	return family == AF_INET6 ? 16 : family == AF_INET ? 4 : 0;
}

static int
get_route(struct nl_request *r, struct nl_buf *b)
{
	struct rtnl_to to = answer_to(r);
	struct net_route rt;
	const void *dst;
	uint32_t len;
	int err;

	if (r->len < sizeof(struct rtmsg) || !addr_len(family_of(r)))
		return -EINVAL;
	dst = nl_find(r, sizeof(struct rtmsg), RTA_DST, &len);
	if (!dst || len != addr_len(family_of(r)))
		return -EINVAL;
	err = net_route_lookup(family_of(r), dst, &rt);
	if (err)
		return err;
	memcpy(rt.dst, dst, len);
	rtnl_fill_route(b, &to, RTM_NEWROUTE, &rt, true);
	return 0;
}

/* ---- changes ---- */

#define CHANGEABLE (IFF_UP | IFF_PROMISC | IFF_ALLMULTI)

static int
set_link(struct nl_request *r)
{
	struct ifinfomsg h;
	struct net_if i;
	const void *p;
	uint32_t len, mtu, mask;
	int err = find_link(r, &h, &i);

	if (err == -ENODEV && r->hdr->flags & NLM_F_CREATE) {
		r->why = "links cannot be made";
		return -EOPNOTSUPP;
	}
	if (err)
		return err;
	if (nl_find(r, sizeof(h), IFLA_ADDRESS, &len) ||
	    (h.index && nl_find(r, sizeof(h), IFLA_IFNAME, &len))) {
		r->why = "a link's name and address cannot be changed";
		return -EOPNOTSUPP;
	}
	p = nl_find(r, sizeof(h), IFLA_MTU, &len);
	if (p) {
		if (len != sizeof(mtu))
			return -EINVAL;
		memcpy(&mtu, p, sizeof(mtu));
		err = net_if_set_mtu(i.index, mtu);
		if (err)
			return err;
	}
	/* Without a mask all flags are meant, as ever. */
	mask = h.change ? h.change : h.flags ? UINT32_MAX : 0;
	mask &= h.flags ^ i.flags;
	if (mask & ~(uint32_t)CHANGEABLE & ~(IFF_VOLATILE)) {
		r->why = "only up, promisc and allmulti can be changed";
		return -EOPNOTSUPP;
	}
	mask &= CHANGEABLE;
	return mask ? net_if_set_flags(i.index, h.flags, mask) : 0;
}

static int
parse_addr(struct nl_request *r, struct net_addr *a)
{
	struct ifaddrmsg h;
	const void *p;
	uint32_t len, flags;

	if (r->len < sizeof(h))
		return -EINVAL;
	memcpy(&h, r->payload, sizeof(h));
	if (!addr_len(h.family))
		return -EAFNOSUPPORT;
	memset(a, 0, sizeof(*a));
	a->family = h.family;
	a->prefix = h.prefixlen;
	a->scope = h.scope;
	a->ifindex = (int)h.index;
	a->flags = NET_ADDR_PERMANENT;
	a->valid_s = a->preferred_s = UINT32_MAX;
	p = nl_find(r, sizeof(h), IFA_LOCAL, &len);
	if (!p)
		p = nl_find(r, sizeof(h), IFA_ADDRESS, &len);
	if (!p || len != addr_len(h.family) || h.prefixlen > len * 8)
		return -EINVAL;
	memcpy(a->addr, p, len);
	p = nl_find(r, sizeof(h), IFA_BROADCAST, &len);
	if (p && len == sizeof(a->broadcast))
		memcpy(a->broadcast, p, len);
	p = nl_find(r, sizeof(h), IFA_CACHEINFO, &len);
	if (p && len == sizeof(struct ifa_cacheinfo)) {
		struct ifa_cacheinfo ci;

		memcpy(&ci, p, sizeof(ci));
		if (!ci.valid || ci.prefered > ci.valid)
			return -EINVAL;
		a->valid_s = ci.valid;
		a->preferred_s = ci.prefered;
	}
	p = nl_find(r, sizeof(h), IFA_FLAGS, &len);
	if (p && len == sizeof(flags)) {
		memcpy(&flags, p, sizeof(flags));
		if (flags & IFA_F_TENTATIVE)
			return -EINVAL;
	}
	return 0;
}

static int
change_addr(struct nl_request *r)
{
	struct net_addr a;
	struct net_if i;
	int err = parse_addr(r, &a);

	if (err)
		return err;
	if (net_if_get(a.ifindex, &i))
		return -ENODEV;
	return r->hdr->type == RTM_NEWADDR ? net_addr_add(&a) :
					     net_addr_del(&a);
}

static int
parse_route(struct nl_request *r, struct net_route *rt)
{
	struct rtmsg h;
	const void *p;
	uint32_t len, v;

	if (r->len < sizeof(h))
		return -EINVAL;
	memcpy(&h, r->payload, sizeof(h));
	if (!addr_len(h.family))
		return -EAFNOSUPPORT;
	memset(rt, 0, sizeof(*rt));
	rt->family = h.family;
	rt->prefix = h.dst_len;
	rt->type = h.type ? h.type : RTN_UNICAST;
	rt->protocol = h.protocol;
	rt->scope = h.scope;
	v = h.table;
	p = nl_find(r, sizeof(h), RTA_TABLE, &len);
	if (p && len == sizeof(v))
		memcpy(&v, p, sizeof(v));
	if ((v && v != RT_TABLE_MAIN) || rt->type != RTN_UNICAST) {
		r->why = "only unicast routes of the main table";
		return -EOPNOTSUPP;
	}
	if (h.dst_len > addr_len(h.family) * 8)
		return -EINVAL;
	p = nl_find(r, sizeof(h), RTA_DST, &len);
	if (p && len == addr_len(h.family))
		memcpy(rt->dst, p, len);
	else if (p || h.dst_len)
		return -EINVAL;
	p = nl_find(r, sizeof(h), RTA_GATEWAY, &len);
	if (p && len != addr_len(h.family))
		return -EINVAL;
	if (p) {
		rt->has_gateway = true;
		memcpy(rt->gateway, p, len);
	}
	p = nl_find(r, sizeof(h), RTA_PREFSRC, &len);
	if (p && len == addr_len(h.family)) {
		rt->has_src = true;
		memcpy(rt->src, p, len);
	}
	p = nl_find(r, sizeof(h), RTA_OIF, &len);
	if (p && len == sizeof(rt->ifindex))
		memcpy(&rt->ifindex, p, len);
	p = nl_find(r, sizeof(h), RTA_PRIORITY, &len);
	if (p && len == sizeof(rt->metric))
		memcpy(&rt->metric, p, len);
	return 0;
}

static int
change_route(struct nl_request *r)
{
	struct net_route rt;
	int err = parse_route(r, &rt);

	if (err)
		return err;
	if (r->hdr->type == RTM_DELROUTE)
		return net_route_del(&rt);
	if (!rt.has_gateway && !rt.ifindex)
		return -ENODEV;
	err = net_route_add(&rt);
	if (err == -EEXIST && r->hdr->flags & NLM_F_REPLACE) {
		err = net_route_del(&rt);
		if (!err)
			err = net_route_add(&rt);
	}
	return err;
}

static int
change_neigh(struct nl_request *r)
{
	struct net_neigh n = { 0 };
	struct ndmsg h;
	const void *p;
	uint32_t len;

	if (r->len < sizeof(h))
		return -EINVAL;
	memcpy(&h, r->payload, sizeof(h));
	if (!addr_len(h.family))
		return -EAFNOSUPPORT;
	n.family = h.family;
	n.ifindex = h.ifindex;
	n.state = h.state;
	p = nl_find(r, sizeof(h), NDA_DST, &len);
	if (!p || len != addr_len(h.family))
		return -EINVAL;
	memcpy(n.addr, p, len);
	if (r->hdr->type == RTM_DELNEIGH)
		return net_neigh_del(&n);
	p = nl_find(r, sizeof(h), NDA_LLADDR, &len);
	if (!p || len != sizeof(n.mac))
		return -EINVAL;
	memcpy(n.mac, p, len);
	n.has_mac = true;
	return net_neigh_add(&n);
}

/* ---- the requests ---- */

static uint32_t
header_size(uint16_t type)
{
	switch (type) {
	case RTM_NEWLINK:
	case RTM_SETLINK:
	case RTM_GETLINK:
		return sizeof(struct ifinfomsg);
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_GETADDR:
		return sizeof(struct ifaddrmsg);
	default:
		return sizeof(struct rtmsg); /* and ndmsg, fib_rule_hdr */
	}
}

static int
get_one(struct nl_request *r, struct nl_buf *b)
{
	switch (r->hdr->type) {
	case RTM_GETLINK:
		return get_link(r, b);
	case RTM_GETROUTE:
		return get_route(r, b);
	default:
		return -EOPNOTSUPP;
	}
}

static int
change(struct nl_request *r)
{
	if (!sock_capable(CAP_NET_ADMIN))
		return -EPERM;
	switch (r->hdr->type) {
	case RTM_NEWLINK:
	case RTM_SETLINK:
		return set_link(r);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return change_addr(r);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return change_route(r);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return change_neigh(r);
	default:
		return -EOPNOTSUPP;
	}
}

/* Of four types in a row the third asks. */
static bool
asks(uint16_t type)
{
	return (type & 3) == 2;
}

int
rtnl_request(struct nl_request *r, bool *is_dump)
{
	struct nl_buf b = { 0 };
	int err = 0;

	if (!asks(r->hdr->type)) {
		err = nl_check(r, header_size(r->hdr->type));
		return err ? err : change(r);
	}
	*is_dump = (r->hdr->flags & NLM_F_DUMP) == NLM_F_DUMP ||
		   (r->hdr->flags & NLM_F_DUMP && r->hdr->type != RTM_GETLINK &&
		    r->hdr->type != RTM_GETROUTE);
	if (*is_dump) {
		err = dump(r, &b);
	} else {
		err = nl_check(r, header_size(r->hdr->type));
		if (!err)
			err = get_one(r, &b);
	}
	if (!err)
		err = nl_reply(r, &b);
	nl_buf_free(&b);
	return err;
}

/* ---- notifications ---- */

static void
told(struct net_listener *l, enum net_change what, const void *obj, bool gone)
{
	struct rtnl_to to = { 0, 0, 0, UINT32_MAX };
	struct nl_buf b = { 0 };
	const struct net_addr *a = obj;
	const struct net_route *r = obj;
	unsigned group;

	(void)l;
	switch (what) {
	case NET_CHANGE_LINK:
		group = RTNLGRP_LINK;
		if (nl_has_members(group))
			rtnl_fill_link(&b, &to,
				       gone ? RTM_DELLINK : RTM_NEWLINK, obj);
		break;
	case NET_CHANGE_ADDR:
		group = a->family == AF_INET ? RTNLGRP_IPV4_IFADDR :
					       RTNLGRP_IPV6_IFADDR;
		if (nl_has_members(group))
			rtnl_fill_addr(&b, &to,
				       gone ? RTM_DELADDR : RTM_NEWADDR, a);
		break;
	case NET_CHANGE_ROUTE:
		group = r->family == AF_INET ? RTNLGRP_IPV4_ROUTE :
					       RTNLGRP_IPV6_ROUTE;
		if (nl_has_members(group))
			rtnl_fill_route(&b, &to,
					gone ? RTM_DELROUTE : RTM_NEWROUTE, r,
					false);
		break;
	default:
		return;
	}
	if (b.len)
		nl_multicast(group, &b);
	nl_buf_free(&b);
}

static struct net_listener listener = { .fn = told };

void
rtnl_init(void)
{
	net_listen_add(&listener);
}
