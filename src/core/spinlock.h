/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spin locks.  The kernel is not preempted, so a plain spin_lock() is enough
 * for data that no interrupt handler touches; use the _irq forms for data
 * that one does.  Debug kernels check rank and owner, and that no thread
 * sleeps with one held.
 */
#pragma once

#include <arch/cpu.h>
#include <base/atomic.h>
#include <base/compiler.h>
#include <base/types.h>
#include <core/lock_rank.h>

struct spinlock {
	uint32_t locked; /* [a] 0 or 1 */
	uint16_t rank;	 /* [I] enum lock_rank */
	uint16_t cpu;	 /* [o] holder + 1, debug */
};

#define SPINLOCK_INIT(r)                           \
	{                                          \
		.locked = 0, .rank = (r), .cpu = 0 \
	}

static inline void
spin_init(struct spinlock *l, enum lock_rank rank)
{
	l->locked = 0;
	l->rank = (uint16_t)rank;
	l->cpu = 0;
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

static inline bool
spin_trylock(struct spinlock *l)
{
	if (__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE))
		return false;
	lock_debug_acquire(l);
	return true;
}

static inline void
spin_lock(struct spinlock *l)
{
	if (unlikely(__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE)))
		spin_lock_slow(l);
	lock_debug_acquire(l);
}

static inline void
spin_unlock(struct spinlock *l)
{
	lock_debug_release(l);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
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
