/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP over loopback: errors and readiness at every turn of a connection:
 * fresh, refused, established, half closed, reset, closed with data unread,
 * lingering, backlog; options and what they read back; peeking and waiting.
 * CALLS: bind, connect, getsockopt, setsockopt, poll, accept, shutdown
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tcp_common.h"
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

/* What was sent over loopback arrives when the kernel gets to it. */
static void
until(int fd, int mask)
{
	UNTIL((events(fd) & mask) == mask);
}

static void
ev(const char *what, int fd)
{
	int e = events(fd);

	printf("%s:%s%s%s%s%s%s%s\n", what, e & POLLIN ? " IN" : "",
	       e & POLLOUT ? " OUT" : "", e & POLLPRI ? " PRI" : "",
	       e & POLLERR ? " ERR" : "", e & POLLHUP ? " HUP" : "",
	       e & POLLRDHUP ? " RDHUP" : "", e & POLLNVAL ? " NVAL" : "");
}

static int
so_error(int fd)
{
	int v = -1;
	socklen_t l = sizeof(v);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &l);
	return v;
}

static void
pair(int v[2])
{
	v[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(v[0], (struct sockaddr *)&addr, sizeof(addr)))
		perror("connect");
	v[1] = accept(listener, NULL, NULL);
}

static void
drop(int v[2])
{
	close(v[0]);
	close(v[1]);
}

static void
fresh(void)
{
	struct sockaddr_in sa;
	socklen_t l = sizeof(sa);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char c;

	puts("-- fresh");
	ev("poll", s);
	R("recv", recv(s, &c, 1, 0));
	R("send", send(s, "x", 1, MSG_NOSIGNAL));
	R("accept", accept(s, NULL, NULL));
	R("shutdown", shutdown(s, SHUT_WR));
	R("shutdown bad", shutdown(s, 7));
	R("getpeername", getpeername(s, (struct sockaddr *)&sa, &l));
	l = sizeof(sa);
	R("getsockname", getsockname(s, (struct sockaddr *)&sa, &l));
	printf("port %d addr %s\n", sa.sin_port, inet_ntoa(sa.sin_addr));
	sa.sin_family = AF_UNSPEC;
	R("connect unspec", connect(s, (struct sockaddr *)&sa, sizeof(sa)));
	sa.sin_family = 77;
	R("connect bad family", connect(s, (struct sockaddr *)&sa, sizeof(sa)));
	R("connect short", connect(s, (struct sockaddr *)&sa, 4));
	sa.sin_family = AF_INET;
	sa.sin_addr.s_addr = htonl(0x08080808);
	R("bind foreign", bind(s, (struct sockaddr *)&sa, sizeof(sa)));
	R("bind short", bind(s, (struct sockaddr *)&sa, 8));
	close(s);
}

static void
refused(void)
{
	struct sockaddr_in sa = addr;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t l = sizeof(sa);
	int b = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = { s, POLLOUT, 0 };

	puts("-- refused");
	sa.sin_port = 0;
	bind(b, (struct sockaddr *)&sa, sizeof(sa)); /* bound, not listening */
	getsockname(b, (struct sockaddr *)&sa, &l);
	R("connect", connect(s, (struct sockaddr *)&sa, sizeof(sa)));
	ev("poll", s);
	R("so_error", so_error(s));
	fcntl(s, F_SETFL, O_NONBLOCK);
	R("connect nonblock", connect(s, (struct sockaddr *)&sa, sizeof(sa)));
	poll(&p, 1, 200000);
	ev("poll", s);
	R("so_error", so_error(s));
	ev("poll after", s);
	R("so_error again", so_error(s));
	R("send", send(s, "x", 1, MSG_NOSIGNAL));
	R("connect to listener",
	  connect(s, (struct sockaddr *)&addr, sizeof(addr)));
	poll(&p, 1, 200000);
	ev("poll connected", s);
	R("connect again", connect(s, (struct sockaddr *)&addr, sizeof(addr)));
	R("connect third", connect(s, (struct sockaddr *)&addr, sizeof(addr)));
	close(accept(listener, NULL, NULL));
	close(s);
	close(b);
}

