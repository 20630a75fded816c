/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty pages on their way to a device: marking, runs of pages under
 * writeback, waiting, and the errors of it.  (writer.c: who starts it when.)
 *
 * PG_DIRTY and PG_WRITEBACK change under pc->lock together with the tree's
 * tags and the counts; PG_DIRTY also only with the page locked, so who holds
 * the page lock sees it stand still.  PG_WRITEBACK is set with the page
 * locked, and cleared by page_write_end() in any context: pc->lock is taken
 * with interrupts off.
 *
 * A page is made ready under its lock, one page at a time: the bytes beyond
 * the file's size become zeroes, PG_DIRTY turns into PG_WRITEBACK.  Then all
 * mappings of the run become read-only (a mapping that became writable
 * before has marked its page dirty before; one that does after marks it
 * again), and the file system is called without any lock.
 *
 * The end of writeback is waited for on pc->wb_wait; PG_WBWAIT says that
 * somebody waits for this page, so that the end of the others wakes nobody.
 * A run that the file system has not given to the device yet may wait for a
 * journal; pc->starting has those, so that a commit does not wait for them.
 */
#include "fs_priv.h"
#include "pagecache_priv.h"

#include <abi/errno.h>
#include <base/string.h>
#include <dev/blk.h>
#include <file/file.h>
#include <mem/heap.h>
#include <sched/thread.h>

#define FEW 16u /* pages of a run when there is no memory for more */

/* A run between the mark of its first page and the file system's having given
 * it to the device; on the stack of who writes it. */
struct starting {
	struct list link;
	uint64_t first, end; /* [pc->lock] end: as far as is marked */
};

/* ---- errors ---- */

/* errno in the low bits, then "somebody has seen it", then a count. */
#define ERRSEQ_ERRNO 0xfffu
#define ERRSEQ_SEEN  0x1000u
#define ERRSEQ_STEP  0x2000u

uint32_t
errseq_sample(const uint32_t *seq)
{
	uint32_t now = atomic_load_acquire(seq);

	return now & ERRSEQ_SEEN ? now : 0;
}

bool
errseq_unseen(const uint32_t *seq)
{
	uint32_t now = atomic_load_relaxed(seq);

	return now && !(now & ERRSEQ_SEEN);
}

void
errseq_set(uint32_t *seq, int err)
{
	uint32_t old = atomic_load_relaxed(seq), new;

	do {
		new = (old & ~(ERRSEQ_ERRNO | ERRSEQ_SEEN)) | (uint32_t)-err;
		if (old & ERRSEQ_SEEN)
			new += ERRSEQ_STEP;
	} while (!atomic_cas(seq, &old, new));
}

int
errseq_check_advance(uint32_t *seq, uint32_t *since)
{
	uint32_t old = atomic_load_acquire(seq), seen;

	if (likely(old == *since))
		return 0;
	do
		seen = old | ERRSEQ_SEEN;
	while (!atomic_cas(seq, &old, seen));
	*since = seen;
	return -(int)(seen & ERRSEQ_ERRNO);
}

/* ---- marking ---- */

void
page_cache_set_dirty(struct page_cache *pc, struct page *p)
{
	irqflags_t f;

	if (p->flags & PG_DIRTY)
		return;
	f = spin_lock_irq(&pc->lock);
	atomic_or(&p->flags, PG_DIRTY);
	radix_set_tag(&pc->pages, p->index, PC_TAG_DIRTY);
	pc->ndirty++;
	spin_unlock_irq(&pc->lock, f);
	mem_count(MEM_DIRTY, 1);
	atomic_add(&writeback_pending, 1);
	/* After the tag: the writer clears the mark first. */
	inode_mark(pc->inode, INODE_DIRTY_PAGES);
}

