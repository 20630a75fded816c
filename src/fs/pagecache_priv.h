/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the page cache share: pagecache.c (the tree, reading,
 * mappings), readahead.c, pagewrite.c (writing, truncation), writeback.c
 * (dirty pages on their way to a device), direct.c (O_DIRECT).
 */
#pragma once

#include <base/atomic.h>
#include <base/compiler.h>
#include <base/types.h>
#include <fs/pagecache.h>
#include <fs/vfs.h>
#include <mem/page.h>

#define PC_BATCH 256u /* pages in one call of a file system, at most */

/* Tags of the tree; each says what the page's flag says, under pc->lock. */
#define PC_TAG_DIRTY	 0
#define PC_TAG_WRITEBACK 1

static inline uint64_t
pc_npages(const struct page_cache *pc)
{
	return (atomic_load_relaxed(&pc->inode->size) + PAGE_SIZE - 1) >>
	       PAGE_SHIFT;
}

/* The lower cache that has page index, or NULL. */
static inline struct page_cache *
pc_lower_of(const struct page_cache *pc, uint64_t index)
{
	if (!pc->lower || index << PAGE_SHIFT >= pc->lower_size)
		return NULL;
	return pc->lower;
}

/* ---- pagecache.c ---- */
/* A new page at index, locked and in the tree; two references: the tree's
 * and the caller's.  -EEXIST: somebody was faster. */
MUST_CHECK int pc_insert_new(struct page_cache *pc, uint64_t index,
			     unsigned alloc, struct page **out);
/* The page is locked, in the tree, and neither dirty nor under writeback;
 * drops the tree's reference. */
void pc_tree_remove(struct page_cache *pc, struct page *p);
/* Undoes an insertion of a locked page. */
void pc_abandon(struct page_cache *pc, struct page *p);
/* Makes new pages from index on, at most n, until one is there already or the
 * file ends, and starts to read them.  Returns how many, or -ENOMEM. */
int pc_start_read(struct page_cache *pc, uint64_t index, unsigned n,
		  unsigned alloc);
/* A page that was found, referenced: waits for its contents.  -EAGAIN: it
 * has left the cache. */
MUST_CHECK int pc_wait_uptodate(struct page_cache *pc, struct page *p);
/* The page of this very cache, reading it if needed: for caches of what is
 * on a device.  -ENXIO: the file has been cut before it. */
MUST_CHECK int pc_get_own(struct page_cache *pc, uint64_t index,
			  struct page **out);

/* ---- pagewrite.c ---- */
/* The page of an anonymous cache for writing: locked, in the tree, with a
 * reference.  whole: all of it will be written, so it need not be filled. */
MUST_CHECK int pc_get_anon_write(struct page_cache *pc, uint64_t index,
				 bool whole, struct page **out);
/* What a new page of an anonymous cache begins with. */
MUST_CHECK int pc_fill_anon(struct page_cache *pc, struct page *p, bool whole);
/* The page of a device's cache, locked, prepared for a change of all of it
 * that lies in the file, and dirty; with a reference.  For mappings.  -ENXIO:
 * it is not in the file any more. */
MUST_CHECK int pc_make_dirty(struct page_cache *pc, uint64_t index,
			     struct page *p);

/* Removes all pages of [first, end), dirty or not. */
void pc_remove_pages(struct page_cache *pc, uint64_t first, uint64_t end);

/* ---- direct.c ---- */
/* O_DIRECT, with the rules of page_cache_read() and _write(). */
ssize_t direct_read(struct file *f, struct uio *u, int64_t *pos);
ssize_t direct_write(struct file *f, struct uio *u, int64_t *pos);
/* Writes what of the range only the cache has, and waits; starts to write the
 * rest of the file: who goes on will find it done, and not wait each time. */
void direct_settle(struct page_cache *pc, uint64_t first, uint64_t end);

/* ---- readahead.c ---- */
/* The reader wants npages from index on; miss: the first is not there. */
void pc_read_ahead(struct page_cache *pc, uint64_t index, uint64_t npages,
		   bool miss);
/* A fault that found no page at index. */
void pc_read_fault(struct page_cache *pc, uint64_t index);
/* Pages first to last have been read. */
void pc_read_at(struct page_cache *pc, uint64_t first, uint64_t last);

/* ---- writeback.c ---- */
/* Forgets that a locked page is dirty, waits for its writeback to end, and
 * has the file system forget it: before it leaves the tree. */
void pc_clean_page(struct page_cache *pc, struct page *p);

/* ---- writer.c ---- */
/* One page less is dirty or under writeback; any context. */
void writeback_ended(void);
/* Holds a writer up while too much is dirty. */
void writeback_throttle_slow(void);
extern uint64_t writeback_pending; /* [a] pages dirty or under writeback */
extern uint64_t writeback_floor;   /* [I] below this nobody looks closer */
static inline void
writeback_throttle(void)
{
	if (unlikely(atomic_load_relaxed(&writeback_pending) > writeback_floor))
		writeback_throttle_slow();
}
/* Starts writing and waits for some of it to end; false: nothing is dirty. */
bool writeback_for_memory(void);
