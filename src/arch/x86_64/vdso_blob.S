/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vDSO as bytes (arch.mk links it first).
 */
	.section .rodata.vdso, "a"
	.balign 4096
	.globl vdso_image, vdso_image_end
	.hidden vdso_image, vdso_image_end
vdso_image:
	.incbin VDSO_SO
	.balign 4096
vdso_image_end:
