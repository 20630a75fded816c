/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: local datagrams and sequenced packets: borders, truncation, sizes,
 * queues and their limits, refusals, readiness, several messages a call.
 * CALLS: sendto recvfrom sendmmsg recvmmsg
 */
#define _GNU_SOURCE
#include "own_network.h"
#include "unix_common.h"
#include "wait_common.h"

static int
bound(int type, const char *name)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	if (un_bind(fd, name))
		printf("bind: %s\n", strerrorname_np(errno));
	return fd;
}

static void
recv_show(const char *what, int fd, size_t size, int flags)
{
	struct sockaddr_un sa;
	socklen_t len = sizeof(sa);
	char b[300];
	ssize_t n;

	memset(b, '.', sizeof(b));
	n = recvfrom(fd, b, size, flags, (struct sockaddr *)&sa, &len);
	if (n < 0) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		return;
	}
	printf("%s: %zd %.*s ", what, n, n < (ssize_t)size ? (int)n : (int)size,
	       b);
	show_addr("from", 0, &sa, len);
}

static long
to(int fd, const char *name, const char *text)
{
	struct sockaddr_un sa;
	socklen_t len = un_addr(&sa, name);

	return sendto(fd, text, strlen(text), MSG_DONTWAIT,
		      (struct sockaddr *)&sa, len);
}

static void
borders(void)
{
	int a = bound(SOCK_DGRAM, "@pith-a"), b = bound(SOCK_DGRAM, "@pith-b");
	int n = socket(AF_UNIX, SOCK_DGRAM, 0), fd[2];
	struct sockaddr_un sa;
	socklen_t len;
	char buf[8];

	show("nowhere", write(n, "x", 1));
	show("none", to(n, "@pith-none", "x"));
	show("unnamed", to(n, "@pith-a", "from nobody"));
	show("named", to(b, "@pith-a", "from b"));
	show("empty", to(b, "@pith-a", ""));
	show("long", to(b, "@pith-a", "0123456789"));
	ioctl(a, FIONREAD, &fd[0]);
	printf("readable %d %x\n", fd[0], ready(a));
	recv_show("one", a, 100, 0);
	recv_show("peek", a, 3, MSG_PEEK);
	recv_show("two", a, 100, 0);
	recv_show("three", a, 100, 0);
	recv_show("cut peek", a, 4, MSG_PEEK | MSG_TRUNC);
	recv_show("cut", a, 4, MSG_TRUNC);
	recv_show("none", a, 4, 0);
	len = un_addr(&sa, "@pith-a");
	show("short address", sendto(b, "x", 1, 0, (struct sockaddr *)&sa, 2));
	show("bad address", sendto(b, "x", 1, 0, BAD, 10));
	show("long address", sendto(b, "x", 1, 0, (struct sockaddr *)&sa, 200));
	sa.sun_family = AF_INET;
	show("family", sendto(b, "x", 1, 0, (struct sockaddr *)&sa, len));
	show("oob", send(b, "x", 1, MSG_OOB));
	show("stream name", un_connect(b, "@pith-a"));
	show_names("connected", b);
	show("connected write", write(b, "hello", 5));
	recv_show("it", a, 100, 0);
	show("back", to(a, "@pith-b", "answer"));
	recv_show("it", b, 100, 0);
	/* b hears only a from now on. */
	show("foreign", to(n, "@pith-b", "x"));
	show("connect to b", un_connect(n, "@pith-b"));
	sa.sun_family = AF_UNSPEC;
	show("unspec", connect(b, (struct sockaddr *)&sa, 2));
	show("foreign", to(n, "@pith-b", "x"));
	recv_show("it", b, 100, 0);
	un_connect(b, "@pith-a");
	close(a);
	printf("poll %x\n", ready(b));
	show("refused", write(b, "x", 1));
	show("then", write(b, "x", 1));
	close(b);
	close(n);
	pair(SOCK_DGRAM, fd);
	write(fd[0], "12345", 5);
	show("bad buffer", recv(fd[1], BAD, 5, MSG_DONTWAIT));
	show("gone", recv(fd[1], buf, 5, MSG_DONTWAIT));
	show("from bad", write(fd[0], BAD, 5));
	show("shut", shutdown(fd[1], SHUT_RD));
	show("to shut", send(fd[0], "x", 1, 0));
	show("read shut", recv(fd[1], buf, 5, 0));
	show("read shut", recv(fd[1], buf, 5, MSG_DONTWAIT));
	printf("polls %x %x\n", ready(fd[0]), ready(fd[1]));
	show("shut write", shutdown(fd[0], SHUT_WR));
	show("write shut", write(fd[0], "x", 1));
	close(fd[0]);
	close(fd[1]);
}

/* Two: what it sent to itself is one more than the queue has room for. */
static void *
late_reader(void *arg)
{
	char b[8];

	until_asleep(getpid());
	for (int i = 0; i < 2; i++)
		recv(*(int *)arg, b, 8, 0);
	return arg;
}

