/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The idle loop of each CPU: how it waits for work, awake or halted.
 *
 * To start a halted CPU takes an interrupt and, in a virtual machine, the
 * host's scheduler; a CPU that is awake sees a store.  So it stays awake for
 * a while where that is likely to be rewarded: for any work, a short one; with
 * more patience for the answer of a device that has requests of this CPU's
 * (core/idle.h).  What was best lately says how long.
 */
#include "sched_priv.h"

#include <base/atomic.h>
#include <core/clock.h>
#include <core/idle.h>
#include <core/reclaim.h>

#define POLL_MAX_NS   40000ull
#define POLL_MIN_NS   2000ull
#define SPIN_MAX_NS   200000ull
#define SPIN_LOOKS    32u /* between two looks at the clock */
#define ANSWER_MAX_NS 10000000ull
#define TRY_EVERY     16u /* answers: the other way, to know it */

static bool
idle_work(struct runqueue *rq)
{
	return atomic_load_acquire(&rq->nr) ||
	       atomic_load_acquire(&rq->cpu->need_resched);
}

/* Another CPU's work, if there are others. */
static bool
pull(struct runqueue *rq, uint64_t now)
{
	bool got;

	if (cpu_online_count == 1)
		return false;
	irq_disable();
	got = sched_pull(rq, now);
	irq_enable();
	return got;
}

/* Looks for work for a while, awake.  Interrupts are enabled. */
static bool
poll_for_work(struct runqueue *rq)
{
	uint64_t start = clock_mono_ns(), now = start;

	while (now - start < rq->poll_ns) {
		if (idle_work(rq) || pull(rq, now))
			return true;
		cpu_relax_poll();
		now = clock_mono_ns();
	}
	return false;
}

/* Halts until an interrupt; adapts the poll: a halt that was short would
 * have been better spent polling, a long one makes polling a waste. */
static void
idle_halt(struct runqueue *rq)
{
	uint64_t start, len;

	irq_disable();
	atomic_store_release(&rq->polling, false);
	atomic_fence();
	idle_poll();
	if (idle_work(rq)) {
		irq_enable();
		return;
	}
	reclaim_quiescent();
	start = clock_mono_ns();
	cpu_halt();
	len = clock_mono_ns() - start;
	if (len < POLL_MAX_NS) {
		rq->poll_ns = rq->poll_ns * 2 + POLL_MIN_NS;
		if (rq->poll_ns > POLL_MAX_NS)
			rq->poll_ns = POLL_MAX_NS;
	} else {
		rq->poll_ns /= 2;
	}
}

static void
poll_and_halt(struct runqueue *rq)
{
	if (!poll_for_work(rq))
		idle_halt(rq);
}

/*
 * ---- the answer of a device ----
 *
 * Awake is better, but not where the host has more to run than processors:
 * there a CPU that never halts takes the time of the host's thread that is to
 * answer.  So both are tried, and what takes less time on average is done.
 */

static bool
choose_awake(struct runqueue *rq)
{
	bool awake;

	if (!rq->answer_ns[true] || !rq->answer_ns[false])
		return !rq->answer_ns[true];
	awake = rq->answer_ns[true] < rq->answer_ns[false] &&
		rq->answer_ns[true] < SPIN_MAX_NS;
	return rq->answers % TRY_EVERY ? awake : !awake;
}

static void
note_answer(struct runqueue *rq, bool awake, uint64_t ns)
{
	uint64_t *avg = &rq->answer_ns[awake];

	if (ns > ANSWER_MAX_NS)
		ns = ANSWER_MAX_NS;
	*avg = *avg ? *avg - *avg / 8 + ns / 8 : ns;
	rq->answers++;
}

static bool
look_often(struct runqueue *rq, struct idle_due *due)
{
	for (unsigned i = 0; i < SPIN_LOOKS; i++) {
		if (idle_look(due) || idle_work(rq))
			return true;
		cpu_relax_poll();
	}
	return false;
}

static bool
spin(struct runqueue *rq, struct idle_due *due, uint64_t start)
{
	uint64_t now = start;

	while (now - start < SPIN_MAX_NS) {
		if (look_often(rq, due) || pull(rq, now))
			return true;
		now = clock_mono_ns();
	}
	return false;
}

/* Waits for work, or for a device that owes an answer. */
static void
wait_for_any(struct runqueue *rq)
{
	bool awake = choose_awake(rq), got = false, came = false;
	struct idle_due due;
	uint64_t start;

	if (!idle_begin(&due, awake)) {
		poll_and_halt(rq);
		return;
	}
	start = clock_mono_ns();
	if (awake) {
		got = spin(rq, &due, start);
		came = idle_end(&due);
	}
	if (!awake || (!got && !came && idle_begin(&due, false))) {
		poll_and_halt(rq);
		came = idle_end(&due);
	}
	if (came)
		note_answer(rq, awake, clock_mono_ns() - start);
}

NORETURN void
sched_idle(void)
{
	struct runqueue *rq = this_cpu()->rq;
	uint64_t bit = 1ull << rq->cpu->id;

	for (;;) {
		if (sched_run_queued(rq))
			continue;
		atomic_store_release(&rq->polling, true);
		atomic_or(&sched_idle_cpus, bit);
		rq->cpu->idle = true;
		reclaim_quiescent();
		reclaim_run();
		wait_for_any(rq);
		rq->cpu->idle = false;
		atomic_and(&sched_idle_cpus, ~bit);
		atomic_store_release(&rq->polling, false);
	}
}
