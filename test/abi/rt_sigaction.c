/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: actions are kept and told, flags do what they say. Method: one
 * signal, different flags.
 */
#define _GNU_SOURCE
#include "proc_common.h"

static volatile int depth, deepest, calls;

static void
nest(int sig)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (++calls < 3)
		raise(sig);
	depth--;
}

static void
run(int flags)
{
	struct sigaction a = { .sa_handler = nest, .sa_flags = flags }, old;

	deepest = calls = 0;
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	printf("calls %d, deepest %d, reset %d\n", calls, deepest,
	       old.sa_handler == SIG_DFL);
}

int
main(void)
{
	struct sigaction a = { .sa_handler = nest }, old;

	run(0);
	run(SA_NODEFER);
	a.sa_flags = SA_RESTART | SA_ONSTACK;
	sigaddset(&a.sa_mask, SIGUSR2);
	show("set", sigaction(SIGUSR1, &a, NULL));
	show("get", sigaction(SIGUSR1, NULL, &old));
	printf("handler %d flags %x mask %d %d\n", old.sa_handler == nest,
	       (unsigned)old.sa_flags & 0x1fffffff & ~0x04000000u,
	       sigismember(&old.sa_mask, SIGUSR2),
	       sigismember(&old.sa_mask, SIGUSR1));
	show("kill", sigaction(SIGKILL, &a, NULL));
	show("stop", sigaction(SIGSTOP, &a, NULL));
	show("get kill", sigaction(SIGKILL, NULL, &old));
	show("size", syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
	show("number", syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
	show("bad", syscall(SYS_rt_sigaction, SIGUSR1, BAD, NULL, 8));
	return 0;
}
