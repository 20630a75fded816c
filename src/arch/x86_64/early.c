/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first C code: runs at the physical address, on an identity map, before
 * relocation.  Everything here must be reachable relative to RIP.
 *
 * - Reads the PVH start info into boot_info (Xen's hvm/start_info.h layout).
 * - Picks random bases for the image and for the direct map.
 * - Builds the page tables: the image by segment, W^X; all of RAM as direct
 *   map in the largest pages there are; no identity map.
 * - Applies the relative relocations for the new base (ELF's DT_RELR form: an
 *   even word is an address, an odd one says which of the next 63 words).
 *
 * Tables come from the memory right behind the image, around the modules;
 * boot_info.kernel_end is moved behind them.
 */
#include "asm.h"
#include "cpuid.h"
#include "pte.h"

#include <arch/mmu.h>
#include <base/compiler.h>
#include <base/math.h>
#include <base/string.h>
#include <core/bootinfo.h>

#define START_MAGIC 0x336ec578u

struct hvm_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr;
	uint64_t memmap_paddr; /* version 1 on */
	uint32_t memmap_entries, reserved;
};

struct hvm_modlist_entry {
	uint64_t paddr, size, cmdline_paddr, reserved;
};

struct hvm_memmap_entry {
	uint64_t addr, size;
	uint32_t type, reserved;
};

extern char image_start[] HIDDEN, rodata_start[] HIDDEN, data_start[] HIDDEN,
	image_end[] HIDDEN;
extern const uint64_t relr_start[] HIDDEN, relr_end[] HIDDEN;
extern uint64_t boot_pml4[] HIDDEN;

uint64_t early_boot(const struct hvm_start_info *si);
extern uint64_t early_cr3, image_slide; /* boot.S, and arch_priv.h */

struct boot_info boot_info;
uint64_t direct_map_base;
uint64_t early_cr3;   /* physical address of the final top table */
uint64_t image_slide; /* virtual address minus linked address */
static uint64_t brk_pa;

