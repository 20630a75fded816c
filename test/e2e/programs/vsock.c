/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_VSOCK within one machine (VMADDR_CID_LOCAL): prints what each call
 * answers.  It runs in a Linux guest with vsock_loopback, whose lines are the
 * expectation, and in Pith.  Where Linux delivers by a worker, the program
 * waits by poll() for what must come.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BULK (8u << 20)

static const char *
ok(long r)
{
	static char text[8][32];
	static unsigned n;
	char *t = text[n++ % 8];

	if (r < 0)
		return strerrorname_np(errno);
	snprintf(t, sizeof(text[0]), "%ld", r);
	return t;
}

static struct sockaddr_vm
addr(unsigned cid, unsigned port)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK,
				 .svm_port = port,
				 .svm_cid = cid };

	return a;
}

static int
vbind(int fd, unsigned cid, unsigned port)
{
	struct sockaddr_vm a = addr(cid, port);

	return bind(fd, (void *)&a, sizeof(a));
}

static int
vconnect(int fd, unsigned cid, unsigned port)
{
	struct sockaddr_vm a = addr(cid, port);

	return connect(fd, (void *)&a, sizeof(a));
}

/* Ports that the kernel chose are not told. */
static void
show_name(const char *what, int fd, int peer)
{
	struct sockaddr_vm a;
	socklen_t len = sizeof(a);
	int r = peer ? getpeername(fd, (void *)&a, &len) :
		       getsockname(fd, (void *)&a, &len);

	if (r) {
		printf("%s: %s\n", what, ok(r));
		return;
	}
	printf("%s: len %u family %u cid %d port ", what, len, a.svm_family,
	       (int)a.svm_cid);
	if (a.svm_port == VMADDR_PORT_ANY || a.svm_port < 100000)
		printf("%d flags %u\n", (int)a.svm_port, a.svm_flags);
	else
		printf("chosen flags %u\n", a.svm_flags);
}

static int
ready(int fd, int wanted, int ms)
{
	struct pollfd p = { fd, (short)wanted, 0 };

	poll(&p, 1, ms);
	return p.revents;
}

static void
show_poll(const char *what, int fd)
{
	printf("%s: poll %x\n", what, ready(fd, 0x7ff, 0) & 0xffff);
}

/* A listener on the port, and a connection to it: the two ends. */
static int
listener(int type, unsigned port)
{
	int l = socket(AF_VSOCK, type, 0);

	if (l < 0 || vbind(l, VMADDR_CID_ANY, port) || listen(l, 8))
		printf("listener: %s\n", ok(-1));
	return l;
}

static void
pair(int type, unsigned port, int end[2])
{
	int l = listener(type, port);

	end[0] = socket(AF_VSOCK, type, 0);
	if (vconnect(end[0], VMADDR_CID_LOCAL, port))
		printf("pair: connect %s\n", ok(-1));
	end[1] = accept(l, NULL, NULL);
	if (end[1] < 0)
		printf("pair: accept %s\n", ok(-1));
	close(l);
}

/* ---- without a connection ---- */

static void
creation(void)
{
	int pair[2], fd;

	for (int type = 1; type <= 5; type++) {
		fd = socket(AF_VSOCK, type, 0);
		printf("socket type %d: %s\n", type, fd < 0 ? ok(fd) : "ok");
		close(fd);
	}
	fd = socket(AF_VSOCK, SOCK_STREAM, AF_VSOCK);
	printf("protocol 40: %s\n", fd < 0 ? ok(fd) : "ok");
	close(fd);
	printf("protocol 6: %s\n", ok(socket(AF_VSOCK, SOCK_STREAM, 6)));
	printf("pair: %s\n", ok(socketpair(AF_VSOCK, SOCK_STREAM, 0, pair)));
}

static void
try_bind(const char *what, struct sockaddr_vm a, socklen_t len)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	int r = bind(fd, (void *)&a, len);

	printf("bind %s: %s; ", what, ok(r));
	show_name("name", fd, 0);
	close(fd);
}

