/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multicast groups of lo as /proc/net/igmp, igmp6 and dev_mcast list them:
 * what is there by itself, what sockets joined, how often, what they left.
 * CALLS: setsockopt
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own_network.h"

/* lo's lines: in igmp those up to the next interface's. */
static void
list(const char *name)
{
	char path[64], line[256];
	int ours = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/net/%s", name);
	f = fopen(path, "r");
	printf("%s:\n", name);
	for (int n = 0; f && fgets(line, sizeof(line), f); n++) {
		if (line[0] != '\t')
			ours = strstr(line, "lo ") != NULL;
		if (ours || (!n && line[0] == 'I'))
			fputs(line, stdout);
	}
	if (f)
		fclose(f);
}

static void
both(const char *what)
{
	printf("-- %s\n", what);
	list("igmp");
	list("igmp6");
}

static void
group4(int fd, const char *addr, int name)
{
	struct ip_mreqn r = { .imr_ifindex = 1 };

	inet_pton(AF_INET, addr, &r.imr_multiaddr);
	if (setsockopt(fd, IPPROTO_IP, name, &r, sizeof(r)))
		printf("%s: %s\n", addr, strerrorname_np(errno));
}

static void
group6(int fd, const char *addr, int name)
{
	struct ipv6_mreq r = { .ipv6mr_interface = 1 };

	inet_pton(AF_INET6, addr, &r.ipv6mr_multiaddr);
	if (setsockopt(fd, IPPROTO_IPV6, name, &r, sizeof(r)))
		printf("%s: %s\n", addr, strerrorname_np(errno));
}

int
main(void)
{
	int a, b, c, d;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Where it cannot be had, other programs' groups are listed, too. */
	if (!own_network())
		fputs("the network is shared\n", stderr);
	a = socket(AF_INET, SOCK_DGRAM, 0);
	b = socket(AF_INET, SOCK_DGRAM, 0);
	c = socket(AF_INET6, SOCK_DGRAM, 0);
	d = socket(AF_INET6, SOCK_DGRAM, 0);
	both("fresh");
	group4(a, "239.1.2.3", IP_ADD_MEMBERSHIP);
	group4(a, "239.1.2.4", IP_ADD_MEMBERSHIP);
	group4(b, "239.1.2.3", IP_ADD_MEMBERSHIP);
	group4(b, "224.0.0.1", IP_ADD_MEMBERSHIP);
	group6(c, "ff02::1234", IPV6_ADD_MEMBERSHIP);
	group6(d, "ff02::1234", IPV6_ADD_MEMBERSHIP);
	group6(d, "ff05::99", IPV6_ADD_MEMBERSHIP);
	group6(c, "ff01::5", IPV6_ADD_MEMBERSHIP);
	group6(c, "ff02::1", IPV6_ADD_MEMBERSHIP);
	both("joined");
	list("dev_mcast");
	group4(a, "239.1.2.3", IP_DROP_MEMBERSHIP);
	group6(d, "ff02::1234", IPV6_DROP_MEMBERSHIP);
	both("left once");
	close(b);
	close(c);
	both("closed");
	close(a);
	close(d);
	both("all closed");
	return 0;
}
