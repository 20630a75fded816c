/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where lwIP asks the port: routes, datagrams for our sockets, errors that
 * ICMP reports.  Included by lwIP's files after their own headers; which hooks
 * there are says lwipopts.h.
 */
#pragma once

#include <stdint.h>

struct pbuf;
struct netif;
struct udp_hdr;
struct ip4_addr;
struct ip6_addr;
struct raw_pcb;

struct netif *port_route4(const struct ip4_addr *src,
			  const struct ip4_addr *dst);
const struct ip4_addr *port_gateway4(struct netif *n,
				     const struct ip4_addr *dst);
const struct ip6_addr *port_gateway6(struct netif *n,
				     const struct ip6_addr *dst);
struct netif *port_route6(const struct ip6_addr *src,
			  const struct ip6_addr *dst);
/* addr4.c: addresses beside an interface's first; how many there are. */
extern unsigned port_more_addrs;
int port_ip4_own(const struct netif *n, const struct ip4_addr *addr);
int port_ip4_broadcast(const struct netif *n, const struct ip4_addr *addr);
/* far_dgram.c: the largest packet of the datagram that is being sent over IPv6;
 * 0: what the path takes. */
extern uint16_t port_frag6;
/* 1: it was for one of our sockets, and p is consumed.  p starts with the
 * UDP header, whose length and checksum were verified. */
int port_udp_input(struct pbuf *p, struct netif *inp);
/* An ICMP error: type and code, p starts with the packet it is about. */
void port_icmp4_error(struct pbuf *p, uint8_t type, uint8_t code,
		      uint16_t next_mtu);
void port_icmp6_error(struct pbuf *p, uint8_t type, uint8_t code,
		      uint32_t next_mtu);

struct tcp_pcb;
struct tcp_pcb_listen;
struct ip_addr;

/* txref.c: memory by reference; a segment's headers and data, NULL: otherwise;
 * the tcp_seg that comes with such headers, or NULL. */
struct tcp_seg;
struct pbuf *port_tcp_ref_pbuf(uint16_t len);
struct pbuf *port_tcp_seg_pbufs(uint16_t optlen, const void *data,
				uint16_t len);
/* The same for what a piece of data has from off on; NULL: otherwise. */
struct pbuf *port_tcp_seg_part(uint16_t optlen, struct pbuf *p, uint16_t off);
struct tcp_seg *port_tcp_seg_of(struct pbuf *p);
void port_tcp_seg_free(struct tcp_seg *seg);

/* far_tcp.c: listeners, and what becomes of a connection. */
struct tcp_pcb_listen *port_tcp_listener(struct netif *inp, uint16_t dest,
					 uint16_t src);
int port_tcp_syn(struct tcp_pcb_listen *l); /* 0: drop it */
/* SYN cookies: our sequence number for a SYN with seq; the largest segment
 * that such a one stands for, 0: it is none. */
uint32_t port_tcp_cookie_make(const struct ip_addr *local_ip,
			      uint16_t local_port,
			      const struct ip_addr *remote_ip,
			      uint16_t remote_port, uint32_t seq, uint16_t mss);
uint16_t port_tcp_cookie_check(const struct ip_addr *local_ip,
			       uint16_t local_port,
			       const struct ip_addr *remote_ip,
			       uint16_t remote_port, uint32_t seq,
			       uint32_t cookie);
void port_tcp_processed(struct tcp_pcb *pcb);
/* How often what it waits for is sent again before it is given up. */
uint8_t port_tcp_tries(const struct tcp_pcb *pcb);
/* Is a window made small after a pause? */
int port_tcp_idle(void);
uint32_t port_tcp_usec(void); /* a clock in microseconds */
/* The byte so many bytes after those that were given up is urgent. */
void port_tcp_urgent(struct tcp_pcb *pcb, uint32_t ahead);
uint32_t port_tcp_isn(const struct ip_addr *local_ip, uint16_t local_port,
		      const struct ip_addr *remote_ip, uint16_t remote_port);

/* lease.c: a message of DHCP begins; an option of it that lwIP does not know, of
 * len bytes at off of p; the router of an address that it gives; it was. */
void port_dhcp_begin(void);
void port_dhcp_option(struct pbuf *p, uint8_t option, uint8_t len,
		      uint16_t off);
void port_dhcp_gateway(struct ip4_addr *gw);
void port_dhcp_bound(struct netif *n);

/* groups.c: something is due to be told of multicast groups. */
void port_mcast_due(void);

/* gso.c: a large segment; does the device cut such? */
int port_gso_can(const struct netif *n, int v6);
struct pbuf *port_gso_begin(struct netif *n, int v6, uint16_t hlen,
			    uint16_t size);
int port_gso_add(struct pbuf *p, struct pbuf *seg, uint16_t off);
