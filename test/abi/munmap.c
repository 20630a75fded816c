/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: munmap takes away exactly the range.  Method: ends, middles, holes,
 * several mappings at once, errors.
 */
#define _GNU_SOURCE
#include "mm_common.h"

int
main(void)
{
	unsigned char *p;

	mm_setup();
	p = anon(8 * PG);
	memset(p, 1, 8 * PG);
	SHOW(munmap(p + 1, PG));
	SHOW(munmap(p, 0));
	SHOW(munmap((void *)(1ul << 47), PG));
	SHOW(munmap(p, -1ul));
	SHOW(munmap(p + 2 * PG, PG + 1)); /* rounded up: two pages */
	try_access("page 1", p + PG, 1);
	try_access("page 2", p + 2 * PG, 0);
	try_access("page 3", p + 3 * PG, 0);
	try_access("page 4", p + 4 * PG, 1);
	SHOW(munmap(p + 2 * PG, 2 * PG)); /* nothing there */
	mprotect(p + 5 * PG, PG, PROT_READ);
	SHOW(munmap(p + PG, 6 * PG));
	try_access("page 0", p, 1);
	try_access("page 1", p + PG, 0);
	try_access("page 6", p + 6 * PG, 0);
	try_access("page 7", p + 7 * PG, 1);
	/* large pages, if there are any, in pieces */
	p = anon(8ul << 20);
	memset(p, 5, 8ul << 20);
	SHOW(munmap(p + (3ul << 20) + PG, PG));
	SHOW(munmap(p + (1ul << 20), PG));
	try_access("before", p + (1ul << 20) - 1, 0);
	try_access("hole", p + (1ul << 20), 0);
	try_access("behind", p + (1ul << 20) + PG, 0);
	SHOW(munmap(p, 8ul << 20));
	return 0;
}
