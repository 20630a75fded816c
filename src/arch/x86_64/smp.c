/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other processors: starting them, calling them, stopping them.
 *
 * A call to the others is serialised by one lock; while waiting, a CPU keeps
 * its interrupts as they are and serves calls itself, so that two that call
 * at once do not wait for each other.
 */
#include "arch_priv.h"

#include <abi/errno.h>
#include <arch/mmu.h>
#include <arch/smp.h>
#include <arch/timer.h>
#include <arch/upcall.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/percpu.h>
#include <core/spinlock.h>

/* A CPU of a machine whose host is busy may come seconds late. */
#define START_TIMEOUT_NS 10000000000ull
#define STOP_WAIT_NS	 20000000ull

extern const char ap_trampoline[] HIDDEN, ap_trampoline_end[] HIDDEN;
extern const char ap_cr3[] HIDDEN, ap_stack[] HIDDEN, ap_entry[] HIDDEN,
	ap_arg[] HIDDEN;

static struct {
	uint32_t busy; /* [a] one caller at a time */
	void (*fn)(void *);
	void *arg;
	uint64_t todo; /* [a] CPUs that have not run it yet */
} call;

static bool stopping;			    /* [a] panic: NMIs stop CPUs */
static struct regs *stopped[ARCH_MAX_CPUS]; /* [a] */
static uint64_t ap_started;		    /* [a] bit per CPU */

/* Of the CPU being started: who comes after it was given up stays out. */
enum ap_state { AP_AWAITED, AP_HERE, AP_GIVEN_UP };
static uint32_t ap_state; /* [a] */

unsigned
smp_count(void)
{
	return acpi_info.ncpus;
}

static NORETURN void
ap_start(struct cpu *c)
{
	uint32_t awaited = AP_AWAITED;

	if (!atomic_cas(&ap_state, &awaited, AP_HERE))
		for (;;)
			__asm__ volatile("cli; hlt");
	write_cr3(early_cr3);
	desc_init(c);
	cpu_init_this();
	lapic_init();
	atomic_or(&ap_started, 1ull << c->id);
	upcall_cpu_started();
}

static void
set_word(char *page, const char *sym, uint64_t v)
{
	memcpy(page + (sym - ap_trampoline), &v, sizeof(v));
}

int
smp_start(unsigned id)
{
	struct cpu *c = cpus[id];
	char *page = phys_to_virt(TRAMPOLINE_PA);
	uint64_t deadline;
	uint32_t apic_id = acpi_info.cpu_apic[id], awaited;

	assert(c && id < acpi_info.ncpus);
	if (!arch_cpu_alloc(c))
		return -ENOMEM;
	arch_cpu_of(c)->apic_id = apic_id;
	memcpy(page, ap_trampoline,
	       (size_t)(ap_trampoline_end - ap_trampoline));
	set_word(page, ap_cr3, (uint64_t)boot_pml4 - image_slide);
	set_word(page, ap_stack, c->kstack_top);
	set_word(page, ap_entry, (uint64_t)ap_start);
	set_word(page, ap_arg, (uint64_t)c);
	atomic_store(&ap_state, AP_AWAITED);
	atomic_fence();
	lapic_start(apic_id, TRAMPOLINE_PA >> 12);
	deadline = arch_clock_ns() + START_TIMEOUT_NS;
	while (!(atomic_load_acquire(&ap_started) >> id & 1)) {
		awaited = AP_AWAITED;
		if (arch_clock_ns() > deadline &&
		    atomic_cas(&ap_state, &awaited, AP_GIVEN_UP))
			return -ETIMEDOUT;
		cpu_relax();
	}
	return 0;
}

void
smp_kick(unsigned id)
{
	lapic_ipi(arch_cpu_of(cpus[id])->apic_id, VEC_RESCHED);
}

void
smp_ipi_call(void)
{
	uint64_t mine = 1ull << this_cpu()->id;

	if (!(atomic_load_acquire(&call.todo) & mine))
		return;
	call.fn(call.arg);
	atomic_and(&call.todo, ~mine);
}

void
smp_call_mask(uint64_t todo, void (*fn)(void *), void *arg)
{
	irqflags_t f = irq_save();
	uint32_t idle = 0;

	while (!atomic_cas(&call.busy, &idle, 1)) {
		idle = 0;
		smp_ipi_call();
		cpu_relax();
	}
	todo &= ~(1ull << this_cpu()->id);
	call.fn = fn;
	call.arg = arg;
	atomic_store(&call.todo, todo);
	for (uint64_t left = todo; left; left &= left - 1)
		lapic_ipi(arch_cpu_of(cpus[__builtin_ctzll(left)])->apic_id,
			  VEC_CALL);
	while (atomic_load_acquire(&call.todo))
		cpu_relax();
	atomic_store_release(&call.busy, 0);
	irq_restore(f);
}

void
smp_call_others(void (*fn)(void *), void *arg)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < ARCH_MAX_CPUS && cpus[i]; i++)
		if (atomic_load_relaxed(&cpus[i]->online))
			mask |= 1ull << i;
	smp_call_mask(mask, fn, arg);
}

bool
smp_nmi(struct regs *r)
{
	if (!atomic_load_acquire(&stopping))
		return false;
	/* We stay on this stack for ever, so r stays valid. */
	atomic_store_release(&stopped[this_cpu()->id], r);
	return true;
}

void
smp_stop_others(void)
{
	unsigned me = this_cpu()->id;
	uint64_t deadline;

	atomic_store(&stopping, true);
	for (unsigned i = 0; i < ARCH_MAX_CPUS && cpus[i]; i++)
		if (i != me && cpus[i]->online)
			lapic_nmi(arch_cpu_of(cpus[i])->apic_id);
	deadline = arch_clock_ns() + STOP_WAIT_NS;
	for (unsigned i = 0; i < ARCH_MAX_CPUS && cpus[i]; i++)
		while (i != me && cpus[i]->online &&
		       !atomic_load_acquire(&stopped[i]) &&
		       arch_clock_ns() < deadline)
			cpu_relax();
}

const struct regs *
smp_stopped_regs(unsigned id)
{
	return atomic_load_acquire(&stopped[id]);
}
