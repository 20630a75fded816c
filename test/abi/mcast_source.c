/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multicast from chosen sources, over lo: the options of IPv4, those of both
 * families, and whole filters; what each answers, what is read back, and what
 * is received.
 * CALLS: setsockopt, getsockopt
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUP "239.1.2.3"
#define OTHER "239.1.2.4"

static int rx;
static in_port_t port;

static const char *
res(int r)
{
	return r ? strerrorname_np(errno) : "0";
}

static struct in_addr
ip(const char *s)
{
	struct in_addr a;

	inet_aton(s, &a);
	return a;
}

static void
open_rx(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t l = sizeof(sa);
	int off = 0;

	if (rx)
		close(rx);
	rx = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(rx, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off));
	bind(rx, (struct sockaddr *)&sa, sizeof(sa));
	getsockname(rx, (struct sockaddr *)&sa, &l);
	port = sa.sin_port;
}

static const char *
from4(const char *src, const char *group)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = ip(src) };
	struct pollfd p = { .fd = rx, .events = POLLIN };
	int s = socket(AF_INET, SOCK_DGRAM, 0), n = 0;
	struct in_addr lo = ip("127.0.0.1");
	char b[8];

	setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo));
	bind(s, (struct sockaddr *)&sa, sizeof(sa));
	sa.sin_addr = ip(group);
	sa.sin_port = port;
	if (sendto(s, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)) != 1)
		printf("sendto: %s\n", strerrorname_np(errno));
	/* A datagram to the socket itself says that all have come. */
	sa.sin_addr = ip("127.0.0.1");
	sendto(s, "end", 3, 0, (struct sockaddr *)&sa, sizeof(sa));
	while (poll(&p, 1, 200000) == 1 && recv(rx, b, sizeof(b), 0) == 1)
		n++;
	close(s);
	return n ? "y" : "n";
}

static void
hear(const char *what)
{
	printf("  %s hears %s%s%s, other %s\n", what, from4("127.0.0.1", GROUP),
	       from4("127.0.0.2", GROUP), from4("127.0.0.3", GROUP),
	       from4("127.0.0.1", OTHER));
}

static void
source4(const char *what, int name, const char *group, const char *src)
{
	struct ip_mreq_source m = { .imr_multiaddr = ip(group),
				    .imr_interface = ip("127.0.0.1"),
				    .imr_sourceaddr = ip(src) };

	printf("%s %s %s: %s\n", what, group, src,
	       res(setsockopt(rx, IPPROTO_IP, name, &m, sizeof(m))));
}
#define S4(name, group, src) source4(#name, name, group, src)

static void
member4(const char *what, int name, const char *group)
{
	struct ip_mreq m = { .imr_multiaddr = ip(group),
			     .imr_interface = ip("127.0.0.1") };

	printf("%s %s: %s\n", what, group,
	       res(setsockopt(rx, IPPROTO_IP, name, &m, sizeof(m))));
}
#define M4(name, group) member4(#name, name, group)

static void
set_filter(uint32_t mode, unsigned n, ...)
{
	static const char *const all[] = { "127.0.0.1", "127.0.0.2",
					   "127.0.0.3", "127.0.0.4" };
	union {
		struct ip_msfilter f;
		struct in_addr room[24]; /* the sources from 4 on */
	} f = { .f = { .imsf_multiaddr = ip(GROUP),
		       .imsf_interface = ip("127.0.0.1"),
		       .imsf_fmode = mode,
		       .imsf_numsrc = n } };

	for (unsigned i = 0; i < n && i < 15; i++)
		f.room[4 + i] = ip(all[i % 4]);
	printf("IP_MSFILTER %s %u: %s\n",
	       mode == MCAST_INCLUDE ? "include" :
	       mode == MCAST_EXCLUDE ? "exclude" :
				       "?",
	       n,
	       res(setsockopt(rx, IPPROTO_IP, IP_MSFILTER, &f,
			      (socklen_t)(IP_MSFILTER_SIZE(n)))));
}

static void
get_filter(unsigned room)
{
	union {
		struct ip_msfilter f;
		struct in_addr room[24]; /* the sources from 4 on */
	} f = { .f = { .imsf_multiaddr = ip(GROUP),
		       .imsf_interface = ip("127.0.0.1"),
		       .imsf_numsrc = room } };
	socklen_t l = (socklen_t)IP_MSFILTER_SIZE(room);

	if (getsockopt(rx, IPPROTO_IP, IP_MSFILTER, &f, &l)) {
		printf("  filter: %s\n", strerrorname_np(errno));
		return;
	}
	printf("  filter: %s %u (%u bytes):",
	       f.f.imsf_fmode == MCAST_INCLUDE ? "include" : "exclude",
	       f.f.imsf_numsrc, l);
	for (unsigned i = 0; i < f.f.imsf_numsrc && i < room; i++)
		printf(" %s", inet_ntoa(f.room[4 + i]));
	printf("\n");
}

