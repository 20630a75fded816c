/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an epoll instance reports what poll would, by level, by edge, once or
 * to one waiter; it refuses what Linux refuses; instances nest as deep as
 * there and no deeper.
 * Method: pipes, eventfds and instances within instances; threads that wait.
 * CALLS: epoll_create epoll_create1 epoll_wait epoll_pwait epoll_pwait2
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include "wait_common.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define CREATE(n)		  syscall(SYS_epoll_create, n)
#define CREATE1(f)		  syscall(SYS_epoll_create1, f)
#define CTL(ep, op, fd, e)	  syscall(SYS_epoll_ctl, ep, op, fd, e)
#define WAIT(ep, e, n, ms)	  syscall(SYS_epoll_wait, ep, e, n, ms)
#define PWAIT(ep, e, n, ms, m, s) syscall(SYS_epoll_pwait, ep, e, n, ms, m, s)
#define PWAIT2(ep, e, n, t, m, s) syscall(SYS_epoll_pwait2, ep, e, n, t, m, s)
#define SHOW(x)			  (errno = 0, show(#x, (long)(x)))
#define ADD			  EPOLL_CTL_ADD
#define MOD			  EPOLL_CTL_MOD
#define DEL			  EPOLL_CTL_DEL

static struct epoll_event got[8];

static long
ctl(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = 100u + fd };

	return CTL(ep, op, fd, &e);
}

/* What is ready, in the order it is told. */
static void
ready(const char *what, int ep)
{
	long n = WAIT(ep, got, 8, 0);

	printf("%s: %ld", what, n);
	for (long i = 0; i < n; i++)
		printf(" [%lu %#x]", (unsigned long)got[i].data.u64 - 100,
		       got[i].events);
	printf("\n");
}

/* A pipe at two fixed numbers. */
static void
pipe_at(int r, int w)
{
	int p[2];

	if (pipe(p) || dup2(p[0], r) < 0 || dup2(p[1], w) < 0)
		exit(1);
	close(p[0]);
	close(p[1]);
}

static void
put(int fd)
{
	if (write(fd, "xy", 2) != 2)
		exit(1);
}

static void
arguments(void)
{
	struct epoll_event e = { EPOLLIN, { .u64 = 1 } };
	struct epoll_event *ro =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ep = epoll_create1(0), f = open("/proc/self/exe", O_RDONLY);
	int path = open("/", O_PATH), null = open("/dev/null", O_RDWR);

	SHOW(CREATE(0));
	SHOW(CREATE(-1));
	SHOW(CREATE(1) >= 0);
	SHOW(CREATE1(1));
	SHOW(CREATE1(O_NONBLOCK));
	SHOW(fcntl(CREATE1(EPOLL_CLOEXEC), F_GETFD));
	pipe_at(20, 21);
	SHOW(CTL(99, ADD, 20, &e));
	SHOW(CTL(ep, ADD, 99, &e));
	SHOW(CTL(ep, ADD, path, &e));
	SHOW(CTL(20, ADD, 21, &e));
	SHOW(CTL(ep, ADD, ep, &e));
	SHOW(CTL(ep, ADD, f, &e));
	SHOW(CTL(ep, ADD, null, &e));
	SHOW(CTL(ep, ADD, 20, NULL));
	SHOW(CTL(ep, ADD, 20, BAD));
	SHOW(CTL(ep, 0, 20, &e));
	SHOW(CTL(ep, 4, 20, &e));
	SHOW(CTL(ep, MOD, 20, &e));
	SHOW(CTL(ep, DEL, 20, NULL));
	SHOW(CTL(ep, ADD, 20, &e));
	SHOW(CTL(ep, ADD, 20, &e));
	SHOW(CTL(ep, MOD, 20, &e));
	SHOW(CTL(ep, DEL, 20, BAD));
	SHOW(CTL(ep, DEL, 20, &e));
	SHOW(ctl(ep, ADD, 20, EPOLLIN | EPOLLEXCLUSIVE));
	SHOW(ctl(ep, MOD, 20, EPOLLIN));
	SHOW(ctl(ep, DEL, 20, 0));
	SHOW(ctl(ep, ADD, 20, EPOLLIN));
	SHOW(ctl(ep, MOD, 20, EPOLLIN | EPOLLEXCLUSIVE));
	SHOW(ctl(ep, DEL, 20, 0));
	SHOW(ctl(ep, ADD, 20, EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE));
	SHOW(ctl(ep, ADD, 20, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE));
	SHOW(ctl(ep, DEL, 20, 0));
	SHOW(WAIT(99, got, 8, 0));
	SHOW(WAIT(20, got, 8, 0));
	SHOW(WAIT(ep, got, 0, 0));
	SHOW(WAIT(ep, got, -1, 0));
	SHOW(WAIT(ep, got, 1 << 30, 0));
	SHOW(WAIT(ep, BAD, 1, 0));
	SHOW(WAIT(ep, (void *)-4096l, 1, 0));
	SHOW(ctl(ep, ADD, 21, EPOLLOUT));
	SHOW(WAIT(ep, BAD, 1, 0));
	SHOW(WAIT(ep, ro, 1, 0));
	SHOW(WAIT(ep, got, 1, 0));
	SHOW(PWAIT(ep, got, 1, 0, NULL, 3));
	SHOW(PWAIT(ep, got, 1, 0, BAD, 8));
	SHOW(PWAIT(ep, got, 1, 0, got, 7));
	SHOW(PWAIT2(ep, got, 1, NULL, NULL, 0));
	SHOW(PWAIT2(ep, got, 1, BAD, NULL, 0));
	SHOW(PWAIT2(ep, got, 1, ((int64_t[2]){ -1, 0 }), NULL, 0));
	SHOW(PWAIT2(ep, got, 1, ((int64_t[2]){ 0, 1000000000 }), NULL, 0));
	SHOW(PWAIT2(ep, got, 1, ((int64_t[2]){ 0, 1 }), NULL, 9));
	SHOW(read(ep, got, 8));
	SHOW(write(ep, got, 8));
	SHOW(lseek(ep, 0, SEEK_SET));
	close(20), close(21), close(ep);
}

