/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait queues: lists of entries under a spin lock with interrupts off.
 *
 * Why no wake-up is lost: the sleeper enters the queue, then sets its state
 * by an exchange (a full barrier), then reads the condition.  The waker
 * writes the condition, then looks at the queue: under its lock, or by
 * waitq_active(), which has the barrier that belongs in between.
 *
 * An entry stays in its queue until wait_end().  A thread that was woken and
 * has not run yet is passed over by thread_wake(), so that it doesn't use up
 * a wake meant for one exclusive sleeper.
 */
#include <sched/wait.h>

#include <sched/thread.h>

void
waitq_init(struct waitq *q)
{
	spin_init(&q->lock, RANK_WAITQ);
	list_init(&q->entries);
}

/* Exclusive entries go to the end: they are woken in order of arrival. */
static void
add(struct waitq *q, struct wait_entry *e)
{
	irqflags_t f = spin_lock_irq(&q->lock);

	if (e->exclusive)
		list_add_tail(&q->entries, &e->link);
	else
		list_add(&q->entries, &e->link);
	spin_unlock_irq(&q->lock, f);
}

void
waitq_add(struct waitq *q, struct wait_entry *e)
{
	add(q, e);
	atomic_fence();
}

void
waitq_remove(struct waitq *q, struct wait_entry *e)
{
	irqflags_t f = spin_lock_irq(&q->lock);

	list_del(&e->link);
	spin_unlock_irq(&q->lock, f);
}

static void
start(struct waitq *q, struct wait_entry *e, bool intr, bool exclusive)
{
	e->fn = NULL;
	e->thread = thread_current();
	e->exclusive = exclusive;
	e->intr = intr;
	add(q, e);
	thread_prepare_sleep(intr);
}

void
wait_start(struct waitq *q, struct wait_entry *e, bool intr)
{
	start(q, e, intr, false);
}

void
wait_start_exclusive(struct waitq *q, struct wait_entry *e, bool intr)
{
	start(q, e, intr, true);
}

/* Prepares the next sleep before it returns: the caller's condition comes
 * next. */
int
wait_sleep(struct wait_entry *e, uint64_t deadline_ns)
{
	int err = thread_sleep(deadline_ns);

	thread_prepare_sleep(e->intr);
	return err;
}

void
wait_end(struct waitq *q, struct wait_entry *e)
{
	thread_cancel_sleep();
	waitq_remove(q, e);
}

/* With q's lock held, interrupts off.  A callback may remove its own entry
 * and no other. */
void
wait_wake_locked(struct waitq *q, unsigned n, uint32_t events)
{
	struct wait_entry *e, *next;

	list_for_each_entry_safe(e, next, &q->entries, link) {
		bool counts = e->fn ? e->fn(e, events) : thread_wake(e->thread);

		if (e->exclusive && counts && --n == 0)
			break;
	}
}

void
wait_wake(struct waitq *q, unsigned n, uint32_t events)
{
	irqflags_t f = spin_lock_irq(&q->lock);

	wait_wake_locked(q, n, events);
	spin_unlock_irq(&q->lock, f);
}

void
wait_wake_next(struct waitq *q)
{
	struct wait_entry *e;
	irqflags_t f;

	if (!waitq_active(q))
		return;
	f = spin_lock_irq(&q->lock);
	list_for_each_entry(e, &q->entries, link)
		if (e->exclusive && !e->fn && thread_wake(e->thread))
			break;
	spin_unlock_irq(&q->lock, f);
}

void
wait_wake_all(struct waitq *q, uint32_t events)
{
	wait_wake(q, 0, events); /* counts down from the top: no limit */
}
