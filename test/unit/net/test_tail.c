/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Losses at the end of what is sent, where no later packet shows them: they are
 * mended long before the time-out; and what is sent after a pause.  The path takes 30 ms each way, so that the
 * time-out is 260 ms.
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
#include <string.h>

#include <lwip/priv/tcp_priv.h>

#include "wire.h"

#define PACKET 1448u
#define WAY    30u
#define TICK   TCP_TMR_INTERVAL

/* What is lost of those packets with data that leave for the first time: from
 * the one of that number on, so many; and so many of those that leave again. */
static uint32_t from, many, again_lost;
static uint32_t first; /* sequence number of the first byte of the answer */
static uint32_t high;  /* what left ends here */
static uint32_t again; /* packets that left again */

static bool
lose(int to, const void *data, uint16_t len)
{
	const uint8_t *t = (const uint8_t *)data + 20;
	uint16_t head = (uint16_t)(20 + (t[12] >> 4) * 4), n;
	uint32_t seq, at;

	if (to != 1 || (len == head && !(t[13] & TCP_FIN)))
		return false;
	memcpy(&seq, t + 4, 4);
	seq = lwip_ntohl(seq);
	n = (uint16_t)(len - head + (t[13] & TCP_FIN ? 1 : 0));
	if (TCP_SEQ_LT(seq, high)) {
		again++;
		return again <= again_lost;
	}
	high = seq + n;
	at = (seq - first) / PACKET;
	return at >= from && at < from + many;
}

static void
run(uint32_t ms)
{
	while (ms--)
		step();
}

static void
open_path(void)
{
	delay = WAY;
	to_send = 100000; /* enough to know the path */
	open_both();
	while (got < to_send) {
		feed();
		step();
	}
	run(200);
	CHECK(client->unacked == NULL && client->sa / 8 >= 60 &&
	      client->rto == 260 / TICK);
	loses = lose;
}

static void
close_path(void)
{
	loses = NULL;
	close_both();
	settle();
}

/* So many bytes at once. */
static void
say(uint32_t bytes)
{
	static uint8_t mem[60000];

	first = high = client->snd_nxt;
	again = 0;
	for (uint32_t i = 0; i < bytes; i++)
		mem[i] = byte_at(written + i);
	CHECK(tcp_write(client, mem, (u16_t)bytes, TCP_WRITE_FLAG_COPY) ==
	      ERR_OK);
	written += bytes;
	to_send = written;
	tcp_output(client);
}

/* Milliseconds until the other end has all of it. */
static uint32_t
heard(const char *what)
{
	uint32_t start = now_ms;

	while (got < to_send && now_ms - start < 5000)
		step();
	printf("%s, %u from %u: %u ms, %u again, window %u\n", what, many, from,
	       now_ms - start, again, client->cwnd / client->mss);
	CHECK(got == to_send);
	return now_ms - start;
}

static void
lose_of(uint32_t packets, uint32_t at, uint32_t n, uint32_t most)
{
	uint32_t cwnd;

	open_path();
	from = at;
	many = n;
	cwnd = client->cwnd;
	run(7); /* of the 20 between two looks at the clock */
	say(packets * PACKET - 100);
	CHECK(heard("lost") <= most);
	CHECK(again >= n && again <= n + 1);
	run(100);
	/* It was a loss, and not a time-out. */
	many = 0;
	say(100);
	heard("then");
	run(200);
	CHECK(client->nrtx == 0 && !(client->flags & TF_PROBE));
	CHECK(client->ssthresh < cwnd && client->ssthresh >= cwnd / 2);
	CHECK(client->cwnd >= 10u * client->mss);
	close_path();
}

/* Two round trips after what was heard last, and up to a tick that is under way;
 * with only one packet, 40 ms more, for which it may wait for another. */
#define PROBED (2 * 2 * WAY + TICK)
#define SINGLE (PROBED + 40)

static void
test_lost(void)
{
	/* The last one: the probe is what was lost. */
	lose_of(10, 9, 1, 2 * WAY + TICK + SINGLE + WAY);
	/* More: the probe's answer says so. */
	lose_of(10, 8, 2, 2 * WAY + PROBED + 3 * WAY);
	/* One packet leaves for each that arrives, and one more (RFC 6937). */
	lose_of(10, 5, 5, 2 * WAY + PROBED + 7 * WAY);
	/* All: nothing was heard since it left. */
	lose_of(2, 0, 2, PROBED + 3 * WAY);
	lose_of(10, 0, 10, PROBED + 9 * WAY);
	/* One or two of the last came: a quarter of a round trip. */
	lose_of(10, 8, 1, 2 * WAY + WAY + TICK);
	lose_of(10, 7, 1, 2 * WAY + WAY + TICK);
	lose_of(2, 0, 1, 2 * WAY + WAY + TICK);
	/* One packet. */
	lose_of(1, 0, 1, SINGLE + WAY);
}

/* The probe is lost, too: the time-out comes, and little later. */
static void
test_probe_lost(void)
{
	uint32_t ms;

	open_path();
	from = 9;
	many = 1;
	again_lost = 1;
	say(10 * PACKET);
	ms = heard("probe lost");
	CHECK(ms <= 2 * WAY + TICK + 2 * SINGLE + WAY && again == 2);
	again_lost = 0;
	run(200);
	close_path();
}

/* The answer is late: one probe, and the window is what it was. */
static void
test_late(void)
{
	uint32_t cwnd;

	open_path();
	many = 0;
	cwnd = client->cwnd;
	delay = 80;
	say(10 * PACKET);
	heard("late");
	run(1000);
	CHECK(again == 1 && client->cwnd >= cwnd);
	CHECK(!(client->flags & TF_PROBE));
	delay = WAY;
	close_path();
}

/* Nobody answers: one probe, then time-outs at growing intervals. */
static void
test_nobody(void)
{
	open_path();
	from = 0;
	many = 10;
	again_lost = 1000;
	say(10 * PACKET);
	run(3000);
	CHECK(again == 1 + 3 && client->nrtx == 3);
	again_lost = 0;
	run(3000);
	CHECK(got == to_send);
	close_path();
}

/* What waits for room is sent rather than the last once more. */
static void
test_new(void)
{
	open_path();
	from = 2;
	many = 2;
	client->cwnd = client->ssthresh = 4 * client->mss;
	say(6 * PACKET);
	CHECK(client->unsent);
	CHECK(heard("new") <= 2 * WAY + PROBED + 3 * WAY);
	CHECK(again == 2);
	run(200);
	close_path();
}

/* The end of the stream is lost with the last packet. */
static void
test_end(void)
{
	uint32_t start;

	open_path();
	from = 9;
	many = 2;
	say(10 * PACKET - 1);
	start = now_ms;
	close_both();
	printf("the end: %u ms, %u again\n", now_ms - start, again);
	CHECK(now_ms - start <= 2 * WAY + TICK + SINGLE + 3 * WAY);
	CHECK(again >= 1 && again <= 2);
	loses = NULL;
	settle();
}

/* Packets that overtake each other are no losses for long. */
static void
test_overtaken(void)
{
	uint32_t packets = 0, seen = 0;

	open_path();
	loses = NULL;
	reorder = 20;
	for (int i = 0; i < 200; i++) {
		uint32_t before = sent_there;

		say(10 * PACKET);
		heard("overtaken");
		run(100);
		packets += 10;
		seen += sent_there - before;
	}
	printf("%u packets, %u sent\n", packets, seen);
	CHECK(seen < packets + packets / 20);
	reorder = 0;
	close_path();
}

/* Asked for more after a pause, it begins with little; if it was short, where
 * it was (RFC 5681, 4.1). */
static void
test_pause(void)
{
	uint32_t cwnd, thresh;

	open_path();
	loses = NULL;
	client->cwnd = cwnd = 80 * client->mss;
	say(10 * PACKET);
	heard("no pause");
	run(150);
	say(10 * PACKET);
	heard("a short pause");
	run(100);
	CHECK(client->cwnd == cwnd);
	run(270);
	say(10 * PACKET);
	CHECK(client->cwnd == cwnd / 2 && client->ssthresh >= cwnd / 4 * 3);
	heard("a pause");
	run(60000);
	say(40 * PACKET);
	CHECK(client->cwnd == 10u * client->mss && client->unsent);
	thresh = client->ssthresh;
	CHECK(heard("a long pause") <= 60 + 60 + WAY);
	run(200);
	CHECK(client->cwnd > 20u * client->mss && client->ssthresh == thresh);
	close_path();
}

int
main(void)
{
	open_stack();
	for (unsigned i = 0; i < 2; i++) {
		offload = i;
		test_lost();
		test_probe_lost();
		test_late();
		test_nobody();
		test_new();
		test_end();
		test_overtaken();
		test_pause();
	}
	puts("ok");
	return 0;
}
