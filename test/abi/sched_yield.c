/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it answers 0 and lets others run. Method: two threads that wait for
 * each other by yielding.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static volatile int turn;

static void *
other(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++) {
		while (turn != 1)
			sched_yield();
		turn = 0;
	}
	return NULL;
}

int
main(void)
{
	pthread_t t;

	show("yield", sched_yield());
	start_thread(&t, other, NULL);
	for (int i = 0; i < 1000; i++) {
		turn = 1;
		while (turn != 0)
			sched_yield();
	}
	pthread_join(t, NULL);
	printf("done\n");
	return 0;
}
