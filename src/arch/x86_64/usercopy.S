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

/*
 * Moves \len bytes from (%rsi) to (%rdi), or, where \copy is 0, stores the
 * zero in %rax there; returns what is left.  \op: the string instruction.
 */
	.macro MOVE copy, op, len, len32
	STAC
	movq \len, %rcx
	cmpq $SMALL, \len
	jae 6f
	subq $8, %rcx
	jb 2f
1:
	.if \copy
	movq (%rsi), %rax
	EX 1b, 2f
	.endif
10:	movq %rax, (%rdi)
	EX 10b, 2f
	.if \copy
	addq $8, %rsi
	.endif
	addq $8, %rdi
	subq $8, %rcx
	jae 1b
2:	addq $8, %rcx
	jz 5f
3:
	.if \copy
	movb (%rsi), %al
	EX 3b, 5f
	.endif
30:	movb %al, (%rdi)
	EX 30b, 5f
	.if \copy
	incq %rsi
	.endif
	incq %rdi
	decq %rcx
	jnz 3b
5:	CLAC
	movq %rcx, %rax
	ret
6:	shrq $3, %rcx
7:	rep \op\()q
	movl \len32, %ecx
	andl $7, %ecx
8:	rep \op\()b
	CLAC
	movq %rcx, %rax
	ret
9:	/* a fault among the words: rcx words and the tail are left */
	andl $7, \len32
	leaq (\len, %rcx, 8), %rcx
	jmp 8b
	EX 7b, 9b
	EX 8b, 5b
	.endm

/* size_t arch_copy_from_user(void *dst, uint64_t src, size_t len), and to */
	.globl arch_copy_from_user
	.globl arch_copy_to_user
arch_copy_from_user:
arch_copy_to_user:
	MOVE 1, movs, %rdx, %edx

/* size_t arch_clear_user(uint64_t dst, size_t len) */
	.globl arch_clear_user
arch_clear_user:
	xorl %eax, %eax
	MOVE 0, stos, %rsi, %esi

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
