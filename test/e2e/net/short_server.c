/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server for very many connections, one thread with epoll.  A connection
 * says with its first byte how it ends:
 *	a  the byte comes back, the client closes
 *	b  the byte comes back, the server closes
 *	c  the byte comes back, the server resets
 *	m  eight bytes come back: how much memory is free, in KB
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "available.h"

static int ep;

static void
accept_all(int l)
{
	int c;

	while ((c = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct epoll_event e = { .events = EPOLLIN, .data.fd = c };

		if (epoll_ctl(ep, EPOLL_CTL_ADD, c, &e))
			die("epoll_ctl");
	}
}

static void
serve(int c)
{
	struct linger reset = { 1, 0 };
	uint64_t kb;
	char b;

	if (read(c, &b, 1) != 1) {
		close(c);
		return;
	}
	if (b == 'm') {
		kb = free_kb();
		if (write(c, &kb, 8) != 8)
			die("write");
	} else if (write(c, &b, 1) != 1) {
		close(c);
		return;
	}
	if (b == 'c')
		setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (b != 'a')
		close(c);
}

int
main(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_port = htons(7) };
	struct epoll_event e[256] = { { .events = EPOLLIN } };
	int l = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), n;

	ep = epoll_create1(0);
	e[0].data.fd = l;
	if (l < 0 || ep < 0 || bind(l, (void *)&a, sizeof(a)) ||
	    listen(l, 1024) || epoll_ctl(ep, EPOLL_CTL_ADD, l, &e[0]))
		die("listen");
	printf("listening\n");
	fflush(stdout);
	while ((n = epoll_wait(ep, e, 256, -1)) > 0)
		for (int i = 0; i < n; i++) {
			if (e[i].data.fd == l)
				accept_all(l);
			else
				serve(e[i].data.fd);
		}
	die("epoll_wait");
}
