/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping locks.
 *
 * Mutex: one exchange to take, one to release when nobody waits.  State 2
 * (waited for) is set by every thread that sleeps, and by one that gets the
 * lock after having slept, so that its unlock wakes the next.
 *
 * Rwlock: a count by compare-exchange.  A writer announces itself in
 * writers_waiting before it looks, which keeps new readers out; the unlock
 * that makes the lock free sees the announcement.
 *
 * Debug kernels check ranks by core's lock_debug for spin locks only; for
 * these, that the unlocker is the owner.
 */
#include <sched/mutex.h>

#include <abi/errno.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <sched/thread.h>

enum { MUTEX_FREE, MUTEX_HELD, MUTEX_WAITED };

/* ---- mutex ---- */

void
mutex_init(struct mutex *m, enum lock_rank rank)
{
	m->state = MUTEX_FREE;
	m->rank = (uint16_t)rank;
	m->owner = NULL;
	waitq_init(&m->wq);
}

bool
mutex_trylock(struct mutex *m)
{
	uint32_t old = MUTEX_FREE;

	if (!atomic_cas(&m->state, &old, MUTEX_HELD))
		return false;
	m->owner = thread_current();
	return true;
}

static int
lock_slow(struct mutex *m, bool intr)
{
	struct wait_entry e;
	int err = 0;

	assert(m->owner != thread_current());
	wait_start_exclusive(&m->wq, &e, intr);
	while (atomic_xchg(&m->state, MUTEX_WAITED) != MUTEX_FREE) {
		err = wait_sleep(&e, TIME_NEVER);
		if (err)
			break;
	}
	wait_end(&m->wq, &e);
	if (!err) {
		m->owner = thread_current();
		return 0;
	}
	/* A wake may have come together with the signal: pass it on. */
	wait_wake(&m->wq, 1, 0);
	return err;
}

void
mutex_lock(struct mutex *m)
{
	if (unlikely(!mutex_trylock(m)))
		ignore(lock_slow(m, false)); /* can't be interrupted */
}

int
mutex_lock_intr(struct mutex *m)
{
	if (likely(mutex_trylock(m)))
		return 0;
	return lock_slow(m, true);
}

void
mutex_unlock(struct mutex *m)
{
	assert(m->owner == thread_current());
	m->owner = NULL;
	if (atomic_xchg(&m->state, MUTEX_FREE) == MUTEX_WAITED)
		wait_wake(&m->wq, 1, 0);
}

bool
mutex_held(const struct mutex *m)
{
	return atomic_load_relaxed(&m->owner) == thread_current();
}

/* ---- read-write lock ---- */

void
rwlock_init(struct rwlock *l, enum lock_rank rank)
{
	l->readers = 0;
	l->writers_waiting = 0;
	l->rank = (uint16_t)rank;
	waitq_init(&l->read_wq);
	waitq_init(&l->write_wq);
}

bool
read_trylock(struct rwlock *l)
{
	int32_t n = atomic_load_relaxed(&l->readers);

	do {
		if (n < 0 || atomic_load_relaxed(&l->writers_waiting))
			return false;
	} while (!atomic_cas(&l->readers, &n, n + 1));
	return true;
}

void
read_lock(struct rwlock *l)
{
	struct wait_entry e;

	if (likely(read_trylock(l)))
		return;
	wait_start(&l->read_wq, &e, false);
	while (!read_trylock(l))
		ignore(wait_sleep(&e, TIME_NEVER)); /* not interruptible */
	wait_end(&l->read_wq, &e);
}

void
read_unlock(struct rwlock *l)
{
	int32_t n = atomic_sub(&l->readers, 1);

	assert(n >= 0);
	if (n == 0 && unlikely(atomic_load(&l->writers_waiting)))
		wait_wake(&l->write_wq, 1, 0);
}

bool
write_trylock(struct rwlock *l)
{
	int32_t n = 0;

	return atomic_cas(&l->readers, &n, -1);
}

void
write_lock(struct rwlock *l)
{
	struct wait_entry e;

	if (likely(write_trylock(l)))
		return;
	atomic_add(&l->writers_waiting, 1);
	wait_start_exclusive(&l->write_wq, &e, false);
	while (!write_trylock(l))
		ignore(wait_sleep(&e, TIME_NEVER)); /* not interruptible */
	wait_end(&l->write_wq, &e);
	atomic_sub(&l->writers_waiting, 1);
}

/* Writers first; when the last of them is done, all readers. */
static void
wake_others(struct rwlock *l)
{
	if (atomic_load(&l->writers_waiting))
		wait_wake(&l->write_wq, 1, 0);
	else if (waitq_active(&l->read_wq))
		wait_wake_all(&l->read_wq, 0);
}

void
write_unlock(struct rwlock *l)
{
	int32_t old = atomic_xchg(&l->readers, 0);

	assert(old == -1);
	wake_others(l);
}

void
write_downgrade(struct rwlock *l)
{
	int32_t old = atomic_xchg(&l->readers, 1);

	assert(old == -1);
	if (!atomic_load(&l->writers_waiting) && waitq_active(&l->read_wq))
		wait_wake_all(&l->read_wq, 0);
}

/* ---- completion ---- */

void
completion_init(struct completion *c)
{
	c->done = false;
	waitq_init(&c->wq);
}

/* Under the queue's lock throughout: a waiter that sees done must take that
 * lock before it returns and may free the completion. */
void
completion_done(struct completion *c)
{
	irqflags_t f = spin_lock_irq(&c->wq.lock);

	atomic_store(&c->done, true);
	wait_wake_locked(&c->wq, 0, 0);
	spin_unlock_irq(&c->wq.lock, f);
}

int
completion_wait_until(struct completion *c, uint64_t deadline_ns)
{
	struct wait_entry e;
	int err = 0;

	wait_start(&c->wq, &e, false);
	while (!atomic_load_acquire(&c->done)) {
		err = wait_sleep(&e, deadline_ns);
		if (err)
			break;
	}
	wait_end(&c->wq, &e);
	return atomic_load_acquire(&c->done) ? 0 : err;
}

void
completion_wait(struct completion *c)
{
	ignore(completion_wait_until(c, TIME_NEVER)); /* can't time out */
}
