/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: local stream sockets: names, connections, backlog, data in pieces,
 * peeking, ends and errors, time-outs, readiness.
 * CALLS: socket bind listen accept accept4 connect getsockname getpeername
 * CALLS: shutdown socketpair
 */
#define _GNU_SOURCE
#include "own_network.h"
#include "unix_common.h"

static void
creation(void)
{
	int fd[2];

	show("bad family", socket(-1, SOCK_STREAM, 0));
	show("family 46", socket(46, SOCK_STREAM, 0));
	show("family 3", socket(3, SOCK_STREAM, 0));
	show("type 0", socket(AF_UNIX, 0, 0));
	show("type 4", socket(AF_UNIX, 4, 0));
	show("type 11", socket(AF_UNIX, 11, 0));
	show("type 15", socket(AF_UNIX, 15, 0));
	show("flags", socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
	show("protocol 2", socket(AF_UNIX, SOCK_STREAM, 2));
	printf("protocol 1: %s\n", ok(close(socket(AF_UNIX, SOCK_STREAM, 1))));
	printf("raw: %s\n", ok(close(socket(AF_UNIX, SOCK_RAW, 0))));
	show("pair NULL", socketpair(AF_UNIX, SOCK_STREAM, 0, NULL));
	show("pair bad", socketpair(AF_UNIX, SOCK_STREAM, 0, BAD));
	show("pair protocol", socketpair(AF_UNIX, SOCK_STREAM, 9, fd));
	show("pair type", socketpair(AF_UNIX, SOCK_STREAM | 0x1000, 0, fd));
	show("pair",
	     socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			fd));
	printf("flags %x %x\n", fcntl(fd[0], F_GETFL), fcntl(fd[1], F_GETFD));
	show_names("pair", fd[0]);
	close(fd[0]);
	close(fd[1]);
}

static void
naming(void)
{
	int a = socket(AF_UNIX, SOCK_STREAM, 0);
	int b = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un sa;
	socklen_t len;
	struct stat st;

	show_names("fresh", a);
	len = un_addr(&sa, "unix_stream.sock");
	unlink(sa.sun_path);
	show("bind short", bind(a, (struct sockaddr *)&sa, 1));
	show("bind long", bind(a, (struct sockaddr *)&sa, 111));
	show("bind 200", bind(a, (struct sockaddr *)&sa, 200));
	show("bind NULL", bind(a, NULL, len));
	show("bind bad", bind(a, BAD, len));
	sa.sun_family = AF_INET;
	show("bind family", bind(a, (struct sockaddr *)&sa, len));
	sa.sun_family = AF_UNIX;
	/* The whole structure: the name's length is that of its text. */
	show("bind", bind(a, (struct sockaddr *)&sa, sizeof(sa)));
	show_names("bound", a);
	show("stat", stat(sa.sun_path, &st));
	printf("socket %d\n", S_ISSOCK(st.st_mode));
	show("bind again", un_bind(a, "@other"));
	show("bind taken", bind(b, (struct sockaddr *)&sa, len));
	show("connect, nobody listens", un_connect(b, "unix_stream.sock"));
	show("open", open("unix_stream.sock", O_RDWR));
	show("listen unbound", listen(b, 1));
	show("listen", listen(a, 1));
	show("listen again", listen(a, 3));
	show("connect on a listener", un_connect(a, "unix_stream.sock"));
	printf("connect: %s\n", ok(un_connect(b, "unix_stream.sock")));
	show_names("connected", b);
	show("connect again", un_connect(b, "unix_stream.sock"));
	show("listen connected", listen(b, 1));
	close(b);
	close(a);
	b = socket(AF_UNIX, SOCK_STREAM, 0);
	show("stale name", un_connect(b, "unix_stream.sock"));
	show("no such name", un_connect(b, "unix_nothing.sock"));
	show("no such abstract", un_connect(b, "@unix_nothing"));
	show("a file", un_connect(b, "/proc/self/exe"));
	show("connect 2 bytes", connect(b, (struct sockaddr *)&sa, 2));
	show("connect 1 byte", connect(b, (struct sockaddr *)&sa, 1));
	unlink("unix_stream.sock");
	a = socket(AF_UNIX, SOCK_DGRAM, 0);
	show("dgram bind", un_bind(a, "unix_dgram.sock"));
	show("wrong type", un_connect(b, "unix_dgram.sock"));
	show("dgram listen", listen(a, 1));
	show("dgram accept", accept(a, NULL, NULL));
	unlink("unix_dgram.sock");
	close(a);
	a = socket(AF_UNIX, SOCK_DGRAM, 0);
	show("dgram abstract", un_bind(a, "@pith-types"));
	show("wrong type abstract", un_connect(b, "@pith-types"));
	show("both types", un_bind(b, "@pith-types"));
	close(a);
	close(b);
	a = socket(AF_UNIX, SOCK_STREAM, 0);
	sa.sun_family = AF_UNIX;
	show("autobind", bind(a, (struct sockaddr *)&sa, 2));
	len = sizeof(sa);
	getsockname(a, (struct sockaddr *)&sa, &len);
	printf("autobind length %u first %d\n", len, sa.sun_path[0]);
	show("autobind again", bind(a, (struct sockaddr *)&sa, 2));
	close(a);
}

