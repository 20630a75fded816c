/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User and system time apart: a loop is user time, calls that copy much are
 * system time; all who tell it agree, and neither ever falls.  ITIMER_VIRTUAL
 * runs in user time only, ITIMER_PROF in both, and each comes when its time
 * is used up.
 *
 * Much CPU time is used, so that what one host's ticks say does not matter.
 *
 * CALLS: getrusage times setitimer clock_gettime
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

struct split {
	double user, sys;
};

static struct split
usage(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (struct split){ u.ru_utime.tv_sec + u.ru_utime.tv_usec / 1e6,
			       u.ru_stime.tv_sec + u.ru_stime.tv_usec / 1e6 };
}

/* Seconds; some are told in ticks. */
static int
between(double least, double x, double most)
{
	return x > least - 0.03 && x < most + 0.03;
}

static double
seconds(clockid_t c)
{
	struct timespec ts;

	clock_gettime(c, &ts);
	return (double)ts.tv_sec + ts.tv_nsec / 1e9;
}

static void
compute(double s)
{
	double end = seconds(CLOCK_THREAD_CPUTIME_ID) + s;
	volatile unsigned x = 0;
	unsigned i;

	do
		for (i = 0; i < 3000000; i++)
			x += i;
	while (seconds(CLOCK_THREAD_CPUTIME_ID) < end);
}

static char big[4 << 20];

static void
call(double s)
{
	double end = seconds(CLOCK_THREAD_CPUTIME_ID) + s;
	int fd = open("/dev/zero", O_RDONLY), i;

	do
		for (i = 0; i < 5; i++)
			if (read(fd, big, sizeof(big)) < 0)
				return;
	while (seconds(CLOCK_THREAD_CPUTIME_ID) < end);
	close(fd);
}

static void
stat_ticks(const char *path, long *u, long *s)
{
	char line[1024], *p;
	FILE *f = fopen(path, "r");

	if (!fgets(line, sizeof(line), f))
		return;
	p = strrchr(line, ')');
	sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", u,
	       s);
	fclose(f);
}

static volatile sig_atomic_t count[65];
static volatile double when;

static void
on_signal(int sig)
{
	count[sig]++;
	if (sig == SIGVTALRM)
		when = usage(RUSAGE_SELF).user;
}

static void *
thread_fn(void *arg)
{
	clockid_t *c = arg;

	compute(0.15);
	pthread_getcpuclockid(pthread_self(), c);
	return NULL;
}

static void
timers(void)
{
	struct itimerval it = { .it_value = { 0, 400000 } };
	double t0, before = 0;
	int i;

	signal(SIGVTALRM, on_signal);
	signal(SIGPROF, on_signal);
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	t0 = usage(RUSAGE_SELF).user;
	call(0.8); /* twice its time, in the kernel */
	printf("in the kernel: %d\n", (int)count[SIGVTALRM]);
	/* It comes in the piece in which the time is used up; Linux counts
	 * ticks, of which a busy machine has too few or too many. */
	for (i = 0; i < 200 && !count[SIGVTALRM]; i++) {
		before = usage(RUSAGE_SELF).user;
		compute(0.02);
	}
	printf("virtual: %d, about when it should %d\n", (int)count[SIGVTALRM],
	       when - t0 > 0.2 && before - t0 < 1.6);
	setitimer(ITIMER_PROF, &it, NULL);
	t0 = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (i = 0; i < 400 && !count[SIGPROF]; i++) {
		before = seconds(CLOCK_PROCESS_CPUTIME_ID);
		i & 1 ? call(0.01) : compute(0.01);
	}
	printf("prof: %d %d\n", (int)count[SIGPROF],
	       seconds(CLOCK_PROCESS_CPUTIME_ID) - t0 > 0.2 &&
		       before - t0 < 1.6);
}

/* The process's and the thread's: asked together, as Linux divides the time
 * in proportion to ticks, and neither part may fall. */
static struct split
now(struct split *thread)
{
	struct split s = usage(RUSAGE_SELF);

	*thread = usage(RUSAGE_THREAD);
	return s;
}

/* Whether this is user time (or system time) by far; again where Linux's ticks,
 * of which a busy machine has too few, do not say so yet. */
static int
grows(void (*use)(double), int system)
{
	struct split a, b, w;
	int i;

	a = now(&w);
	for (i = 0; i < 20; i++) {
		use(0.4);
		b = now(&w);
		if (system ? b.sys - a.sys > 2 * (b.user - a.user) :
			     b.user - a.user > 4 * (b.sys - a.sys))
			return 1;
	}
	return 0;
}

/* All who tell it, each asked between two others; in a moment in which
 * nothing else came between. */
static void
agree(void)
{
	struct split a, b, w, x;
	struct tms t;
	long u, s, tu, ts;
	double tick = sysconf(_SC_CLK_TCK), one;
	int i = 0;

	do {
		a = now(&w);
		one = seconds(CLOCK_PROCESS_CPUTIME_ID);
		times(&t);
		stat_ticks("/proc/self/stat", &u, &s);
		stat_ticks("/proc/thread-self/stat", &tu, &ts);
		b = now(&x);
	} while (b.user + b.sys - a.user - a.sys > 0.005 && i++ < 1000);
	printf("the sum: %d\n", between(a.user + a.sys, one, b.user + b.sys));
	printf("the thread: %d %d\n", between(a.user, w.user, b.user),
	       between(a.sys, w.sys, b.sys));
	printf("times: %d %d\n", between(a.user, t.tms_utime / tick, b.user),
	       between(a.sys, t.tms_stime / tick, b.sys));
	printf("stat: %d %d\n", between(a.user, u / tick, b.user),
	       between(a.sys, s / tick, b.sys));
	printf("thread: %d %d\n", between(a.user, tu / tick, b.user),
	       between(a.sys, ts / tick, b.sys));
}

int
main(void)
{
	struct split a, b;
	pthread_t th;
	clockid_t clock = 0;
	int i, falls = 0;

	memset(big, 1, sizeof(big));
	printf("computing is user time: %d\n", grows(compute, 0));
	printf("calling is system time: %d\n", grows(call, 1));
	agree();
	for (i = 0; i < 40; i++) {
		a = usage(RUSAGE_SELF);
		i & 1 ? call(0) : compute(0);
		b = usage(RUSAGE_SELF);
		falls += b.user < a.user || b.sys < a.sys;
	}
	printf("falls: %d\n", falls);
	a = usage(RUSAGE_SELF);
	pthread_create(&th, NULL, thread_fn, &clock);
	pthread_join(th, NULL);
	b = usage(RUSAGE_SELF);
	printf("one that ended counts: %d\n",
	       b.user + b.sys - a.user - a.sys > 0.1);
	timers();
	return 0;
}
