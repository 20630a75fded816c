/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the value and the code arrive. Method: sigqueue, and the raw call.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static volatile int value;

static void
take(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	got_signal = sig;
	got_code = info->si_code;
	value = info->si_value.sival_int;
}

int
main(void)
{
	struct sigaction a = { .sa_sigaction = take, .sa_flags = SA_SIGINFO };
	union sigval v = { .sival_int = 4711 };
	siginfo_t info;

	sigaction(SIGRTMIN, &a, NULL);
	show("queue", sigqueue(getpid(), SIGRTMIN, v));
	printf("got %d code %d value %d\n", got_signal == SIGRTMIN,
	       got_code == SI_QUEUE, value);
	memset(&info, 0, sizeof(info));
	info.si_code = -77;
	info.si_value.sival_int = 5;
	show("raw", syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info));
	printf("code %d value %d\n", got_code, value);
	show("nobody", sigqueue(0x3fffff, SIGRTMIN, v));
	show("bad", syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, BAD));
	return 0;
}
