/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File data: between the page cache and the device.
 *
 * Delayed allocation: a page that becomes dirty reserves the blocks it lacks
 * (page->priv: which of its blocks are reserved, which are known to be
 * there); blocks are taken when a run of pages is written, and their extent,
 * the file's size and the writes belong to one transaction, which is not
 * committed before the writes have ended.  So after a crash no file shows
 * blocks that were never written; what the device refuses is lost.c's.
 *
 * Blocks smaller than a page are written in order and waited for.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/clock.h>
#include <dev/blk.h>
#include <fs/bdev.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>

/* page->priv of a file's page: bits by block in the page. */
#define P_RESERVED(k) (1ull << (k))
#define P_MAPPED(k)   (1ull << ((k) + 8))

/* Blocks taken at once for a run of pages. */
#define MAX_TAKE 2048u

static uint64_t
priv_of(const struct page *p)
{
	return (uint64_t)atomic_load_relaxed(&p->priv);
}

static void
priv_or(struct page *p, uint64_t bits)
{
	atomic_or((uint64_t *)&p->priv, bits);
}

static unsigned
per_page(const struct ext4_super *s)
{
	return 1u << (PAGE_SHIFT - s->block_shift);
}

static uint64_t
sector_of(const struct ext4_super *s, uint64_t block)
{
	return block << (s->block_shift - BLK_SECTOR_SHIFT);
}

/* ---- reading ---- */

/* Blocks smaller than a page: one after the other, waiting. */
static void
read_small(struct inode *i, struct page *p)
{
	struct ext4_super *s = ext4_sb(i);
	uint32_t n = per_page(s), lblk = (uint32_t)(p->index * n);
	struct ext4_map m;
	int err = 0;

	for (uint32_t k = 0; k < n && !err;) {
		uint32_t off = k << s->block_shift, run;

		err = ext4_map_block(i, lblk + k, &m);
		if (err)
			break;
		run = m.len < n - k ? m.len : n - k;
		if (m.pblk)
			err = bdev_read_part(s->dev, sector_of(s, m.pblk), p,
					     off, run << s->block_shift);
		else
			memset((char *)page_addr(p) + off, 0,
			       (size_t)run << s->block_shift);
		k += run;
	}
	page_read_end(p, err);
}

static void
ext4_read_pages(struct page_cache *pc, struct page **pages, unsigned n)
{
	struct inode *i = pc->inode;
	struct ext4_super *s = ext4_sb(i);
	struct ext4_map m;

	if (s->block_shift != PAGE_SHIFT) {
		for (unsigned k = 0; k < n; k++)
			read_small(i, pages[k]);
		return;
	}
	for (unsigned k = 0; k < n;) {
		int err = pages[k]->index > UINT32_MAX ?
				  -EIO :
				  ext4_map_block(i, (uint32_t)pages[k]->index,
						 &m);
		unsigned run = n - k;

		if (err) {
			page_read_end(pages[k++], err);
			continue;
		}
		if (run > m.len)
			run = m.len;
		if (m.pblk) {
			bdev_read_pages(s->dev, sector_of(s, m.pblk), pages + k,
					run);
		} else {
			for (unsigned j = k; j < k + run; j++) {
				page_clear(page_addr(pages[j]));
				page_read_end(pages[j], 0);
			}
		}
		k += run;
	}
}

/* ---- reserving ---- */

static int
ext4_prepare(struct page_cache *pc, struct page *p, uint32_t off, uint32_t len)
{
	struct inode *i = pc->inode;
	struct ext4_super *s = ext4_sb(i);
	unsigned first = off >> s->block_shift;
	unsigned last = (off + len - 1) >> s->block_shift;

	if (i->sb->flags & 1)
		return -EROFS;
	if (!(ext4_i(i)->flags & EXT4_FL_EXTENTS))
		return -EOPNOTSUPP;
	for (unsigned k = first; k <= last; k++) {
		uint64_t lblk = p->index * per_page(s) + k;
		struct ext4_map m;
		int err;

		if (priv_of(p) & (P_RESERVED(k) | P_MAPPED(k)))
			continue;
		if (lblk >= UINT32_MAX)
			return -EFBIG;
		err = ext4_map_any(i, (uint32_t)lblk, &m);
		if (err)
			return err;
		if (m.pblk) {
			priv_or(p, P_MAPPED(k));
			continue;
		}
		err = ext4_reserve(s, 1);
		if (err)
			return err;
		atomic_add(&ext4_i(i)->delayed, 1);
		priv_or(p, P_RESERVED(k));
	}
	return 0;
}

static void
ext4_forget(struct page_cache *pc, struct page *p)
{
	uint32_t n = 0;

	for (unsigned k = 0; k < 8; k++)
		n += (uint32_t)(priv_of(p) >> k & 1); /* P_RESERVED */

	if (n) {
		ext4_unreserve(ext4_sb(pc->inode), n);
		atomic_sub(&ext4_i(pc->inode)->delayed, n);
	}
	p->priv = NULL;
}

