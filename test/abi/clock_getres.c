/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what clock_getres says of each clock. Method: print it.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	for (int c = 0; c <= CLOCK_BOOTTIME; c++) {
		struct timespec ts = { 9, 9 };
		long err = syscall(SYS_clock_getres, c, &ts);

		printf("%d: %ld %ld.%09ld\n", c, err, (long)ts.tv_sec,
		       ts.tv_nsec);
	}
	show("no place", syscall(SYS_clock_getres, CLOCK_MONOTONIC, 0));
	show("clock 77", syscall(SYS_clock_getres, 77, 0));
	show("address", syscall(SYS_clock_getres, CLOCK_MONOTONIC, 1));
	return 0;
}
