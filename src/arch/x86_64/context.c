/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads as the CPU sees them: stacks, FPU state, TLS, the switch.
 *
 * FPU: saved when a user thread leaves the CPU, loaded when one arrives,
 * unless the registers still hold its state (nobody else's was loaded since:
 * arch_cpu.fpu_owner, and fpu_cpu of the thread's own area).  FS and GS bases
 * change by arch_prctl, clone and exec only, so the thread's copy is always
 * current and the MSRs are written only where they differ.
 */
#include "arch_priv.h"

#include <abi/errno.h>
#include <arch/context.h>
#include <arch/mmu.h>
#include <arch/upcall.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/percpu.h>

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

/* Behind the XSAVE area: which CPU's registers hold this state. */
struct fpu_tail {
	struct arch_cpu *cpu;
};

static struct fpu_tail *
tail_of(void *fpu)
{
	return (struct fpu_tail *)((char *)fpu + cpu_features.fpu_size);
}

size_t
arch_fpu_size(void)
{
	return cpu_features.fpu_size;
}

size_t
arch_minsigstksz(void)
{
	/* ucontext, siginfo, return address, alignment, XSAVE, magic. */
	return 1024 + cpu_features.fpu_size + 64;
}

/* The state that a program starts with: control words, all else zero. */
static void
fpu_reset(void *fpu)
{
	memset(fpu, 0, cpu_features.fpu_size);
	*(uint16_t *)fpu = 0x37f;		  /* FCW */
	*(uint32_t *)((char *)fpu + 24) = 0x1f80; /* MXCSR */
	if (cpu_features.xsave)
		*(uint64_t *)((char *)fpu + 512) = cpu_features.xcr0;
	tail_of(fpu)->cpu = NULL;
}

static void
fpu_save(void *fpu)
{
	uint32_t lo = (uint32_t)cpu_features.xcr0;
	uint32_t hi = (uint32_t)(cpu_features.xcr0 >> 32);

	if (cpu_features.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)"
				 :
				 : "r"(fpu), "a"(lo), "d"(hi)
				 : "memory");
	else if (cpu_features.xsave)
		__asm__ volatile("xsave64 (%0)"
				 :
				 : "r"(fpu), "a"(lo), "d"(hi)
				 : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(fpu) : "memory");
}

static void
fpu_load(const void *fpu)
{
	uint32_t lo = (uint32_t)cpu_features.xcr0;
	uint32_t hi = (uint32_t)(cpu_features.xcr0 >> 32);

	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 (%0)"
				 :
				 : "r"(fpu), "a"(lo), "d"(hi)
				 : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(fpu) : "memory");
}

void
fpu_sync(struct arch_thread *at)
{
	struct arch_cpu *c = arch_this();

	if (at->fpu && c->fpu_owner == at && tail_of(at->fpu)->cpu == c)
		fpu_save(at->fpu);
}

/* The area was changed: the registers of at, the current thread, follow. */
void
fpu_reload(struct arch_thread *at)
{
	irqflags_t f = irq_save();
	struct arch_cpu *c = arch_this();

	fpu_load(at->fpu);
	c->fpu_owner = at;
	tail_of(at->fpu)->cpu = c;
	irq_restore(f);
}

int
arch_fpu_init(struct arch_thread *at, const struct arch_thread *from)
{
	size_t size = cpu_features.fpu_size;
	void *fpu = upcall_fpu_alloc(size + sizeof(struct fpu_tail));

	if (!fpu)
		return -ENOMEM;
	if (from && from->fpu) {
		irqflags_t f = irq_save();

		if (from == (struct arch_thread *)thread_current())
			fpu_sync((struct arch_thread *)(uintptr_t)from);
		memcpy(fpu, from->fpu, size);
		irq_restore(f);
		tail_of(fpu)->cpu = NULL;
	} else {
		fpu_reset(fpu);
	}
	at->fpu = fpu;
	return 0;
}

