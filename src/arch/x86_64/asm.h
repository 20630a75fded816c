/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that assembly and C share.  Plain macros only.  The offsets are
 * checked against the C structures in trap.c and context.c.
 */
#pragma once

/* Selectors.  SYSCALL and SYSRET want this order: kernel code, kernel data,
 * then (32-bit user code,) user data, user code. */
#define SEL_KCODE   0x08
#define SEL_KDATA   0x10
#define SEL_KCODE32 0x18 /* in the trampoline only */
#define SEL_UCODE32 0x1b
#define SEL_UDATA   0x23
#define SEL_UCODE   0x2b
#define SEL_TSS	    0x30

/* struct cpu */
#define CPU_SELF      0
#define CPU_CURRENT   8
#define CPU_KSTACK    16
#define CPU_USER_RSP  24
#define CPU_HEARTBEAT 88

/* struct thread: struct arch_thread is first */
#define THREAD_KSP     0
#define THREAD_PENDING 40

/* struct regs */
#define REGS_R11    48
#define REGS_RCX    88
#define REGS_ORIG   120
#define REGS_RIP    128
#define REGS_CS	    136
#define REGS_RFLAGS 144
#define REGS_RSP    152
#define REGS_SIZE   168

#define MSR_GS_BASE	   0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define VEC_TIMER	 0xfe
#define VEC_RESCHED	 0xfd
#define VEC_CALL	 0xfc
#define VEC_SPURIOUS	 0xff
#define VEC_FIRST_DEVICE 0x30
#define VEC_LAST_DEVICE	 0xef

/* Where the image is linked and loaded (kernel.lds). */
#define IMAGE_PA      0x100000
#define TRAMPOLINE_PA 0x8000
