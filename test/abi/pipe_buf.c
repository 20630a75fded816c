/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what fits into a pipe and how: small writes that share a page, when
 * poll calls it writable, sizes and their limits, packets (O_DIRECT), FIFOs
 * without writers; writers and readers that wait together all get through,
 * and no small write is torn.
 * CALLS: pipe2 fcntl ioctl poll readv writev
 */
#define _GNU_SOURCE
#include "pipe_common.h"
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>

/* How many writes of n bytes fit. */
static void
fill(const int *p, size_t n)
{
	int k = 0;

	drain(p);
	while (write(p[1], buf, n) == (ssize_t)n)
		k++;
	printf("%zu: %d times, %d bytes, ready %x %x\n", n, k, avail(p[0]),
	       ready(p[0]), ready(p[1]));
}

static void
merging(void)
{
	static const size_t sizes[] = { 1,    100,   1000,  1365, 2048, 2049,
					3000, 4095,  4096,  4097, 5000, 6000,
					8192, 10000, 65535, 65536 };
	int p[2];

	SHOW(pipe2(p, O_NONBLOCK));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		fill(p, sizes[i]);
	drain(p);
	SHOW(write(p[1], buf, 70000));
	drain(p);
	/* Behind what is left of the last page, or in a page of its own. */
	writes(p, 1, 100);
	SHOW(read(p[0], buf, 50));
	SHOW(write(p[1], buf, 3996));
	SHOW(write(p[1], buf, 1));
	writes(p, 14, 4096);
	printf("ready %x\n", ready(p[1]));
	SHOW(write(p[1], buf, 4096));
	SHOW(write(p[1], buf, 4000));
	SHOW(write(p[1], buf, 4095));
	SHOW(write(p[1], buf, 1));
	drain(p);
	/* Writable: a free page, whatever else would fit. */
	writes(p, 15, 4096);
	writes(p, 1, 10);
	printf("ready %x\n", ready(p[1]));
	SHOW(write(p[1], buf, 10));
	SHOW(write(p[1], buf, 4090));
	SHOW(read(p[0], buf, 4095));
	printf("ready %x\n", ready(p[1]));
	SHOW(read(p[0], buf, 1));
	printf("ready %x\n", ready(p[1]));
	drain(p);
	/* The odd part of a large write goes first. */
	writes(p, 1, 10);
	writes(p, 1, 5000);
	writes(p, 14, 4096);
	SHOW(avail(p[0]));
	SHOW(write(p[1], buf, 5000));
	SHOW(avail(p[0]));
	close(p[0]);
	close(p[1]);
}

static void
sizes(void)
{
	int p[2];

	SHOW(pipe2(p, O_NONBLOCK));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 0));
	fill(p, 100);
	drain(p);
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 4097));
	fill(p, 4096);
	SHOW(fcntl(p[1], F_SETPIPE_SZ, 1048576));
	SHOW(avail(p[0]));
	fill(p, 4096);
	drain(p);
	SHOW(fcntl(p[0], F_SETPIPE_SZ, (1ul << 31) + 1));
	SHOW(fcntl(p[0], F_GETPIPE_SZ));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 65536));
	/* What is in it keeps its order. */
	writes(p, 11, 4096);
	SHOW(read(p[0], buf, 6 * 4096));
	for (int i = 0; i < 8; i++) {
		memset(buf, 'a' + i, 4096);
		writes(p, 1, 4096);
	}
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 32768));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 131072));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 65536));
	SHOW(read(p[0], buf, 5 * 4096 - 1));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 32768));
	SHOW(read(p[0], buf, 1));
	SHOW(fcntl(p[0], F_SETPIPE_SZ, 32768));
	printf("ready %x\n", ready(p[1]));
	SHOW(write(p[1], buf, 1));
	SHOW(read(p[0], buf, sizeof(buf)));
	for (int i = 0; i < 8; i++)
		putchar(buf[i * 4096]);
	putchar('\n');
	close(p[0]);
	close(p[1]);
}

