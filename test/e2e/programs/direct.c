/* SPDX-License-Identifier: Apache-2.0 */
/*
 * O_DIRECT by io_uring in the directory of the argument: many reads and writes
 * in flight; mixed with access by the cache, at random, against a model; then
 * with the file cut and grown under them.  All that is printed holds on any
 * system.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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

/* ---- mixed ---- */

#define SIZE (N * 4096 + 700) /* the last sector is not whole */

static unsigned char model[SIZE + 512];
static aio_context_t aio;

static ssize_t
by_uring(int direct, unsigned n, unsigned at)
{
	struct io_uring_sqe *s = io_uring_get_sqe(&ring);
	struct io_uring_cqe *c;
	ssize_t r;

	io_uring_prep_read(s, direct, buf, n, at);
	io_uring_submit(&ring);
	if (io_uring_wait_cqe(&ring, &c))
		return -1;
	r = c->res;
	io_uring_cqe_seen(&ring, c);
	return r;
}

static ssize_t
by_aio(int direct, unsigned n, unsigned at)
{
	struct iovec v[2] = { { buf, n / 1024 * 512 }, { NULL, 0 } };
	struct iocb io = { .aio_lio_opcode = IOCB_CMD_PREADV,
			   .aio_fildes = (unsigned)direct,
			   .aio_buf = (unsigned long)v,
			   .aio_nbytes = 2,
			   .aio_offset = at };
	struct iocb *list = &io;
	struct io_event e;

	v[1].iov_base = buf + v[0].iov_len;
	v[1].iov_len = n - v[0].iov_len;
	if (syscall(SYS_io_submit, aio, 1, &list) != 1 ||
	    syscall(SYS_io_getevents, aio, 1, 1, &e, NULL) != 1)
		return -1;
	return e.res;
}

static ssize_t
read_somehow(int cached, int direct, unsigned n, unsigned at)
{
	switch (rand() % 4) {
	case 0:
		return pread(cached, buf, n, at);
	case 1:
		return pread(direct, buf, n, at);
	case 2:
		return by_uring(direct, n, at);
	default:
		return by_aio(direct, n, at);
	}
}

/* One step; 1: what was read is not what was written last. */
static int
step(int cached, int direct)
{
	unsigned at = rand() % (N * 8) * 512, n = (1 + rand() % 40) * 512;
	unsigned left = SIZE - at, i;
	ssize_t r;

	switch (rand() % 8) {
	case 0:
	case 1: /* by the cache, any bytes */
		at += rand() % 512;
		n = n > SIZE - at ? SIZE - at : n - rand() % 512;
		for (i = 0; i < n; i++)
			buf[i] = model[at + i] = rand();
		return pwrite(cached, buf, n, at) != n;
	case 2:
		if (n > left)
			return 0;
		for (i = 0; i < n; i++)
			buf[i] = model[at + i] = rand();
		return pwrite(direct, buf, n, at) != n;
	case 3:
		return rand() % 4 ? 0 : fdatasync(cached);
	case 4:
		return posix_fadvise(cached, at, n, POSIX_FADV_DONTNEED);
	default:
		r = read_somehow(cached, direct, n, at);
		return r != (n < left ? n : left) || memcmp(buf, model + at, r);
	}
}

static void
mixed(const char *path)
{
	int cached = open(path, O_RDWR), direct = open(path, O_RDWR | O_DIRECT);
	int wrong = 0;

	srand(7);
	if (syscall(SYS_io_setup, 4, &aio))
		perror("io_setup");
	for (unsigned i = 0; i < SIZE; i++)
		model[i] = rand();
	if (pwrite(cached, model, SIZE, 0) != SIZE)
		perror("pwrite");
	for (int i = 0; i < 2000; i++)
		wrong += step(cached, direct);
	printf("mixed, wrong: %d\n", wrong);
	close(cached);
	close(direct);
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
	mixed(path);
	pthread_create(&t, NULL, cut, NULL);
	for (int i = 0; i < 20; i++)
		batch(i & 1, 0);
	stop = 1;
	pthread_join(t, NULL);
	printf("cut under way\n");
	return 0;
}
