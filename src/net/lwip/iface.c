/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces and addresses as net/netif.h shows them, and who is told when
 * they change.
 *
 * Changes happen inside the core, often in an interrupt; listeners sleep.
 * So a change only marks what changed on which interface, and a worker tells
 * each listener what is there then.  Addresses that went are remembered by
 * comparison with what was told last.
 */
#include "ether.h"
#include "route.h"

#include <abi/errno.h>
#include <abi/socket.h>
#include <base/atomic.h>
#include <base/string.h>
#include <sched/mutex.h>

#include <lwip/etharp.h>
#include <lwip/ip.h>
#include <lwip/netif.h>

#define IFF_UP	      0x1u
#define IFF_BROADCAST 0x2u
#define IFF_LOOPBACK  0x8u
#define IFF_RUNNING   0x40u
#define IFF_PROMISC   0x100u
#define IFF_ALLMULTI  0x200u
#define IFF_MULTICAST 0x1000u
#define IFF_LOWER_UP  0x10000u

#define ARPHRD_ETHER	1
#define ARPHRD_LOOPBACK 772

#define RT_SCOPE_LINK 253
#define RT_SCOPE_HOST 254

#define MTU_MIN4 68u
#define MTU_MIN6 1280u

static struct mutex told_lock; /* RANK_SLEEP_LEAF: listeners and below */
static struct list listeners = LIST_INIT(listeners); /* [told_lock] */
static uint32_t changed[4]; /* [a] by enum net_change: bit per interface */
static struct work change_work;

/* ---- interfaces ---- */

static uint32_t
flags_of(const struct net_port *p)
{
	bool up = p->admin_up;
	uint32_t f = IFF_MULTICAST;

	if (!p->nic)
		return up ? IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP :
			    IFF_LOOPBACK;
	f |= IFF_BROADCAST;
	if (up)
		f |= IFF_UP;
	if (up && p->nic->link_up)
		f |= IFF_RUNNING | IFF_LOWER_UP;
	if (p->promisc)
		f |= IFF_PROMISC;
	return f;
}

static void
stats_of(const struct net_port *p, struct net_if_stats *s)
{
	const struct nic_stats *n;

	if (!p->nic) {
		*s = p->stats;
		return;
	}
	n = &p->nic->stats;
	s->rx_packets = atomic_load_relaxed(&n->rx_packets);
	s->rx_bytes = atomic_load_relaxed(&n->rx_bytes);
	s->rx_errors = atomic_load_relaxed(&n->rx_errors);
	s->rx_dropped = atomic_load_relaxed(&n->rx_dropped);
	s->multicast = p->stats.multicast;
	s->tx_packets = atomic_load_relaxed(&n->tx_packets);
	s->tx_bytes = atomic_load_relaxed(&n->tx_bytes);
	s->tx_errors = atomic_load_relaxed(&n->tx_errors);
	s->tx_dropped = atomic_load_relaxed(&n->tx_dropped);
}

static void
fill_if(const struct net_port *p, int index, struct net_if *out)
{
	memset(out, 0, sizeof(*out));
	out->index = index;
	memcpy(out->name, p->name, sizeof(out->name));
	out->flags = flags_of(p);
	out->type = p->nic ? ARPHRD_ETHER : ARPHRD_LOOPBACK;
	/* One more than lwIP can count. */
	out->mtu = p->nic ? p->netif.mtu : NET_LO_MTU;
	out->txqlen = 1000;
	if (p->nic) {
		memcpy(out->mac, p->nic->mac, 6);
		memset(out->broadcast, 0xff, 6);
		out->speed_mbit = p->nic->speed_mbit;
	}
	stats_of(p, &out->stats);
}

bool
net_if_next(int after, struct net_if *out)
{
	bool found = false;

	net_core_lock();
	for (int i = after + 1; i <= IF_MAX && !found; i++)
		if (i >= 1 && net_ports[i - 1]) {
			fill_if(net_ports[i - 1], i, out);
			found = true;
		}
	net_core_unlock();
	return found;
}

int
net_if_get(int index, struct net_if *out)
{
	return index >= 1 && net_if_next(index - 1, out) &&
			       out->index == index ?
		       0 :
		       -ENODEV;
}