static void
halves(void)
{
	int v[2];
	char c;

	puts("-- half close");
	pair(v);
	ev("client", v[0]);
	ev("server", v[1]);
	R("shutdown wr", shutdown(v[0], SHUT_WR));
	ev("client", v[0]);
	ev("server", v[1]);
	R("server recv", recv(v[1], &c, 1, 0));
	R("client send", send(v[0], "x", 1, MSG_NOSIGNAL));
	R("server send", send(v[1], "abc", 3, MSG_NOSIGNAL));
	ev("client with data", v[0]);
	R("client recv", recv(v[0], &c, 1, 0));
	R("server shutdown wr", shutdown(v[1], SHUT_WR));
	ev("client", v[0]);
	ev("server", v[1]);
	R("client recv", recv(v[0], &c, 1, 0));
	R("client recv", recv(v[0], &c, 1, 0));
	R("client recv", recv(v[0], &c, 1, 0));
	R("client again", shutdown(v[0], SHUT_WR));
	drop(v);
	pair(v);
	R("shutdown rd", shutdown(v[0], SHUT_RD));
	ev("client", v[0]);
	ev("server", v[1]);
	R("client recv", recv(v[0], &c, 1, 0));
	R("server send", send(v[1], "abc", 3, MSG_NOSIGNAL));
	R("client recv", recv(v[0], &c, 1, MSG_DONTWAIT));
	R("client send", send(v[0], "abc", 3, MSG_NOSIGNAL));
	drop(v);
	pair(v);
	R("shutdown rdwr", shutdown(v[0], SHUT_RDWR));
	ev("client", v[0]);
	ev("server", v[1]);
	drop(v);
}

