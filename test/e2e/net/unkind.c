/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server for clients that are unkind; a thread for each connection.  Port
 * 7: what comes is read and thrown away, but for an 'm' alone, which is
 * answered by eight bytes: how much memory is free, in KB.  8: the same, with
 * TCP_DEFER_ACCEPT.  9: a byte is sent and the connection closed, lingering;
 * "closed" is printed then.  10: nothing is ever read.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "available.h"

static void
read_all(int c)
{
	static __thread char b[65536];
	uint64_t kb;
	ssize_t n;

	while ((n = read(c, b, sizeof(b))) > 0)
		if (n == 1 && b[0] == 'm') {
			kb = free_kb();
			if (write(c, &kb, 8) != 8)
				die("write");
		}
	close(c);
}

static void *
serve(void *arg)
{
	int port = (int)(intptr_t)arg >> 16, c = (int)(intptr_t)arg & 0xffff;
	struct linger hour = { 1, 3600 };

	switch (port) {
	case 9:
		setsockopt(c, SOL_SOCKET, SO_LINGER, &hour, sizeof(hour));
		if (write(c, "x", 1) != 1)
			die("write");
		close(c);
		printf("closed\n");
		break;
	case 10:
		break;
	default:
		read_all(c);
	}
	return NULL;
}

static void *
listen_on(void *arg)
{
	int port = (int)(intptr_t)arg, one = 1, hour = 3600, c;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port) };
	pthread_attr_t attr;
	pthread_t t;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (port == 8)
		setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &hour,
			   sizeof(hour));
	if (l < 0 || bind(l, (void *)&a, sizeof(a)) || listen(l, 128))
		die("listen");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 131072);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	printf("listening\n");
	while ((c = accept(l, NULL, NULL)) >= 0)
		if (pthread_create(&t, &attr, serve,
				   (void *)(intptr_t)(port << 16 | c)))
			die("pthread_create");
	die("accept");
	return NULL;
}

int
main(void)
{
	pthread_t t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int port = 8; port <= 10; port++)
		pthread_create(&t, NULL, listen_on, (void *)(intptr_t)port);
	listen_on((void *)(intptr_t)7);
	return 0;
}
