/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: netlink sockets: names, requests about the loopback interface, errors
 * and acknowledgements, options, hostile requests; the ioctls on interfaces;
 * changes that make no sense.  NEEDS: root
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static char buf[65536];

static const char *
ok(long r)
{
	return r < 0 ? strerrorname_np(errno) : "ok";
}

static void
sockets(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK }, b;
	int fd, other, v;
	socklen_t len;

	show("stream", socket(AF_NETLINK, SOCK_STREAM, 0));
	show("protocol -1", socket(AF_NETLINK, SOCK_RAW, -1));
	show("protocol 32", socket(AF_NETLINK, SOCK_RAW, 32));
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	other = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
	show("short bind", bind(fd, (struct sockaddr *)&a, 11));
	a.nl_family = AF_INET;
	show("family", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	a.nl_family = AF_NETLINK;
	show("bind", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(b);
	getsockname(fd, (struct sockaddr *)&b, &len);
	printf("own id %d, groups %u, length %u\n",
	       b.nl_pid == (unsigned)getpid(), b.nl_groups, len);
	a.nl_pid = b.nl_pid;
	show("taken", bind(other, (struct sockaddr *)&a, sizeof(a)));
	a.nl_pid = 0;
	a.nl_groups = 1;
	show("another", bind(other, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(b);
	getsockname(other, (struct sockaddr *)&b, &len);
	printf("own id %d, groups %u\n", b.nl_pid == (unsigned)getpid(),
	       b.nl_groups);
	a.nl_pid = b.nl_pid + 1;
	show("other id", bind(other, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(b);
	show("peer", getpeername(fd, (struct sockaddr *)&b, &len));
	printf("peer %u %u %u\n", b.nl_family, b.nl_pid, b.nl_groups);
	v = RTNLGRP_IPV6_IFADDR;
	show("join",
	     setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &v, 4));
	len = sizeof(b);
	getsockname(fd, (struct sockaddr *)&b, &len);
	printf("groups %x\n", b.nl_groups);
	show("leave",
	     setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &v, 4));
	v = 0;
	show("join 0",
	     setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &v, 4));
	v = 1000;
	show("join 1000",
	     setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &v, 4));
	for (int o = NETLINK_PKTINFO; o <= NETLINK_GET_STRICT_CHK; o++) {
		if (o > 5 && o < 10)
			continue;
		v = 1;
		printf("option %d: %s", o,
		       ok(setsockopt(fd, SOL_NETLINK, o, &v, 4)));
		v = 9;
		len = 4;
		printf(" %s", ok(getsockopt(fd, SOL_NETLINK, o, &v, &len)));
		printf(" %d\n", v);
	}
	show("option 99", setsockopt(fd, SOL_NETLINK, 99, &v, 4));
	show("short", setsockopt(fd, SOL_NETLINK, NETLINK_PKTINFO, &v, 2));
	show("listen", listen(fd, 1));
	show("accept", accept(fd, NULL, NULL));
	show("shutdown", shutdown(fd, 2));
	show("nothing", recv(fd, buf, 100, MSG_DONTWAIT));
	show("oob", send(fd, buf, 1, MSG_OOB));
	close(fd);
	close(other);
	show("pair", socketpair(AF_NETLINK, SOCK_RAW, 0, &v));
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
	a.nl_pid = 0;
	a.nl_groups = 1;
	show("uevent", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	show("uevent", recv(fd, buf, 100, MSG_DONTWAIT));
	close(fd);
}

struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route;
		char bytes[64];
	} u;
};

static void
ask(int fd, struct request *r, int type, int flags, size_t size)
{
	r->h.nlmsg_len = (unsigned)(sizeof(r->h) + size);
	r->h.nlmsg_type = (unsigned short)type;
	r->h.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags);
	r->h.nlmsg_seq = 77;
	if (send(fd, r, r->h.nlmsg_len, 0) < 0)
		printf("send: %s\n", strerrorname_np(errno));
}

/* The answers: types, and what they say of interface 1. */
static void
answers(const char *what, int fd)
{
	ssize_t n;
	int done = 0;

	while (!done && (n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		struct nlmsghdr *h = (void *)buf;

		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			struct nlmsgerr *e = NLMSG_DATA(h);
			struct ifinfomsg *l = NLMSG_DATA(h);
			struct ifaddrmsg *a = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_ERROR) {
				printf("%s: error %s flags %x of %u\n", what,
				       e->error ? strerrorname_np(-e->error) :
						  "0",
				       h->nlmsg_flags & 0x100,
				       e->msg.nlmsg_type);
			} else if (h->nlmsg_type == NLMSG_DONE) {
				printf("%s: done %x\n", what, h->nlmsg_flags);
				done = 1;
			} else if (h->nlmsg_type == RTM_NEWLINK &&
				   l->ifi_index == 1) {
				printf("%s: link 1 type %u flags %x seq %u\n",
				       what, l->ifi_type,
				       l->ifi_flags & (IFF_UP | IFF_LOOPBACK |
						       IFF_RUNNING),
				       h->nlmsg_seq);
			} else if (h->nlmsg_type == RTM_NEWADDR &&
				   a->ifa_index == 1) {
				printf("%s: address family %u prefix %u "
				       "scope %u\n",
				       what, a->ifa_family, a->ifa_prefixlen,
				       a->ifa_scope);
			}
		}
	}
}

