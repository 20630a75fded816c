/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler: one run queue per CPU, ordered by weighted CPU time.
 *
 * - Fairness: each thread's vruntime advances with the CPU time it uses,
 *   weighed by its nice value; the lowest runs next.  A sleeper comes back
 *   at most WAKE_BONUS_NS behind the queue's minimum.
 * - No tick: a slice timer is armed only when a second thread wants the CPU,
 *   and is left armed when that thread goes: it fires once, idly, which is
 *   cheaper than disarming it at each ping-pong.
 * - Placement of a woken thread: on the waker's CPU if the waker is known to
 *   sleep soon after its wakes (a ping-pong: the other CPU stays out of it),
 *   else on an idle CPU, else where it ran last.  An idle CPU (idle.c) polls
 *   for a while before it halts, and pulls work that has waited.
 * - The lock of a run queue is held across arch_switch(): prev's waker can't
 *   get hold of it before its registers are saved; the next thread unlocks.
 *
 * t->state changes to SLEEPING by the thread itself, without a lock; to
 * RUNNING under the lock of the queue of t->cpu.
 */
#include "sched_priv.h"

#include <abi/errno.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <arch/upcall.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <core/clock.h>
#include <core/idle.h>
#include <core/panic.h>
#include <core/reclaim.h>
#include <core/watchdog.h>
#include <mem/heap.h>

#define SLICE_NS      4000000ull /* alone with one other thread */
#define SLICE_MIN_NS  1000000ull
#define PULL_MIN_NS   100000ull	 /* when an idle CPU could help */
#define PULL_MAX_NS   1000000ull /* when it never can */
#define WAKE_BONUS_NS 3000000ull
#define PREEMPT_NS    1000000ull /* a wake preempts beyond this lead */
#define PULL_AFTER_NS 30000ull	 /* an idle CPU takes what waited so long */
#define SYNC_NS	      20000ull	 /* sleeps within this after a wake */

/* vruntime per ns in 1/1024, by nice -20..19: 1.25 to the power of nice. */
static const uint32_t nice_factor[40] = {
	12,   15,    18,    23,	   29,	  36,	 45,	56,    70,    88,
	110,  137,   172,   215,   268,	  336,	 419,	524,   655,   819,
	1024, 1280,  1600,  2000,  2500,  3125,	 3906,	4883,  6104,  7629,
	9537, 11921, 14901, 18626, 23283, 29104, 36380, 45475, 56843, 71054,
};

uint64_t sched_idle_cpus;

static struct runqueue boot_rq;
static void (*user_work)(struct thread *t, struct regs *r);
static void (*own_work)(struct thread *t, bool leave);

/* ---- the queue; all with its lock held ---- */

static void
queue_insert(struct runqueue *rq, struct thread *t)
{
	struct list *head = &rq->queue, *front = head->next, *back = head->prev;

	/* From both ends: a new place is near one of them. */
	for (;;) {
		if (back == head ||
		    (int64_t)(list_entry(back, struct thread, rq_link)
				      ->vruntime -
			      t->vruntime) <= 0) {
			list_add(back, &t->rq_link);
			break;
		}
		if ((int64_t)(list_entry(front, struct thread, rq_link)
				      ->vruntime -
			      t->vruntime) > 0) {
			list_add_tail(front, &t->rq_link);
			break;
		}
		back = back->prev;
		front = front->next;
	}
	t->queued = true;
	rq->nr++;
}

static void
queue_remove(struct runqueue *rq, struct thread *t)
{
	list_del(&t->rq_link);
	t->queued = false;
	rq->nr--;
}

static struct thread *
queue_first(struct runqueue *rq)
{
	if (list_empty(&rq->queue))
		return NULL;
	return list_entry(rq->queue.next, struct thread, rq_link);
}

static bool
runs_idle(const struct runqueue *rq)
{
	return rq->current == rq->cpu->idle_thread;
}

static void
advance_min(struct runqueue *rq, uint64_t v)
{
	if ((int64_t)(v - rq->min_vruntime) > 0)
		rq->min_vruntime = v;
}

