/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor as portable code sees it: interrupt flag, pause, halt, the
 * cycle counter, and the per-CPU pointer.  Everything here is callable from
 * any context, interrupt handlers included.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct cpu;    /* core/percpu.h */
struct thread; /* sched/thread.h */

typedef uint64_t irqflags_t;

#define ARCH_MAX_CPUS 64

/* Interrupt flag: save and disable, restore, plain forms. */
static inline irqflags_t
irq_save(void)
{
	irqflags_t f;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(f) : : "memory");
	return f;
}

static inline void
irq_restore(irqflags_t f)
{
	if (f & 0x200)
		__asm__ volatile("sti" : : : "memory");
}

static inline bool
irq_flags_enabled(irqflags_t f)
{
	return f & 0x200;
}

static inline void
irq_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void
irq_disable(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline bool
irq_enabled(void)
{
	irqflags_t f;

	__asm__ volatile("pushfq; popq %0" : "=r"(f) : : "memory");
	return f & 0x200;
}

static inline void
cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

extern bool cpu_relax_costly; /* [I] */

/* Between two looks at what a device writes.  An emulator leaves its loop at
 * a PAUSE and takes the lock that the device needs for its answer. */
static inline void
cpu_relax_poll(void)
{
	if (likely(cpu_relax_costly))
		__asm__ volatile("" : : : "memory");
	else
		cpu_relax();
}

/* Enables interrupts and halts until the next one; returns with interrupts
 * enabled.  Call with interrupts disabled, after the last look for work. */
static inline void
cpu_halt(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

/* The per-CPU block of this CPU; its first word is its own address (GS). */
static inline struct cpu *
this_cpu(void)
{
	struct cpu *c;

	__asm__("movq %%gs:0, %0" : "=r"(c));
	return c;
}

/* The running thread (second word of struct cpu).  Reads one memory
 * operand, so it is right even if the thread moves to another CPU. */
static inline struct thread *
thread_current(void)
{
	struct thread *t;

	__asm__ volatile("movq %%gs:8, %0" : "=r"(t));
	return t;
}

static inline uint64_t
cpu_cycles(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* Bounds an index under speculation: index if index < limit, else 0, with
 * no branch to mispredict. */
static inline uint64_t
cpu_nospec(uint64_t index, uint64_t limit)
{
	uint64_t mask;

	__asm__("cmpq %2, %1; sbbq %0, %0"
		: "=r"(mask)
		: "r"(index), "r"(limit)
		: "cc");
	return index & mask;
}

/* Writes hardware randomness; returns the number of bytes (0: none). */
size_t cpu_hw_random(void *buf, size_t len);

/* Model name and feature flags for /proc/cpuinfo, of one CPU, as text.
 * Returns the length that the whole text has (like snprintf). */
size_t cpu_describe(unsigned cpu, char *buf, size_t size);

/* Text to the machine's first serial line, by polling, for reports when
 * nothing else is certain to work.  Lost where there is no such line. */
void machine_console_write(const char *s, size_t len);

/* Ends the machine: isa-debug-exit with status, else PM1/reset, else halt. */
NORETURN void machine_power_off(int status);
NORETURN void machine_reset(void);
