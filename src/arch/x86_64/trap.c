/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions and interrupts, from the entry code to whom they concern.
 *
 * From user mode, an exception is a page fault that vm resolves or a signal.
 * In kernel mode it is a page fault in a user copy (vm, or the fix-up
 * table), or the end.
 */
#include "arch_priv.h"

#include <abi/signal.h>
#include <arch/mmu.h>
#include <arch/smp.h>
#include <arch/upcall.h>
#include <base/atomic.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/reclaim.h>
#include <core/watchdog.h>

void trap_user(struct regs *r, unsigned vector, uint64_t err);
void trap_kernel(struct regs *r, unsigned vector, uint64_t err);
void trap_paranoid(struct regs *r, unsigned vector, uint64_t err);
void trap_user_return(struct regs *r);

static_assert(offsetof(struct regs, r11) == REGS_R11, "asm.h");
static_assert(offsetof(struct regs, rcx) == REGS_RCX, "asm.h");
static_assert(offsetof(struct regs, orig_rax) == REGS_ORIG, "asm.h");
static_assert(offsetof(struct regs, rip) == REGS_RIP, "asm.h");
static_assert(offsetof(struct regs, cs) == REGS_CS, "asm.h");
static_assert(offsetof(struct regs, rflags) == REGS_RFLAGS, "asm.h");
static_assert(offsetof(struct regs, rsp) == REGS_RSP, "asm.h");
static_assert(sizeof(struct regs) == REGS_SIZE, "asm.h");
static_assert(offsetof(struct cpu, current) == CPU_CURRENT, "asm.h");
static_assert(offsetof(struct cpu, kstack_top) == CPU_KSTACK, "asm.h");
static_assert(offsetof(struct cpu, user_rsp) == CPU_USER_RSP, "asm.h");
static_assert(offsetof(struct cpu, heartbeat) == CPU_HEARTBEAT, "asm.h");

#define VEC_PAGE_FAULT 14

struct ex_entry {
	int32_t from, to; /* relative to their own address */
};
extern const struct ex_entry ex_table_start[] HIDDEN, ex_table_end[] HIDDEN;

static const char *const names[32] = {
	"divide error",
	"debug",
	"NMI",
	"breakpoint",
	"overflow",
	"bound range",
	"invalid opcode",
	"device not available",
	"double fault",
	"coprocessor overrun",
	"invalid TSS",
	"segment not present",
	"stack fault",
	"general protection",
	"page fault",
	"reserved",
	"x87 error",
	"alignment check",
	"machine check",
	"SIMD error",
	"virtualization",
	"control protection",
};

/* x86 vectors as signals (what Linux sends; SI_KERNEL where it has no
 * code of its own). */
static void
signal_of(unsigned vector, const struct regs *r, int *sig, int *code,
	  vaddr_t *addr)
{
	*addr = r->rip;
	*code = SI_KERNEL;
	switch (vector) {
	case 0:
		*sig = SIGFPE;
		*code = FPE_INTDIV;
		break;
	case 1:
		*sig = SIGTRAP;
		*code = TRAP_TRACE;
		break;
	case 3:
		*sig = SIGTRAP;
		*addr = 0;
		break;
	case 6:
		*sig = SIGILL;
		*code = ILL_ILLOPN;
		break;
	case 11:
	case 12:
		*sig = SIGBUS;
		*addr = 0;
		break;
	case 16:
	case 19:
		*sig = SIGFPE;
		*code = FPE_FLTINV;
		break;
	case 17:
		*sig = SIGBUS;
		*code = BUS_ADRALN;
		*addr = 0;
		break;
	default:
		*sig = SIGSEGV;
		*addr = 0;
	}
}

bool
fixup_apply(struct regs *r)
{
	for (const struct ex_entry *e = ex_table_start; e < ex_table_end; e++) {
		if (r->rip == (uint64_t)((const char *)&e->from + e->from)) {
			r->rip = (uint64_t)((const char *)&e->to + e->to);
			return true;
		}
	}
	return false;
}

/* The error code of a page fault, Intel SDM volume 3, 4.7. */
static unsigned
fault_what(uint64_t err)
{
	return (err & 1 ? FAULT_PRESENT : 0) | (err & 2 ? FAULT_WRITE : 0) |
	       (err & 4 ? FAULT_USER : 0) | (err & 16 ? FAULT_EXEC : 0);
}

static void
interrupt(struct regs *r, unsigned vector)
{
	struct cpu *c = this_cpu();

	/* With the barrier that reclaim.c asks for. */
	atomic_add(&c->irq_depth, 1);
	c->irq_regs = r;
	switch (vector) {
	case VEC_CALL:
		lapic_eoi();
		smp_ipi_call();
		break;
	case VEC_RESCHED:
		lapic_eoi();
		break;
	case VEC_SPURIOUS:
		break;
	default:
		/* EOI last: a level line that the handler has not quieted
		 * yet would come again at once. */
		upcall_irq(vector);
		lapic_eoi();
	}
	c->irq_depth--;
}

void
trap_user(struct regs *r, unsigned vector, uint64_t err)
{
	int sig = SIGSEGV, code = SI_KERNEL;
	vaddr_t addr;

	this_cpu()->heartbeat++;
	if (vector >= 32) {
		reclaim_quiescent();
		interrupt(r, vector);
		return;
	}
	if (vector == VEC_PAGE_FAULT) {
		__asm__ volatile("movq %%cr2, %0" : "=r"(addr));
		irq_enable();
		if (!upcall_fault(r, addr, fault_what(err), &sig, &code))
			upcall_trap_user(r, sig, code, addr, (int)vector, err);
	} else {
		irq_enable();
		signal_of(vector, r, &sig, &code, &addr);
		upcall_trap_user(r, sig, code, addr, (int)vector, err);
	}
	irq_disable();
}

void
trap_kernel(struct regs *r, unsigned vector, uint64_t err)
{
	int sig, code;
	vaddr_t addr = 0;

	if (vector >= 32) {
		interrupt(r, vector);
		return;
	}
	if (vector == VEC_PAGE_FAULT) {
		__asm__ volatile("movq %%cr2, %0" : "=r"(addr));
		/* SMAP: a kernel access to user memory outside of a copy is
		 * our mistake; the fix-up table tells them apart. */
		if (addr < USER_END && (r->rflags & 0x200)) {
			bool done;

			irq_enable();
			done = upcall_fault(r, addr, fault_what(err), &sig,
					    &code);
			irq_disable();
			if (done)
				return;
		}
		if (addr < USER_END && fixup_apply(r))
			return;
		panic_regs(r, "page fault in the kernel at %#lx (error %#lx)",
			   (unsigned long)addr, (unsigned long)err);
	}
	if (vector == 13 && fixup_apply(r))
		return;
	/* The IRET to user mode can fault on what the program left in its
	 * frame; registers are the program's then. */
	panic_regs(r, "%s in the kernel (vector %u, error %#lx)",
		   vector < 22 ? names[vector] : "exception", vector,
		   (unsigned long)err);
}

void
trap_paranoid(struct regs *r, unsigned vector, uint64_t err)
{
	if (vector == 2) {
		if (smp_nmi(r))
			for (;;)
				__asm__ volatile("cli; hlt");
		watchdog_nmi(r);
		return;
	}
	panic_regs(r, "%s (error %#lx)", names[vector], (unsigned long)err);
}

void
trap_user_return(struct regs *r)
{
	if (atomic_load_relaxed(
		    (uint32_t *)((char *)thread_current() + THREAD_PENDING)))
		upcall_user_return(r);
}
