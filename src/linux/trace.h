/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer: prints system calls as strace does, from the table's kinds,
 * into frames to the host.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct syscall_desc;
struct thread;

extern bool trace_on; /* [I] after boot */

/* filter: comma-separated names; "" traces all.  A name that the table does
 * not have is named to the user and left out. */
void trace_init(const char *filter);
void trace_enter(struct thread *t, const struct syscall_desc *d, unsigned nr,
		 const uint64_t a[6]);
void trace_leave(struct thread *t, const struct syscall_desc *d, unsigned nr,
		 const uint64_t a[6], long ret);
/* Prints what has begun and not ended, and sends all.  May sleep. */
void trace_end(void);
