/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it takes a pending signal with its information, in order, or times
 * out; other signals interrupt it. Method: queued real-time signals.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct timespec zero = { 0, 0 }, some = { 0, 20000000 };
	/* It comes again, should the first come before the wait. */
	struct itimerval v = { .it_value.tv_usec = 20000,
			       .it_interval.tv_usec = 20000 };
	union sigval val;
	sigset_t set;
	siginfo_t info;
	uint64_t t0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	show("none", sigtimedwait(&set, &info, &zero));
	for (int i = 0; i < 3; i++) {
		val.sival_int = 100 + i;
		sigqueue(getpid(), SIGRTMIN + 1, val);
		sigqueue(getpid(), SIGRTMIN, val);
	}
	for (int i = 0; i < 6; i++) {
		int n = sigtimedwait(&set, &info, &zero);

		printf("rt %d value %d code %d\n", n - SIGRTMIN,
		       info.si_value.sival_int, info.si_code == SI_QUEUE);
	}
	t0 = now_ns();
	show("timeout", sigtimedwait(&set, &info, &some));
	printf("waited %d\n", now_ns() - t0 >= 20000000);
	handle(SIGALRM, 0);
	setitimer(ITIMER_REAL, &v, NULL);
	show("interrupted", sigtimedwait(&set, &info, NULL));
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	some.tv_nsec = 1000000000;
	show("bad time", sigtimedwait(&set, &info, &some));
	show("bad set", syscall(SYS_rt_sigtimedwait, BAD, NULL, NULL, 8));
	return 0;
}