void
page_write_end(struct page *p, int err)
{
	struct page_cache *pc =
		container_of(p->object, struct page_cache, object);
	struct inode *i = pc->inode;
	irqflags_t f = spin_lock_irq(&pc->lock);
	uint32_t old;

	/* Before the end can be seen: who waits looks for it then. */
	if (err) {
		errseq_set(&pc->wb_err, err);
		errseq_set(&i->sb->wb_err, err);
	}
	radix_clear_tag(&pc->pages, p->index, PC_TAG_WRITEBACK);
	old = atomic_fetch_and(&p->flags, ~(PG_WRITEBACK | PG_WBWAIT));
	pc->nwriteback--;
	if (old & PG_WBWAIT)
		wait_wake_all(&pc->wb_wait, 0);
	spin_unlock_irq(&pc->lock, f);
	/* The cache and its inode may be gone from here on. */
	mem_count(MEM_WRITEBACK, -1);
	writeback_ended();
}

/* ---- waiting ---- */

/* Is page index in a run that its thread has not given to the device yet?
 * *end: of that run.  With the lock. */
static bool
is_starting(struct page_cache *pc, uint64_t index, uint64_t *end)
{
	struct starting *s;

	list_for_each_entry(s, &pc->starting, link)
		if (s->first <= index && index < s->end) {
			*end = s->end;
			return true;
		}
	return false;
}

/* p is referenced.  given: not for its way to the device, if it began again
 * after it ended once. */
static void
wait_page(struct page_cache *pc, struct page *p, bool given)
{
	struct wait_entry e;
	uint64_t end;
	bool busy;

	wait_start(&pc->wb_wait, &e, false);
	for (;;) {
		irqflags_t f = spin_lock_irq(&pc->lock);

		busy = (p->flags & PG_WRITEBACK) &&
		       !(given && is_starting(pc, p->index, &end));
		if (busy)
			atomic_or(&p->flags, PG_WBWAIT);
		spin_unlock_irq(&pc->lock, f);
		if (!busy)
			break;
		ignore(wait_sleep(&e, TIME_NEVER)); /* no signals */
	}
	wait_end(&pc->wb_wait, &e);
}

/* Waits for what is under writeback; given: but for pages that are still to
 * be given to the device. */
static void
wait_range(struct page_cache *pc, uint64_t first, uint64_t end, bool given)
{
	uint64_t index = first, next;

	while (atomic_load_relaxed(&pc->nwriteback)) {
		irqflags_t f = spin_lock_irq(&pc->lock);
		struct page *p =
			radix_next_tag(&pc->pages, &index, PC_TAG_WRITEBACK);

		while (p && given && is_starting(pc, index, &next)) {
			index = next;
			p = radix_next_tag(&pc->pages, &index,
					   PC_TAG_WRITEBACK);
		}
		if (p && index < end)
			page_get(p);
		else
			p = NULL;
		spin_unlock_irq(&pc->lock, f);
		if (!p)
			break;
		wait_page(pc, p, given);
		page_put(p);
		index++;
	}
}

void
page_cache_wait_range(struct page_cache *pc, uint64_t first, uint64_t end)
{
	wait_range(pc, first, end, false);
}

void
page_range_wait(const struct page_range *r)
{
	wait_range(r->pc, r->first, r->end, true);
}

static bool
any_starting(struct page_cache *pc, uint64_t first, uint64_t end)
{
	irqflags_t f = spin_lock_irq(&pc->lock);
	struct starting *s;
	bool any = false;

	list_for_each_entry(s, &pc->starting, link)
		any = any ||
		      (s->first < s->end && s->first < end && first < s->end);
	spin_unlock_irq(&pc->lock, f);
	return any;
}

/* Until what other threads have begun to write is with the device. */
static void
wait_given(struct page_cache *pc, uint64_t first, uint64_t end)
{
	struct wait_entry e;

	if (likely(!any_starting(pc, first, end)))
		return;
	wait_start(&pc->wb_wait, &e, false);
	while (any_starting(pc, first, end))
		ignore(wait_sleep(&e, TIME_NEVER)); /* no signals */
	wait_end(&pc->wb_wait, &e);
}

uint64_t
page_cache_next_unwritten(struct page_cache *pc, uint64_t index)
{
	uint64_t dirty = index, busy = index;
	irqflags_t f = spin_lock_irq(&pc->lock);

	if (!radix_next_tag(&pc->pages, &dirty, PC_TAG_DIRTY))
		dirty = UINT64_MAX;
	if (!radix_next_tag(&pc->pages, &busy, PC_TAG_WRITEBACK))
		busy = UINT64_MAX;
	spin_unlock_irq(&pc->lock, f);
	return dirty < busy ? dirty : busy;
}

