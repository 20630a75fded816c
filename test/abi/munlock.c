/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: munlock checks its range and flags, and locked memory is present. */
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
	SHOW(munlock(p, PG));
	SHOW(mlock(p, 4 * PG));
	SHOW(munlock(p + PG, PG));
	resident(p, 4);
	SHOW(madvise(p, PG, MADV_DONTNEED));
	SHOW(madvise(p + PG, PG, MADV_DONTNEED));
	munmap(p + 2 * PG, PG);
	SHOW(munlock(p, 4 * PG));
	SHOW(munlock(p, -1ul));
	return 0;
}
