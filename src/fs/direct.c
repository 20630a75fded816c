/* SPDX-License-Identifier: Apache-2.0 */
/*
 * O_DIRECT: between the program's memory and the device.
 *
 * The file system says where bytes lie (ops->map).  What lies nowhere yet (a
 * hole, space that was never written) gets blocks first and becomes contents
 * when they are written (ops->direct_alloc, direct_wrote); parts of blocks go
 * through the cache and are flushed.  Both ways of access see the same: a read
 * of what is in the cache as a whole and not yet on the device has it from
 * there if it is not much, otherwise the dirty pages of the range are written
 * first.  Before a write they are dropped, too, and after it what was read
 * into the cache meanwhile.
 *
 * A program's private pages are given to the device as they are; others, and
 * memory that does not begin at a multiple of 512, are copied.  Offsets and
 * lengths must be multiples of 512 (EINVAL), as with Linux.
 *
 * The inode's lock is held: for reading by a read, for writing by a write, so
 * the mapping cannot change under the I/O.
 */
#include <fs/direct.h>

#include "fs_priv.h"
#include "pagecache_priv.h"

#include <abi/errno.h>
#include <base/string.h>
#include <dev/blk.h>
#include <file/file.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <vm/pin.h>
#include <vm/uio.h>

#define PIECE_PAGES 32u	   /* in one request, at most */
#define MAX_BIOS    8u	   /* requests in flight of one call */
#define COPY_MAX    65536u /* bytes; of more the device is as quick */

struct batch { /* requests that are waited for together */
	struct bio *bios[MAX_BIOS];
	unsigned n;
	uint32_t left; /* [a] and one for the submitter */
	struct completion done;
};

static bool
aligned(const struct uio *u, int64_t pos, uint64_t mask)
{
	size_t left = u->resid;

	if ((uint64_t)pos & mask)
		return false;
	for (unsigned k = 0; k < u->nsegs && left; k++) {
		size_t n = u->segs[k].len < left ? u->segs[k].len : left;

		if (n & mask)
			return false;
		left -= n;
	}
	return true;
}

static void
skip_empty(struct uio *u)
{
	while (u->nsegs && !u->segs[0].len) {
		u->segs++;
		u->nsegs--;
	}
}

static void
one_less(struct batch *b)
{
	if (atomic_sub(&b->left, 1) == 0)
		completion_done(&b->done);
}

static void
bio_ended(struct bio *bio)
{
	one_less(bio->arg);
}

/* The next piece of the program's memory that is a part of one frame, or a
 * page of ours in its place.  *copied: it is ours. */
static struct page *
next_piece(struct uio *u, bool write, uint32_t *off, uint32_t *len,
	   bool *copied)
{
	uint64_t at = u->segs[0].base;
	size_t n = PAGE_SIZE - (at & PAGE_MASK);
	struct page *p = NULL;

	if (n > u->segs[0].len)
		n = u->segs[0].len;
	*len = (uint32_t)n;
	*off = (uint32_t)(at & PAGE_MASK);
	/* A driver takes pieces of whole sectors. */
	if (u->user && !(at & (BLK_SECTOR_SIZE - 1)))
		p = user_pin_page((const void __user *)at, !write);
	*copied = !p;
	if (!p)
		p = page_alloc(0, ALLOC_KERNEL);
	return p;
}

/* One request for at most `bytes`, all of which are in u.  Puts what it takes
 * from the memory side; -errno when it can take nothing. */
static ssize_t
make_bio(struct uio *u, struct page_cache_run *run, uint64_t bytes, bool write,
	 struct batch *b)
{
	struct bio *bio = bio_alloc(PIECE_PAGES, ALLOC_KERNEL);
	unsigned max = run->dev->max_vecs;
	uint64_t total = 0;
	int err = 0;

	bio->dev = run->dev;
	bio->op = write ? BIO_WRITE : BIO_READ;
	bio->sector = run->sector;
	bio->done = bio_ended;
	bio->arg = b;
	while (total < bytes && bio->nvecs < max) {
		uint32_t off, len;
		struct page *p;
		bool copied;

		skip_empty(u);
		if (bio->nvecs == bio->max_vecs)
			break;
		p = next_piece(u, write, &off, &len, &copied);
		if (!p) {
			err = -ENOMEM;
			break;
		}
		if (len > bytes - total)
			len = (uint32_t)(bytes - total);
		/* What must be copied is a request of its own, made by the
		 * caller. */
		if (copied) {
			page_put(p);
			err = -EFAULT;
			break;
		}
		ignore(bio_add(bio, p, off, len)); /* there is room */
		uio_advance(u, len);
		total += len;
	}
	if (!total) {
		bio_free(bio);
		return err;
	}
	b->bios[b->n++] = bio;
	return (ssize_t)total;
}

