/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: relative and absolute sleeps on each clock. Method: the clock before
 * and after. (The CPU clocks are left out.)
 */
#define _GNU_SOURCE
#include "proc_common.h"

static int
sleep_on(clockid_t c, int flags, long ns)
{
	struct timespec ts = { 0, 0 };

	if (flags)
		clock_gettime(c, &ts);
	ts.tv_nsec += ns;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return clock_nanosleep(c, flags, &ts, NULL);
}

int
main(void)
{
	const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC,
				     CLOCK_BOOTTIME };
	struct timespec ts = { 0, 0 };

	for (int i = 0; i < 3; i++)
		for (int flags = 0; flags < 2; flags++) {
			uint64_t t0 = now_ns();
			int err = sleep_on(clocks[i], flags, 12000000);

			printf("%d %d: %d %d\n", i, flags, err,
			       now_ns() - t0 >= 11900000);
		}
	printf("past %d\n",
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	printf("thread %d\n",
	       clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL));
	printf("clock %d\n", clock_nanosleep(77, 0, &ts, NULL));
	ts.tv_nsec = 2000000000;
	printf("time %d\n", clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL));
	return 0;
}
