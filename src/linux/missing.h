/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that the program looked for in vain, for `pith run --missing-files`.
 */
#pragma once

#include <base/types.h>

struct syscall_desc;
struct thread;

/* After a call with a path answered ENOENT: tells the host the absolute path.
 * May sleep. */
void missing_report(struct thread *t, const struct syscall_desc *d,
		    const uint64_t a[6]);
