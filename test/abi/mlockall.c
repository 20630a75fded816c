/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: mlockall checks its range and flags, and locked memory is present. */
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
	unsigned char *p = anon(4 * PG), *q;

	mm_setup();
	SHOW(mlockall(0));
	SHOW(mlockall(8));
	SHOW(mlockall(MCL_ONFAULT));
	SHOW(mlockall(MCL_CURRENT));
	resident(p, 4);
	q = anon(4 * PG);
	resident(q, 4);
	SHOW(mlockall(MCL_FUTURE));
	q = anon(3 * PG);
	resident(q, 3);
	SHOW(munlockall());
	return 0;
}
