/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process: what belongs to the program as a whole.  There is one today;
 * nothing may assume so by keeping program state in globals (design
 * decision 1): reach it through thread->proc.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/refcount.h>
#include <base/types.h>
#include <file/fs_context.h>
#include <proc/signal.h>
#include <sched/mutex.h>
#include <sched/wait.h>

struct thread;
struct file;
struct vm_space;

struct process {
	int pid;	       /* [I] the first thread's tid */
	int ppid, pgid, sid;   /* ppid 0 */
	struct mutex lock;     /* RANK_PROCESS */
	struct list threads;   /* [lock + sig.lock w] thread->proc_link */
	unsigned nthreads;     /* [lock, a read] */
	struct thread *leader; /* [lock, sig.lock] referenced; may have ended */
	bool exiting;	       /* [lock, a read] */
	uint32_t exit_kind, exit_code; /* [lock] abi/pith.h */
	struct thread *execer;	       /* [lock] thread in execve, or NULL */
	struct waitq exec_wq;	       /* woken when nthreads falls */
	int leader_status;	       /* [lock] as given to exit(2) */
	bool stopped;	      /* [sig.lock] by SIGSTOP, until SIGCONT */
	struct waitq stop_wq; /* woken by SIGCONT and by the end */
	struct sig_process sig;
	struct timers *timers;	/* [I] timers.c: interval and POSIX timers */
	struct vm_space *space; /* changes in execve only */
	struct file *exe;	/* [lock] */
	struct rlimits limits;
	uint64_t start_ns;		       /* monotonic */
	uint64_t dead_utime_ns, dead_stime_ns; /* [sig.lock] of threads that
					* have ended */
	uint64_t dead_nvcsw, dead_nivcsw;      /* [lock] */
	bool aslr;			       /* [I] */
	bool fork_noticed; /* [a] the user has been told once */
	uint8_t auxv[512]; /* [lock] as given to the program */
	unsigned auxv_len;
	bool dumpable, no_new_privs, thp_disabled;
	int pdeath_sig;
	uint32_t personality;
	bool subreaper;
	uint64_t max_rss;    /* [a] pages, the most that was seen */
	uint32_t membarrier; /* [a] commands that were registered */
	uint64_t timer_slack_ns;
};

/* The first process: the program of the run block.  Called by kmain() (may
 * sleep); on success the new thread runs.  -errno: it cannot be executed.
 * Takes its own references to the files; NULL: not open. */
MUST_CHECK int process_start(const char *program, char *const argv[],
			     char *const envp[], struct file *const stdio[3],
			     uint32_t uid, uint32_t gid, const uint32_t *groups,
			     unsigned ngroups, uint32_t umask, const char *cwd,
			     bool aslr);

/* A limit that the first process starts with; before process_start().
 * -EINVAL. */
MUST_CHECK int process_initial_limit(uint32_t resource, uint64_t soft,
				     uint64_t hard);

/* execve from kernel strings; replaces the current thread's program. */
MUST_CHECK int process_exec(int dfd, const char *path, char *const argv[],
			    char *const envp[], unsigned flags);
/* exit_group, or death by a signal (kind PITH_EXIT_SIGNAL). */
NORETURN void process_exit(uint32_t kind, uint32_t code);
/* Ends the calling thread; the last one ends the process. */
NORETURN void process_thread_exit(int status);

struct clone_args; /* abi/sched.h */
MUST_CHECK long process_clone(struct thread *t, const struct clone_args *a);

/* Resident pages, the most that were seen. */
uint64_t process_max_rss(struct process *p);

/* fn is called when the program has ended, before the machine does. */
void process_on_end(void (*fn)(void));
/* SIGKILL to the first process, and a while for its threads to end. */
void process_kill(uint64_t wait_ns);
/* SIGURG to whom fcntl's F_SETOWN named; any context. */
void process_urgent(int owner);
/* fn is called before the program's memory goes, by execve or at the end:
 * what works on it in the program's name stops. */
void process_before_unmap(void (*fn)(void));
void process_stop_io(void);

/* CPU time of all its threads, those that have ended too, ns. */
uint64_t process_cpu_ns(struct process *p);
uint64_t process_cpu_ns_locked(struct process *p); /* sig.lock */
/* Its parts: in the program, in the kernel for it. */
struct cpu_times {
	uint64_t user_ns, system_ns;
};
struct cpu_times process_cpu_times(struct process *p);
struct cpu_times process_cpu_times_locked(struct process *p); /* sig.lock */
struct cpu_times thread_cpu_times(struct thread *t);
/* The thread leaves the process: what it used stays (sig.lock). */
void process_keep_cpu_times(struct process *p, struct thread *t);

/* Path contexts (file/fs_context.h): root and working directory "/"; a copy;
 * the last reference. */
MUST_CHECK int fs_context_create(struct fs_context **out);
MUST_CHECK int fs_context_clone(struct fs_context *from,
				struct fs_context **out);
void fs_context_put(struct fs_context *c);

/* Registers its entries in /proc. */
void process_proc_init(void);
