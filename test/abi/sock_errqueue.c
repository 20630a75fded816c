/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error queue of datagram sockets: what a port that nobody has answers,
 * with IP_RECVERR and IPV6_RECVERR and without, who is told by poll, SO_ERROR
 * and the next call, in which order, what is cut, what is forgotten; errors of
 * the machine's own; raw sockets.  NEEDS: root
 * CALLS: recvmsg
 */
#define _GNU_SOURCE
#include "sock_common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t
size_of(const union addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

static int
so_error(int fd)
{
	socklen_t l = sizeof(int);
	int e = -1;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &l);
	return e;
}

static void
ready(const char *what, int fd)
{
	struct pollfd p = { fd, POLLIN | POLLPRI, 0 };
	int n = poll(&p, 1, 0);

	printf("%s: poll %d %x\n", what, n, p.revents);
}

/* A port on loopback that nobody has: closed; held by *fd. */
static union addr
port_of(int family, int *fd)
{
	union addr a = { .sa.sa_family = family };
	socklen_t l = sizeof(a);

	if (family == AF_INET)
		a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a.v6.sin6_addr = in6addr_loopback;
	*fd = socket(family, SOCK_DGRAM, 0);
	bind(*fd, &a.sa, size_of(&a));
	getsockname(*fd, &a.sa, &l);
	return a;
}

static union addr
closed_port(int family)
{
	int fd;
	union addr a = port_of(family, &fd);

	close(fd);
	return a;
}

static void
print_addr(const char *what, const void *p, unsigned port)
{
	const union addr *a = p;
	char text[64] = "";

	if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof(text));
		printf(" %s %s%s", what, text,
		       ntohs(a->v4.sin_port) == port ? " (port)" :
		       a->v4.sin_port		     ? " (another)" :
						       "");
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof(text));
		printf(" %s %s%s", what, text,
		       ntohs(a->v6.sin6_port) == port ? " (port)" :
		       a->v6.sin6_port		      ? " (another)" :
							"");
	} else {
		printf(" %s family %d", what, a->sa.sa_family);
	}
}

static void
print_cmsg(struct cmsghdr *c)
{
	struct sock_extended_err ee = { 0 };
	union addr a = { 0 };
	size_t n = c->cmsg_len - CMSG_LEN(0);
	int v = 0;

	printf(" [%d/%d %zu", c->cmsg_level, c->cmsg_type, n);
	if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
	    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
		memcpy(&ee, CMSG_DATA(c), n < sizeof(ee) ? n : sizeof(ee));
		printf(" %s origin %u type %u code %u info %u data %u",
		       strerrorname_np((int)ee.ee_errno), ee.ee_origin,
		       ee.ee_type, ee.ee_code, ee.ee_info, ee.ee_data);
		if (n > sizeof(ee))
			memcpy(&a, CMSG_DATA(c) + sizeof(ee), n - sizeof(ee));
		print_addr("from", &a, 0);
	} else if (n == sizeof(int)) {
		memcpy(&v, CMSG_DATA(c), n);
		printf(" %d", v);
	}
	printf("]");
}

static void
take(const char *what, int fd, unsigned port, size_t room, size_t croom)
{
	static char data[70000], control[512];
	union addr name = { 0 };
	struct iovec v = { data, room };
	struct msghdr m = { .msg_name = &name,
			    .msg_namelen = sizeof(name),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = croom };
	ssize_t n = recvmsg(fd, &m, MSG_ERRQUEUE);

	if (n < 0) {
		result(what, n);
		return;
	}
	printf("%s: %zd bytes, first %c, flags %x, name %u", what, n,
	       n ? data[0] : '-', m.msg_flags, m.msg_namelen);
	print_addr("to", &name, port);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		print_cmsg(c);
	printf("\n");
}

static void
send_to(const char *what, int fd, const union addr *a, char c, size_t n)
{
	static char data[70000];

	memset(data, c, sizeof(data));
	result(what, sendto(fd, data, n, 0, &a->sa, size_of(a)));
}

static unsigned
number(const union addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->v4.sin_port :
						  a->v6.sin6_port);
}

static void
basic(int family)
{
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int name = family == AF_INET ? IP_RECVERR : IPV6_RECVERR;
	union addr a = closed_port(family);
	unsigned p = number(&a);
	int fd = socket(family, SOCK_DGRAM, 0);
	char c;

	printf("family %d\n", family);
	send_to("without", fd, &a, 'a', 5);
	ready("without", fd);
	take("without", fd, p, 100, 200);
	option(fd, level, name, 1);
	send_to("first", fd, &a, 'a', 5);
	send_to("the error of it", fd, &a, 'b', 6);
	send_to("second", fd, &a, 'b', 6);
	ready("two", fd);
	printf("SO_ERROR %s\n", strerrorname_np(so_error(fd)));
	printf("SO_ERROR %s\n", strerrorname_np(so_error(fd)));
	ready("taken by SO_ERROR", fd);
	result("recv", recv(fd, &c, 1, MSG_DONTWAIT));
	take("first", fd, p, 100, 200);
	ready("one is left", fd);
	printf("SO_ERROR %s\n", strerrorname_np(so_error(fd)));
	take("second", fd, p, 100, 200);
	take("none", fd, p, 100, 200);
	ready("none", fd);
	printf("SO_ERROR %s\n", strerrorname_np(so_error(fd)));
	send_to("third", fd, &a, 'c', 7);
	take("cut", fd, p, 3, 200);
	printf("SO_ERROR %s\n", strerrorname_np(so_error(fd)));
	send_to("fourth", fd, &a, 'd', 8);
	take("little control", fd, p, 100, CMSG_LEN(20));
	send_to("fifth", fd, &a, 'e', 9);
	take("no control", fd, p, 100, 0);
	send_to("nothing", fd, &a, '0', 0);
	take("nothing", fd, p, 100, 200);
	send_to("large", fd, &a, 'f', 3000);
	take("large", fd, p, 70000, 200);
	send_to("gone", fd, &a, 'g', 3);
	option(fd, level, name, 0);
	ready("turned off", fd);
	take("turned off", fd, p, 100, 200);
	printf("SO_ERROR %s\n", strerrorname_np(so_error(fd)));
	close(fd);
}

