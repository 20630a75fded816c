/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hooks between the idle loop and the devices; see idle.h.
 */
#include <core/idle.h>

#include <base/atomic.h>
#include <core/percpu.h>

static const struct idle_hooks *hooks; /* [a] set once */

void
idle_set_hooks(const struct idle_hooks *h)
{
	atomic_store_release(&hooks, h);
}

/* What devices are asked for is as if they had interrupted. */
void
idle_poll(void)
{
	const struct idle_hooks *h = atomic_load_acquire(&hooks);

	if (!h)
		return;
	atomic_add(&this_cpu()->irq_depth, 1);
	h->poll();
	this_cpu()->irq_depth--;
}

bool
idle_begin(struct idle_due *due, bool awake)
{
	const struct idle_hooks *h = atomic_load_acquire(&hooks);

	due->awake = awake;
	due->n = 0;
	if (h)
		h->begin(due);
	return due->n;
}

bool
idle_look(struct idle_due *due)
{
	return hooks->look(due);
}

bool
idle_end(struct idle_due *due)
{
	return hooks->end(due);
}
