/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mprotect, and the other calls that walk a range of vmas and change what
 * each is: locking and the flags that madvise sets.
 *
 * Protection is taken away from the page table at once, followed by a flush.
 * It is given back at once for reading and executing; write access only where
 * every page is the program's own (anonymous memory that never had the page
 * of zeroes), else by the next fault.
 */
#include "space_priv.h"

#include <abi/errno.h>
#include <abi/mman.h>
#include <arch/mmu.h>
#include <base/assert.h>
#include <base/limits.h>
#include <mem/page.h>

/* Gives v, which lies within the range, its new flags; then joins it with
 * its like.  Returns what is left of it. */
static struct vma *
set_flags(struct vma *v, uint32_t flags)
{
	if (v->flags != flags)
		vma_set_flags(v, flags);
	return vma_merge(v);
}

/* Splits v to what lies in [start, end). */
static int
clip(struct vma *v, vaddr_t start, vaddr_t end, struct vma **out)
{
	int err = 0;

	if (v->start < start) {
		err = vma_split(v, start);
		if (err)
			return err;
		v = vma_next(v);
	}
	if (v->end > end)
		err = vma_split(v, end);
	*out = v;
	return err;
}

static int
apply_prot(struct vma *v, uint32_t old, uint32_t new)
{
	unsigned was = vma_prot(old), is = vma_prot(new);
	unsigned add = is;
	int err;

	if (!v->populated || was == is)
		return 0;
	if (v->object != NULL || v->zeroes)
		add &= ~PTE_WRITE;
	spin_lock(&pt_lock);
	err = pt_protect(v->start, v->end, is, add);
	spin_unlock(&pt_lock);
	if (was & ~is)
		tlb_flush_range(v->start, v->end);
	return err;
}

static int
protect_one(struct vm_space *s, struct vma *v, uint32_t rwx, struct vma **out)
{
	uint32_t old = v->flags;
	uint32_t new = (old & ~VMA_RWX) | rwx;
	int err;

	*out = v;
	if (old == new)
		return 0;
	/* Private memory that becomes writable is a promise of frames. */
	if (vma_is_data(new) && !vma_is_data(old)) {
		uint64_t bytes = s->data_pages << PAGE_SHIFT;
		size_t len = v->end - v->start;

		if (len > s->data_limit || bytes > s->data_limit - len)
			return -ENOMEM;
	}
	err = vm_cut_huge(v->start);
	if (!err)
		err = vm_cut_huge(v->end);
	if (err)
		return err;
	/* Faults that come between go by the new flags: against pages that
	 * are still as before they only find their place taken. */
	vma_set_flags(v, new);
	err = apply_prot(v, old, new);
	assert(err == 0); /* both ends were cut */
	*out = vma_merge(v);
	return 0;
}

int
vm_protect(struct vm_space *s, vaddr_t addr, size_t len, uint32_t rwx)
{
	vaddr_t at = addr, end;
	struct vma *v;
	int err = 0;

	if (addr & PAGE_MASK)
		return -EINVAL;
	if (len == 0)
		return 0;
	len = page_ceil(len);
	if (len == 0 || !vm_range_valid(addr, len))
		return -ENOMEM;
	end = addr + len;
	vm_write_lock(s);
	while (at < end) {
		v = vma_at(s, at);
		if (v == NULL) {
			err = -ENOMEM;
			break;
		}
		if ((rwx & VMA_WRITE) && !(v->flags & VMA_MAYWRITE)) {
			err = -EACCES;
			break;
		}
		if ((v->flags & VMA_RWX) == rwx) {
			at = v->end;
			continue;
		}
		err = clip(v, at, end, &v);
		if (!err) {
			at = v->end;
			err = protect_one(s, v, rwx, &v);
		}
		if (err)
			break;
	}
	vm_write_unlock(s);
	return err;
}

int
vm_set_flags(struct vm_space *s, vaddr_t addr, vaddr_t end, uint32_t clear,
	     uint32_t set, bool stop)
{
	vaddr_t at = addr;
	bool hole = false;
	int err = 0;

	vm_write_lock(s);
	while (at < end && !err) {
		struct vma *v = vma_find(s, at);

		if (v == NULL || v->start >= end || (stop && v->start > at)) {
			hole = true;
			break;
		}
		if (v->start > at) {
			hole = true;
			at = v->start;
		}
		err = clip(v, at, end, &v);
		if (err)
			break;
		at = v->end;
		set_flags(v, (v->flags & ~clear) | set);
	}
	vm_write_unlock(s);
	if (err)
		return err;
	return hole ? -ENOMEM : 0;
}

int
vm_lock_range(struct vm_space *s, vaddr_t addr, size_t len, bool lock,
	      bool populate)
{
	vaddr_t start = page_floor(addr);
	/* Linux lets the length wrap to nothing here. */
	vaddr_t end = start + page_ceil(len + (addr - start));
	int err;

	if (end < start)
		return -EINVAL;
	if (end > USER_END)
		return -ENOMEM;
	if (start == end)
		return 0;
	err = vm_set_flags(s, start, end, lock ? 0 : VMA_LOCKED,
			   lock ? VMA_LOCKED : 0, true);
	if (err || !lock || !populate)
		return err;
	return vm_populate_range(s, start, end);
}

int
vm_lock_all(struct vm_space *s, int flags)
{
	struct vma *v;

	vm_write_lock(s);
	s->lock_future = flags & MCL_FUTURE;
	s->lock_on_fault = flags & MCL_ONFAULT;
	if (flags == 0 || (flags & MCL_CURRENT)) {
		for (v = vma_find(s, 0); v != NULL; v = vma_next(v)) {
			uint32_t f = v->flags & ~VMA_LOCKED;

			if (flags != 0 && !(f & VMA_SPECIAL))
				f |= VMA_LOCKED;
			v = set_flags(v, f);
		}
	}
	vm_write_unlock(s);
	if (!(flags & MCL_CURRENT) || (flags & MCL_ONFAULT))
		return 0;
	for (vaddr_t at = 0;;) {
		vaddr_t start, end;

		read_lock(&s->lock);
		v = vma_find(s, at);
		start = v != NULL ? v->start : 0;
		end = v != NULL ? v->end : 0;
		read_unlock(&s->lock);
		if (v == NULL)
			return 0;
		/* As on Linux: what cannot be brought in is no error here. */
		ignore(vm_populate_range(s, start, end));
		at = end;
	}
}

int
vm_growsdown_start(struct vm_space *s, vaddr_t addr, vaddr_t *start)
{
	struct vma *v;
	int err = -ENOMEM;

	read_lock(&s->lock);
	v = vma_at(s, addr);
	if (v != NULL) {
		err = v->flags & VMA_GROWSDOWN ? 0 : -EINVAL;
		*start = v->start;
	}
	read_unlock(&s->lock);
	return err;
}
