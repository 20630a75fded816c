/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on sockets for the tracer, whose lines are compared with strace's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static void
messages(void)
{
	struct iovec v[2] = { { "abc", 3 }, { "de", 2 } };
	char data[10], control[64] = "";
	struct msghdr m = { .msg_iov = v,
			    .msg_iovlen = 2,
			    .msg_control = control,
			    .msg_controllen = 24 };
	struct cmsghdr *h = (void *)control;
	int p[2];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p);
	h->cmsg_len = 20;
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	*(int *)CMSG_DATA(h) = 1;
	sendmsg(p[0], &m, MSG_NOSIGNAL);
	v[0].iov_base = data;
	v[0].iov_len = sizeof(data);
	m.msg_iovlen = 1;
	m.msg_controllen = sizeof(control);
	recvmsg(p[1], &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	recvmsg(p[1], &m, MSG_DONTWAIT);
	sendmsg(p[1], NULL, 0);
}

static void
internet(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6,
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct iovec v[2] = { { "abc", 3 }, { "de", 2 } };
	struct linger l = { 1, 5 };
	struct mmsghdr m[2];
	socklen_t len = 4;
	int u = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP), one = 1, t;
	char data[10];

	setsockopt(u, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(u, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	setsockopt(u, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	getsockopt(u, SOL_SOCKET, SO_ERROR, &one, &len);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(u, (void *)&a, sizeof(a));
	len = sizeof(a);
	getsockname(u, (void *)&a, &len);
	sendto(u, "hello", 5, MSG_DONTWAIT, (void *)&a, sizeof(a));
	recvfrom(u, data, sizeof(data), 0, (void *)&a, &len);
	getpeername(u, (void *)&a, &len);
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 2; i++) {
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &a;
		m[i].msg_hdr.msg_namelen = sizeof(a);
	}
	sendmmsg(u, m, 2, 0);
	t = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	one = 1;
	setsockopt(t, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(t, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	bind(t, (void *)&a6, sizeof(a6));
	listen(t, 5);
	len = sizeof(a6);
	accept4(t, (void *)&a6, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int
main(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	struct sockaddr_un un = { AF_UNIX, "\0abs" };
	int s, v = 1;

	messages();
	internet();
	s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	bind(s, (void *)&nl, sizeof(nl));
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(s, (void *)&un, 6);
	connect(s, (void *)&un, 6);
	shutdown(s, SHUT_WR);
	setsockopt(s, SOL_SOCKET, 9999, &v, sizeof(v));
	return 0;
}
