/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space as an object: creation, layout, its lock, walks.
 *
 * Layout, from the top: the stack, a gap for its growth, then mappings that
 * grow down from mmap_top.  With aslr the stack moves by up to 16 GiB and
 * mmap_top by 28 bits of pages; the program's own base and brk are chosen by
 * the ELF loader.
 */
#include "space_priv.h"

#include <abi/errno.h>
#include <arch/cpu.h>
#include <base/assert.h>
#include <mem/heap.h>

#define STACK_RANDOM_PAGES (1ull << 22)
#define MMAP_RANDOM_PAGES  (1ull << 28)
#define STACK_GAP	   (128ull << 20) /* at least, below the stack */

struct vm_hooks vm_hooks;
struct spinlock pt_lock = SPINLOCK_INIT(RANK_PAGETABLE);

void
vm_init(const struct vm_hooks *hooks)
{
	vm_hooks = *hooks;
}

static uint64_t
random_below(uint64_t limit)
{
	uint64_t r = cpu_cycles();

	if (vm_hooks.random != NULL)
		vm_hooks.random(&r, sizeof(r));
	return r % limit;
}

int
vm_space_create(bool aslr, struct vm_space **out)
{
	struct vm_space *s = kzalloc(sizeof(*s), ALLOC_KERNEL);

	if (s == NULL)
		return -ENOMEM;
	rwlock_init(&s->lock, RANK_VMSPACE);
	refcount_set(&s->refs, 1);
	list_init(&s->dead);
	s->aslr = aslr;
	s->stack_limit = 8ull << 20;
	s->as_limit = UINT64_MAX;
	s->data_limit = UINT64_MAX;
	s->stack_top = USER_END;
	if (aslr)
		s->stack_top -= random_below(STACK_RANDOM_PAGES) * PAGE_SIZE;
	s->mmap_top = USER_END - STACK_RANDOM_PAGES * PAGE_SIZE - STACK_GAP -
		      STACK_GUARD;
	if (aslr)
		s->mmap_top -= random_below(MMAP_RANDOM_PAGES) * PAGE_SIZE;
	s->hole_hint = s->mmap_top;
	*out = s;
	return 0;
}

void
vm_space_get(struct vm_space *s)
{
	refcount_get(&s->refs);
}

void
vm_space_put(struct vm_space *s)
{
	if (!refcount_put(&s->refs))
		return;
	vm_unmap_all(s);
	/* The lock-free walk starts at the root in s. */
	reclaim_barrier();
	kfree(s);
}

void
vm_write_lock(struct vm_space *s)
{
	write_lock(&s->lock);
}

void
vm_write_unlock(struct vm_space *s)
{
	struct list dead = LIST_INIT(dead);

	while (!list_empty(&s->dead)) {
		struct list *i = s->dead.next;

		list_del(i);
		list_add(&dead, i);
	}
	write_unlock(&s->lock);
	while (!list_empty(&dead)) {
		struct vma *v = list_entry(dead.next, struct vma, object_link);

		list_del(&v->object_link);
		vma_bury(v);
	}
}

void
vm_unmap_all(struct vm_space *s)
{
	struct vma *v;

	vm_write_lock(s);
	while ((v = vma_last(s)) != NULL) {
		vma_kill(v);
		/* whole vmas: no 2 MiB page lies across an end */
		ignore(vm_zap(v, v->start, v->end, 0));
	}
	s->brk = s->brk_start;
	s->hole_hint = s->mmap_top;
	s->hole_len = 0;
	vm_write_unlock(s);
}

void
vm_for_each(struct vm_space *s, bool (*fn)(struct vma *v, void *arg), void *arg)
{
	struct vma *v;

	read_lock(&s->lock);
	for (v = vma_find(s, 0); v != NULL; v = vma_next(v))
		if (!fn(v, arg))
			break;
	read_unlock(&s->lock);
}
