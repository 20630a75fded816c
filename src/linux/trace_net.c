/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the arguments of calls on sockets look like in a trace: addresses,
 * messages with their control data, options by name; in strace's words.
 * trace_args.c has the rules.
 */
#include "trace_priv.h"

#include <abi/inet.h>
#include <abi/netlink.h>
#include <abi/packet.h>
#include <abi/socket.h>
#include <abi/time.h>
#include <abi/vsock.h>
#include <base/math.h>
#include <base/string.h>
#include <vm/uaccess.h>

#define DATA_SHOWN    32u /* bytes of what has no better form */
#define ITEMS_SHOWN   8u  /* messages, descriptors */
#define CONTROL_SHOWN 256u

#define put trace_put

struct number {
	int value;
	const char *name;
};

#define N(x)          \
	{             \
		x, #x \
	}

/* The name, or the number in hexadecimal with what it should have been. */
static void
put_number(struct trace_call *c, const struct number *v, size_t n, int value,
	   const char *kind)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].value == value) {
			put(c, "%s", v[i].name);
			return;
		}
	put(c, "%#x /* %s_??? */", (unsigned)value, kind);
}

#define PUT_NUMBER(c, v, value, kind) \
	put_number((c), (v), ARRAY_SIZE(v), (value), (kind))

static uint16_t
net16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
host32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- addresses ---- */

static const struct number families[] = {
	N(AF_UNSPEC),  N(AF_UNIX),   N(AF_INET),  N(AF_INET6),
	N(AF_NETLINK), N(AF_PACKET), N(AF_VSOCK),
};

void
print_family(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	PUT_NUMBER(c, families, (int)v, "AF");
}

static void
put_ip4(struct trace_call *c, const uint8_t *p)
{
	put(c, "inet_addr(\"%u.%u.%u.%u\")", p[0], p[1], p[2], p[3]);
}

/* The longest run of zero words becomes "::". */
static void
put_ip6(struct trace_call *c, const uint8_t *p)
{
	unsigned best = 8, len = 1;

	for (unsigned i = 0; i < 8; i++) {
		unsigned n = 0;

		while (i + n < 8 && !net16(p + 2 * (i + n)))
			n++;
		if (n > len) {
			best = i;
			len = n;
		}
	}
	put(c, "inet_pton(AF_INET6, \"");
	for (unsigned i = 0; i < 8; i++) {
		if (i == best) {
			put(c, "::");
			i += len - 1;
			continue;
		}
		put(c, i && i != best + len ? ":%x" : "%x", net16(p + 2 * i));
	}
	put(c, "\", &sin6_addr)");
}

static void
put_unix(struct trace_call *c, const char *path, size_t len)
{
	bool abstract;

	if (!len)
		return;
	abstract = !path[0];
	put(c, abstract ? ", sun_path=@" : ", sun_path=");
	trace_put_bytes(c, path + abstract,
			abstract ? len - 1 : strnlen(path, len));
}

static void
put_vsock(struct trace_call *c, const uint8_t *a)
{
	static const char *const cids[] = { "HYPERVISOR", "LOCAL", "HOST" };
	uint32_t port = host32(a + 4), cid = host32(a + 8);

	put(c, ", svm_cid=");
	if (cid < ARRAY_SIZE(cids) || cid == VMADDR_CID_ANY)
		put(c, "VMADDR_CID_%s",
		    cid == VMADDR_CID_ANY ? "ANY" : cids[cid]);
	else
		put(c, "%#x", cid);
	put(c,
	    port == VMADDR_PORT_ANY ? ", svm_port=VMADDR_PORT_ANY" :
				      ", svm_port=%#x",
	    port);
	put(c, ", svm_flags=%u", a[12]);
}

/* len bytes at a, of the kernel's. */
static void
put_sockaddr(struct trace_call *c, const uint8_t *a, size_t len)
{
	uint16_t family;

	memcpy(&family, a, sizeof(family));
	put(c, "{sa_family=");
	print_family(c, family, 0, 0);
	if (family == AF_UNIX) {
		put_unix(c, (const char *)a + 2, len - 2);
	} else if (family == AF_INET && len >= 16) {
		put(c, ", sin_port=htons(%u), sin_addr=", net16(a + 2));
		put_ip4(c, a + 4);
	} else if (family == AF_INET6 && len >= SOCKADDR_IN6_MIN) {
		put(c, ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), ",
		    net16(a + 2), (unsigned)net16(a + 4) << 16 | net16(a + 6));
		put_ip6(c, a + 8);
		if (len >= 28)
			put(c, ", sin6_scope_id=%u", host32(a + 24));
	} else if (family == AF_NETLINK && len >= 12) {
		put(c, ", nl_pid=%u, nl_groups=%#08x", host32(a + 4),
		    host32(a + 8));
	} else if (family == AF_PACKET && len >= 12) {
		put(c, ", sll_protocol=htons(%#x), sll_ifindex=%u",
		    net16(a + 2), host32(a + 4));
	} else if (family == AF_VSOCK && len >= sizeof(struct sockaddr_vm)) {
		put_vsock(c, a);
	} else if (len > 2) {
		put(c, ", sa_data=");
		trace_put_bytes(c, (const char *)a + 2,
				min_size(len - 2, DATA_SHOWN));
	}
	put(c, "}");
}

