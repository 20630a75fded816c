/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What routers are told of multicast groups: IGMPv3 (RFC 3376) and MLDv2 (RFC
 * 3810), the hosts' side, and the older versions where a router speaks one.
 * Takes the place of lwIP's igmp.c and mld6.c, and has their functions for it.
 *
 * Both protocols are one with two ways of writing, so there is one of
 * everything for each family of an interface (struct mc).  A change is told
 * at once and, as a packet may be lost, `robust` times in all; how often
 * still is counted in each group, for its kind, and in each source.  A group
 * that nobody is in any more stays until it has been told of.
 *
 * In the older versions a group is told of by itself, and sources are not.
 */
#include "report_priv.h"

#include <lwip/igmp.h>
#include <lwip/mld6.h>
#include <lwip/sys.h>

#include "port_hooks.h"

#define UNSOLICITED	1000u  /* ms: RFC 3376, 8.11 */
#define UNSOLICITED_OLD 10000u /* RFC 2236, 8.10; RFC 2710, 7.10 */

static bool waits; /* something is due */

struct mc *
mc_make(struct netif *n, bool v6)
{
	struct mc *m = mc_of(n, v6);

	if (m)
		return m;
	m = lwip_port_calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->robust = MC_ROBUST;
	m->interval_s = MC_INTERVAL_S;
	netif_set_client_data(n, mc_slot(v6), m);
	return m;
}

static bool
past(uint32_t ms)
{
	return (int32_t)(sys_now() - ms) >= 0;
}

uint32_t
mc_some_time(uint32_t most_ms)
{
	return sys_now() + (most_ms ? LWIP_RAND() % most_ms : 0);
}

void
mc_wait(void)
{
	waits = true;
	port_mcast_due();
}

const struct inet_addr mc_all_systems = { .w = { 0, 0, PP_HTONL(0xffffu),
						 PP_HTONL(0xe0000001u) } };

/* Nobody is told of what every interface is in, and of what does not leave it
 * (RFC 3376, 6; RFC 3810, 6). */
bool
mc_is_told(const struct inet_addr *a)
{
	static const struct inet_addr all_nodes = { .b = { 0xff,
							   2, [15] = 1 } };

	if (inet_is_v4(a))
		return !inet_same(a, &mc_all_systems);
	return (a->b[1] & 15) > 1 && !inet_same(a, &all_nodes);
}

struct mc_group *
mc_find(const struct mc *m, const struct inet_addr *a)
{
	struct mc_group *g = m ? m->groups : NULL;

	while (g && !inet_same(&g->addr, a))
		g = g->next;
	return g;
}

bool
mc_is_wanted(const struct mc_group *g)
{
	if (!g->include)
		return true;
	for (unsigned i = 0; i < g->n; i++)
		if (g->src[i].listed)
			return true;
	return false;
}

static void
free_group(struct mc *m, struct mc_group *g)
{
	struct mc_group **at = &m->groups;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	lwip_port_free(g->src);
	lwip_port_free(g->asked);
	lwip_port_free(g);
}

void
mc_forget_asked(struct mc_group *g)
{
	lwip_port_free(g->asked);
	g->asked = NULL;
	g->nasked = 0;
}

/* ---- what is, and what has changed ---- */

static void
add_listed(struct mc_report *r, const struct mc_group *g, unsigned kind)
{
	for (unsigned i = 0; i < g->n; i++)
		if (g->src[i].listed)
			mc_report_source(r, g, kind, &g->src[i].addr);
}

static void
add_state(struct mc_report *r, const struct mc_group *g)
{
	if (!g->include)
		mc_report_record(r, g, IS_EX);
	add_listed(r, g, g->include ? IS_IN : IS_EX);
}

static bool
lists(const struct mc_group *g, const struct inet_addr *a)
{
	for (unsigned i = 0; i < g->n; i++)
		if (g->src[i].listed && inet_same(&g->src[i].addr, a))
			return true;
	return false;
}

/* An answer about the sources that were asked for: those that are wanted.
 * Where it is said who is not heard, Linux says all that there is to say if
 * one of them is wanted, and so do we; RFC 3376, 5.2, would name that one. */
static void
add_asked(struct mc_report *r, const struct mc_group *g)
{
	for (unsigned i = 0; i < g->nasked; i++) {
		if (lists(g, &g->asked[i]) != g->include)
			continue;
		if (!g->include) {
			add_state(r, g);
			return;
		}
		mc_report_source(r, g, IS_IN, &g->asked[i]);
	}
}

