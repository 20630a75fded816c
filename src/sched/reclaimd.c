/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferred reclamation from the scheduler's side: who runs the callbacks.
 *
 * The idle loop does, and the return to user mode once a backlog has built
 * up: reclaim_call() then marks the current thread, so that its way out of
 * the kernel is the slow one.  The barrier waits for all that was handed over
 * before it.
 */
#include "sched_priv.h"

#include <base/atomic.h>
#include <core/reclaim.h>

#define BARRIER_PAUSE_NS 50000ull

static void
backlog(void)
{
	struct thread *t = thread_current();

	if (t)
		atomic_or(&t->pending, PENDING_RESCHED);
}

void
sched_reclaim_init(void)
{
	reclaim_on_backlog(backlog);
}

void
reclaim_barrier(void)
{
	uint64_t target = reclaim_queued();

	while ((int64_t)(reclaim_completed() - target) < 0) {
		reclaim_quiescent();
		reclaim_poke();
		reclaim_run();
		if (cpu_online_count > 1)
			thread_delay(BARRIER_PAUSE_NS);
		else
			thread_yield();
	}
}
