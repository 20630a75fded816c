/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is heard of multicast groups: a router's queries, of which version they
 * are and what they say, and other hosts' reports of the older versions.
 */
#include "report_priv.h"

#include <lwip/icmp6.h>
#include <lwip/igmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/mld6.h>
#include <lwip/prot/igmp.h>
#include <lwip/prot/mld6.h>
#include <lwip/sys.h>

/* Times with few bits for those that are long (RFC 3376, 4.1.1; RFC 3810,
 * 5.1.3). */
static uint32_t
code8(uint8_t c)
{
	return c < 128 ? c : (uint32_t)((c & 15) | 16) << ((c >> 4 & 7) + 3);
}

static uint32_t
code16(uint16_t c)
{
	return c < 32768 ?
		       c :
		       (uint32_t)((c & 0xfff) | 0x1000) << ((c >> 12 & 7) + 3);
}

static void
heard_old(struct mc *m, unsigned age, uint32_t most_ms)
{
	m->old[age] = true;
	m->old_ms[age] = sys_now() + m->robust * m->interval_s * 1000 + most_ms;
}

/* The sources that a query names; NULL: it is about all of the group. */
static struct inet_addr *
read_asked(const struct mc_group *g, struct pbuf *p, bool v6, unsigned at,
	   unsigned n)
{
	unsigned alen = v6 ? 16 : 4;
	struct inet_addr *all;

	if (!n || n + g->nasked > MC_SOURCES_MAX)
		return NULL;
	all = lwip_port_malloc((n + g->nasked) * sizeof(*all));
	if (!all)
		return NULL;
	if (g->nasked)
		memcpy(all, g->asked, g->nasked * sizeof(*all));
	for (unsigned i = 0; i < n; i++) {
		uint8_t b[16];

		pbuf_copy_partial(p, b, (u16_t)alen, (u16_t)(at + i * alen));
		all[g->nasked + i] = mc_addr(v6, b);
	}
	return all;
}

/* RFC 3376, 5.2, the rules 3 to 5. */
static void
ask_group(struct mc_group *g, struct pbuf *p, bool v6, unsigned at, unsigned n,
	  uint32_t most_ms)
{
	bool all = g->due && !g->nasked;
	struct inet_addr *asked = all ? NULL : read_asked(g, p, v6, at, n);
	unsigned nasked = asked ? g->nasked + n : 0;

	mc_forget_asked(g);
	g->asked = asked;
	g->nasked = nasked;
	mc_due_within(g, most_ms);
}

/* A query: of `old` age, about a group or all. */
static void
queried(struct netif *netif, bool v6, struct pbuf *p, unsigned old,
	const struct inet_addr *group, unsigned at, unsigned n,
	uint32_t most_ms)
{
	struct mc *m = mc_make(netif, v6);
	struct mc_group *g;
	uint32_t when;
	unsigned age;

	if (!m)
		return;
	if (old)
		heard_old(m, old, most_ms);
	age = mc_age(m);
	if (age) {
		for (g = m->groups; g; g = g->next)
			if (mc_is_wanted(g) && mc_is_told(&g->addr) &&
			    (inet_is_any(group) || inet_same(group, &g->addr)))
				mc_due_within(g, most_ms);
		return;
	}
	when = mc_some_time(most_ms);
	if (m->general && (int32_t)(m->general_ms - when) <= 0)
		return;
	if (inet_is_any(group)) {
		m->general = true;
		m->general_ms = when;
		mc_wait();
		return;
	}
	g = mc_find(m, group);
	if (g && mc_is_wanted(g) && mc_is_told(&g->addr))
		ask_group(g, p, v6, at, n, most_ms);
}

static void
take_settings(struct netif *n, bool v6, uint8_t robust, uint8_t interval)
{
	struct mc *m = mc_make(n, v6);

	if (!m)
		return;
	m->robust = robust & 7 ? robust & 7 : MC_ROBUST;
	m->interval_s = interval ? code8(interval) : MC_INTERVAL_S;
}

static unsigned
count_in(const struct pbuf *p, const uint8_t *be16, unsigned head,
	 unsigned alen)
{
	unsigned n = (unsigned)be16[0] << 8 | be16[1];
	unsigned most = (p->tot_len - head) / alen;

	return n < most ? n : most;
}

/* Somebody else has told of it. */
static void
heard_report(struct netif *n, bool v6, const struct inet_addr *group)
{
	struct mc *m = mc_of(n, v6);
	struct mc_group *g = m && mc_age(m) ? mc_find(m, group) : NULL;

	if (g) {
		g->due = false;
		g->reporter = false;
	}
}

static void
igmp_query(struct netif *n, struct pbuf *p, const ip4_addr_t *dest)
{
	struct inet_addr group;
	uint8_t b[12];
	uint32_t ms;

	memset(b, 0, sizeof(b));
	pbuf_copy_partial(p, b, sizeof(b), 0);
	group = mc_addr(false, b + 4);
	/* RFC 3376, 4.1.12 and 7.1 */
	if (inet_is_any(&group) && dest->addr != mc_all_systems.w[3])
		return;
	if (p->tot_len == 8) {
		ms = b[1] ? b[1] * 100u : 10000;
		queried(n, false, p, b[1] ? 1 : 2, &group, 0, 0, ms);
	} else if (p->tot_len >= 12) {
		take_settings(n, false, b[8], b[9]);
		queried(n, false, p, 0, &group, 12, count_in(p, b + 10, 12, 4),
			code8(b[1]) * 100);
	}
}

static void
mld_query(struct netif *n, struct pbuf *p)
{
	struct inet_addr group;
	uint8_t b[28];
	uint16_t code;

	memset(b, 0, sizeof(b));
	pbuf_copy_partial(p, b, sizeof(b), 0);
	group = mc_addr(true, b + 8);
	code = (uint16_t)(b[4] << 8 | b[5]);
	if (p->tot_len == 24) {
		queried(n, true, p, 1, &group, 0, 0, code);
	} else if (p->tot_len >= 28) {
		take_settings(n, true, b[24], b[25]);
		queried(n, true, p, 0, &group, 28, count_in(p, b + 26, 28, 16),
			code16(code));
	}
}

void
igmp_input(struct pbuf *p, struct netif *n, const ip4_addr_t *dest)
{
	const uint8_t *b = p->payload;
	struct inet_addr group;

	if (p->len < 8 || inet_chksum_pbuf(p)) {
		pbuf_free(p);
		return;
	}
	group = mc_addr(false, b + 4);
	if (b[0] == IGMP_MEMB_QUERY)
		igmp_query(n, p, dest);
	else if (b[0] == IGMP_V1_MEMB_REPORT || b[0] == IGMP_V2_MEMB_REPORT)
		heard_report(n, false, &group);
	pbuf_free(p);
}

/* Only what comes from a neighbour's own address counts (RFC 3810, 5.1.14). */
void
mld6_input(struct pbuf *p, struct netif *n)
{
	const uint8_t *b = p->payload;

	if (p->len >= 24 && ip6_addr_islinklocal(ip6_current_src_addr()) &&
	    IP6H_HOPLIM(ip6_current_header()) == 1) {
		struct inet_addr group = mc_addr(true, b + 8);

		if (b[0] == ICMP6_TYPE_MLQ)
			mld_query(n, p);
		else if (b[0] == ICMP6_TYPE_MLR)
			heard_report(n, true, &group);
	}
	pbuf_free(p);
}
