/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the network starts: not before a program has need of it.
 *
 * Setting up lwIP, lo and the NICs takes thousands of instructions that run
 * once, which an emulator must translate first, before a program that may
 * never open a socket.  So boot only leaves the configuration here.  Who
 * looks at the network first - a socket of any family but AF_UNIX, an ioctl
 * on an interface, /proc/net, /sys/class/net - starts it and goes on when
 * everything is as if it had been there from the beginning.  Where nobody
 * looks, a timer starts it soon: the machine answers its neighbours, and has
 * asked for an address.
 *
 * States: IDLE, STARTING (who made it that does the work, the rest sleep on
 * `started`), UP, and never back.  No lock is held meanwhile, since who looks
 * may hold the lock of a directory.
 */
#include <net/netif.h>

#include <base/atomic.h>
#include <core/clock.h>
#include <core/timer.h>
#include <net/inet.h>
#include <sched/mutex.h>
#include <sched/work.h>

#define START_AFTER_NS (200 * (NSEC_PER_SEC / 1000))

enum { IDLE, STARTING, UP };

static uint32_t state;			/* [a] */
static const struct net_config *config; /* [I] */
static struct completion started;
static struct timer timer;
static struct work work;

static void
start(void)
{
	net_init();
	inet_rest_init();
	inet_mcast_init();
	rtnl_init();
	net_start(config);
	net_changes_told();
	atomic_store_release(&state, UP);
	timer_try_cancel(&timer);
	completion_done(&started);
}

void
net_need(void)
{
	uint32_t idle = IDLE;

	if (likely(atomic_load_acquire(&state) == UP))
		return;
	if (atomic_cas(&state, &idle, STARTING))
		start();
	else
		completion_wait(&started);
}

bool
net_is_up(void)
{
	return atomic_load_acquire(&state) == UP;
}

static void
run_work(struct work *w)
{
	(void)w;
	net_need();
}

static void
timer_fired(struct timer *t)
{
	(void)t;
	work_queue(&work);
}

void
net_start_later(const struct net_config *c)
{
	config = c;
	completion_init(&started);
	work_init(&work, run_work);
	timer_init(&timer, timer_fired);
	timer_set(&timer, clock_mono_ns() + START_AFTER_NS);
}
