/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/net: what programs read of sockets, interfaces, routes and counters,
 * in Linux's columns (proc(5)).  Addresses of pointers are zero, as for users
 * whom Linux does not trust with them.
 */
#include "proc_priv.h"
#include "rtnl_priv.h"

#include <abi/netif.h>
#include <abi/netlink.h>
#include <abi/socket.h>
#include <base/fmt.h>
#include <base/string.h>
#include <core/log.h>
#include <fs/pseudo.h>
#include <net/inet.h>
#include <net/netif.h>
#include <net/socket.h>

#define PROTO_TCP 6
#define PROTO_UDP 17
#define TICK_NS	  10000000u /* USER_HZ is 100 */

#define INET_TEXT_MAX 40 /* of an address of IPv6 */

/* ---- sockets ---- */

/* An address as inet_ntop(3) writes it, but that "::" stands for no zeroes:
 * readers take both forms. */
static void
inet_text(char *to, unsigned family, const uint8_t *a)
{
	size_t n = 0;

	if (family != AF_INET6) {
		ksnprintf(to, INET_TEXT_MAX, "%u.%u.%u.%u", a[0], a[1], a[2],
			  a[3]);
		return;
	}
	for (unsigned i = 0; i < 16; i += 2)
		n += (size_t)ksnprintf(to + n, INET_TEXT_MAX - n, "%s%x",
				       i ? ":" : "", a[i] << 8 | a[i + 1]);
}

/* Words as the host reads them: that is what Linux prints. */
static void
put_addr(struct seq_buf *s, int family, const uint8_t *addr, uint16_t port)
{
	for (unsigned i = 0; i < (family == AF_INET6 ? 16u : 4u); i += 4) {
		uint32_t w;

		memcpy(&w, addr + i, sizeof(w));
		seq_printf(s, "%08X", w);
	}
	seq_printf(s, ":%04X ", port);
}

/* Lines of IPv4's TCP and UDP tables are padded to a width. */
static void
pad_line(struct seq_buf *s, size_t start, size_t width)
{
	while (!s->err && s->len - start < width)
		seq_printf(s, " ");
	seq_printf(s, "\n");
}

static void
put_socket(struct seq_buf *s, unsigned n, int family, int protocol,
	   const struct net_sock_info *i)
{
	size_t start = s->len;

	seq_printf(s, protocol == PROTO_TCP ? "%4u: " : "%5u: ", n);
	put_addr(s, family, i->local, i->local_port);
	put_addr(s, family, i->remote, i->remote_port);
	seq_printf(s, "%02X %08X:%08X %02X:%08lX %08X %5u %8d %lu ", i->state,
		   i->tx_queue, i->rx_queue, i->timer,
		   (unsigned long)(i->timer_ns / TICK_NS), i->retransmits,
		   i->uid, 0, (unsigned long)i->ino);
	if (protocol == PROTO_TCP)
		seq_printf(s, "1 0000000000000000 20 4 0 10 -1");
	else
		seq_printf(s, "2 0000000000000000 %u", i->drops);
	if (family == AF_INET && protocol == PROTO_TCP)
		pad_line(s, start, 149);
	else if (family == AF_INET && protocol == PROTO_UDP)
		pad_line(s, start, 127);
	else
		seq_printf(s, "\n");
}

struct sock_table {
	int family, protocol;
	size_t width;
	const char *head;
};

#define TIMES "tr tm->when retrnsmt   uid  timeout inode"

static const struct sock_table tables[] = {
	{ AF_INET, PROTO_TCP, 149,
	  "  sl  local_address rem_address   st "
	  "tx_queue rx_queue " TIMES },
	{ AF_INET6, PROTO_TCP, 0,
	  "  sl  local_address                    "
	  "     remote_address                        st tx_queue "
	  "rx_queue " TIMES },
	{ AF_INET, PROTO_UDP, 127,
	  "   sl  local_address rem_address   st "
	  "tx_queue rx_queue " TIMES " ref pointer drops" },
	{ AF_INET6, PROTO_UDP, 0,
	  "  sl  local_address                    "
	  "     remote_address                        st tx_queue "
	  "rx_queue " TIMES " ref pointer drops" },
	{ AF_INET, 0, 0,
	  "  sl  local_address rem_address   st tx_queue "
	  "rx_queue " TIMES " ref pointer drops" },
	{ AF_INET6, 0, 0,
	  "  sl  local_address                         "
	  "remote_address                        st tx_queue rx_queue " TIMES
	  " ref pointer drops" },
};

