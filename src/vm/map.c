/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mapping and unmapping: mmap, munmap, brk.
 *
 * A free address is looked for from the top down.  hole_hint remembers where
 * the last search ended: above it no gap is larger than hole_len, so that a
 * program with thousands of mappings does not walk them all each time.
 * Unmapping moves the hint up again.
 *
 * Promises of memory are checked as Linux does by default: one request for
 * more than the whole machine is refused, the sum of them is not.
 */
#include "space_priv.h"

#include <abi/errno.h>
#include <arch/mmu.h>
#include <base/assert.h>
#include <base/limits.h>
#include <base/math.h>
#include <mem/page.h>

#define LOW32_START 0x40000000ull /* MAP_32BIT: Linux's range */
#define LOW32_END   0x80000000ull

/*
 * Finding room.
 */

/* Where the space between two vmas ends for others: a stack that grows keeps
 * its guard. */
static inline vaddr_t
gap_end(const struct vma *above)
{
	if (!(above->flags & VMA_GROWSDOWN))
		return above->start;
	return above->start > STACK_GUARD ? above->start - STACK_GUARD : 0;
}

static bool
range_is_free(struct vm_space *s, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(s, start);

	return v == NULL || gap_end(v) >= end;
}

/* The highest place of len bytes in [low, high), 0: none.  *hole: the
 * largest gap passed over. */
static vaddr_t
search_down(struct vm_space *s, vaddr_t low, vaddr_t high, size_t len,
	    size_t align, size_t *hole)
{
	struct vma *above = vma_find(s, high - 1);
	struct vma *below;
	vaddr_t top = high;

	/* `above` is the first vma that ends at or beyond high. */
	if (above != NULL && gap_end(above) < top)
		top = gap_end(above);
	below = above != NULL ? vma_prev(above) : vma_last(s);
	for (;;) {
		vaddr_t bottom = below != NULL ? below->end : 0;
		vaddr_t at;

		if (bottom < low)
			bottom = low;
		if (top > bottom && top - bottom >= len) {
			at = (top - len) & ~(align - 1);
			if (at >= bottom)
				return at;
		}
		if (top > bottom && top - bottom > *hole)
			*hole = top - bottom;
		if (below == NULL || below->start <= low)
			return 0;
		top = gap_end(below);
		below = vma_prev(below);
	}
}

long
vm_find_gap(struct vm_space *s, vaddr_t hint, size_t len, size_t align,
	    unsigned how)
{
	vaddr_t at;
	size_t hole = 0;

	/* MAP_32BIT, too, takes a hint that it can take (sbcl). */
	if (hint != 0) {
		vaddr_t end = how & VM_LOW32 ? LOW32_END : USER_END;

		hint = page_floor(hint);
		if (hint < MMAP_MIN)
			hint = MMAP_MIN;
		if (hint + len <= end && hint + len > hint &&
		    range_is_free(s, hint, hint + len))
			return (long)hint;
	}
	if (how & VM_LOW32) {
		at = search_down(s, LOW32_START, LOW32_END, len, PAGE_SIZE,
				 &hole);
		return at != 0 ? (long)at : -ENOMEM;
	}
	if (len > s->hole_len && s->hole_hint < s->mmap_top) {
		hole = s->hole_len;
		at = search_down(s, MMAP_MIN, s->hole_hint, len, align, &hole);
	} else {
		at = search_down(s, MMAP_MIN, s->mmap_top, len, align, &hole);
	}
	if (at != 0) {
		s->hole_hint = at + len < s->mmap_top ? at + len : s->mmap_top;
		s->hole_len = hole;
		return (long)at;
	}
	/* All below is full: the whole range, then above mmap_top. */
	hole = 0;
	at = search_down(s, MMAP_MIN, USER_END, len, align, &hole);
	return at != 0 ? (long)at : -ENOMEM;
}

static void
hint_freed(struct vm_space *s, vaddr_t end)
{
	struct vma *above;

	if (end <= s->hole_hint)
		return;
	above = vma_find(s, end - 1);
	s->hole_hint = above != NULL && above->start < s->mmap_top ?
			       above->start :
			       s->mmap_top;
}

/*
 * Limits.
 */

