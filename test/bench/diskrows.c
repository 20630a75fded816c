/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of disk.py that no ready-made program measures: many small files,
 * mapped files, the latency of fsync.
 *
 *	diskrows GROUP N
 *
 * works in /data and prints "row NAME NANOSECONDS" for one operation each.
 * Files are named as a mail spool's would be; each has 100 bytes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE   4096u
#define BIG_MB 64u

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void
row(const char *name, uint64_t t0, uint64_t n)
{
	printf("row %s %.3f\n", name, (double)(now_ns() - t0) / (double)n);
	fflush(stdout);
}

/* ---- many files ---- */

static const char *
name_of(unsigned i)
{
	static char name[64];

	snprintf(name, sizeof(name), "/data/spool/message-%06u.eml", i);
	return name;
}

static void
group_files(unsigned n)
{
	static char text[100];
	struct stat st;
	uint64_t t0;
	unsigned i;

	check(!mkdir("/data/spool", 0755), "mkdir");
	t0 = now_ns();
	for (i = 0; i < n; i++) {
		int fd = open(name_of(i), O_WRONLY | O_CREAT | O_EXCL, 0644);

		check(fd >= 0, "open");
		check(write(fd, text, sizeof(text)) == sizeof(text), "write");
		close(fd);
	}
	row("files_create", t0, n);
	t0 = now_ns();
	for (i = 0; i < n; i++)
		check(!stat(name_of(i), &st), "stat");
	row("files_stat", t0, n);
	t0 = now_ns();
	sync();
	row("files_sync", t0, n);
	t0 = now_ns();
	for (i = 0; i < n; i++)
		check(!unlink(name_of(i)), "unlink");
	row("files_unlink", t0, n);
}

/* ---- mapped files ---- */

static int
big_file(void)
{
	static char buf[64 << 10];
	int fd = open("/data/big", O_RDWR | O_CREAT, 0644);
	unsigned i;

	check(fd >= 0, "/data/big");
	memset(buf, 'm', sizeof(buf));
	for (i = 0; i < BIG_MB * 16; i++)
		check(write(fd, buf, sizeof(buf)) == sizeof(buf), "write");
	check(!fsync(fd), "fsync");
	return fd;
}

/* Touches n pages of the file, forgotten by the cache before or not. */
static void
touch(int fd, const char *name, unsigned n, int cold, int random)
{
	const unsigned pages = BIG_MB << 8;
	volatile char *p;
	uint32_t x = 1;
	uint64_t t0;
	unsigned i;

	if (cold)
		check(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
	p = mmap(NULL, BIG_MB << 20, PROT_READ, MAP_SHARED, fd, 0);
	check(p != MAP_FAILED, "mmap");
	t0 = now_ns();
	for (i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		check(p[(size_t)((random ? x >> 8 : i) % pages) * PAGE] == 'm',
		      "what was written");
	}
	row(name, t0, n);
	munmap((void *)(uintptr_t)p, BIG_MB << 20);
}

static void
group_mmap(unsigned n)
{
	int fd = big_file();

	touch(fd, "mmap_seq_cold", n * 8, 1, 0);
	touch(fd, "mmap_rand_cold", n, 1, 1);
	touch(fd, "mmap_seq_warm", n * 8, 0, 0);
	touch(fd, "mmap_seq_warm", n * 8, 0, 0);
	close(fd);
}

/* ---- fsync ---- */

static int
ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Writes 4 KB and syncs, n times; the median and the 99th percentile. */
static void
latency(const char *name, unsigned n, int append, int (*sync_fd)(int))
{
	static char buf[PAGE];
	uint64_t *took = calloc(n, sizeof(*took)), t0;
	int fd = open(append ? "/data/log" : "/data/big", O_RDWR | O_CREAT,
		      0644);
	unsigned i;

	check(took && fd >= 0, "/data/log");
	for (i = 0; i < n; i++) {
		off_t at = (off_t)(append ? i : i * 37 % 4096) * PAGE;

		t0 = now_ns();
		check(pwrite(fd, buf, sizeof(buf), at) == sizeof(buf),
		      "pwrite");
		check(!sync_fd(fd), name);
		took[i] = now_ns() - t0;
	}
	qsort(took, n, sizeof(*took), ascending);
	printf("row %s_p50 %.3f\n", name, (double)took[n / 2]);
	printf("row %s_p99 %.3f\n", name, (double)took[n - 1 - n / 100]);
	fflush(stdout);
	close(fd);
	free(took);
}

static void
group_fsync(unsigned n)
{
	close(big_file());
	latency("fsync_append", n, 1, fsync);
	latency("fsync_over", n, 0, fsync);
	latency("fdatasync_over", n, 0, fdatasync);
}

int
main(int argc, char **argv)
{
	unsigned n = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 0) : 0;

	if (!n)
		return 2;
	if (!strcmp(argv[1], "files"))
		group_files(n);
	else if (!strcmp(argv[1], "mmap"))
		group_mmap(n);
	else if (!strcmp(argv[1], "fsync"))
		group_fsync(n);
	else
		return 2;
	return 0;
}
