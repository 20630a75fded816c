/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory objects: what a vma maps.  The page cache, tmpfs, memfd and devices
 * implement the operations; anonymous private memory has object NULL.
 *
 * Life: the owner embeds struct vm_object, initialises it and holds the
 * first reference; each vma holds one.  When the count reaches zero,
 * ops->release() runs in a context that may sleep.
 *
 * Unmapping: truncate and eviction call vm_object_unmap(), which walks the
 * object's vmas under the mapping lock and never takes an address space's.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/refcount.h>
#include <base/types.h>
#include <sched/mutex.h>

struct file;
struct page;
struct vma;
struct vm_object;

struct vm_object_ops {
	/* The page at index (in pages), referenced, up to date, not locked,
	 * in *out.  write: the caller will map it writable and shared (the
	 * object allocates, copies up, marks dirty).  May sleep; called with
	 * no lock of the address space held.  -ENOMEM; -EIO and -ENXIO
	 * (beyond the end) become SIGBUS. */
	MUST_CHECK int (*fault)(struct vm_object *o, uint64_t index, bool write,
				struct page **out);
	/* Looks only: a page that is present and up to date, with a
	 * reference, or NULL.  Never sleeps; for fault-around. */
	struct page *(*peek)(struct vm_object *o, uint64_t index);
	/* A page that was mapped read-only is about to be written through a
	 * shared mapping.  0: make it writable; -EAGAIN: fault again. */
	MUST_CHECK int (*make_writable)(struct vm_object *o, uint64_t index,
					struct page *p);
	/* A writable mapping of the page was dirty when it was removed. */
	void (*set_dirty)(struct vm_object *o, struct page *p);
	/* msync(MS_SYNC), in pages [first, end); through a mapping of f. */
	MUST_CHECK int (*writeback)(struct vm_object *o, struct file *f,
				    uint64_t first, uint64_t end);
	void (*release)(struct vm_object *o);
};

struct vm_object {
	const struct vm_object_ops *ops; /* [I] */
	struct refcount refs;
	struct rwlock mapping_lock; /* RANK_MAPPING */
	struct list vmas;	    /* [mapping_lock] vma->object_link */
	uint64_t writable_maps;	    /* [mapping_lock] shared and writable */
	uint64_t unmap_seq;	    /* [mapping_lock] _unmap()s, _protect()s */
};

void vm_object_init(struct vm_object *o, const struct vm_object_ops *ops);
void vm_object_get(struct vm_object *o);
void vm_object_put(struct vm_object *o);

/* Removes all user mappings of pages [first, end) of the object; private
 * copies stay unless even_cow (truncate).  May sleep. */
void vm_object_unmap(struct vm_object *o, uint64_t first, uint64_t end,
		     bool even_cow);
/* Makes all shared mappings of pages [first, end) read-only: the next write
 * asks make_writable again.  What was written before is in the pages. */
void vm_object_protect(struct vm_object *o, uint64_t first, uint64_t end);
