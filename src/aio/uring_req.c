/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: the life of a request.
 *
 * Submission copies the entry, makes a request, and runs it in the program's
 * own thread as far as it goes without waiting.  A file that is not ready is
 * armed; what must sleep goes to a worker; O_DIRECT goes to the block layer;
 * each of them brings the request back to uring_run(), which goes on to what
 * is linked behind.
 *
 * finish() takes it out of the ring's list, under the lock, so that nobody
 * who cancels finds it, and frees it.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/signal.h>
#include <base/atomic.h>
#include <base/string.h>
#include <dev/blk.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <mem/heap.h>
#include <sched/thread.h>

#define SHOTS	  64 /* of a multishot request in its submitter */
#define ARM_TRIES 64 /* ready, and yet not: then the program hears EAGAIN */
#define SQE_FLAGS                                                \
	(IOSQE_FIXED_FILE | IOSQE_IO_DRAIN | IOSQE_IO_LINK |     \
	 IOSQE_IO_HARDLINK | IOSQE_ASYNC | IOSQE_BUFFER_SELECT | \
	 IOSQE_CQE_SKIP_SUCCESS)
#define LINKED (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)

static const struct uring_op *op_table; /* [I] */
static unsigned nops;			/* [I] */
static struct cache *req_cache;

void
uring_set_ops(const struct uring_op *ops, unsigned n)
{
	op_table = ops;
	nops = n;
}

bool
uring_has_op(unsigned op)
{
	return op < nops && (op_table[op].issue || op_table[op].prep);
}

/* ---- the end of a request ---- */

static void
req_free(struct uring_req *r)
{
	struct uring *u = r->ring;

	if (r->has_timer)
		timer_cancel(&r->timer);
	if (r->op && r->armed)
		arm_end(&r->arm);
	uio_fini(&r->uio);
	uring_forget_buffer(r);
	kfree(r->priv);
	if (r->file)
		file_put(r->file);
	if (r->file_in)
		file_put(r->file_in);
	uring_tag_put(r->tags[0]);
	uring_tag_put(r->tags[1]);
	identity_drop(&r->who);
	cache_free(req_cache, r);
	uring_put(u);
}

/* Nobody finds it any more.  The next one that was held back by it, or NULL. */
static struct uring_req *
leave(struct uring_req *r)
{
	struct uring *u = r->ring;
	struct uring_req *d = NULL, *k;
	irqflags_t f = spin_lock_irq(&u->lock);

	list_del(&r->link);
	list_del(&r->data_link);
	u->nrequests--;
	if (!list_empty(&u->drained) && u->nrequests == u->ndrained) {
		d = list_first_entry(&u->drained, struct uring_req, wait_link);
		list_del(&d->wait_link);
		for (k = d; k; k = k->next)
			u->ndrained -= k->timeout ? 2 : 1;
	}
	spin_unlock_irq(&u->lock, f);
	if ((!u->nrequests || u->nsyncs) && waitq_active(&u->cq_wq))
		wait_wake_all(&u->cq_wq, 0);
	return d;
}

static void
run_work(struct pool_work *w)
{
	uring_run(container_of(w, struct uring_req, work));
}

static void
to_pool(struct uring_req *r, void (*fn)(struct pool_work *))
{
	identity_take(&r->who);
	pool_work_init(&r->work, fn, &r->who);
	pool_queue(&r->work);
}

/* Out of the list and gone; starts what waited for it. */
static void
drop(struct uring_req *r)
{
	struct uring_req *d = leave(r);

	req_free(r);
	if (d)
		to_pool(d, run_work);
}

static bool
skips(const struct uring_req *r)
{
	return r->sqe.flags & IOSQE_CQE_SKIP_SUCCESS;
}

static void
post(struct uring_req *r, long res, bool failed)
{
	if (!failed && skips(r))
		return;
	uring_post(r->ring, r->sqe.user_data, res, r->cflags,
		   r->sqe.opcode != IORING_OP_TIMEOUT);
}

