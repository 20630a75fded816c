/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing pipes, and the pages that go round in them.
 *
 * The mutex is held while a stretch is copied.  User memory may fault, and
 * the mutex ranks inside the address space, so data moves with faults off,
 * and what did not is made present without the lock and tried again.  A
 * write of at most PIPE_BUF bytes goes in whole or not at all: where a page
 * of the program's is missing, it is gathered in a page of the kernel's
 * first.
 *
 * Which pages a write uses is Linux's way, as a program can count what fits:
 * the part of it that is no whole page goes behind the last piece if it
 * fits there, all else begins a page.
 *
 * Readers are woken by every write, writers when the pipe was full; one that
 * was woken and leaves something wakes the next.
 */
#include "pipe_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <base/assert.h>
#include <base/math.h>
#include <base/string.h>
#include <file/file.h>
#include <file/pipe.h>
#include <sched/thread.h>
#include <vm/uio.h>

#define SPARES 2u /* pages that an idle pipe keeps */

/* ---- pages ---- */

struct page *
pipe_take_page(struct pipe *p)
{
	struct page *page = p->spare;

	if (unlikely(!page))
		return page_alloc(0, ALLOC_NOFS);
	p->spare = page->priv;
	p->nspare--;
	return page;
}

/* The mutex ranks inside what memory may have to be got from: a page comes
 * without it when there was none to be had with it. */
static int
fetch_page(struct pipe *p)
{
	struct page *page = page_alloc(0, ALLOC_KERNEL);

	if (!page)
		return -ENOMEM;
	mutex_lock(&p->lock);
	page->priv = p->spare;
	p->spare = page;
	p->nspare++;
	mutex_unlock(&p->lock);
	return 0;
}

/* While a writer waits each page is about to be filled again; else few are
 * worth their memory. */
void
pipe_give_page(struct pipe *p, struct page *page)
{
	if (refcount_read(&page->refs) != 1 ||
	    (p->nspare >= SPARES && !READ_ONCE(p->nwaiting))) {
		page_put(page);
		return;
	}
	page->priv = p->spare;
	p->spare = page;
	p->nspare++;
}

void
pipe_drop_buf(struct pipe *p)
{
	struct pipe_buf *b = pipe_buf_at(p, p->tail);

	if (b->flags & BUF_OWN)
		pipe_give_page(p, b->page);
	else
		page_put(b->page);
	WRITE_ONCE(p->tail, p->tail + 1);
}

void
pipe_trim(struct pipe *p)
{
	while (p->nspare > SPARES)
		page_put(pipe_take_page(p));
}

/* ---- waiting ---- */

/* After mutex_unlock().  Somebody in the queue hears of every write, as on
 * Linux (EPOLLET), and of room in a pipe that was full. */
static inline void
wake_one(struct waitq *wq, uint32_t events)
{
	if (waitq_active(wq))
		wait_wake(wq, 1, events);
}

static bool
can_read(const struct pipe *p)
{
	return !(READ_ONCE(p->held) & HELD_READ) &&
	       (!pipe_empty(p) || !READ_ONCE(p->writers));
}

static bool
can_write(const struct pipe *p)
{
	return !READ_ONCE(p->readers) ||
	       (!(READ_ONCE(p->held) & HELD_WRITE) && !pipe_full(p));
}

static inline void
start_waiting(struct waitq *wq, struct wait_entry *e, bool alone)
{
	if (alone)
		wait_start_exclusive(wq, e, true);
	else
		wait_start(wq, e, true);
}

/* A sleeper that a signal ends may have been the one that was woken for
 * what there is: it hands that on. */
int
pipe_wait_readable(struct pipe *p, bool alone)
{
	struct wait_entry e UNINIT;
	int err = 0;

	start_waiting(&p->read_wq, &e, alone);
	while (!can_read(p) && !err)
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&p->read_wq, &e);
	if (likely(!err))
		return 0;
	if (can_read(p))
		wake_one(&p->read_wq, POLLIN | POLLRDNORM);
	return -ERESTARTSYS;
}

int
pipe_wait_writable(struct pipe *p, bool alone)
{
	struct wait_entry e UNINIT;
	int err = 0;

	atomic_add(&p->nwaiting, 1);
	start_waiting(&p->write_wq, &e, alone);
	while (!can_write(p) && !err)
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&p->write_wq, &e);
	atomic_sub(&p->nwaiting, 1);
	if (likely(!err))
		return 0;
	if (can_write(p))
		wake_one(&p->write_wq, POLLOUT | POLLWRNORM);
	return -ERESTARTSYS;
}

/* ---- reading ---- */

/* What is there, up to the end of a packet.  *missing: stopped by a page of
 * the program's.  Bytes, or -EFAULT when there were none. */
