/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSG_ZEROCOPY of datagrams over loopback, where Linux copies: notifications,
 * one for neighbours, none without SO_ZEROCOPY or without data; sends that
 * gather, that are cut, and that fail.
 * CALLS: sendto, recvmsg, setsockopt
 */
#define _GNU_SOURCE
#include "zerocopy.h"
#include <netinet/udp.h>

static char big[70000];

static void
pair(int family)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (void *)&ss;
	socklen_t l = loopback(family, &ss);

	b = socket(family, SOCK_DGRAM, 0);
	bind(b, sa, l);
	getsockname(b, sa, &l);
	a = socket(family, SOCK_DGRAM, 0);
	connect(a, sa, l);
}

static void
put(size_t len, int flags)
{
	ssize_t n = send(a, big, len, flags);

	printf("send %zu: %zd %s\n", len, n,
	       n < 0 ? strerrorname_np(errno) : "");
	while ((n = recv(b, big, sizeof(big), MSG_DONTWAIT)) >= 0)
		printf("came %zd\n", n);
}

static void
option(int level, int name, int v)
{
	int r = setsockopt(a, level, name, &v, sizeof(v));

	printf("set %d: %s\n", v, r ? strerrorname_np(errno) : "0");
}

static void
family(int f)
{
	printf("-- family %d\n", f);
	pair(f);
	put(100, MSG_ZEROCOPY);
	note(0);
	option(SOL_SOCKET, SO_ZEROCOPY, 2);
	option(SOL_SOCKET, SO_ZEROCOPY, 1);
	note(0);
	put(100, 0);
	note(0);
	put(100, MSG_ZEROCOPY);
	note(0);
	note(0);
	put(0, MSG_ZEROCOPY);
	note(0);
	put(60000, MSG_ZEROCOPY);
	put(10, MSG_ZEROCOPY);
	put(20, MSG_ZEROCOPY);
	note(0);
	note(0);
	/* Gathered: told of when they are gone, all at once. */
	send(a, big, 10, MSG_ZEROCOPY | MSG_MORE);
	send(a, big, 10, MSG_ZEROCOPY | MSG_MORE);
	put(10, MSG_ZEROCOPY);
	note(0);
	/* Too large, and nobody there. */
	put(69000, MSG_ZEROCOPY);
	note(0);
	/* Cut. */
	option(IPPROTO_UDP, UDP_SEGMENT, 1000);
	put(2500, MSG_ZEROCOPY);
	note(0);
	option(IPPROTO_UDP, UDP_SEGMENT, 0);
	close(b);
	printf("alone: %zd\n", send(a, big, 10, MSG_ZEROCOPY));
	printf("alone: %zd\n", send(a, big, 10, MSG_ZEROCOPY));
	note(0);
	close(a);
}

int
main(void)
{
	family(AF_INET);
	family(AF_INET6);
	return 0;
}
