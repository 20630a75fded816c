/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a blocked signal waits, is told by sigpending, comes when unblocked;
 * KILL and STOP cannot be blocked. Method: one thread.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	sigset_t set, old;

	handle(SIGUSR1, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	show("block", sigprocmask(SIG_BLOCK, &set, NULL));
	raise(SIGUSR1);
	raise(SIGUSR1);
	printf("got %d\n", got_signal);
	sigpending(&old);
	printf("pending %d\n", sigismember(&old, SIGUSR1));
	show("unblock", sigprocmask(SIG_UNBLOCK, &set, &old));
	printf("got %d, was blocked %d\n", got_signal == SIGUSR1,
	       sigismember(&old, SIGUSR1));
	sigfillset(&set);
	show("all", sigprocmask(SIG_SETMASK, &set, NULL));
	sigprocmask(SIG_SETMASK, NULL, &old);
	printf("kill %d stop %d usr2 %d\n", sigismember(&old, SIGKILL),
	       sigismember(&old, SIGSTOP), sigismember(&old, SIGUSR2));
	show("how", syscall(SYS_rt_sigprocmask, 9, &set, NULL, 8));
	show("how, no set", syscall(SYS_rt_sigprocmask, 9, NULL, NULL, 8));
	show("size", syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4));
	show("bad", syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD, NULL, 8));
	return 0;
}