void
print_sockaddr(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	uint8_t a[sizeof(struct sockaddr_un)];
	size_t len = min_size((uint32_t)next, sizeof(a));

	(void)ret;
	if (len < 2)
		put(c, v ? "%#llx" : "NULL", (unsigned long long)v);
	else if (trace_get(c, v, a, len))
		put_sockaddr(c, a, len);
}

/* The next argument points to the length that the call has set. */
void
print_osockaddr(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	uint32_t len;

	if (ret < 0 || !v ||
	    copy_from_user(&len, (const void __user *)next, sizeof(len)))
		put(c, v ? "%#llx" : "NULL", (unsigned long long)v);
	else
		print_sockaddr(c, v, ret, len);
}

void
print_socklen(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	uint32_t len;

	(void)ret, (void)next;
	if (trace_get(c, v, &len, sizeof(len)))
		put(c, "[%u]", len);
}

void
print_acceptflags(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	unsigned left = (unsigned)v & ~(unsigned)(SOCK_CLOEXEC | SOCK_NONBLOCK);
	const char *bar = "";

	(void)ret, (void)next;
	if (v & SOCK_CLOEXEC) {
		put(c, "SOCK_CLOEXEC");
		bar = "|";
	}
	if (v & SOCK_NONBLOCK) {
		put(c, "%sSOCK_NONBLOCK", bar);
		bar = "|";
	}
	if (left || !v)
		put(c, v ? "%s%#x" : "%s%u", bar, left);
}

/* ---- protocols ---- */

static const struct number ip_protocols[] = {
	{ 0, "IPPROTO_IP" },	  { 1, "IPPROTO_ICMP" },
	{ 6, "IPPROTO_TCP" },	  { 17, "IPPROTO_UDP" },
	{ 58, "IPPROTO_ICMPV6" }, { 136, "IPPROTO_UDPLITE" },
	{ 255, "IPPROTO_RAW" },
};

static const struct number nl_protocols[] = {
	N(NETLINK_ROUTE),	   { 4, "NETLINK_SOCK_DIAG" },
	{ 9, "NETLINK_AUDIT" },	   N(NETLINK_KOBJECT_UEVENT),
	{ 16, "NETLINK_GENERIC" },
};

/* The family is the call's first argument. */
void
print_soproto(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	switch ((int)c->a[0]) {
	case AF_INET:
	case AF_INET6:
		PUT_NUMBER(c, ip_protocols, (int)v, "IPPROTO");
		break;
	case AF_NETLINK:
		PUT_NUMBER(c, nl_protocols, (int)v, "NETLINK");
		break;
	case AF_PACKET:
		put(c, "htons(%#x)",
		    (unsigned)(v >> 8 & 0xff) | (unsigned)(v & 0xff) << 8);
		break;
	default:
		put(c, "%d", (int)v);
	}
}

/* ---- options ---- */

#define SOL_IP	 0
#define SOL_TCP	 6
#define SOL_UDP	 17
#define SOL_IPV6 41
#define SOL_RAW	 255

static const struct number levels[] = {
	N(SOL_SOCKET), N(SOL_IP),  N(SOL_TCP),	  N(SOL_UDP),
	N(SOL_IPV6),   N(SOL_RAW), N(SOL_PACKET), N(SOL_NETLINK),
};

