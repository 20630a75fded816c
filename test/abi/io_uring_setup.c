/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: io_uring: setup and its refusals, each operation with its result and
 * its errors, links, drains, timeouts, cancelling, registered files, buffers
 * and eventfd, provided buffers, a full completion ring.
 * Method: by liburing; completions of a step are printed in order of their
 * user data.
 * LIBS: uring
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static struct io_uring ring;
static void *volatile bad = BAD;

static struct io_uring_sqe *
sqe(uint64_t data)
{
	struct io_uring_sqe *s = io_uring_get_sqe(&ring);

	if (!s) {
		printf("no entry left\n");
		exit(1);
	}
	memset(s, 0, sizeof(*s));
	s->user_data = data;
	return s;
}

static int
by_data(const void *a, const void *b)
{
	const struct io_uring_cqe *x = a, *y = b;

	return x->user_data < y->user_data ? -1 : x->user_data > y->user_data;
}

static void
take(const char *what, int n)
{
	struct io_uring_cqe *c, got[64];
	int k = 0;

	while (k < n) {
		struct __kernel_timespec t = { 200, 0 };

		if (io_uring_wait_cqe_timeout(&ring, &c, &t)) {
			printf("%s: nothing came\n", what);
			break;
		}
		got[k++] = *c;
		io_uring_cqe_seen(&ring, c);
	}
	qsort(got, k, sizeof(got[0]), by_data);
	printf("%s:", what);
	for (int i = 0; i < k; i++) {
		printf(" [%llu:", (unsigned long long)got[i].user_data);
		if (got[i].res < 0)
			printf(" %s", strerrorname_np(-got[i].res));
		else
			printf(" %d", got[i].res);
		if (got[i].flags & 1)
			printf(" buffer %u", got[i].flags >> 16);
		printf("]");
	}
	if (io_uring_cq_ready(&ring))
		printf(" and more");
	printf("\n");
}

static void
go(const char *what, int n)
{
	int r = io_uring_submit(&ring);

	if (r < 0)
		printf("%s: submit %s\n", what, strerrorname_np(-r));
	else
		printf("(%d) ", r);
	take(what, n);
}

static int
setup(unsigned entries, unsigned flags, unsigned cq)
{
	struct io_uring_params p = { .flags = flags, .cq_entries = cq };
	int fd = syscall(SYS_io_uring_setup, entries, &p);

	if (fd < 0) {
		printf("setup %u %#x %u: %s\n", entries, flags, cq,
		       strerrorname_np(errno));
		return -1;
	}
	printf("setup %u %#x %u: sq %u cq %u\n", entries, flags, cq,
	       p.sq_entries, p.cq_entries);
	close(fd);
	return 0;
}

static void
setups(void)
{
	struct io_uring_params p = { .resv = { 0, 1, 0 } };
	int fd;

	setup(0, 0, 0);
	setup(1, 0, 0);
	setup(3, 0, 0);
	setup(100, 0, 0);
	setup(32768, 0, 0);
	setup(32769, 0, 0);
	setup(40000, IORING_SETUP_CLAMP, 0);
	setup(8, IORING_SETUP_CQSIZE, 0);
	setup(8, IORING_SETUP_CQSIZE, 7);
	setup(8, IORING_SETUP_CQSIZE, 8);
	setup(8, IORING_SETUP_CQSIZE, 100);
	setup(8, 1u << 31, 0);
	SHOW(syscall(SYS_io_uring_setup, 1, &p));
	SHOW(syscall(SYS_io_uring_setup, 1, bad));
	SHOW(syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0));
	SHOW(syscall(SYS_io_uring_enter, 0, 0, 0, 0, NULL, 0));
	SHOW(syscall(SYS_io_uring_enter, ring.ring_fd, 0, 0, 1u << 20, NULL,
		     0));
	SHOW(syscall(SYS_io_uring_enter, ring.ring_fd, 0, 0, 0, NULL, 0));
	SHOW(syscall(SYS_io_uring_enter, ring.ring_fd, 5, 0, 0, NULL, 0));
	SHOW(syscall(SYS_io_uring_register, 0, 0, NULL, 0));
	SHOW(syscall(SYS_io_uring_register, ring.ring_fd, 9999, NULL, 0));
	fd = ring.ring_fd;
	SHOW(fcntl(fd, F_GETFD));
	SHOW(read(fd, &p, 1));
	SHOW(lseek(fd, 0, SEEK_CUR));
}