static void
backlog(void)
{
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c[6], n;
	struct sockaddr_un sa;
	socklen_t len = sizeof(sa);

	un_bind(l, "@pith-backlog");
	listen(l, 2);
	printf("listener %x\n", ready(l));
	for (int i = 0; i < 5; i++) {
		c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		printf("fresh %x ", ready(c[i]));
		printf("connect %d: %s %x\n", i,
		       ok(un_connect(c[i], "@pith-backlog")), ready(c[i]));
	}
	printf("write before accept: %s\n", ok(write(c[0], "early", 5)));
	printf("listener %x\n", ready(l));
	fcntl(l, F_SETFL, O_NONBLOCK);
	show("accept flags", accept4(l, NULL, NULL, 1));
	show("accept no length",
	     accept(l, (struct sockaddr *)&sa, NULL) < 0 ? -1 : 0);
	n = accept4(l, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);
	show_addr("accepted", n, &sa, len);
	printf("flags %x %x\n", fcntl(n, F_GETFL), fcntl(n, F_GETFD));
	show_names("accepted", n);
	close(n);
	while ((n = accept(l, NULL, NULL)) >= 0)
		close(n);
	show("accept", n);
	un_connect(c[4], "@pith-backlog");
	close(l);
	for (int i = 0; i < 5; i++) {
		char b[8];

		printf("after: %x ", ready(c[i]));
		printf("read %s ", ok(read(c[i], b, 8)));
		printf("read %s\n", ok(read(c[i], b, 8)));
		close(c[i]);
	}
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	show("accept fresh", accept(l, NULL, NULL));
	un_bind(l, "@pith-shut");
	listen(l, 2);
	show("shutdown listener", shutdown(l, SHUT_RD));
	show("accept shut", accept(l, NULL, NULL));
	c[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	show("connect shut", un_connect(c[0], "@pith-shut"));
	show("shutdown fresh", shutdown(c[0], SHUT_WR));
	show("shutdown 7", shutdown(c[0], 7));
	show("read fresh", read(c[0], &sa, 1));
	show("write fresh", send(c[0], "x", 1, MSG_NOSIGNAL));
	close(c[0]);
	close(l);
}

static void
data(void)
{
	int fd[2], n;
	char b[64];

	pair(SOCK_STREAM, fd);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	show("empty", read(fd[1], b, 8));
	show("empty, no room", read(fd[1], b, 0));
	show("write 0", write(fd[0], b, 0));
	show("one", write(fd[0], "abcdef", 6));
	show("two", write(fd[0], "ghi", 3));
	ioctl(fd[1], FIONREAD, &n);
	printf("readable %d, %x\n", n, ready(fd[1]));
	show("peek", recv(fd[1], b, 64, MSG_PEEK));
	show("peek 2", recv(fd[1], b, 2, MSG_PEEK));
	show("trunc", recv(fd[1], b, 2, MSG_TRUNC | MSG_PEEK));
	show("part", read(fd[1], b, 4));
	show("over the border", read(fd[1], b, 4));
	printf("%.4s\n", b);
	show("waitall", recv(fd[1], b, 4, MSG_WAITALL));
	show("bad buffer", write(fd[0], BAD, 4));
	show("oob flag recv", recv(fd[1], b, 1, MSG_ERRQUEUE));
	write(fd[0], "xyz", 3);
	show("read to bad", read(fd[1], BAD, 3));
	show("still there", read(fd[1], b, 3));
	show("to", sendto(fd[0], "x", 1, 0, (struct sockaddr *)b, 2));
	n = 3;
	setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &n, 4);
	write(fd[0], "0123456789", 10);
	show("peek at 3", recv(fd[1], b, 4, MSG_PEEK));
	printf("%.4s\n", b);
	show("peek on", recv(fd[1], b, 64, MSG_PEEK));
	printf("%.3s\n", b);
	show("peek end", recv(fd[1], b, 64, MSG_PEEK));
	show("read 5", read(fd[1], b, 5));
	n = -5;
	getsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &n, &(socklen_t){ 4 });
	printf("offset %d\n", n);
	close(fd[0]);
	close(fd[1]);
}

