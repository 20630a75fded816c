/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See host.h; core.c has the locks.
 */
#include "host.h"

#include <abi/errno.h>
#include <arch/mmu.h>
#include <arch/user.h>
#include <core/bootinfo.h>
#include <core/panic.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/wait.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct boot_info boot_info;
unsigned host_fail_every;
void (*host_on_sleep)(void);

void
host_mem_init(size_t bytes)
{
	void *ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (ram == MAP_FAILED)
		abort();
	direct_map_base = (uint64_t)ram;
	/* A hole that begins and ends in the middle of everything. */
	boot_info.nmem = 3;
	boot_info.mem[0] = (struct boot_range){ 0, 0x9f000, BOOT_MEM_RAM };
	boot_info.mem[1] =
		(struct boot_range){ 0x100000, 0x7ff000, BOOT_MEM_RAM };
	boot_info.mem[2] = (struct boot_range){ 0x803000, bytes, BOOT_MEM_RAM };
	boot_info.kernel_start = 0x203000;
	boot_info.kernel_end = 0x2f1000;
	mem_init();
	heap_init();
}

int
wait_sleep(struct wait_entry *e, uint64_t deadline_ns)
{
	(void)e, (void)deadline_ns;
	if (host_on_sleep == NULL)
		panic("a test would sleep for ever");
	host_on_sleep();
	return 0;
}

/*
 * The page table: 4 KiB entries in a hash with open addressing.  A 2 MiB
 * entry is stored at its first page, with PTE_HUGE.
 */

#define PT_SIZE (1u << 17)
#define GONE	1ull /* a key that was removed */

static struct pte {
	vaddr_t va; /* 0: never used */
	paddr_t pa;
	unsigned prot;
} table[PT_SIZE];
static size_t pt_entries;

static struct pte *
pte_find(vaddr_t va)
{
	unsigned i = (unsigned)((va >> 12) * 0x9e3779b97f4a7c15ull >> 47);

	for (;; i++) {
		struct pte *e = &table[i % PT_SIZE];

		if (e->va == va)
			return e;
		if (e->va == 0)
			return NULL;
	}
}

/* The entry that covers va. */
static struct pte *
pte_at(vaddr_t va)
{
	struct pte *e = pte_find(va & ~PAGE_MASK);

	if (e == NULL) {
		e = pte_find(va & ~(HUGE_SIZE - 1));
		if (e != NULL && !(e->prot & PTE_HUGE))
			e = NULL;
	}
	return e;
}

static void
pte_put(vaddr_t va, paddr_t pa, unsigned prot)
{
	unsigned i = (unsigned)((va >> 12) * 0x9e3779b97f4a7c15ull >> 47);

	while (table[i % PT_SIZE].va > GONE)
		i++;
	table[i % PT_SIZE] = (struct pte){ va, pa, prot };
	if (++pt_entries > PT_SIZE / 2)
		panic("the test's page table is full");
}

static void
pte_remove(struct pte *e)
{
	e->va = GONE;
	pt_entries--;
}

static void
split(struct pte *e)
{
	struct pte old = *e;

	pte_remove(e);
	for (unsigned i = 0; i < 512; i++)
		pte_put(old.va + i * PAGE_SIZE, old.pa + i * PAGE_SIZE,
			old.prot & ~PTE_HUGE);
}

int
pt_map(vaddr_t va, paddr_t pa, unsigned prot)
{
	static unsigned calls;

	if (prot & PTE_HUGE) {
		if (!pt_huge_free(va))
			return -EEXIST;
	} else if (pte_at(va) != NULL) {
		return -EEXIST;
	}
	if (host_fail_every != 0 && ++calls % host_fail_every == 0)
		return -ENOMEM;
	pte_put(va, pa, prot);
	return 0;
}

bool
pt_huge_free(vaddr_t va)
{
	va &= ~(HUGE_SIZE - 1);
	for (unsigned i = 0; i < 512; i++)
		if (pte_find(va + i * PAGE_SIZE) != NULL)
			return false;
	return true;
}

unsigned
pt_query(vaddr_t va, paddr_t *pa)
{
	struct pte *e = pte_at(va);

	if (e == NULL)
		return 0;
	*pa = e->pa;
	if (e->prot & PTE_HUGE)
		*pa += va & (HUGE_SIZE - 1) & ~PAGE_MASK;
	return e->prot | PTE_USER;
}

