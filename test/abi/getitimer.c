/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: all three timers are off at the start. Method: one look each.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct itimerval v;

	for (int i = 0; i < 4; i++) {
		memset(&v, 1, sizeof(v));
		show("get", getitimer(i, &v));
		if (i < 3)
			printf("%ld %ld %ld %ld\n", (long)v.it_value.tv_sec,
			       (long)v.it_value.tv_usec,
			       (long)v.it_interval.tv_sec,
			       (long)v.it_interval.tv_usec);
	}
	show("bad", syscall(SYS_getitimer, ITIMER_REAL, BAD));
	return 0;
}
