/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer's two halves: lines and hooks (trace.c), and what an argument
 * looks like (trace_args.c, trace_structs.c, trace_net.c).
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
	struct list link; /* [trace_lock] */
	const struct syscall_desc *desc;
	const uint64_t *a; /* [o] while arguments are printed */
	unsigned next;	   /* [o] first argument not yet written */
	int tid;
	size_t len;
	char text[LINE_MAX];
};

/* v: the argument; next: the one after it. */
typedef void print_fn(struct trace_call *c, uint64_t v, long ret,
		      uint64_t next);

/* trace_net.c */
print_fn print_family, print_sockaddr, print_osockaddr, print_socklen,
	print_soproto, print_solevel, print_soname, print_sovalue,
	print_osovalue, print_msghdr, print_omsghdr, print_mmsg,
	print_acceptflags;
/* trace_structs.c */
print_fn print_ostat, print_tspec, print_otspec, print_itimer, print_oitimer,
	print_rlim, print_orlim, print_sigset, print_osigset, print_sigact,
	print_osigact, print_iov, print_oiov, print_ofds, print_opoll,
	print_epollev, print_oevents, print_argv, print_envp;
/* trace_args.c */
print_fn print_hex, print_path, print_msgflags;
/* Reads what v points to; prints v itself and answers false when it is NULL
 * or can't be read. */
bool trace_get(struct trace_call *c, uint64_t v, void *to, size_t size);
/* As trace_get(), of what a call that answered ret has filled in. */
bool trace_get_out(struct trace_call *c, uint64_t v, long ret, void *to,
		   size_t size);

struct trace_flag {
	uint64_t bits;
	const char *name;
};
#define TRACE_FLAG(f) \
	{             \
		f, #f \
	}

/* v in names of f, the rest as a number; first: nothing is printed yet. */
void trace_put_flags(struct trace_call *c, uint64_t v,
		     const struct trace_flag *f, size_t n, bool first);
/* The first bytes of a buffer of the program's. */
void trace_put_data(struct trace_call *c, uint64_t v, uint64_t len);
/* In quotes, with C's escapes. */
void trace_put_bytes(struct trace_call *c, const char *p, size_t len);
/* n pieces of the program's, of which total bytes in all went by. */
void trace_put_iov(struct trace_call *c, uint64_t v, uint64_t n,
		   uint64_t total);

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
