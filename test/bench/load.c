/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for servers, where no packaged tool does it.
 *
 *	load tcp HOST PORT [-c CONNECTIONS] [-t SECONDS | -n REQUESTS]
 *		[-r RATE] [-p PREPARE] [-1] REQUEST
 *	load udp HOST PORT [-c WINDOW] [-t SECONDS | -n PACKETS]
 *	load echo PORT
 *
 * tcp: each connection sends the request (\r, \n are understood) and waits for
 * the answer, whose length the first one shows: all must be alike.  PREPARE is
 * sent once before, its answer thrown away.  Without a rate a connection asks
 * again at once.  With one, requests are due at even intervals whatever the
 * server does, and a latency counts from when the request was due: a server
 * that stands still is not spared those that it kept from being sent.  With -1
 * each request has a connection of its own, which the server ends.
 *
 * udp: WINDOW packets of 64 bytes are under way to a server that sends them
 * back, which `load echo` is; what is lost is counted and replaced.
 *
 * Says one line of JSON: requests, a second, latencies in ms, lost.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000ull

struct connection {
	int fd;
	uint64_t since; /* the request was due; 0: none is under way */
	size_t got;
};

static struct options {
	int connections;
	double seconds, rate;
	uint64_t requests;
	const char *prepare;
	int single; /* -1 */
} opt = { .connections = 16, .seconds = 5 };

static struct sockaddr_in server;
static uint32_t *latencies; /* us */
static uint64_t done, room, lost;
static int ep;

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void
count(uint64_t ns)
{
	if (done == room) {
		room = room ? 2 * room : 65536;
		latencies = realloc(latencies, room * sizeof(*latencies));
		if (!latencies)
			die("memory");
	}
	latencies[done++] = (uint32_t)(ns / 1000);
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double
percentile(double p)
{
	return done ? latencies[(uint64_t)((double)(done - 1) * p)] / 1000.0 :
		      0;
}

static void
report(uint64_t ns)
{
	if (done)
		qsort(latencies, done, sizeof(*latencies), by_size);
	printf("{\"requests\": %lu, \"rps\": %.1f, \"p50\": %.3f, "
	       "\"p99\": %.3f, \"max\": %.3f, \"lost\": %lu}\n",
	       (unsigned long)done, (double)done * 1e9 / (double)ns,
	       percentile(0.5), percentile(0.99), percentile(1),
	       (unsigned long)lost);
}

/* ---- TCP ---- */

static char *
unescape(const char *s)
{
	char *out = strdup(s), *p = out;

	if (!out)
		die("memory");
	for (; *s; s++) {
		if (s[0] == '\\' && (s[1] == 'r' || s[1] == 'n'))
			*p++ = *++s == 'r' ? '\r' : '\n';
		else
			*p++ = *s;
	}
	*p = 0;
	return out;
}

static int
connect_one(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (void *)&server, sizeof(server)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void
send_all(int fd, const char *s)
{
	size_t n = strlen(s);

	while (n) {
		ssize_t k = send(fd, s, n, MSG_NOSIGNAL);

		if (k <= 0)
			die("send");
		s += k;
		n -= (size_t)k;
	}
}

/* Until nothing has come for half a second: the length of an answer. */
static size_t
length_of_answer(int fd, const char *request)
{
	struct timeval t = { 10, 0 };
	char buf[65536];
	size_t all = 0;
	ssize_t n;

	send_all(fd, request);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		all += (size_t)n;
		t = (struct timeval){ 0, 500000 };
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	}
	if (!all || (!n && !opt.single))
		die("no answer");
	return all;
}

static void
ask(struct connection *c, const char *request, uint64_t since)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	c->since = since;
	c->got = 0;
	if (c->fd < 0) {
		c->fd = connect_one();
		if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e))
			die("epoll_ctl");
	}
	send_all(c->fd, request);
}