static void
requests(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), v = 1;
	struct request r;

	memset(&r, 0, sizeof(r));
	ask(fd, &r, RTM_GETLINK, NLM_F_DUMP, sizeof(r.u.link));
	answers("links", fd);
	memset(&r, 0, sizeof(r));
	r.u.addr.ifa_family = AF_INET;
	ask(fd, &r, RTM_GETADDR, NLM_F_DUMP, sizeof(r.u.addr));
	answers("addresses", fd);
	memset(&r, 0, sizeof(r));
	r.u.link.ifi_index = 1;
	ask(fd, &r, RTM_GETLINK, 0, sizeof(r.u.link));
	answers("link 1", fd);
	ask(fd, &r, RTM_GETLINK, NLM_F_ACK, sizeof(r.u.link));
	answers("link 1", fd);
	answers("acknowledged", fd);
	r.u.link.ifi_index = 9999;
	ask(fd, &r, RTM_GETLINK, 0, sizeof(r.u.link));
	answers("link 9999", fd);
	r.u.link.ifi_index = 0;
	ask(fd, &r, RTM_GETLINK, 0, sizeof(r.u.link));
	answers("link 0", fd);
	ask(fd, &r, RTM_GETLINK, 0, 8);
	answers("short link", fd);
	ask(fd, &r, 15, NLM_F_ACK, 16);
	answers("type 15", fd);
	ask(fd, &r, NLMSG_NOOP, NLM_F_ACK, 0);
	answers("noop", fd);
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &v, sizeof(v));
	r.u.link.ifi_index = 9999;
	ask(fd, &r, RTM_GETLINK, 0, sizeof(r.u.link));
	answers("capped", fd);
	/* Lengths that lie. */
	r.h.nlmsg_len = 1000;
	show("too long", send(fd, &r, 32, 0));
	answers("too long", fd);
	r.h.nlmsg_len = 3;
	show("too short", send(fd, &r, 32, 0));
	answers("too short", fd);
	show("8 bytes", send(fd, &r, 8, 0));
	show("bad", send(fd, BAD, 20, 0));
	/* Two in one. */
	memset(&r, 0, sizeof(r));
	memset(buf, 0, 100);
	r.h.nlmsg_len = 32;
	r.h.nlmsg_type = RTM_GETLINK;
	r.h.nlmsg_flags = NLM_F_REQUEST;
	r.h.nlmsg_seq = 1;
	r.u.link.ifi_index = 1;
	memcpy(buf, &r, 32);
	r.h.nlmsg_seq = 2;
	memcpy(buf + 32, &r, 32);
	show("two", send(fd, buf, 64, 0));
	answers("two", fd);
	/* Cut, with the whole length told. */
	ask(fd, &r, RTM_GETLINK, 0, sizeof(r.u.link));
	v = (int)recv(fd, buf, 10, MSG_PEEK | MSG_TRUNC);
	printf("peek more than 10: %d\n", v > 10);
	printf("cut %s\n", ok(recv(fd, buf, 10, 0)));
	show("gone", recv(fd, buf, 10, MSG_DONTWAIT));
	close(fd);
}

static void
libc(void)
{
	struct if_nameindex *list = if_nameindex();
	struct ifaddrs *a, *i;
	char name[IF_NAMESIZE];
	int links = 0, addrs = 0;

	printf("first %s %u\n", list[0].if_name, list[0].if_index);
	if_freenameindex(list);
	printf("lo is %u, 1 is %s\n", if_nametoindex("lo"),
	       if_indextoname(1, name));
	show("nothing", if_nametoindex("nothing0") ? 0 : -1);
	getifaddrs(&a);
	for (i = a; i; i = i->ifa_next) {
		if (strcmp(i->ifa_name, "lo") || !i->ifa_addr)
			continue;
		if (i->ifa_addr->sa_family == AF_PACKET)
			links++;
		if (i->ifa_addr->sa_family == AF_INET) {
			struct sockaddr_in *in = (void *)i->ifa_addr;

			if (in->sin_addr.s_addr == htonl(0x7f000001))
				addrs++;
		}
	}
	printf("lo: %d links, %d addresses\n", links, addrs);
	freeifaddrs(a);
}

