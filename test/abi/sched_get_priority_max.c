/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the ranges of priorities. Method: each policy.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	for (int p = -1; p < 7; p++) {
		printf("%d ", p);
		show("max", sched_get_priority_max(p));
	}
	return 0;
}