int
pt_split_huge(vaddr_t va, vaddr_t end)
{
	for (va &= ~(HUGE_SIZE - 1); va < end; va += HUGE_SIZE) {
		struct pte *e = pte_find(va);

		if (e != NULL && (e->prot & PTE_HUGE))
			split(e);
	}
	return 0;
}

/* Splits what lies across the ends only. */
static void
split_ends(vaddr_t va, vaddr_t end)
{
	struct pte *e = pte_at(va);

	if (e != NULL && (e->prot & PTE_HUGE) &&
	    (e->va < va || e->va + HUGE_SIZE > end))
		split(e);
	e = pte_at(end - PAGE_SIZE);
	if (e != NULL && (e->prot & PTE_HUGE) &&
	    (e->va < va || e->va + HUGE_SIZE > end))
		split(e);
}

int
pt_protect(vaddr_t va, vaddr_t end, unsigned and_mask, unsigned or_bits)
{
	const unsigned rwx = PTE_READ | PTE_WRITE | PTE_EXEC;

	split_ends(va, end);
	while (va < end) {
		struct pte *e = pte_at(va);

		if (e == NULL) {
			va += PAGE_SIZE;
			continue;
		}
		e->prot = (e->prot & ~rwx) |
			  (((e->prot & and_mask) | or_bits) & rwx);
		va += e->prot & PTE_HUGE ? HUGE_SIZE : PAGE_SIZE;
	}
	return 0;
}

int
pt_unmap(vaddr_t va, vaddr_t end, pt_unmap_fn *fn, void *arg)
{
	split_ends(va, end);
	while (va < end) {
		struct pte *e = pte_at(va);
		struct pte old;

		if (e == NULL) {
			va += PAGE_SIZE;
			continue;
		}
		old = *e;
		pte_remove(e);
		fn(arg, old.va, old.pa, old.prot);
		va += old.prot & PTE_HUGE ? HUGE_SIZE : PAGE_SIZE;
	}
	return 0;
}

int
pt_move(vaddr_t from, vaddr_t to, size_t len)
{
	for (size_t off = 0; off < len;) {
		struct pte *e = pte_at(from + off);
		struct pte old;

		if (e == NULL) {
			off += PAGE_SIZE;
			continue;
		}
		old = *e;
		pte_remove(e);
		pte_put(to + off, old.pa, old.prot);
		off += old.prot & PTE_HUGE ? HUGE_SIZE : PAGE_SIZE;
	}
	return 0;
}

void
pt_replace(vaddr_t va, paddr_t pa, unsigned prot)
{
	struct pte *e = pte_find(va);

	e->pa = pa;
	e->prot = prot;
}

void
tlb_flush_range(vaddr_t va, vaddr_t end)
{
	(void)va, (void)end;
}
void
tlb_flush_local(vaddr_t va)
{
	(void)va;
}

void *
host_pt_addr(vaddr_t va, unsigned *prot)
{
	paddr_t pa;

	*prot = pt_query(va, &pa);
	return *prot ? (char *)phys_to_virt(pa) + (va & PAGE_MASK) : NULL;
}

size_t
host_pt_count(void)
{
	return pt_entries;
}

/*
 * User copies: the "program" is the test itself, all addresses are good but
 * the first 64 KiB.
 */

size_t
arch_copy_from_user(void *dst, uint64_t src, size_t len)
{
	if (src < USER_MIN)
		return len;
	memcpy(dst, (void *)src, len);
	return 0;
}

size_t
arch_copy_to_user(uint64_t dst, const void *src, size_t len)
{
	if (dst < USER_MIN)
		return len;
	memcpy((void *)dst, src, len);
	return 0;
}

size_t
arch_clear_user(uint64_t dst, size_t len)
{
	if (dst < USER_MIN)
		return len;
	memset((void *)dst, 0, len);
	return 0;
}

ssize_t
arch_strncpy_from_user(char *dst, uint64_t src, size_t max)
{
	size_t n = 0;

	if (src < USER_MIN)
		return -EFAULT;
	while (n < max && (dst[n] = ((char *)src)[n]) != '\0')
		n++;
	return (ssize_t)n;
}

int
arch_user_load32(uint64_t addr, uint32_t *val)
{
	if (addr < USER_MIN)
		return -EFAULT;
	*val = *(uint32_t *)addr;
	return 0;
}

int
arch_user_cas32(uint64_t addr, uint32_t old, uint32_t new, uint32_t *found)
{
	if (addr < USER_MIN)
		return -EFAULT;
	*found = old;
	__atomic_compare_exchange_n((uint32_t *)addr, found, new, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return 0;
}
