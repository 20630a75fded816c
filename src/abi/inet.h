/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_INET and AF_INET6: addresses, options and their structures (ip(7),
 * ipv6(7), tcp(7), udp(7)), as Linux has them on every machine.
 */
#pragma once

#include <stdint.h>

struct sockaddr_in {
	uint16_t family;
	uint16_t port; /* network byte order */
	uint32_t addr;
	uint8_t zero[8];
};

struct sockaddr_in6 {
	uint16_t family;
	uint16_t port;
	uint32_t flowinfo;
	uint8_t addr[16];
	uint32_t scope_id;
};

#define SOCKADDR_IN6_MIN 24 /* without scope_id, as RFC 2133 had it */

/* level IPPROTO_IP */
#define IP_TOS			  1
#define IP_TTL			  2
#define IP_HDRINCL		  3
#define IP_OPTIONS		  4
#define IP_RETOPTS		  7
#define IP_PKTINFO		  8
#define IP_PKTOPTIONS		  9
#define IP_MTU_DISCOVER		  10
#define IP_RECVERR		  11
#define IP_RECVTTL		  12
#define IP_RECVTOS		  13
#define IP_MTU			  14
#define IP_FREEBIND		  15
#define IP_TRANSPARENT		  19
#define IP_RECVORIGDSTADDR	  20
#define IP_NODEFRAG		  22
#define IP_BIND_ADDRESS_NO_PORT	  24
#define IP_MULTICAST_IF		  32
#define IP_MULTICAST_TTL	  33
#define IP_MULTICAST_LOOP	  34
#define IP_ADD_MEMBERSHIP	  35
#define IP_DROP_MEMBERSHIP	  36
#define IP_UNBLOCK_SOURCE	  37
#define IP_BLOCK_SOURCE		  38
#define IP_ADD_SOURCE_MEMBERSHIP  39
#define IP_DROP_SOURCE_MEMBERSHIP 40
#define IP_MSFILTER		  41
#define MCAST_JOIN_GROUP	  42
#define MCAST_BLOCK_SOURCE	  43
#define MCAST_UNBLOCK_SOURCE	  44
#define MCAST_LEAVE_GROUP	  45
#define MCAST_JOIN_SOURCE_GROUP	  46
#define MCAST_LEAVE_SOURCE_GROUP  47
#define MCAST_MSFILTER		  48
#define IP_MULTICAST_ALL	  49
#define IP_UNICAST_IF		  50

/* level IPPROTO_IPV6 */
#define IPV6_CHECKSUM	     7
#define IPV6_UNICAST_HOPS    16
#define IPV6_MULTICAST_IF    17
#define IPV6_MULTICAST_HOPS  18
#define IPV6_MULTICAST_LOOP  19
#define IPV6_ADD_MEMBERSHIP  20
#define IPV6_DROP_MEMBERSHIP 21
#define IPV6_MTU_DISCOVER    23
#define IPV6_MTU	     24
#define IPV6_DONTFRAG	     62
#define IPV6_MIN_MTU	     1280 /* RFC 8200, 5 */
#define IPV6_RECVERR	     25
#define IPV6_V6ONLY	     26
#define IPV6_MULTICAST_ALL   29
#define IPV6_RECVPKTINFO     49
#define IPV6_PKTINFO	     50
#define IPV6_RECVHOPLIMIT    51
#define IPV6_HOPLIMIT	     52
#define IPV6_RECVTCLASS	     66
#define IPV6_TCLASS	     67
#define IPV6_AUTOFLOWLABEL   70
#define IPV6_FREEBIND	     78

/* level IPPROTO_UDP */
#define UDP_CORK    1
#define UDP_SEGMENT 103
#define UDP_GRO	    104

/* level IPPROTO_TCP */
#define TCP_NODELAY	  1
#define TCP_MAXSEG	  2
#define TCP_CORK	  3
#define TCP_KEEPIDLE	  4
#define TCP_KEEPINTVL	  5
#define TCP_KEEPCNT	  6
#define TCP_SYNCNT	  7
#define TCP_LINGER2	  8
#define TCP_DEFER_ACCEPT  9
#define TCP_WINDOW_CLAMP  10
#define TCP_INFO	  11
#define TCP_QUICKACK	  12
#define TCP_CONGESTION	  13
#define TCP_USER_TIMEOUT  18
#define TCP_FASTOPEN	  23
#define TCP_TIMESTAMP	  24
#define TCP_NOTSENT_LOWAT 25
#define TCP_INQ		  36

/* States of a connection, as TCP_INFO and /proc/net/tcp number them. */
enum tcp_linux_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
};

struct in_pktinfo {
	int32_t ifindex;
	uint32_t spec_dst, addr;
};

struct in6_pktinfo {
	uint8_t addr[16];
	int32_t ifindex;
};

struct ip_mreq {
	uint32_t multiaddr, interface;
};

struct ip_mreqn {
	uint32_t multiaddr, address;
	int32_t ifindex;
};

struct ipv6_mreq {
	uint8_t multiaddr[16];
	int32_t ifindex;
};

struct group_req {
	uint32_t interface, pad;
	uint8_t group[128];
};

struct ip_mreq_source {
	uint32_t multiaddr, interface, source;
};

struct group_source_req {
	uint32_t interface, pad;
	uint8_t group[128], source[128];
};

#define MCAST_EXCLUDE 0
#define MCAST_INCLUDE 1

struct ip_msfilter {
	uint32_t multiaddr, interface, mode, n; /* sources follow */
};

#define SOURCE_SIZE 128u /* struct sockaddr_storage */

struct group_filter {
	uint32_t interface, pad;
	uint8_t group[128];
	uint32_t mode, n; /* sources follow, SOURCE_SIZE each */
};

/* Errors of the error queue (ip(7), IP_RECVERR); the offender's address comes
 * after it. */
struct sock_extended_err {
	uint32_t ee_errno;
	uint8_t origin, type, code, pad;
	uint32_t info, data;
};

#define SO_EE_ORIGIN_LOCAL    1
#define SO_EE_ORIGIN_ICMP     2
#define SO_EE_ORIGIN_ICMP6    3
#define SO_EE_ORIGIN_ZEROCOPY 5

#define SO_EE_CODE_ZEROCOPY_COPIED 1

struct tcp_info {
	uint8_t state, ca_state, retransmits, probes, backoff, options;
	uint8_t wscale; /* snd: low four bits, rcv: high */
	uint8_t flags;
	uint32_t rto, ato, snd_mss, rcv_mss;
	uint32_t unacked, sacked, lost, retrans, fackets;
	uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
	uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd,
		advmss, reordering;
	uint32_t rcv_rtt, rcv_space;
	uint32_t total_retrans;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt;
	uint32_t data_segs_in, data_segs_out;
	uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
	uint32_t delivered, delivered_ce;
	uint64_t bytes_sent, bytes_retrans;
	uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
};

_Static_assert(sizeof(struct sockaddr_in) == 16, "sockaddr_in");
_Static_assert(sizeof(struct sockaddr_in6) == 28, "sockaddr_in6");
_Static_assert(sizeof(struct in6_pktinfo) == 20, "in6_pktinfo");
_Static_assert(sizeof(struct group_req) == 136, "group_req");
_Static_assert(sizeof(struct group_source_req) == 264, "group_source_req");
_Static_assert(sizeof(struct group_filter) == 144, "group_filter");
_Static_assert(sizeof(struct sock_extended_err) == 16, "sock_extended_err");
_Static_assert(sizeof(struct tcp_info) == 232, "tcp_info");
