/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: keys are handed out, or refused as on a CPU that has none; without a
 * key pkey_mprotect is mprotect.
 * Method: what does not depend on the CPU; a key, where there is one, is
 * used and given back.
 * CALLS: pkey_free pkey_mprotect
 */
#define _GNU_SOURCE
#include "mm_common.h"

#define ALLOC(f, r)		syscall(SYS_pkey_alloc, f, r)
#define FREE(k)			syscall(SYS_pkey_free, k)
#define MPROTECT(p, n, prot, k) syscall(SYS_pkey_mprotect, p, n, prot, k)

int
main(void)
{
	unsigned char *p = anon(2 * PG);
	long k;

	mm_setup();
	SHOW(ALLOC(1, 0));
	SHOW(ALLOC(0, 4));
	SHOW(ALLOC(0, -1));
	SHOW(FREE(-1));
	SHOW(FREE(15));
	SHOW(FREE(16));
	SHOW(FREE(99));
	k = ALLOC(0, 0);
	/* Without keys Linux itself answers one or the other. */
	if (k < 0 && errno != ENOSPC && errno != EINVAL)
		printf("alloc: %s\n", strerrorname_np(errno));
	if (k >= 0 && (MPROTECT(p, PG, PROT_READ, k) || FREE(k) || !FREE(k)))
		printf("a key that does not work\n");
	SHOW(MPROTECT(p, PG, PROT_READ, -1));
	try_access("read", p, 0);
	try_access("write", p, 1);
	SHOW(MPROTECT(p, PG, PROT_NONE, -1));
	try_access("read", p, 0);
	SHOW(MPROTECT(p, PG, PROT_READ | PROT_WRITE, -1));
	try_access("write", p, 1);
	SHOW(MPROTECT(p + 1, PG, PROT_READ, -1));
	SHOW(MPROTECT(p, PG, 0x40, -1));
	SHOW(MPROTECT(p, PG, PROT_READ, 15));
	SHOW(MPROTECT(p, PG, PROT_READ, 16));
	SHOW(MPROTECT(p, PG, PROT_READ, -2));
	munmap(p + PG, PG);
	SHOW(MPROTECT(p, 2 * PG, PROT_READ, -1));
	try_access("write", p, 1);
	return 0;
}
