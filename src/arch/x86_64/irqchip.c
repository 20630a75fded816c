/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O APICs (82093AA): legacy lines to vectors; MSI messages; the old
 * 8259 pair is masked for good.
 */
#include "arch_priv.h"

#include <abi/errno.h>
#include <arch/io.h>
#include <arch/irqchip.h>
#include <arch/upcall.h>
#include <core/percpu.h>

#define IOREGSEL 0
#define IOWIN	 4 /* in words of 4 bytes */

static struct {
	volatile uint32_t *regs;
	uint32_t gsi_base, lines;
} ioapics[4];

static uint32_t
io_read(unsigned n, uint32_t reg)
{
	ioapics[n].regs[IOREGSEL] = reg;
	return ioapics[n].regs[IOWIN];
}

static void
io_write(unsigned n, uint32_t reg, uint32_t v)
{
	ioapics[n].regs[IOREGSEL] = reg;
	ioapics[n].regs[IOWIN] = v;
}

/* Mapped at first use: a machine with MSI or no lines never pays. */
static int
ioapic_of(uint32_t gsi)
{
	for (unsigned i = 0; i < acpi_info.nioapics; i++) {
		if (!ioapics[i].regs) {
			ioapics[i].regs =
				upcall_map_io(acpi_info.ioapic[i].pa, 4096);
			if (!ioapics[i].regs)
				return -ENOMEM;
			ioapics[i].gsi_base = acpi_info.ioapic[i].gsi_base;
			ioapics[i].lines = (io_read(i, 1) >> 16 & 0xff) + 1;
		}
		if (gsi >= ioapics[i].gsi_base &&
		    gsi - ioapics[i].gsi_base < ioapics[i].lines)
			return (int)i;
	}
	return -ENODEV;
}

int
irqchip_route(uint32_t gsi, bool level, uint8_t vector)
{
	uint32_t low = vector, pin;
	int n = ioapic_of(gsi);

	if (n < 0)
		return n;
	pin = gsi - ioapics[n].gsi_base;
	if (level)
		low |= 1u << 15; /* level; active high as QEMU wires PCI here */
	io_write((unsigned)n, 0x11 + 2 * pin,
		 arch_cpu_of(cpus[0])->apic_id << 24);
	io_write((unsigned)n, 0x10 + 2 * pin, low);
	return 0;
}

void
irqchip_msi(uint8_t vector, unsigned cpu, uint64_t *addr, uint32_t *data)
{
	*addr = 0xfee00000ull | arch_cpu_of(cpus[cpu])->apic_id << 12;
	*data = vector;
}

void
irqchip_init(void)
{
	/* Mask all lines of both 8259s. */
	port_out8(0x21, 0xff);
	port_out8(0xa1, 0xff);
}