void
arch_thread_fini(struct arch_thread *at)
{
	if (!at->fpu)
		return;
	/* The area may be handed out again: no CPU may think it owns it. */
	for (unsigned i = 0; i < ARCH_MAX_CPUS && cpus[i]; i++) {
		struct arch_thread *mine = at;

		__atomic_compare_exchange_n(&arch_cpu_of(cpus[i])->fpu_owner,
					    &mine, NULL, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	upcall_fpu_free(at->fpu);
	at->fpu = NULL;
}

void
arch_thread_init(struct arch_thread *at, void *kstack, size_t kstack_size,
		 void (*fn)(void *arg), void *arg)
{
	uint64_t *sp;

	at->kstack_top = (uint64_t)kstack + kstack_size;
	/* Below where the user registers go: what switch_stacks() pops. */
	sp = (uint64_t *)(at->kstack_top - sizeof(struct regs));
	*--sp = 0; /* keeps the stack 16-byte aligned at the call */
	*--sp = (uint64_t)thread_trampoline;
	*--sp = 0;	       /* rbx */
	*--sp = 0;	       /* rbp */
	*--sp = (uint64_t)fn;  /* r12 */
	*--sp = (uint64_t)arg; /* r13 */
	*--sp = 0;	       /* r14 */
	*--sp = 0;	       /* r15 */
	at->ksp = (uint64_t)sp;
	at->fs_base = at->gs_base = 0;
	at->fpu = NULL;
}

void
arch_switch(struct arch_thread *prev, struct arch_thread *next)
{
	struct cpu *cpu = this_cpu();
	struct arch_cpu *c = cpu->arch;

	if (prev->fpu && c->fpu_owner == prev)
		fpu_save(prev->fpu);
	if (next->fpu &&
	    (c->fpu_owner != next || tail_of(next->fpu)->cpu != c)) {
		fpu_load(next->fpu);
		c->fpu_owner = next;
		tail_of(next->fpu)->cpu = c;
	}
	if (next->fpu) {
		if (c->fs_base != next->fs_base) {
			wrmsr(MSR_FS_BASE, next->fs_base);
			c->fs_base = next->fs_base;
		}
		if (c->gs_base != next->gs_base) {
			wrmsr(MSR_KERNEL_GS_BASE, next->gs_base);
			c->gs_base = next->gs_base;
		}
	}
	/* Translations that changed while this CPU idled. */
	if (unlikely(atomic_load_relaxed(&c->tlb_stale))) {
		atomic_store(&c->tlb_stale, false);
		write_cr3(read_cr3());
	}
	cpu->heartbeat++;
	cpu->kstack_top = next->kstack_top;
	c->tss.rsp[0] = next->kstack_top;
	switch_stacks(&prev->ksp, next->ksp);
}

static bool
is_current(const struct arch_thread *at)
{
	return at == (struct arch_thread *)thread_current();
}

void
arch_set_tls(struct arch_thread *at, uint64_t fs_base)
{
	irqflags_t f = irq_save();

	at->fs_base = fs_base;
	if (is_current(at)) {
		wrmsr(MSR_FS_BASE, fs_base);
		arch_this()->fs_base = fs_base;
	}
	irq_restore(f);
}

static void
set_gs(struct arch_thread *at, uint64_t base)
{
	irqflags_t f = irq_save();

	at->gs_base = base;
	if (is_current(at)) {
		wrmsr(MSR_KERNEL_GS_BASE, base);
		arch_this()->gs_base = base;
	}
	irq_restore(f);
}

void
arch_regs_exec(struct arch_thread *at, struct regs *r, vaddr_t entry,
	       vaddr_t sp)
{
	memset(r, 0, sizeof(*r));
	r->rip = entry;
	r->rsp = sp;
	r->cs = SEL_UCODE;
	r->ss = SEL_UDATA;
	r->rflags = 0x202;
	r->orig_rax = (uint64_t)-1;
	arch_set_tls(at, 0);
	set_gs(at, 0);
	if (at->fpu) {
		fpu_reset(at->fpu);
		if (is_current(at))
			fpu_reload(at);
	}
}

long
arch_prctl(struct thread *t, struct arch_thread *at, int op, uint64_t addr)
{
	(void)t;
	switch (op) {
	case ARCH_SET_FS:
		if (addr >= USER_END)
			return -EPERM;
		arch_set_tls(at, addr);
		return 0;
	case ARCH_SET_GS:
		/* Never a kernel address: entry.S relies on it. */
		if (addr >= USER_END)
			return -EPERM;
		set_gs(at, addr);
		return 0;
	case ARCH_GET_FS:
		return upcall_put_user64(addr, at->fs_base);
	case ARCH_GET_GS:
		return upcall_put_user64(addr, at->gs_base);
	default:
		return -EINVAL;
	}
}