/* A link timeout whose request is over before it. */
static void
end_link_timeout(struct uring_req *lt)
{
	irqflags_t f;
	bool unused;

	if (lt->has_timer)
		timer_cancel(&lt->timer);
	f = spin_lock_irq(&lt->ring->lock);
	unused = lt->timing || !lt->has_timer;
	lt->timing = false;
	lt->owner = NULL;
	spin_unlock_irq(&lt->ring->lock, f);
	if (unused && !skips(lt))
		post(lt, -ECANCELED, true);
	drop(lt);
}

/* quiet: what failed before them asked for no completions. */
static void
cancel_chain(struct uring_req *r, bool quiet)
{
	while (r) {
		struct uring_req *next = r->next;

		/* One that could not be prepared says why. */
		if (!quiet)
			post(r, r->failed ? r->res : -ECANCELED, true);
		if (r->timeout)
			end_link_timeout(r->timeout);
		drop(r);
		r = next;
	}
}

/* What the request got of a provided buffer and of parts: its result. */
static long
settle(struct uring_req *r, long res)
{
	if (res == -ERESTARTSYS)
		res = -EINTR;
	if (res == -EINTR && atomic_load_acquire(&r->canceled))
		res = -ECANCELED;
	if (res < 0 && r->partial && r->done)
		res = (long)r->done;
	if (r->has_buffer && res <= 0)
		ignore(uring_give_back(r)); /* else the program hears of it */
	return res;
}

/* The memory of a send is the program's again: it was copied. */
static void
notify(struct uring_req *r)
{
	bool tell = r->sqe.ioprio & IORING_SEND_ZC_REPORT_USAGE;

	uring_post(r->ring, r->sqe.user_data,
		   tell ? (long)IORING_NOTIF_USAGE_ZC_COPIED : 0,
		   IORING_CQE_F_NOTIF, true);
}

/* Tells the result; what is to run next, or NULL. */
static struct uring_req *
finish(struct uring_req *r, long res)
{
	struct uring_req *next = r->next;
	bool failed, quiet, hard = r->sqe.flags & IOSQE_IO_HARDLINK;

	if (r->work.worker == thread_current())
		pool_release(&r->work);
	res = settle(r, res);
	failed = res < 0 || (r->exact && (size_t)res != r->want);
	quiet = skips(r);
	if (res == -ETIME && r->sqe.opcode == IORING_OP_TIMEOUT &&
	    (r->sqe.op_flags & IORING_TIMEOUT_ETIME_SUCCESS))
		failed = false;
	if (r->notifies)
		r->cflags |= IORING_CQE_F_MORE;
	if (!r->posted)
		post(r, res, failed);
	if (r->notifies)
		notify(r);
	if (r->timeout)
		end_link_timeout(r->timeout);
	drop(r);
	if (failed && !hard) {
		cancel_chain(next, quiet);
		return NULL;
	}
	return next;
}

/* ---- running ---- */

static void
link_timeout_fired(struct timer *t)
{
	struct uring_req *lt = container_of(t, struct uring_req, timer);
	struct uring *u = lt->ring;
	irqflags_t f = spin_lock_irq(&u->lock);
	bool mine = uring_timer_due(lt);
	long res = -ETIME;

	if (mine)
		lt->timing = false;
	if (mine && lt->owner && uring_cancel_one(lt->owner))
		res = -EALREADY;
	spin_unlock_irq(&u->lock, f);
	if (mine && !skips(lt))
		uring_post(u, lt->sqe.user_data, res, 0, true);
}

/* Before the request is given up, if it has one: what is done at once has no
 * time to run out. */
static void
start_link_timeout(struct uring_req *r)
{
	struct uring_req *lt = r->timeout;
	irqflags_t f;

	if (!lt || lt->has_timer)
		return;
	timer_init(&lt->timer, link_timeout_fired);
	lt->has_timer = true;
	f = spin_lock_irq(&r->ring->lock);
	lt->owner = r;
	uring_start_timer(lt);
	spin_unlock_irq(&r->ring->lock, f);
}

