/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page cache; see pagecache.h.
 *
 * Lookup takes no lock: the tree's nodes are freed by deferred reclamation, a
 * page found is kept by a reference taken unless its count is zero, and then
 * must still say that it is this page of this cache.
 *
 * A page enters the tree locked, and is unlocked when its contents are in.
 * The tree holds one reference.  A page leaves the tree with its lock held,
 * so who holds the lock and sees page->object knows that it is in.
 *
 * Truncation sets the new size first and removes pages after; whoever puts a
 * page in looks at the size once more with the page locked, and one of the
 * two sees the other.
 *
 * An anonymous cache with a lower one (overlay) holds only the pages that
 * were written to; the others are the lower cache's, mapped and read in
 * place.  The copy is made when a page is first written to, under the page
 * lock of the new page, and the mappings of the old one are removed after
 * the new page is in the tree.
 */
#include <fs/pagecache.h>

#include "fs_priv.h"

#include <abi/errno.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/reclaim.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <vm/uio.h>

#define RA_MAX	   256u	/* pages in flight ahead of a reader: 1 MiB */
#define RA_MIN	   8u
#define RA_FAULT   32u	/* pages read around a fault, aligned */
#define BATCH	   256u /* pages in one call of read_pages, at most */

static struct cache *node_mem;

static void
node_reclaim(struct reclaim_head *h)
{
	cache_free(node_mem, container_of((uint64_t *)h, struct radix_node,
					  reclaim[0]));
}

static struct radix_node *
node_alloc(void)
{
	return cache_alloc(node_mem, ALLOC_ATOMIC | ALLOC_ZERO);
}

static void
node_free(struct radix_node *n)
{
	static_assert(sizeof(struct reclaim_head) <=
		      sizeof(((struct radix_node *)0)->reclaim), "room");
	reclaim_call((struct reclaim_head *)n->reclaim, node_reclaim);
}

static int pc_fault(struct vm_object *o, uint64_t index, bool write,
		    struct page **out);
static struct page *pc_object_peek(struct vm_object *o, uint64_t index);
static int pc_make_writable(struct vm_object *o, uint64_t index,
			    struct page *p);
static int pc_writeback(struct vm_object *o, uint64_t first, uint64_t end);
static void pc_release(struct vm_object *o);

static const struct vm_object_ops pc_object_ops = {
	.fault = pc_fault,
	.peek = pc_object_peek,
	.make_writable = pc_make_writable,
	.writeback = pc_writeback,
	.release = pc_release,
};

/* Of memory that is its own only copy: who writes when makes no odds. */
static const struct vm_object_ops anon_object_ops = {
	.fault = pc_fault,
	.peek = pc_object_peek,
	.writeback = pc_writeback,
	.release = pc_release,
};

struct page_cache *
page_cache_create(struct inode *inode, const struct page_cache_ops *ops,
		  bool anonymous)
{
	struct page_cache *pc = kzalloc(sizeof(*pc), ALLOC_KERNEL);

	if (!pc)
		return NULL;
	vm_object_init(&pc->object, anonymous ? &anon_object_ops
					      : &pc_object_ops);
	pc->inode = inode;
	pc->ops = ops;
	spin_init(&pc->lock, RANK_PAGECACHE);
	radix_init(&pc->pages, node_alloc, node_free);
	waitq_init(&pc->wb_wait);
	pc->anonymous = anonymous;
	return pc;
}

/* The overlay's object needs make_writable: the lower page may be mapped. */
void
page_cache_set_lower(struct page_cache *pc, struct page_cache *lower,
		     uint64_t lower_size)
{
	pc->lower = lower;
	pc->lower_size = lower_size;
	pc->object.ops = &pc_object_ops;
	spin_lock(&lower->lock);
	lower->upper = pc;
	spin_unlock(&lower->lock);
}

static void
pc_release(struct vm_object *o)
{
	kfree(container_of(o, struct page_cache, object));
}

/* ---- pages in and out of the tree ---- */

struct page *
page_cache_find(struct page_cache *pc, uint64_t index)
{
	struct page *p = radix_lookup(&pc->pages, index);

	if (!p || !refcount_get_unless_zero(&p->refs))
		return NULL;
	if (likely(p->object == &pc->object && p->index == index)) {
		if (!(p->flags & PG_REFERENCED))
			atomic_or(&p->flags, PG_REFERENCED);
		return p;
	}
	page_put(p);
	return NULL;
}

