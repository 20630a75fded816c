/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets: families, types, options, message structures (socket(2),
 * socket(7), unix(7), cmsg(3)), as x86-64 and aarch64 Linux have them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define AF_UNSPEC  0
#define AF_UNIX	   1
#define AF_INET	   2
#define AF_INET6   10
#define AF_NETLINK 16
#define AF_PACKET  17
#define AF_VSOCK   40
#define AF_MAX	   46

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5
#define SOCK_PACKET    10
#define SOCK_MAX       11
#define SOCK_TYPE_MASK 0xf
#define SOCK_NONBLOCK  04000
#define SOCK_CLOEXEC   02000000

#define SHUT_RD	  0
#define SHUT_WR	  1
#define SHUT_RDWR 2

#define SOMAXCONN 4096

#define MSG_OOB		 0x1
#define MSG_PEEK	 0x2
#define MSG_DONTROUTE	 0x4
#define MSG_CTRUNC	 0x8
#define MSG_TRUNC	 0x20
#define MSG_DONTWAIT	 0x40
#define MSG_EOR		 0x80
#define MSG_WAITALL	 0x100
#define MSG_CONFIRM	 0x800
#define MSG_ERRQUEUE	 0x2000
#define MSG_NOSIGNAL	 0x4000
#define MSG_MORE	 0x8000
#define MSG_WAITFORONE	 0x10000
#define MSG_ZEROCOPY	 0x4000000
#define MSG_FASTOPEN	 0x20000000
#define MSG_CMSG_CLOEXEC 0x40000000
#define MSG_CMSG_COMPAT	 0x80000000u

#define SOL_SOCKET		      1
#define SO_DEBUG		      1
#define SO_REUSEADDR		      2
#define SO_TYPE			      3
#define SO_ERROR		      4
#define SO_DONTROUTE		      5
#define SO_BROADCAST		      6
#define SO_SNDBUF		      7
#define SO_RCVBUF		      8
#define SO_KEEPALIVE		      9
#define SO_OOBINLINE		      10
#define SO_NO_CHECK		      11
#define SO_PRIORITY		      12
#define SO_LINGER		      13
#define SO_BSDCOMPAT		      14
#define SO_REUSEPORT		      15
#define SO_PASSCRED		      16
#define SO_PEERCRED		      17
#define SO_RCVLOWAT		      18
#define SO_SNDLOWAT		      19
#define SO_RCVTIMEO		      20
#define SO_SNDTIMEO		      21
#define SO_BINDTODEVICE		      25
#define SO_ATTACH_FILTER	      26 /* getsockopt: SO_GET_FILTER */
#define SO_DETACH_FILTER	      27
#define SO_PEERNAME		      28
#define SO_TIMESTAMP		      29
#define SO_ACCEPTCONN		      30
#define SO_PEERSEC		      31
#define SO_SNDBUFFORCE		      32
#define SO_RCVBUFFORCE		      33
#define SO_PASSSEC		      34
#define SO_TIMESTAMPNS		      35
#define SO_MARK			      36
#define SO_TIMESTAMPING		      37
#define SOF_TIMESTAMPING_TX_HARDWARE  (1 << 0)
#define SOF_TIMESTAMPING_RX_HARDWARE  (1 << 2)
#define SOF_TIMESTAMPING_RX_SOFTWARE  (1 << 3)
#define SOF_TIMESTAMPING_SOFTWARE     (1 << 4)
#define SOF_TIMESTAMPING_SYS_HARDWARE (1 << 5)
#define SOF_TIMESTAMPING_RAW_HARDWARE (1 << 6)
#define SO_PROTOCOL		      38
#define SO_DOMAIN		      39
#define SO_RXQ_OVFL		      40
#define SO_PEEK_OFF		      42
#define SO_LOCK_FILTER		      44
#define SO_ATTACH_REUSEPORT_CBPF      51
#define SO_DETACH_REUSEPORT_BPF	      68
#define SO_SELECT_ERR_QUEUE	      45
#define SO_BUSY_POLL		      46
#define SO_MAX_PACING_RATE	      47
#define SO_BPF_EXTENSIONS	      48
#define SO_INCOMING_CPU		      49
#define SO_MEMINFO		      55
#define SO_INCOMING_NAPI_ID	      56
#define SO_COOKIE		      57
#define SO_PEERGROUPS		      59
#define SO_ZEROCOPY		      60
#define SO_BINDTOIFINDEX	      62
#define SO_TIMESTAMP_NEW	      63
#define SO_TIMESTAMPNS_NEW	      64
#define SO_RCVTIMEO_NEW		      66
#define SO_SNDTIMEO_NEW		      67
#define SO_PASSPIDFD		      76
#define SO_PEERPIDFD		      77

#define SCM_RIGHTS	1
#define SCM_CREDENTIALS 2
#define SCM_MAX_FD	253

#define UNIX_PATH_MAX 108

struct sockaddr_un {
	uint16_t family;
	char path[UNIX_PATH_MAX];
};

struct ucred {
	int32_t pid;
	uint32_t uid, gid;
};

struct linger {
	int32_t onoff, linger; /* seconds */
};

struct user_msghdr {
	uint64_t name;
	uint32_t namelen, pad0;
	uint64_t iov, iovlen;
	uint64_t control, controllen;
	uint32_t flags, pad1;
};

struct mmsghdr {
	struct user_msghdr hdr;
	uint32_t len, pad;
};

struct cmsghdr {
	uint64_t len;
	int32_t level, type;
};

/* Classic BPF (SO_ATTACH_FILTER). */
struct sock_filter {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

struct sock_fprog {
	uint16_t len, pad[3];
	uint64_t filter; /* a program's address */
};

#define BPF_MAXINSNS 4096

#define CMSG_ALIGN(n) (((n) + 7) & ~(uint64_t)7)

/* ioctls that every socket has (socket(7)) */
#define FIOSETOWN    0x8901
#define SIOCSPGRP    0x8902
#define FIOGETOWN    0x8903
#define SIOCGPGRP    0x8904
#define SIOCATMARK   0x8905
#define SIOCGSTAMP   0x8906
#define SIOCGSTAMPNS 0x8907
#define SIOCINQ	     0x541b
#define SIOCOUTQ     0x5411
#define SIOCOUTQNSD  0x894b

_Static_assert(sizeof(struct user_msghdr) == 56, "msghdr");
_Static_assert(sizeof(struct mmsghdr) == 64, "mmsghdr");
_Static_assert(sizeof(struct cmsghdr) == 16, "cmsghdr");
_Static_assert(sizeof(struct sockaddr_un) == 110, "sockaddr_un");
_Static_assert(sizeof(struct sock_filter) == 8, "sock_filter");
_Static_assert(sizeof(struct sock_fprog) == 16, "sock_fprog");