/* Charges the running thread up to now. */
static void
account(struct runqueue *rq, struct thread *t, uint64_t now)
{
	uint64_t delta = now - t->run_start_ns;
	uint64_t v;

	t->run_start_ns = now;
	t->cpu_time_ns += delta;
	if (t->nice)
		delta = delta * nice_factor[t->nice + 20] >> 10;
	t->vruntime += delta;
	v = t->vruntime;
	if (rq->nr && (int64_t)(queue_first(rq)->vruntime - v) < 0)
		v = queue_first(rq)->vruntime;
	if (!runs_idle(rq))
		advance_min(rq, v);
}

/* t->cpu stays while t is in this queue or runs from it.  One that is on its
 * way to another (enqueue_on(), under that one's lock) may arrive there, run
 * and sleep again meanwhile: what is read of t counts only if t->cpu is looked
 * at once more behind it. */
static struct runqueue *
lock_rq_of(struct thread *t)
{
	for (;;) {
		struct cpu *c = atomic_load_acquire(&t->cpu);

		spin_lock(&c->rq->lock);
		if (likely(t->cpu == c))
			return c->rq;
		spin_unlock(&c->rq->lock);
	}
}

static bool
allowed(const struct thread *t, const struct cpu *c)
{
	return t->affinity >> c->id & 1;
}

/* ---- the slice timer ---- */

static uint64_t
slice_ns(const struct runqueue *rq)
{
	uint64_t ns = SLICE_NS / (rq->nr ? rq->nr : 1);

	if (atomic_load_relaxed(&sched_idle_cpus))
		return rq->pull_ns;
	return ns < SLICE_MIN_NS ? SLICE_MIN_NS : ns;
}

/* On rq's own CPU, interrupts off, its lock not held (RANK_TIMER is outer). */
static void
arm_slice(struct runqueue *rq, uint64_t now)
{
	if (rq->slice_armed || !rq->nr || runs_idle(rq))
		return;
	rq->slice_armed = true;
	timer_set(&rq->slice_timer, now + slice_ns(rq));
}

static void
kick(struct cpu *c)
{
	atomic_store_release(&c->need_resched, true);
	if (c != this_cpu() && !atomic_load_relaxed(&c->rq->polling))
		smp_kick(c->id);
}

static void
resched_current(struct runqueue *rq)
{
	atomic_or(&rq->current->pending, PENDING_RESCHED);
	kick(rq->cpu);
}

static void
slice_expired(struct timer *timer)
{
	struct runqueue *rq = this_cpu()->rq;
	struct thread *t = rq->current;
	uint64_t idle;

	(void)timer;
	rq->slice_armed = false;
	/* In a ping-pong it always comes for nothing: then more rarely. */
	if (rq->pull_ns < PULL_MAX_NS)
		rq->pull_ns *= 2;
	if (!rq->nr)
		return;
	idle = atomic_load_relaxed(&sched_idle_cpus);
	if (idle) {
		uint64_t now = clock_mono_ns();

		/* Armed for another one: who waits has just come. */
		if (now - rq->queued_ns < PULL_AFTER_NS) {
			arm_slice(rq, now);
			return;
		}
		rq->pull_ns = PULL_MIN_NS;
		t->sync_score = t->sync_score > 2 ? t->sync_score - 2 : 0;
		kick(cpus[__builtin_ctzll(idle)]);
	}
	atomic_or(&t->pending, PENDING_RESCHED);
	rq->cpu->need_resched = true;
}

/*
 * ---- user or system time ----
 *
 * As in a Linux with a tick, a sample now and then says what a thread is at,
 * for all its CPU time since the one before; its CPU time, which is exact, is
 * divided by that (proc/cputime.c).  The
 * timer runs while a CPU runs threads of programs; it is armed by a switch to
 * one and lapses when it finds none.
 */
#define SAMPLE_NS 4000000u

static void
arm_sample(struct runqueue *rq, uint64_t now)
{
	if (rq->sample_armed || rq->current->kernel)
		return;
	rq->sample_armed = true;
	timer_set(&rq->sample_timer, now + SAMPLE_NS);
}

static void
sample(struct timer *timer)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->rq->current;
	uint64_t now = clock_mono_ns(), weight;

	(void)timer;
	c->rq->sample_armed = false;
	if (t->kernel)
		return;
	/* What it stands for: a host that is busy delays samples. */
	weight = t->cpu_time_ns + (now - t->run_start_ns) - t->sampled_user_ns -
		 t->sampled_kernel_ns;
	if (regs_user(c->irq_regs))
		WRITE_ONCE(t->sampled_user_ns, t->sampled_user_ns + weight);
	else
		WRITE_ONCE(t->sampled_kernel_ns, t->sampled_kernel_ns + weight);
	arm_sample(c->rq, now);
}

