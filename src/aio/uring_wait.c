/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: polls, timeouts, and calling requests off.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/time.h>
#include <base/atomic.h>
#include <core/clock.h>
#include <file/file.h>
#include <vm/uaccess.h>

#define NS  1000000000ull
#define ALL (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY)
/* Not, or not only, the user data. */
#define OTHER_KEYS                                         \
	(IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_OP | \
	 IORING_ASYNC_CANCEL_ANY)

/* ---- poll ---- */

int
uring_prep_poll(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	if (s->off || s->addr || s->buf_index ||
	    s->len & ~(IORING_POLL_ADD_MULTI | IORING_POLL_ADD_LEVEL))
		return -EINVAL;
	r->multishot = s->len & IORING_POLL_ADD_MULTI;
	if (r->multishot && s->flags & IOSQE_CQE_SKIP_SUCCESS)
		return -EINVAL;
	return 0;
}

static uint32_t
wanted(const struct uring_req *r)
{
	return r->sqe.op_flags | POLLERR | POLLHUP;
}

/* Told of at each wake that finds something, by who owns the armed request:
 * what stays ready is not told again, what came twice may be told once. */
static long
poll_shots(struct uring_req *r)
{
	for (;;) {
		uint32_t ready;

		if (atomic_load_acquire(&r->canceled))
			return -ECANCELED;
		r->arm.events = wanted(r);
		ready = file_poll(r->file, NULL) & r->arm.events;
		if (ready && (!r->multishot ||
			      !uring_post_more(r, (long)ready, r->cflags)))
			return (long)ready;
		if (arm_sleep_edge(&r->arm))
			return URING_LATER;
	}
}

long
uring_poll_add(struct uring_req *r)
{
	uint32_t ready;
	int err;

	if (!r->file->ops->poll)
		return (long)(r->sqe.op_flags & (POLLIN | POLLOUT));
	if (!r->multishot && !r->armed) {
		ready = file_poll(r->file, NULL) & wanted(r);
		if (ready)
			return (long)ready;
	}
	err = uring_arm(r, wanted(r));
	return err < 0 ? err : poll_shots(r);
}

/* ---- timeouts ---- */

/* When the timer of a time-out is to fire: a time of the wall clock moves when
 * that is set. */
static uint64_t
deadline_of(const struct uring_req *r)
{
	if (!(r->sqe.op_flags & IORING_TIMEOUT_ABS))
		return r->deadline_ns + clock_mono_ns();
	return r->sqe.op_flags & IORING_TIMEOUT_REALTIME ?
		       clock_mono_of(r->deadline_ns) :
		       r->deadline_ns; /* boot time is the same */
}

void
uring_clock_stepped(struct clock_watch *w)
{
	struct uring *u = container_of(w, struct uring, watch);
	struct uring_req *r;

	spin_lock(&u->lock);
	list_for_each_entry(r, &u->requests, link)
		if (r->timing && r->sqe.op_flags & IORING_TIMEOUT_ABS &&
		    r->sqe.op_flags & IORING_TIMEOUT_REALTIME)
			timer_set(&r->timer, deadline_of(r));
	spin_unlock(&u->lock);
}

/* With the lock: a timer that fires has not been given a later time meanwhile,
 * at which it comes again. */
bool
uring_timer_due(const struct uring_req *r)
{
	return r->timing && r->timer.deadline_ns <= clock_mono_ns();
}

/* With the lock: from now on. */
void
uring_start_timer(struct uring_req *r)
{
	r->timing = true;
	timer_set(&r->timer, deadline_of(r));
}

