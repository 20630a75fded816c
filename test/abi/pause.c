/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: it ends with EINTR after a handler. Method: a timer.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	/* It comes again, should the first come before the pause. */
	struct itimerval v = { .it_value.tv_usec = 20000,
			       .it_interval.tv_usec = 20000 };

	handle(SIGALRM, SA_RESTART);
	setitimer(ITIMER_REAL, &v, NULL);
	show("pause", pause());
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	printf("got %d\n", got_signal == SIGALRM);
	return 0;
}
