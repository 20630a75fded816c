/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: clock_gettime by call and by the vDSO agree and go forward; unknown
 * clocks and bad addresses are refused. Method: readings in turn.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static uint64_t
by_call(clockid_t c)
{
	struct timespec ts = { 0, 0 };

	syscall(SYS_clock_gettime, c, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t
by_vdso(clockid_t c)
{
	struct timespec ts = { 0, 0 };

	clock_gettime(c, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

int
main(void)
{
	const clockid_t clocks[] = {
		CLOCK_REALTIME,
		CLOCK_MONOTONIC,
		CLOCK_MONOTONIC_RAW,
		CLOCK_BOOTTIME,
		CLOCK_TAI,
		CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID,
	};
	struct timespec ts;

	for (int i = 0; i < 7; i++) {
		uint64_t a = by_call(clocks[i]), b = by_vdso(clocks[i]);
		uint64_t c = by_call(clocks[i]);

		printf("%d: %d %d %d\n", i, a > 0, a <= b, b <= c);
	}
	/* The coarse ones are at most a tick behind. */
	for (clockid_t c = CLOCK_REALTIME_COARSE; c <= CLOCK_MONOTONIC_COARSE;
	     c++) {
		uint64_t a = by_vdso(c - 5), b = by_vdso(c);

		printf("coarse %d: %d\n", c, b + 20000000 > a);
	}
	show("clock 12", syscall(SYS_clock_gettime, 12, &ts));
	show("clock 77", syscall(SYS_clock_gettime, 77, &ts));
	show("address", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 1));
	show("no address", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 0));
	return 0;
}
