/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other processors: starting them and interrupting them.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct regs;

/* Number of CPUs that the firmware tables list (at least 1). */
unsigned smp_count(void);

/* Starts CPU number id (1..smp_count()-1); its per-CPU block must be set up.
 * It arrives in upcall_cpu_started().  0, -ENOMEM or -ETIMEDOUT. */
MUST_CHECK int smp_start(unsigned id);

/* Makes CPU id take a reschedule interrupt (wakes it from halt). */
void smp_kick(unsigned id);

/* Runs fn(arg) on every other online CPU in interrupt context and waits. */
void smp_call_others(void (*fn)(void *), void *arg);

/* The same on the CPUs of a mask, this one left out. */
void smp_call_mask(uint64_t mask, void (*fn)(void *), void *arg);

/* Stops all other CPUs by NMI (panic) and waits a moment for them.  Then
 * smp_stopped_regs() has what CPU id was doing: NULL if it did not stop. */
void smp_stop_others(void);
const struct regs *smp_stopped_regs(unsigned id);
