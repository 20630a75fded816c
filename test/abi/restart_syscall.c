/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: sleeps and calls interrupted by a handler answer EINTR or go on, by
 * SA_RESTART and by the call. Method: a timer's signal during nanosleep and
 * read of a pipe.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static int pipes[2];

static void *
writer(void *arg)
{
	(void)arg;
	usleep(60000);
	if (write(pipes[1], "x", 1) != 1)
		printf("no write\n");
	return NULL;
}

static void
reading(int flags)
{
	struct itimerval v = { .it_value.tv_usec = 20000 };
	pthread_t t;
	sigset_t set;
	char c = 0;
	int n;

	handle(SIGALRM, flags);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	start_thread(&t, writer, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	got_signal = 0;
	setitimer(ITIMER_REAL, &v, NULL);
	n = (int)read(pipes[0], &c, 1);
	show("read", n);
	printf("signal %d\n", got_signal == SIGALRM);
	pthread_join(t, NULL);
	if (n < 0)
		n = (int)read(pipes[0], &c, 1);
}

int
main(void)
{
	struct itimerval v = { .it_value.tv_usec = 20000 };
	struct timespec ts = { 0, 60000000 }, rem = { 9, 9 };

	if (pipe(pipes))
		return 1;
	reading(0);
	reading(SA_RESTART);
	handle(SIGALRM, SA_RESTART);
	setitimer(ITIMER_REAL, &v, NULL);
	show("nanosleep", nanosleep(&ts, &rem));
	printf("rest %d\n", rem.tv_sec == 0 && rem.tv_nsec < 45000000);
	show("alone", syscall(SYS_restart_syscall));
	return 0;
}