/* The kernel has no console yet: stop where a debugger can see it. */
static NORETURN void
early_stop(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void
add_range(uint64_t start, uint64_t size, enum boot_mem_type type)
{
	struct boot_info *b = &boot_info;
	uint64_t end;
	unsigned i;

	if (__builtin_add_overflow(start, size, &end) || !size ||
	    b->nmem == BOOT_MAX_RANGES)
		return;
	for (i = b->nmem; i > 0 && b->mem[i - 1].start > start; i--)
		b->mem[i] = b->mem[i - 1];
	/* A loader's map does not overlap; if it does, the lower one wins. */
	if (i > 0)
		start = max_u64(start, b->mem[i - 1].end);
	end = max_u64(end, start);
	b->mem[i] = (struct boot_range){ start, end, type };
	b->nmem++;
	for (i++; i < b->nmem; i++) {
		struct boot_range *r = &b->mem[i];

		r->start = max_u64(r->start, b->mem[i - 1].end);
		r->end = max_u64(r->end, r->start);
	}
}

static void
read_start_info(const struct hvm_start_info *si)
{
	const struct hvm_memmap_entry *e;
	const struct hvm_modlist_entry *m;
	struct boot_info *b = &boot_info;

	if (si->magic != START_MAGIC || si->version < 1 || !si->memmap_paddr)
		early_stop();
	e = (const void *)si->memmap_paddr;
	for (uint32_t i = 0;
	     i < si->memmap_entries && b->nmem < BOOT_MAX_RANGES; i++)
		add_range(e[i].addr, e[i].size,
			  e[i].type == 1 ? BOOT_MEM_RAM :
			  e[i].type == 3 ? BOOT_MEM_ACPI :
					   BOOT_MEM_RESERVED);
	m = (const void *)si->modlist_paddr;
	for (uint32_t i = 0; i < si->nr_modules && i < BOOT_MAX_MODULES; i++) {
		uint64_t end;

		if (__builtin_add_overflow(m[i].paddr, m[i].size, &end))
			break;
		b->module[i] =
			(struct boot_range){ m[i].paddr, end, BOOT_MEM_RAM };
		b->nmodules++;
	}
	if (si->cmdline_paddr)
		strlcpy(b->cmdline, (const char *)si->cmdline_paddr,
			sizeof(b->cmdline));
	b->acpi_rsdp = si->rsdp_paddr;
	b->no_aslr = strstr(b->cmdline, "nokaslr") != 0;
}

/* Not for secrets that must hold against the host: for the layout. */
static uint64_t
early_random(void)
{
	uint32_t eax, ebx, ecx, edx, lo, hi;
	uint64_t v;
	uint8_t ok;

	if (boot_info.no_aslr)
		return 0;
	cpuid(1, 0, &eax, &ebx, &ecx, &edx);
	if (ecx & CPUID_1_ECX_RDRAND) {
		for (int i = 0; i < 10; i++) {
			__asm__ volatile("rdrand %0; setc %1"
					 : "=r"(v), "=qm"(ok)
					 :
					 : "cc");
			if (ok)
				return v;
		}
	}
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	v = ((uint64_t)hi << 32 | lo) * 0x9e3779b97f4a7c15ull;
	return v ^ v >> 29;
}

static uint64_t *
table_alloc(void)
{
	uint64_t *t;

	for (unsigned i = 0; i < boot_info.nmodules; i++) {
		const struct boot_range *m = &boot_info.module[i];

		if (brk_pa < m->end && brk_pa + PAGE_SIZE > m->start)
			brk_pa = align_up(m->end, PAGE_SIZE);
	}
	t = (uint64_t *)brk_pa;
	brk_pa += PAGE_SIZE;
	memset(t, 0, PAGE_SIZE);
	return t;
}

static uint64_t *
table_next(uint64_t *table, unsigned index)
{
	if (!(table[index] & X86_P))
		table[index] = (uint64_t)table_alloc() | X86_P | X86_W | X86_A;
	return (uint64_t *)(table[index] & X86_ADDR);
}

static void
map_image(uint64_t *pml4, uint64_t va, uint64_t pa, uint64_t end, uint64_t bits)
{
	for (; pa < end; va += PAGE_SIZE, pa += PAGE_SIZE) {
		uint64_t *t = table_next(pml4, va >> 39 & 511);

		t = table_next(t, va >> 30 & 511);
		t = table_next(t, va >> 21 & 511);
		t[va >> 12 & 511] = pa | bits | X86_P | X86_G | X86_A | X86_D;
	}
}

static void
map_direct(uint64_t *pml4, uint64_t pa, uint64_t end, bool huge1g)
{
	const uint64_t bits =
		X86_P | X86_W | X86_NX | X86_PS | X86_G | X86_A | X86_D;

	while (pa < end) {
		uint64_t va = direct_map_base + pa;
		uint64_t *t = table_next(pml4, va >> 39 & 511);

		if (huge1g && is_aligned(pa, 1ull << 30) &&
		    end - pa >= 1ull << 30) {
			t[va >> 30 & 511] = pa | bits;
			pa += 1ull << 30;
			continue;
		}
		t = table_next(t, va >> 30 & 511);
		t[va >> 21 & 511] = pa | bits;
		pa += HUGE_SIZE;
	}
}

/* RAM in whole 2 MiB pages; neighbours that meet are one range. */
static void
map_ram(uint64_t *pml4)
{
	uint32_t eax, ebx, ecx, edx;
	uint64_t start = 0, end = 0;
	bool huge1g;

	cpuid(0x80000001, 0, &eax, &ebx, &ecx, &edx);
	huge1g = edx & CPUID_E1_EDX_PAGE1GB;
	for (unsigned i = 0; i < boot_info.nmem; i++) {
		const struct boot_range *r = &boot_info.mem[i];
		uint64_t s = align_down(r->start, HUGE_SIZE);
		uint64_t e = align_up(r->end, HUGE_SIZE);

		if (r->type == BOOT_MEM_RESERVED)
			continue;
		if (s > end) {
			map_direct(pml4, start, end, huge1g);
			start = s;
		}
		end = max_u64(end, e);
	}
	map_direct(pml4, start, end, huge1g);
}

static void
relocate(uint64_t slide)
{
	uint64_t *where = NULL;

	for (const uint64_t *r = relr_start; r < relr_end; r++) {
		if (!(*r & 1)) {
			where = (uint64_t *)*r;
			*where++ += slide;
			continue;
		}
		for (unsigned i = 0; i < 63; i++)
			if (*r >> (i + 1) & 1)
				where[i] += slide;
		where += 63;
	}
}

uint64_t
early_boot(const struct hvm_start_info *si)
{
	uint64_t image_pa = (uint64_t)image_start;
	uint64_t image_len = (uint64_t)image_end - image_pa;
	uint64_t random, va, slots, *pml4;

	boot_info.kernel_start = image_pa;
	brk_pa = (uint64_t)image_end;
	read_start_info(si);
	random = early_random();

	/* The image: on any page of the GiB below the modules. */
	slots = (0x40000000ull - align_up(image_len, PAGE_SIZE)) / PAGE_SIZE;
	va = 0xffffffff80000000ull + (random % slots) * PAGE_SIZE;
	image_slide = va - image_pa;
	/* The direct map: any GiB of 32 TiB from the start of the upper half. */
	direct_map_base =
		0xffff800000000000ull + ((random >> 32 & 0x7fff) << 30);

	pml4 = table_alloc();
	early_cr3 = (uint64_t)pml4;
	map_ram(pml4);
	map_image(pml4, va, image_pa, (uint64_t)rodata_start, 0);
	map_image(pml4, va + ((uint64_t)rodata_start - image_pa),
		  (uint64_t)rodata_start, (uint64_t)data_start, X86_NX);
	map_image(pml4, va + ((uint64_t)data_start - image_pa),
		  (uint64_t)data_start, (uint64_t)image_end, X86_NX | X86_W);
	/* Every top-level entry of the upper half exists from now on, so that
	 * it never changes: all tables may be shared by copying these. */
	table_next(pml4, KMAP_START >> 39 & 511);
	/* The table that other CPUs start with has them too. */
	memcpy(boot_pml4 + 256, pml4 + 256, 256 * sizeof(*pml4));
	/* And so does this one now: the jump needs both maps for a moment. */
	pml4[0] = boot_pml4[0];

	relocate(image_slide);
	boot_info.kernel_end = brk_pa;
	return image_slide;
}