/* The atomic allocation of a node failed: makes memory free by an allocation
 * that waits. */
static int
make_room(void)
{
	struct page *p = page_alloc(0, ALLOC_KERNEL);

	if (!p)
		return -ENOMEM;
	page_put(p);
	return 0;
}

static int
tree_insert(struct page_cache *pc, struct page *p, uint64_t index)
{
	int err = -ENOMEM;

	for (unsigned tries = 0; tries < 8; tries++) {
		p->object = &pc->object;
		p->index = index;
		spin_lock(&pc->lock);
		err = radix_insert(&pc->pages, index, p);
		if (!err)
			pc->npages++;
		spin_unlock(&pc->lock);
		if (err != -ENOMEM || make_room())
			break;
	}
	if (err)
		p->object = NULL;
	return err;
}

/* A new page at index, locked and in the tree; two references: the tree's
 * and the caller's.  -EEXIST: somebody was faster. */
static int
insert_new(struct page_cache *pc, uint64_t index, unsigned alloc,
	   struct page **out)
{
	struct page *p = page_alloc(0, alloc);
	int err;

	if (!p)
		return -ENOMEM;
	p->flags = PG_LOCKED;
	p->mapcount = 0;
	p->priv = NULL;
	page_get(p);
	err = tree_insert(pc, p, index);
	if (err) {
		p->flags = 0;
		page_put(p);
		page_put(p);
		return err;
	}
	if (pc->anonymous) {
		mem_count(MEM_SHMEM, 1);
	} else {
		mem_count(MEM_CACHED, 1);
		lru_add(p);
	}
	*out = p;
	return 0;
}

/* The page is locked and in the tree; drops the tree's reference. */
static void
tree_remove(struct page_cache *pc, struct page *p)
{
	spin_lock(&pc->lock);
	radix_delete(&pc->pages, p->index);
	pc->npages--;
	spin_unlock(&pc->lock);
	if (pc->anonymous) {
		mem_count(MEM_SHMEM, -1);
		if (pc->ops && pc->ops->page_gone)
			pc->ops->page_gone(pc, 1);
	} else {
		mem_count(MEM_CACHED, -1);
		lru_remove(p);
	}
	p->object = NULL;
	page_put(p);
}

bool
page_cache_try_evict(struct page_cache *pc, struct page *p)
{
	uint32_t two = 2;

	if (p->flags & (PG_DIRTY | PG_WRITEBACK))
		return false;
	spin_lock(&pc->lock);
	/* The tree's and the caller's: with none to spare it is nobody's. */
	if (!atomic_cas(&p->refs.n, &two, 1)) {
		spin_unlock(&pc->lock);
		return false;
	}
	radix_delete(&pc->pages, p->index);
	pc->npages--;
	spin_unlock(&pc->lock);
	mem_count(MEM_CACHED, -1);
	p->object = NULL;
	return true;
}

/* ---- reading ---- */

/* Makes new pages from index on, at most n, until one is there already, and
 * starts to read them.  Returns how many. */
static unsigned
start_read(struct page_cache *pc, uint64_t index, unsigned n, unsigned alloc)
{
	struct page **pages;
	unsigned done = 0;

	if (n > BATCH)
		n = BATCH;
	pages = kmalloc(n * sizeof(*pages), ALLOC_KERNEL);
	if (!pages)
		return 0;
	while (done < n) {
		struct page *p;

		if (radix_lookup(&pc->pages, index + done))
			break;
		if (insert_new(pc, index + done, alloc, &p))
			break;
		page_put(p); /* locked: the tree's reference is enough */
		pages[done++] = p;
	}
	if (done)
		pc->ops->read_pages(pc, pages, done);
	kfree(pages);
	return done;
}

static uint64_t
npages_of(const struct page_cache *pc)
{
	return (atomic_load_relaxed(&pc->inode->size) + PAGE_SIZE - 1) >>
	       PAGE_SHIFT;
}

