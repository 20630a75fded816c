/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: limits are kept, told, and bounded. Method: RLIMIT_NOFILE and
 * RLIMIT_CORE.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <sys/resource.h>

int
main(void)
{
	struct rlimit r = { 100, 200 }, o;

	show("set", prlimit(0, RLIMIT_NOFILE, &r, NULL));
	show("get", prlimit(getpid(), RLIMIT_NOFILE, NULL, &o));
	printf("%lu %lu\n", (unsigned long)o.rlim_cur,
	       (unsigned long)o.rlim_max);
	r.rlim_cur = 300;
	show("soft over hard", prlimit(0, RLIMIT_NOFILE, &r, NULL));
	show("dup beyond", dup2(1, 150));
	show("dup within", dup2(1, 99));
	show("resource", prlimit(0, 16, NULL, &o));
	show("nobody", prlimit(0x3fffff, RLIMIT_NOFILE, NULL, &o));
	show("bad", prlimit(0, RLIMIT_NOFILE, BAD, NULL));
	return 0;
}
