/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of workers.
 *
 * There is always one more worker than there are busy ones, up to MAX: a
 * worker that takes an item and leaves nobody idle makes another one first.
 * Items that could wait for ever wait for readiness without a worker (arm),
 * so MAX bounds what sleeps for a device or a lock.
 *
 * What becomes ready by a call of the very thread that asked for it is done by
 * that thread on its way to user mode, as on Linux: it finds the completion
 * when its call is over.  If it sleeps or ends before, the pool does it.
 *
 * The pool's lock has the rank of a queue woken from a wake function, since
 * that is where items come from.
 */
#include <aio/pool.h>

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <proc/process.h>
#include <sched/thread.h>

#define MAX_WORKERS  32u
#define SETTLE_TRIES 4u

struct worker {
	struct list link; /* [lock] among the idle ones */
	struct thread *thread;
	bool idle; /* [lock] */
};

static struct spinlock lock = SPINLOCK_INIT(RANK_WAITQ2);
static struct list queue = LIST_INIT(queue); /* [lock] */
static struct list idle = LIST_INIT(idle);   /* [lock] */
static unsigned nworkers, nidle;	     /* [lock] */

/* ---- identities ---- */

void
identity_take(struct identity *id)
{
	struct thread *t = thread_current();

	if (id->proc)
		return;
	id->proc = t->proc;
	id->space = t->space;
	id->tgid = t->tgid;
	id->fds = t->fds;
	fdtable_get(id->fds);
	id->fsctx = t->fsctx;
	refcount_get(&id->fsctx->refs);
	id->cred = t->cred;
	cred_get(id->cred);
}

void
identity_drop(struct identity *id)
{
	if (!id->proc)
		return;
	fdtable_put(id->fds);
	fs_context_put(id->fsctx);
	cred_put(id->cred);
	id->proc = NULL;
}

static void
assume(struct thread *t, const struct identity *id)
{
	t->proc = id->proc;
	t->space = id->space;
	t->tgid = id->tgid;
	t->fds = id->fds;
	t->fsctx = id->fsctx;
	t->cred = id->cred;
}

void
identity_assume(const struct identity *who)
{
	static const struct identity none;

	assume(thread_current(), who ? who : &none);
}

/* ---- items ---- */

void
pool_work_init(struct pool_work *w, void (*fn)(struct pool_work *),
	       const struct identity *who)
{
	list_init(&w->link);
	w->fn = fn;
	w->who = who;
	w->worker = NULL;
	w->queued = false;
}

void
pool_queue(struct pool_work *w)
{
	irqflags_t f = spin_lock_irq(&lock);
	struct worker *to = NULL;

	w->queued = true;
	list_add_tail(&queue, &w->link);
	if (!list_empty(&idle)) {
		to = list_first_entry(&idle, struct worker, link);
		list_del(&to->link);
		to->idle = false;
		nidle--;
	}
	if (to)
		thread_wake(to->thread);
	spin_unlock_irq(&lock, f);
}

/* An interrupt's wakes are not the thread's, and its list is not theirs. */
static bool
is_own(const struct pool_work *w, const struct thread *t, int tid)
{
	const struct identity *id = w->who;

	return t->tid == tid && !t->kernel && !this_cpu()->irq_depth && id &&
	       id->proc == t->proc && id->fds == t->fds &&
	       id->fsctx == t->fsctx && id->cred == t->cred;
}

void
pool_queue_own(struct pool_work *w, int tid)
{
	struct thread *t = thread_current();

	if (!is_own(w, t, tid)) {
		pool_queue(w);
		return;
	}
	list_add_tail(&t->own_work, &w->link);
	atomic_or(&t->pending, PENDING_WORK);
}

/* own_work of sched. */
static void
do_own(struct thread *t, bool leave)
{
	atomic_and(&t->pending, ~(uint32_t)PENDING_WORK);
	while (!list_empty(&t->own_work)) {
		struct pool_work *w =
			list_first_entry(&t->own_work, struct pool_work, link);

		list_del(&w->link);
		list_init(&w->link);
		if (leave)
			pool_queue(w);
		else
			w->fn(w);
	}
}

void
pool_run_own(void)
{
	struct thread *t = thread_current();

	if (!list_empty(&t->own_work))
		do_own(t, false);
}

void
pool_settle(void)
{
	unsigned tries = SETTLE_TRIES;

	while (!list_empty(&queue) && tries--)
		thread_yield();
}

bool
pool_unqueue(struct pool_work *w)
{
	irqflags_t f = spin_lock_irq(&lock);
	bool was = w->queued;

	if (was) {
		w->queued = false;
		list_del(&w->link);
	}
	spin_unlock_irq(&lock, f);
	return was;
}

void
pool_interrupt(struct pool_work *w)
{
	irqflags_t f = spin_lock_irq(&lock);

	if (w->worker)
		thread_interrupt(w->worker, PENDING_SIGNAL);
	spin_unlock_irq(&lock, f);
}

/* ---- workers ---- */

static void worker_main(void *arg);

/* With the number counted already. */
static int
make_worker(void)
{
	struct thread *t;
	int err = thread_create("io", worker_main, NULL, &t);

	if (!err)
		thread_start(t);
	return err;
}

