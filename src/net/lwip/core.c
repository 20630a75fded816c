/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core lock with its delegated work, lwIP's clock and timers, and what
 * lwIP asks of its platform (include/arch/cc.h).
 *
 * Timers: lwIP's modules want to be called at their intervals.  There is no
 * tick for that: a module's interval runs only while it has something to
 * wait for, and one kernel timer is set for the nearest.  A machine whose
 * only interface is lo never wakes for the network.
 */
#include "port.h"
#include "report.h"

#include <base/assert.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/spinlock.h>
#include <core/timer.h>
#include <dev/random.h>
#include <mem/heap.h>
#include <mem/page.h>

#include <lwip/dhcp.h>
#include <lwip/dhcp6.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>

#include "port_hooks.h"

/* ---- the lock ---- */

static struct {
	uint32_t locked;	  /* [a] */
	struct net_work *pending; /* [a] a stack; taken whole */
	void (*on_end)(void);	  /* [I] */
} core;

static bool
core_try(void)
{
	return !atomic_load_relaxed(&core.locked) &&
	       !__atomic_exchange_n(&core.locked, 1, __ATOMIC_ACQUIRE);
}

void
net_core_lock(void)
{
	while (!core_try())
		cpu_relax();
}

/* What was queued, in the order in which it came. */
static void
run_pending(void)
{
	struct net_work *w =
		__atomic_exchange_n(&core.pending, NULL, __ATOMIC_ACQUIRE);
	struct net_work *first = NULL;

	while (w) {
		struct net_work *next = w->next;

		w->next = first;
		first = w;
		w = next;
	}
	while (first) {
		w = first;
		first = w->next;
		atomic_store(&w->queued, 0); /* from here it may come again */
		w->fn(w);
	}
}

static void timers_rearm(void);

void
net_core_unlock(void)
{
	do {
		while (atomic_load_relaxed(&core.pending))
			run_pending();
		if (core.on_end)
			core.on_end();
		timers_rearm();
		/* Full barrier: who queued before this store was seen, who
		 * queues after it finds the lock free. */
		atomic_store(&core.locked, 0);
	} while (atomic_load(&core.pending) && core_try());
}

void
net_core_run(struct net_work *w)
{
	struct net_work *head;

	if (atomic_xchg(&w->queued, 1))
		return;
	head = atomic_load_relaxed(&core.pending);
	do
		w->next = head;
	while (!atomic_cas(&core.pending, &head, w));
	if (core_try())
		net_core_unlock();
}

void
net_core_on_end(void (*fn)(void))
{
	core.on_end = fn;
}

/* ---- time ---- */

#define NEVER UINT64_MAX

struct tick {
	void (*fn)(void);
	uint32_t interval_ms;
	uint64_t next_ms;  /* [core] NEVER: does not run */
	uint64_t until_ms; /* [core] */
};

static void
tcp_tick(void)
{
	tcp_tmr();
}

static struct tick ticks[NET_NTICKS] = {
	[TICK_TCP] = { tcp_tick, TCP_TMR_INTERVAL, NEVER, 0 },
	[TICK_TCP_TW] = { tcp_tw_tmr, 1000, NEVER, 0 },
	[TICK_ARP] = { etharp_tmr, ARP_TMR_INTERVAL, NEVER, 0 },
	[TICK_REASS] = { ip_reass_tmr, IP_TMR_INTERVAL, NEVER, 0 },
	[TICK_DHCP] = { dhcp_fine_tmr, DHCP_FINE_TIMER_MSECS, NEVER, 0 },
	[TICK_DHCP_LONG] = { dhcp_coarse_tmr, DHCP_COARSE_TIMER_MSECS, NEVER,
			     0 },
	[TICK_MCAST] = { mc_tick, MC_TICK_MS, NEVER, 0 },
	[TICK_ND6] = { nd6_tmr, ND6_TMR_INTERVAL, NEVER, 0 },
	[TICK_REASS6] = { ip6_reass_tmr, IP6_REASS_TMR_INTERVAL, NEVER, 0 },
	[TICK_DHCP6] = { dhcp6_tmr, DHCP6_TIMER_MSECS, NEVER, 0 },
};
static uint64_t nearest_ms = NEVER; /* [core] of all */
static uint64_t armed_ms = NEVER;   /* [core] what the timer is set to */
static struct timer core_timer;
static struct net_work timer_work;

static uint64_t
now_ms(void)
{
	return clock_mono_ns() / 1000000;
}

