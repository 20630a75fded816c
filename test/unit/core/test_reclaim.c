/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what was unlinked is freed when every CPU has passed a quiescent
 * state, one that idles counting as such, but for one that takes an interrupt
 * as it idles, as that may be reading.  Method: two CPUs that are only marks.
 * SOURCES: src/core/reclaim.c
 * INCLUDE: test/unit/host
 */
#include "../unit.h"

#include <arch/smp.h>
#include <core/percpu.h>
#include <core/reclaim.h>
#include <core/spinlock.h>

static struct cpu first = { .id = 0, .online = true },
		  second = { .id = 1, .online = true };
struct cpu *host_cpu = &first;
struct cpu *cpus[ARCH_MAX_CPUS] = { &first, &second };
static unsigned freed;

void
spin_lock_slow(struct spinlock *l)
{
	(void)l;
	CHECK(0);
}

void
smp_kick(unsigned cpu)
{
	(void)cpu;
}

static void
free_one(struct reclaim_head *h)
{
	(void)h;
	freed++;
}

static void
pass_on(struct cpu *c)
{
	host_cpu = c;
	reclaim_quiescent();
	host_cpu = &first;
	reclaim_run();
}

/* Two periods at most: one that waits may have begun before. */
static void
pass_twice(struct cpu *c)
{
	pass_on(c);
	pass_on(c);
}

static void
test_both_run(void)
{
	struct reclaim_head h;

	freed = 0;
	reclaim_call(&h, free_one);
	pass_twice(&first);
	CHECK_EQ(freed, 0);
	pass_on(&second);
	pass_on(&first);
	CHECK_EQ(freed, 1);
}

static void
test_other_idles(void)
{
	struct reclaim_head h;

	freed = 0;
	second.idle = true;
	reclaim_call(&h, free_one);
	pass_on(&first);
	CHECK_EQ(freed, 1);
	second.idle = false;
}

static void
test_interrupt_of_idle(void)
{
	struct reclaim_head h;

	freed = 0;
	second.idle = true;
	second.irq_depth = 1;
	reclaim_call(&h, free_one);
	pass_twice(&first);
	CHECK_EQ(freed, 0);
	second.irq_depth = 0;
	pass_on(&first);
	CHECK_EQ(freed, 1);

	/* One that came when the period had begun. */
	freed = 0;
	second.idle = false;
	reclaim_call(&h, free_one);
	second.idle = true;
	second.irq_depth = 1;
	pass_twice(&first);
	CHECK_EQ(freed, 0);
	second.irq_depth = 0;
	pass_on(&first);
	CHECK_EQ(freed, 1);
	second.idle = false;
}

static const struct unit_test tests[] = {
	{ "both_run", test_both_run },
	{ "other_idles", test_other_idles },
	{ "interrupt_of_idle", test_interrupt_of_idle },
	{ NULL, NULL },
};

UNIT_MAIN(tests)
