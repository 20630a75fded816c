/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments, the task state segment and the interrupt table.
 *
 * Each CPU has its own GDT and TSS in struct arch_cpu; the IDT is one for
 * all.  Double fault, NMI and machine check run on stacks of their own (IST
 * 1 to 3), so that a broken kernel stack still gives a report.
 */
#include "arch_priv.h"

#include <arch/upcall.h>
#include <base/string.h>
#include <core/percpu.h>

#define IST_SIZE 4096

struct idt_gate {
	uint16_t offset_lo, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_hi, reserved;
};
static_assert(sizeof(struct idt_gate) == 16, "IDT gate");
static_assert(sizeof(struct tss) == 104, "TSS");

struct desc_ptr {
	uint16_t limit;
	uint64_t base;
} PACKED;

static struct idt_gate idt[256];
static uint8_t boot_ist[3][IST_SIZE] ALIGNED(16);

static struct arch_cpu boot_arch_cpu;

struct arch_cpu *
arch_cpu_of(const struct cpu *c)
{
	return c->arch;
}

struct arch_cpu *
arch_this(void)
{
	return this_cpu()->arch;
}

bool
arch_cpu_alloc(struct cpu *c)
{
	struct arch_cpu *a = c->arch;

	if (a)
		return true;
	a = upcall_zalloc(sizeof(*a));
	if (!a)
		return false;
	for (unsigned i = 0; i < 3; i++) {
		char *stack = upcall_zalloc(IST_SIZE);

		if (!stack)
			return false; /* the CPU stays off; little is lost */
		a->tss.ist[i] = (uint64_t)stack + IST_SIZE;
	}
	c->arch = a;
	return true;
}

static void
idt_fill(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t at = (uint64_t)trap_stubs + v * 16;
		struct idt_gate *g = &idt[v];

		g->offset_lo = (uint16_t)at;
		g->offset_mid = (uint16_t)(at >> 16);
		g->offset_hi = (uint32_t)(at >> 32);
		g->selector = SEL_KCODE;
		g->type = 0x8e; /* interrupt gate, kernel only */
		g->ist = v == 8 ? 1 : v == 2 ? 2 : v == 18 ? 3 : 0;
	}
	idt[3].type = 0xee; /* INT3 and INTO: allowed to programs */
	idt[4].type = 0xee;
}

void
desc_init(struct cpu *c)
{
	static const uint64_t segments[6] = {
		0,
		0x00af9b000000ffff, /* kernel code */
		0x00cf93000000ffff, /* kernel data */
		0x00cffb000000ffff, /* user code, 32-bit: never entered */
		0x00cff3000000ffff, /* user data */
		0x00affb000000ffff, /* user code */
	};
	struct arch_cpu *a = c->id ? arch_cpu_of(c) : &boot_arch_cpu;
	struct tss *tss = &a->tss;
	uint64_t base = (uint64_t)tss;
	struct desc_ptr gdtr = { sizeof(a->gdt) - 1, (uint64_t)a->gdt };
	struct desc_ptr idtr = { sizeof(idt) - 1, (uint64_t)idt };

	c->arch = a;
	if (c->id == 0) {
		idt_fill();
		for (unsigned i = 0; i < 3; i++)
			tss->ist[i] = (uint64_t)boot_ist[i] + IST_SIZE;
	}
	memcpy(a->gdt, segments, sizeof(segments));
	tss->iomap = sizeof(*tss);
	a->gdt[6] = (sizeof(*tss) - 1) | (base & 0xffffff) << 16 |
		    0x89ull << 40 | (base >> 24 & 0xff) << 56;
	a->gdt[7] = base >> 32;
	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	__asm__ volatile("lidt %0" : : "m"(idtr));
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	/* Data selectors are not used in 64-bit mode; GS's base is an MSR. */
	__asm__ volatile("movw %w0, %%ds; movw %w0, %%es; movw %w0, %%ss"
			 :
			 : "r"(SEL_KDATA));
	__asm__ volatile("movw %w0, %%fs; movw %w0, %%gs" : : "r"(0));
	wrmsr(MSR_GS_BASE, (uint64_t)c);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(MSR_FS_BASE, 0);
}
