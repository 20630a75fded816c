/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page table: one for the whole machine (design decision 1), upper half
 * kernel, lower half the program.
 *
 * Portable code names protections with PTE_* of this header and never sees a
 * table entry.  Map and unmap do not flush; the caller collects ranges and
 * calls tlb_flush_range() before a frame may be reused.  User mappings are
 * changed under the vm layer's page-table lock; kernel mappings under
 * mem/kmap.c's.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define USER_MIN 0x10000ull	       /* page zero is never mapped */
#define USER_END 0x00007ffffffff000ull /* first address a program can't have */

#define PTE_READ    (1u << 0)
#define PTE_WRITE   (1u << 1)
#define PTE_EXEC    (1u << 2)
#define PTE_USER    (1u << 3)
#define PTE_NOCACHE (1u << 4)
#define PTE_DIRTY   (1u << 5) /* reported by pt_query and pt_unmap */
#define PTE_YOUNG   (1u << 6)
#define PTE_HUGE    (1u << 7) /* a 2 MiB entry */

/* Kernel addresses that mem/kmap.c hands out.  The direct map, the image and
 * arch's own mappings stay out of both.  Modules lie within 2 GiB of the
 * image, which is linked or slid to below KMAP_MODULE_START. */
#define KMAP_START	  0xffffff0000000000ull
#define KMAP_END	  0xffffff7ffffff000ull
#define KMAP_MODULE_START 0xffffffffc0000000ull
#define KMAP_MODULE_END	  0xffffffffff000000ull

#define HUGE_SHIFT 21
#define HUGE_SIZE  (1ull << HUGE_SHIFT)

/* The direct map: all of RAM, at a base that is random per boot. */
extern uint64_t direct_map_base;

static inline void *
phys_to_virt(paddr_t pa)
{
	return (void *)(direct_map_base + pa);
}

static inline paddr_t
virt_to_phys(const void *va)
{
	return (uint64_t)va - direct_map_base;
}

/* Maps one page (or one 2 MiB page with PTE_HUGE) at va.  0; -ENOMEM when a
 * table page cannot be had; -EEXIST when something is mapped there. */
MUST_CHECK int pt_map(vaddr_t va, paddr_t pa, unsigned prot);

/* Makes sure the tables for va exist, so that pt_map() of it cannot fail. */
MUST_CHECK int pt_prepare(vaddr_t va, bool huge);

/* What is mapped at va: PTE_* bits (0: nothing), frame in *pa. */
unsigned pt_query(vaddr_t va, paddr_t *pa);

/* Changes the protection of every present page in [va, end); 2 MiB entries
 * that lie across an end are split first (-ENOMEM).  Keeps dirty bits.
 * and_mask/or_bits: new = (old & and_mask) | or_bits, on READ/WRITE/EXEC. */
MUST_CHECK int pt_protect(vaddr_t va, vaddr_t end, unsigned and_mask,
			  unsigned or_bits);

/* Removes all mappings of [va, end) and calls fn for each page that was
 * present (len 4096 or 2 MiB).  Table pages that become empty are freed
 * after the flush that the caller owes, by way of deferred reclamation. */
typedef void pt_unmap_fn(void *arg, vaddr_t va, paddr_t pa, unsigned prot);
MUST_CHECK int pt_unmap(vaddr_t va, vaddr_t end, pt_unmap_fn *fn, void *arg);

/* Splits every 2 MiB entry in [va, end).  0 or -ENOMEM. */
MUST_CHECK int pt_split_huge(vaddr_t va, vaddr_t end);

/* Moves the mappings of [from, from+len) to [to, ...); both ranges belong to
 * the caller.  For mremap.  0 or -ENOMEM. */
MUST_CHECK int pt_move(vaddr_t from, vaddr_t to, size_t len);

/* Clears and returns (true) the accessed or dirty bits of va's page. */
unsigned pt_test_clear(vaddr_t va, unsigned bits);

/* Puts another frame and protection into the entry of va, which pt_query()
 * knows as a 4 KiB page (it may be inaccessible: no PTE_READ).  Cannot fail;
 * the caller flushes. */
void pt_replace(vaddr_t va, paddr_t pa, unsigned prot);

/* true: no table and no page lies in the 2 MiB around va, so that pt_map()
 * with PTE_HUGE there can only fail with -ENOMEM. */
bool pt_huge_free(vaddr_t va);

/* Drops the translations of [va, end) on every CPU that may hold them;
 * returns when none does.  May not be called with interrupts disabled or a
 * spin lock held that an interrupt handler takes. */
void tlb_flush_range(vaddr_t va, vaddr_t end);
void tlb_flush_local(vaddr_t va);

/* x86-64 page-table allocation needs zeroed pages: provided by mem. */
