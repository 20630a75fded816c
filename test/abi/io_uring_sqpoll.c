/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring with a kernel thread that submits: flags that go together, work
 * without a system call, a thread that has gone to sleep and is woken, a ring
 * that is full, one that starts disabled, one that is closed while it works.
 *
 * CALLS: io_uring_setup
 * LIBS: uring
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct io_uring ring;

static void
make(const char *what, unsigned flags, unsigned cpu, int fd)
{
	struct io_uring_params p;
	struct io_uring r;
	int err;

	memset(&p, 0, sizeof(p));
	p.flags = flags;
	p.sq_thread_cpu = cpu;
	p.wq_fd = (unsigned)fd;
	err = io_uring_queue_init_params(4, &r, &p);
	printf("%s: %d\n", what, err);
	if (!err) {
		printf("nonfixed %d\n",
		       !!(p.features & IORING_FEAT_SQPOLL_NONFIXED));
		io_uring_queue_exit(&r);
	}
}

static void
setups(void)
{
	struct io_uring plain;

	io_uring_queue_init(4, &plain, 0);
	make("plain", 0, 0, 0);
	make("sqpoll", IORING_SETUP_SQPOLL, 0, 0);
	make("on a CPU", IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF, 0, 0);
	make("on none", IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF, 100000, 0);
	make("a CPU alone", IORING_SETUP_SQ_AFF, 0, 0);
	make("coop", IORING_SETUP_SQPOLL | IORING_SETUP_COOP_TASKRUN, 0, 0);
	make("defer",
	     IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER |
		     IORING_SETUP_DEFER_TASKRUN,
	     0, 0);
	make("attached to a plain one",
	     IORING_SETUP_SQPOLL | IORING_SETUP_ATTACH_WQ, 0, plain.ring_fd);
	make("attached to one that polls",
	     IORING_SETUP_SQPOLL | IORING_SETUP_ATTACH_WQ, 0, ring.ring_fd);
	io_uring_queue_exit(&plain);
}

static int
next(void)
{
	struct io_uring_cqe *c;
	int res = -1;

	if (!io_uring_wait_cqe(&ring, &c)) {
		res = c->res;
		io_uring_cqe_seen(&ring, c);
	}
	return res;
}

/* Files that are not registered, too. */
static void
files(void)
{
	static char out[] = "by the thread", in[sizeof(out)];
	int fd = open("/tmp/sqpoll", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct io_uring_sqe *s = io_uring_get_sqe(&ring);

	io_uring_prep_write(s, fd, out, sizeof(out), 0);
	printf("submit %d\n", io_uring_submit(&ring));
	printf("write %d\n", next());
	s = io_uring_get_sqe(&ring);
	io_uring_prep_read(s, fd, in, sizeof(in), 0);
	io_uring_submit(&ring);
	printf("read %d", next());
	printf(" %s\n", in);
	s = io_uring_get_sqe(&ring);
	io_uring_prep_read(s, fd, (void *)1, sizeof(in), 0);
	io_uring_submit(&ring);
	printf("fault %d\n", next());
	close(fd);
	unlink("/tmp/sqpoll");
}

/* Only the tail moves, until the thread says that it sleeps. */
static void
sleeps(void)
{
	struct io_uring_sqe *s;

	for (int k = 0; k < 3; k++) {
		while (!(IO_URING_READ_ONCE(*ring.sq.kflags) &
			 IORING_SQ_NEED_WAKEUP))
			usleep(1000);
		s = io_uring_get_sqe(&ring);
		io_uring_prep_nop(s);
		printf("woken: %d", io_uring_submit(&ring));
		printf(" %d\n", next());
	}
	printf("enter, nothing there: %d\n",
	       io_uring_enter(ring.ring_fd, 3, 0, 0, NULL));
}

static void
full(void)
{
	unsigned n = 0, ended = 0;

	while (n < 1000) {
		struct io_uring_sqe *s = io_uring_get_sqe(&ring);

		if (s) {
			io_uring_prep_nop(s);
			io_uring_submit(&ring);
			n++;
		} else if (io_uring_sqring_wait(&ring) < 0) {
			break;
		}
		while (n - ended > 6 && !next())
			ended++;
	}
	while (ended < n && !next())
		ended++;
	printf("%u submitted, %u ended\n", n, ended);
}

static void
disabled(void)
{
	struct io_uring_params p;
	struct io_uring_cqe *c;
	struct io_uring r;

	memset(&p, 0, sizeof(p));
	p.flags = IORING_SETUP_SQPOLL | IORING_SETUP_R_DISABLED;
	p.sq_thread_idle = 10;
	printf("disabled: %d\n", io_uring_queue_init_params(4, &r, &p));
	io_uring_prep_nop(io_uring_get_sqe(&r));
	printf("enable %d\n", io_uring_enable_rings(&r));
	io_uring_submit(&r);
	printf("wait %d\n", io_uring_wait_cqe(&r, &c));
	io_uring_queue_exit(&r);
}

/* The thread has requests that do not end by themselves. */
static void
closes(void)
{
	struct io_uring_params p;
	struct io_uring_sqe *s;
	struct io_uring r;
	int fds[2];
	char c;

	if (pipe(fds))
		return;
	for (int k = 0; k < 20; k++) {
		memset(&p, 0, sizeof(p));
		p.flags = IORING_SETUP_SQPOLL;
		if (io_uring_queue_init_params(4, &r, &p))
			break;
		s = io_uring_get_sqe(&r);
		io_uring_prep_read(s, fds[0], &c, 1, 0);
		s = io_uring_get_sqe(&r);
		io_uring_prep_nop(s);
		io_uring_submit(&r);
		io_uring_queue_exit(&r);
	}
	puts("closed");
}

int
main(void)
{
	struct io_uring_params p;

	memset(&p, 0, sizeof(p));
	p.flags = IORING_SETUP_SQPOLL;
	p.sq_thread_idle = 10;
	printf("ring %d\n", io_uring_queue_init_params(8, &ring, &p));
	setups();
	files();
	sleeps();
	full();
	disabled();
	closes();
	/* The process ends with the ring's thread awake. */
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	io_uring_submit(&ring);
	puts("end");
	return 0;
}
