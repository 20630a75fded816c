/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it sends SIGALRM after whole seconds and tells what was left. Method:
 * an alarm that is replaced.
 */
#define _GNU_SOURCE
#include "proc_common.h"

/* In whole seconds, rounded to the nearest; it is less if time has passed. */
static void
left(const char *what, unsigned r, unsigned of)
{
	printf("%s: %d\n", what, r > of - 60 && r <= of);
}

int
main(void)
{
	sigset_t set, none;

	handle(SIGALRM, 0);
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	show("first", alarm(100));
	left("second", alarm(200), 100);
	left("off", alarm(0), 200);
	show("none", alarm(0));
	alarm(1);
	sigsuspend(&none);
	printf("got %d code %d\n", got_signal == SIGALRM,
	       got_code == SI_KERNEL);
	return 0;
}
