/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: mremap grows, shrinks and moves, contents and all.  Method: each
 * flag, on anonymous and file memory; errors.
 */
#define _GNU_SOURCE
#include "mm_common.h"

static void
fill(unsigned char *p, int n)
{
	for (int i = 0; i < n; i++)
		p[(size_t)i * PG] = (unsigned char)(10 + i);
}

static void
print(const char *what, unsigned char *p, int n)
{
	printf("%s:", what);
	for (int i = 0; i < n; i++)
		printf(" %d", p[(size_t)i * PG]);
	printf("\n");
}

int
main(void)
{
	unsigned char *p = anon(16 * PG), *q, *r;
	int fd = file_of("/tmp/mremap.test", 4);

	mm_setup();
	fill(p, 4);
	SHOW(mremap(p + 1, PG, PG, 0));
	SHOW(mremap(p, PG, 0, 0));
	SHOW(mremap(p, PG, PG, 0x80));
	SHOW(mremap(p, PG, PG, MREMAP_FIXED, p + 8 * PG));
	SHOW(mremap(p, 0, PG, MREMAP_MAYMOVE));
	SHOW(mremap(p, 17 * PG, 18 * PG, MREMAP_MAYMOVE));
	SHOW(mremap(p, 2 * PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, p + PG));
	munmap(p + 8 * PG, 8 * PG);
	SHOW(mremap(p + 8 * PG, PG, PG, 0));
	/* in place */
	q = mremap(p, 8 * PG, 4 * PG, 0);
	printf("shrunk in place %d\n", p == q);
	try_access("cut off", p + 4 * PG, 0);
	q = mremap(p, 4 * PG, 6 * PG, 0);
	printf("grown in place %d\n", p == q);
	print("contents", p, 6);
	/* blocked: it must move */
	r = mmap(p + 6 * PG, PG, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	SHOW(mremap(p, 6 * PG, 8 * PG, 0));
	q = mremap(p, 6 * PG, 8 * PG, MREMAP_MAYMOVE);
	printf("moved %d\n", q != p && q != MAP_FAILED);
	print("contents", q, 8);
	try_access("old place", p, 0);
	munmap(r, PG);
	/* to a place of our choice, over what is there */
	r = anon(8 * PG);
	memset(r, 99, 8 * PG);
	p = mremap(q, 8 * PG, 3 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, r);
	printf("fixed %d\n", p == r);
	print("contents", r, 8);
	/* keeping the old place, empty */
	q = mremap(r, 3 * PG, 3 * PG, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	printf("dontunmap %d\n", q != MAP_FAILED && q != r);
	print("new", q, 3);
	print("old", r, 3);
	/* files */
	p = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PG);
	p[0] = 'X';
	q = mremap(p, 2 * PG, 3 * PG, MREMAP_MAYMOVE);
	printf("file %c %c %c\n", q[0], q[PG], q[2 * PG]);
	r = mremap(q, 0, 2 * PG, MREMAP_MAYMOVE);
	printf("second mapping %d\n", r != MAP_FAILED && r != q);
	q[0] = 'Y';
	printf("shared %c\n", r[0]);
	unlink("/tmp/mremap.test");
	return 0;
}
