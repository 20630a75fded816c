/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the raw old calls agree with prlimit. Method: both on RLIMIT_STACK.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/resource.h>

int
main(void)
{
	struct rlimit r = { 0, 0 }, o;

	show("get", syscall(SYS_getrlimit, RLIMIT_STACK, &r));
	prlimit(0, RLIMIT_STACK, NULL, &o);
	printf("%d %d\n", r.rlim_cur == o.rlim_cur, r.rlim_max == o.rlim_max);
	show("resource", syscall(SYS_getrlimit, 16, &r));
	show("bad", syscall(SYS_getrlimit, RLIMIT_STACK, BAD));
	return 0;
}
