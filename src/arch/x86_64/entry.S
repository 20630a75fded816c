/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Into and out of the kernel: system calls, exceptions, interrupts, and the
 * switch between threads.
 *
 * GS: in the kernel the base is this CPU's struct cpu, in user mode the
 * program's.  SWAPGS happens once at each crossing and nowhere else; the
 * handlers on their own stacks (double fault, NMI, machine check) look at
 * the base itself, as they may come between the crossing and the SWAPGS.
 * That is sound because the program cannot set its GS base to a kernel
 * address: FSGSBASE stays off, and arch_prctl refuses.
 *
 * The program may set AC, and a user copy that faults has it set: every
 * trap clears it (CLAC), so that SMAP holds in the handler and in whatever
 * thread runs next; IRET brings it back.  SYSCALL clears it by itself.
 *
 * A system call saves all registers in struct regs, does no FPU, FS or GS
 * work, and looks at one word (thread->pending) on its way out.
 */
#include "asm.h"
#include "smap.h"

	.text

	.macro PUSH_REGS
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro POP_REGS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	.endm

/* ---- SYSCALL: rcx = user rip, r11 = user rflags, interrupts off ---- */
	.globl syscall_entry
	.balign 64
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_KSTACK, %rsp
	incq %gs:CPU_HEARTBEAT
	pushq $SEL_UDATA
	pushq %gs:CPU_USER_RSP
	pushq %r11
	pushq $SEL_UCODE
	pushq %rcx
	pushq %rax
	pushq %rdi
	PUSH_REGS
	movq $-38, 80(%rsp)		/* rax: ENOSYS until there is better */
	xorl %ebp, %ebp
	sti
	movq %rsp, %rdi
	call upcall_syscall
	cli
	movq %gs:CPU_CURRENT, %rax
	cmpl $0, THREAD_PENDING(%rax)
	jne user_return
	/* SYSRET only where it does the same as IRET: the program's rcx and
	 * r11 hold rip and rflags, and rip is a user address. */
	movq REGS_RIP(%rsp), %rcx
	movq REGS_RFLAGS(%rsp), %r11
	cmpq %rcx, REGS_RCX(%rsp)
	jne iret_path
	cmpq %r11, REGS_R11(%rsp)
	jne iret_path
	cmpq $SEL_UCODE, REGS_CS(%rsp)
	jne iret_path
	testl $0x10100, %r11d		/* RF, TF */
	jnz iret_path
	movq %rcx, %rdx
	shrq $47, %rdx
	jnz iret_path
	POP_REGS
	movq 32(%rsp), %rsp		/* orig, rip, cs, rflags, rsp */
	swapgs
	sysretq

/* ---- back to user mode, with all registers from the frame ---- */
	.globl user_return
user_return:
	/* Interrupts off; rsp = the frame at the top of the kernel stack. */
	movq %rsp, %rdi
	call trap_user_return
iret_path:
	POP_REGS
	addq $8, %rsp
	swapgs
	.globl user_iret
user_iret:
	iretq

/* arch_enter_user(): the current thread's frame lies ready. */
	.globl arch_enter_user
arch_enter_user:
	cli
	movq %gs:CPU_KSTACK, %rsp
	subq $REGS_SIZE, %rsp
	jmp user_return

/* ---- exceptions and interrupts ----
 * A stub leaves the error code (or 0) where orig_rax goes, the vector where
 * rdi goes. */
	.macro STUB vec
	.balign 16
	.if (\vec == 8) || (\vec >= 10 && \vec <= 14) || (\vec == 17) || \
	    (\vec == 21) || (\vec == 29) || (\vec == 30)
	.else
	pushq $0
	.endif
	pushq $\vec
	.if (\vec == 2) || (\vec == 8) || (\vec == 18)
	jmp paranoid_common
	.else
	jmp trap_common
	.endif
	.endm

	.balign 16
	.globl trap_stubs
trap_stubs:
	.set i, 0
	.rept 256
	STUB i
	.set i, i + 1
	.endr
	.balign 16

trap_common:
	cld
	CLAC
	xchgq %rdi, (%rsp)		/* edi = vector; rdi is in the frame */
	PUSH_REGS
	xorl %ebp, %ebp
	testb $3, REGS_CS(%rsp)
	jz 1f
	swapgs
	movq REGS_ORIG(%rsp), %rdx	/* error code */
	movq $-1, REGS_ORIG(%rsp)
	movl %edi, %esi
	movq %rsp, %rdi
	call trap_user
	/* Interrupts are off. */
	movq %gs:CPU_CURRENT, %rax
	cmpl $0, THREAD_PENDING(%rax)
	jne user_return
	jmp iret_path
1:	movq REGS_ORIG(%rsp), %rdx
	movq $-1, REGS_ORIG(%rsp)
	movl %edi, %esi
	movq %rsp, %rdi
	call trap_kernel
	POP_REGS
	addq $8, %rsp
	iretq

/* On a stack of its own: which GS is it? */
paranoid_common:
	cld
	CLAC
	xchgq %rdi, (%rsp)
	PUSH_REGS
	xorl %ebp, %ebp
	movl $MSR_GS_BASE, %ecx
	rdmsr
	xorl %ebx, %ebx
	testl %edx, %edx
	js 1f
	swapgs
	incl %ebx
1:	movq REGS_ORIG(%rsp), %rdx
	movq $-1, REGS_ORIG(%rsp)
	movl %edi, %esi
	movq %rsp, %rdi
	call trap_paranoid
	testl %ebx, %ebx
	jz 2f
	swapgs
2:	POP_REGS
	addq $8, %rsp
	iretq

/* ---- switch_stacks(uint64_t *save_ksp, uint64_t ksp) ---- */
	.globl switch_stacks
switch_stacks:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

/* First return of a new thread: r12 = function, r13 = argument. */
	.globl thread_trampoline
thread_trampoline:
	xorl %ebp, %ebp
	movq %r13, %rdi
	call *%r12
	ud2
