/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only instructions that touch program memory.  Each that may fault has
 * an entry in .ex_table: the fault handler continues at the fix-up, which
 * says how much was left.  Words are moved first; after a fault among them the
 * rest is tried byte by byte, so that the count is exact.
 *
 * STAC and CLAC are patched to no-ops where the CPU has no SMAP (cpu.c).
 */
#include "smap.h"

	.macro EX from, to
	.pushsection .ex_table, "a"
	.balign 4
	.long \from - .
	.long \to - .
	.popsection
	.endm

	.text

/* Below this a loop is quicker than the start of a string instruction. */
#define SMALL 64

/* size_t copy_words(void *dst, const void *src, size_t len) */
	.globl arch_copy_from_user
	.globl arch_copy_to_user
arch_copy_from_user:
arch_copy_to_user:
	STAC
	movq %rdx, %rcx
	cmpq $SMALL, %rdx
	jae 6f
	subq $8, %rcx
	jb 2f
1:	movq (%rsi), %rax
10:	movq %rax, (%rdi)
	addq $8, %rsi
	addq $8, %rdi
	subq $8, %rcx
	jae 1b
2:	addq $8, %rcx
	jz 5f
3:	movb (%rsi), %al
30:	movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decq %rcx
	jnz 3b
5:	CLAC
	movq %rcx, %rax
	ret
6:	shrq $3, %rcx
7:	rep movsq
	movl %edx, %ecx
	andl $7, %ecx
8:	rep movsb
	CLAC
	movq %rcx, %rax
	ret
9:	/* a fault among the words: rcx words and the tail are left */
	andl $7, %edx
	leaq (%rdx, %rcx, 8), %rcx
	jmp 8b
	EX 1b, 2b
	EX 10b, 2b
	EX 3b, 5b
	EX 30b, 5b
	EX 7b, 9b
	EX 8b, 5b

/* size_t arch_clear_user(uint64_t dst, size_t len) */
	.globl arch_clear_user
arch_clear_user:
	STAC
	xorl %eax, %eax
	movq %rsi, %rcx
	cmpq $SMALL, %rsi
	jae 6f
	subq $8, %rcx
	jb 2f
1:	movq %rax, (%rdi)
	addq $8, %rdi
	subq $8, %rcx
	jae 1b
2:	addq $8, %rcx
	jz 5f
3:	movb %al, (%rdi)
	incq %rdi
	decq %rcx
	jnz 3b
5:	CLAC
	movq %rcx, %rax
	ret
6:	shrq $3, %rcx
7:	rep stosq
	movl %esi, %ecx
	andl $7, %ecx
8:	rep stosb
	CLAC
	movq %rcx, %rax
	ret
9:	andl $7, %esi
	leaq (%rsi, %rcx, 8), %rcx
	jmp 8b
	EX 1b, 2b
	EX 3b, 5b
	EX 7b, 9b
	EX 8b, 5b

/* ssize_t arch_strncpy_from_user(char *dst, uint64_t src, size_t max) */
	.globl arch_strncpy_from_user
arch_strncpy_from_user:
	STAC
	xorl %eax, %eax
1:	cmpq %rdx, %rax
	jae 3f
2:	movb (%rsi, %rax), %cl
	movb %cl, (%rdi, %rax)
	testb %cl, %cl
	jz 3f
	incq %rax
	jmp 1b
3:	CLAC
	ret
4:	CLAC
	movq $-14, %rax
	ret
	EX 2b, 4b

/* int arch_user_load32(uint64_t addr, uint32_t *val) */
	.globl arch_user_load32
arch_user_load32:
	STAC
1:	movl (%rdi), %ecx
	CLAC
	movl %ecx, (%rsi)
	xorl %eax, %eax
	ret
2:	CLAC
	movl $-14, %eax
	ret
	EX 1b, 2b

/* int arch_user_cas32(uint64_t addr, uint32_t old, uint32_t new,
 *		       uint32_t *found) */
	.globl arch_user_cas32
arch_user_cas32:
	movq %rcx, %r8
	movl %esi, %eax
	STAC
1:	lock cmpxchgl %edx, (%rdi)
	CLAC
	movl %eax, (%r8)
	xorl %eax, %eax
	ret
2:	CLAC
	movl $-14, %eax
	ret
	EX 1b, 2b
