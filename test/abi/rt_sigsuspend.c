/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it sleeps with another mask, returns after the handler, and puts the
 * mask back. Method: a timer.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct itimerval v = { .it_value.tv_usec = 20000 };
	sigset_t set, old;

	handle(SIGALRM, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &v, NULL);
	sigemptyset(&set);
	show("suspend", sigsuspend(&set));
	sigprocmask(SIG_SETMASK, NULL, &old);
	printf("got %d, blocked again %d\n", got_signal == SIGALRM,
	       sigismember(&old, SIGALRM));
	show("size", syscall(SYS_rt_sigsuspend, &set, 4));
	show("bad", syscall(SYS_rt_sigsuspend, BAD, 8));
	return 0;
}
