/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: ticks go up, children have none. Method: a loop.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/times.h>

int
main(void)
{
	struct tms a, b;
	clock_t t0 = times(&a), t1;

	while (times(&b) - t0 < 5)
		;
	t1 = times(NULL);
	printf("elapsed %d, used %d, children %ld\n", t1 - t0 >= 5,
	       b.tms_utime + b.tms_stime > a.tms_utime + a.tms_stime,
	       (long)b.tms_cutime);
	show("bad", syscall(SYS_times, BAD));
	return 0;
}