/* The file was cut in the middle of a page: what is known of the blocks
 * behind the cut is void. */
void
ext4_cut_page(struct inode *i, uint64_t size)
{
	struct ext4_super *s = ext4_sb(i);
	unsigned first = (unsigned)(((size & PAGE_MASK) + s->block_size - 1) >>
				    s->block_shift);
	struct page *p;

	if (!(size & PAGE_MASK) || first >= per_page(s))
		return;
	p = page_cache_find(i->cache, size >> PAGE_SHIFT);
	if (!p)
		return;
	page_lock(p);
	for (unsigned k = first;
	     p->object == &i->cache->object && k < per_page(s); k++) {
		uint64_t old = atomic_fetch_and((uint64_t *)&p->priv,
						~(P_RESERVED(k) | P_MAPPED(k)));

		if (old & P_RESERVED(k)) {
			ext4_unreserve(s, 1);
			atomic_sub(&ext4_i(i)->delayed, 1);
		}
	}
	page_unlock(p);
	page_put(p);
}

/* Block k of p has its block now.  spent: its reservation was for that; else
 * it goes back, as somebody else (fallocate) made the block. */
static void
now_mapped(struct inode *i, struct page *p, unsigned k, bool spent)
{
	uint64_t old;

	priv_or(p, P_MAPPED(k));
	old = atomic_fetch_and((uint64_t *)&p->priv, ~P_RESERVED(k));
	if (!(old & P_RESERVED(k)))
		return;
	atomic_sub(&ext4_i(i)->delayed, 1);
	if (!spent)
		ext4_unreserve(ext4_sb(i), 1);
}

/* ---- writing ---- */

/* The blocks of a failed write became the file's in a transaction. */
static void
note_lost(const struct bio *b)
{
	const struct page *p = b->vecs[0].page;
	struct page_cache *pc =
		container_of(p->object, struct page_cache, object);
	struct ext4_super *s = ext4_sb(pc->inode);
	uint64_t sector = b->sector;

	if (b->dev != s->dev) /* a partition: it is the disk's number by now */
		sector -= s->dev->start;
	ext4_lost_note(pc->inode, sector >> (s->block_shift - BLK_SECTOR_SHIFT),
		       b->nvecs);
}

static void
write_done(struct bio *b)
{
	struct jtx *tx = b->arg;
	int err = b->status;

	if (unlikely(err) && tx)
		note_lost(b);
	for (uint32_t k = 0; k < b->nvecs; k++)
		page_write_end(b->vecs[k].page, err);
	bio_free(b);
	if (tx)
		journal_data_end(tx, err);
}

static struct bio *
data_bio(struct ext4_super *s, uint64_t pblk, unsigned nvecs, struct jtx *tx)
{
	struct bio *b = bio_alloc(nvecs, ALLOC_NOIO); /* waits, never NULL */

	b->dev = s->dev;
	b->op = BIO_WRITE;
	b->sector = sector_of(s, pblk);
	b->done = write_done;
	b->arg = tx;
	return b;
}

/* Whole pages to consecutive blocks; tx (or NULL) waits for them. */
static void
submit_pages(struct ext4_super *s, uint64_t pblk, struct page **pages,
	     unsigned n, struct jhandle *h)
{
	unsigned max = s->dev->max_vecs ? s->dev->max_vecs : 1;
	struct bio *b = NULL;

	for (unsigned k = 0; k < n; k++) {
		if (b &&
		    (b->nvecs >= max || bio_add(b, pages[k], 0, PAGE_SIZE))) {
			bio_submit(b);
			b = NULL;
		} else if (b) {
			continue;
		}
		b = data_bio(s, pblk + k, n - k < max ? n - k : max,
			     h ? journal_data_start(h) : NULL);
		ignore(bio_add(b, pages[k], 0, PAGE_SIZE)); /* is empty */
	}
	if (b)
		bio_submit(b);
}

/* The size that the disk may show once blocks up to end are written. */
static bool
grow_disksize(struct inode *i, uint64_t end_block)
{
	struct ext4_super *s = ext4_sb(i);
	uint64_t end = end_block << s->block_shift;
	uint64_t size = atomic_load_relaxed(&i->size);

	if (end > size)
		end = size;
	if (end <= ext4_i(i)->disksize)
		return false;
	ext4_i(i)->disksize = end;
	return true;
}

