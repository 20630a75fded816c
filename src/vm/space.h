/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space: vmas in an ordered tree, and the system calls on it.
 *
 * Locks: struct vm_space.lock (read-write, RANK_VMSPACE) for the tree; each
 * vma has its own read lock that a fault takes after a lock-free lookup, so
 * two threads that fault do not meet, and mmap of one range does not stop a
 * fault in another.  Frames of page tables: the page-table lock.
 */
#pragma once

#include <arch/mmu.h>
#include <base/compiler.h>
#include <base/list.h>
#include <base/rbtree.h>
#include <base/refcount.h>
#include <base/types.h>
#include <core/reclaim.h>
#include <sched/mutex.h>

struct file;
struct vm_object;

/* vma->flags */
#define VMA_READ       (1u << 0)
#define VMA_WRITE      (1u << 1)
#define VMA_EXEC       (1u << 2)
#define VMA_SHARED     (1u << 3)
#define VMA_GROWSDOWN  (1u << 4)
#define VMA_LOCKED     (1u << 5)
#define VMA_HEAP       (1u << 6) /* brk */
#define VMA_STACK      (1u << 7)
#define VMA_NOHUGE     (1u << 8)
#define VMA_HUGE       (1u << 9)
#define VMA_DONTDUMP   (1u << 10)
#define VMA_MAYWRITE   (1u << 11) /* mprotect may add write */
#define VMA_SPECIAL    (1u << 12) /* vdso, vvar: name in vma->name */
#define VMA_NORESERVE  (1u << 13)
#define VMA_WIPEONFORK (1u << 14)
#define VMA_DONTFORK   (1u << 15)

struct vma {
	vaddr_t start, end;	  /* [space] page aligned */
	uint32_t flags;		  /* [space] VMA_* */
	struct vm_object *object; /* [I] NULL: anonymous private */
	uint64_t pgoff;		  /* [space] page of the object at start */
	struct file *file;	  /* [I] for /proc/self/maps; reference */
	const char *name;	  /* [I] "[heap]"; static */
	struct rb_node node;	  /* [space] */
	struct list object_link;  /* [object's mapping lock] */
	struct vm_space *space;	  /* [I] */
	struct rwlock lock;	  /* read: faults; write: changes to it */
	bool dead;		  /* [lock] unmapped; the fault looks again */
	bool zeroes;		  /* [a] may hold the shared zero page */
	bool populated;		  /* [a] has had a page mapped */
	struct reclaim_head reclaim;
};

struct vm_space {
	struct rwlock lock;  /* RANK_VMSPACE */
	struct rb_root vmas; /* [lock] */
	struct list dead;    /* [lock] vmas whose references are owed */
	struct refcount refs;
	vaddr_t mmap_top;	/* [I] mappings grow down from here */
	vaddr_t brk_start, brk; /* [lock] */
	vaddr_t stack_top;	/* [I] */
	vaddr_t arg_start, arg_end, env_start, env_end;
	vaddr_t vdso;
	uint64_t stack_limit; /* bytes, RLIMIT_STACK at exec */
	uint64_t as_limit;    /* RLIMIT_AS, bytes */
	uint64_t data_limit;
	uint64_t total_pages;	     /* [lock] VmSize */
	uint64_t rss_anon, rss_file; /* [a] pages */
	uint64_t hiwater_pages;	     /* [a] */
	uint64_t minflt, majflt;     /* [a] */
	bool aslr;		     /* [I] */
	bool no_huge;		     /* [a] prctl(PR_SET_THP_DISABLE) */
	bool lock_future;	     /* [lock] mlockall(MCL_FUTURE) */
	bool lock_on_fault;	     /* [lock] ... and MCL_ONFAULT */
	uint64_t locked_pages;	     /* [lock] VmLck */
	uint64_t data_pages;	     /* [lock] VmData */
	unsigned nvmas;		     /* [lock] */
	vaddr_t hole_hint;	     /* [lock] no gap above is larger than */
	size_t hole_len;	     /* [lock] ... this many bytes */
};

/* What vm needs of layers above it; handed down by kmain() once. */
struct vm_hooks {
	void (*file_get)(struct file *f);
	void (*file_put)(struct file *f);
	void (*random)(void *buf, size_t len);
	/* The program's memory is gone: say so and send it SIGKILL.  Called
	 * in the faulting thread; returns. */
	void (*oom)(void);
};
void vm_init(const struct vm_hooks *hooks);

MUST_CHECK int vm_space_create(bool aslr, struct vm_space **out);
void vm_space_get(struct vm_space *s);
void vm_space_put(struct vm_space *s); /* the last one unmaps all */

/* Maps; the general form behind mmap, the ELF loader and brk.  addr 0 with
 * !fixed: the kernel chooses.  Returns the address or -errno.  Takes its own
 * references to object and file.  len in bytes, offset in bytes. */
MUST_CHECK long vm_map(struct vm_space *s, vaddr_t addr, size_t len,
		       uint32_t vma_flags, struct vm_object *o,
		       struct file *file, uint64_t offset, unsigned how);
#define VM_FIXED	   (1u << 0) /* replaces what is there */
#define VM_FIXED_NOREPLACE (1u << 1) /* -EEXIST */
#define VM_POPULATE	   (1u << 2)
#define VM_LOW32	   (1u << 3) /* MAP_32BIT */

MUST_CHECK int vm_unmap(struct vm_space *s, vaddr_t addr, size_t len);
MUST_CHECK int vm_protect(struct vm_space *s, vaddr_t addr, size_t len,
			  uint32_t rwx);
MUST_CHECK long vm_remap(struct vm_space *s, vaddr_t old, size_t old_len,
			 size_t new_len, unsigned flags, vaddr_t new_addr);
vaddr_t vm_brk(struct vm_space *s, vaddr_t brk); /* as brk(2): new break */
MUST_CHECK int vm_advise(struct vm_space *s, vaddr_t addr, size_t len,
			 int advice);
MUST_CHECK int vm_sync(struct vm_space *s, vaddr_t addr, size_t len, int flags);
/* populate: brings the pages in, too (not MLOCK_ONFAULT). */
MUST_CHECK int vm_lock_range(struct vm_space *s, vaddr_t addr, size_t len,
			     bool lock, bool populate);
/* mlockall and munlockall (flags 0), by MCL_*. */
MUST_CHECK int vm_lock_all(struct vm_space *s, int flags);
/* Where the vma at addr that grows down begins: PROT_GROWSDOWN.  -ENOMEM:
 * nothing there, -EINVAL: it does not grow down. */
MUST_CHECK int vm_growsdown_start(struct vm_space *s, vaddr_t addr,
				  vaddr_t *start);
MUST_CHECK int vm_mincore(struct vm_space *s, vaddr_t addr, size_t len,
			  uint8_t __user *vec);
/* Unmaps everything: execve. */
void vm_unmap_all(struct vm_space *s);

/* For /proc/self/maps and reports: calls fn for each vma in order under the
 * read lock; fn copies what it needs. */
void vm_for_each(struct vm_space *s, bool (*fn)(struct vma *v, void *arg),
		 void *arg);

/* A kernel read of program memory by address for another thread's use
 * (reports, /proc/self/mem); bytes read. */
size_t vm_peek(struct vm_space *s, vaddr_t addr, void *buf, size_t len);

/* Futex keys: 0 and (object, page index) or (space, address), or -EFAULT. */
struct futex_key {
	void *owner;
	uint64_t offset; /* bytes */
};
MUST_CHECK int vm_futex_key(struct vm_space *s, vaddr_t addr, bool shared,
			    struct futex_key *out);
