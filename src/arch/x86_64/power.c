/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the machine: QEMU's debug exit device, then ACPI's registers,
 * then a reset, then a halt.
 */
#include "arch_priv.h"

#include <abi/pith.h>
#include <arch/io.h>

#define SLP_EN 0x2000u

void
machine_power_off(int status)
{
	irq_disable();
	port_out32(PITH_DEBUG_EXIT_PORT, (uint32_t)status);
	if (acpi_info.pm1a_cnt && acpi_info.has_slp_typ5)
		port_out16((uint16_t)acpi_info.pm1a_cnt,
			   (uint16_t)(acpi_info.slp_typ5 << 10 | SLP_EN));
	machine_reset();
}

void
machine_reset(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} PACKED none;

	irq_disable();
	if (acpi_info.reset_reg)
		port_out8((uint16_t)acpi_info.reset_reg, acpi_info.reset_value);
	port_out8(0xcf9, 0x06);
	port_out8(0x64, 0xfe);
	/* A triple fault resets what nothing else could. */
	__asm__ volatile("lidt %0; int3" : : "m"(none));
	for (;;)
		__asm__ volatile("cli; hlt");
}
