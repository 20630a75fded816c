/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog.  Each CPU counts (cpu->heartbeat) at every system call, every
 * interrupt of the program, every switch, and where a thread that does much in
 * the kernel offers its place.  A timer on each CPU looks every two seconds at
 * its own count and at its neighbour's: one that is not idle and has not
 * counted in five looks is stuck in the kernel.  The own look finds a loop with
 * interrupts on, and says where; the neighbour's one with interrupts off; with
 * one CPU the latter is left to the machine's own watchdog and to the host's
 * --timeout.
 *
 * A program that computes for ever is not stuck: the look itself interrupts
 * it.
 */
#include <base/atomic.h>
#include <core/clock.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/timer.h>
#include <core/watchdog.h>

#define LOOK_NS	  2000000000ull
#define LOOKS_MAX 5

struct watch {
	uint64_t seen;
	unsigned same;
};

static struct dog {
	struct timer timer;
	struct watch self, other;
} dogs[ARCH_MAX_CPUS]; /* [o] */

/* true: no progress for too long. */
static bool
stuck(struct watch *w, const struct cpu *c)
{
	uint64_t beat = atomic_load_relaxed(&c->heartbeat);

	if (atomic_load_relaxed(&c->idle) || beat != w->seen) {
		w->seen = beat;
		w->same = 0;
		return false;
	}
	return ++w->same >= LOOKS_MAX;
}

static void
look(struct timer *t)
{
	unsigned me = this_cpu()->id, other = me + 1;
	struct dog *d = &dogs[me];

	if (other == ARCH_MAX_CPUS || !cpus[other] || !cpus[other]->online)
		other = 0;
	timer_set(t, clock_mono_ns() + LOOK_NS);
	if (stuck(&d->self, this_cpu()))
		panic_hang(this_cpu()->irq_regs, "no progress for ten seconds");
	if (other != me && stuck(&d->other, cpus[other]))
		panic_hang(NULL, "CPU %u has made no progress for ten seconds",
			   other);
}

void
watchdog_init(void)
{
	unsigned me = this_cpu()->id;

	timer_init(&dogs[me].timer, look);
	timer_set(&dogs[me].timer, clock_mono_ns() + LOOK_NS);
}

void
watchdog_nmi(struct regs *r)
{
	panic_regs(r, "NMI");
}
