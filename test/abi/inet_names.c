/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of AF_INET and AF_INET6 sockets, over loopback: addresses of IPv4 on
 * datagram sockets of IPv6 (getaddrinfo() asks so for ways), what bind() and
 * connect() leave, IP_BIND_ADDRESS_NO_PORT, IP_PKTOPTIONS, IPV6_MTU, IPV6_DONTFRAG.
 * CALLS: bind, connect, getsockname, getpeername, setsockopt, getsockopt
 */
#define _GNU_SOURCE
#include "sock_common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static void
value(const char *what, int fd, int level, int name)
{
	socklen_t l = sizeof(int);
	int v = -77;

	if (getsockopt(fd, level, name, &v, &l))
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %d\n", what, v);
}

static socklen_t
end4(struct sockaddr_storage *a, const char *text, int port)
{
	struct sockaddr_in *in = (void *)a;

	memset(a, 0, sizeof(*a));
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	inet_pton(AF_INET, text, &in->sin_addr);
	return sizeof(*in);
}

static socklen_t
end6(struct sockaddr_storage *a, const char *text, int port)
{
	struct sockaddr_in6 *in = (void *)a;

	memset(a, 0, sizeof(*a));
	in->sin6_family = AF_INET6;
	in->sin6_port = htons(port);
	inet_pton(AF_INET6, text, &in->sin6_addr);
	return sizeof(*in);
}

/* Of ports, whether there is one. */
static void
name(const char *what, int fd, int peer)
{
	struct sockaddr_storage a;
	struct sockaddr_in *in = (void *)&a;
	struct sockaddr_in6 *in6 = (void *)&a;
	socklen_t l = sizeof(a);
	char text[64];

	if (peer ? getpeername(fd, (void *)&a, &l) :
		   getsockname(fd, (void *)&a, &l)) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		return;
	}
	inet_ntop(a.ss_family,
		  a.ss_family == AF_INET ? (void *)&in->sin_addr :
					   &in6->sin6_addr,
		  text, sizeof(text));
	printf("%s: %s, %s port\n", what, text, in->sin_port ? "a" : "no");
}

static int
connect4(int fd, const char *text, int port)
{
	struct sockaddr_storage a;
	socklen_t l = end4(&a, text, port);

	return connect(fd, (void *)&a, l);
}

static int
disconnect(int fd)
{
	struct sockaddr a = { .sa_family = AF_UNSPEC };

	return connect(fd, &a, sizeof(a));
}

/* As getaddrinfo() does it: one socket of IPv6 for both. */
static void
four_on_six(int type, int proto)
{
	int fd = socket(AF_INET6, type, proto);
	struct sockaddr_storage a;
	socklen_t l = end6(&a, "::", 53);

	printf("-- type %d\n", type);
	result("connect ::", connect(fd, (void *)&a, l));
	name("from", fd, 0);
	result("disconnect", disconnect(fd));
	name("from", fd, 0);
	result("connect 0.0.0.0", connect4(fd, "0.0.0.0", 53));
	name("from", fd, 0);
	name("to", fd, 1);
	result("connect 127.0.0.2", connect4(fd, "127.0.0.2", 53));
	name("to", fd, 1);
	result("short", connect(fd, (void *)&a, 15));
	result("disconnect", disconnect(fd));
	name("to", fd, 1);
	name("from", fd, 0);
	close(fd);
	fd = socket(AF_INET6, type, proto);
	result("v6only", option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	result("connect 127.0.0.1", connect4(fd, "127.0.0.1", 53));
	l = end4(&a, "127.0.0.1", 53);
	result("send", sendto(fd, "x", 1, 0, (void *)&a, l));
	result("bind", bind(fd, (void *)&a, l));
	close(fd);
}

/* What is bound stays, what was chosen goes. */
static void
after_disconnect(const char *text, int chosen)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int to = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_storage a;
	socklen_t l = end4(&a, text, 0);
	struct sockaddr_in *in = (void *)&a;

	/* A port that is free, for the case that one is named. */
	result("bind", bind(fd, (void *)&a, l));
	if (!chosen) {
		l = sizeof(a);
		getsockname(fd, (void *)&a, &l);
		close(fd);
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		end4(&a, text, ntohs(in->sin_port));
		result("bind again", bind(fd, (void *)&a, l));
	}
	name("bound", fd, 0);
	result("connect", connect4(fd, "127.0.0.1", 53));
	name("connected", fd, 0);
	result("disconnect", disconnect(fd));
	name("after", fd, 0);
	close(fd);
	close(to);
}