static uint64_t
goal_for(struct inode *i, uint32_t lblk)
{
	struct ext4_super *s = ext4_sb(i);
	struct ext4_inode *e = ext4_i(i);
	struct ext4_map m;

	if (e->last_pblk && lblk == e->last_lblk + 1)
		return e->last_pblk + 1;
	if (lblk && !ext4_map_locked(i, lblk - 1, &m) && m.pblk)
		return m.pblk + 1;
	/* The group of the inode; files begin at different places in it. */
	return s->first_data_block + (i->ino - 1) / s->inodes_per_group *
					     (uint64_t)s->blocks_per_group;
}

/* What is to be done with a run of blocks that are alike. */
struct segment {
	uint32_t lblk, len;
	struct ext4_map m;
	bool reserved; /* the blocks, all of them or none */
};

/* Since it was looked at without a lock, fallocate may have given blocks to
 * what was a hole. */
static int
look_again(struct inode *i, struct segment *g)
{
	int err = ext4_map_locked(i, g->lblk, &g->m);

	if (err)
		return err;
	if (g->len > g->m.len)
		g->len = g->m.len;
	g->reserved = g->reserved && !g->m.pblk;
	return 0;
}

/* Gives the segment blocks (or makes them written), in h; on success g->m
 * says where, and len may have become less. */
static int
map_segment(struct jhandle *h, struct inode *i, struct segment *g)
{
	struct ext4_inode *e = ext4_i(i);
	uint64_t start;
	uint32_t n;
	int err = look_again(i, g);

	if (err)
		return err;
	n = g->len;
	if (g->m.pblk && g->m.unwritten) {
		err = ext4_ext_set_written(h, i, g->lblk, n);
	} else if (!g->m.pblk) {
		err = ext4_balloc(
			h, goal_for(i, g->lblk), n < MAX_TAKE ? n : MAX_TAKE,
			g->reserved ? EXT4_ALLOC_DELAYED : 0, &start, &n);
		if (err)
			return err;
		err = ext4_ext_insert(h, i, g->lblk, n, start, false);
		if (err) {
			ignore(ext4_bfree(h, start, n)); /* err is reported */
			/* The reservation was spent: take it back. */
			if (g->reserved)
				atomic_add(&h->s->delayed, n);
			return err;
		}
		g->m.pblk = start;
		g->len = n;
		e->last_pblk = start + n - 1;
		e->last_lblk = g->lblk + n - 1;
	}
	if (!err) {
		grow_disksize(i, (uint64_t)g->lblk + g->len);
		err = ext4_iwrite(h, i, true);
	}
	return err;
}

/* Must the segment's transaction know of this write? */
static bool
needs_handle(struct inode *i, const struct segment *g)
{
	struct ext4_super *s = ext4_sb(i);
	uint64_t end = ((uint64_t)g->lblk + g->len) << s->block_shift;
	uint64_t size = atomic_load_relaxed(&i->size);

	if (!g->m.pblk || g->m.unwritten)
		return true;
	if (end > size)
		end = size;
	return end > atomic_load_relaxed(&ext4_i(i)->disksize);
}

/* Pages that were accepted are not given up because memory is short for a
 * moment.  In no handle. */
static bool
retry_memory(int err, unsigned *tries)
{
	if (err != -ENOMEM || ++*tries > 100)
		return false;
	thread_delay(NSEC_PER_SEC / 100);
	return true;
}

static int
write_segment(struct inode *i, struct segment *g,
	      void (*submit)(struct inode *i, struct segment *g,
			     struct jhandle *h, void *arg),
	      void *arg)
{
	struct ext4_super *s = ext4_sb(i);
	struct ext4_inode *e = ext4_i(i);
	struct jhandle h;
	unsigned tries = 0, waits = 0;
	int err;

	if (!needs_handle(i, g)) {
		submit(i, g, NULL, arg);
		return 0;
	}
	do {
		err = journal_start(s, ext4_ext_credits(i) + 8, &h);
		if (err)
			continue;
		write_lock(&e->tree_lock);
		err = map_segment(&h, i, g);
		write_unlock(&e->tree_lock);
		if (!err)
			submit(i, g, &h, arg);
		journal_stop(&h);
	} while (err && (ext4_retry_alloc(s, err, &tries) ||
			 retry_memory(err, &waits)));
	return err;
}

/* ---- whole pages ---- */

static void
submit_whole(struct inode *i, struct segment *g, struct jhandle *h, void *arg)
{
	struct page **pages = arg;

	for (uint32_t k = 0; k < g->len; k++)
		now_mapped(i, pages[k], 0, g->reserved);
	submit_pages(ext4_sb(i), g->m.pblk, pages, g->len, h);
}

