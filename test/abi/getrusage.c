/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: CPU time grows with use, memory is told. Method: a loop.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/resource.h>

int
main(void)
{
	struct rusage a, b;
	volatile unsigned x = 0;
	uint64_t t0 = now_ns();

	show("self", getrusage(RUSAGE_SELF, &a));
	while (now_ns() - t0 < 60000000)
		x++;
	getrusage(RUSAGE_SELF, &b);
	printf("more %d, rss %d\n",
	       b.ru_utime.tv_sec * 1000000 + b.ru_utime.tv_usec +
			       b.ru_stime.tv_sec * 1000000 +
			       b.ru_stime.tv_usec >
		       a.ru_utime.tv_sec * 1000000 + a.ru_utime.tv_usec +
			       a.ru_stime.tv_sec * 1000000 + a.ru_stime.tv_usec,
	       b.ru_maxrss > 0);
	show("thread", getrusage(RUSAGE_THREAD, &b));
	show("children", getrusage(RUSAGE_CHILDREN, &b));
	printf("%ld\n", (long)b.ru_utime.tv_sec);
	show("who", getrusage(7, &b));
	show("bad", syscall(SYS_getrusage, RUSAGE_SELF, BAD));
	return 0;
}
