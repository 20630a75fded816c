/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook between the idle loop and the devices; see idle.h.
 */
#include <core/idle.h>

#include <base/atomic.h>

static void (*poll_fn)(void); /* [a] set once */

void
idle_set_poll(void (*fn)(void))
{
	atomic_store_release(&poll_fn, fn);
}

void
idle_poll(void)
{
	void (*fn)(void) = atomic_load_acquire(&poll_fn);

	if (fn)
		fn();
}
