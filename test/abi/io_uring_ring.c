/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: io_uring's later parts: rings of provided buffers, polls that go on,
 * and changing them, messages that go on, registered files that operations
 * make and close, tags, descriptors between rings, sends that notify, calling
 * off by descriptor, chains without completions, rings for one thread.
 * Method: by liburing; what differs from run to run is not printed.
 *
 * CALLS: io_uring_register
 * LIBS: uring
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wait_common.h"

static struct io_uring ring;

static struct io_uring_sqe *
sqe(void)
{
	return io_uring_get_sqe(&ring);
}

static const char *
name(long r)
{
	static char buf[32];

	if (r < 0)
		return strerrorname_np((int)-r);
	snprintf(buf, sizeof(buf), "%ld", r);
	return buf;
}

struct got {
	uint64_t user_data;
	int res;
	unsigned flags;
};

static struct got
next(struct io_uring *u, const char *what)
{
	struct __kernel_timespec t = { 200, 0 };
	struct got copy = { .res = -ETIME };
	struct io_uring_cqe *c;

	if (io_uring_wait_cqe_timeout(u, &c, &t)) {
		printf("%s: nothing came\n", what);
		return copy;
	}
	copy = (struct got){ c->user_data, c->res, c->flags };
	printf("%s: data %llu, %s%s%s%s\n", what,
	       (unsigned long long)c->user_data, name(c->res),
	       c->flags & IORING_CQE_F_MORE ? ", more" : "",
	       c->flags & IORING_CQE_F_BUFFER ? ", buffer" : "",
	       c->flags & IORING_CQE_F_NOTIF ? ", notification" : "");
	io_uring_cqe_seen(u, c);
	return copy;
}

static struct got
one(const char *what, struct io_uring_sqe *s, uint64_t data)
{
	s->user_data = data;
	io_uring_submit(&ring);
	return next(&ring, what);
}

/* ---- rings of buffers ---- */

#define NBUF 4

static struct io_uring_buf_ring *br;
static char pool[NBUF][64];

static void
refused(void)
{
	struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)br,
					.ring_entries = NBUF,
					.bgid = 7 };

	printf("registered: %s\n",
	       name(io_uring_register_buf_ring(&ring, &reg, 0)));
	printf("twice: %s\n", name(io_uring_register_buf_ring(&ring, &reg, 0)));
	reg.bgid = 8;
	reg.ring_entries = 3;
	printf("no power of two: %s\n",
	       name(io_uring_register_buf_ring(&ring, &reg, 0)));
	reg.ring_entries = 65536;
	printf("too many: %s\n",
	       name(io_uring_register_buf_ring(&ring, &reg, 0)));
	reg.ring_entries = NBUF;
	reg.ring_addr += 16;
	printf("no page: %s\n",
	       name(io_uring_register_buf_ring(&ring, &reg, 0)));
	reg.ring_addr = 0;
	printf("no address: %s\n",
	       name(io_uring_register_buf_ring(&ring, &reg, 0)));
	printf("not there: %s\n", name(io_uring_unregister_buf_ring(&ring, 9)));
	io_uring_prep_provide_buffers(sqe(), pool, 64, 1, 7, 0);
	io_uring_submit(&ring);
	printf("into a ring %d\n", next(&ring, "provide").res < 0);
}

static void
add(int bid)
{
	io_uring_buf_ring_add(br, pool[bid], 64, (unsigned short)bid,
			      io_uring_buf_ring_mask(NBUF), 0);
	io_uring_buf_ring_advance(br, 1);
}

