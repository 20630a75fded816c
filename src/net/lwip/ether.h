/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces inside the port: lo and one for each NIC.  All of it belongs to
 * the core lock unless said otherwise.
 */
#pragma once

#include "dhcp_options.h"
#include "port.h"

#include <base/list.h>
#include <dev/nic.h>
#include <net/netif.h>
#include <sched/work.h>

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#define IF_MAX (NIC_MAX + 1)

#define MORE_MAX 7 /* IPv4 addresses of an interface beside the first */

struct net_port {
	struct netif netif;
	struct nic *nic;	 /* [I] NULL: lo */
	char name[NET_NAME_MAX]; /* [I] */
	uint32_t rx_queues;	 /* [a] bits: have packets */
	unsigned in_poll;	 /* [core w, a] queue that is polled, plus 1 */
	uint32_t kick_queues;	 /* bits: were given packets */
	struct net_work rx_work, done_work, ready_work, link_work;
	struct work rx_more; /* a thread goes on where an interrupt stops */
	struct pbuf *done;   /* [a] a stack of sent ones, to be freed */
	struct pbuf *loop, **loop_end;	     /* lo: packets to come in again */
	struct pbuf *waiting, **waiting_end; /* for room in the device */
	unsigned nwaiting;
	unsigned promisc;
	bool admin_up;
	struct net_if_stats stats; /* lo's; a NIC has its own */
	struct net_if_config config;
	bool dhcp_on;
	struct lease lease; /* what the address came with; else empty */
	/* [core] written, [a] read; the first is lwIP's.  addr 0: unused */
	struct {
		u32_t addr, mask;
	} more[MORE_MAX];
	/* Of the addresses of IPv6 that were given. */
	uint8_t prefix6[LWIP_IPV6_NUM_ADDRESSES];
};

extern struct net_port *net_ports[IF_MAX]; /* [core] [0] is lo; by index-1 */

/* Length of a mask in network byte order. */
static inline uint8_t
net_mask_bits(uint32_t mask)
{
	mask = __builtin_bswap32(mask);
	return mask ? (uint8_t)(32 - __builtin_ctz(mask)) : 0;
}

struct net_port *net_port_of(int index); /* NULL */

/* addr4.c: IPv4 addresses of an interface, number 0 is the first.  Words in
 * network byte order. */
bool net_addr4_nth(const struct net_port *p, unsigned n, struct net_addr *a);
int net_addr4_add(struct net_port *p, const struct net_addr *a);
int net_addr4_del(struct net_port *p, const struct net_addr *a);
bool net_addr4_own(const struct net_port *p, u32_t addr);
bool net_addr4_broadcast(const struct net_port *p, u32_t addr);
/* The one to send from: of next's network, else the first. */
u32_t net_addr4_source(const struct net_port *p, u32_t next);
/* more[k] has a network of its own: no address before it is in it. */
bool net_addr4_new_net(const struct net_port *p, unsigned k);
void net_lo_init(void);
void net_ether_init(void);
void net_iface_init(void);
/* Multicast addresses that the interface must let in changed. */
void net_port_filter(struct net_port *p);

/* Bytes of received buffers that are held: a bound for all sockets. */
extern uint64_t net_rx_held; /* [a] */
uint64_t net_rx_limit(void);

/* gso.c: the pieces of a large segment, and what the device must know. */
unsigned net_gso_gather(const struct pbuf *p, struct nic_seg *segs,
			struct nic_meta *m);

/* taps.c */
void net_taps_see(struct net_port *p, struct pbuf *pb, bool outgoing,
		  bool partial);
extern bool net_taps_any;

/* Changes, told later to listeners (iface.c). */
void net_changed(enum net_change what, int ifindex);
extern uint32_t net_generation; /* [a] grows with each change */
/* iface.c: mtu is one that the NIC takes. */
void net_port_mtu(struct net_port *p, uint32_t mtu);
/* lease.c: the address is gone, and what came with it. */
void net_lease_gone(struct net_port *p);
/* config.c: a NIC is there. */
void net_configure_port(struct net_port *p);