/* ---- the switch ---- */

static void enqueue_on(struct cpu *c, struct thread *t, uint64_t now);

static struct cpu *choose_cpu(struct thread *t, uint64_t now);

/* The second half of a switch, on the stack of the thread switched to.  Not
 * inlined: this_cpu() may be another one than before the switch. */
NOINLINE void
sched_finish_switch(void)
{
	struct runqueue *rq = this_cpu()->rq;
	struct thread *prev = rq->prev;
	bool dead = prev->state == THREAD_DEAD;
	bool move = prev->state == THREAD_RUNNING && !prev->queued &&
		    prev != rq->cpu->idle_thread;

	rq->prev = NULL;
	spin_unlock(&rq->lock);
	if (unlikely(dead))
		thread_put(prev);
	else if (unlikely(move))
		enqueue_on(choose_cpu(prev, 0), prev,
			   rq->current->run_start_ns);
	arm_slice(rq, rq->current->run_start_ns);
	arm_sample(rq, rq->current->run_start_ns);
}

/* Runs the next thread; called with rq locked and interrupts off, returns
 * unlocked.  The current thread is queued again if it is RUNNING. */
static void
switch_away(struct runqueue *rq)
{
	struct thread *prev = rq->current;
	struct thread *next = queue_first(rq);
	uint64_t now = clock_mono_ns();

	if (next)
		queue_remove(rq, next);
	else if (prev->state == THREAD_RUNNING && allowed(prev, rq->cpu))
		next = prev;
	else
		next = rq->cpu->idle_thread;
	account(rq, prev, now);
	atomic_and(&prev->pending, ~PENDING_RESCHED);
	rq->cpu->need_resched = false;
	reclaim_quiescent();
	if (next == prev) {
		spin_unlock(&rq->lock);
		return;
	}
	if (prev->state == THREAD_RUNNING) {
		prev->nivcsw++;
		/* One that may not run here is moved when it is off the CPU. */
		if (prev != rq->cpu->idle_thread && allowed(prev, rq->cpu))
			queue_insert(rq, prev);
	} else {
		prev->nvcsw++;
	}
	/* A critical section of rseq(2) may be broken off by a preemption or
	 * a fault; a call that sleeps is in none. */
	if (prev->rseq_addr && (prev->state == THREAD_RUNNING ||
				!regs_in_syscall(arch_user_regs(&prev->arch))))
		atomic_or(&prev->pending, PENDING_RSEQ);
	next->run_start_ns = now;
	rq->nswitches++;
	rq->prev = prev;
	rq->current = next;
	rq->cpu->current = next;
	arch_switch(&prev->arch, &next->arch);
	sched_finish_switch();
}

/* ---- placement ---- */

/*
 * What the waker's habits say: will it sleep soon?  Where the host has more
 * to run than CPUs, waking another virtual CPU may cost the waker its own,
 * and then it never seems to: now and then the woken thread stays here
 * whatever the score, to find out: often at first, then more rarely.
 */
static bool
waker_is_sync(struct thread *waker, uint64_t now)
{
	uint8_t n = waker->wakes_away;

	waker->wake_time_ns = now;
	waker->wake_stays =
		waker->sync_score >= SYNC_SCORE_YES || (n & (n - 1)) == 0;
	if (waker->sync_score < SYNC_SCORE_YES)
		waker->wakes_away++;
	return waker->wake_stays;
}

/* A thread that stayed here and had to wait for long has been counted by
 * slice_expired(). */
static void
note_sleep(struct thread *t, uint64_t now)
{
	uint64_t after = now - t->wake_time_ns;
	int score = t->sync_score;

	if (!t->wake_time_ns)
		return;
	t->wake_time_ns = 0;
	if (t->wake_stays)
		score += after < PULL_MIN_NS ? SYNC_SCORE_YES : 0;
	else
		score += after < SYNC_NS ? 1 : -2;
	if (score > SYNC_SCORE_MAX)
		score = SYNC_SCORE_MAX;
	t->sync_score = (uint8_t)(score > 0 ? score : 0);
}