static const struct number so_names[] = {
	N(SO_DEBUG),
	N(SO_REUSEADDR),
	N(SO_TYPE),
	N(SO_ERROR),
	N(SO_DONTROUTE),
	N(SO_BROADCAST),
	N(SO_SNDBUF),
	N(SO_RCVBUF),
	N(SO_KEEPALIVE),
	N(SO_OOBINLINE),
	N(SO_NO_CHECK),
	N(SO_PRIORITY),
	N(SO_LINGER),
	N(SO_BSDCOMPAT),
	N(SO_REUSEPORT),
	N(SO_PASSCRED),
	N(SO_PEERCRED),
	N(SO_RCVLOWAT),
	N(SO_SNDLOWAT),
	{ SO_RCVTIMEO, "SO_RCVTIMEO_OLD" },
	{ SO_SNDTIMEO, "SO_SNDTIMEO_OLD" },
	N(SO_BINDTODEVICE),
	N(SO_ATTACH_FILTER),
	N(SO_DETACH_FILTER),
	N(SO_PEERNAME),
	{ SO_TIMESTAMP, "SO_TIMESTAMP_OLD" },
	N(SO_ACCEPTCONN),
	N(SO_PEERSEC),
	N(SO_SNDBUFFORCE),
	N(SO_RCVBUFFORCE),
	N(SO_PASSSEC),
	{ SO_TIMESTAMPNS, "SO_TIMESTAMPNS_OLD" },
	N(SO_MARK),
	{ SO_TIMESTAMPING, "SO_TIMESTAMPING_OLD" },
	N(SO_PROTOCOL),
	N(SO_DOMAIN),
	N(SO_RXQ_OVFL),
	N(SO_PEEK_OFF),
	N(SO_LOCK_FILTER),
	N(SO_SELECT_ERR_QUEUE),
	N(SO_BUSY_POLL),
	N(SO_MAX_PACING_RATE),
	N(SO_BPF_EXTENSIONS),
	N(SO_INCOMING_CPU),
	N(SO_MEMINFO),
	N(SO_INCOMING_NAPI_ID),
	N(SO_COOKIE),
	N(SO_PEERGROUPS),
	N(SO_ZEROCOPY),
	N(SO_BINDTOIFINDEX),
	N(SO_TIMESTAMP_NEW),
	N(SO_TIMESTAMPNS_NEW),
	N(SO_RCVTIMEO_NEW),
	N(SO_SNDTIMEO_NEW),
	N(SO_PASSPIDFD),
	N(SO_PEERPIDFD),
};

static const struct number tcp_names[] = {
	N(TCP_NODELAY),	     N(TCP_MAXSEG),	   N(TCP_CORK),
	N(TCP_KEEPIDLE),     N(TCP_KEEPINTVL),	   N(TCP_KEEPCNT),
	N(TCP_SYNCNT),	     N(TCP_LINGER2),	   N(TCP_DEFER_ACCEPT),
	N(TCP_WINDOW_CLAMP), N(TCP_INFO),	   N(TCP_QUICKACK),
	N(TCP_CONGESTION),   N(TCP_USER_TIMEOUT),  N(TCP_FASTOPEN),
	N(TCP_TIMESTAMP),    N(TCP_NOTSENT_LOWAT), N(TCP_INQ),
};

static const struct number ip_names[] = {
	N(IP_TOS),
	N(IP_TTL),
	N(IP_HDRINCL),
	N(IP_OPTIONS),
	N(IP_RETOPTS),
	N(IP_PKTINFO),
	N(IP_MTU_DISCOVER),
	N(IP_RECVERR),
	N(IP_RECVTTL),
	N(IP_RECVTOS),
	N(IP_MTU),
	N(IP_FREEBIND),
	N(IP_TRANSPARENT),
	N(IP_RECVORIGDSTADDR),
	N(IP_NODEFRAG),
	N(IP_BIND_ADDRESS_NO_PORT),
	N(IP_MULTICAST_IF),
	N(IP_MULTICAST_TTL),
	N(IP_MULTICAST_LOOP),
	N(IP_ADD_MEMBERSHIP),
	N(IP_DROP_MEMBERSHIP),
	N(MCAST_JOIN_GROUP),
	N(MCAST_LEAVE_GROUP),
	N(IP_MULTICAST_ALL),
	N(IP_UNICAST_IF),
};

static const struct number ip6_names[] = {
	N(IPV6_UNICAST_HOPS),	N(IPV6_MULTICAST_IF),
	N(IPV6_MULTICAST_HOPS), N(IPV6_MULTICAST_LOOP),
	N(IPV6_ADD_MEMBERSHIP), N(IPV6_DROP_MEMBERSHIP),
	N(IPV6_MTU_DISCOVER),	N(IPV6_MTU),
	N(IPV6_RECVERR),	N(IPV6_V6ONLY),
	N(IPV6_MULTICAST_ALL),	N(IPV6_RECVPKTINFO),
	N(IPV6_PKTINFO),	N(IPV6_RECVHOPLIMIT),
	N(IPV6_HOPLIMIT),	N(IPV6_RECVTCLASS),
	N(IPV6_TCLASS),		N(IPV6_FREEBIND),
	N(MCAST_JOIN_GROUP),	N(MCAST_LEAVE_GROUP),
};

