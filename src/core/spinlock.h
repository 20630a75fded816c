/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spin locks.  The kernel is not preempted, so a plain spin_lock() is enough
 * for data that no interrupt handler touches; use the _irq forms for data
 * that one does.  Debug kernels check rank and owner, and that no thread
 * sleeps with one held.
 *
 * Who finds a lock taken is counted in the word that must be 0 to take it at
 * once, so nobody who comes later is before them; they draw tickets and take
 * their turn (spinlock.c).
 */
#pragma once

#include <arch/cpu.h>
#include <base/atomic.h>
#include <base/compiler.h>
#include <base/types.h>
#include <core/lock_rank.h>

#define SPIN_HELD   0x0001u /* in struct spinlock's word */
#define SPIN_WAITER 0x0100u /* one of those that wait */

struct spinlock {
	union {
		uint16_t word; /* [a] 0: free, and nobody waits */
		uint8_t held;  /* [a] its low byte: SPIN_HELD or 0 */
	};
	uint16_t next;	  /* [a] the ticket of who comes to wait next */
	uint16_t serving; /* [held w, a] whose turn it is */
	uint16_t rank;	  /* [I] enum lock_rank */
#ifdef PITH_DEBUG
	uint16_t cpu; /* [o] holder + 1 */
#endif
};

#define SPINLOCK_INIT(r)     \
	{                    \
		.rank = (r), \
	}

static inline void
spin_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock)SPINLOCK_INIT((uint16_t)rank);
}

#ifdef PITH_DEBUG
void lock_debug_acquire(struct spinlock *l);
void lock_debug_release(struct spinlock *l);
void lock_debug_may_sleep(void); /* panics when this CPU holds one */
#else
static inline void
lock_debug_may_sleep(void)
{
}
static inline void
lock_debug_acquire(struct spinlock *l)
{
	(void)l;
}
static inline void
lock_debug_release(struct spinlock *l)
{
	(void)l;
}
#endif

void spin_lock_slow(struct spinlock *l);

/* False also where it is free and others wait for it. */
static inline bool
spin_take(struct spinlock *l)
{
	uint16_t none = 0;

	return __atomic_compare_exchange_n(&l->word, &none, SPIN_HELD, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline bool
spin_trylock(struct spinlock *l)
{
	if (!spin_take(l))
		return false;
	lock_debug_acquire(l);
	return true;
}

static inline void
spin_lock(struct spinlock *l)
{
	if (unlikely(!spin_take(l)))
		spin_lock_slow(l);
	lock_debug_acquire(l);
}

static inline void
spin_unlock(struct spinlock *l)
{
	lock_debug_release(l);
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

static inline irqflags_t
spin_lock_irq(struct spinlock *l)
{
	irqflags_t f = irq_save();

	spin_lock(l);
	return f;
}

static inline void
spin_unlock_irq(struct spinlock *l, irqflags_t f)
{
	spin_unlock(l);
	irq_restore(f);
}
