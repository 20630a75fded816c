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
 * Debug kernels keep the list of locks that a thread holds: a lock is waited
 * for only with a rank that is not below any of theirs, and with no spin lock
 * held.  A trylock may break the order, as it does not wait.
 */
#include <sched/mutex.h>

#include <abi/errno.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <core/panic.h>
#include <core/spinlock.h>
#include <sched/thread.h>

enum { MUTEX_FREE, MUTEX_HELD, MUTEX_WAITED };

/* ---- debug kernels: who holds what ---- */

#ifdef PITH_DEBUG

static void
may_wait(const void *lock, unsigned rank)
{
	struct thread *t = thread_current();
	unsigned i;

	lock_debug_may_sleep();
	for (i = 0; i < t->nheld; i++) {
		if (t->held[i].lock == lock)
			panic("%s: lock of rank %u taken twice", t->name, rank);
		if (t->held[i].rank && rank && t->held[i].rank > rank)
			panic("%s: lock order: rank %u taken with rank %u "
			      "held",
			      t->name, rank, t->held[i].rank);
	}
}

static void
note_held(const void *lock, unsigned rank)
{
	struct thread *t = thread_current();

	assert(t->nheld < ARRAY_SIZE(t->held));
	t->held[t->nheld].lock = lock;
	t->held[t->nheld++].rank = (uint16_t)rank;
}

/* A read lock may be given back by another thread than took it; then it is
 * not in the list. */
static void
note_released(const void *lock)
{
	struct thread *t = thread_current();
	unsigned i;

	for (i = t->nheld; i-- > 0;) {
		if (t->held[i].lock != lock)
			continue;
		for (; i + 1 < t->nheld; i++)
			t->held[i] = t->held[i + 1];
		t->nheld--;
		return;
	}
}

#else

static void
may_wait(const void *lock, unsigned rank)
{
	(void)lock;
	(void)rank;
}

static void
note_held(const void *lock, unsigned rank)
{
	(void)lock;
	(void)rank;
}

static void
note_released(const void *lock)
{
	(void)lock;
}

#endif

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
	atomic_store_relaxed(&m->owner, thread_current());
	note_held(m, m->rank);
	return true;
}

static int
lock_slow(struct mutex *m, bool intr)
{
	struct wait_entry e UNINIT;
	int err = 0;

	assert(!mutex_held(m));
	wait_start_exclusive(&m->wq, &e, intr);
	while (atomic_xchg(&m->state, MUTEX_WAITED) != MUTEX_FREE) {
		err = wait_sleep(&e, TIME_NEVER);
		if (err)
			break;
	}
	wait_end(&m->wq, &e);
	if (!err) {
		atomic_store_relaxed(&m->owner, thread_current());
		note_held(m, m->rank);
		return 0;
	}
	/* A wake may have come together with the signal: pass it on. */
	wait_wake(&m->wq, 1, 0);
	return err;
}

void
mutex_lock(struct mutex *m)
{
	may_wait(m, m->rank);
	if (unlikely(!mutex_trylock(m)))
		ignore(lock_slow(m, false)); /* can't be interrupted */
}

int
mutex_lock_intr(struct mutex *m)
{
	may_wait(m, m->rank);
	if (likely(mutex_trylock(m)))
		return 0;
	return lock_slow(m, true);
}

void
mutex_unlock(struct mutex *m)
{
	assert(mutex_held(m));
	note_released(m);
	atomic_store_relaxed(&m->owner, NULL);
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

static bool
try_read(struct rwlock *l)
{
	int32_t n = atomic_load_relaxed(&l->readers);

	do {
		if (n < 0 || atomic_load_relaxed(&l->writers_waiting))
			return false;
	} while (!atomic_cas(&l->readers, &n, n + 1));
	note_held(l, l->rank);
	return true;
}

bool
read_trylock(struct rwlock *l)
{
	return try_read(l);
}

void
read_lock(struct rwlock *l)
{
	struct wait_entry e UNINIT;

	may_wait(l, l->rank);
	if (likely(try_read(l)))
		return;
	wait_start(&l->read_wq, &e, false);
	while (!try_read(l))
		ignore(wait_sleep(&e, TIME_NEVER)); /* not interruptible */
	wait_end(&l->read_wq, &e);
}

void
read_unlock(struct rwlock *l)
{
	int32_t n;

	note_released(l);
	n = atomic_sub(&l->readers, 1);
	assert(n >= 0);
	if (n == 0 && unlikely(atomic_load(&l->writers_waiting)))
		wait_wake(&l->write_wq, 1, 0);
}

bool
write_trylock(struct rwlock *l)
{
	int32_t n = 0;

	if (!atomic_cas(&l->readers, &n, -1))
		return false;
	note_held(l, l->rank);
	return true;
}

void
write_lock(struct rwlock *l)
{
	struct wait_entry e UNINIT;

	may_wait(l, l->rank);
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
	int32_t old;

	note_released(l);
	old = atomic_xchg(&l->readers, 0);
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
	struct wait_entry e UNINIT;
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