int
uring_get_file(struct uring_req *r)
{
	int err;

	if (r->file)
		return 0;
	if (r->sqe.flags & IOSQE_FIXED_FILE) {
		r->file = uring_fixed_file(r->ring, (uint32_t)r->sqe.fd,
					   &r->tags[0]);
		return r->file ? 0 : -EBADF;
	}
	err = fd_get(thread_current()->fds, r->sqe.fd, &r->file);
	if (err)
		r->file = NULL;
	return err;
}

int
uring_get_file_in(struct uring_req *r, bool fixed)
{
	uint32_t fd = r->sqe.file_index;
	int err = 0;

	if (fixed) {
		r->file_in = uring_fixed_file(r->ring, fd, &r->tags[1]);
		return r->file_in ? 0 : -EBADF;
	}
	err = fd_get(thread_current()->fds, (int)fd, &r->file_in);
	if (err)
		r->file_in = NULL;
	return err;
}

void
uring_go_on(struct uring_req *r)
{
	pool_queue_own(&r->work, r->tid);
}

static void
fired(struct arm *a)
{
	uring_go_on(container_of(a, struct uring_req, arm));
}

int
uring_arm(struct uring_req *r, uint32_t events)
{
	bool first = !r->armed, canceled;
	irqflags_t f;
	int ready = 0;

	identity_take(&r->who);
	if (r->work.worker == thread_current())
		pool_release(&r->work);
	pool_work_init(&r->work, run_work, &r->who);
	if (first) {
		r->tid = thread_current()->kernel ? 0 : thread_current()->tid;
		ready = arm_start(&r->arm, r->file, events, fired);
		if (ready < 0)
			return ready;
	}
	f = spin_lock_irq(&r->ring->lock);
	r->armed = true;
	canceled = r->canceled;
	spin_unlock_irq(&r->ring->lock, f);
	if (canceled)
		return -ECANCELED;
	start_link_timeout(r);
	return ready;
}

/* Waits for the file without a thread.  URING_LATER: it does; 0: look again;
 * or -errno. */
static long
wait_ready(struct uring_req *r, uint16_t events)
{
	int ready = uring_arm(r, events);

	if (ready < 0)
		return ready;
	return ready || arm_sleep(&r->arm, r->file) ? 0 : URING_LATER;
}

/* Is -EAGAIN to be waited out?  As on Linux O_NONBLOCK does not matter, only
 * what the entry says. */
static bool
waits(const struct uring_req *r)
{
	if (!r->op->poll_events || !r->file || !r->file->ops->poll)
		return false;
	return !r->op->quick_flag || !(r->sqe.op_flags & r->op->quick_flag);
}

/* A result of a multishot request that is not its last: told at once.  One
 * that finds no room in the ring is the last. */
static bool
shot(struct uring_req *r, long res)
{
	bool accept = r->sqe.opcode == IORING_OP_ACCEPT;

	if (!r->multishot || res < !accept ||
	    r->sqe.opcode == IORING_OP_POLL_ADD)
		return false; /* a poll has told */
	if (!uring_post_more(r, res, r->cflags))
		return false;
	r->cflags = 0;
	uring_forget_buffer(r);
	return true;
}

/* One attempt: a result, or URING_LATER. */
static long
attempt(struct uring_req *r)
{
	const struct uring_op *op = r->op;
	unsigned tries = 0, shots = 0;
	size_t before;
	long res;

	if (op->needs_file) {
		res = uring_get_file(r);
		if (res)
			return res;
	}
	for (;;) {
		if (atomic_load_acquire(&r->canceled))
			return -ECANCELED;
		before = r->done;
		if (op->always_worker && !r->blocking)
			res = URING_WORKER;
		else
			res = op->issue(r);
		if (res == URING_WORKER) {
			r->blocking = true;
			start_link_timeout(r);
			if (thread_current()->kernel)
				continue;
			to_pool(r, run_work);
			return URING_LATER;
		}
		if (shot(r, res)) {
			tries = 0;
			if (++shots < SHOTS || thread_current()->kernel)
				continue;
			start_link_timeout(r);
			to_pool(r, run_work); /* the submitter goes on */
			return URING_LATER;
		}
		if (r->done != before)
			tries = 0; /* a part of it */
		if (res != -EAGAIN || !waits(r) || ++tries > ARM_TRIES)
			return res;
		res = wait_ready(r, op->poll_events);
		if (res)
			return res;
	}
}

