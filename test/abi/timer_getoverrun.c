/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: periods missed while the signal was blocked are counted. Method: a
 * fast timer, a long block.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN };
	struct itimerspec s = { { 0, 2000000 }, { 0, 2000000 } };
	siginfo_t info;
	sigset_t set;
	timer_t t;
	uint64_t t0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	timer_create(CLOCK_MONOTONIC, &ev, &t);
	show("none", timer_getoverrun(t));
	timer_settime(t, 0, &s, NULL);
	usleep(40000);
	t0 = now_ns();
	sigwaitinfo(&set, &info);
	printf("overrun %d, the same %d\n", info.si_overrun >= 15,
	       timer_getoverrun(t) == info.si_overrun);
	sigwaitinfo(&set, &info);
	/* Those of before are not told again. */
	printf("little %d\n",
	       (uint64_t)info.si_overrun <= (now_ns() - t0) / 2000000 + 1);
	show("no such", syscall(SYS_timer_getoverrun, 12345));
	return 0;
}