void
pc_clean_page(struct page_cache *pc, struct page *p)
{
	bool dirty = false;
	irqflags_t f;

	if (p->flags & PG_WRITEBACK)
		wait_page(pc, p, false);
	if (p->flags & PG_DIRTY) {
		f = spin_lock_irq(&pc->lock);
		atomic_and(&p->flags, ~PG_DIRTY);
		radix_clear_tag(&pc->pages, p->index, PC_TAG_DIRTY);
		pc->ndirty--;
		spin_unlock_irq(&pc->lock, f);
		mem_count(MEM_DIRTY, -1);
		dirty = true;
	}
	if (p->priv && pc->ops && pc->ops->forget)
		pc->ops->forget(pc, p);
	if (dirty)
		writeback_ended();
}

/* ---- writing ---- */

/* The last page of a file: bytes beyond the size may have come in through a
 * mapping, and must not reach the disk. */
static void
zero_tail(struct page_cache *pc, struct page *p)
{
	uint64_t size = atomic_load_relaxed(&pc->inode->size);
	size_t tail = size & PAGE_MASK;

	if (p->index != size >> PAGE_SHIFT || !tail)
		return;
	if (pc->object.writable_maps)
		vm_object_protect(&pc->object, p->index, p->index + 1);
	memset((char *)page_addr(p) + tail, 0, PAGE_SIZE - tail);
}

/* The next page of run s.  false: it is not to be written (now). */
static bool
begin(struct page_cache *pc, struct page *p, struct starting *s, bool wait)
{
	uint64_t index = s->end;
	irqflags_t f;
	bool ok;

	page_lock(p);
	if (wait && (p->flags & PG_WRITEBACK) && p->object == &pc->object)
		wait_page(pc, p, false);
	ok = p->object == &pc->object && p->index == index &&
	     (p->flags & (PG_DIRTY | PG_WRITEBACK)) == PG_DIRTY &&
	     index < pc_npages(pc); /* else a truncation is on its way */
	if (ok) {
		zero_tail(pc, p);
		f = spin_lock_irq(&pc->lock);
		atomic_or(&p->flags, PG_WRITEBACK);
		atomic_and(&p->flags, ~PG_DIRTY);
		radix_set_tag(&pc->pages, index, PC_TAG_WRITEBACK);
		radix_clear_tag(&pc->pages, index, PC_TAG_DIRTY);
		pc->nwriteback++;
		pc->ndirty--;
		s->end++;
		spin_unlock_irq(&pc->lock, f);
		mem_count(MEM_DIRTY, -1);
		mem_count(MEM_WRITEBACK, 1);
	}
	page_unlock(p);
	return ok;
}

/* Referenced dirty pages of consecutive indices from *index on, which is
 * moved to the first. */
static unsigned
collect(struct page_cache *pc, uint64_t *index, uint64_t end,
	struct page **pages, unsigned max)
{
	irqflags_t f = spin_lock_irq(&pc->lock);
	struct page *p = radix_next_tag(&pc->pages, index, PC_TAG_DIRTY);
	unsigned n = 0;

	while (p && *index + n < end && n < max && (p->flags & PG_DIRTY)) {
		page_get(p);
		pages[n++] = p;
		p = radix_lookup(&pc->pages, *index + n);
	}
	spin_unlock_irq(&pc->lock, f);
	return n;
}

static void
starting_add(struct page_cache *pc, struct starting *s)
{
	irqflags_t f = spin_lock_irq(&pc->lock);

	list_add(&pc->starting, &s->link);
	spin_unlock_irq(&pc->lock, f);
}

static void
starting_remove(struct page_cache *pc, struct starting *s)
{
	irqflags_t f = spin_lock_irq(&pc->lock);

	list_del(&s->link);
	if (waitq_active(&pc->wb_wait))
		wait_wake_all(&pc->wb_wait, 0);
	spin_unlock_irq(&pc->lock, f);
}

/* Writes one run; moves *index behind it, or behind what is not to be
 * written.  false: there is no more. */
