/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet(7): addresses, options, and the ring of TPACKET_V2.
 */
#pragma once

#include <stdint.h>

#define ETH_P_ALL  3
#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86dd

struct sockaddr_ll {
	uint16_t family;
	uint16_t protocol; /* big endian */
	int32_t ifindex;
	uint16_t hatype;
	uint8_t pkttype, halen, addr[8];
};

#define PACKET_HOST	 0
#define PACKET_OTHERHOST 3
#define PACKET_OUTGOING	 4

#define SOL_PACKET	       263
#define PACKET_ADD_MEMBERSHIP  1
#define PACKET_DROP_MEMBERSHIP 2
#define PACKET_RX_RING	       5
#define PACKET_STATISTICS      6
#define PACKET_AUXDATA	       8
#define PACKET_VERSION	       10
#define PACKET_HDRLEN	       11
#define PACKET_RESERVE	       12
#define PACKET_IGNORE_OUTGOING 23

#define PACKET_MR_MULTICAST 0
#define PACKET_MR_PROMISC   1
#define PACKET_MR_ALLMULTI  2

struct packet_mreq {
	int32_t ifindex;
	uint16_t type, alen;
	uint8_t address[8];
};

struct tpacket_stats {
	uint32_t packets, drops;
};

struct tpacket_auxdata {
	uint32_t status, len, snaplen;
	uint16_t mac, net, vlan_tci, vlan_tpid;
};

#define TPACKET_V1 0
#define TPACKET_V2 1
#define TPACKET_V3 2

struct tpacket_req {
	uint32_t block_size, block_nr, frame_size, frame_nr;
};

struct tpacket2_hdr {
	uint32_t status, len, snaplen;
	uint16_t mac, net;
	uint32_t sec, nsec;
	uint16_t vlan_tci, vlan_tpid;
	uint8_t padding[4];
};

#define TPACKET_ALIGNMENT 16u

#define TP_STATUS_KERNEL       0
#define TP_STATUS_USER	       0x1
#define TP_STATUS_COPY	       0x2
#define TP_STATUS_LOSING       0x4
#define TP_STATUS_CSUMNOTREADY 0x8
#define TP_STATUS_CSUM_VALID   0x80

_Static_assert(sizeof(struct sockaddr_ll) == 20, "sockaddr_ll");
_Static_assert(sizeof(struct packet_mreq) == 16, "packet_mreq");
_Static_assert(sizeof(struct tpacket_auxdata) == 20, "auxdata");
_Static_assert(sizeof(struct tpacket2_hdr) == 32, "tpacket2_hdr");
