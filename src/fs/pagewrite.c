/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing what the page cache holds: writing, mappings that become
 * writable, zeroing, truncation.
 *
 * A page of a device's cache is changed under its lock: it is brought up to
 * date unless all of it is overwritten, the file system prepares it (blocks
 * are mapped or reserved), it is changed, the size grows, it is marked dirty.
 * The size grows before the page's lock is released: the writer of dirty
 * pages zeroes what lies beyond the size with the lock held, and must not
 * see the bytes without the size.
 *
 * Nothing waits for writeback to be allowed to change a page: it becomes
 * dirty again and is written once more.
 */
#include "fs_priv.h"
#include "pagecache_priv.h"

#include <abi/errno.h>
#include <base/string.h>
#include <sched/thread.h>
#include <vm/uio.h>

#define THROTTLE_EVERY 32u /* pages written between looks at the limit */

/* ---- anonymous caches ---- */

int
pc_fill_anon(struct page_cache *pc, struct page *p, bool whole)
{
	struct page_cache *lower = pc_lower_of(pc, p->index);
	struct page *src;
	uint64_t valid;
	int err;

	if (whole)
		return 0;
	if (!lower) {
		page_clear(page_addr(p));
		return 0;
	}
	err = pc_get_own(lower, p->index, &src);
	if (err)
		return err;
	page_copy(page_addr(p), page_addr(src));
	page_put(src);
	/* A file that was cut in this page and grew again reads as zeroes. */
	valid = pc->lower_size - (p->index << PAGE_SHIFT);
	if (valid < PAGE_SIZE)
		memset((char *)page_addr(p) + valid, 0, PAGE_SIZE - valid);
	return 0;
}

int
pc_get_anon_write(struct page_cache *pc, uint64_t index, bool whole,
		  struct page **out)
{
	bool lower;
	struct page *p;
	int err;

	for (;;) {
		p = page_cache_find(pc, index);
		if (p) {
			page_lock(p);
			if (p->object == &pc->object) {
				*out = p;
				return 0;
			}
			page_unlock(p);
			page_put(p);
			continue;
		}
		if (pc->ops && pc->ops->page_wanted) {
			err = pc->ops->page_wanted(pc, 1);
			if (err)
				return err;
		}
		err = pc_insert_new(pc, index, ALLOC_KERNEL, &p);
		if (!err)
			break;
		if (pc->ops && pc->ops->page_gone)
			pc->ops->page_gone(pc, 1);
		if (err != -EEXIST)
			return err;
	}
	lower = pc_lower_of(pc, index) != NULL;
	err = pc_fill_anon(pc, p, whole && !lower);
	if (err) {
		pc_abandon(pc, p);
		return err;
	}
	if (!whole || lower)
		atomic_or(&p->flags, PG_UPTODATE);
	if (lower) /* mappings of the lower page are of the past */
		vm_object_unmap(&pc->object, index, index + 1, false);
	*out = p;
	return 0;
}

/* ---- caches of a device ---- */

struct target { /* the page of one piece of a write */
	struct page *page;
	bool fresh; /* it was not in the cache */
};

/* A new page of which nothing needs to be read: all of it is overwritten, or
 * it lies beyond the end. */
static int
insert_unread(struct page_cache *pc, uint64_t index, bool beyond, bool whole,
	      struct page **out)
{
	int err = pc_insert_new(pc, index, ALLOC_KERNEL, out);

	if (err)
		return err;
	if (beyond && !whole) {
		page_clear(page_addr(*out));
		atomic_or(&(*out)->flags, PG_UPTODATE);
	}
	return 0;
}

/* Locked, in the tree, referenced; up to date unless whole. */
static int
get_locked(struct page_cache *pc, uint64_t index, bool whole, struct target *t)
{
	struct page *p;
	bool beyond;
	int err;

	for (;;) {
		beyond = index >= pc_npages(pc);
		t->fresh = false;
		p = page_cache_find(pc, index);
		if (p) {
			page_lock(p);
			if (p->object == &pc->object &&
			    (whole || (p->flags & PG_UPTODATE)))
				break;
			page_unlock(p);
			err = p->object == &pc->object ?
				      pc_wait_uptodate(pc, p) :
				      0;
			page_put(p);
			if (err && err != -EAGAIN)
				return err;
		} else if (whole || beyond) {
			err = insert_unread(pc, index, beyond, whole, &p);
			t->fresh = !err;
			if (!err)
				break;
			if (err != -EEXIST)
				return err;
		} else {
			err = pc_start_read(pc, index, 1, ALLOC_KERNEL);
			if (err < 0)
				return err;
		}
	}
	t->page = p;
	return 0;
}

