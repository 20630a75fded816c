/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path with a narrow place whose queue is short, and one that loses: the
 * sender fills it, and sends again little more than what was lost.  Times are
 * those of the wire, the same on every machine.
 *
 * INCLUDE: src/net/lwip/include $LWIP/include test/unit/net
 * SOURCES: $LWIP/core/tcp.c $LWIP/core/tcp_in.c $LWIP/core/tcp_out.c
 * SOURCES: src/net/lwip/congestion.c src/net/lwip/dhcp_options.c
 * SOURCES: test/unit/net/stack.c test/unit/net/wire.c
 * SOURCES: src/net/syncookie.c src/base/hash.c
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
#include <stdlib.h>

#include "wire.h"

#define BYTES (8u << 20)

/* Of so many packets, those that were lost are sent again, and few besides. */
static void
check_again(const char *what, uint32_t need, bool both_ways)
{
	uint32_t again = sent_there - need;

	printf("%s: %u lost, %u sent again\n", what, lost, again);
	CHECK(again <= lost + lost / 4 + 20);
	CHECK(both_ways || again >= lost);
}

/* 4 packets a millisecond, a round trip of 60 ms: 240 packets fill the path. */
static void
narrow(unsigned places, bool large, unsigned least)
{
	uint32_t ms, need = BYTES / 1448 + 1, share;

	offload = large;
	rate = 4;
	queue = places;
	delay = 30;
	ms = transfer("narrow", BYTES);
	share = need / rate * 100 / ms;
	printf("queue of %u: %u %% of the path\n", queue, share);
	check_again("narrow", need, false);
	CHECK(share >= least);
	settle();
	rate = 0;
}

/* What is lost is found by what came later, not by a time-out each. */
static void
lossy(unsigned percent, bool large, uint32_t most)
{
	uint32_t ms, need = BYTES / 4 / 1448 + 1;

	offload = large;
	delay = 10;
	loss = percent;
	ms = transfer("lossy", BYTES / 4);
	check_again("lossy", need, true);
	CHECK(ms < most);
	loss = 0;
	settle();
}

int
main(void)
{
	open_stack();
	seed = getenv("PITH_SEED") ? strtoull(getenv("PITH_SEED"), NULL, 0) : 1;
	for (unsigned i = 0; i < 2; i++) {
		narrow(240, i, 55);
		narrow(70, i, 55);
		narrow(20, i, 20);
		lossy(1, i, 3000);
		lossy(5, i, 7000);
	}
	puts("ok");
	return 0;
}