static void
binding(void)
{
	struct sockaddr_vm a = addr(VMADDR_CID_ANY, 5000);
	int s = socket(AF_VSOCK, SOCK_STREAM, 0), t;

	try_bind("any", a, sizeof(a));
	try_bind("short", a, sizeof(a) - 1);
	try_bind("two bytes", a, 2);
	a.svm_family = AF_INET;
	try_bind("family", a, sizeof(a));
	a.svm_family = AF_UNSPEC;
	try_bind("unspec", a, sizeof(a));
	a = addr(VMADDR_CID_ANY, 5000);
	a.svm_reserved1 = 1;
	try_bind("reserved", a, sizeof(a));
	a = addr(VMADDR_CID_ANY, 5000);
	a.svm_flags = 2;
	try_bind("flags", a, sizeof(a));
	for (unsigned cid = 0; cid < 5; cid++)
		try_bind("cid", addr(cid, 5000), sizeof(a));
	try_bind("any port", addr(VMADDR_CID_ANY, VMADDR_PORT_ANY), sizeof(a));
	try_bind("port 0", addr(VMADDR_CID_ANY, 0), sizeof(a));
	try_bind("port 80", addr(VMADDR_CID_ANY, 80), sizeof(a));
	printf("bind: %s\n", ok(vbind(s, VMADDR_CID_ANY, 6000)));
	printf("again: %s\n", ok(vbind(s, VMADDR_CID_ANY, 6001)));
	t = socket(AF_VSOCK, SOCK_STREAM, 0);
	printf("taken: %s\n", ok(vbind(t, VMADDR_CID_ANY, 6000)));
	printf("taken, local: %s\n", ok(vbind(t, VMADDR_CID_LOCAL, 6000)));
	close(s);
	printf("free again: %s\n", ok(vbind(t, VMADDR_CID_LOCAL, 6000)));
	close(t);
	s = socket(AF_VSOCK, SOCK_SEQPACKET, 0);
	t = socket(AF_VSOCK, SOCK_STREAM, 0);
	printf("two types: %s ", ok(vbind(s, VMADDR_CID_ANY, 6000)));
	printf("%s\n", ok(vbind(t, VMADDR_CID_ANY, 6000)));
	close(s);
	close(t);
	if (setresuid(-1, 1000, -1))
		printf("setresuid: %s\n", ok(-1));
	try_bind("port 80 as a user", addr(VMADDR_CID_ANY, 80), sizeof(a));
	try_bind("port 1023", addr(VMADDR_CID_ANY, 1023), sizeof(a));
	try_bind("port 1024", addr(VMADDR_CID_ANY, 1024), sizeof(a));
	if (setresuid(-1, 0, -1))
		printf("setresuid: %s\n", ok(-1));
}

static void
unconnected(void)
{
	struct sockaddr_vm a = addr(VMADDR_CID_LOCAL, 7777);
	int s = socket(AF_VSOCK, SOCK_STREAM, 0), l;
	char b[8];

	show_name("fresh name", s, 0);
	show_name("fresh peer", s, 1);
	show_poll("fresh", s);
	printf("listen unbound: %s\n", ok(listen(s, 5)));
	printf("accept: %s\n", ok(accept(s, NULL, NULL)));
	for (int how = -1; how < 4; how++)
		printf("shutdown %d: %s\n", how, ok(shutdown(s, how)));
	printf("send: %s\n", ok(send(s, "x", 1, MSG_NOSIGNAL)));
	printf("send to: %s\n",
	       ok(sendto(s, "x", 1, MSG_NOSIGNAL, (void *)&a, sizeof(a))));
	printf("send nothing: %s\n", ok(send(s, "x", 0, MSG_NOSIGNAL)));
	printf("send oob: %s\n", ok(send(s, "x", 1, MSG_OOB | MSG_NOSIGNAL)));
	printf("recv: %s\n", ok(recv(s, b, sizeof(b), 0)));
	printf("recv oob: %s\n", ok(recv(s, b, sizeof(b), MSG_OOB)));
	printf("connect short: %s\n", ok(connect(s, (void *)&a, 15)));
	a.svm_family = AF_INET;
	printf("connect family: %s\n", ok(connect(s, (void *)&a, sizeof(a))));
	a.svm_family = AF_UNSPEC;
	printf("connect unspec: %s\n", ok(connect(s, (void *)&a, sizeof(a))));
	printf("connect nobody: %s\n", ok(vconnect(s, VMADDR_CID_LOCAL, 7777)));
	show_name("then name", s, 0);
	show_name("then peer", s, 1);
	show_poll("then", s);
	printf("connect again: %s\n", ok(vconnect(s, VMADDR_CID_LOCAL, 7777)));
	close(s);
	l = listener(SOCK_STREAM, 7000);
	show_poll("listener", l);
	show_name("listener name", l, 0);
	show_name("listener peer", l, 1);
	printf("listener connect: %s\n", ok(vconnect(l, VMADDR_CID_LOCAL, 1)));
	printf("listener send: %s\n", ok(send(l, "x", 1, MSG_NOSIGNAL)));
	printf("listener recv: %s\n", ok(recv(l, b, sizeof(b), 0)));
	printf("listener shutdown: %s\n", ok(shutdown(l, SHUT_RDWR)));
	printf("listen again: %s\n", ok(listen(l, 1)));
	fcntl(l, F_SETFL, O_NONBLOCK);
	printf("nobody there: %s\n", ok(accept(l, NULL, NULL)));
	close(l);
	s = socket(AF_VSOCK, SOCK_STREAM, 0);
	for (unsigned cid = 0; cid < 5; cid++)
		if (cid != 1)
			printf("connect cid %u: %s\n", cid,
			       ok(vconnect(s, cid, 7000)));
	printf("connect cid any: %s\n", ok(vconnect(s, VMADDR_CID_ANY, 7000)));
	close(s);
}

