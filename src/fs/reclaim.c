/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving memory back: clean pages of files, unused names and inodes.
 *
 * Pages are on one list in the order they came; the scan takes them from its
 * front, gives those that were used since the last look a second round, and
 * unmaps and frees the others.  An allocation that may not enter a file system
 * gets pages that are clean and not mapped.  One that may, and finds dirty
 * pages only, has some written and waits for them.
 *
 * The last few pages that a program has mapped stay: one that asks for more than
 * the machine has would else go on, a page of its text read from the disk for
 * each that it fills, and never be told.
 */
#include "fs_priv.h"
#include "pagecache_priv.h"

#include <base/atomic.h>
#include <core/clock.h>
#include <core/spinlock.h>
#include <fs/pagecache.h>
#include <mem/page.h>
#include <sched/thread.h>

#define SCAN_FACTOR 4 /* looks per page wanted */
#define SCAN_MAX    2048u
#define MAPPED_PART 32u	  /* of the memory that may stay mapped, and */
#define MAPPED_MAX  1024u /* pages at most */
#define WAITS_MAX   20u	  /* for some writing to end, 0.1 s at most each */

static struct spinlock lru_lock = SPINLOCK_INIT(RANK_LRU);
static struct list lru = LIST_INIT(lru); /* [lru_lock] */
static size_t nlru;

void
lru_add(struct page *p)
{
	spin_lock(&lru_lock);
	list_add_tail(&lru, &p->link);
	nlru++;
	spin_unlock(&lru_lock);
	atomic_or(&p->flags, PG_LRU);
}

void
lru_remove(struct page *p)
{
	if (!(atomic_fetch_and(&p->flags, ~PG_LRU) & PG_LRU))
		return;
	spin_lock(&lru_lock);
	list_del(&p->link);
	nlru--;
	spin_unlock(&lru_lock);
}

/* The next page to look at, referenced, moved to the list's end. */
static struct page *
next_page(void)
{
	struct page *p = NULL;

	spin_lock(&lru_lock);
	if (!list_empty(&lru)) {
		p = list_first_entry(&lru, struct page, link);
		list_move_tail(&lru, &p->link);
		if (!refcount_get_unless_zero(&p->refs))
			p = NULL;
	}
	spin_unlock(&lru_lock);
	return p;
}

/* From the maps of the file itself and of an overlay above it. */
static void
unmap(struct page_cache *pc, struct page *p)
{
	struct page_cache *upper;
	irqflags_t f;

	vm_object_unmap(&pc->object, p->index, p->index + 1, false);
	f = spin_lock_irq(&pc->lock);
	upper = pc->upper;
	if (upper) /* its owner's reference is there as long as this is */
		vm_object_get(&upper->object);
	spin_unlock_irq(&pc->lock, f);
	if (upper) {
		vm_object_unmap(&upper->object, p->index, p->index + 1, false);
		vm_object_put(&upper->object);
	}
}

/* mapped: its mappings may be removed, which takes sleeping locks. */
static bool
few_left(void)
{
	return nlru <= MAPPED_MAX && nlru <= mem_total_pages() / MAPPED_PART;
}

static bool
try_free(struct page *p, bool mapped)
{
	struct page_cache *pc;
	bool freed = false;

	if (atomic_fetch_and(&p->flags, ~PG_REFERENCED) & PG_REFERENCED)
		return false;
	if ((p->flags & (PG_DIRTY | PG_WRITEBACK)) || !page_trylock(p))
		return false;
	if (p->object) {
		pc = container_of(p->object, struct page_cache, object);
		if (p->mapcount && mapped && !few_left())
			unmap(pc, p);
		if (!p->mapcount && page_cache_try_evict(pc, p)) {
			lru_remove(p);
			freed = true;
		}
	}
	page_unlock(p);
	return freed;
}

/* all: twice as many looks as there are pages, so that none is left out that
 * was only used lately. */
static size_t
scan(size_t npages, bool mapped, bool all)
{
	size_t freed = 0, looks = npages * SCAN_FACTOR + 32;

	if (looks > SCAN_MAX)
		looks = SCAN_MAX;
	if (all || looks > 2 * nlru)
		looks = 2 * nlru;
	while (freed < npages && looks--) {
		struct page *p = next_page();

		if (!p)
			continue; /* on its way out */
		freed += try_free(p, mapped);
		page_put(p);
	}
	return freed;
}

static size_t
scan_harder(size_t npages, bool mapped)
{
	size_t freed = scan(npages, mapped, false);

	return freed ? freed : scan(npages, mapped, true);
}

static size_t
shrink(size_t npages, unsigned alloc)
{
	size_t freed;

	/* Unmapping takes locks that the caller may hold, dropping names and
	 * inodes ends in a file system; pages that are clean and not mapped
	 * can go without either. */
	if ((alloc & ALLOC_KERNEL) != ALLOC_KERNEL || thread_current()->journal)
		return scan_harder(npages, false);
	freed = scan(npages, true, false);
	/* About eight names or four inodes are in a page. */
	if (freed < npages) {
		freed += dcache_shrink((npages - freed) * 8) / 8;
		freed += inode_shrink((npages - freed) * 4) / 4;
	}
	if (!freed)
		freed = scan(npages, true, true);
	/* All that is left is dirty: some of it becomes clean. */
	for (unsigned i = 0; !freed && i < WAITS_MAX; i++) {
		if (!writeback_for_memory())
			break;
		freed = scan(npages, true, true);
	}
	return freed;
}

static void
wait_a_moment(void)
{
	thread_delay(NSEC_PER_SEC / 1000);
}

void
reclaim_init(void)
{
	page_cache_mem_init();
	mem_set_wait(wait_a_moment);
	mem_register_shrinker(shrink);
}
