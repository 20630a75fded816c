/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: Linux's asynchronous I/O: reads, writes, vectors, syncs and polls,
 * what is refused, how many fit, eventfds, time limits, cancelling, the end.
 * CALLS: io_setup io_destroy io_getevents io_cancel io_pgetevents
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include "wait_common.h"
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>

#define setup(n, c)	      syscall(SYS_io_setup, n, c)
#define destroy(c)	      syscall(SYS_io_destroy, c)
#define submit(c, n, l)	      syscall(SYS_io_submit, c, n, l)
#define cancel(c, i, r)	      syscall(SYS_io_cancel, c, i, r)
#define events(c, a, b, e, t) syscall(SYS_io_getevents, c, a, b, e, t)

static aio_context_t ctx;
static void *volatile bad = BAD;

static struct iocb
req(int op, int fd, void *buf, size_t n, long off, uint64_t data)
{
	struct iocb i = { .aio_lio_opcode = op,
			  .aio_fildes = fd,
			  .aio_buf = (uint64_t)buf,
			  .aio_nbytes = n,
			  .aio_offset = off,
			  .aio_data = data };

	return i;
}

static int
by_data(const void *a, const void *b)
{
	const struct io_event *x = a, *y = b;

	return x->data < y->data ? -1 : x->data > y->data;
}

static void
show_events(const char *what, long min)
{
	struct io_event e[16];
	long n = events(ctx, min, 16, e, NULL);

	if (n < 0) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		return;
	}
	qsort(e, n, sizeof(e[0]), by_data);
	printf("%s: %ld", what, n);
	for (int i = 0; i < n; i++)
		printf(" [%lld: %s%lld %lld]", (long long)e[i].data,
		       e[i].res < 0 ? strerrorname_np(-e[i].res) : "",
		       e[i].res < 0 ? 0 : (long long)e[i].res,
		       (long long)e[i].res2);
	printf("\n");
}

static void
one(const char *what, struct iocb i)
{
	struct iocb *l[1] = { &i };
	long r = submit(ctx, 1, l);

	printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
	if (r == 1)
		show_events("  event", 1);
}

static void
arguments(void)
{
	aio_context_t c = 0, d = 1;
	struct io_event e[2];
	struct iocb *l[1] = { bad };
	struct timespec t = { 0, 0 };

	SHOW(setup(0, &c));
	SHOW(setup(1, bad));
	SHOW(setup(1, &d));
	SHOW(setup(10, &c));
	SHOW(c != 0);
	SHOW(destroy(c));
	SHOW(destroy(c));
	SHOW(destroy(0));
	SHOW(submit(c, 1, l));
	SHOW(events(c, 0, 1, e, NULL));
	SHOW(submit(ctx, 1, l));
	SHOW(submit(ctx, 1, bad));
	SHOW(submit(ctx, 0, NULL));
	SHOW(submit(ctx, -1, l));
	SHOW(events(ctx, 2, 1, e, NULL));
	SHOW(events(ctx, -1, 1, e, NULL));
	SHOW(events(ctx, 0, 2, e, NULL));
	SHOW(events(ctx, 0, 0, e, NULL));
	SHOW(events(ctx, 1, 2, e, bad));
	t.tv_nsec = 10000000;
	SHOW(events(ctx, 1, 2, e, &t));
	t.tv_nsec = 0;
	SHOW(events(ctx, 1, 2, e, &t));
	SHOW(cancel(ctx, bad, e));
	SHOW(syscall(SYS_io_pgetevents, ctx, 1, 2, e, &t, NULL));
	SHOW(syscall(SYS_io_pgetevents, ctx, 1, 2, e, &t, bad));
}

static void
files(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644), ro = open("f", O_RDONLY);
	int dir = open(".", O_RDONLY);
	char buf[32] = "", text[] = "hello, world";
	struct iovec v[2] = { { text, 5 }, { text + 7, 5 } };
	struct iovec r[2] = { { buf, 3 }, { buf + 10, 20 } };
	struct iocb i;

	one("write", req(IOCB_CMD_PWRITE, fd, text, 12, 0, 1));
	one("read", req(IOCB_CMD_PREAD, fd, buf, 5, 7, 2));
	printf("%s\n", buf);
	one("read at the end", req(IOCB_CMD_PREAD, fd, buf, 5, 12, 3));
	one("short", req(IOCB_CMD_PREAD, fd, buf, 20, 10, 4));
	one("vector out", req(IOCB_CMD_PWRITEV, fd, v, 2, 100, 5));
	one("vector in", req(IOCB_CMD_PREADV, fd, r, 2, 100, 6));
	printf("%.3s %.7s\n", buf, buf + 10);
	one("sync", req(IOCB_CMD_FSYNC, fd, NULL, 0, 0, 7));
	one("data sync", req(IOCB_CMD_FDSYNC, fd, NULL, 0, 0, 8));
	one("sync with a buffer", req(IOCB_CMD_FSYNC, fd, buf, 0, 0, 8));
	one("no operation", req(IOCB_CMD_NOOP, fd, NULL, 0, 0, 9));
	one("operation 4", req(4, fd, NULL, 0, 0, 9));
	one("operation 99", req(99, fd, NULL, 0, 0, 9));
	one("bad descriptor", req(IOCB_CMD_PREAD, 99, buf, 1, 0, 9));
	one("write read-only", req(IOCB_CMD_PWRITE, ro, buf, 1, 0, 9));
	one("directory", req(IOCB_CMD_PREAD, dir, buf, 1, 0, 9));
	one("negative offset", req(IOCB_CMD_PREAD, fd, buf, 1, -1, 9));
	one("bad buffer", req(IOCB_CMD_PREAD, fd, bad, 5, 0, 10));
	one("kernel buffer", req(IOCB_CMD_PREAD, fd, (void *)-4096l, 5, 0, 9));
	one("bad vector", req(IOCB_CMD_PREADV, fd, bad, 2, 0, 9));
	one("negative count", req(IOCB_CMD_PREAD, fd, buf, -1, 0, 9));
	i = req(IOCB_CMD_PREAD, fd, buf, 5, 0, 9);
	i.aio_reserved2 = 1;
	one("reserved", i);
	i.aio_reserved2 = 0, i.aio_flags = IOCB_FLAG_RESFD, i.aio_resfd = 99;
	one("bad eventfd", i);
	i.aio_resfd = fd;
	one("no eventfd", i);
	i.aio_key = 77, i.aio_flags = 0;
	one("key", i);
	close(fd), close(ro), close(dir);
}

