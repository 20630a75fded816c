/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI: the bus walk, configuration space, BARs, MSI-X.
 *
 * A device's attach() enables what it uses (pci_enable) and maps the BARs
 * that it needs.  Configuration space is written by one context at a time:
 * at boot, and afterwards by a device's own driver.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <dev/device.h>

#define PCI_BARS 6

#define PCI_CAP_MSIX   0x11
#define PCI_CAP_VENDOR 0x09

struct pci_bar {
	uint64_t base, len; /* len 0: none */
	bool io;
};

struct pci_device {
	struct device dev;
	uint8_t bus, slot, fn;
	uint16_t vendor, id;
	uint16_t subsystem;
	uint32_t class; /* class << 16 | subclass << 8 | interface */
	uint8_t irq_line;
	struct pci_bar bar[PCI_BARS];
	unsigned msix_count; /* 0: no MSI-X */
	unsigned msix_cap;
	volatile uint32_t *msix_table; /* after pci_msix_enable() */
};

static inline struct pci_device *
pci_device_of(struct device *d)
{
	return container_of(d, struct pci_device, dev);
}

uint8_t pci_read8(const struct pci_device *p, unsigned off);
uint16_t pci_read16(const struct pci_device *p, unsigned off);
uint32_t pci_read32(const struct pci_device *p, unsigned off);
void pci_write8(const struct pci_device *p, unsigned off, uint8_t v);
void pci_write16(const struct pci_device *p, unsigned off, uint16_t v);
void pci_write32(const struct pci_device *p, unsigned off, uint32_t v);

/* Offset of the first capability id after that at `after` (0: from the
 * start); 0: there is none. */
unsigned pci_find_cap(const struct pci_device *p, unsigned id, unsigned after);
/* Reads BARs, subsystem and MSI-X: first thing in attach().  0, -ENODEV. */
MUST_CHECK int pci_probe(struct pci_device *p);
/* Memory decoding and bus mastering. */
void pci_enable(const struct pci_device *p);
/* Maps part of a memory BAR; NULL: out of its bounds, or no memory. */
MUST_CHECK volatile void *pci_map(const struct pci_device *p, unsigned bar,
				  uint64_t off, uint64_t len);
/* 0, -ENOENT, -ENOMEM. */
MUST_CHECK int pci_msix_enable(struct pci_device *p);
/* Points table entry i to a new vector on cpu.  The vector or -errno. */
MUST_CHECK int pci_msix_set(struct pci_device *p, unsigned i, unsigned cpu,
			    void (*fn)(void *), void *arg);
/* Routes the INTx line. */
MUST_CHECK int pci_intx(struct pci_device *p, void (*fn)(void *), void *arg);

extern const struct driver pci_host;
