/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: mprotect gives and takes what it says, at once.  Method: all
 * protections on one page and on part of several mappings; code written
 * then executed; errors.
 */
#define _GNU_SOURCE
#include "mm_common.h"

#define RW (PROT_READ | PROT_WRITE)

static void
all_protections(unsigned char *p)
{
	for (int prot = 0; prot < 8; prot++) {
		printf("prot %d\n", prot);
		SHOW(mprotect(p, PG, prot));
		try_access(" read", p, 0);
		try_access(" write", p, 1);
	}
	SHOW(mprotect(p, PG, RW));
	try_access("again", p, 1);
}

int
main(void)
{
	unsigned char *p = anon(8 * PG);
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	int fd = file_of("/tmp/mprotect.test", 2);
	int rofd = open("/tmp/mprotect.test", O_RDONLY);
	unsigned char *f;
	int (*fn)(void);

	mm_setup();
	SHOW(mprotect(p + 1, PG, RW));
	SHOW(mprotect(p, 0, RW));
	SHOW(mprotect(p, PG, 0x40));
	SHOW(mprotect(p, PG, PROT_GROWSDOWN | PROT_GROWSUP));
	SHOW(mprotect(p, PG, RW | PROT_GROWSDOWN));
	SHOW(mprotect((void *)(1ul << 47), PG, RW));
	SHOW(mprotect(p, -PG, RW));
	all_protections(p);
	/* never touched before */
	SHOW(mprotect(p + PG, PG, PROT_READ));
	try_access("fresh read", p + PG, 0);
	SHOW(mprotect(p + PG, PG, RW));
	try_access("fresh write", p + PG, 1);
	/* part of a mapping, and a hole: what lies before it changes */
	memset(p, 9, 8 * PG);
	SHOW(mprotect(p + 2 * PG, 2 * PG, PROT_READ));
	try_access("1", p + PG, 1);
	try_access("2", p + 2 * PG, 1);
	try_access("4", p + 4 * PG, 1);
	munmap(p + 5 * PG, PG);
	SHOW(mprotect(p + 4 * PG, 3 * PG, PROT_READ));
	try_access("before the hole", p + 4 * PG, 1);
	try_access("behind the hole", p + 6 * PG, 1);
	/* code */
	memcpy(p, code, sizeof(code));
	if (sigsetjmp(mm_jump, 1) == 0) {
		fn = (int (*)(void))(uintptr_t)p;
		printf("not executable: %d\n", fn());
	} else {
		printf("not executable: signal %d code %d\n", mm_sig, mm_code);
	}
	SHOW(mprotect(p, PG, PROT_READ | PROT_EXEC));
	fn = (int (*)(void))(uintptr_t)p;
	printf("executable: %d\n", fn());
	/* files */
	f = mmap(NULL, PG, PROT_READ, MAP_SHARED, rofd, 0);
	SHOW(mprotect(f, PG, RW));
	f = mmap(NULL, PG, PROT_READ, MAP_PRIVATE, rofd, 0);
	SHOW(mprotect(f, PG, RW));
	try_access("private file", f, 1);
	f = mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 0);
	try_access("shared file", f, 0);
	SHOW(mprotect(f, PG, RW));
	try_access("shared file", f, 1);
	unlink("/tmp/mprotect.test");
	return 0;
}
