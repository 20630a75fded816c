/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time.  Monotonic nanoseconds since boot from the architecture's clock
 * source; the wall clock is an offset to it.  All are callable anywhere.
 */
#pragma once

#include <base/types.h>

#define NSEC_PER_SEC 1000000000ull

uint64_t clock_mono_ns(void);
uint64_t clock_real_ns(void);

/* Steps the wall clock (clock_settime); wakes absolute wall-clock timers. */
void clock_set_real_ns(uint64_t ns);
/* Called after each step, from the setter's context; one listener. */
void clock_on_step(void (*fn)(void));

void clock_init(void);
