/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a thread stays on the CPU that it asks for. Method: the first CPU of
 * the mask, getcpu.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	cpu_set_t all, one;
	unsigned cpu = 99, first = 0;

	show("get", sched_getaffinity(0, sizeof(all), &all));
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	show("set", sched_setaffinity(0, sizeof(one), &one));
	syscall(SYS_getcpu, &cpu, NULL, NULL);
	printf("there %d\n", cpu == first);
	CPU_ZERO(&all);
	sched_getaffinity(0, sizeof(all), &all);
	printf("count %d\n", CPU_COUNT(&all));
	CPU_ZERO(&one);
	show("none", sched_setaffinity(0, sizeof(one), &one));
	show("nobody", sched_setaffinity(0x3fffff, sizeof(all), &all));
	show("bad", syscall(SYS_sched_setaffinity, 0, 128, BAD));
	return 0;
}
