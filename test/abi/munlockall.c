/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: munlockall checks its range and flags, and locked memory is present. */
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
	unsigned char *p;

	mm_setup();
	SHOW(mlockall(MCL_CURRENT | MCL_FUTURE));
	p = anon(2 * PG);
	resident(p, 2);
	SHOW(madvise(p, PG, MADV_DONTNEED));
	SHOW(munlockall());
	SHOW(madvise(p, PG, MADV_DONTNEED));
	p = anon(2 * PG);
	resident(p, 2);
	return 0;
}
