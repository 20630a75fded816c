/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP in pieces and in bulk, over loopback: MSG_MORE and UDP_CORK make one
 * datagram of several sends, UDP_SEGMENT several of one send, UDP_GRO hands
 * several out at once; SO_TIMESTAMPING of what is received.
 * CALLS: sendto, sendmsg, recvmsg, setsockopt, getsockopt
 */
#define _GNU_SOURCE
#include "sock_common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static char big[70000];

static int
value(int fd, int level, int name)
{
	socklen_t l = sizeof(int);
	int v = -77;

	if (getsockopt(fd, level, name, &v, &l))
		return -errno;
	return v;
}

/* A receiver, and a sender that is connected to it or not. */
static void
pair(int family, int *to, int *from, struct sockaddr_storage *a, socklen_t *len,
     int connected)
{
	struct sockaddr_in *v4 = (void *)a;
	struct sockaddr_in6 *v6 = (void *)a;

	memset(a, 0, sizeof(*a));
	a->ss_family = family;
	if (family == AF_INET)
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		v6->sin6_addr = in6addr_loopback;
	*len = family == AF_INET ? sizeof(*v4) : sizeof(*v6);
	*to = socket(family, SOCK_DGRAM, 0);
	*from = socket(family, SOCK_DGRAM, 0);
	bind(*to, (void *)a, *len);
	getsockname(*to, (void *)a, len);
	if (connected)
		connect(*from, (void *)a, *len);
}

/* Everything that is there. */
static void
drain(const char *what, int fd)
{
	static char b[70000], control[300];

	printf("%s:", what);
	for (;;) {
		struct iovec v = { b, sizeof(b) };
		struct msghdr m = { .msg_iov = &v,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
		struct cmsghdr *c;

		if (n < 0) {
			printf(" %s\n", strerrorname_np(errno));
			return;
		}
		printf(" %zd", n);
		if (n > 0 && n < 12)
			printf("=%.*s", (int)n, b);
		for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			int v = 0;

			printf(" [%d/%d %zu", c->cmsg_level, c->cmsg_type,
			       c->cmsg_len - CMSG_LEN(0));
			if (c->cmsg_level == IPPROTO_UDP) {
				memcpy(&v, CMSG_DATA(c), sizeof(v));
				printf(" %d", v);
			}
			printf("]");
		}
	}
}

static void
more(int family)
{
	struct sockaddr_storage a, b;
	int to, from, to2, from2;
	socklen_t l, l2;

	printf("family %d\n", family);
	pair(family, &to, &from, &a, &l, 0);
	pair(family, &to2, &from2, &b, &l2, 1);
	result("first", sendto(from, "ab", 2, MSG_MORE, (void *)&a, l));
	drain("waits", to);
	result("no address", send(from, "cd", 2, MSG_MORE));
	result("another's", sendto(from, "ef", 2, 0, (void *)&b, l2));
	drain("one", to);
	drain("another's", to2);
	result("no address", send(from, "x", 1, MSG_MORE));
	result("empty", sendto(from, "", 0, MSG_MORE, (void *)&a, l));
	drain("empty waits", to);
	result("empty too", sendto(from, "", 0, 0, (void *)&a, l));
	drain("empty", to);

	printf("UDP_CORK %d\n", value(from2, IPPROTO_UDP, UDP_CORK));
	result("cork", option(from2, IPPROTO_UDP, UDP_CORK, 5));
	printf("UDP_CORK %d\n", value(from2, IPPROTO_UDP, UDP_CORK));
	result("1", send(from2, "1", 1, 0));
	result("23", send(from2, "23", 2, 0));
	drain("corked", to2);
	result("off", option(from2, IPPROTO_UDP, UDP_CORK, 0));
	drain("uncorked", to2);
	result("off again", option(from2, IPPROTO_UDP, UDP_CORK, 0));
	drain("nothing", to2);

	/* What does not fit takes all with it. */
	result("much", send(from2, big, 40000, MSG_MORE));
	result("too much", send(from2, big, 40000, 0));
	drain("too much", to2);
	result("after", send(from2, "after", 5, 0));
	drain("after", to2);
	result("more than there is", send(from2, big, 66000, MSG_MORE));
	result("pending", send(from2, "r", 1, MSG_MORE));
	close(from2);
	drain("closed", to);
	close(from);
	close(to);
	close(to2);
}

/* IPv4 and IPv6 by one socket. */
static void
mapped(void)
{
	struct sockaddr_storage a;
	struct sockaddr_in6 m = { .sin6_family = AF_INET6 };
	int to, from, fd = socket(AF_INET6, SOCK_DGRAM, 0);
	socklen_t l;

	pair(AF_INET, &to, &from, &a, &l, 0);
	m.sin6_port = ((struct sockaddr_in *)&a)->sin_port;
	m.sin6_addr.s6_addr[10] = m.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&m.sin6_addr.s6_addr[12], &((struct sockaddr_in *)&a)->sin_addr,
	       4);
	result("mapped", sendto(fd, "m", 1, MSG_MORE, (void *)&m, sizeof(m)));
	result("mapped", sendto(fd, "n", 1, 0, (void *)&m, sizeof(m)));
	drain("mapped", to);
	close(fd);
	close(to);
	close(from);
}

