/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AF_INET and AF_INET6 sockets share: addresses, ports, options of the
 * IP levels.
 */
#pragma once

#include <base/compiler.h>
#include <base/hlist.h>
#include <base/list.h>
#include <base/refcount.h>
#include <base/types.h>
#include <core/reclaim.h>
#include <core/spinlock.h>
#include <net/addr.h>
#include <net/socket.h>
#include <sched/wait.h>

#define IPPROTO_IP     0
#define IPPROTO_ICMP   1
#define IPPROTO_IGMP   2
#define IPPROTO_TCP    6
#define IPPROTO_UDP    17
#define IPPROTO_IPV6   41
#define IPPROTO_ICMPV6 58
#define IPPROTO_RAW    255
#define IPPROTO_MPTCP  262

struct inet_end {
	struct inet_addr addr;
	uint32_t scope; /* interface of a link-local address */
	uint16_t port;	/* host byte order */
};

struct inet_rest; /* ports_rest.c */
struct bpf_packet;

/* Multicast groups that a socket has joined. */
struct inet_group {
	struct inet_group *next;
	struct inet_addr addr;
	int ifindex;
	struct inet_filter *filter; /* of sources: mcast.c */
	struct list all;	    /* of all sockets */
};

struct inet_sock {
	struct socket sock; /* first */
	struct refcount refs;
	struct timer *timer; /* [I] of its kind, or NULL; see inet_put() */
	struct reclaim_head reclaim;
	struct spinlock lock; /* RANK_EVENT: the queues of its kind */
	struct waitq wq;
	struct inet_end local, remote; /* [ports lock] written; local.addr may
					* be unspecified */
	bool v6;		       /* [I] AF_INET6 */
	bool bound;		       /* [ports lock] has a port by bind() */
	bool bound_addr;	       /* [ports lock] local.addr is bind()'s */
	bool hashed;		       /* [ports lock] in the table of ports */
	bool child;		 /* [I] accepted: shares its listener's port */
	bool connected;		 /* [a] remote is set */
	bool tcp_listen;	 /* [ports lock] LISTEN */
	bool left;		 /* [ports lock] the program is done with it */
	bool waited;		 /* [ports lock] TIME_WAIT has begun */
	bool told;		 /* [ports lock] see inet_refused() */
	struct inet_rest *rest;	 /* [ports lock] holds its port in its place */
	struct sock_prog *steer; /* [ports lock] ports_steer.c */
	struct hlist_node port_link; /* [ports lock] of the table of ports, or,
				      * of a child, that of connections */
	struct list all_link;	     /* [ports lock] every socket of its kind */

	/* Options: [a], single words. */
	bool v6only, freebind, transparent;
	bool bind_no_port; /* IP_BIND_ADDRESS_NO_PORT */
	bool whole6;	   /* IPV6_DONTFRAG */
	bool recverr, recverr6, pktinfo, pktinfo6, recvttl, recvttl6, recvtos,
		recvtos6, recvorigdst;
	bool mcast_loop, mcast_all, hdrincl, autoflowlabel, nodefrag;
	int16_t ttl, hops; /* -1: the default */
	uint8_t tos, tclass;
	uint16_t frag6; /* IPV6_MTU: packets of a datagram so large; 0: any */
	/* Of a connection that was accepted: of the packet that made it, with
	 * mcast_if and mcast_ttl, as Linux keeps them. */
	uint8_t rcv_tos;
	uint8_t mcast_ttl;
	int16_t mcast_hops;
	int mcast_if, mcast_if6; /* interface index; 0: by route */
	struct inet_addr mcast_addr;
	uint8_t mtu_discover, mtu_discover6;
	struct inet_group *groups; /* [ports lock] */

	/* zerocopy.c */
	bool zerocopy;	/* [a] SO_ZEROCOPY */
	bool zc_untold; /* [lock w, a] calls since were not told of */
	uint32_t zc_first, zc_next; /* [lock] their numbers */
};

static inline struct inet_sock *
inet_of(struct socket *s)
{
	return container_of(s, struct inet_sock, sock);
}

extern const struct socket_family inet_family, inet6_family;