static void
by_ipv4(void)
{
	char addr[20];

	open_rx();
	hear("nobody");
	S4(IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	S4(IP_BLOCK_SOURCE, GROUP, "127.0.0.1");
	S4(IP_UNBLOCK_SOURCE, GROUP, "127.0.0.1");
	S4(IP_ADD_SOURCE_MEMBERSHIP, "10.1.2.3", "127.0.0.1");
	S4(IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	hear("one source");
	get_filter(4);
	S4(IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	S4(IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2");
	hear("two");
	get_filter(4);
	get_filter(1);
	get_filter(0);
	S4(IP_BLOCK_SOURCE, GROUP, "127.0.0.1");
	S4(IP_UNBLOCK_SOURCE, GROUP, "127.0.0.1");
	M4(IP_ADD_MEMBERSHIP, GROUP);
	S4(IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.3");
	S4(IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	hear("the second");
	S4(IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2");
	hear("none");
	get_filter(4);
	M4(IP_DROP_MEMBERSHIP, GROUP);

	printf("-- all but\n");
	M4(IP_ADD_MEMBERSHIP, GROUP);
	hear("all");
	get_filter(4);
	S4(IP_UNBLOCK_SOURCE, GROUP, "127.0.0.1");
	S4(IP_BLOCK_SOURCE, GROUP, "127.0.0.1");
	hear("all but one");
	S4(IP_BLOCK_SOURCE, GROUP, "127.0.0.1");
	S4(IP_BLOCK_SOURCE, GROUP, "127.0.0.3");
	hear("all but two");
	get_filter(4);
	S4(IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2");
	S4(IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	S4(IP_UNBLOCK_SOURCE, GROUP, "127.0.0.2");
	S4(IP_UNBLOCK_SOURCE, GROUP, "127.0.0.1");
	S4(IP_UNBLOCK_SOURCE, GROUP, "127.0.0.3");
	hear("all again");
	S4(IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2");
	hear("turned");
	get_filter(4);
	M4(IP_DROP_MEMBERSHIP, GROUP);
	hear("left");

	printf("-- to and fro\n");
	M4(IP_ADD_MEMBERSHIP, GROUP);
	S4(IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2");
	hear("turned");
	get_filter(4);
	M4(IP_DROP_MEMBERSHIP, GROUP);
	M4(IP_ADD_MEMBERSHIP, GROUP);
	S4(IP_BLOCK_SOURCE, GROUP, "127.0.0.2");
	set_filter(MCAST_EXCLUDE, 0);
	S4(IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2");
	hear("not turned");
	get_filter(4);
	S4(IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2");
	hear("turned");
	set_filter(MCAST_INCLUDE, 2);
	S4(IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2");
	S4(IP_BLOCK_SOURCE, GROUP, "127.0.0.1");
	get_filter(4);
	M4(IP_DROP_MEMBERSHIP, GROUP);

	printf("-- how many\n");
	for (int i = 1; i <= 12; i++) {
		snprintf(addr, sizeof(addr), "10.0.0.%d", i);
		S4(IP_ADD_SOURCE_MEMBERSHIP, GROUP, addr);
	}
	get_filter(20);
	M4(IP_DROP_MEMBERSHIP, GROUP);

	printf("-- whole filters\n");
	set_filter(MCAST_INCLUDE, 1);
	M4(IP_ADD_MEMBERSHIP, GROUP);
	set_filter(MCAST_INCLUDE, 2);
	hear("included");
	get_filter(4);
	set_filter(MCAST_EXCLUDE, 1);
	hear("excluded");
	get_filter(4);
	S4(IP_UNBLOCK_SOURCE, GROUP, "127.0.0.1");
	hear("all");
	set_filter(MCAST_EXCLUDE, 0);
	hear("all");
	set_filter(MCAST_EXCLUDE, 1);
	set_filter(MCAST_EXCLUDE, 0);
	S4(IP_UNBLOCK_SOURCE, GROUP, "127.0.0.1");
	S4(IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	S4(IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.1");
	get_filter(4);
	set_filter(MCAST_INCLUDE, 0);
	set_filter(MCAST_EXCLUDE, 0);
	M4(IP_ADD_MEMBERSHIP, GROUP);
	set_filter(7, 1);
	set_filter(7, 0);
	set_filter(MCAST_INCLUDE, 11);
	set_filter(MCAST_INCLUDE, 10);
	get_filter(20);
	set_filter(MCAST_INCLUDE, 0);
	get_filter(4);
	hear("none");
	M4(IP_DROP_MEMBERSHIP, GROUP);
}

static struct sockaddr_storage
any(int family, const char *s)
{
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };

	inet_pton(family, s,
		  family == AF_INET ?
			  (void *)&((struct sockaddr_in *)&ss)->sin_addr :
			  (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr);
	return ss;
}

static void
group_source(const char *what, int level, int name, int family,
	     const char *group, const char *src)
{
	struct group_source_req r = { .gsr_interface = if_nametoindex("lo"),
				      .gsr_group = any(family, group),
				      .gsr_source = any(family, src) };

	printf("%s %s: %s\n", what, src,
	       res(setsockopt(rx, level, name, &r, sizeof(r))));
}

static void
whole(int level, int family, const char *group, uint32_t mode, int n,
      const char *one)
{
	union {
		struct group_filter f;
		char room[GROUP_FILTER_SIZE(4)];
	} u = { 0 };
	socklen_t l = (socklen_t)GROUP_FILTER_SIZE(4);

	u.f.gf_interface = if_nametoindex("lo");
	u.f.gf_group = any(family, group);
	if (n >= 0) {
		u.f.gf_fmode = mode;
		u.f.gf_numsrc = (uint32_t)n;
		u.f.gf_slist[0] = any(family, one);
		printf("MCAST_MSFILTER: %s\n",
		       res(setsockopt(rx, level, MCAST_MSFILTER, &u,
				      (socklen_t)GROUP_FILTER_SIZE(n))));
		return;
	}
	u.f.gf_numsrc = 4;
	if (getsockopt(rx, level, MCAST_MSFILTER, &u, &l)) {
		printf("  filter: %s\n", strerrorname_np(errno));
		return;
	}
	printf("  filter: mode %u, %u (%u bytes)", u.f.gf_fmode, u.f.gf_numsrc,
	       l);
	for (unsigned i = 0; i < u.f.gf_numsrc && i < 4; i++) {
		char b[64];

		inet_ntop(
			family,
			family == AF_INET ?
				(void *)&(
					(struct sockaddr_in *)&u.f.gf_slist[i])
					->sin_addr :
				(void *)&(
					(struct sockaddr_in6 *)&u.f.gf_slist[i])
					->sin6_addr,
			b, sizeof(b));
		printf(" %s", b);
	}
	printf("\n");
}

static void
by_protocol(int level, int family, const char *group, const char *a,
	    const char *b, void (*listen_to)(const char *))
{
#define G(name, src) group_source(#name, level, name, family, group, src)
	G(MCAST_LEAVE_SOURCE_GROUP, a);
	G(MCAST_BLOCK_SOURCE, a);
	whole(level, family, group, 0, -1, a);
	G(MCAST_JOIN_SOURCE_GROUP, a);
	G(MCAST_JOIN_SOURCE_GROUP, a);
	listen_to("joined");
	whole(level, family, group, 0, -1, a);
	G(MCAST_JOIN_SOURCE_GROUP, b);
	whole(level, family, group, 0, -1, a);
	G(MCAST_BLOCK_SOURCE, a);
	G(MCAST_LEAVE_SOURCE_GROUP, a);
	listen_to("the other");
	G(MCAST_LEAVE_SOURCE_GROUP, a);
	G(MCAST_LEAVE_SOURCE_GROUP, b);
	listen_to("left");
	{
		struct group_req r = { .gr_interface = if_nametoindex("lo"),
				       .gr_group = any(family, group) };

		printf("MCAST_JOIN_GROUP: %s\n",
		       res(setsockopt(rx, level, MCAST_JOIN_GROUP, &r,
				      sizeof(r))));
		whole(level, family, group, 0, -1, a);
		listen_to("all");
		G(MCAST_UNBLOCK_SOURCE, a);
		G(MCAST_BLOCK_SOURCE, a);
		listen_to("all but one");
		whole(level, family, group, 0, -1, a);
		G(MCAST_BLOCK_SOURCE, a);
		G(MCAST_JOIN_SOURCE_GROUP, a);
		G(MCAST_UNBLOCK_SOURCE, a);
		listen_to("all");
		whole(level, family, group, MCAST_INCLUDE, 1, a);
		listen_to("one");
		whole(level, family, group, 0, -1, a);
		whole(level, family, group, MCAST_EXCLUDE, 1, a);
		listen_to("all but one");
		whole(level, family, group, MCAST_EXCLUDE, 0, a);
		listen_to("all");
		whole(level, family, group, 9, 1, a);
		whole(level, family, group, MCAST_INCLUDE, 0, a);
		listen_to("none");
		whole(level, family, group, 0, -1, a);
		printf("MCAST_LEAVE_GROUP: %s\n",
		       res(setsockopt(rx, level, MCAST_LEAVE_GROUP, &r,
				      sizeof(r))));
	}
}

/* Linux has no way to a group of IPv6 on lo. */
static void
hear6(const char *what)
{
	(void)what;
}

static void
add6(const char *addr)
{
	struct group_source_req r = { .gsr_interface = if_nametoindex("lo"),
				      .gsr_group = any(AF_INET6, "ff02::1234"),
				      .gsr_source = any(AF_INET6, addr) };

	setsockopt(rx, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r));
}

int
main(void)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };
	socklen_t l = sizeof(sa);
	int off = 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	by_ipv4();
	printf("-- MCAST_*, IPv4\n");
	open_rx();
	by_protocol(IPPROTO_IP, AF_INET, GROUP, "127.0.0.1", "127.0.0.2", hear);
	close(rx);
	printf("-- MCAST_*, IPv6\n");
	rx = socket(AF_INET6, SOCK_DGRAM, 0);
	setsockopt(rx, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof(off));
	bind(rx, (struct sockaddr *)&sa, sizeof(sa));
	getsockname(rx, (struct sockaddr *)&sa, &l);
	port = sa.sin6_port;
	by_protocol(IPPROTO_IPV6, AF_INET6, "ff02::1234", "::1", "::2", hear6);
	for (int i = 1; i <= 70; i++) {
		char addr[20];

		snprintf(addr, sizeof(addr), "fd00::%x", i);
		if (i < 3 || i > 62)
			group_source("MCAST_JOIN_SOURCE_GROUP", IPPROTO_IPV6,
				     MCAST_JOIN_SOURCE_GROUP, AF_INET6,
				     "ff02::1234", addr);
		else
			add6(addr);
	}
	{
		static char room[GROUP_FILTER_SIZE(70)];
		struct group_filter *f = (void *)room;
		socklen_t len = sizeof(room);

		f->gf_interface = if_nametoindex("lo");
		f->gf_group = any(AF_INET6, "ff02::1234");
		f->gf_numsrc = 70;
		printf("all: %s", res(getsockopt(rx, IPPROTO_IPV6,
						 MCAST_MSFILTER, f, &len)));
		printf(", %u, %u bytes\n", f->gf_numsrc, len);
	}
	/* Families that do not fit, and interfaces that are not there. */
	group_source("v4", IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, AF_INET,
		     GROUP, "127.0.0.1");
	group_source("v4", IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, AF_INET, GROUP,
		     "127.0.0.1");
	group_source("v6", IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, AF_INET6,
		     "ff02::1234", "::1");
	group_source("unicast", IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, AF_INET6,
		     "fd00::1", "::1");
	{
		struct ip_mreq_source m[2] = { { .imr_multiaddr = ip(GROUP),
						 .imr_interface = ip("1.2.3.4"),
						 .imr_sourceaddr =
							 ip("127.0.0.1") } };
		struct group_source_req r = { .gsr_interface = 12345,
					      .gsr_group = any(AF_INET, GROUP),
					      .gsr_source =
						      any(AF_INET, "1.2.3.4") };

		printf("no interface: %s\n",
		       res(setsockopt(rx, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP,
				      m, sizeof(*m))));
		printf("no interface: %s\n",
		       res(setsockopt(rx, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP,
				      &r, sizeof(r))));
		for (socklen_t n = 0; n <= 16; n += 4)
			printf("%u: %s %s\n", n,
			       res(setsockopt(rx, IPPROTO_IP,
					      IP_ADD_SOURCE_MEMBERSHIP, m, n)),
			       res(setsockopt(rx, IPPROTO_IP, IP_MSFILTER, m,
					      n)));
	}
	/* Lengths. */
	for (socklen_t n = 0; n <= 16; n += 4)
		printf("%u: %s %s %s\n", n,
		       res(setsockopt(rx, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP,
				      &sa, n)),
		       res(setsockopt(rx, IPPROTO_IPV6, MCAST_MSFILTER, &sa,
				      n)),
		       res(setsockopt(rx, IPPROTO_IPV6, MCAST_BLOCK_SOURCE, &sa,
				      n)));
	return 0;
}
