/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data between open files; splice.h has the rules.
 *
 * No lock is held while a file is read or written, so either may be slow: of
 * a pipe one side is held instead (pipe_hold, pipe_hold_room), a file's own
 * position is taken before and stored after, as Linux does.
 */
#include <file/splice.h>

#include <abi/errno.h>
#include <abi/socket.h>
#include <base/math.h>
#include <file/file.h>
#include <file/pipe.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <vm/pin.h>
#include <vm/uio.h>

#define RUN_PAGES 16u	 /* pages at once */
#define BUF_BYTES 65536u /* of files without pages */

static void
uio_init_segs(struct uio *u, struct uio_seg *segs, unsigned n, size_t len)
{
	uio_init_kernel(u, NULL, 0);
	u->segs = segs;
	u->nsegs = n;
	u->resid = len;
}

static ssize_t
write_uio(struct file *out, int64_t *opos, struct uio *u)
{
	ssize_t n;

	if (!opos)
		return file_write(out, u);
	n = file_pwrite(out, u, *opos);
	if (n > 0)
		*opos += n;
	return n;
}

static uint8_t *
piece_data(const struct page_piece *v)
{
	return (uint8_t *)page_addr(v->page) + v->off;
}

static void
put_pieces(const struct page_piece *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		page_put(v[i].page);
}

static size_t
pieces_to_segs(struct uio_seg *segs, const struct page_piece *v, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		segs[i].base = (uint64_t)piece_data(&v[i]);
		segs[i].len = v[i].len;
		len += v[i].len;
	}
	return len;
}

/* A run of pages, by reference where the file takes that. */
static ssize_t
write_run(struct file *out, int64_t *opos, const struct page_piece *v,
	  unsigned n, size_t len, bool more)
{
	struct uio_seg segs[RUN_PAGES] UNINIT;
	struct uio u UNINIT;

	if (out->ops->write_pages && !opos) {
		ssize_t r =
			out->ops->write_pages(out, v, n, more ? MSG_MORE : 0);

		if (r != -EOPNOTSUPP)
			return r;
	}
	ignore(pieces_to_segs(segs, v, n)); /* len */
	uio_init_segs(&u, segs, n, len);
	return write_uio(out, opos, &u);
}

/* One run from the page cache; *ipos moves by what was written. */
static ssize_t
copy_run(struct file *out, int64_t *opos, struct file *in, int64_t *ipos,
	 size_t len)
{
	struct page_piece v[RUN_PAGES] UNINIT;
	unsigned n = RUN_PAGES;
	int64_t at = *ipos;
	ssize_t got = in->ops->read_pages(in, v, &n, len, &at), put;

	if (got <= 0)
		return got;
	put = write_run(out, opos, v, n, (size_t)got, (size_t)got < len);
	put_pieces(v, n);
	if (put > 0)
		*ipos += put;
	return put;
}

/* The same through a buffer.  What was read from a stream is written whole:
 * it can't be put back. */
static ssize_t
copy_buf(struct file *out, int64_t *opos, struct file *in, int64_t *ipos,
	 void *buf, size_t len)
{
	struct uio u UNINIT;
	ssize_t got, put = 0;

	uio_init_kernel(&u, buf, min_size(len, BUF_BYTES));
	got = ipos ? file_pread(in, &u, *ipos) : file_read(in, &u);
	if (got <= 0)
		return got;
	while (put < got) {
		ssize_t n;

		uio_init_kernel(&u, (char *)buf + put, (size_t)(got - put));
		n = write_uio(out, opos, &u);
		if (n <= 0) {
			if (!put)
				put = n;
			break;
		}
		put += n;
		if (ipos)
			break; /* the caller asks for the rest again */
	}
	if (ipos && put > 0)
		*ipos += put;
	return put;
}

