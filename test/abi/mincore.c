/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: mincore tells touched pages from untouched ones. */
#define _GNU_SOURCE
#include "mm_common.h"

int
main(void)
{
	unsigned char *p = anon(6 * PG), vec[8] = { 0 };

	mm_setup();
	p[0] = p[3 * PG] = 1;
	SHOW(mincore(p, 6 * PG, vec));
	for (int i = 0; i < 6; i++)
		printf("%d", vec[i] & 1);
	printf("\n");
	SHOW(mincore(p + 1, PG, vec));
	SHOW(mincore(p, 0, vec));
	SHOW(mincore(p, PG, (unsigned char *)8));
	munmap(p + 2 * PG, PG);
	SHOW(mincore(p, 4 * PG, vec));
	SHOW(mincore((void *)(1ul << 47), PG, vec));
	return 0;
}
