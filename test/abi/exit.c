/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a thread's exit ends that thread only; the process goes on. Method:
 * the raw call in a second thread.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static volatile int before, after;

static void *
leaver(void *arg)
{
	(void)arg;
	before = 1;
	syscall(SYS_exit, 3);
	after = 1;
	return NULL;
}

int
main(void)
{
	pthread_t t;

	start_thread(&t, leaver, NULL);
	pthread_join(t, NULL);
	printf("before %d after %d\n", before, after);
	return 0;
}
