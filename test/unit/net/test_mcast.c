/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What routers are told of multicast groups (src/net/lwip/report.c), by a clock
 * of the test's own: how often, when, in how many packets; answers to queries
 * that come together; a router that speaks an older version, and that it is
 * forgotten; queries that are damaged.  What is in a report is compared with
 * Linux's in test/e2e (reports.py).
 *
 * INCLUDE: src/net/lwip/include $LWIP/include test/unit/net
 * SOURCES: test/unit/net/stack.c src/net/syncookie.c src/base/hash.c
 * SOURCES: $LWIP/core/tcp.c $LWIP/core/tcp_in.c $LWIP/core/tcp_out.c
 * SOURCES: src/net/lwip/congestion.c src/net/lwip/dhcp_options.c
 * SOURCES: $LWIP/core/def.c $LWIP/core/inet_chksum.c $LWIP/core/init.c
 * SOURCES: $LWIP/core/ip.c $LWIP/core/mem.c $LWIP/core/memp.c
 * SOURCES: $LWIP/core/netif.c $LWIP/core/pbuf.c $LWIP/core/raw.c
 * SOURCES: $LWIP/core/stats.c $LWIP/core/udp.c $LWIP/core/ipv4/dhcp.c
 * SOURCES: $LWIP/core/ipv4/etharp.c $LWIP/core/ipv4/icmp.c
 * SOURCES: src/net/lwip/report.c src/net/lwip/report_out.c
 * SOURCES: src/net/lwip/query.c $LWIP/core/ipv4/ip4.c
 * SOURCES: $LWIP/core/ipv4/ip4_addr.c $LWIP/core/ipv4/ip4_frag.c
 * SOURCES: $LWIP/core/ipv6/dhcp6.c $LWIP/core/ipv6/ethip6.c
 * SOURCES: $LWIP/core/ipv6/icmp6.c $LWIP/core/ipv6/inet6.c
 * SOURCES: $LWIP/core/ipv6/ip6.c $LWIP/core/ipv6/ip6_addr.c
 * SOURCES: $LWIP/core/ipv6/ip6_frag.c
 * SOURCES: $LWIP/core/ipv6/nd6.c $LWIP/netif/ethernet.c
 */
#include "stack.h"

#include <lwip/inet_chksum.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <net/lwip/report.h>

#include "port_hooks.h"

static struct netif nif;
static char said[65536];
static unsigned packets, sources;

void
port_tcp_urgent(struct tcp_pcb *pcb, uint32_t ahead)
{
	(void)pcb, (void)ahead;
}

void
port_tcp_processed(struct tcp_pcb *pcb)
{
	(void)pcb;
}

/* ---- what is said ---- */

static void
say(const char *what)
{
	CHECK(strlen(said) + strlen(what) < sizeof(said));
	strcat(said, what);
}

static void
say_addr(const uint8_t *a, unsigned len)
{
	char b[20];

	snprintf(b, sizeof(b), " %u", a[len - 1]);
	say(b);
}

/* Records with the last bytes of their addresses; of a message of an older
 * version its type. */
static void
hear(const uint8_t *m, unsigned len, unsigned alen)
{
	static const char *const kinds[] = { "",      "is-in", "is-ex", "to-in",
					     "to-ex", "allow", "block" };
	unsigned n = m[6] << 8 | m[7], at = 8, k;
	char b[20];

	packets++;
	if (m[0] != 0x22 && m[0] != 143) {
		snprintf(b, sizeof(b), "%u", m[0]);
		say(b);
		say_addr(m + (alen == 4 ? 4 : 8), alen);
		say(";");
		return;
	}
	for (; n; n--) {
		CHECK(at + 4 + alen <= len && m[at] < 7 && !m[at + 1]);
		say(kinds[m[at]]);
		k = m[at + 2] << 8 | m[at + 3];
		sources += k;
		say_addr(m + at + 4, alen);
		say(k ? ":" : "");
		for (at += 4 + alen; k; k--, at += alen)
			say_addr(m + at, alen);
		say(";");
	}
	CHECK(at == len);
}

