/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel knows of its vDSO image.
 */
#include <arch/vdso.h>
#include <base/compiler.h>
#include <base/string.h>

extern const uint8_t vdso_image_end[] HIDDEN;

size_t
vdso_image_size(void)
{
	return (size_t)(vdso_image_end - vdso_image);
}

/* The trampoline is hidden from the symbol table: found by its code. */
size_t
vdso_sigreturn_offset(void)
{
	static const uint8_t code[] = { 0xb8, 15,   0,	  0,   0,
					0x0f, 0x05, 0x0f, 0x0b };

	for (size_t i = 0; i + sizeof(code) <= vdso_image_size(); i++)
		if (!memcmp(vdso_image + i, code, sizeof(code)))
			return i;
	return 0;
}
