/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of pages into pipes, out of them, and from one to another.
 *
 * What is at the other end may be slow: a side of the pipe is held by a flag
 * meanwhile, not by the mutex.  Who holds the reading side knows that its
 * pieces stay, as writers only add; who holds the writing side knows that
 * the room does, as readers only take.  A side is held for one system call,
 * and of two pipes never by one mutex within the other's.
 */
#include <file/pipe.h>

#include "pipe_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/math.h>
#include <file/file.h>

#define MOVE_BUFS 16u /* pieces at once from pipe to pipe */

/* ---- the reading side ---- */

/* 1: held; 0: there is nothing and nobody who writes; -EAGAIN. */
static int
try_hold(struct pipe *p)
{
	int r = -EAGAIN;

	mutex_lock(&p->lock);
	if (!(p->held & HELD_READ)) {
		if (!pipe_empty(p)) {
			p->held |= HELD_READ;
			r = 1;
		} else if (!p->writers) {
			r = 0;
		}
	}
	mutex_unlock(&p->lock);
	return r;
}

/* The pieces that are there, from the front. */
static size_t
list_pieces(struct pipe *p, struct page_piece *v, unsigned *n, size_t len)
{
	unsigned i = 0;
	size_t got = 0;

	mutex_lock(&p->lock);
	for (uint32_t at = p->tail; at != p->head && i < *n && got < len;
	     at++, i++) {
		const struct pipe_buf *b = pipe_buf_at(p, at);

		v[i].page = b->page;
		v[i].off = b->off;
		v[i].len = (uint32_t)min_u64(b->len, len - got);
		got += v[i].len;
	}
	mutex_unlock(&p->lock);
	*n = i;
	return got;
}

ssize_t
pipe_hold(struct file *f, struct page_piece *v, unsigned *n, size_t len,
	  bool nonblock)
{
	struct pipe *p = f->priv;
	int r;

	while ((r = try_hold(p)) == -EAGAIN) {
		if (nonblock)
			return r;
		r = pipe_wait_readable(p, true);
		if (r)
			return r;
	}
	return r ? (ssize_t)list_pieces(p, v, n, len) : 0;
}

static void
take_bytes(struct pipe *p, size_t n)
{
	while (n) {
		struct pipe_buf *b = pipe_buf_at(p, p->tail);
		uint32_t m = (uint32_t)min_u64(b->len, n);

		b->off += (uint16_t)m;
		b->len -= (uint16_t)m;
		n -= m;
		if (!b->len)
			pipe_drop_buf(p);
	}
	pipe_trim(p);
}

bool
pipe_unhold(struct file *f, size_t n)
{
	struct pipe *p = f->priv;
	bool full, room, more;

	mutex_lock(&p->lock);
	full = pipe_full(p);
	take_bytes(p, n);
	p->held &= ~HELD_READ;
	room = full && !pipe_full(p);
	more = !pipe_empty(p);
	mutex_unlock(&p->lock);
	if (room)
		wait_wake(&p->write_wq, 1, POLLOUT | POLLWRNORM);
	if (!READ_ONCE(p->writers)) /* the end is for all who waited */
		wait_wake_all(&p->read_wq, POLLIN | POLLRDNORM);
	else if (more)
		wait_wake(&p->read_wq, 1, POLLIN | POLLRDNORM);
	return more;
}

/* ---- the writing side ---- */

/* Pieces that there is room for, and it is held; -EPIPE; -EAGAIN. */
static long
try_hold_room(struct pipe *p)
{
	long r = -EAGAIN;

	mutex_lock(&p->lock);
	if (!p->readers) {
		r = -EPIPE;
	} else if (!(p->held & HELD_WRITE) && !pipe_full(p)) {
		p->held |= HELD_WRITE;
		r = p->nslots - (p->head - p->tail);
	}
	mutex_unlock(&p->lock);
	return r;
}

long
pipe_hold_room(struct file *f, bool nonblock)
{
	struct pipe *p = f->priv;
	long r;

	while ((r = try_hold_room(p)) == -EAGAIN && !nonblock) {
		r = pipe_wait_writable(p, true);
		if (r)
			break;
	}
	return r;
}

void
pipe_add(struct file *f, const struct page_piece *v, unsigned n, bool own)
{
	struct pipe *p = f->priv;

	mutex_lock(&p->lock);
	for (unsigned i = 0; i < n; i++)
		pipe_put_buf(p, v[i].page, v[i].off, v[i].len,
			     own ? BUF_OWN : 0);
	mutex_unlock(&p->lock);
	wait_wake(&p->read_wq, 1, POLLIN | POLLRDNORM);
}

