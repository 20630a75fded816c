/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a signal to one thread reaches that one, with SI_TKILL. Method: two
 * threads, a handler that says who.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static volatile pid_t who;

static void
say(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	got_code = info->si_code;
	who = gettid();
}

static volatile pid_t other_tid;
static volatile int stop;

static void *
other(void *arg)
{
	(void)arg;
	other_tid = gettid();
	while (!stop)
		usleep(1000);
	return NULL;
}

int
main(void)
{
	struct sigaction a = { .sa_sigaction = say, .sa_flags = SA_SIGINFO };
	pthread_t t;

	sigaction(SIGUSR1, &a, NULL);
	start_thread(&t, other, NULL);
	while (!other_tid)
		usleep(1000);
	show("other", tgkill(getpid(), other_tid, SIGUSR1));
	while (!who)
		usleep(1000);
	printf("right %d code %d\n", who == other_tid, got_code == SI_TKILL);
	who = 0;
	show("self", tgkill(getpid(), gettid(), SIGUSR1));
	printf("right %d\n", who == gettid());
	stop = 1;
	pthread_join(t, NULL);
	show("no thread", tgkill(getpid(), 0x3fffff, 0));
	show("wrong group", tgkill(0x3fffff, gettid(), 0));
	show("zero", tgkill(getpid(), 0, 0));
	show("big signal", tgkill(getpid(), gettid(), 65));
	return 0;
}
