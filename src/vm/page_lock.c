/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page lock, declared in mem/page.h: it sleeps, so it lives above sched.
 *
 * One bit in page->flags, and PG_WAITERS when somebody sleeps for it, on one
 * of a few wait queues chosen by the page's address.  An unlock without
 * waiters touches no queue.  Strangers that share a queue look at their own
 * page again and sleep on.
 */
#include <mem/page.h>

#include <base/assert.h>
#include <base/atomic.h>
#include <sched/thread.h>
#include <sched/wait.h>

#define NQUEUES 32u

static struct waitq queues[NQUEUES];
static bool queues_ready; /* [a] */

static struct waitq *
queue_of(const struct page *p)
{
	static struct spinlock init_lock = SPINLOCK_INIT(RANK_PAGETABLE);

	if (unlikely(!atomic_load_acquire(&queues_ready))) {
		spin_lock(&init_lock);
		if (!queues_ready) {
			for (unsigned i = 0; i < NQUEUES; i++)
				waitq_init(&queues[i]);
			atomic_store_release(&queues_ready, true);
		}
		spin_unlock(&init_lock);
	}
	return &queues[((uint64_t)p / sizeof(*p)) % NQUEUES];
}

bool
page_trylock(struct page *p)
{
	return !(atomic_fetch_or(&p->flags, PG_LOCKED) & PG_LOCKED);
}

/* Sleeps until the bit was seen clear; lock: takes it. */
static void
wait_for(struct page *p, bool lock)
{
	struct waitq *q = queue_of(p);
	struct wait_entry e UNINIT;

	wait_start(q, &e, false);
	for (;;) {
		/* Before the look: an unlock after it sees the bit. */
		uint32_t f = atomic_fetch_or(&p->flags, PG_WAITERS);

		if (!(f & PG_LOCKED) && (!lock || page_trylock(p)))
			break;
		/* not interruptible and without a deadline: cannot fail */
		ignore(wait_sleep(&e, TIME_NEVER));
	}
	wait_end(q, &e);
}

void
page_lock(struct page *p)
{
	if (unlikely(!page_trylock(p)))
		wait_for(p, true);
}

void
page_wait_unlocked(struct page *p)
{
	if (atomic_load_acquire(&p->flags) & PG_LOCKED)
		wait_for(p, false);
}

void
page_unlock(struct page *p)
{
	uint32_t old = atomic_fetch_and(&p->flags, ~(PG_LOCKED | PG_WAITERS));

	assert(old & PG_LOCKED);
	if (old & PG_WAITERS)
		wait_wake_all(queue_of(p), 0);
}
