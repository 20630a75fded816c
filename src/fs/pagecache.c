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
 * Truncation sets the new size first and removes pages after, with pc->reads
 * for writing; whoever puts a page in to read it has that lock for reading
 * and looks at the size once more.  So no page lies behind the end, to show
 * what was cut when the file grows again, and none is read from a block that
 * another file may have by then.  Who writes has the inode's lock.
 *
 * An anonymous cache with a lower one (overlay) holds only the pages that
 * were written to; the others are the lower cache's, mapped and read in
 * place.  The copy is made when a page is first written to, under the page
 * lock of the new page, and the mappings of the old one are removed after
 * the new page is in the tree.
 */
#include <fs/pagecache.h>

#include "fs_priv.h"
#include "pagecache_priv.h"

#include <abi/errno.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/reclaim.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <vm/uio.h>

static struct cache *node_mem;

static void
node_reclaim(struct reclaim_head *h)
{
	cache_free(node_mem,
		   container_of((uint64_t *)h, struct radix_node, reclaim[0]));
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
			      sizeof(((struct radix_node *)0)->reclaim),
		      "room");
	reclaim_call((struct reclaim_head *)n->reclaim, node_reclaim);
}

static int pc_fault(struct vm_object *o, uint64_t index, bool write,
		    struct page **out);
static struct page *pc_object_peek(struct vm_object *o, uint64_t index);
static int pc_make_writable(struct vm_object *o, uint64_t index,
			    struct page *p);
static int pc_writeback(struct vm_object *o, struct file *f, uint64_t first,
			uint64_t end);
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
	vm_object_init(&pc->object,
		       anonymous ? &anon_object_ops : &pc_object_ops);
	pc->inode = inode;
	pc->ops = ops;
	spin_init(&pc->lock, RANK_PAGECACHE);
	radix_init(&pc->pages, node_alloc, node_free);
	waitq_init(&pc->wb_wait);
	rwlock_init(&pc->reads, RANK_READS);
	list_init(&pc->starting);
	pc->anonymous = anonymous;
	return pc;
}

/* The overlay's object needs make_writable: the lower page may be mapped. */
void
page_cache_set_lower(struct page_cache *pc, struct page_cache *lower,
		     uint64_t lower_size)
{
	irqflags_t f;

	pc->lower = lower;
	pc->lower_size = lower_size;
	pc->object.ops = &pc_object_ops;
	f = spin_lock_irq(&lower->lock);
	lower->upper = pc;
	spin_unlock_irq(&lower->lock, f);
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
	irqflags_t f;

	for (unsigned tries = 0; tries < 8; tries++) {
		p->object = &pc->object;
		p->index = index;
		f = spin_lock_irq(&pc->lock);
		err = radix_insert(&pc->pages, index, p);
		if (!err)
			pc->npages++;
		spin_unlock_irq(&pc->lock, f);
		if (err != -ENOMEM || make_room())
			break;
	}
	if (err)
		p->object = NULL;
	return err;
}

