/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COUNT descriptors at once, of the kinds that servers have, all in one
 * epoll: near connections (TCP), pairs of AF_UNIX, UDP sockets, eventfds.
 * Each is made ready, reported exactly once, and answers what it should.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int ep, watched;
static unsigned char *seen; /* by descriptor: 1 watched, 2 reported */

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
watch(int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		die("epoll_ctl");
	seen[fd] = 1;
	watched++;
}

static void
write_one(int fd)
{
	if (write(fd, "x", 1) != 1)
		die("write");
}

static int
bound(int type, struct sockaddr_in *a)
{
	socklen_t n = sizeof(*a);
	int fd = socket(AF_INET, type, 0);

	*a = (struct sockaddr_in){ .sin_family = AF_INET };
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (void *)a, n) || getsockname(fd, (void *)a, &n))
		die("bind");
	return fd;
}

/* The ends that are watched have a byte to read. */
static void
make_tcp(int n)
{
	struct sockaddr_in a;
	int l = bound(SOCK_STREAM, &a);

	if (listen(l, 16))
		die("listen");
	for (int i = 0; i < n / 2; i++) {
		int c = socket(AF_INET, SOCK_STREAM, 0), s;

		if (c < 0 || connect(c, (void *)&a, sizeof(a)))
			die("connect");
		s = accept(l, NULL, NULL);
		if (s < 0)
			die("accept");
		watch(s);
		watch(c);
		write_one(c);
		write_one(s);
	}
	close(l);
}

static void
make_unix(int n)
{
	for (int i = 0; i < n / 2; i++) {
		int v[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, v))
			die("socketpair");
		watch(v[0]);
		watch(v[1]);
		write_one(v[0]);
		write_one(v[1]);
	}
}

static void
make_udp(int n)
{
	struct sockaddr_in a;
	int from = bound(SOCK_DGRAM, &a);

	for (int i = 0; i < n; i++) {
		watch(bound(SOCK_DGRAM, &a));
		if (sendto(from, "x", 1, 0, (void *)&a, sizeof(a)) != 1)
			die("sendto");
	}
	close(from);
}

static void
make_eventfd(int n)
{
	for (int i = 0; i < n; i++) {
		int fd = eventfd(1, EFD_NONBLOCK);

		if (fd < 0)
			die("eventfd");
		watch(fd);
	}
}

/* Takes what is there; nothing is left after it. */
static void
take(int fd)
{
	uint64_t v;

	if (seen[fd] != 1) {
		fprintf(stderr, "descriptor %d: reported again\n", fd);
		exit(1);
	}
	seen[fd] = 2;
	if (read(fd, &v, sizeof(v)) < 1)
		die("read");
}

static int
collect(void)
{
	struct epoll_event e[512];
	int n, all = 0;

	while ((n = epoll_wait(ep, e, 512, 0)) > 0) {
		for (int i = 0; i < n; i++)
			take(e[i].data.fd);
		all += n;
	}
	if (n < 0)
		die("epoll_wait");
	return all;
}

int
main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 50000, n = count / 5, first;
	struct rlimit lim = { (rlim_t)count + 10, (rlim_t)count + 10 };

	if (setrlimit(RLIMIT_NOFILE, &lim))
		die("setrlimit");
	seen = calloc((size_t)count + 10, 1);
	ep = epoll_create1(0);
	if (!seen || ep < 0)
		die("epoll_create1");
	first = dup(0);
	close(first);
	make_tcp(2 * n);
	make_unix(n);
	make_udp(n);
	make_eventfd(count - 4 * n);
	printf("watched %d\n", watched);
	printf("ready %d\n", collect());
	printf("again %d\n", collect());
	for (n = 0; dup(0) >= 0; n++)
		;
	printf("%d more: %s\n", n, strerror(errno));
	for (int fd = first; fd < count + 10; fd++)
		if (close(fd))
			die("close");
	printf("first free %s\n", dup(0) == first ? "again" : "is another");
	return 0;
}
