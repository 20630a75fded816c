/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The per-CPU block, reached by this_cpu().  Fields of upper layers are
 * pointers to their own structures, so that the layout is known here only.
 * A thread may move to another CPU whenever it sleeps or returns to user
 * mode; between those points this_cpu() stays the same.
 */
#pragma once

#include <arch/cpu.h>
#include <base/types.h>

struct regs;
struct runqueue;
struct timer_queue;
struct heap_cpu;
struct reclaim_cpu;

struct cpu {
	struct cpu *self;	     /* [I] must be first: %gs:0 */
	struct thread *current;	     /* [o] must be second: %gs:8 */
	uint64_t kstack_top;	     /* [o] %gs:16, kernel stack for SYSCALL */
	uint64_t user_rsp;	     /* [o] %gs:24, scratch of the entry code */
	unsigned id;		     /* [I] 0.. */
	unsigned irq_depth;	     /* [o, a read] nested interrupts */
	bool online;		     /* [a] */
	bool need_resched;	     /* [a] set by interrupts and by kicks */
	bool idle;		     /* [a] in the idle loop */
	struct thread *idle_thread;  /* [I] */
	struct runqueue *rq;	     /* [I] sched */
	struct timer_queue *timers;  /* [I] core/timer.c */
	struct heap_cpu *heap;	     /* [I] mem: magazines */
	struct reclaim_cpu *reclaim; /* [I] core/reclaim.c */
	uint64_t heartbeat;	     /* [a] counts for the watchdog */
	void *arch;		     /* [I] arch's own block */
	const struct regs *irq_regs; /* [o] what the latest interrupt met */
	uint64_t counters[16];	     /* [o] core/stats.h */
};

extern struct cpu *cpus[ARCH_MAX_CPUS]; /* [I] after boot; NULL beyond */
extern unsigned cpu_online_count;	/* [a] */
