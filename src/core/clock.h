/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time.  Monotonic nanoseconds since boot from the architecture's clock
 * source; the wall clock is an offset to it.  All are callable anywhere.
 */
#pragma once

#include <base/list.h>
#include <base/types.h>

#define NSEC_PER_SEC 1000000000ull
/* The step of coarse clocks and of files' times: a tick of 250 Hz, as
 * Linux's.  A second is a whole number of them. */
#define CLOCK_COARSE_NS 4000000u

uint64_t clock_mono_ns(void);
uint64_t clock_real_ns(void);

/* When the wall clock will say so, as it goes now, on the monotonic one; 0:
 * it has. */
uint64_t clock_mono_of(uint64_t real_ns);
/* Steps the wall clock (clock_settime) and tells those who watch. */
void clock_set_real_ns(uint64_t ns);
/* Lets the wall clock go faster or slower until it has gained (or lost) ns;
 * replaces what is left of an earlier slew. */
void clock_slew(int64_t ns);
/* The wall clock is right but for err_ns: somebody has compared it.  What
 * adjtimex() says; a step ends it. */
void clock_synchronised(uint64_t err_ns);
/* How wrong it may be by now; false: nobody knows. */
bool clock_error_ns(uint64_t *out);
/*
 * Who has a deadline by the wall clock: told after each step, with the
 * watchers' lock (RANK_STEP) and interrupts off.  A watch that is set before
 * the deadline is computed misses no step; when clock_unwatch() returns,
 * stepped() does not run and will not.
 */
struct clock_watch {
	struct list link; /* [watchers' lock] */
	void (*stepped)(struct clock_watch *w);
};
void clock_watch(struct clock_watch *w);
void clock_unwatch(struct clock_watch *w); /* one that watches */

void clock_init(void);
