/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel virtual memory outside the direct map.
 *
 * Addresses come from two regions (arch/mmu.h): the map proper, and the one
 * for modules near the image.  Each has a list of areas in use, in order;
 * a new area goes to the first gap that is large enough, with one unmapped
 * page behind it, so that an overrun faults.  Areas are few (thread stacks
 * are cached, devices map once), so a list is enough.
 *
 * Stacks: the page below is the guard.  Freed stacks of the usual size stay
 * mapped and are chained through their own lowest word, up to STACK_CACHE;
 * making a thread then costs no page table work and no flush.
 *
 * Locks: kmap_lock (RANK_PAGETABLE) for areas and the kernel's page tables
 * in both regions; it is not held while memory is allocated with ALLOC_SLEEP
 * nor while translations are flushed.
 */
#include <mem/kmap.h>

#include <abi/errno.h>
#include <arch/mmu.h>
#include <base/assert.h>
#include <base/list.h>
#include <base/string.h>
#include <core/spinlock.h>
#include <mem/heap.h>
#include <mem/page.h>

#include "mem_priv.h"

#define STACK_CACHE 32

struct kmap_area {
	struct list link;
	vaddr_t start, end; /* without the guard behind */
	bool frames;	    /* the pages mapped are ours to free */
};

struct kmap_region {
	vaddr_t start, end;
	struct list areas; /* [kmap_lock] by address */
};

static struct spinlock kmap_lock = SPINLOCK_INIT(RANK_PAGETABLE);
static struct kmap_region map_region = { KMAP_START, KMAP_END,
					 LIST_INIT(map_region.areas) };
static struct kmap_region module_region = { KMAP_MODULE_START, KMAP_MODULE_END,
					    LIST_INIT(module_region.areas) };

static struct spinlock stack_lock = SPINLOCK_INIT(RANK_HEAP);
static void *stack_cache;	/* [stack_lock] */
static size_t stack_cache_len;	/* [stack_lock] */
static size_t stack_cache_size; /* [stack_lock] of each, bytes */

/* Reserves len bytes of addresses with a guard page at each end. */
static struct kmap_area *
area_create(struct kmap_region *r, size_t len, unsigned alloc)
{
	struct kmap_area *a = kmalloc(sizeof(*a), alloc & ~ALLOC_ZERO);
	struct kmap_area *i;
	vaddr_t at = r->start + PAGE_SIZE;
	struct list *before = &r->areas;

	if (a == NULL)
		return NULL;
	spin_lock(&kmap_lock);
	list_for_each_entry(i, &r->areas, link) {
		if (i->start >= at + len + PAGE_SIZE) {
			before = &i->link;
			break;
		}
		at = i->end + PAGE_SIZE;
	}
	if (at + len + PAGE_SIZE > r->end || at + len < at) {
		spin_unlock(&kmap_lock);
		kfree(a);
		return NULL;
	}
	a->start = at;
	a->end = at + len;
	a->frames = true;
	list_add_tail(before, &a->link);
	spin_unlock(&kmap_lock);
	return a;
}

static void
gather(void *arg, vaddr_t va, paddr_t pa, unsigned prot)
{
	struct list *pages = arg;

	(void)va, (void)prot;
	list_add(pages, &page_from_phys(pa)->link);
}

static void
ignore_page(void *arg, vaddr_t va, paddr_t pa, unsigned prot)
{
	(void)arg, (void)va, (void)pa, (void)prot;
}

/* Unmaps, flushes, frees the frames, gives the addresses back. */
static void
area_destroy(struct kmap_area *a)
{
	struct list pages = LIST_INIT(pages);
	int err;

	spin_lock(&kmap_lock);
	err = pt_unmap(a->start, a->end, a->frames ? gather : ignore_page,
		       &pages);
	spin_unlock(&kmap_lock);
	assert(err == 0); /* no 2 MiB entry to split */
	tlb_flush_range(a->start, a->end);
	while (!list_empty(&pages)) {
		struct page *p = list_entry(pages.next, struct page, link);

		list_del(&p->link);
		page_put(p);
	}
	spin_lock(&kmap_lock);
	list_del(&a->link);
	spin_unlock(&kmap_lock);
	kfree(a);
}

static struct kmap_area *
area_find(vaddr_t start)
{
	struct kmap_region *r =
		start >= KMAP_MODULE_START ? &module_region : &map_region;
	struct kmap_area *a, *found = NULL;

	spin_lock(&kmap_lock);
	list_for_each_entry(a, &r->areas, link) {
		if (a->start == start) {
			found = a;
			break;
		}
	}
	spin_unlock(&kmap_lock);
	return found;
}