/* Waits for all; the first error. */
static int
batch_end(struct batch *b)
{
	int err = 0;

	one_less(b);
	completion_wait(&b->done);
	for (unsigned k = 0; k < b->n; k++) {
		struct bio *bio = b->bios[k];

		if (bio->status && !err)
			err = bio->status;
		for (uint32_t v = 0; v < bio->nvecs; v++)
			page_put(bio->vecs[v].page);
		bio_free(bio);
	}
	return err;
}

/* One page by way of a page of ours. */
static ssize_t
by_copy(struct uio *u, struct page_cache_run *run, uint64_t bytes, bool write)
{
	size_t n = bytes < PAGE_SIZE ? (size_t)bytes : PAGE_SIZE;
	struct page *p = page_alloc(0, ALLOC_KERNEL);
	struct bio *bio;
	ssize_t r = 0;
	int err;

	if (!p)
		return -ENOMEM;
	if (write) {
		r = uio_read(u, page_addr(p), n);
		if (r >= 0 && (size_t)r < n)
			r = -EFAULT;
	}
	if (r >= 0) {
		bio = bio_alloc(1, ALLOC_KERNEL);
		bio->dev = run->dev;
		bio->op = write ? BIO_WRITE : BIO_READ;
		bio->sector = run->sector;
		err = bio_add(bio, p, 0, (uint32_t)n);
		if (!err)
			err = bio_submit_wait(bio);
		bio_free(bio);
		r = err;
	}
	if (!r && !write)
		r = uio_write(u, page_addr(p), n);
	else if (!r)
		r = (ssize_t)n;
	page_put(p);
	return r;
}

/* Moves bytes that lie one after the other on the device; a multiple of its
 * blocks.  How many, or -errno. */
static ssize_t
transfer(struct uio *u, struct page_cache_run run, uint64_t bytes, bool write)
{
	struct batch b = { .n = 0, .left = 1 };
	struct blk_plug plug;
	uint64_t total = 0;
	ssize_t r = 0;
	int err;

	completion_init(&b.done);
	blk_plug(&plug);
	while (total < bytes && b.n < MAX_BIOS) {
		r = make_bio(u, &run, bytes - total, write, &b);
		if (r < 0)
			break;
		total += (uint64_t)r;
		run.sector += (uint64_t)r >> BLK_SECTOR_SHIFT;
		atomic_add(&b.left, 1);
		bio_submit(b.bios[b.n - 1]);
	}
	blk_unplug(&plug);
	err = batch_end(&b);
	if (err)
		return err;
	if (!total && r == -EFAULT)
		return by_copy(u, &run, bytes, write);
	return total ? (ssize_t)total : r;
}

static ssize_t
read_run(struct uio *u, const struct page_cache_run *run, uint64_t left)
{
	uint64_t bytes = run->len;
	ssize_t r;

	if (!run->hole) {
		r = transfer(u, *run, bytes, false);
		return r > 0 && (uint64_t)r > left ? (ssize_t)left : r;
	}
	return uio_zero(u, bytes < left ? bytes : left);
}

static bool
is_cached(struct page_cache *pc, uint64_t index)
{
	struct page *p = page_cache_find(pc, index);
	bool yes = p && (p->flags & PG_UPTODATE);

	if (p)
		page_put(p);
	return yes;
}

bool
direct_in_cache(const struct file *f, int64_t pos, size_t len)
{
	struct page_cache *pc = f->inode ? f->inode->cache : NULL;
	uint64_t at = (uint64_t)pos >> PAGE_SHIFT, end, size;

	if (!pc || f->ops != &page_cache_file_ops || pos < 0)
		return false;
	size = atomic_load_relaxed(&f->inode->size);
	if ((!pc->ndirty && !pc->nwriteback) || (uint64_t)pos >= size ||
	    len > COPY_MAX)
		return false;
	if (len > size - (uint64_t)pos)
		len = (size_t)(size - (uint64_t)pos);
	end = ((uint64_t)pos + len + PAGE_MASK) >> PAGE_SHIFT;
	if (page_cache_next_unwritten(pc, at) >= end)
		return false;
	while (at < end && is_cached(pc, at))
		at++;
	return at == end;
}

void
direct_settle(struct page_cache *pc, uint64_t first, uint64_t end)
{
	if ((!pc->ndirty && !pc->nwriteback) ||
	    page_cache_next_unwritten(pc, first) >= end)
		return;
	page_cache_write_range(pc, 0, UINT64_MAX, false);
	page_cache_write_range(pc, first, end, true);
}

