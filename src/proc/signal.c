/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pending signals: sending, taking, waiting, masks and actions.  What
 * happens at the delivery is in deliver.c.
 *
 * PENDING_SIGNAL of a thread is set under the process's signal lock by a
 * sender, and cleared under it when nothing deliverable is left, so the word
 * may say "look" in vain but never forgets.  A signal to the process marks
 * one thread that doesn't block it; when that one ends or blocks it, the
 * next is marked.
 *
 * All of it works from interrupts (timers), so the lock is taken with
 * interrupts off and memory for entries is never waited for.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/resource.h>
#include <base/assert.h>
#include <base/string.h>
#include <core/clock.h>
#include <mem/heap.h>

#define SIG_STOPS                                                 \
	(SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | \
	 SIG_BIT(SIGTTOU))
/* Taken first, as they belong to the instruction at hand. */
#define SIG_SYNCHRONOUS                                         \
	(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | \
	 SIG_BIT(SIGTRAP) | SIG_BIT(SIGFPE) | SIG_BIT(SIGSYS))

static void
queue_init(struct sig_queue *q)
{
	q->set = 0;
	list_init(&q->infos);
}

void
signal_process_init(struct process *p)
{
	spin_init(&p->sig.lock, RANK_SIGNAL);
	queue_init(&p->sig.pending);
	waitq_init(&p->sig.signalfd_wq);
}

int
signal_thread_init(struct thread *t, const struct thread *from)
{
	t->sig = kzalloc(sizeof(*t->sig), ALLOC_KERNEL);
	if (!t->sig)
		return -ENOMEM;
	queue_init(&t->sig->pending);
	t->sig->alt.flags = SS_DISABLE;
	if (from)
		t->sig->mask = from->sig->mask;
	return 0;
}

/* ---- who looks ---- */

/* A worker of io_uring's, in the name of the process, has no signals of its
 * own. */
static uint64_t
pending_of(const struct thread *t)
{
	return (t->sig ? t->sig->pending.set : 0) | t->proc->sig.pending.set;
}

static bool
wants(const struct thread *t, int sig)
{
	return (!(t->sig->mask & SIG_BIT(sig)) ||
		t->sig->wait_set & SIG_BIT(sig)) &&
	       !(atomic_load_relaxed(&t->pending) & PENDING_KILL);
}

/* Marks one thread for a signal to the process. */
static void
mark_one(struct process *p, int sig)
{
	struct thread *t;

	if (p->leader && !p->leader->sig->ended && wants(p->leader, sig)) {
		thread_interrupt(p->leader, PENDING_SIGNAL);
		return;
	}
	list_for_each_entry(t, &p->threads, proc_link)
		if (wants(t, sig)) {
			thread_interrupt(t, PENDING_SIGNAL);
			return;
		}
}

/* What the process's queue holds and t does not take, others may. */
static void
mark_others(struct process *p)
{
	uint64_t set = p->sig.pending.set;

	while (set) {
		int sig = __builtin_ctzll(set) + 1;

		set &= set - 1;
		mark_one(p, sig);
	}
}

static void
recalc(struct thread *t)
{
	if (pending_of(t) & ~t->sig->mask)
		atomic_or(&t->pending, PENDING_SIGNAL);
	else
		atomic_and(&t->pending, ~PENDING_SIGNAL);
}

/* ---- queues; the lock is held ---- */

static void
entry_free(struct process *p, struct sig_entry *e)
{
	list_del(&e->link);
	e->queued = false;
	if (e->taken)
		return;
	p->sig.queued--;
	kfree(e);
}

static void
queue_discard(struct process *p, struct sig_queue *q, uint64_t set)
{
	struct sig_entry *e, *next;

	q->set &= ~set;
	list_for_each_entry_safe(e, next, &q->infos, link)
		if (set & SIG_BIT(e->info.si_signo))
			entry_free(p, e);
}

