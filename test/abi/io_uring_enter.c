/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: execve and the end of the program with requests under way: an armed
 * file, a worker that sleeps, a timeout with a link, a drain, an AIO poll.
 * LIBS: uring
 */
#define _GNU_SOURCE
#include <liburing.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct io_uring ring;

static struct io_uring_sqe *
sqe(void)
{
	return io_uring_get_sqe(&ring);
}

int
main(int argc, char **argv)
{
	struct __kernel_timespec t = { 100, 0 };
	struct io_uring_sqe *s;
	struct iocb io = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN },
		    *list[1] = { &io };
	aio_context_t ctx = 0;
	static char c;
	int p[2], q[2];

	if (pipe(p) || pipe(q) || io_uring_queue_init(8, &ring, 0))
		return 1;
	io_uring_prep_read(sqe(), p[0], &c, 1, 0);
	io_uring_prep_splice(sqe(), p[0], -1, q[1], -1, 4, 0);
	io_uring_prep_timeout(s = sqe(), &t, 0, 0);
	s->flags = IOSQE_IO_LINK;
	io_uring_prep_nop(sqe());
	io_uring_prep_nop(s = sqe());
	s->flags = IOSQE_IO_DRAIN;
	printf("submitted %d\n", io_uring_submit(&ring));
	io.aio_fildes = p[0];
	if (syscall(SYS_io_setup, 4, &ctx))
		return 1;
	printf("submitted %ld\n", syscall(SYS_io_submit, ctx, 1, list));
	fflush(stdout);
	usleep(20000);
	if (argc == 1) {
		execl(argv[0], argv[0], "again", NULL);
		return 1;
	}
	printf("leaving\n");
	return 3;
}
