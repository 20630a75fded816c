/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what calls on memory leave behind, where mappings of all kinds meet.
 * Method: a seeded sequence of calls within 48 pages, of anonymous memory and
 * three files; after each its result and a sum of what can be read.  Linux
 * since 6.17 moves several mappings at once, so those are not tried.
 * CALLS: mmap munmap mprotect mremap madvise mincore msync mlock munlock
 */
#define _GNU_SOURCE
#include "mm_common.h"

#include <sys/uio.h>

#define BASE   ((unsigned char *)0x200000000000)
#define PAGES  48u
#define NFILES 3u
#define STEPS  250

static uint64_t state;
static int fd[NFILES];

static uint32_t
next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 11);
}

static unsigned char *
place(void)
{
	return BASE + next() % PAGES * PG;
}

static size_t
length(void)
{
	unsigned k = next() % 10;

	if (k < 6)
		return (1 + next() % 6) * PG;
	if (k < 8)
		return (1 + next() % 24) * PG;
	return k < 9 ? next() % (8 * PG) : 0;
}

/* By the kernel's hand: what may not be read is no signal. */
static long
reach(void *at, void *buf, size_t len, int write)
{
	struct iovec l = { buf, len }, r = { at, len };

	return write ? process_vm_writev(getpid(), &l, 1, &r, 1, 0) :
		       process_vm_readv(getpid(), &l, 1, &r, 1, 0);
}

static uint64_t
sum(void)
{
	uint64_t h = 14695981039346656037u;

	for (unsigned i = 0; i < PAGES; i++) {
		unsigned char b = 0;
		int there = reach(BASE + i * PG + i * 37, &b, 1, 0) == 1;

		h = (h ^ (there ? b + 1u : 0)) * 1099511628211u;
	}
	return h;
}

/* Never write access alone: who may read that differs. */
static int
protection(uint32_t x)
{
	static const int prot[] = { PROT_NONE, PROT_READ,
				    PROT_READ | PROT_WRITE };

	return prot[x % 3];
}

static void *
remap(unsigned char *a, size_t len, uint32_t x)
{
	unsigned char *to = place();
	size_t new_len = length();
	int flags = 0;

	if (x & 1) {
		flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		if (new_len <= len)
			len = PG;
		if (x & 2 || new_len < PG)
			new_len = PG;
		if (x % 8 == 7) {
			flags |= MREMAP_DONTUNMAP;
			len = new_len = PG;
		}
	}
	return mremap(a, len, new_len, flags, to);
}

static int
advise(unsigned char *a, size_t len, uint32_t x)
{
	static const int advice[] = {
		MADV_DONTNEED,	    MADV_NORMAL,	 MADV_WILLNEED,
		MADV_DONTDUMP,	    MADV_DODUMP,	 MADV_RANDOM,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE,
	};

	return madvise(a, len, advice[x % 8]);
}

static int
sync_flags(uint32_t x)
{
	static const int flags[] = { MS_SYNC, MS_ASYNC, MS_INVALIDATE };

	return flags[x % 3];
}

static long
step(void)
{
	uint32_t op = next() % 14, x = next();
	unsigned char *a = place(), buf[100], vec[PAGES + 24];
	size_t len = length();

	memset(buf, (int)x, sizeof(buf));
	switch (op) {
	case 0:
	case 1:
		return (long)mmap(a, len, protection(x),
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0);
	case 2:
		return (long)mmap(
			a, len, protection(x),
			(x & 16 ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
			fd[(x >> 8) % NFILES], (off_t)((x >> 12) % 14 * PG));
	case 3:
		return munmap(a, len);
	case 4:
	case 5:
		return mprotect(a, len, protection(x));
	case 6:
		return (long)remap(a, len, x);
	case 7:
		return advise(a, len, x);
	case 8:
		return mincore(a, len, vec);
	case 9:
		return msync(a, len, sync_flags(x));
	case 10:
		return x & 1 ? mlock(a, len) : munlock(a, len);
	case 11:
		return reach(a + x % PG, buf, 32, 1);
	case 12:
		return pwrite(fd[x % NFILES], buf, sizeof(buf),
			      (off_t)((x >> 4) % (14 * PG)));
	default:
		return ftruncate(fd[x % NFILES], (off_t)((x >> 4) % (14 * PG)));
	}
}

static void
run(unsigned seed)
{
	unsigned char page[PG];

	state = 0x9e3779b97f4a7c15u * (seed + 1);
	for (unsigned i = 0; i < NFILES; i++) {
		fd[i] = i ? file_of("/tmp/mm_random.test", 1) :
			    memfd_create("m", 0);
		for (unsigned k = 0; k < 12; k++) {
			memset(page, (int)('A' + i * 12 + k), PG);
			pwrite(fd[i], page, PG, (off_t)(k * PG));
		}
	}
	for (int i = 0; i < STEPS; i++) {
		long r = step();

		printf("%u.%d: ", seed, i);
		if (r == -1)
			printf("%s", strerrorname_np(errno));
		else
			printf("%lx", r);
		printf(" %016lx\n", sum());
	}
	munmap(BASE, (PAGES + 24) * PG);
	for (unsigned i = 0; i < NFILES; i++)
		close(fd[i]);
}

int
main(void)
{
	for (unsigned seed = 0; seed < 6; seed++)
		run(seed);
	return 0;
}