static void
reading(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644), p[2];
	char text[] = "hello, world", buf[32] = "";
	struct iovec v[2] = { { text, 5 }, { text + 7, 5 } };
	struct iovec w[2] = { { buf, 4 }, { buf + 8, 8 } };

	io_uring_prep_nop(sqe(1));
	((struct io_uring_sqe *)sqe(2))->opcode = 250;
	go("nop", 2);
	io_uring_submit(&ring);
	io_uring_prep_write(sqe(1), fd, text, 12, 0);
	go("write", 1);
	struct io_uring_sqe *s = sqe(1);
	io_uring_prep_read(s, fd, buf, 5, 7);
	s->user_data = 1;
	go("read", 1);
	printf("%s\n", buf);
	s = sqe(0), io_uring_prep_read(s, fd, buf, 20, 10), s->user_data = 1;
	s = sqe(0), io_uring_prep_read(s, fd, buf, 20, 12), s->user_data = 2;
	s = sqe(0), io_uring_prep_read(s, fd, bad, 20, 0), s->user_data = 3;
	s = sqe(0), io_uring_prep_read(s, 99, buf, 20, 0), s->user_data = 4;
	s = sqe(0), io_uring_prep_writev(s, fd, v, 2, 100), s->user_data = 5;
	go("several", 5);
	s = sqe(0), io_uring_prep_readv(s, fd, w, 2, 100), s->user_data = 1;
	go("vector", 1);
	printf("%.4s%.6s\n", buf, buf + 8);
	s = sqe(0), io_uring_prep_readv(s, fd, bad, 2, 0), s->user_data = 1;
	go("bad vector", 1);
	/* At the file's own position. */
	lseek(fd, 0, SEEK_SET);
	s = sqe(0), io_uring_prep_read(s, fd, buf, 5, -1), s->user_data = 1;
	go("position", 1);
	SHOW(lseek(fd, 0, SEEK_CUR));
	s = sqe(0), io_uring_prep_fsync(s, fd, 0), s->user_data = 1;
	s = sqe(0), io_uring_prep_fsync(s, fd, 1), s->user_data = 2;
	s = sqe(0), io_uring_prep_fallocate(s, fd, 0, 0, 8192);
	s->user_data = 4;
	go("sync, allocate", 3);
	s = sqe(0), io_uring_prep_fsync(s, fd, 8), s->user_data = 3;
	go("bad sync", 1);
	s = sqe(0), io_uring_prep_fadvise(s, fd, 0, 0, POSIX_FADV_NORMAL);
	s->user_data = 1;
	s = sqe(0), io_uring_prep_sync_file_range(s, fd, 4096, 0, 0);
	s->user_data = 2;
	go("advice", 2);
	/* A pipe: what is not there comes later. */
	SHOW(pipe(p));
	memset(buf, 0, sizeof(buf));
	s = sqe(0), io_uring_prep_read(s, p[0], buf, 5, 0), s->user_data = 1;
	SHOW(io_uring_submit(&ring));
	SHOW(io_uring_cq_ready(&ring));
	s = sqe(0), io_uring_prep_write(s, p[1], "pipes", 5, 0);
	s->user_data = 2;
	go("pipe", 2);
	printf("%s\n", buf);
	s = sqe(0), io_uring_prep_read(s, p[0], buf, 5, 0), s->user_data = 1;
	SHOW(io_uring_submit(&ring));
	close(p[1]);
	take("closed", 1);
	close(p[0]), close(fd);
}

