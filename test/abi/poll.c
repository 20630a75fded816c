/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: poll and select say of every kind of file what is ready, wait as long
 * as asked, and refuse what is wrong.
 * Method: pipes, socket pairs, files, devices, closed descriptors; a thread
 * that makes one ready; signals with and without a mask for the call.
 * CALLS: poll ppoll select pselect6
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include "wait_common.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>

#define POLL(f, n, ms)		  syscall(SYS_poll, f, (unsigned long)(n), ms)
#define PPOLL(f, n, t, m, s)	  syscall(SYS_ppoll, f, n, t, m, s)
#define SELECT(n, r, w, e, t)	  syscall(SYS_select, n, r, w, e, t)
#define PSELECT(n, r, w, e, t, m) syscall(SYS_pselect6, n, r, w, e, t, m)
#define SHOW(x)			  (errno = 0, show(#x, (long)(x)))

static const int64_t zero[2], second[2] = { 1, 0 }, ms10[2] = { 0, 10000000 };

static void
show_poll(const char *what, int fd, short events)
{
	struct pollfd p = { fd, events, -1 };
	long r = POLL(&p, 1, 0);

	printf("%s: %ld revents %#x\n", what, r, (unsigned short)p.revents);
}

static void
kinds(void)
{
	int p[2], q[2], s[2], d[2];
	short all = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM |
		    POLLRDHUP;
	char buf[70000];

	if (pipe(p) || pipe(q) || socketpair(AF_UNIX, SOCK_STREAM, 0, s) ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, d))
		return;
	show_poll("empty pipe, reader", p[0], all);
	show_poll("empty pipe, writer", p[1], all);
	if (write(p[1], "x", 1) != 1)
		return;
	show_poll("pipe, reader", p[0], all);
	show_poll("pipe, nothing asked", p[0], 0);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	memset(buf, 0, sizeof(buf));
	while (write(p[1], buf, sizeof(buf)) > 0)
		;
	show_poll("full pipe, writer", p[1], all);
	close(p[1]);
	show_poll("no writer, data", p[0], all);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	while (read(p[0], buf, sizeof(buf)) > 0)
		;
	show_poll("no writer", p[0], all);
	show_poll("no writer, nothing asked", p[0], 0);
	close(q[0]);
	show_poll("no reader", q[1], all);
	show_poll("no reader, nothing asked", q[1], 0);
	show_poll("stream", s[0], all);
	if (write(s[1], "x", 1) != 1)
		return;
	show_poll("stream, data", s[0], all);
	shutdown(s[1], SHUT_WR);
	show_poll("stream, peer shut", s[0], all);
	close(s[1]);
	show_poll("stream, peer gone", s[0], all);
	show_poll("datagram", d[0], all);
	show_poll("regular file", open("/proc/self/exe", O_RDONLY), all);
	show_poll("directory", open("/", O_RDONLY), all);
	show_poll("null", open("/dev/null", O_RDWR), all);
	show_poll("zero", open("/dev/zero", O_RDWR), all);
	show_poll("path", open("/", O_PATH), all);
	show_poll("closed", 99, all);
	show_poll("negative", -1, all);
	show_poll("-100", -100, all);
}