void
page_cache_readahead(struct page_cache *pc, uint64_t first, uint64_t n)
{
	uint64_t end = npages_of(pc);

	if (pc->anonymous) {
		if (pc->lower)
			page_cache_readahead(pc->lower, first, n);
		return;
	}
	if (first >= end)
		return;
	if (n > end - first)
		n = end - first;
	while (n) {
		unsigned want = n > BATCH ? BATCH : (unsigned)n;
		unsigned done = start_read(pc, first, want, ALLOC_KERNEL);

		if (!done) { /* there, or no memory: next */
			done = 1;
			if (!radix_lookup(&pc->pages, first))
				return;
		}
		first += done;
		n -= done;
	}
}

/*
 * The reader wants npages from index on, and they are not (all) there.  A
 * reader that goes on where it was gets a growing window, in two halves: the
 * next half is asked for when it enters the last one.  Others get what they
 * want.
 */
static void
read_ahead(struct page_cache *pc, uint64_t index, uint64_t npages, bool miss)
{
	uint64_t window = pc->ra_window, next = pc->ra_next;
	bool seq = index == pc->ra_prev || index == pc->ra_prev + 1;

	if (!seq || (index == 0 && miss)) {
		if (!miss)
			return;
		window = npages < RA_MIN && index == 0 ? RA_MIN : npages;
		if (window > RA_MAX)
			window = RA_MAX;
		page_cache_readahead(pc, index, window);
		next = index + window;
	} else if (miss && (index >= next || index + RA_MAX * 2 < next)) {
		window = window * 2 < npages ? npages : window * 2;
		if (window > RA_MAX)
			window = RA_MAX;
		page_cache_readahead(pc, index, window);
		next = index + window;
	} else if (index + npages + window / 2 >= next && next < npages_of(pc)) {
		window = window * 2 > RA_MAX ? RA_MAX : window * 2;
		if (window < RA_MIN)
			window = RA_MIN;
		page_cache_readahead(pc, next, window);
		next += window;
	}
	pc->ra_window = window;
	pc->ra_next = next;
}

/* A page that was found, referenced: waits for its contents.  -EAGAIN: it
 * has left the cache. */
static int
wait_uptodate(struct page_cache *pc, struct page *p)
{
	page_wait_unlocked(p);
	if (p->flags & PG_UPTODATE)
		return 0;
	if (p->object != &pc->object)
		return -EAGAIN;
	/* It failed: once more for this reader, alone. */
	page_lock(p);
	if (p->object != &pc->object) {
		page_unlock(p);
		return -EAGAIN;
	}
	if (p->flags & PG_UPTODATE) {
		page_unlock(p);
		return 0;
	}
	atomic_and(&p->flags, ~PG_ERROR);
	pc->ops->read_pages(pc, &p, 1);
	page_wait_unlocked(p);
	return p->flags & PG_UPTODATE ? 0 : -EIO;
}

/* The page of this very cache, reading it if needed: for caches of what is
 * on a device. */
static int
get_own(struct page_cache *pc, uint64_t index, struct page **out)
{
	struct page *p;
	int err;

	for (;;) {
		p = page_cache_find(pc, index);
		if (p) {
			if (likely(p->flags & PG_UPTODATE))
				break;
			err = wait_uptodate(pc, p);
			if (!err)
				break;
			page_put(p);
			if (err != -EAGAIN)
				return err;
			continue;
		}
		if (!start_read(pc, index, 1, ALLOC_KERNEL)) {
			if (radix_lookup(&pc->pages, index))
				continue;
			return -ENOMEM;
		}
	}
	*out = p;
	return 0;
}

/* The lower cache that has page index, or NULL. */
static inline struct page_cache *
lower_of(const struct page_cache *pc, uint64_t index)
{
	if (!pc->lower || index << PAGE_SHIFT >= pc->lower_size)
		return NULL;
	return pc->lower;
}

/* A page that a lower file and the part cut from it share must not be mapped
 * with what was cut. */
static bool
lower_page_cut(const struct page_cache *pc, uint64_t index)
{
	return pc->lower_size - (index << PAGE_SHIFT) < PAGE_SIZE &&
	       pc->lower_size < pc->lower->inode->size;
}

/* Anonymous caches: the page to read from; 0 with NULL for a hole. */
static int
get_anon(struct page_cache *pc, uint64_t index, struct page **out)
{
	struct page_cache *lower;

	for (;;) {
		struct page *p = page_cache_find(pc, index);

		if (p && (p->flags & PG_UPTODATE)) {
			*out = p;
			return 0;
		}
		if (!p)
			break;
		page_wait_unlocked(p);
		page_put(p);
	}
	lower = lower_of(pc, index);
	*out = NULL;
	return lower ? get_own(lower, index, out) : 0;
}