static void
write_whole(struct inode *i, struct page **pages, unsigned n)
{
	for (unsigned k = 0; k < n;) {
		struct segment g = { .lblk = (uint32_t)pages[k]->index,
				     .len = n - k };
		int err = ext4_map_any(i, g.lblk, &g.m);

		if (!err) {
			if (g.len > g.m.len)
				g.len = g.m.len;
			g.reserved = !g.m.pblk &&
				     (priv_of(pages[k]) & P_RESERVED(0));
			for (uint32_t x = 1; !g.m.pblk && x < g.len; x++)
				if (!(priv_of(pages[k + x]) & P_RESERVED(0)) ==
				    g.reserved)
					g.len = x;
			err = write_segment(i, &g, submit_whole, pages + k);
		}
		if (err) {
			page_write_end(pages[k++], err);
			continue;
		}
		k += g.len;
	}
}

/* ---- parts of pages ---- */

struct small {
	struct page **pages;
	uint32_t first; /* block of pages[0] */
	uint32_t left;	/* [a] bios, and one for who waits */
	int err;	/* [a] */
	struct completion done;
	struct jtx *tx;
};

static void
small_done(struct bio *b)
{
	struct small *w = b->arg;

	if (b->status)
		atomic_store_relaxed(&w->err, b->status);
	bio_free(b);
	if (atomic_sub(&w->left, 1) == 0)
		completion_done(&w->done);
}

static void
submit_small(struct inode *i, struct segment *g, struct jhandle *h, void *arg)
{
	struct ext4_super *s = ext4_sb(i);
	struct small *w = arg;
	unsigned n = per_page(s);

	w->tx = h ? journal_data_start(h) : NULL;
	for (uint32_t k = 0; k < g->len; k++) {
		uint32_t at = g->lblk + k - w->first;
		struct page *p = w->pages[at / n];
		struct bio *b;

		now_mapped(i, p, at % n, g->reserved);
		b = data_bio(s, g->m.pblk + k, 1, NULL);
		b->done = small_done;
		b->arg = w;
		ignore(bio_add(b, p, (at % n) << s->block_shift,
			       s->block_size)); /* is empty */
		atomic_add(&w->left, 1);
		bio_submit(b);
	}
}

/* The next blocks from *lblk on that are alike; false: nothing to write. */
static bool
next_segment(struct inode *i, struct small *w, uint32_t *lblk, uint32_t end,
	     struct segment *g, int *err)
{
	unsigned n = per_page(ext4_sb(i));

	for (; *lblk < end; ++*lblk) {
		uint32_t at = *lblk - w->first;
		bool res = priv_of(w->pages[at / n]) & P_RESERVED(at % n);

		*err = ext4_map_any(i, *lblk, &g->m);
		if (*err)
			return false;
		if (!g->m.pblk && !res)
			continue; /* a hole that nobody wrote to */
		g->lblk = *lblk;
		g->len = g->m.len < end - *lblk ? g->m.len : end - *lblk;
		g->reserved = !g->m.pblk;
		for (uint32_t x = 1; !g->m.pblk && x < g->len; x++) {
			at = *lblk + x - w->first;
			if (!(priv_of(w->pages[at / n]) & P_RESERVED(at % n)))
				g->len = x;
		}
		return true;
	}
	return false;
}

static void
write_small(struct inode *i, struct page **pages, unsigned n)
{
	struct ext4_super *s = ext4_sb(i);
	uint32_t per = per_page(s), lblk = (uint32_t)pages[0]->index * per;
	uint32_t end = lblk + n * per, last;
	struct small w = { .pages = pages, .first = lblk };
	struct segment g;
	int err = 0;

	/* Blocks beyond the end of the file are nobody's. */
	last = (uint32_t)((atomic_load_relaxed(&i->size) + s->block_size - 1) >>
			  s->block_shift);
	if (end > last)
		end = last;
	while (!err && next_segment(i, &w, &lblk, end, &g, &err)) {
		completion_init(&w.done);
		w.left = 1;
		w.tx = NULL;
		err = write_segment(i, &g, submit_small, &w);
		if (atomic_sub(&w.left, 1))
			completion_wait(&w.done);
		if (w.tx && w.err)
			ext4_lost_note(i, g.m.pblk, g.len);
		if (w.tx)
			journal_data_end(w.tx, w.err);
		lblk += g.len;
	}
	if (!err)
		err = w.err;
	for (unsigned k = 0; k < n; k++)
		page_write_end(pages[k], err);
}

static void
ext4_write_pages(struct page_cache *pc, struct page **pages, unsigned n)
{
	struct ext4_super *s = ext4_sb(pc->inode);

	ext4_lost_settle(s);
	if (s->block_shift == PAGE_SHIFT)
		write_whole(pc->inode, pages, n);
	else
		write_small(pc->inode, pages, n);
}

const struct page_cache_ops ext4_cache_ops = {
	.read_pages = ext4_read_pages,
	.prepare = ext4_prepare,
	.write_pages = ext4_write_pages,
	.forget = ext4_forget,
	.map = ext4_map_direct,
	.direct_alloc = ext4_direct_alloc,
	.direct_wrote = ext4_direct_wrote,
};