static int
get_time(uint64_t addr, uint64_t *ns)
{
	struct timespec ts;

	if (copy_from_user(&ts, (void __user *)addr, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (int64_t)NS)
		return -EINVAL;
	if ((uint64_t)ts.tv_sec > UINT64_MAX / 4 / NS)
		*ns = UINT64_MAX / 4;
	else
		*ns = (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
	return 0;
}

int
uring_prep_timeout(struct uring_req *r)
{
	const uint32_t clocks =
		IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME;
	uint32_t known =
		IORING_TIMEOUT_ABS | clocks | IORING_TIMEOUT_ETIME_SUCCESS;

	if (r->sqe.len != 1 || r->sqe.buf_index || r->sqe.file_index ||
	    r->sqe.op_flags & ~known || (r->sqe.op_flags & clocks) == clocks)
		return -EINVAL;
	if (r->sqe.opcode == IORING_OP_LINK_TIMEOUT && r->sqe.off)
		return -EINVAL;
	return get_time(r->sqe.addr, &r->deadline_ns);
}

static void
timeout_fired(struct timer *t)
{
	struct uring_req *r = container_of(t, struct uring_req, timer);
	struct uring *u = r->ring;
	irqflags_t f = spin_lock_irq(&u->lock);

	if (uring_timer_due(r)) {
		r->timing = false;
		list_del(&r->wait_link);
		r->res = -ETIME;
		pool_queue(&r->work);
	}
	spin_unlock_irq(&u->lock, f);
}

long
uring_timeout(struct uring_req *r)
{
	struct uring *u = r->ring;
	irqflags_t f;
	long res = URING_LATER;

	uring_will_complete(r);
	timer_init(&r->timer, timeout_fired);
	r->has_timer = true;
	f = spin_lock_irq(&u->lock);
	if (r->canceled) {
		res = -ECANCELED;
	} else {
		r->target =
			r->sqe.off ? u->completions + r->sqe.off : UINT64_MAX;
		list_add_tail(&u->timeouts, &r->wait_link);
		uring_start_timer(r);
	}
	spin_unlock_irq(&u->lock, f);
	return res;
}

void
uring_count_timeouts(struct uring *u, struct list *due)
{
	struct uring_req *r, *n;

	list_for_each_entry_safe(r, n, &u->timeouts, wait_link) {
		if (u->completions < r->target)
			continue;
		r->timing = false;
		r->res = 0;
		list_move_tail(due, &r->wait_link);
	}
}

/* A new time for one that waits; with the lock. */
static int
update(struct uring_req *r, const struct uring_req *by, uint64_t ns)
{
	const uint32_t kind = IORING_TIMEOUT_ABS | IORING_TIMEOUT_REALTIME |
			      IORING_TIMEOUT_BOOTTIME;

	if (!r->timing)
		return -EALREADY;
	r->sqe.op_flags = (r->sqe.op_flags & ~kind) | (by->sqe.op_flags & kind);
	r->deadline_ns = ns;
	uring_start_timer(r);
	return 0;
}

/* With the lock.  The first request but r itself with this opcode and user
 * data. */
static struct uring_req *
find(struct uring_req *self, uint8_t opcode, uint64_t data)
{
	struct uring_req *r;

	list_for_each_entry(r, uring_by_data(self->ring, data), data_link)
		if (r != self && r->sqe.opcode == opcode &&
		    r->sqe.user_data == data)
			return r;
	return NULL;
}

long
uring_timeout_remove(struct uring_req *r)
{
	const uint32_t changes =
		IORING_TIMEOUT_UPDATE | IORING_LINK_TIMEOUT_UPDATE;
	uint32_t known = changes | IORING_TIMEOUT_ABS |
			 IORING_TIMEOUT_REALTIME | IORING_TIMEOUT_BOOTTIME;
	bool change = r->sqe.op_flags & changes;
	struct uring_req *t;
	uint64_t ns = 0;
	irqflags_t f;
	int err;

	if (r->sqe.len || r->sqe.buf_index || r->sqe.file_index ||
	    r->sqe.op_flags & ~known || (r->sqe.op_flags && !change) ||
	    (r->sqe.op_flags & changes) == changes)
		return -EINVAL;
	err = change ? get_time(r->sqe.off, &ns) : 0;
	if (err)
		return err;
	f = spin_lock_irq(&r->ring->lock);
	t = find(r,
		 r->sqe.op_flags & IORING_LINK_TIMEOUT_UPDATE ?
			 IORING_OP_LINK_TIMEOUT :
			 IORING_OP_TIMEOUT,
		 r->sqe.addr);
	if (!t)
		err = -ENOENT;
	else if (change)
		err = update(t, r, ns);
	else
		err = t->timing ? uring_cancel_one(t) : -EALREADY;
	spin_unlock_irq(&r->ring->lock, f);
	return err;
}

/* ---- calling off ---- */

/* With the lock: what is asked for changes; the request looks again. */
static int
update_poll(struct uring_req *p, const struct io_uring_sqe *s)
{
	if (!p->armed || !arm_kick(&p->arm))
		return -EALREADY;
	if (s->len & IORING_POLL_UPDATE_EVENTS) {
		p->sqe.op_flags = s->op_flags;
		p->multishot = s->len & IORING_POLL_ADD_MULTI;
	}
	if (s->len & IORING_POLL_UPDATE_USER_DATA) {
		p->sqe.user_data = s->off;
		list_move_tail(uring_by_data(p->ring, s->off), &p->data_link);
	}
	uring_go_on(p);
	return 0;
}

long
uring_poll_remove(struct uring_req *r)
{
	const uint32_t changes =
		IORING_POLL_UPDATE_EVENTS | IORING_POLL_UPDATE_USER_DATA;
	const struct io_uring_sqe *s = &r->sqe;
	struct uring_req *p;
	irqflags_t f;
	int err;

	if (s->buf_index || s->file_index ||
	    s->len & ~(changes | IORING_POLL_ADD_MULTI) ||
	    s->len == IORING_POLL_ADD_MULTI ||
	    (!(s->len & IORING_POLL_UPDATE_USER_DATA) && s->off) ||
	    (!(s->len & IORING_POLL_UPDATE_EVENTS) && s->op_flags))
		return -EINVAL;
	f = spin_lock_irq(&r->ring->lock);
	p = find(r, IORING_OP_POLL_ADD, s->addr);
	if (!p)
		err = -ENOENT;
	else if (s->len & changes)
		err = update_poll(p, s);
	else
		err = uring_cancel_one(p);
	spin_unlock_irq(&r->ring->lock, f);
	return err;
}

static bool
matches(const struct uring_match *m, const struct uring_req *r)
{
	if (r == m->self || r->sqe.opcode == IORING_OP_LINK_TIMEOUT)
		return false;
	if (m->flags & IORING_ASYNC_CANCEL_ANY)
		return true;
	if (m->flags & IORING_ASYNC_CANCEL_FD && r->file != m->file)
		return false;
	if (m->flags & IORING_ASYNC_CANCEL_OP && r->sqe.opcode != m->opcode)
		return false;
	if (m->flags & IORING_ASYNC_CANCEL_USERDATA ||
	    !(m->flags & (IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_OP)))
		return r->sqe.user_data == m->data;
	return true;
}

bool
uring_any_matching(struct uring *u, const struct uring_match *m)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct uring_req *r;
	bool any = false;

	list_for_each_entry(r, &u->requests, link)
		any = any || matches(m, r);
	spin_unlock_irq(&u->lock, f);
	return any;
}

/* What calling off has come to. */
struct tally {
	long count;
	int err;
};

/* With the lock; true: that was all that was asked for. */
static bool
cancel_if(const struct uring_match *m, struct uring_req *r, struct tally *t)
{
	if (r->canceled || !matches(m, r))
		return false;
	t->err = uring_cancel_one(r);
	t->count += !t->err;
	return !(m->flags & ALL);
}

long
uring_cancel_matching(struct uring *u, const struct uring_match *m)
{
	struct list *same = uring_by_data(u, m->data);
	struct tally t = { 0, -ENOENT };
	irqflags_t f = spin_lock_irq(&u->lock);
	struct uring_req *k, *n;

	if (m->flags & OTHER_KEYS) {
		list_for_each_entry_safe(k, n, &u->requests, link)
			if (cancel_if(m, k, &t))
				break;
	} else {
		list_for_each_entry_safe(k, n, same, data_link)
			if (cancel_if(m, k, &t))
				break;
	}
	spin_unlock_irq(&u->lock, f);
	if (m->flags & ALL)
		return t.count || t.err == -ENOENT ? t.count : t.err;
	return t.err;
}

int
uring_prep_cancel(struct uring_req *r)
{
	const uint32_t known =
		IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_FD |
		IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_FD_FIXED |
		IORING_ASYNC_CANCEL_USERDATA | IORING_ASYNC_CANCEL_OP;
	const struct io_uring_sqe *s = &r->sqe;
	uint32_t flags = s->op_flags;

	if (s->off || s->file_index || flags & ~known ||
	    (!(flags & IORING_ASYNC_CANCEL_OP) && s->len))
		return -EINVAL;
	if (flags & IORING_ASYNC_CANCEL_ANY &&
	    flags & (IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_OP))
		return -EINVAL;
	if (flags & IORING_ASYNC_CANCEL_FD_FIXED)
		r->sqe.flags |= IOSQE_FIXED_FILE;
	return 0;
}

long
uring_cancel(struct uring_req *r)
{
	struct uring_match m = { .self = r,
				 .data = r->sqe.addr,
				 .flags = r->sqe.op_flags,
				 .opcode = (uint8_t)r->sqe.len };

	if (m.flags & IORING_ASYNC_CANCEL_FD) {
		int err = uring_get_file(r);

		if (err)
			return err;
		m.file = r->file;
	}
	return uring_cancel_matching(r->ring, &m);
}

/* ---- another ring ---- */

/* A registered file of this ring, at addr3, to a place of the other's table:
 * 0, or the place that was found. */
static long
send_file(struct uring_req *r, struct uring *to)
{
	struct uring_tag *tag = NULL;
	struct file *f;

	if (to == r->ring)
		return -EINVAL;
	f = uring_fixed_file(r->ring, (uint32_t)r->sqe.addr3, &tag);
	uring_tag_put(tag); /* the table has it still */
	return f ? uring_install(to, f, r->sqe.file_index) : -EBADF;
}

/* A completion in the ring that the entry's file is. */
long
uring_msg_ring(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	bool fd = s->addr == IORING_MSG_SEND_FD;
	bool pass = s->op_flags & IORING_MSG_RING_FLAGS_PASS;
	struct uring *to;
	long res;

	if (s->buf_index || s->personality ||
	    s->op_flags &
		    ~(IORING_MSG_RING_CQE_SKIP | IORING_MSG_RING_FLAGS_PASS))
		return -EINVAL;
	if (!uring_is(r->file))
		return -EBADFD;
	if (s->addr > IORING_MSG_SEND_FD ||
	    (fd ? pass || s->len : s->addr3 || (!pass && s->file_index)))
		return -EINVAL;
	to = r->file->priv;
	if (atomic_load_acquire(&to->disabled))
		return -EBADFD;
	res = fd ? send_file(r, to) : 0;
	if (res >= 0 && !(fd && s->op_flags & IORING_MSG_RING_CQE_SKIP))
		uring_post(to, s->off, fd ? res : (int32_t)s->len,
			   pass ? s->file_index : 0, true);
	return res;
}