static void
buffers(void)
{
	struct got c;
	struct io_uring_sqe *s;
	int sv[2], p[2], k, fd;

	br = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	refused();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) || pipe(p))
		return;
	s = sqe();
	io_uring_prep_recv_multishot(s, sv[0], NULL, 0, 0);
	s->flags |= IOSQE_BUFFER_SELECT, s->buf_group = 7;
	if (write(sv[1], "early", 5) != 5)
		return;
	one("no buffers yet", s, 1);
	for (k = 0; k < NBUF; k++)
		add(k);
	s = sqe();
	io_uring_prep_recv_multishot(s, sv[0], NULL, 0, 0);
	s->flags |= IOSQE_BUFFER_SELECT, s->buf_group = 7;
	c = one("received", s, 2);
	printf("buffer %d: %.5s\n", c.flags >> 16, pool[c.flags >> 16]);
	if (write(sv[1], "later", 5) != 5)
		return;
	c = next(&ring, "again");
	printf("buffer %d: %.5s\n", c.flags >> 16, pool[c.flags >> 16]);
	shutdown(sv[1], SHUT_WR);
	next(&ring, "the end");
	if (write(p[1], "a pipe", 6) != 6)
		return;
	s = sqe();
	io_uring_prep_read(s, p[0], NULL, 0, 0);
	s->flags |= IOSQE_BUFFER_SELECT, s->buf_group = 7;
	c = one("pipe", s, 3);
	printf("buffer %d: %.6s\n", c.flags >> 16, pool[c.flags >> 16]);
	fd = open("/proc/self/exe", O_RDONLY);
	s = sqe();
	io_uring_prep_read(s, fd, NULL, 4, 0);
	s->flags |= IOSQE_BUFFER_SELECT, s->buf_group = 7;
	c = one("file", s, 4);
	printf("buffer %d: %.3s\n", c.flags >> 16, pool[c.flags >> 16] + 1);
	s = sqe();
	io_uring_prep_read(s, fd, NULL, 4, 0);
	s->flags |= IOSQE_BUFFER_SELECT, s->buf_group = 7;
	one("none left", s, 5);
	printf("unregister: %s\n",
	       name(io_uring_unregister_buf_ring(&ring, 7)));
	close(fd);
	close(sv[0]), close(sv[1]), close(p[0]), close(p[1]);
}

/* ---- polls ---- */

static void
polls(void)
{
	struct io_uring_sqe *s;
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n = 1;

	s = sqe();
	io_uring_prep_poll_multishot(s, fd, POLLIN);
	s->user_data = 1;
	io_uring_submit(&ring);
	for (int k = 0; k < 3; k++) {
		if (write(fd, &n, 8) != 8)
			return;
		next(&ring, "poll");
	}
	s = sqe();
	io_uring_prep_poll_update(s, 99, 0, POLLIN, IORING_POLL_UPDATE_EVENTS);
	one("update of none", s, 2);
	s = sqe();
	io_uring_prep_poll_update(s, 1, 5, 0, IORING_POLL_UPDATE_USER_DATA);
	s->user_data = 3;
	io_uring_submit(&ring);
	/* Both say so, in whatever order. */
	n = next(&ring, "update").user_data;
	printf("and %d\n", next(&ring, "update").user_data != n);
	s = sqe();
	io_uring_prep_poll_update(s, 5, 0, POLLOUT, 1 << 5);
	one("bad flags", s, 4);
	s = sqe();
	io_uring_prep_poll_remove(s, 5);
	s->user_data = 6, s->flags = IOSQE_CQE_SKIP_SUCCESS;
	io_uring_submit(&ring);
	next(&ring, "removed");
	close(fd);
}

/* ---- files ---- */

static void
prep_send_file(struct io_uring_sqe *s, int to, int from_place, int to_place)
{
	io_uring_prep_rw(IORING_OP_MSG_RING, s, to,
			 (void *)(uintptr_t)IORING_MSG_SEND_FD, 0, 55);
	s->addr3 = (unsigned)from_place;
	s->file_index = (unsigned)to_place + 1;
}

static int32_t
fds_of(int fd, int n, int32_t *v)
{
	for (int k = 0; k < n; k++)
		v[k] = fd;
	return n;
}

