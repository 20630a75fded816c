/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for the first of several futexes: what it refuses, time-outs,
 * which one is told, signals.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "wait_common.h"

#define N 130

static uint32_t words[N];
static struct futex_waitv v[N];

static void
show(const char *what, long r)
{
	if (r < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, r);
}

static long
waitv(void *w, unsigned n, unsigned flags, struct timespec *ts, int clock)
{
	return syscall(SYS_futex_waitv, w, n, flags, ts, clock);
}

static struct timespec
in(clockid_t c, long ms)
{
	struct timespec ts;

	clock_gettime(c, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

static void
reset(void)
{
	int i;

	for (i = 0; i < N; i++) {
		words[i] = 0;
		v[i] = (struct futex_waitv){ 0, (uintptr_t)&words[i],
					     FUTEX_32 | FUTEX_PRIVATE_FLAG, 0 };
	}
}

static void *
waker(void *arg)
{
	uint32_t *w = arg;

	/* Before, it would see the new value and not wait. */
	until_asleep(getpid());
	__atomic_store_n(w, 1, __ATOMIC_SEQ_CST);
	UNTIL(syscall(SYS_futex, w, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	return NULL;
}

static void
woken(const char *what, int which, unsigned n)
{
	pthread_t th;

	reset();
	pthread_create(&th, NULL, waker, &words[which]);
	show(what, waitv(v, n, 0, NULL, 0));
	pthread_join(th, NULL);
}

static void
on_signal(int sig)
{
	(void)sig;
}

int
main(void)
{
	struct timespec ts = in(CLOCK_MONOTONIC, 20), bad = { 0, -1 };
	struct sigaction sa = { .sa_handler = on_signal };
	timer_t timer;
	/* It comes again, should the first come before the wait. */
	struct itimerspec its = { { 0, 30000000 }, { 0, 30000000 } };

	reset();
	show("none", waitv(v, 0, 0, &ts, CLOCK_MONOTONIC));
	show("many", waitv(v, 129, 0, &ts, CLOCK_MONOTONIC));
	show("flags", waitv(v, 2, 1, &ts, CLOCK_MONOTONIC));
	show("nothing", waitv(NULL, 2, 0, &ts, CLOCK_MONOTONIC));
	show("bad", waitv((void *)8, 2, 0, &ts, CLOCK_MONOTONIC));
	show("clock", waitv(v, 2, 0, &ts, CLOCK_BOOTTIME));
	show("time", waitv(v, 2, 0, &bad, CLOCK_MONOTONIC));
	v[1].flags = FUTEX_PRIVATE_FLAG;
	show("no size", waitv(v, 2, 0, &ts, CLOCK_MONOTONIC));
	v[1].flags = FUTEX_32 | 0x40;
	show("other flags", waitv(v, 2, 0, &ts, CLOCK_MONOTONIC));
	reset();
	v[1].__reserved = 1;
	show("reserved", waitv(v, 2, 0, &ts, CLOCK_MONOTONIC));
	reset();
	v[1].uaddr += 2;
	show("unaligned", waitv(v, 2, 0, &ts, CLOCK_MONOTONIC));
	v[1].uaddr = 16;
	show("no such word", waitv(v, 2, 0, &ts, CLOCK_MONOTONIC));
	reset();
	words[1] = 7;
	show("another value", waitv(v, 2, 0, NULL, 0));
	words[1] = 0;
	show("in time", waitv(v, 2, 0, &ts, CLOCK_MONOTONIC));
	ts = in(CLOCK_REALTIME, 20);
	show("wall clock", waitv(v, 128, 0, &ts, CLOCK_REALTIME));
	woken("one", 0, 1);
	woken("first", 0, 3);
	woken("last", 2, 3);
	woken("of many", 77, 128);
	reset();
	v[2].flags = FUTEX_32;
	show("shared", (ts = in(CLOCK_MONOTONIC, 5),
			waitv(v, 3, 0, &ts, CLOCK_MONOTONIC)));
	sigaction(SIGALRM, &sa, NULL);
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	timer_settime(timer, 0, &its, NULL);
	show("a signal", waitv(v, 2, 0, NULL, 0));
	timer_delete(timer);
	return 0;
}