/* ---- options ---- */

static void
show_sizes(const char *what, int fd)
{
	unsigned long long v[3] = { 0 };

	for (int i = 0; i < 3; i++) {
		socklen_t len = 8;

		if (getsockopt(fd, AF_VSOCK, i, &v[i], &len) || len != 8)
			printf("get %d: %s\n", i, ok(-1));
	}
	printf("%s: size %llu min %llu max %llu\n", what, v[0], v[1], v[2]);
}

static void
set_size(int fd, int name, unsigned long long v)
{
	char what[64];
	int r = setsockopt(fd, AF_VSOCK, name, &v, sizeof(v));

	snprintf(what, sizeof(what), "set %d %llu %s", name, v, ok(r));
	show_sizes(what, fd);
}

static void
try_timeout(int fd, int name, long sec, long usec)
{
	struct timeval v = { sec, usec };
	int r = setsockopt(fd, AF_VSOCK, name, &v, sizeof(v));
	socklen_t len = sizeof(v);

	printf("timeout %d %ld.%06ld: %s", name, sec, usec, ok(r));
	v = (struct timeval){ 77, 77 };
	r = getsockopt(fd, AF_VSOCK, name, &v, &len);
	printf(", get %s %ld.%06ld len %u\n", ok(r), v.tv_sec, v.tv_usec, len);
}

static void
options(void)
{
	int s = socket(AF_VSOCK, SOCK_STREAM, 0);
	char b[32] = { 0 };

	show_sizes("fresh", s);
	for (int name = 0; name < 10; name++) {
		socklen_t l4 = 4, l8 = 8, l16 = 16;
		int r = getsockopt(s, AF_VSOCK, name, b, &l4);

		printf("get %d: %s %u, ", name, ok(r), l4);
		r = getsockopt(s, AF_VSOCK, name, b, &l8);
		printf("%s %u, ", ok(r), l8);
		r = getsockopt(s, AF_VSOCK, name, b, &l16);
		printf("%s %u\n", ok(r), l16);
		memset(b, 0, sizeof(b));
		r = setsockopt(s, AF_VSOCK, name, b, 4);
		printf("set %d: %s\n", name, ok(r));
	}
	set_size(s, 0, 10 << 20);
	set_size(s, 0, 1);
	set_size(s, 2, 100);
	set_size(s, 1, 300000);
	set_size(s, 2, 1ull << 33);
	set_size(s, 0, 1ull << 33);
	try_timeout(s, 6, 1, 0);
	try_timeout(s, 6, 0, 0);
	try_timeout(s, 8, 0, 500000);
	try_timeout(s, 6, 0, 1000000);
	try_timeout(s, 6, -1, 0);
	printf("level 6: %s\n", ok(setsockopt(s, 6, 1, b, 4)));
	close(s);
}

/* ---- streams ---- */