static err_t
output(struct netif *n, struct pbuf *p, const ip4_addr_t *dst)
{
	uint8_t b[1500];

	(void)n, (void)dst;
	CHECK(p->tot_len <= nif.mtu);
	pbuf_copy_partial(p, b, p->tot_len, 0);
	CHECK(b[9] == 2 && (b[0] & 15) == 6 && b[8] == 1);
	CHECK(inet_chksum(b + 24, p->tot_len - 24u) == 0);
	hear(b + 24, p->tot_len - 24u, 4);
	return ERR_OK;
}

static err_t
output6(struct netif *n, struct pbuf *p, const ip6_addr_t *dst)
{
	uint8_t b[1500];

	(void)n, (void)dst;
	CHECK(p->tot_len <= nif.mtu);
	pbuf_copy_partial(p, b, p->tot_len, 0);
	/* Not of neighbours, and not of lwIP's own groups (ff02::1:ffxx:xxxx),
	 * of which it tells at the beginning. */
	if (b[6] == 0 && b[7] == 1 &&
	    (b[48] == 131 || b[48] == 132 || b[48] == 143))
		hear(b + 48, p->tot_len - 48u, 16);
	return ERR_OK;
}

/* ARP */
static err_t
link_out(struct netif *n, struct pbuf *p)
{
	(void)n, (void)p;
	return ERR_OK;
}

static void
expect_at(const char *what, int line)
{
	if (strcmp(said, what)) {
		printf("%d: \"%s\", not \"%s\"\n", line, said, what);
		exit(1);
	}
	*said = 0;
}
#define EXPECT(what) expect_at((what), __LINE__)

static void
pass(uint32_t ms)
{
	for (; ms; ms -= ms < MC_TICK_MS ? ms : MC_TICK_MS) {
		now_ms += ms < MC_TICK_MS ? ms : MC_TICK_MS;
		if (mc_waits())
			mc_tick();
	}
}

/* ---- groups and queries ---- */

static bool v6;

static struct inet_addr
addr(unsigned last)
{
	struct inet_addr a = inet_v4(lwip_htonl(0xef010200u + last));

	if (v6)
		a = (struct inet_addr){ .b = { 0xff,
					       0x1e, [15] = (uint8_t)last } };
	return a;
}

static struct inet_addr
source(unsigned n)
{
	struct inet_addr a = inet_v4(lwip_htonl(0xc0000000u + n));

	if (v6)
		a = (struct inet_addr){
			.b = { 0x20, 1, [14] = (uint8_t)(n >> 8), (uint8_t)n }
		};
	return a;
}

static void
filter(unsigned group, bool include, unsigned from, unsigned to)
{
	struct inet_addr g = addr(group), s[MC_SOURCES_MAX];

	for (unsigned i = from; i < to; i++)
		s[i - from] = source(i);
	mc_filter(&nif, &g, include, s, to - from);
}

static void
join(unsigned group)
{
	struct inet_addr g = addr(group);

	CHECK(mc_join(&nif, &g));
}

static void
leave(unsigned group)
{
	struct inet_addr g = addr(group);

	mc_leave(&nif, &g);
}

static void
give(const uint8_t *m, unsigned len)
{
	uint8_t b[1500] = { 0 };
	unsigned head = v6 ? 48 : 24;
	uint16_t s;
	struct pbuf *p;

	memcpy(b + head, m, len);
	if (v6) {
		memcpy(b,
		       (uint8_t[]){ 0x60, 0, 0, 0, 0, 0, 0, 1, 0xfe,
				    0x80, [23] = 1, 0xff, 2, [39] = 1, 58, 0, 5,
				    2 },
		       44);
		s = lwip_htons((uint16_t)(len + 8));
		memcpy(b + 4, &s, 2);
	} else {
		memcpy(b, (uint8_t[]){ 0x46, 0xc0, 0, 0, 0,    0, 0, 0,
				       1,    2,	   0, 0, 10,   0, 0, 9,
				       224,  0,	   0, 1, 0x94, 4, 0, 0 },
		       24);
		s = lwip_htons((uint16_t)(len + 24));
		memcpy(b + 2, &s, 2);
		s = inet_chksum(b, 24);
		memcpy(b + 10, &s, 2);
		s = inet_chksum(b + 24, (u16_t)len);
		memcpy(b + 26, &s, 2);
	}
	p = pbuf_alloc(PBUF_RAW, (u16_t)(len + head), PBUF_RAM);
	pbuf_take(p, b, (u16_t)(len + head));
	ip_input(p, &nif);
}

