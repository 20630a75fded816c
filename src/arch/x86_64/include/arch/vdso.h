/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vDSO: a small ELF shared object that the kernel maps into the program,
 * and the data page behind it (vvar).
 */
#pragma once

#include <base/types.h>

extern const uint8_t vdso_image[]; /* page aligned */
size_t vdso_image_size(void);	   /* a multiple of the page size */

/* Frame of the vvar page: mapped read-only at (vdso base - PAGE_SIZE). */
paddr_t vdso_data_page(void);
/* Address of the signal-return trampoline within the image. */
size_t vdso_sigreturn_offset(void);
