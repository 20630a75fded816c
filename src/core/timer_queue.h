/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CPU's timers; sched makes one for each CPU that it starts.
 */
#pragma once

#include <base/rbtree.h>
#include <core/spinlock.h>

struct timer_queue {
	struct spinlock lock;  /* RANK_TIMER; interrupts off */
	struct rb_root tree;   /* [lock] */
	struct rb_node *first; /* [lock] earliest, NULL: none */
	uint64_t armed_ns;     /* [lock] what the hardware is set to */
};

extern struct timer_queue timer_boot_queue;

/* The timer's interrupt: runs what is due. */
void timer_interrupt(void);