static int
show_sockets(struct seq_buf *s, void *arg)
{
	const struct sock_table *t = arg;
	struct net_sock_cursor cursor = { 0 };
	struct net_sock_info i;
	size_t start = s->len;

	seq_printf(s, "%s", t->head);
	pad_line(s, start, t->width);
	for (unsigned n = 0; net_sock_next(t->family, t->protocol, &cursor, &i);
	     n++)
		/* A raw socket's number is its protocol, as Linux has it. */
		put_socket(s, t->protocol ? n : i.protocol, t->family,
			   t->protocol, &i);
	return 0;
}

/* ---- interfaces, addresses, routes, neighbours ---- */

static int
show_dev(struct seq_buf *s, void *arg)
{
	struct net_if i;

	(void)arg;
	net_need();
	seq_printf(s,
		   "Inter-|   Receive                                    "
		   "            |  Transmit\n face |bytes    packets errs drop "
		   "fifo frame compressed multicast|bytes    packets errs "
		   "drop fifo colls carrier compressed\n");
	for (int at = 0; net_if_next(at, &i); at = i.index)
		seq_printf(s,
			   "%6s: %7lu %7lu %4lu %4lu %4lu %5lu %10lu %9lu "
			   "%8lu %7lu %4lu %4lu %4lu %5lu %7lu %10lu\n",
			   i.name, (unsigned long)i.stats.rx_bytes,
			   (unsigned long)i.stats.rx_packets,
			   (unsigned long)i.stats.rx_errors,
			   (unsigned long)i.stats.rx_dropped, 0ul, 0ul, 0ul,
			   (unsigned long)i.stats.multicast,
			   (unsigned long)i.stats.tx_bytes,
			   (unsigned long)i.stats.tx_packets,
			   (unsigned long)i.stats.tx_errors,
			   (unsigned long)i.stats.tx_dropped, 0ul, 0ul, 0ul,
			   0ul);
	return 0;
}

static const char *
name_of(int ifindex, struct net_if *i)
{
	return net_if_get(ifindex, i) ? "*" : i->name;
}