static void
several(void)
{
	int fd = open("g", O_RDWR | O_CREAT, 0644), efd = eventfd(0, 0);
	static char buf[8][4096];
	struct iocb i[8], *l[9];
	uint64_t count;

	for (int k = 0; k < 8; k++) {
		memset(buf[k], 'a' + k, 4096);
		i[k] = req(IOCB_CMD_PWRITE, fd, buf[k], 4096, k * 4096, k);
		i[k].aio_flags = IOCB_FLAG_RESFD;
		i[k].aio_resfd = efd;
		l[k] = &i[k];
	}
	l[8] = bad;
	SHOW(submit(ctx, 9, l));
	show_events("eight", 8);
	SHOW(read(efd, &count, 8));
	printf("counted %ld\n", (long)count);
	/* The second one is refused: one was taken. */
	i[1].aio_fildes = 99;
	SHOW(submit(ctx, 8, l));
	show_events("one", 1);
	for (int k = 0; k < 8; k++) {
		i[k] = req(IOCB_CMD_PREAD, fd, buf[7 - k], 4096, k * 4096, k);
		l[k] = &i[k];
	}
	SHOW(submit(ctx, 8, l));
	show_events("eight", 8);
	for (int k = 0; k < 8; k++)
		printf("%c", buf[k][99]);
	printf("\n");
	close(fd), close(efd);
}

static void
polls(void)
{
	int p[2], q[2];
	struct iocb a, b, *l[2] = { &a, &b };
	struct io_event e[4];
	struct timespec t = { 0, 20000000 };
	char c;

	SHOW(pipe(p));
	SHOW(pipe(q));
	a = req(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0, 1);
	b = req(IOCB_CMD_POLL, q[1], (void *)POLLOUT, 0, 0, 2);
	SHOW(submit(ctx, 2, l));
	show_events("writable", 1);
	SHOW(events(ctx, 1, 1, e, &t));
	SHOW(write(p[1], "x", 1));
	show_events("readable", 1);
	SHOW(read(p[0], &c, 1));
	SHOW(submit(ctx, 1, l));
	SHOW(cancel(ctx, &b, e));
	SHOW(cancel(ctx, &a, e));
	show_events("canceled", 1);
	SHOW(cancel(ctx, &a, e));
	SHOW(submit(ctx, 1, l));
	close(p[1]);
	show_events("closed", 1);
	a.aio_offset = 1;
	SHOW(submit(ctx, 1, l));
	a.aio_offset = 0, a.aio_buf = 0x10000;
	SHOW(submit(ctx, 1, l));
	one("pipe write", req(IOCB_CMD_PWRITE, q[1], "ab", 2, 0, 5));
	one("pipe read", req(IOCB_CMD_PREAD, q[0], &c, 1, 0, 6));
	close(p[0]), close(q[0]), close(q[1]);
}

static void *
wait_one(void *arg)
{
	struct io_event e[1];
	aio_context_t c = *(aio_context_t *)arg;
	long r = events(c, 1, 1, e, NULL);

	return (void *)(r < 0 ? strerrorname_np(errno) : "event");
}

static void
ending(void)
{
	aio_context_t c = 0;
	struct iocb a, *l[1] = { &a };
	pthread_t th;
	void *r;
	int p[2];

	/* With a poll that never comes. */
	SHOW(setup(4, &c));
	SHOW(pipe(p));
	a = req(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0, 1);
	SHOW(submit(c, 1, l));
	SHOW(destroy(c));
	c = 0;
	SHOW(setup(4, &c));
	pthread_create(&th, NULL, wait_one, &c);
	until_others_asleep(1);
	SHOW(destroy(c));
	pthread_join(th, &r);
	printf("waited: %s\n", (char *)r);
	close(p[0]), close(p[1]);
}

int
main(void)
{
	fs_setup();
	SHOW(setup(64, &ctx));
	arguments();
	files();
	several();
	polls();
	ending();
	SHOW(destroy(ctx));
	return 0;
}
