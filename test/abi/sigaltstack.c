/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a handler runs on the stack given, a stack overflow can be handled;
 * the state is told. Method: a recursion without end.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <setjmp.h>
#include <ucontext.h>

static char stack[65536];
static sigjmp_buf out;
static volatile int on_it, told;

static void
handler(int sig)
{
	stack_t s;
	char here;

	on_it = &here >= stack && &here < stack + sizeof(stack);
	sigaltstack(NULL, &s);
	told = s.ss_flags;
	if (sig == SIGSEGV)
		siglongjmp(out, 1);
}

/* Puts another stack into its own frame: one that is fine, or not. */
static stack_t spoilt;

static void
spoil(int sig, siginfo_t *info, void *ctx)
{
	(void)sig, (void)info;
	((ucontext_t *)ctx)->uc_stack = spoilt;
}

static void
after_return(const char *what, int flags, size_t size)
{
	struct sigaction a = { .sa_sigaction = spoil, .sa_flags = SA_SIGINFO };
	stack_t now;

	spoilt.ss_sp = stack + 4096;
	spoilt.ss_flags = flags;
	spoilt.ss_size = size;
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR2);
	sigaltstack(NULL, &now);
	printf("%s: at %td, %zu bytes, flags %#x\n", what,
	       now.ss_sp ? (char *)now.ss_sp - stack : -1, now.ss_size,
	       now.ss_flags);
}

static int recurse(volatile char *up);
static int (*volatile again)(volatile char *) = recurse;

static int
recurse(volatile char *up)
{
	volatile char room[4096];

	room[0] = up ? *up : 0;
	return again(room) + room[1];
}

int
main(void)
{
	stack_t s = { .ss_sp = stack, .ss_size = sizeof(stack) }, old;
	struct sigaction a = { .sa_handler = handler, .sa_flags = SA_ONSTACK };

	show("get", sigaltstack(NULL, &old));
	printf("disabled %d\n", old.ss_flags == SS_DISABLE);
	show("set", sigaltstack(&s, NULL));
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGSEGV, &a, NULL);
	raise(SIGUSR1);
	printf("on it %d, told %d\n", on_it, told == SS_ONSTACK);
	a.sa_flags = 0;
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	printf("on it %d, told %d\n", on_it, told);
	if (!sigsetjmp(out, 1))
		recurse(NULL);
	printf("overflow on it %d\n", on_it);
	s.ss_size = 1000;
	show("small", sigaltstack(&s, NULL));
	s.ss_size = sizeof(stack);
	s.ss_flags = 77;
	show("flags", sigaltstack(&s, NULL));
	after_return("frame: another", 0, 32768);
	after_return("frame: too small", 0, 100);
	after_return("frame: bad flags", 77, 16384);
	after_return("frame: none", SS_DISABLE, 16384);
	after_return("frame: one again", SS_ONSTACK, 16384);
	s.ss_flags = SS_DISABLE;
	show("off", sigaltstack(&s, NULL));
	sigaltstack(NULL, &old);
	printf("disabled %d\n", old.ss_flags == SS_DISABLE);
	show("bad", sigaltstack(BAD, NULL));
	return 0;
}
