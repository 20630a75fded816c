/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the whole process ends at once, with its status, from any thread.
 * Method: a second thread ends it while the first sleeps; the status is
 * checked by the runner.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static void *
ender(void *arg)
{
	(void)arg;
	usleep(10000);
	printf("ending\n");
	fflush(stdout);
	syscall(SYS_exit_group, 0x1237);
	return NULL;
}

int
main(void)
{
	pthread_t t;

	start_thread(&t, ender, NULL);
	sleep(1000);
	printf("not reached\n");
	return 0;
}