/* code: in units of the version.  group 0: all; len: of the message, 0: with
 * the sources. */
static void
ask(unsigned code, unsigned group, unsigned from, unsigned to, unsigned len)
{
	unsigned alen = v6 ? 16 : 4, at = v6 ? 28 : 12;
	uint8_t m[1400] = { v6 ? 130 : 0x11 };
	struct inet_addr g = addr(group);

	if (v6) {
		m[4] = (uint8_t)(code >> 8);
		m[5] = (uint8_t)code;
	} else {
		m[1] = (uint8_t)code;
	}
	if (group)
		memcpy(m + (v6 ? 8 : 4), g.b + 16 - alen, alen);
	m[at - 4] = 2;
	m[at - 3] = 125;
	m[at - 2] = (uint8_t)((to - from) >> 8);
	m[at - 1] = (uint8_t)(to - from);
	for (; from < to; from++, at += alen) {
		g = source(from);
		memcpy(m + at, g.b + 16 - alen, alen);
	}
	give(m, len ? len : at);
}

/* Codes for 1 s. */
#define SECOND	 (v6 ? 1000u : 10u)
#define OLD_SIZE (v6 ? 24u : 8u)
#define RESPONSE (v6 ? "131 " : "22 ")

/* ---- tests ---- */

/* Each change is told of at once, and once more within a second, by when other
 * changes may have come. */
static void
test_changes(void)
{
	join(1);
	EXPECT("");
	CHECK(!mc_waits());
	filter(1, false, 0, 0);
	EXPECT("to-ex 1;");
	CHECK(mc_waits());
	pass(1100);
	EXPECT("to-ex 1;");
	CHECK(!mc_waits());
	filter(1, false, 0, 0);
	filter(1, false, 1, 3);
	EXPECT("block 1: 1 2;");
	filter(1, false, 2, 4);
	EXPECT("allow 1: 1;block 1: 2 3;"); /* the second time of 2 */
	pass(1100);
	EXPECT("allow 1: 1;block 1: 3;");
	pass(5000);
	EXPECT("");
	filter(1, true, 3, 4); /* another kind: all is told of */
	filter(1, true, 3, 5);
	EXPECT("to-in 1: 3;to-in 1: 3 4;");
	pass(2200);
	EXPECT("allow 1: 4;allow 1: 4;");
	join(2);
	filter(2, true, 1, 2);
	EXPECT("allow 2: 1;");
	leave(1);
	EXPECT("block 1: 3 4;");
	join(1); /* again, before it was told of twice */
	filter(1, true, 4, 5);
	EXPECT("allow 1: 4;block 1: 3;");
	pass(1100);
	EXPECT("allow 2: 1;allow 1: 4;");
	leave(1);
	leave(2);
	EXPECT("block 1: 4;block 2: 1;");
	pass(1100);
	EXPECT("block 2: 1;block 1: 4;");
	CHECK(!mc_groups(&nif, v6) || v6);
}

