/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PCI host bridge with configuration mechanism 1 (ports 0xcf8, 0xcfc),
 * which every PC has; QEMU's pc and q35 among them.
 *
 * Buses are walked by the numbers that the firmware gave the bridges.  BARs
 * that the firmware left at zero (qboot) are assigned here from the window
 * below the I/O APIC.  What a device says of itself (capabilities, BAR
 * sizes) is bounded before use.
 */
#include <drivers/pci/pci.h>

#include <abi/errno.h>
#include <arch/io.h>
#include <base/fmt.h>
#include <base/math.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/percpu.h>
#include <core/spinlock.h>
#include <mem/heap.h>
#include <mem/kmap.h>

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc

#define R_VENDOR    0x00
#define R_COMMAND   0x04
#define R_STATUS    0x06
#define R_CLASS	    0x08
#define R_HEADER    0x0e
#define R_BAR0	    0x10
#define R_SECONDARY 0x19
#define R_SUBSYSTEM 0x2e
#define R_CAPS	    0x34
#define R_IRQ_LINE  0x3c

#define CMD_IO	    1u
#define CMD_MEM	    2u
#define CMD_MASTER  4u
#define CMD_NO_INTX 0x400u

#define MSIX_ENABLE 0x8000u
#define MSIX_MASK   0x4000u
#define MAX_CAPS    48u
#define MAX_DEPTH   4u
#define MAX_BAR_LEN (1ull << 40)

/* Where unassigned memory BARs go: above any RAM of pc and q35 and below
 * the fixed devices. */
#define WINDOW_START 0xe0000000ull
#define WINDOW_END   0xfe000000ull

static struct spinlock config_lock = SPINLOCK_INIT(RANK_EVENT);
static uint64_t window_next = WINDOW_START; /* boot only */

/* ---- configuration space ---- */

static uint32_t
config(unsigned bus, unsigned slot, unsigned fn, unsigned off,
       const uint32_t *write)
{
	irqflags_t f = spin_lock_irq(&config_lock);
	uint32_t v = 0;

	port_out32(PORT_ADDRESS, 0x80000000u | bus << 16 | slot << 11 |
					 fn << 8 | (off & 0xfc));
	if (write)
		port_out32(PORT_DATA, *write);
	else
		v = port_in32(PORT_DATA);
	spin_unlock_irq(&config_lock, f);
	return v;
}

uint32_t
pci_read32(const struct pci_device *p, unsigned off)
{
	return config(p->bus, p->slot, p->fn, off, NULL);
}

uint16_t
pci_read16(const struct pci_device *p, unsigned off)
{
	return (uint16_t)(pci_read32(p, off) >> (off & 2) * 8);
}

uint8_t
pci_read8(const struct pci_device *p, unsigned off)
{
	return (uint8_t)(pci_read32(p, off) >> (off & 3) * 8);
}

void
pci_write32(const struct pci_device *p, unsigned off, uint32_t v)
{
	config(p->bus, p->slot, p->fn, off, &v);
}

static void
set_address(const struct pci_device *p, unsigned off)
{
	port_out32(PORT_ADDRESS, 0x80000000u | (uint32_t)p->bus << 16 |
					 (uint32_t)p->slot << 11 |
					 (uint32_t)p->fn << 8 | (off & 0xfc));
}

void
pci_write8(const struct pci_device *p, unsigned off, uint8_t v)
{
	irqflags_t f = spin_lock_irq(&config_lock);

	set_address(p, off);
	port_out8((uint16_t)(PORT_DATA + (off & 3)), v);
	spin_unlock_irq(&config_lock, f);
}

/* By one access of its size: the other half of the word may hold bits that
 * a write clears (the status register beside the command). */
void
pci_write16(const struct pci_device *p, unsigned off, uint16_t v)
{
	irqflags_t f = spin_lock_irq(&config_lock);

	set_address(p, off);
	port_out16((uint16_t)(PORT_DATA + (off & 2)), v);
	spin_unlock_irq(&config_lock, f);
}

unsigned
pci_find_cap(const struct pci_device *p, unsigned id, unsigned after)
{
	unsigned at, n;

	if (after)
		at = pci_read8(p, after + 1);
	else if (pci_read16(p, R_STATUS) & 0x10)
		at = pci_read8(p, R_CAPS);
	else
		return 0;
	for (n = 0; n < MAX_CAPS && at >= 0x40; n++) {
		at &= 0xfc;
		if (pci_read8(p, at) == id)
			return at;
		at = pci_read8(p, at + 1);
	}
	return 0;
}

