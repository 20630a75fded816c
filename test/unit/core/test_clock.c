/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a slew moves the wall clock by what was asked, never stops it nor
 * turns it back, and goes on from where an earlier one had come to; a step is
 * at once; the error of a clock that was compared grows with time.
 * Method: the clock over a counter of ours.
 * SOURCES: src/core/clock.c
 * INCLUDE: test/unit/host
 */
#include "../unit.h"

#include <arch/timer.h>
#include <core/clock.h>
#include <core/percpu.h>
#include <core/spinlock.h>

static struct cpu cpu;
struct cpu *host_cpu = &cpu;
void
spin_lock_slow(struct spinlock *l)
{
	(void)l;
	CHECK(0);
}

static uint64_t now = 1000;
static struct arch_wall set;
static unsigned steps;

uint64_t
arch_clock_ns(void)
{
	return now;
}
uint64_t
arch_wall_ns(void)
{
	return arch_wall_at(&set, now);
}
void
arch_wall_set(const struct arch_wall *w)
{
	set = *w;
}
uint64_t
arch_wallclock_ns(void)
{
	return 5 * NSEC_PER_SEC;
}
static void
step(struct clock_watch *w)
{
	(void)w;
	steps++;
}

static void
test_step(void)
{
	static struct clock_watch watch = { .stepped = step }, other;

	other = watch;
	clock_watch(&watch);
	clock_watch(&other);
	clock_unwatch(&other);
	clock_init();
	CHECK_EQ(clock_real_ns(), 5 * NSEC_PER_SEC);
	CHECK_EQ(steps, 1);
	now += 77;
	CHECK_EQ(clock_real_ns(), 5 * NSEC_PER_SEC + 77);
	CHECK_EQ(clock_mono_ns(), now);
	CHECK_EQ(clock_mono_of(clock_real_ns() + 5), now + 5);
	CHECK_EQ(clock_mono_of(clock_real_ns()), 0);
	CHECK_EQ(clock_mono_of(UINT64_MAX), UINT64_MAX / 2);
}

/* How far the clock is from one that was left alone, when all is done. */
static int64_t
run_slew(uint64_t step_ns)
{
	uint64_t last = clock_real_ns(), start_mono = now, start = last;

	for (int i = 0; i < 3000; i++) {
		uint64_t ns;

		now += step_ns;
		ns = clock_real_ns();
		CHECK(ns > last);
		/* 488 ppm, either way. */
		CHECK(ns - last <= step_ns + step_ns / 2000);
		CHECK(ns - last >= step_ns - step_ns / 2000);
		last = ns;
	}
	return (int64_t)((last - start) - (now - start_mono));
}

static void
test_slew(void)
{
	clock_set_real_ns(100 * NSEC_PER_SEC);
	clock_slew(1000000);
	CHECK_EQ(run_slew(10000000), 1000000);
	CHECK_EQ(run_slew(10000000), 0);
	clock_slew(-3000000);
	CHECK_EQ(run_slew(10000000), -3000000);
	CHECK_EQ(steps, 2);
	/* Half of one, and then another. */
	clock_slew(1 << 20);
	now += 1u << 30;
	CHECK_EQ(clock_real_ns() - set.offset_ns - now, 1 << 19);
	clock_slew(-(1 << 20));
	CHECK_EQ(run_slew(10000000), -(1 << 20));
	/* A step drops the rest. */
	clock_slew(1 << 20);
	clock_set_real_ns(7);
	CHECK_EQ(run_slew(10000000), 0);
	clock_slew(INT64_MIN);
	CHECK(run_slew(10000000) < 0);
}

static void
test_error(void)
{
	uint64_t err;

	clock_set_real_ns(100 * NSEC_PER_SEC);
	CHECK(!clock_error_ns(&err));
	clock_synchronised(2000);
	CHECK(clock_error_ns(&err));
	CHECK_EQ(err, 2000);
	now += 1000 * NSEC_PER_SEC;
	CHECK(clock_error_ns(&err));
	CHECK_EQ(err, 2000 + NSEC_PER_SEC / 2);
	clock_set_real_ns(100 * NSEC_PER_SEC);
	CHECK(!clock_error_ns(&err));
}

static const struct unit_test tests[] = {
	{ "step", test_step },
	{ "slew", test_slew },
	{ "error", test_error },
	{ NULL, NULL },
};

UNIT_MAIN(tests)
