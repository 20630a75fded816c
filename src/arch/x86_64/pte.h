/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bits of x86-64 page-table entries (Intel SDM volume 3, 4.5), shared by the
 * early code and mmu.c.
 */
#pragma once

#include <base/types.h>

#define X86_P	(1ull << 0)
#define X86_W	(1ull << 1)
#define X86_U	(1ull << 2)
#define X86_PWT (1ull << 3)
#define X86_PCD (1ull << 4)
#define X86_A	(1ull << 5)
#define X86_D	(1ull << 6)
#define X86_PS	(1ull << 7)
#define X86_G	(1ull << 8)
/* Ours, in a bit that the hardware leaves alone: an entry that keeps its
 * frame while the program may not touch it (PROT_NONE). */
#define X86_NONE (1ull << 9)
#define X86_NX	 (1ull << 63)

#define X86_ADDR 0x000ffffffffff000ull

#define PT_ENTRIES 512
