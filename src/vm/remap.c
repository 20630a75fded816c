/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mremap: shrink in place, grow in place, or move.
 *
 * A move makes the new vma first, then takes the old one out of the tree (so
 * that faults on both wait for the address space), then moves the entries of
 * the page table under the object's mapping lock, so that an unmapping by
 * the object sees each page in one place or the other.
 */
#include "space_priv.h"

#include <abi/errno.h>
#include <abi/mman.h>
#include <arch/mmu.h>
#include <base/assert.h>
#include <base/limits.h>
#include <mem/page.h>

struct move {
	vaddr_t from, to;
	size_t old_len, new_len;
	unsigned flags; /* MREMAP_* */
};

static int
move_entries(struct vma *from, struct vma *to, const struct move *m)
{
	size_t len = m->old_len < m->new_len ? m->old_len : m->new_len;
	struct vm_object *o = to->object;
	int err;

	if (!from->populated)
		return 0;
	to->populated = true;
	to->zeroes = from->zeroes;
	if (o != NULL)
		write_lock(&o->mapping_lock);
	spin_lock(&pt_lock);
	err = pt_move(m->from, m->to, len);
	if (err)
		/* back again: those tables exist */
		ignore(pt_move(m->to, m->from, len));
	spin_unlock(&pt_lock);
	if (o != NULL)
		write_unlock(&o->mapping_lock);
	tlb_flush_range(m->from, m->from + len);
	return err;
}

/* v covers [m->from, m->from + old_len); to has been chosen and is free. */
static long
move_vma(struct vm_space *s, struct vma *v, const struct move *m)
{
	bool keep = m->flags & MREMAP_DONTUNMAP;
	struct vma *n;
	int err;

	/* A 2 MiB page that would come to lie askew becomes small ones. */
	if ((m->from ^ m->to) & (HUGE_SIZE - 1)) {
		spin_lock(&pt_lock);
		err = pt_split_huge(m->from, m->from + m->old_len);
		spin_unlock(&pt_lock);
		if (err)
			return err;
	}
	err = vm_cut_huge(m->from);
	if (!err)
		err = vm_cut_huge(m->from + m->old_len);
	if (err)
		return err;
	if (m->old_len != 0) {
		err = vm_isolate(s, m->from, m->from + m->old_len);
		if (err)
			return err;
		v = vma_at(s, m->from);
	}
	n = vma_create(s, m->to, m->to + m->new_len, v->flags, v->object,
		       v->file,
		       v->pgoff + ((m->from - v->start) >> PAGE_SHIFT));
	if (n == NULL)
		return -ENOMEM;
	n->name = v->name;
	if (m->old_len == 0) {
		/* a second mapping of shared memory */
		vma_publish(n);
		vma_merge(n);
		return (long)m->to;
	}
	/* Nobody faults in either range until the entries have moved: the
	 * old vma's lock keeps them out of the one, and the new one is not
	 * in the tree. */
	write_lock(&v->lock);
	vma_object_link(n);
	err = move_entries(v, n, m);
	write_unlock(&v->lock);
	if (err) {
		vma_object_unlink(n);
		vma_free(n);
		return err;
	}
	if (keep) {
		v->populated = false;
	} else {
		vma_kill(v);
		/* what a shrinking move left behind; ends were cut */
		ignore(vm_zap(v, v->start, v->end, 0));
	}
	vma_publish_linked(n);
	vma_merge(n);
	return (long)m->to;
}

static bool
can_grow(struct vm_space *s, struct vma *v, vaddr_t end, vaddr_t new_end)
{
	struct vma *next = vma_next(v);

	return v->end == end && new_end > end && new_end <= USER_END &&
	       (next == NULL || next->start >= new_end) &&
	       vm_may_add(s, new_end - end, v->flags) == 0;
}

