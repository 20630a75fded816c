/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder share.
 */
#pragma once

#include "asm.h"
#include "cpuid.h"

#include <arch/cpu.h>
#include <arch/trap.h>
#include <base/compiler.h>
#include <base/types.h>

struct arch_thread;

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} PACKED;

/* struct cpu's .arch */
struct arch_cpu {
	uint64_t gdt[8];
	struct tss tss;
	uint32_t apic_id;	       /* [I] */
	struct arch_thread *fpu_owner; /* [o] whose state the registers hold */
	uint64_t fs_base, gs_base;     /* [o] the user's, as in the MSRs */
	uint64_t timer_deadline;       /* [o] */
	bool tlb_stale;		       /* [a] flush all before user memory */
};

struct arch_cpu *arch_cpu_of(const struct cpu *c);
/* This CPU's. */
struct arch_cpu *arch_this(void);

/* cpu.c */
struct cpu_features {
	bool x2apic, deadline, xsave, xsaveopt, rdrand, rdseed, smep, smap,
		umip, hypervisor, kvm, tcg, crc32;
	uint32_t fpu_size;
	uint64_t xcr0;
	uint32_t hwcap;
};
extern struct cpu_features cpu_features; /* [I] after boot */
void cpu_detect(void);
void cpu_init_this(void); /* control registers and SYSCALL MSRs */

/* desc.c */
bool arch_cpu_alloc(struct cpu *c); /* a secondary CPU's block */
void desc_init(struct cpu *c);	    /* GDT, TSS, IDT of this CPU */

/* mmu.c */
void mmu_init(void);

/* lapic.c */
void lapic_init(void); /* this CPU's */
void lapic_eoi(void);
void lapic_ipi(uint32_t apic_id, uint8_t vector);
void lapic_start(uint32_t apic_id, uint32_t page); /* INIT, SIPI, SIPI */
void lapic_nmi(uint32_t apic_id);
uint32_t lapic_read_id(void);
uint32_t lapic_timer_count(void); /* counts down at 1 / lapic_hz */
void lapic_timer_start(uint32_t count);

/* acpi.c: the static tables, read once */
struct acpi_info {
	uint32_t cpu_apic[ARCH_MAX_CPUS];
	unsigned ncpus;
	struct {
		paddr_t pa;
		uint32_t gsi_base;
	} ioapic[4];
	unsigned nioapics;
	struct {
		uint32_t gsi;
		uint16_t flags;
		bool set;
	} isa_override[16];
	paddr_t mcfg_base;
	uint8_t mcfg_start, mcfg_end;
	uint32_t pm1a_cnt; /* I/O port, 0: none */
	uint16_t slp_typ5;
	bool has_slp_typ5;
	uint64_t reset_reg; /* I/O port, 0: none */
	uint8_t reset_value;
	uint32_t pm_timer_port;
};
extern struct acpi_info acpi_info;
void acpi_init(void);

/* smp.c */
void smp_ipi_call(void);      /* the VEC_CALL handler */
bool smp_nmi(struct regs *r); /* true: it was ours, and we stay here */

/* time.c */
void time_init(void);
uint64_t lapic_hz(void);

/* entry.S */
void switch_stacks(uint64_t *save_ksp, uint64_t ksp);
void thread_trampoline(void);
void syscall_entry(void);
extern char trap_stubs[] HIDDEN, user_iret[] HIDDEN;
extern char boot_stack[] HIDDEN, boot_stack_top[] HIDDEN;
extern uint64_t boot_pml4[] HIDDEN, early_cr3, image_slide;

/* context.c: the registers into the area, the area into the registers, of
 * the current thread */
void fpu_sync(struct arch_thread *at);
void fpu_reload(struct arch_thread *at);

/* trap.c */
bool fixup_apply(struct regs *r);
