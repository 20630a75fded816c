/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that the architecture asks for by arch/upcall.h: page tables
 * and FPU areas.
 *
 * A page of a page table may still be walked by a CPU, so it is freed after
 * a quiescent state of all CPUs; the head for that takes the place of
 * page->link, which nobody else uses meanwhile.
 */
#include <arch/upcall.h>
#include <base/compiler.h>
#include <core/reclaim.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <mem/page.h>

#include "mem_priv.h"

paddr_t
upcall_pt_alloc(void)
{
	struct page *p = page_alloc(0, ALLOC_ATOMIC | ALLOC_ZERO);

	if (!p)
		return 0;
	mem_count(MEM_PAGETABLES, 1);
	return page_phys(p);
}

static_assert(sizeof(struct list) == sizeof(struct reclaim_head), "link");

static void
pt_page_free(struct reclaim_head *h)
{
	struct page *p =
		container_of((struct list *)(void *)h, struct page, link);

	list_init(&p->link);
	page_put(p);
}

void
upcall_pt_free(paddr_t pa)
{
	struct page *p = page_from_phys(pa);

	mem_count(MEM_PAGETABLES, -1);
	reclaim_call((struct reclaim_head *)(void *)&p->link, pt_page_free);
}

/* Whole pages when the state is large; else a size class that is a multiple
 * of 64, as kmalloc's own need not be. */
void *
upcall_fpu_alloc(size_t size)
{
	static struct cache *cache;

	if (size > PAGE_SIZE / 2)
		return kmalloc(size, ALLOC_KERNEL);
	if (cache == NULL)
		cache = cache_create("fpu", size, 64);
	return cache != NULL ? cache_alloc(cache, ALLOC_KERNEL) : NULL;
}

void
upcall_fpu_free(void *p)
{
	kfree(p);
}

void *
upcall_map_io(paddr_t pa, size_t len)
{
	return kmap_io(pa, len);
}

void
upcall_unmap_io(void *va, size_t len)
{
	kmap_io_unmap(va, len);
}

void *
upcall_zalloc(size_t size)
{
	return kzalloc(size, ALLOC_KERNEL);
}
