/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a queued signal to one thread. Method: the raw call.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	siginfo_t info;

	handle(SIGRTMIN, 0);
	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	show("self", syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(),
			     SIGRTMIN, &info));
	printf("got %d code %d\n", got_signal == SIGRTMIN,
	       got_code == SI_QUEUE);
	show("nobody", syscall(SYS_rt_tgsigqueueinfo, getpid(), 0x3fffff,
			       SIGRTMIN, &info));
	show("zero",
	     syscall(SYS_rt_tgsigqueueinfo, 0, gettid(), SIGRTMIN, &info));
	return 0;
}