static void
add_changed_sources(struct mc_report *r, struct mc_group *g, unsigned kind)
{
	for (unsigned i = 0; i < g->n; i++) {
		struct mc_source *s = &g->src[i];

		if (!s->left || (s->listed == g->include) != (kind == ALLOW))
			continue;
		s->left--;
		mc_report_source(r, g, kind, &s->addr);
	}
}

static void
drop_told(struct mc_group *g)
{
	unsigned k = 0;

	for (unsigned i = 0; i < g->n; i++)
		if (g->src[i].listed || g->src[i].left)
			g->src[k++] = g->src[i];
	g->n = k;
}

static void
add_changes(struct mc_report *r, struct mc_group *g)
{
	if (g->left) {
		unsigned kind = g->include ? TO_IN : TO_EX;

		g->left--;
		mc_report_record(r, g, kind);
		add_listed(r, g, kind);
		return;
	}
	add_changed_sources(r, g, ALLOW);
	add_changed_sources(r, g, BLOCK);
	drop_told(g);
}

static bool
has_changes(const struct mc_group *g)
{
	if (g->left)
		return true;
	for (unsigned i = 0; i < g->n; i++)
		if (g->src[i].left)
			return true;
	return false;
}

/* Of one group, or of all.  What is to be repeated is, in a while. */
static void
send_changes(struct netif *n, bool v6, struct mc *m, struct mc_group *only)
{
	struct mc_report r = mc_report_begin(n, v6);
	struct mc_group *g, *next;
	bool more = false;

	for (g = m->groups; g; g = next) {
		next = g->next;
		if (!only || g == only)
			add_changes(&r, g);
		if (has_changes(g))
			more = true;
		else if (!g->users)
			free_group(m, g);
	}
	mc_report_end(&r);
	if (more && (!m->changed || !only)) {
		m->changed_ms = mc_some_time(UNSOLICITED);
		mc_wait();
	}
	m->changed = more;
}

/* What has changed is told to nobody. */
static void
drop_changes(struct mc *m, struct mc_group *g)
{
	g->left = 0;
	for (unsigned i = 0; i < g->n; i++)
		g->src[i].left = 0;
	drop_told(g);
	if (!g->users)
		free_group(m, g);
}

/* ---- older routers ---- */

/* What was under way in the version before is over (RFC 3376, 7.2.1). */
static void
cancel_all(struct mc *m)
{
	struct mc_group *g, *next;

	m->general = m->changed = false;
	for (g = m->groups; g; g = next) {
		next = g->next;
		g->due = false;
		mc_forget_asked(g);
		drop_changes(m, g);
	}
}

unsigned
mc_age(struct mc *m)
{
	unsigned age = 0;

	for (unsigned i = 1; i < MC_AGES; i++) {
		if (m->old[i] && past(m->old_ms[i]))
			m->old[i] = false;
		if (m->old[i])
			age = i;
	}
	if (age != m->age) {
		m->age = age;
		cancel_all(m);
	}
	return age;
}

void
mc_due_within(struct mc_group *g, uint32_t most_ms)
{
	uint32_t at = mc_some_time(most_ms);

	if (!g->due || (int32_t)(at - g->due_ms) < 0)
		g->due_ms = at;
	g->due = true;
	mc_wait();
}

/* Told of now and once more. */
static void
join_old(struct netif *n, struct mc *m, struct mc_group *g)
{
	mc_send_old(n, m->age, g, false);
	mc_due_within(g, UNSOLICITED_OLD);
}

/* ---- groups ---- */

/* What a change left behind is told. */
static void
tell(struct netif *n, struct mc *m, struct mc_group *g, bool was)
{
	bool v6 = !inet_is_v4(&g->addr), is = mc_is_wanted(g);
	unsigned age = m->age;

	if (!is)
		g->due = false;
	if (mc_is_told(&g->addr) && netif_is_up(n) && !age) {
		send_changes(n, v6, m, g);
		return;
	}
	if (mc_is_told(&g->addr) && netif_is_up(n)) {
		if (is && !was)
			join_old(n, m, g);
		else if (was && !is && age == 1 && g->reporter)
			mc_send_old(n, age, g, true);
	}
	drop_changes(m, g);
}