static void
drop_target(struct page_cache *pc, struct target *t)
{
	if (t->fresh) {
		pc_abandon(pc, t->page);
		return;
	}
	page_unlock(t->page);
	page_put(t->page);
}

static int
get_disk_write(struct page_cache *pc, uint64_t index, size_t off, size_t n,
	       struct target *t)
{
	int err = get_locked(pc, index, n == PAGE_SIZE, t);

	if (err)
		return err;
	err = pc->ops->prepare(pc, t->page, (uint32_t)off, (uint32_t)n);
	if (err)
		drop_target(pc, t);
	return err;
}

/* A page that was to be written whole got only its first bytes, and has never
 * been read: the rest comes from the device, by way of another page. */
static int
read_rest(struct page_cache *pc, struct page *p, size_t got)
{
	struct page *q;
	int err = 0;

	if (p->index >= pc_npages(pc)) {
		memset((char *)page_addr(p) + got, 0, PAGE_SIZE - got);
		return 0;
	}
	q = page_alloc(0, ALLOC_KERNEL);
	if (!q)
		return -ENOMEM;
	q->flags = PG_LOCKED;
	q->object = NULL;
	q->index = p->index;
	q->priv = NULL;
	pc->ops->read_pages(pc, &q, 1);
	page_wait_unlocked(q);
	if (q->flags & PG_UPTODATE)
		memcpy((char *)page_addr(p) + got, (char *)page_addr(q) + got,
		       PAGE_SIZE - got);
	else
		err = -EIO;
	q->flags = 0;
	page_put(q);
	return err;
}

int
pc_make_dirty(struct page_cache *pc, uint64_t index, struct page *p)
{
	struct inode *i = pc->inode;
	uint64_t size;
	int err = 0;

	page_lock(p);
	size = atomic_load_acquire(&i->size);
	if (p->object != &pc->object || p->index != index)
		err = -EAGAIN;
	else if (index << PAGE_SHIFT >= size)
		err = -ENXIO;
	if (!err) {
		uint64_t left = size - (index << PAGE_SHIFT);

		err = pc->ops->prepare(pc, p, 0,
				       left < PAGE_SIZE ? (uint32_t)left :
							  (uint32_t)PAGE_SIZE);
	}
	if (!err)
		page_cache_set_dirty(pc, p);
	page_unlock(p);
	if (!err) {
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
		writeback_throttle();
	} else if (err == -ENOSPC) {
		err = -EIO; /* SIGBUS */
	}
	return err;
}

int
page_cache_zero(struct page_cache *pc, uint64_t start, uint64_t end)
{
	uint64_t index = start >> PAGE_SHIFT;
	size_t off = start & PAGE_MASK;
	struct target t;
	int err;

	if (start >= end)
		return 0;
	err = get_locked(pc, index, false, &t);
	if (err)
		return err;
	err = pc->ops->prepare(pc, t.page, (uint32_t)off,
			       (uint32_t)(end - start));
	if (err) {
		drop_target(pc, &t);
		return err;
	}
	memset((char *)page_addr(t.page) + off, 0, end - start);
	page_cache_set_dirty(pc, t.page);
	page_unlock(t.page);
	page_put(t.page);
	return 0;
}

/* ---- write(2) ---- */

static int
get_target(struct page_cache *pc, uint64_t index, size_t off, size_t n,
	   struct target *t)
{
	t->fresh = false;
	if (pc->anonymous)
		return pc_get_anon_write(pc, index, n == PAGE_SIZE, &t->page);
	return get_disk_write(pc, index, off, n, t);
}

/* got bytes from off on have come into the locked page. */
static int
fill_rest(struct page_cache *pc, struct page *p, size_t off, size_t got)
{
	int err = 0;

	if (p->flags & PG_UPTODATE)
		return 0;
	/* Meant to be written whole. */
	if (off + got < PAGE_SIZE) {
		if (pc->anonymous)
			memset((char *)page_addr(p) + off + got, 0,
			       PAGE_SIZE - off - got);
		else
			err = read_rest(pc, p, off + got);
	}
	if (!err) {
		atomic_and(&p->flags, ~PG_ERROR);
		atomic_or(&p->flags, PG_UPTODATE);
	}
	return err;
}