static void
ends(void)
{
	int fd[2], err;
	socklen_t len = 4;
	char b[64];

	handle(SIGPIPE, 0);
	pair(SOCK_STREAM, fd);
	write(fd[0], "last", 4);
	show("shutdown", shutdown(fd[0], SHUT_WR));
	printf("polls %x %x\n", ready(fd[0]), ready(fd[1]));
	show("write", write(fd[0], "x", 1));
	printf("signal %d\n", got_signal);
	got_signal = 0;
	show("quiet", send(fd[0], "x", 1, MSG_NOSIGNAL));
	show("read", read(fd[1], b, 8));
	show("end", read(fd[1], b, 8));
	show("other way", write(fd[1], "back", 4));
	close(fd[1]);
	printf("polls %x\n", ready(fd[0]));
	show("back", read(fd[0], b, 8));
	show("end", read(fd[0], b, 8));
	show_names("after", fd[0]);
	close(fd[0]);

	pair(SOCK_STREAM, fd);
	write(fd[0], "unread", 6);
	close(fd[1]);
	printf("reset polls %x\n", ready(fd[0]));
	getsockopt(fd[0], SOL_SOCKET, SO_ERROR, &err, &len);
	printf("error %s\n", strerrorname_np(err));
	show("read", read(fd[0], b, 8));
	close(fd[0]);

	pair(SOCK_STREAM, fd);
	write(fd[0], "unread", 6);
	write(fd[1], "read", 4);
	close(fd[1]);
	show("read", read(fd[0], b, 8));
	show("reset", read(fd[0], b, 8));
	show("end", read(fd[0], b, 8));
	show("write", write(fd[0], b, 8));
	printf("signal %d\n", got_signal);
	close(fd[0]);

	pair(SOCK_STREAM, fd);
	write(fd[0], "before", 6);
	show("shut read", shutdown(fd[1], SHUT_RD));
	show("read", read(fd[1], b, 8));
	show("read", read(fd[1], b, 8));
	show("write", send(fd[0], "x", 1, MSG_NOSIGNAL));
	printf("polls %x %x\n", ready(fd[0]), ready(fd[1]));
	close(fd[0]);
	close(fd[1]);
}

