/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The microbenchmark rows: one static Linux program, run unchanged in Pith
 * and in a Linux guest by bench.py, which compares.
 *
 * Each row is a function that does its operation n times.  The driver finds
 * an n that takes about the target time, then prints the best of several
 * rounds, as "row NAME NS_PER_OP".  With a guest whose clock advances one
 * nanosecond an instruction (QEMU -icount shift=0) the same figure is an
 * instruction count.
 *
 * Usage: rows [-t MILLISECONDS] [-r ROUNDS] [-f DATAFILE] [ROW,...]
 * The rows are one argument: Linux hands its process 1 no more than 32.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *datafile = "/bench/data64m";
static uint64_t target_ns = 50 * 1000000ull;
static int rounds = 5;

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* A row that cannot run says why and is left out; it never prints a time. */
static void
fail(const char *what)
{
	fprintf(stderr, "rows: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void
check(bool ok, const char *what)
{
	if (!ok)
		fail(what);
}

static volatile uint64_t sink;

/* ---- computing ---- */

static void
row_cpu_xorshift(uint64_t n)
{
	uint64_t x = 88172645463325252ull;

	while (n--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	sink = x;
}

static void
row_memcpy1m(uint64_t n)
{
	static char a[1 << 20], b[1 << 20];

	while (n--) {
		memcpy(a, b, sizeof(a));
		__asm__ volatile("" : : "r"(a) : "memory");
	}
}

/* Sizes from 16 bytes to 200 KB, each doubling as likely as the others. */
static void
row_malloc(uint64_t n)
{
	static void *slot[256];
	uint32_t x = 12345;

	while (n--) {
		unsigned i;
		size_t size;

		x = x * 1664525u + 1013904223u;
		i = (x >> 16) & 255;
		size = 16u << ((x >> 24) % 14);
		size += size * ((x >> 8) & 255) / 256;
		if (size > 200 << 10)
			size = 200 << 10;
		free(slot[i]);
		slot[i] = malloc(size);
		*(volatile char *)slot[i] = 1;
	}
	for (unsigned i = 0; i < 256; i++) {
		free(slot[i]);
		slot[i] = NULL;
	}
}

/* ---- plain system calls ---- */

static void
row_getpid(uint64_t n)
{
	while (n--)
		syscall(SYS_getpid);
}

static void
row_clock_gettime(uint64_t n)
{
	struct timespec ts;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &ts);
}

static void
row_clock_gettime_sys(uint64_t n)
{
	struct timespec ts;

	while (n--)
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
}

static void
row_write_null1(uint64_t n)
{
	int fd = open("/dev/null", O_WRONLY);

	check(fd >= 0, "/dev/null");
	while (n--)
		check(write(fd, "x", 1) == 1, "write");
	close(fd);
}

static void
row_read_zero1(uint64_t n)
{
	int fd = open("/dev/zero", O_RDONLY);
	char c;

	check(fd >= 0, "/dev/zero");
	while (n--)
		check(read(fd, &c, 1) == 1, "read");
	close(fd);
}

static void
row_sched_yield(uint64_t n)
{
	while (n--)
		sched_yield();
}

static void
row_nanosleep1us(uint64_t n)
{
	struct timespec ts = { 0, 1000 };

	while (n--)
		nanosleep(&ts, NULL);
}

static void
on_signal(int sig)
{
	sink = (uint64_t)sig;
}

static void
row_signal_self(uint64_t n)
{
	struct sigaction sa = { .sa_handler = on_signal };
	long pid = syscall(SYS_getpid), tid = syscall(SYS_gettid);

	sigaction(SIGUSR1, &sa, NULL);
	while (n--)
		syscall(SYS_tgkill, pid, tid, SIGUSR1);
}

/* ---- two threads, there and back ---- */

struct pair {
	uint64_t n;
	int a[2], b[2]; /* pipe or eventfd of each direction */
	int epa, epb;
	uint32_t word;
};

static void
in_two_threads(void *(*other)(void *), struct pair *p,
	       void (*mine)(struct pair *))
{
	pthread_t t;

	check(!pthread_create(&t, NULL, other, p), "pthread_create");
	mine(p);
	pthread_join(t, NULL);
}

static void *
pipe_other(void *arg)
{
	struct pair *p = arg;
	char c;

	for (uint64_t i = 0; i < p->n; i++) {
		check(read(p->a[0], &c, 1) == 1, "read");
		check(write(p->b[1], &c, 1) == 1, "write");
	}
	return NULL;
}

static void
pipe_mine(struct pair *p)
{
	char c = 'x';

	for (uint64_t i = 0; i < p->n; i++) {
		check(write(p->a[1], &c, 1) == 1, "write");
		check(read(p->b[0], &c, 1) == 1, "read");
	}
}

static void
row_pipe_pp(uint64_t n)
{
	struct pair p = { .n = n };

	check(!pipe(p.a) && !pipe(p.b), "pipe");
	in_two_threads(pipe_other, &p, pipe_mine);
	close(p.a[0]);
	close(p.a[1]);
	close(p.b[0]);
	close(p.b[1]);
}

static void
row_pipe_1thr(uint64_t n)
{
	int fd[2];
	char c = 'x';

	check(!pipe(fd), "pipe");
	while (n--) {
		check(write(fd[1], &c, 1) == 1, "write");
		check(read(fd[0], &c, 1) == 1, "read");
	}
	close(fd[0]);
	close(fd[1]);
}

/* ---- the network, over loopback ---- */

static struct sockaddr_in lo_addr;

static int
lo_socket(int type)
{
	socklen_t len = sizeof(lo_addr);
	int s = socket(AF_INET, type, 0);

	lo_addr = (struct sockaddr_in){ .sin_family = AF_INET };
	lo_addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(s >= 0 && !bind(s, (struct sockaddr *)&lo_addr, len), "bind");
	getsockname(s, (struct sockaddr *)&lo_addr, &len);
	return s;
}

static void
tcp_pair(int fd[2])
{
	int l = lo_socket(SOCK_STREAM), one = 1;

	check(!listen(l, 1), "listen");
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	check(!connect(fd[0], (struct sockaddr *)&lo_addr, sizeof(lo_addr)),
	      "connect");
	fd[1] = accept(l, NULL, NULL);
	for (int i = 0; i < 2; i++)
		setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(l);
}

static void
udp_pair(int fd[2])
{
	struct sockaddr_in a;

	fd[0] = lo_socket(SOCK_DGRAM);
	a = lo_addr;
	fd[1] = lo_socket(SOCK_DGRAM);
	check(!connect(fd[0], (struct sockaddr *)&lo_addr, sizeof(a)) &&
		      !connect(fd[1], (struct sockaddr *)&a, sizeof(a)),
	      "connect");
}

static void *
sock_other(void *arg)
{
	struct pair *p = arg;
	char buf[64];

	for (uint64_t i = 0; i < p->n; i++)
		check(recv(p->a[1], buf, 64, 0) == 64 &&
			      send(p->a[1], buf, 64, 0) == 64,
		      "echo");
	return NULL;
}

static void
sock_mine(struct pair *p)
{
	char buf[64] = "";

	for (uint64_t i = 0; i < p->n; i++)
		check(send(p->a[0], buf, 64, 0) == 64 &&
			      recv(p->a[0], buf, 64, 0) == 64,
		      "ping");
}

static void
row_tcp_lo_pp(uint64_t n)
{
	struct pair p = { .n = n };

	tcp_pair(p.a);
	in_two_threads(sock_other, &p, sock_mine);
	close(p.a[0]);
	close(p.a[1]);
}

static void
row_udp_lo_pp(uint64_t n)
{
	struct pair p = { .n = n };

	udp_pair(p.a);
	in_two_threads(sock_other, &p, sock_mine);
	close(p.a[0]);
	close(p.a[1]);
}

static char bulk_out[65536], bulk_in[65536];

static void *
bulk_other(void *arg)
{
	struct pair *p = arg;

	for (uint64_t i = 0; i < p->n; i++)
		check(recv(p->a[1], bulk_in, sizeof(bulk_in), MSG_WAITALL) ==
			      sizeof(bulk_in),
		      "recv");
	return NULL;
}

static void
bulk_mine(struct pair *p)
{
	for (uint64_t i = 0; i < p->n; i++)
		check(send(p->a[0], bulk_out, sizeof(bulk_out), 0) ==
			      sizeof(bulk_out),
		      "send");
}

static void
row_tcp_lo_bulk64k(uint64_t n)
{
	struct pair p = { .n = n };

	tcp_pair(p.a);
	in_two_threads(bulk_other, &p, bulk_mine);
	close(p.a[0]);
	close(p.a[1]);
}

static void *
pipe_reader(void *arg)
{
	struct pair *p = arg;
	ssize_t got;

	for (uint64_t left = p->n * sizeof(bulk_in); left; left -= got) {
		got = read(p->a[0], bulk_in, sizeof(bulk_in));
		check(got > 0, "read");
	}
	return NULL;
}

static void
pipe_writer(struct pair *p)
{
	for (uint64_t i = 0; i < p->n; i++)
		check(write(p->a[1], bulk_out, sizeof(bulk_out)) ==
			      sizeof(bulk_out),
		      "write");
}

static void
row_pipe_bulk64k(uint64_t n)
{
	struct pair p = { .n = n };

	check(!pipe(p.a), "pipe");
	in_two_threads(pipe_reader, &p, pipe_writer);
	close(p.a[0]);
	close(p.a[1]);
}

/* From the file through a pipe. */
static void
splice_all(int file, const int *fd, int to)
{
	loff_t off = 65536;
	ssize_t got = splice(file, &off, fd[1], NULL, 65536, 0);

	check(got == 65536, "splice in");
	while (got > 0) {
		ssize_t put = splice(fd[0], NULL, to, NULL, got, 0);

		check(put > 0, "splice out");
		got -= put;
	}
}

static void
row_splice_null64k(uint64_t n)
{
	int fd[2], file = open(datafile, O_RDONLY);
	int to = open("/dev/null", O_WRONLY);

	check(file >= 0 && to >= 0 && !pipe(fd), "pipe");
	while (n--)
		splice_all(file, fd, to);
	close(fd[0]);
	close(fd[1]);
	close(file);
	close(to);
}

static void
splice_mine(struct pair *p)
{
	int file = open(datafile, O_RDONLY);

	check(file >= 0, datafile);
	for (uint64_t i = 0; i < p->n; i++)
		splice_all(file, p->b, p->a[0]);
	close(file);
}

static void
row_splice_tcp64k(uint64_t n)
{
	struct pair p = { .n = n };

	tcp_pair(p.a);
	check(!pipe(p.b), "pipe");
	in_two_threads(bulk_other, &p, splice_mine);
	for (int i = 0; i < 2; i++) {
		close(p.a[i]);
		close(p.b[i]);
	}
}

/* Closed by a reset, so that no port waits. */
static void
row_tcp_connect(uint64_t n)
{
	struct linger reset = { 1, 0 };
	int l = lo_socket(SOCK_STREAM);

	check(!listen(l, 8), "listen");
	while (n--) {
		int c = socket(AF_INET, SOCK_STREAM, 0), s;

		check(!connect(c, (struct sockaddr *)&lo_addr, sizeof(lo_addr)),
		      "connect");
		s = accept(l, NULL, NULL);
		setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(c);
		close(s);
	}
	close(l);
}

static void
futex(uint32_t *w, int op, uint32_t val)
{
	syscall(SYS_futex, w, op | FUTEX_PRIVATE_FLAG, val, NULL, NULL, 0);
}

/* The word says whose turn it is. */
static void
futex_turns(struct pair *p, uint32_t me)
{
	for (uint64_t i = 0; i < p->n; i++) {
		while (__atomic_load_n(&p->word, __ATOMIC_ACQUIRE) != me)
			futex(&p->word, FUTEX_WAIT, !me);
		__atomic_store_n(&p->word, !me, __ATOMIC_RELEASE);
		futex(&p->word, FUTEX_WAKE, 1);
	}
}

static void *
futex_other(void *arg)
{
	futex_turns(arg, 1);
	return NULL;
}

static void
futex_mine(struct pair *p)
{
	futex_turns(p, 0);
}

static void
row_futex_pp(uint64_t n)
{
	struct pair p = { .n = n };

	in_two_threads(futex_other, &p, futex_mine);
}

static void
row_futex_wake0(uint64_t n)
{
	uint32_t w = 0;

	while (n--)
		futex(&w, FUTEX_WAKE, 1);
}

static void
epoll_turn(int ep, int wait_fd, int post_fd, bool post_first)
{
	struct epoll_event ev;
	uint64_t v = 1;

	if (post_first)
		check(write(post_fd, &v, 8) == 8, "eventfd write");
	check(epoll_wait(ep, &ev, 1, -1) == 1, "epoll_wait");
	check(read(wait_fd, &v, 8) == 8, "eventfd read");
	v = 1;
	if (!post_first)
		check(write(post_fd, &v, 8) == 8, "eventfd write");
}

static void *
epoll_other(void *arg)
{
	struct pair *p = arg;

	for (uint64_t i = 0; i < p->n; i++)
		epoll_turn(p->epa, p->a[0], p->b[0], false);
	return NULL;
}

static void
epoll_mine(struct pair *p)
{
	for (uint64_t i = 0; i < p->n; i++)
		epoll_turn(p->epb, p->b[0], p->a[0], true);
}

static int
epoll_on(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	check(ep >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), "epoll");
	return ep;
}

static void
row_epoll_eventfd_pp(uint64_t n)
{
	struct pair p = { .n = n };

	p.a[0] = eventfd(0, 0);
	p.b[0] = eventfd(0, 0);
	p.epa = epoll_on(p.a[0]);
	p.epb = epoll_on(p.b[0]);
	in_two_threads(epoll_other, &p, epoll_mine);
	close(p.a[0]);
	close(p.b[0]);
	close(p.epa);
	close(p.epb);
}

static void
row_eventfd_rw(uint64_t n)
{
	int fd = eventfd(0, 0);
	uint64_t v = 1;

	check(fd >= 0, "eventfd");
	while (n--) {
		check(write(fd, &v, 8) == 8, "write");
		check(read(fd, &v, 8) == 8, "read");
	}
	close(fd);
}

static void
row_epoll_eventfd(uint64_t n)
{
	int fd = eventfd(0, 0), ep = epoll_on(fd);
	struct epoll_event ev;
	uint64_t v = 1;

	while (n--) {
		check(write(fd, &v, 8) == 8, "write");
		check(epoll_wait(ep, &ev, 1, -1) == 1, "epoll_wait");
		check(read(fd, &v, 8) == 8, "read");
	}
	close(fd);
	close(ep);
}

static void
row_epoll_wait0(uint64_t n)
{
	int fd = eventfd(0, 0), ep = epoll_on(fd);
	struct epoll_event ev;

	while (n--)
		check(epoll_wait(ep, &ev, 1, 0) == 0, "epoll_wait");
	close(fd);
	close(ep);
}

static void
row_unix_stream_1thr(uint64_t n)
{
	char buf[64] = "";
	int fd[2];

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd), "socketpair");
	while (n--) {
		check(write(fd[0], buf, 64) == 64, "write");
		check(read(fd[1], buf, 64) == 64, "read");
	}
	close(fd[0]);
	close(fd[1]);
}