static void
limits(void)
{
	static char big[300000];
	int a = bound(SOCK_DGRAM, "@pith-q"), fd[2], i, v = 50000;
	int c = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct timeval tv = { 0, 20000 };
	struct pollfd p;
	pthread_t t;

	un_connect(c, "@pith-q");
	for (i = 0; i < 1000 && write(c, "x", 1) == 1; i++)
		;
	printf("queued some: %d, %s\n", i < 1000, strerrorname_np(errno));
	printf("full %x\n", ready(c));
	show("another", to(a, "@pith-q", "to itself"));
	fcntl(c, F_SETFL, 0);
	setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	show("in time", write(c, "x", 1));
	tv.tv_sec = 200;
	setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	start_thread(&t, late_reader, &a);
	show("when there is room", write(c, "x", 1));
	pthread_join(t, NULL);
	start_thread(&t, late_reader, &a);
	p.fd = c;
	p.events = POLLOUT;
	show("room", poll(&p, 1, 200000));
	pthread_join(t, NULL);
	while (recv(a, big, 9, 0) > 0)
		;
	close(c);
	close(a);
	pair(SOCK_DGRAM, fd);
	show("100000", write(fd[0], big, 100000));
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &v, 4);
	show("too large", write(fd[0], big, 100001));
	show("at once", send(fd[0], big, 60000, MSG_DONTWAIT));
	show("100000", recv(fd[1], big, sizeof(big), 0));
	show("60000", send(fd[0], big, 60000, MSG_DONTWAIT));
	show("60000", recv(fd[1], big, sizeof(big), 0));
	close(fd[0]);
	close(fd[1]);
}

static void
packets(void)
{
	int fd[2], l = socket(AF_UNIX, SOCK_SEQPACKET, 0), c, n;
	char b[8];

	pair(SOCK_SEQPACKET, fd);
	show("one", write(fd[0], "123456", 6));
	show("none", write(fd[0], "", 0));
	show("two", write(fd[0], "789", 3));
	ioctl(fd[1], FIONREAD, &n);
	printf("readable %d\n", n);
	show("cut", recv(fd[1], b, 4, 0));
	show("empty", recv(fd[1], b, 4, 0));
	show("two", recv(fd[1], b, 8, MSG_WAITALL));
	show("to", to(fd[0], "@pith-nobody", "x"));
	show("unread", write(fd[0], "789", 3));
	close(fd[1]);
	printf("poll %x\n", ready(fd[0]));
	show("reset", recv(fd[0], b, 8, 0));
	show("end", recv(fd[0], b, 8, 0));
	handle(SIGPIPE, 0);
	show("pipe", write(fd[0], b, 1));
	printf("signal %d\n", got_signal);
	close(fd[0]);
	c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	printf("fresh %x\n", ready(c));
	show("fresh recv", recv(c, b, 8, 0));
	show("fresh send", send(c, b, 8, 0));
	un_bind(l, "@pith-seq");
	listen(l, 1);
	show("connect", un_connect(c, "@pith-seq"));
	show("send", send(c, "abc", 3, 0));
	n = accept(l, NULL, NULL);
	recv_show("recv", n, 8, 0);
	show("peeking", send(c, "abc", 3, 0));
	recv_show("peek", n, 2, MSG_PEEK);
	recv_show("recv", n, 8, 0);
	close(n);
	close(c);
	close(l);
}

static void
several(void)
{
	struct mmsghdr m[6];
	struct iovec v[6];
	struct timespec ts = { 0, 50000000 };
	char b[6][8];
	int fd[2], i;

	pair(SOCK_DGRAM, fd);
	memset(m, 0, sizeof(m));
	for (i = 0; i < 6; i++) {
		v[i].iov_base = b[i];
		v[i].iov_len = (size_t)i + 1;
		memset(b[i], 'a' + i, 8);
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	show("send none", sendmmsg(fd[0], m, 0, 0));
	show("send 4", sendmmsg(fd[0], m, 4, 0));
	for (i = 0; i < 4; i++)
		printf("%u ", m[i].msg_len);
	v[2].iov_base = BAD;
	show("send to the bad one", sendmmsg(fd[0], m, 4, 0));
	show("bad vector", sendmmsg(fd[0], BAD, 4, 0));
	v[2].iov_base = b[2];
	for (i = 0; i < 6; i++)
		v[i].iov_len = 3;
	show("receive", recvmmsg(fd[1], m, 6, MSG_DONTWAIT, NULL));
	for (i = 0; i < 6; i++)
		printf("%u/%x ", m[i].msg_len, m[i].msg_hdr.msg_flags);
	show("none", recvmmsg(fd[1], m, 6, MSG_DONTWAIT, NULL));
	for (i = 0; i < 3; i++)
		send(fd[0], "xy", 2, 0);
	show("wait for one", recvmmsg(fd[1], m, 6, MSG_WAITFORONE, NULL));
	send(fd[0], "xy", 2, 0);
	v[0].iov_base = BAD;
	show("bad", recvmmsg(fd[1], m, 6, MSG_DONTWAIT, NULL));
	v[0].iov_base = b[0];
	v[1].iov_base = BAD;
	send(fd[0], "xy", 2, 0);
	send(fd[0], "xy", 2, 0);
	show("bad second", recvmmsg(fd[1], m, 6, MSG_DONTWAIT, NULL));
	show("its error", recvmmsg(fd[1], m, 6, MSG_DONTWAIT, NULL));
	v[1].iov_base = b[1];
	ts.tv_nsec = 1000000000;
	show("bad time", recvmmsg(fd[1], m, 6, MSG_DONTWAIT, &ts));
	ts.tv_nsec = 0;
	send(fd[0], "xy", 2, 0);
	send(fd[0], "xy", 2, 0);
	show("no time", recvmmsg(fd[1], m, 6, 0, &ts));
	ts.tv_sec = 5;
	show("the other", recvmmsg(fd[1], m, 1, 0, &ts));
	printf("left %d\n", ts.tv_sec == 4);
	show("bad time", recvmmsg(fd[1], m, 1, 0, BAD));
	show("flag", recvmmsg(fd[1], m, 1, (int)0x80000000, NULL));
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	own_network(); /* abstract names are a network's */
	borders();
	limits();
	packets();
	several();
	return 0;
}