int
pc_insert_new(struct page_cache *pc, uint64_t index, unsigned alloc,
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

void
pc_abandon(struct page_cache *pc, struct page *p)
{
	pc_clean_page(pc, p);
	pc_tree_remove(pc, p);
	page_unlock(p);
	page_put(p);
}

void
pc_tree_remove(struct page_cache *pc, struct page *p)
{
	irqflags_t f;

	f = spin_lock_irq(&pc->lock);
	radix_delete(&pc->pages, p->index);
	pc->npages--;
	spin_unlock_irq(&pc->lock, f);
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
	irqflags_t f;

	/* The page lock keeps both from coming. */
	if (p->flags & (PG_DIRTY | PG_WRITEBACK))
		return false;
	f = spin_lock_irq(&pc->lock);
	/* The tree's and the caller's: with none to spare it is nobody's. */
	if (!atomic_cas(&p->refs.n, &two, 1)) {
		spin_unlock_irq(&pc->lock, f);
		return false;
	}
	radix_delete(&pc->pages, p->index);
	pc->npages--;
	spin_unlock_irq(&pc->lock, f);
	mem_count(MEM_CACHED, -1);
	if (p->priv && pc->ops->forget)
		pc->ops->forget(pc, p);
	p->object = NULL;
	return true;
}

/* ---- reading ---- */

/* A file that can't be written, or a device, never becomes shorter. */
static unsigned
below_end(const struct page_cache *pc, uint64_t index, unsigned n)
{
	uint64_t end = pc_npages(pc);

	if (index >= end)
		return 0;
	return n < end - index ? n : (unsigned)(end - index);
}

int
pc_start_read(struct page_cache *pc, uint64_t index, unsigned n, unsigned alloc)
{
	bool writable = pc->ops->prepare != NULL;
	struct page **pages;
	unsigned done = 0;
	int err = 0;

	if (n > PC_BATCH)
		n = PC_BATCH;
	pages = kmalloc(n * sizeof(*pages), ALLOC_KERNEL);
	if (!pages)
		return -ENOMEM;
	if (writable) {
		read_lock(&pc->reads);
		n = below_end(pc, index, n);
	}
	while (done < n) {
		struct page *p;

		if (radix_lookup(&pc->pages, index + done))
			break;
		err = pc_insert_new(pc, index + done, alloc, &p);
		if (err)
			break;
		page_put(p); /* locked: the tree's reference is enough */
		pages[done++] = p;
	}
	if (done)
		pc->ops->read_pages(pc, pages, done);
	if (writable)
		read_unlock(&pc->reads);
	kfree(pages);
	return !done && err == -ENOMEM ? err : (int)done;
}

int
pc_wait_uptodate(struct page_cache *pc, struct page *p)
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

int
pc_get_own(struct page_cache *pc, uint64_t index, struct page **out)
{
	struct page *p;
	int err;

	for (;;) {
		p = page_cache_find(pc, index);
		if (p) {
			if (likely(p->flags & PG_UPTODATE))
				break;
			err = pc_wait_uptodate(pc, p);
			if (!err)
				break;
			page_put(p);
			if (err != -EAGAIN)
				return err;
			continue;
		}
		err = pc_start_read(pc, index, 1, ALLOC_KERNEL);
		if (err < 0)
			return err;
		if (!err && pc->ops->prepare && index >= pc_npages(pc))
			return -ENXIO;
	}
	*out = p;
	return 0;
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
	lower = pc_lower_of(pc, index);
	*out = NULL;
	return lower ? pc_get_own(lower, index, out) : 0;
}

int
page_cache_get(struct page_cache *pc, uint64_t index, struct page **out)
{
	int err;

	if (!pc->anonymous)
		return pc_get_own(pc, index, out);
	if (pc_lower_of(pc, index) && lower_page_cut(pc, index)) {
		err = pc_get_anon_write(pc, index, false, out);
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
page_cache_get_blank(struct page_cache *pc, uint64_t index, struct page **out)
{
	struct page *p;
	int err;

	for (;;) {
		p = page_cache_find(pc, index);
		if (!p) {
			err = pc_insert_new(pc, index, ALLOC_NOFS, &p);
			if (err == -EEXIST)
				continue;
			if (err)
				return err;
			break;
		}
		page_lock(p);
		if (p->object == &pc->object)
			break;
		page_unlock(p);
		page_put(p);
	}
	page_clear(page_addr(p));
	atomic_and(&p->flags, ~PG_ERROR);
	atomic_or(&p->flags, PG_UPTODATE);
	page_unlock(p);
	*out = p;
	return 0;
}

int
page_cache_allocate(struct page_cache *pc, uint64_t index, struct page **out)
{
	int err = pc_get_anon_write(pc, index, false, out);

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
		lower = pc_lower_of(pc, index);
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

	if (index >= pc_npages(pc))
		return NULL;
	if (pc_lower_of(pc, index) && lower_page_cut(pc, index))
		return NULL;
	return page_cache_peek(pc, index);
}

static int
fault_anon(struct page_cache *pc, uint64_t index, bool write, struct page **out)
{
	struct page *p;
	int err;

	if (!write && pc_lower_of(pc, index) && !lower_page_cut(pc, index)) {
		if (!radix_lookup(&pc->lower->pages, index))
			pc_read_fault(pc->lower, index);
		err = get_anon(pc, index, out);
		if (err || *out)
			return err;
	}
	err = pc_get_anon_write(pc, index, false, &p);
	if (err)
		return err == -ENOSPC ? -EIO : err;
	if (!(p->flags & PG_UPTODATE)) { /* a writer's, not filled */
		err = pc_fill_anon(pc, p, false);
		if (!err)
			atomic_or(&p->flags, PG_UPTODATE);
	}
	if (!err && index >= pc_npages(pc)) {
		pc_tree_remove(pc, p);
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

	if (index >= pc_npages(pc))
		return -ENXIO;
	if (pc->anonymous)
		return fault_anon(pc, index, write, out);
	if (write && !pc->ops->prepare)
		return -EROFS;
	if (!radix_lookup(&pc->pages, index))
		pc_read_fault(pc, index);
	do {
		err = pc_get_own(pc, index, out);
		if (err)
			return err;
		if (write)
			err = pc_make_dirty(pc, index, *out);
		else if (index >= pc_npages(pc))
			err = -ENXIO;
		if (err)
			page_put(*out);
	} while (err == -EAGAIN);
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
		return pc->ops->prepare ? pc_make_dirty(pc, index, p) : -EROFS;
	if (p->object == o)
		return 0;
	if (index >= pc_npages(pc))
		return -ENXIO;
	err = fault_anon(pc, index, true, &mine);
	if (err)
		return err;
	page_put(mine);
	return -EAGAIN;
}

static int
pc_writeback(struct vm_object *o, struct file *f, uint64_t first, uint64_t end)
{
	struct page_cache *pc = container_of(o, struct page_cache, object);

	/* Memory is its own copy. */
	if (pc->anonymous || !f)
		return 0;
	return file_sync(f, (int64_t)(first << PAGE_SHIFT),
			 (int64_t)(end << PAGE_SHIFT), false);
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
		if (u->nowait && !pc->anonymous)
			return -EAGAIN;
		if (pc->anonymous) {
			err = get_anon(pc, index, &p);
		} else {
			if (miss)
				pc_read_ahead(pc, index,
					      (u->resid + off + PAGE_SIZE -
					       1) >> PAGE_SHIFT,
					      true);
			err = pc_get_own(pc, index, &p);
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
		if (r == -ENXIO)
			break; /* cut meanwhile: here it ends */
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
	if (disk && first != disk->ra[disk->ra_last].prev && !u->nowait &&
	    radix_lookup(&disk->pages, first))
		pc_read_ahead(disk, first,
			      (u->resid + PAGE_SIZE - 1) >> PAGE_SHIFT, false);
	r = read_range(pc, u, pos, size);
	if (disk && r > 0)
		pc_read_at(disk, first, (uint64_t)(*pos - 1) >> PAGE_SHIFT);
	return r;
}

ssize_t
page_cache_read_kernel(struct page_cache *pc, void *buf, size_t len,
		       uint64_t pos)
{
	int64_t at = (int64_t)pos;
	struct uio u UNINIT;

	uio_init_kernel(&u, buf, len);
	return page_cache_read(pc, &u, &at);
}

void
page_cache_destroy(struct page_cache *pc)
{
	irqflags_t f;

	if (pc->lower) {
		f = spin_lock_irq(&pc->lower->lock);
		pc->lower->upper = NULL;
		spin_unlock_irq(&pc->lower->lock, f);
	}
	pc_remove_pages(pc, 0, UINT64_MAX);
	pc->inode = NULL;
	vm_object_put(&pc->object);
}

void
page_cache_mem_init(void)
{
	node_mem = cache_create("radix", sizeof(struct radix_node), 64);
	assert(node_mem);
}