static void
modes(void)
{
	int ep = epoll_create1(0);

	pipe_at(20, 21);
	SHOW(ctl(ep, ADD, 20, EPOLLIN | EPOLLRDNORM));
	ready("nothing", ep);
	put(21);
	ready("level", ep);
	ready("level again", ep);
	SHOW(ctl(ep, MOD, 20, EPOLLIN | EPOLLET));
	ready("edge", ep);
	ready("edge again", ep);
	put(21);
	ready("edge, more", ep);
	SHOW(read(20, got, 1));
	ready("edge, after a read", ep);
	SHOW(ctl(ep, MOD, 20, EPOLLIN | EPOLLONESHOT));
	ready("once", ep);
	ready("once again", ep);
	put(21);
	ready("once, more", ep);
	SHOW(ctl(ep, MOD, 20, EPOLLIN | EPOLLONESHOT));
	ready("once, armed again", ep);
	SHOW(ctl(ep, MOD, 20, 0));
	ready("no events", ep);
	SHOW(ctl(ep, ADD, 21, EPOLLOUT));
	ready("writer", ep);
	close(21);
	ready("writer gone, no events asked", ep);
	SHOW(ctl(ep, MOD, 20, EPOLLIN));
	ready("data and hang-up", ep);
	SHOW(read(20, got, 90));
	ready("hang-up", ep);
	SHOW(ctl(ep, DEL, 20, 0));
	ready("nothing", ep);
	close(20), close(ep);
}

/* An item goes with its file, not with its descriptor. */
static void
duplicates(void)
{
	int ep = epoll_create1(0);

	pipe_at(20, 21);
	SHOW(ctl(ep, ADD, 20, EPOLLIN));
	SHOW(dup2(20, 22));
	SHOW(ctl(ep, ADD, 22, EPOLLIN));
	put(21);
	ready("two", ep);
	close(20);
	ready("one closed, the file is open", ep);
	SHOW(ctl(ep, MOD, 20, EPOLLIN));
	close(22);
	ready("both closed", ep);
	close(21), close(ep);
}

/* Everyone gets a turn when more is ready than is asked for. */
static void
turns(void)
{
	int ep = epoll_create1(0), seen = 0;

	for (int i = 0; i < 4; i++) {
		dup2(eventfd(1, 0), 30 + i);
		ctl(ep, ADD, 30 + i, EPOLLIN);
	}
	for (int i = 0; i < 4; i++) {
		SHOW(WAIT(ep, got, 1, 0));
		seen |= 1 << (got[0].data.u64 - 130);
	}
	printf("seen %#x\n", seen);
	close(ep);
}

/* How deep is deep, and the name of that, differ between kernels. */
static int
refusal(void)
{
	return errno == ELOOP || errno == EINVAL;
}