static uint32_t
word(const uint8_t *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static uint32_t
mask_word(unsigned prefix)
{
	uint8_t m[4];

	for (unsigned i = 0; i < 4; i++) {
		unsigned bits = prefix > 8 ? 8 : prefix;

		m[i] = (uint8_t)(0xff00 >> bits);
		prefix -= bits;
	}
	return word(m);
}

static int
show_route(struct seq_buf *s, void *arg)
{
	struct net_route r;
	unsigned cursor = 0;
	size_t start = s->len;

	(void)arg;
	net_need();
	seq_printf(s, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\t"
		      "Metric\tMask\t\tMTU\tWindow\tIRTT");
	pad_line(s, start, 127);
	while (net_route_next(&cursor, &r)) {
		struct net_if i;

		if (r.family != AF_INET)
			continue;
		start = s->len;
		seq_printf(s,
			   "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%d\t"
			   "%u\t%u",
			   name_of(r.ifindex, &i), word(r.dst),
			   r.has_gateway ? word(r.gateway) : 0,
			   RTF_UP | (r.has_gateway ? RTF_GATEWAY : 0) |
				   (r.prefix == 32 ? RTF_HOST : 0),
			   0, 0, r.metric, mask_word(r.prefix), 0, 0, 0);
		pad_line(s, start, 127);
	}
	return 0;
}

static void
put_hex(struct seq_buf *s, const uint8_t *p, unsigned n)
{
	while (n--)
		seq_printf(s, "%02x", *p++);
}

static unsigned
scope6(uint8_t scope)
{
	return scope == RT_SCOPE_HOST ? 0x10 :
	       scope == RT_SCOPE_LINK ? 0x20 :
					0;
}

static int
show_if_inet6(struct seq_buf *s, void *arg)
{
	struct net_addr a;
	unsigned cursor = 0;

	(void)arg;
	net_need();
	while (net_addr_next(&cursor, &a)) {
		struct net_if i;

		if (a.family != AF_INET6)
			continue;
		put_hex(s, a.addr, 16);
		seq_printf(s, " %02x %02x %02x %02x %8s\n", (unsigned)a.ifindex,
			   a.prefix, scope6(a.scope),
			   (unsigned)rtnl_addr_flags(&a),
			   name_of(a.ifindex, &i));
	}
	return 0;
}

static int
show_ipv6_route(struct seq_buf *s, void *arg)
{
	static const uint8_t none[16];
	struct net_route r;
	unsigned cursor = 0;

	(void)arg;
	net_need();
	while (net_route_next(&cursor, &r)) {
		struct net_if i;

		if (r.family != AF_INET6)
			continue;
		put_hex(s, r.dst, 16);
		seq_printf(s, " %02x ", r.prefix);
		put_hex(s, none, 16);
		seq_printf(s, " 00 ");
		put_hex(s, r.has_gateway ? r.gateway : none, 16);
		seq_printf(s, " %08x %08x %08x %08x %8s\n", r.metric, 1, 0,
			   RTF_UP | (r.has_gateway ? RTF_GATEWAY : 0) |
				   (r.prefix == 128 ? RTF_HOST : 0),
			   name_of(r.ifindex, &i));
	}
	return 0;
}

static int
show_arp(struct seq_buf *s, void *arg)
{
	struct net_neigh n;
	unsigned cursor = 0;

	(void)arg;
	net_need();
	seq_printf(s, "IP address       HW type     Flags       HW address"
		      "            Mask     Device\n");
	while (net_neigh_next(&cursor, &n)) {
		struct net_if i;
		size_t start = s->len;

		if (n.family != AF_INET)
			continue;
		seq_printf(s, "%u.%u.%u.%u", n.addr[0], n.addr[1], n.addr[2],
			   n.addr[3]);
		while (!s->err && s->len - start < 17)
			seq_printf(s, " ");
		/* Flags: complete 2, permanent 4. */
		seq_printf(s, "0x1         0x%x         ",
			   (n.has_mac ? 2 : 0) | (n.state == 128 ? 4 : 0));
		seq_printf(s,
			   "%02x:%02x:%02x:%02x:%02x:%02x     *        "
			   "%s\n",
			   n.mac[0], n.mac[1], n.mac[2], n.mac[3], n.mac[4],
			   n.mac[5], name_of(n.ifindex, &i));
	}
	return 0;
}

/* ---- counters ---- */

struct counter {
	const char *name;
	int64_t value;
};

static void
put_counters(struct seq_buf *s, const char *title, const struct counter *v,
	     size_t n)
{
	seq_printf(s, "%s:", title);
	for (size_t i = 0; i < n; i++)
		seq_printf(s, " %s", v[i].name);
	seq_printf(s, "\n%s:", title);
	for (size_t i = 0; i < n; i++)
		seq_printf(s, " %ld", (long)v[i].value);
	seq_printf(s, "\n");
}

static struct net_counters
counters(void)
{
	struct net_counters c;

	net_need();
	net_counters_get(&c);
	return c;
}

#define N(x)		 ((int64_t)c.x)
#define PUT(s, title, v) put_counters((s), (title), (v), ARRAY_SIZE(v))

static int
show_snmp(struct seq_buf *s, void *arg)
{
	struct net_counters c = counters();
	const struct counter ip[] = {
		{ "Forwarding", 2 },
		{ "DefaultTTL", 64 },
		{ "InReceives", N(ip_in) },
		{ "InHdrErrors", N(ip_in_hdr_errors) },
		{ "InAddrErrors", N(ip_in_addr_errors) },
		{ "ForwDatagrams", N(ip_forwarded) },
		{ "InUnknownProtos", 0 },
		{ "InDiscards", N(ip_in_discards) },
		{ "InDelivers", N(ip_delivered) },
		{ "OutRequests", N(ip_out) },
		{ "OutDiscards", 0 },
		{ "OutNoRoutes", N(ip_out_no_routes) },
		{ "ReasmTimeout", 0 },
		{ "ReasmReqds", 0 },
		{ "ReasmOKs", N(ip_reasm_ok) },
		{ "ReasmFails", N(ip_reasm_fails) },
		{ "FragOKs", N(ip_frag_ok) },
		{ "FragFails", 0 },
		{ "FragCreates", 0 },
	};
	const struct counter icmp[] = {
		{ "InMsgs", N(icmp_in) },
		{ "InErrors", N(icmp_in_errors) },
		{ "OutMsgs", N(icmp_out) },
	};
	const struct counter tcp[] = {
		{ "RtoAlgorithm", 1 },
		{ "RtoMin", 200 },
		{ "RtoMax", 120000 },
		{ "MaxConn", -1 },
		{ "ActiveOpens", N(tcp_active) },
		{ "PassiveOpens", N(tcp_passive) },
		{ "AttemptFails", N(tcp_fails) },
		{ "EstabResets", N(tcp_resets) },
		{ "CurrEstab", N(tcp_estab) },
		{ "InSegs", N(tcp_in) },
		{ "OutSegs", N(tcp_out) },
		{ "RetransSegs", N(tcp_retrans) },
		{ "InErrs", N(tcp_in_errors) },
		{ "OutRsts", N(tcp_out_rsts) },
		{ "InCsumErrors", 0 },
	};
	const struct counter udp[] = {
		{ "InDatagrams", N(udp_in) },
		{ "NoPorts", N(udp_no_ports) },
		{ "InErrors", N(udp_in_errors) },
		{ "OutDatagrams", N(udp_out) },
		{ "RcvbufErrors", N(udp_rcvbuf_errors) },
		{ "SndbufErrors", 0 },
		{ "InCsumErrors", 0 },
	};

	(void)arg;
	PUT(s, "Ip", ip);
	PUT(s, "Icmp", icmp);
	PUT(s, "Tcp", tcp);
	PUT(s, "Udp", udp);
	return 0;
}

/* Only what is counted: of a line that is missing Linux's tools know that an
 * older kernel did not have it. */
static int
show_snmp6(struct seq_buf *s, void *arg)
{
	struct net_counters c = counters();
	const struct counter all[] = {
		{ "Ip6InReceives", N(ip6_in) },
		{ "Ip6InHdrErrors", N(ip6_in_hdr_errors) },
		{ "Ip6InUnknownProtos", N(ip6_in_protos) },
		{ "Ip6InDiscards", N(ip6_in_discards) },
		{ "Ip6InDelivers", N(ip6_delivered) },
		{ "Ip6OutForwDatagrams", 0 }, /* there is no forwarding */
		{ "Ip6OutRequests", N(ip6_out) },
		{ "Ip6OutNoRoutes", N(ip6_out_no_routes) },
		{ "Ip6FragCreates", N(ip6_frag_created) },
		{ "Icmp6InMsgs", N(icmp6_in) },
		{ "Icmp6InErrors", N(icmp6_in_errors) },
		{ "Icmp6OutMsgs", N(icmp6_out) },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		seq_printf(s, "%-32s\t%ld\n", all[i].name, (long)all[i].value);
	return 0;
}

static int
show_netstat(struct seq_buf *s, void *arg)
{
	struct net_counters c = counters();
	const struct counter tcp[] = {
		{ "SyncookiesSent", N(tcp_cookies_sent) },
		{ "SyncookiesRecv", N(tcp_cookies_good) },
		{ "SyncookiesFailed", N(tcp_cookies_bad) },
		{ "ListenOverflows", N(tcp_listen_overflows) },
		{ "ListenDrops", N(tcp_listen_overflows) },
	};
	const struct counter ip[] = {
		{ "InNoRoutes", 0 },
	};

	(void)arg;
	PUT(s, "TcpExt", tcp);
	PUT(s, "IpExt", ip);
	return 0;
}

static int
show_sockstat(struct seq_buf *s, void *arg)
{
	struct net_counters c = counters();

	(void)arg;
	seq_printf(s, "sockets: used %u\n", socket_count());
	seq_printf(s, "TCP: inuse %lu orphan 0 tw %lu alloc %lu mem %lu\n",
		   (unsigned long)c.tcp_inuse, (unsigned long)c.tcp_tw,
		   (unsigned long)c.tcp_inuse,
		   (unsigned long)(c.mem_bytes + 4095) / 4096);
	seq_printf(s, "UDP: inuse %lu mem 0\nUDPLITE: inuse 0\n",
		   (unsigned long)c.udp_inuse);
	seq_printf(s, "RAW: inuse %lu\nFRAG: inuse 0 memory 0\n",
		   (unsigned long)c.raw_inuse);
	return 0;
}

static unsigned
count6(enum inet_kind kind)
{
	struct inet_sock *sk = NULL;
	unsigned at = 0, n = 0;

	while ((sk = inet_next(kind, sk, &at)))
		n += sk->v6;
	return n;
}

static int
show_sockstat6(struct seq_buf *s, void *arg)
{
	(void)arg;
	seq_printf(s, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\n",
		   count6(INET_TCP), count6(INET_UDP));
	seq_printf(s, "RAW6: inuse %u\nFRAG6: inuse 0 memory 0\n",
		   count6(INET_RAW));
	return 0;
}

/* ---- multicast groups ---- */

static unsigned
count_groups(int ifindex, int family)
{
	struct net_group g;
	unsigned cursor = 0, n = 0;

	while (net_group_next(&cursor, &g))
		n += g.ifindex == ifindex && g.family == family;
	return n;
}

static int
show_igmp(struct seq_buf *s, void *arg)
{
	struct net_group g;
	struct net_if i;
	unsigned cursor;

	(void)arg;
	net_need();
	seq_printf(s, "Idx\tDevice    : Count Querier\tGroup    Users Timer\t"
		      "Reporter\n");
	for (int at = 0; net_if_next(at, &i); at = i.index) {
		seq_printf(s, "%d\t%-10s: %5u %6s%u\n", i.index, i.name,
			   count_groups(i.index, AF_INET), "V",
			   net_igmp_version(i.index));
		for (cursor = 0; net_group_next(&cursor, &g);)
			if (g.ifindex == i.index && g.family == AF_INET)
				seq_printf(
					s,
					"\t\t\t\t%08X %5u %d:%08lX\t"
					"\t%d\n",
					word(g.addr), g.users, g.timer_ns != 0,
					(unsigned long)(g.timer_ns / TICK_NS),
					g.reporter);
	}
	return 0;
}

#define MAF_TIMER_RUNNING 1u
#define MAF_LAST_REPORTER 2u
#define MAF_LOADED	  4u
#define MAF_NOREPORT	  8u

static int
show_igmp6(struct seq_buf *s, void *arg)
{
	struct net_group g;
	struct net_if i;
	unsigned cursor = 0;

	(void)arg;
	net_need();
	while (net_group_next(&cursor, &g)) {
		bool all_nodes = g.addr[1] == 2 && g.addr[15] == 1 &&
				 !word(g.addr + 2) && !word(g.addr + 6) &&
				 !word(g.addr + 10) && !g.addr[14];

		if (g.family != AF_INET6)
			continue;
		seq_printf(s, "%-4d %-15s ", g.ifindex, name_of(g.ifindex, &i));
		for (unsigned k = 0; k < 16; k++)
			seq_printf(s, "%02x", g.addr[k]);
		seq_printf(s, " %5u %08X %lu\n", g.users,
			   (g.timer_ns ? MAF_TIMER_RUNNING : 0) |
				   (g.reporter ? MAF_LAST_REPORTER : 0) |
				   (g.told ? MAF_LOADED : 0) |
				   (all_nodes ? MAF_LOADED : 0) |
				   (all_nodes || !g.told ? MAF_NOREPORT : 0),
			   (unsigned long)(g.timer_ns / TICK_NS));
	}
	return 0;
}

/* Addresses that Ethernet interfaces let in (RFC 1112, 6.4; RFC 2464, 7); lo
 * has none. */
static int
show_dev_mcast(struct seq_buf *s, void *arg)
{
	struct net_group g;
	struct net_if i;
	unsigned cursor = 0;

	(void)arg;
	net_need();
	while (net_group_next(&cursor, &g)) {
		const uint8_t *a = g.addr;

		if (g.ifindex == NET_IF_LO)
			continue;
		if (g.family == AF_INET6 && (a[1] & 15) < 2)
			continue; /* does not leave the machine */
		seq_printf(s, "%-4d %-15s %-5d %-5d ", g.ifindex,
			   name_of(g.ifindex, &i), 1, 0);
		if (g.family == AF_INET)
			seq_printf(s, "01005e%02x%02x%02x\n", a[1] & 0x7f, a[2],
				   a[3]);
		else
			seq_printf(s, "3333%02x%02x%02x%02x\n", a[12], a[13],
				   a[14], a[15]);
	}
	return 0;
}

/* Name servers in resolv.conf's words, which is what /etc/resolv.conf of an
 * image links to; the file that Linux has of its own boot's DHCP.  Who reads
 * it wants to resolve names, so it is where to wait for DHCP. */
static int
show_pnp(struct seq_buf *s, void *arg)
{
	struct net_dns dns[NET_DNS_MAX];
	char search[256], text[INET_TEXT_MAX];
	unsigned n, i;

	(void)arg;
	net_need();
	net_settle();
	n = net_dns_get(dns);
	net_search_get(search, sizeof(search));
	if (*search)
		seq_printf(s, "search %s\n", search);
	for (i = 0; i < n; i++) {
		inet_text(text, dns[i].family, dns[i].addr);
		seq_printf(s, "nameserver %s\n", text);
	}
	return 0;
}

/* ---- registration ---- */

#define FILE_MODE 0100444u
#define TABLE(name, n)                                                        \
	{                                                                     \
		.path = "net/" name, .mode = FILE_MODE, .show = show_sockets, \
		.arg = (void *)(uintptr_t)&tables[n]                          \
	}

static const struct pseudo_entry entries[] = {
	TABLE("tcp", 0),
	TABLE("tcp6", 1),
	TABLE("udp", 2),
	TABLE("udp6", 3),
	TABLE("raw", 4),
	TABLE("raw6", 5),
	{ .path = "net/unix", .mode = FILE_MODE, .show = proc_show_unix },
	{ .path = "net/netlink", .mode = FILE_MODE, .show = proc_show_netlink },
	{ .path = "net/packet", .mode = FILE_MODE, .show = proc_show_packet },
	{ .path = "net/dev", .mode = FILE_MODE, .show = show_dev },
	{ .path = "net/route", .mode = FILE_MODE, .show = show_route },
	{ .path = "net/if_inet6", .mode = FILE_MODE, .show = show_if_inet6 },
	{ .path = "net/ipv6_route",
	  .mode = FILE_MODE,
	  .show = show_ipv6_route },
	{ .path = "net/arp", .mode = FILE_MODE, .show = show_arp },
	{ .path = "net/snmp", .mode = FILE_MODE, .show = show_snmp },
	{ .path = "net/snmp6", .mode = FILE_MODE, .show = show_snmp6 },
	{ .path = "net/netstat", .mode = FILE_MODE, .show = show_netstat },
	{ .path = "net/igmp", .mode = FILE_MODE, .show = show_igmp },
	{ .path = "net/igmp6", .mode = FILE_MODE, .show = show_igmp6 },
	{ .path = "net/dev_mcast", .mode = FILE_MODE, .show = show_dev_mcast },
	/* libevent reads as much of resolv.conf as fstat says that it has. */
	{ .path = "net/pnp",
	  .mode = FILE_MODE,
	  .show = show_pnp,
	  .sized = true },
	{ .path = "net/sockstat", .mode = FILE_MODE, .show = show_sockstat },
	{ .path = "net/sockstat6", .mode = FILE_MODE, .show = show_sockstat6 },
};

/* A file that is missing is no reason not to start. */
void
procnet_init(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		if (proc_register(&entries[i]))
			log_err("no memory for /proc/%s", entries[i].path);
	netsys_init();
}
