/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what timerfds do when the wall clock is set: they move with it, and
 * who asked (TFD_TIMER_CANCEL_ON_SET) is told.  No test of test/abi, as that
 * would set the host's clock.  With "there" the steps are of no time at all:
 * so it was run on Linux once, for the first half of what test_clock.py
 * expects.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CANCEL (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)

static uint64_t n;

static void
say(const char *what, long r)
{
	printf("%s: ", what);
	if (r < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%ld\n", r);
}

static int
ready(int fd)
{
	return poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0);
}

static void
step(long by)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += by;
	say("step", clock_settime(CLOCK_REALTIME, &t));
}

static struct itimerspec
later(long sec)
{
	struct itimerspec t = { 0 };

	clock_gettime(CLOCK_REALTIME, &t.it_value);
	t.it_value.tv_sec += sec;
	return t;
}

static int
timer(int clock, int flags, struct itimerspec t)
{
	int fd = timerfd_create(clock, TFD_NONBLOCK);

	say("set", timerfd_settime(fd, flags, &t, NULL));
	return fd;
}

static void
told(void)
{
	struct itimerspec off = { 0 }, past = { .it_value = { 1, 0 } }, now;
	int a = timer(CLOCK_REALTIME, CANCEL, later(1000));
	int b = timer(CLOCK_MONOTONIC, CANCEL, later(1000));
	int c = timer(CLOCK_REALTIME, TFD_TIMER_CANCEL_ON_SET, later(0));
	int d = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME, later(1000));
	int e = timer(CLOCK_REALTIME, CANCEL, off);

	step(0);
	printf("ready %d %d %d %d %d\n", ready(a), ready(b), ready(c), ready(d),
	       ready(e));
	say("read", read(a, &n, 8));
	printf("ready %d\n", ready(a));
	say("read", read(a, &n, 8));
	timerfd_gettime(a, &now);
	printf("still set %d\n", now.it_value.tv_sec > 900);
	say("read not armed", read(e, &n, 8));
	say("read", read(e, &n, 8));
	step(0);
	now = later(1000);
	say("set anew", timerfd_settime(a, CANCEL, &now, NULL));
	timerfd_gettime(a, &now);
	printf("set %d, ready %d\n", now.it_value.tv_sec > 900, ready(a));
	say("read", read(a, &n, 8));
	step(0);
	now = later(1000);
	say("set without", timerfd_settime(a, TFD_TIMER_ABSTIME, &now, NULL));
	printf("ready %d\n", ready(a));
	say("read", read(a, &n, 8));
	say("set with", timerfd_settime(a, CANCEL, &now, NULL));
	say("read", read(a, &n, 8));
	step(0);
	say("stop", timerfd_settime(a, CANCEL, &off, NULL));
	printf("ready %d\n", ready(a));
	say("read", read(a, &n, 8));
	say("set", timerfd_settime(a, CANCEL, &past, NULL));
	say("poll", poll(&(struct pollfd){ a, POLLIN, 0 }, 1, 200000));
	step(0);
	say("read", read(a, &n, 8));
	say("read", read(a, &n, 8));
}

static void *
blocked(void *arg)
{
	uint64_t got;

	return (void *)(read(*(int *)arg, &got, 8) < 0 ? (long)errno : 0l);
}

static void
moved(void)
{
	struct itimerspec t = later(1000);
	int a = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME, t);
	int m = timer(CLOCK_MONOTONIC, 0, t), w, r;
	pthread_t th;
	void *err;

	t.it_interval.tv_sec = 100;
	r = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME, t);
	step(500);
	timerfd_gettime(a, &t);
	printf("half of it %d\n",
	       t.it_value.tv_sec > 400 && t.it_value.tv_sec <= 500);
	step(751);
	say("poll", poll(&(struct pollfd){ a, POLLIN, 0 }, 1, 200000));
	say("read", read(a, &n, 8));
	say("monotonic", ready(m));
	say("poll", poll(&(struct pollfd){ r, POLLIN, 0 }, 1, 200000));
	say("read", read(r, &n, 8));
	printf("expiries %lu\n", (unsigned long)n);
	timerfd_gettime(r, &t);
	printf("next %d\n", t.it_value.tv_sec >= 30 && t.it_value.tv_sec < 50);
	step(-1000);
	timerfd_gettime(r, &t);
	printf("back %d\n", t.it_value.tv_sec > 1000);
	w = timerfd_create(CLOCK_REALTIME, 0);
	t = later(1000);
	say("set", timerfd_settime(w, CANCEL, &t, NULL));
	pthread_create(&th, NULL, blocked, &w);
	usleep(50000);
	step(0);
	pthread_join(th, &err);
	printf("a reader: %s\n", strerrorname_np((int)(long)err));
}

int
main(int argc, char **argv)
{
	told();
	if (argc < 2 || strcmp(argv[1], "there"))
		moved();
	return 0;
}
