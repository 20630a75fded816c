/* SPDX-License-Identifier: Apache-2.0 */
/*
 * madvise, msync, mincore: calls that look at, or act on, the pages of a
 * range without changing the mappings much.
 *
 * MADV_DONTNEED and MADV_FREE take the locks for reading only: a fault that
 * comes at the same moment brings a fresh page before or after, either of
 * which the program asked for.  MADV_FREE frees at once, which its contract
 * allows.
 *
 * Not implemented, and answered EINVAL: MADV_REMOVE, COLD, PAGEOUT,
 * MERGEABLE, UNMERGEABLE, and everything unknown.
 */
#include "space_priv.h"

#include <abi/errno.h>
#include <abi/mman.h>
#include <arch/mmu.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

/*
 * Calls fn for each part of [start, end) that is mapped, with the vma's lock
 * held for reading.  -ENOMEM if some was not; else fn's first error.
 */
static int
for_range(struct vm_space *s, vaddr_t start, vaddr_t end,
	  int (*fn)(struct vma *v, vaddr_t start, vaddr_t end))
{
	bool hole = false;
	int err = 0;

	read_lock(&s->lock);
	while (start < end && !err) {
		struct vma *v = vma_find(s, start);
		vaddr_t stop;

		if (v == NULL || v->start >= end) {
			hole = true;
			break;
		}
		if (v->start > start) {
			hole = true;
			start = v->start;
		}
		stop = v->end < end ? v->end : end;
		read_lock(&v->lock);
		err = fn(v, start, stop);
		read_unlock(&v->lock);
		start = stop;
	}
	read_unlock(&s->lock);
	if (err)
		return err;
	return hole ? -ENOMEM : 0;
}

static int
cut_and_zap(struct vma *v, vaddr_t start, vaddr_t end)
{
	int err = vm_cut_huge(start);

	if (!err)
		err = vm_cut_huge(end);
	if (!err)
		err = vm_zap(v, start, end, 0);
	return err ? -EAGAIN : 0;
}

static int
dont_need(struct vma *v, vaddr_t start, vaddr_t end)
{
	if (v->flags & (VMA_LOCKED | VMA_SPECIAL))
		return -EINVAL;
	return cut_and_zap(v, start, end);
}

static int
free_lazily(struct vma *v, vaddr_t start, vaddr_t end)
{
	if (v->object != NULL || (v->flags & (VMA_SHARED | VMA_LOCKED)))
		return -EINVAL;
	return cut_and_zap(v, start, end);
}

/* One vma at a time, as the object may read from a device. */
static int
will_need(struct vm_space *s, vaddr_t start, vaddr_t end)
{
	bool hole = false;

	while (start < end) {
		struct vm_object *o = NULL;
		uint64_t index = 0, n = 0;
		struct vma *v;

		read_lock(&s->lock);
		v = vma_find(s, start);
		if (v == NULL || v->start >= end) {
			read_unlock(&s->lock);
			return -ENOMEM;
		}
		if (v->start > start) {
			hole = true;
			start = v->start;
		}
		if (v->object != NULL && !(v->flags & VMA_SPECIAL)) {
			o = v->object;
			vm_object_get(o);
			index = v->pgoff + ((start - v->start) >> PAGE_SHIFT);
		}
		n = ((v->end < end ? v->end : end) - start) >> PAGE_SHIFT;
		read_unlock(&s->lock);
		start += n << PAGE_SHIFT;
		for (uint64_t i = 0; o != NULL && i < n; i++) {
			struct page *p;

			/* a hint: the end of the file ends it */
			if (o->ops->fault(o, index + i, false, &p))
				break;
			page_put(p);
			if (mem_free_pages() < 1024)
				break;
		}
		if (o != NULL)
			vm_object_put(o);
	}
	return hole ? -ENOMEM : 0;
}

/* As vm_populate(), vma by vma, for what each allows. */
int
vm_populate_range(struct vm_space *s, vaddr_t start, vaddr_t end)
{
	while (start < end) {
		vaddr_t stop;
		uint32_t flags;
		struct vma *v;
		int err;

		read_lock(&s->lock);
		v = vma_at(s, start);
		if (v == NULL) {
			read_unlock(&s->lock);
			return -ENOMEM;
		}
		stop = v->end < end ? v->end : end;
		flags = v->flags;
		read_unlock(&s->lock);
		if (!(flags & VMA_RWX))
			return -ENOMEM;
		/* A shared page is not made dirty by locking it. */
		err = vm_populate(s, start, stop,
				  (flags & VMA_WRITE) && !(flags & VMA_SHARED));
		if (err)
			return err == -EFAULT ? -ENOMEM : err;
		start = stop;
	}
	return 0;
}

/* From the start on: the first thing in the way is what the program hears of. */
static int
populate_for(struct vm_space *s, vaddr_t start, vaddr_t end, bool write)
{
	while (start < end) {
		vaddr_t stop = end;
		uint32_t flags = 0;
		struct vma *v;
		int err;

		read_lock(&s->lock);
		v = vma_at(s, start);
		if (v != NULL) {
			flags = v->flags;
			stop = v->end < end ? v->end : end;
		}
		read_unlock(&s->lock);
		if (v == NULL)
			return -ENOMEM;
		if ((flags & VMA_SPECIAL) ||
		    !(flags & (write ? VMA_WRITE : VMA_RWX)))
			return -EINVAL;
		err = vm_populate(s, start, stop, write);
		if (err)
			return err;
		start = stop;
	}
	return 0;
}

struct advice_flags {
	int advice;
	uint32_t clear, set;
};

