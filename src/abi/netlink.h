/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink(7) and rtnetlink(7): headers, attributes, groups.
 */
#pragma once

#include <stdint.h>

#define NETLINK_ROUTE	       0
#define NETLINK_SOCK_DIAG      4
#define NETLINK_KOBJECT_UEVENT 15

struct sockaddr_nl {
	uint16_t family, pad;
	uint32_t pid, groups;
};

struct nlmsghdr {
	uint32_t len;
	uint16_t type, flags;
	uint32_t seq, pid;
};

#define NLM_F_REQUEST  0x1
#define NLM_F_MULTI    0x2
#define NLM_F_ACK      0x4
#define NLM_F_ROOT     0x100
#define NLM_F_MATCH    0x200
#define NLM_F_DUMP     (NLM_F_ROOT | NLM_F_MATCH)
#define NLM_F_REPLACE  0x100
#define NLM_F_EXCL     0x200
#define NLM_F_CREATE   0x400
#define NLM_F_APPEND   0x800
#define NLM_F_CAPPED   0x100 /* of an error */
#define NLM_F_ACK_TLVS 0x200

#define NLMSG_NOOP     1
#define NLMSG_ERROR    2
#define NLMSG_DONE     3
#define NLMSG_MIN_TYPE 16

#define NLMSG_ALIGN(n) (((n) + 3u) & ~3u)

struct nlmsgerr {
	int32_t error;
	struct nlmsghdr msg;
};

#define NLMSGERR_ATTR_MSG 1

struct nlattr {
	uint16_t len, type;
};

#define NLA_TYPE_MASK 0x3fff

#define SOL_NETLINK		 270
#define NETLINK_ADD_MEMBERSHIP	 1
#define NETLINK_DROP_MEMBERSHIP	 2
#define NETLINK_PKTINFO		 3
#define NETLINK_BROADCAST_ERROR	 4
#define NETLINK_NO_ENOBUFS	 5
#define NETLINK_LISTEN_ALL_NSID	 8
#define NETLINK_LIST_MEMBERSHIPS 9
#define NETLINK_CAP_ACK		 10
#define NETLINK_EXT_ACK		 11
#define NETLINK_GET_STRICT_CHK	 12

#define RTM_NEWLINK  16
#define RTM_DELLINK  17
#define RTM_GETLINK  18
#define RTM_SETLINK  19
#define RTM_NEWADDR  20
#define RTM_DELADDR  21
#define RTM_GETADDR  22
#define RTM_NEWROUTE 24
#define RTM_DELROUTE 25
#define RTM_GETROUTE 26
#define RTM_NEWNEIGH 28
#define RTM_DELNEIGH 29
#define RTM_GETNEIGH 30
#define RTM_NEWRULE  32
#define RTM_GETRULE  34

#define RTNLGRP_LINK	    1
#define RTNLGRP_NEIGH	    3
#define RTNLGRP_IPV4_IFADDR 5
#define RTNLGRP_IPV4_ROUTE  7
#define RTNLGRP_IPV6_IFADDR 9
#define RTNLGRP_IPV6_ROUTE  11
#define RTNLGRP_MAX	    36

struct ifinfomsg {
	uint8_t family, pad;
	uint16_t type;
	int32_t index;
	uint32_t flags, change;
};

#define IFLA_ADDRESS	   1
#define IFLA_BROADCAST	   2
#define IFLA_IFNAME	   3
#define IFLA_MTU	   4
#define IFLA_QDISC	   6
#define IFLA_STATS	   7
#define IFLA_TXQLEN	   13
#define IFLA_OPERSTATE	   16
#define IFLA_LINKMODE	   17
#define IFLA_STATS64	   23
#define IFLA_GROUP	   27
#define IFLA_EXT_MASK	   29
#define IFLA_PROMISCUITY   30
#define IFLA_NUM_TX_QUEUES 31
#define IFLA_NUM_RX_QUEUES 32
#define IFLA_CARRIER	   33
#define IFLA_ALT_IFNAME	   53

#define OPER_UNKNOWN 0
#define OPER_DOWN    2
#define OPER_UP	     6

struct ifaddrmsg {
	uint8_t family, prefixlen, flags, scope;
	uint32_t index;
};

#define IFA_ADDRESS   1
#define IFA_LOCAL     2
#define IFA_LABEL     3
#define IFA_BROADCAST 4
#define IFA_CACHEINFO 6
#define IFA_FLAGS     8

#define IFA_F_SECONDARY	 0x01
#define IFA_F_DADFAILED	 0x08
#define IFA_F_DEPRECATED 0x20
#define IFA_F_TENTATIVE	 0x40
#define IFA_F_PERMANENT	 0x80

struct ifa_cacheinfo {
	uint32_t prefered, valid, cstamp, tstamp;
};

struct rtmsg {
	uint8_t family, dst_len, src_len, tos, table, protocol, scope, type;
	uint32_t flags;
};

#define RTA_DST	     1
#define RTA_OIF	     4
#define RTA_GATEWAY  5
#define RTA_PRIORITY 6
#define RTA_PREFSRC  7
#define RTA_TABLE    15

#define RT_TABLE_UNSPEC	  0
#define RT_TABLE_DEFAULT  253
#define RT_TABLE_MAIN	  254
#define RT_TABLE_LOCAL	  255
#define RTN_UNICAST	  1
#define RTN_LOCAL	  2
#define RTPROT_BOOT	  3
#define RT_SCOPE_UNIVERSE 0
#define RT_SCOPE_LINK	  253
#define RT_SCOPE_HOST	  254

struct ndmsg {
	uint8_t family, pad1;
	uint16_t pad2;
	int32_t ifindex;
	uint16_t state;
	uint8_t flags, type;
};

#define NDA_DST	   1
#define NDA_LLADDR 2
#define NTF_ROUTER 0x80

struct fib_rule_hdr {
	uint8_t family, dst_len, src_len, tos, table, res1, res2, action;
	uint32_t flags;
};

#define FRA_PRIORITY	       6
#define FRA_TABLE	       15
#define FRA_SUPPRESS_PREFIXLEN 14
#define FR_ACT_TO_TBL	       1

_Static_assert(sizeof(struct sockaddr_nl) == 12, "sockaddr_nl");
_Static_assert(sizeof(struct nlmsghdr) == 16, "nlmsghdr");
_Static_assert(sizeof(struct nlmsgerr) == 20, "nlmsgerr");
_Static_assert(sizeof(struct ifinfomsg) == 16, "ifinfomsg");
_Static_assert(sizeof(struct ifaddrmsg) == 8, "ifaddrmsg");
_Static_assert(sizeof(struct rtmsg) == 12, "rtmsg");
_Static_assert(sizeof(struct ndmsg) == 12, "ndmsg");
_Static_assert(sizeof(struct fib_rule_hdr) == 12, "fib_rule_hdr");
