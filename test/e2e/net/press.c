/* SPDX-License-Identifier: Apache-2.0 */
/*
 * press COUNT SIZE: a server under pressure.  Of COUNT connections each is
 * sent SIZE bytes first, as fast as the socket takes them, and only then what
 * it has sent is read, SIZE bytes too, and answered by one: 'y' if they were
 * right.  All at once, in one thread; more than the machine has memory for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t size;
static int ep;

struct conn {
	int fd;
	size_t sent, got;
	int good;
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 16);
}

/* 0: no more for now. */
static int
send_some(struct conn *c)
{
	static uint8_t b[16384];
	size_t n = size - c->sent < sizeof(b) ? size - c->sent : sizeof(b);
	ssize_t r;

	for (size_t i = 0; i < n; i++)
		b[i] = byte_at(c->sent + i);
	r = send(c->fd, b, n, 0);
	if (r < 0 && errno == EAGAIN)
		return 0;
	if (r < 0)
		die("send");
	c->sent += (size_t)r;
	return 1;
}

static int
read_some(struct conn *c)
{
	static uint8_t b[16384];
	ssize_t r = recv(c->fd, b, sizeof(b), 0);

	if (r < 0 && errno == EAGAIN)
		return 0;
	if (r <= 0)
		die("recv");
	for (ssize_t i = 0; i < r; i++)
		c->good &= b[i] == byte_at(c->got + (size_t)i);
	c->got += (size_t)r;
	return 1;
}

static int
wait_for(struct conn *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e))
		die("epoll_ctl");
	return 0;
}

/* 1: it is over. */
static int
serve(struct conn *c)
{
	while (c->sent < size)
		if (!send_some(c))
			return wait_for(c, EPOLLOUT);
	while (c->got < size)
		if (!read_some(c))
			return wait_for(c, EPOLLIN);
	if (send(c->fd, c->good ? "y" : "n", 1, 0) != 1) {
		if (errno != EAGAIN)
			die("send");
		return wait_for(c, EPOLLOUT);
	}
	close(c->fd);
	return 1;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7) };
	int l = socket(AF_INET, SOCK_STREAM, 0), n, left;
	struct epoll_event e[64];

	n = left = argc > 2 ? atoi(argv[1]) : 1;
	size = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	ep = epoll_create1(0);
	if (l < 0 || ep < 0 || bind(l, (void *)&a, sizeof(a)) ||
	    listen(l, 1024))
		die("listen");
	printf("listening\n");
	fflush(stdout);
	while (n--) {
		struct conn *c = calloc(1, sizeof(*c));

		c->good = 1;
		c->fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
		e[0].events = EPOLLOUT;
		e[0].data.ptr = c;
		if (c->fd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e[0]))
			die("accept");
	}
	while (left) {
		int k = epoll_wait(ep, e, 64, -1);

		for (int i = 0; i < k; i++)
			left -= serve(e[i].data.ptr);
	}
	return 0;
}
