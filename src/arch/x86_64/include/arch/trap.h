/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of an interrupted context, as the entry code pushes them;
 * the layout is shared with entry.S (offsets are asserted there).
 *
 * Portable code reads and writes them by the accessors only.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct regs {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax; /* system call number, -1 for other traps; vector */
	uint64_t rip, cs, rflags, rsp, ss;
};

static inline bool
regs_user(const struct regs *r)
{
	return (r->cs & 3) == 3;
}

static inline vaddr_t
regs_pc(const struct regs *r)
{
	return r->rip;
}

static inline vaddr_t
regs_sp(const struct regs *r)
{
	return r->rsp;
}

static inline void
regs_set_ret(struct regs *r, long v)
{
	r->rax = (uint64_t)v;
}

static inline long
regs_ret(const struct regs *r)
{
	return (long)r->rax;
}

static inline uint64_t
regs_syscall_nr(const struct regs *r)
{
	return r->orig_rax;
}

/* What a page fault was: for upcall_fault(). */
#define FAULT_WRITE   (1u << 0)
#define FAULT_EXEC    (1u << 1)
#define FAULT_USER    (1u << 2) /* from user mode */
#define FAULT_PRESENT (1u << 3) /* a protection violation */