/* In a context that may sleep: runs it, and what is linked behind, as far as
 * it goes. */
void
uring_run(struct uring_req *r)
{
	while (r) {
		long res = attempt(r);

		if (res == URING_LATER)
			return;
		r = finish(r, res);
	}
}

static void
complete_work(struct pool_work *w)
{
	struct uring_req *r = container_of(w, struct uring_req, work);
	long res = r->res;

	if (r->is_direct) {
		r->is_direct = false;
		res = direct_end(&r->direct);
	}
	uring_run(finish(r, res));
}

bool
uring_leave_to_waiter(struct uring_req *r)
{
	struct uring *u = r->ring;
	irqflags_t f = spin_lock_irq(&u->lock);
	bool ok = u->nwaiters && !r->next && !r->timeout &&
		  list_empty(&u->drained);

	if (ok)
		list_add_tail(&u->spent, &r->wait_link);
	spin_unlock_irq(&u->lock, f);
	return ok;
}

void
uring_free_spent(struct list *spent)
{
	while (!list_empty(spent)) {
		struct uring_req *r =
			list_first_entry(spent, struct uring_req, wait_link);

		list_del(&r->wait_link);
		ignore(direct_end(&r->direct)); /* has been told */
		drop(r);
	}
}

void
uring_will_complete(struct uring_req *r)
{
	start_link_timeout(r);
	identity_take(&r->who);
	if (r->work.worker == thread_current())
		pool_release(&r->work);
	pool_work_init(&r->work, complete_work, &r->who);
}

void
uring_complete_later(struct uring_req *r, long res)
{
	r->res = res;
	pool_queue(&r->work);
}

/* ---- cancelling ---- */

int
uring_cancel_one(struct uring_req *r)
{
	r->canceled = true;
	if (r->timing && r->sqe.opcode == IORING_OP_TIMEOUT) {
		r->timing = false;
		list_del(&r->wait_link);
		r->res = -ECANCELED;
		pool_queue(&r->work);
		return 0;
	}
	if (r->armed) {
		if (arm_kick(&r->arm))
			uring_go_on(r);
		return 0;
	}
	pool_interrupt(&r->work);
	return -EALREADY;
}

void
uring_cancel_all(struct uring *u)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct uring_req *r;

	u->dead = true;
	list_for_each_entry(r, &u->requests, link)
		ignore(uring_cancel_one(r)); /* under way: it ends by itself */
	spin_unlock_irq(&u->lock, f);
}

/* ---- submission ---- */

static struct uring_req *
make_request(struct uring *u, const struct io_uring_sqe *sqe)
{
	struct uring_req *r;
	irqflags_t f;

	if (!req_cache) {
		req_cache = cache_create("uring", sizeof(*r), 64);
		if (!req_cache)
			return NULL;
	}
	r = cache_alloc(req_cache, ALLOC_KERNEL | ALLOC_ZERO);
	if (!r)
		return NULL;
	refcount_get(&u->refs);
	list_init(&r->link);
	list_init(&r->data_link);
	list_init(&r->wait_link);
	list_init(&r->work.link);
	r->ring = u;
	r->sqe = *sqe;
	f = spin_lock_irq(&u->lock);
	list_add_tail(&u->requests, &r->link);
	list_add_tail(uring_by_data(u, sqe->user_data), &r->data_link);
	u->nrequests++;
	spin_unlock_irq(&u->lock, f);
	return r;
}

static int
prepare(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	if (s->opcode >= nops ||
	    (!op_table[s->opcode].issue && !op_table[s->opcode].prep))
		return -EINVAL;
	r->op = &op_table[s->opcode];
	if (s->flags & ~SQE_FLAGS)
		return -EINVAL;
	if ((s->flags & IOSQE_BUFFER_SELECT) && !r->op->takes_buffer)
		return -EOPNOTSUPP;
	if (s->personality || (s->ioprio && !r->op->takes_prio))
		return -EINVAL; /* no personality can be registered */
	return r->op->prep ? r->op->prep(r) : 0;
}

