/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a handler runs on the stack given, a stack overflow can be handled;
 * the state is told. Method: a recursion without end.
 */
#define _GNU_SOURCE
#include "proc_common.h"
#include <setjmp.h>

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
	struct sigaction a = { .sa_handler = handler,
			       .sa_flags = SA_ONSTACK };

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
	s.ss_flags = SS_DISABLE;
	show("off", sigaltstack(&s, NULL));
	sigaltstack(NULL, &old);
	printf("disabled %d\n", old.ss_flags == SS_DISABLE);
	show("bad", sigaltstack(BAD, NULL));
	return 0;
}
