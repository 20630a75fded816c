/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what clock_settime refuses (setting the clock would disturb the host
 * that this test also runs on). Method: bad clocks, times, addresses.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct timespec ts = { -1, 0 };

	show("monotonic", syscall(SYS_clock_settime, CLOCK_MONOTONIC, &ts));
	show("cpu", syscall(SYS_clock_settime, CLOCK_PROCESS_CPUTIME_ID, &ts));
	show("clock 77", syscall(SYS_clock_settime, 77, &ts));
	show("before 1970", syscall(SYS_clock_settime, CLOCK_REALTIME, &ts));
	ts.tv_sec = 1;
	ts.tv_nsec = 1000000000;
	show("fraction", syscall(SYS_clock_settime, CLOCK_REALTIME, &ts));
	show("address", syscall(SYS_clock_settime, CLOCK_REALTIME, 1));
	return 0;
}
