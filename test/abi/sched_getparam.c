/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: priority 0, and errors. Method: the caller, nobody.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct sched_param p = { 9 };

	show("self", sched_getparam(0, &p));
	printf("%d\n", p.sched_priority);
	show("nobody", sched_getparam(0x3fffff, &p));
	show("negative", sched_getparam(-1, &p));
	return 0;
}