static void
no_port(int type)
{
	int fd = socket(AF_INET, type, 0), fd2;
	int listener = socket(AF_INET, type, 0);
	struct sockaddr_storage a, b;
	socklen_t l = end4(&a, "127.0.0.1", 0), bl;

	printf("-- no port, type %d\n", type);
	bind(listener, (void *)&a, l);
	if (type == SOCK_STREAM)
		listen(listener, 5);
	bl = sizeof(b);
	getsockname(listener, (void *)&b, &bl);
	value("before", fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	result("set", option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 7));
	value("after", fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	l = end4(&a, "127.0.0.3", 0);
	result("bind", bind(fd, (void *)&a, l));
	name("bound", fd, 0);
	l = end4(&a, "127.0.0.2", 0);
	result("bind again", bind(fd, (void *)&a, l));
	name("bound", fd, 0);
	result("connect", connect(fd, (void *)&b, bl));
	name("connected", fd, 0);
	name("to", fd, 1);
	result("bind later", bind(fd, (void *)&a, l));
	/* A listener gets its port by listen(). */
	if (type == SOCK_STREAM) {
		fd2 = socket(AF_INET, type, 0);
		option(fd2, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		bind(fd2, (void *)&a, l);
		result("listen", listen(fd2, 5));
		name("listens", fd2, 0);
		close(fd2);
	} else {
		disconnect(fd);
		name("disconnected", fd, 0);
		result("send", sendto(fd, "x", 1, 0, (void *)&b, bl));
		name("sent", fd, 0);
	}
	close(fd);
	close(listener);
}

/* A connection that was refused leaves nothing of itself. */
static void
refused(const char *text, int no_port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage a, b;
	socklen_t l = end4(&a, "127.0.0.2", 0);

	printf("-- refused, %s\n", text);
	bind(listener, (void *)&a, l);
	getsockname(listener, (void *)&a, &l); /* nobody listens there */
	option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, no_port);
	l = end4(&b, text, 0);
	result("bind", bind(fd, (void *)&b, l));
	name("bound", fd, 0);
	result("connect", connect(fd, (void *)&a, l));
	name("after", fd, 0);
	listen(listener, 5);
	result("connect", connect(fd, (void *)&a, l));
	name("connected", fd, 0);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	result("connect", connect4(fd, "127.0.0.3", 1));
	name("after", fd, 0);
	result("connect", connect(fd, (void *)&a, l));
	name("connected", fd, 0);
	close(fd);
	close(listener);
}

/* What an accepted connection knows of the packet that made it. */
static void
pktoptions(int family)
{
	int listener = socket(family, SOCK_STREAM, 0);
	int c = socket(family, SOCK_STREAM, 0), s;
	struct sockaddr_storage a;
	socklen_t l = family == AF_INET ? end4(&a, "127.0.0.1", 0) :
					  end6(&a, "::ffff:127.0.0.1", 0);
	union {
		char b[256];
		struct cmsghdr h;
	} u;
	struct msghdr m = { .msg_control = &u };
	struct cmsghdr *h;

	printf("-- options of packets, family %d\n", family);
	bind(listener, (void *)&a, l);
	listen(listener, 5);
	l = sizeof(a);
	getsockname(listener, (void *)&a, &l);
	result("pktinfo", option(listener, IPPROTO_IP, IP_PKTINFO, 1));
	result("ttl", option(listener, IPPROTO_IP, IP_RECVTTL, 1));
	result("connect", connect(c, (void *)&a, l));
	s = accept(listener, NULL, NULL);
	result("tos", option(s, IPPROTO_IP, IP_RECVTOS, 1));
	for (int i = 0; i < 3; i++) {
		l = i == 0 ? sizeof(u) : i == 1 ? 40 : 10;
		memset(&u, 0, sizeof(u));
		result("get", getsockopt(s, IPPROTO_IP, IP_PKTOPTIONS, &u, &l));
		printf("length %u\n", l);
		m.msg_controllen = l;
		for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
			printf("%d %d %zu:", h->cmsg_level, h->cmsg_type,
			       h->cmsg_len);
			for (size_t j = 0; j < h->cmsg_len - sizeof(*h); j++)
				printf(" %d", CMSG_DATA(h)[j]);
			printf("\n");
		}
	}
	l = sizeof(u);
	result("client", getsockopt(c, IPPROTO_IP, IP_PKTOPTIONS, &u, &l));
	printf("length %u\n", l);
	close(c);
	close(s);
	close(listener);
	c = socket(family, SOCK_DGRAM, 0);
	l = sizeof(u);
	result("datagrams", getsockopt(c, IPPROTO_IP, IP_PKTOPTIONS, &u, &l));
	close(c);
}