static const struct number netlink_names[] = {
	N(NETLINK_ADD_MEMBERSHIP),
	N(NETLINK_DROP_MEMBERSHIP),
	N(NETLINK_PKTINFO),
	N(NETLINK_BROADCAST_ERROR),
	N(NETLINK_NO_ENOBUFS),
	N(NETLINK_LISTEN_ALL_NSID),
	N(NETLINK_LIST_MEMBERSHIPS),
	N(NETLINK_CAP_ACK),
	N(NETLINK_EXT_ACK),
	{ NETLINK_GET_STRICT_CHK, "NETLINK_GET_STRICT_CHK" },
};

static const struct number packet_names[] = {
	N(PACKET_ADD_MEMBERSHIP),  N(PACKET_DROP_MEMBERSHIP),
	N(PACKET_RX_RING),	   N(PACKET_STATISTICS),
	N(PACKET_AUXDATA),	   N(PACKET_VERSION),
	N(PACKET_HDRLEN),	   N(PACKET_RESERVE),
	N(PACKET_IGNORE_OUTGOING),
};

void
print_solevel(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	PUT_NUMBER(c, levels, (int)v, "SOL");
}

static void
put_option(struct trace_call *c, int level, int name)
{
	switch (level) {
	case SOL_SOCKET:
		PUT_NUMBER(c, so_names, name, "SO");
		break;
	case SOL_TCP:
		PUT_NUMBER(c, tcp_names, name, "TCP");
		break;
	case SOL_IP:
		PUT_NUMBER(c, ip_names, name, "IP");
		break;
	case SOL_IPV6:
		PUT_NUMBER(c, ip6_names, name, "IPV6");
		break;
	case SOL_NETLINK:
		PUT_NUMBER(c, netlink_names, name, "NETLINK");
		break;
	case SOL_PACKET:
		PUT_NUMBER(c, packet_names, name, "PACKET");
		break;
	default:
		put(c, "%#x", (unsigned)name);
	}
}

/* fd, level, name, value, length: of both calls. */
void
print_soname(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	put_option(c, (int)c->a[1], (int)v);
}

static bool
put_known(struct trace_call *c, const uint8_t *v, uint32_t len)
{
	int name = (int)c->a[2];
	struct timeval tv;
	struct linger l;
	struct ucred u;

	if ((int)c->a[1] != SOL_SOCKET)
		return false;
	switch (name) {
	case SO_LINGER:
		if (len < sizeof(l))
			return false;
		memcpy(&l, v, sizeof(l));
		put(c, "{l_onoff=%d, l_linger=%d}", l.onoff, l.linger);
		return true;
	case SO_PEERCRED:
		if (len < sizeof(u))
			return false;
		memcpy(&u, v, sizeof(u));
		put(c, "{pid=%d, uid=%u, gid=%u}", u.pid, u.uid, u.gid);
		return true;
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
	case SO_RCVTIMEO_NEW:
	case SO_SNDTIMEO_NEW:
		if (len < sizeof(tv))
			return false;
		memcpy(&tv, v, sizeof(tv));
		put(c, "{tv_sec=%lld, tv_usec=%lld}", (long long)tv.tv_sec,
		    (long long)tv.tv_usec);
		return true;
	default:
		return false;
	}
}

/* A number where it has a number's length, else bytes. */
static void
put_value(struct trace_call *c, uint64_t v, uint32_t len)
{
	uint8_t buf[DATA_SHOWN] = { 0 };
	uint32_t n = (uint32_t)min_u64(len, sizeof(buf));
	int number;

	if (!len) {
		put(c, v ? "\"\"" : "NULL");
		return;
	}
	if (!trace_get(c, v, buf, n) || put_known(c, buf, n))
		return;
	if (len == sizeof(number)) {
		memcpy(&number, buf, sizeof(number));
		put(c, "[%d]", number);
		return;
	}
	trace_put_bytes(c, (const char *)buf, n);
	if (len > n)
		put(c, "...");
}

void
print_sovalue(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret;
	put_value(c, v, (uint32_t)next);
}

void
print_osovalue(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	uint32_t len;

	if (ret < 0 ||
	    copy_from_user(&len, (const void __user *)next, sizeof(len)))
		put(c, v ? "%#llx" : "NULL", (unsigned long long)v);
	else
		put_value(c, v, len);
}

/* ---- messages ---- */

