/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STAC and CLAC, for assembly: open and close the kernel's access to the
 * program's memory.  No-ops until cpu.c finds that the CPU has them.
 */
#pragma once

/* It is not C. */
/* clang-format off */
/* A three-byte site: NOP now, STAC or CLAC once cpu.c has patched it. */
	.macro STAC
9990:	.byte 0x0f, 0x1f, 0x00
	.pushsection .rodata.stac, "a"
	.long 9990b - .
	.popsection
	.endm
	.macro CLAC
9991:	.byte 0x0f, 0x1f, 0x00
	.pushsection .rodata.clac, "a"
	.long 9991b - .
	.popsection
	.endm
