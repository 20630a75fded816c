/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: bytes go in and out of files, pipes and devices, whole and in part,
 * at the offset asked, with every way to get it wrong.
 * CALLS: read write readv writev pread64 pwrite64 preadv pwritev preadv2
 * CALLS: pwritev2 lseek
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define READ(fd, b, n)		syscall(SYS_read, fd, b, n)
#define WRITE(fd, b, n)		syscall(SYS_write, fd, b, n)
#define PREAD(fd, b, n, o)	syscall(SYS_pread64, fd, b, n, o)
#define PWRITE(fd, b, n, o)	syscall(SYS_pwrite64, fd, b, n, (long)(o))
#define READV(fd, v, n)		syscall(SYS_readv, fd, v, n)
#define WRITEV(fd, v, n)	syscall(SYS_writev, fd, v, n)
#define PREADV(fd, v, n, o)	syscall(SYS_preadv, fd, v, n, (long)(o), 0)
#define PWRITEV(fd, v, n, o)	syscall(SYS_pwritev, fd, v, n, (long)(o), 0)
#define PREADV2(fd, v, n, o, f) syscall(SYS_preadv2, fd, v, n, (long)(o), 0, f)
#define PWRITEV2(fd, v, n, o, f) \
	syscall(SYS_pwritev2, fd, v, n, (long)(o), 0, f)
#define LSEEK(fd, o, w) syscall(SYS_lseek, fd, (long)(o), w)

static char buf[20000];
static struct iovec many[1025];

static void
bad_descriptors(void)
{
	struct iovec v = { buf, 4 };
	int r = open("f", O_RDONLY), w = open("f", O_WRONLY);
	int d = open(".", O_RDONLY);

	for (int i = 0; i < 2; i++) {
		int fd = i ? 99 : -1;

		SHOW(READ(fd, buf, 1));
		SHOW(WRITE(fd, buf, 1));
		SHOW(PREAD(fd, buf, 1, -1));
		SHOW(PWRITE(fd, buf, 1, 0));
		SHOW(READV(fd, &v, 1));
		SHOW(WRITEV(fd, &v, -1));
		SHOW(PREADV2(fd, &v, 1, 0, 0x1000));
		SHOW(LSEEK(fd, 0, 77));
	}
	SHOW(WRITE(r, buf, 1));
	SHOW(WRITE(r, buf, 0));
	SHOW(PWRITE(r, buf, 1, 0));
	SHOW(WRITEV(r, &v, 1));
	SHOW(READ(w, buf, 1));
	SHOW(READ(w, buf, 0));
	SHOW(PREAD(w, buf, 1, 0));
	SHOW(READV(w, &v, 1));
	SHOW(READ(d, buf, 1));
	SHOW(READ(d, buf, 0));
	SHOW(PREAD(d, buf, 1, 0));
	SHOW(WRITE(d, buf, 1));
	close(r), close(w), close(d);
}

static void
bad_memory(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *ro =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v[3] = { { buf, 4 }, { BAD, 4 }, { buf, 4 } };
	int fd = open("bm", O_RDWR | O_CREAT | O_TRUNC, 0644);

	munmap(page + 4096, 4096);
	memset(page, 'p', 4096);
	SHOW(WRITE(fd, BAD, 10));
	SHOW(WRITE(fd, NULL, 10));
	SHOW(WRITE(fd, NULL, 0));
	SHOW(WRITE(fd, (char *)(1ul << 63), 10));
	SHOW(WRITE(fd, (char *)-4096l, 10));
	SHOW(WRITE(fd, page + 4086, 10));
	/* How much of a write that runs into a hole is made is up to the
	 * file system; that some or EFAULT is answered is not. */
	long n = WRITE(fd, page + 4000, 200);
	printf("write into a hole: %s\n",
	       n == 96 || (n == -1 && errno == EFAULT) ? "as it may" : "not");
	SHOW(LSEEK(fd, 0, SEEK_SET));
	SHOW(ftruncate(fd, 100));
	SHOW(READ(fd, BAD, 10));
	SHOW(READ(fd, ro, 10));
	SHOW(READ(fd, page + 4090, 10) > 0);
	SHOW(LSEEK(fd, 0, SEEK_SET));
	SHOW(READ(fd, BAD, 0));
	SHOW(LSEEK(fd, 0, SEEK_END));
	SHOW(READ(fd, BAD, 10));
	SHOW(READ(fd, BAD, -1ul));
	SHOW(READ(fd, (char *)(1ul << 47) - 4096, 8192));
	SHOW(LSEEK(fd, 0, SEEK_SET));
	SHOW(READV(fd, BAD, 1));
	SHOW(READV(fd, v, 1));
	SHOW(LSEEK(fd, 0, SEEK_SET));
	SHOW(READV(fd, v + 1, 2));
	SHOW(READV(fd, v, 3));
	close(fd);
}