static void
paths(void)
{
	struct io_uring_sqe *s;
	struct statx st = { 0 };
	struct open_how how = { .flags = O_RDONLY };
	struct io_uring_cqe *c;
	int fd;

	s = sqe(0), io_uring_prep_mkdirat(s, AT_FDCWD, "dir", 0755);
	s->user_data = 1;
	s = sqe(0), io_uring_prep_symlinkat(s, "f", AT_FDCWD, "sym");
	s->user_data = 2;
	s = sqe(0), io_uring_prep_linkat(s, AT_FDCWD, "f", AT_FDCWD, "hard", 0);
	s->user_data = 3;
	go("names", 3);
	s = sqe(0),
	io_uring_prep_renameat(s, AT_FDCWD, "hard", AT_FDCWD, "dir/moved", 0);
	s->user_data = 1;
	go("rename", 1);
	s = sqe(0), io_uring_prep_statx(s, AT_FDCWD, "dir/moved", 0,
					STATX_BASIC_STATS, &st);
	s->user_data = 1;
	s = sqe(0),
	io_uring_prep_statx(s, AT_FDCWD, "none", 0, STATX_BASIC_STATS, &st);
	s->user_data = 2;
	go("statx", 2);
	printf("size %llu nlink %u\n", (unsigned long long)st.stx_size,
	       st.stx_nlink);
	s = sqe(0), io_uring_prep_openat(s, AT_FDCWD, "f", O_RDWR, 0);
	io_uring_submit(&ring);
	io_uring_wait_cqe(&ring, &c);
	fd = c->res;
	io_uring_cqe_seen(&ring, c);
	printf("open %d\n", fd >= 0 && fcntl(fd, F_GETFD) == 0);
	s = sqe(0), io_uring_prep_close(s, fd), s->user_data = 1;
	go("close", 1);
	s = sqe(0), io_uring_prep_close(s, fd), s->user_data = 1;
	s = sqe(0), io_uring_prep_openat(s, AT_FDCWD, "none", 0, 0);
	s->user_data = 2;
	s = sqe(0), io_uring_prep_openat2(s, AT_FDCWD, "none", &how);
	s->user_data = 3;
	s = sqe(0), io_uring_prep_unlinkat(s, AT_FDCWD, "dir", 0);
	s->user_data = 4;
	s = sqe(0), io_uring_prep_unlinkat(s, AT_FDCWD, "sym", 0);
	s->user_data = 5;
	s = sqe(0), io_uring_prep_unlinkat(s, AT_FDCWD, "dir/moved", 0);
	s->user_data = 6;
	go("errors and unlink", 6);
	s = sqe(0), io_uring_prep_unlinkat(s, AT_FDCWD, "dir", AT_REMOVEDIR);
	s->user_data = 1;
	go("rmdir", 1);
}

