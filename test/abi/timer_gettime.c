/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the time left and the interval. Method: one timer, before and after
 * arming.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct itimerspec s = { { 3, 5 }, { 5000, 0 } }, g;
	timer_t t;

	timer_create(CLOCK_MONOTONIC, NULL, &t);
	show("get", timer_gettime(t, &g));
	printf("%ld %ld\n", (long)g.it_value.tv_sec, (long)g.it_value.tv_nsec);
	timer_settime(t, 0, &s, NULL);
	show("get", timer_gettime(t, &g));
	printf("left %d, every %ld %ld\n",
	       g.it_value.tv_sec > 4000 && g.it_value.tv_sec <= 5000,
	       (long)g.it_interval.tv_sec, (long)g.it_interval.tv_nsec);
	show("no such", syscall(SYS_timer_gettime, 12345, &g));
	return 0;
}
