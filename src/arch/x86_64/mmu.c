/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tables: four levels, one tree.
 *
 * Concurrency: table pages are added by compare-and-exchange, so that faults
 * on different pages need no common lock; entries of one range are changed
 * by one party at a time (vm's locks, kmap's lock), while the processor may
 * set accessed and dirty bits at any moment, hence the atomic exchanges.
 * The lowest tables are taken out again when a range that covers them is
 * unmapped, or when a large page wants their place; they are freed once no
 * CPU can be walking them.  Callers of pt_unmap() and pt_huge_free() have the
 * range's lock.
 *
 * Flushing: one CPU flushes itself, the others by an interrupt.
 */
#include "arch_priv.h"
#include "pte.h"

#include <abi/errno.h>
#include <arch/mmu.h>
#include <arch/smp.h>
#include <arch/upcall.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/math.h>
#include <core/percpu.h>

/* Beyond this many pages one full flush is cheaper. */
#define FLUSH_MAX_PAGES 32

static uint64_t *root_table; /* [I] */

void
mmu_init(void)
{
	root_table = phys_to_virt(early_cr3);
	root_table[0] = 0; /* the identity map of the jump */
	write_cr3(read_cr3());
}

static unsigned
index_at(vaddr_t va, unsigned level)
{
	return va >> (12 + 9 * level) & (PT_ENTRIES - 1);
}

static uint64_t *
table_of(uint64_t entry)
{
	return phys_to_virt(entry & X86_ADDR);
}

static uint64_t
bits_of(vaddr_t va, unsigned prot)
{
	uint64_t b = X86_A;

	if (prot & PTE_WRITE)
		b |= X86_W | X86_D;
	if (!(prot & PTE_EXEC))
		b |= X86_NX;
	if (prot & PTE_NOCACHE)
		b |= X86_PCD | X86_PWT;
	if (prot & PTE_USER)
		b |= X86_U;
	if (va >= USER_END)
		b |= X86_G;
	/* An entry that nobody may read keeps its frame, not present. */
	return b |
	       (prot & (PTE_READ | PTE_WRITE | PTE_EXEC) ? X86_P : X86_NONE);
}

static unsigned
prot_of(uint64_t e)
{
	unsigned p = 0;

	if (e & X86_P)
		p |= PTE_READ;
	if (e & X86_P && e & X86_W)
		p |= PTE_WRITE;
	if (e & X86_P && !(e & X86_NX))
		p |= PTE_EXEC;
	if (e & X86_U)
		p |= PTE_USER;
	if (e & X86_PCD)
		p |= PTE_NOCACHE;
	if (e & X86_D)
		p |= PTE_DIRTY;
	if (e & X86_A)
		p |= PTE_YOUNG;
	return p;
}

static bool
mapped(uint64_t e)
{
	return e & (X86_P | X86_NONE);
}

/* The table below *slot, made if there is none; NULL: no memory, or a large
 * page is in the way. */
static uint64_t *
table_below(uint64_t *slot, vaddr_t va)
{
	uint64_t e = atomic_load_acquire(slot), mine;
	paddr_t pa;

	if (likely(e & X86_P))
		return e & X86_PS ? NULL : table_of(e);
	if (e & X86_NONE)
		return NULL;
	pa = upcall_pt_alloc();
	if (!pa)
		return NULL;
	mine = pa | X86_P | X86_W | X86_A | (va < USER_END ? X86_U : 0);
	if (!atomic_cas(slot, &e, mine)) {
		upcall_pt_free(pa);
		return e & X86_PS ? NULL : table_of(e);
	}
	return table_of(mine);
}

/* The slot of va in a level-`to` table, making tables; NULL as above. */
static uint64_t *
slot_make(vaddr_t va, unsigned to)
{
	uint64_t *t = root_table;

	for (unsigned level = 3; level > to; level--) {
		t = table_below(&t[index_at(va, level)], va);
		if (!t)
			return NULL;
	}
	return &t[index_at(va, to)];
}

/* The lowest slot that says something about va, and its level: where a page
 * is mapped, or where the walk ends. */
static uint64_t *
slot_find(vaddr_t va, unsigned *level)
{
	uint64_t *t = root_table;

	for (*level = 3;; (*level)--) {
		uint64_t *slot = &t[index_at(va, *level)];
		uint64_t e = atomic_load_relaxed(slot);

		if (!*level || !(e & X86_P) || e & X86_PS)
			return slot;
		t = table_of(e);
	}
}

int
pt_map(vaddr_t va, paddr_t pa, unsigned prot)
{
	bool huge = prot & PTE_HUGE;
	uint64_t *slot = slot_make(va, huge ? 1 : 0);
	uint64_t none = 0, e = pa | bits_of(va, prot) | (huge ? X86_PS : 0);

	if (!slot) {
		unsigned level;

		slot = slot_find(va, &level);
		return mapped(*slot) ? -EEXIST : -ENOMEM;
	}
	return atomic_cas(slot, &none, e) ? 0 : -EEXIST;
}

