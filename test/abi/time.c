/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: time by call and by the vDSO. Method: compare.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	time_t there = 0, a = (time_t)syscall(SYS_time, &there), b = time(NULL);
	time_t c = (time_t)syscall(SYS_time, NULL);

	printf("%d %d\n", a == there, a <= b && b <= c);
	show("address", syscall(SYS_time, 1));
	return 0;
}
