/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: brk moves the break both ways, gives zeroed memory, and answers the
 * old break when it cannot.  Method: the raw call.
 */
#define _GNU_SOURCE
#include "mm_common.h"

static unsigned long
brk_(unsigned long at)
{
	return (unsigned long)syscall(SYS_brk, at);
}

int
main(void)
{
	unsigned long start, now;
	unsigned char *p;
	struct rlimit rl;

	mm_setup();
	printf("brk\n");
	start = brk_(0);
	now = (start + PG - 1) & ~(PG - 1);
	printf("same %d\n", brk_(start - (1ul << 30)) == start);
	printf("top %d\n", brk_(1ul << 47) == start);
	printf("grow %d\n", brk_(now + 10 * PG) == now + 10 * PG);
	p = (unsigned char *)now;
	memset(p, 3, 10 * PG);
	printf("odd %d\n", brk_(now + 2 * PG + 5) == now + 2 * PG + 5);
	try_access("last page", p + 2 * PG + 100, 0);
	try_access("behind", p + 3 * PG, 0);
	printf("again %d\n", brk_(now + 4 * PG) == now + 4 * PG);
	printf("kept %d, fresh %d\n", p[2 * PG + 100], p[3 * PG]);
	getrlimit(RLIMIT_DATA, &rl);
	rl.rlim_cur = 16 * PG;
	setrlimit(RLIMIT_DATA, &rl);
	printf("limit %d\n", brk_(now + (1ul << 24)) == now + 4 * PG);
	return 0;
}
