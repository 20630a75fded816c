/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a CPU that the mask has, node 0. Method: the raw call.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	unsigned cpu = 999, node = 999;
	cpu_set_t set;

	show("getcpu", syscall(SYS_getcpu, &cpu, &node, NULL));
	sched_getaffinity(0, sizeof(set), &set);
	printf("in mask %d, node %u\n", CPU_ISSET(cpu, &set) != 0, node);
	show("neither", syscall(SYS_getcpu, NULL, NULL, NULL));
	show("bad", syscall(SYS_getcpu, BAD, NULL, NULL));
	return 0;
}