/* Undoes an insertion of a locked page. */
static void
abandon(struct page_cache *pc, struct page *p)
{
	tree_remove(pc, p);
	page_unlock(p);
	page_put(p);
}

/* What a new page of an anonymous cache begins with. */
static int
fill_anon(struct page_cache *pc, struct page *p, bool whole)
{
	struct page_cache *lower = lower_of(pc, p->index);
	struct page *src;
	uint64_t valid;
	int err;

	if (whole)
		return 0;
	if (!lower) {
		page_clear(page_addr(p));
		return 0;
	}
	err = get_own(lower, p->index, &src);
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

/*
 * The page of an anonymous cache for writing: locked, in the tree, with a
 * reference.  whole: all of it will be written, so it need not be filled.
 */
static int
get_anon_write(struct page_cache *pc, uint64_t index, bool whole,
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
		err = insert_new(pc, index, ALLOC_KERNEL, &p);
		if (!err)
			break;
		if (pc->ops && pc->ops->page_gone)
			pc->ops->page_gone(pc, 1);
		if (err != -EEXIST)
			return err;
	}
	lower = lower_of(pc, index) != NULL;
	err = fill_anon(pc, p, whole && !lower);
	if (err) {
		abandon(pc, p);
		return err;
	}
	if (!whole || lower)
		atomic_or(&p->flags, PG_UPTODATE);
	if (lower) /* mappings of the lower page are of the past */
		vm_object_unmap(&pc->object, index, index + 1, false);
	*out = p;
	return 0;
}

int
page_cache_get(struct page_cache *pc, uint64_t index, struct page **out)
{
	int err;

	if (!pc->anonymous)
		return get_own(pc, index, out);
	if (lower_of(pc, index) && lower_page_cut(pc, index)) {
		err = get_anon_write(pc, index, false, out);
		if (!err)
			page_unlock(*out);
		return err;
	}
	err = get_anon(pc, index, out);
	if (err || *out)
		return err;
	*out = page_zero;
	page_get(page_zero);
	return 0;
}

int
page_cache_allocate(struct page_cache *pc, uint64_t index, struct page **out)
{
	int err = get_anon_write(pc, index, false, out);

	if (!err)
		page_unlock(*out);
	return err;
}

struct page *
page_cache_peek(struct page_cache *pc, uint64_t index)
{
	struct page *p = page_cache_find(pc, index);
	struct page_cache *lower;

	if (!p) {
		lower = lower_of(pc, index);
		if (!lower || radix_lookup(&pc->pages, index))
			return NULL;
		p = page_cache_find(lower, index);
	}
	if (p && !(p->flags & PG_UPTODATE)) {
		page_put(p);
		p = NULL;
	}
	return p;
}

/* ---- mappings ---- */

static struct page *
pc_object_peek(struct vm_object *o, uint64_t index)
{
	struct page_cache *pc = container_of(o, struct page_cache, object);

	if (index >= npages_of(pc))
		return NULL;
	if (lower_of(pc, index) && lower_page_cut(pc, index))
		return NULL;
	return page_cache_peek(pc, index);
}

static int
fault_anon(struct page_cache *pc, uint64_t index, bool write,
	   struct page **out)
{
	struct page *p;
	int err;

	if (!write && lower_of(pc, index) && !lower_page_cut(pc, index)) {
		page_cache_readahead(pc->lower, index & ~(RA_FAULT - 1ull),
				     RA_FAULT);
		err = get_anon(pc, index, out);
		if (err || *out)
			return err;
	}
	err = get_anon_write(pc, index, false, &p);
	if (err)
		return err == -ENOSPC ? -EIO : err;
	if (!(p->flags & PG_UPTODATE)) { /* a writer's, not filled */
		err = fill_anon(pc, p, false);
		if (!err)
			atomic_or(&p->flags, PG_UPTODATE);
	}
	if (!err && index >= npages_of(pc)) {
		tree_remove(pc, p);
		err = -ENXIO;
	}
	page_unlock(p);
	if (err)
		page_put(p);
	else
		*out = p;
	return err;
}