/* The new list, with those that have gone behind it.  false: no memory. */
static bool
set_sources(struct mc *m, struct mc_group *g, bool same_kind,
	    const struct inet_addr *src, unsigned count)
{
	unsigned n = 0, most = count + (same_kind ? g->n : 0);
	struct mc_source *new = NULL;

	if (most) {
		new = lwip_port_malloc(most * sizeof(*new));
		if (!new)
			return false;
	}
	for (; n < count; n++) {
		new[n] = (struct mc_source){ src[n], true, 0 };
		if (same_kind)
			new[n].left = (uint8_t)m->robust;
	}
	for (unsigned i = 0; same_kind && i < g->n; i++) {
		struct mc_source *s = &g->src[i];
		unsigned k = 0;

		while (k < count && !inet_same(&src[k], &s->addr))
			k++;
		if (k < count && s->listed) {
			new[k].left = s->left;
		} else if (k == count) {
			new[n] = *s;
			new[n].listed = false;
			if (s->listed)
				new[n].left = (uint8_t)m->robust;
			n++;
		}
	}
	lwip_port_free(g->src);
	g->src = new;
	g->n = n;
	return true;
}

static void
set_filter(struct netif *n, struct mc *m, struct mc_group *g, bool include,
	   const struct inet_addr *src, unsigned count)
{
	bool was = mc_is_wanted(g), anew = include != g->include;

	if (!set_sources(m, g, !anew, src, count)) {
		include = false; /* more than was asked for */
		anew = set_sources(m, g, false, NULL, 0);
	}
	if (anew)
		g->left = (uint8_t)m->robust;
	g->include = include;
	tell(n, m, g, was);
}

static void
tell_device(struct netif *n, const struct inet_addr *a, bool join)
{
	enum netif_mac_filter_action what =
		join ? NETIF_ADD_MAC_FILTER : NETIF_DEL_MAC_FILTER;
	ip4_addr_t a4 = { a->w[3] };
	ip6_addr_t a6;

	if (inet_is_v4(a)) {
		if (n->igmp_mac_filter)
			n->igmp_mac_filter(n, &a4, what);
	} else if (n->mld_mac_filter) {
		memset(&a6, 0, sizeof(a6));
		memcpy(a6.addr, a->b, 16);
		n->mld_mac_filter(n, &a6, what);
	}
}

/* What an older router's end is the end of is over before anything changes. */
static struct mc_group *
find_now(struct mc *m, const struct inet_addr *a)
{
	if (m)
		mc_age(m);
	return mc_find(m, a);
}

struct mc_group *
mc_join(struct netif *n, const struct inet_addr *a)
{
	struct mc *m = mc_make(n, !inet_is_v4(a));
	struct mc_group *g = find_now(m, a);

	if (m && !g && (g = lwip_port_calloc(1, sizeof(*g)))) {
		g->addr = *a;
		g->include = true;
		g->next = m->groups;
		m->groups = g;
	}
	if (g && !g->users++)
		tell_device(n, a, true);
	return g;
}

void
mc_leave(struct netif *n, const struct inet_addr *a)
{
	struct mc *m = mc_of(n, !inet_is_v4(a));
	struct mc_group *g = find_now(m, a);

	if (!g || !g->users || --g->users)
		return;
	tell_device(n, a, false);
	set_filter(n, m, g, true, NULL, 0);
}

void
mc_filter(struct netif *n, const struct inet_addr *a, bool include,
	  const struct inet_addr *src, unsigned count)
{
	struct mc *m = mc_of(n, !inet_is_v4(a));
	struct mc_group *g = find_now(m, a);

	if (g && g->users && !g->own)
		set_filter(n, m, g, include, src, count);
}

struct mc_group *
mc_groups(const struct netif *n, bool v6)
{
	const struct mc *m = mc_of(n, v6);

	return m ? m->groups : NULL;
}

unsigned
mc_version(const struct netif *n)
{
	struct mc *m = mc_of(n, false);

	return m ? 3 - mc_age(m) : 3;
}

/* ---- time ---- */

static void
answer_all(struct netif *n, bool v6, struct mc *m)
{
	struct mc_report r = mc_report_begin(n, v6);

	m->general = false;
	for (struct mc_group *g = m->groups; g; g = g->next)
		if (g->users && mc_is_told(&g->addr))
			add_state(&r, g);
	mc_report_end(&r);
}