static void
files(void)
{
	struct __kernel_timespec none = { 0, 1 };
	struct io_uring_cqe *c;
	struct io_uring_sqe *s;
	struct io_uring other;
	uint64_t tags[3] = { 71, 0, 73 };
	int32_t v[3], fd;
	char buf[8];
	int p[2];

	if (pipe(p))
		return;
	s = sqe();
	io_uring_prep_openat_direct(s, AT_FDCWD, "/dev/null", O_RDWR, 0, 0);
	one("no table", s, 1);
	printf("sparse: %s\n", name(io_uring_register_files_sparse(&ring, 4)));
	s = sqe();
	io_uring_prep_openat_direct(s, AT_FDCWD, "/dev/zero", O_RDWR, 0, 2);
	one("opened at 2", s, 2);
	s = sqe();
	io_uring_prep_read(s, 2, buf, 8, 0);
	s->flags = IOSQE_FIXED_FILE;
	one("read", s, 3);
	s = sqe();
	io_uring_prep_openat_direct(s, AT_FDCWD, "/dev/zero", O_RDWR, 0, 9);
	one("opened at 9", s, 4);
	s = sqe();
	io_uring_prep_openat_direct(s, AT_FDCWD, "/dev/zero", O_CLOEXEC, 0, 1);
	one("close on exec", s, 5);
	for (int k = 0; k < 4; k++) {
		s = sqe();
		io_uring_prep_openat(s, AT_FDCWD, "/dev/zero", O_RDWR, 0);
		s->file_index = IORING_FILE_INDEX_ALLOC;
		one("opened anywhere", s, 6);
	}
	s = sqe();
	io_uring_prep_close_direct(s, 1);
	one("closed", s, 7);
	s = sqe();
	io_uring_prep_close_direct(s, 1);
	one("closed twice", s, 8);
	s = sqe();
	io_uring_prep_close_direct(s, 77);
	one("closed beyond", s, 9);
	s = sqe();
	io_uring_prep_socket_direct_alloc(s, AF_UNIX, SOCK_STREAM, 0, 0);
	one("socket", s, 10);
	fd = p[0];
	s = sqe();
	io_uring_prep_files_update(s, &fd, 1, IORING_FILE_INDEX_ALLOC);
	one("no place", s, 11);
	printf("range: %s\n",
	       name(io_uring_register_file_alloc_range(&ring, 3, 2)));
	printf("range: %s\n",
	       name(io_uring_register_file_alloc_range(&ring, 3, 1)));
	io_uring_queue_init(8, &other, 0);
	s = sqe();
	prep_send_file(s, other.ring_fd, 2, 0);
	one("to a ring without", s, 12);
	io_uring_register_files_sparse(&other, 2);
	s = sqe();
	prep_send_file(s, other.ring_fd, 2, 1);
	one("sent", s, 13);
	next(&other, "received");
	s = sqe();
	prep_send_file(s, other.ring_fd, 77, 1);
	one("none to send", s, 14);
	s = io_uring_get_sqe(&other);
	io_uring_prep_read(s, 1, buf, 8, 0);
	s->flags = IOSQE_FIXED_FILE;
	io_uring_submit(&other);
	next(&other, "read there");
	io_uring_queue_exit(&other);
	printf("unregister: %s\n", name(io_uring_unregister_files(&ring)));

	fds_of(p[0], 3, v);
	printf("tagged: %s\n",
	       name(io_uring_register_files_tags(&ring, v, tags, 3)));
	s = sqe();
	io_uring_prep_read(s, 0, buf, 8, 0);
	s->flags = IOSQE_FIXED_FILE, s->user_data = 20;
	io_uring_submit(&ring);
	v[0] = -1;
	printf("taken out: %s\n",
	       name(io_uring_register_files_update(&ring, 0, v, 1)));
	printf("still used: %s\n",
	       name(io_uring_wait_cqe_timeout(&ring, &c, &none)));
	if (write(p[1], "x", 1) != 1)
		return;
	next(&ring, "read");
	next(&ring, "tag");
	printf("a tag of nothing: %s\n",
	       name(io_uring_register_files_update_tag(&ring, 1, v, tags, 1)));
	printf("unregister: %s\n", name(io_uring_unregister_files(&ring)));
	next(&ring, "tag");
	close(p[0]), close(p[1]);
}

/* ---- sockets ---- */

