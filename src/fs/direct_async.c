/* SPDX-License-Identifier: Apache-2.0 */
/*
 * O_DIRECT requests that complete by a call rather than in a sleeping thread.
 *
 * Only what needs nothing but the device is done here: all bytes lie in
 * blocks that are allocated and written, within the file, in frames of the
 * program's that can be lent.  Everything else is direct.c's.
 *
 * The inode's lock is not held over the I/O, as no thread is there to hold
 * it.  What must not happen meanwhile is that blocks go to another file: the
 * cache counts such requests (ndirect), under the inode's lock, and who frees
 * blocks, with that lock for writing, waits first (pagewrite.c).
 */
#include <fs/direct.h>

#include "fs_priv.h"
#include "pagecache_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <base/string.h>
#include <dev/blk.h>
#include <file/file.h>
#include <fs/pagecache.h>
#include <mem/page.h>
#include <vm/pin.h>
#include <vm/uio.h>

#define PIECE_PAGES 128u /* in one request, at most */
#define SECTOR_MASK (BLK_SECTOR_SIZE - 1)

static bool
aligned(const struct uio *u, int64_t pos)
{
	unsigned k;

	if (pos < 0 || (uint64_t)pos & SECTOR_MASK || !u->user)
		return false;
	for (k = 0; k < u->nsegs; k++)
		if ((u->segs[k].base | u->segs[k].len) & SECTOR_MASK)
			return false;
	return true;
}

static void
one_less(struct direct_io *io)
{
	struct page_cache *pc = io->pc;

	if (atomic_sub(&io->left, 1))
		return;
	/* The file, and with it the cache, lives until direct_end(). */
	atomic_sub(&pc->ndirect, 1);
	if (waitq_active(&pc->wb_wait))
		wait_wake_all(&pc->wb_wait, 0);
	io->done(io);
}

static void
bio_ended(struct bio *b)
{
	struct direct_io *io = b->arg;

	if (b->status)
		atomic_store_relaxed(&io->err, b->status);
	one_less(io);
}

static void
drop_bios(struct direct_io *io)
{
	unsigned k, v;

	for (k = 0; k < io->n; k++) {
		for (v = 0; v < io->bios[k]->nvecs; v++)
			page_put(io->bios[k]->vecs[v].page);
		bio_free(io->bios[k]);
	}
	io->n = 0;
}

static struct bio *
new_bio(struct direct_io *io, const struct page_cache_run *run, uint64_t bytes)
{
	uint64_t pages = (bytes >> PAGE_SHIFT) + 2;
	struct bio *b;

	if (io->n == DIRECT_MAX_BIOS)
		return NULL;
	b = bio_alloc(pages < PIECE_PAGES ? (unsigned)pages : PIECE_PAGES,
		      ALLOC_KERNEL);
	if (!b)
		return NULL;
	b->dev = run->dev;
	b->op = io->write ? BIO_WRITE : BIO_READ;
	b->sector = run->sector;
	b->done = bio_ended;
	b->arg = io;
	io->bios[io->n++] = b;
	return b;
}

/* Adds the memory for one run of the device's bytes. */
static int
add_run(struct direct_io *io, struct uio *u, struct page_cache_run run)
{
	uint64_t left = run.len;
	struct bio *b = NULL;

	while (left) {
		uint64_t at;
		size_t n;
		struct page *p;

		while (u->nsegs && !u->segs[0].len) {
			u->segs++;
			u->nsegs--;
		}
		if (!b || b->nvecs == b->max_vecs ||
		    b->nvecs == run.dev->max_vecs) {
			b = new_bio(io, &run, left);
			if (!b)
				return -EAGAIN;
		}
		at = u->segs[0].base;
		n = PAGE_SIZE - (at & PAGE_MASK);
		if (n > u->segs[0].len)
			n = u->segs[0].len;
		if (n > left)
			n = (size_t)left;
		p = user_pin_page((const void __user *)at, !io->write);
		if (!p)
			return -EAGAIN;
		ignore(bio_add(b, p, (uint32_t)(at & PAGE_MASK),
			       (uint32_t)n)); /* there is room */
		uio_advance(u, n);
		run.sector += n >> BLK_SECTOR_SHIFT;
		left -= n;
	}
	return 0;
}

