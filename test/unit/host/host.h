/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mem and vm stand on, for unit tests: RAM that is a piece of the test
 * program's memory, a page table that is a hash.
 */
#pragma once

#include "core.h"

#include <base/types.h>

/* Makes RAM of so many bytes, with a hole and a "kernel" in it, and starts
 * the allocator and the heap.  Once per test program. */
void host_mem_init(size_t bytes);

/* Every nth allocation of frames of the tests' choice fails; 0: none. */
extern unsigned host_fail_every;

/* What happens elsewhere while the test's thread sleeps; NULL: nothing, and
 * sleeping is a mistake. */
extern void (*host_on_sleep)(void);

/* What the program's memory at va holds, by the page table; NULL: nothing
 * there.  *prot: PTE_*. */
void *host_pt_addr(vaddr_t va, unsigned *prot);
/* Entries in the page table. */
size_t host_pt_count(void);
