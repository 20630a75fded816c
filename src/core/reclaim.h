/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferred reclamation by quiescent states.
 *
 * Readers of lock-free structures (descriptor table, directory entries, vmas)
 * do nothing special: the kernel is not preempted, so a reader that does not
 * sleep is done when its CPU next switches threads, returns to user mode or
 * idles.  A writer unlinks the object, then hands it to reclaim_call(); the
 * function runs after every CPU has passed such a state.  Publish pointers
 * with atomic_store_release and read them with atomic_load_consume/acquire.
 */
#pragma once

#include <base/types.h>

struct reclaim_head {
	struct reclaim_head *next;
	void (*fn)(struct reclaim_head *);
};

/* Any context.  fn runs in a kernel thread's context and must not sleep. */
void reclaim_call(struct reclaim_head *h, void (*fn)(struct reclaim_head *));

/* Waits until all callbacks handed over before have run; may sleep.  Defined
 * by sched/reclaimd.c. */
void reclaim_barrier(void);

/* For sched/reclaimd.c.  Names a function that reclaim_call() calls, in any
 * context, while many callbacks wait; it only marks.  Then: runs what is due;
 * makes CPUs that a grace period waits for take an interrupt; counts of
 * callbacks handed over and run. */
void reclaim_on_backlog(void (*fn)(void));
void reclaim_run(void);
void reclaim_poke(void);
uint64_t reclaim_queued(void);
uint64_t reclaim_completed(void);

/* Declares a quiescent state of this CPU: called by the scheduler, by the
 * return to user mode, and by the idle loop. */
void reclaim_quiescent(void);