static const struct advice_flags advice_flags[] = {
	{ MADV_HUGEPAGE, VMA_NOHUGE, VMA_HUGE },
	{ MADV_NOHUGEPAGE, VMA_HUGE, VMA_NOHUGE },
	{ MADV_DONTDUMP, 0, VMA_DONTDUMP },
	{ MADV_DODUMP, VMA_DONTDUMP, 0 },
	{ MADV_DONTFORK, 0, VMA_DONTFORK },
	{ MADV_DOFORK, VMA_DONTFORK, 0 },
	{ MADV_WIPEONFORK, 0, VMA_WIPEONFORK },
	{ MADV_KEEPONFORK, VMA_WIPEONFORK, 0 },
};

static int
is_private_anon(struct vma *v, vaddr_t start, vaddr_t end)
{
	(void)start, (void)end;
	return v->object == NULL && !(v->flags & VMA_SHARED) ? 0 : -EINVAL;
}

static int
mapped(struct vma *v, vaddr_t start, vaddr_t end)
{
	(void)v, (void)start, (void)end;
	return 0;
}

int
vm_advise(struct vm_space *s, vaddr_t addr, size_t len, int advice)
{
	vaddr_t end;
	int err;

	if (addr & PAGE_MASK)
		return -EINVAL;
	end = addr + page_ceil(len);
	if (page_ceil(len) < len || end < addr)
		return -EINVAL;
	for (unsigned i = 0; i < ARRAY_SIZE(advice_flags); i++) {
		const struct advice_flags *a = &advice_flags[i];

		if (a->advice != advice)
			continue;
		if (addr == end)
			return 0;
		if (advice == MADV_WIPEONFORK) {
			err = for_range(s, addr, end, is_private_anon);
			if (err)
				return err;
		}
		return vm_set_flags(s, addr, end, a->clear, a->set, false);
	}
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
		/* hints about what comes; the range is checked */
		return addr == end ? 0 : for_range(s, addr, end, mapped);
	case MADV_DONTNEED:
		return addr == end ? 0 : for_range(s, addr, end, dont_need);
	case MADV_FREE:
		return addr == end ? 0 : for_range(s, addr, end, free_lazily);
	case MADV_WILLNEED:
		return addr == end ? 0 : will_need(s, addr, end);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return addr == end ?
			       0 :
			       populate_for(s, addr, end,
					    advice == MADV_POPULATE_WRITE);
	default:
		return -EINVAL;
	}
}

/*
 * msync.
 */

int
vm_sync(struct vm_space *s, vaddr_t addr, size_t len, int flags)
{
	vaddr_t at = addr, end;
	bool hole = false;
	int err = 0;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
	    (addr & PAGE_MASK) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	end = addr + page_ceil(len);
	if (page_ceil(len) < len || end < addr)
		return -ENOMEM;
	while (at < end && !err) {
		struct vm_object *o = NULL;
		struct file *f = NULL;
		uint64_t first = 0, n;
		struct vma *v;

		read_lock(&s->lock);
		v = vma_find(s, at);
		if (v == NULL || v->start >= end) {
			read_unlock(&s->lock);
			return -ENOMEM;
		}
		if (v->start > at) {
			hole = true;
			at = v->start;
		}
		if ((flags & MS_INVALIDATE) && (v->flags & VMA_LOCKED))
			err = -EBUSY;
		if ((flags & MS_SYNC) && (v->flags & VMA_SHARED) &&
		    v->object != NULL && v->object->ops->writeback != NULL) {
			o = v->object;
			vm_object_get(o);
			f = v->file;
			if (f != NULL)
				vm_hooks.file_get(f);
			first = v->pgoff + ((at - v->start) >> PAGE_SHIFT);
		}
		n = ((v->end < end ? v->end : end) - at) >> PAGE_SHIFT;
		at += n << PAGE_SHIFT;
		read_unlock(&s->lock);
		if (o != NULL) {
			if (!err)
				err = o->ops->writeback(o, f, first, first + n);
			if (f != NULL)
				vm_hooks.file_put(f);
			vm_object_put(o);
		}
	}
	if (err)
		return err;
	return hole ? -ENOMEM : 0;
}

/*
 * mincore.
 */

static uint8_t
is_resident(struct vma *v, vaddr_t va)
{
	struct vm_object *o = v->object;
	struct page *p;
	paddr_t pa;
	unsigned prot;

	spin_lock(&pt_lock);
	prot = pt_query(va, &pa);
	spin_unlock(&pt_lock);
	if (prot != 0)
		return 1;
	if (o == NULL || o->ops->peek == NULL)
		return 0;
	p = o->ops->peek(o, v->pgoff + ((va - v->start) >> PAGE_SHIFT));
	if (p == NULL)
		return 0;
	page_put(p);
	return 1;
}

int
vm_mincore(struct vm_space *s, vaddr_t addr, size_t len, uint8_t __user *vec)
{
	vaddr_t end = addr + page_ceil(len);
	uint8_t buf[256];

	if (addr & PAGE_MASK)
		return -EINVAL;
	if (page_ceil(len) < len || end < addr || end > USER_END)
		return -ENOMEM;
	if (!user_range_ok(vec, page_ceil(len) >> PAGE_SHIFT))
		return -EFAULT;
	while (addr < end) {
		unsigned n = 0;

		read_lock(&s->lock);
		while (n < sizeof(buf) && addr < end) {
			struct vma *v = vma_at(s, addr);

			if (v == NULL) {
				read_unlock(&s->lock);
				return -ENOMEM;
			}
			buf[n++] = is_resident(v, addr);
			addr += PAGE_SIZE;
		}
		read_unlock(&s->lock);
		if (copy_to_user(vec, buf, n))
			return -EFAULT;
		vec += n;
	}
	return 0;
}