static void
waiting(void)
{
	struct __kernel_timespec t = { 0, 20000000 }, long_t = { 100, 0 };
	struct io_uring_sqe *s;
	struct epoll_event ev = { .events = EPOLLIN };
	struct pollfd pf = { .fd = ring.ring_fd, .events = POLLIN | POLLOUT };
	int p[2], efd = eventfd(0, 0), ep = epoll_create1(0);
	uint64_t one = 1;

	s = sqe(0), io_uring_prep_timeout(s, &t, 0, 0), s->user_data = 1;
	go("timeout", 1);
	s = sqe(0), io_uring_prep_timeout(s, &long_t, 2, 0), s->user_data = 1;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 2;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 3;
	go("after two", 3);
	s = sqe(0), io_uring_prep_timeout(s, &long_t, 0, 0), s->user_data = 1;
	SHOW(io_uring_submit(&ring));
	s = sqe(0), io_uring_prep_timeout_remove(s, 1, 0), s->user_data = 2;
	s = sqe(0), io_uring_prep_timeout_remove(s, 77, 0), s->user_data = 3;
	go("removed", 3);
	s = sqe(0), io_uring_prep_timeout(s, &long_t, 0, 0), s->user_data = 1;
	SHOW(io_uring_submit(&ring));
	s = sqe(0), io_uring_prep_timeout_update(s, &t, 1, 0);
	s->user_data = 2;
	go("updated", 2);
	s = sqe(0), io_uring_prep_timeout(s, bad, 0, 0), s->user_data = 1;
	go("bad time", 1);
	t.tv_nsec = -1;
	s = sqe(0), io_uring_prep_timeout(s, &t, 0, 0), s->user_data = 1;
	go("negative time", 1);
	s = sqe(0), io_uring_prep_timeout(s, &long_t, 0, 0x8000);
	s->user_data = 1;
	go("unknown flag", 1);

	SHOW(pipe(p));
	s = sqe(0), io_uring_prep_poll_add(s, p[1], POLLOUT), s->user_data = 1;
	go("poll", 1);
	s = sqe(0), io_uring_prep_poll_add(s, p[0], POLLIN), s->user_data = 1;
	s = sqe(0), io_uring_prep_poll_add(s, efd, POLLIN), s->user_data = 2;
	SHOW(io_uring_submit(&ring));
	SHOW(write(p[1], "x", 1));
	take("pipe ready", 1);
	SHOW(write(efd, &one, 8));
	take("eventfd ready", 1);
	s = sqe(0), io_uring_prep_poll_add(s, p[1], POLLIN), s->user_data = 1;
	SHOW(io_uring_submit(&ring));
	s = sqe(0), io_uring_prep_poll_remove(s, 1), s->user_data = 2;
	s = sqe(0), io_uring_prep_poll_remove(s, 99), s->user_data = 3;
	go("poll removed", 3);
	s = sqe(0), io_uring_prep_poll_add(s, 99, POLLIN), s->user_data = 1;
	go("poll of nothing", 1);

	/* Calling off what waits. */
	char c;
	SHOW(read(p[0], &c, 1));
	s = sqe(0), io_uring_prep_read(s, p[0], &c, 1, 0), s->user_data = 1;
	s = sqe(0), io_uring_prep_read(s, p[0], &c, 1, 0), s->user_data = 2;
	SHOW(io_uring_submit(&ring));
	s = sqe(0), io_uring_prep_cancel64(s, 1, 0), s->user_data = 3;
	go("cancel", 2);
	s = sqe(0), io_uring_prep_cancel64(s, 1, 0), s->user_data = 3;
	go("cancel again", 1);
	s = sqe(0), io_uring_prep_cancel64(s, 2, IORING_ASYNC_CANCEL_ALL);
	s->user_data = 3;
	go("cancel all", 2);

	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ring.ring_fd, &ev));
	SHOW(epoll_wait(ep, &ev, 1, 0));
	SHOW(poll(&pf, 1, 0));
	printf("revents %#x\n", pf.revents);
	io_uring_prep_nop(sqe(1));
	SHOW(io_uring_submit(&ring));
	SHOW(epoll_wait(ep, &ev, 1, 200000));
	SHOW(poll(&pf, 1, 0));
	printf("revents %#x\n", pf.revents);
	take("nop", 1);
	s = sqe(0), io_uring_prep_epoll_ctl(s, ep, efd, EPOLL_CTL_ADD, &ev);
	s->user_data = 1;
	s = sqe(0), io_uring_prep_epoll_ctl(s, ep, 99, EPOLL_CTL_ADD, &ev);
	s->user_data = 2;
	go("epoll_ctl", 2);
	close(p[0]), close(p[1]), close(efd), close(ep);
}

