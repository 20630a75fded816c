/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relocations of code that is loaded into the kernel (psABI for AMD64 1.0,
 * 4.4.1).  The kernel code model: symbols lie within 2 GiB, at addresses that
 * are sign-extended 32-bit numbers.
 */
#include <arch/module.h>

#include <abi/errno.h>
#include <base/string.h>

unsigned
arch_module_reloc_size(uint32_t type)
{
	switch (type) {
	case R_X86_64_64:
		return 8;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
	case R_X86_64_32S:
		return 4;
	}
	return 0;
}

int
arch_module_reloc(void *where, uint32_t type, uint64_t sym, int64_t addend)
{
	uint64_t v = sym + (uint64_t)addend;

	if (type == R_X86_64_PC32 || type == R_X86_64_PLT32)
		v -= (uintptr_t)where;
	/* A field may lie anywhere in code. */
	if (type != R_X86_64_64 && v != (uint64_t)(int64_t)(int32_t)v)
		return -ERANGE;
	memcpy(where, &v, arch_module_reloc_size(type));
	return 0;
}