void
pipe_unhold_room(struct file *f)
{
	struct pipe *p = f->priv;
	bool room;

	mutex_lock(&p->lock);
	p->held &= ~HELD_WRITE;
	room = !pipe_full(p);
	mutex_unlock(&p->lock);
	if (room)
		wait_wake(&p->write_wq, 1, POLLOUT | POLLWRNORM);
}

/* ---- from one to another ---- */

/* Lists pieces from the at-th on for another pipe, with references.  A piece
 * that goes as a whole takes the right to be written behind along. */
static unsigned
share_pieces(struct pipe *p, uint32_t at, struct pipe_buf *v, size_t len,
	     bool keep)
{
	unsigned n = 0;

	mutex_lock(&p->lock);
	for (; at != p->head && n < MOVE_BUFS && len; at++, n++) {
		struct pipe_buf *b = pipe_buf_at(p, at);

		v[n] = *b;
		if (b->len > len)
			v[n].len = (uint16_t)len;
		if (keep || v[n].len < b->len)
			v[n].flags &= ~BUF_MERGE;
		else
			b->flags &= ~BUF_MERGE;
		page_get(b->page);
		len -= v[n].len;
	}
	mutex_unlock(&p->lock);
	return n;
}

/* As many of the pieces as there is room for; drops the others. */
static size_t
add_shared(struct pipe *p, const struct pipe_buf *v, unsigned n)
{
	size_t done = 0;
	unsigned i = 0;

	mutex_lock(&p->lock);
	for (; i < n && p->readers && !pipe_full(p); i++) {
		pipe_put_buf(p, v[i].page, v[i].off, v[i].len, v[i].flags);
		done += v[i].len;
	}
	mutex_unlock(&p->lock);
	if (done)
		wait_wake(&p->read_wq, 1, POLLIN | POLLRDNORM);
	for (; i < n; i++)
		page_put(v[i].page);
	return done;
}

/* Both sides are held. */
static size_t
move_pieces(struct pipe *in, struct pipe *out, size_t len, bool keep)
{
	uint32_t at = in->tail;
	size_t done = 0, n;
	unsigned listed;

	do {
		struct pipe_buf v[MOVE_BUFS] UNINIT;
		size_t want = 0;

		listed = share_pieces(in, at, v, len - done, keep);
		for (unsigned i = 0; i < listed; i++)
			want += v[i].len;
		n = add_shared(out, v, listed);
		done += n;
		at += listed;
		if (n < want)
			break;
	} while (listed == MOVE_BUFS && done < len);
	return done;
}

/* Waits until there are data, or never will be, and then for room: 0.  Who is
 * woken for the one may not take it before the other has come: it must not be
 * the one waiter that is woken. */
static int
wait_both(struct pipe *in, struct pipe *out, bool nonblock)
{
	while (pipe_empty(in) && READ_ONCE(in->writers)) {
		int err = nonblock ? -EAGAIN : pipe_wait_readable(in, false);

		if (err)
			return err;
	}
	while (pipe_full(out) && READ_ONCE(out->readers)) {
		int err = nonblock ? -EAGAIN : pipe_wait_writable(out, false);

		if (err)
			return err;
	}
	return READ_ONCE(out->readers) ? 0 : -EPIPE;
}

ssize_t
pipe_move(struct file *in, struct file *out, size_t len, bool nonblock,
	  bool keep)
{
	struct pipe *from = in->priv, *to = out->priv;

	for (;;) {
		size_t n = 0;
		long room = -EAGAIN;
		int r = wait_both(from, to, nonblock);

		if (r)
			return r;
		/* Another may have been faster. */
		r = try_hold(from);
		if (!r)
			return 0;
		if (r > 0) {
			room = try_hold_room(to);
			if (room > 0) {
				n = move_pieces(from, to, len, keep);
				pipe_unhold_room(out);
			}
			pipe_unhold(in, keep ? 0 : n);
		}
		if (n)
			return (ssize_t)n;
		if (nonblock && room == -EAGAIN)
			return -EAGAIN;
		r = r < 0 ? pipe_wait_readable(from, false) :
			    pipe_wait_writable(to, false);
		if (r)
			return r;
	}
}
