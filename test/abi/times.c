/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: ticks go up, children have none. Method: a loop that ends when they
 * did.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/times.h>

int
main(void)
{
	struct tms a, b;
	clock_t t0 = times(&a), t1;

	/* On a busy machine the program's share may come late. */
	while (times(&b) - t0 < 5 ||
	       b.tms_utime + b.tms_stime == a.tms_utime + a.tms_stime)
		;
	t1 = times(NULL);
	printf("elapsed %d, children %ld\n", t1 - t0 >= 5, (long)b.tms_cutime);
	show("bad", syscall(SYS_times, BAD));
	return 0;
}