static bool
write_run(struct page_cache *pc, uint64_t *index, uint64_t end,
	  struct page **pages, unsigned max, bool wait)
{
	unsigned n = collect(pc, index, end, pages, max), ready = 0;
	uint64_t first = *index;
	struct starting s = { .first = first, .end = first };

	if (!n)
		return false;
	starting_add(pc, &s);
	while (ready < n && begin(pc, pages[ready], &s, wait && !ready))
		ready++;
	for (unsigned k = 0; k < n; k++)
		page_put(pages[k]); /* writeback keeps them in the tree */
	*index = first + (ready ? ready : 1);
	if (ready && pc->object.writable_maps)
		vm_object_protect(&pc->object, first, first + ready);
	if (ready)
		pc->ops->write_pages(pc, pages, ready);
	starting_remove(pc, &s);
	return true;
}

/* again: a page that is both dirty and on its way is waited for first. */
static void
write_range(struct page_cache *pc, uint64_t first, uint64_t end, bool again)
{
	struct page *few[FEW], **pages = NULL;
	struct blk_plug plug;
	uint64_t index = first, limit = pc_npages(pc);
	unsigned max = FEW;

	if (pc->anonymous || !pc->ops->write_pages)
		return;
	if (limit > end)
		limit = end;
	if (atomic_load_relaxed(&pc->ndirty) > FEW) {
		pages = kmalloc(PC_BATCH * sizeof(*pages),
				ALLOC_NOFS | ALLOC_RESERVE);
		max = pages ? PC_BATCH : FEW;
	}
	blk_plug(&plug);
	while (atomic_load_relaxed(&pc->ndirty) && index < limit &&
	       write_run(pc, &index, limit, pages ? pages : few, max, again))
		continue;
	blk_unplug(&plug);
	kfree(pages);
}

void
page_cache_write_range(struct page_cache *pc, uint64_t first, uint64_t end,
		       bool wait)
{
	write_range(pc, first, end, wait);
	if (wait && !pc->anonymous)
		page_cache_wait_range(pc, first, end);
}

int
page_cache_invalidate(struct page_cache *pc, uint64_t first, uint64_t end)
{
	uint64_t index = first;
	struct page *p;
	int err = 0;

	page_cache_write_range(pc, first, end, true);
	vm_object_unmap(&pc->object, first, end, false);
	while ((p = radix_next(&pc->pages, &index)) && index < end) {
		if (!refcount_get_unless_zero(&p->refs))
			continue; /* on its way out */
		page_lock(p);
		if (p->object != &pc->object || p->index != index) {
			/* gone meanwhile */
		} else if (p->flags & PG_DIRTY) {
			err = -EIO; /* a mapping was quicker */
		} else {
			pc_clean_page(pc, p);
			pc_tree_remove(pc, p);
		}
		page_unlock(p);
		page_put(p);
		index++;
	}
	/* A fault may have mapped a page between the first time and its leaving
	 * the tree; one that has only found it sees the change of unmap_seq. */
	vm_object_unmap(&pc->object, first, end, false);
	return err;
}

/* ---- fsync ---- */

/* The data, and what finds them, go to the device together: the file system
 * waits for both before it flushes. */
int
file_sync(struct file *f, int64_t start, int64_t end, bool datasync)
{
	struct inode *i = f->inode;
	const struct super_ops *ops = i->sb->ops;
	struct page_range data = {
		.pc = i->cache && !i->cache->anonymous ? i->cache : NULL,
		.first = (uint64_t)start >> PAGE_SHIFT,
		.end = ((uint64_t)end + PAGE_SIZE - 1) >> PAGE_SHIFT,
	};
	struct blk_plug plug;
	int err, e;

	blk_plug(&plug);
	if (data.pc) {
		write_range(data.pc, data.first, data.end, true);
		wait_given(data.pc, data.first, data.end);
	}
	err = inode_write(i, datasync);
	if (!err && ops && ops->fsync)
		err = ops->fsync(i, datasync, data.pc ? &data : NULL);
	blk_unplug(&plug);
	if (data.pc) {
		page_range_wait(&data); /* fsync may not have come to it */
		e = errseq_check_advance(&data.pc->wb_err, &f->wb_err);
		if (!err)
			err = e;
	}
	return err;
}