int
net_if_find(const char *name, struct net_if *out)
{
	for (int i = 0; net_if_next(i, out); i = out->index)
		if (!strncmp(out->name, name, sizeof(out->name)))
			return 0;
	return -ENODEV;
}

static void
set_up(struct net_port *p, bool up)
{
	if (p->admin_up == up)
		return;
	p->admin_up = up;
	if (up)
		netif_set_up(&p->netif);
	else
		netif_set_down(&p->netif);
	net_changed(NET_CHANGE_LINK, netif_get_index(&p->netif));
}

int
net_if_set_flags(int index, uint32_t flags, uint32_t mask)
{
	struct net_port *p;
	int err = 0;

	if (mask & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI))
		return -EINVAL;
	net_core_lock();
	p = net_port_of(index);
	if (!p)
		err = -ENODEV;
	else if (mask & IFF_UP)
		set_up(p, flags & IFF_UP);
	net_core_unlock();
	if (!err && mask & IFF_PROMISC)
		err = net_if_promisc(index, flags & IFF_PROMISC);
	return err;
}

void
net_port_mtu(struct net_port *p, uint32_t mtu)
{
	p->netif.mtu = (u16_t)mtu;
	p->netif.mtu6 = (u16_t)(mtu < MTU_MIN6 ? MTU_MIN6 : mtu);
	net_changed(NET_CHANGE_LINK, netif_get_index(&p->netif));
}

int
net_if_set_mtu(int index, uint32_t mtu)
{
	struct net_port *p;
	int err = 0;

	net_core_lock();
	p = net_port_of(index);
	if (!p)
		err = -ENODEV;
	else if (mtu < MTU_MIN4 || (p->nic && mtu > p->nic->mtu) || mtu > 65535)
		err = -EINVAL;
	else if (!p->nic)
		err = -EOPNOTSUPP; /* nothing on lo is cut by it */
	else
		net_port_mtu(p, mtu);
	net_core_unlock();
	return err;
}

int
net_if_promisc(int index, bool on)
{
	struct net_port *p;

	net_core_lock();
	p = net_port_of(index);
	if (p && (on || p->promisc)) {
		p->promisc += on ? 1u : -1u;
		net_port_filter(p);
	}
	net_core_unlock();
	return p ? 0 : -ENODEV;
}

/* ---- addresses ---- */

static uint8_t
scope6(const ip6_addr_t *a)
{
	if (ip6_addr_isloopback(a))
		return RT_SCOPE_HOST;
	return ip6_addr_islinklocal(a) ? RT_SCOPE_LINK : 0;
}

static bool
fill_addr6(const struct net_port *p, int index, unsigned i, struct net_addr *a)
{
	u8_t state = netif_ip6_addr_state(&p->netif, i);
	const ip6_addr_t *v = netif_ip6_addr(&p->netif, i);

	if (ip6_addr_isinvalid(state) && !ip6_addr_isduplicated(state))
		return false;
	memset(a, 0, sizeof(*a));
	a->ifindex = index;
	a->family = AF_INET6;
	a->prefix = ip6_addr_isloopback(v) ? 128 : 64;
	if (netif_ip6_addr_isstatic(&p->netif, i) && p->prefix6[i])
		a->prefix = p->prefix6[i];
	a->scope = scope6(v);
	a->state = ip6_addr_isduplicated(state) ? NET_ADDR_DUPLICATE :
		   ip6_addr_istentative(state)	? NET_ADDR_TENTATIVE :
		   ip6_addr_ispreferred(state)	? NET_ADDR_OK :
						  NET_ADDR_DEPRECATED;
	a->valid_s = a->preferred_s = UINT32_MAX;
	if (netif_ip6_addr_isstatic(&p->netif, i)) {
		a->flags = NET_ADDR_PERMANENT;
	} else {
		a->valid_s = netif_ip6_addr_valid_life(&p->netif, i);
		a->preferred_s = netif_ip6_addr_pref_life(&p->netif, i);
	}
	memcpy(a->addr, v->addr, 16);
	return true;
}