static void
links(void)
{
	struct __kernel_timespec t = { 0, 20000000 }, long_t = { 100, 0 };
	struct io_uring_sqe *s;
	int p[2], fd = open("l", O_RDWR | O_CREAT, 0644);
	char buf[8] = "", c;

	s = sqe(0), io_uring_prep_write(s, fd, "linked", 6, 0);
	s->user_data = 1, s->flags = IOSQE_IO_LINK;
	s = sqe(0), io_uring_prep_fsync(s, fd, 0);
	s->user_data = 2, s->flags = IOSQE_IO_LINK;
	s = sqe(0), io_uring_prep_read(s, fd, buf, 6, 0), s->user_data = 3;
	go("chain", 3);
	printf("%s\n", buf);
	s = sqe(0), io_uring_prep_read(s, 99, buf, 6, 0);
	s->user_data = 1, s->flags = IOSQE_IO_LINK;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 2;
	s->flags = IOSQE_IO_LINK;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 3;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 4;
	go("broken", 4);
	s = sqe(0), io_uring_prep_read(s, fd, buf, 8, 3);
	s->user_data = 1, s->flags = IOSQE_IO_LINK;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 2;
	go("short read", 2);
	s = sqe(0), io_uring_prep_read(s, 99, buf, 6, 0);
	s->user_data = 1, s->flags = IOSQE_IO_HARDLINK;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 2;
	go("hard", 2);
	s = sqe(0), s->opcode = 250, s->user_data = 1, s->flags = IOSQE_IO_LINK;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 2;
	int r = io_uring_submit(&ring);
	printf("submitted %d\n", r);
	if (r < 2)
		printf("again %d\n", io_uring_submit(&ring));
	take("unknown in a chain", 2);

	SHOW(pipe(p));
	s = sqe(0), io_uring_prep_read(s, p[0], &c, 1, 0);
	s->user_data = 1, s->flags = IOSQE_IO_LINK;
	s = sqe(0), io_uring_prep_link_timeout(s, &t, 0), s->user_data = 2;
	go("link timeout", 2);
	s = sqe(0), io_uring_prep_read(s, p[0], &c, 1, 0);
	s->user_data = 1, s->flags = IOSQE_IO_LINK;
	s = sqe(0), io_uring_prep_link_timeout(s, &long_t, 0);
	s->user_data = 2, s->flags = IOSQE_IO_LINK;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 3;
	SHOW(io_uring_submit(&ring));
	SHOW(write(p[1], "x", 1));
	take("in time", 3);
	s = sqe(0), io_uring_prep_link_timeout(s, &long_t, 0), s->user_data = 1;
	go("alone", 1);

	/* A drain waits for the read. */
	s = sqe(0), io_uring_prep_read(s, p[0], &c, 1, 0), s->user_data = 1;
	io_uring_prep_nop(s = sqe(0));
	s->user_data = 2, s->flags = IOSQE_IO_DRAIN;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 3;
	SHOW(io_uring_submit(&ring));
	SHOW(io_uring_cq_ready(&ring));
	SHOW(write(p[1], "x", 1));
	take("drained", 3);
	/* No completion of what went well. */
	io_uring_prep_nop(s = sqe(0));
	s->user_data = 1, s->flags = IOSQE_CQE_SKIP_SUCCESS;
	io_uring_prep_nop(s = sqe(0)), s->user_data = 2;
	go("skipped", 1);
	s = sqe(0), io_uring_prep_read(s, 99, buf, 6, 0);
	s->user_data = 1, s->flags = IOSQE_CQE_SKIP_SUCCESS;
	go("not skipped", 1);
	s = sqe(0), io_uring_prep_nop(s), s->user_data = 1, s->flags = 0x80;
	go("unknown flag", 1);
	s = sqe(0), io_uring_prep_read(s, fd, buf, 6, 0);
	s->user_data = 1, s->flags = IOSQE_ASYNC;
	go("async", 1);
	close(p[0]), close(p[1]), close(fd);
}

