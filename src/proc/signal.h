/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: dispositions and process-wide pending ones in struct process,
 * masks and per-thread pending ones in struct sig_thread.
 *
 * A sender queues under the process's signal lock and marks a thread that
 * may take it (PENDING_SIGNAL); that thread delivers on its way to user
 * mode.  Lock: sig_process.lock (spin, RANK_SIGNAL) for all of it.
 */
#pragma once

#include <abi/signal.h>
#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>
#include <core/spinlock.h>
#include <sched/wait.h>

struct thread;
struct process;
struct regs;

#define NSIG 64

struct sig_queue {	   /* pending signals */
	uint64_t set;	   /* [lock] bit sig-1 */
	struct list infos; /* [lock] queued siginfo */
};

struct sig_process {
	struct spinlock lock;
	struct ksigaction action[NSIG]; /* [lock] abi/signal.h */
	struct sig_queue pending;	/* [lock] to any thread */
	unsigned queued;		/* [lock] bounded by RLIMIT_SIGPENDING */
	struct waitq signalfd_wq;
};

struct sig_thread {
	uint64_t mask;		    /* [o write, lock] blocked */
	uint64_t saved_mask;	    /* [o] rt_sigsuspend, ppoll */
	bool restore_mask;	    /* [o] */
	struct sig_queue pending;   /* [lock] */
	struct sigaltstack alt;	    /* [o] */
	int trapno;		    /* [o] of the last fault, for the frame */
	uint64_t trap_err;
	vaddr_t cr2;
};

/* Sends.  info NULL: SI_KERNEL.  0, -EAGAIN (queue full), -EINVAL. */
int signal_send_process(struct process *p, int sig, const struct siginfo *info);
int signal_send_thread(struct thread *t, int sig, const struct siginfo *info);
/* A fault: not maskable; if blocked or ignored it kills. */
void signal_force(struct thread *t, int sig, const struct siginfo *info);

/* On the return to user mode: delivers or ends.  May not return. */
void signal_deliver(struct thread *t, struct regs *r);

/* Temporary mask for ppoll and such: set now, put back at delivery or by
 * signal_restore_mask(). */
void signal_set_temp_mask(struct thread *t, uint64_t mask);
void signal_restore_mask(struct thread *t);