/* Copies into one page with faults off; the page is locked. */
static ssize_t
copy_in(struct page_cache *pc, struct uio *u, uint64_t pos, size_t n)
{
	struct inode *i = pc->inode;
	size_t off = pos & PAGE_MASK, got;
	struct target t;
	ssize_t r;
	int err = get_target(pc, pos >> PAGE_SHIFT, off, n, &t);

	if (err)
		return err;
	u->nofault = true;
	r = uio_read(u, (char *)page_addr(t.page) + off, n);
	u->nofault = false;
	got = r < 0 ? 0 : (size_t)r;
	if (!got && !pc->anonymous) {
		drop_target(pc, &t);
		return r;
	}
	err = fill_rest(pc, t.page, off, got);
	if (err) {
		drop_target(pc, &t);
		return err;
	}
	if (pos + got > i->size)
		atomic_store_release(&i->size, pos + got);
	if (!pc->anonymous)
		page_cache_set_dirty(pc, t.page);
	page_unlock(t.page);
	page_put(t.page);
	return r;
}

void
page_cache_grow(struct page_cache *pc, uint64_t size)
{
	size_t tail = size & PAGE_MASK;
	struct page *p;

	if (!tail || pc->anonymous)
		return;
	p = page_cache_find(pc, size >> PAGE_SHIFT);
	if (!p)
		return;
	page_lock(p);
	if (p->object == &pc->object && (p->flags & PG_UPTODATE))
		memset((char *)page_addr(p) + tail, 0, PAGE_SIZE - tail);
	page_unlock(p);
	page_put(p);
}

ssize_t
page_cache_write(struct page_cache *pc, struct uio *u, int64_t *pos)
{
	struct inode *i = pc->inode;
	uint64_t old_size = i->size;
	unsigned count = 0;
	ssize_t total = 0;
	int err = 0;

	if (!pc->anonymous && !pc->ops->prepare)
		return -EROFS;
	if ((uint64_t)*pos > old_size)
		page_cache_grow(pc, old_size);
	while (u->resid && !err) {
		size_t n = PAGE_SIZE - ((uint64_t)*pos & PAGE_MASK);
		ssize_t r;

		if (n > u->resid)
			n = u->resid;
		r = copy_in(pc, u, (uint64_t)*pos, n);
		if (r == -EFAULT || (r >= 0 && (size_t)r < n)) {
			/* Present next time, or not to be had at all. */
			err = uio_prefault(u, n - (r > 0 ? (size_t)r : 0),
					   false);
			if (r < 0)
				r = 0;
		} else if (r < 0) {
			err = (int)r;
			break;
		}
		*pos += r;
		total += r;
		if (!pc->anonymous && ++count % THROTTLE_EVERY == 0)
			writeback_throttle();
	}
	if (!pc->anonymous) {
		if (i->size != old_size)
			inode_mark_dirty(i, true);
		writeback_throttle();
	}
	return total ? total : err;
}

/* ---- truncation ---- */

void
pc_remove_pages(struct page_cache *pc, uint64_t first, uint64_t end)
{
	uint64_t index = first;
	struct page *p;

	while ((p = radix_next(&pc->pages, &index)) && index < end) {
		if (!refcount_get_unless_zero(&p->refs))
			continue; /* on its way out */
		page_lock(p);
		if (p->object == &pc->object && p->index == index) {
			pc_clean_page(pc, p);
			pc_tree_remove(pc, p);
		}
		page_unlock(p);
		page_put(p);
		if (++index == 0)
			break;
	}
}

/* Zeroes bytes [from, to) of one page, if it is there. */
static int
zero_part(struct page_cache *pc, uint64_t index, size_t from, size_t to)
{
	struct page *p;
	int err;

	if (!pc->anonymous)
		return page_cache_zero(pc, (index << PAGE_SHIFT) + from,
				       (index << PAGE_SHIFT) + to);
	if (!radix_lookup(&pc->pages, index) && !pc_lower_of(pc, index))
		return 0;
	err = pc_get_anon_write(pc, index, false, &p);
	if (err)
		return err;
	memset((char *)page_addr(p) + from, 0, to - from);
	page_unlock(p);
	page_put(p);
	return 0;
}