static void
mtu6(int type)
{
	int fd = socket(AF_INET6, type, 0);

	printf("-- MTU, type %d\n", type);
	value("before", fd, IPPROTO_IPV6, IPV6_MTU);
	result("1280", option(fd, IPPROTO_IPV6, IPV6_MTU, 1280));
	result("1279", option(fd, IPPROTO_IPV6, IPV6_MTU, 1279));
	result("0", option(fd, IPPROTO_IPV6, IPV6_MTU, 0));
	result("-1", option(fd, IPPROTO_IPV6, IPV6_MTU, -1));
	result("100000", option(fd, IPPROTO_IPV6, IPV6_MTU, 100000));
	result("short", setsockopt(fd, IPPROTO_IPV6, IPV6_MTU, "x", 1));
	value("after", fd, IPPROTO_IPV6, IPV6_MTU);
	close(fd);
	fd = socket(AF_INET, type, 0);
	result("IPv4", option(fd, IPPROTO_IPV6, IPV6_MTU, 1280));
	close(fd);
}

/* Over loopback what is larger still arrives whole, but not where it may not
 * be cut. */
static void
cut6(void)
{
	static char big[5000];
	int to = socket(AF_INET6, SOCK_DGRAM, 0);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_storage a;
	socklen_t l = end6(&a, "::1", 0);

	bind(to, (void *)&a, l);
	getsockname(to, (void *)&a, &l);
	result("1280", option(fd, IPPROTO_IPV6, IPV6_MTU, 1280));
	result("connect", connect(fd, (void *)&a, l));
	value("MTU", fd, IPPROTO_IPV6, IPV6_MTU);
	result("5000", send(fd, big, sizeof(big), 0));
	result("came", recv(to, big, sizeof(big), 0));
	result("do",
	       option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO));
	result("1232", send(fd, big, 1232, 0));
	result("1233", send(fd, big, 1233, 0));
	result("want",
	       option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT));
	result("1233", send(fd, big, 1233, 0));
	value("whole", fd, IPPROTO_IPV6, IPV6_DONTFRAG);
	result("whole", option(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 5));
	value("whole", fd, IPPROTO_IPV6, IPV6_DONTFRAG);
	result("1232", send(fd, big, 1232, 0));
	result("1233", send(fd, big, 1233, 0));
	close(to);
	close(fd);
}

int
main(void)
{
	four_on_six(SOCK_DGRAM, 0);
	after_disconnect("127.0.0.2", 1);
	after_disconnect("127.0.0.2", 0);
	after_disconnect("0.0.0.0", 1);
	after_disconnect("0.0.0.0", 0);
	no_port(SOCK_STREAM);
	no_port(SOCK_DGRAM);
	refused("0.0.0.0", 0);
	refused("127.0.0.4", 0);
	refused("127.0.0.4", 1);
	pktoptions(AF_INET);
	pktoptions(AF_INET6);
	mtu6(SOCK_DGRAM);
	mtu6(SOCK_STREAM);
	cut6();
	return 0;
}