/* Go's runtime maps 32 MiB for an index of which it touches a page or two: a
 * small machine must not refuse that. */
#define PROMISE_ALWAYS ((64u << 20) / PAGE_SIZE)

static bool
promise_too_large(size_t len, uint32_t flags)
{
	if ((flags & (VMA_WRITE | VMA_SHARED | VMA_NORESERVE)) != VMA_WRITE)
		return false;
	return len / PAGE_SIZE > max_u64(mem_total_pages(), PROMISE_ALWAYS);
}

int
vm_may_add(struct vm_space *s, size_t len, uint32_t flags)
{
	uint64_t bytes = s->total_pages << PAGE_SHIFT;

	if (s->nvmas >= LIMIT_MAPS)
		return -ENOMEM;
	if (len > s->as_limit || bytes > s->as_limit - len)
		return -ENOMEM;
	if (vma_is_data(flags)) {
		bytes = s->data_pages << PAGE_SHIFT;
		if (len > s->data_limit || bytes > s->data_limit - len)
			return -ENOMEM;
	}
	return promise_too_large(len, flags) ? -ENOMEM : 0;
}

/*
 * Unmapping.
 */

int
vm_unmap_locked(struct vm_space *s, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(s, start);
	int err;

	if (v == NULL || v->start >= end)
		return 0;
	if (v->start < start || v->end > end || v->end < end) {
		err = vm_isolate(s, start, end);
		if (err)
			return err;
	}
	err = vm_cut_huge(start);
	if (!err)
		err = vm_cut_huge(end);
	if (err)
		return err;
	while ((v = vma_find(s, start)) != NULL && v->start < end) {
		assert(v->start >= start && v->end <= end);
		vma_kill(v);
		err = vm_zap(v, v->start, v->end, 0);
		assert(err == 0); /* both ends were cut */
	}
	hint_freed(s, end);
	return 0;
}

bool
vm_range_valid(vaddr_t addr, size_t len)
{
	return (addr & PAGE_MASK) == 0 && addr <= USER_END &&
	       len <= USER_END - addr;
}

int
vm_unmap(struct vm_space *s, vaddr_t addr, size_t len)
{
	int err;

	if (len == 0 || len > USER_END || !vm_range_valid(addr, page_ceil(len)))
		return -EINVAL;
	vm_write_lock(s);
	err = vm_unmap_locked(s, addr, addr + page_ceil(len));
	vm_write_unlock(s);
	return err;
}

/*
 * Mapping.
 */

/* Large private memory starts at a multiple of 2 MiB, so that it can have
 * large pages; not stacks, of which there are many and mostly unused. */
static size_t
align_for(size_t len, uint32_t flags, const struct vm_object *o)
{
	if (o != NULL || (flags & (VMA_SHARED | VMA_NOHUGE)) ||
	    !(flags & (VMA_WRITE | VMA_NORESERVE)) || len < HUGE_SIZE)
		return PAGE_SIZE;
	return HUGE_SIZE;
}

static long
choose_address(struct vm_space *s, vaddr_t addr, size_t len, uint32_t flags,
	       const struct vm_object *o, unsigned how)
{
	size_t align = align_for(len, flags, o);
	long at;

	if (how & (VM_FIXED | VM_FIXED_NOREPLACE)) {
		if (addr & PAGE_MASK)
			return -EINVAL;
		if (!vm_range_valid(addr, len))
			return -ENOMEM;
		if (addr < MMAP_MIN)
			return -EPERM;
		if ((how & VM_FIXED_NOREPLACE)) {
			struct vma *v = vma_find(s, addr);

			if (v != NULL && v->start < addr + len)
				return -EEXIST;
		}
		return (long)addr;
	}
	at = vm_find_gap(s, addr, len, align, how);
	if (at < 0 && align > PAGE_SIZE)
		at = vm_find_gap(s, addr, len, PAGE_SIZE, how);
	return at;
}

/* The address may be taken: makes the vma and joins it with its like. */
static int
map_at(struct vm_space *s, vaddr_t start, vaddr_t end, uint32_t flags,
       struct vm_object *o, struct file *file, uint64_t pgoff, const char *name)
{
	struct vma *v;

