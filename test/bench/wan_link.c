/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wide network between two taps, which netem is where a kernel has it:
 *
 *	wan_link TAP0 TAP1 DELAY_MS MBIT QUEUE_KB LOSS SEED
 *
 * Frames take DELAY_MS each way.  From TAP0 to TAP1 there is a place of MBIT
 * (10^6 bits a second) where QUEUE_KB may wait and what comes beyond is
 * dropped, and LOSS (0 to 1) of the frames with data are lost before it.  Says
 * "up" when it is, and on SIGTERM how many frames of TAP0's it dropped and lost.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FRAME	1600
#define PLACES	16384
#define CONTROL 200 /* frames up to here have no data worth mentioning */

struct frame {
	double due;
	ssize_t len;
	char data[FRAME];
};

struct way {
	struct frame *at; /* PLACES of them, in the order in which they came */
	unsigned head, tail;
};

static struct way ways[2];
static int taps[2];
static double delay, bytes_a_second, queue, loss, narrow_until;
static unsigned long sent, dropped, lost;
static volatile sig_atomic_t ended;

static void
end(int sig)
{
	(void)sig;
	ended = 1;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int
open_tap(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r)) {
		perror(name);
		exit(1);
	}
	return fd;
}

/* When a frame of TAP0's is through the narrow place; below 0: never. */
static double
through(ssize_t len)
{
	double t = now();

	sent++;
	if (drand48() < loss) {
		lost++;
		return -1;
	}
	if (narrow_until < t)
		narrow_until = t;
	if ((narrow_until - t) * bytes_a_second + (double)len > queue) {
		dropped++;
		return -1;
	}
	narrow_until += (double)len / bytes_a_second;
	return narrow_until;
}

static void
take(unsigned from)
{
	struct way *w = &ways[from];
	struct frame *f;
	double t;

	while (w->tail - w->head < PLACES) {
		f = &w->at[w->tail % PLACES];
		f->len = read(taps[from], f->data, FRAME);
		if (f->len <= 0)
			return;
		t = from == 0 && f->len > CONTROL ? through(f->len) : now();
		if (t < 0)
			continue;
		f->due = t + delay;
		w->tail++;
	}
}

static void
give(unsigned from)
{
	struct way *w = &ways[from];

	while (w->head != w->tail && w->at[w->head % PLACES].due <= now()) {
		struct frame *f = &w->at[w->head++ % PLACES];

		/* A queue that is full there is one more loss. */
		if (write(taps[!from], f->data, (size_t)f->len) < 0)
			dropped++;
	}
}

/* Seconds until something is due. */
static double
idle(void)
{
	double next = now() + 1, left;

	for (unsigned i = 0; i < 2; i++) {
		struct way *w = &ways[i];

		if (w->head != w->tail && w->at[w->head % PLACES].due < next)
			next = w->at[w->head % PLACES].due;
	}
	left = next - now();
	return left < 0 ? 0 : left;
}

int
main(int argc, char **argv)
{
	if (argc != 8) {
		fprintf(stderr, "wan_link: see its source\n");
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		taps[i] = open_tap(argv[1 + i]);
		ways[i].at = calloc(PLACES, sizeof(struct frame));
		if (!ways[i].at)
			return 1;
	}
	delay = atof(argv[3]) / 1000;
	bytes_a_second = atof(argv[4]) * 1e6 / 8;
	queue = atof(argv[5]) * 1024;
	loss = atof(argv[6]);
	srand48(atol(argv[7]));
	signal(SIGTERM, end);
	puts("up");
	fflush(stdout);
	while (!ended) {
		struct pollfd p[2] = { { taps[0], POLLIN, 0 },
				       { taps[1], POLLIN, 0 } };
		double left = idle();
		struct timespec ts = { .tv_sec = (time_t)left };

		ts.tv_nsec = (long)((left - (double)ts.tv_sec) * 1e9);
		ppoll(p, 2, &ts, NULL);
		for (unsigned i = 0; i < 2; i++) {
			take(i);
			give(i);
		}
	}
	printf("%lu frames with data, %lu dropped, %lu lost\n", sent, dropped,
	       lost);
	return 0;
}