static void
stream(void)
{
	int l = listener(SOCK_STREAM, 7000), e[2], n;
	struct sockaddr_vm a;
	socklen_t len = sizeof(a);
	char b[64];

	e[0] = socket(AF_VSOCK, SOCK_STREAM, 0);
	printf("connect: %s\n", ok(vconnect(e[0], VMADDR_CID_LOCAL, 7000)));
	printf("listener ready: %x\n", ready(l, 0x7ff, 100000));
	e[1] = accept4(l, (void *)&a, &len, SOCK_CLOEXEC);
	printf("accept: %s len %u cid %d\n", e[1] < 0 ? ok(-1) : "ok", len,
	       (int)a.svm_cid);
	show_name("client", e[0], 0);
	show_name("client's peer", e[0], 1);
	show_name("server", e[1], 0);
	show_name("server's peer", e[1], 1);
	show_poll("client", e[0]);
	show_poll("server", e[1]);
	printf("connect again: %s\n", ok(vconnect(e[0], VMADDR_CID_LOCAL, 1)));
	printf("listen: %s\n", ok(listen(e[0], 1)));
	printf("bind: %s\n", ok(vbind(e[0], VMADDR_CID_ANY, 9999)));
	a = addr(VMADDR_CID_LOCAL, 7000);
	printf("send to: %s\n",
	       ok(sendto(e[0], "x", 1, 0, (void *)&a, sizeof(a))));
	printf("send oob: %s\n", ok(send(e[0], "x", 1, MSG_OOB)));
	printf("recv oob: %s\n", ok(recv(e[0], b, 1, MSG_OOB)));
	printf("nothing: %s\n", ok(recv(e[1], b, 1, MSG_DONTWAIT)));
	printf("send nothing: %s\n", ok(send(e[0], b, 0, 0)));
	printf("recv nothing: %s\n", ok(recv(e[1], b, 0, MSG_DONTWAIT)));
	printf("send: %s\n", ok(send(e[0], "hello", 5, 0)));
	printf("ready: %x\n", ready(e[1], POLLIN, 100000));
	show_poll("server has data", e[1]);
	n = (int)recv(e[1], b, 3, MSG_PEEK);
	printf("peek: %.*s\n", n, b);
	n = (int)recv(e[1], b, 2, 0);
	printf("recv: %.*s\n", n, b);
	n = (int)recv(e[1], b, sizeof(b), 0);
	printf("recv: %.*s\n", n, b);
	for (int i = 0; i < 3; i++)
		printf("write: %s\n", ok(write(e[1], "abc", 3)));
	n = (int)recv(e[0], b, 9, MSG_WAITALL);
	printf("all: %.*s\n", n, b);
	printf("bad address: %s\n", ok(send(e[0], (void *)8, 5, 0)));
	send(e[0], "xyz", 3, 0);
	ready(e[1], POLLIN, 100000);
	printf("bad buffer: %s\n", ok(recv(e[1], (void *)8, 5, 0)));
	close(e[0]);
	close(e[1]);
	close(l);
	printf("refused now: %s\n",
	       ok(vconnect(socket(AF_VSOCK, 1, 0), VMADDR_CID_LOCAL, 7000)));
}

static void
halves(void)
{
	int e[2], n;
	char b[16];

	pair(SOCK_STREAM, 7001, e);
	printf("send: %s\n", ok(send(e[0], "last", 4, 0)));
	printf("shutdown wr: %s\n", ok(shutdown(e[0], SHUT_WR)));
	printf("send after: %s\n", ok(send(e[0], "x", 1, MSG_NOSIGNAL)));
	printf("peer sees: %x\n", ready(e[1], POLLRDHUP, 100000));
	show_poll("peer", e[1]);
	n = (int)recv(e[1], b, sizeof(b), 0);
	printf("recv: %.*s\n", n, b);
	printf("then: %s\n", ok(recv(e[1], b, sizeof(b), 0)));
	printf("back: %s\n", ok(send(e[1], "back", 4, 0)));
	n = (int)recv(e[0], b, sizeof(b), 0);
	printf("recv: %.*s\n", n, b);
	show_poll("half", e[0]);
	printf("shutdown peer: %s\n", ok(shutdown(e[1], SHUT_WR)));
	printf("end: %s\n", ok(recv(e[0], b, sizeof(b), 0)));
	usleep(50000);
	show_poll("both, first", e[0]);
	show_poll("both, second", e[1]);
	show_name("name", e[0], 0);
	show_name("peer", e[0], 1);
	printf("shutdown again: %s\n", ok(shutdown(e[0], SHUT_RDWR)));
	close(e[0]);
	close(e[1]);

	pair(SOCK_STREAM, 7002, e);
	printf("shutdown rd: %s\n", ok(shutdown(e[0], SHUT_RD)));
	printf("recv: %s\n", ok(recv(e[0], b, sizeof(b), 0)));
	show_poll("no reading", e[0]);
	for (int i = 0; i < 50000 && send(e[1], "x", 1, MSG_NOSIGNAL) > 0; i++)
		usleep(2000);
	printf("peer's send: %s\n", ok(send(e[1], "x", 1, MSG_NOSIGNAL)));
	show_poll("its peer", e[1]);
	printf("other way: %s\n", ok(send(e[0], "way", 3, 0)));
	n = (int)recv(e[1], b, sizeof(b), 0);
	printf("recv: %.*s\n", n, b);
	close(e[0]);
	close(e[1]);
}

