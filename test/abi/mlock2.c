/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: mlock2 checks its range and flags, and locked memory is present. */
#define _GNU_SOURCE
#include "mm_common.h"

static void
resident(unsigned char *p, int n)
{
	unsigned char vec[16];

	if (mincore(p, (size_t)n * PG, vec))
		return;
	for (int i = 0; i < n; i++)
		printf("%d", vec[i] & 1);
	printf("\n");
}

int
main(void)
{
	unsigned char *p = anon(4 * PG);

	mm_setup();
	SHOW(syscall(SYS_mlock2, p, PG, 0));
	SHOW(syscall(SYS_mlock2, p + 2 * PG, 2 * PG, 1));
	SHOW(syscall(SYS_mlock2, p, PG, 2));
	resident(p, 4);
	p[2 * PG] = 1;
	resident(p, 4);
	return 0;
}