int
pt_prepare(vaddr_t va, bool huge)
{
	return slot_make(va, huge ? 1 : 0) ? 0 : -ENOMEM;
}

unsigned
pt_query(vaddr_t va, paddr_t *pa)
{
	unsigned level;
	uint64_t e = *slot_find(va, &level);

	if (!mapped(e))
		return 0;
	*pa = (e & X86_ADDR & ~((1ull << (12 + 9 * level)) - 1)) |
	      (va & ((1ull << (12 + 9 * level)) - 1) & ~PAGE_MASK);
	return prot_of(e) | (level ? PTE_HUGE : 0);
}

void
pt_replace(vaddr_t va, paddr_t pa, unsigned prot)
{
	unsigned level;
	uint64_t *slot = slot_find(va, &level);

	assert(level == 0);
	atomic_xchg(slot, pa | bits_of(va, prot));
}

/* Takes out the lowest table around va, which maps nothing any more. */
static void
table_remove(vaddr_t va)
{
	uint64_t *t = root_table, e;

	for (unsigned level = 3; level > 1; level--) {
		e = atomic_load_relaxed(&t[index_at(va, level)]);
		if (!(e & X86_P) || e & X86_PS)
			return;
		t = table_of(e);
	}
	e = atomic_load_relaxed(&t[index_at(va, 1)]);
	if (!(e & X86_P) || e & X86_PS)
		return;
	atomic_store(&t[index_at(va, 1)], 0);
	upcall_pt_free(e & X86_ADDR);
}

bool
pt_huge_free(vaddr_t va)
{
	unsigned level;
	uint64_t *slot = slot_find(va, &level);

	if (level >= 1)
		return !mapped(*slot);
	/* A table that earlier mappings left behind is no obstacle. */
	slot -= index_at(va, 0);
	for (unsigned i = 0; i < PT_ENTRIES; i++)
		if (slot[i])
			return false;
	table_remove(va);
	tlb_flush_range(va, va + PAGE_SIZE);
	return true;
}

static int
split(uint64_t *slot)
{
	uint64_t e = atomic_load_relaxed(slot), *t;
	paddr_t pa = upcall_pt_alloc();

	if (!pa)
		return -ENOMEM;
	t = phys_to_virt(pa);
	/* The processor may set A and D meanwhile: try until it did not. */
	do {
		for (unsigned i = 0; i < PT_ENTRIES; i++)
			t[i] = (e & ~X86_PS) + i * PAGE_SIZE;
	} while (!atomic_cas(slot, &e,
			     pa | X86_P | X86_W | X86_A | (e & X86_U)));
	return 0;
}

int
pt_split_huge(vaddr_t va, vaddr_t end)
{
	for (va = align_down(va, HUGE_SIZE); va < end; va += HUGE_SIZE) {
		unsigned level;
		uint64_t *slot = slot_find(va, &level);

		if (level == 1 && mapped(*slot)) {
			int err = split(slot);

			if (err)
				return err;
		}
	}
	return 0;
}

/* Splits the large pages that lie across the ends of [va, end). */
static int
split_ends(vaddr_t va, vaddr_t end)
{
	int err = 0;

	if (!is_aligned(va, HUGE_SIZE))
		err = pt_split_huge(va, va + 1);
	if (!err && !is_aligned(end, HUGE_SIZE))
		err = pt_split_huge(end, end + 1);
	return err;
}

/* Bytes from va to the end of its slot at this level, cut at end. */
static vaddr_t
slot_end(vaddr_t va, unsigned level, vaddr_t end)
{
	uint64_t size = 1ull << (12 + 9 * level);
	vaddr_t next = align_down(va, size) + size;

	return next > end || next == 0 ? end : next;
}

/* Where to go on after va's slot: empty ones of the same table are passed
 * over without a walk from the root. */
static vaddr_t
next_used(vaddr_t va, unsigned level, vaddr_t end, const uint64_t *slot)
{
	va = slot_end(va, level, end);
	if (level)
		return va;
	slot++;
	while (va < end && !is_aligned(va, HUGE_SIZE)) {
		/* Eight at a time, where they begin a group of eight: the
		 * unused part of a thread's stack is given back at its end. */
		if (is_aligned(va, 8 * PAGE_SIZE) &&
		    end - va >= 8 * PAGE_SIZE &&
		    !(slot[0] | slot[1] | slot[2] | slot[3] | slot[4] |
		      slot[5] | slot[6] | slot[7])) {
			va += 8 * PAGE_SIZE;
			slot += 8;
			continue;
		}
		if (atomic_load_relaxed(slot++))
			break;
		va += PAGE_SIZE;
	}
	return va;
}