#define SLOTS4 (1u + MORE_MAX)
#define SLOTS  (SLOTS4 + LWIP_IPV6_NUM_ADDRESSES) /* of one interface */

bool
net_addr_next(unsigned *cursor, struct net_addr *out)
{
	bool found = false;

	net_core_lock();
	for (; *cursor < IF_MAX * SLOTS && !found; ++*cursor) {
		unsigned i = *cursor / SLOTS, slot = *cursor % SLOTS;
		const struct net_port *p = net_ports[i];

		if (!p)
			continue;
		found = slot < SLOTS4 ?
				net_addr4_nth(p, slot, out) :
				fill_addr6(p, (int)i + 1, slot - SLOTS4, out);
	}
	net_core_unlock();
	return found;
}

static int
add_addr6(struct net_port *p, const struct net_addr *a)
{
	ip6_addr_t v = { 0 };
	s8_t slot;

	memcpy(v.addr, a->addr, 16);
	ip6_addr_assign_zone(&v, IP6_UNKNOWN, &p->netif);
	if (netif_get_ip6_addr_match(&p->netif, &v) >= 0)
		return -EEXIST;
	if (netif_add_ip6_address(&p->netif, &v, &slot) != ERR_OK)
		return -ENOSPC;
	p->prefix6[slot] = a->prefix;
	return net_route_static6(a->ifindex, a->addr, a->prefix, NULL);
}

int
net_addr_add(const struct net_addr *a)
{
	struct net_port *p;
	int err;

	net_core_lock();
	p = net_port_of(a->ifindex);
	if (!p)
		err = -ENODEV;
	else
		err = a->family == AF_INET  ? net_addr4_add(p, a) :
		      a->family == AF_INET6 ? add_addr6(p, a) :
					      -EAFNOSUPPORT;
	if (!err)
		net_changed(NET_CHANGE_ADDR, a->ifindex);
	net_core_unlock();
	return err;
}

/* The network's route goes with the last address in it. */
static void
del_net6(struct net_port *p, const struct net_addr *a)
{
	struct net_addr o;

	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (fill_addr6(p, a->ifindex, i, &o) && o.prefix == a->prefix &&
		    o.flags & NET_ADDR_PERMANENT &&
		    net_prefix_match(o.addr, a->addr, a->prefix))
			return;
	net_route_gone6(a->ifindex, a->addr, a->prefix);
}

