/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page cache: pages of one file in a tree, and the vm_object through
 * which they are mapped.  All file data of ext4 and tmpfs goes through it.
 *
 * Rules (design decision 6, 7): a page found UPTODATE is valid; ERROR pages
 * are never handed out as data.  User memory is never copied while a page
 * lock is held: the copy runs with faults off and is retried after a
 * prefault.  Clean pages are reclaimed by the shrinker.
 *
 * A page of a file on a device is written in four steps:
 *	prepare	  the file system reserves what the page will need (delayed
 *		  allocation: -ENOSPC comes here, never later)
 *	dirty	  PG_DIRTY; the inode is on its super's list of dirty ones
 *	writeback the writer takes runs of dirty pages (write_pages): PG_DIRTY
 *		  goes, PG_WRITEBACK comes, mappings become read-only
 *	end	  page_write_end(), from any context
 * A page may become dirty again while it is written.  A dirty page, or one
 * under writeback, leaves the cache only by truncation, which waits for the
 * writeback to end first.  docs/design/pagecache.md has the reasons.
 */
#pragma once

#include <base/compiler.h>
#include <base/radix.h>
#include <base/types.h>
#include <core/spinlock.h>
#include <sched/mutex.h>
#include <sched/wait.h>
#include <vm/object.h>

struct blk_device;
struct inode;
struct uio;
struct page;
struct page_cache;

/* A piece of a file on its device: page_cache_ops.map. */
struct page_cache_run {
	struct blk_device *dev;
	uint64_t sector;
	uint64_t len; /* bytes, > 0, at most what was asked for */
	bool hole;    /* reads as zeroes: no sector */
};

struct page_cache_ops {
	/* Fills npages locked pages from index on, and unlocks each when its
	 * data (UPTODATE) or its error (ERROR) is in: may return before. */
	void (*read_pages)(struct page_cache *pc, struct page **pages,
			   unsigned npages);

	/* ---- of what can be written; prepare NULL: -EROFS ---- */
	/* Bytes [off, off + len) of p are about to be changed by a write or
	 * a mapping.  p is locked and in the tree, p->priv is the file
	 * system's (NULL at first); the inode's lock is held for writing by
	 * write(), not by a fault.  0: all blocks of these bytes are mapped
	 * or reserved, and writing them cannot fail for want of space.  May
	 * sleep, may start a journal handle of its own; -ENOSPC, -EDQUOT,
	 * -EIO, -EROFS.  Called again for a page that is dirty already only
	 * when the bytes differ. */
	int (*prepare)(struct page_cache *pc, struct page *p, uint32_t off,
		       uint32_t len);
	/* Writes npages pages of consecutive indices: each has a writeback
	 * mark, none is locked, and none leaves the tree until it got its
	 * page_write_end(), exactly one.  No lock is held.  May sleep and
	 * start a journal handle; must neither take the inode's lock nor
	 * wait for other pages (truncation waits for these with the inode
	 * locked).  Memory: ALLOC_NOFS.  Beyond the inode's size the last
	 * page holds zeroes. */
	void (*write_pages)(struct page_cache *pc, struct page **pages,
			    unsigned npages);
	/* A page with p->priv leaves the cache, dirty (its reservation goes)
	 * or clean.  p is locked.  NULL: nothing to do. */
	void (*forget)(struct page_cache *pc, struct page *p);
	/* O_DIRECT: where the bytes from pos on lie, at most len of them.
	 * write: only what is allocated and written counts; anything else is
	 * a hole.  The inode's lock is held.  NULL: the file cannot be opened
	 * with O_DIRECT (EINVAL). */
	int (*map)(struct page_cache *pc, uint64_t pos, uint64_t len,
		   bool write, struct page_cache_run *run);
	/* Writing to such a hole, of whole blocks (sb->block_size): takes
	 * blocks that are not the file's contents yet.  When bytes of them
	 * are on the device, from pos on, the other makes them so, and the
	 * file as long.  The inode's lock is held for writing, no page of
	 * theirs is cached.  NULL: it goes through the cache. */
	int (*direct_alloc)(struct page_cache *pc, uint64_t pos, uint64_t len,
			    struct page_cache_run *run);
	int (*direct_wrote)(struct page_cache *pc, uint64_t pos, uint64_t len);

	/* Anonymous caches: n pages are about to be added (-ENOSPC), or have
	 * gone. */
	int (*page_wanted)(struct page_cache *pc, unsigned n);
	void (*page_gone)(struct page_cache *pc, unsigned n);
};

#define PAGE_CACHE_STREAMS 4

