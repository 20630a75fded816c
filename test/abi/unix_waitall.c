/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX: more readers, senders and connections than one at a time.  A read
 * of more than the sender's buffer holds, by MSG_WAITALL; several threads that
 * wait for connections, for room in a backlog and in a queue of datagrams:
 * all of them come to an end.
 * CALLS: recvfrom, accept4, connect, sendto
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MANY	(4u << 20)
#define THREADS 6
#define ROUNDS	200

static struct sockaddr_un name;
static socklen_t name_len;
static int fd;

static void
bind_to(int s, const char *what)
{
	memset(&name, 0, sizeof(name));
	name.sun_family = AF_UNIX;
	name_len = (socklen_t)(sizeof(sa_family_t) + 1 +
			       (size_t)sprintf(name.sun_path + 1, "pith-%s-%d",
					       what, (int)getpid()));
	if (bind(s, (struct sockaddr *)&name, name_len))
		abort();
}

static void *
send_many(void *arg)
{
	int s = *(int *)arg;
	char *b = malloc(MANY);

	memset(b, 'x', MANY);
	b[MANY - 1] = 'y';
	for (size_t at = 0; at < MANY;) {
		ssize_t n = send(s, b + at, MANY - at, 0);

		if (n <= 0)
			abort();
		at += (size_t)n;
	}
	free(b);
	return NULL;
}

static void
wait_all(void)
{
	int sv[2];
	char *b = malloc(MANY);
	pthread_t t;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		abort();
	pthread_create(&t, NULL, send_many, &sv[0]);
	n = recv(sv[1], b, MANY, MSG_WAITALL);
	printf("all: %zd, ends with %c\n", n, n > 0 ? b[n - 1] : '?');
	pthread_join(t, NULL);
	free(b);
	close(sv[0]);
	close(sv[1]);
}

/* ---- connections ---- */

static void *
take(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		int c = accept(fd, NULL, NULL);

		if (c < 0 || write(c, "a", 1) != 1)
			abort();
		close(c);
	}
	return NULL;
}

static void *
ask(void *arg)
{
	char b;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		int c = socket(AF_UNIX, SOCK_STREAM, 0);

		if (connect(c, (struct sockaddr *)&name, name_len) ||
		    read(c, &b, 1) != 1)
			abort();
		close(c);
	}
	return NULL;
}

static void
both(void *(*one)(void *), void *(*other)(void *))
{
	pthread_t t[2 * THREADS];

	for (int i = 0; i < THREADS; i++) {
		pthread_create(&t[2 * i], NULL, one, NULL);
		pthread_create(&t[2 * i + 1], NULL, other, NULL);
	}
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(t[i], NULL);
}

static void
connections(void)
{
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bind_to(fd, "stream");
	listen(fd, 0);
	both(take, ask);
	close(fd);
	printf("connections: all\n");
}

/* ---- datagrams ---- */

static void *
get(void *arg)
{
	char b[64];

	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		if (recv(fd, b, sizeof(b), 0) != 64)
			abort();
	return NULL;
}

static void *
put(void *arg)
{
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	int small = 4608;
	char b[64] = "";

	(void)arg;
	setsockopt(s, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < ROUNDS; i++)
		if (sendto(s, b, 64, 0, (struct sockaddr *)&name, name_len) !=
		    64)
			abort();
	close(s);
	return NULL;
}

static void
datagrams(void)
{
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind_to(fd, "dgram");
	both(get, put);
	close(fd);
	printf("datagrams: all\n");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	wait_all();
	connections();
	datagrams();
	return 0;
}