static void
put_fds(struct trace_call *c, const uint8_t *p, size_t len)
{
	put(c, "[");
	for (size_t i = 0; i < len / sizeof(int); i++) {
		put(c, i ? ", " : "");
		if (i == ITEMS_SHOWN) {
			put(c, "...");
			break;
		}
		put(c, "%d", (int)host32(p + i * sizeof(int)));
	}
	put(c, "]");
}

static void
put_cmsg(struct trace_call *c, const struct cmsghdr *h, const uint8_t *p,
	 size_t len)
{
	struct ucred u;

	put(c, "{cmsg_len=%llu, cmsg_level=", (unsigned long long)h->len);
	print_solevel(c, (uint64_t)h->level, 0, 0);
	put(c, ", cmsg_type=");
	if (h->level == SOL_SOCKET && h->type == SCM_RIGHTS) {
		put(c, "SCM_RIGHTS, cmsg_data=");
		put_fds(c, p, len);
	} else if (h->level == SOL_SOCKET && h->type == SCM_CREDENTIALS &&
		   len >= sizeof(u)) {
		memcpy(&u, p, sizeof(u));
		put(c, "SCM_CREDENTIALS, cmsg_data={pid=%d, uid=%u, gid=%u}",
		    u.pid, u.uid, u.gid);
	} else {
		put_option(c, h->level, h->type);
		put(c, ", cmsg_data=");
		trace_put_bytes(c, (const char *)p, min_size(len, DATA_SHOWN));
	}
	put(c, "}");
}

static void
put_control(struct trace_call *c, const struct user_msghdr *m)
{
	uint8_t buf[CONTROL_SHOWN];
	size_t len = min_size(m->controllen, sizeof(buf)), at = 0;

	if (!m->control || !len)
		goto out;
	put(c, ", msg_control=");
	if (!trace_get(c, m->control, buf, len))
		goto out;
	put(c, "[");
	while (len - at >= sizeof(struct cmsghdr)) {
		struct cmsghdr h;

		memcpy(&h, buf + at, sizeof(h));
		if (h.len < sizeof(h))
			break;
		put(c, at ? ", " : "");
		put_cmsg(c, &h, buf + at + sizeof(h),
			 min_size(h.len, len - at) - sizeof(h));
		at += min_size(CMSG_ALIGN(min_u64(h.len, CONTROL_SHOWN)),
			       len - at);
	}
	put(c, at < len ? ", ...]" : "]");
out:
	put(c, ", msg_controllen=%llu", (unsigned long long)m->controllen);
}

/* total: bytes that went by. */
static void
put_msghdr(struct trace_call *c, const struct user_msghdr *m, uint64_t total)
{
	put(c, "{msg_name=");
	print_sockaddr(c, m->name, 0, m->namelen);
	put(c, ", msg_namelen=%u, msg_iov=", m->namelen);
	trace_put_iov(c, m->iov, m->iovlen, total);
	put(c, ", msg_iovlen=%llu", (unsigned long long)m->iovlen);
	put_control(c, m);
	put(c, ", msg_flags=");
	print_msgflags(c, m->flags, 0, 0);
	put(c, "}");
}

void
print_msghdr(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct user_msghdr m;

	(void)ret, (void)next;
	if (trace_get(c, v, &m, sizeof(m)))
		put_msghdr(c, &m, UINT64_MAX);
}

void
print_omsghdr(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct user_msghdr m;

	(void)next;
	if (!trace_get(c, v, &m, sizeof(m)))
		return;
	if (ret < 0)
		put(c, "{msg_namelen=%u}", m.namelen);
	else
		put_msghdr(c, &m, (uint64_t)ret);
}

/* Of n messages; out: with the bytes that each has had. */
static void
put_messages(struct trace_call *c, uint64_t v, uint64_t n, bool out)
{
	put(c, "[");
	for (uint64_t i = 0; i < n; i++) {
		struct mmsghdr m;

		put(c, i ? ", " : "");
		if (i == ITEMS_SHOWN) {
			put(c, "...");
			break;
		}
		if (!trace_get(c, v + i * sizeof(m), &m, sizeof(m)))
			break;
		put(c, "{msg_hdr=");
		put_msghdr(c, &m.hdr, out ? m.len : UINT64_MAX);
		put(c, out ? ", msg_len=%u}" : "}", m.len);
	}
	put(c, "]");
}

/* After the call, as its lengths are of interest; what failed is shown as
 * it was meant, by its first. */
void
print_mmsg(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	if (!v)
		put(c, "NULL");
	else if (ret < 0)
		put_messages(c, v, min_u64((uint32_t)next, 1), false);
	else
		put_messages(c, v, (uint64_t)ret, true);
}
