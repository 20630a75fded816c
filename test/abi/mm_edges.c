/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the errors of calls on memory, where several could be told; ranges
 * of several mappings; a stack whose limit was raised.  Method: as on Linux.
 * CALLS: mremap mprotect mincore mmap setrlimit
 */
#define _GNU_SOURCE
#include "mm_common.h"

static int __attribute__((noinline)) deep(int n)
{
	volatile char b[4096];

	memset((void *)b, n, sizeof(b));
	return n <= 0 ? b[5] : deep(n - 1) + b[7];
}

static void
protect(unsigned char *p)
{
	SHOW((void *)syscall(SYS_mprotect, p, 0, 0x100));
	SHOW((void *)syscall(SYS_mprotect, p, -PG, 0x100));
	SHOW((void *)syscall(SYS_mprotect, p, 1ul << 47, 0x100));
	SHOW((void *)syscall(SYS_mprotect, p, 1ul << 47, PROT_READ));
	SHOW((void *)syscall(SYS_mprotect, p, PG, 0x100));
	SHOW((void *)syscall(SYS_mprotect, p, 0, PROT_GROWSUP));
	SHOW((void *)syscall(SYS_mprotect, p + 1, 0, 0x100));
}

static void
shrink(void)
{
	unsigned char *p = anon(6 * PG);

	mprotect(p + 3 * PG, PG, PROT_READ);
	munmap(p + 4 * PG, PG);
	SHOW(mremap(p, 6 * PG, 2 * PG, 0) == p ? NULL : MAP_FAILED);
	SHOW(mremap(p + 4 * PG, PG, 1, 0));
	p = anon(6 * PG);
	mprotect(p + 3 * PG, PG, PROT_READ);
	SHOW(mremap(p, 6 * PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, anon(PG)) ==
			     MAP_FAILED ?
		     MAP_FAILED :
		     NULL);
	p = anon(6 * PG);
	mprotect(p + 3 * PG, PG, PROT_READ);
	SHOW(mremap(p, 6 * PG, 7 * PG, MREMAP_MAYMOVE));
}

int
main(void)
{
	struct rlimit rl = { 64 << 20, RLIM_INFINITY };
	unsigned char *p = anon(4 * PG), vec[4];
	int fd = file_of("/tmp/mm_edges.test", 2);

	mm_setup();
	protect(p);
	shrink();
	SHOW((void *)syscall(SYS_mincore, PG, PG, -1l));
	SHOW((void *)syscall(SYS_mincore, p, PG, 1ul << 47));
	SHOW((void *)syscall(SYS_mincore, p, 0, -1l));
	SHOW((void *)syscall(SYS_mincore, p, 1ul << 48, vec));
	SHOW(mmap(NULL, PG, PROT_READ, MAP_PRIVATE | MAP_HUGETLB, fd, 0));
	SHOW(mmap(NULL, PG, PROT_READ, MAP_SHARED, fd,
		  (off_t)0xffffffffffff0000));
	SHOW(mmap(NULL, PG, PROT_READ, MAP_SHARED, fd,
		  (off_t)0x8000000000000000));
	setrlimit(RLIMIT_STACK, &rl);
	printf("deep %d\n", deep(4000) != 1);
	return 0;
}