static void
answer(struct netif *n, bool v6, struct mc *m, struct mc_group *g)
{
	struct mc_report r = mc_report_begin(n, v6);

	g->due = false;
	if (m->age) {
		mc_send_old(n, m->age, g, false);
		return;
	}
	g->reporter = true;
	if (g->nasked)
		add_asked(&r, g);
	else
		add_state(&r, g);
	mc_forget_asked(g);
	mc_report_end(&r);
}

/* True: something is still due. */
static bool
tick(struct netif *n, bool v6)
{
	struct mc *m = mc_of(n, v6);
	bool more;

	if (!m || !netif_is_up(n))
		return false;
	mc_age(m);
	if (m->general && past(m->general_ms))
		answer_all(n, v6, m);
	if (m->changed && past(m->changed_ms))
		send_changes(n, v6, m, NULL);
	more = m->general || m->changed;
	for (struct mc_group *g = m->groups; g; g = g->next) {
		if (g->due && past(g->due_ms))
			answer(n, v6, m, g);
		more |= g->due;
	}
	return more;
}

void
mc_tick(void)
{
	struct netif *n;

	waits = false;
	NETIF_FOREACH(n)
	for (unsigned v6 = 0; v6 < 2; v6++)
		if (tick(n, v6))
			waits = true;
}

bool
mc_waits(void)
{
	return waits;
}

/* ---- what lwIP calls ---- */

static void
stop(struct netif *n, bool v6)
{
	struct mc *m = mc_of(n, v6);

	while (m && m->groups)
		free_group(m, m->groups);
	lwip_port_free(m);
	netif_set_client_data(n, mc_slot(v6), NULL);
}

/* The interface has come up, or has an address: all is told anew. */
static void
tell_all(struct netif *n, bool v6)
{
	struct mc *m = mc_of(n, v6);
	struct mc_group *g;
	unsigned age;

	if (!m)
		return;
	age = mc_age(m);
	for (g = m->groups; g; g = g->next) {
		if (!mc_is_wanted(g) || !mc_is_told(&g->addr))
			continue;
		if (age)
			join_old(n, m, g);
		else
			g->left = (uint8_t)m->robust;
	}
	if (!age)
		send_changes(n, v6, m, NULL);
}

void
igmp_init(void)
{
}

err_t
igmp_start(struct netif *n)
{
	return mc_make(n, false) ? ERR_OK : ERR_MEM;
}

err_t
igmp_stop(struct netif *n)
{
	stop(n, false);
	return ERR_OK;
}

err_t
mld6_stop(struct netif *n)
{
	stop(n, true);
	return ERR_OK;
}

void
igmp_report_groups(struct netif *n)
{
	tell_all(n, false);
}

void
mld6_report_groups(struct netif *n)
{
	tell_all(n, true);
}

/* lwIP wants to know only whether there is one: the answer is not to be looked
 * into. */
static void *
has(const struct netif *n, bool v6, const struct inet_addr *a)
{
	const struct mc_group *g = mc_find(mc_of(n, v6), a);

	return g && g->users ? mc_of(n, v6) : NULL;
}

struct igmp_group *
igmp_lookfor_group(struct netif *n, const ip4_addr_t *addr)
{
	struct inet_addr a = inet_v4(addr->addr);

	if (inet_same(&a, &mc_all_systems))
		return netif_get_client_data(n, mc_slot(false));
	return has(n, false, &a);
}

struct mld_group *
mld6_lookfor_group(struct netif *n, const ip6_addr_t *addr)
{
	struct inet_addr a = mc_addr(true, (const uint8_t *)addr->addr);

	return has(n, true, &a);
}

/* lwIP's own: nodes that ask for one of our addresses (RFC 4861, 7.2.1). */
err_t
mld6_joingroup_netif(struct netif *n, const ip6_addr_t *addr)
{
	struct inet_addr a = mc_addr(true, (const uint8_t *)addr->addr);
	struct mc_group *g = mc_join(n, &a);

	if (!g)
		return ERR_MEM;
	if (!g->own++)
		set_filter(n, mc_of(n, true), g, false, NULL, 0);
	return ERR_OK;
}

err_t
mld6_leavegroup_netif(struct netif *n, const ip6_addr_t *addr)
{
	struct inet_addr a = mc_addr(true, (const uint8_t *)addr->addr);
	struct mc_group *g = mc_find(mc_of(n, true), &a);

	if (!g || !g->own)
		return ERR_VAL;
	g->own--;
	mc_leave(n, &a);
	return ERR_OK;
}
