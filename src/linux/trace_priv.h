/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer's two halves: lines and hooks (trace.c), and what an argument
 * looks like (trace_args.c).
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>

#define LINE_MAX 1024u /* a line is cut here */

struct syscall_desc;
struct siginfo;

/* A call under way; thread->trace. */
struct trace_call {
	struct list link;	/* [trace_lock] */
	const struct syscall_desc *desc;
	const uint64_t *a;	/* [o] while arguments are printed */
	unsigned next;		/* [o] first argument not yet written */
	int tid;
	size_t len;
	char text[LINE_MAX];
};

void trace_put(struct trace_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Argument c->next.  ret: the call's result; 0 before it has one. */
void trace_arg(struct trace_call *c, long ret);
/* The call fills it in, so it is printed when the call has ended. */
bool trace_arg_is_output(const struct trace_call *c);
/* Not an argument at all: the mode of an open that creates nothing. */
bool trace_arg_is_absent(const struct trace_call *c);

void trace_put_signal(struct trace_call *c, unsigned sig);
/* {si_signo=..., ...} as strace prints it. */
void trace_put_siginfo(struct trace_call *c, int sig,
		       const struct siginfo *info);
