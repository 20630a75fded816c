/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: pending signals of thread and process are told, blocked ones only.
 * Method: block, send both ways.
 */
#define _GNU_SOURCE
#include "proc_common.h"

int
main(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	tgkill(getpid(), gettid(), SIGUSR2);
	show("pending", sigpending(&set));
	printf("%d %d %d\n", sigismember(&set, SIGUSR1),
	       sigismember(&set, SIGUSR2), sigismember(&set, SIGHUP));
	show("size", syscall(SYS_rt_sigpending, &set, 16));
	show("bad", syscall(SYS_rt_sigpending, BAD, 8));
	return 0;
}
