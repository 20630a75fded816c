/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: completions.
 *
 * One that finds no room in the ring is kept and moved in when the program
 * enters the kernel; a request that completes again and again ends instead.
 *
 * With IORING_SETUP_DEFER_TASKRUN the entries are written at once, but the
 * tail that the program reads moves only when its thread asks for events.
 */
#include "uring_priv.h"

#include <base/atomic.h>
#include <base/string.h>
#include <file/eventfd.h>
#include <mem/heap.h>

struct overflow {
	struct list link;
	struct io_uring_cqe cqe;
};

/* With the lock: is there a free place? */
static bool
has_room(struct uring *u)
{
	uint32_t head = atomic_load_acquire(&u->shared->cq_head);

	return u->cq_tail - head < u->cq_entries;
}

static void
put_cqe(struct uring *u, const struct io_uring_cqe *c)
{
	char *at = uring_cqe_at(u, u->cq_tail);

	memcpy(at, c, sizeof(*c));
	if (u->flags & IORING_SETUP_CQE32)
		memset(at + sizeof(*c), 0, sizeof(*c));
	u->cq_tail++;
	if (!(u->flags & IORING_SETUP_DEFER_TASKRUN))
		atomic_store_release(&u->shared->cq_tail, u->cq_tail);
	else if (u->flags & IORING_SETUP_TASKRUN_FLAG)
		atomic_or(&u->shared->sq_flags, IORING_SQ_TASKRUN);
}

/* With the lock. */
static void
put_or_keep(struct uring *u, const struct io_uring_cqe *c)
{
	struct overflow *o;

	if (list_empty(&u->overflow) && has_room(u)) {
		put_cqe(u, c);
		return;
	}
	o = kmalloc(sizeof(*o), ALLOC_RESERVE);
	if (!o) {
		/* Lost, and said so: there is no memory at all. */
		u->shared->cq_overflow++;
		return;
	}
	list_init(&o->link);
	o->cqe = *c;
	list_add_tail(&u->overflow, &o->link);
	u->noverflow++;
	atomic_or(&u->shared->sq_flags, IORING_SQ_CQ_OVERFLOW);
}

/* Timeouts that waited for so many completions. */
static void
queue_due(struct list *due)
{
	while (!list_empty(due)) {
		struct uring_req *r =
			list_first_entry(due, struct uring_req, wait_link);

		list_del(&r->wait_link);
		pool_queue(&r->work);
	}
}

/* may_keep: false is answered, and nothing done, when there is no room. */
static bool
post(struct uring *u, const struct io_uring_cqe *c, bool counts, bool may_keep)
{
	struct list due = LIST_INIT(due);
	irqflags_t f = spin_lock_irq(&u->lock);

	if (!may_keep && (!list_empty(&u->overflow) || !has_room(u))) {
		spin_unlock_irq(&u->lock, f);
		return false;
	}
	put_or_keep(u, c);
	if (counts) {
		u->completions++;
		uring_count_timeouts(u, &due);
	} else {
		u->expired++; /* who waits for more hears of it */
	}
	if (u->eventfd && !(atomic_load_relaxed(&u->shared->cq_flags) &
			    IORING_CQ_EVENTFD_DISABLED))
		eventfd_signal(u->eventfd, 1);
	spin_unlock_irq(&u->lock, f);
	if (waitq_active(&u->cq_wq))
		wait_wake_all(&u->cq_wq, 1 /* POLLIN */);
	queue_due(&due);
	return true;
}

void
uring_post(struct uring *u, uint64_t data, long res, uint32_t cflags,
	   bool counts)
{
	const struct io_uring_cqe c = { data, (int32_t)res, cflags };

	ignore(post(u, &c, counts, true)); /* kept at worst */
}

bool
uring_post_more(struct uring_req *r, long res, uint32_t cflags)
{
	const struct io_uring_cqe c = { r->sqe.user_data, (int32_t)res,
					cflags | IORING_CQE_F_MORE };

	return post(r->ring, &c, true, false);
}

void
uring_publish(struct uring *u)
{
	irqflags_t f;

	if (!(u->flags & IORING_SETUP_DEFER_TASKRUN))
		return;
	f = spin_lock_irq(&u->lock);
	atomic_store_release(&u->shared->cq_tail, u->cq_tail);
	if (u->flags & IORING_SETUP_TASKRUN_FLAG)
		atomic_and(&u->shared->sq_flags, ~IORING_SQ_TASKRUN);
	spin_unlock_irq(&u->lock, f);
}

void
uring_flush_overflow(struct uring *u)
{
	irqflags_t f;

	if (!atomic_load_relaxed(&u->noverflow))
		return;
	f = spin_lock_irq(&u->lock);
	while (!list_empty(&u->overflow) && has_room(u)) {
		struct overflow *o =
			list_first_entry(&u->overflow, struct overflow, link);

		put_cqe(u, &o->cqe);
		list_del(&o->link);
		u->noverflow--;
		kfree(o);
	}
	if (!u->noverflow)
		atomic_and(&u->shared->sq_flags, ~IORING_SQ_CQ_OVERFLOW);
	spin_unlock_irq(&u->lock, f);
}

void
uring_drop_overflow(struct uring *u)
{
	while (!list_empty(&u->overflow)) {
		struct overflow *o =
			list_first_entry(&u->overflow, struct overflow, link);

		list_del(&o->link);
		kfree(o);
	}
}
