/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel threads that do what a request would sleep for, in the name of the
 * program's thread that made the request; and waiting for a file to become
 * ready without a thread.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>
#include <file/poll.h>
#include <sched/wait.h>

struct cred;
struct fdtable;
struct file;
struct fs_context;
struct process;
struct thread;
struct vm_space;

/* Whose descriptors, paths, rights and memory a request uses.  The address
 * space is not referenced: requests end before it does (aio_end_all). */
struct identity {
	struct process *proc; /* NULL: not taken */
	struct vm_space *space;
	struct fdtable *fds;
	struct fs_context *fsctx;
	struct cred *cred;
	int tgid;
};

void identity_take(struct identity *id); /* the current thread's */
void identity_drop(struct identity *id); /* may sleep */
/* The current thread, a kernel thread, is who from now on; NULL: itself. */
void identity_assume(const struct identity *who);

struct pool_work {
	struct list link; /* [pool lock] */
	void (*fn)(struct pool_work *);
	const struct identity *who; /* NULL: the kernel's own work */
	struct thread *worker;	    /* [pool lock] running it, or NULL */
	bool queued;		    /* [pool lock] */
};

/* Makes sure that there are workers; may sleep.  -ENOMEM. */
MUST_CHECK int pool_start(void);
void pool_work_init(struct pool_work *w, void (*fn)(struct pool_work *),
		    const struct identity *who);
/* Any context, wake functions too.  w must not be queued; fn may free it. */
void pool_queue(struct pool_work *w);
/* The same, but if the current thread is the program's with this number and
 * has the rights and files that w was made with, it does it itself, before it
 * goes back to user mode. */
void pool_queue_own(struct pool_work *w, int tid);
/* It does so now. */
void pool_run_own(void);
/* Lets those run that wait for a CPU only. */
void pool_settle(void);
/* Takes it out of the queue: true if it was there, and will not run. */
bool pool_unqueue(struct pool_work *w);
/* For fn, before the item may be freed or queued again. */
void pool_release(struct pool_work *w);
/* Interrupts the sleep of who runs it, if somebody does. */
void pool_interrupt(struct pool_work *w);

/* ---- readiness ---- */
#define ARM_QUEUES 4 /* wait queues that one file names at most */

/*
 * Life: arm_start() registers with the file's queues; the caller owns the arm
 * and may act on it.  arm_sleep() gives it up: from then on the next wake for
 * events that are wanted takes it and calls fire(), once, and who is called
 * owns it.  arm_kick() is such a wake from one who knows that it still
 * exists.  The owner ends it (arm_end) or lets it sleep again.  The file stays
 * referenced.
 */
struct arm {
	struct poll_table pt;
	void (*fire)(struct arm *a); /* in a wake function: may only queue */
	uint32_t events;
	uint32_t state; /* [a] ARM_* */
	uint32_t key;	/* [a] the events of the last wake */
	unsigned n;
	bool too_many;
	struct {
		struct wait_entry e;
		struct waitq *q;
	} at[ARM_QUEUES];
};

/* The events that are there already, or -ENOMEM: too many queues. */
MUST_CHECK int arm_start(struct arm *a, struct file *f, uint32_t events,
			 void (*fire)(struct arm *a));
/* false: it sleeps, and may be gone by now.  Else it is still owned: look again,
 * something has happened. */
MUST_CHECK bool arm_sleep(struct arm *a, struct file *f);
/* The same for who wants to hear of changes only: true, it sleeps. */
MUST_CHECK bool arm_sleep_edge(struct arm *a);
/* As a wake: true, it slept and is the caller's now; false: its owner looks
 * again. */
bool arm_kick(struct arm *a);
void arm_end(struct arm *a);
