/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the page allocator and the heap share: the per-CPU magazines.  A
 * magazine belongs to its CPU and is used with interrupts disabled.
 */
#pragma once

#include <arch/cpu.h>
#include <base/types.h>
#include <core/percpu.h>
#include <mem/page.h>

#define PAGE_MAGAZINE 32
#define OBJ_MAGAZINE  14
#define MAX_CACHES    48

struct page_magazine {
	unsigned n;
	struct page *pages[PAGE_MAGAZINE];
};

struct obj_magazine {
	unsigned n;
	void *objs[OBJ_MAGAZINE];
};

struct heap_cpu {
	struct page_magazine pages;
	struct obj_magazine objs[MAX_CACHES];
};

/* This CPU's magazines; NULL early at boot, before heap_init(), and while a
 * new CPU has none. */
static inline struct heap_cpu *
heap_this_cpu(void)
{
	return this_cpu()->heap;
}

struct page *page_of_addr(const void *va);
size_t heap_shrink(void); /* pages given back */
size_t kmap_shrink(void); /* the same; flushes translations */