void
net_tick_start(enum net_tick t, uint32_t for_ms)
{
	struct tick *k = &ticks[t];
	uint64_t now = now_ms();

	if (for_ms == TICK_FOREVER)
		k->until_ms = NEVER;
	else if (k->until_ms < now + for_ms)
		k->until_ms = now + for_ms;
	if (k->next_ms != NEVER)
		return;
	k->next_ms = now + k->interval_ms;
	if (k->next_ms < nearest_ms)
		nearest_ms = k->next_ms;
}

/* TCP's interval runs while a connection waits for something. */
static bool
tick_goes_on(enum net_tick t, uint64_t now)
{
	if (t == TICK_TCP)
		return tcp_busy_pcbs != NULL;
	if (t == TICK_TCP_TW)
		return tcp_tw_pcbs != NULL;
	if (t == TICK_MCAST)
		return mc_waits();
	return ticks[t].until_ms > now;
}

static void
timers_due(struct net_work *w)
{
	uint64_t now = now_ms();

	(void)w;
	armed_ms = NEVER;
	for (unsigned t = 0; t < NET_NTICKS; t++) {
		struct tick *k = &ticks[t];

		if (k->next_ms > now)
			continue;
		k->fn();
		k->next_ms =
			tick_goes_on(t, now) ? now + k->interval_ms : NEVER;
	}
	/* Each of them may have started any other. */
	nearest_ms = NEVER;
	for (unsigned t = 0; t < NET_NTICKS; t++)
		if (ticks[t].next_ms < nearest_ms)
			nearest_ms = ticks[t].next_ms;
}

/* At the end of each stretch under the lock. */
static void
timers_rearm(void)
{
	if (likely(nearest_ms >= armed_ms))
		return;
	armed_ms = nearest_ms;
	timer_set(&core_timer, armed_ms * 1000000);
}

static void
timer_fired(struct timer *t)
{
	(void)t;
	net_core_run(&timer_work);
}

void
tcp_timer_needed(void)
{
	if (tcp_busy_pcbs)
		net_tick_start(TICK_TCP, 1);
	if (tcp_tw_pcbs)
		net_tick_start(TICK_TCP_TW, 1);
}

void
sys_timeouts_init(void)
{
	timer_init(&core_timer, timer_fired);
	timer_work.fn = timers_due;
}

u32_t
sys_now(void)
{
	return (u32_t)now_ms();
}

uint32_t
port_tcp_usec(void)
{
	return (uint32_t)(clock_mono_ns() / 1000);
}

/* ---- what lwIP asks for ---- */

uint64_t net_mem_bytes;

void *
lwip_port_malloc(size_t n)
{
	void *p = kmalloc(n, ALLOC_ATOMIC);

	if (p)
		atomic_add(&net_mem_bytes, kmalloc_usable(p));
	return p;
}

void *
lwip_port_calloc(size_t n, size_t size)
{
	void *p = lwip_port_malloc(n * size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

void
lwip_port_free(void *p)
{
	if (p)
		atomic_sub(&net_mem_bytes, kmalloc_usable(p));
	kfree(p);
}

uint32_t
lwip_port_rand(void)
{
	return (uint32_t)random_u64();
}

void
lwip_port_assert(const char *what, const char *file, int line)
{
	panic("lwIP: %s (%s:%d)", what, file, line);
}

/* lwIP names interfaces by two letters and a number; programs do not. */
int
atoi(const char *s)
{
	int n = 0;

	while (*s >= '0' && *s <= '9' && n < 100000)
		n = n * 10 + *s++ - '0';
	return n;
}

/* The Internet checksum (RFC 1071) of a piece, not inverted, as the two bytes
 * lie in memory.  Eight bytes at a time with end-around carry. */
uint16_t
lwip_port_chksum(const void *data, int len)
{
	const uint8_t *p = data;
	uint64_t sum = 0, v;
	uint32_t w;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&v, p, 8);
		sum += v;
		sum += sum < v;
	}
	v = 0;
	memcpy(&v, p, (size_t)len);
	sum += v;
	sum += sum < v;
	sum = (sum & 0xffffffff) + (sum >> 32);
	w = (uint32_t)((sum & 0xffffffff) + (sum >> 32));
	w = (w & 0xffff) + (w >> 16);
	return (uint16_t)((w & 0xffff) + (w >> 16));
}

/* Thousands are kept when they have ended: a size of the heap's, and no more. */
static_assert(sizeof(struct tcp_pcb) <= 512, "a connection");

/* A small machine promises its connections little to begin with. */
void
net_core_init(void)
{
	uint64_t bytes = mem_total_pages() * PAGE_SIZE;

	lwip_init();
	tcp_wnd_default =
		(tcpwnd_size_t)(bytes < 64u << 20 ? 32768 : 65535 * 2);
	tcp_tw_max = (u32_t)(bytes / 16384 < 4096 ? bytes / 16384 : 4096);
}
