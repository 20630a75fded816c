/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal frames on the program's stack, byte for byte as Linux lays them out
 * (struct rt_sigframe: ucontext, siginfo, XSAVE image with its magic words).
 */
#pragma once

#include <arch/trap.h>
#include <base/compiler.h>
#include <base/types.h>

struct thread;
struct arch_thread;
struct siginfo;	    /* abi/signal.h, 128 bytes */
struct sigaltstack; /* abi/signal.h */

struct sigframe_args {
	int sig;
	vaddr_t handler;
	vaddr_t restorer;
	uint64_t oldmask; /* to restore by sigreturn */
	const struct siginfo *info;
	const struct sigaltstack *alt; /* its state, for uc_stack */
	vaddr_t stack;		       /* where to push; 0: the user's rsp */
	int trapno;
	uint64_t err;
	vaddr_t cr2;
};

/* Pushes the frame and points r at the handler.  0, or -EFAULT when the
 * stack cannot take it. */
MUST_CHECK int arch_sigframe_push(struct arch_thread *at, struct regs *r,
				  const struct sigframe_args *a);

/* rt_sigreturn: restores registers and FPU from the frame at the user's
 * stack pointer; gives back mask and alternate stack.  -EFAULT or -EINVAL:
 * the frame is not sound (the caller raises SIGSEGV). */
MUST_CHECK int arch_sigframe_pop(struct arch_thread *at, struct regs *r,
				 uint64_t *mask, struct sigaltstack *alt);
