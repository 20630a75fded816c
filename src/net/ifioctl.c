/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ioctls on interfaces (netdevice(7)) that a socket of any family takes,
 * and the old form of routes.  IPv4 only, as on Linux: IPv6 has netlink.
 */
#include <abi/errno.h>
#include <abi/netif.h>
#include <abi/netlink.h>
#include <abi/prctl.h>
#include <abi/socket.h>
#include <base/math.h>
#include <base/string.h>
#include <net/netif.h>
#include <net/socket.h>
#include <vm/uaccess.h>

struct in_addr4 {
	uint16_t family, port;
	uint8_t addr[4], zero[8];
};

static void
put_addr(struct ifreq *r, const uint8_t addr[4])
{
	struct in_addr4 a = { .family = AF_INET };

	memcpy(a.addr, addr, sizeof(a.addr));
	memcpy(r->u.addr, &a, sizeof(a));
}

static void
mask_of(uint8_t prefix, uint8_t mask[4])
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned bits = prefix > 8 ? 8 : prefix;

		mask[i] = (uint8_t)(0xff00 >> bits);
		prefix = (uint8_t)(prefix - bits);
	}
}

/* -EINVAL: no mask. */
static int
prefix_of(const uint8_t mask[4])
{
	uint32_t m = (uint32_t)mask[0] << 24 | (uint32_t)mask[1] << 16 |
		     (uint32_t)mask[2] << 8 | mask[3];
	int n = 0;

	while (m & 0x80000000u) {
		m <<= 1;
		n++;
	}
	return m ? -EINVAL : n;
}

/* The interface's first IPv4 address. */
static int
addr_of(int ifindex, struct net_addr *out)
{
	unsigned cursor = 0;

	while (net_addr_next(&cursor, out))
		if (out->ifindex == ifindex && out->family == AF_INET)
			return 0;
	return -EADDRNOTAVAIL;
}

/* ---- the list ---- */

static long
get_conf(uint64_t arg)
{
	struct ifconf c;
	struct net_addr a;
	unsigned cursor = 0;
	int32_t used = 0;

	if (copy_from_user(&c, (const void __user *)arg, sizeof(c)))
		return -EFAULT;
	while (net_addr_next(&cursor, &a)) {
		struct ifreq r;
		struct net_if i;

		if (a.family != AF_INET || net_if_get(a.ifindex, &i))
			continue;
		if (c.buf && c.len - used < (int)sizeof(r))
			break;
		memset(&r, 0, sizeof(r));
		memcpy(r.name, i.name, sizeof(r.name));
		put_addr(&r, a.addr);
		if (c.buf &&
		    copy_to_user((void __user *)(c.buf + (uint64_t)used), &r,
				 sizeof(r)))
			return -EFAULT;
		used += (int32_t)sizeof(r);
	}
	c.len = used;
	return copy_to_user((void __user *)arg, &c, sizeof(c));
}

static long
get_name(uint64_t arg)
{
	struct ifreq r;
	struct net_if i;
	int err;

	if (copy_from_user(&r, (const void __user *)arg, sizeof(r)))
		return -EFAULT;
	err = net_if_get(r.u.value, &i);
	if (err)
		return err;
	memcpy(r.name, i.name, sizeof(r.name));
	return copy_to_user((void __user *)arg, &r, sizeof(r));
}

/* ---- reading ---- */

static int
get_addr(const struct net_if *i, unsigned cmd, struct ifreq *r)
{
	static const uint8_t none[4];
	struct net_addr a;
	uint8_t mask[4];
	int err = addr_of(i->index, &a);

	if (err)
		return err;
	switch (cmd) {
	case SIOCGIFNETMASK:
		mask_of(a.prefix, mask);
		put_addr(r, mask);
		break;
	case SIOCGIFBRDADDR:
		put_addr(r, i->flags & IFF_BROADCAST ? a.broadcast : none);
		break;
	default: /* SIOCGIFADDR, SIOCGIFDSTADDR */
		put_addr(r, a.addr);
	}
	return 0;
}

static int
get_hwaddr(const struct net_if *i, struct ifreq *r)
{
	memset(r->u.addr, 0, sizeof(r->u.addr));
	memcpy(r->u.addr, &i->type, sizeof(i->type));
	memcpy(r->u.addr + 2, i->mac, sizeof(i->mac));
	return 0;
}

