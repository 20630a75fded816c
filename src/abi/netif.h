/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces as programs see them: flags, and the ioctls of netdevice(7).
 */
#pragma once

#include <stdint.h>

#define IFF_UP		0x1u
#define IFF_BROADCAST	0x2u
#define IFF_LOOPBACK	0x8u
#define IFF_POINTOPOINT 0x10u
#define IFF_RUNNING	0x40u
#define IFF_NOARP	0x80u
#define IFF_PROMISC	0x100u
#define IFF_ALLMULTI	0x200u
#define IFF_MULTICAST	0x1000u
#define IFF_LOWER_UP	0x10000u
#define IFF_DORMANT	0x20000u
/* What the kernel says and nobody sets: a request may have it either way. */
#define IFF_VOLATILE                                                    \
	(IFF_BROADCAST | IFF_LOOPBACK | IFF_POINTOPOINT | IFF_RUNNING | \
	 IFF_LOWER_UP | IFF_DORMANT)

#define IFNAMSIZ 16

#define ARPHRD_ETHER	1
#define ARPHRD_LOOPBACK 772

struct ifreq {
	char name[IFNAMSIZ];
	union {
		uint8_t addr[16]; /* a sockaddr */
		int16_t flags;
		int32_t value; /* index, MTU, metric, queue's length */
		uint64_t map[3];
		char newname[IFNAMSIZ];
		uint64_t data;
	} u;
};

struct ifconf {
	int32_t len, pad;
	uint64_t buf;
};

#define SIOC_TYPE      0x89 /* bits 8 to 15 of them all */
#define SIOCADDRT      0x890b
#define SIOCDELRT      0x890c
#define SIOCGIFNAME    0x8910
#define SIOCGIFCONF    0x8912
#define SIOCGIFFLAGS   0x8913
#define SIOCSIFFLAGS   0x8914
#define SIOCGIFADDR    0x8915
#define SIOCSIFADDR    0x8916
#define SIOCGIFDSTADDR 0x8917
#define SIOCSIFDSTADDR 0x8918
#define SIOCGIFBRDADDR 0x8919
#define SIOCSIFBRDADDR 0x891a
#define SIOCGIFNETMASK 0x891b
#define SIOCSIFNETMASK 0x891c
#define SIOCGIFMETRIC  0x891d
#define SIOCGIFMTU     0x8921
#define SIOCSIFMTU     0x8922
#define SIOCSIFNAME    0x8923
#define SIOCSIFHWADDR  0x8924
#define SIOCGIFHWADDR  0x8927
#define SIOCGIFINDEX   0x8933
#define SIOCGIFTXQLEN  0x8942
#define SIOCSIFTXQLEN  0x8943
#define SIOCETHTOOL    0x8946
#define SIOCGIFMAP     0x8970
#define SIOCDEVPRIVATE 0x89f0 /* and 15 more */

/* Of the old form of routes (SIOCADDRT). */
#define RTF_UP	    0x1
#define RTF_GATEWAY 0x2
#define RTF_HOST    0x4

struct rtentry {
	uint64_t pad1;
	uint8_t dst[16], gateway[16], genmask[16]; /* sockaddrs */
	uint16_t flags;
	int16_t pad2;
	uint32_t pad2b;
	uint64_t pad3, pad4; /* tos, class */
	int16_t metric, pad5[3];
	uint64_t dev; /* a program's address of a name */
	uint64_t mtu, window;
	uint16_t irtt, pad6[3];
};

_Static_assert(sizeof(struct ifreq) == 40, "ifreq");
_Static_assert(sizeof(struct ifconf) == 16, "ifconf");
_Static_assert(sizeof(struct rtentry) == 120, "rtentry");
