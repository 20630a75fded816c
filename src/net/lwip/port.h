/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The net core as the rest of net sees it, without lwIP's types.
 *
 * lwIP runs under one lock, the core lock.  It is a spin lock that interrupts
 * may find taken by the very thread that they interrupted, so they never
 * wait for it: work is queued, and whoever holds the lock does it before
 * letting go.  Threads use the same way (net_core_run) wherever they need no
 * answer, and wait (net_core_lock) where they do.  Nobody sleeps with it;
 * what runs under it may run in interrupt context.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

/* ---- the lock ---- */

struct net_work {
	struct net_work *next;
	void (*fn)(struct net_work *w); /* with the core lock held */
	uint32_t queued;		/* [a] */
};

void net_core_lock(void); /* threads only */
void net_core_unlock(void);
/* Runs w->fn now, or lets the holder do it; once, however often it is asked
 * for before it starts.  Any context; no lock inner to the core held. */
void net_core_run(struct net_work *w);
/* A function that runs at the end of each stretch under the lock. */
void net_core_on_end(void (*fn)(void));
void net_core_init(void);

/* Inside the core: calls fn every interval, until `for_ms` from now at
 * least; fn and interval are of the table in core.c. */
enum net_tick {
	TICK_TCP,
	TICK_TCP_TW,
	TICK_ARP,
	TICK_REASS,
	TICK_DHCP,
	TICK_DHCP_LONG,
	TICK_MCAST,
	TICK_ND6,
	TICK_REASS6,
	TICK_DHCP6,
	NET_NTICKS
};
#define TICK_FOREVER 0
void net_tick_start(enum net_tick t, uint32_t for_ms);

/* Milliseconds and bytes that lwIP sees. */
extern uint64_t net_mem_bytes; /* [a] allocated by lwIP */
