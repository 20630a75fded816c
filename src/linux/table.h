/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system call table as data: generated from syscalls.tbl by
 * tools/syscalls.awk, used by the gate and by the tracer.
 */
#pragma once

#include <base/types.h>

struct regs;
struct thread;

#define SYSCALL_MAX 512

enum syscall_level { SC_ABSENT, SC_NONE, SC_STUB, SC_PART, SC_FULL };

struct syscall_arg {
	uint8_t kind;	  /* KIND_* of the generated header */
	const char *name;
};

struct syscall_desc {
	const char *name;
	uint8_t level;	  /* enum syscall_level */
	uint8_t nargs;
	struct syscall_arg args[6];
};

extern const struct syscall_desc syscall_table[SYSCALL_MAX];
/* Apart from the descriptions: the gate reads nothing else.  NULL: ENOSYS. */
extern long (*const syscall_fn[SYSCALL_MAX])(struct thread *t,
					     const struct regs *r);
