/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <arch/cpu.h> for tests of the scheduler: each CPU is a POSIX thread, so
 * that the locks are real; interrupts come where the flag is switched on.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct cpu;
struct thread;

typedef uint64_t irqflags_t;

#define ARCH_MAX_CPUS 8

irqflags_t irq_save(void);
void irq_restore(irqflags_t f);
void irq_enable(void);
void irq_disable(void);
bool irq_enabled(void);
void cpu_relax(void);
void cpu_relax_poll(void);
void cpu_halt(void);
struct cpu *this_cpu(void);
struct thread *thread_current(void);