static ssize_t
send_sized(int fd, size_t n, uint16_t size)
{
	union {
		char b[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr h;
	} c;
	struct iovec v = { big, n };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &c,
			    .msg_controllen = sizeof(c) };

	memset(&c, 0, sizeof(c));
	c.h.cmsg_level = IPPROTO_UDP;
	c.h.cmsg_type = UDP_SEGMENT;
	c.h.cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(&c.h), &size, sizeof(size));
	return sendmsg(fd, &m, 0);
}

static void
segments(int family)
{
	struct sockaddr_storage a;
	int to, from;
	socklen_t l;

	printf("segments, family %d\n", family);
	pair(family, &to, &from, &a, &l, 1);
	printf("UDP_SEGMENT %d\n", value(from, IPPROTO_UDP, UDP_SEGMENT));
	result("negative", option(from, IPPROTO_UDP, UDP_SEGMENT, -1));
	result("large", option(from, IPPROTO_UDP, UDP_SEGMENT, 65536));
	result("100", option(from, IPPROTO_UDP, UDP_SEGMENT, 100));
	printf("UDP_SEGMENT %d\n", value(from, IPPROTO_UDP, UDP_SEGMENT));
	result("250", send(from, big, 250, 0));
	drain("250", to);
	result("300", send(from, big, 300, 0));
	drain("300", to);
	result("100", send(from, big, 100, 0));
	drain("100", to);
	result("0", send(from, big, 0, 0));
	drain("0", to);
	result("by control", send_sized(from, 250, 200));
	drain("by control", to);
	result("off by control", send_sized(from, 250, 0));
	drain("off by control", to);
	result("pieces", send(from, big, 130, MSG_MORE));
	result("pieces", send(from, big, 130, 0));
	drain("pieces", to);
	option(from, IPPROTO_UDP, UDP_SEGMENT, 1);
	result("too many", send(from, big, 60000, 0));
	drain("too many", to);
	option(from, IPPROTO_UDP, UDP_SEGMENT, 0);
	result("off", send(from, big, 250, 0));
	drain("off", to);

	printf("UDP_GRO %d\n", value(to, IPPROTO_UDP, UDP_GRO));
	result("gro", option(to, IPPROTO_UDP, UDP_GRO, 3));
	printf("UDP_GRO %d\n", value(to, IPPROTO_UDP, UDP_GRO));
	result("by control", send_sized(from, 250, 100));
	drain("at once", to);
	result("one", send_sized(from, 80, 100));
	drain("one", to);
	close(to);
	close(from);
}

static void
stamps(void)
{
	struct sockaddr_storage a;
	char b[10], control[300];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct timespec ts[3], now;
	struct cmsghdr *c = NULL;
	int to, from;
	socklen_t l;

	pair(AF_INET, &to, &from, &a, &l, 1);
	printf("SO_TIMESTAMPING %d\n", value(to, SOL_SOCKET, SO_TIMESTAMPING));
	result("none such", option(to, SOL_SOCKET, SO_TIMESTAMPING, 1 << 30));
	result("report only", option(to, SOL_SOCKET, SO_TIMESTAMPING,
				     SOF_TIMESTAMPING_SOFTWARE));
	send(from, "a", 1, 0);
	/* Linux stamps it where any other program on the machine asks. */
	result("report only", recv(to, b, sizeof(b), 0));
	result("both", option(to, SOL_SOCKET, SO_TIMESTAMPING,
			      SOF_TIMESTAMPING_SOFTWARE |
				      SOF_TIMESTAMPING_RX_SOFTWARE));
	printf("SO_TIMESTAMPING %d\n", value(to, SOL_SOCKET, SO_TIMESTAMPING));
	/* Linux begins to stamp a little after it is asked to. */
	for (int i = 0; i < 200000; i++) {
		m.msg_controllen = sizeof(control);
		send(from, "b", 1, 0);
		recvmsg(to, &m, 0);
		c = CMSG_FIRSTHDR(&m);
		if (c)
			break;
		usleep(1000);
	}
	if (!c) {
		printf("none\n");
		return;
	}
	memcpy(ts, CMSG_DATA(c), sizeof(ts));
	clock_gettime(CLOCK_REALTIME, &now);
	printf("%d/%d %zu: %s, %ld %ld\n", c->cmsg_level, c->cmsg_type,
	       c->cmsg_len - CMSG_LEN(0),
	       now.tv_sec - ts[0].tv_sec < 100 ? "now" : "another time",
	       (long)ts[1].tv_sec, (long)ts[2].tv_sec);
	option(to, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	send(from, "c", 1, 0);
	drain("two kinds", to);
	option(to, SOL_SOCKET, SO_TIMESTAMPING, 0);
	option(to, SOL_SOCKET, SO_TIMESTAMPNS, 0);
	send(from, "d", 1, 0);
	drain("off", to);
	close(to);
	close(from);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	memset(big, 'x', sizeof(big));
	more(AF_INET);
	more(AF_INET6);
	mapped();
	segments(AF_INET);
	segments(AF_INET6);
	stamps();
	return 0;
}
