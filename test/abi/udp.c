/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP over loopback: addresses, connected sockets and their errors, peeking
 * and truncation, control data of both versions, queues that are full,
 * multicast on lo, options, sendmmsg.
 * CALLS: sendto, recvfrom, sendmsg, recvmsg, bind, connect
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wait_common.h"

#define R(what, expr)                                         \
	do {                                                  \
		errno = 0;                                    \
		long r_ = (long)(expr);                       \
		printf("%s: %ld %s\n", what, r_,              \
		       r_ < 0 ? strerrorname_np(errno) : ""); \
	} while (0)

static int
events(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static void
ev(const char *what, int fd)
{
	printf("%s: %x\n", what, (unsigned)events(fd));
}

static int
udp4(struct sockaddr_in *sa)
{
	socklen_t l = sizeof(*sa);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	memset(sa, 0, sizeof(*sa));
	sa->sin_family = AF_INET;
	sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(s, (struct sockaddr *)sa, sizeof(*sa));
	getsockname(s, (struct sockaddr *)sa, &l);
	return s;
}

static int
on(int s, int level, int name)
{
	int one = 1;

	return setsockopt(s, level, name, &one, sizeof(one));
}

static void
plain(void)
{
	struct sockaddr_in a, b, from;
	socklen_t l = sizeof(from);
	int sa = udp4(&a), sb = udp4(&b), n;
	char buf[64];

	puts("-- plain");
	ev("fresh", sa);
	R("recv nothing", recv(sa, buf, 1, MSG_DONTWAIT));
	R("sendto",
	  sendto(sa, "hello", 5, 0, (struct sockaddr *)&b, sizeof(b)));
	ev("with one", sb);
	ioctl(sb, FIONREAD, &n);
	printf("FIONREAD %d\n", n);
	R("peek", recv(sb, buf, sizeof(buf), MSG_PEEK));
	R("trunc", recv(sb, buf, 2, MSG_PEEK | MSG_TRUNC));
	R("recvfrom",
	  recvfrom(sb, buf, sizeof(buf), 0, (struct sockaddr *)&from, &l));
	printf("%.5s from %s, mine %d, len %d\n", buf, inet_ntoa(from.sin_addr),
	       from.sin_port == a.sin_port, (int)l);
	R("empty", sendto(sa, "", 0, 0, (struct sockaddr *)&b, sizeof(b)));
	ev("with empty", sb);
	R("recv empty", recv(sb, buf, 5, 0));
	R("send unconnected", send(sa, "x", 1, 0));
	R("port 0", (b.sin_port = 0,
		     sendto(sa, "x", 1, 0, (struct sockaddr *)&b, sizeof(b))));
	R("too long",
	  sendto(sa, buf, 65508, 0, (struct sockaddr *)&a, sizeof(a)));
	R("getpeername", getpeername(sa, (struct sockaddr *)&from, &l));
	R("shutdown", shutdown(sa, SHUT_RD));
	R("listen", listen(sa, 1));
	R("accept", accept(sa, NULL, NULL));
	close(sa);
	close(sb);
}

static void
connected(void)
{
	struct sockaddr_in a, b, c;
	socklen_t l = sizeof(c);
	int sa = udp4(&a), sb = udp4(&b), sc = udp4(&c), e;
	char buf[8];

	puts("-- connected");
	R("connect", connect(sa, (struct sockaddr *)&b, sizeof(b)));
	R("send", send(sa, "one", 3, 0));
	R("recv", recv(sb, buf, 8, 0));
	R("stranger", sendto(sc, "no", 2, 0, (struct sockaddr *)&a, sizeof(a)));
	R("not for us", recv(sa, buf, 8, MSG_DONTWAIT));
	R("friend", sendto(sb, "yes", 3, 0, (struct sockaddr *)&a, sizeof(a)));
	UNTIL(events(sa) & POLLIN);
	R("for us", recv(sa, buf, 8, MSG_DONTWAIT));
	close(sb);
	R("send to nobody", send(sa, "x", 1, 0));
	UNTIL(events(sa) & POLLERR);
	ev("refused", sa);
	l = sizeof(e);
	getsockopt(sa, SOL_SOCKET, SO_ERROR, &e, &l);
	printf("SO_ERROR %d\n", e);
	ev("after", sa);
	R("send to nobody", send(sa, "x", 1, 0));
	UNTIL(events(sa) & POLLERR);
	R("recv says", recv(sa, buf, 8, 0));
	a.sin_family = AF_UNSPEC;
	R("disconnect", connect(sa, (struct sockaddr *)&a, sizeof(a)));
	R("send", send(sa, "x", 1, 0));
	R("shutdown", shutdown(sc, SHUT_WR));
	R("connect c", connect(sc, (struct sockaddr *)&b, sizeof(b)));
	R("shutdown", shutdown(sc, SHUT_RDWR));
	ev("shut", sc);
	R("recv", recv(sc, buf, 8, 0));
	R("send", send(sc, "x", 1, MSG_NOSIGNAL));
	close(sa);
	close(sc);
}

static void
show_cmsgs(int s)
{
	char buf[64], ctl[256], t[64];
	struct iovec io = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = ctl,
			    .msg_controllen = sizeof(ctl) };
	ssize_t n = recvmsg(s, &m, 0);

	printf("recvmsg %zd flags %x\n", n, (unsigned)m.msg_flags);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		printf("cmsg %d %d len %d", c->cmsg_level, c->cmsg_type,
		       (int)c->cmsg_len);
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *p = (void *)CMSG_DATA(c);

			printf(" if %d to %s", p->ipi_ifindex,
			       inet_ntoa(p->ipi_addr));
		} else if (c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *p = (void *)CMSG_DATA(c);

			printf(" if %d to %s", p->ipi6_ifindex,
			       inet_ntop(AF_INET6, &p->ipi6_addr, t,
					 sizeof(t)));
		} else if (c->cmsg_type == IP_TTL ||
			   c->cmsg_type == IPV6_HOPLIMIT) {
			printf(" %d", *(int *)(void *)CMSG_DATA(c));
		}
		puts("");
	}
}

