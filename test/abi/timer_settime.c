/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: intervals, absolute times, the old value; a changed timer forgets its
 * signal. Method: blocked signals that are counted.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGUSR1 };
	struct itimerspec s = { { 0, 0 }, { 0, 0 } }, old;
	struct timespec zero = { 0, 0 };
	sigset_t set;
	timer_t t;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	timer_create(CLOCK_MONOTONIC, &ev, &t);
	s.it_value.tv_sec = 10000;
	s.it_interval.tv_sec = 7;
	show("far", timer_settime(t, 0, &s, NULL));
	clock_gettime(CLOCK_MONOTONIC, &s.it_value);
	s.it_value.tv_nsec += 10000000;
	if (s.it_value.tv_nsec >= 1000000000) {
		s.it_value.tv_sec++;
		s.it_value.tv_nsec -= 1000000000;
	}
	s.it_interval.tv_sec = 0;
	show("absolute", timer_settime(t, TIMER_ABSTIME, &s, &old));
	printf("old %d every %ld\n", old.it_value.tv_sec > 9000,
	       (long)old.it_interval.tv_sec);
	show("wait", sigwaitinfo(&set, NULL) == SIGUSR1);
	memset(&s, 0, sizeof(s));
	s.it_value.tv_nsec = 1000000;
	timer_settime(t, 0, &s, NULL);
	usleep(5000);
	memset(&s, 0, sizeof(s));
	timer_settime(t, 0, &s, NULL);
	show("forgotten", sigtimedwait(&set, NULL, &zero));
	s.it_value.tv_nsec = -1;
	show("time", timer_settime(t, 0, &s, NULL));
	s.it_value.tv_nsec = 0;
	show("no such", syscall(SYS_timer_settime, 12345, 0, &s, NULL));
	show("null", syscall(SYS_timer_settime, 0, 0, NULL, NULL));
	return 0;
}