static void
packets(void)
{
	struct iovec v[2] = { { "ab", 2 }, { "cde", 3 } };
	struct iovec to[2] = { { buf, 1 }, { buf + 10, 2 } };
	int p[2], q[2];

	SHOW(pipe2(p, O_NONBLOCK | O_DIRECT));
	printf("%#o %#o\n", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL));
	SHOW(write(p[1], "hello", 5));
	SHOW(write(p[1], "world", 5));
	SHOW(avail(p[0]));
	SHOW(read(p[0], buf, 3));
	SHOW(avail(p[0]));
	SHOW(read(p[0], buf, 100));
	SHOW(read(p[0], buf, 100));
	SHOW(write(p[1], "", 0));
	SHOW(write(p[1], buf, 5000));
	SHOW(read(p[0], buf, 10000));
	SHOW(read(p[0], buf, 10000));
	SHOW(write(p[1], "hello", 5));
	SHOW(read(p[0], buf, 0));
	SHOW(syscall(SYS_read, p[0], BAD, 10));
	SHOW(read(p[0], buf, 10));
	SHOW(writev(p[1], v, 2));
	SHOW(writev(p[1], v, 2));
	SHOW(readv(p[0], to, 2));
	printf("%.1s %.2s\n", buf, buf + 10);
	SHOW(read(p[0], buf, 10));
	fill(p, 1);
	fill(p, 4096);
	fill(p, 4097);
	while (read(p[0], buf, sizeof(buf)) > 0)
		;
	/* The flag can be changed; it belongs to the write. */
	SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK));
	writes(p, 2, 2);
	SHOW(read(p[0], buf, 100));
	SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT));
	writes(p, 1, 2);
	SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK));
	writes(p, 1, 3);
	SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT));
	writes(p, 2, 4);
	for (int i = 0; i < 4; i++)
		SHOW(read(p[0], buf, 100));
	/* They stay packets on their way. */
	SHOW(pipe2(q, O_NONBLOCK));
	writes(p, 2, 5);
	SHOW(tee(p[0], q[1], 8, 0));
	SHOW(read(q[0], buf, 100));
	SHOW(read(q[0], buf, 100));
	SHOW(splice(p[0], NULL, q[1], NULL, 3, 0));
	SHOW(splice(p[0], NULL, q[1], NULL, 100, 0));
	SHOW(read(q[0], buf, 1));
	SHOW(read(q[0], buf, 100));
	SHOW(read(q[0], buf, 100));
	SHOW(read(q[0], buf, 100));
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	/* Not for everything. */
	SHOW(fcntl(eventfd(0, 0), F_SETFL, O_DIRECT));
	SHOW(fcntl(open("/dev/null", O_RDWR), F_SETFL, O_DIRECT));
	SHOW(fcntl(open(".", O_RDONLY), F_SETFL, O_DIRECT));
}

static void
fifos(void)
{
	int r, w, again;

	SHOW(mkfifo("fifo", 0600));
	SHOW(open("fifo", O_RDWR | O_DIRECT));
	r = open("fifo", O_RDONLY | O_NONBLOCK);
	printf("no writer yet %x\n", ready(r));
	SHOW(read(r, buf, 1));
	w = open("fifo", O_WRONLY);
	SHOW(fcntl(w, F_SETFL, O_DIRECT));
	SHOW(write(w, "ab", 2));
	SHOW(write(w, "c", 1));
	SHOW(read(r, buf, 100));
	printf("writer %x\n", ready(r));
	close(w);
	printf("gone %x\n", ready(r));
	SHOW(read(r, buf, 100));
	printf("empty %x\n", ready(r));
	again = open("fifo", O_RDONLY | O_NONBLOCK);
	printf("new reader %x, old one %x\n", ready(again), ready(r));
	close(r);
	close(again);
}

#define WRITERS 4
#define EACH	300
#define RECORD	1000

static int shared[2];

/* Records of one letter each, from pages that are not there at first. */
static void *
write_records(void *arg)
{
	char letter = (char)('a' + (long)arg);
	char *m = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < EACH; i++) {
		char *at = m + i * 8192 + 4096 - 500;
		struct iovec v[2] = { { at, 600 }, { at + 600, 400 } };

		memset(at, letter, RECORD);
		if (i % 3 == 0)
			madvise(m + i * 8192, 4096, MADV_DONTNEED);
		if (i % 3 == 0)
			memset(at, letter, 500);
		if (writev(shared[1], v, 2) != RECORD)
			return (void *)1;
	}
	munmap(m, 4 << 20);
	return NULL;
}

static void
together(void)
{
	pthread_t t[WRITERS];
	static char rec[RECORD];
	int torn = 0, count[WRITERS] = { 0 };

	SHOW(pipe(shared));
	for (long i = 0; i < WRITERS; i++)
		pthread_create(&t[i], NULL, write_records, (void *)i);
	for (int i = 0; i < WRITERS * EACH; i++) {
		size_t n = 0;

		while (n < RECORD) {
			ssize_t r = read(shared[0], rec + n, RECORD - n);

			if (r <= 0)
				printf("read %zd\n", r);
			n += (size_t)r;
		}
		for (int k = 1; k < RECORD; k++)
			torn += rec[k] != rec[0];
		count[(rec[0] - 'a') % WRITERS]++;
	}
	for (int i = 0; i < WRITERS; i++) {
		void *bad;

		pthread_join(t[i], &bad);
		printf("writer %d: %d records, %s\n", i, count[i],
		       bad ? "failed" : "all written");
	}
	printf("torn: %d\n", torn);
	close(shared[0]);
	close(shared[1]);
}

int
main(void)
{
	fs_setup();
	merging();
	sizes();
	packets();
	fifos();
	together();
	return 0;
}
