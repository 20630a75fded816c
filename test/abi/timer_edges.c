/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: timers that share a signal each deliver theirs; what a setting
 * without a value keeps; which clocks can have a timer.  Method: two timers
 * of one blocked signal, a signal of the same number by kill; each kind of
 * timer set to nothing with an interval.
 * CALLS: timer_create timer_settime setitimer
 */
#define _GNU_SOURCE
#include "proc_common.h"

#include <sys/timerfd.h>

#include "wait_common.h"

static void
take_all(int sig)
{
	struct timespec none = { 0 };
	siginfo_t si;
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	while (memset(&si, 0, sizeof(si)), sigtimedwait(&s, &si, &none) > 0)
		printf(" %d/%d", si.si_code,
		       si.si_code == SI_TIMER ? si.si_value.sival_int : 0);
	printf("\n");
}

static int
is_over(timer_t t)
{
	struct itimerspec s;

	timer_gettime(t, &s);
	return !s.it_value.tv_sec && !s.it_value.tv_nsec;
}

/* Sets one that ends once, and waits for its end. */
static void
expire(timer_t t)
{
	timer_settime(t, 0, &(struct itimerspec){ .it_value.tv_nsec = 1000000 },
		      NULL);
	UNTIL(is_over(t));
}

/* Two timers end, one after the other, and a signal comes by hand. */
static void
one_signal(int sig)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = sig };
	timer_t t[2];

	for (int i = 0; i < 2; i++) {
		ev.sigev_value.sival_int = 11 * (i + 1);
		timer_create(CLOCK_MONOTONIC, &ev, &t[i]);
	}
	expire(t[0]);
	expire(t[1]);
	kill(getpid(), sig);
	take_all(sig);
	kill(getpid(), sig);
	expire(t[1]);
	take_all(sig);
	/* deleted with its signal in the queue */
	expire(t[0]);
	expire(t[1]);
	timer_delete(t[0]);
	take_all(sig);
	timer_delete(t[1]);
}

static void
no_value(void)
{
	struct itimerspec i = { .it_interval.tv_sec = 5 }, o;
	struct itimerval v = { .it_interval.tv_sec = 7 }, w;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	timer_t t;

	timer_create(CLOCK_MONOTONIC, NULL, &t);
	timer_settime(t, 0, &i, NULL);
	timer_gettime(t, &o);
	printf("timer %ld\n", o.it_interval.tv_sec);
	for (int which = 0; which < 3; which++) {
		setitimer(which, &v, NULL);
		getitimer(which, &w);
		printf("itimer %d %ld\n", which, w.it_interval.tv_sec);
	}
	timerfd_settime(fd, 0, &i, NULL);
	timerfd_gettime(fd, &o);
	printf("timerfd %ld\n", o.it_interval.tv_sec);
}

static void
clocks(void)
{
	static const int ids[] = { CLOCK_MONOTONIC_RAW,
				   CLOCK_REALTIME_COARSE,
				   CLOCK_MONOTONIC_COARSE,
				   CLOCK_BOOTTIME,
				   CLOCK_TAI,
				   10,
				   63 };
	struct itimerspec s = { .it_value.tv_nsec = 20000000 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGUSR2 };
	clockid_t own;
	timer_t t;

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		show("create", timer_create(ids[i], NULL, &t));
	pthread_getcpuclockid(pthread_self(), &own);
	show("a thread's", timer_create(own, &ev, &t));
	timer_settime(t, 0, &s, NULL);
	handle(SIGUSR2, 0);
	while (!got_signal)
		;
	printf("came %d\n", got_signal == SIGUSR2);
	clock_getcpuclockid(getpid(), &own);
	show("the process's", timer_create(own, NULL, &t));
	show("nobody's", timer_create(~999999 << 3 | 6, NULL, &t));
}

int
main(void)
{
	sigset_t s;

	clocks();
	sigfillset(&s);
	sigprocmask(SIG_BLOCK, &s, NULL);
	one_signal(SIGUSR1);
	one_signal(SIGRTMIN + 3);
	no_value();
	return 0;
}