ssize_t
direct_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct inode *i = f->inode;
	struct page_cache *pc = i->cache;
	uint64_t mask = BLK_SECTOR_SIZE - 1, size;
	struct page_cache_run run;
	ssize_t total = 0, r = 0;

	if (*pos < 0 || !pc->ops->map || !aligned(u, *pos, mask))
		return -EINVAL;
	if (direct_in_cache(f, *pos, u->resid))
		return page_cache_read(pc, u, pos);
	if (u->nowait)
		return -EAGAIN;
	direct_settle(pc, (uint64_t)*pos >> PAGE_SHIFT,
		      ((uint64_t)*pos + u->resid + PAGE_MASK) >> PAGE_SHIFT);
	read_lock(&i->lock);
	size = i->size;
	while (u->resid && (uint64_t)*pos < size) {
		uint64_t left = size - (uint64_t)*pos, want = u->resid;

		if (want > left)
			want = (left + mask) & ~mask;
		r = pc->ops->map(pc, (uint64_t)*pos, want, false, &run);
		if (r)
			break;
		if (!run.hole && ((uint64_t)*pos | run.len) & mask)
			r = -EINVAL;
		else
			r = read_run(u, &run, left);
		if (r <= 0)
			break;
		*pos += r;
		total += r;
	}
	read_unlock(&i->lock);
	return total ? total : r;
}

/* The part that has no place on the device yet. */
static ssize_t
write_cached(struct page_cache *pc, struct uio *u, int64_t *pos, uint64_t len)
{
	size_t rest = 0;
	int64_t start = *pos;
	ssize_t r;

	if (u->resid > len) {
		rest = u->resid - (size_t)len;
		u->resid = (size_t)len;
	}
	r = page_cache_write(pc, u, pos);
	u->resid += rest;
	if (r > 0)
		page_cache_write_range(
			pc, (uint64_t)start >> PAGE_SHIFT,
			((uint64_t)*pos + PAGE_MASK) >> PAGE_SHIFT, true);
	return r;
}

/* Whole blocks to where nothing is yet.  Less than len: it ends here. */
static ssize_t
write_new(struct page_cache *pc, struct uio *u, int64_t *pos, uint64_t len)
{
	uint64_t done = 0, at = (uint64_t)*pos;
	struct page_cache_run run;
	ssize_t r = 0;
	int err = pc->ops->direct_alloc(pc, at, len, &run);

	if (err)
		return err;
	len = run.len;
	while (done < len) {
		r = transfer(u, run, len - done, true);
		if (r <= 0)
			break;
		done += (uint64_t)r;
		run.sector += (uint64_t)r >> BLK_SECTOR_SHIFT;
	}
	done -= done % pc->inode->sb->block_size;
	if (!done)
		return r;
	err = pc->ops->direct_wrote(pc, at, done);
	if (err || r < 0)
		return err ? err : r;
	*pos += (int64_t)done;
	return (ssize_t)done;
}

static ssize_t
write_hole(struct page_cache *pc, struct uio *u, int64_t *pos, uint64_t len)
{
	uint64_t mask = pc->inode->sb->block_size - 1;
	uint64_t part = (uint64_t)*pos & mask;

	if (!pc->ops->direct_alloc)
		return write_cached(pc, u, pos, len);
	if (part || len <= mask) {
		part = mask + 1 - part;
		return write_cached(pc, u, pos, len < part ? len : part);
	}
	return write_new(pc, u, pos, len & ~mask);
}

ssize_t
direct_write(struct file *f, struct uio *u, int64_t *pos)
{
	struct inode *i = f->inode;
	struct page_cache *pc = i->cache;
	uint64_t first = (uint64_t)*pos >> PAGE_SHIFT, end;
	struct page_cache_run run;
	uint32_t since = f->wb_err;
	ssize_t total = 0, r = 0;
	int err;

	if (!pc->ops->map || !aligned(u, *pos, BLK_SECTOR_SIZE - 1))
		return -EINVAL;
	end = ((uint64_t)*pos + u->resid + PAGE_MASK) >> PAGE_SHIFT;
	direct_settle(pc, first, end);
	err = page_cache_invalidate(pc, first, end);
	while (!err && u->resid) {
		r = pc->ops->map(pc, (uint64_t)*pos, u->resid, true, &run);
		if (r)
			break;
		if (run.hole) {
			r = write_hole(pc, u, pos, run.len);
		} else {
			r = transfer(u, run, run.len, true);
			if (r > 0)
				*pos += r;
			if (r > 0 && (uint64_t)*pos > i->size) {
				atomic_store_release(&i->size, (uint64_t)*pos);
				inode_mark_dirty(i, true);
			}
		}
		if (r <= 0)
			break;
		total += r;
	}
	if (total)
		ignore(page_cache_invalidate(pc, first, end)); /* dirty again
					* by a mapping: that is its say */
	/* The cached part was to be on the device, too. */
	if (!err)
		err = errseq_check_advance(&pc->wb_err, &since);
	if (err)
		return err;
	return total ? total : r;
}
