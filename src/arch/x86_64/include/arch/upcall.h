/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The complete list of calls that the lowest layers make upward.  Each is
 * defined by the layer named; nothing else below may call above.
 */
#pragma once

#include <arch/trap.h>
#include <base/compiler.h>
#include <base/types.h>

struct thread;

/* linux: one system call of the current thread; result goes into regs.
 * Interrupts are enabled. */
void upcall_syscall(struct regs *r);

/* vm: a page fault at addr (FAULT_* in what).  Interrupts are enabled when
 * they were in the faulting context.  true: resolved, resume.  false: not
 * resolvable; for a fault in kernel mode the caller then applies the fix-up
 * table, for user mode calls upcall_trap_user with SIGSEGV or SIGBUS, as
 * filled into *sig and *code. */
bool upcall_fault(struct regs *r, vaddr_t addr, unsigned what, int *sig,
		  int *code);

/* proc: user mode did what raises a signal (Linux signal number, si_code,
 * si_addr; trapno and err as x86 numbers them, for the ucontext). */
void upcall_trap_user(struct regs *r, int sig, int code, vaddr_t addr,
		      int trapno, uint64_t err);

/* core: a device or timer interrupt, with its vector. */
void upcall_irq(unsigned vector);

/* sched: on the way back to user mode, interrupts disabled, when the
 * current thread's `pending` word is not zero: reschedule, deliver signals.
 * Returns with interrupts disabled and nothing pending. */
void upcall_user_return(struct regs *r);

/* sched: a secondary CPU is up, on its own idle stack. */
NORETURN void upcall_cpu_started(void);

/* mem: one zeroed frame for a page table; 0: no memory.  May not sleep. */
paddr_t upcall_pt_alloc(void);
/* mem: takes a table page back once every CPU has passed a quiescent state
 * and its translations are flushed. */
void upcall_pt_free(paddr_t pa);

/* mem: memory for the FPU state of a thread, 64-byte aligned; NULL. */
void *upcall_fpu_alloc(size_t size);
void upcall_fpu_free(void *p);

/* vm: stores a word in the program's memory: 0 or -EFAULT. */
int upcall_put_user64(uint64_t addr, uint64_t v);

/* mem: device registers and firmware tables, uncached; NULL: no room. */
void *upcall_map_io(paddr_t pa, size_t len);
void upcall_unmap_io(void *va, size_t len);

/* mem: the zeroed block of a CPU that arch asks for (struct arch_cpu and
 * its exception stacks); size as arch says.  NULL: no memory. */
void *upcall_zalloc(size_t size);

/* vm: makes a range of the program's memory present for reading: 0 or
 * -EFAULT. */
int upcall_user_touch(uint64_t addr, size_t len);

/* boot: the boot CPU is set up, on the boot stack, interrupts off. */
NORETURN void upcall_start(void);
