/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the program for I/O that goes past the page cache.
 *
 * There is no fork and no swap: a private frame stays at its address until
 * the program unmaps it, so a reference is all that a pin needs.
 */
#include <vm/pin.h>

#include "space_priv.h"

#include <arch/mmu.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define MAX_TRIES 4u

struct page *
user_pin_page(const void __user *p, bool write)
{
	vaddr_t va = page_floor((vaddr_t)p);

	for (unsigned i = 0; i < MAX_TRIES; i++) {
		struct page *page = NULL;
		unsigned prot;
		paddr_t pa;

		if (!user_range_ok(p, 1))
			return NULL;
		spin_lock(&pt_lock);
		prot = pt_query(va, &pa);
		if (prot & (write ? PTE_WRITE : PTE_READ)) {
			page = page_from_phys(pa);
			if (page && (page->flags & PG_ANON))
				page_get(page);
			else
				page = NULL;
			spin_unlock(&pt_lock);
			return page;
		}
		spin_unlock(&pt_lock);
		if (user_prefault(p, 1, write))
			return NULL;
	}
	return NULL;
}