static void
sockets(void)
{
	static char out[64] = "a datagram", big[4096];
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct msghdr m = { .msg_namelen = sizeof(a) };
	struct io_uring_recvmsg_out *o;
	socklen_t len = sizeof(a);
	struct got c;
	struct io_uring_sqe *s;
	int from = socket(AF_INET, SOCK_DGRAM, 0), sv[2], left = -1;
	int to = socket(AF_INET, SOCK_DGRAM, 0);

	bind(to, (struct sockaddr *)&a, sizeof(a));
	getsockname(to, (struct sockaddr *)&a, &len);
	s = sqe();
	io_uring_prep_send_zc(s, from, out, 10, 0, 0);
	io_uring_prep_send_set_addr(s, (struct sockaddr *)&a, sizeof(a));
	one("sent", s, 1);
	next(&ring, "then");
	s = sqe();
	io_uring_prep_send_zc(s, from, out, 10, 0, 0);
	one("nowhere", s, 2);
	if (!io_uring_cq_ready(&ring))
		printf("no notification\n");
	while (io_uring_cq_ready(&ring))
		next(&ring, "then");
	io_uring_prep_provide_buffers(s = sqe(), big, 1024, 2, 3, 0);
	one("provided", s, 3);
	s = sqe();
	io_uring_prep_recvmsg_multishot(s, to, &m, 0);
	s->flags |= IOSQE_BUFFER_SELECT, s->buf_group = 3;
	c = one("message", s, 4);
	o = io_uring_recvmsg_validate(big + 1024 * (c.flags >> 16), c.res, &m);
	if (o)
		printf("%u %u %u %.*s\n", o->namelen, o->controllen,
		       o->payloadlen, (int)o->payloadlen,
		       (char *)io_uring_recvmsg_payload(o, &m));
	sendto(from, out, 5, 0, (struct sockaddr *)&a, sizeof(a));
	next(&ring, "message");
	sendto(from, out, 5, 0, (struct sockaddr *)&a, sizeof(a));
	next(&ring, "out of buffers");
	close(from), close(to);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		return;
	s = sqe();
	io_uring_prep_recv(s, sv[0], big, 8, MSG_WAITALL);
	s->user_data = 5;
	io_uring_submit(&ring);
	if (write(sv[1], "1234", 4) != 4)
		return;
	printf("half: %d\n", io_uring_cq_ready(&ring));
	if (write(sv[1], "5678", 4) != 4)
		return;
	next(&ring, "all of it");
	s = sqe();
	io_uring_prep_recv(s, sv[0], big, 8, MSG_WAITALL);
	s->user_data = 6;
	io_uring_submit(&ring);
	if (write(sv[1], "12", 2) != 2)
		return;
	s = sqe();
	io_uring_prep_cancel_fd(s, sv[0], 0);
	s->user_data = 7, s->flags = IOSQE_CQE_SKIP_SUCCESS;
	UNTIL(!ioctl(sv[0], FIONREAD, &left) && !left);
	io_uring_submit(&ring);
	next(&ring, "called off");
	close(sv[0]), close(sv[1]);
}

/* More than a socket holds, in as many parts as it takes. */
static void
all_of_it(void)
{
	enum { MUCH = 4 << 20 };
	static char from[MUCH], to[MUCH];
	struct io_uring_sqe *s;
	int sv[2], whole = 0;

	memset(from, 'x', MUCH);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		return;
	s = sqe();
	io_uring_prep_send(s, sv[0], from, MUCH, MSG_WAITALL);
	s = sqe();
	io_uring_prep_recv(s, sv[1], to, MUCH, MSG_WAITALL);
	io_uring_submit(&ring);
	for (int k = 0; k < 2; k++) {
		struct io_uring_cqe *c;

		if (io_uring_wait_cqe(&ring, &c))
			return;
		whole += c->res == MUCH;
		io_uring_cqe_seen(&ring, c);
	}
	printf("whole %d same %d\n", whole, !memcmp(from, to, MUCH));
	close(sv[0]), close(sv[1]);
}

/* ---- the rest ---- */

