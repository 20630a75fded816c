/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the machine: what its connections still have to send is sent.
 *
 * A program may write and exit at once; on Linux the kernel goes on without
 * it.  Here the machine ends with the program, so it waits until all is
 * acknowledged, the end of the stream too, or until the other ends have taken
 * nothing for a while.
 */
#include <core/clock.h>
#include <net/lwip/port.h>
#include <net/netif.h>
#include <sched/thread.h>

#include <base/math.h>
#include <lwip/priv/tcp_priv.h>

/* Retransmissions come 0.2, 0.6, 1.4, 3 and 6.2 s after what was lost. */
#define PATIENCE_NS (10 * NSEC_PER_SEC)
#define LOOK_MIN_NS (NSEC_PER_SEC / 2000)
#define LOOK_MAX_NS (NSEC_PER_SEC / 20)

/* Bytes not yet acknowledged; an end counts as one. */
static uint64_t
left_to_send(void)
{
	uint64_t left = 0;

	net_core_lock();
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		if (p->state >= ESTABLISHED && (p->unsent || p->unacked))
			left += (uint32_t)(p->snd_lbb - p->lastack);
	net_core_unlock();
	return left;
}

void
net_finish(void)
{
	uint64_t left, before = 0, wait = LOOK_MIN_NS, patience = 0, now;

	if (!net_is_up())
		return;
	while ((left = left_to_send())) {
		now = clock_mono_ns();
		if (left != before)
			patience = now + PATIENCE_NS;
		else if (now >= patience)
			return;
		before = left;
		thread_delay(wait);
		wait = min_u64(2 * wait, LOOK_MAX_NS);
	}
}