static void
vectors(void)
{
	char a[4] = "AAAA", b[4] = "BBBB", c[8];
	struct iovec v[4] = { { a, 3 }, { NULL, 0 }, { b, 4 }, { BAD, 0 } };
	struct iovec huge[2] = { { a, SSIZE_MAX }, { b, 1 } };
	struct iovec neg = { a, (size_t)-1 };
	int fd = open("v", O_RDWR | O_CREAT, 0644);

	SHOW(WRITEV(fd, v, 4));
	show_file("v");
	SHOW(WRITEV(fd, v, 0));
	SHOW(WRITEV(fd, NULL, 0));
	SHOW(WRITEV(fd, v, -1));
	SHOW(WRITEV(fd, v, 1025));
	SHOW(WRITEV(fd, &neg, 1));
	SHOW(READV(fd, &neg, 1));
	SHOW(READV(fd, huge + 1, 1));
	SHOW(PREADV(fd, v, 4, 1));
	printf("%.3s %.4s\n", a, b);
	for (int i = 0; i < 1025; i++)
		many[i].iov_base = buf + i, many[i].iov_len = 1;
	memset(buf, 'm', 1025);
	SHOW(PWRITEV(fd, many, 1024, 0));
	SHOW(PWRITEV(fd, many, 1025, 0));
	SHOW(PREADV(fd, v, 1, -1));
	SHOW(PWRITEV(fd, v, 1, -5));
	SHOW(PREADV2(fd, v, 1, -1, 0));
	SHOW(LSEEK(fd, 0, SEEK_CUR));
	SHOW(PWRITEV2(fd, v, 1, -1, 0));
	SHOW(LSEEK(fd, 0, SEEK_CUR));
	SHOW(PWRITEV2(fd, v, 1, -2, 0));
	SHOW(PWRITEV2(fd, v, 1, 0, RWF_APPEND));
	SHOW(LSEEK(fd, 0, SEEK_END));
	SHOW(PWRITEV2(fd, v, 1, 0, RWF_DSYNC | RWF_SYNC));
	SHOW(PREADV2(fd, v, 1, 0, 0x40000000));
	SHOW(PWRITEV2(fd, v, 1, 0, 0x40000000));
	SHOW(PREADV2(fd, v, 1, 0, RWF_HIPRI));
	v[0].iov_base = c, v[0].iov_len = 8;
	ftruncate(fd, 5);
	SHOW(PREADV(fd, v, 4, 0));
	SHOW(PREADV(fd, v, 4, 5));
	close(fd);
}

static void
offsets(void)
{
	int fd = open("o", O_RDWR | O_CREAT, 0644), ap, other;

	SHOW(WRITE(fd, "0123456789", 10));
	SHOW(READ(fd, buf, 10));
	SHOW(LSEEK(fd, -4, SEEK_CUR));
	SHOW(READ(fd, buf, 100));
	SHOW(LSEEK(fd, -11, SEEK_END));
	SHOW(LSEEK(fd, -1, SEEK_SET));
	SHOW(LSEEK(fd, 0, SEEK_CUR));
	SHOW(LSEEK(fd, 0, 5));
	SHOW(LSEEK(fd, 0, -1));
	SHOW(LSEEK(fd, LONG_MAX, SEEK_CUR));
	SHOW(LSEEK(fd, 1l << 40, SEEK_SET));
	SHOW(READ(fd, buf, 1));
	SHOW(PREAD(fd, buf, 4, 8));
	SHOW(PREAD(fd, buf, 4, 10));
	SHOW(PREAD(fd, buf, 4, 1l << 50));
	SHOW(PREAD(fd, buf, 4, -1));
	SHOW(PREAD(fd, buf, 4, LONG_MAX));
	SHOW(PWRITE(fd, "x", 1, -1));
	SHOW(PWRITE(fd, "xyz", 3, 20));
	SHOW(PWRITE(fd, "xyz", 0, 200));
	SHOW(LSEEK(fd, 0, SEEK_END));
	SHOW(PREAD(fd, buf, 100, 0));
	printf("%.10s %d%d %.3s\n", buf, buf[10], buf[19], buf + 20);

	/* Holes and data. */
	SHOW(LSEEK(fd, 0, SEEK_DATA));
	SHOW(LSEEK(fd, 22, SEEK_DATA));
	SHOW(LSEEK(fd, 23, SEEK_DATA));
	SHOW(LSEEK(fd, 0, SEEK_HOLE));
	SHOW(LSEEK(fd, 23, SEEK_HOLE));
	SHOW(LSEEK(fd, -1, SEEK_HOLE));
	/* dup shares the offset, open does not. */
	other = dup(fd);
	LSEEK(other, 3, SEEK_SET);
	SHOW(LSEEK(fd, 0, SEEK_CUR));
	ap = open("o", O_WRONLY | O_APPEND);
	SHOW(LSEEK(ap, 0, SEEK_CUR));
	SHOW(WRITE(ap, "end", 3));
	SHOW(LSEEK(ap, 0, SEEK_CUR));
	SHOW(LSEEK(ap, 0, SEEK_SET));
	SHOW(PWRITE(ap, "PPP", 3, 0));
	SHOW(LSEEK(ap, 0, SEEK_CUR));
	show_stat("o");
	/* Appending can be turned on and off. */
	SHOW(fcntl(ap, F_SETFL, 0));
	SHOW(WRITE(ap, "top", 3));
	SHOW(PREAD(fd, buf, 10, 0));
	printf("%.10s\n", buf);
	close(fd), close(other), close(ap);

	/* A hole is zeros. */
	fd = open("hole", O_RDWR | O_CREAT, 0644);
	SHOW(PWRITE(fd, "e", 1, 10000));
	memset(buf, 1, sizeof(buf));
	SHOW(READ(fd, buf, sizeof(buf)));
	int sum = 0;
	for (int i = 0; i < 10000; i++)
		sum += buf[i];
	printf("sum %d last %c\n", sum, buf[10000]);
	SHOW(ftruncate(fd, 4097));
	SHOW(ftruncate(fd, 9000));
	SHOW(PREAD(fd, buf, 9000, 0));
	close(fd);
}

