/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first code at its final address: makes this CPU whole, then hands over
 * to the portable boot.  arch_init_late() is what needs memory to map
 * devices with.
 */
#include "arch_priv.h"

#include <arch/irqchip.h>
#include <arch/start.h>
#include <arch/timer.h>
#include <arch/upcall.h>
#include <core/backtrace.h>
#include <core/bootinfo.h>
#include <core/percpu.h>

extern uintptr_t __stack_chk_guard;

NORETURN void arch_start(void);

/* Not protected by the canary that it sets. */
NORETURN NO_STACK_PROTECTOR void
arch_start(void)
{
	uint64_t canary = cpu_cycles() * 0x9e3779b97f4a7c15ull;

	cpu_detect();
	mmu_init();
	desc_init(cpus[0]);
	cpu_init_this();
	if (cpu_hw_random(&canary, sizeof(canary)) != sizeof(canary))
		canary ^= canary >> 31;
	__stack_chk_guard = canary & ~0xffull; /* a NUL stops strings */
	cpus[0]->kstack_top = (uint64_t)boot_stack_top;
	upcall_start();
}

void
arch_init_late(void)
{
	acpi_init();
	irqchip_init();
	lapic_init();
	time_init();
}

uint64_t
backtrace_linked(uint64_t pc)
{
	uint64_t linked = pc - image_slide;

	return linked >= boot_info.kernel_start &&
			       linked < boot_info.kernel_end ?
		       linked :
		       pc;
}
