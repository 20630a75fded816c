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

void
spin_lock_slow(struct spinlock *l)
{
	/* .cpu is kept in debug kernels only; 0 else. */
	if (l->cpu == this_cpu()->id + 1)
		panic("spin lock of rank %u: taken by its holder",
		      l->rank & 0xffu);
	do {
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED))
			cpu_relax();
	} while (__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE));
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
