/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: what boot hands over, DHCP, and name servers.
 *
 * NICs may register before boot knows its configuration and after: a port is
 * configured when both are there.
 */
#include "ether.h"
#include "route.h"

#include <abi/socket.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <dev/control.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <sched/wait.h>

#include <lwip/dhcp.h>
#include <lwip/dhcp6.h>
#include <lwip/dns.h>
#include <lwip/netif.h>
#include <lwip/prot/dhcp.h>

#define SETTLE_NS (10 * NSEC_PER_SEC)

static struct net_config *config;		      /* [core] NULL: not yet */
static struct net_dns servers[NET_DNS_MAX];	      /* [core] configured */
static ip_addr_t learned[DNS_NFROM][DNS_MAX_SERVERS]; /* [core] */
static struct waitq configured_wq = WAITQ_INIT(configured_wq);
static char hostname[65];
static struct net_listener wake_listener;

/* ---- name servers ---- */

void
dns_init(void)
{
}

void
dns_setserver_from(enum dns_from from, u8_t i, const ip_addr_t *addr)
{
	if (i >= DNS_MAX_SERVERS)
		return;
	if (addr)
		ip_addr_copy(learned[from][i], *addr);
	else
		memset(&learned[from][i], 0, sizeof(learned[from][i]));
	net_changed(NET_CHANGE_DNS, 0);
}

const ip_addr_t *
dns_getserver_from(enum dns_from from, u8_t i)
{
	return i < DNS_MAX_SERVERS ? &learned[from][i] : IP_ADDR_ANY;
}

static void
add_server(struct net_dns out[NET_DNS_MAX], unsigned *n, const ip_addr_t *a)
{
	struct net_dns d = { .family = IP_IS_V6(a) ? AF_INET6 : AF_INET };

	if (ip_addr_isany(a) || *n == NET_DNS_MAX)
		return;
	if (IP_IS_V6(a))
		memcpy(d.addr, ip_2_ip6(a)->addr, 16);
	else
		memcpy(d.addr, ip_2_ip4(a), 4);
	for (unsigned i = 0; i < *n; i++)
		if (out[i].family == d.family &&
		    !memcmp(out[i].addr, d.addr, sizeof(d.addr)))
			return;
	out[(*n)++] = d;
}

unsigned
net_dns_get(struct net_dns out[NET_DNS_MAX])
{
	unsigned n = 0, i;

	net_core_lock();
	for (i = 0; i < NET_DNS_MAX; i++)
		if (servers[i].family)
			out[n++] = servers[i];
	/* The first of each before the second: resolvers read three. */
	for (i = 0; i < DNS_MAX_SERVERS; i++)
		for (unsigned from = 0; from < DNS_NFROM; from++)
			add_server(out, &n, &learned[from][i]);
	net_core_unlock();
	return n;
}

void
net_search_get(char *buf, size_t size)
{
	net_core_lock();
	strlcpy(buf, config ? config->search : "", size);
	for (unsigned i = 1; i < IF_MAX && !*buf; i++)
		if (net_ports[i])
			strlcpy(buf, net_ports[i]->lease.search, size);
	net_core_unlock();
}

/* ---- interfaces ---- */

static const struct net_if_config *
config_of(const struct net_port *p, unsigned position)
{
	static const struct net_if_config dhcp = { .method = NET_DHCP };

	for (unsigned i = 0; i < config->nifs; i++)
		if (config->ifs[i].has_mac &&
		    !memcmp(config->ifs[i].mac, p->nic->mac, 6))
			return &config->ifs[i];
	if (position < config->nifs && !config->ifs[position].has_mac)
		return &config->ifs[position];
	return &dhcp;
}

static void
add_static(struct net_port *p, const struct net_static *s)
{
	struct netif *n = &p->netif;
	struct net_addr a = { .family = s->family, .prefix = s->prefix };
	ip4_addr_t gw = { 0 };
	ip6_addr_t v6 = { 0 };
	s8_t slot;

	if (s->family == AF_INET && s->prefix <= 32) {
		memcpy(a.addr, s->addr, 4);
		memcpy(&gw, s->gateway, 4);
		if (net_addr4_add(p, &a))
			log_err("%s: no room for an address", p->name);
		else if (s->has_gateway)
			netif_set_gw(n, &gw);
	} else if (s->family == AF_INET6) {
		memcpy(v6.addr, s->addr, 16);
		ip6_addr_assign_zone(&v6, IP6_UNKNOWN, n);
		if (netif_add_ip6_address(n, &v6, &slot) != ERR_OK)
			log_err("%s: no room for an IPv6 address", p->name);
		else {
			p->prefix6[slot] = s->prefix;
			netif_ip6_addr_set_state(n, slot, IP6_ADDR_PREFERRED);
		}
		if (net_route_static6(netif_get_index(n), s->addr, s->prefix,
				      s->has_gateway ? s->gateway : NULL))
			log_err("%s: no way to the IPv6 gateway", p->name);
	}
}