static void
test_queries(void)
{
	join(1);
	filter(1, false, 1, 2);
	join(2);
	filter(2, true, 1, 4);
	pass(1100);
	*said = 0;
	ask(SECOND, 0, 0, 0, 0);
	EXPECT("");
	pass(1000);
	CHECK(strstr(said, "is-in 2: 1 2 3;is-ex 1: 1;"));
	*said = 0;
	ask(0, 0, 0, 0, 0);
	ask(SECOND, 1, 0, 0, 0); /* the answer to all is sooner */
	pass(1000);
	CHECK(strstr(said, "is-in 2: 1 2 3;is-ex 1: 1;"));
	*said = 0;
	ask(SECOND, 1, 0, 0, 0);
	ask(SECOND, 2, 3, 6, 0);
	ask(SECOND, 2, 1, 2, 0); /* both questions, one answer */
	ask(SECOND, 3, 1, 2, 0); /* it is not in it */
	pass(1000);
	if (strcmp(said, "is-ex 1: 1;is-in 2: 3 1;"))
		EXPECT("is-in 2: 3 1;is-ex 1: 1;");
	*said = 0;
	ask(SECOND, 2, 3, 6, 0);
	ask(SECOND, 2, 0, 0, 0); /* all of it */
	pass(1000);
	EXPECT("is-in 2: 1 2 3;");
	ask(SECOND, 1, 1, 2, 0);
	pass(1000);
	EXPECT("");			     /* nobody wants that one */
	ask(v6 ? 0x8000 : 0x80, 0, 0, 0, 0); /* 32.8 s; 12.8 s */
	pass(v6 ? 32800 : 12800);
	CHECK(strstr(said, "is-in 2: 1 2 3;"));
	leave(1);
	leave(2);
	pass(1100);
	*said = 0;
}

/* A router of an older version is heard: it is told of groups, until it has
 * said nothing for twice its interval and the time for an answer. */
static void
test_old(void)
{
	const char *report = v6 ? "131 1;" : "22 1;";

	join(1);
	filter(1, true, 1, 3);
	EXPECT("allow 1: 1 2;");
	ask(SECOND, 0, 0, 0, OLD_SIZE);
	CHECK(mc_version(&nif) == (v6 ? 3u : 2u));
	pass(1000); /* what was to be told once more is not */
	CHECK(strstr(said, report) && !strstr(said, "allow"));
	*said = 0;
	filter(1, true, 1, 2);
	pass(2000);
	EXPECT("");
	join(2);
	filter(2, true, 1, 2);
	EXPECT(v6 ? "131 2;" : "22 2;");
	pass(10000); /* RFC 2236, 3 */
	EXPECT(v6 ? "131 2;" : "22 2;");
	ask(SECOND, 0, 0, 0, 0); /* answered as the older one would be */
	pass(1000);
	CHECK(strstr(said, report) && !strstr(said, "is-"));
	*said = 0;
	leave(2);
	EXPECT(v6 ? "132 2;" : "23 2;");
	/* Another host answers first: nothing is said, then and at the end. */
	ask(SECOND * 10, 1, 0, 0, 0);
	{
		uint8_t m[24] = { v6 ? 131 : 0x16 };
		struct inet_addr g = addr(1);

		memcpy(m + (v6 ? 8 : 4), g.b + (v6 ? 0 : 12), v6 ? 16 : 4);
		give(m, OLD_SIZE);
	}
	pass(10000);
	EXPECT("");
	ask(SECOND, 0, 0, 0, OLD_SIZE);
	pass(250000);
	*said = 0;
	filter(1, false, 1, 2);
	EXPECT("");
	pass(1100);
	pass(10000);
	filter(1, false, 0, 0);
	EXPECT("allow 1: 1;");
	pass(1100);
	*said = 0;
	if (!v6) {
		ask(0, 0, 0, 0, 8); /* IGMPv1 */
		CHECK(mc_version(&nif) == 1);
		pass(10000);
		EXPECT("18 1;");
		leave(1);
		EXPECT(""); /* nobody would understand it */
		pass(300000);
		CHECK(mc_version(&nif) == 3);
	} else {
		leave(1);
	}
	pass(1100);
	*said = 0;
}

