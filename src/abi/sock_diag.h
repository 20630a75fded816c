/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_SOCK_DIAG: what is asked and answered about sockets of AF_INET and
 * AF_INET6 (sock_diag(7)).  Ports and addresses in network byte order.
 */
#pragma once

#include <stdint.h>

#define TCPDIAG_GETSOCK	    18
#define SOCK_DIAG_BY_FAMILY 20

struct inet_diag_sockid {
	uint16_t sport, dport;
	uint32_t src[4], dst[4];
	uint32_t ifindex;
	uint32_t cookie[2];
};

#define INET_DIAG_NOCOOKIE 0xffffffffu

struct inet_diag_req_v2 {
	uint8_t family, protocol;
	uint8_t ext; /* bits: 1 << (INET_DIAG_* - 1) */
	uint8_t raw_protocol;
	uint32_t states; /* bits: 1 << TCP_* */
	struct inet_diag_sockid id;
};

#define INET_DIAG_REQ_BYTECODE 1 /* attribute of a request */

struct inet_diag_msg {
	uint8_t family, state, timer, retrans;
	struct inet_diag_sockid id;
	uint32_t expires; /* milliseconds */
	uint32_t rqueue, wqueue, uid, inode;
};

/* Attributes of an answer. */
#define INET_DIAG_MEMINFO   1
#define INET_DIAG_INFO	    2
#define INET_DIAG_CONG	    4
#define INET_DIAG_TOS	    5
#define INET_DIAG_TCLASS    6
#define INET_DIAG_SKMEMINFO 7
#define INET_DIAG_SHUTDOWN  8
#define INET_DIAG_PROTOCOL  10
#define INET_DIAG_SKV6ONLY  11

/* INET_DIAG_SKMEMINFO: words. */
#define SK_MEMINFO_RMEM_ALLOC 0
#define SK_MEMINFO_RCVBUF     1
#define SK_MEMINFO_WMEM_ALLOC 2
#define SK_MEMINFO_SNDBUF     3
#define SK_MEMINFO_DROPS      8
#define SK_MEMINFO_VARS	      9

_Static_assert(sizeof(struct inet_diag_sockid) == 48, "inet_diag_sockid");
_Static_assert(sizeof(struct inet_diag_req_v2) == 56, "inet_diag_req_v2");
_Static_assert(sizeof(struct inet_diag_msg) == 72, "inet_diag_msg");
