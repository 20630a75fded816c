/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a guest can do: enters by PVH and ends the machine through
 * the debug-exit device.  What it takes is QEMU's, firmware's included.
 */
	.code32
	.text
	.globl _start
_start:
	movw $0xf4, %dx
	xorl %eax, %eax
	outl %eax, %dx
1:	hlt
	jmp 1b

	.section .note.pvh, "a", @note
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start
