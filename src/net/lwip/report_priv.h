/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that tell routers of multicast groups (report.c). */
#pragma once

#include "report.h"

#include <base/string.h>

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#define MC_ROBUST     2u   /* RFC 3376, 8.1; of a query, if it says so */
#define MC_INTERVAL_S 125u /* 8.2 */

/* How old a router is: 0: speaks of sources, 1: IGMPv2 or MLDv1, 2: IGMPv1. */
#define MC_AGES 3

/* Of one family of an interface. */
struct mc {
	struct mc_group *groups;
	bool old[MC_AGES]; /* such a one was heard, until: */
	uint32_t old_ms[MC_AGES];
	unsigned age;	       /* what it was when it was last looked at */
	bool general, changed; /* an answer, a report of changes is due at: */
	uint32_t general_ms, changed_ms;
	unsigned robust, interval_s;
};

extern const struct inet_addr mc_all_systems; /* 224.0.0.1 */

/* Where a network interface keeps its struct mc, as lwIP numbers it. */
static inline u8_t
mc_slot(bool v6)
{
	return v6 ? LWIP_NETIF_CLIENT_DATA_INDEX_MLD6 :
		    LWIP_NETIF_CLIENT_DATA_INDEX_IGMP;
}

static inline struct mc *
mc_of(const struct netif *n, bool v6)
{
	return netif_get_client_data(n, mc_slot(v6));
}

static inline struct inet_addr
mc_addr(bool v6, const uint8_t *b)
{
	struct inet_addr a = inet_v4(0);

	memcpy(a.b + (v6 ? 0 : 12), b, v6 ? 16 : 4);
	return a;
}

struct mc *mc_make(struct netif *n, bool v6); /* or the one there is; NULL */
struct mc_group *mc_find(const struct mc *m, const struct inet_addr *a);
bool mc_is_told(const struct inet_addr *group);
bool mc_is_wanted(const struct mc_group *g);
/* How old the oldest router is; where that has changed, what was under way is
 * over. */
unsigned mc_age(struct mc *m);
uint32_t mc_some_time(uint32_t most_ms); /* from now, by chance */
void mc_wait(void);			 /* something is due */
void mc_due_within(struct mc_group *g, uint32_t most_ms);
void mc_forget_asked(struct mc_group *g);

/* ---- report_out.c ---- */

/* A message of the older versions. */
void mc_send_old(struct netif *n, unsigned age, struct mc_group *g, bool leave);

/* Kinds of records (RFC 3376, 4.2.12). */
enum { IS_IN = 1, IS_EX, TO_IN, TO_EX, ALLOW, BLOCK };

/* A report of sources under construction: nothing before the first record. */
struct mc_report {
	struct netif *n;
	bool v6;
	struct pbuf *p;
	unsigned len, room;
	const struct mc_group *group; /* of the last record */
	unsigned kind;
	unsigned record; /* where it begins */
	bool full;	 /* no memory, or no more of it fits */
};

struct mc_report mc_report_begin(struct netif *n, bool v6);
/* Begins a record; a source begins one where it must. */
void mc_report_record(struct mc_report *r, const struct mc_group *g,
		      unsigned kind);
void mc_report_source(struct mc_report *r, const struct mc_group *g,
		      unsigned kind, const struct inet_addr *a);
void mc_report_end(struct mc_report *r);