/* ---- addresses ---- */

bool inet_is_multicast(const struct inet_addr *a);
bool inet_is_local(const struct inet_addr *a);
/* The same for bind(): waits where DHCP may be about to give the address. */
bool inet_is_own(const struct inet_addr *a);
/* Or may it be bound to all the same? */
bool inet_may_bind(const struct inet_addr *a);
/* Waits where there is no way to a yet, and DHCP may be about to give one. */
void inet_need_route(const struct inet_addr *a);
/* Is a not to be reached as SO_DONTROUTE asks: over a router?  Of IPv4 only, as
 * on Linux. */
bool inet_over_router(const struct inet_addr *a);

/* A socket address as the program gave it.  -EINVAL, -EAFNOSUPPORT,
 * -ENETUNREACH (an IPv6 address on a V6ONLY socket and the like). */
MUST_CHECK int inet_addr_in(const struct inet_sock *sk, const void *addr,
			    uint32_t len, struct inet_end *out);
/* As the socket's family shows it; returns the length. */
uint32_t inet_addr_out(bool v6, const struct inet_end *e, void *addr);
int inet_name(struct inet_sock *sk, bool peer, void *addr, uint32_t *len);
/* What connect() has put in place of an address that bind() did not give. */
void inet_reset_local(struct inet_sock *sk);

/* ---- life ---- */

void inet_init_sock(struct inet_sock *sk, const struct socket_ops *ops, bool v6,
		    int type, int protocol);
static inline void
inet_get(struct inet_sock *sk)
{
	refcount_get(&sk->refs);
}
/* An accepted socket has its listener's options. */
void inet_inherit(struct inet_sock *sk, const struct inet_sock *listener);
/* Frees the memory with the last reference; each kind's release has emptied
 * its queues before. */
void inet_put(struct inet_sock *sk);

/* The kinds. */
MUST_CHECK int tcp_create(bool v6, struct socket **out);
MUST_CHECK int udp_create(bool v6, struct socket **out);
MUST_CHECK int raw_create(bool v6, int protocol, struct socket **out);

/* ---- ports (ports.c) ---- */

/* Takes local.addr and local.port (0: one of the kernel's choice, or none as
 * yet with IP_BIND_ADDRESS_NO_PORT).
 * -EADDRINUSE, -EACCES. */
MUST_CHECK int inet_bind_port(struct inet_sock *sk,
			      const struct inet_end *want);
/* For a socket that sends or connects without bind(). */
MUST_CHECK int inet_auto_port(struct inet_sock *sk);
/* sk is to be connected to dst, from src unless it is bound to an address:
 * -EADDRNOTAVAIL where there is, or is left, a connection between the same
 * ends.  And back: what bind() did not set is open again. */
MUST_CHECK int inet_claim_ends(struct inet_sock *sk, const struct inet_end *dst,
			       const struct inet_addr *src);
void inet_give_ends(struct inet_sock *sk);
void inet_drop_port(struct inet_sock *sk);
/* TCP: may it listen here?  -EADDRINUSE. */
MUST_CHECK int inet_start_listen(struct inet_sock *sk);
void inet_stop_listen(struct inet_sock *sk);
/* Who listens for this pair; referenced; NULL. */
struct inet_sock *inet_find_listener(const struct inet_end *dst,
				     const struct inet_end *src);
/* The datagram socket for this pair; referenced; NULL. */
struct inet_sock *inet_find_udp(const struct inet_end *dst,
				const struct inet_end *src, int ifindex);
/* A packet from outside found nobody: the user is told, once for each socket,
 * where the program has the port on a loopback address only (refused.c). */
void inet_refused(bool tcp, const struct inet_end *dst);
/* Is there such a socket, of the same family, of which it was not told yet? */
bool inet_take_untold(bool tcp, const struct inet_end *dst);
/* Where inet_steered: the same, and a program may look at the datagram. */
struct inet_sock *inet_find_steered(const struct inet_end *dst,
				    const struct inet_end *src, int ifindex,
				    const struct bpf_packet *p);