static void
connected(int family)
{
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int name = family == AF_INET ? IP_RECVERR : IPV6_RECVERR;
	union addr a = closed_port(family);
	int fd = socket(family, SOCK_DGRAM, 0);
	char c;

	printf("connected, family %d\n", family);
	connect(fd, &a.sa, size_of(&a));
	result("send", send(fd, "x", 1, 0));
	take("without", fd, number(&a), 100, 200);
	ready("without", fd);
	result("recv", recv(fd, &c, 1, MSG_DONTWAIT));
	option(fd, level, name, 1);
	option(fd, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1);
	option(fd, IPPROTO_IP, IP_RECVTTL, 1);
	result("send", send(fd, "y", 1, 0));
	ready("select", fd);
	result("recv", recv(fd, &c, 1, MSG_DONTWAIT));
	ready("after recv", fd);
	take("with", fd, number(&a), 100, 300);
	ready("after", fd);
	close(fd);
}

/* IPv4 by a socket of IPv6: whose option it is. */
static void
mapped(void)
{
	union addr a4 = closed_port(AF_INET), a = { 0 };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	a.v6.sin6_family = AF_INET6;
	a.v6.sin6_port = a4.v4.sin_port;
	a.v6.sin6_addr.s6_addr[10] = a.v6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&a.v6.sin6_addr.s6_addr[12], &a4.v4.sin_addr, 4);
	option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	send_to("mapped, IPV6_RECVERR", fd, &a, 'm', 4);
	take("mapped, IPV6_RECVERR", fd, number(&a), 100, 300);
	result("IP_RECVERR", option(fd, IPPROTO_IP, IP_RECVERR, 1));
	send_to("mapped, IP_RECVERR", fd, &a, 'm', 4);
	take("mapped, IP_RECVERR", fd, number(&a), 100, 300);
	close(fd);
}

/* What does not fit is an error of this machine's. */
static void
local(int family)
{
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int name = family == AF_INET ? IP_RECVERR : IPV6_RECVERR, other;
	union addr a = port_of(family, &other);
	int fd = socket(family, SOCK_DGRAM, 0);

	printf("local, family %d\n", family);
	option(fd, level, name, 1);
	send_to("too large", fd, &a, 'l', 65530);
	ready("too large", fd);
	printf("SO_ERROR %s\n", strerrorname_np(so_error(fd)));
	take("too large", fd, number(&a), 100, 200);
	ready("taken", fd);
	send_to("far too large", fd, &a, 'l', 65536);
	take("far too large", fd, number(&a), 100, 200);
	close(fd);
	close(other);
}

static void
edge(void)
{
	union addr a = closed_port(AF_INET);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ep = epoll_create1(0), n;
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	option(fd, IPPROTO_IP, IP_RECVERR, 1);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	n = epoll_wait(ep, &e, 1, 0);
	printf("epoll, quiet: %d\n", n);
	send_to("epoll", fd, &a, 'e', 1);
	n = epoll_wait(ep, &e, 1, 200000);
	printf("epoll: %d %x\n", n, n > 0 ? e.events : 0);
	n = epoll_wait(ep, &e, 1, 0);
	printf("epoll, the same edge: %d\n", n);
	take("epoll", fd, number(&a), 100, 200);
	n = epoll_wait(ep, &e, 1, 0);
	printf("epoll, taken: %d\n", n);
	close(ep);
	close(fd);
}

/* A protocol that nobody speaks. */
static void
raw(void)
{
	union addr a = { .v4 = { .sin_family = AF_INET } };
	int fd = socket(AF_INET, SOCK_RAW, 253);
	struct pollfd p = { fd, 0, 0 };
	char b[100];

	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result("raw", fd < 0 ? -1 : 0);
	option(fd, IPPROTO_IP, IP_RECVERR, 1);
	take("raw, none", fd, 0, 100, 200);
	close(fd);
	/* Nobody but an IPPROTO_RAW socket, which hears nothing. */
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	p.fd = fd;
	result("heard", poll(&p, 1, 0));
	result("recv", recv(fd, b, sizeof(b), MSG_DONTWAIT));
	take("raw, hdrincl", fd, 0, 100, 200);
	close(fd);
}

int
main(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0);

	setvbuf(stdout, NULL, _IOLBF, 0);
	basic(AF_INET);
	basic(AF_INET6);
	connected(AF_INET);
	connected(AF_INET6);
	mapped();
	local(AF_INET);
	local(AF_INET6);
	edge();
	raw();
	take("tcp", tcp, 0, 100, 200);
	return 0;
}