static void
resets(void)
{
	struct linger lg = { 1, 0 };
	int v[2];
	char c[8];

	puts("-- peer closed");
	pair(v);
	close(v[1]);
	ev("client", v[0]);
	R("recv", recv(v[0], c, 1, 0));
	R("send 1", send(v[0], "x", 1, MSG_NOSIGNAL));
	until(v[0], POLLHUP);
	ev("client", v[0]);
	R("send 2", send(v[0], "x", 1, MSG_NOSIGNAL));
	R("recv", recv(v[0], c, 1, 0));
	R("so_error", so_error(v[0]));
	close(v[0]);

	puts("-- peer closed with data unread");
	pair(v);
	send(v[0], "hello", 5, 0);
	send(v[1], "world", 5, 0);
	until(v[1], POLLIN);
	until(v[0], POLLIN);
	close(v[1]);
	until(v[0], POLLHUP);
	ev("client", v[0]);
	R("recv", recv(v[0], c, 8, 0));
	R("recv", recv(v[0], c, 8, 0));
	R("recv", recv(v[0], c, 8, 0));
	R("send", send(v[0], "x", 1, MSG_NOSIGNAL));
	close(v[0]);

	puts("-- linger 0");
	pair(v);
	setsockopt(v[1], SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
	close(v[1]);
	until(v[0], POLLHUP);
	ev("client", v[0]);
	R("so_error", so_error(v[0]));
	ev("client", v[0]);
	R("recv", recv(v[0], c, 8, 0));
	R("send", send(v[0], "x", 1, MSG_NOSIGNAL));
	close(v[0]);

	puts("-- listener gone");
	v[0] = socket(AF_INET, SOCK_STREAM, 0);
	R("connect", connect(v[0], (struct sockaddr *)&addr, sizeof(addr)));
	close(listener);
	until(v[0], POLLHUP);
	ev("client", v[0]);
	R("recv", recv(v[0], c, 8, 0));
	close(v[0]);
	listen_on(4);
}

static void
reading(void)
{
	int v[2], n;
	char b[64];
	struct iovec io[2] = { { b, 3 }, { b + 10, 20 } };
	struct msghdr m = { .msg_iov = io, .msg_iovlen = 2 };

	puts("-- reading");
	pair(v);
	R("dontwait", recv(v[1], b, 10, MSG_DONTWAIT));
	send(v[0], "hello world", 11, 0);
	until(v[1], POLLIN);
	ioctl(v[1], FIONREAD, &n);
	printf("FIONREAD %d\n", n);
	R("peek", recv(v[1], b, 5, MSG_PEEK));
	printf("%.5s\n", b);
	R("peek all", recv(v[1], b, 64, MSG_PEEK));
	R("trunc", recv(v[1], b, 2, MSG_TRUNC));
	R("recvmsg", recvmsg(v[1], &m, 0));
	printf("%.3s|%.6s namelen %d flags %x\n", b, b + 10, (int)m.msg_namelen,
	       (unsigned)m.msg_flags);
	send(v[0], "ab", 2, 0);
	send(v[0], "cd", 2, 0);
	R("waitall 4", recv(v[1], b, 4, MSG_WAITALL));
	printf("%.4s\n", b);
	send(v[0], "ef", 2, 0);
	shutdown(v[0], SHUT_WR);
	R("waitall eof", recv(v[1], b, 10, MSG_WAITALL));
	R("recv oob", recv(v[1], b, 1, MSG_OOB));
	R("zero", recv(v[1], b, 0, 0));
	R("send zero", send(v[1], b, 0, 0));
	R("sendto with address",
	  sendto(v[1], "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr)));
	R("lseek", lseek(v[1], 0, SEEK_SET));
	R("pread", pread(v[1], b, 1, 0));
	R("bad pointer", send(v[1], (void *)8, 4, 0));
	drop(v);
}

static void
timeouts(void)
{
	struct timeval tv = { 0, 50000 };
	int v[2];
	char b[4];

	puts("-- time-outs");
	pair(v);
	setsockopt(v[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	R("recv", recv(v[0], b, 4, 0));
	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	R("accept", accept(listener, NULL, NULL));
	drop(v);
}

static void
full(void)
{
	static char buf[65536];
	int v[2], sz = 32768;
	long sum = 0, n, back = 0;
	struct epoll_event e = { EPOLLOUT | EPOLLET, { 0 } }, got;
	int ep = epoll_create1(0);
	struct pollfd p;

	puts("-- full");
	pair(v);
	p = (struct pollfd){ v[0], POLLOUT, 0 };
	setsockopt(v[0], SOL_SOCKET, SO_SNDBUF, &sz, sizeof(sz));
	fcntl(v[0], F_SETFL, O_NONBLOCK);
	epoll_ctl(ep, EPOLL_CTL_ADD, v[0], &e);
	R("epoll first", epoll_wait(ep, &got, 1, 0));
	R("epoll second", epoll_wait(ep, &got, 1, 0));
	/* There is room again while the receiver's kernel still takes data. */
	do
		while ((n = send(v[0], buf, sizeof(buf), 0)) > 0)
			sum += n;
	while (poll(&p, 1, 1000) > 0);
	printf("filled %d, %s\n", sum > 30000, strerrorname_np(errno));
	ev("full", v[0]);
	R("epoll full", epoll_wait(ep, &got, 1, 0));
	while (back < sum && (n = recv(v[1], buf, sizeof(buf), 0)) > 0)
		back += n;
	printf("all back %d\n", back == sum);
	R("epoll again", epoll_wait(ep, &got, 1, 200000));
	ev("empty", v[0]);
	close(ep);
	drop(v);
}

static void
show(const char *what, int s, int level, int name)
{
	int v = -1;
	socklen_t l = sizeof(v);
	int r = getsockopt(s, level, name, &v, &l);

	printf("%s: %d len %d %s\n", what, v, (int)l,
	       r ? strerrorname_np(errno) : "");
}

static int
set(int s, int level, int name, int v)
{
	return setsockopt(s, level, name, &v, sizeof(v));
}

static void
options(void)
{
	struct tcp_info ti;
	socklen_t l = sizeof(ti);
	int v[2];

	puts("-- options");
	pair(v);
	show("nodelay", v[0], IPPROTO_TCP, TCP_NODELAY);
	R("set", set(v[0], IPPROTO_TCP, TCP_NODELAY, 5));
	show("nodelay", v[0], IPPROTO_TCP, TCP_NODELAY);
	show("cork", v[0], IPPROTO_TCP, TCP_CORK);
	show("keepidle", v[0], IPPROTO_TCP, TCP_KEEPIDLE);
	show("keepintvl", v[0], IPPROTO_TCP, TCP_KEEPINTVL);
	show("keepcnt", v[0], IPPROTO_TCP, TCP_KEEPCNT);
	R("keepcnt 0", set(v[0], IPPROTO_TCP, TCP_KEEPCNT, 0));
	R("keepcnt 128", set(v[0], IPPROTO_TCP, TCP_KEEPCNT, 128));
	R("keepidle 10", set(v[0], IPPROTO_TCP, TCP_KEEPIDLE, 10));
	show("keepidle", v[0], IPPROTO_TCP, TCP_KEEPIDLE);
	show("syncnt", v[0], IPPROTO_TCP, TCP_SYNCNT);
	show("linger2", v[0], IPPROTO_TCP, TCP_LINGER2);
	R("defer 3", set(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3));
	show("defer", listener, IPPROTO_TCP, TCP_DEFER_ACCEPT);
	R("defer 0", set(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0));
	show("user timeout", v[0], IPPROTO_TCP, TCP_USER_TIMEOUT);
	R("user timeout", set(v[0], IPPROTO_TCP, TCP_USER_TIMEOUT, 5000));
	show("user timeout", v[0], IPPROTO_TCP, TCP_USER_TIMEOUT);
	R("maxseg 10", set(v[0], IPPROTO_TCP, TCP_MAXSEG, 10));
	R("unknown", set(v[0], IPPROTO_TCP, 99, 1));
	show("unknown", v[0], IPPROTO_TCP, 99);
	show("ip_tos", v[0], IPPROTO_IP, IP_TOS);
	R("ip_tos", set(v[0], IPPROTO_IP, IP_TOS, 0x10));
	show("ip_tos", v[0], IPPROTO_IP, IP_TOS);
	show("ip_ttl", v[0], IPPROTO_IP, IP_TTL);
	R("ip_ttl 0", set(v[0], IPPROTO_IP, IP_TTL, 0));
	R("ip_ttl 300", set(v[0], IPPROTO_IP, IP_TTL, 300));
	R("unknown ip", set(v[0], IPPROTO_IP, 999, 1));
	R("v6only on v4", set(v[0], IPPROTO_IPV6, IPV6_V6ONLY, 1));
	show("domain", v[0], SOL_SOCKET, SO_DOMAIN);
	show("type", v[0], SOL_SOCKET, SO_TYPE);
	show("protocol", v[0], SOL_SOCKET, SO_PROTOCOL);
	show("acceptconn", v[0], SOL_SOCKET, SO_ACCEPTCONN);
	show("acceptconn", listener, SOL_SOCKET, SO_ACCEPTCONN);
	getsockopt(v[0], IPPROTO_TCP, TCP_INFO, &ti, &l);
	printf("tcp_info state %d, at least %d\n", ti.tcpi_state, l >= 192);
	getsockopt(listener, IPPROTO_TCP, TCP_INFO, &ti, &l);
	printf("listener state %d\n", ti.tcpi_state);
	drop(v);
}

static void
binding(void)
{
	struct sockaddr_in sa = addr;
	int a = socket(AF_INET, SOCK_STREAM, 0);
	int b = socket(AF_INET, SOCK_STREAM, 0);
	int c = socket(AF_INET, SOCK_STREAM, 0);

	puts("-- binding");
	R("in use", bind(a, (struct sockaddr *)&sa, sizeof(sa)));
	set(a, SOL_SOCKET, SO_REUSEADDR, 1);
	R("in use, reuse", bind(a, (struct sockaddr *)&sa, sizeof(sa)));
	sa.sin_port = 0;
	set(a, SOL_SOCKET, SO_REUSEPORT, 1);
	set(b, SOL_SOCKET, SO_REUSEPORT, 1);
	R("bind a", bind(a, (struct sockaddr *)&sa, sizeof(sa)));
	socklen_t l = sizeof(sa);
	getsockname(a, (struct sockaddr *)&sa, &l);
	R("bind b", bind(b, (struct sockaddr *)&sa, sizeof(sa)));
	R("bind c", bind(c, (struct sockaddr *)&sa, sizeof(sa)));
	R("listen a", listen(a, 5));
	R("listen b", listen(b, 5));
	sa.sin_addr.s_addr = 0;
	R("bind c any", bind(c, (struct sockaddr *)&sa, sizeof(sa)));
	R("twice", bind(b, (struct sockaddr *)&sa, sizeof(sa)));
	R("listen twice", listen(b, 7));
	R("connect listener",
	  connect(b, (struct sockaddr *)&addr, sizeof(addr)));
	ev("listener", b);
	R("shutdown listener", shutdown(b, SHUT_RDWR));
	R("accept", accept(b, NULL, NULL));
	close(a);
	close(b);
	close(c);
}

static void
v6(void)
{
	struct sockaddr_in6 s6 = { .sin6_family = AF_INET6 }, p;
	socklen_t l = sizeof(s6);
	int a = socket(AF_INET6, SOCK_STREAM, 0), c, s;
	struct sockaddr_in s4 = addr;
	char t[64];

	puts("-- v6");
	R("bind", bind(a, (struct sockaddr *)&s6, sizeof(s6)));
	R("listen", listen(a, 3));
	getsockname(a, (struct sockaddr *)&s6, &l);
	s4.sin_port = s6.sin6_port;
	c = socket(AF_INET, SOCK_STREAM, 0);
	R("v4 to v6", connect(c, (struct sockaddr *)&s4, sizeof(s4)));
	l = sizeof(p);
	s = accept(a, (struct sockaddr *)&p, &l);
	printf("from %s len %d\n",
	       inet_ntop(AF_INET6, &p.sin6_addr, t, sizeof(t)), (int)l);
	close(s);
	close(c);
	c = socket(AF_INET6, SOCK_STREAM, 0);
	s6.sin6_addr = in6addr_loopback;
	R("v6 to v6", connect(c, (struct sockaddr *)&s6, sizeof(s6)));
	l = sizeof(p);
	s = accept(a, (struct sockaddr *)&p, &l);
	printf("from %s len %d\n",
	       inet_ntop(AF_INET6, &p.sin6_addr, t, sizeof(t)), (int)l);
	close(s);
	close(c);
	close(a);
	a = socket(AF_INET6, SOCK_STREAM, 0);
	show("v6only", a, IPPROTO_IPV6, IPV6_V6ONLY);
	R("v6only", set(a, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	s6.sin6_addr = in6addr_any;
	s6.sin6_port = 0; /* the old one is in TIME_WAIT on Linux */
	R("bind only", bind(a, (struct sockaddr *)&s6, sizeof(s6)));
	R("v6only late", set(a, IPPROTO_IPV6, IPV6_V6ONLY, 0));
	R("listen", listen(a, 3));
	l = sizeof(s6);
	getsockname(a, (struct sockaddr *)&s6, &l);
	s4.sin_port = s6.sin6_port;
	c = socket(AF_INET, SOCK_STREAM, 0);
	R("v4 to v6only", connect(c, (struct sockaddr *)&s4, sizeof(s4)));
	close(c);
	close(a);
}

static int
connected(const int *s, int n)
{
	int ok = 0;

	for (int i = 0; i < n; i++)
		ok += events(s[i]) == POLLOUT;
	return ok;
}

static void
backlog(void)
{
	int s[4], ok, again = 0;

	puts("-- backlog");
	close(listener);
	listen_on(1);
	for (int i = 0; i < 4; i++) {
		s[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		again += connect(s[i], (struct sockaddr *)&addr, sizeof(addr)) <
				 0 &&
			 errno == EINPROGRESS;
	}
	UNTIL(connected(s, 4) >= 2);
	usleep(20000); /* for those too many */
	ok = connected(s, 4);
	printf("in progress %d, connected %d\n", again, ok);
	for (int i = 0; i < 4; i++)
		close(s[i]);
}

static volatile int pipes;

static void
on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

/* A gigabyte to an end that is closed does not all go. */
static void
much_to_nobody(void)
{
	static char mb[1 << 20];
	static struct iovec iov[1024];
	ssize_t n;
	int v[2];

	for (int i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ mb, sizeof(mb) };
	pair(v);
	close(v[1]);
	n = writev(v[0], iov, 1024);
	printf("some of it %d\n", n > 0 && n < 1 << 30);
	errno = 0;
	n = writev(v[0], iov, 1024);
	printf("then %d\n", n == -1 && (errno == EPIPE || errno == ECONNRESET));
	close(v[0]);
}

int
main(void)
{
	int v[2];

	setvbuf(stdout, NULL, _IOLBF, 0);
	listen_on(4);
	fresh();
	refused();
	halves();
	resets();
	reading();
	timeouts();
	full();
	options();
	binding();
	v6();
	signal(SIGPIPE, on_pipe);
	pair(v);
	shutdown(v[0], SHUT_WR);
	R("write", write(v[0], "x", 1));
	printf("SIGPIPE %d\n", pipes);
	drop(v);
	much_to_nobody();
	backlog();
	return 0;
}
