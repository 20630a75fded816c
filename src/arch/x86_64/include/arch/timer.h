/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock source and the one-shot timer of each CPU.
 */
#pragma once

#include <base/types.h>

/* Monotonic nanoseconds since boot; callable anywhere, very early too. */
uint64_t arch_clock_ns(void);

/* Wall clock at boot (RTC, kvmclock or PVH), ns since 1970; 0: unknown. */
uint64_t arch_wallclock_ns(void);

/* Arms this CPU's timer interrupt for a monotonic time (ns); a time in the
 * past fires at once.  UINT64_MAX: none. */
void arch_timer_set(uint64_t deadline_ns);

/* Wall clock minus monotonic clock, ns: for the program's vDSO. */
void arch_wall_offset_set(uint64_t offset_ns);
