/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: msync checks its arguments and what it syncs is in the file. */
#define _GNU_SOURCE
#include "mm_common.h"

int
main(void)
{
	int fd = file_of("/tmp/msync.test", 3);
	unsigned char *p =
		mmap(NULL, 3 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char c = 0;

	mm_setup();
	p[PG] = 'Z';
	SHOW(msync(p, 3 * PG, MS_SYNC));
	SHOW(msync(p, 3 * PG, MS_ASYNC));
	SHOW(msync(p, 3 * PG, 0));
	SHOW(msync(p, 3 * PG, MS_SYNC | MS_ASYNC));
	SHOW(msync(p, 3 * PG, MS_INVALIDATE));
	SHOW(msync(p, 3 * PG, 0x100));
	SHOW(msync(p + 1, PG, MS_SYNC));
	SHOW(msync(p, 0, MS_SYNC));
	munmap(p + PG, PG);
	SHOW(msync(p, 3 * PG, MS_SYNC));
	SHOW(msync(p + PG, PG, MS_SYNC));
	if (pread(fd, &c, 1, PG) == 1)
		printf("%c\n", c);
	unlink("/tmp/msync.test");
	return 0;
}
