/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page frames.  Every frame of RAM has a struct page; its reference count
 * says who may look at it, and reaching zero frees it.  sendfile, sockets,
 * the page cache and mappings share frames by references.
 *
 * The array of struct page is initialised lazily, section by section, so
 * that boot does not pay for the size of the machine.
 */
#pragma once

#include <arch/mmu.h>
#include <base/compiler.h>
#include <base/list.h>
#include <base/refcount.h>
#include <base/types.h>
#include <mem/alloc.h>

struct vm_object;

/* page->flags, changed atomically */
#define PG_LOCKED     (1u << 0) /* page lock: contents in transition (I/O) */
#define PG_UPTODATE   (1u << 1) /* contents valid */
#define PG_DIRTY      (1u << 2)
#define PG_WRITEBACK  (1u << 3)
#define PG_ERROR      (1u << 4) /* last I/O failed; never valid data */
#define PG_LRU	      (1u << 5)
#define PG_REFERENCED (1u << 6)
#define PG_SLAB	      (1u << 7)
#define PG_WAITERS    (1u << 8) /* somebody sleeps for the page lock */
#define PG_HEAD	      (1u << 9) /* first of 2^order frames */
#define PG_RESERVED   (1u << 10)
#define PG_ZERO	      (1u << 11) /* known to hold zeroes (free list) */
#define PG_ANON	      (1u << 12) /* anonymous or private copy: vm owns it */
#define PG_WBWAIT     (1u << 13) /* somebody sleeps for the end of WRITEBACK */

struct page {
	struct refcount refs;	  /* [a] 0: free */
	uint32_t flags;		  /* [a] PG_* */
	struct vm_object *object; /* [PG_LOCKED] object that it belongs to */
	uint64_t index;		  /* [PG_LOCKED] page number in the object */
	struct list link;	  /* free list, LRU or the owner's use */
	uint8_t order;		  /* of the block, in its head */
	uint8_t pad[3];
	uint32_t mapcount; /* [a] number of user mappings */
	void *priv;	   /* the owner's use (slab: cache) */
};

/* 2^order frames, aligned to their size; one reference.  Contents are
 * undefined unless ALLOC_ZERO.  NULL: no memory. */
MUST_CHECK struct page *page_alloc(unsigned order, unsigned alloc);

static inline void
page_get(struct page *p)
{
	refcount_get(&p->refs);
}

void page_free(struct page *p); /* last reference is gone */

static inline void
page_put(struct page *p)
{
	if (refcount_put(&p->refs))
		page_free(p);
}

struct page *page_from_phys(paddr_t pa); /* NULL: not RAM */
paddr_t page_phys(const struct page *p);

static inline void *
page_addr(const struct page *p)
{
	return phys_to_virt(page_phys(p));
}

/* (vm/page_lock.c has these four: they sleep, and mem lies below sched.)
 * The page lock: held while contents move to or from a device, and while a
 * page enters or leaves its object.  Sleeps.  RANK_PAGE. */
void page_lock(struct page *p);
bool page_trylock(struct page *p);
void page_unlock(struct page *p);
void page_wait_unlocked(struct page *p);

struct mem_stats {
	uint64_t total, free, cached, slab, dirty, writeback, kernel_stack,
		page_tables, anon, shmem, reserve; /* pages */
};
void mem_stats_get(struct mem_stats *s);

/* What the upper layers count for mem_stats; relaxed, any context. */
enum mem_counter {
	MEM_CACHED,
	MEM_DIRTY,
	MEM_WRITEBACK,
	MEM_SHMEM,
	MEM_ANON,
	MEM_KSTACK,
	MEM_PAGETABLES,
	MEM_SLAB,
	MEM_NCOUNTERS
};
void mem_count(enum mem_counter c, long npages);

/* Pages that can still be had without reclaim; an estimate. */
uint64_t mem_free_pages(void);
uint64_t mem_total_pages(void);

/* Makes a block of 2^order frames that many single pages, each with one
 * reference of its own and these flags. */
void page_split(struct page *p, unsigned order, uint32_t flags);
/* Drops one reference of each page of a block that page_split() made; gives
 * it back whole when those were the last. */
void page_put_block(struct page *p, unsigned order);

/* Fills one page with zeroes, or copies one. */
void page_clear(void *dst);
void page_copy(void *dst, const void *src);

/* Gives RAM to the allocator that boot held back (a consumed module). */
void mem_add_range(paddr_t start, paddr_t end);

/* One shared frame of zeroes, never freed. */
extern struct page *page_zero;

/* Called when free frames fall below the low mark, with a number of pages
 * wanted; returns how many it freed.  Registered by the page cache. */
void mem_register_shrinker(size_t (*fn)(size_t npages, unsigned alloc));

/* How an allocation that may sleep waits a moment while another thread makes
 * memory free; set once. */
void mem_set_wait(void (*fn)(void));

/* Boot: gives RAM ranges to the allocator. */
void mem_init(void);
