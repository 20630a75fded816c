/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for several files at once: what poll, ppoll, select and pselect
 * share.
 *
 * A waiter has one entry on each wait queue that the files name; any of them
 * marks it and wakes the thread, which looks at all files again.  Entries are
 * made at the first look only.
 */
#include <abi/errno.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <file/file.h>
#include <file/multiwait.h>
#include <mem/heap.h>
#include <sched/thread.h>

struct multiwait_entry {
	struct wait_entry e;
	struct waitq *q;
	struct multiwait_entry *next;
};

static bool
on_wake(struct wait_entry *e, uint32_t events)
{
	struct multiwait *w = e->arg;

	(void)events; /* what is wanted is looked at by the thread */
	atomic_store_release(&w->woken, true);
	thread_wake(w->thread);
	return true;
}

static void
queue(struct poll_table *pt, struct waitq *q)
{
	struct multiwait *w = container_of(pt, struct multiwait, pt);
	struct multiwait_entry *e;

	if (w->err)
		return;
	e = kzalloc(sizeof(*e), ALLOC_KERNEL);
	if (!e) {
		w->err = -ENOMEM;
		return;
	}
	e->e.fn = on_wake;
	e->e.arg = w;
	e->q = q;
	e->next = w->entries;
	w->entries = e;
	waitq_add(q, &e->e);
}

void
multiwait_init(struct multiwait *w)
{
	w->pt.queue = queue;
	w->pt.events = 0;
	w->thread = thread_current();
	w->woken = false;
	w->err = 0;
	w->entries = NULL;
}

struct poll_table *
multiwait_table(struct multiwait *w)
{
	return w->pt.queue ? &w->pt : NULL;
}

int
multiwait_sleep(struct multiwait *w, uint64_t deadline_ns)
{
	int err;

	w->pt.queue = NULL; /* the entries stay; no more are made */
	if (w->err)
		return w->err;
	thread_prepare_sleep(true);
	if (atomic_load_acquire(&w->woken)) {
		thread_cancel_sleep();
		err = 0;
	} else {
		err = thread_sleep(deadline_ns);
	}
	/* A full barrier: a wake from here on is for what the look to come may
	 * have missed, and is not overwritten. */
	atomic_store(&w->woken, false);
	return err;
}

void
multiwait_fini(struct multiwait *w)
{
	struct multiwait_entry *e;

	while ((e = w->entries) != NULL) {
		w->entries = e->next;
		waitq_remove(e->q, &e->e);
		kfree(e);
	}
}