static void
configure(struct net_port *p)
{
	const struct net_if_config *c =
		config_of(p, netif_get_index(&p->netif) - 2u);
	struct netif *n = &p->netif;

	p->config = *c;
	p->admin_up = true;
	if (c->mtu >= 68 && c->mtu <= p->nic->mtu)
		n->mtu = n->mtu6 = (u16_t)c->mtu;
	n->hostname = hostname[0] ? hostname : NULL;
	if (p->nic->link_up)
		netif_set_link_up(n);
	netif_set_up(n);
	net_port_filter(p);
	if (c->method == NET_NONE)
		return;
	net_tick_start(TICK_ARP, TICK_FOREVER);
	net_tick_start(TICK_REASS, TICK_FOREVER);
	net_tick_start(TICK_REASS6, TICK_FOREVER);
	net_tick_start(TICK_ND6, TICK_FOREVER);
	netif_create_ip6_linklocal_address(n, 1);
	if (!c->no_autoconf6) {
		netif_set_ip6_autoconfig_enabled(n, 1);
		dhcp6_enable_stateless(n);
		net_tick_start(TICK_DHCP6, TICK_FOREVER);
	}
	for (unsigned i = 0; i < 4; i++)
		add_static(p, &c->addr[i]);
	if (c->method == NET_DHCP) {
		p->dhcp_on = true;
		if (dhcp_start(n) != ERR_OK)
			log_err("%s: no memory for DHCP", p->name);
		net_tick_start(TICK_DHCP, TICK_FOREVER);
		net_tick_start(TICK_DHCP_LONG, TICK_FOREVER);
	}
}

void
net_configure_port(struct net_port *p)
{
	net_core_lock();
	if (config)
		configure(p);
	net_core_unlock();
}

/* ---- waiting for it ---- */

static bool
all_configured(void)
{
	bool all = true;

	net_core_lock();
	for (unsigned i = 1; i < IF_MAX; i++) {
		const struct net_port *p = net_ports[i];

		if (p && p->dhcp_on && p->nic->link_up &&
		    ip4_addr_isany_val(*netif_ip4_addr(&p->netif)))
			all = false;
	}
	net_core_unlock();
	return all;
}

int
net_wait_configured(uint64_t deadline_ns)
{
	struct wait_entry e;
	int err = 0;

	if (all_configured())
		return 0;
	wait_start(&configured_wq, &e, false);
	while (!all_configured() && !err)
		err = wait_sleep(&e, deadline_ns);
	wait_end(&configured_wq, &e);
	return err;
}

static uint64_t started_ns; /* [a] net_start(), 0: not yet */
static bool settled;	    /* [a] */

bool
net_settled(void)
{
	return atomic_load_relaxed(&settled);
}

void
net_settle(void)
{
	uint64_t start = atomic_load_relaxed(&started_ns);

	if (net_settled() || !start)
		return;
	if (net_wait_configured(start + SETTLE_NS))
		control_notice("no answer from DHCP: the machine has no "
			       "address (--ip gives one)");
	atomic_store_relaxed(&settled, true);
}

static void
something_changed(struct net_listener *l, enum net_change what, const void *obj,
		  bool gone)
{
	(void)l, (void)obj, (void)gone;
	if (what == NET_CHANGE_ADDR)
		wait_wake_all(&configured_wq, 0);
}

void
net_start(const struct net_config *c)
{
	struct net_config *copy = kmemdup(c, sizeof(*c), ALLOC_KERNEL);

	if (!copy) {
		log_err("no memory for the network's configuration");
		return;
	}
	if (c->hostname)
		strlcpy(hostname, c->hostname, sizeof(hostname));
	copy->hostname = hostname;
	wake_listener.fn = something_changed;
	net_listen_add(&wake_listener);
	net_core_lock();
	config = copy;
	memcpy(servers, c->dns, sizeof(servers));
	for (unsigned i = 1; i < IF_MAX; i++)
		if (net_ports[i])
			configure(net_ports[i]);
	net_core_unlock();
	atomic_store_relaxed(&started_ns, clock_mono_ns());
}

void
net_init(void)
{
	net_core_init();
	net_core_lock();
	net_lo_init();
	net_core_unlock();
	net_iface_init();
	net_ether_init();
}
