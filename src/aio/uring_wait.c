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

#define NS	       1000000000ull
#define POLL_ADD_MULTI 1u

/* ---- poll ---- */

long
uring_poll_add(struct uring_req *r)
{
	uint32_t events = r->sqe.op_flags | POLLERR | POLLHUP, ready;

	if (r->sqe.len || r->sqe.off || r->sqe.addr || r->sqe.buf_index)
		return -EINVAL; /* multishot, and changing one: not there */
	if (!r->file->ops->poll)
		return (long)(r->sqe.op_flags & (POLLIN | POLLOUT));
	r->arm.events = events;
	ready = file_poll(r->file, NULL) & events;
	return ready ? (long)ready : -EAGAIN;
}

/* ---- timeouts ---- */

/* From the clock of the flags to the monotonic one, which timers have. */
static uint64_t
monotonic(const struct uring_req *r, uint64_t ns)
{
	uint64_t real = clock_real_ns(), now = clock_mono_ns();

	if (!(r->sqe.op_flags & IORING_TIMEOUT_REALTIME))
		return ns; /* boot time is the same */
	return ns > real ? now + (ns - real) : now;
}

static int
get_time(struct uring_req *r, uint64_t addr, uint64_t *ns)
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
	if (r->sqe.op_flags & IORING_TIMEOUT_ABS)
		*ns = monotonic(r, *ns);
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
	return get_time(r, r->sqe.addr, &r->deadline_ns);
}

static void
timeout_fired(struct timer *t)
{
	struct uring_req *r = container_of(t, struct uring_req, timer);
	struct uring *u = r->ring;
	irqflags_t f = spin_lock_irq(&u->lock);
	bool mine = r->timing;

	if (mine) {
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
	uint64_t deadline = r->deadline_ns;
	irqflags_t f;
	long res = URING_LATER;

	if (!(r->sqe.op_flags & IORING_TIMEOUT_ABS))
		deadline += clock_mono_ns();
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
		r->timing = true;
		timer_set(&r->timer, deadline);
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
	if (!r->timing)
		return -EALREADY;
	r->sqe.op_flags = (r->sqe.op_flags & ~IORING_TIMEOUT_ABS) |
			  (by->sqe.op_flags & IORING_TIMEOUT_ABS);
	if (!(by->sqe.op_flags & IORING_TIMEOUT_ABS))
		ns += clock_mono_ns();
	timer_set(&r->timer, ns);
	return 0;
}

/* The first request but r itself with this opcode and user data. */
static struct uring_req *
find(struct uring_req *self, uint8_t opcode, uint64_t data)
{
	struct uring_req *r;

	list_for_each_entry(r, &self->ring->requests, link)
		if (r != self && r->sqe.opcode == opcode &&
		    r->sqe.user_data == data)
			return r;
	return NULL;
}

long
uring_timeout_remove(struct uring_req *r)
{
	uint32_t known = IORING_TIMEOUT_UPDATE | IORING_TIMEOUT_ABS |
			 IORING_TIMEOUT_REALTIME | IORING_TIMEOUT_BOOTTIME;
	bool change = r->sqe.op_flags & IORING_TIMEOUT_UPDATE;
	struct uring_req *t;
	uint64_t ns = 0;
	irqflags_t f;
	int err;

	if (r->sqe.len || r->sqe.buf_index || r->sqe.file_index ||
	    r->sqe.op_flags & ~known || (r->sqe.op_flags && !change))
		return -EINVAL;
	err = change ? get_time(r, r->sqe.off, &ns) : 0;
	if (err)
		return err;
	f = spin_lock_irq(&r->ring->lock);
	t = find(r, IORING_OP_TIMEOUT, r->sqe.addr);
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

long
uring_poll_remove(struct uring_req *r)
{
	struct uring_req *p;
	irqflags_t f;
	int err;

	if (r->sqe.len || r->sqe.off || r->sqe.op_flags || r->sqe.buf_index)
		return -EINVAL;
	f = spin_lock_irq(&r->ring->lock);
	p = find(r, IORING_OP_POLL_ADD, r->sqe.addr);
	err = p ? uring_cancel_one(p) : -ENOENT;
	spin_unlock_irq(&r->ring->lock, f);
	return err;
}

static bool
matches(const struct uring_req *by, const struct uring_req *r)
{
	uint32_t flags = by->sqe.op_flags;

	if (r == by || r->sqe.opcode == IORING_OP_LINK_TIMEOUT || r->canceled)
		return false;
	if (flags & IORING_ASYNC_CANCEL_ANY)
		return true;
	if (flags & IORING_ASYNC_CANCEL_FD)
		return r->file && r->file == by->file;
	return r->sqe.user_data == by->sqe.addr;
}

long
uring_cancel(struct uring_req *r)
{
	const uint32_t all = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY;
	uint32_t flags = r->sqe.op_flags;
	struct uring_req *k, *n;
	irqflags_t f;
	long count = 0;
	int err = -ENOENT;

	if (r->sqe.off || r->sqe.len || r->sqe.file_index ||
	    flags & ~(all | IORING_ASYNC_CANCEL_FD))
		return -EINVAL;
	f = spin_lock_irq(&r->ring->lock);
	list_for_each_entry_safe(k, n, &r->ring->requests, link) {
		if (!matches(r, k))
			continue;
		err = uring_cancel_one(k);
		count += !err;
		if (!(flags & all))
			break;
	}
	spin_unlock_irq(&r->ring->lock, f);
	if (flags & all)
		return count ? count : err == -ENOENT && flags & all ? 0 : err;
	return err;
}

/* ---- another ring ---- */

/* A completion in the ring that the entry's file is. */
long
uring_msg_ring(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	bool pass = s->op_flags & IORING_MSG_RING_FLAGS_PASS;

	if (s->buf_index || s->personality || s->addr != IORING_MSG_DATA ||
	    s->op_flags &
		    ~(IORING_MSG_RING_CQE_SKIP | IORING_MSG_RING_FLAGS_PASS) ||
	    (!pass && s->file_index))
		return -EINVAL;
	if (!uring_is(r->file))
		return -EBADFD;
	uring_post(r->file->priv, s->off, (int32_t)s->len,
		   pass ? s->file_index : 0, true);
	return 0;
}