static void *
nothing(void *arg)
{
	return arg;
}

static void
row_thread_cj(uint64_t n)
{
	while (n--) {
		pthread_t t;

		check(!pthread_create(&t, NULL, nothing, NULL), "create");
		pthread_join(t, NULL);
	}
}

/* ---- memory ---- */

static char *
map(size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

static void
row_mmap_munmap4k(uint64_t n)
{
	while (n--)
		munmap(map(4096), 4096);
}

static void
row_mmap_touch4k(uint64_t n)
{
	while (n--) {
		char *p = map(4096);

		*(volatile char *)p = 1;
		munmap(p, 4096);
	}
}

static void
row_mmap_touch2m(uint64_t n)
{
	while (n--) {
		char *p = map(2 << 20);

		for (size_t i = 0; i < 2 << 20; i += 4096)
			*(volatile char *)(p + i) = 1;
		munmap(p, 2 << 20);
	}
}

/* First touch, without the cost of mmap: maps in pieces of 8 MiB, and takes
 * the piece's mmap and munmap as part of 2048 faults. */
static void
row_fault4k(uint64_t n)
{
	const size_t piece = 8 << 20;

	while (n) {
		char *p = map(piece);

		madvise(p, piece, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < piece && n; i += 4096, n--)
			*(volatile char *)(p + i) = 1;
		munmap(p, piece);
	}
}

static void
row_mprotect_x2(uint64_t n)
{
	char *p = map(4096);

	*(volatile char *)p = 1;
	while (n--) {
		mprotect(p, 4096, PROT_READ);
		mprotect(p, 4096, PROT_READ | PROT_WRITE);
	}
	munmap(p, 4096);
}

/* ---- files ---- */

static void
row_open_close(uint64_t n)
{
	while (n--) {
		int fd = open(datafile, O_RDONLY);

		check(fd >= 0, datafile);
		close(fd);
	}
}

static void
row_stat(uint64_t n)
{
	struct stat st;

	while (n--)
		check(!stat(datafile, &st), datafile);
}

static void
row_stat_enoent(uint64_t n)
{
	struct stat st;

	while (n--)
		check(stat("/bench/none", &st) < 0, "stat");
}

static void
row_fstat(uint64_t n)
{
	int fd = open(datafile, O_RDONLY);
	struct stat st;

	check(fd >= 0, datafile);
	while (n--)
		check(!fstat(fd, &st), "fstat");
	close(fd);
}

static void
row_pread4k_same(uint64_t n)
{
	static char buf[4096];
	int fd = open(datafile, O_RDONLY);

	check(fd >= 0, datafile);
	while (n--)
		check(pread(fd, buf, 4096, 8192) == 4096, "pread");
	close(fd);
}

static void
read_whole(void)
{
	static char buf[64 << 10];
	int fd = open(datafile, O_RDONLY);
	ssize_t got;

	check(fd >= 0, datafile);
	while ((got = read(fd, buf, sizeof(buf))) > 0)
		;
	check(got == 0, "read");
	close(fd);
}

static void
row_read64m_warm(uint64_t n)
{
	while (n--)
		read_whole();
}

/* Cold rows run once, in a fresh machine, before anything has read. */
static void
row_read64m_cold(uint64_t n)
{
	(void)n;
	read_whole();
}

static void
pread_random(uint64_t n, uint32_t x)
{
	static char buf[4096];
	int fd = open(datafile, O_RDONLY);

	check(fd >= 0, datafile);
	while (n--) {
		x = x * 1664525u + 1013904223u;
		check(pread(fd, buf, 4096, (off_t)(x >> 18) * 4096) == 4096,
		      "pread");
	}
	close(fd);
}

static void
row_rand4k_warm(uint64_t n)
{
	pread_random(n, 99);
}

static void
row_rand4k_cold(uint64_t n)
{
	pread_random(n, 7);
}

/* ---- writing, on a disk of its own at /data ---- */

static int
new_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);

	check(fd >= 0, name);
	return fd;
}