static void
nested(void)
{
	int e[8], far[8], refused = 0;

	for (int i = 0; i < 8; i++)
		e[i] = epoll_create1(0), far[i] = epoll_create1(0);
	pipe_at(20, 21);
	SHOW(ctl(e[0], ADD, 20, EPOLLIN));
	SHOW(CTL(e[1], ADD, e[0],
		 (&(struct epoll_event){ EPOLLIN | EPOLLET, { .u64 = 101 } })));
	ready("outer, nothing", e[1]);
	put(21);
	ready("outer", e[1]);
	ready("inner", e[0]);
	ready("outer by edge", e[1]);
	SHOW(poll(&(struct pollfd){ e[0], POLLIN, 0 }, 1, 0));
	SHOW(poll(&(struct pollfd){ e[1], POLLIN, 0 }, 1, 0));
	SHOW(ctl(e[0], ADD, e[1], EPOLLIN));
	SHOW(ctl(e[2], ADD, e[1], EPOLLIN | EPOLLEXCLUSIVE));
	SHOW(ctl(e[2], ADD, e[1], EPOLLIN));
	SHOW(ctl(e[3], ADD, e[2], EPOLLIN));
	SHOW(ctl(e[0], ADD, e[3], EPOLLIN));
	for (int i = 3; i < 7; i++)
		refused |= ctl(e[i + 1], ADD, e[i], EPOLLIN) && refusal();
	printf("upwards it ends: %d\n", refused);
	SHOW(ctl(far[7], ADD, far[6], EPOLLIN));
	SHOW(ctl(far[6], ADD, far[5], EPOLLIN));
	SHOW(ctl(far[5], ADD, far[7], EPOLLIN));
	refused = 0;
	for (int i = 5; i > 0; i--)
		refused |= ctl(far[i], ADD, far[i - 1], EPOLLIN) && refusal();
	printf("downwards it ends: %d\n", refused);
	for (int i = 0; i < 8; i++)
		close(e[i]), close(far[7 - i]);
	close(20), close(21);
}

/* More ways to one instance than Linux allows. */
static void
many_ways(void)
{
	int inner = epoll_create1(0), n = 0, fd = 0;

	while (n < 2000 && (fd = epoll_create1(0)) >= 0 &&
	       !ctl(fd, ADD, inner, EPOLLIN))
		n++;
	printf("ways bounded: %d\n", n == 2000 || fd < 0 || errno == EINVAL);
	for (int i = inner; i < 1024; i++)
		close(i);
}

struct waiter {
	int ep;
	long n;
};

static void *
wait_for(void *arg)
{
	struct waiter *w = arg;
	struct epoll_event e;

	w->n = WAIT(w->ep, &e, 1, -1);
	return NULL;
}

static void
waiting(void)
{
	struct waiter w = { epoll_create1(0), 0 };
	sigset_t block, now;
	uint64_t none = 0, t0;
	pthread_t t;

	pipe_at(20, 21);
	t0 = now_ns();
	SHOW(WAIT(w.ep, got, 8, 20));
	SHOW(PWAIT2(w.ep, got, 8, ((int64_t[2]){ 0, 20000000 }), NULL, 0));
	printf("waited %d\n", now_ns() - t0 >= 40000000);
	ctl(w.ep, ADD, 20, EPOLLIN);
	start_thread(&t, wait_for, &w);
	until_others_asleep(1);
	put(21);
	pthread_join(t, NULL);
	show("woken", w.n);
	/* Added while it waits. */
	ctl(w.ep, DEL, 20, 0);
	start_thread(&t, wait_for, &w);
	until_others_asleep(1);
	ctl(w.ep, ADD, 20, EPOLLIN);
	pthread_join(t, NULL);
	show("woken by an addition", w.n);
	ctl(w.ep, DEL, 20, 0);

	handle(SIGUSR1, SA_RESTART);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	SHOW(WAIT(w.ep, got, 8, 5));
	SHOW(PWAIT(w.ep, got, 8, -1, &none, 8));
	printf("signal %d\n", got_signal == SIGUSR1);
	raise(SIGUSR1);
	SHOW(PWAIT2(w.ep, got, 8, NULL, &none, 8));
	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("mask is back: %d\n", sigismember(&now, SIGUSR1));
	close(20), close(21), close(w.ep);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	arguments();
	modes();
	duplicates();
	turns();
	nested();
	many_ways();
	waiting();
	return 0;
}
