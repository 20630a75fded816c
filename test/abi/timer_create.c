/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: POSIX timers send what they are told to whom they are told; errors.
 * Method: signal, thread, none.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static volatile int value, id_seen;
static volatile pid_t who;

static void
fired(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	value = info->si_value.sival_int;
	got_code = info->si_code;
	who = gettid();
	id_seen = 1;
}

static timer_t
arm(struct sigevent *ev, long ns)
{
	struct itimerspec s = { .it_value.tv_nsec = ns };
	timer_t t = 0;

	show("create", timer_create(CLOCK_MONOTONIC, ev, &t));
	show("set", timer_settime(t, 0, &s, NULL));
	return t;
}

int
main(void)
{
	struct sigaction a = { .sa_sigaction = fired, .sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN + 2,
			       .sigev_value.sival_int = 42 };
	struct itimerspec s;
	timer_t t, u;

	sigaction(SIGRTMIN + 2, &a, NULL);
	t = arm(&ev, 10000000);
	while (!id_seen)
		usleep(1000);
	printf("value %d code %d\n", value, got_code == SI_TIMER);
	show("delete", timer_delete(t));
	ev.sigev_notify = SIGEV_THREAD_ID;
	ev._sigev_un._tid = gettid();
	id_seen = 0;
	t = arm(&ev, 10000000);
	while (!id_seen)
		usleep(1000);
	printf("thread %d\n", who == gettid());
	timer_delete(t);
	ev.sigev_notify = SIGEV_NONE;
	t = arm(&ev, 5000000);
	usleep(10000);
	show("get", timer_gettime(t, &s));
	printf("ran out %d\n", !s.it_value.tv_sec && !s.it_value.tv_nsec);
	timer_delete(t);
	ev.sigev_notify = 77;
	show("notify", timer_create(CLOCK_MONOTONIC, &ev, &u));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = 99;
	show("signo", timer_create(CLOCK_MONOTONIC, &ev, &u));
	show("clock", timer_create(77, NULL, &u));
	return 0;
}