static void
registered(void)
{
	static char area[2][8192] __attribute__((aligned(4096)));
	int fd = open("r", O_RDWR | O_CREAT, 0644), fds[4], efd;
	struct iovec v[2] = { { area[0], 8192 }, { area[1], 4096 } };
	struct io_uring_sqe *s;
	uint64_t count;

	SHOW(io_uring_unregister_buffers(&ring));
	SHOW(io_uring_register_buffers(&ring, v, 2));
	SHOW(io_uring_register_buffers(&ring, v, 2));
	strcpy(area[0], "fixed");
	s = sqe(0), io_uring_prep_write_fixed(s, fd, area[0], 5, 0, 0);
	s->user_data = 1;
	go("write fixed", 1);
	s = sqe(0), io_uring_prep_read_fixed(s, fd, area[1] + 100, 5, 0, 1);
	s->user_data = 1;
	s = sqe(0), io_uring_prep_read_fixed(s, fd, area[1] + 4093, 5, 0, 1);
	s->user_data = 2;
	s = sqe(0), io_uring_prep_read_fixed(s, fd, area[1], 5, 0, 2);
	s->user_data = 3;
	s = sqe(0), io_uring_prep_read_fixed(s, fd, area[0], 5, 0, 1);
	s->user_data = 4;
	while (io_uring_sq_ready(&ring))
		io_uring_submit(&ring);
	take("read fixed", 4);
	printf("%s\n", area[1] + 100);
	SHOW(io_uring_unregister_buffers(&ring));
	v[0].iov_base = bad;
	SHOW(io_uring_register_buffers(&ring, v, 1));

	fds[0] = fd, fds[1] = -1, fds[2] = 0, fds[3] = -1;
	SHOW(io_uring_unregister_files(&ring));
	SHOW(io_uring_register_files(&ring, fds, 4));
	SHOW(io_uring_register_files(&ring, fds, 4));
	s = sqe(0), io_uring_prep_read(s, 0, area[0], 5, 0);
	s->user_data = 1, s->flags = IOSQE_FIXED_FILE;
	s = sqe(0), io_uring_prep_read(s, 1, area[0], 5, 0);
	s->user_data = 2, s->flags = IOSQE_FIXED_FILE;
	s = sqe(0), io_uring_prep_read(s, 4, area[0], 5, 0);
	s->user_data = 3, s->flags = IOSQE_FIXED_FILE;
	go("fixed file", 3);
	SHOW(io_uring_register_files_update(&ring, 1, &fd, 1));
	SHOW(io_uring_register_files_update(&ring, 4, &fd, 1));
	fds[0] = 99;
	SHOW(io_uring_register_files_update(&ring, 1, fds, 1));
	close(fd);
	s = sqe(0), io_uring_prep_read(s, 1, area[0], 5, 0);
	s->user_data = 1, s->flags = IOSQE_FIXED_FILE;
	go("after close", 1);
	fds[0] = -1;
	s = sqe(0), io_uring_prep_files_update(s, fds, 1, 0), s->user_data = 1;
	go("update", 1);
	SHOW(io_uring_unregister_files(&ring));
	fds[0] = 99;
	SHOW(io_uring_register_files(&ring, fds, 1));

	efd = eventfd(0, EFD_NONBLOCK);
	SHOW(io_uring_unregister_eventfd(&ring));
	SHOW(io_uring_register_eventfd(&ring, efd));
	SHOW(io_uring_register_eventfd(&ring, efd));
	io_uring_prep_nop(sqe(1));
	io_uring_prep_nop(sqe(2));
	go("counted", 2);
	SHOW(read(efd, &count, 8) == 8 && count >= 1);
	SHOW(io_uring_unregister_eventfd(&ring));
	SHOW(io_uring_register_eventfd(&ring, 0));
	SHOW(io_uring_register_eventfd(&ring, 99));
	close(efd);

	struct io_uring_probe *p = io_uring_get_probe_ring(&ring);
	SHOW(p != NULL);
	SHOW(io_uring_opcode_supported(p, IORING_OP_NOP));
	SHOW(io_uring_opcode_supported(p, IORING_OP_LINKAT));
	io_uring_free_probe(p);
}

