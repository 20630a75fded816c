/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that wait on one epoll instance: an event that stays is for each of
 * them; of events that come once each is for one, whoever is woken by how
 * many.
 * CALLS: epoll_wait
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "wait_common.h"

#define THREADS 5

static int ep;

static void *
wait_one(void *arg)
{
	struct epoll_event e;

	(void)arg;
	if (epoll_wait(ep, &e, 1, -1) != 1 || e.events != EPOLLIN)
		abort();
	return NULL;
}

static void
round_of(uint32_t how, int nfds)
{
	pthread_t t[THREADS];
	int fd[THREADS];

	ep = epoll_create1(0);
	for (int i = 0; i < nfds; i++) {
		struct epoll_event e = { .events = EPOLLIN | how };

		fd[i] = eventfd(0, 0);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &e))
			abort();
	}
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, wait_one, NULL);
	until_others_asleep(THREADS);
	for (int i = 0; i < nfds; i++)
		if (eventfd_write(fd[i], 1))
			abort();
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < nfds; i++)
		close(fd[i]);
	close(ep);
}

int
main(void)
{
	for (int i = 0; i < 20; i++)
		round_of(0, 1);
	printf("one that stays: for all\n");
	for (int i = 0; i < 20; i++)
		round_of(EPOLLET, THREADS);
	printf("as many that come once: one each\n");
	for (int i = 0; i < 20; i++)
		round_of(EPOLLONESHOT, THREADS);
	printf("one-shot: one each\n");
	return 0;
}