/* ---- BARs ---- */

static uint64_t
assign(uint64_t len)
{
	uint64_t at = align_up(window_next, max_u64(len, PAGE_SIZE));

	if (at + len > WINDOW_END)
		return 0;
	window_next = at + len;
	return at;
}

static void
set_bar(struct pci_device *p, unsigned i, uint64_t base, bool wide)
{
	pci_write32(p, R_BAR0 + 4 * i, (uint32_t)base);
	if (wide)
		pci_write32(p, R_BAR0 + 4 * i + 4, (uint32_t)(base >> 32));
	p->bar[i].base = base;
}

/* Sizes BAR i with decoding off; returns how many slots it takes. */
static unsigned
size_bar(struct pci_device *p, unsigned i)
{
	struct pci_bar *b = &p->bar[i];
	unsigned off = R_BAR0 + 4 * i;
	uint32_t lo = pci_read32(p, off), hi = 0, mask;
	bool wide = !(lo & 1) && (lo & 6) == 4 && i + 1 < PCI_BARS;
	uint64_t size;

	pci_write32(p, off, UINT32_MAX);
	size = pci_read32(p, off);
	pci_write32(p, off, lo);
	mask = lo & 1 ? ~3u : ~15u;
	b->io = lo & 1;
	b->base = lo & mask;
	size &= mask;
	if (wide) {
		hi = pci_read32(p, off + 4);
		pci_write32(p, off + 4, UINT32_MAX);
		size |= (uint64_t)pci_read32(p, off + 4) << 32;
		pci_write32(p, off + 4, hi);
		b->base |= (uint64_t)hi << 32;
	} else if (size) {
		size |= b->io ? 0xffffffffffff0000ull : 0xffffffff00000000ull;
	}
	b->len = size ? ~size + 1 : 0;
	if (!is_pow2(b->len) || b->len > MAX_BAR_LEN)
		b->len = 0;
	if (b->len && !b->base && !b->io)
		set_bar(p, i, assign(b->len), wide);
	return wide ? 2 : 1;
}

static void
read_bars(struct pci_device *p)
{
	uint16_t cmd = pci_read16(p, R_COMMAND);
	unsigned i;

	pci_write16(p, R_COMMAND, (uint16_t)(cmd & ~(CMD_IO | CMD_MEM)));
	for (i = 0; i < PCI_BARS; i += size_bar(p, i))
		;
	pci_write16(p, R_COMMAND, cmd);
}

void
pci_enable(const struct pci_device *p)
{
	pci_write16(
		p, R_COMMAND,
		(uint16_t)(pci_read16(p, R_COMMAND) | CMD_MEM | CMD_MASTER));
}

volatile void *
pci_map(const struct pci_device *p, unsigned bar, uint64_t off, uint64_t len)
{
	const struct pci_bar *b;
	uint64_t end, start;
	char *va;

	if (bar >= PCI_BARS || !len)
		return NULL;
	b = &p->bar[bar];
	if (b->io || !b->base || add_overflow_u64(off, len, &end) ||
	    end > b->len)
		return NULL;
	start = align_down(b->base + off, PAGE_SIZE);
	va = kmap_io(start, align_up(b->base + end, PAGE_SIZE) - start);
	return va ? va + (b->base + off - start) : NULL;
}

/* ---- interrupts ---- */

int
pci_msix_enable(struct pci_device *p)
{
	uint32_t where;
	volatile void *t;

	if (!p->msix_count)
		return -ENOENT;
	where = pci_read32(p, p->msix_cap + 4);
	t = pci_map(p, where & 7, where & ~7u, p->msix_count * 16ull);
	if (!t)
		return -ENOMEM;
	p->msix_table = t;
	pci_write16(p, p->msix_cap + 2,
		    (uint16_t)((pci_read16(p, p->msix_cap + 2) & 0x7ff) |
			       MSIX_ENABLE));
	pci_write16(p, R_COMMAND,
		    (uint16_t)(pci_read16(p, R_COMMAND) | CMD_NO_INTX));
	return 0;
}