static int
get(const struct net_if *i, unsigned cmd, struct ifreq *r)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
		r->u.flags = (int16_t)i->flags;
		return 0;
	case SIOCGIFMETRIC:
		r->u.value = 0;
		return 0;
	case SIOCGIFMTU:
		r->u.value = (int32_t)i->mtu;
		return 0;
	case SIOCGIFINDEX:
		r->u.value = i->index;
		return 0;
	case SIOCGIFTXQLEN:
		r->u.value = (int32_t)i->txqlen;
		return 0;
	case SIOCGIFHWADDR:
		return get_hwaddr(i, r);
	case SIOCGIFMAP:
		memset(r->u.map, 0, sizeof(r->u.map));
		return 0;
	default:
		return get_addr(i, cmd, r);
	}
}

/* ---- changing ---- */

static int
set_flags(const struct net_if *i, uint32_t flags)
{
	uint32_t mask = (flags ^ i->flags) & 0xffff;

	if (mask & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_VOLATILE))
		return -EOPNOTSUPP;
	mask &= IFF_UP | IFF_PROMISC | IFF_ALLMULTI;
	return mask ? net_if_set_flags(i->index, flags, mask) : 0;
}

/* The mask that an address has when nobody says: its old class. */
static uint8_t
class_prefix(uint8_t first)
{
	return first < 128 ? 8 : first < 192 ? 16 : 24;
}

/* The interface's first IPv4 address is replaced. */
static int
replace_addr(struct net_addr *old, bool had, const struct net_addr *a)
{
	int err;

	if (had) {
		err = net_addr_del(old);
		if (err)
			return err;
	}
	err = net_addr_add(a);
	if (err && had)
		ignore(net_addr_add(old)); /* what failed is told */
	return err;
}

static int
set_addr(const struct net_if *i, unsigned cmd, const struct ifreq *r)
{
	struct net_addr old, a;
	struct in_addr4 in;
	uint8_t mask[4];
	bool had = !addr_of(i->index, &old);
	int prefix;

	memcpy(&in, r->u.addr, sizeof(in));
	if (in.family != AF_INET)
		return -EAFNOSUPPORT;
	if (!had && cmd != SIOCSIFADDR)
		return -EADDRNOTAVAIL;
	if (had) {
		a = old;
	} else {
		memset(&a, 0, sizeof(a));
		a.ifindex = i->index;
		a.family = AF_INET;
		a.prefix = class_prefix(in.addr[0]);
	}
	a.flags |= NET_ADDR_PERMANENT;
	a.valid_s = a.preferred_s = UINT32_MAX;
	switch (cmd) {
	case SIOCSIFADDR:
		memcpy(a.addr, in.addr, 4);
		break;
	case SIOCSIFNETMASK:
		prefix = prefix_of(in.addr);
		if (prefix < 0)
			return prefix;
		a.prefix = (uint8_t)prefix;
		break;
	default: /* the broadcast address follows from the others */
		return memcmp(in.addr, a.broadcast, 4) ? -EOPNOTSUPP : 0;
	}
	mask_of(a.prefix, mask);
	for (unsigned k = 0; k < 4; k++)
		a.broadcast[k] = (uint8_t)(a.addr[k] | ~mask[k]);
	return replace_addr(&old, had, &a);
}

static int
set(const struct net_if *i, unsigned cmd, const struct ifreq *r)
{
	switch (cmd) {
	case SIOCSIFFLAGS:
		return set_flags(i, (uint16_t)r->u.flags);
	case SIOCSIFMTU:
		return r->u.value < 0 ?
			       -EINVAL :
			       net_if_set_mtu(i->index, (uint32_t)r->u.value);
	case SIOCSIFADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFBRDADDR:
		return set_addr(i, cmd, r);
	default: /* names, hardware addresses, queues */
		return -EOPNOTSUPP;
	}
}

/* ---- routes in the old form ---- */

