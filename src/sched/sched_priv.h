/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of sched share: the run queue and the switch.
 */
#pragma once

#include <base/list.h>
#include <core/percpu.h>
#include <core/spinlock.h>
#include <core/timer.h>
#include <sched/thread.h>

/* Of struct thread's sync_score: from YES on, those it wakes wait for it. */
#define SYNC_SCORE_MAX 8
#define SYNC_SCORE_YES 3
#define SYNC_SCORE_NEW 6

struct runqueue {
	struct spinlock lock;	/* RANK_RUNQUEUE; interrupts off */
	unsigned nr;		/* [lock, a read] threads in queue */
	struct list queue;	/* [lock] by vruntime, lowest first */
	struct thread *current; /* [lock] running here */
	struct thread *prev;	/* [o] handed over across a switch */
	struct cpu *cpu;	/* [I] */
	uint64_t min_vruntime;	/* [lock] only grows */
	uint64_t queued_ns;	/* [lock, a read] when nr left zero */
	bool slice_armed;	/* [o, interrupts off] */
	uint64_t pull_ns;	/* [o] the slice while a CPU is idle */
	bool polling;		/* [a] idle, awake: a store is enough */
	uint64_t poll_ns;	/* [o] how long to poll before a halt */
	/* How long devices take to answer a CPU that is halted, and one that
	 * waits awake; 0: not known. */
	uint64_t answer_ns[2]; /* [o] averages */
	uint8_t answers;       /* [o] counts them */
	uint64_t nswitches;    /* [o] */
	bool sample_armed;     /* [o, interrupts off] */
	struct timer slice_timer, sample_timer;
};

/* CPUs in their idle loop, polling or halted. */
extern uint64_t sched_idle_cpus; /* [a] */

/* Enters a thread that no queue knows and that does not run. */
void sched_enqueue_new(struct thread *t);
/* Gives the CPU to another thread, for ever (THREAD_DEAD). */
NORETURN void sched_exit_switch(void);
/* First code of a thread, on its own stack: ends the switch to it. */
void sched_finish_switch(void);

/* An idle CPU's: runs what is queued here; false: nothing was. */
bool sched_run_queued(struct runqueue *rq);
/* Takes a thread that has waited from another CPU.  Interrupts off. */
bool sched_pull(struct runqueue *rq, uint64_t now);

/* The callback of every thread's sleep_timer. */
void sched_sleep_timeout(struct timer *timer);

/* Others do what t, the current thread, was to do on its way to user mode. */
void sched_leave_own_work(struct thread *t);

/* thread.c: the idle thread of a CPU. */
struct thread *thread_create_idle(struct cpu *c);

/* reclaimd.c */
void sched_reclaim_init(void);