static struct pool_work *
take(struct worker *me, bool *grow)
{
	irqflags_t f = spin_lock_irq(&lock);
	struct pool_work *w = NULL;

	*grow = false;
	if (!list_empty(&queue)) {
		w = list_first_entry(&queue, struct pool_work, link);
		list_del(&w->link);
		w->queued = false;
		w->worker = me->thread;
		if (me->idle) {
			list_del(&me->link);
			me->idle = false;
			nidle--;
		}
		*grow = !nidle && nworkers < MAX_WORKERS;
		nworkers += *grow;
	} else if (!me->idle) {
		list_add(&idle, &me->link);
		me->idle = true;
		nidle++;
	}
	spin_unlock_irq(&lock, f);
	return w;
}

/* Nobody may interrupt this worker for the item any more. */
static void
leave(struct thread *t, struct pool_work *w)
{
	irqflags_t f = spin_lock_irq(&lock);

	w->worker = NULL;
	spin_unlock_irq(&lock, f);
	atomic_and(&t->pending, ~(uint32_t)PENDING_SIGNAL);
}

static void
run(struct thread *t, struct pool_work *w)
{
	const struct identity *who = w->who, none = { 0 };
	struct identity copy = none;

	if (who) {
		/* The item, and what it points to, may be gone after fn. */
		copy = *who;
		fdtable_get(copy.fds);
		refcount_get(&copy.fsctx->refs);
		cred_get(copy.cred);
		assume(t, &copy);
	}
	w->fn(w);
	atomic_and(&t->pending, ~(uint32_t)PENDING_SIGNAL);
	assume(t, &none);
	identity_drop(&copy);
}

static void
worker_main(void *arg)
{
	struct thread *t = thread_current();
	struct worker me = { .link = LIST_INIT(me.link), .thread = t };
	struct pool_work *w;
	bool grow;

	(void)arg;
	for (;;) {
		thread_prepare_sleep(false);
		w = take(&me, &grow);
		if (!w) {
			ignore(thread_sleep(
				TIME_NEVER)); /* not interruptible */
			continue;
		}
		thread_cancel_sleep();
		if (grow && make_worker()) {
			irqflags_t f = spin_lock_irq(&lock);

			nworkers--; /* no memory: the next item tries again */
			spin_unlock_irq(&lock, f);
		}
		run(t, w);
	}
}

void
pool_release(struct pool_work *w)
{
	leave(thread_current(), w);
}

int
pool_start(void)
{
	irqflags_t f = spin_lock_irq(&lock);
	bool first = nworkers == 0;
	int err;

	nworkers += first;
	spin_unlock_irq(&lock, f);
	if (!first)
		return 0;
	sched_set_own_work(do_own);
	err = make_worker();
	if (err) {
		f = spin_lock_irq(&lock);
		nworkers--;
		spin_unlock_irq(&lock, f);
	}
	return err;
}

/* ---- readiness ---- */

enum { ARM_SLEEPS, ARM_OWNED, ARM_OWNED_WOKEN };

bool
arm_kick(struct arm *a)
{
	uint32_t s = ARM_SLEEPS;

	/* The owner looks again before it lets it sleep. */
	while (!atomic_cas(&a->state, &s,
			   s == ARM_SLEEPS ? ARM_OWNED : ARM_OWNED_WOKEN))
		;
	return s == ARM_SLEEPS;
}

static bool
on_wake(struct wait_entry *e, uint32_t events)
{
	struct arm *a = e->arg;

	if (events && !(events & (a->events | POLLERR | POLLHUP)))
		return false;
	atomic_store_relaxed(&a->key, events);
	if (arm_kick(a))
		a->fire(a);
	return true;
}

static void
add_queue(struct poll_table *pt, struct waitq *q)
{
	struct arm *a = container_of(pt, struct arm, pt);

	if (a->n == ARM_QUEUES) {
		a->too_many = true;
		return;
	}
	a->at[a->n].q = q;
	a->at[a->n].e = (struct wait_entry){ .fn = on_wake, .arg = a };
	list_init(&a->at[a->n].e.link);
	waitq_add(q, &a->at[a->n].e);
	a->n++;
}

int
arm_start(struct arm *a, struct file *f, uint32_t events,
	  void (*fire)(struct arm *a))
{
	uint32_t ready;

	a->pt.queue = add_queue;
	a->pt.events = 0;
	a->fire = fire;
	a->events = events;
	a->key = 0;
	a->state = ARM_OWNED;
	a->n = 0;
	a->too_many = false;
	ready = file_poll(f, &a->pt);
	if (a->too_many) {
		arm_end(a);
		return -ENOMEM;
	}
	return (int)(ready & (events | POLLERR | POLLHUP));
}

bool
arm_sleep(struct arm *a, struct file *f)
{
	uint32_t mine = ARM_OWNED;

	if (file_poll(f, NULL) & (a->events | POLLERR | POLLHUP))
		return true;
	if (atomic_cas(&a->state, &mine, ARM_SLEEPS))
		return false;
	atomic_store(&a->state, ARM_OWNED);
	return true;
}

bool
arm_sleep_edge(struct arm *a)
{
	uint32_t mine = ARM_OWNED;

	if (atomic_cas(&a->state, &mine, ARM_SLEEPS))
		return true;
	atomic_store(&a->state, ARM_OWNED);
	return false;
}

void
arm_end(struct arm *a)
{
	while (a->n) {
		a->n--;
		waitq_remove(a->at[a->n].q, &a->at[a->n].e);
	}
}