static int
pc_fault(struct vm_object *o, uint64_t index, bool write, struct page **out)
{
	struct page_cache *pc = container_of(o, struct page_cache, object);
	int err;

	if (index >= npages_of(pc))
		return -ENXIO;
	if (pc->anonymous)
		return fault_anon(pc, index, write, out);
	if (write)
		return -EROFS; /* no file system here writes back, yet */
	if (!radix_lookup(&pc->pages, index))
		page_cache_readahead(pc, index & ~(RA_FAULT - 1ull),
				     RA_FAULT);
	err = get_own(pc, index, out);
	if (!err && index >= npages_of(pc)) {
		page_put(*out);
		err = -ENXIO;
	}
	return err;
}

/* The upper page is asked for by a second fault. */
static int
pc_make_writable(struct vm_object *o, uint64_t index, struct page *p)
{
	struct page_cache *pc = container_of(o, struct page_cache, object);
	struct page *mine;
	int err;

	if (!pc->anonymous)
		return -EROFS;
	if (p->object == o)
		return 0;
	if (index >= npages_of(pc))
		return -ENXIO;
	err = fault_anon(pc, index, true, &mine);
	if (err)
		return err;
	page_put(mine);
	return -EAGAIN;
}

static int
pc_writeback(struct vm_object *o, uint64_t first, uint64_t end)
{
	/* Nothing is dirty: memory is its own copy, disks are read only. */
	(void)o, (void)first, (void)end;
	return 0;
}

/* ---- read and write ---- */

/* One page's worth to the reader.  No lock is held: a reference keeps the
 * page, and the copy may fault. */
static ssize_t
copy_out(struct page_cache *pc, struct uio *u, uint64_t index, size_t off,
	 size_t n)
{
	struct page *p = page_cache_find(pc, index);
	ssize_t r;
	int err;

	if (unlikely(!p || !(p->flags & PG_UPTODATE))) {
		bool miss = !p;

		if (p)
			page_put(p);
		if (pc->anonymous) {
			err = get_anon(pc, index, &p);
		} else {
			if (miss)
				read_ahead(pc, index,
					   (u->resid + off + PAGE_SIZE - 1) >>
						   PAGE_SHIFT, true);
			err = get_own(pc, index, &p);
		}
		if (err)
			return err;
	}
	if (!p)
		return uio_zero(u, n);
	r = uio_write(u, (char *)page_addr(p) + off, n);
	page_put(p);
	return r;
}

static ssize_t
read_range(struct page_cache *pc, struct uio *u, int64_t *pos, uint64_t size)
{
	ssize_t total = 0;

	while (u->resid && (uint64_t)*pos < size) {
		uint64_t index = (uint64_t)*pos >> PAGE_SHIFT;
		size_t off = (uint64_t)*pos & PAGE_MASK;
		size_t n = PAGE_SIZE - off;
		struct page_cache *from = pc;
		ssize_t r;

		if (n > u->resid)
			n = u->resid;
		if (n > size - (uint64_t)*pos)
			n = size - (uint64_t)*pos;
		if (pc->lower && !radix_lookup(&pc->pages, index)) {
			uint64_t end = pc->lower_size;

			from = (uint64_t)*pos < end ? pc->lower : NULL;
			if (from && n > end - (uint64_t)*pos)
				n = end - (uint64_t)*pos;
		}
		r = from ? copy_out(from, u, index, off, n) : uio_zero(u, n);
		if (r < 0)
			return total ? total : r;
		*pos += r;
		total += r;
		if ((size_t)r < n)
			break;
	}
	return total;
}

ssize_t
page_cache_read(struct page_cache *pc, struct uio *u, int64_t *pos)
{
	uint64_t size = atomic_load_relaxed(&pc->inode->size);
	struct page_cache *disk = pc->anonymous ? pc->lower : pc;
	uint64_t first = (uint64_t)*pos >> PAGE_SHIFT;
	ssize_t r;

	if (*pos < 0)
		return -EINVAL;
	/* A stream of reads asks ahead while it still finds pages. */
	if (disk && first != disk->ra_prev && disk->ra_window &&
	    radix_lookup(&disk->pages, first))
		read_ahead(disk, first,
			   (u->resid + PAGE_SIZE - 1) >> PAGE_SHIFT, false);
	r = read_range(pc, u, pos, size);
	if (disk && r > 0)
		disk->ra_prev = (uint64_t)(*pos - 1) >> PAGE_SHIFT;
	return r;
}

