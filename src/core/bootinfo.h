/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the boot protocol told us, in one form for every machine.  Filled by
 * the platform's entry code before kmain(); constant afterwards.
 */
#pragma once

#include <base/types.h>

#define BOOT_MAX_RANGES	 64
#define BOOT_MAX_MODULES 4

enum boot_mem_type { BOOT_MEM_RAM = 1, BOOT_MEM_RESERVED, BOOT_MEM_ACPI };

struct boot_range {
	paddr_t start, end;
	enum boot_mem_type type;
};

struct boot_info {
	struct boot_range mem[BOOT_MAX_RANGES]; /* sorted, no overlaps */
	unsigned nmem;
	paddr_t kernel_start, kernel_end; /* image, bss and boot tables */
	struct boot_range module[BOOT_MAX_MODULES]; /* [0]: the run block */
	unsigned nmodules;
	char cmdline[2048];
	paddr_t acpi_rsdp; /* 0: none */
	bool no_aslr;	   /* from the command line */
};

extern struct boot_info boot_info;