	/* The common case, more of the same below or above, needs no new
	 * vma. */
	if (o == NULL && file == NULL && !(flags & VMA_SPECIAL)) {
		v = vma_find(s, end);
		if (v != NULL && v->start == end && v->object == NULL &&
		    v->flags == flags && v->file == NULL && v->name == name) {
			vma_set_range(v, start, v->end);
			vma_merge(v);
			return 0;
		}
		v = v != NULL ? vma_prev(v) : vma_last(s);
		if (v != NULL && v->end == start && v->object == NULL &&
		    v->flags == flags && v->file == NULL && v->name == name) {
			vma_set_range(v, v->start, end);
			return 0;
		}
	}
	v = vma_create(s, start, end, flags, o, file, pgoff);
	if (v == NULL)
		return -ENOMEM;
	v->name = name;
	vma_publish(v);
	vma_merge(v);
	return 0;
}

long
vm_map_locked(struct vm_space *s, vaddr_t addr, size_t len, uint32_t flags,
	      struct vm_object *o, struct file *file, uint64_t offset,
	      unsigned how, const char *name)
{
	long at = choose_address(s, addr, len, flags, o, how);
	int err;

	if (at < 0)
		return at;
	err = vm_may_add(s, len, flags);
	if (err)
		return err;
	if (how & VM_FIXED) {
		err = vm_unmap_locked(s, (vaddr_t)at, (vaddr_t)at + len);
		if (err)
			return err;
	}
	err = map_at(s, (vaddr_t)at, (vaddr_t)at + len, flags, o, file,
		     offset >> PAGE_SHIFT, name);
	return err ? err : at;
}

static const char *
name_of(uint32_t flags)
{
	if (flags & VMA_HEAP)
		return "[heap]";
	return flags & VMA_STACK ? "[stack]" : NULL;
}

long
vm_map(struct vm_space *s, vaddr_t addr, size_t len, uint32_t flags,
       struct vm_object *o, struct file *file, uint64_t offset, unsigned how)
{
	bool populate;
	long at;

	if (len == 0 || (offset & PAGE_MASK))
		return -EINVAL;
	if (len > USER_END)
		return -ENOMEM;
	len = page_ceil(len);
	if (offset + len < offset)
		return -EOVERFLOW;
	vm_write_lock(s);
	if (s->lock_future)
		flags |= VMA_LOCKED;
	at = vm_map_locked(s, addr, len, flags, o, file, offset, how,
			   name_of(flags));
	vm_write_unlock(s);
	populate = (how & VM_POPULATE) ||
		   ((flags & VMA_LOCKED) && !s->lock_on_fault);
	if (at >= 0 && populate && (flags & VMA_RWX))
		/* As on Linux the mapping stands even if memory runs out
		 * here; the program meets that at its first touch. */
		ignore(vm_populate(s, (vaddr_t)at, (vaddr_t)at + len,
				   flags & VMA_WRITE));
	return at;
}

/*
 * brk.
 */

vaddr_t
vm_brk(struct vm_space *s, vaddr_t brk)
{
	const uint32_t flags = VMA_READ | VMA_WRITE | VMA_MAYWRITE | VMA_HEAP;
	vaddr_t old_end, new_end;
	bool lock = false;

	vm_write_lock(s);
	if (brk < s->brk_start || brk > USER_END)
		goto out;
	old_end = page_ceil(s->brk);
	new_end = page_ceil(brk);
	if (new_end < old_end) {
		if (vm_unmap_locked(s, new_end, old_end))
			goto out;
	} else if (new_end > old_end) {
		uint32_t f = flags | (s->lock_future ? VMA_LOCKED : 0);

		/* a page apart from what lies above, as on Linux */
		if (!range_is_free(s, old_end, new_end + PAGE_SIZE))
			goto out;
		if (vm_map_locked(s, old_end, new_end - old_end, f, NULL, NULL,
				  0, VM_FIXED_NOREPLACE, name_of(f)) < 0)
			goto out;
		lock = s->lock_future && !s->lock_on_fault;
	}
	s->brk = brk;
out:
	brk = s->brk;
	vm_write_unlock(s);
	if (lock)
		ignore(vm_populate(s, old_end, page_ceil(brk), true));
	return brk;
}
