/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network as the rest of the kernel sees it: interfaces, addresses,
 * routes, neighbours, sockets in a list, taps, and what boot hands over.
 *
 * Everything is by copy: a caller gets a snapshot of one object and a cursor
 * to the next, and never a pointer into the stack.  A cursor starts at zero;
 * an object that comes or goes between two calls may be missed or seen, as
 * in a dump of Linux.
 *
 * Unless a comment says otherwise the functions may be called by any thread,
 * do not sleep, take the net core's lock (RANK_NETCORE) themselves, and
 * return 0 or -errno.  Addresses are in network byte order, in the first 4
 * or in all 16 bytes.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>

struct inet_sock; /* inet.h */

#define NET_NAME_MAX 16	    /* IFNAMSIZ */
#define NET_IF_LO    1	    /* index of the loopback interface */
#define NET_LO_MTU   65536u /* as Linux's */
#define NET_DNS_MAX  4

/* ---- interfaces: lo is 1, then eth0 is 2, ... ---- */

struct net_if_stats {
	uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped, multicast;
	uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
};

struct net_if {
	int index;
	char name[NET_NAME_MAX];
	uint32_t flags; /* IFF_* as of netdevice(7) */
	uint16_t type;	/* ARPHRD_*: 1 Ethernet, 772 loopback */
	uint32_t mtu, txqlen;
	uint8_t mac[6]; /* zeroes for lo */
	uint8_t broadcast[6];
	uint32_t speed_mbit; /* 0: not known */
	struct net_if_stats stats;
};

/* The interface with the lowest index above after; false: no more. */
bool net_if_next(int after, struct net_if *out);
MUST_CHECK int net_if_get(int index, struct net_if *out); /* -ENODEV */
MUST_CHECK int net_if_find(const char *name, struct net_if *out);
/* Only IFF_UP and IFF_PROMISC and IFF_ALLMULTI can be set. */
MUST_CHECK int net_if_set_flags(int index, uint32_t flags, uint32_t mask);
MUST_CHECK int net_if_set_mtu(int index, uint32_t mtu);
/* Programs that capture: counts, the device is promiscuous while above 0. */
MUST_CHECK int net_if_promisc(int index, bool on);

/* ---- addresses ---- */

enum net_addr_state {
	NET_ADDR_OK,
	NET_ADDR_TENTATIVE,
	NET_ADDR_DEPRECATED,
	NET_ADDR_DUPLICATE
};

#define NET_ADDR_PERMANENT 0x1 /* not from DHCP or router advertisements */
#define NET_ADDR_SECONDARY 0x2 /* in the network of one before it */

struct net_addr {
	int ifindex;
	uint16_t family; /* AF_INET, AF_INET6 */
	uint8_t prefix;	 /* bits */
	uint8_t state;	 /* enum net_addr_state */
	uint8_t flags;	 /* NET_ADDR_* */
	uint8_t scope;	 /* RT_SCOPE_*: 0, 253 link, 254 host */
	uint8_t addr[16];
	uint8_t broadcast[4];	       /* AF_INET; zeroes: none */
	uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
};

bool net_addr_next(unsigned *cursor, struct net_addr *out);
/* family, addr, prefix, ifindex of *a count.  -EEXIST; -ENOSPC: an interface
 * has eight of each family; -EADDRNOTAVAIL. */
MUST_CHECK int net_addr_add(const struct net_addr *a);
MUST_CHECK int net_addr_del(const struct net_addr *a);
/* Is it one of this machine's (127.0.0.0/8 too)? */
bool net_addr_is_local(int family, const void *addr);

/* ---- multicast groups ---- */

struct net_group {
	int ifindex;
	uint16_t family;
	bool reporter; /* the last to tell routers was this machine */
	bool told;     /* routers are */
	uint8_t addr[16];
	unsigned users;
	uint64_t timer_ns; /* until a report is sent; 0: none is due */
};

/* Each interface's, the last joined first; those that an interface is in by
 * itself come last. */
bool net_group_next(unsigned *cursor, struct net_group *out);
/* By what routers are told there: 3, or less where one of them knows less. */
unsigned net_igmp_version(int ifindex);

/* ---- routes ---- */

struct net_route {
	uint16_t family;
	uint8_t prefix;	  /* 0 with zeroes in dst: default */
	uint8_t type;	  /* RTN_UNICAST 1, RTN_LOCAL 2 */
	uint8_t protocol; /* RTPROT_*: 2 kernel, 3 boot, 4 static, 9 ra,
				 * 16 dhcp */
	uint8_t scope;
	int ifindex;
	uint32_t metric;
	bool has_gateway, has_src;
	uint8_t dst[16], gateway[16], src[16];
};