static void
control(void)
{
	struct sockaddr_in a, b;
	struct sockaddr_in6 s6 = { .sin6_family = AF_INET6 };
	socklen_t l = sizeof(s6);
	int sa = udp4(&a), sb = udp4(&b), s;

	puts("-- control data");
	R("pktinfo", on(sb, IPPROTO_IP, IP_PKTINFO));
	R("recvttl", on(sb, IPPROTO_IP, IP_RECVTTL));
	sendto(sa, "abc", 3, 0, (struct sockaddr *)&b, sizeof(b));
	show_cmsgs(sb);
	close(sb);
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	R("pktinfo6", on(s, IPPROTO_IPV6, IPV6_RECVPKTINFO));
	R("hoplimit", on(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT));
	s6.sin6_addr = in6addr_any;
	R("bind6", bind(s, (struct sockaddr *)&s6, sizeof(s6)));
	getsockname(s, (struct sockaddr *)&s6, &l);
	b.sin_port = s6.sin6_port;
	R("4 to 6", sendto(sa, "abc", 3, 0, (struct sockaddr *)&b, sizeof(b)));
	show_cmsgs(s);
	s6.sin6_addr = in6addr_loopback;
	sb = socket(AF_INET6, SOCK_DGRAM, 0);
	R("6 to 6", sendto(sb, "abcd", 4, 0, (struct sockaddr *)&s6, l));
	show_cmsgs(s);
	close(s);
	close(sa);
	close(sb);
}

static void
full(void)
{
	struct sockaddr_in a, b;
	int sa = udp4(&a), sb = udp4(&b), sz = 4000, n = 0, got = 0;
	static char buf[1000];

	puts("-- full");
	setsockopt(sb, SOL_SOCKET, SO_RCVBUF, &sz, sizeof(sz));
	for (int i = 0; i < 100; i++)
		n += sendto(sa, buf, sizeof(buf), 0, (struct sockaddr *)&b,
			    sizeof(b)) == sizeof(buf);
	while (recv(sb, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		got++;
	printf("sent %d, some came %d, some were dropped %d\n", n, got > 0,
	       got < n);
	close(sa);
	close(sb);
}

static void
groups(void)
{
	struct sockaddr_in g = { .sin_family = AF_INET };
	struct ip_mreqn r = { .imr_ifindex = 1 };
	socklen_t l = sizeof(g);
	int s = socket(AF_INET, SOCK_DGRAM, 0),
	    t = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[8];

	puts("-- groups");
	r.imr_multiaddr.s_addr = inet_addr("239.1.2.3");
	R("bind", bind(s, (struct sockaddr *)&g, sizeof(g)));
	getsockname(s, (struct sockaddr *)&g, &l);
	R("join", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	R("twice", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	R("if", setsockopt(t, IPPROTO_IP, IP_MULTICAST_IF, &r, sizeof(r)));
	g.sin_addr = r.imr_multiaddr;
	R("send", sendto(t, "mc", 2, 0, (struct sockaddr *)&g, sizeof(g)));
	UNTIL(events(s) & POLLIN);
	R("recv", recv(s, buf, 8, MSG_DONTWAIT));
	R("leave",
	  setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)));
	R("leave again",
	  setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)));
	r.imr_multiaddr.s_addr = inet_addr("10.0.0.1");
	R("no group",
	  setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	g.sin_addr.s_addr = 0xffffffff;
	R("broadcast", sendto(t, "bc", 2, 0, (struct sockaddr *)&g, sizeof(g)));
	close(s);
	close(t);
}

static void
many(void)
{
	struct sockaddr_in a, b;
	int sa = udp4(&a), sb = udp4(&b);
	struct mmsghdr m[3] = { 0 };
	struct iovec io[3] = { { "a", 1 }, { "bb", 2 }, { "ccc", 3 } };
	char buf[3][8];

	puts("-- many");
	for (int i = 0; i < 3; i++) {
		m[i].msg_hdr.msg_iov = &io[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &b;
		m[i].msg_hdr.msg_namelen = sizeof(b);
	}
	R("sendmmsg", sendmmsg(sa, m, 3, 0));
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 3; i++) {
		io[i] = (struct iovec){ buf[i], 8 };
		m[i].msg_hdr.msg_iov = &io[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	R("recvmmsg", recvmmsg(sb, m, 3, MSG_DONTWAIT, NULL));
	printf("%u %u %u\n", m[0].msg_len, m[1].msg_len, m[2].msg_len);
	close(sa);
	close(sb);
}

static void
kinds(void)
{
	puts("-- kinds");
	R("bad protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	R("bad protocol", socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
	R("raw 0", socket(AF_INET, SOCK_RAW, 0));
	R("seqpacket", socket(AF_INET, SOCK_SEQPACKET, 0));
	R("pair", socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0 }));
	R("rdm", socket(AF_INET6, SOCK_RDM, 0));
}

int
main(void)
{
	plain();
	connected();
	control();
	full();
	groups();
	many();
	kinds();
	return 0;
}