static void
ioctls(void)
{
	int un = socket(AF_UNIX, SOCK_DGRAM, 0), fd;
	struct ifreq r;
	struct ifconf c;
	struct sockaddr_in *in = (void *)&r.ifr_addr;
	static const struct {
		unsigned long cmd;
		const char *name;
	} get[] = {
		{ SIOCGIFADDR, "addr" },
		{ SIOCGIFNETMASK, "mask" },
		{ SIOCGIFBRDADDR, "broadcast" },
		{ SIOCGIFDSTADDR, "dst" },
	};

	memset(&r, 0, sizeof(r));
	strcpy(r.ifr_name, "lo");
	show("not of a local socket", ioctl(un, SIOCGIFADDR, &r));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	for (unsigned i = 0; i < 4; i++) {
		printf("%s %s", get[i].name, ok(ioctl(fd, get[i].cmd, &r)));
		printf(" %d %s\n", in->sin_family, inet_ntoa(in->sin_addr));
	}
	show("index", ioctl(fd, SIOCGIFINDEX, &r));
	printf("%d\n", r.ifr_ifindex);
	show("flags", ioctl(fd, SIOCGIFFLAGS, &r));
	printf("%x\n", r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
	show("mtu", ioctl(fd, SIOCGIFMTU, &r));
	printf("%d\n", r.ifr_mtu);
	show("metric", ioctl(un, SIOCGIFMETRIC, &r));
	printf("%d\n", r.ifr_metric);
	show("hardware", ioctl(fd, SIOCGIFHWADDR, &r));
	printf("%d\n", r.ifr_hwaddr.sa_family);
	r.ifr_ifindex = 1;
	memset(r.ifr_name, 0, sizeof(r.ifr_name));
	show("name", ioctl(fd, SIOCGIFNAME, &r));
	printf("%s\n", r.ifr_name);
	r.ifr_ifindex = 9999;
	show("name 9999", ioctl(fd, SIOCGIFNAME, &r));
	strcpy(r.ifr_name, "nothing0");
	show("nothing", ioctl(fd, SIOCGIFADDR, &r));
	show("bad", ioctl(fd, SIOCGIFADDR, BAD));
	show("bad", ioctl(fd, SIOCGIFCONF, BAD));
	show("set nothing", ioctl(fd, SIOCSIFFLAGS, &r));
	show("unknown", ioctl(fd, 0x89ff, &r));
	c.ifc_len = sizeof(buf);
	c.ifc_buf = buf;
	show("list", ioctl(fd, SIOCGIFCONF, &c));
	printf("%s %d\n", c.ifc_req[0].ifr_name, c.ifc_len % 40);
	c.ifc_len = 39;
	show("no room", ioctl(fd, SIOCGIFCONF, &c));
	printf("%d\n", c.ifc_len);
	close(fd);
	close(un);
}

static void
put_u32(struct request *r, size_t *len, int type, unsigned v)
{
	struct rtattr *a = (void *)((char *)&r->u + *len);

	a->rta_type = (unsigned short)type;
	a->rta_len = RTA_LENGTH(4);
	memcpy(RTA_DATA(a), &v, 4);
	*len += RTA_SPACE(4);
}

static void
changes(void)
{
	struct request r;
	size_t len;
	int fd;

	/* In a network of its own, if it can: nothing is to be changed. */
	unshare(CLONE_NEWNET);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	/* What makes no sense. */
	memset(&r, 0, sizeof(r));
	r.u.link.ifi_index = 9999;
	ask(fd, &r, RTM_SETLINK, NLM_F_ACK, sizeof(r.u.link));
	answers("no link", fd);
	memset(&r, 0, sizeof(r));
	r.u.addr.ifa_family = AF_INET;
	r.u.addr.ifa_index = 1;
	ask(fd, &r, RTM_NEWADDR, NLM_F_ACK, sizeof(r.u.addr));
	answers("no address", fd);
	len = sizeof(r.u.addr);
	put_u32(&r, &len, IFA_LOCAL, htonl(0x0a090807));
	r.u.addr.ifa_prefixlen = 33;
	ask(fd, &r, RTM_NEWADDR, NLM_F_ACK, len);
	answers("prefix 33", fd);
	r.u.addr.ifa_prefixlen = 24;
	ask(fd, &r, RTM_DELADDR, NLM_F_ACK, len);
	answers("not there", fd);
	r.u.addr.ifa_index = 9999;
	ask(fd, &r, RTM_NEWADDR, NLM_F_ACK, len);
	answers("no link", fd);
	memset(&r, 0, sizeof(r));
	r.u.route.rtm_family = AF_INET;
	r.u.route.rtm_dst_len = 32;
	r.u.route.rtm_table = RT_TABLE_MAIN;
	r.u.route.rtm_type = RTN_UNICAST;
	len = sizeof(r.u.route);
	put_u32(&r, &len, RTA_DST, htonl(0x0a090807));
	ask(fd, &r, RTM_DELROUTE, NLM_F_ACK, len);
	answers("no route", fd);
	r.u.route.rtm_dst_len = 33;
	ask(fd, &r, RTM_NEWROUTE, NLM_F_ACK, len);
	answers("prefix 33", fd);
	close(fd);
}

int
main(void)
{
	sockets();
	requests();
	libc();
	ioctls();
	changes();
	return 0;
}
