/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page cache: pages of one file in a tree, and the vm_object through
 * which they are mapped.  All file data of ext4 and tmpfs goes through it.
 *
 * Rules (design decision 6, 7): a page found UPTODATE is valid; ERROR pages
 * are never handed out as data.  User memory is never copied while a page
 * lock is held: the copy runs with faults off and is retried after a
 * prefault.  Clean pages are reclaimed by the shrinker.
 */
#pragma once

#include <base/compiler.h>
#include <base/radix.h>
#include <base/types.h>
#include <core/spinlock.h>
#include <vm/object.h>

struct inode;
struct uio;
struct page;
struct page_cache;

struct page_cache_ops {
	/* Fills npages locked pages from index on, and unlocks each when its
	 * data (UPTODATE) or its error (ERROR) is in: may return before. */
	void (*read_pages)(struct page_cache *pc, struct page **pages,
			   unsigned npages);
	/* Anonymous caches: n pages are about to be added (-ENOSPC), or have
	 * gone. */
	int (*page_wanted)(struct page_cache *pc, unsigned n);
	void (*page_gone)(struct page_cache *pc, unsigned n);
};

struct page_cache {
	struct vm_object object;	/* first */
	struct inode *inode;		/* [I] */
	const struct page_cache_ops *ops; /* [I] */
	struct spinlock lock;		/* RANK_PAGECACHE: changes to the tree */
	struct radix_root pages;	/* [lock w, q r] */
	uint64_t npages;		/* [lock] */
	/* Readahead: where the reader was last, how far pages were asked
	 * for, how many at a time.  [a] hints only. */
	uint64_t ra_prev, ra_next, ra_window;
	int wb_error;			/* [lock] reported once per open file */
	bool anonymous;			/* tmpfs: pages are the only copy */
	/* An overlay: pages that are not here and lie below lower_size bytes
	 * are those of lower.  upper is the other way about. */
	struct page_cache *lower;	/* [I] */
	uint64_t lower_size;		/* [inode lock w, a] only falls */
	struct page_cache *upper;	/* [lock] */
};

/* With the inode's first reference of its object.  NULL: no memory. */
struct page_cache *page_cache_create(struct inode *inode,
				     const struct page_cache_ops *ops,
				     bool anonymous);
/* Drops all pages; the owner has no users left.  Memory goes with the last
 * reference of the object. */
void page_cache_destroy(struct page_cache *pc);

/* pc, anonymous and empty, shows lower's first lower_size bytes where it has
 * no page of its own. */
void page_cache_set_lower(struct page_cache *pc, struct page_cache *lower,
			  uint64_t lower_size);

/* The page at index, referenced and UPTODATE, reading it if needed. */
MUST_CHECK int page_cache_get(struct page_cache *pc, uint64_t index,
			      struct page **out);
/* The page in the tree, referenced, whatever its state; or NULL. */
struct page *page_cache_find(struct page_cache *pc, uint64_t index);
/* Anonymous caches: the page at index, made if need be, referenced. */
MUST_CHECK int page_cache_allocate(struct page_cache *pc, uint64_t index,
				   struct page **out);
struct page *page_cache_peek(struct page_cache *pc, uint64_t index);
/* Starts to read pages [first, first + n) that are not there; waits for
 * nothing. */
void page_cache_readahead(struct page_cache *pc, uint64_t first, uint64_t n);
/* Drops clean, unmapped pages of the range (POSIX_FADV_DONTNEED). */
void page_cache_drop(struct page_cache *pc, uint64_t first, uint64_t end);
/* The first page >= index that holds data, or UINT64_MAX: SEEK_DATA. */
uint64_t page_cache_next_data(struct page_cache *pc, uint64_t index);

ssize_t page_cache_read(struct page_cache *pc, struct uio *u, int64_t *pos);
ssize_t page_cache_write(struct page_cache *pc, struct uio *u, int64_t *pos);
/* Kernel buffer, for exec and symlinks; short at the end of file. */
MUST_CHECK ssize_t page_cache_read_kernel(struct page_cache *pc, void *buf,
					  size_t len, uint64_t pos);
/* Cuts to size bytes: zeroes the tail page, unmaps and frees the rest. */
void page_cache_truncate(struct page_cache *pc, uint64_t size);
/* Zeroes a byte range, dropping whole pages (fallocate punch). */
MUST_CHECK int page_cache_punch(struct page_cache *pc, uint64_t start,
				uint64_t end);

extern const struct file_ops page_cache_file_ops; /* regular files */

void page_cache_mem_init(void);
