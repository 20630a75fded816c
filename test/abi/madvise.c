/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: advice that has effects has them; errors as Linux.  Method: DONTNEED
 * on anonymous, file and read-only memory, parts of large areas; the
 * populating forms; unknown advice.
 */
#define _GNU_SOURCE
#include "mm_common.h"

int
main(void)
{
	unsigned char *p = anon(8 * PG), *q;
	int fd = file_of("/tmp/madvise.test", 4);

	mm_setup();
	memset(p, 5, 8 * PG);
	SHOW(madvise(p + 1, PG, MADV_DONTNEED));
	SHOW(madvise(p, PG, 12345));
	SHOW(madvise(p, -1ul, MADV_DONTNEED));
	SHOW(madvise(p, 0, MADV_DONTNEED));
	SHOW(madvise(p + PG, 2 * PG, MADV_DONTNEED));
	printf("%d %d %d %d\n", p[0], p[PG], p[2 * PG], p[3 * PG]);
	munmap(p + 4 * PG, PG);
	SHOW(madvise(p + 3 * PG, 3 * PG, MADV_DONTNEED));
	printf("%d %d %d\n", p[3 * PG], p[5 * PG], p[6 * PG]);
	SHOW(madvise(p, PG, MADV_NORMAL));
	SHOW(madvise(p, PG, MADV_RANDOM));
	SHOW(madvise(p, PG, MADV_SEQUENTIAL));
	SHOW(madvise(p, PG, MADV_WILLNEED));
	SHOW(madvise(p, PG, MADV_DONTDUMP));
	SHOW(madvise(p, PG, MADV_DODUMP));
	SHOW(madvise(p, PG, MADV_DONTFORK));
	SHOW(madvise(p, PG, MADV_DOFORK));
	SHOW(madvise(p, PG, MADV_FREE));
	q = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	SHOW(madvise(q, PG, MADV_FREE));
	SHOW(madvise(q, PG, MADV_WIPEONFORK));
	SHOW(madvise(q, 4 * PG, MADV_WILLNEED));
	q[0] = 'X';
	SHOW(madvise(q, PG, MADV_DONTNEED));
	printf("file again %c\n", q[0]);
	mprotect(p, PG, PROT_READ);
	SHOW(madvise(p, PG, MADV_POPULATE_READ));
	SHOW(madvise(p, PG, MADV_POPULATE_WRITE));
	SHOW(madvise(p + 4 * PG, PG, MADV_POPULATE_READ));
	SHOW(madvise(p + 5 * PG, PG, MADV_POPULATE_WRITE));
	/* parts of what may be a large page */
	p = anon(6ul << 20);
	memset(p, 8, 6ul << 20);
	SHOW(madvise(p + (3ul << 20) + PG, PG, MADV_DONTNEED));
	printf("%d %d %d\n", p[3ul << 20], p[(3ul << 20) + PG],
	       p[(3ul << 20) + 2 * PG]);
	SHOW(madvise(p, 6ul << 20, MADV_DONTNEED));
	printf("%d %d\n", p[0], p[(6ul << 20) - 1]);
	unlink("/tmp/madvise.test");
	return 0;
}
