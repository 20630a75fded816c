/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow path of spin locks, and the debug kernel's checks: a lock may be
 * taken only with a rank above (or, for two locks of one kind, equal to and
 * never the same lock as) those that this CPU holds.  An interrupt handler
 * starts afresh: what it interrupted holds no lock that a handler takes.
 */
#include <base/assert.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/spinlock.h>

void
spin_lock_slow(struct spinlock *l)
{
	do {
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED))
			cpu_relax();
	} while (__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE));
}

#ifdef PITH_DEBUG

#define HELD_MAX 16

static struct {
	struct spinlock *lock[HELD_MAX];
	unsigned depth[HELD_MAX]; /* of interrupts, when it was taken */
	unsigned n;
} held[ARCH_MAX_CPUS]; /* [o] */

void
lock_debug_acquire(struct spinlock *l)
{
	irqflags_t f = irq_save();
	unsigned cpu = this_cpu()->id, n = held[cpu].n;

	for (unsigned i = 0; i < n; i++) {
		const struct spinlock *h = held[cpu].lock[i];

		if (h == l)
			panic("spin lock %p taken twice", (void *)l);
		if (held[cpu].depth[i] == this_cpu()->irq_depth && h->rank &&
		    l->rank && h->rank > l->rank)
			panic("lock order: rank %u taken with rank %u held",
			      l->rank, h->rank);
	}
	assert(n < HELD_MAX);
	held[cpu].lock[n] = l;
	held[cpu].depth[n] = this_cpu()->irq_depth;
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
		      held[cpu].lock[held[cpu].n - 1]->rank);
	irq_restore(f);
}

#endif