static void
poll_arguments(void)
{
	struct pollfd p[3] = { { 99, POLLIN, 1 },
			       { -1, POLLIN, 1 },
			       { 98, 0, 1 } };
	static struct pollfd nine[9];
	struct rlimit old, few = { 8, 0 };
	struct pollfd *page =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SHOW(POLL(p, 3, -1));
	printf("%#x %#x %#x\n", p[0].revents, p[1].revents, p[2].revents);
	SHOW(POLL(NULL, 0, 0));
	SHOW(POLL(BAD, 0, 1));
	SHOW(POLL(BAD, 1, 0));
	SHOW(POLL(NULL, 1, 0));
	page = mprotect(page, 4096, PROT_READ) ? NULL : page;
	SHOW(POLL(page, 1, 0) >= 0);
	SHOW(POLL(p, -1, 0));
	SHOW(POLL(p, 1u << 31, 0));
	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	SHOW(POLL(p, 3, 0));
	SHOW(POLL(nine, 9, 0));
	setrlimit(RLIMIT_NOFILE, &old);
	SHOW(PPOLL(p, 3, zero, NULL, 0));
	SHOW(PPOLL(NULL, 0, ms10, NULL, 99));
	SHOW(PPOLL(p, 3, zero, &old, 7));
	SHOW(PPOLL(p, 3, zero, &old, 16));
	SHOW(PPOLL(p, 3, zero, BAD, 8));
	SHOW(PPOLL(p, 3, BAD, NULL, 0));
	SHOW(PPOLL(p, 3, ((int64_t[2]){ 0, 1000000000 }), NULL, 0));
	SHOW(PPOLL(p, 3, ((int64_t[2]){ 0, -1 }), NULL, 0));
	SHOW(PPOLL(p, 3, ((int64_t[2]){ -1, 0 }), NULL, 0));
	SHOW(PPOLL(BAD, 1, zero, NULL, 0));
}

static void
select_arguments(void)
{
	int p[2];
	fd_set r, w, e;
	struct timeval tv = { 0, 0 }, neg = { -1, 0 }, neg_us = { 0, -1 },
		       big_us = { 0, 3000000 };

	/* Linux looks no further than its table goes: make that large. */
	if (pipe(p) || dup2(p[0], 10) < 0 || dup2(p[1], 11) < 0 ||
	    dup2(p[0], 500) < 0)
		return;
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(10, &r), FD_SET(11, &w), FD_SET(10, &e), FD_SET(200, &e);
	SHOW(SELECT(12, &r, &w, &e, &tv));
	printf("%d %d %d beyond %d\n", FD_ISSET(10, &r) != 0,
	       FD_ISSET(11, &w) != 0, FD_ISSET(10, &e) != 0,
	       FD_ISSET(200, &e) != 0);
	FD_SET(10, &r);
	SHOW(write(11, "x", 1));
	SHOW(SELECT(12, &r, &w, NULL, NULL));
	FD_ZERO(&r);
	FD_SET(10, &r), FD_SET(99, &r);
	SHOW(SELECT(100, &r, NULL, NULL, &tv));
	SHOW(SELECT(99, &r, NULL, NULL, &tv));
	SHOW(SELECT(-1, &r, NULL, NULL, &tv));
	SHOW(SELECT(10, &r, NULL, NULL, &tv));
	FD_SET(10, &r);
	SHOW(SELECT(0, NULL, NULL, NULL, &tv));
	SHOW(SELECT(0, BAD, BAD, BAD, &tv));
	SHOW(SELECT(1, BAD, NULL, NULL, &tv));
	SHOW(SELECT(1, NULL, BAD, NULL, &tv));
	SHOW(SELECT(1, NULL, NULL, BAD, &tv));
	SHOW(SELECT(0, NULL, NULL, NULL, BAD));
	SHOW(SELECT(11, &r, NULL, NULL, &neg));
	SHOW(SELECT(11, &r, NULL, NULL, &neg_us));
	SHOW(SELECT(11, &r, NULL, NULL, &big_us));
	SHOW(PSELECT(11, &r, NULL, NULL, zero, NULL));
	SHOW(PSELECT(11, &r, NULL, NULL, BAD, NULL));
	SHOW(PSELECT(11, &r, NULL, NULL, zero, BAD));
	SHOW(PSELECT(11, &r, NULL, NULL, zero,
		     ((uintptr_t[2]){ (uintptr_t)&w, 5 })));
	SHOW(PSELECT(11, &r, NULL, NULL, zero,
		     ((uintptr_t[2]){ (uintptr_t)BAD, 8 })));
	SHOW(PSELECT(11, &r, NULL, NULL, zero, ((uintptr_t[2]){ 0, 5 })));
	FD_SET(10, &r);
	SHOW(PSELECT(11, &r, NULL, NULL, ((int64_t[2]){ 0, 1000000000 }),
		     NULL));
	SHOW(PSELECT(11, &r, NULL, NULL, ((int64_t[2]){ -1, 0 }), NULL));
}