static void
discard_everywhere(struct process *p, uint64_t set)
{
	struct thread *t;

	queue_discard(p, &p->sig.pending, set);
	list_for_each_entry(t, &p->threads, proc_link)
		queue_discard(p, &t->sig->pending, set);
}

/* Takes the first entry of sig; the bit stays while there are more. */
static void
queue_take(struct process *p, struct sig_queue *q, int sig,
	   struct siginfo *info)
{
	struct sig_entry *e, *found = NULL;
	bool more = false;

	list_for_each_entry(e, &q->infos, link) {
		if (e->info.si_signo != sig)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = e;
	}
	if (!more)
		q->set &= ~SIG_BIT(sig);
	if (!found) {
		/* Sent when there was no memory for an entry. */
		memset(info, 0, sizeof(*info));
		info->si_signo = sig;
		return;
	}
	*info = found->info;
	if (found->taken)
		found->taken(found, info);
	entry_free(p, found);
}

static int
take_locked(struct thread *t, uint64_t set, struct siginfo *info)
{
	struct process *p = t->proc;
	struct sig_queue *q = t->sig ? &t->sig->pending : NULL;
	uint64_t s = q ? q->set & set : 0;
	int sig;

	if (!s) {
		q = &p->sig.pending;
		s = q->set & set;
	}
	if (!s)
		return 0;
	if (s & SIG_SYNCHRONOUS)
		s &= SIG_SYNCHRONOUS;
	sig = __builtin_ctzll(s) + 1;
	queue_take(p, q, sig, info);
	return sig;
}

int
signal_take(struct thread *t, uint64_t set, struct siginfo *info)
{
	irqflags_t f = spin_lock_irq(&t->proc->sig.lock);
	int sig = take_locked(t, set, info);

	if (t->sig && (!sig || !(pending_of(t) & ~t->sig->mask)))
		recalc(t);
	spin_unlock_irq(&t->proc->sig.lock, f);
	return sig;
}

/* ---- sending ---- */

static bool
default_ignores(int sig)
{
	return sig == SIGCHLD || sig == SIGURG || sig == SIGWINCH ||
	       sig == SIGCONT;
}

static bool
ignored(struct process *p, const struct thread *t, int sig)
{
	uint64_t h = p->sig.action[sig - 1].handler;

	/* A blocked one is kept: its action may have changed by the time. */
	if (t && (t->sig->mask | t->sig->wait_set) & SIG_BIT(sig))
		return false;
	return h == SIG_IGN || (h == SIG_DFL && default_ignores(sig));
}

/* Effects that a signal has when it is sent, before any delivery. */
static void
send_effects(struct process *p, int sig)
{
	if (sig == SIGCONT)
		discard_everywhere(p, SIG_STOPS);
	else if (SIG_STOPS & SIG_BIT(sig))
		discard_everywhere(p, SIG_BIT(SIGCONT));
	if (sig == SIGCONT || sig == SIGKILL) {
		atomic_store_release(&p->stopped, false);
		wait_wake_all(&p->stop_wq, 0);
	}
}

/* The lock is held; e is ready to be queued or NULL (no memory). */
static int
send_locked(struct process *p, struct thread *t, int sig, struct sig_entry *e)
{
	struct sig_queue *q = t ? &t->sig->pending : &p->sig.pending;

	/* What a thread that has ended would be sent nobody takes. */
	if (t && t->sig->ended)
		return -ESRCH;
	send_effects(p, sig);
	if (ignored(p, t ? t : p->leader, sig))
		return 0;
	/* Of the old signals one is pending at a time; but each timer has its
	 * own place, or its expiry would be nobody's. */
	if (sig < SIGRTMIN && q->set & SIG_BIT(sig) && !(e && e->own_place))
		return 0;
	if (e) {
		list_add_tail(&q->infos, &e->link);
		e->queued = true;
		if (!e->taken)
			p->sig.queued++;
	}
	q->set |= SIG_BIT(sig);
	if (waitq_active(&p->sig.signalfd_wq))
		wait_wake_all(&p->sig.signalfd_wq, 0);
	if (!t)
		mark_one(p, sig);
	else if (wants(t, sig))
		thread_interrupt(t, PENDING_SIGNAL);
	return 0;
}

