/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait queues.  An entry is a sleeping thread, or a callback (poll, epoll).
 *
 * Sleeping:
 *	struct wait_entry e;
 *	wait_start(&wq, &e, intr);
 *	for (;;) {
 *		if (condition) break;
 *		err = wait_sleep(&e, deadline);   // 0, -EINTR, -ETIMEDOUT
 *		if (err) break;
 *	}
 *	wait_end(&wq, &e);
 * Wakers change the condition first, then call wait_wake*().  RANK_WAITQ;
 * usable from interrupt context.
 */
#pragma once

#include <base/atomic.h>
#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>
#include <core/spinlock.h>

struct thread;

struct waitq {
	struct spinlock lock;
	struct list entries; /* [lock] */
};

struct wait_entry {
	struct list link;
	/* Called with the queue's lock held; returns true if the wake counts
	 * against the number wanted.  NULL: wakes .thread. */
	bool (*fn)(struct wait_entry *e, uint32_t events);
	struct thread *thread;
	void *arg;
	bool exclusive;
	bool intr;
};

#define WAITQ_INIT(name)                             \
	{                                            \
		.lock = SPINLOCK_INIT(RANK_WAITQ),   \
		.entries = LIST_INIT((name).entries) \
	}

void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct wait_entry *e); /* callback entries */
void waitq_remove(struct waitq *q, struct wait_entry *e);
/* For a waker that has changed its condition, and let go of the lock that
 * guards it: does anybody wait?  The barrier is needed, as who comes to wait
 * looks at the condition without that lock: an unlock is none. */
static inline bool
waitq_active(const struct waitq *q)
{
	atomic_fence();
	return !list_empty(&q->entries);
}

void wait_start(struct waitq *q, struct wait_entry *e, bool intr);
void wait_start_exclusive(struct waitq *q, struct wait_entry *e, bool intr);
int wait_sleep(struct wait_entry *e, uint64_t deadline_ns);
void wait_end(struct waitq *q, struct wait_entry *e);

/* events: POLL* bits for callbacks; 0 wakes all kinds. */
void wait_wake_all(struct waitq *q, uint32_t events);
/* All non-exclusive entries and at most n exclusive ones. */
void wait_wake(struct waitq *q, unsigned n, uint32_t events);
/* One more thread of the exclusive ones, no callbacks: by a thread that was
 * woken and leaves something for others.  It may have taken two wakes, one as
 * it woke and one before it looked. */
void wait_wake_next(struct waitq *q);
/* wait_wake() by a caller that holds q->lock with interrupts off: for queues
 * whose condition is guarded by that lock. */
void wait_wake_locked(struct waitq *q, unsigned n, uint32_t events);
