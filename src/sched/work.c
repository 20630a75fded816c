/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work items run by two kernel threads, so that one that sleeps does not
 * hold up the rest.  `queued` is cleared before the function runs: queueing
 * again from then on runs it again.
 */
#include <sched/work.h>

#include <base/assert.h>
#include <base/atomic.h>
#include <core/panic.h>
#include <sched/thread.h>
#include <sched/wait.h>

#define NWORKERS 2

static struct spinlock lock = SPINLOCK_INIT(RANK_WAITQ);
static struct list pending = LIST_INIT(pending); /* [lock] */
static struct work *running[NWORKERS];		 /* [lock] */
static struct waitq work_wq = WAITQ_INIT(work_wq);
static struct waitq done_wq = WAITQ_INIT(done_wq);

void
work_init(struct work *w, void (*fn)(struct work *))
{
	list_init(&w->link);
	w->fn = fn;
	w->queued = false;
}

void
work_queue(struct work *w)
{
	irqflags_t f = spin_lock_irq(&lock);
	bool added = !w->queued;

	if (added) {
		w->queued = true;
		list_add_tail(&pending, &w->link);
	}
	spin_unlock_irq(&lock, f);
	if (added)
		wait_wake(&work_wq, 1, 0);
}

static bool
busy(struct work *w)
{
	irqflags_t f = spin_lock_irq(&lock);
	bool b = w->queued;
	unsigned i;

	for (i = 0; i < NWORKERS; i++)
		b |= running[i] == w;
	spin_unlock_irq(&lock, f);
	return b;
}

void
work_flush(struct work *w)
{
	struct wait_entry e;

	wait_start(&done_wq, &e, false);
	while (busy(w))
		ignore(wait_sleep(&e, TIME_NEVER)); /* not interruptible */
	wait_end(&done_wq, &e);
}

/* Takes the next item that the other worker isn't running at the moment. */
static struct work *
take(unsigned me)
{
	irqflags_t f = spin_lock_irq(&lock);
	struct work *w, *found = NULL;
	unsigned i;

	list_for_each_entry(w, &pending, link) {
		bool elsewhere = false;

		for (i = 0; i < NWORKERS; i++)
			elsewhere |= running[i] == w;
		if (!elsewhere) {
			found = w;
			break;
		}
	}
	if (found) {
		list_del(&found->link);
		found->queued = false;
		running[me] = found;
	}
	spin_unlock_irq(&lock, f);
	return found;
}

static void
finish(unsigned me)
{
	irqflags_t f = spin_lock_irq(&lock);

	running[me] = NULL;
	spin_unlock_irq(&lock, f);
	wait_wake_all(&done_wq, 0);
}

static void
worker(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	struct wait_entry e;
	struct work *w;

	for (;;) {
		wait_start_exclusive(&work_wq, &e, false);
		while (!(w = take(me)))
			ignore(wait_sleep(&e, TIME_NEVER)); /* no signals */
		wait_end(&work_wq, &e);
		if (!list_empty(&pending))
			wait_wake_next(&work_wq);
		w->fn(w);
		finish(me);
	}
}

void
work_start(void)
{
	struct thread *t;
	unsigned i;

	for (i = 0; i < NWORKERS; i++) {
		if (thread_create("worker", worker, (void *)(uintptr_t)i, &t))
			panic("no memory for the worker threads");
		thread_start(t);
	}
}
