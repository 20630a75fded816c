/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: requests that complete again and again (accept, receive), messages
 * between rings, sockets, extended attributes.
 *
 * CALLS: io_uring_enter
 * LIBS: uring
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct io_uring ring;

static struct io_uring_sqe *
sqe(uint64_t data)
{
	struct io_uring_sqe *s = io_uring_get_sqe(&ring);

	io_uring_sqe_set_data64(s, data);
	return s;
}

/* The next completion; what differs from run to run (descriptors) is not
 * printed. */
static int
next(struct io_uring *u, const char *what, int fd)
{
	struct io_uring_cqe *c;
	int res;

	if (io_uring_wait_cqe(u, &c)) {
		printf("%s: nothing\n", what);
		return -1;
	}
	res = c->res;
	printf("%s: data %llu res %d more %d buffer %d\n", what,
	       (unsigned long long)c->user_data, fd && res > 0 ? 1 : res,
	       !!(c->flags & IORING_CQE_F_MORE),
	       !!(c->flags & IORING_CQE_F_BUFFER));
	io_uring_cqe_seen(u, c);
	return res;
}

static void
set(struct io_uring_sqe *s, uint64_t data)
{
	io_uring_sqe_set_data64(s, data);
}

static int
one(const char *what, int fd)
{
	io_uring_submit(&ring);
	return next(&ring, what, fd);
}

static void
messages(void)
{
	struct io_uring other;
	struct io_uring_sqe *s;

	io_uring_queue_init(4, &other, 0);
	s = sqe(0), io_uring_prep_msg_ring(s, other.ring_fd, 77, 1234, 0);
	set(s, 1);
	one("sent", 0);
	next(&other, "received", 0);
	s = sqe(0), io_uring_prep_msg_ring(s, other.ring_fd, 1, 2, 0);
	set(s, 2), s->buf_index = 1;
	one("buf_index", 0);
	s = sqe(0), io_uring_prep_msg_ring(s, 1, 1, 2, 0), set(s, 3);
	one("no ring", 0);
	s = sqe(0), io_uring_prep_msg_ring(s, other.ring_fd, 1, 2, 0);
	set(s, 4), s->addr = 99;
	one("no such message", 0);
	io_uring_queue_exit(&other);
}

static void
attributes(void)
{
	char buf[32] = "";
	struct io_uring_sqe *s;
	int fd = open("attr", O_RDWR | O_CREAT, 0644);

	s = sqe(0), io_uring_prep_fsetxattr(s, fd, "user.a", "one", 0, 3);
	set(s, 1);
	one("fsetxattr", 0);
	s = sqe(0), io_uring_prep_setxattr(s, "user.b", "three", "attr", 0, 5);
	set(s, 2);
	one("setxattr", 0);
	s = sqe(0), io_uring_prep_setxattr(s, "user.b", "x", "attr", 1, 1);
	set(s, 3);
	one("XATTR_CREATE", 0);
	s = sqe(0), io_uring_prep_fgetxattr(s, fd, "user.b", buf, 32);
	set(s, 4);
	one("fgetxattr", 0);
	s = sqe(0), io_uring_prep_getxattr(s, "user.a", buf + 8, "attr", 16);
	set(s, 5);
	one("getxattr", 0);
	printf("%s %s\n", buf, buf + 8);
	s = sqe(0), io_uring_prep_getxattr(s, "user.c", buf, "attr", 16);
	set(s, 6);
	one("none", 0);
	s = sqe(0), io_uring_prep_getxattr(s, "user.a", buf, "attr", 1);
	set(s, 7);
	one("too small", 0);
	close(fd);
	unlink("attr");
}

static int
listener(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	struct io_uring_sqe *s;
	int fd;

	s = sqe(0), io_uring_prep_socket(s, AF_INET, SOCK_STREAM, 0, 0);
	set(s, 1);
	fd = one("socket", 1);
	s = sqe(0), io_uring_prep_socket(s, AF_INET, 99, 0, 0), set(s, 2);
	one("no such type", 1);
	s = sqe(0), io_uring_prep_socket(s, AF_INET, SOCK_STREAM, 0, 1);
	set(s, 3);
	one("flags", 1);
	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(fd, (struct sockaddr *)a, sizeof(*a));
	getsockname(fd, (struct sockaddr *)a, &len);
	printf("listen: %d\n", listen(fd, 16));
	return fd;
}

static void
multishot(void)
{
	static char pool[4][8];
	struct sockaddr_in a;
	struct io_uring_sqe *s;
	int fd = listener(&a), client[3], server[3], k;

	s = sqe(0), io_uring_prep_multishot_accept(s, fd, NULL, NULL, 0);
	set(s, 10);
	io_uring_submit(&ring);
	for (k = 0; k < 3; k++) {
		client[k] = socket(AF_INET, SOCK_STREAM, 0);
		connect(client[k], (struct sockaddr *)&a, sizeof(a));
		server[k] = next(&ring, "accept", 1);
	}
	s = sqe(0), io_uring_prep_recv_multishot(s, server[0], NULL, 8, 0);
	s->flags |= IOSQE_BUFFER_SELECT, s->buf_group = 1, set(s, 11);
	one("no such group", 0);
	s = sqe(0), io_uring_prep_recv_multishot(s, server[0], NULL, 0, 0);
	set(s, 12);
	one("no buffers", 0);
	s = sqe(0), io_uring_prep_provide_buffers(s, pool, 8, 4, 1, 0);
	set(s, 13);
	one("provided", 0);
	s = sqe(0), io_uring_prep_recv_multishot(s, server[0], NULL, 0, 0);
	s->flags |= IOSQE_BUFFER_SELECT, s->buf_group = 1, set(s, 14);
	io_uring_submit(&ring);
	for (k = 0; k < 3; k++) {
		printf("write: %zd\n", write(client[0], "hello", 5));
		next(&ring, "recv", 0);
	}
	/* Two buffers' worth, and one is left. */
	printf("write: %zd\n", write(client[0], "0123456789", 10));
	next(&ring, "recv", 0);
	next(&ring, "out of buffers", 0);
	printf("%.5s %.5s %.5s %.8s\n", pool[0], pool[1], pool[2], pool[3]);
	s = sqe(0), io_uring_prep_cancel64(s, 10, 0), set(s, 15);
	io_uring_sqe_set_flags(s, IOSQE_CQE_SKIP_SUCCESS);
	one("accept called off", 0);
	for (k = 0; k < 3; k++)
		close(client[k]), close(server[k]);
	close(fd);
}

int
main(void)
{
	char dir[] = "/tmp/uring-multi-XXXXXX";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mkdtemp(dir) || chdir(dir) || io_uring_queue_init(16, &ring, 0))
		return 1;
	messages();
	attributes();
	multishot();
	io_uring_queue_exit(&ring);
	rmdir(dir);
	return 0;
}
