/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it sleeps at least so long; bad times are refused. Method: the clock
 * before and after.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct timespec ts = { 0, 15000000 };
	uint64_t t0 = now_ns();

	show("sleep", nanosleep(&ts, NULL));
	printf("long enough %d\n", now_ns() - t0 >= 15000000);
	ts.tv_nsec = 1000000000;
	show("too many", nanosleep(&ts, NULL));
	ts.tv_nsec = -1;
	show("negative", nanosleep(&ts, NULL));
	ts.tv_nsec = 0;
	ts.tv_sec = -1;
	show("before", nanosleep(&ts, NULL));
	ts.tv_sec = 0;
	show("none", nanosleep(&ts, NULL));
	show("bad", syscall(SYS_nanosleep, BAD, NULL));
	return 0;
}