/* Copies into one page with faults off; the page is locked. */
static ssize_t
copy_in(struct page_cache *pc, struct uio *u, uint64_t index, size_t off,
	size_t n)
{
	bool whole = n == PAGE_SIZE;
	struct page *p;
	ssize_t r;
	int err = get_anon_write(pc, index, whole, &p);

	if (err)
		return err;
	u->nofault = true;
	r = uio_read(u, (char *)page_addr(p) + off, n);
	u->nofault = false;
	if (!(p->flags & PG_UPTODATE)) {
		/* New and meant to be written whole. */
		size_t got = r < 0 ? 0 : (size_t)r;

		if (got < n)
			memset((char *)page_addr(p) + off + got, 0, n - got);
		atomic_or(&p->flags, PG_UPTODATE);
	}
	page_unlock(p);
	page_put(p);
	return r;
}

ssize_t
page_cache_write(struct page_cache *pc, struct uio *u, int64_t *pos)
{
	struct inode *i = pc->inode;
	ssize_t total = 0;
	int err = 0;

	if (!pc->anonymous)
		return -EROFS;
	while (u->resid && !err) {
		size_t off = (uint64_t)*pos & PAGE_MASK;
		size_t n = PAGE_SIZE - off;
		ssize_t r;

		if (n > u->resid)
			n = u->resid;
		r = copy_in(pc, u, (uint64_t)*pos >> PAGE_SHIFT, off, n);
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
		if ((uint64_t)*pos > i->size)
			atomic_store_release(&i->size, (uint64_t)*pos);
	}
	return total ? total : err;
}

ssize_t
page_cache_read_kernel(struct page_cache *pc, void *buf, size_t len,
		       uint64_t pos)
{
	int64_t at = (int64_t)pos;
	struct uio u;

	uio_init_kernel(&u, buf, len);
	return page_cache_read(pc, &u, &at);
}

/* ---- truncation ---- */

/* Removes all pages of [first, end). */
static void
remove_pages(struct page_cache *pc, uint64_t first, uint64_t end)
{
	uint64_t index = first;
	struct page *p;

	while ((p = radix_next(&pc->pages, &index)) && index < end) {
		if (!refcount_get_unless_zero(&p->refs))
			continue; /* on its way out */
		page_lock(p);
		if (p->object == &pc->object && p->index == index)
			tree_remove(pc, p);
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

	if (!radix_lookup(&pc->pages, index) && !lower_of(pc, index))
		return 0;
	err = get_anon_write(pc, index, false, &p);
	if (err)
		return err;
	memset((char *)page_addr(p) + from, 0, to - from);
	page_unlock(p);
	page_put(p);
	return 0;
}

void
page_cache_truncate(struct page_cache *pc, uint64_t size)
{
	uint64_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	size_t tail = size & PAGE_MASK;

	if (pc->lower && size < pc->lower_size)
		pc->lower_size = size;
	remove_pages(pc, first, UINT64_MAX);
	/* Private copies of what is no longer there go, too. */
	vm_object_unmap(&pc->object, tail ? first - 1 : first, UINT64_MAX,
			false);
	vm_object_unmap(&pc->object, first, UINT64_MAX, true);
	/* A lower page that was cut is not mapped any more but copied, and
	 * the copy is zero there: needs no memory now. */
	if (tail && radix_lookup(&pc->pages, first - 1))
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
	if (!lower_of(pc, first)) {
		remove_pages(pc, first, last);
		vm_object_unmap(&pc->object, first, last, true);
		return 0;
	}
	/* Over a lower file a hole is a page of zeroes. */
	for (uint64_t i = first; i < last && !err; i++) {
		if (lower_of(pc, i) || radix_lookup(&pc->pages, i))
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
	if (lower_of(pc, index))
		return index;
	return radix_next(&pc->pages, &index) ? index : UINT64_MAX;
}

void
page_cache_destroy(struct page_cache *pc)
{
	if (pc->lower) {
		spin_lock(&pc->lower->lock);
		pc->lower->upper = NULL;
		spin_unlock(&pc->lower->lock);
	}
	remove_pages(pc, 0, UINT64_MAX);
	pc->inode = NULL;
	vm_object_put(&pc->object);
}

void
page_cache_mem_init(void)
{
	node_mem = cache_create("radix", sizeof(struct radix_node), 64);
	assert(node_mem);
}
