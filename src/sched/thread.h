/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: kernel stacks, run queues, sleeping.
 *
 * A thread is in one of these states:
 *   RUNNING   on a CPU or in a run queue
 *   SLEEPING  waiting; only a wake brings it back.  INTR says that a signal
 *             is such a wake, too
 *   DEAD      has run for the last time; freed when its references are gone
 *
 * The sleep protocol, which loses no wake-up:
 *	thread_prepare_sleep(intr);	state = SLEEPING
 *	if (condition) thread_cancel_sleep(); else err = thread_sleep(deadline)
 * A thread_wake() between the two makes thread_sleep() return at once.
 * wait.h builds wait queues on it.
 *
 * Fields of upper layers are pointers to their own structures.
 */
#pragma once

#include <arch/context.h>
#include <base/compiler.h>
#include <base/hlist.h>
#include <base/list.h>
#include <base/refcount.h>
#include <base/types.h>
#include <core/percpu.h>
#include <core/reclaim.h>
#include <core/spinlock.h>
#include <core/timer.h>

struct process;	   /* proc/process.h */
struct fdtable;	   /* file/fdtable.h */
struct fs_context; /* file/fs_context.h */
struct cred;	   /* file/cred.h */
struct vm_space;   /* vm/space.h */
struct sig_thread; /* proc/signal.h */

#define KSTACK_SIZE 16384u
#define TIME_NEVER  UINT64_MAX
/* With a time of the wall clock: a deadline that moves with it when that is
 * set.  To be given to thread_sleep() and wait_sleep() only. */
#define DEADLINE_WALL (1ull << 63)

enum thread_state { THREAD_RUNNING, THREAD_SLEEPING, THREAD_DEAD };
enum wake_reason { WAKE_NORMAL, WAKE_TIMEOUT, WAKE_SIGNAL };

/* Tids of kernel threads start here; no program sees them. */
#define TID_KERNEL_BASE 0x40000000
#define TID_MAX		4194304 /* as Linux's largest pid_max; exclusive */

/* thread->pending: why the return to user mode takes the slow way */
#define PENDING_RESCHED (1u << 0)
#define PENDING_SIGNAL	(1u << 1) /* a signal may be deliverable */
#define PENDING_KILL	(1u << 2) /* must exit: no return to user mode */
#define PENDING_STOP	(1u << 3) /* execve or exit stops the others */
#define PENDING_TRACE	(1u << 4)
#define PENDING_RSEQ	(1u << 5) /* was switched: rseq area to be updated */
#define PENDING_WORK	(1u << 6) /* own_work is not empty */

struct thread {
	struct arch_thread arch; /* first: offsets known to entry.S */
	uint32_t pending;	 /* [a] PENDING_*; 0 = straight back */
	uint8_t state;		 /* [a] enum thread_state */
	bool sleep_intr;	 /* [o] a signal ends this sleep */
	uint8_t wake_reason;	 /* [rq] enum wake_reason of the last wake */
	bool queued;		 /* [rq] in a run queue */
	uint8_t sync_score;	 /* [o] sleeps soon after it wakes others? */
	bool wake_stays;	 /* [o] its last wake was for its own CPU */
	uint8_t wakes_away;	 /* [o] those that were not, counted */
	bool kernel;		 /* [I] never goes to user mode */
	bool syscall_restart;	 /* [o] */
	int tid;		 /* [I] 1.. */
	int nice;		 /* [a] */
	struct refcount refs;
	struct cpu *cpu;	  /* [rq] where it runs or last ran */
	uint64_t affinity;	  /* [a] bit per CPU */
	struct list rq_link;	  /* [rq] */
	uint64_t vruntime;	  /* [rq] CPU time weighed by nice, ns */
	uint64_t wake_time_ns;	  /* [o] of its last wake of another; 0 */
	void (*start_fn)(void *); /* [I] */
	void *start_arg;	  /* [I] */
	uint64_t cpu_time_ns;	  /* [o] user + system */
	uint64_t run_start_ns;	  /* [o] when it was last switched to */
	uint64_t sampled_user_ns, sampled_kernel_ns; /* [o, a read] sched.c */
	uint64_t utime_ns, stime_ns; /* [signal lock] proc/cputime.c */
	uint64_t nvcsw, nivcsw;	     /* [o] */
	struct timer sleep_timer;
	void *kstack;		      /* [I] lowest address */
	struct hlist_node table_link; /* [thread table] */
	char name[16];		      /* comm; [a] torn reads are harmless */
	struct reclaim_head reclaim;