/* now 0, or in an interrupt: not a wake by the current thread. */
static struct cpu *
choose_cpu(struct thread *t, uint64_t now)
{
	struct cpu *me = this_cpu(), *last = t->cpu;
	uint64_t mask = atomic_load_relaxed(&t->affinity), idle;
	unsigned i;

	if (likely(cpu_online_count == 1))
		return me;
	if (allowed(t, me)) {
		if (runs_idle(me->rq) && !me->rq->nr)
			return me;
		if (now && !me->rq->nr && !me->irq_depth &&
		    waker_is_sync(me->rq->current, now))
			return me;
	}
	idle = atomic_load_relaxed(&sched_idle_cpus) & mask;
	if (last && idle >> last->id & 1)
		return last;
	if (idle)
		return cpus[__builtin_ctzll(idle)];
	if (last && allowed(t, last) && last->rq->nr <= me->rq->nr)
		return last;
	if (allowed(t, me))
		return me;
	for (i = 0; i < ARCH_MAX_CPUS; i++)
		if (mask >> i & 1 && cpus[i] && cpus[i]->online)
			return cpus[i];
	return me;
}

/* Enters t, RUNNING and unknown to any queue, on c; interrupts off. */
static void
enqueue_on(struct cpu *c, struct thread *t, uint64_t now)
{
	struct runqueue *rq = c->rq;
	struct cpu *from = t->cpu;

	spin_lock(&rq->lock);
	if (from != c) {
		if (from)
			t->vruntime +=
				rq->min_vruntime - from->rq->min_vruntime;
		atomic_store_release(&t->cpu, c);
		if (t->rseq_addr) /* the CPU's number in its area is old */
			atomic_or(&t->pending, PENDING_RSEQ);
	}
	if ((int64_t)(t->vruntime - (rq->min_vruntime - WAKE_BONUS_NS)) < 0)
		t->vruntime = rq->min_vruntime - WAKE_BONUS_NS;
	if (!rq->nr)
		rq->queued_ns = now;
	queue_insert(rq, t);
	if (runs_idle(rq) || c != this_cpu() ||
	    (int64_t)(rq->current->vruntime - t->vruntime) >
		    (int64_t)(PREEMPT_NS + WAKE_BONUS_NS))
		resched_current(rq);
	spin_unlock(&rq->lock);
	if (c == this_cpu())
		arm_slice(rq, now);
}

/* Telling another CPU takes a while that is not the waker's own work. */
static void
note_woken(const struct cpu *c)
{
	struct thread *t = thread_current();

	if (c != this_cpu() && t->wake_time_ns)
		t->wake_time_ns = clock_mono_ns();
}

void
sched_enqueue_new(struct thread *t)
{
	irqflags_t f = irq_save();
	uint64_t now = clock_mono_ns();
	struct cpu *c = choose_cpu(t, now);

	/* A new thread starts level with the others. */
	t->cpu = c;
	t->vruntime = c->rq->min_vruntime;
	enqueue_on(c, t, now);
	note_woken(c);
	irq_restore(f);
}

/* ---- sleeping and waking ---- */

static bool
wake(struct thread *t, enum wake_reason reason)
{
	irqflags_t f = irq_save();
	struct runqueue *rq;
	struct cpu *c;
	uint64_t now;
	bool sleeps;

	for (;;) { /* the state before the CPU: see lock_rq_of() */
		c = atomic_load_acquire(&t->cpu);
		rq = c->rq;
		spin_lock(&rq->lock);
		sleeps = atomic_load_acquire(&t->state) == THREAD_SLEEPING;
		if (likely(atomic_load_acquire(&t->cpu) == c))
			break;
		spin_unlock(&rq->lock);
	}
	if (!sleeps || (reason == WAKE_SIGNAL && !t->sleep_intr)) {
		spin_unlock(&rq->lock);
		irq_restore(f);
		return false;
	}
	t->wake_reason = reason;
	atomic_store_release(&t->state, THREAD_RUNNING);
	if (rq->current == t || t == rq->cpu->idle_thread) {
		/* It has not left its CPU, and now it will not. */
		if (t == rq->cpu->idle_thread)
			kick(rq->cpu);
		spin_unlock(&rq->lock);
		irq_restore(f);
		return true;
	}
	spin_unlock(&rq->lock);
	now = clock_mono_ns();
	c = choose_cpu(t, now);
	enqueue_on(c, t, now);
	note_woken(c);
	irq_restore(f);
	return true;
}

void
thread_prepare_sleep(bool intr)
{
	struct thread *t = thread_current();

	t->sleep_intr = intr;
	/* A full barrier: the state is seen before the condition is read. */
	atomic_xchg(&t->state, THREAD_SLEEPING);
}

void
thread_cancel_sleep(void)
{
	/* A waker that saw SLEEPING has found rq->current == t: no more to do. */
	atomic_store_release(&thread_current()->state, THREAD_RUNNING);
}

bool
thread_signal_pending(void)
{
	return atomic_load_relaxed(&thread_current()->pending) &
	       (PENDING_SIGNAL | PENDING_KILL | PENDING_STOP);
}

/* The idle thread (which kmain() is at first) can't leave its CPU: it runs
 * the others until it is woken. */
static void
idle_sleep(struct thread *t)
{
	while (atomic_load_acquire(&t->state) == THREAD_SLEEPING) {
		struct runqueue *rq;

		irq_disable();
		rq = this_cpu()->rq;
		spin_lock(&rq->lock);
		if (rq->nr)
			switch_away(rq);
		else
			spin_unlock(&rq->lock);
		idle_poll();
		idle_poll();
		if (this_cpu()->rq->nr ||
		    atomic_load_acquire(&t->state) != THREAD_SLEEPING)
			irq_enable();
		else
			cpu_halt();
	}
}

void
sched_sleep_timeout(struct timer *timer)
{
	wake(container_of(timer, struct thread, sleep_timer), WAKE_TIMEOUT);
}

static void
sleep_switch(struct thread *t)
{
	irqflags_t f = irq_save();
	struct runqueue *rq = this_cpu()->rq;

	spin_lock(&rq->lock);
	if (t->state == THREAD_SLEEPING) {
		if (cpu_online_count > 1)
			note_sleep(t, clock_mono_ns());
		switch_away(rq);
	} else {
		spin_unlock(&rq->lock);
	}
	irq_restore(f);
}

/* Who sleeps by the wall clock looks at it again when it was set. */
struct wall_sleep {
	struct clock_watch watch;
	struct thread *thread;
};

static void
wall_stepped(struct clock_watch *w)
{
	thread_wake(container_of(w, struct wall_sleep, watch)->thread);
}

static NOINLINE int
sleep_by_wall(uint64_t real_ns)
{
	struct wall_sleep w = { .watch.stepped = wall_stepped,
				.thread = thread_current() };
	int err;

	clock_watch(&w.watch);
	err = thread_sleep(clock_mono_of(real_ns));
	clock_unwatch(&w.watch);
	/* The clock may be going slower than it did. */
	return err == -ETIMEDOUT && clock_real_ns() < real_ns ? 0 : err;
}

void
sched_leave_own_work(struct thread *t)
{
	if (unlikely(!list_empty(&t->own_work)))
		own_work(t, true);
}

int
thread_sleep(uint64_t deadline_ns)
{
	struct thread *t = thread_current();

	if (unlikely(deadline_ns & DEADLINE_WALL) && deadline_ns != TIME_NEVER)
		return sleep_by_wall(deadline_ns & ~DEADLINE_WALL);
	lock_debug_may_sleep();
	if (t->before_sleep)
		t->before_sleep();
	sched_leave_own_work(t);
	t->wake_reason = WAKE_NORMAL;
	if (t->sleep_intr && thread_signal_pending()) {
		thread_cancel_sleep();
		return -EINTR;
	}
	if (deadline_ns != TIME_NEVER) {
		if (deadline_ns <= clock_mono_ns()) {
			thread_cancel_sleep();
			return -ETIMEDOUT;
		}
		timer_set(&t->sleep_timer, deadline_ns);
	}
	if (unlikely(t == this_cpu()->idle_thread))
		idle_sleep(t);
	else
		sleep_switch(t);
	if (deadline_ns != TIME_NEVER)
		timer_cancel(&t->sleep_timer);
	if (t->wake_reason == WAKE_TIMEOUT)
		return -ETIMEDOUT;
	/* A waker that had seen an earlier sleep of ours, which signals do end,
	 * may have come late for this one. */
	return t->wake_reason == WAKE_SIGNAL && t->sleep_intr ? -EINTR : 0;
}

bool
thread_wake(struct thread *t)
{
	return wake(t, WAKE_NORMAL);
}

void
thread_interrupt(struct thread *t, uint32_t pending)
{
	struct cpu *c;

	atomic_or(&t->pending, pending); /* a full barrier */
	if (t == thread_current() || wake(t, WAKE_SIGNAL))
		return;
	/* In user mode on another CPU it looks when an interrupt comes. */
	c = atomic_load_relaxed(&t->cpu);
	if (c && c != this_cpu() && atomic_load_relaxed(&c->current) == t)
		smp_kick(c->id);
}

void
thread_delay(uint64_t ns)
{
	uint64_t deadline = clock_mono_ns() + ns;
	int err;

	do {
		thread_prepare_sleep(false);
		err = thread_sleep(deadline);
	} while (err != -ETIMEDOUT);
}

void
thread_yield(void)
{
	irqflags_t f;
	struct runqueue *rq;

	if (!this_cpu()->rq->nr) {
		reclaim_quiescent();
		return;
	}
	f = irq_save();
	rq = this_cpu()->rq;
	spin_lock(&rq->lock);
	switch_away(rq);
	irq_restore(f);
}

/* Switches if the first in the queue is due before the current thread. */
static void
preempt_check(void)
{
	struct runqueue *rq = this_cpu()->rq;
	struct thread *t = rq->current, *first;
	uint64_t now = clock_mono_ns();

	spin_lock(&rq->lock);
	atomic_and(&t->pending, ~PENDING_RESCHED);
	rq->cpu->need_resched = false;
	if (runs_idle(rq)) {
		spin_unlock(&rq->lock);
		return;
	}
	account(rq, t, now);
	first = queue_first(rq);
	if ((first && (int64_t)(t->vruntime - first->vruntime) > 0) ||
	    !allowed(t, rq->cpu)) {
		switch_away(rq);
		return;
	}
	spin_unlock(&rq->lock);
	arm_slice(rq, now);
}

void
thread_resched_point(void)
{
	irqflags_t f;

	this_cpu()->heartbeat++; /* who comes here lets others run */
	if (likely(!atomic_load_relaxed(&this_cpu()->need_resched)))
		return;
	f = irq_save();
	preempt_check();
	irq_restore(f);
}

uint64_t
thread_cpu_ns(const struct thread *t)
{
	uint64_t ns, start, now;
	bool runs;

	/* In this order, and again if it was switched to or accounted in
	 * between: else its last stretch would be missing, or one counted that
	 * it did not run, and a clock of CPU time go back. */
	do {
		start = atomic_load_acquire(&t->run_start_ns);
		now = clock_mono_ns();
		runs = atomic_load_acquire(
			       &atomic_load_acquire(&t->cpu)->current) == t;
		ns = atomic_load_acquire(&t->cpu_time_ns);
	} while (start != atomic_load_acquire(&t->run_start_ns));
	/* The clocks of two CPUs may differ a little. */
	return runs && now > start ? ns + now - start : ns;
}

void
thread_set_nice(struct thread *t, int nice)
{
	assert(nice >= -20 && nice <= 19);
	atomic_store_relaxed(&t->nice, nice);
}

int
thread_set_affinity(struct thread *t, uint64_t mask)
{
	struct runqueue *rq;
	uint64_t online = 0;
	irqflags_t f;
	unsigned i;
	bool move = false, stays;

	for (i = 0; i < ARCH_MAX_CPUS; i++)
		if (cpus[i] && cpus[i]->online)
			online |= 1ull << i;
	if (!(mask & online))
		return -EINVAL;
	f = irq_save();
	do {
		bool queued;

		rq = lock_rq_of(t);
		t->affinity = mask & online;
		queued = atomic_load_acquire(&t->queued);
		stays = atomic_load_acquire(&t->cpu) == rq->cpu;
		if (stays && !queued && rq->current != t) {
			/* Asleep, or on its way to a queue that may be the
			 * wrong one by now: it looks itself. */
			atomic_or(&t->pending, PENDING_RESCHED);
		} else if (stays && !allowed(t, rq->cpu)) {
			move = queued;
			if (queued)
				queue_remove(rq, t);
			else
				resched_current(rq);
		}
		spin_unlock(&rq->lock);
	} while (!stays);
	if (move)
		enqueue_on(choose_cpu(t, 0), t, clock_mono_ns());
	if (t == thread_current() && !allowed(t, this_cpu()))
		preempt_check();
	irq_restore(f);
	return 0;
}

/* ---- ends of threads, idle CPUs ---- */

NORETURN void
sched_exit_switch(void)
{
	struct runqueue *rq;

	irq_disable();
	rq = this_cpu()->rq;
	spin_lock(&rq->lock);
	rq->current->state = THREAD_DEAD;
	switch_away(rq);
	__builtin_unreachable();
}

bool
sched_pull(struct runqueue *rq, uint64_t now)
{
	unsigned i;

	for (i = 0; i < ARCH_MAX_CPUS; i++) {
		struct cpu *c = cpus[i];
		struct thread *t = NULL, *p;

		if (!c || c == rq->cpu || !c->online)
			continue;
		if (!atomic_load_relaxed(&c->rq->nr) ||
		    (int64_t)(now - atomic_load_relaxed(&c->rq->queued_ns)) <
			    (int64_t)PULL_AFTER_NS)
			continue;
		if (!spin_trylock(&c->rq->lock))
			continue;
		list_for_each_entry(p, &c->rq->queue, rq_link)
			if (allowed(p, rq->cpu)) {
				t = p;
				break;
			}
		if (t) {
			queue_remove(c->rq, t);
			c->rq->queued_ns = now;
		}
		spin_unlock(&c->rq->lock);
		if (t) {
			enqueue_on(rq->cpu, t, now);
			return true;
		}
	}
	return false;
}

bool
sched_run_queued(struct runqueue *rq)
{
	bool any;

	irq_disable();
	spin_lock(&rq->lock);
	rq->cpu->need_resched = false;
	any = rq->nr;
	if (any)
		switch_away(rq);
	else
		spin_unlock(&rq->lock);
	irq_enable();
	return any;
}

static void
rq_init(struct runqueue *rq, struct cpu *c)
{
	spin_init(&rq->lock, RANK_RUNQUEUE);
	list_init(&rq->queue);
	timer_init(&rq->slice_timer, slice_expired);
	timer_init(&rq->sample_timer, sample);
	rq->cpu = c;
	rq->min_vruntime = WAKE_BONUS_NS;
	rq->pull_ns = PULL_MIN_NS;
	c->rq = rq;
	c->idle_thread = thread_create_idle(c);
	rq->current = c->idle_thread;
	c->current = c->idle_thread;
}

void
sched_init(void)
{
	rq_init(&boot_rq, this_cpu());
	sched_reclaim_init();
}

NORETURN void
upcall_cpu_started(void)
{
	struct cpu *c = this_cpu();
	struct runqueue *rq = kzalloc(sizeof(*rq), ALLOC_ATOMIC);

	if (!rq)
		panic("cpu %u: no memory for its run queue", c->id);
	rq_init(rq, c);
	atomic_store_release(&c->online, true);
	atomic_add(&cpu_online_count, 1);
	watchdog_init();
	sched_idle();
}

uint64_t
sched_idle_ns(unsigned cpu)
{
	if (cpu >= ARCH_MAX_CPUS || !cpus[cpu] || !cpus[cpu]->rq)
		return 0;
	return thread_cpu_ns(cpus[cpu]->idle_thread);
}

uint64_t
sched_switches(void)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < ARCH_MAX_CPUS; i++)
		if (cpus[i] && cpus[i]->rq)
			n += cpus[i]->rq->nswitches;
	return n;
}

/* ---- the way back to user mode ---- */

void
sched_set_user_work(void (*fn)(struct thread *t, struct regs *r))
{
	user_work = fn;
}

void
sched_set_own_work(void (*fn)(struct thread *t, bool leave))
{
	atomic_store_release(&own_work, fn);
}

void
upcall_user_return(struct regs *r)
{
	struct thread *t = thread_current();
	uint32_t pending;

#ifdef PITH_DEBUG
	assert(!t->nheld);
#endif
	while ((pending = atomic_load_acquire(&t->pending)) != 0) {
		if (pending & PENDING_RESCHED) {
			preempt_check();
			irq_enable();
			reclaim_run();
			irq_disable();
		}
		if (pending & ~PENDING_RESCHED) {
			irq_enable();
			if (pending & PENDING_WORK)
				own_work(t, false);
			user_work(t, r);
			irq_disable();
		}
	}
	reclaim_quiescent();
}
