/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog.  Each CPU counts (cpu->heartbeat) at every interrupt, at
 * every switch and in its idle loop; a timer on each CPU looks at its
 * neighbour every two seconds.  A neighbour that is not idle and has not
 * counted in five looks is stuck in the kernel with interrupts off: panic,
 * which reports every CPU.
 *
 * A program that computes for ever is not stuck: the look itself interrupts
 * it.  With one CPU there is nobody to look: there the host's --timeout and
 * the machine's own watchdog stand in.
 */
#include <base/atomic.h>
#include <core/clock.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/timer.h>
#include <core/watchdog.h>

#define LOOK_NS	  2000000000ull
#define LOOKS_MAX 5

static struct {
	struct timer timer;
	uint64_t seen;
	unsigned same;
} dogs[ARCH_MAX_CPUS]; /* [o] */

static void
look(struct timer *t)
{
	unsigned me = this_cpu()->id;
	unsigned other = me + 1 < ARCH_MAX_CPUS && cpus[me + 1] &&
			 cpus[me + 1]->online ? me + 1 : 0;
	const struct cpu *c = cpus[other];
	uint64_t beat = atomic_load_relaxed(&c->heartbeat);

	timer_set(t, clock_mono_ns() + LOOK_NS);
	if (other == me)
		return;
	if (c->idle || beat != dogs[me].seen) {
		dogs[me].seen = beat;
		dogs[me].same = 0;
	} else if (++dogs[me].same >= LOOKS_MAX) {
		panic("CPU %u has made no progress for ten seconds", other);
	}
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
