/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IORING_SETUP_SQPOLL: a kernel thread of the ring's submits what the program
 * puts into it, without a system call.
 *
 * It has the identity of who made the ring, holds a reference of the ring, and
 * looks at the tail until nothing has come for a while; between looks it gives
 * the CPU away.  Then it says so (IORING_SQ_NEED_WAKEUP), looks once more, and
 * sleeps until io_uring_enter() wakes it.
 *
 * It ends when the ring's file is closed or the process ends, whichever is
 * first; who closes the file waits for it, unless that is the thread itself:
 * such a ring stays in the list of all until its thread has ended, so that the
 * process's end finds it.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <aio/pool.h>
#include <base/atomic.h>
#include <core/clock.h>
#include <mem/heap.h>
#include <sched/thread.h>

#define DEFAULT_IDLE_MS 1000u
#define NSEC_PER_MS	1000000ull

struct uring_sq {
	struct identity who;   /* [I] */
	struct thread *thread; /* [I] */
	uint64_t idle_ns;      /* [I] */
	struct waitq wq;       /* its sleep, its end, room in the ring */
	bool stop;	       /* [a] */
	bool ended;	       /* [a] */
};

static uint32_t
queued(const struct uring *u)
{
	return atomic_load_acquire(&u->shared->sq_tail) -
	       atomic_load_relaxed(&u->sq_head);
}

static bool
has_work(const struct uring *u)
{
	return queued(u) && !atomic_load_acquire(&u->disabled);
}

/* Submits what there is; false: nothing. */
static bool
work(struct uring *u)
{
	uint32_t head;
	int n = 0;

	if (!has_work(u))
		return false;
	mutex_lock(&u->lock_submit);
	uring_flush_overflow(u);
	head = u->sq_head;
	if (atomic_load_relaxed(&u->noverflow) <= URING_MAX_OVERFLOW)
		n = uring_submit(u, u->sq_entries);
	mutex_unlock(&u->lock_submit);
	uring_publish(u);
	if (head != atomic_load_relaxed(&u->sq_head))
		wait_wake_all(&u->sq->wq, 0);
	else if (n <= 0) /* no memory, or nobody takes completions */
		thread_delay(NSEC_PER_MS);
	return true;
}

static void
rest(struct uring *u, struct uring_sq *q)
{
	struct wait_entry e;

	/* A full barrier: the program writes the tail, then reads this. */
	atomic_or(&u->shared->sq_flags, IORING_SQ_NEED_WAKEUP);
	wait_start(&q->wq, &e, true);
	while (!has_work(u) && !atomic_load_acquire(&q->stop))
		ignore(wait_sleep(&e, TIME_NEVER)); /* stop ends it */
	wait_end(&q->wq, &e);
	atomic_and(&u->shared->sq_flags, ~IORING_SQ_NEED_WAKEUP);
}

static void
sq_main(void *arg)
{
	struct uring *u = arg;
	struct uring_sq *q = u->sq;
	uint64_t last = clock_mono_ns();

	identity_assume(&q->who);
	while (!atomic_load_acquire(&q->stop)) {
		if (!work(u)) {
			if (clock_mono_ns() - last < q->idle_ns) {
				thread_yield();
				continue;
			}
			rest(u, q);
		}
		last = clock_mono_ns();
	}
	uring_cancel_all(u); /* what came while the file was closed */
	identity_assume(NULL);
	identity_drop(&q->who);
	uring_unlist(u);
	atomic_store_release(&q->ended, true);
	wait_wake_all(&q->wq, 0);
	uring_put(u);
	thread_exit();
}

int
uring_sq_make(struct uring *u, const struct io_uring_params *p)
{
	struct uring_sq *q = kzalloc(sizeof(*q), ALLOC_KERNEL);
	uint32_t ms = p->sq_thread_idle ? p->sq_thread_idle : DEFAULT_IDLE_MS;
	int err = -ENOMEM;

	if (!q)
		return err;
	q->idle_ns = ms * NSEC_PER_MS;
	waitq_init(&q->wq);
	err = thread_create("iou-sqp", sq_main, u, &q->thread);
	if (err)
		goto fail;
	if (p->flags & IORING_SETUP_SQ_AFF) {
		err = p->sq_thread_cpu < 64 ?
			      thread_set_affinity(q->thread,
						  1ull << p->sq_thread_cpu) :
			      -EINVAL;
		if (err)
			goto fail_thread;
	}
	u->sq = q;
	return 0;
fail_thread:
	thread_discard(q->thread);
fail:
	kfree(q);
	return err;
}

void
uring_sq_start(struct uring *u)
{
	identity_take(&u->sq->who);
	refcount_get(&u->refs);
	thread_get(u->sq->thread);
	thread_start(u->sq->thread);
}

void
uring_sq_free(struct uring *u, bool started)
{
	struct uring_sq *q = u->sq;

	if (!q)
		return;
	if (started)
		thread_put(q->thread);
	else
		thread_discard(q->thread);
	kfree(q);
}

bool
uring_sq_is_me(const struct uring *u)
{
	return u->sq && u->sq->thread == thread_current();
}

void
uring_sq_stop(struct uring *u)
{
	struct uring_sq *q = u->sq;
	struct wait_entry e;

	if (!q)
		return;
	atomic_store(&q->stop, true);
	/* Out of whatever sleep it is in, and of the next ones. */
	thread_interrupt(q->thread, PENDING_SIGNAL);
	wait_wake_all(&q->wq, 0);
	if (uring_sq_is_me(u))
		return;
	wait_start(&q->wq, &e, false);
	while (!atomic_load_acquire(&q->ended))
		ignore(wait_sleep(&e, TIME_NEVER)); /* not interruptible */
	wait_end(&q->wq, &e);
}

void
uring_sq_wake(struct uring *u)
{
	if (u->sq)
		wait_wake_all(&u->sq->wq, 0);
}

int
uring_sq_wait_room(struct uring *u)
{
	struct uring_sq *q = u->sq;
	struct wait_entry e;
	int err = 0;

	wait_start(&q->wq, &e, true);
	while (queued(u) >= u->sq_entries && !err &&
	       !atomic_load_acquire(&q->stop))
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&q->wq, &e);
	return queued(u) < u->sq_entries ? 0 : err;
}