/* What has come; true: the answer is whole. */
static int
take(struct connection *c, size_t length)
{
	static char buf[1 << 18];
	ssize_t n;

	while ((n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		c->got += (size_t)n;
	if ((n == 0 && !opt.single) || (n < 0 && errno != EAGAIN))
		die("recv");
	if (opt.single ? n == 0 && c->got != length : c->got > length)
		die("another answer");
	if (opt.single && n == 0) {
		close(c->fd);
		c->fd = -1;
		return 1;
	}
	return !opt.single && c->since && c->got == length;
}

struct schedule {
	uint64_t start, end, interval, given;
};

/* When the next request is due; 0: no more. */
static uint64_t
next_due(const struct schedule *s)
{
	uint64_t at = s->start + s->given * s->interval;

	if (opt.requests ? s->given >= opt.requests : at >= s->end)
		return 0;
	return at;
}

static void
give(struct schedule *s, struct connection *v, int n, const char *request)
{
	uint64_t now = now_ns(), at;

	for (int i = 0; i < n; i++) {
		if (v[i].since)
			continue;
		at = next_due(s);
		if (!at || at > now)
			return;
		if (!s->interval) {
			at = now_ns();
			if (!opt.requests && at >= s->end)
				return;
		}
		ask(&v[i], request, at);
		s->given++;
	}
}

static int
under_way(const struct connection *v, int n)
{
	int k = 0;

	for (int i = 0; i < n; i++)
		k += v[i].since != 0;
	return k;
}

static void
run_tcp(const char *request)
{
	struct connection *v = calloc((size_t)opt.connections, sizeof(*v));
	struct schedule s = { 0 };
	int n = opt.connections, first = connect_one();
	size_t length;

	ep = epoll_create1(0);
	if (!v || ep < 0)
		die("memory");
	for (int i = 0; i < n; i++)
		v[i].fd = -1;
	if (opt.prepare)
		length_of_answer(first, unescape(opt.prepare));
	length = length_of_answer(first, request);
	close(first);
	s.interval = opt.rate > 0 ? (uint64_t)(1e9 / opt.rate) : 0;
	s.start = now_ns();
	s.end = s.start + (uint64_t)(opt.seconds * 1e9);
	give(&s, v, n, request);
	while (next_due(&s) || under_way(v, n)) {
		struct epoll_event e[64];
		uint64_t due = next_due(&s), now = now_ns();
		struct timespec t = { 1, 0 };
		int k;

		if (s.interval && due && under_way(v, n) < n) {
			due = due > now ? due - now : 0;
			t = (struct timespec){ (time_t)(due / NS),
					       (long)(due % NS) };
		}
		k = epoll_pwait2(ep, e, 64, &t, NULL);
		now = now_ns();
		for (int i = 0; i < k; i++) {
			struct connection *c = e[i].data.ptr;

			if (take(c, length)) {
				count(now - c->since);
				c->since = 0;
			}
		}
		give(&s, v, n, request);
		if (!s.interval && !opt.requests && now >= s.end &&
		    !under_way(v, n))
			break;
	}
	report(now_ns() - s.start);
}

/* ---- UDP ---- */

struct packet {
	uint64_t number, sent_ns;
	char rest[48];
};

static void
run_udp(void)
{
	uint64_t start = now_ns(), now = start, sent = 0, back = 0, old = 0;
	uint64_t end = start + (uint64_t)(opt.seconds * 1e9);
	struct timeval t = { 0, 200000 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || connect(fd, (void *)&server, sizeof(server)))
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	while (opt.requests ? done < opt.requests : now < end) {
		struct packet p = { 0 };

		while (sent - back < (uint64_t)opt.connections) {
			p.number = ++sent;
			p.sent_ns = now_ns();
			if (send(fd, &p, sizeof(p), 0) < 0 &&
			    errno != ENOBUFS && errno != ECONNREFUSED)
				die("send");
		}
		if (recv(fd, &p, sizeof(p), 0) == (ssize_t)sizeof(p)) {
			now = now_ns();
			if (p.number <= old)
				continue; /* was given up */
			count(now - p.sent_ns);
			back++;
		} else {
			now = now_ns();
			lost += sent - back;
			old = back = sent;
		}
	}
	report(now - start);
}

static void
run_echo(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[2048];

	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)))
		die("bind");
	printf("listening\n");
	fflush(stdout);
	for (;;) {
		socklen_t len = sizeof(a);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&a, &len);

		if (n >= 0)
			sendto(fd, buf, (size_t)n, 0, (void *)&a, len);
	}
}

static void
usage(void)
{
	fprintf(stderr, "usage: load tcp|udp HOST PORT [OPTIONS] [REQUEST]\n"
			"       load echo PORT\n");
	exit(2);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int c;

	if (!strcmp(what, "echo") && argc == 3)
		run_echo(atoi(argv[2]));
	if (argc < 4)
		usage();
	server.sin_family = AF_INET;
	server.sin_port = htons((uint16_t)atoi(argv[3]));
	if (!inet_aton(argv[2], &server.sin_addr))
		usage();
	optind = 4;
	while ((c = getopt(argc, argv, "c:t:n:r:p:1")) != -1) {
		switch (c) {
		case 'c':
			opt.connections = atoi(optarg);
			break;
		case 't':
			opt.seconds = atof(optarg);
			break;
		case 'n':
			opt.requests = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			opt.rate = atof(optarg);
			break;
		case 'p':
			opt.prepare = optarg;
			break;
		case '1':
			opt.single = 1;
			break;
		default:
			usage();
		}
	}
	if (!strcmp(what, "udp"))
		run_udp();
	else if (!strcmp(what, "tcp") && optind < argc)
		run_tcp(unescape(argv[optind]));
	else
		usage();
	return 0;
}
