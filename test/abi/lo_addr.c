/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More addresses of IPv4 on lo, as a program adds them by AF_NETLINK: how they
 * are listed, bound to, connected to and taken away.  On Linux in a network
 * namespace of its own.
 * CALLS: bind, connect
 * NEEDS: root
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own_network.h"

static void
change(int type, int flags, const char *addr)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg a;
		struct rtattr at;
		struct in_addr addr;
	} q = { .h = { .nlmsg_len = sizeof(q),
		       .nlmsg_type = (__u16)type,
		       .nlmsg_flags =
			       (__u16)(NLM_F_REQUEST | NLM_F_ACK | flags) },
		.a = { .ifa_family = AF_INET,
		       .ifa_prefixlen = 32,
		       .ifa_index = if_nametoindex("lo") },
		.at = { .rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL } };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[200];
	} a = { 0 };

	inet_aton(addr, &q.addr);
	send(fd, &q, sizeof(q), 0);
	recv(fd, &a, sizeof(a), 0);
	printf("%s %s: %s\n", type == RTM_NEWADDR ? "add" : "delete", addr,
	       a.e.error ? strerrorname_np(-a.e.error) : "0");
	close(fd);
}

static void
list(void)
{
	struct ifaddrs *all, *i;

	getifaddrs(&all);
	for (i = all; i; i = i->ifa_next) {
		struct sockaddr_in *a = (void *)i->ifa_addr,
				   *m = (void *)i->ifa_netmask;

		if (!a || a->sin_family != AF_INET || strcmp(i->ifa_name, "lo"))
			continue;
		printf("  %s", inet_ntoa(a->sin_addr));
		printf(" mask %s\n", inet_ntoa(m->sin_addr));
	}
	freeifaddrs(all);
}

static void
use(const char *addr)
{
	struct sockaddr_in sa = { .sin_family = AF_INET }, from;
	socklen_t l = sizeof(sa);
	int s = socket(AF_INET, SOCK_STREAM, 0), c, a, r;
	char b[4] = "";

	inet_aton(addr, &sa.sin_addr);
	r = bind(s, (struct sockaddr *)&sa, sizeof(sa));
	printf("%s: bind %s\n", addr, r ? strerrorname_np(errno) : "0");
	if (!r) {
		listen(s, 1);
		getsockname(s, (struct sockaddr *)&sa, &l);
		c = socket(AF_INET, SOCK_STREAM, 0);
		r = connect(c, (struct sockaddr *)&sa, sizeof(sa));
		printf("  connect %s", r ? strerrorname_np(errno) : "0");
		a = accept(s, (struct sockaddr *)&from, &l);
		printf(", from %s", inet_ntoa(from.sin_addr));
		send(c, "abc", 3, 0);
		recv(a, b, 3, MSG_WAITALL);
		printf(", %s\n", b);
		close(a);
		close(c);
	}
	close(s);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	sa.sin_port = 0;
	if (!bind(s, (struct sockaddr *)&sa, sizeof(sa))) {
		l = sizeof(sa);
		getsockname(s, (struct sockaddr *)&sa, &l);
		c = socket(AF_INET, SOCK_DGRAM, 0);
		sendto(c, "xyz", 3, 0, (struct sockaddr *)&sa, sizeof(sa));
		recvfrom(s, b, 3, 0, (struct sockaddr *)&from, &l);
		printf("  datagram %s from %s\n", b, inet_ntoa(from.sin_addr));
		close(c);
	}
	close(s);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (!own_network()) {
		perror("unshare"); /* these are not ours to change */
		return 1;
	}
	list();
	use("192.0.2.1");
	change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "192.0.2.1");
	change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "192.0.2.1");
	change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "192.0.2.2");
	list();
	use("192.0.2.1");
	use("192.0.2.2");
	use("127.0.0.1");
	change(RTM_DELADDR, 0, "192.0.2.1");
	change(RTM_DELADDR, 0, "192.0.2.1");
	list();
	use("192.0.2.1");
	use("192.0.2.2");
	return 0;
}