static int nsignals;

static void
count_signal(int sig)
{
	(void)sig;
	nsignals++;
}

/* The other end closes, with and without data on the way. */
static void
ends(void)
{
	int e[2], n, err;
	socklen_t len = sizeof(err);
	char b[16];

	pair(SOCK_STREAM, 7003, e);
	send(e[0], "data", 4, 0);
	close(e[0]);
	printf("peer sees: %x\n", ready(e[1], POLLRDHUP, 100000));
	show_poll("closed, data here", e[1]);
	printf("send: %s\n", ok(send(e[1], "x", 1, MSG_NOSIGNAL)));
	n = (int)recv(e[1], b, sizeof(b), 0);
	printf("recv: %.*s\n", n, b);
	printf("then: %s\n", ok(recv(e[1], b, sizeof(b), 0)));
	show_poll("closed", e[1]);
	getsockopt(e[1], SOL_SOCKET, SO_ERROR, &err, &len);
	printf("error: %d\n", err);
	show_name("peer", e[1], 1);
	printf("send: %s\n", ok(send(e[1], "x", 1, MSG_NOSIGNAL)));
	printf("shutdown: %s\n", ok(shutdown(e[1], SHUT_RDWR)));
	printf("connect: %s\n", ok(vconnect(e[1], VMADDR_CID_LOCAL, 7003)));
	close(e[1]);

	pair(SOCK_STREAM, 7004, e);
	send(e[0], "unread", 6, 0);
	ready(e[1], POLLIN, 100000);
	close(e[1]);
	printf("peer sees: %x\n", ready(e[0], POLLRDHUP, 100000));
	printf("recv: %s\n", ok(recv(e[0], b, sizeof(b), 0)));
	printf("send: %s\n", ok(send(e[0], "x", 1, MSG_NOSIGNAL)));
	signal(SIGPIPE, count_signal);
	printf("write: %s", ok(write(e[0], "x", 1)));
	printf(" send: %s, %d signals\n", ok(send(e[0], "x", 1, 0)), nsignals);
	close(e[0]);
}