static ssize_t
copy_loop(struct file *out, int64_t *opos, struct file *in, int64_t *ipos,
	  size_t len)
{
	bool pages = in->ops->read_pages && ipos;
	void *buf =
		pages ? NULL : kmalloc(min_size(len, BUF_BYTES), ALLOC_KERNEL);
	ssize_t done = 0, n = 0;

	if (!pages && !buf)
		return -ENOMEM;
	while ((size_t)done < len) {
		size_t left = len - (size_t)done;

		n = pages ? copy_run(out, opos, in, ipos, left) :
			    copy_buf(out, opos, in, ipos, buf, left);
		if (n <= 0)
			break;
		done += n;
		if (thread_signal_pending() || !ipos)
			break; /* a stream: what there was at once */
		thread_resched_point();
	}
	/* The last run may have announced more: the file was shorter, or
	 * there was no room. */
	if (pages && done && (size_t)done < len && out->ops->write_pages &&
	    !opos)
		ignore(out->ops->write_pages(out, NULL, 0, 0));
	kfree(buf);
	return done ? done : n;
}

static int64_t
own_position(struct file *f)
{
	int64_t pos;

	mutex_lock(&f->pos_lock);
	pos = f->pos;
	mutex_unlock(&f->pos_lock);
	return pos;
}

static void
set_own_position(struct file *f, int64_t pos)
{
	mutex_lock(&f->pos_lock);
	f->pos = pos;
	mutex_unlock(&f->pos_lock);
}

ssize_t
file_copy(struct file *out, int64_t *opos, struct file *in, int64_t *ipos,
	  size_t len)
{
	int64_t own;
	ssize_t n;

	if (!len)
		return 0;
	if (ipos || in->mode & FILE_STREAM)
		return copy_loop(out, opos, in, ipos, len);
	own = own_position(in);
	n = copy_loop(out, opos, in, &own, len);
	if (n > 0)
		set_own_position(in, own);
	return n;
}

/* ---- out of pipes ---- */

ssize_t
splice_from_pipe(struct file *out, int64_t *opos, struct file *in, size_t len,
		 bool nonblock, bool more)
{
	struct page_piece v[RUN_PAGES] UNINIT;
	bool left, announced = false;
	ssize_t n, done = 0;

	do {
		unsigned k = RUN_PAGES;
		ssize_t put;

		n = pipe_hold(in, v, &k, len - (size_t)done, nonblock || done);
		if (n <= 0)
			break;
		announced = k == RUN_PAGES && (size_t)(done + n) < len;
		put = write_run(out, opos, v, k, (size_t)n, more || announced);
		left = pipe_unhold(in, put > 0 ? (size_t)put : 0);
		if (put > 0)
			done += put;
		if (put < n)
			n = put;
	} while (n > 0 && left && (size_t)done < len &&
		 !thread_signal_pending());
	if (announced && !more && out->ops->write_pages && !opos)
		ignore(out->ops->write_pages(out, NULL, 0, 0));
	return done ? done : n;
}

ssize_t
splice_pipe_to_uio(struct file *in, struct uio *u, bool nonblock)
{
	struct page_piece v[RUN_PAGES] UNINIT;
	ssize_t n, done = 0;
	bool left;

	do {
		unsigned k = RUN_PAGES;
		ssize_t put = 0;

		n = pipe_hold(in, v, &k, u->resid, nonblock || done);
		if (n <= 0)
			break;
		for (unsigned i = 0; i < k; i++) {
			n = uio_write(u, piece_data(&v[i]), v[i].len);
			if (n > 0)
				put += n;
			if (n != (ssize_t)v[i].len)
				break;
		}
		left = pipe_unhold(in, (size_t)put);
		done += put;
	} while (n > 0 && left && u->resid && !thread_signal_pending());
	return done ? done : n;
}

/* ---- into pipes ---- */

/* All of these have the pipe's writing side, with room for `room` pieces. */

static ssize_t
fill_from_cache(struct file *out, struct file *in, int64_t *pos, size_t len,
		unsigned room)
{
	ssize_t done = 0, n = 0;

	while (room && (size_t)done < len) {
		struct page_piece v[RUN_PAGES] UNINIT;
		unsigned k = (unsigned)min_u64(RUN_PAGES, room);
		int64_t at = *pos;

		n = in->ops->read_pages(in, v, &k, len - (size_t)done, &at);
		if (n <= 0)
			break;
		pipe_add(out, v, k, false);
		*pos += n;
		done += n;
		room -= k;
		if (thread_signal_pending())
			break;
	}
	return done ? done : n;
}