/* Calls fn for each datagram socket that gets a multicast or broadcast. */
void inet_each_udp(const struct inet_end *dst, const struct inet_end *src,
		   int ifindex, void (*fn)(struct inet_sock *sk, void *arg),
		   void *arg);
/* All sockets of a kind: the one after prev, referenced, whose reference it
 * drops; prev NULL, *index 0: the first.  NULL at the end. */
enum inet_kind { INET_TCP, INET_UDP, INET_RAW, INET_KINDS };
struct inet_sock *inet_next(enum inet_kind kind, struct inet_sock *prev,
			    unsigned *index);
/* A child has its addresses by then. */
void inet_list_add(struct inet_sock *sk);
/* The same for the near other end of a connection, whose ends it gets. */
void inet_add_child(struct inet_sock *c, const struct inet_sock *of);
void inet_list_del(struct inet_sock *sk);
unsigned inet_count(enum inet_kind kind);

/* ---- programs that choose (ports_steer.c) ---- */

extern bool inet_steered; /* [a] there was ever one */
/* -ENOPROTOOPT: it is none of these options. */
int inet_steer_setopt(struct inet_sock *sk, int name, const void *val,
		      uint32_t len);

/* ---- what is left of a connection (ports_rest.c) ---- */

/* The program is done with sk, which leaves table and lists; state: in which
 * the connection goes on alone, so that the port is held in its place, or
 * TCP_CLOSE; far: lwIP has it. */
void inet_leave(struct inet_sock *sk, uint8_t state, bool far);
/* Near: both ends have closed, this one first: TIME_WAIT. */
void inet_time_wait(struct inet_sock *sk);
/* The connection has ended otherwise. */
void inet_rest_drop(struct inet_sock *sk);
/* Far: lwIP's connection stands alone from here on, and ends what is left of
 * it; NULL: nothing is. */
struct inet_rest *inet_rest_far(struct inet_sock *sk, void *conn);
/* It is in TIME_WAIT; stamps: with time stamps. */
void inet_rest_waits(struct inet_rest *r, bool stamps);
void inet_rest_over(struct inet_rest *r);
/* What a list of sockets shows: the one after *at, zero to begin with.
 * false: no more. */
struct inet_rest_info {
	struct inet_end local, remote;
	uint64_t left_ns;
	void *conn;    /* far: lwIP's, which knows better; [core] */
	uint8_t state; /* TCP_FIN_WAIT1 and what comes after it */
	bool v6;
};
bool inet_rest_next(uint32_t *at, struct inet_rest_info *out);
unsigned inet_rest_count(void);
void inet_rest_init(void);

/* ---- MSG_ZEROCOPY (zerocopy.c) ---- */

int inet_zc_setopt(struct inet_sock *sk, const void *val, uint32_t len);
/* A call with MSG_ZEROCOPY has sent something. */
void inet_zc_sent(struct inet_sock *sk);
/* recv with MSG_ERRQUEUE. */
ssize_t inet_zc_recv(struct inet_sock *sk, struct sock_msg *m);

/* ---- options of IPPROTO_IP and IPPROTO_IPV6 (inet_opt.c) ---- */

int inet_setopt(struct inet_sock *sk, int level, int name, const void *val,
		uint32_t len);
int inet_getopt(struct inet_sock *sk, int level, int name, void *val,
		uint32_t *len);
void inet_mcast_init(void);
/* Those of groups (mcast.c); -ENOPROTOOPT: it is none. */
int inet_mcast_setopt(struct inet_sock *sk, int level, int name,
		      const void *val, uint32_t len);
int inet_mcast_getopt(struct inet_sock *sk, int level, int name, void *val,
		      uint32_t *len);
/* Leaves all groups. */
void inet_drop_groups(struct inet_sock *sk);
/* Is a datagram to this group for the socket?  Any context that reclamation
 * waits for. */
bool inet_hears(const struct inet_sock *sk, const struct inet_addr *group,
		const struct inet_addr *src, int ifindex);
/* The interface with this address of IPv4; 0.0.0.0: 0, any.  -ENODEV. */
MUST_CHECK int inet_if_of_addr(uint32_t net, int *ifindex);
