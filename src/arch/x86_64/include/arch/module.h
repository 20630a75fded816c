/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relocations of code that is loaded into the kernel (klib/image.c).
 */
#pragma once

#include <abi/elf.h>
#include <base/compiler.h>
#include <base/types.h>

#define ARCH_MODULE_MACHINE EM_X86_64

/* Bytes that a relocation of this type changes; 0: it is not one that code
 * for the kernel may have. */
unsigned arch_module_reloc_size(uint32_t type);

/* Applies it at where, the final address.  -ERANGE: too far away. */
MUST_CHECK int arch_module_reloc(void *where, uint32_t type, uint64_t sym,
				 int64_t addend);