static void
write_64m(const char *name, int sync)
{
	static char buf[64 << 10];
	int fd = new_file(name);

	memset(buf, 'w', sizeof(buf));
	for (unsigned i = 0; i < 1024; i++)
		check(write(fd, buf, sizeof(buf)) == sizeof(buf), "write");
	if (sync)
		check(!fsync(fd), "fsync");
	close(fd);
}

static void
row_write64m_buf(uint64_t n)
{
	(void)n;
	write_64m("/data/buf", 0);
}

static void
row_write64m_fsync(uint64_t n)
{
	(void)n;
	write_64m("/data/fsync", 1);
}

static void
row_fsync4k(uint64_t n)
{
	static char buf[4096];
	static off_t at;
	int fd = open("/data/log", O_RDWR | O_CREAT, 0644);

	check(fd >= 0, "/data/log");
	while (n--) {
		check(pwrite(fd, buf, sizeof(buf), at) == sizeof(buf),
		      "pwrite");
		check(!fsync(fd), "fsync");
		at += sizeof(buf);
	}
	close(fd);
}

static void
row_creat_unlink(uint64_t n)
{
	while (n--) {
		close(new_file("/data/name"));
		check(!unlink("/data/name"), "unlink");
	}
}

static const struct row {
	const char *name;
	void (*fn)(uint64_t n);
	uint64_t once; /* not 0: run once with this n, no warm-up */
} rows[] = {
	{ "read64m_cold", row_read64m_cold, 1 },
	{ "rand4k_cold", row_rand4k_cold, 500 },
	{ "read64m_warm", row_read64m_warm, 0 },
	{ "rand4k_warm", row_rand4k_warm, 0 },
	{ "cpu_xorshift", row_cpu_xorshift, 0 },
	{ "memcpy1m", row_memcpy1m, 0 },
	{ "getpid", row_getpid, 0 },
	{ "clock_gettime", row_clock_gettime, 0 },
	{ "clock_gettime_sys", row_clock_gettime_sys, 0 },
	{ "write_null1", row_write_null1, 0 },
	{ "read_zero1", row_read_zero1, 0 },
	{ "sched_yield", row_sched_yield, 0 },
	{ "pipe_pp", row_pipe_pp, 0 },
	{ "pipe_1thr", row_pipe_1thr, 0 },
	{ "futex_pp", row_futex_pp, 0 },
	{ "futex_wake0", row_futex_wake0, 0 },
	{ "mmap_munmap4k", row_mmap_munmap4k, 0 },
	{ "mmap_touch4k", row_mmap_touch4k, 0 },
	{ "mmap_touch2m", row_mmap_touch2m, 0 },
	{ "fault4k", row_fault4k, 0 },
	{ "mprotect_x2", row_mprotect_x2, 0 },
	{ "malloc", row_malloc, 0 },
	{ "thread_cj", row_thread_cj, 0 },
	{ "open_close", row_open_close, 0 },
	{ "stat", row_stat, 0 },
	{ "stat_enoent", row_stat_enoent, 0 },
	{ "fstat", row_fstat, 0 },
	{ "pread4k_same", row_pread4k_same, 0 },
	{ "eventfd_rw", row_eventfd_rw, 0 },
	{ "epoll_eventfd", row_epoll_eventfd, 0 },
	{ "epoll_wait0", row_epoll_wait0, 0 },
	{ "epoll_eventfd_pp", row_epoll_eventfd_pp, 0 },
	{ "unix_stream_1thr", row_unix_stream_1thr, 0 },
	{ "udp_lo_pp", row_udp_lo_pp, 0 },
	{ "tcp_lo_pp", row_tcp_lo_pp, 0 },
	{ "tcp_lo_bulk64k", row_tcp_lo_bulk64k, 0 },
	{ "pipe_bulk64k", row_pipe_bulk64k, 0 },
	{ "splice_null64k", row_splice_null64k, 0 },
	{ "splice_tcp64k", row_splice_tcp64k, 0 },
	{ "tcp_connect", row_tcp_connect, 0 },
	{ "signal_self", row_signal_self, 0 },
	{ "nanosleep1us", row_nanosleep1us, 0 },
	{ "creat_unlink", row_creat_unlink, 0 },
	{ "fsync4k", row_fsync4k, 0 },
	{ "write64m_buf", row_write64m_buf, 1 },
	{ "write64m_fsync", row_write64m_fsync, 1 },
};

