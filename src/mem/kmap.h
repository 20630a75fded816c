/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel virtual memory outside the direct map: thread stacks with guard
 * pages, device registers, large tables.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

/* A stack of size bytes with an unmapped page below; returns its lowest
 * address, or NULL.  Freed stacks are kept for reuse. */
MUST_CHECK void *kmap_stack_alloc(size_t size);
void kmap_stack_free(void *stack, size_t size);

/* Maps device memory uncached; NULL when no address space or memory. */
MUST_CHECK void *kmap_io(paddr_t pa, size_t len);
void kmap_io_unmap(void *va, size_t len);

/* Virtually contiguous memory of any size, zeroed; NULL. */
MUST_CHECK void *vmalloc(size_t size, unsigned alloc);
void vfree(void *p);
/* Where the first module will lie: some page of the region's first half.
 * Before any is allocated. */
void kmap_module_base(uint64_t random);
/* Allocates executable memory near the kernel image for klibs; written
 * first, then sealed: never writable and executable at once. */
MUST_CHECK void *kmap_module_alloc(size_t size);
MUST_CHECK int kmap_seal(void *va, size_t len, unsigned prot);
