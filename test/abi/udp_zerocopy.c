/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSG_ZEROCOPY of datagrams over loopback, where Linux copies: notifications,
 * one for neighbours, none without SO_ZEROCOPY or without data; sends that
 * gather, that are cut, and that fail.
 * CALLS: sendto, recvmsg, setsockopt
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

static int a, b;
static char big[70000];

static void
pair(int family)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr *sa = family == AF_INET ? (void *)&in : (void *)&in6;
	socklen_t l = family == AF_INET ? sizeof(in) : sizeof(in6);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in6.sin6_addr = in6addr_loopback;
	b = socket(family, SOCK_DGRAM, 0);
	bind(b, sa, l);
	getsockname(b, sa, &l);
	a = socket(family, SOCK_DGRAM, 0);
	connect(a, sa, l);
}

static void
note(void)
{
	char control[200], data[10];
	struct sockaddr_storage from;
	struct iovec v = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control),
			    .msg_name = &from,
			    .msg_namelen = sizeof(from) };
	struct pollfd p = { .fd = a };
	struct sock_extended_err *e;
	struct cmsghdr *c;
	ssize_t n;

	n = poll(&p, 1, 0);
	printf("poll: %zd %x, ", n, p.revents);
	n = recvmsg(a, &m, MSG_ERRQUEUE);
	if (n < 0) {
		printf("nothing: %s\n", strerrorname_np(errno));
		return;
	}
	printf("recvmsg: %zd, flags %x, name %u", n, m.msg_flags,
	       m.msg_namelen);
	c = CMSG_FIRSTHDR(&m);
	if (c) {
		e = (struct sock_extended_err *)(void *)CMSG_DATA(c);
		printf(", level %d type %d length %zu, errno %u origin %u "
		       "code %u from %u to %u",
		       c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len,
		       e->ee_errno, e->ee_origin, e->ee_code, e->ee_info,
		       e->ee_data);
	}
	printf("\n");
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
	note();
	option(SOL_SOCKET, SO_ZEROCOPY, 2);
	option(SOL_SOCKET, SO_ZEROCOPY, 1);
	note();
	put(100, 0);
	note();
	put(100, MSG_ZEROCOPY);
	note();
	note();
	put(0, MSG_ZEROCOPY);
	note();
	put(60000, MSG_ZEROCOPY);
	put(10, MSG_ZEROCOPY);
	put(20, MSG_ZEROCOPY);
	note();
	note();
	/* Gathered: told of when they are gone, all at once. */
	send(a, big, 10, MSG_ZEROCOPY | MSG_MORE);
	send(a, big, 10, MSG_ZEROCOPY | MSG_MORE);
	put(10, MSG_ZEROCOPY);
	note();
	/* Too large, and nobody there. */
	put(69000, MSG_ZEROCOPY);
	note();
	/* Cut. */
	option(IPPROTO_UDP, UDP_SEGMENT, 1000);
	put(2500, MSG_ZEROCOPY);
	note();
	option(IPPROTO_UDP, UDP_SEGMENT, 0);
	close(b);
	printf("alone: %zd\n", send(a, big, 10, MSG_ZEROCOPY));
	printf("alone: %zd\n", send(a, big, 10, MSG_ZEROCOPY));
	note();
	close(a);
}

int
main(void)
{
	family(AF_INET);
	family(AF_INET6);
	return 0;
}
