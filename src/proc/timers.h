/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interval timers and POSIX timers of a process; clocks of CPU time.
 */
#pragma once

#include <abi/signal.h>
#include <abi/time.h>
#include <base/compiler.h>
#include <base/types.h>

struct process;
struct thread;

/* which: ITIMER_*; times in ns, 0: none.  -EINVAL. */
MUST_CHECK int itimer_get(struct process *p, int which, uint64_t *value_ns,
			  uint64_t *interval_ns);
MUST_CHECK int itimer_set(struct process *p, int which, uint64_t value_ns,
			  uint64_t interval_ns, uint64_t *old_value_ns,
			  uint64_t *old_interval_ns);

/* sev NULL: SIGALRM with the id.  The id, or -EINVAL, -EAGAIN, -ENOMEM. */
MUST_CHECK int ptimer_create(struct process *p, int clock,
			     const struct sigevent *sev);
MUST_CHECK int ptimer_set(struct process *p, int id, bool absolute,
			  uint64_t value_ns, uint64_t interval_ns,
			  uint64_t *old_value_ns, uint64_t *old_interval_ns);
MUST_CHECK int ptimer_get(struct process *p, int id, uint64_t *value_ns,
			  uint64_t *interval_ns);
MUST_CHECK int ptimer_overrun(struct process *p, int id);
MUST_CHECK int ptimer_delete(struct process *p, int id);

/* CPU-time clocks by number, those of other threads too (clock_getcpuclockid,
 * pthread_getcpuclockid): 0 or -EINVAL. */
MUST_CHECK int cpu_clock_ns(int clock, uint64_t *ns);

/* RLIMIT_CPU changed. */
void cpu_limit_changed(struct process *p);