static int
send(struct process *p, struct thread *t, int sig, const struct siginfo *info)
{
	struct sig_entry *e;
	irqflags_t f;
	int err = 0;

	if (sig < 1 || sig > NSIG)
		return -EINVAL;
	if (t && !t->sig)
		return -ESRCH; /* a worker of io_uring's */
	e = kmalloc(sizeof(*e), ALLOC_ATOMIC);
	if (e) {
		if (info) {
			e->info = *info;
		} else {
			memset(&e->info, 0, sizeof(e->info));
			e->info.si_code = SI_KERNEL;
		}
		e->info.si_signo = sig;
		e->taken = NULL;
		e->queued = e->own_place = false;
	}
	f = spin_lock_irq(&p->sig.lock);
	/* Only what can't lose its information is refused: sigqueue(3). */
	if ((!e || p->sig.queued >= p->limits.soft[RLIMIT_SIGPENDING]) &&
	    sig >= SIGRTMIN && info && info->si_code != SI_USER)
		err = -EAGAIN;
	else
		err = send_locked(p, t, sig, e);
	if (e && !e->queued)
		kfree(e);
	spin_unlock_irq(&p->sig.lock, f);
	return err;
}

int
signal_send_process(struct process *p, int sig, const struct siginfo *info)
{
	return send(p, NULL, sig, info);
}

int
signal_send_thread(struct thread *t, int sig, const struct siginfo *info)
{
	return send(t->proc, t, sig, info);
}

void
signal_send_entry_locked(struct process *p, struct thread *t, int sig,
			 struct sig_entry *e)
{
	assert(!e->queued && e->taken);
	e->info.si_signo = sig;
	ignore(send_locked(p, t, sig, e)); /* its thread may have ended */
}

/* The set's bit goes when this was the only entry of its signal. */
static bool
cancel_in(struct process *p, struct sig_queue *q, struct sig_entry *e)
{
	struct sig_entry *o;
	bool here = false, more = false;

	list_for_each_entry(o, &q->infos, link) {
		here |= o == e;
		more |= o != e && o->info.si_signo == e->info.si_signo;
	}
	if (!here)
		return false;
	if (!more)
		q->set &= ~SIG_BIT(e->info.si_signo);
	entry_free(p, e);
	return true;
}

void
signal_cancel_entry_locked(struct process *p, struct sig_entry *e)
{
	struct thread *t;

	if (!e->queued || cancel_in(p, &p->sig.pending, e))
		return;
	list_for_each_entry(t, &p->threads, proc_link)
		if (cancel_in(p, &t->sig->pending, e))
			return;
}

void
signal_force(struct thread *t, int sig, const struct siginfo *info)
{
	struct process *p = t->proc;
	struct ksigaction *a = &p->sig.action[sig - 1];
	irqflags_t f = spin_lock_irq(&p->sig.lock);

	if (a->handler == SIG_IGN || t->sig->mask & SIG_BIT(sig)) {
		a->handler = SIG_DFL;
		t->sig->mask &= ~SIG_BIT(sig);
	}
	spin_unlock_irq(&p->sig.lock, f);
	/* Below SIGRTMIN a lack of memory loses only the information. */
	ignore(signal_send_thread(t, sig, info));
}

/* ---- masks, actions, waiting ---- */

void
signal_set_mask(struct thread *t, uint64_t mask)
{
	struct process *p = t->proc;
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	uint64_t blocked = mask & ~SIG_UNBLOCKABLE & ~t->sig->mask;

	t->sig->mask = mask & ~SIG_UNBLOCKABLE;
	recalc(t);
	if (blocked & p->sig.pending.set && p->nthreads > 1)
		mark_others(p);
	spin_unlock_irq(&p->sig.lock, f);
}

