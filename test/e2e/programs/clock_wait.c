/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: who waits for a time of the wall clock hears of it when that is set:
 * sleeps, futexes, message queues, condition variables, POSIX timers, timeouts
 * of io_uring; who waits for so long, or by another clock, does not.  No test
 * of test/abi, as that would set the host's clock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct timespec at; /* what all wait for */
static atomic_int over, nsignals;

static void
step(long by)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += by;
	printf("step %ld: %d\n", by, clock_settime(CLOCK_REALTIME, &t));
}

static long
sleeps(void)
{
	return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL);
}

static long
futex(void)
{
	int word = 0;

	return syscall(SYS_futex, &word,
		       FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &at, NULL,
		       FUTEX_BITSET_MATCH_ANY) ?
		       errno :
		       0;
}

static long
futex_v(void)
{
	uint32_t word = 0;
	struct futex_waitv v = { .uaddr = (uintptr_t)&word, .flags = FUTEX_32 };

	return syscall(SYS_futex_waitv, &v, 1, 0, &at, CLOCK_REALTIME) < 0 ?
		       errno :
		       0;
}

static long
queue(void)
{
	struct mq_attr a = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	mqd_t q = mq_open("/clock_wait", O_RDWR | O_CREAT, 0600, &a);
	char buf[8];

	return mq_timedreceive(q, buf, 8, NULL, &at) < 0 ? errno : 0;
}

static long
condition(void)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&m);
	return pthread_cond_timedwait(&c, &m, &at);
}

static long
uring(void)
{
	struct __kernel_timespec t = { at.tv_sec, at.tv_nsec };
	struct io_uring_cqe *c;
	struct io_uring r;

	io_uring_queue_init(4, &r, 0);
	io_uring_prep_timeout(io_uring_get_sqe(&r), &t, 0,
			      IORING_TIMEOUT_ABS | IORING_TIMEOUT_REALTIME);
	io_uring_submit(&r);
	io_uring_wait_cqe(&r, &c);
	return -c->res;
}

static const struct {
	const char *what;
	long (*fn)(void);
} waits[] = {
	{ "clock_nanosleep", sleeps }, { "futex", futex },
	{ "futex_waitv", futex_v },    { "mq_timedreceive", queue },
	{ "condition", condition },    { "io_uring", uring },
};
#define N (int)(sizeof(waits) / sizeof(waits[0]))

static void *
run(void *arg)
{
	long r = waits[(long)arg].fn();

	over++;
	return (void *)r;
}

static void *
monotonic(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += 1000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	over++;
	return NULL;
}

static void *
relative(void *arg)
{
	struct timespec t = { 1000, 0 };

	(void)arg;
	clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL);
	over++;
	return NULL;
}

static void
on_signal(int sig)
{
	(void)sig;
	nsignals++;
}

static timer_t
timer(int flags, struct timespec when)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL,
			      .sigev_signo = SIGUSR1 };
	struct itimerspec t = { .it_value = when };
	timer_t id;

	timer_create(CLOCK_REALTIME, &e, &id);
	printf("set: %d\n", timer_settime(id, flags, &t, NULL));
	return id;
}

static void
left(const char *what, timer_t id)
{
	struct itimerspec t;

	timer_gettime(id, &t);
	printf("%s: %ld hundreds left\n", what,
	       (long)(t.it_value.tv_sec + 50) / 100);
}

int
main(void)
{
	struct timespec thousand = { 1000, 0 };
	pthread_t th[N], other;
	timer_t absolute, from_now;
	void *r;
	long k;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGUSR1, on_signal);
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += 1000;
	absolute = timer(TIMER_ABSTIME, at);
	from_now = timer(0, thousand);
	for (k = 0; k < N; k++)
		pthread_create(&th[k], NULL, run, (void *)k);
	pthread_create(&other, NULL, monotonic, NULL);
	pthread_create(&other, NULL, relative, NULL);
	usleep(200000);
	step(500);
	usleep(200000);
	printf("over: %d, signals: %d\n", over, nsignals);
	left("absolute", absolute);
	left("from now", from_now);
	step(-300);
	left("absolute", absolute);
	step(801);
	for (k = 0; k < N; k++) {
		pthread_join(th[k], &r);
		printf("%s: %s\n", waits[k].what,
		       strerrorname_np((int)(long)r));
	}
	while (!nsignals)
		usleep(1000);
	printf("over: %d, signals: %d\n", over, nsignals);
	left("absolute", absolute);
	left("from now", from_now);
	_exit(0);
}