static void
chains(int skip, int fails)
{
	struct io_uring_cqe *c;
	struct io_uring_sqe *s;

	for (int k = 0; k < 3; k++) {
		s = sqe();
		if (k == fails)
			io_uring_prep_read(s, -1, NULL, 1, 0);
		else
			io_uring_prep_nop(s);
		s->flags = (k < 2 ? IOSQE_IO_LINK : 0) |
			   (skip >> k & 1 ? IOSQE_CQE_SKIP_SUCCESS : 0);
		s->user_data = (unsigned)k;
	}
	io_uring_submit(&ring);
	printf("chain %d %d:", skip, fails);
	while (!io_uring_peek_cqe(&ring, &c)) {
		printf(" %llu %s", (unsigned long long)c->user_data,
		       name(c->res));
		io_uring_cqe_seen(&ring, c);
	}
	printf("\n");
}

static void
setup(const char *what, unsigned flags)
{
	struct io_uring_params p = { .flags = flags };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &p);

	printf("%s: %s\n", what, fd < 0 ? strerrorname_np(errno) : "made");
	if (fd >= 0)
		close(fd);
}

static void *
other_thread(void *arg)
{
	struct io_uring *u = arg;

	printf("another thread enables: %s\n", name(io_uring_enable_rings(u)));
	io_uring_prep_nop(io_uring_get_sqe(u));
	printf("submits: %s\n", name(io_uring_submit(u)));
	return NULL;
}

static void
one_thread(void)
{
	struct io_uring u;
	pthread_t t;
	int fd = eventfd(0, 0);
	uint64_t n = 1;

	setup("TASKRUN_FLAG alone", IORING_SETUP_TASKRUN_FLAG);
	setup("DEFER_TASKRUN alone", IORING_SETUP_DEFER_TASKRUN);
	setup("SQE128 and CQE32", IORING_SETUP_SQE128 | IORING_SETUP_CQE32);
	setup("ATTACH_WQ to no ring", IORING_SETUP_ATTACH_WQ);
	io_uring_queue_init(4, &u,
			    IORING_SETUP_SINGLE_ISSUER |
				    IORING_SETUP_DEFER_TASKRUN |
				    IORING_SETUP_R_DISABLED);
	printf("disabled: %s\n", name(io_uring_get_events(&u)));
	pthread_create(&t, NULL, other_thread, &u);
	pthread_join(t, NULL);
	printf("not ours: %s\n", name(io_uring_get_events(&u)));
	io_uring_queue_exit(&u);
	io_uring_queue_init(
		4, &u, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	io_uring_prep_poll_add(io_uring_get_sqe(&u), fd, POLLIN);
	io_uring_submit(&u);
	if (write(fd, &n, 8) != 8)
		return;
	usleep(20000);
	printf("not asked for: %u\n", io_uring_cq_ready(&u));
	io_uring_get_events(&u);
	printf("asked for: %u\n", io_uring_cq_ready(&u));
	io_uring_queue_exit(&u);
	close(fd);
}

static void
sync_cancel(void)
{
	struct io_uring_sync_cancel_reg reg = { .addr = 41,
						.timeout = { -1, -1 } };
	struct io_uring_sqe *s = sqe();
	char c;
	int p[2];

	if (pipe(p))
		return;
	io_uring_prep_read(s, p[0], &c, 1, 0);
	s->user_data = 42;
	io_uring_submit(&ring);
	printf("none: %s\n", name(io_uring_register_sync_cancel(&ring, &reg)));
	reg.addr = 42;
	reg.flags = 1u << 20;
	printf("flags: %s\n", name(io_uring_register_sync_cancel(&ring, &reg)));
	reg.flags = 0;
	printf("one: %s\n", name(io_uring_register_sync_cancel(&ring, &reg)));
	next(&ring, "read");
	close(p[0]), close(p[1]);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (io_uring_queue_init(16, &ring, 0))
		return 1;
	buffers();
	polls();
	files();
	sockets();
	all_of_it();
	for (int skip = 0; skip < 8; skip++)
		chains(skip, skip % 3);
	one_thread();
	sync_cancel();
	io_uring_queue_exit(&ring);
	return 0;
}
