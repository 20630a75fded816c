/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Word to the user of a client that was turned away because the program has
 * the port on a loopback address only: as many a server's configuration has
 * it, where in a machine of its own every client comes from outside.
 *
 * It is found out where packets arrive, with the core lock and maybe in an
 * interrupt, and told by a worker; of two at once one is told.
 */
#include <net/inet.h>

#include <base/atomic.h>
#include <dev/control.h>
#include <sched/work.h>

#define OF_TCP 0x10000u
#define OF_V6  0x20000u

static uint32_t refused; /* [a] the port, and the flags above */

static void
tell(struct work *w)
{
	uint32_t r = atomic_load_relaxed(&refused);

	(void)w;
	control_notice("%s port %u: a client was turned away, since the "
		       "program listens on %s only; have it listen on %s",
		       r & OF_TCP ? "tcp" : "udp", r & 0xffff,
		       r & OF_V6 ? "::1" : "127.0.0.1",
		       r & OF_V6 ? "::" : "0.0.0.0");
}

static struct work work = { .link = LIST_INIT(work.link), .fn = tell };

void
inet_refused(bool tcp, const struct inet_end *dst)
{
	bool v6 = !inet_is_v4(&dst->addr);

	if (!inet_take_untold(tcp, dst))
		return;
	atomic_store_relaxed(&refused,
			     dst->port | (tcp ? OF_TCP : 0) | (v6 ? OF_V6 : 0));
	work_queue(&work);
}