/* Routes of the main table. */
bool net_route_next(unsigned *cursor, struct net_route *out);
/* -EEXIST, -ESRCH, -ENETUNREACH (gateway not on a link), -ENODEV, -ENOSPC. */
MUST_CHECK int net_route_add(const struct net_route *r);
MUST_CHECK int net_route_del(const struct net_route *r);
/* The way to dst: ifindex, gateway, source address.  -ENETUNREACH. */
MUST_CHECK int net_route_lookup(int family, const void *dst,
				struct net_route *out);

/* ---- neighbours ---- */

struct net_neigh {
	int ifindex;
	uint16_t family;
	uint16_t state; /* NUD_*: 1 incomplete, 2 reachable, 4 stale,
				 * 8 delay, 16 probe, 32 failed, 128 permanent */
	bool router, has_mac;
	uint8_t addr[16], mac[6];
};

bool net_neigh_next(unsigned *cursor, struct net_neigh *out);
MUST_CHECK int net_neigh_add(const struct net_neigh *n); /* permanent */
MUST_CHECK int net_neigh_del(const struct net_neigh *n);

/* ---- changes ---- */

enum net_change {
	NET_CHANGE_LINK,
	NET_CHANGE_ADDR,
	NET_CHANGE_ROUTE,
	NET_CHANGE_DNS
};

/* Somebody who wants to know.  fn runs in a worker thread, may sleep, and
 * gets the object as it is now (obj: struct net_if, net_addr or net_route;
 * NULL with NET_CHANGE_DNS); gone: it was removed. */
struct net_listener {
	void (*fn)(struct net_listener *l, enum net_change what,
		   const void *obj, bool gone);
	void *arg;
	struct list link;
};
void net_listen_add(struct net_listener *l);
void net_listen_remove(struct net_listener *l); /* may sleep */

/* ---- sockets, for /proc/net and sock_diag ---- */

struct net_sock_info {
	uint16_t family, type, protocol;
	uint8_t state; /* TCP_* of tcp_states: 1 established ... 10
				 * listen; datagrams: 7, connected: 1 */
	uint8_t timer; /* /proc/net/tcp's tr: 0, 1, 2, 3, 4 */
	uint8_t retransmits;
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port; /* host byte order */
	uint32_t tx_queue, rx_queue; /* listeners: backlog's limit, length */
	uint64_t timer_ns;	     /* until it runs out */
	uint32_t uid;
	uint64_t ino; /* 0: no descriptor has it */
	uint32_t drops;
	int ifindex; /* bound to, or 0 */
};

/* Zeroes to begin with; holds the socket that was told of last, until the end
 * of the list, or net_sock_done(). */
struct net_sock_cursor {
	struct inet_sock *at; /* NULL: what is left of a connection */
	unsigned index;
	uint32_t rest; /* inet_rest_next()'s, when the sockets are through */
	bool rests;
};

/* protocol: IPPROTO_TCP, IPPROTO_UDP, or 0 for raw ones (protocol then says
 * which); family AF_INET or AF_INET6. */
bool net_sock_next(int family, int protocol, struct net_sock_cursor *c,
		   struct net_sock_info *out);
void net_sock_done(struct net_sock_cursor *c);

struct tcp_info; /* abi/inet.h */

/* More of the socket that was told of last, where there is one; tcp: may be
 * NULL. */
struct net_sock_more {
	uint32_t rcvbuf, sndbuf, rmem, wmem;
	uint8_t shutdown; /* 1: of receiving, 2: of sending */
	uint8_t tos, tclass;
	bool v6only, reno;
};
void net_sock_more(const struct net_sock_cursor *c, struct net_sock_more *out,
		   struct tcp_info *tcp);

/* What the protocols counted, for /proc/net/snmp, netstat and sockstat. */
struct net_counters {
	uint64_t ip_in, ip_out, ip_in_discards, ip_in_hdr_errors,
		ip_in_addr_errors, ip_delivered, ip_out_no_routes, ip_forwarded,
		ip_reasm_ok, ip_reasm_fails, ip_frag_ok;
	uint64_t ip6_in, ip6_in_hdr_errors, ip6_in_protos, ip6_in_discards,
		ip6_delivered, ip6_out, ip6_out_no_routes, ip6_frag_created;
	uint64_t icmp_in, icmp_in_errors, icmp_out;
	uint64_t icmp6_in, icmp6_in_errors, icmp6_out;
	uint64_t tcp_active, tcp_passive, tcp_fails, tcp_resets, tcp_estab,
		tcp_in, tcp_out, tcp_retrans, tcp_in_errors, tcp_out_rsts,
		tcp_listen_overflows, tcp_cookies_sent, tcp_cookies_good,
		tcp_cookies_bad;
	uint64_t udp_in, udp_no_ports, udp_in_errors, udp_out,
		udp_rcvbuf_errors;
	uint64_t tcp_inuse, tcp_tw, udp_inuse, raw_inuse; /* now */
	uint64_t mem_bytes; /* now, in buffers of all sockets */
};
void net_counters_get(struct net_counters *c);

