/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The static ACPI tables (ACPI 6.5, chapter 5.2): processors and I/O APICs
 * from the MADT, the PCI window from the MCFG, power registers from the
 * FADT, and the S5 value by looking for the bytes of its name in the DSDT:
 * there is no AML interpreter (design decision 10).
 *
 * Without tables (microvm with acpi=off) the number of CPUs comes from
 * QEMU's fw_cfg, their ids are 0, 1, ...
 */
#include "arch_priv.h"

#include <arch/io.h>
#include <arch/upcall.h>
#include <base/math.h>
#include <base/string.h>
#include <core/bootinfo.h>
#include <core/log.h>

#define TABLE_MAX (1u << 20)

struct sdt_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} PACKED;
static_assert(sizeof(struct sdt_header) == 36, "ACPI table header");

struct acpi_info acpi_info;

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static uint64_t
get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* Maps a table whole; NULL when it is not sound. */
static const struct sdt_header *
table_map(paddr_t pa)
{
	const struct sdt_header *h = pa ? upcall_map_io(pa, sizeof(*h)) : NULL;
	uint32_t len;

	if (!h)
		return NULL;
	len = h->length;
	upcall_unmap_io((void *)(uintptr_t)h, sizeof(*h));
	if (len < sizeof(*h) || len > TABLE_MAX)
		return NULL;
	return upcall_map_io(pa, len);
}

static void
table_unmap(const struct sdt_header *h)
{
	upcall_unmap_io((void *)(uintptr_t)h, h->length);
}

static void
parse_madt(const struct sdt_header *h)
{
	const uint8_t *p = (const uint8_t *)h + 44;
	const uint8_t *end = (const uint8_t *)h + h->length;
	struct acpi_info *a = &acpi_info;

	for (; end - p >= 2 && p[1] >= 2 && p[1] <= end - p; p += p[1]) {
		if (p[0] == 0 && p[1] >= 8 && get32(p + 4) & 1) {
			if (a->ncpus < ARCH_MAX_CPUS)
				a->cpu_apic[a->ncpus++] = p[3];
		} else if (p[0] == 9 && p[1] >= 16 && get32(p + 8) & 1) {
			if (a->ncpus < ARCH_MAX_CPUS)
				a->cpu_apic[a->ncpus++] = get32(p + 4);
		} else if (p[0] == 1 && p[1] >= 12 && a->nioapics < 4) {
			a->ioapic[a->nioapics].pa = get32(p + 4);
			a->ioapic[a->nioapics++].gsi_base = get32(p + 8);
		} else if (p[0] == 2 && p[1] >= 10 && p[3] < 16) {
			a->isa_override[p[3]].gsi = get32(p + 4);
			a->isa_override[p[3]].flags =
				(uint16_t)(p[8] | p[9] << 8);
			a->isa_override[p[3]].set = true;
		}
	}
}

/* _S5_ in the DSDT is a package whose first element is the value that ends
 * the machine when written to SLP_TYP. */
static void
parse_dsdt(paddr_t pa)
{
	const struct sdt_header *h = table_map(pa);
	const uint8_t *p;

	if (!h)
		return;
	p = (const uint8_t *)h;
	for (uint32_t i = 36; i + 12 < h->length; i++) {
		const uint8_t *q = p + i;

		/* Name, package op, length, count, then the integer. */
		if (memcmp(q, "_S5_\x12", 5))
			continue;
		q += 6 + (q[5] >> 6); /* package length's extra bytes */
		q++;		      /* number of elements */
		if (*q == 0x0a)
			q++;
		if (*q <= 7) {
			acpi_info.slp_typ5 = *q;
			acpi_info.has_slp_typ5 = true;
		}
		break;
	}
	table_unmap(h);
}

static void
parse_fadt(const struct sdt_header *h)
{
	const uint8_t *p = (const uint8_t *)h;

	if (h->length < 116)
		return;
	acpi_info.pm1a_cnt = get32(p + 64);
	acpi_info.pm_timer_port = get32(p + 76);
	if (h->length >= 129 && get32(p + 112) & 1u << 10 && p[116] == 1) {
		acpi_info.reset_reg = get64(p + 120);
		acpi_info.reset_value = p[128];
	}
	/* Hardware-reduced machines (microvm) sleep by a register instead. */
	if (!(get32(p + 112) & 1u << 20))
		parse_dsdt(get32(p + 40));
}

static void
parse_mcfg(const struct sdt_header *h)
{
	const uint8_t *p = (const uint8_t *)h;

	if (h->length < 60)
		return;
	acpi_info.mcfg_base = get64(p + 44);
	acpi_info.mcfg_start = p[54];
	acpi_info.mcfg_end = p[55];
}

static void
parse_table(paddr_t pa)
{
	const struct sdt_header *h = table_map(pa);

	if (!h)
		return;
	if (!memcmp(h->signature, "APIC", 4))
		parse_madt(h);
	else if (!memcmp(h->signature, "FACP", 4))
		parse_fadt(h);
	else if (!memcmp(h->signature, "MCFG", 4))
		parse_mcfg(h);
	table_unmap(h);
}

static void
parse_root(paddr_t pa, unsigned entry_size)
{
	const struct sdt_header *h = table_map(pa);
	const uint8_t *p;
	unsigned n;

	if (!h)
		return;
	p = (const uint8_t *)(h + 1);
	n = (h->length - (uint32_t)sizeof(*h)) / entry_size;
	for (unsigned i = 0; i < n && i < 64; i++, p += entry_size)
		parse_table(entry_size == 8 ? get64(p) : get32(p));
	table_unmap(h);
}

/* QEMU's fw_cfg, item 5: number of CPUs (docs/specs/fw_cfg). */
static unsigned
fw_cfg_cpus(void)
{
	char sig[4];
	unsigned n;

	port_out16(0x510, 0);
	for (unsigned i = 0; i < 4; i++)
		sig[i] = (char)port_in8(0x511);
	if (memcmp(sig, "QEMU", 4))
		return 1;
	port_out16(0x510, 5);
	n = port_in8(0x511);
	n |= (unsigned)port_in8(0x511) << 8;
	return n;
}

void
acpi_init(void)
{
	struct acpi_info *a = &acpi_info;
	const uint8_t *rsdp = NULL;

	if (boot_info.acpi_rsdp)
		rsdp = upcall_map_io(boot_info.acpi_rsdp, 36);
	if (rsdp && !memcmp(rsdp, "RSD PTR ", 8)) {
		if (rsdp[15] >= 2 && get64(rsdp + 24))
			parse_root(get64(rsdp + 24), 8);
		else
			parse_root(get32(rsdp + 16), 4);
	}
	if (!a->ncpus) {
		a->ncpus = (unsigned)min_u64(fw_cfg_cpus(), ARCH_MAX_CPUS);
		if (!a->ncpus)
			a->ncpus = 1;
		for (unsigned i = 0; i < a->ncpus; i++)
			a->cpu_apic[i] = i;
	}
	if (!a->nioapics) {
		a->ioapic[0].pa = 0xfec00000;
		a->nioapics = 1;
	}
}
