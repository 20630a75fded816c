/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the machine: QEMU's debug exit device, then ACPI's registers,
 * then a reset, then a halt; and the serial line of last resort.
 */
#include "arch_priv.h"

#include <abi/pith.h>
#include <arch/io.h>

#define SLP_EN	   0x2000u
#define COM1	   0x3f8
#define LSR_EMPTY  0x20
#define UART_TRIES 100000

void
machine_console_write(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t lsr = port_in8(COM1 + 5);

		if (lsr == 0xff)
			return; /* no device */
		for (int n = 0; n < UART_TRIES && !(lsr & LSR_EMPTY); n++)
			lsr = port_in8(COM1 + 5);
		port_out8(COM1, (uint8_t)s[i]);
	}
}

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