/* As many packets as it takes; of those who are not heard what fits. */
static void
test_many(void)
{
	unsigned fit = v6 ? 85 : 345; /* in 1400 bytes */

	join(1);
	packets = sources = 0;
	filter(1, true, 0, MC_SOURCES_MAX);
	CHECK(packets == MC_SOURCES_MAX / fit + 1 && sources == MC_SOURCES_MAX);
	filter(1, false, 0, MC_SOURCES_MAX);
	CHECK(packets == MC_SOURCES_MAX / fit + 2);
	CHECK(sources > MC_SOURCES_MAX + fit - 5);
	pass(1100);
	leave(1);
	pass(1100);
	for (unsigned i = 1; i < 250; i++) {
		join(i);
		filter(i, false, 0, 0);
	}
	pass(1100);
	packets = 0;
	ask(SECOND, 0, 0, 0, 0);
	pass(1000);
	CHECK(packets == (v6 ? 4 : 2));
	for (unsigned i = 1; i < 250; i++)
		leave(i);
	pass(1100);
	*said = 0;
}

/* Without memory more is wanted than was asked for, and nothing breaks. */
static void
test_scarce(void)
{
	for (unsigned i = 0; i < 3000; i++) {
		unsigned n = rnd(6), m = n + rnd(6);
		struct inet_addr g = addr(1 + rnd(4));

		fail_one_in = 3;
		if (rnd(4))
			mc_filter(&nif, &g, rnd(2), NULL, 0);
		else if (rnd(2))
			(void)mc_join(&nif, &g);
		else
			mc_leave(&nif, &g);
		filter(1 + rnd(4), rnd(2), n, m);
		if (rnd(20) == 0)
			ask(rnd(256), rnd(5), n, m, rnd(10) ? 0 : OLD_SIZE);
		pass(rnd(2000));
		*said = 0;
	}
	fail_one_in = 0;
	for (unsigned i = 0; i < 3000; i++)
		leave(1 + i % 4);
	pass(400000);
	*said = 0;
}

static void
test_damaged(void)
{
	join(1);
	filter(1, true, 1, 9);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t m[64];

		for (unsigned k = 0; k < sizeof(m); k++)
			m[k] = (uint8_t)(rnd(3) ? rnd(4) : rnd(256));
		m[0] = (uint8_t)(v6 ? 130 + rnd(3) : 0x11 + rnd(7));
		if (rnd(2)) {
			struct inet_addr g = addr(1);

			memcpy(m + (v6 ? 8 : 4), g.b + (v6 ? 0 : 12),
			       v6 ? 16 : 4);
		}
		give(m, 1 + rnd(sizeof(m)));
		pass(rnd(300));
		*said = 0;
	}
	leave(1);
	now_ms +=
		7 * 31744000u + 8387584u; /* the most that a query can claim */
	pass(8000);
	*said = 0;
}

static err_t
init_if(struct netif *n)
{
	n->output = output;
	n->output_ip6 = output6;
	n->linkoutput = link_out;
	n->mtu = n->mtu6 = 1500;
	n->flags = NETIF_FLAG_IGMP | NETIF_FLAG_MLD6 | NETIF_FLAG_ETHARP;
	n->hwaddr_len = 6;
	return ERR_OK;
}

int
main(void)
{
	ip4_addr_t a, m, none = { 0 };
	long before;

	seed = getenv("PITH_SEED") ? strtoull(getenv("PITH_SEED"), NULL, 0) : 1;
	lwip_init();
	now_ms = 0xffff0000u; /* the clock's words come round */
	before = allocated;
	IP4_ADDR(&a, 10, 0, 0, 1);
	IP4_ADDR(&m, 255, 255, 255, 0);
	netif_add(&nif, &a, &m, &none, NULL, init_if, ip_input);
	nif.chksum_flags &= (u16_t)~NETIF_CHECKSUM_CHECK_ICMP6;
	netif_set_link_up(&nif);
	netif_set_up(&nif);
	netif_create_ip6_linklocal_address(&nif, 1);
	netif_ip6_addr_set_state(&nif, 0, IP6_ADDR_PREFERRED);
	pass(5000);
	*said = 0;
	for (unsigned i = 0; i < 2; i++) {
		v6 = i;
		test_changes();
		test_queries();
		test_old();
		test_many();
		test_scarce();
		test_damaged();
	}
	netif_remove(&nif);
	CHECK(allocated == before);
	puts("ok");
	return 0;
}
