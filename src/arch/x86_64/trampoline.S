/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where other CPUs begin: copied to TRAMPOLINE_PA, entered in real mode by
 * the STARTUP message.  Goes to long mode on boot_pml4 (identity and upper
 * half), takes the stack and the entry from the words at the end, and calls
 * ap_start().
 */
#include "asm.h"

#define T(sym) ((sym) - ap_trampoline + TRAMPOLINE_PA)

	.section .rodata.trampoline, "a"
	.balign 16
	.globl ap_trampoline, ap_trampoline_end
	.globl ap_cr3, ap_stack, ap_entry, ap_arg
	.code16
ap_trampoline:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl T(ap_gdt_ptr)
	movl $1, %eax
	movl %eax, %cr0
	ljmpl $SEL_KCODE32, $T(ap_protected)

	.code32
ap_protected:
	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl T(ap_cr3), %eax
	movl %eax, %cr3
	movl $0x20, %eax		/* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x901, %eax
	wrmsr
	movl $0x80010001, %eax
	movl %eax, %cr0
	ljmpl $SEL_KCODE, $T(ap_long)

	.code64
ap_long:
	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movq T(ap_stack), %rsp
	movq T(ap_arg), %rdi
	movq T(ap_entry), %rax
	xorl %ebp, %ebp
	call *%rax
	ud2

	.balign 8
ap_gdt:
	.quad 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x00cf9b000000ffff	/* 32-bit code */
ap_gdt_ptr:
	.word 31
	.long T(ap_gdt)
	.balign 8
ap_cr3:	  .quad 0
ap_stack: .quad 0
ap_entry: .quad 0
ap_arg:	  .quad 0
ap_trampoline_end:
