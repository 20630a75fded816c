/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: sizes and errors. Method: the raw call.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	unsigned long m[16] = { 0 };

	printf("positive %d\n",
	       syscall(SYS_sched_getaffinity, 0, sizeof(m), m) > 0);
	printf("some %d\n", m[0] != 0);
	show("odd size", syscall(SYS_sched_getaffinity, 0, 9, m));
	show("small", syscall(SYS_sched_getaffinity, 0, 0, m));
	show("nobody", syscall(SYS_sched_getaffinity, 0x3fffff, 128, m));
	show("bad", syscall(SYS_sched_getaffinity, 0, 128, BAD));
	return 0;
}
