/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: gettimeofday by call and by the vDSO agree with clock_gettime.
 * Method: readings in turn.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static uint64_t
us_of(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;
}

int
main(void)
{
	struct timeval a, b, c;
	struct timezone tz = { 7, 7 };
	struct timespec ts;
	uint64_t t;

	show("call", syscall(SYS_gettimeofday, &a, &tz));
	printf("zone %d %d\n", tz.tz_minuteswest, tz.tz_dsttime);
	show("vdso", gettimeofday(&b, NULL));
	clock_gettime(CLOCK_REALTIME, &ts);
	gettimeofday(&c, NULL);
	printf("order %d\n", us_of(&a) <= us_of(&b));
	t = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	printf("same clock %d\n", us_of(&b) <= t && t <= us_of(&c));
	printf("this century %d\n", a.tv_sec > 1600000000);
	show("nothing", syscall(SYS_gettimeofday, 0, 0));
	show("address", syscall(SYS_gettimeofday, 1, 0));
	show("zone's address", syscall(SYS_gettimeofday, 0, 1));
	return 0;
}
