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

static inline void
regs_set_pc(struct regs *r, vaddr_t pc)
{
	r->rip = pc;
}

static inline void
regs_set_sp(struct regs *r, vaddr_t sp)
{
	r->rsp = sp;
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

/* Register number i by name, for reports; false beyond the last. */
static inline bool
regs_item(const struct regs *r, unsigned i, const char **name, uint64_t *value)
{
	static const struct {
		const char *name;
		uint16_t offset;
	} items[] = {
		{ "rip", offsetof(struct regs, rip) },
		{ "rsp", offsetof(struct regs, rsp) },
		{ "rbp", offsetof(struct regs, rbp) },
		{ "rax", offsetof(struct regs, rax) },
		{ "rbx", offsetof(struct regs, rbx) },
		{ "rcx", offsetof(struct regs, rcx) },
		{ "rdx", offsetof(struct regs, rdx) },
		{ "rsi", offsetof(struct regs, rsi) },
		{ "rdi", offsetof(struct regs, rdi) },
		{ "r8", offsetof(struct regs, r8) },
		{ "r9", offsetof(struct regs, r9) },
		{ "r10", offsetof(struct regs, r10) },
		{ "r11", offsetof(struct regs, r11) },
		{ "r12", offsetof(struct regs, r12) },
		{ "r13", offsetof(struct regs, r13) },
		{ "r14", offsetof(struct regs, r14) },
		{ "r15", offsetof(struct regs, r15) },
		{ "rflags", offsetof(struct regs, rflags) },
	};

	if (i >= sizeof(items) / sizeof(items[0]))
		return false;
	*name = items[i].name;
	*value = *(const uint64_t *)((const char *)r + items[i].offset);
	return true;
}

/* The frame pointer, where compilers keep one. */
static inline vaddr_t
regs_fp(const struct regs *r)
{
	return r->rbp;
}

/* Whether these are the registers of a system call that has not yet been
 * restarted or given a signal frame. */
static inline bool
regs_in_syscall(const struct regs *r)
{
	return (int64_t)r->orig_rax >= 0;
}

static inline void
regs_leave_syscall(struct regs *r)
{
	r->orig_rax = (uint64_t)-1;
}

/* Makes the program execute its SYSCALL instruction again, as call nr. */
static inline void
regs_restart_syscall(struct regs *r, uint64_t nr)
{
	r->rax = nr;
	r->rip -= 2;
	r->orig_rax = (uint64_t)-1;
}

/* What a page fault was: for upcall_fault(). */
#define FAULT_WRITE   (1u << 0)
#define FAULT_EXEC    (1u << 1)
#define FAULT_USER    (1u << 2) /* from user mode */
#define FAULT_PRESENT (1u << 3) /* a protection violation */

/* Argument i, of six, of a system call. */
static inline uint64_t
regs_syscall_arg(const struct regs *r, unsigned i)
{
	switch (i) {
	case 0:
		return r->rdi;
	case 1:
		return r->rsi;
	case 2:
		return r->rdx;
	case 3:
		return r->r10;
	case 4:
		return r->r8;
	default:
		return r->r9;
	}
}
