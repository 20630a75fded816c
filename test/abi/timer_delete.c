/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a deleted timer is gone and sends no more. Method: delete while
 * armed, twice.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	struct itimerspec s = { { 0, 0 }, { 0, 5000000 } };
	timer_t t;

	handle(SIGALRM, 0);
	timer_create(CLOCK_MONOTONIC, NULL, &t);
	timer_settime(t, 0, &s, NULL);
	show("delete", timer_delete(t));
	usleep(15000);
	printf("got %d\n", got_signal);
	show("again", syscall(SYS_timer_delete, 0));
	return 0;
}