static void
timeouts(void)
{
	struct timeval tv = { 0, 50000 };
	static char big[65536];
	int fd[2], l;
	char b[8];
	uint64_t t;

	pair(SOCK_STREAM, fd);
	setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	t = now_ns();
	show("receive", recv(fd[0], b, 8, 0));
	printf("waited %d\n", now_ns() - t >= 40000000);
	write(fd[1], "abc", 3);
	show("wait for all", recv(fd[0], b, 8, MSG_WAITALL));
	while (write(fd[0], big, sizeof(big)) == sizeof(big))
		;
	show("send", send(fd[0], big, 1, 0));
	printf("full %x\n", ready(fd[0]));
	while (recv(fd[1], big, sizeof(big), MSG_DONTWAIT) > 0)
		;
	printf("room %x\n", ready(fd[0]));
	close(fd[0]);
	close(fd[1]);
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	un_bind(l, "@pith-timeout");
	listen(l, 0);
	setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	show("accept", accept(l, NULL, NULL));
	fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	fd[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	setsockopt(fd[1], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	show("first", un_connect(fd[0], "@pith-timeout"));
	show("second", un_connect(fd[1], "@pith-timeout"));
	close(l);
	close(fd[0]);
	close(fd[1]);
}

static int chan[2];

static void *
feeder(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		static char b[10000];

		memset(b, 'a' + i % 26, sizeof(b));
		if (write(chan[0], b, sizeof(b)) != sizeof(b))
			return (void *)1;
	}
	shutdown(chan[0], SHUT_WR);
	return NULL;
}

static void
flow(void)
{
	uint64_t sum = 0, total = 0;
	static unsigned char b[7777];
	pthread_t t;
	void *bad;
	ssize_t n;

	pair(SOCK_STREAM, chan);
	start_thread(&t, feeder, NULL);
	while ((n = recv(chan[1], b, sizeof(b), MSG_WAITALL)) > 0)
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + b[i], total++;
	pthread_join(t, &bad);
	printf("total %lu sum %lx %ld\n", total, sum, (long)bad);
	close(chan[0]);
	close(chan[1]);
}

static void
hostile(void)
{
	int fd[2], f = open("/dev/null", O_RDWR);
	struct sockaddr_un sa;
	socklen_t len = sizeof(sa);
	char b[8];

	pair(SOCK_STREAM, fd);
	show("bind", bind(f, (struct sockaddr *)&sa, 2));
	show("bind", bind(-1, (struct sockaddr *)&sa, 2));
	show("connect", connect(f, (struct sockaddr *)&sa, 2));
	show("listen", listen(f, 1));
	show("accept", accept(f, NULL, NULL));
	show("accept pair", accept(fd[0], NULL, NULL));
	show("name", getsockname(f, (struct sockaddr *)&sa, &len));
	show("name", getsockname(fd[0], BAD, &len));
	len = 110;
	show("name", getsockname(fd[0], (struct sockaddr *)&sa, BAD));
	len = (socklen_t)-1;
	show("name", getsockname(fd[0], (struct sockaddr *)&sa, &len));
	len = 1;
	show("name", getsockname(fd[0], (struct sockaddr *)&sa, &len));
	printf("length %u\n", len);
	show("peer", getpeername(f, (struct sockaddr *)&sa, &len));
	show("shutdown", shutdown(f, 0));
	show("send", send(f, b, 8, 0));
	show("recv", recv(f, b, 8, 0));
	show("recv", recv(-1, b, 8, 0));
	show("send huge", send(fd[0], b, (size_t)-1, MSG_DONTWAIT));
	show("recv huge", recv(fd[0], (void *)-1, (size_t)-1, MSG_DONTWAIT));
	close(fd[0]);
	close(fd[1]);
	close(f);
}

int
main(void)
{
	own_network(); /* abstract names are a network's */
	creation();
	naming();
	backlog();
	data();
	ends();
	timeouts();
	flow();
	hostile();
	return 0;
}
