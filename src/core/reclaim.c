/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferred reclamation.
 *
 * Callbacks gather in one list ("next").  A grace period takes that list as
 * "waiting" and notes which CPUs must pass a quiescent state; each that does
 * clears its bit; the last one moves the list to "done", which is run by
 * whoever comes by a safe point: the idle loop, the scheduler's switch, a
 * thread in reclaim_barrier().  A CPU that idles counts as quiescent without
 * being asked, but not while it is in an interrupt, which may be reading; one
 * that runs a program for long without entering the kernel is reached by its
 * next interrupt, which is asked for.
 *
 * With one CPU a quiescent state is a whole grace period.
 */
#include <arch/smp.h>
#include <base/atomic.h>
#include <core/percpu.h>
#include <core/reclaim.h>
#include <core/spinlock.h>

/* At most this many callbacks at one safe point, so that none is long. */
#define BATCH 64
/* With more than this waiting, the way to user mode helps. */
#define BACKLOG 128

static void (*on_backlog)(void); /* [I] after boot */

static struct {
	struct spinlock lock;	      /* RANK_RECLAIM; interrupts off */
	struct reclaim_head *next;    /* [lock] newest first */
	struct reclaim_head *waiting; /* [lock] */
	struct reclaim_head *done;    /* [lock] */
	uint64_t pending;	      /* [lock, a read] CPUs to pass */
	uint64_t queued, completed;   /* [lock] counts, for the barrier */
	bool work;		      /* [a] there is anything at all */
} r = { .lock = SPINLOCK_INIT(RANK_RECLAIM) };

/* Between the writer's unlinking and this there is a barrier (the lock), as
 * there is between either mark and the CPU's reading. */
static bool
quiet(const struct cpu *c)
{
	return atomic_load_relaxed(&c->idle) &&
	       !atomic_load_relaxed(&c->irq_depth);
}

static uint64_t
online_mask(void)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < ARCH_MAX_CPUS && cpus[i]; i++)
		if (cpus[i]->online && !quiet(cpus[i]))
			mask |= 1ull << i;
	return mask;
}

/* Both with the lock held. */
static void
finish_period(void)
{
	struct reclaim_head **end = &r.done;

	while (*end)
		end = &(*end)->next;
	*end = r.waiting;
	r.waiting = NULL;
}

static void
start_period(void)
{
	if (r.waiting || !r.next)
		return;
	r.waiting = r.next;
	r.next = NULL;
	atomic_store(&r.pending, online_mask() | 1ull << this_cpu()->id);
}

void
reclaim_call(struct reclaim_head *h, void (*fn)(struct reclaim_head *))
{
	irqflags_t f = spin_lock_irq(&r.lock);
	bool many;

	h->fn = fn;
	h->next = r.next;
	r.next = h;
	r.queued++;
	start_period();
	atomic_store_relaxed(&r.work, true);
	many = r.queued - r.completed > BACKLOG;
	spin_unlock_irq(&r.lock, f);
	if (unlikely(many) && on_backlog)
		on_backlog();
}

void
reclaim_on_backlog(void (*fn)(void))
{
	on_backlog = fn;
}

static void
run_done(void)
{
	struct reclaim_head *list, *h;
	irqflags_t f = spin_lock_irq(&r.lock);
	struct reclaim_head **end;
	unsigned n = 0;

	list = r.done;
	for (end = &list; *end && n < BATCH; n++)
		end = &(*end)->next;
	r.done = *end;
	*end = NULL;
	spin_unlock_irq(&r.lock, f);
	while ((h = list) != NULL) {
		list = h->next;
		h->fn(h);
	}
	f = spin_lock_irq(&r.lock);
	r.completed += n;
	if (!r.next && !r.waiting && !r.done)
		atomic_store_relaxed(&r.work, false);
	spin_unlock_irq(&r.lock, f);
}

static void
pass(void)
{
	uint64_t bit = 1ull << this_cpu()->id;
	irqflags_t f = spin_lock_irq(&r.lock);

	if (r.waiting) {
		uint64_t idle = 0;

		for (unsigned i = 0; i < ARCH_MAX_CPUS && cpus[i]; i++)
			if (quiet(cpus[i]))
				idle |= 1ull << i;
		atomic_and(&r.pending, ~(bit | idle));
		if (!r.pending)
			finish_period();
	}
	start_period();
	spin_unlock_irq(&r.lock, f);
}

void
reclaim_quiescent(void)
{
	if (likely(!atomic_load_relaxed(&r.work)))
		return;
	pass();
}

void
reclaim_run(void)
{
	if (likely(!atomic_load_relaxed(&r.work)))
		return;
	if (atomic_load_relaxed(&r.done))
		run_done();
}

void
reclaim_poke(void)
{
	uint64_t left = atomic_load_relaxed(&r.pending);

	for (; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		if (i != this_cpu()->id)
			smp_kick(i);
	}
}

uint64_t
reclaim_queued(void)
{
	return r.queued;
}

uint64_t
reclaim_completed(void)
{
	return r.completed;
}
