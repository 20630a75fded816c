/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The multicast groups of an interface, and what routers are told of them
 * (report.c).  All of it belongs to the core lock.
 */
#pragma once

#include <net/addr.h>

struct netif;

struct mc_source {
	struct inet_addr addr;
	bool listed;  /* in the list now; else only still to be told of */
	uint8_t left; /* reports that have still to tell of its change */
};

/* A group, with the filter of all who are in it together (RFC 3376, 3.2). */
struct mc_group {
	struct mc_group *next;
	struct inet_addr addr;
	unsigned users; /* 0: only still to be told of */
	unsigned own;	/* of these lwIP's own, which hear everybody */
	bool include;	/* who is listed is heard; else who is not */
	bool reporter;	/* the last to answer a router */
	bool due;	/* an answer is, at due_ms */
	uint8_t left;	/* reports that have still to tell of its kind */
	uint32_t due_ms;
	unsigned n, nasked;
	struct mc_source *src;
	struct inet_addr *asked; /* sources that the answer is about; or all */
};

/* May be told apart by sources no more than so far: then it is as if all were
 * wanted. */
#define MC_SOURCES_MAX 512u

/* NULL: no memory.  A new group hears nobody until it has a filter. */
struct mc_group *mc_join(struct netif *n, const struct inet_addr *group);
void mc_leave(struct netif *n, const struct inet_addr *group);
/* What its users want together; without memory they get more than that. */
void mc_filter(struct netif *n, const struct inet_addr *group, bool include,
	       const struct inet_addr *src, unsigned count);
/* The last joined first; NULL: none. */
struct mc_group *mc_groups(const struct netif *n, bool v6);
/* Which version of IGMP the interface speaks. */
unsigned mc_version(const struct netif *n);
/* Every MC_TICK_MS while mc_waits(). */
#define MC_TICK_MS 100
void mc_tick(void);
bool mc_waits(void);