static ssize_t
take_out(struct pipe *p, struct uio *u, bool *missing)
{
	ssize_t done = 0;

	do {
		struct pipe_buf *b = pipe_buf_at(p, p->tail);
		uint32_t want = (uint32_t)min_u64(b->len, u->resid);
		ssize_t n = uio_write(u, pipe_buf_data(b), want);

		if (n > 0) {
			done += n;
			b->off += (uint16_t)n;
			b->len -= (uint16_t)n;
		}
		if (unlikely(n != (ssize_t)want)) {
			*missing = true;
			return done ? done : -EFAULT;
		}
		if (unlikely(b->flags & BUF_PACKET)) {
			pipe_drop_buf(p); /* and what did not fit */
			break;
		}
		if (!b->len)
			pipe_drop_buf(p);
	} while (u->resid && p->head != p->tail);
	if (unlikely(p->nspare > SPARES) && !READ_ONCE(p->nwaiting))
		pipe_trim(p);
	return done;
}

ssize_t
pipe_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct pipe *p = f->priv;
	ssize_t done = 0, n;
	bool slept = false;

	(void)pos;
	if (!u->resid)
		return 0;
	u->nofault = true;
	for (;;) {
		bool room = false, left = false, missing = false;

		mutex_lock(&p->lock);
		if (unlikely(p->held & HELD_READ)) {
			n = -EAGAIN;
		} else if (p->head != p->tail) {
			bool full = pipe_full(p);

			n = take_out(p, u, &missing);
			room = full && !pipe_full(p);
			left = p->head != p->tail;
		} else {
			n = p->writers ? -EAGAIN : 0;
		}
		mutex_unlock(&p->lock);
		if (room)
			wake_one(&p->write_wq, POLLOUT | POLLWRNORM);
		if (n > 0) {
			if (left && slept)
				wake_one(&p->read_wq, POLLIN | POLLRDNORM);
			done += n;
			if (!missing)
				return done;
		}
		if (missing) {
			n = uio_prefault(u, min_size(u->resid, PIPE_BUF), true);
			if (n)
				return done ? done : n;
			continue;
		}
		if (done || n != -EAGAIN || file_nowait(f, u))
			return done ? done : n;
		n = pipe_wait_readable(p, true);
		if (n)
			return n;
		slept = true;
	}
}

/* ---- writing ---- */

/* What a write's pieces are. */
static inline uint32_t
kind_of(const struct file *f)
{
	return unlikely(f->flags & O_DIRECT) ? BUF_OWN | BUF_PACKET :
					       BUF_OWN | BUF_MERGE;
}

/* The last piece, if len bytes can go behind it. */
static inline struct pipe_buf *
merge_target(struct pipe *p, uint32_t len)
{
	struct pipe_buf *b = pipe_buf_at(p, p->head - 1);

	if (p->head == p->tail || !(b->flags & BUF_MERGE) ||
	    (uint32_t)b->off + b->len + len > PAGE_SIZE)
		return NULL;
	return b;
}

/* May this writer go on? */
static inline int
check_write(const struct pipe *p)
{
	if (unlikely(!p->readers))
		return -EPIPE;
	return unlikely(p->held & HELD_WRITE) ? -EAGAIN : 0;
}

/* Puts a small write in.  -EFAULT: the program's memory is not all there;
 * what could be copied of it, *have bytes, is in *part, a page that is now
 * the caller's. */
static ssize_t
put_small(struct file *f, struct uio *u, uint32_t len, struct page **part,
	  uint32_t *have)
{
	struct pipe *p = f->priv;
	struct pipe_buf *b;
	struct page *page;
	uint8_t *to;
	ssize_t n = check_write(p);

	if (unlikely(n))
		return n;
	b = merge_target(p, len);
	if (b) {
		to = pipe_buf_data(b) + b->len;
		n = uio_read(u, to, len);
		if (likely(n == (ssize_t)len)) {
			b->len += (uint16_t)len;
			return n;
		}
		page = pipe_take_page(p);
		if (!page)
			return -ENOMEM;
		memcpy(page_addr(page), to, n > 0 ? (size_t)n : 0);
	} else {
		if (unlikely(pipe_full(p)))
			return -EAGAIN;
		page = pipe_take_page(p);
		if (unlikely(!page))
			return -ENOMEM;
		n = uio_read(u, page_addr(page), len);
		if (likely(n == (ssize_t)len)) {
			pipe_put_buf(p, page, 0, len, kind_of(f));
			return n;
		}
	}
	*part = page;
	*have = n > 0 ? (uint32_t)n : 0;
	return -EFAULT;
}