static int
check_args(const struct move *m, vaddr_t new_addr)
{
	if ((m->flags &
	     ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) ||
	    (m->from & PAGE_MASK) || m->new_len == 0)
		return -EINVAL;
	if ((m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) &&
	    !(m->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((m->flags & MREMAP_DONTUNMAP) && m->old_len != m->new_len)
		return -EINVAL;
	if (!vm_range_valid(m->from, m->old_len) || m->new_len > USER_END)
		return -EINVAL;
	if (m->flags & MREMAP_FIXED) {
		if (!vm_range_valid(new_addr, m->new_len) ||
		    new_addr < MMAP_MIN)
			return -EINVAL;
		if (new_addr < m->from + m->old_len &&
		    m->from < new_addr + m->new_len)
			return -EINVAL;
	}
	return 0;
}

static int
check_vma(const struct vma *v, const struct move *m)
{
	if (v == NULL)
		return -EFAULT;
	if (m->old_len == 0 && !(v->flags & VMA_SHARED))
		return -EINVAL;
	if ((m->old_len < m->new_len ? m->old_len : m->new_len) >
	    v->end - m->from)
		return -EFAULT;
	if ((m->flags & MREMAP_DONTUNMAP) && (v->flags & VMA_SPECIAL))
		return -EINVAL;
	/* Shared anonymous memory has no object to be mapped twice. */
	if (m->old_len == 0 && v->object == NULL)
		return -EINVAL;
	return 0;
}

static long
remap_locked(struct vm_space *s, struct move *m, vaddr_t new_addr, bool *grown)
{
	struct vma *v = vma_at(s, m->from);
	long at;
	int err;

	/* What is cut off may be of other vmas, and have holes; as may what
	 * keeps its size. */
	if (v != NULL && m->old_len >= m->new_len &&
	    !(m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		if (m->old_len == m->new_len)
			return (long)m->from;
		err = vm_unmap_locked(s, m->from + m->new_len,
				      m->from + m->old_len);
		return err ? err : (long)m->from;
	}
	err = check_vma(v, m);
	if (err)
		return err;
	if (!(m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		if (m->old_len != 0 && can_grow(s, v, m->from + m->old_len,
						m->from + m->new_len)) {
			vma_set_range(v, v->start, m->from + m->new_len);
			vma_merge(v);
			*grown = true;
			return (long)m->from;
		}
		if (!(m->flags & MREMAP_MAYMOVE))
			return -ENOMEM;
	}
	/* Room for the two parts of a split, as Linux asks. */
	if (s->nvmas + 3 >= LIMIT_MAPS)
		return -ENOMEM;
	err = vm_may_add(s,
			 m->flags & MREMAP_DONTUNMAP || m->old_len == 0 ?
				 m->new_len :
			 m->new_len > m->old_len ? m->new_len - m->old_len :
						   0,
			 v->flags);
	if (err)
		return err;
	if (m->flags & MREMAP_FIXED) {
		err = vm_unmap_locked(s, new_addr, new_addr + m->new_len);
		if (err)
			return err;
		if (m->old_len > m->new_len) {
			err = vm_unmap_locked(s, m->from + m->new_len,
					      m->from + m->old_len);
			if (err)
				return err;
			m->old_len = m->new_len;
		}
		at = (long)new_addr;
	} else {
		/* Keeps a large area on its place within 2 MiB. */
		size_t align =
			m->new_len >= HUGE_SIZE &&
					(m->from & (HUGE_SIZE - 1)) == 0 ?
				HUGE_SIZE :
				PAGE_SIZE;

		at = vm_find_gap(s, m->flags & MREMAP_DONTUNMAP ? new_addr : 0,
				 m->new_len, align, 0);
		if (at < 0)
			return at;
	}
	m->to = (vaddr_t)at;
	*grown = true;
	return move_vma(s, vma_at(s, m->from), m);
}

long
vm_remap(struct vm_space *s, vaddr_t old, size_t old_len, size_t new_len,
	 unsigned flags, vaddr_t new_addr)
{
	struct move m = {
		.from = old,
		.old_len = page_ceil(old_len),
		.new_len = page_ceil(new_len),
		.flags = flags,
	};
	bool grown = false, locked = false;
	struct vma *v;
	long r;

	r = check_args(&m, new_addr);
	if (r)
		return r;
	vm_write_lock(s);
	r = remap_locked(s, &m, new_addr, &grown);
	if (r >= 0 && grown && (v = vma_at(s, (vaddr_t)r)) != NULL)
		locked = v->flags & VMA_LOCKED;
	vm_write_unlock(s);
	if (r >= 0 && locked)
		/* as for MAP_LOCKED: not an error of this call */
		ignore(vm_populate_range(s, (vaddr_t)r,
					 (vaddr_t)r + m.new_len));
	return r;
}