struct page_cache {
	struct vm_object object;	  /* first */
	struct inode *inode;		  /* [I] */
	const struct page_cache_ops *ops; /* [I] */
	struct spinlock lock;	     /* RANK_PAGECACHE: changes to the tree */
	struct radix_root pages;     /* [lock w, q r] */
	uint64_t npages;	     /* [lock] */
	uint64_t ndirty, nwriteback; /* [lock] of these */
	/* Readahead: the streams that read it, by where each was last, how
	 * far pages were asked for, how many at a time.  [a] hints only. */
	struct page_cache_stream {
		uint64_t prev, next;
		uint32_t window; /* pages; 0: free */
	} ra[PAGE_CACHE_STREAMS];
	uint64_t fault_next;   /* [a] the same of faults: where the last */
	uint32_t fault_window; /* one's pages end; 0: not a stream yet */
	uint8_t ra_last;       /* [a] the one that read last */
	uint8_t ra_victim;     /* [a] the next to be replaced */
	uint32_t wb_err;       /* [a] errseq: see below */
	uint32_t ndirect;      /* [a] requests under way: direct.h */
	struct waitq wb_wait;  /* writeback or a direct request ended */
	struct list starting;  /* [lock] runs on their way to a device */
	/* RANK_READS, of files that can be written: shared from the look where
	 * a new page's contents lie until the page is in the tree, where its
	 * lock goes on; for writing while blocks are taken away. */
	struct rwlock reads;
	bool anonymous; /* tmpfs: pages are the only copy */
	/* An overlay: pages that are not here and lie below lower_size bytes
	 * are those of lower.  upper is the other way about. */
	struct page_cache *lower; /* [I] */
	uint64_t lower_size;	  /* [inode lock w, a] only falls */
	struct page_cache *upper; /* [lock] */
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
/* The page at index, referenced and UPTODATE, all zeroes: not read, whatever
 * the device has there. */
MUST_CHECK int page_cache_get_blank(struct page_cache *pc, uint64_t index,
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
/* The first page >= index that is dirty or being written, or UINT64_MAX. */
uint64_t page_cache_next_unwritten(struct page_cache *pc, uint64_t index);

ssize_t page_cache_read(struct page_cache *pc, struct uio *u, int64_t *pos);
ssize_t page_cache_write(struct page_cache *pc, struct uio *u, int64_t *pos);
/* Kernel buffer, for exec and symlinks; short at the end of file. */
MUST_CHECK ssize_t page_cache_read_kernel(struct page_cache *pc, void *buf,
					  size_t len, uint64_t pos);
/* Cuts to size bytes: unmaps and frees the pages behind, waiting for their
 * writeback, and zeroes the tail of the last one where it is in memory.  The
 * inode's lock is held and its size is the new one.  On a device: call
 * page_cache_zero() for the tail first, where its block is mapped, and free
 * the blocks after; never within a journal handle (it waits). */
void page_cache_truncate(struct page_cache *pc, uint64_t size);
/* Blocks of the file are about to be freed, or to get other numbers: requests
 * of direct_async.c have ended, and no page is read in before the second
 * call.  What is there already is the caller's to remove, in between.  With
 * the inode's lock; not in a handle. */
void page_cache_stop_reads(struct page_cache *pc);
void page_cache_allow_reads(struct page_cache *pc);
/* Removes all pages of [first, end), dirty or not, and their mappings. */
void page_cache_remove(struct page_cache *pc, uint64_t first, uint64_t end);
/* The size is about to grow from size: what lies behind it in memory, which a
 * mapping may have written to, becomes zeroes. */
void page_cache_grow(struct page_cache *pc, uint64_t size);
/* Zeroes a byte range, dropping whole pages (fallocate punch); on a device
 * the parts of pages at the ends become dirty, and the blocks of whole pages
 * are the caller's to free, after, with reads stopped and what was read again
 * removed.  Inode's lock; not in a handle. */
MUST_CHECK int page_cache_punch(struct page_cache *pc, uint64_t start,
				uint64_t end);

struct page_piece;
/* The file's pages by reference (pageref.c): file_ops.read_pages. */
ssize_t page_cache_read_pages(struct file *f, struct page_piece *v, unsigned *n,
			      size_t len, int64_t *pos);

extern const struct file_ops page_cache_file_ops; /* regular files */

/* ---- writing back (writeback.c) ---- */

/* Marks a locked page of pc that was prepared dirty. */
void page_cache_set_dirty(struct page_cache *pc, struct page *p);
/* The end of one page's writeback, with its error; any context. */
void page_write_end(struct page *p, int err);
/* Starts to write the dirty pages [first, end); wait: and returns when all
 * that were dirty or under way at the call are written.  The error of these
 * pages is recorded, not returned: see errseq.  No inode lock needed. */
void page_cache_write_range(struct page_cache *pc, uint64_t first, uint64_t end,
			    bool wait);
void page_cache_wait_range(struct page_cache *pc, uint64_t first, uint64_t end);
/* Those of an fsync: what was dirty or under way is with the device, which
 * may not have written it yet. */
struct page_range {
	struct page_cache *pc;
	uint64_t first, end;
};
/* Until the device has written it.  Waits for no thread that is still to
 * give pages to the device, so a journal's locks may be held. */
void page_range_wait(const struct page_range *r);
/* Zeroes bytes [start, end), which lie in one page, through the cache: reads
 * the page, prepares it, marks it dirty.  For truncation and punching to a
 * byte in the middle of a block that is mapped.  With the inode's lock. */
MUST_CHECK int page_cache_zero(struct page_cache *pc, uint64_t start,
			       uint64_t end);
/* Writes out and drops pages [first, end), so that the device's contents are
 * the truth: O_DIRECT.  -EIO: a page could not be written. */
MUST_CHECK int page_cache_invalidate(struct page_cache *pc, uint64_t first,
				     uint64_t end);

/*
 * Errors of writing, reported once to each open file and never lost: a
 * sequence that changes with each error (if somebody has seen the last one).
 * An opener keeps the value; a later look that finds another one reports the
 * error in it.  An error that nobody has seen is reported to the next opener.
 */
uint32_t errseq_sample(const uint32_t *seq);
void errseq_set(uint32_t *seq, int err);
bool errseq_unseen(const uint32_t *seq);
/* 0 or the -errno that came since *since, which is brought up to date. */
MUST_CHECK int errseq_check_advance(uint32_t *seq, uint32_t *since);

void page_cache_mem_init(void);