void
signal_set_temp_mask(struct thread *t, uint64_t mask)
{
	t->sig->saved_mask = t->sig->mask;
	t->sig->restore_mask = true;
	signal_set_mask(t, mask);
}

void
signal_restore_mask(struct thread *t)
{
	if (!t->sig->restore_mask)
		return;
	t->sig->restore_mask = false;
	signal_set_mask(t, t->sig->saved_mask);
}

uint64_t
signal_pending_set(struct thread *t)
{
	irqflags_t f = spin_lock_irq(&t->proc->sig.lock);
	uint64_t set = pending_of(t);

	spin_unlock_irq(&t->proc->sig.lock, f);
	return set;
}

void
signal_set_action(struct process *p, int sig, const struct ksigaction *a,
		  struct ksigaction *old)
{
	struct ksigaction *cur = &p->sig.action[sig - 1];
	irqflags_t f = spin_lock_irq(&p->sig.lock);

	if (old)
		*old = *cur;
	if (a) {
		*cur = *a;
		cur->mask &= ~SIG_UNBLOCKABLE;
		/* POSIX: what is pending and now ignored is gone. */
		if (a->handler == SIG_IGN ||
		    (a->handler == SIG_DFL && default_ignores(sig)))
			discard_everywhere(p, SIG_BIT(sig));
	}
	spin_unlock_irq(&p->sig.lock, f);
}

static int
wait_for(struct thread *t, uint64_t set, struct siginfo *info,
	 uint64_t deadline_ns)
{
	int sig, err;

	for (;;) {
		thread_prepare_sleep(true);
		sig = signal_take(t, set, info);
		if (sig) {
			thread_cancel_sleep();
			return sig;
		}
		/* PENDING_SIGNAL was recalculated by signal_take(). */
		err = thread_sleep(deadline_ns);
		if (!err)
			continue;
		sig = signal_take(t, set, info);
		if (sig)
			return sig;
		if (err == -ETIMEDOUT)
			return -EAGAIN;
		/* Or somebody else took what we were woken for. */
		if (thread_signal_pending())
			return -EINTR;
	}
}

int
signal_wait(struct thread *t, uint64_t set, struct siginfo *info,
	    uint64_t deadline_ns)
{
	struct process *p = t->proc;
	irqflags_t f;
	int sig;

	set &= ~SIG_UNBLOCKABLE;
	f = spin_lock_irq(&p->sig.lock);
	t->sig->wait_set = set;
	spin_unlock_irq(&p->sig.lock, f);
	sig = wait_for(t, set, info, deadline_ns);
	f = spin_lock_irq(&p->sig.lock);
	t->sig->wait_set = 0;
	recalc(t);
	/* What came for this thread when it had one already is for others
	 * that wait. */
	if (p->sig.pending.set & set && p->nthreads > 1)
		mark_others(p);
	spin_unlock_irq(&p->sig.lock, f);
	return sig;
}

/* ---- ends ---- */

/* execve: handlers are gone, what was ignored stays so (execve(2)). */
void
signal_exec(struct process *p, struct thread *t)
{
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	int i;

	for (i = 0; i < NSIG; i++) {
		struct ksigaction *a = &p->sig.action[i];
		uint64_t h = a->handler == SIG_IGN ? SIG_IGN : SIG_DFL;

		memset(a, 0, sizeof(*a));
		a->handler = h;
	}
	memset(&t->sig->alt, 0, sizeof(t->sig->alt));
	t->sig->alt.flags = SS_DISABLE;
	t->sig->restart = NULL;
	spin_unlock_irq(&p->sig.lock, f);
}

/* t is unlinked: its own signals are gone, the process's find another. */
void
signal_thread_exit_locked(struct thread *t)
{
	struct process *p = t->proc;

	t->sig->ended = true;
	queue_discard(p, &t->sig->pending, ~0ull);
	if (p->sig.pending.set)
		mark_others(p);
}
