/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <arch/cpu.h> for unit tests of mem and vm: one CPU, no interrupts.  Comes
 * before the real one in the include path.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct cpu;
struct thread;

typedef uint64_t irqflags_t;

#define ARCH_MAX_CPUS 4

extern struct cpu *host_cpu;
extern struct thread *host_thread;

static inline irqflags_t
irq_save(void)
{
	return 0;
}
static inline void
irq_restore(irqflags_t f)
{
	(void)f;
}
static inline bool
irq_enabled(void)
{
	return true;
}
static inline void
cpu_relax(void)
{
}
static inline void
cpu_relax_poll(void)
{
}
static inline struct cpu *
this_cpu(void)
{
	return host_cpu;
}
static inline struct thread *
thread_current(void)
{
	return host_thread;
}
static inline uint64_t
cpu_cycles(void)
{
	return 12345;
}

static inline uint64_t
cpu_nospec(uint64_t index, uint64_t limit)
{
	return index < limit ? index : 0;
}