/* New pages for len bytes, fewer when memory is short; how many. */
static unsigned
new_pieces(struct page_piece *v, unsigned max, size_t len)
{
	unsigned n = 0;

	for (; n < max && len; n++) {
		v[n].page = page_alloc(0, ALLOC_KERNEL);
		if (!v[n].page)
			break;
		v[n].off = 0;
		v[n].len = (uint32_t)min_u64(len, PAGE_SIZE);
		len -= v[n].len;
	}
	return n;
}

/* Those of the pieces that the first len bytes are in; drops the others. */
static unsigned
cut_pieces(struct page_piece *v, unsigned n, size_t len)
{
	unsigned i = 0;

	for (; i < n && len; i++) {
		v[i].len = (uint32_t)min_u64(v[i].len, len);
		len -= v[i].len;
	}
	put_pieces(v + i, n - i);
	return i;
}

static ssize_t
fill_by_reading(struct file *out, struct file *in, int64_t *pos, size_t len,
		unsigned room)
{
	ssize_t done = 0, n;
	size_t want;

	do {
		struct page_piece v[RUN_PAGES] UNINIT;
		struct uio_seg segs[RUN_PAGES] UNINIT;
		struct uio u UNINIT;
		unsigned k = new_pieces(v, (unsigned)min_u64(RUN_PAGES, room),
					len - (size_t)done);

		if (!k)
			return done ? done : -ENOMEM;
		want = pieces_to_segs(segs, v, k);
		uio_init_segs(&u, segs, k, want);
		n = pos ? file_pread(in, &u, *pos) : file_read(in, &u);
		k = cut_pieces(v, k, n > 0 ? (size_t)n : 0);
		pipe_add(out, v, k, true);
		if (n <= 0)
			break;
		if (pos)
			*pos += n;
		done += n;
		room -= k;
	} while ((size_t)n == want && room && (size_t)done < len &&
		 !(in->mode & FILE_STREAM) && !thread_signal_pending());
	return done ? done : n;
}

ssize_t
splice_to_pipe(struct file *out, struct file *in, int64_t *ipos, size_t len,
	       bool nonblock)
{
	bool pages = in->ops->read_pages != NULL, own = pages && !ipos;
	int64_t pos;
	long room;
	ssize_t n;

	if (in->mode & FILE_DIR)
		return -EINVAL;
	room = pipe_hold_room(out, nonblock);
	if (room < 0)
		return room;
	if (own) {
		pos = own_position(in);
		ipos = &pos;
	}
	n = pages ? fill_from_cache(out, in, ipos, len, (unsigned)room) :
		    fill_by_reading(out, in, ipos, len, (unsigned)room);
	if (own && n > 0)
		set_own_position(in, pos);
	pipe_unhold_room(out);
	return n;
}

/* The program's page at the front of u, or a copy where it has none of its
 * own there: *own. */
static int
user_piece(struct uio *u, struct page_piece *v, bool *own)
{
	uint64_t base = u->segs->base;
	uint32_t len =
		(uint32_t)min_u64(u->segs->len, PAGE_SIZE - (base & PAGE_MASK));
	ssize_t n;

	v->off = (uint32_t)(base & PAGE_MASK);
	v->len = len;
	v->page = user_pin_page((const void __user *)base, false);
	*own = !v->page;
	if (v->page) {
		uio_advance(u, len);
		return 0;
	}
	v->page = page_alloc(0, ALLOC_KERNEL);
	if (!v->page)
		return -ENOMEM;
	n = uio_read(u, piece_data(v), len);
	if (n == (ssize_t)len)
		return 0;
	page_put(v->page);
	return -EFAULT;
}

ssize_t
splice_uio_to_pipe(struct file *out, struct uio *u, bool nonblock)
{
	ssize_t done = 0;
	int err = 0;
	long room;

	if (!u->resid)
		return 0;
	room = pipe_hold_room(out, nonblock);
	if (room < 0)
		return room;
	while (u->resid && room) {
		struct page_piece v;
		bool own;

		if (!u->segs->len) {
			u->segs++;
			u->nsegs--;
			continue;
		}
		err = user_piece(u, &v, &own);
		if (err)
			break;
		pipe_add(out, &v, 1, own);
		done += v.len;
		room--;
	}
	pipe_unhold_room(out);
	return done ? done : err;
}
