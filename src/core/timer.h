/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot timers on the monotonic clock, per CPU, in a tree ordered by
 * deadline.  There is no tick: the hardware is armed for the earliest.
 *
 * The callback runs in interrupt context on the CPU where the timer was set;
 * it may set the timer again.  A timer belongs to its owner, who must cancel
 * it before freeing it.
 */
#pragma once

#include <base/compiler.h>
#include <base/rbtree.h>
#include <base/types.h>

struct timer {
	struct rb_node node;
	uint64_t deadline_ns; /* monotonic */
	void (*fn)(struct timer *);
	struct cpu *cpu;  /* [a] where it is queued, NULL: nowhere */
	struct cpu *home; /* [a] where it was set last, NULL: never */
	unsigned running; /* [a] callbacks, on two CPUs if it was set anew */
};

void timer_init(struct timer *t, void (*fn)(struct timer *));
/* (Re)arms; any context. */
void timer_set(struct timer *t, uint64_t deadline_ns);
/* Disarms; on return the callback is not running and will not run.  true if
 * it was armed.  Not from its own callback. */
bool timer_cancel(struct timer *t);
/* Disarms without waiting for a running callback. */
bool timer_try_cancel(struct timer *t);
/* Earliest deadline on this CPU, UINT64_MAX when none (idle loop). */
uint64_t timer_next(void);
