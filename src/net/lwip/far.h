/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that join sockets to lwIP. */
#pragma once

#include <net/inet.h>

struct ip_addr;
struct netif;
struct nbuf;

struct dgram_out;

/* [core] Where a datagram leaves; NULL: nowhere. */
struct netif *far_out_netif(const struct dgram_out *o);
/* n gives an address of IPv6 its zone; may be NULL. */
void far_to_lwip(const struct inet_addr *a, struct netif *n,
		 struct ip_addr *out);
void far_from_lwip(const struct ip_addr *a, struct inet_addr *out);
/* An ICMP error about a segment from src to dst; mtu: 0, or what fits. */
void tcp_far_error(const struct inet_end *src, const struct inet_end *dst,
		   int err, bool hard, uint32_t mtu);

/* [core] far_listen.c: the next sequence number is behind this one. */
extern uint32_t far_isn_after;
extern bool far_isn_bound;

/* [core] far_listen.c: SYN cookies sent, known again, and not. */
extern uint64_t tcp_cookies_sent, tcp_cookies_good, tcp_cookies_bad;

/* [core] txref.c: what tcp_write() without a copy points into. */
extern struct nbuf *tx_ref_writing;