/* Whether the list, of names with commas between, has this one. */
static bool
listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; (p = strstr(p, name)) != NULL; p += len)
		if ((p == list || p[-1] == ',') &&
		    (p[len] == ',' || p[len] == 0))
			return true;
	return false;
}

static double
time_row(const struct row *r, uint64_t n)
{
	uint64_t t0 = now_ns();

	r->fn(n);
	return (double)(now_ns() - t0);
}

static void
run_row(const struct row *r)
{
	uint64_t n = 1;
	double best, t = 0;

	if (r->once) {
		best = time_row(r, r->once) / (double)r->once;
	} else {
		/* Double until half the target.  What is slow the first time
		 * (an emulator translates, caches fill) is not counted: the
		 * same n is tried again before it is believed. */
		while (n < 1ull << 40) {
			t = time_row(r, n);
			if (t > (double)target_ns / 2)
				t = time_row(r, n);
			if (t > (double)target_ns / 2)
				break;
			n *= 2;
		}
		best = t / (double)n;
		for (int i = 0; i < rounds; i++) {
			t = time_row(r, n) / (double)n;
			if (t < best)
				best = t;
		}
	}
	printf("row %s %.3f\n", r->name, best);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	const size_t nrows = sizeof(rows) / sizeof(rows[0]);
	int opt;

	while ((opt = getopt(argc, argv, "t:r:f:")) != -1) {
		switch (opt) {
		case 't':
			target_ns = strtoull(optarg, NULL, 0) * 1000000ull;
			break;
		case 'r':
			rounds = atoi(optarg);
			break;
		case 'f':
			datafile = optarg;
			break;
		default:
			return 2;
		}
	}
	for (size_t i = 0; i < nrows; i++) {
		if (optind == argc || listed(argv[optind], rows[i].name))
			run_row(&rows[i]);
	}
	puts("done");
	return 0;
}