/* The inode's lock is held. */
static int
build(struct direct_io *io, struct uio *u, struct page_cache *pc, int64_t pos)
{
	uint64_t size = pc->inode->size, want = u->resid;
	struct page_cache_run run;
	int err;

	if (io->write && ((uint64_t)pos >= size || want > size - (uint64_t)pos))
		return -EAGAIN;
	if (!io->write && (uint64_t)pos >= size)
		return -EAGAIN; /* zero bytes: no request to wait for */
	io->len = want;
	if (!io->write && want > size - (uint64_t)pos) {
		io->len = (size_t)(size - (uint64_t)pos);
		want = (io->len + SECTOR_MASK) & ~(uint64_t)SECTOR_MASK;
	}
	while (want) {
		err = pc->ops->map(pc, (uint64_t)pos, want, io->write, &run);
		if (err)
			return err;
		if (run.hole || ((uint64_t)pos | run.len) & SECTOR_MASK)
			return -EAGAIN;
		err = add_run(io, u, run);
		if (err)
			return err;
		pos += (int64_t)run.len;
		want -= run.len;
	}
	return io->n ? 0 : -EAGAIN;
}

/* What is cached of the range must not differ from the device. */
static int
settle_cache(struct page_cache *pc, int64_t pos, size_t len, bool write)
{
	uint64_t first = (uint64_t)pos >> PAGE_SHIFT;
	uint64_t end = ((uint64_t)pos + len + PAGE_MASK) >> PAGE_SHIFT;

	if (!pc->npages)
		return 0;
	direct_settle(pc, first, end);
	return write ? page_cache_invalidate(pc, first, end) : 0;
}

int
direct_start(struct file *f, struct uio *u, int64_t pos, bool write,
	     struct direct_io *io)
{
	struct inode *i = f->inode;
	struct page_cache *pc = i ? i->cache : NULL;
	unsigned k, n;
	int err;

	if (!pc || f->ops != &page_cache_file_ops || !(f->flags & O_DIRECT) ||
	    pc->anonymous || !pc->ops->map || !u->resid || !aligned(u, pos) ||
	    (write && ((f->flags & (O_APPEND | O_DSYNC)) ||
		       (i->state & INODE_IMMUTABLE))) ||
	    (write && (i->sb->flags & 1)))
		return -EAGAIN;
	if (!write && direct_in_cache(f, pos, u->resid))
		return -EAGAIN;
	err = settle_cache(pc, pos, u->resid, write);
	if (err)
		return err;
	io->pc = pc;
	io->pos = pos;
	io->write = write;
	io->err = 0;
	io->n = 0;
	read_lock(&i->lock);
	err = build(io, u, pc, pos);
	if (!err)
		atomic_add(&pc->ndirect, 1);
	read_unlock(&i->lock);
	if (err) {
		drop_bios(io);
		return err;
	}
	/* After the last one is submitted io may be gone. */
	n = io->n;
	io->left = n + 1;
	for (k = 0; k < n; k++)
		bio_submit(io->bios[k]);
	one_less(io);
	return 0;
}

bool
direct_settled(const struct direct_io *io)
{
	return !io->write || !io->pc->npages;
}

ssize_t
direct_end(struct direct_io *io)
{
	int err = atomic_load_acquire(&io->err);

	drop_bios(io);
	if (io->write && io->pc->npages)
		/* Dirty again by a mapping: that is its say. */
		ignore(page_cache_invalidate(
			io->pc, (uint64_t)io->pos >> PAGE_SHIFT,
			((uint64_t)io->pos + io->len + PAGE_MASK) >>
				PAGE_SHIFT));
	return err ? err : (ssize_t)io->len;
}