/* One write of at most PIPE_BUF bytes; as put_small(), but it waits. */
static ssize_t
write_small(struct file *f, struct uio *u, uint32_t len, struct page **part,
	    uint32_t *have)
{
	struct pipe *p = f->priv;
	bool slept = false;

	for (;;) {
		bool room;
		ssize_t n;

		mutex_lock(&p->lock);
		n = put_small(f, u, len, part, have);
		room = slept && !pipe_full(p);
		mutex_unlock(&p->lock);
		if (likely(n > 0))
			wake_one(&p->read_wq, POLLIN | POLLRDNORM);
		if (unlikely(room))
			wake_one(&p->write_wq, POLLOUT | POLLWRNORM);
		if (n == -ENOMEM && u->resid == len) {
			n = fetch_page(p);
			if (n)
				return n;
			continue;
		}
		if (n != -EAGAIN || file_nowait(f, u))
			return n;
		n = pipe_wait_writable(p, true);
		if (n)
			return n;
		slept = true;
	}
}

/* Goes on with a small write whose first bytes are in a page of the
 * kernel's: the rest comes there with faults allowed, and nothing stops the
 * second attempt. */
static NOINLINE ssize_t
write_gathered(struct file *f, struct uio *u, uint32_t len, struct page *page,
	       uint32_t have)
{
	uint8_t *data = page_addr(page);
	ssize_t n;

	u->nofault = false;
	n = uio_read(u, data + have, len - have);
	if (n == (ssize_t)(len - have)) {
		struct page *none = NULL;
		struct uio k UNINIT;

		uio_init_kernel(&k, data, len);
		k.nowait = u->nowait;
		n = write_small(f, &k, len, &none, &have);
		assert(!none);
	} else {
		n = -EFAULT;
	}
	page_put(page);
	return n;
}

/* Fills pages while there is room.  first: the odd part may go behind the
 * last piece. */
static ssize_t
put_large(struct file *f, struct uio *u, bool first, bool *missing)
{
	struct pipe *p = f->priv;
	uint32_t odd = u->resid & (PAGE_SIZE - 1);
	struct pipe_buf *b = first && odd ? merge_target(p, odd) : NULL;
	ssize_t n = 0, done = 0;

	if (b) {
		n = uio_read(u, pipe_buf_data(b) + b->len, odd);
		if (n > 0) {
			b->len += (uint16_t)n;
			done = n;
		}
		*missing = n != (ssize_t)odd;
	}
	while (u->resid && !*missing && !pipe_full(p)) {
		uint32_t want = (uint32_t)min_u64(u->resid, PAGE_SIZE);
		struct page *page = pipe_take_page(p);

		if (!page)
			return done ? done : -ENOMEM;
		n = uio_read(u, page_addr(page), want);
		if (n > 0) {
			pipe_put_buf(p, page, 0, (uint32_t)n, kind_of(f));
			done += n;
		} else {
			pipe_give_page(p, page);
		}
		*missing = n != (ssize_t)want;
	}
	return done ? done : *missing ? -EFAULT : -EAGAIN;
}

static ssize_t
write_large(struct file *f, struct uio *u)
{
	struct pipe *p = f->priv;
	bool first = true, slept = false;
	ssize_t done = 0;

	for (;;) {
		bool room, missing = false;
		ssize_t n;

		mutex_lock(&p->lock);
		n = check_write(p);
		if (!n) {
			n = put_large(f, u, first, &missing);
			first = false;
		}
		room = slept && !pipe_full(p);
		mutex_unlock(&p->lock);
		if (n > 0) {
			done += n;
			wake_one(&p->read_wq, POLLIN | POLLRDNORM);
			n = -EAGAIN;
		}
		if (room)
			wake_one(&p->write_wq, POLLOUT | POLLWRNORM);
		if (!u->resid)
			return done;
		if (missing) {
			n = uio_prefault(u, min_size(u->resid, PIPE_BUF),
					 false);
			if (!n)
				continue;
		} else if (n == -ENOMEM) {
			n = fetch_page(p);
			if (!n)
				continue;
		} else if (n == -EAGAIN && !file_nowait(f, u)) {
			n = pipe_wait_writable(p, true);
			slept = true;
			if (!n)
				continue;
		}
		return done ? done : n;
	}
}

ssize_t
pipe_write(struct file *f, struct uio *u, int64_t *pos)
{
	struct page *part = NULL;
	uint32_t len, have = 0;
	ssize_t n;

	(void)pos;
	if (!u->resid)
		return 0;
	u->nofault = true;
	if (u->resid > PIPE_BUF)
		return write_large(f, u);
	len = (uint32_t)u->resid;
	n = write_small(f, u, len, &part, &have);
	if (unlikely(part != NULL))
		n = write_gathered(f, u, len, part, have);
	return n;
}
