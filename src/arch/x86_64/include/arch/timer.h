/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock source and the one-shot timer of each CPU.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

/* Monotonic nanoseconds since boot; callable anywhere, very early too. */
uint64_t arch_clock_ns(void);

/* Wall clock at boot (RTC, kvmclock or PVH), ns since 1970; 0: unknown. */
uint64_t arch_wallclock_ns(void);

/* Arms this CPU's timer interrupt for a monotonic time (ns); a time in the
 * past fires at once.  UINT64_MAX: none. */
void arch_timer_set(uint64_t deadline_ns);

/*
 * The wall clock, from the monotonic one: an offset, and a slew that is added
 * (or taken off) little by little from a moment on, a part of 2^11 of the time
 * that goes by, so that the clock neither stops nor runs backwards.
 */
struct arch_wall {
	uint64_t offset_ns;
	uint64_t slew_from_ns; /* monotonic */
	int64_t slew_ns;       /* in all */
};
#define ARCH_WALL_SLEW_SHIFT 11 /* 488 ppm */

/* What the kernel and the program's vDSO reckon alike. */
static ALWAYS_INLINE uint64_t
arch_wall_at(const struct arch_wall *w, uint64_t mono_ns)
{
	uint64_t ns = mono_ns + w->offset_ns, done;

	if (likely(!w->slew_ns))
		return ns;
	done = (mono_ns - w->slew_from_ns) >> ARCH_WALL_SLEW_SHIFT;
	if (w->slew_ns > 0)
		return ns + (done < (uint64_t)w->slew_ns ?
				     done :
				     (uint64_t)w->slew_ns);
	return ns -
	       (done < -(uint64_t)w->slew_ns ? done : -(uint64_t)w->slew_ns);
}

/* One setter at a time. */
void arch_wall_set(const struct arch_wall *w);
uint64_t arch_wall_ns(void); /* now; callable anywhere */
