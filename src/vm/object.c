/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory objects, and unmapping from the object's side.
 *
 * vm_object_unmap() takes the mapping lock for writing: the vmas of the
 * object keep still, and a fault that has a page in its hand but has not
 * mapped it yet (it maps under the same lock, for reading) sees by unmap_seq
 * that it must ask again.  The owner takes a page out of its index before it
 * calls, so asking again does not find it.
 */
#include "space_priv.h"

#include <arch/mmu.h>
#include <base/assert.h>
#include <mem/page.h>

void
vm_object_init(struct vm_object *o, const struct vm_object_ops *ops)
{
	o->ops = ops;
	refcount_set(&o->refs, 1);
	rwlock_init(&o->mapping_lock, RANK_MAPPING);
	list_init(&o->vmas);
	o->writable_maps = 0;
	o->unmap_seq = 0;
}

void
vm_object_get(struct vm_object *o)
{
	refcount_get(&o->refs);
}

void
vm_object_put(struct vm_object *o)
{
	if (refcount_put(&o->refs)) {
		assert(list_empty(&o->vmas));
		if (o->ops->release != NULL)
			o->ops->release(o);
	}
}

/* The part of [first, end) that v maps, as addresses; false: none. */
static bool
overlap(const struct vma *v, uint64_t first, uint64_t end, vaddr_t *va,
	vaddr_t *va_end)
{
	uint64_t v_end = v->pgoff + ((v->end - v->start) >> PAGE_SHIFT);

	if (first < v->pgoff)
		first = v->pgoff;
	if (end > v_end)
		end = v_end;
	if (first >= end)
		return false;
	*va = v->start + ((first - v->pgoff) << PAGE_SHIFT);
	*va_end = v->start + ((end - v->pgoff) << PAGE_SHIFT);
	return true;
}

void
vm_object_unmap(struct vm_object *o, uint64_t first, uint64_t end,
		bool even_cow)
{
	struct vma *v;

	write_lock(&o->mapping_lock);
	o->unmap_seq++;
	list_for_each_entry(v, &o->vmas, object_link) {
		vaddr_t va, va_end;

		if (overlap(v, first, end, &va, &va_end))
			/* objects have no 2 MiB pages: nothing to split */
			ignore(vm_zap(v, va, va_end,
				      even_cow ? 0 : ZAP_KEEP_PRIVATE));
	}
	write_unlock(&o->mapping_lock);
}

void
vm_object_protect(struct vm_object *o, uint64_t first, uint64_t end)
{
	struct vma *v;

	write_lock(&o->mapping_lock);
	o->unmap_seq++;
	list_for_each_entry(v, &o->vmas, object_link) {
		vaddr_t va, va_end;

		if (!(v->flags & VMA_SHARED) || !v->populated ||
		    !overlap(v, first, end, &va, &va_end))
			continue;
		spin_lock(&pt_lock);
		/* no 2 MiB pages here: cannot fail */
		ignore(pt_protect(va, va_end, ~(unsigned)PTE_WRITE, 0));
		spin_unlock(&pt_lock);
		tlb_flush_range(va, va_end);
	}
	write_unlock(&o->mapping_lock);
}
