/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: mmap places, protects, shares and refuses as Linux does.
 * Method: each flag and each error once; private and shared files.
 */
#define _GNU_SOURCE
#include "mm_common.h"

#define MAP_(a, l, p, f, fd, o) SHOW(mmap((void *)(a), l, p, f, fd, o))
#define AP			(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW			(PROT_READ | PROT_WRITE)

static void
errors(int fd, int rofd, int wofd)
{
	unsigned char *p = anon(PG);

	MAP_(0, 0, RW, AP, -1, 0);
	MAP_(0, PG, RW, MAP_ANONYMOUS, -1, 0);
	MAP_(0, PG, RW, 3 | MAP_ANONYMOUS, -1, 0);
	MAP_(0, PG, RW, MAP_PRIVATE, -1, 0);
	MAP_(0, PG, RW, MAP_PRIVATE, 999, 0);
	MAP_(0, PG, RW, MAP_PRIVATE, fd, 1);
	MAP_(0, 0, RW, MAP_PRIVATE, fd, 0);
	MAP_(0, PG, RW, 0, fd, 0);
	MAP_(0, PG, RW, MAP_SHARED, rofd, 0);
	MAP_(0, PG, PROT_READ, MAP_SHARED, rofd, 0);
	MAP_(0, PG, RW, MAP_PRIVATE, rofd, 0);
	MAP_(0, PG, PROT_WRITE, MAP_SHARED, wofd, 0);
	MAP_(0, PG, PROT_READ, MAP_PRIVATE, wofd, 0);
	MAP_(123, PG, RW, AP | MAP_FIXED, -1, 0);
	MAP_(1ul << 47, PG, RW, AP | MAP_FIXED, -1, 0);
	MAP_(0, 1ul << 47, RW, AP, -1, 0);
	MAP_(0, -1ul, RW, AP, -1, 0);
	MAP_(p, PG, RW, AP | MAP_FIXED_NOREPLACE, -1, 0);
	MAP_(0, PG, RW, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0);
	MAP_(0, PG, RW, MAP_SHARED_VALIDATE | 0x200000, fd, 0);
	MAP_(0, PG, RW, MAP_SHARED_VALIDATE, fd, 0);
}

static void
anonymous(void)
{
	unsigned char *p = anon(4 * PG), *q;

	printf("zero %d %d\n", p[0], p[4 * PG - 1]);
	memset(p, 7, 4 * PG);
	q = mmap(p + PG, PG, RW, AP | MAP_FIXED, -1, 0);
	printf("fixed %d: %d %d %d\n", q == p + PG, p[0], p[PG], p[2 * PG]);
	munmap(p + PG, PG);
	q = mmap(p + PG, PG, RW, AP, -1, 0);
	printf("hint taken %d\n", q == p + PG);
	q = mmap(p + PG + 100, PG, RW, AP, -1, 0);
	printf("hint refused %d\n", q != p + PG && q != MAP_FAILED);
	q = mmap(NULL, PG, RW, AP | MAP_32BIT, -1, 0);
	printf("32 bit %d\n", (uintptr_t)q < 1ul << 31);
	q = mmap((void *)0x50000000, PG, RW, AP | MAP_32BIT, -1, 0);
	printf("32 bit hint %d\n", (uintptr_t)q == 0x50000000);
	q = mmap(p + PG, PG, RW, AP | MAP_32BIT, -1, 0);
	printf("32 bit hint refused %d\n", (uintptr_t)q < 1ul << 31);
	q = mmap(NULL, PG, PROT_NONE, AP, -1, 0);
	try_access("none", q, 0);
	q = mmap(NULL, PG, PROT_READ, AP, -1, 0);
	try_access("read", q, 0);
	try_access("write", q, 1);
	q = mmap(NULL, PG, PROT_WRITE, AP, -1, 0);
	try_access("write only, write", q, 1);
	q = mmap(NULL, 16 * PG, RW, AP | MAP_POPULATE, -1, 0);
	printf("populate %d\n", q[15 * PG]);
	q = mmap(NULL, 1ul << 40, PROT_NONE, AP | MAP_NORESERVE, -1, 0);
	printf("reserve %d\n", q != MAP_FAILED);
	q = mmap(NULL, PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	try_access("shared", q, 1);
	try_access("page zero", NULL, 0);
}

static void
files(int fd)
{
	unsigned char *p = mmap(NULL, 4 * PG, RW, MAP_PRIVATE, fd, 0);
	unsigned char *s = mmap(NULL, 4 * PG, RW, MAP_SHARED, fd, 0);
	unsigned char *o = mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, PG);
	char c = 0;

	printf("contents %c %c %c %c %c\n", p[0], p[PG], s[2 * PG], s[0], o[0]);
	p[0] = 'P';
	s[PG] = 'S';
	printf("after writes %c %c %c\n", s[0], p[PG], o[0]);
	if (pread(fd, &c, 1, PG) == 1)
		printf("read sees %c\n", c);
	if (pwrite(fd, "W", 1, 2 * PG) == 1)
		printf("write is seen %c %c\n", p[2 * PG], s[2 * PG]);
	p[PG] = 'Q';
	s[PG] = 'T';
	printf("private copy stays %c\n", p[PG]);
	try_access("beyond the end", s + 3 * PG, 0);
	try_access("beyond the end, write", s + 3 * PG, 1);
	if (ftruncate(fd, PG + 10) == 0) {
		printf("tail %d\n", s[PG + 10]);
		try_access("cut off", s + 2 * PG, 0);
		try_access("cut off, copy", p + 2 * PG, 0);
	}
	if (ftruncate(fd, 3 * PG) == 0)
		printf("grown %d\n", s[2 * PG]);
}

int
main(void)
{
	int fd = file_of("/tmp/mmap.test", 3);
	int rofd = open("/tmp/mmap.test", O_RDONLY);
	int wofd = open("/tmp/mmap.test", O_WRONLY);

	mm_setup();
	errors(fd, rofd, wofd);
	anonymous();
	files(fd);
	unlink("/tmp/mmap.test");
	return 0;
}
