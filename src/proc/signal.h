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
struct file;

#define NSIG 64

#define SIG_BIT(sig)	(1ull << ((sig)-1))
#define SIG_UNBLOCKABLE (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

/* One pending signal with its information. */
struct sig_entry {
	struct list link; /* [lock] */
	struct siginfo info;
	/* NULL: freed when it is taken.  Else it belongs to a timer: called
	 * with the lock held, may change the information. */
	void (*taken)(struct sig_entry *e, struct siginfo *info);
	bool queued;	/* [lock] */
	bool own_place; /* [I] a second one of its signal: queued all the same */
};

struct sig_queue {	   /* pending signals */
	uint64_t set;	   /* [lock] bit sig-1 */
	struct list infos; /* [lock] queued siginfo */
};

struct sig_process {
	struct spinlock lock;
	struct ksigaction action[NSIG]; /* [lock] abi/signal.h */
	struct sig_queue pending;	/* [lock] to any thread */
	unsigned queued; /* [lock] bounded by RLIMIT_SIGPENDING */
	struct waitq signalfd_wq;
};

struct sig_thread {
	uint64_t mask;	     /* [o write, lock] blocked */
	uint64_t saved_mask; /* [o] rt_sigsuspend, ppoll */
	bool restore_mask;   /* [o] */
	uint64_t wait_set;   /* [lock] rt_sigtimedwait waits for these */
	/* [o] restart_syscall(2): what it continues, and its arguments */
	long (*restart)(struct thread *t, const uint64_t a[4]);
	uint64_t restart_args[4];
	struct sig_queue pending; /* [lock] */
	bool ended;		  /* [lock] takes nothing any more */
	struct sigaltstack alt;	  /* [o] */
	int trapno;		  /* [o] of the last fault, for the frame */
	uint64_t trap_err;
	vaddr_t cr2;
};

/* Sends.  info NULL: SI_KERNEL.  0, -EAGAIN (queue full), -EINVAL, -ESRCH
 * (the thread has ended). */
int signal_send_process(struct process *p, int sig, const struct siginfo *info);
int signal_send_thread(struct thread *t, int sig, const struct siginfo *info);
/* A fault: not maskable; if blocked or ignored it kills. */
void signal_force(struct thread *t, int sig, const struct siginfo *info);

/* The same with an entry of the caller's, not queued; e->queued says after
 * whether it is (an ignored signal is not).  With p->sig.lock held. */
void signal_send_entry_locked(struct process *p, struct thread *t, int sig,
			      struct sig_entry *e);
/* Takes it out of the queue again; lock held. */
void signal_cancel_entry_locked(struct process *p, struct sig_entry *e);

/* Sets the mask of the current thread (never KILL, STOP). */
void signal_set_mask(struct thread *t, uint64_t mask);
/* Takes a pending signal of the set: its number, 0: none. */
int signal_take(struct thread *t, uint64_t set, struct siginfo *info);
/* Pending for the thread, blocked or not. */
uint64_t signal_pending_set(struct thread *t);
/* Waits for one of the set: its number, -EAGAIN, -EINTR. */
int signal_wait(struct thread *t, uint64_t set, struct siginfo *info,
		uint64_t deadline_ns);
void signal_set_action(struct process *p, int sig, const struct ksigaction *a,
		       struct ksigaction *old);
/* New signalfd file with the set; or changes f's set when it is one. */
MUST_CHECK int signalfd_create(uint64_t set, unsigned flags, struct file **out);
MUST_CHECK int signalfd_set(struct file *f, uint64_t set);

/* Called for each signal that runs a handler or ends the program (fatal); set
 * once at boot by the tracer. */
extern void (*signal_trace)(struct thread *t, int sig,
			    const struct siginfo *info, bool fatal);

/* On the return to user mode: delivers or ends.  May not return. */
void signal_deliver(struct thread *t, struct regs *r);

/* Temporary mask for ppoll and such: set now, put back at delivery or by
 * signal_restore_mask(). */
void signal_set_temp_mask(struct thread *t, uint64_t mask);
void signal_restore_mask(struct thread *t);
