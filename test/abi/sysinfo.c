/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: memory and time make sense. Method: relations.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/sysinfo.h>

int
main(void)
{
	struct sysinfo s;

	show("sysinfo", sysinfo(&s));
	printf("ram %d free %d procs %d unit %u\n", s.totalram > 0,
	       s.freeram <= s.totalram, s.procs > 0, s.mem_unit);
	show("bad", syscall(SYS_sysinfo, BAD));
	return 0;
}
