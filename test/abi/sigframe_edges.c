/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: signal frames that reach beyond the program's addresses, in either
 * direction, end the program and nothing else.
 * Method: a frame whose floating-point image begins just below the end; an
 * alternate stack that ends above it.  The end is the outcome: each case is
 * a program of its own, and the last one is this one's status.
 * CALLS: rt_sigreturn sigaltstack
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <ucontext.h>

#define TOP 0x7ffffffff000ul

static void
spoil(int sig, siginfo_t *info, void *ctx)
{
	static unsigned long below[] = { 1, 64, 300, 470, 511, 600, 2000 };
	static unsigned n;

	(void)sig, (void)info;
	((ucontext_t *)ctx)->uc_mcontext.fpregs = (void *)(TOP - below[n % 7]);
	n++;
}

static int lost;

/* A frame that can not be read raises SIGSEGV, which can be handled; the
 * context that it comes with is that of the return. */
static void
segv(int sig, siginfo_t *info, void *ctx)
{
	(void)sig, (void)info, (void)ctx;
	lost++;
	printf("lost %d\n", lost);
	if (lost == 7) {
		stack_t s = { .ss_sp = (void *)(TOP - 4096),
			      .ss_size = 1 << 20 };
		struct sigaction a = { .sa_sigaction = spoil,
				       .sa_flags = SA_ONSTACK | SA_SIGINFO };

		show("stack beyond the end", sigaltstack(&s, NULL));
		sigaction(SIGUSR1, &a, NULL);
		signal(SIGSEGV, SIG_DFL);
		raise(SIGUSR1); /* no frame can be made: SIGSEGV */
		printf("still here\n");
	}
	raise(SIGUSR1);
}

int
main(void)
{
	struct sigaction a = { .sa_sigaction = spoil, .sa_flags = SA_SIGINFO };
	struct sigaction s = { .sa_sigaction = segv,
			       .sa_flags = SA_SIGINFO | SA_NODEFER };

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGSEGV, &s, NULL);
	raise(SIGUSR1);
	return 0;
}