/* Blocks are about to be freed: requests of direct_async.c end first. */
static void
wait_direct(struct page_cache *pc)
{
	struct wait_entry e;

	if (!atomic_load_acquire(&pc->ndirect))
		return;
	wait_start(&pc->wb_wait, &e, false);
	while (atomic_load_acquire(&pc->ndirect))
		ignore(wait_sleep(&e, TIME_NEVER)); /* not interruptible */
	wait_end(&pc->wb_wait, &e);
}

void
page_cache_stop_reads(struct page_cache *pc)
{
	wait_direct(pc);
	write_lock(&pc->reads);
}

void
page_cache_allow_reads(struct page_cache *pc)
{
	write_unlock(&pc->reads);
}

void
page_cache_remove(struct page_cache *pc, uint64_t first, uint64_t end)
{
	pc_remove_pages(pc, first, end);
	vm_object_unmap(&pc->object, first, end, true);
}

void
page_cache_truncate(struct page_cache *pc, uint64_t size)
{
	uint64_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	size_t tail = size & PAGE_MASK;

	if (pc->lower && size < pc->lower_size)
		pc->lower_size = size;
	/* Who reads from now on sees the new size, and so does not need to
	 * be kept out until the blocks are free. */
	page_cache_stop_reads(pc);
	pc_remove_pages(pc, first, UINT64_MAX);
	page_cache_allow_reads(pc);
	/* Private copies of what is no longer there go, too. */
	vm_object_unmap(&pc->object, tail ? first - 1 : first, UINT64_MAX,
			false);
	vm_object_unmap(&pc->object, first, UINT64_MAX, true);
	/* A lower page that was cut is not mapped any more but copied, and
	 * the copy is zero there: needs no memory now. */
	if (tail && !pc->anonymous)
		page_cache_grow(pc, size); /* the file system wrote it */
	else if (tail && radix_lookup(&pc->pages, first - 1))
		ignore(zero_part(pc, first - 1, tail, PAGE_SIZE));
}

int
page_cache_punch(struct page_cache *pc, uint64_t start, uint64_t end)
{
	uint64_t first = (start + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t last = end >> PAGE_SHIFT;
	int err = 0;

	if (start >= end)
		return 0;
	wait_direct(pc);
	if (start >> PAGE_SHIFT == (end - 1) >> PAGE_SHIFT &&
	    ((start | end) & PAGE_MASK))
		return zero_part(pc, start >> PAGE_SHIFT, start & PAGE_MASK,
				 ((end - 1) & PAGE_MASK) + 1);
	if (start & PAGE_MASK)
		err = zero_part(pc, start >> PAGE_SHIFT, start & PAGE_MASK,
				PAGE_SIZE);
	if (!err && (end & PAGE_MASK))
		err = zero_part(pc, last, 0, end & PAGE_MASK);
	if (err || first >= last)
		return err;
	if (!pc_lower_of(pc, first)) {
		page_cache_remove(pc, first, last);
		return 0;
	}
	/* Over a lower file a hole is a page of zeroes. */
	for (uint64_t i = first; i < last && !err; i++) {
		if (pc_lower_of(pc, i) || radix_lookup(&pc->pages, i))
			err = zero_part(pc, i, 0, PAGE_SIZE);
	}
	return err;
}

void
page_cache_drop(struct page_cache *pc, uint64_t first, uint64_t end)
{
	uint64_t index = first;
	struct page *p;

	if (pc->anonymous) {
		if (pc->lower)
			page_cache_drop(pc->lower, first, end);
		return;
	}
	while ((p = radix_next(&pc->pages, &index)) && index < end) {
		if (refcount_get_unless_zero(&p->refs)) {
			if (page_trylock(p)) {
				if (p->object == &pc->object && !p->mapcount &&
				    page_cache_try_evict(pc, p))
					lru_remove(p);
				page_unlock(p);
			}
			page_put(p);
		}
		index++;
	}
}

uint64_t
page_cache_next_data(struct page_cache *pc, uint64_t index)
{
	if (pc_lower_of(pc, index))
		return index;
	return radix_next(&pc->pages, &index) ? index : UINT64_MAX;
}