static long
route(unsigned cmd, uint64_t arg)
{
	struct net_route rt = { .family = AF_INET,
				.type = RTN_UNICAST,
				.protocol = RTPROT_BOOT };
	struct in_addr4 dst, gw, mask;
	struct rtentry e;
	int prefix;

	if (!sock_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&e, (const void __user *)arg, sizeof(e)))
		return -EFAULT;
	memcpy(&dst, e.dst, sizeof(dst));
	memcpy(&gw, e.gateway, sizeof(gw));
	memcpy(&mask, e.genmask, sizeof(mask));
	if (dst.family != AF_INET)
		return -EAFNOSUPPORT;
	prefix = e.flags & RTF_HOST ? 32 : prefix_of(mask.addr);
	if (prefix < 0)
		return -EINVAL;
	rt.prefix = (uint8_t)prefix;
	memcpy(rt.dst, dst.addr, 4);
	rt.has_gateway = e.flags & RTF_GATEWAY;
	memcpy(rt.gateway, gw.addr, 4);
	rt.metric = e.metric > 0 ? (uint32_t)e.metric - 1 : 0;
	if (e.dev) {
		char name[IFNAMSIZ];
		struct net_if i;
		ssize_t n = copy_string_from_user(
			name, (const char __user *)e.dev, sizeof(name));

		if (n < 0)
			return n == -ENAMETOOLONG ? -ENODEV : n;
		if (net_if_find(name, &i))
			return -ENODEV;
		rt.ifindex = i.index;
	}
	return cmd == SIOCADDRT ? net_route_add(&rt) : net_route_del(&rt);
}

/* Of IPv4: only its own sockets take them, and those that capture. */
static bool
for_others(const struct socket *s, unsigned cmd)
{
	switch (cmd) {
	case SIOCADDRT:
	case SIOCDELRT:
	case SIOCGIFADDR:
	case SIOCSIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCSIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCSIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCSIFNETMASK:
		return s->family != AF_INET && s->family != AF_PACKET;
	default:
		return false;
	}
}

static bool
reads(unsigned cmd)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
	case SIOCGIFHWADDR:
	case SIOCGIFMAP:
		return true;
	default:
		return false;
	}
}

static bool
writes(unsigned cmd)
{
	switch (cmd) {
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFDSTADDR:
	case SIOCSIFBRDADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMTU:
	case SIOCSIFNAME:
	case SIOCSIFHWADDR:
	case SIOCSIFTXQLEN:
		return true;
	default:
		return false;
	}
}

/* A device's own: none of ours has any. */
static bool private(unsigned cmd)
{
	return cmd == SIOCETHTOOL ||
	       (cmd >= SIOCDEVPRIVATE && cmd < SIOCDEVPRIVATE + 16);
}

long
netif_ioctl(const struct socket *s, unsigned cmd, uint64_t arg)
{
	struct ifreq r;
	struct net_if i;
	int err;

	if ((cmd >> 8 & 0xff) == SIOC_TYPE)
		net_need(); /* s may be AF_UNIX */
	switch (cmd) {
	case SIOCGIFCONF:
		return get_conf(arg);
	case SIOCGIFNAME:
		return get_name(arg);
	case SIOCADDRT:
	case SIOCDELRT:
		return for_others(s, cmd) ? -ENOTTY : route(cmd, arg);
	default:
		if ((cmd >> 8 & 0xff) != SIOC_TYPE)
			return -ENOTTY;
	}
	/* All of this kind have an ifreq, known or not. */
	if (copy_from_user(&r, (const void __user *)arg, sizeof(r)))
		return -EFAULT;
	if (for_others(s, cmd) ||
	    (!reads(cmd) && !writes(cmd) && !private(cmd)))
		return -ENOTTY;
	r.name[IFNAMSIZ - 1] = 0;
	/* An alias ("eth0:1") is its interface, and that's first address. */
	for (unsigned k = 0; k < IFNAMSIZ; k++)
		if (r.name[k] == ':')
			r.name[k] = 0;
	if (writes(cmd) && !sock_capable(CAP_NET_ADMIN))
		return -EPERM;
	err = net_if_find(r.name, &i);
	if (err)
		return err;
	if (private(cmd))
		return -EOPNOTSUPP;
	if (writes(cmd))
		return set(&i, cmd, &r);
	err = get(&i, cmd, &r);
	return err ? err : copy_to_user((void __user *)arg, &r, sizeof(r));
}
