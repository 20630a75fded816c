/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall clock is the monotonic one plus an offset.
 */
#include <arch/timer.h>
#include <base/atomic.h>
#include <core/clock.h>

static uint64_t real_offset;	/* [a] ns */
static void (*on_step)(void);

uint64_t
clock_mono_ns(void)
{
	return arch_clock_ns();
}

uint64_t
clock_real_ns(void)
{
	return arch_clock_ns() + atomic_load_relaxed(&real_offset);
}

void
clock_set_real_ns(uint64_t ns)
{
	uint64_t offset = ns - arch_clock_ns();

	atomic_store_relaxed(&real_offset, offset);
	arch_wall_offset_set(offset);
	if (on_step)
		on_step();
}

void
clock_on_step(void (*fn)(void))
{
	on_step = fn;
}

void
clock_init(void)
{
	uint64_t ns = arch_wallclock_ns();

	if (ns)
		clock_set_real_ns(ns);
}