static void
blocking(void)
{
	struct timeval tv = { 0, 20000 };
	int e[2], l = listener(SOCK_STREAM, 7005), s, err = 0;
	unsigned long long size = 65536;
	socklen_t len = sizeof(err);
	long total = 0, n;
	char b[8192] = { 0 };

	setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	printf("accept in time: %s\n", ok(accept(l, NULL, NULL)));
	fcntl(l, F_SETFL, O_NONBLOCK);
	s = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);
	n = vconnect(s, VMADDR_CID_LOCAL, 7005);
	printf("connect: %s\n", ok(n));
	printf("ready: %x\n", ready(s, POLLOUT, 100000));
	getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len);
	printf("error: %d\n", err);
	printf("connect: %s\n", ok(vconnect(s, VMADDR_CID_LOCAL, 7005)));
	close(s);
	s = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);
	n = vconnect(s, VMADDR_CID_LOCAL, 7999);
	printf("connect nobody: %s\n", ok(n));
	printf("ready: %x\n", ready(s, POLLOUT, 100000));
	getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len);
	printf("error: %d\n", err);
	getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len);
	printf("error: %d\n", err);
	close(s);
	close(l);

	pair(SOCK_STREAM, 7006, e);
	setsockopt(e[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(e[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	printf("recv in time: %s\n", ok(recv(e[0], b, 1, 0)));
	printf("size: %s\n",
	       ok(setsockopt(e[1], AF_VSOCK, 0, &size, sizeof(size))));
	while ((n = send(e[0], b, sizeof(b), 0)) > 0)
		total += n;
	printf("full: %s\n", ok(n));
	/* The size may or may not have been told before. */
	printf("took: %s\n",
	       total >= 65536 && total <= 300000 ? "in bounds" : "?");
	show_poll("full", e[0]);
	printf("send: %s\n", ok(send(e[0], b, 1, MSG_DONTWAIT)));
	while (total > 0 && (n = recv(e[1], b, sizeof(b), 0)) > 0)
		total -= n;
	printf("room: %x\n", ready(e[0], POLLOUT, 100000) & POLLOUT);
	close(e[0]);
	close(e[1]);
}

/* ---- much data ---- */

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

static void *
pour(void *arg)
{
	int fd = *(int *)arg;
	static uint8_t b[50000];
	size_t at = 0;

	while (at < BULK) {
		size_t want = 1 + at * 7 % sizeof(b);
		ssize_t n;

		if (want > BULK - at)
			want = BULK - at;
		for (size_t i = 0; i < want; i++)
			b[i] = byte_at(at + i);
		n = send(fd, b, want, 0);
		if (n <= 0) {
			printf("pour: %s\n", ok(n));
			break;
		}
		at += (size_t)n;
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void
bulk(void)
{
	static uint8_t b[33333];
	pthread_t t;
	size_t at = 0, wrong = 0;
	ssize_t n;
	int e[2];

	pair(SOCK_STREAM, 7007, e);
	pthread_create(&t, NULL, pour, &e[0]);
	while ((n = recv(e[1], b, 1 + at % sizeof(b), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += b[i] != byte_at(at + (size_t)i);
		at += (size_t)n;
	}
	pthread_join(t, NULL);
	printf("bulk: %zu bytes, %zu wrong, end %s\n", at, wrong, ok(n));
	close(e[0]);
	close(e[1]);
}

/* ---- sequenced packets ---- */

static void
one_packet(int fd, size_t room, int flags)
{
	char b[64] = { 0 };
	struct iovec v = { b, room };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n = recvmsg(fd, &m, flags);

	printf("packet: %s \"%.*s\" flags %x\n", ok(n), (int)room, b,
	       (unsigned)m.msg_flags);
}

static void
packets(void)
{
	int e[2], s, l;

	pair(SOCK_SEQPACKET, 7008, e);
	printf("send: %s\n", ok(send(e[0], "first", 5, 0)));
	printf("send: %s\n", ok(send(e[0], "second", 6, MSG_EOR)));
	printf("send: %s\n", ok(send(e[0], "third", 5, 0)));
	printf("send: %s\n", ok(send(e[0], "fourth", 6, 0)));
	printf("send nothing: %s\n", ok(send(e[0], "", 0, 0)));
	one_packet(e[1], 60, 0);
	one_packet(e[1], 60, 0);
	one_packet(e[1], 2, 0);
	one_packet(e[1], 2, MSG_TRUNC);
	printf("none: %s\n", ok(recv(e[1], &s, 1, MSG_DONTWAIT)));
	show_poll("packets", e[1]);
	printf("shutdown: %s\n", ok(shutdown(e[0], SHUT_WR)));
	one_packet(e[1], 8, 0);
	close(e[0]);
	close(e[1]);
	l = listener(SOCK_STREAM, 7009);
	s = socket(AF_VSOCK, SOCK_SEQPACKET, 0);
	printf("other type: %s\n", ok(vconnect(s, VMADDR_CID_LOCAL, 7009)));
	close(s);
	close(l);
}

struct message {
	int fd;
	size_t len;
};

static void *
send_large(void *arg)
{
	struct message *m = arg;
	uint8_t *b = malloc(m->len);

	for (size_t i = 0; i < m->len; i++)
		b[i] = byte_at(i);
	printf("large sent: %s\n", ok(send(m->fd, b, m->len, 0)));
	free(b);
	return NULL;
}

static void
large_packets(void)
{
	static const size_t sizes[] = { 70000, 200000, 262144, 262145 };
	uint8_t *b = malloc(300000);
	int e[2];

	pair(SOCK_SEQPACKET, 7010, e);
	for (unsigned k = 0; k < 4; k++) {
		struct message m = { e[0], sizes[k] };
		size_t wrong = 0;
		ssize_t n = 0;
		pthread_t t;

		pthread_create(&t, NULL, send_large, &m);
		if (k < 3)
			n = recv(e[1], b, 300000, 0);
		pthread_join(t, NULL);
		for (ssize_t i = 0; i < n; i++)
			wrong += b[i] != byte_at((size_t)i);
		printf("large: %s, %zu wrong\n", ok(n), wrong);
	}
	close(e[0]);
	close(e[1]);
	free(b);
}

/* ---- more ---- */

static void
backlog(void)
{
	int l = socket(AF_VSOCK, SOCK_STREAM, 0), s[4], r, e;
	char b[4];

	vbind(l, VMADDR_CID_ANY, 7011);
	listen(l, 2);
	for (int i = 0; i < 4; i++) {
		s[i] = socket(AF_VSOCK, SOCK_STREAM, 0);
		r = vconnect(s[i], VMADDR_CID_LOCAL, 7011);
		printf("backlog %d: %s\n", i, ok(r));
	}
	printf("sent before accept: %s\n", ok(send(s[0], "hi", 2, 0)));
	e = accept(l, NULL, NULL);
	printf("read: %s\n", ok(recv(e, b, 4, 0)));
	close(e);
	close(l);
	printf("never accepted: %x\n", ready(s[1], POLLRDHUP, 100000));
	printf("recv: %s\n", ok(recv(s[1], b, 4, 0)));
	for (int i = 0; i < 4; i++)
		close(s[i]);
}

static void
many(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int l = listener(SOCK_STREAM, 7012), ep = epoll_create1(0), e[2][100];
	int got = 0;
	char b[4];

	for (int i = 0; i < 100; i++) {
		e[0][i] = socket(AF_VSOCK, SOCK_STREAM, 0);
		if (vconnect(e[0][i], VMADDR_CID_LOCAL, 7012))
			printf("many: %s\n", ok(-1));
		e[1][i] = accept(l, NULL, NULL);
		ev.data.fd = e[1][i];
		epoll_ctl(ep, EPOLL_CTL_ADD, e[1][i], &ev);
	}
	for (int i = 0; i < 100; i++)
		send(e[0][i], "x", 1, 0);
	while (got < 100 && epoll_wait(ep, &ev, 1, 100000) == 1)
		got += recv(ev.data.fd, b, 4, 0) == 1;
	printf("many: %d\n", got);
	for (int i = 0; i < 100; i++) {
		close(e[0][i]);
		close(e[1][i]);
	}
	close(ep);
	close(l);
}

static void
device(void)
{
	int fd = open("/dev/vsock", O_RDWR);
	unsigned cid = 12345;
	struct stat st;
	char b[4];

	if (fd < 0) {
		printf("/dev/vsock: %s\n", ok(fd));
		return;
	}
	fstat(fd, &st);
	printf("/dev/vsock: char %d\n", S_ISCHR(st.st_mode));
	printf("cid: %s", ok(ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid)));
	printf(" %d\n", (int)cid);
	printf("null: %s\n", ok(ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, 0)));
	printf("other: %s\n", ok(ioctl(fd, FIONREAD, &cid)));
	printf("read: %s\n", ok(read(fd, b, 4)));
	printf("write: %s\n", ok(write(fd, b, 4)));
	close(fd);
}

int
main(void)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} parts[] = {
		{ "creation", creation },
		{ "binding", binding },
		{ "unconnected", unconnected },
		{ "options", options },
		{ "stream", stream },
		{ "halves", halves },
		{ "ends", ends },
		{ "blocking", blocking },
		{ "bulk", bulk },
		{ "packets", packets },
		{ "large packets", large_packets },
		{ "backlog", backlog },
		{ "many", many },
		{ "device", device },
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		printf("vsock -- %s\n", parts[i].name);
		parts[i].fn();
	}
	printf("vsock -- end\n");
	return 0;
}
