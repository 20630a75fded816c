/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of vm share.
 *
 * The order of locks here: space->lock, vma->lock, object->mapping_lock,
 * pt_lock.  A vma's bounds, flags and offset change only with space->lock
 * and vma->lock held for writing, and its object's mapping lock too when it
 * has one, so any one of the three is enough to read them.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <core/spinlock.h>
#include <vm/object.h>
#include <vm/space.h>

static inline uint64_t
page_floor(uint64_t x)
{
	return x & ~PAGE_MASK;
}

static inline uint64_t
page_ceil(uint64_t x)
{
	return (x + PAGE_MASK) & ~PAGE_MASK;
}

#define VMA_RWX	    (VMA_READ | VMA_WRITE | VMA_EXEC)
#define STACK_GUARD (256ull * PAGE_SIZE) /* below a stack that grows */
#define MMAP_MIN    USER_MIN

extern struct vm_hooks vm_hooks;
extern struct spinlock pt_lock; /* RANK_PAGETABLE: user page tables */

/* space.c: the lock for writing.  Unlocking also drops the references of the
 * vmas that died meanwhile: the last one of a file may need locks that come
 * before ours. */
void vm_write_lock(struct vm_space *s);
void vm_write_unlock(struct vm_space *s);

/* tree.c: all but vma_lookup_fast() under space->lock. */
struct vma *vma_find(struct vm_space *s, vaddr_t addr); /* first end > addr */
struct vma *vma_at(struct vm_space *s, vaddr_t addr);	/* contains addr */
struct vma *vma_next(struct vma *v);
struct vma *vma_prev(struct vma *v);
struct vma *vma_last(struct vm_space *s);
void vma_insert(struct vm_space *s, struct vma *v);
void vma_erase(struct vm_space *s, struct vma *v);
/* Without a lock: a vma that seems to contain addr, or NULL.  The caller
 * takes the vma's lock without sleeping and looks again. */
struct vma *vma_lookup_fast(struct vm_space *s, vaddr_t addr);
/* The vma that contains addr with its lock held for reading, or NULL. */
struct vma *vma_lookup_read(struct vm_space *s, vaddr_t addr);

/* vma.c: life and changes; space->lock held for writing. */
struct vma *vma_create(struct vm_space *s, vaddr_t start, vaddr_t end,
		       uint32_t flags, struct vm_object *o, struct file *file,
		       uint64_t pgoff);
void vma_free(struct vma *v);	 /* never inserted */
void vma_publish(struct vma *v); /* into the tree and its object's list */
void vma_publish_linked(struct vma *v); /* into the tree only */
void vma_kill(struct vma *v);		/* out of both; its pages stay */
void vma_bury(struct vma *v);		/* after vma_kill(), without the lock */
void vma_set_range(struct vma *v, vaddr_t start, vaddr_t end);
void vma_set_flags(struct vma *v, uint32_t flags);
MUST_CHECK int vma_split(struct vma *v, vaddr_t at); /* v keeps the low part */
/* Joins v with its neighbours where they are alike; the one that is left. */
struct vma *vma_merge(struct vma *v);
void vma_object_link(struct vma *v);
void vma_object_unlink(struct vma *v);
bool vma_is_data(uint32_t flags); /* counts for RLIMIT_DATA */
/* Splits so that no vma lies across start or end. */
MUST_CHECK int vm_isolate(struct vm_space *s, vaddr_t start, vaddr_t end);

/* zap.c: removes the pages of [start, end) of v, flushes, frees. */
#define ZAP_KEEP_PRIVATE (1u << 0) /* copies of a private mapping stay */
/* -ENOMEM: a 2 MiB page lies across an end and could not be split. */
MUST_CHECK int vm_zap(struct vma *v, vaddr_t start, vaddr_t end, unsigned how);
/* Splits a 2 MiB page that lies across va, so that vm_zap() up to va or from
 * va cannot fail. */
MUST_CHECK int vm_cut_huge(vaddr_t va);

/* map.c */
MUST_CHECK long vm_find_gap(struct vm_space *s, vaddr_t hint, size_t len,
			    size_t align, unsigned how);
MUST_CHECK int vm_unmap_locked(struct vm_space *s, vaddr_t start, vaddr_t end);
MUST_CHECK int vm_may_add(struct vm_space *s, size_t len, uint32_t flags);

MUST_CHECK long vm_map_locked(struct vm_space *s, vaddr_t addr, size_t len,
			      uint32_t flags, struct vm_object *o,
			      struct file *file, uint64_t offset, unsigned how,
			      const char *name);
bool vm_range_valid(vaddr_t addr, size_t len);

/* fault.c */
enum fault_result {
	FAULT_DONE,
	FAULT_MAPERR,
	FAULT_ACCERR,
	FAULT_BUS,
	FAULT_NOMEM,
};
enum fault_result vm_fault(struct vm_space *s, vaddr_t addr, unsigned what);
/* Makes the range present as its vmas allow; 0, -ENOMEM, -EFAULT. */
MUST_CHECK int vm_populate(struct vm_space *s, vaddr_t start, vaddr_t end,
			   bool write);
/* advise.c: the same over several vmas, writing where one may. */
MUST_CHECK int vm_populate_range(struct vm_space *s, vaddr_t start,
				 vaddr_t end);
/* protect.c: clears and sets flags; -ENOMEM: there was a hole, at which it
 * has stopped, or not. */
MUST_CHECK int vm_set_flags(struct vm_space *s, vaddr_t addr, vaddr_t end,
			    uint32_t clear, uint32_t set, bool stop);
unsigned vma_prot(uint32_t flags); /* PTE_* for pages mapped in full */
