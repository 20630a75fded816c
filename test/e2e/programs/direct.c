/* SPDX-License-Identifier: Apache-2.0 */
/*
 * O_DIRECT by io_uring in the directory of the argument: many reads and writes
 * in flight, then the same with the file cut and grown under them.  All that
 * is printed holds on any system.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N 64

static struct io_uring ring;
static char *buf;
static int fd;
static volatile int stop;

static int
batch(int write, int letter)
{
	struct io_uring_cqe *c;
	int ok = 0;

	for (int i = 0; i < N; i++) {
		struct io_uring_sqe *s = io_uring_get_sqe(&ring);

		memset(buf + i * 4096, write ? letter + i % 26 : 0, 4096);
		if (write)
			io_uring_prep_write(s, fd, buf + i * 4096, 4096,
					    i * 4096);
		else
			io_uring_prep_read(s, fd, buf + i * 4096, 4096,
					   i * 4096);
		s->user_data = i;
	}
	io_uring_submit(&ring);
	for (int i = 0; i < N; i++) {
		if (io_uring_wait_cqe(&ring, &c))
			return -1;
		ok += c->res == 4096 &&
		      (!letter || buf[c->user_data * 4096] ==
					  letter + (int)c->user_data % 26);
		io_uring_cqe_seen(&ring, c);
	}
	return ok;
}

static void *
cut(void *arg)
{
	while (!stop) {
		if (ftruncate(fd, 8 * 4096) || ftruncate(fd, N * 4096) ||
		    fallocate(fd, 0, 0, N * 4096))
			perror("cut");
		usleep(1000);
	}
	return arg;
}

int
main(int argc, char **argv)
{
	char path[256];
	pthread_t t;
	long n;

	(void)argc;
	snprintf(path, sizeof(path), "%s/direct.data", argv[1]);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0644);
	if (fd < 0 || posix_memalign((void **)&buf, 4096, N * 4096) ||
	    io_uring_queue_init(2 * N, &ring, 0)) {
		perror("start");
		return 1;
	}
	printf("new %d\n", batch(1, 'a'));
	printf("read %d\n", batch(0, 'a'));
	printf("over %d\n", batch(1, 'A'));
	printf("read %d\n", batch(0, 'A'));
	close(fd);
	fd = open(path, O_RDWR);
	n = read(fd, buf, N * 4096);
	printf("cached %ld %c%c\n", n, buf[0], buf[5 * 4096]);
	memset(buf, 'z', 4096);
	n = pwrite(fd, buf, 4096, 8192);
	close(fd);
	fd = open(path, O_RDWR | O_DIRECT);
	n = pread(fd, buf, 4096, 8192);
	printf("through the cache %ld %c\n", n, buf[0]);
	pthread_create(&t, NULL, cut, NULL);
	for (int i = 0; i < 20; i++)
		batch(i & 1, 0);
	stop = 1;
	pthread_join(t, NULL);
	printf("cut under way\n");
	return 0;
}