static void *
write_later(void *arg)
{
	until_asleep(getpid());
	return (void *)write(*(int *)arg, "x", 1);
}

static void
waits(void)
{
	struct pollfd p;
	struct timeval tv = { 60, 0 };
	int64_t minute[2] = { 60, 0 }, short_time[2] = { 0, 20000000 };
	uint64_t t0;
	pthread_t t;
	fd_set r;
	int fd[2];
	char c;

	if (pipe(fd))
		return;
	p = (struct pollfd){ fd[0], POLLIN, 0 };
	t0 = now_ns();
	SHOW(POLL(&p, 1, 20));
	SHOW(PPOLL(&p, 1, short_time, NULL, 0));
	printf("time left %d\n", short_time[0] || short_time[1]);
	printf("waited %d\n", now_ns() - t0 >= 40000000);
	start_thread(&t, write_later, &fd[1]);
	SHOW(POLL(&p, 1, 60000));
	printf("revents %#x read %zd\n", p.revents, read(fd[0], &c, 1));
	pthread_join(t, NULL);
	start_thread(&t, write_later, &fd[1]);
	SHOW(PPOLL(&p, 1, minute, NULL, 0));
	printf("left %d read %zd\n", minute[0] < 60 && minute[0] > 0,
	       read(fd[0], &c, 1));
	pthread_join(t, NULL);
	FD_ZERO(&r);
	FD_SET(fd[0], &r);
	start_thread(&t, write_later, &fd[1]);
	SHOW(SELECT(fd[0] + 1, &r, NULL, NULL, &tv));
	printf("left %d read %zd\n", tv.tv_sec < 60 && tv.tv_sec > 0,
	       read(fd[0], &c, 1));
	pthread_join(t, NULL);
	FD_SET(fd[0], &r);
	start_thread(&t, write_later, &fd[1]);
	SHOW(PSELECT(fd[0] + 1, &r, NULL, NULL, NULL, NULL));
	pthread_join(t, NULL);
}

/* A blocked signal that the call's own mask lets in. */
static void
masks(void)
{
	struct pollfd p;
	sigset_t block, now;
	uint64_t none = 0, usr2 = 1ull << (SIGUSR2 - 1);
	uintptr_t arg[2] = { (uintptr_t)&none, 8 };
	fd_set r;
	int fd[2];

	if (pipe(fd))
		return;
	p = (struct pollfd){ fd[0], POLLIN, 0 };
	handle(SIGUSR1, SA_RESTART);
	handle(SIGUSR2, 0);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	SHOW(POLL(&p, 1, 5));
	SHOW(PPOLL(&p, 1, NULL, &none, 8));
	printf("signal %d\n", got_signal == SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("mask is back: %d\n", sigismember(&now, SIGUSR1));
	got_signal = 0;
	raise(SIGUSR1);
	FD_ZERO(&r);
	FD_SET(fd[0], &r);
	SHOW(PSELECT(fd[0] + 1, &r, NULL, NULL, second, arg));
	printf("signal %d, set kept %d\n", got_signal == SIGUSR1,
	       FD_ISSET(fd[0], &r) != 0);
	/* A mask that keeps one out, for the length of the call. */
	got_signal = 0;
	SHOW(PPOLL(&p, 1, ms10, &usr2, 8));
	/* Ready: the signal waits until after. */
	raise(SIGUSR1);
	if (write(fd[1], "x", 1) != 1)
		return;
	SHOW(PPOLL(&p, 1, NULL, &none, 8));
	printf("signal %d\n", got_signal);
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	printf("signal %d\n", got_signal == SIGUSR1);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	kinds();
	poll_arguments();
	select_arguments();
	waits();
	masks();
	return 0;
}