	/* upper layers; each set by the layer named, [o] unless said */
	struct process *proc;	  /* [I] proc */
	int tgid;		  /* [I] proc: what getpid() answers */
	struct list proc_link;	  /* [process lock] */
	struct sig_thread *sig;	  /* [I] proc */
	struct fdtable *fds;	  /* file */
	struct fs_context *fsctx; /* file */
	struct cred *cred;	  /* file; replaced whole, [q] for readers */
	struct vm_space *space;	  /* vm */
	vaddr_t clear_tid;	  /* proc: CLONE_CHILD_CLEARTID */
	vaddr_t robust_list;	  /* proc: set_robust_list */
	uint64_t rseq_addr;	  /* proc */
	uint32_t rseq_len, rseq_sig;
	uint32_t nofault;	    /* vm: inside copies that may not fault */
	void *journal;		    /* fs: its open handle of a journal */
	struct blk_plug *plug;	    /* dev: requests that it holds back */
	void (*before_sleep)(void); /* dev: lets them go; or NULL */
	struct list own_work;	    /* aio: [o] done on the way to user mode */
#ifdef PITH_DEBUG
	struct {
		const void *lock;
		uint16_t rank;
	} held[16];	/* [o] sleeping locks */
	unsigned nheld; /* [o] */
#endif
	void *trace;	    /* linux: the tracer's per-thread state */
	uint16_t mempolicy; /* linux: set_mempolicy's mode */
	bool mempolicy_node0;
};

/* Creates a kernel thread in state RUNNING (not yet started: see
 * thread_start).  0, -ENOMEM, -EAGAIN (limit). */
MUST_CHECK int thread_create(const char *name, void (*fn)(void *), void *arg,
			     struct thread **out);
/* Creates a thread that will return to user mode with *regs; inherits
 * nothing: the caller fills the upper layers' fields, then starts it. */
MUST_CHECK int thread_create_user(const char *name, const struct regs *regs,
				  struct thread **out);
/* Consumes the creator's reference: take another one to keep t. */
void thread_start(struct thread *t);
/* For a thread that was created and never started. */
void thread_discard(struct thread *t);

static inline void
thread_get(struct thread *t)
{
	refcount_get(&t->refs);
}
void thread_put(struct thread *t);

/* Finds by tid; with a reference, or NULL. */
struct thread *thread_find(int tid);

/* Goes to user mode for the first time, with the registers set up. */
NORETURN void thread_enter_user(void);
/* t, alone in its process, takes over the number of its first thread. */
void thread_take_tid(struct thread *t, int tid);

/* Ends the current thread (upper layers have cleaned up). */
NORETURN void thread_exit(void);

void thread_prepare_sleep(bool intr);
void thread_cancel_sleep(void);
/* Sleeps until a wake or the deadline (monotonic ns, TIME_NEVER, or
 * DEADLINE_WALL).  0 woken, perhaps by nobody; -ETIMEDOUT; -EINTR (a signal is
 * pending and intr was set). */
int thread_sleep(uint64_t deadline_ns);
/* true if the thread was sleeping.  Any context. */
bool thread_wake(struct thread *t);
/* Wakes it only if its sleep is interruptible, and makes it look at its
 * pending word soon, also when it runs in user mode on another CPU. */
void thread_interrupt(struct thread *t, uint32_t pending);

/* Sleeps uninterruptibly for a time. */
void thread_delay(uint64_t ns);
void thread_yield(void);
/* A declared preemption point for long loops in the kernel; may switch. */
void thread_resched_point(void);
bool thread_signal_pending(void); /* current: PENDING_SIGNAL|KILL|STOP */
int thread_set_affinity(struct thread *t, uint64_t mask);
unsigned thread_count(void); /* all, kernel threads included */

/* Called in the thread's context on the way to user mode when more
 * than PENDING_RESCHED is set; proc hands it down at boot. */
void sched_set_user_work(void (*fn)(struct thread *t, struct regs *r));
/* What to do with the current thread's own_work: on its way to user mode, or
 * when it sleeps or ends, and others are to do it (leave).  aio's. */
void sched_set_own_work(void (*fn)(struct thread *t, bool leave));
/* Called when the last reference to a thread goes, to free what upper layers
 * hung on it; must not sleep. */
void sched_set_release(void (*fn)(struct thread *t));

/* CPU time of a thread up to now, ns. */
uint64_t thread_cpu_ns(const struct thread *t);
void thread_set_nice(struct thread *t, int nice);

/* Calls fn for each thread, with a reference held; stops when fn is false. */
void thread_for_each(bool (*fn)(struct thread *, void *arg), void *arg);

void sched_init(void); /* boot CPU: the caller becomes its idle thread */
NORETURN void sched_idle(void);
/* Idle nanoseconds of a CPU, and context switches, for /proc/stat. */
uint64_t sched_idle_ns(unsigned cpu);
uint64_t sched_switches(void);
