/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads at one listener: all connections are accepted and answered
 * though threads that accept are woken together; who gives up while the queue
 * is full leaves nothing behind that waits; the end of the listener is the end
 * of all that wait for it.
 * CALLS: accept, connect, shutdown, close
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp_common.h"

#define THREADS 6
#define ROUNDS	150

static int
ask_for(int flags)
{
	int s = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (connect(s, (struct sockaddr *)&addr, sizeof(addr)) &&
	    !(flags && errno == EINPROGRESS))
		abort();
	return s;
}

/* ---- all are answered ---- */

static void *
take(void *arg)
{
	char b[64];

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		int c = accept(listener, NULL, NULL);

		if (c < 0 || read(c, b, 1) != 1 || write(c, b, 1) != 1)
			abort();
		close(c);
	}
	return NULL;
}

static void *
ask(void *arg)
{
	char b = 'q';

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		int c = ask_for(0);

		if (write(c, &b, 1) != 1 || read(c, &b, 1) != 1)
			abort();
		close(c);
	}
	return NULL;
}

static void
all_answered(void)
{
	pthread_t t[2 * THREADS];

	listen_on(128);
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_create(&t[i], NULL, i & 1 ? take : ask, NULL);
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(t[i], NULL);
	close(listener);
	printf("answered\n");
}

/* ---- who gives up ---- */

static void *
take_until_end(void *arg)
{
	char b[64];
	int c;

	(void)arg;
	while ((c = accept(listener, NULL, NULL)) >= 0) {
		while (read(c, b, sizeof(b)) > 0)
			;
		close(c);
	}
	if (errno != EINVAL)
		abort();
	return NULL;
}

static void *
give_up(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS * 4; i++)
		close(ask_for(SOCK_NONBLOCK));
	return NULL;
}

static void
given_up(void)
{
	pthread_t t[4];

	listen_on(1);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, i & 1 ? take_until_end : give_up,
			       NULL);
	pthread_join(t[0], NULL);
	pthread_join(t[2], NULL);
	shutdown(listener, SHUT_RDWR);
	pthread_join(t[1], NULL);
	pthread_join(t[3], NULL);
	close(listener);
	printf("given up\n");
}

/* ---- the listener ends ---- */

static void
listener_ends(void)
{
	socklen_t l = sizeof(addr);
	char b;
	int c, n;

	listen_on(4);
	c = ask_for(0);
	shutdown(listener, SHUT_RDWR);
	n = (int)read(c, &b, 1);
	printf("in the queue: %d %s\n", n, n < 0 ? strerrorname_np(errno) : "");
	close(c);
	c = accept(listener, NULL, NULL);
	printf("accept: %d %s\n", c, strerrorname_np(errno));
	c = socket(AF_INET, SOCK_STREAM, 0);
	n = connect(c, (struct sockaddr *)&addr, sizeof(addr));
	printf("connect: %d %s\n", n, strerrorname_np(errno));
	n = listen(listener, 4);
	printf("again: %d\n", n);
	close(c);
	getsockname(listener, (struct sockaddr *)&addr, &l);
	c = ask_for(0);
	close(accept(listener, NULL, NULL));
	n = (int)read(c, &b, 1);
	printf("read: %d\n", n);
	close(c);
	close(listener);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	all_answered();
	given_up();
	listener_ends();
	return 0;
}
