/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: each thread has a number of its own, the first one the process's.
 * Method: one more thread.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static pid_t first;

static void *
other(void *arg)
{
	(void)arg;
	printf("differs %d, same process %d\n", gettid() != first,
	       getpid() == first);
	return NULL;
}

int
main(void)
{
	pthread_t t;

	first = gettid();
	printf("first %d\n", first == getpid());
	start_thread(&t, other, NULL);
	pthread_join(t, NULL);
	return 0;
}