static uint64_t
protect_entry(vaddr_t va, uint64_t e, unsigned and_mask, unsigned or_bits)
{
	const unsigned rwx = PTE_READ | PTE_WRITE | PTE_EXEC;
	unsigned old = prot_of(e), prot = (old & rwx & and_mask) | or_bits;
	uint64_t keep = e & (X86_ADDR | X86_PS | X86_D | X86_A | X86_PCD |
			     X86_PWT | X86_U | X86_G);
	uint64_t n = bits_of(va, prot | (old & PTE_USER));

	return keep | (n & (X86_P | X86_NONE | X86_W | X86_NX));
}

int
pt_protect(vaddr_t va, vaddr_t end, unsigned and_mask, unsigned or_bits)
{
	int err = split_ends(va, end);

	if (err)
		return err;
	while (va < end) {
		unsigned level;
		uint64_t *slot = slot_find(va, &level);
		uint64_t e = atomic_load_relaxed(slot);

		if (mapped(e)) {
			while (!atomic_cas(
				slot, &e,
				protect_entry(va, e, and_mask, or_bits)))
				;
		}
		va = next_used(va, level, end, slot);
	}
	return 0;
}

int
pt_unmap(vaddr_t va, vaddr_t end, pt_unmap_fn *fn, void *arg)
{
	int err = split_ends(va, end);
	vaddr_t start = va;

	if (err)
		return err;
	while (va < end) {
		unsigned level;
		uint64_t *slot = slot_find(va, &level);
		uint64_t e = atomic_load_relaxed(slot);

		if (mapped(e)) {
			e = atomic_xchg(slot, 0);
			if (fn)
				fn(arg, va,
				   e & X86_ADDR &
					   ~((1ull << (12 + 9 * level)) - 1),
				   prot_of(e) | (level ? PTE_HUGE : 0));
		}
		va = next_used(va, level, end, slot);
		if (!level && is_aligned(va, HUGE_SIZE) &&
		    va - start >= HUGE_SIZE)
			table_remove(va - HUGE_SIZE);
	}
	return 0;
}

int
pt_move(vaddr_t from, vaddr_t to, size_t len)
{
	vaddr_t end = from + len;
	int err = split_ends(from, end);

	if (err)
		return err;
	/* A large page moves whole only to a place aligned like it. */
	if ((from ^ to) & (HUGE_SIZE - 1)) {
		err = pt_split_huge(from, end);
		if (err)
			return err;
	}
	for (vaddr_t va = from; va < end;) {
		unsigned level;
		uint64_t *slot = slot_find(va, &level), *dst;

		if (mapped(*slot)) {
			/* a table that earlier mappings left behind */
			if (level)
				table_remove(to + (va - from));
			dst = slot_make(to + (va - from), level);
			if (!dst)
				return -ENOMEM;
			atomic_store_relaxed(dst, atomic_xchg(slot, 0));
		}
		va = slot_end(va, level, end);
	}
	return 0;
}

unsigned
pt_test_clear(vaddr_t va, unsigned bits)
{
	unsigned level;
	uint64_t *slot = slot_find(va, &level), e, mask = 0;

	if (!mapped(*slot))
		return 0;
	if (bits & PTE_DIRTY)
		mask |= X86_D;
	if (bits & PTE_YOUNG)
		mask |= X86_A;
	e = atomic_fetch_and(slot, ~mask);
	return prot_of(e) & bits;
}

/* ---- flushing ---- */

struct flush {
	vaddr_t va, end;
};

void
tlb_flush_local(vaddr_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static void
flush_here(void *arg)
{
	const struct flush *f = arg;

	if ((f->end - f->va) / PAGE_SIZE <= FLUSH_MAX_PAGES) {
		for (vaddr_t va = f->va; va < f->end; va += PAGE_SIZE)
			tlb_flush_local(va);
	} else if (f->end > USER_END) {
		uint64_t cr4 = read_cr4();

		/* Kernel pages are global: toggling PGE drops them. */
		write_cr4(cr4 & ~(uint64_t)CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
}

/*
 * The CPUs that may use a translation of the program's.  One that idles does
 * not: it is only told that what it has is old, and drops it all when it
 * next switches to a thread (arch_switch).  Either we see here that it idles
 * no more, or it sees the mark: both sides write, fence, and read.
 */
static uint64_t
users_of_translations(void)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < ARCH_MAX_CPUS && cpus[i]; i++) {
		struct cpu *c = cpus[i];

		if (!atomic_load_relaxed(&c->online))
			continue;
		if (atomic_load_relaxed(&c->idle)) {
			atomic_store(&arch_cpu_of(c)->tlb_stale, true);
			atomic_fence();
			if (atomic_load_relaxed(&c->idle))
				continue;
		}
		mask |= 1ull << i;
	}
	return mask;
}

void
tlb_flush_range(vaddr_t va, vaddr_t end)
{
	struct flush f = { align_down(va, PAGE_SIZE), end };

	if (va >= end)
		return;
	flush_here(&f);
	if (atomic_load_relaxed(&cpu_online_count) == 1)
		return;
	if (end > USER_END)
		smp_call_others(flush_here, &f);
	else
		smp_call_mask(users_of_translations(), flush_here, &f);
}
