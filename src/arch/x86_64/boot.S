/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PVH entry (Xen's x86/HVM direct boot ABI): 32-bit protected mode, flat
 * segments, paging off, EBX = struct hvm_start_info.
 *
 * Builds an identity map of the first GiB in 2 MiB pages, enters long mode,
 * and calls early_boot() at the physical address; that builds the real
 * tables, relocates the image and tells where it goes.  Then jumps there.
 */
#include "asm.h"

/* The physical address of a symbol: the image is linked where it is loaded,
 * but a PIE takes differences only. */
#define PA(sym) ((sym) - pvh_start + IMAGE_PA)

	.section .text.boot, "ax"
	.code32
	.globl pvh_start
pvh_start:
	cld
	movl $0, %ebp
	movl $PA(boot_stack_top), %esp
	movl %ebx, %edi

	/* boot_pml4[0] -> the next page's [0] -> 512 pages of 2 MiB */
	movl $PA(boot_pml4), %eax
	leal 0x1003(%eax), %ecx
	movl %ecx, (%eax)
	leal 0x2003(%eax), %ecx
	movl %ecx, 0x1000(%eax)
	leal 0x2000(%eax), %edx
	movl $0x83, %ecx
1:	movl %ecx, (%edx)
	addl $8, %edx
	addl $0x200000, %ecx
	cmpl $0x40000083, %ecx
	jne 1b

	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x20, %eax			/* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx		/* EFER: LME, NXE, SCE */
	rdmsr
	orl $0x901, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80010001, %eax		/* PG, WP, PE */
	andl $0x9fffffff, %eax		/* caches on */
	movl %eax, %cr0
	pushl $PA(boot_gdt)
	pushw $47
	lgdtl (%esp)
	pushl $SEL_KCODE
	pushl $PA(long_start)
	lretl

	.code64
long_start:
	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq boot_stack_top(%rip), %rsp
	movl %edi, %edi
	call early_boot			/* rax: the slide */
	movq %rax, %rbx
	leaq boot_stack_top(%rip), %rsp
	addq %rbx, %rsp
	movq early_cr3(%rip), %rcx
	leaq 2f(%rip), %rdx
	addq %rbx, %rdx
	movq %rcx, %cr3
	jmp *%rdx
2:	/* In the high half; the identity map is gone. */
	lgdtq boot_gdt_ptr64(%rip)
	xorl %ebp, %ebp
	call arch_start
	ud2

	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* kernel code, 64-bit */
	.quad 0x00cf93000000ffff	/* kernel data */
	.quad 0x00cffb000000ffff	/* user code, 32-bit (unused) */
	.quad 0x00cff3000000ffff	/* user data */
	.quad 0x00affb000000ffff	/* user code, 64-bit */

	.section .data.boot, "aw"
	.balign 8
	.word 0, 0, 0
boot_gdt_ptr64:
	.word 47
	.quad boot_gdt

	.section .bss.boot, "aw", @nobits
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 3 * 4096
	.globl boot_stack
boot_stack:
	.skip 16384
	.globl boot_stack_top
boot_stack_top:
