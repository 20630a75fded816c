/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a red-black tree per CPU by deadline.
 *
 * A timer is queued on the CPU that sets it, which is its home from then on.
 * The home's lock (interrupts off) guards the tree and .cpu; a callback runs
 * without the lock, on the home, counted in .running, so that timer_cancel()
 * elsewhere can wait for it.  As a callback may set its timer again, a timer
 * is at rest only when it is neither queued nor running while its home's lock
 * is held.
 */
#include <arch/irqchip.h>
#include <arch/timer.h>
#include <arch/upcall.h>
#include <base/atomic.h>
#include <core/clock.h>
#include <core/percpu.h>
#include <core/spinlock.h>
#include <core/timer.h>
#include <core/timer_queue.h>

struct timer_queue timer_boot_queue = { .lock = SPINLOCK_INIT(RANK_TIMER),
					.armed_ns = UINT64_MAX };

static uint64_t
deadline_of(const struct rb_node *n)
{
	return ((const struct timer *)((const char *)n -
				       offsetof(struct timer, node)))
		->deadline_ns;
}

static bool
earlier(const struct rb_node *a, const struct rb_node *b)
{
	return deadline_of(a) < deadline_of(b);
}

static struct timer *
first(const struct timer_queue *q)
{
	struct rb_node *n = q->first;

	return n ? container_of(n, struct timer, node) : NULL;
}

void
timer_init(struct timer *t, void (*fn)(struct timer *))
{
	t->fn = fn;
	t->cpu = NULL;
	t->home = NULL;
	t->running = 0;
	t->deadline_ns = 0;
}

/* q is this CPU's and locked. */
static void
arm(struct timer_queue *q)
{
	struct timer *t = first(q);
	uint64_t ns = t ? t->deadline_ns : UINT64_MAX;

	/* Armed too early is harmless and cheaper than setting it again. */
	if (ns >= q->armed_ns)
		return;
	q->armed_ns = ns;
	arch_timer_set(ns);
}

static void
unlink_timer(struct timer_queue *q, struct timer *t)
{
	if (q->first == &t->node)
		q->first = rb_next(&t->node);
	rb_erase(&q->tree, &t->node);
	atomic_store_release(&t->cpu, NULL);
}

/* Takes t off whatever queue it is on; true if it was on one. */
static bool
dequeue(struct timer *t)
{
	for (;;) {
		struct cpu *c = atomic_load_acquire(&t->cpu);
		bool found;

		if (!c)
			return false;
		spin_lock(&c->timers->lock);
		found = t->cpu == c;
		if (found)
			unlink_timer(c->timers, t);
		spin_unlock(&c->timers->lock);
		if (found)
			return true;
	}
}

void
timer_set(struct timer *t, uint64_t deadline_ns)
{
	irqflags_t f = irq_save();
	struct timer_queue *q = this_cpu()->timers;

	dequeue(t);
	spin_lock(&q->lock);
	t->deadline_ns = deadline_ns;
	rb_insert(&q->tree, &t->node, earlier);
	if (!q->first || earlier(&t->node, q->first))
		q->first = &t->node;
	atomic_store_release(&t->home, this_cpu());
	atomic_store_release(&t->cpu, this_cpu());
	arm(q);
	spin_unlock(&q->lock);
	irq_restore(f);
}

bool
timer_try_cancel(struct timer *t)
{
	irqflags_t f;
	bool was;

	if (!atomic_load_relaxed(&t->cpu))
		return false;
	f = irq_save();
	was = dequeue(t);
	irq_restore(f);
	return was;
}

/* true: neither queued nor running.  A callback that runs may have made the
 * timer's home another only if somebody else sets it, too. */
static bool
at_rest(struct timer *t, bool *was)
{
	struct cpu *c = atomic_load_acquire(&t->home);
	irqflags_t f;
	bool running;

	if (!c)
		return true; /* never set */
	f = spin_lock_irq(&c->timers->lock);
	if (t->cpu == c) {
		unlink_timer(c->timers, t);
		*was = true;
	}
	running = atomic_load_acquire(&t->running) > 0;
	spin_unlock_irq(&c->timers->lock, f);
	return !running && atomic_load_acquire(&t->home) == c;
}

bool
timer_cancel(struct timer *t)
{
	bool was = false;

	while (!at_rest(t, &was))
		cpu_relax();
	return was;
}

uint64_t
timer_next(void)
{
	struct timer *t = first(this_cpu()->timers);

	return t ? t->deadline_ns : UINT64_MAX;
}

void
timer_interrupt(void)
{
	struct timer_queue *q = this_cpu()->timers;
	struct timer *t;

	spin_lock(&q->lock);
	q->armed_ns = UINT64_MAX;
	while ((t = first(q)) && t->deadline_ns <= clock_mono_ns()) {
		atomic_add(&t->running, 1);
		unlink_timer(q, t);
		spin_unlock(&q->lock);
		t->fn(t);
		atomic_sub(&t->running, 1);
		spin_lock(&q->lock);
	}
	arm(q);
	spin_unlock(&q->lock);
}
