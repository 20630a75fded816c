/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing up the other CPUs: a block, a timer queue and an idle stack each.
 * One that does not come is logged and left out.
 */
#include "boot_priv.h"

#include <arch/smp.h>
#include <core/log.h>
#include <core/percpu.h>
#include <core/timer_queue.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <sched/thread.h>

void
boot_start_cpus(void)
{
	unsigned n = smp_count();

	for (unsigned id = 1; id < n && id < ARCH_MAX_CPUS; id++) {
		struct cpu *c = kzalloc(sizeof(*c), ALLOC_KERNEL);
		struct timer_queue *q = kzalloc(sizeof(*q), ALLOC_KERNEL);
		char *stack = kmap_stack_alloc(KSTACK_SIZE);
		int err;

		if (!c || !q || !stack) {
			log_err("CPU %u: no memory", id);
			return;
		}
		spin_init(&q->lock, RANK_TIMER);
		q->armed_ns = UINT64_MAX;
		c->self = c;
		c->id = id;
		c->timers = q;
		c->kstack_top = (uint64_t)stack + KSTACK_SIZE;
		cpus[id] = c;
		err = smp_start(id);
		if (err) {
			cpus[id] = NULL;
			log_err("CPU %u does not start: error %d", id, -err);
			return;
		}
	}
}
