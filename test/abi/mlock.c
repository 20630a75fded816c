/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: mlock checks its range and flags, and locked memory is present. */
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
	unsigned char *p = anon(8 * PG);

	mm_setup();
	SHOW(mlock(p + 100, PG));
	resident(p, 8);
	SHOW(mlock(p, 0));
	munmap(p + 4 * PG, PG);
	SHOW(mlock(p + 3 * PG, 3 * PG));
	SHOW(mlock((void *)(1ul << 47), PG));
	SHOW(mlock(p, -1ul));
	SHOW(madvise(p, PG, MADV_DONTNEED));
	SHOW(munlock(p, 2 * PG));
	SHOW(madvise(p, PG, MADV_DONTNEED));
	return 0;
}