int
pci_msix_set(struct pci_device *p, unsigned i, unsigned cpu, void (*fn)(void *),
	     void *arg)
{
	volatile uint32_t *e = p->msix_table + 4 * i;
	uint64_t addr;
	uint32_t data;
	int vector;

	if (i >= p->msix_count)
		return -ENOSPC;
	/* Devices come before the other CPUs are started. */
	if (cpu >= ARCH_MAX_CPUS || !cpus[cpu] || !cpus[cpu]->online)
		cpu = 0;
	vector = irq_alloc(cpu, fn, arg);
	if (vector < 0)
		return vector;
	irq_msi_message(vector, cpu, &addr, &data);
	mmio_write32(e, (uint32_t)addr);
	mmio_write32(e + 1, (uint32_t)(addr >> 32));
	mmio_write32(e + 2, data);
	mmio_write32(e + 3, 0); /* unmasked */
	return vector;
}

int
pci_intx(struct pci_device *p, void (*fn)(void *), void *arg)
{
	if (!p->irq_line || p->irq_line >= 0xf0)
		return -ENOENT;
	return irq_route_gsi(p->irq_line, true, fn, arg);
}

/* ---- the walk ---- */

static void walk(unsigned bus, unsigned depth);

static void
add_function(unsigned bus, unsigned slot, unsigned fn, uint32_t vendor_id)
{
	struct pci_device *p = kzalloc(sizeof(*p), ALLOC_KERNEL);

	if (!p) {
		log_err("pci: no memory");
		return;
	}
	p->bus = (uint8_t)bus;
	p->slot = (uint8_t)slot;
	p->fn = (uint8_t)fn;
	p->vendor = (uint16_t)vendor_id;
	p->id = (uint16_t)(vendor_id >> 16);
	p->class = pci_read32(p, R_CLASS) >> 8;
	p->irq_line = pci_read8(p, R_IRQ_LINE);
	p->dev.bus = BUS_PCI;
	ksnprintf(p->dev.name, sizeof(p->dev.name), "pci%u:%u.%u", bus, slot,
		  fn);
	/* Only a matching driver makes the rest worth its exits. */
	device_add(&p->dev);
}

/* The parts of a device that only its driver needs. */
int
pci_probe(struct pci_device *p)
{
	unsigned cap;

	if ((pci_read8(p, R_HEADER) & 0x7f) != 0)
		return -ENODEV;
	p->subsystem = pci_read16(p, R_SUBSYSTEM);
	read_bars(p);
	cap = pci_find_cap(p, PCI_CAP_MSIX, 0);
	if (cap) {
		p->msix_cap = cap;
		p->msix_count = (pci_read16(p, cap + 2) & 0x7ffu) + 1;
	}
	return 0;
}

static void
walk_function(unsigned bus, unsigned slot, unsigned fn, uint32_t vendor_id,
	      uint8_t header, unsigned depth)
{
	if ((header & 0x7f) == 1) {
		uint8_t next = (uint8_t)(config(bus, slot, fn,
						R_SECONDARY & 0xfc, NULL) >>
					 8);

		/* Numbers only grow downwards: no loop. */
		if (next > bus && depth < MAX_DEPTH)
			walk(next, depth + 1);
		return;
	}
	add_function(bus, slot, fn, vendor_id);
}

static void
walk(unsigned bus, unsigned depth)
{
	unsigned slot, fn;

	for (slot = 0; slot < 32; slot++) {
		for (fn = 0; fn < 8; fn++) {
			uint32_t id = config(bus, slot, fn, R_VENDOR, NULL);
			uint8_t header;

			if ((id & 0xffff) == 0xffff) {
				if (fn == 0)
					break;
				continue;
			}
			header = (uint8_t)(config(bus, slot, fn,
						  R_HEADER & 0xfc, NULL) >>
					   16);
			walk_function(bus, slot, fn, id, header, depth);
			if (fn == 0 && !(header & 0x80))
				break;
		}
	}
}

static bool
host_match(const struct device *dev)
{
	uint32_t old = port_in32(PORT_ADDRESS), got;

	(void)dev;
	port_out32(PORT_ADDRESS, 0x80000000u);
	got = port_in32(PORT_ADDRESS);
	port_out32(PORT_ADDRESS, old);
	return got == 0x80000000u;
}

static int
host_attach(struct device *dev)
{
	(void)dev;
	walk(0, 0);
	return 0;
}

const struct driver pci_host = {
	.name = "pci",
	.bus = BUS_PLATFORM,
	.match = host_match,
	.attach = host_attach,
};
