/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a thread keeps of the CPU while it does not run, and the switch.
 *
 * FPU state is saved eagerly on a switch away from a thread that has a user
 * context (XSAVEOPT/XSAVEC where there), never in a system call.  The kernel
 * itself uses no FPU registers.  FS base is the program's TLS; user GS base
 * is kept too (arch_prctl).
 */
#pragma once

#include <arch/trap.h>
#include <base/compiler.h>
#include <base/types.h>

struct thread;

struct arch_thread {
	uint64_t ksp; /* saved kernel stack pointer while not running */
	uint64_t kstack_top;
	uint64_t fs_base; /* user; current only while not running */
	uint64_t gs_base;
	void *fpu; /* XSAVE area, NULL for a kernel thread */
};

/* Prepares a thread that starts in fn(arg) in kernel mode; fn must not
 * return. */
void arch_thread_init(struct arch_thread *at, void *kstack, size_t kstack_size,
		      void (*fn)(void *arg), void *arg);

/* Gives the thread an FPU area with the initial state (from == NULL) or a
 * copy of from's (clone).  0 or -ENOMEM. */
MUST_CHECK int arch_fpu_init(struct arch_thread *at,
			     const struct arch_thread *from);
void arch_thread_fini(struct arch_thread *at);

/* Saves prev, resumes next; returns when prev runs again.  Interrupts are
 * disabled.  Sets the kernel stack for the next entry from user mode. */
void arch_switch(struct arch_thread *prev, struct arch_thread *next);

/* Size of the XSAVE area in the standard format, for signal frames. */
size_t arch_fpu_size(void);

/* AT_HWCAP (n 0) and AT_HWCAP2 (n 1) of the auxiliary vector; the smallest
 * stack that takes a signal frame (AT_MINSIGSTKSZ). */
uint64_t arch_hwcap(unsigned n);
size_t arch_minsigstksz(void);

/* The user registers of a thread that entered the kernel from user mode:
 * they lie at the top of its kernel stack. */
static inline struct regs *
arch_user_regs(const struct arch_thread *at)
{
	return (struct regs *)(at->kstack_top - sizeof(struct regs));
}

/* Leaves for user mode with arch_user_regs() of the current thread, all
 * registers restored from there (IRET path).  Does not return. */
NORETURN void arch_enter_user(void);

/* Fills regs for a fresh program: entry, stack, all else zero; resets the
 * FPU, FS and GS of the current thread at. */
void arch_regs_exec(struct arch_thread *at, struct regs *r, vaddr_t entry,
		    vaddr_t sp);

void arch_set_tls(struct arch_thread *at, uint64_t fs_base); /* any thread */
/* arch_prctl's operations (x86-64: ARCH_SET_FS ...); -EINVAL, -EPERM. */
long arch_prctl(struct thread *t, struct arch_thread *at, int op,
		uint64_t addr);