static void
pipes(void)
{
	int p[2];
	struct iovec v[2] = { { buf, 3 }, { buf + 3, 5 } };

	signal(SIGPIPE, SIG_IGN);
	if (pipe(p))
		return;
	SHOW(LSEEK(p[0], 0, SEEK_CUR));
	SHOW(PREAD(p[0], buf, 1, 0));
	SHOW(PWRITE(p[1], buf, 1, 0));
	SHOW(PREADV(p[0], v, 1, 0));
	SHOW(PREADV2(p[0], v, 1, 0, 0));
	SHOW(READ(p[1], buf, 1));
	SHOW(WRITE(p[0], buf, 1));
	SHOW(WRITE(p[1], "abcdefghij", 10));
	SHOW(READ(p[0], buf, 0));
	SHOW(READ(p[0], buf, 4));
	SHOW(READV(p[0], v, 2));
	SHOW(WRITE(p[1], NULL, 0));
	SHOW(fcntl(p[0], F_SETFL, O_NONBLOCK));
	SHOW(READ(p[0], buf, 1));
	SHOW(READ(p[0], buf, 0));
	SHOW(WRITE(p[1], BAD, 5));
	SHOW(READ(p[0], buf, 5));
	SHOW(WRITE(p[1], "x", 1));
	SHOW(READ(p[0], BAD, 5));
	SHOW(READ(p[0], buf, 5));
	SHOW(PREADV2(p[0], v, 1, -1, 0));
	SHOW(close(p[1]));
	SHOW(READ(p[0], buf, 5));
	if (pipe2(p, O_NONBLOCK))
		return;
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 4096));
	SHOW(WRITE(p[1], buf, 4000));
	SHOW(WRITE(p[1], buf, 200));
	SHOW(WRITE(p[1], buf, 4097) > 0);
	SHOW(close(p[0]));
	SHOW(WRITE(p[1], buf, 1));
	SHOW(WRITEV(p[1], v, 2));
	SHOW(WRITE(p[1], buf, 0));
}

static void
devices(void)
{
	int z = open("/dev/zero", O_RDWR), n = open("/dev/null", O_RDWR);
	int f = open("/dev/full", O_RDWR);

	memset(buf, 1, 8);
	SHOW(READ(z, buf, 8));
	printf("%d\n", buf[7]);
	SHOW(WRITE(z, buf, 8));
	SHOW(WRITE(n, BAD, 8));
	SHOW(READ(n, buf, 8));
	SHOW(READ(n, BAD, 8));
	SHOW(READ(z, BAD, 8));
	SHOW(READ(f, buf, 8));
	SHOW(WRITE(f, buf, 8));
	SHOW(WRITE(f, buf, 0));
	SHOW(LSEEK(z, 5, SEEK_SET));
	SHOW(LSEEK(n, 5, SEEK_SET));
	SHOW(LSEEK(f, 5, SEEK_END));
	SHOW(PREAD(z, buf, 8, 100));
	SHOW(PWRITE(n, buf, 8, 100));
}

int
main(void)
{
	fs_setup();
	make_file("f", "0123456789");
	bad_descriptors();
	bad_memory();
	vectors();
	offsets();
	pipes();
	devices();
	return 0;
}
