/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSG_ZEROCOPY over loopback, where Linux copies: the notifications of the
 * error queue, one for neighbours, none without SO_ZEROCOPY or without data,
 * POLLERR until they are read.
 * CALLS: sendto, recvmsg
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
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
static char big[100000];

static void
pair(int family)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr *sa = family == AF_INET ? (void *)&in : (void *)&in6;
	socklen_t l = family == AF_INET ? sizeof(in) : sizeof(in6);
	int s = socket(family, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in6.sin6_addr = in6addr_loopback;
	bind(s, sa, l);
	listen(s, 1);
	getsockname(s, sa, &l);
	a = socket(family, SOCK_STREAM, 0);
	connect(a, sa, l);
	b = accept(s, NULL, NULL);
	close(s);
}

/* Waits until there is one, if there is to be one. */
static void
note(int wait)
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

	if (wait) {
		n = poll(&p, 1, 10000);
		printf("poll: %zd %x, ", n, p.revents);
	}
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
	size_t got = 0;

	printf("send %zu: %zd\n", len, send(a, big, len, flags));
	while (got < len) {
		ssize_t n = read(b, big, sizeof(big));

		if (n <= 0)
			break;
		got += (size_t)n;
	}
}

static void
option(int v)
{
	socklen_t l = sizeof(v);
	int r = setsockopt(a, SOL_SOCKET, SO_ZEROCOPY, &v, sizeof(v));

	printf("set %d: %s, ", v, r ? strerrorname_np(errno) : "0");
	v = -1;
	r = getsockopt(a, SOL_SOCKET, SO_ZEROCOPY, &v, &l);
	printf("get: %d %d\n", r, v);
}

int
main(void)
{
	socklen_t l = sizeof(int);
	int v = -1;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 0; i < 2; i++) {
		pair(i ? AF_INET6 : AF_INET);
		put(3, MSG_ZEROCOPY);
		note(0);
		option(2);
		option(-1);
		option(1);
		put(3, MSG_ZEROCOPY);
		note(1);
		note(0);
		put(3, 0);
		put(0, MSG_ZEROCOPY);
		note(0);
		put(sizeof(big), MSG_ZEROCOPY);
		note(1);
		getsockopt(a, SOL_SOCKET, SO_ERROR, &v, &l);
		printf("error: %d\n", v);
		put(3, MSG_ZEROCOPY);
		put(3, MSG_ZEROCOPY);
		put(3, MSG_ZEROCOPY);
		usleep(200000); /* all three are done */
		note(1);
		note(0);
		close(a);
		close(b);
	}
	return 0;
}
