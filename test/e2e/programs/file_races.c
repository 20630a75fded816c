/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that do to one file what must not meet: reads of what is cut off or
 * punched out, writeback of what fallocate gives blocks to, attributes beside
 * writes.  Whatever the order, a byte that was cut is zero when the file grows
 * again, and what was written last is what is read; e2fsck has the last word.
 *	file_races FILE MODE ROUNDS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE  4096
#define PAGES 64
#define SIZE  (PAGES * PAGE)

static int fd;
static atomic_bool stop;
static char buf[SIZE];

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* ---- what goes on beside ---- */

static void *
reads(void *arg)
{
	unsigned k = 0;
	char b[3 * PAGE];

	(void)arg;
	while (!stop) {
		k = k * 1103515245 + 12345;
		must(pread(fd, b, sizeof(b), (k >> 16) % PAGES * PAGE) >= 0,
		     "pread");
	}
	return NULL;
}

static void *
syncs(void *arg)
{
	(void)arg;
	while (!stop)
		must(!fdatasync(fd), "fdatasync");
	return NULL;
}

static void *
attributes(void *arg)
{
	char b[2000];

	(void)arg;
	memset(b, 'a', sizeof(b));
	while (!stop) {
		must(!fsetxattr(fd, "user.large", b, sizeof(b), 0), "set");
		/* the other thread may have been faster */
		must(!fremovexattr(fd, "user.large") || errno == ENODATA,
		     "remove");
	}
	return NULL;
}

/* ---- rounds ---- */

static void
fill(int c)
{
	memset(buf, c, SIZE);
	must(pwrite(fd, buf, SIZE, 0) == SIZE, "pwrite");
}

static void
expect(int c, unsigned round)
{
	must(pread(fd, buf, SIZE, 0) == SIZE, "pread");
	for (unsigned k = 0; k < SIZE; k++)
		if (buf[k] != c) {
			printf("round %u: byte %u is %d, not %d\n", round, k,
			       buf[k], c);
			exit(1);
		}
}

static void
cut(unsigned round)
{
	fill(1 + round % 100);
	must(!fsync(fd), "fsync");
	must(!ftruncate(fd, 0), "ftruncate");
	must(!ftruncate(fd, SIZE), "ftruncate");
	expect(0, round);
}

static void
punch(unsigned round)
{
	fill(1 + round % 100);
	must(!fsync(fd), "fsync");
	must(!fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
			SIZE),
	     "punch");
	expect(0, round);
}

static void
give(unsigned round)
{
	must(!ftruncate(fd, 0), "ftruncate");
	memset(buf, (int)(1 + round % 100), SIZE);
	for (off_t at = 0; at < SIZE; at += PAGE) {
		must(pwrite(fd, buf, PAGE, at) == PAGE, "pwrite");
		must(!fallocate(fd, 0, at, PAGE), "fallocate");
	}
	expect(1 + round % 100, round);
}

static void
append(unsigned round)
{
	if (round % 50 == 0)
		must(!ftruncate(fd, 0), "ftruncate");
	must(pwrite(fd, buf, 2 * PAGE, (off_t)(round % 50) * 3 * PAGE) ==
		     2 * PAGE,
	     "pwrite");
	must(!fdatasync(fd), "fdatasync");
}

/* No room is said when there is none but what is kept for trees of extents. */
static void
full(unsigned round)
{
	struct statfs s;
	ssize_t n;

	must(!ftruncate(fd, 0), "ftruncate");
	for (off_t at = 0; (n = pwrite(fd, buf, SIZE, at)) > 0;)
		at += n;
	must(n < 0 && errno == ENOSPC, "pwrite");
	must(!fstatfs(fd, &s), "fstatfs");
	if (s.f_bfree > s.f_blocks / 40) {
		printf("round %u: no space with %lu blocks free\n", round,
		       (unsigned long)s.f_bfree);
		exit(1);
	}
}

static const struct {
	const char *name;
	void *(*beside)(void *arg);
	void (*round)(unsigned n);
} modes[] = {
	{ "cut", reads, cut },	 { "punch", reads, punch },
	{ "give", syncs, give }, { "attributes", attributes, append },
	{ "full", syncs, full },
};

int
main(int argc, char **argv)
{
	unsigned n = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	pthread_t t[2];

	fd = argc > 2 ? open(argv[1], O_RDWR | O_CREAT, 0644) : -1;
	must(fd >= 0, "open");
	for (unsigned m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		if (strcmp(argv[2], modes[m].name))
			continue;
		for (int k = 0; k < 2; k++)
			must(!pthread_create(&t[k], NULL, modes[m].beside,
					     NULL),
			     "thread");
		for (unsigned k = 0; k < n; k++)
			modes[m].round(k);
		stop = true;
		for (int k = 0; k < 2; k++)
			pthread_join(t[k], NULL);
		printf("%s: done\n", argv[2]);
	}
	return 0;
}