static int
del_addr6(struct net_port *p, const struct net_addr *a)
{
	struct net_addr o;

	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (!fill_addr6(p, a->ifindex, i, &o) ||
		    memcmp(o.addr, a->addr, 16) || o.prefix != a->prefix)
			continue;
		netif_ip6_addr_set_state(&p->netif, (s8_t)i, IP6_ADDR_INVALID);
		p->prefix6[i] = 0;
		if (o.flags & NET_ADDR_PERMANENT)
			del_net6(p, a);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

int
net_addr_del(const struct net_addr *a)
{
	struct net_port *p;
	int err;

	net_core_lock();
	p = net_port_of(a->ifindex);
	if (!p)
		err = -ENODEV;
	else
		err = a->family == AF_INET  ? net_addr4_del(p, a) :
		      a->family == AF_INET6 ? del_addr6(p, a) :
					      -EAFNOSUPPORT;
	if (!err)
		net_changed(NET_CHANGE_ADDR, a->ifindex);
	net_core_unlock();
	return err;
}

/* Reads words that change rarely, without the lock: who binds or connects
 * while an address comes or goes gets the one answer or the other. */
bool
net_addr_is_local(int family, const void *addr)
{
	const uint8_t *b = addr;

	if (family == AF_INET && b[0] == 127)
		return true;
	for (unsigned i = 0; i < IF_MAX; i++) {
		const struct net_port *p = atomic_load_acquire(&net_ports[i]);

		if (!p)
			continue;
		if (family == AF_INET) {
			u32_t a;

			memcpy(&a, b, 4);
			if (net_addr4_own(p, a))
				return true;
			continue;
		}
		for (unsigned k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++)
			if (ip6_addr_isvalid(
				    netif_ip6_addr_state(&p->netif, k)) &&
			    !memcmp(netif_ip6_addr(&p->netif, k)->addr, b, 16))
				return true;
	}
	return false;
}

/* ---- changes ---- */

uint32_t net_generation = 1;

void
net_changed(enum net_change what, int ifindex)
{
	atomic_add(&net_generation, 1);
	atomic_or(&changed[what], 1u << ifindex);
	work_queue(&change_work);
}

/* What was told last, to know what is gone.  [told_lock] */
static struct net_addr told[IF_MAX * SLOTS];
static unsigned ntold;

static void
tell(enum net_change what, const void *obj, bool gone)
{
	struct net_listener *l, *n;

	list_for_each_entry_safe(l, n, &listeners, link)
		l->fn(l, what, obj, gone);
}

static bool
same_addr(const struct net_addr *a, const struct net_addr *b)
{
	return a->ifindex == b->ifindex && a->family == b->family &&
	       a->prefix == b->prefix && !memcmp(a->addr, b->addr, 16);
}

static void
tell_addresses(void)
{
	static struct net_addr now[IF_MAX * SLOTS]; /* [told_lock] */
	unsigned n = 0, cursor = 0, i, k;

	while (n < ARRAY_SIZE(now) && net_addr_next(&cursor, &now[n]))
		n++;
	for (i = 0; i < ntold; i++) {
		for (k = 0; k < n && !same_addr(&told[i], &now[k]); k++)
			;
		if (k == n)
			tell(NET_CHANGE_ADDR, &told[i], true);
	}
	for (k = 0; k < n; k++) {
		for (i = 0; i < ntold && !same_addr(&told[i], &now[k]); i++)
			;
		if (i == ntold || told[i].state != now[k].state)
			tell(NET_CHANGE_ADDR, &now[k], false);
	}
	memcpy(told, now, sizeof(told));
	ntold = n;
}

static void
tell_changes(struct work *w)
{
	uint32_t links = atomic_xchg(&changed[NET_CHANGE_LINK], 0);
	struct net_if nif;

	(void)w;
	mutex_lock(&told_lock);
	for (int i = 1; i <= IF_MAX; i++)
		if (links & 1u << i && !net_if_get(i, &nif))
			tell(NET_CHANGE_LINK, &nif, false);
	if (atomic_xchg(&changed[NET_CHANGE_ADDR], 0))
		tell_addresses();
	if (atomic_xchg(&changed[NET_CHANGE_DNS], 0))
		tell(NET_CHANGE_DNS, NULL, false);
	mutex_unlock(&told_lock);
}

void
net_listen_add(struct net_listener *l)
{
	mutex_lock(&told_lock);
	list_add_tail(&listeners, &l->link);
	mutex_unlock(&told_lock);
}

void
net_listen_remove(struct net_listener *l)
{
	mutex_lock(&told_lock);
	list_del(&l->link);
	mutex_unlock(&told_lock);
}

static void
status_callback(struct netif *netif, netif_nsc_reason_t reason,
		const netif_ext_callback_args_t *args)
{
	int index = netif_get_index(netif);
	struct net_port *p;

	(void)args;
	if (reason &
	    (LWIP_NSC_IPV4_ADDRESS_CHANGED | LWIP_NSC_IPV4_SETTINGS_CHANGED |
	     LWIP_NSC_IPV6_SET | LWIP_NSC_IPV6_ADDR_STATE_CHANGED))
		net_changed(NET_CHANGE_ADDR, index);
	p = net_port_of(index);
	if (reason & LWIP_NSC_IPV4_ADDRESS_CHANGED && p && p->nic &&
	    ip4_addr_isany_val(*netif_ip4_addr(netif)))
		net_lease_gone(p);
	if (reason & (LWIP_NSC_LINK_CHANGED | LWIP_NSC_STATUS_CHANGED))
		net_changed(NET_CHANGE_LINK, index);
}

void
net_changes_told(void)
{
	work_flush(&change_work);
}

void
net_iface_init(void)
{
	static netif_ext_callback_t cb;

	mutex_init(&told_lock, RANK_SOCKET);
	work_init(&change_work, tell_changes);
	net_core_lock();
	netif_add_ext_callback(&cb, status_callback);
	net_core_unlock();
}
