/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: sleeps and calls interrupted by a handler answer EINTR or go on, by
 * SA_RESTART and by the call. Method: a timer's signal during nanosleep and
 * read of a pipe; the timer starts when the reader sleeps.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include "wait_common.h"

static int pipes[2];
static volatile int over;

static void *
alarm_clock(void *arg)
{
	struct itimerval v = { .it_value.tv_usec = 1000 };

	until_asleep(getpid());
	setitimer(ITIMER_REAL, &v, NULL);
	return arg;
}

static void *
writer(void *arg)
{
	alarm_clock(arg);
	UNTIL(got_signal);
	/* A read that goes on sleeps again. */
	UNTIL(over || is_asleep(getpid()));
	if (write(pipes[1], "x", 1) != 1)
		printf("no write\n");
	return arg;
}

static void
reading(int flags)
{
	pthread_t t;
	sigset_t set;
	char c = 0;
	int n;

	handle(SIGALRM, flags);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	got_signal = over = 0;
	start_thread(&t, writer, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	n = (int)read(pipes[0], &c, 1);
	over = 1;
	show("read", n);
	printf("signal %d\n", got_signal == SIGALRM);
	pthread_join(t, NULL);
	if (n < 0)
		n = (int)read(pipes[0], &c, 1);
}

int
main(void)
{
	struct timespec ts = { 1000, 0 }, rem = { 0, 0 };
	uint64_t t0, left;
	pthread_t t;
	sigset_t set;

	if (pipe(pipes))
		return 1;
	reading(0);
	reading(SA_RESTART);
	handle(SIGALRM, SA_RESTART);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	start_thread(&t, alarm_clock, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	t0 = now_ns();
	show("nanosleep", nanosleep(&ts, &rem));
	left = (uint64_t)rem.tv_sec * 1000000000 + (uint64_t)rem.tv_nsec;
	printf("rest %d\n",
	       left < 1000000000000 && left + (now_ns() - t0) >= 1000000000000);
	pthread_join(t, NULL);
	show("alone", syscall(SYS_restart_syscall));
	return 0;
}
