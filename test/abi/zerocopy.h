/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of MSG_ZEROCOPY share: two sockets, an address of loopback,
 * and a notification of the error queue as a line.
 */
#pragma once

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

static int a, b; /* a sends */

static socklen_t
loopback(int family, struct sockaddr_storage *s)
{
	struct sockaddr_in *in = (void *)s;
	struct sockaddr_in6 *in6 = (void *)s;

	memset(s, 0, sizeof(*s));
	s->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		in6->sin6_addr = in6addr_loopback;
	return family == AF_INET ? sizeof(*in) : sizeof(*in6);
}

/* Says what the error queue of `a` has; waits so many ms for it at first. */
static void
note(int ms)
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

	n = poll(&p, 1, ms);
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