static void
splicing(void)
{
	struct io_uring_sqe *s;
	int fd = open("s", O_RDWR | O_CREAT, 0644), p[2], q[2];
	char buf[32] = "";

	SHOW(pipe(p));
	SHOW(pipe(q));
	SHOW(write(p[1], "through", 7));
	s = sqe(0), io_uring_prep_tee(s, p[0], q[1], 4, 0), s->user_data = 1;
	go("tee", 1);
	SHOW(read(q[0], buf, 32));
	s = sqe(0), io_uring_prep_splice(s, p[0], -1, fd, 3, 32, 0);
	s->user_data = 1;
	go("splice", 1);
	SHOW(lseek(fd, 0, SEEK_END));
	s = sqe(0), io_uring_prep_splice(s, fd, 3, p[1], -1, 32, 0);
	s->user_data = 1;
	go("and back", 1);
	SHOW(read(p[0], buf, 32));
	printf("%.7s\n", buf);
	s = sqe(0), io_uring_prep_splice(s, fd, 0, fd, 0, 4, 0);
	s->user_data = 1;
	s = sqe(0), io_uring_prep_splice(s, 99, 0, p[1], -1, 4, 0);
	s->user_data = 2;
	s = sqe(0), io_uring_prep_splice(s, p[0], 0, fd, 0, 4, 0);
	s->user_data = 3;
	s = sqe(0), io_uring_prep_splice(s, p[1], -1, fd, 0, 4, 0);
	s->user_data = 4;
	go("refused", 4);
	close(fd), close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

static void
sockets(void)
{
	struct io_uring_sqe *s;
	struct sockaddr_un a = { AF_UNIX, "sock" };
	char buf[32] = "", ctl[4][16];
	struct iovec v = { buf, sizeof(buf) }, o = { "message", 7 };
	struct msghdr in = { .msg_iov = &v, .msg_iovlen = 1 };
	struct msghdr out = { .msg_iov = &o, .msg_iovlen = 1 };
	struct io_uring_cqe *c;
	int sv[2], l, k, n = -1;

	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	s = sqe(0), io_uring_prep_recv(s, sv[0], buf, 32, 0), s->user_data = 1;
	SHOW(io_uring_submit(&ring));
	s = sqe(0), io_uring_prep_send(s, sv[1], "sent", 4, 0);
	s->user_data = 2;
	go("send", 2);
	printf("%s\n", buf);
	s = sqe(0), io_uring_prep_recvmsg(s, sv[0], &in, 0), s->user_data = 1;
	SHOW(io_uring_submit(&ring));
	s = sqe(0), io_uring_prep_sendmsg(s, sv[1], &out, 0);
	s->user_data = 2;
	go("sendmsg", 2);
	printf("%.7s\n", buf);

	/* Buffers that the kernel chooses. */
	s = sqe(0), io_uring_prep_provide_buffers(s, ctl, 16, 4, 7, 10);
	s->user_data = 1;
	go("provide", 1);
	s = sqe(0), io_uring_prep_recv(s, sv[0], NULL, 16, 0);
	s->user_data = 1, s->flags = IOSQE_BUFFER_SELECT, s->buf_group = 7;
	SHOW(io_uring_submit(&ring));
	SHOW(write(sv[1], "chosen", 6));
	take("recv", 1);
	printf("%.6s\n", ctl[0]);
	s = sqe(0), io_uring_prep_recv(s, sv[0], NULL, 16, 0);
	s->user_data = 1, s->flags = IOSQE_BUFFER_SELECT, s->buf_group = 8;
	SHOW(write(sv[1], "more", 4));
	go("no such group", 1);
	s = sqe(0), io_uring_prep_read(s, sv[0], NULL, 16, 0);
	s->user_data = 1, s->flags = IOSQE_BUFFER_SELECT, s->buf_group = 7;
	go("read", 1);
	s = sqe(0), io_uring_prep_remove_buffers(s, 9, 7), s->user_data = 1;
	go("remove", 1);
	s = sqe(0), io_uring_prep_remove_buffers(s, 1, 7), s->user_data = 1;
	go("remove", 1);
	s = sqe(0), io_uring_prep_shutdown(s, sv[1], SHUT_WR), s->user_data = 1;
	go("shutdown", 1);
	s = sqe(0), io_uring_prep_recv(s, sv[0], buf, 8, 0), s->user_data = 2;
	s = sqe(0), io_uring_prep_send(s, sv[1], "x", 1, MSG_NOSIGNAL);
	s->user_data = 3;
	s = sqe(0), io_uring_prep_recv(s, 0, buf, 8, 0), s->user_data = 4;
	go("after it", 3);
	close(sv[0]), close(sv[1]);

	l = socket(AF_UNIX, SOCK_STREAM, 0);
	k = socket(AF_UNIX, SOCK_STREAM, 0);
	SHOW(bind(l, (void *)&a, sizeof(a)));
	SHOW(listen(l, 4));
	s = sqe(0), io_uring_prep_accept(s, l, NULL, NULL, 0);
	s->user_data = 1;
	SHOW(io_uring_submit(&ring));
	s = sqe(0), io_uring_prep_connect(s, k, (void *)&a, sizeof(a));
	s->user_data = 2;
	io_uring_submit(&ring);
	for (int i = 0; i < 2; i++) {
		io_uring_wait_cqe(&ring, &c);
		if (c->user_data == 1)
			n = c->res;
		else
			printf("connect %d\n", c->res);
		io_uring_cqe_seen(&ring, c);
	}
	SHOW(write(k, "over", 4));
	SHOW(read(n, buf, 4));
	s = sqe(0), io_uring_prep_accept(s, k, NULL, NULL, 0), s->user_data = 1;
	go("accept on another", 1);
	close(l), close(k), close(n);
}

static void
overflow(void)
{
	struct io_uring small;
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE,
				     .cq_entries = 4 };
	struct io_uring_cqe *c;
	int n = 0, sum = 0;

	SHOW(io_uring_queue_init_params(4, &small, &p));
	for (int k = 0; k < 12; k++) {
		io_uring_prep_nop(io_uring_get_sqe(&small));
		if (io_uring_submit(&small) != 1)
			printf("not submitted\n");
	}
	SHOW(io_uring_cq_ready(&small));
	SHOW(io_uring_cq_has_overflow(&small));
	while (n < 12 && io_uring_wait_cqe(&small, &c) == 0) {
		sum += c->res;
		n++;
		io_uring_cqe_seen(&small, c);
	}
	printf("got %d, %d\n", n, sum);
	SHOW(io_uring_cq_has_overflow(&small));
	io_uring_queue_exit(&small);
}

