/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow path of spin locks, and the debug kernel's checks:
 *
 * - A lock may be taken only with a rank above (or, for two locks of one
 *   kind, equal to and never the same lock as) those that this CPU holds.
 *   What an interrupt takes is ordered among itself: it may come with any
 *   lock held that leaves interrupts enabled.
 * - For that to be sound, a lock that interrupts take is never taken with
 *   interrupts enabled, nor is one that is taken with interrupts enabled
 *   ever taken under it.
 */
#include <base/assert.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/spinlock.h>

/*
 * How often a waiter sees the lock free, and those before it not take it,
 * until it takes it itself.  One that runs needs a look or two; one that does
 * not is a virtual CPU that its host has taken off, for milliseconds.
 */
#define PATIENCE 64u

static_assert(ARCH_MAX_CPUS * 2 < UINT16_MAX / SPIN_WAITER,
	      "a CPU waits for two locks at most: one of them in an interrupt");

/* The line is from the ticket that is served to the last one drawn. */
static bool
in_line(const struct spinlock *l, uint16_t ticket, uint16_t serving)
{
	uint16_t next = atomic_load_relaxed(&l->next);

	return (uint16_t)(ticket - serving) < (uint16_t)(next - serving);
}

/* Those who were passed over need not wait for a turn any more. */
static bool
my_turn(const struct spinlock *l, uint16_t ticket)
{
	uint16_t serving = atomic_load_relaxed(&l->serving);

	return ticket == serving || !in_line(l, ticket, serving);
}

static bool
free_for(const struct spinlock *l, uint16_t word, uint16_t ticket,
	 unsigned *looks)
{
	return !(word & SPIN_HELD) &&
	       (my_turn(l, ticket) || ++*looks > PATIENCE);
}

static void
wait_in_line(struct spinlock *l)
{
	uint16_t word = (uint16_t)(atomic_fetch_add(&l->word, SPIN_WAITER) +
				   SPIN_WAITER);
	uint16_t ticket = atomic_fetch_add(&l->next, 1);
	unsigned looks = 0;

	while (!free_for(l, word, ticket, &looks) ||
	       !__atomic_compare_exchange_n(
		       &l->word, &word,
		       (uint16_t)(word + SPIN_HELD - SPIN_WAITER), false,
		       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		cpu_relax();
		word = atomic_load_relaxed(&l->word);
	}
	/* Only who holds the lock moves the line on. */
	if (in_line(l, ticket, atomic_load_relaxed(&l->serving)))
		atomic_store_relaxed(&l->serving, (uint16_t)(ticket + 1));
}

void
spin_lock_slow(struct spinlock *l)
{
#ifdef PITH_DEBUG
	if (l->cpu == this_cpu()->id + 1)
		panic("spin lock of rank %u: taken by its holder",
		      l->rank & 0xffu);
#endif
	wait_in_line(l);
}

#ifdef PITH_DEBUG

#define HELD_MAX 16

/* How a lock has been used so far, beside its rank. */
#define USED_IN_IRQ 0x4000u
#define USED_IRQ_ON 0x8000u
#define USED_BOTH   (USED_IN_IRQ | USED_IRQ_ON)

static struct {
	struct spinlock *lock[HELD_MAX];
	unsigned depth[HELD_MAX]; /* of interrupts, when it was taken */
	unsigned n;
} held[ARCH_MAX_CPUS]; /* [o] */

static unsigned
rank_of(const struct spinlock *l)
{
	return l->rank & ~USED_BOTH;
}

static void
check_order(const struct spinlock *l, const struct spinlock *h)
{
	if (rank_of(h) && rank_of(l) && rank_of(h) > rank_of(l))
		panic("lock order: rank %u taken with rank %u held", rank_of(l),
		      rank_of(h));
	if (h->rank & USED_IN_IRQ && l->rank & USED_IRQ_ON)
		panic("lock order: rank %u, taken elsewhere with interrupts "
		      "enabled, under rank %u, which interrupts take",
		      rank_of(l), rank_of(h));
}

void
lock_debug_acquire(struct spinlock *l)
{
	irqflags_t f = irq_save();
	unsigned cpu = this_cpu()->id, n = held[cpu].n;
	unsigned depth = this_cpu()->irq_depth;

	if (depth)
		l->rank |= USED_IN_IRQ;
	else if (irq_flags_enabled(f))
		l->rank |= USED_IRQ_ON;
	if ((l->rank & USED_BOTH) == USED_BOTH)
		panic("spin lock of rank %u is taken in interrupts, and with "
		      "interrupts enabled",
		      rank_of(l));
	for (unsigned i = 0; i < n; i++) {
		if (held[cpu].lock[i] == l)
			panic("spin lock %p taken twice", (void *)l);
		if (held[cpu].depth[i] == depth)
			check_order(l, held[cpu].lock[i]);
	}
	assert(n < HELD_MAX);
	held[cpu].lock[n] = l;
	held[cpu].depth[n] = depth;
	held[cpu].n = n + 1;
	l->cpu = (uint16_t)(cpu + 1);
	irq_restore(f);
}

void
lock_debug_release(struct spinlock *l)
{
	irqflags_t f = irq_save();
	unsigned cpu = this_cpu()->id, n = held[cpu].n, i;

	for (i = n; i-- > 0 && held[cpu].lock[i] != l;)
		;
	if (i >= n) {
		/* Handed over across a thread switch: the lock was taken on
		 * this CPU by the thread that left. */
		l->cpu = 0;
		irq_restore(f);
		return;
	}
	for (; i + 1 < n; i++) {
		held[cpu].lock[i] = held[cpu].lock[i + 1];
		held[cpu].depth[i] = held[cpu].depth[i + 1];
	}
	held[cpu].n = n - 1;
	l->cpu = 0;
	irq_restore(f);
}

void
lock_debug_may_sleep(void)
{
	irqflags_t f = irq_save();
	unsigned cpu = this_cpu()->id;

	if (held[cpu].n)
		panic("sleeps with a spin lock of rank %u held",
		      rank_of(held[cpu].lock[held[cpu].n - 1]));
	irq_restore(f);
}

#endif
