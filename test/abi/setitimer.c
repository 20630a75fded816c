/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: once and periodic, told by getitimer, taken back. Method: the
 * real-time timer; the others for their errors.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static volatile int count;

static void
tick(int sig)
{
	(void)sig;
	count++;
}

int
main(void)
{
	struct itimerval v, old;
	uint64_t t0;

	signal(SIGALRM, tick);
	memset(&v, 0, sizeof(v));
	v.it_value.tv_usec = v.it_interval.tv_usec = 5000;
	t0 = now_ns();
	show("periodic", setitimer(ITIMER_REAL, &v, NULL));
	while (count < 4)
		pause();
	printf("took %d\n", now_ns() - t0 >= 20000000);
	show("get", getitimer(ITIMER_REAL, &old));
	printf("interval %ld, left %d\n", (long)old.it_interval.tv_usec,
	       old.it_value.tv_usec <= 5000);
	memset(&v, 0, sizeof(v));
	show("off", setitimer(ITIMER_REAL, &v, &old));
	getitimer(ITIMER_REAL, &old);
	printf("off %ld %ld\n", (long)old.it_value.tv_sec,
	       (long)old.it_value.tv_usec);
	v.it_value.tv_usec = 1000000;
	show("time", setitimer(ITIMER_REAL, &v, NULL));
	show("which", getitimer(7, &old));
	show("bad", syscall(SYS_setitimer, ITIMER_REAL, BAD, NULL));
	signal(SIGPROF, tick);
	count = 0;
	v.it_value.tv_usec = 10000;
	show("prof", setitimer(ITIMER_PROF, &v, NULL));
	while (!count)
		;
	printf("profiled\n");
	return 0;
}