/* Indices and counts that no honest program writes. */
static void
hostile(void)
{
	struct io_uring h;
	struct io_uring_sqe *s;

	SHOW(io_uring_queue_init(4, &h, 0));
	s = io_uring_get_sqe(&h);
	io_uring_prep_nop(s);
	s->user_data = 1;
	h.sq.array[0] = 1000000;
	SHOW(io_uring_submit(&h));
	printf("dropped %u\n", *h.sq.kdropped);
	*h.cq.khead = 12345;
	for (int k = 0; k < 3; k++) {
		h.sq.array[(1 + k) & 3] = (1 + k) & 3;
		io_uring_prep_nop(io_uring_get_sqe(&h));
	}
	io_uring_submit(&h);
	*h.sq.ktail += 1000;
	printf("%d\n", (int)syscall(SYS_io_uring_enter, h.ring_fd, 100000, 0, 0,
				    NULL, 0) <= 4);
	*h.cq.ktail = 999, *h.cq.kring_mask = 0xffffffff;
	*h.sq.kring_mask = 0xffffffff, *h.sq.khead = 77;
	*h.cq.khead = 0;
	memset(h.sq.sqes, 0xff, 4 * sizeof(*s));
	*h.sq.ktail += 2;
	printf("%d\n", (int)syscall(SYS_io_uring_enter, h.ring_fd, 4, 0, 0,
				    NULL, 0) <= 4);
	close(h.ring_fd);
	printf("alive\n");
}

/* Two threads through one pipe and one ring, and the ring closed under
 * requests that wait. */
static void *
writer(void *arg)
{
	for (int k = 0; k < 100; k++) {
		char c = k;

		if (write(*(int *)arg, &c, 1) != 1)
			break;
	}
	return NULL;
}

static void
threads(void)
{
	struct io_uring_cqe *c;
	struct io_uring_sqe *s;
	struct io_uring other;
	int p[2], sum = 0, n = 0;
	char got[8];
	pthread_t t;

	SHOW(pipe(p));
	pthread_create(&t, NULL, writer, &p[1]);
	while (n < 100) {
		s = sqe(0), io_uring_prep_read(s, p[0], got, 1, 0);
		s->user_data = 1;
		io_uring_submit(&ring);
		io_uring_wait_cqe(&ring, &c);
		sum += got[0], n += c->res;
		io_uring_cqe_seen(&ring, c);
	}
	pthread_join(t, NULL);
	printf("sum %d of %d\n", sum, n);
	SHOW(io_uring_queue_init(4, &other, 0));
	s = io_uring_get_sqe(&other), io_uring_prep_read(s, p[0], got, 1, 0);
	s = io_uring_get_sqe(&other);
	io_uring_prep_timeout(s, &(struct __kernel_timespec){ 100, 0 }, 0, 0);
	SHOW(io_uring_submit(&other));
	io_uring_queue_exit(&other);
	SHOW(write(p[1], "x", 1));
	SHOW(read(p[0], got, 1));
	/* One more is under way when the program ends. */
	s = sqe(0), io_uring_prep_read(s, p[0], got, 1, 0);
	SHOW(io_uring_submit(&ring));
}

int
main(void)
{
	fs_setup();
	SHOW(io_uring_queue_init(32, &ring, 0));
	setups();
	reading();
	paths();
	waiting();
	links();
	registered();
	splicing();
	sockets();
	overflow();
	hostile();
	threads();
	return 0;
}
