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

/* Small, and without pointers, which would each need a relocation. */
struct syscall_desc {
	uint16_t name; /* in syscall_names; 0: no such call */
	uint8_t nargs;
	uint8_t kind[6]; /* KIND_* of the generated header */
};

extern const char syscall_names[];
extern const struct syscall_desc syscall_table[SYSCALL_MAX];
/* Apart from the descriptions: the gate reads nothing else.  NULL: ENOSYS. */
extern long (*const syscall_fn[SYSCALL_MAX])(struct thread *t,
					     const struct regs *r);

/* NULL: there is no call of this number. */
static inline const char *
syscall_name(const struct syscall_desc *d)
{
	return d->name ? syscall_names + d->name : NULL;
}