/* Fills an area with fresh pages. */
static int
area_fill(struct kmap_area *a, unsigned alloc)
{
	for (vaddr_t va = a->start; va < a->end; va += PAGE_SIZE) {
		struct page *p = page_alloc(0, alloc);
		int err;

		if (p == NULL)
			return -ENOMEM;
		spin_lock(&kmap_lock);
		err = pt_map(va, page_phys(p), PTE_READ | PTE_WRITE);
		spin_unlock(&kmap_lock);
		if (err) {
			page_put(p);
			return err;
		}
	}
	return 0;
}

static void *
map_fresh(struct kmap_region *r, size_t size, unsigned alloc)
{
	struct kmap_area *a;

	size = (size + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
	if (size == 0)
		return NULL;
	a = area_create(r, size, alloc);
	if (a == NULL)
		return NULL;
	if (area_fill(a, alloc)) {
		area_destroy(a);
		return NULL;
	}
	return (void *)a->start;
}

void *
kmap_stack_alloc(size_t size)
{
	void *stack = NULL;

	spin_lock(&stack_lock);
	if (stack_cache != NULL && size == stack_cache_size) {
		stack = stack_cache;
		stack_cache = *(void **)stack;
		stack_cache_len--;
	}
	spin_unlock(&stack_lock);
	if (stack == NULL) {
		stack = map_fresh(&map_region, size, ALLOC_KERNEL);
		if (stack != NULL)
			mem_count(MEM_KSTACK, (long)(size / PAGE_SIZE));
	}
	return stack;
}

void
kmap_stack_free(void *stack, size_t size)
{
	spin_lock(&stack_lock);
	if (stack_cache_len < STACK_CACHE &&
	    (stack_cache == NULL || stack_cache_size == size)) {
		*(void **)stack = stack_cache;
		stack_cache = stack;
		stack_cache_size = size;
		stack_cache_len++;
		stack = NULL;
	}
	spin_unlock(&stack_lock);
	if (stack != NULL) {
		mem_count(MEM_KSTACK, -(long)(size / PAGE_SIZE));
		vfree(stack);
	}
}

/* For the heap's shrinker: gives back the stacks kept for reuse.  Sleeps. */
size_t
kmap_shrink(void)
{
	size_t got = 0;
	void *stack;

	for (;;) {
		size_t size;

		spin_lock(&stack_lock);
		stack = stack_cache;
		size = stack_cache_size;
		if (stack != NULL) {
			stack_cache = *(void **)stack;
			stack_cache_len--;
		}
		spin_unlock(&stack_lock);
		if (stack == NULL)
			return got;
		mem_count(MEM_KSTACK, -(long)(size / PAGE_SIZE));
		vfree(stack);
		got += size / PAGE_SIZE;
	}
}

void *
kmap_io(paddr_t pa, size_t len)
{
	paddr_t first = pa & ~(paddr_t)(PAGE_SIZE - 1);
	size_t size =
		(pa + len - first + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
	struct kmap_area *a;
	int err = 0;

	if (len == 0 || pa + len < pa)
		return NULL;
	a = area_create(&map_region, size, ALLOC_KERNEL);
	if (a == NULL)
		return NULL;
	a->frames = false;
	spin_lock(&kmap_lock);
	for (size_t off = 0; off < size && !err; off += PAGE_SIZE)
		err = pt_map(a->start + off, first + off,
			     PTE_READ | PTE_WRITE | PTE_NOCACHE);
	spin_unlock(&kmap_lock);
	if (err) {
		area_destroy(a);
		return NULL;
	}
	return (char *)a->start + (pa - first);
}

void
kmap_io_unmap(void *va, size_t len)
{
	(void)len;
	vfree((void *)((vaddr_t)va & ~(vaddr_t)(PAGE_SIZE - 1)));
}

void *
vmalloc(size_t size, unsigned alloc)
{
	return map_fresh(&map_region, size, alloc | ALLOC_ZERO);
}

void
vfree(void *p)
{
	struct kmap_area *a;

	if (p == NULL)
		return;
	a = area_find((vaddr_t)p);
	assert(a != NULL);
	area_destroy(a);
}

void
kmap_module_base(uint64_t random)
{
	uint64_t slots = (KMAP_MODULE_END - KMAP_MODULE_START) / 2 / PAGE_SIZE;

	module_region.start = KMAP_MODULE_START + random % slots * PAGE_SIZE;
}

void *
kmap_module_alloc(size_t size)
{
	return map_fresh(&module_region, size, ALLOC_KERNEL | ALLOC_ZERO);
}

int
kmap_seal(void *va, size_t len, unsigned prot)
{
	vaddr_t start = (vaddr_t)va;
	vaddr_t end = (start + len + PAGE_SIZE - 1) & ~(vaddr_t)(PAGE_SIZE - 1);
	int err;

	assert((prot & (PTE_WRITE | PTE_EXEC)) != (PTE_WRITE | PTE_EXEC));
	spin_lock(&kmap_lock);
	err = pt_protect(start, end, 0, prot);
	spin_unlock(&kmap_lock);
	tlb_flush_range(start, end);
	return err;
}
