/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the policy is the ordinary one. Method: the caller, nobody.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct sched_param p = { 9 };

	show("self", sched_getscheduler(0));
	show("nobody", sched_getscheduler(0x3fffff));
	show("negative", sched_getscheduler(-1));
	show("param", sched_getparam(0, &p));
	printf("priority %d\n", p.sched_priority);
	return 0;
}
