/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local interrupt controller (Intel SDM volume 3, chapter 11): x2APIC by
 * MSR where there, else by memory.  Its timer is the one-shot timer of each
 * CPU, by TSC deadline where there.
 */
#include "arch_priv.h"

#include <arch/upcall.h>
#include <base/assert.h>
#include <core/percpu.h>

#define APIC_PA 0xfee00000ull

enum apic_reg {
	APIC_ID = 0x20,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_SVR = 0xf0,
	APIC_ICR = 0x300,
	APIC_ICR_HI = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INIT = 0x380,
	APIC_TIMER_COUNT = 0x390,
	APIC_TIMER_DIV = 0x3e0,
};

#define LVT_MASKED   0x10000u
#define LVT_DEADLINE 0x40000u
#define ICR_PENDING  0x1000u

static volatile uint32_t *apic; /* [I] NULL: x2APIC */

static uint32_t
reg_read(enum apic_reg r)
{
	if (!apic)
		return (uint32_t)rdmsr(MSR_X2APIC + (uint32_t)r / 16);
	return apic[(uint32_t)r / 4];
}

static void
reg_write(enum apic_reg r, uint32_t v)
{
	if (!apic)
		wrmsr(MSR_X2APIC + (uint32_t)r / 16, v);
	else
		apic[(uint32_t)r / 4] = v;
}

void
lapic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | 1u << 11;

	if (cpu_features.x2apic)
		base |= 1u << 10;
	wrmsr(MSR_APIC_BASE, base);
	if (!cpu_features.x2apic && !apic) {
		apic = upcall_map_io(APIC_PA, 4096);
		assert(apic); /* boot: nothing works without it */
	}
	reg_write(APIC_SVR, 0x100 | VEC_SPURIOUS);
	reg_write(APIC_TPR, 0);
	reg_write(APIC_LVT_LINT0, LVT_MASKED);
	reg_write(APIC_LVT_LINT1, 0x400); /* NMI */
	reg_write(APIC_LVT_ERROR, LVT_MASKED);
	reg_write(APIC_TIMER_DIV, 0xb); /* by 1 */
	reg_write(APIC_LVT_TIMER,
		  VEC_TIMER | (cpu_features.deadline ? LVT_DEADLINE : 0));
	arch_this()->apic_id = lapic_read_id();
}

uint32_t
lapic_read_id(void)
{
	return apic ? reg_read(APIC_ID) >> 24 : reg_read(APIC_ID);
}

void
lapic_eoi(void)
{
	reg_write(APIC_EOI, 0);
}

static void
icr(uint32_t apic_id, uint32_t low)
{
	irqflags_t f;

	if (!apic) {
		wrmsr(MSR_X2APIC + APIC_ICR / 16,
		      (uint64_t)apic_id << 32 | low);
		return;
	}
	f = irq_save();
	reg_write(APIC_ICR_HI, apic_id << 24);
	reg_write(APIC_ICR, low);
	while (reg_read(APIC_ICR) & ICR_PENDING)
		cpu_relax();
	irq_restore(f);
}

void
lapic_ipi(uint32_t apic_id, uint8_t vector)
{
	icr(apic_id, 0x4000u | vector);
}

void
lapic_nmi(uint32_t apic_id)
{
	icr(apic_id, 0x4400u);
}

void
lapic_start(uint32_t apic_id, uint32_t page)
{
	icr(apic_id, 0xc500);	     /* INIT, level, assert */
	icr(apic_id, 0x8500);	     /* de-assert */
	icr(apic_id, 0x4600 | page); /* STARTUP */
	icr(apic_id, 0x4600 | page);
}

uint32_t
lapic_timer_count(void)
{
	return reg_read(APIC_TIMER_COUNT);
}

void
lapic_timer_start(uint32_t count)
{
	reg_write(APIC_TIMER_INIT, count);
}
