/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads at one message queue with room for two: all that is sent is
 * received, whoever is woken by how many.  And an eventfd whose readers are
 * disturbed by signals: each write is read once.
 * CALLS: mq_timedsend, mq_timedreceive
 */
#define _GNU_SOURCE
#include <errno.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREADS 6
#define ROUNDS	300

static mqd_t q;
static long sum;

static void *
put(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		int v = (int)(intptr_t)arg + i;

		if (mq_send(q, (char *)&v, sizeof(v), 0))
			abort();
	}
	return NULL;
}

static void *
get(void *arg)
{
	int v;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		if (mq_receive(q, (char *)&v, sizeof(v), NULL) != sizeof(v))
			abort();
		__atomic_add_fetch(&sum, v, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void
messages(void)
{
	struct mq_attr a = { .mq_maxmsg = 2, .mq_msgsize = sizeof(int) };
	pthread_t t[2 * THREADS];
	char name[64];

	snprintf(name, sizeof(name), "/pith-threads-%d", (int)getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a);
	mq_unlink(name);
	if (q == (mqd_t)-1)
		abort();
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_create(&t[i], NULL, i & 1 ? get : put,
			       (void *)(intptr_t)i);
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(t[i], NULL);
	mq_close(q);
	printf("messages: %ld\n", sum);
}

/* ---- an eventfd and signals ---- */

static int efd;
static volatile int over;

static void
nothing(int sig)
{
	(void)sig;
}

static void *
count(void *arg)
{
	uint64_t v, all = 0;

	(void)arg;
	while (all < ROUNDS)
		if (read(efd, &v, sizeof(v)) == sizeof(v))
			all += v;
		else if (errno != EINTR)
			abort();
	over = 1;
	return NULL;
}

static void *
disturb(void *arg)
{
	while (!over) {
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

static void
events(void)
{
	struct sigaction sa = { .sa_handler = nothing };
	pthread_t reader, other;

	sigaction(SIGUSR1, &sa, NULL);
	efd = eventfd(0, 0);
	pthread_create(&reader, NULL, count, NULL);
	pthread_create(&other, NULL, disturb, &reader);
	for (int i = 0; i < ROUNDS; i++) {
		if (eventfd_write(efd, 1))
			abort();
		if (i % 8 == 0)
			usleep(100);
	}
	pthread_join(other, NULL);
	pthread_join(reader, NULL);
	printf("events: all\n");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	messages();
	events();
	return 0;
}
