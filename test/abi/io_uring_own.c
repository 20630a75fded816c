/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: what becomes ready by a call of the thread that submitted it is
 * complete when that call is over, without another one: data and the end of a
 * connection, a poll, a cancel; also when the thread would wait in that call
 * for what the request is to do.  And what a thread leaves behind at its end
 * is done.
 *
 * CALLS: io_uring_enter
 * LIBS: uring
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS	200
#define NBUFS	64
#define NOTHING (-100000)
#define BUF	4096

static struct io_uring ring;
static char bufs[NBUFS][BUF];
static int missed;

/* What is in the ring now, no call made; NOTHING. */
static int
now(uint64_t *data)
{
	struct io_uring_cqe *c;
	unsigned head;
	int res = NOTHING;

	io_uring_for_each_cqe(&ring, head, c)
	{
		res = c->res;
		*data = c->user_data;
		io_uring_cqe_seen(&ring, c);
		break;
	}
	missed += res == NOTHING;
	return res;
}

static void
submit(struct io_uring_sqe *s, uint64_t data)
{
	io_uring_sqe_set_data64(s, data);
	io_uring_submit(&ring);
}

static void
tcp_pair(int fd[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int l = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(l, (struct sockaddr *)&a, len) || listen(l, 1) ||
	    getsockname(l, (struct sockaddr *)&a, &len))
		exit(1);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd[0], (struct sockaddr *)&a, len))
		exit(1);
	fd[1] = accept(l, NULL, NULL);
	close(l);
}

static void
receives(const char *what, int fd[2])
{
	uint64_t data = 0;
	int res = 0;
	char b[8];

	for (int i = 0; i < ROUNDS && res >= 0; i++) {
		struct io_uring_sqe *s = io_uring_get_sqe(&ring);

		io_uring_prep_recv(s, fd[0], b, 8, 0);
		submit(s, 7);
		send(fd[1], "four", 4, 0);
		res = now(&data);
	}
	printf("%s: %d, data %llu\n", what, res, (unsigned long long)data);
	if (res >= 0) {
		struct io_uring_sqe *s = io_uring_get_sqe(&ring);

		io_uring_prep_recv(s, fd[0], b, 8, 0);
		submit(s, 8);
		shutdown(fd[1], SHUT_WR);
		res = now(&data);
		printf("%s: end %d, data %llu\n", what, res,
		       (unsigned long long)data);
	}
	close(fd[0]);
	close(fd[1]);
}

static void
polls(void)
{
	int fd = eventfd(0, 0), res = 0;
	uint64_t data = 0, v = 1;

	for (int i = 0; i < ROUNDS && res >= 0; i++) {
		struct io_uring_sqe *s = io_uring_get_sqe(&ring);

		io_uring_prep_poll_add(s, fd, POLLIN);
		submit(s, 9);
		if (write(fd, &v, 8) != 8)
			exit(1);
		res = now(&data);
		if (read(fd, &v, 8) != 8)
			exit(1);
	}
	printf("poll: %d, data %llu\n", res, (unsigned long long)data);
	close(fd);
}

static void
cancels(int fd[2])
{
	int res[2] = { 0, 0 }, k;
	uint64_t data = 0;
	char b[8];

	for (int i = 0; i < ROUNDS && res[0] != NOTHING; i++) {
		struct io_uring_sqe *s = io_uring_get_sqe(&ring);

		io_uring_prep_recv(s, fd[0], b, 8, 0);
		submit(s, 0);
		s = io_uring_get_sqe(&ring);
		io_uring_prep_cancel64(s, 0, 0);
		submit(s, 1);
		for (int n = 0; n < 2; n++) {
			k = now(&data);
			res[data & 1] = k;
		}
	}
	printf("canceled: %d by %d\n", res[0], res[1]);
	close(fd[0]);
	close(fd[1]);
}

/* ---- it would wait for its own request ---- */

static void
waits_for_itself(int fd[2])
{
	static char big[NBUFS * 1024];
	int small = 4096;
	size_t sent = 0, got = 0;
	struct io_uring_cqe *c;
	struct io_uring_sqe *s;
	ssize_t n;

	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	s = io_uring_get_sqe(&ring);
	io_uring_prep_provide_buffers(s, bufs, BUF, NBUFS, 1, 0);
	submit(s, 1);
	io_uring_wait_cqe(&ring, &c);
	io_uring_cqe_seen(&ring, c);
	s = io_uring_get_sqe(&ring);
	io_uring_prep_recv_multishot(s, fd[0], NULL, 0, 0);
	s->flags |= IOSQE_BUFFER_SELECT;
	s->buf_group = 1;
	submit(s, 2);
	while (sent < sizeof(big)) {
		n = send(fd[1], big, sizeof(big) - sent, 0);
		if (n < 0 && errno != EINTR)
			break;
		sent += n > 0 ? (size_t)n : 0;
	}
	shutdown(fd[1], SHUT_WR);
	do {
		io_uring_wait_cqe(&ring, &c);
		n = c->res;
		got += n > 0 ? (size_t)n : 0;
		io_uring_cqe_seen(&ring, c);
	} while (n > 0);
	printf("sent to itself: %s\n",
	       got == sent && sent == sizeof(big) ? "all" : "not all");
	close(fd[0]);
	close(fd[1]);
}

/* ---- the end of a thread ---- */

static int ends[2];

static void *
leaves(void *arg)
{
	struct io_uring_sqe *s = io_uring_get_sqe(&ring);

	io_uring_prep_poll_add(s, ends[0], POLLIN);
	submit(s, 3);
	if (write(ends[1], "x", 1) != 1)
		exit(1);
	return arg;
}

static void
thread_ends(void)
{
	uint64_t data;
	pthread_t t;

	for (int i = 0; i < 20; i++) {
		char b;

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) ||
		    pthread_create(&t, NULL, leaves, NULL))
			exit(1);
		pthread_join(t, NULL);
		now(&data);
		if (read(ends[0], &b, 1) != 1)
			exit(1);
		close(ends[0]);
		close(ends[1]);
	}
}

int
main(void)
{
	int fd[2];

	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(240);
	if (io_uring_queue_init(16, &ring, 0))
		return 1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		return 1;
	receives("unix", fd);
	tcp_pair(fd);
	receives("tcp", fd);
	polls();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		return 1;
	cancels(fd);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		return 1;
	waits_for_itself(fd);
	thread_ends();
	printf("missed: %d\n", missed);
	io_uring_queue_exit(&ring);
	return 0;
}
