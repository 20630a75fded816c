/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that the architecture asks for by arch/upcall.h: page tables
 * and FPU areas.
 *
 * A page table page may still be read by a CPU that walks it without a lock,
 * so it is freed after a quiescent state of all CPUs; its struct page has
 * room for the reclaim head only indirectly, so the head lies in the page
 * itself: an empty table's first words are free for use, as nothing points
 * to the table any more and entries that are not present are not walked.
 */
#include <arch/upcall.h>
#include <base/compiler.h>
#include <core/reclaim.h>
#include <mem/heap.h>
#include <mem/page.h>

#include "mem_priv.h"

static struct cache *fpu_cache;

paddr_t
upcall_pt_alloc(void)
{
	struct page *p = page_alloc(0, ALLOC_ZERO | ALLOC_RESERVE);

	if (!p)
		return 0;
	mem_count(MEM_PAGETABLES, 1);
	return page_phys(p);
}

static void
pt_page_free(struct reclaim_head *h)
{
	page_put(page_from_phys(virt_to_phys(h)));
}

void
upcall_pt_free(paddr_t pa)
{
	struct reclaim_head *h = phys_to_virt(pa);

	mem_count(MEM_PAGETABLES, -1);
	reclaim_call(h, pt_page_free);
}

void *
upcall_fpu_alloc(size_t size)
{
	if (!fpu_cache)
		fpu_cache = cache_create("fpu", size, 64);
	return fpu_cache ? cache_alloc(fpu_cache, ALLOC_KERNEL) : NULL;
}

void
upcall_fpu_free(void *p)
{
	cache_free(fpu_cache, p);
}
