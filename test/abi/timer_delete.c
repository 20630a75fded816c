/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a deleted timer is gone and sends no more. Method: delete while
 * armed, twice; on a machine so busy that the timer came first, again.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct itimerspec s = { { 0, 0 }, { 0, 50000000 } };
	struct timespec before, after;
	timer_t t;
	int r;

	handle(SIGALRM, 0);
	do {
		got_signal = 0;
		timer_create(CLOCK_MONOTONIC, NULL, &t);
		clock_gettime(CLOCK_MONOTONIC, &before);
		timer_settime(t, 0, &s, NULL);
		r = timer_delete(t);
		clock_gettime(CLOCK_MONOTONIC, &after);
	} while ((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
			 before.tv_nsec >
		 40000000);
	show("delete", r);
	usleep(70000);
	printf("got %d\n", got_signal);
	show("again", syscall(SYS_timer_delete, 0));
	return 0;
}
