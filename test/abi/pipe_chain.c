/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a stream keeps its order and its bytes through a chain of pipes that
 * is written, vmspliced, moved, teed, resized and read by as many threads.
 * CALLS: splice tee vmsplice
 */
#define _GNU_SOURCE
#include "fs_common.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#define TOTAL  (3 << 20)
#define RANGE  70000
#define STAGES 4

static int stage[STAGES][2], side[2];
static atomic_int over;

/* The byte at a place of the stream. */
static unsigned char
at(unsigned long i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

static unsigned
next(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

static void
need(int ok, const char *what)
{
	if (!ok) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		exit(1);
	}
}

/* By write, and by vmsplice of memory that is not touched again. */
static void *
producer(void *arg)
{
	static unsigned char data[TOTAL];
	unsigned seed = 1;
	unsigned long done = 0;

	for (unsigned long i = 0; i < TOTAL; i++)
		data[i] = at(i);
	while (done < TOTAL) {
		unsigned long n = next(&seed) % RANGE + 1;
		struct iovec v = { data + done, 0 };
		ssize_t r;

		if (next(&seed) % 3 == 0)
			n %= 300;
		if (n > TOTAL - done)
			n = TOTAL - done;
		v.iov_len = n;
		if (next(&seed) % 4)
			r = write(stage[0][1], v.iov_base, n);
		else
			r = vmsplice(stage[0][1], &v, 1, 0);
		need(r >= 0, "produce");
		done += (unsigned long)r;
	}
	close(stage[0][1]);
	return arg;
}

static void *
mover(void *arg)
{
	int i = (int)(long)arg;
	unsigned seed = (unsigned)i + 7;

	for (;;) {
		ssize_t r = splice(stage[i][0], NULL, stage[i + 1][1], NULL,
				   next(&seed) % RANGE + 1, 0);

		need(r >= 0, "move");
		if (!r)
			break;
	}
	close(stage[i + 1][1]);
	return arg;
}

/* Shares what is in the last pipe at times, and looks at it. */
static void
look(unsigned long from)
{
	static unsigned char b[65536];
	ssize_t n = tee(stage[STAGES - 1][0], side[1], sizeof(b),
			SPLICE_F_NONBLOCK);
	ssize_t r = n > 0 ? read(side[0], b, sizeof(b)) : 0;

	need(n <= 0 || r == n, "look");
	for (ssize_t i = 0; i < r; i++)
		need(b[i] == at(from + (unsigned long)i), "a shared byte");
}

static void *
resizer(void *arg)
{
	unsigned seed = 99;

	while (!atomic_load(&over)) {
		unsigned i = next(&seed) % STAGES;

		fcntl(stage[i][0], F_SETPIPE_SZ, 4096 << next(&seed) % 7);
		usleep(1000);
	}
	return arg;
}

int
main(void)
{
	static unsigned char b[RANGE];
	pthread_t t[STAGES + 1];
	unsigned long done = 0;
	unsigned seed = 3;
	ssize_t n;

	for (int i = 0; i < STAGES; i++)
		need(!pipe(stage[i]), "pipe");
	need(!pipe2(side, O_NONBLOCK), "pipe");
	pthread_create(&t[0], NULL, producer, NULL);
	for (long i = 0; i < STAGES - 1; i++)
		pthread_create(&t[i + 1], NULL, mover, (void *)i);
	pthread_create(&t[STAGES], NULL, resizer, NULL);
	for (;;) {
		if (next(&seed) % 8 == 0)
			look(done);
		n = read(stage[STAGES - 1][0], b, next(&seed) % RANGE + 1);
		need(n >= 0, "read");
		if (!n)
			break;
		for (ssize_t i = 0; i < n; i++)
			need(b[i] == at(done + (unsigned long)i), "a byte");
		done += (unsigned long)n;
	}
	atomic_store(&over, 1);
	for (int i = 0; i <= STAGES; i++)
		pthread_join(t[i], NULL);
	printf("%lu bytes in order\n", done);
	return 0;
}
