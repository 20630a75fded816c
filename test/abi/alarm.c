/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it sends SIGALRM after whole seconds and tells what was left. Method:
 * an alarm that is replaced.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	handle(SIGALRM, 0);
	show("first", alarm(10));
	show("second", alarm(20));
	show("off", alarm(0));
	show("none", alarm(0));
	alarm(1);
	pause();
	printf("got %d code %d\n", got_signal == SIGALRM,
	       got_code == SI_KERNEL);
	return 0;
}
