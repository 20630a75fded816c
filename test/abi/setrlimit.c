/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the raw old call sets. Method: RLIMIT_CORE down.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/resource.h>

int
main(void)
{
	struct rlimit r = { 5, 10 }, o;

	show("set", syscall(SYS_setrlimit, RLIMIT_CORE, &r));
	prlimit(0, RLIMIT_CORE, NULL, &o);
	printf("%lu %lu\n", (unsigned long)o.rlim_cur,
	       (unsigned long)o.rlim_max);
	r.rlim_cur = 11;
	show("over", syscall(SYS_setrlimit, RLIMIT_CORE, &r));
	show("resource", syscall(SYS_setrlimit, 16, &r));
	return 0;
}