/* A chain under construction. */
struct chain {
	struct uring_req *head, *tail;
	bool failed;
};

/* Must it wait for all before it?  Then it is in the list. */
static bool
held_back(struct uring_req *head)
{
	struct uring *u = head->ring;
	struct uring_req *k;
	unsigned n = 0;
	bool held;
	irqflags_t f;

	if (!(head->sqe.flags & IOSQE_IO_DRAIN) && list_empty(&u->drained))
		return false;
	for (k = head; k; k = k->next) {
		identity_take(&k->who);
		n += k->timeout ? 2 : 1;
	}
	f = spin_lock_irq(&u->lock);
	held = u->nrequests - u->ndrained > n || !list_empty(&u->drained);
	if (held) {
		list_add_tail(&u->drained, &head->wait_link);
		u->ndrained += n;
	}
	spin_unlock_irq(&u->lock, f);
	return held;
}

static void
start_chain(struct chain *c)
{
	struct uring_req *head = c->head, *k;
	bool quiet;

	if (!head)
		return;
	c->head = c->tail = NULL;
	if (c->failed) {
		k = head->next;
		c->failed = false;
		quiet = skips(head);
		head->next = NULL;
		cancel_chain(head, false);
		cancel_chain(k, quiet);
		return;
	}
	/* Others than the submitter go on with what is linked. */
	for (k = head->next; k; k = k->next)
		identity_take(&k->who);
	if (!held_back(head))
		uring_run(head);
}

/* A link timeout belongs to the request before it. */
static int
add_to_chain(struct chain *c, struct uring_req *r)
{
	if (r->sqe.opcode == IORING_OP_LINK_TIMEOUT) {
		if (!c->tail || c->tail->timeout)
			return -EINVAL;
		c->tail->timeout = r;
		return 0;
	}
	if (c->tail)
		c->tail->next = r;
	else
		c->head = r;
	c->tail = r;
	return 0;
}

static int
submit_one(struct uring *u, const struct io_uring_sqe *sqe, struct chain *c)
{
	struct uring_req *r = make_request(u, sqe);
	bool linked = sqe->flags & LINKED;
	int err;

	if (!r)
		return -EAGAIN;
	err = prepare(r);
	if (!err)
		err = add_to_chain(c, r);
	else if (c->head || linked) {
		r->failed = true;
		r->res = err;
		c->failed = true;
		r->sqe.opcode = IORING_OP_NOP;
		ignore(add_to_chain(c, r)); /* as no timeout it fits */
		err = 0; /* told when the chain is given up */
	}
	if (err && !r->failed) {
		r->op = NULL;
		post(r, err, true);
		drop(r);
	}
	if (!linked)
		start_chain(c);
	return err;
}

int
uring_submit(struct uring *u, unsigned n)
{
	uint32_t avail = atomic_load_acquire(&u->shared->sq_tail) - u->sq_head;
	struct chain c = { 0 };
	struct io_uring_sqe sqe;
	struct blk_plug plug;
	unsigned done = 0;
	int err = 0;

	if (avail > u->sq_entries)
		avail = u->sq_entries; /* the tail is the program's */
	if (n > avail)
		n = avail;
	blk_plug(&plug);
	while (done < n) {
		uint32_t i = atomic_load_relaxed(uring_array_at(u, u->sq_head));

		if (i >= u->sq_entries) {
			u->sq_head++;
			u->shared->sq_dropped++;
			atomic_store_release(&u->shared->sq_head, u->sq_head);
			n--;
			continue;
		}
		memcpy(&sqe, uring_sqe_at(u, i), sizeof(sqe));
		err = submit_one(u, &sqe, &c);
		if (err == -EAGAIN)
			break; /* no memory: it stays in the ring */
		u->sq_head++;
		atomic_store_release(&u->shared->sq_head, u->sq_head);
		done++;
		if (err && !(u->flags & IORING_SETUP_SUBMIT_ALL))
			break;
	}
	start_chain(&c);
	blk_unplug(&plug);
	if (!done && err == -EAGAIN)
		return -EAGAIN;
	return (int)done;
}