/* ---- taps (AF_PACKET) ---- */

/* One frame that goes by.  Its bytes are valid during the call only. */
struct net_frame {
	int ifindex;
	bool outgoing;
	uint8_t pkttype;   /* PACKET_HOST 0, BROADCAST 1, MULTICAST 2,
				 * OTHERHOST 3, OUTGOING 4 */
	uint16_t protocol; /* ethertype, host byte order */
	uint32_t len;
	uint32_t link_len;  /* of the link header: 14 */
	uint64_t time_ns;   /* wall clock */
	bool csum_partial;  /* the device has yet to fill the checksum */
	bool made_head;	    /* for net_frame_copy(): lo has no header */
	const void *handle; /* for net_frame_copy() */
};

/* Bytes copied from position off on. */
size_t net_frame_copy(const struct net_frame *f, size_t off, void *dst,
		      size_t len);

/* fn runs inside the net core, possibly in interrupt context: it copies,
 * queues, wakes, and must not sleep nor call the functions above. */
struct net_tap {
	void (*fn)(struct net_tap *t, const struct net_frame *f);
	int ifindex;	   /* 0: all */
	uint16_t protocol; /* ethertype; ETH_P_ALL 3: all, outgoing too */
	struct list link;
};
void net_tap_add(struct net_tap *t);
void net_tap_remove(struct net_tap *t); /* fn does not run afterwards */

/* Sends one whole frame, kernel memory.  -ENETDOWN, -EMSGSIZE, -ENOBUFS. */
MUST_CHECK int net_link_send(int ifindex, const void *frame, size_t len);

/* ---- boot ---- */

enum net_method { NET_DHCP, NET_STATIC, NET_NONE };

struct net_static {
	uint16_t family; /* 0: unused */
	uint8_t prefix;
	bool has_gateway;
	uint8_t addr[16], gateway[16];
};

/* For one NIC: by its address where has_mac says so, else by position. */
struct net_if_config {
	bool has_mac;
	uint8_t mac[6];
	enum net_method method;
	bool no_autoconf6;	   /* no IPv6 by router advertisements */
	uint32_t mtu;		   /* 0: the device's */
	struct net_static addr[4]; /* NET_STATIC; IPv6 beside DHCP too */
};

struct net_dns {
	uint16_t family; /* 0: unused */
	uint8_t addr[16];
};

struct net_config {
	struct net_if_config ifs[8];
	unsigned nifs;			 /* NICs beyond: DHCP */
	struct net_dns dns[NET_DNS_MAX]; /* before those of DHCP */
	char search[256];		 /* domains for resolv.conf, or "" */
	const char *hostname;		 /* for DHCP's option 12; may be NULL */
};

/* Boot, once, before the first socket: lo comes up; NICs are taken as they
 * register.  net_start() then configures them.  Both are start.c's, which
 * boot gives the configuration to keep (it stays), and which starts the
 * network when somebody needs it, or soon. */
void net_init(void);
void net_start(const struct net_config *c);
void net_start_later(const struct net_config *c);
/* From here on the network is there.  Sleeps; before the first look at
 * interfaces, addresses, routes or sockets other than AF_UNIX. */
void net_need(void);
bool net_is_up(void);
/* The program has ended and its sockets are closed: waits until what they had
 * to send is acknowledged, or nothing has been for 10 s.  Sleeps. */
void net_finish(void);
/* Sleeps until listeners know of every change that there was so far. */
void net_changes_told(void);
/* Sleeps until each interface with a link has an address by its method, or
 * the deadline (monotonic).  0, -ETIMEDOUT. */
int net_wait_configured(uint64_t deadline_ns);
/* For who finds no way or no address: DHCP may be about to give one.  Sleeps
 * as the above, but no longer than some seconds after net_start(), whoever
 * asks, and never again.  Settled: it would not sleep. */
void net_settle(void);
bool net_settled(void);

/* Name servers in use, configured ones first; the number of them. */
unsigned net_dns_get(struct net_dns out[NET_DNS_MAX]);
/* Domains: configured, else what DHCP said; "" for none. */
void net_search_get(char *buf, size_t size);
