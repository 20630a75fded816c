/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data between open files; splice.h has the rules.
 *
 * No lock is held while the out file is written, so either may be slow: of a
 * pipe the reading side is held instead (pipe_hold), a file's own position is
 * taken before and stored after, as Linux does.
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
	for (unsigned i = 0; i < n; i++) {
		segs[i].base = (uint64_t)page_addr(v[i].page) + v[i].off;
		segs[i].len = v[i].len;
	}
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
	for (unsigned i = 0; i < n; i++)
		page_put(v[i].page);
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
	mutex_lock(&in->pos_lock);
	own = in->pos;
	mutex_unlock(&in->pos_lock);
	n = copy_loop(out, opos, in, &own, len);
	if (n > 0) {
		mutex_lock(&in->pos_lock);
		in->pos = own;
		mutex_unlock(&in->pos_lock);
	}
	return n;
}

/* ---- pipes ---- */

ssize_t
splice_from_pipe(struct file *out, int64_t *opos, struct file *in, size_t len,
		 bool nonblock, bool keep)
{
	struct uio_seg segs[2];
	struct uio u UNINIT;
	ssize_t n, room;

	if (pipe_is(out)) {
		room = pipe_wait_room(out, nonblock);
		if (room < 0)
			return room;
		len = min_size(len, (size_t)room);
	}
	n = pipe_hold(in, segs, len, nonblock);
	if (n <= 0)
		return n;
	uio_init_segs(&u, segs, segs[1].len ? 2 : 1, (size_t)n);
	n = write_uio(out, opos, &u);
	pipe_unhold(in, keep || n < 0 ? 0 : (size_t)n);
	return n;
}

ssize_t
splice_to_pipe(struct file *out, struct file *in, int64_t *ipos, size_t len,
	       bool nonblock)
{
	ssize_t room = pipe_wait_room(out, nonblock);

	if (room < 0)
		return room;
	return file_copy(out, NULL, in, ipos, min_size(len, (size_t)room));
}

ssize_t
splice_uio_to_pipe(struct file *out, struct uio *u, bool nonblock)
{
	ssize_t room;

	if (!u->resid)
		return 0;
	room = pipe_wait_room(out, nonblock);
	if (room < 0)
		return room;
	if (u->resid > (size_t)room)
		uio_truncate(u, (size_t)room);
	return file_write(out, u);
}
