/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large segments, which hold many packets, of IPv4 and of IPv6: on bad wires
 * and with bad devices they are cut where they must be, every byte arrives once,
 * and the queues stay what they are; they arrive whole as well.  PITH_SEED
 * chooses other weather.
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
#include <string.h>

#include <lwip/priv/tcp_priv.h>

#include "wire.h"

/* Large segments on a wire that loses, with a device that keeps them, has no
 * room or no memory, ceases to cut them; that end with the stream; for a reader
 * that takes its time. */
static void
test_large(unsigned rounds)
{
	offload = true;
	delay = 5;
	for (unsigned i = 0; i < rounds; i++) {
		whole = i % 8 >= 6;
		loss = i % 3 ? rnd(6) : 0;
		reorder = i % 4 == 1 ? rnd(30) : 0;
		twice = i % 5 == 2;
		slow = i % 2 ? 20 : 0;
		full = i % 4 == 2 ? 30 : 0;
		scarce = i % 6 == 3 ? 40 : 0;
		hurry = i % 3 == 1;
		reading = i % 8 == 5 ? 10 : 100;
		window = i % 8 == 5 ? 2000 + rnd(60000) : 1 << 20;
		transfer("large", 300000 + rnd(700000));
		settle();
	}
	slow = full = scarce = 0;
	hurry = whole = false;
	reading = 100;
	window = 1 << 20;
	loss = 2;
	to_send = 2 << 20;
	open_both();
	for (uint32_t t = 0; got < to_send && t < 100000; t++) {
		offload = rnd(4) != 0;
		feed();
		step();
	}
	CHECK(got == to_send);
	close_both();
	settle();
	loss = reorder = twice = 0;
	delay = 1;
	offload = false;
}

/* One acknowledgement with up to four ranges, as the server might send it. */
static void
give_sack(uint32_t ack, const uint32_t (*r)[2], unsigned n)
{
	uint8_t o[36] = { 1, 1, 5, (uint8_t)(2 + n * 8) };

	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < 2; k++) {
			uint32_t v = lwip_htonl(r[i][k]);

			memcpy(o + 4 + i * 8 + k * 4, &v, 4);
		}
	give_tcp(client, client->rcv_nxt, ack, o, 4 + n * 8, 0);
}

/* What another end makes up does not leave crumbs: segments are cut between
 * packets only, and those marked are within what was said. */
static void
test_made_up_sack(void)
{
	uint32_t room, una;
	unsigned n;

	offload = true;
	loss = 100; /* nobody but us speaks */
	for (unsigned round = 0; round < 8; round++) {
		loss = 0;
		to_send = 600000;
		open_both();
		client->cwnd = 400000;
		loss = 100;
		feed();
		CHECK(client->unacked && client->unacked->len > 20000);
		room = tcp_mss(client);
		una = client->lastack;
		for (unsigned i = 0; i < 300 && client; i++) {
			uint32_t r[4][2], flying = client->snd_nxt - una;

			for (n = 0; n < 4; n++) {
				r[n][0] = una + rnd(flying);
				r[n][1] = r[n][0] + rnd(i % 2 ? 60 : 30000);
			}
			if (i % 50 == 49)
				una += rnd(flying / 8);
			give_sack(una, (const uint32_t(*)[2])r, 4);
			una = client->lastack;
			check_queues(client);
			CHECK(told == client->lastack - first_seq);
			if (rnd(8) == 0)
				step();
		}
		n = 0;
		for (struct tcp_seg *seg = client->unacked; seg;
		     seg = seg->next)
			n++;
		CHECK(n < 600000 / room + 30);
		tcp_arg(client, NULL);
		tcp_err(client, NULL);
		tcp_abort(client);
		client = NULL;
		loss = 0;
		tcp_arg(server, NULL);
		tcp_err(server, NULL);
		tcp_abort(server);
		server = NULL;
		settle();
	}
	offload = false;
}

static err_t
on_any(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	(void)arg, (void)err;
	fin_seen = !p;
	if (p) {
		tcp_recved(pcb, p->tot_len);
		pbuf_free(p);
	}
	return ERR_OK;
}

/* A small packet waits while an earlier one is on its way, and full ones do
 * not; the last of a large segment as well. */
static void
test_nagle(void)
{
	static const uint8_t more[20000];
	uint32_t room;

	for (unsigned i = 0; i < 2; i++) {
		offload = i;
		delay = 10;
		to_send = 0;
		open_both();
		for (int k = 0; k < 100; k++)
			step();
		room = tcp_mss(client);
		tcp_recv(server, on_any);
		CHECK(!tcp_write(client, more, 100, 0));
		tcp_output(client);
		CHECK(!client->unsent && client->snd_nxt == client->snd_lbb);
		CHECK(!tcp_write(client, more, 100, TCP_WRITE_FLAG_COPY));
		tcp_output(client);
		CHECK(client->unsent && client->unsent->len == 100);
		CHECK(!tcp_write(client, more, 5000, 0));
		tcp_output(client);
		CHECK(client->unsent && client->unsent->len == 5100 % room);
		check_queues(client);
		for (int k = 0; k < 100; k++)
			step();
		CHECK(!client->unsent && !client->unacked);
		CHECK(!tcp_write(client, more, 5000, 0));
		tcp_output(client);
		CHECK(!client->unsent); /* no other small one is out */
		for (int k = 0; k < 100; k++)
			step();
		close_both();
		settle();
	}
	offload = false;
	delay = 1;
}

int
main(void)
{
	open_stack();
	seed = getenv("PITH_SEED") ? strtoull(getenv("PITH_SEED"), NULL, 0) : 1;
	for (unsigned i = 0; i < 2; i++) {
		over6 = i;
		test_large(24 >> i);
		test_made_up_sack();
		test_nagle();
	}
	puts("ok");
	return 0;
}
