/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lwIP with our configuration and our patches, on a wire that loses, delays,
 * repeats and damages packets: two interfaces of one stack, time by hand, one
 * seed.  Checks that every byte arrives and that what was lost comes soon,
 * that large segments are the sum of their parts, that connections leave
 * nothing behind, that a full listener answers with cookies, and that no frame
 * makes the sanitizers speak.
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

#include <lwip/etharp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ip6.h>

#include "port_hooks.h"
#include "port_input.h"
#include "wire.h"

static void
test_clean(void)
{
	uint32_t ms = transfer("clean", 4 << 20);

	CHECK(ms < 4000);
	settle();
	offload = true;
	ms = transfer("clean, offloaded", 4 << 20);
	CHECK(large > 50 && ms < 4000);
	offload = false;
	settle();
}

/* A time-out costs 200 ms at least; losses that SACK and partial
 * acknowledgements repair cost a round trip. */
static void
test_loss(void)
{
	uint32_t ms;

	delay = 5;
	loss = 1;
	ms = transfer("1% lost", 4 << 20);
	CHECK(ms < 15000);
	loss = 5;
	reorder = 20;
	twice = 1;
	ms = transfer("5% lost, 20% out of order, 1% twice", 2 << 20);
	CHECK(ms < 60000);
	offload = true;
	ms = transfer("the same, offloaded", 2 << 20);
	CHECK(ms < 60000);
	offload = false;
	loss = reorder = twice = 0;
	delay = 1;
	settle();
}

static void
test_path_mtu(bool large_ones)
{
	offload = large_ones;
	to_send = 300000;
	open_both();
	path_mtu = 1000;
	for (int i = 0; i < 60000 && got < to_send; i++) {
		feed();
		step();
	}
	CHECK(got == to_send);
	CHECK(client->mss == 960);
	path_mtu = MTU;
	close_both();
	settle();
	offload = false;
}

static void
test_many(void)
{
	long before = allocated;

	tcp_tw_max = 16;
	for (int i = 0; i < 500; i++) {
		to_send = 100;
		open_both();
		while (got < to_send) {
			feed();
			step();
		}
		close_both();
		for (int k = 0; k < 20; k++)
			step();
		CHECK(tcp_tw_count <= 16);
	}
	settle();
	CHECK(allocated == before);
}

/* A round trip of 10 ms is told as such from the SYN on, however long nothing
 * is said after it; what is sent again says nothing of it. */
static void
test_rtt(void)
{
	delay = 5;
	to_send = 400000;
	open_both();
	for (int i = 0; i < 5000; i++)
		step();
	feed();
	for (int i = 0; i < 20; i++)
		step();
	CHECK(client->us_srtt / 8 >= 9000 && client->us_srtt / 8 <= 13000);
	CHECK(client->sa / 8 >= 9 && client->sa / 8 <= 13);
	CHECK(server->us_srtt / 8 >= 9000 && server->us_srtt / 8 <= 13000);
	while (got < to_send) {
		feed();
		step();
	}
	CHECK(client->us_min >= 9000 && client->us_min <= 13000);
	close_both();
	settle();
	loss = 8;
	open_both();
	while (got < to_send) {
		feed();
		step();
	}
	CHECK(client->us_min >= 9000);
	close_both();
	loss = 0;
	delay = 1;
	settle();
}

/* Idle connections need no timer. */
static void
test_idle(void)
{
	to_send = 1000;
	open_both();
	while (got < to_send) {
		feed();
		step();
	}
	for (int i = 0; i < 1000; i++)
		step();
	CHECK(!tcp_busy_pcbs && tcp_active_pcbs);
	close_both();
	settle();
}

/* A listener that is full keeps nothing of a SYN, and the connection is none
 * the worse for it: scaling and SACK are there, or time stamps are not. */
static void
test_cookies(void)
{
	struct tcp_pcb_listen *l = (struct tcp_pcb_listen *)(void *)listener;
	uint32_t backlog = l->backlog, ms;

	l->backlog = 0;
	cookies = cookies_good = 0;
	ms = transfer("by a cookie", 4 << 20);
	CHECK(cookies == 1 && cookies_good == 1 && ms < 4000);
	settle();
	delay = 5;
	loss = 2;
	ms = transfer("by a cookie, 2% lost", 1 << 20);
	CHECK(cookies >= 2 && ms < 15000);
	delay = 1;
	loss = 0;
	settle();
	open_both();
	CHECK(server->flags & TF_WND_SCALE && server->flags & TF_SACK &&
	      server->flags & TF_TIMESTAMP && server->mss == 1460 &&
	      server->snd_scale == TCP_RCV_SCALE);
	close_both();
	settle();
	l->backlog = backlog;
}

/* The pointer to an urgent byte comes ahead of it, whatever is lost, and
 * stands still when more follows. */
static void
test_urgent(void)
{
	loss = 10;
	delay = 5;
	for (unsigned i = 0; i < 8; i++) {
		uint32_t at = 1 + rnd(200000);

		to_send = at;
		open_both();
		urgent_at = 0;
		while (written < at) {
			fill();
			/* Said before it leaves, as the kernel does. */
			if (written == at)
				tcp_urgent(client, client->snd_lbb);
			tcp_output(client);
			if (written < at)
				step();
		}
		to_send = at + rnd(50000);
		while (got < to_send) {
			feed();
			step();
			CHECK(!urgent_at || urgent_at == at - 1);
			CHECK(urgent_at || got < at);
		}
		CHECK(urgent_at == at - 1);
		close_both();
		settle();
	}
	loss = 0;
	delay = 1;
}

/* What is sent beyond the window, in any order, is not taken. */
static void
test_overrun(void)
{
	uint32_t first, end;

	to_send = 0;
	for (unsigned i = 0; i < 200; i++) {
		open_both();
		reading = 0;
		server->wnd_max = server->rcv_wnd = server->rcv_ann_wnd =
			1 + rnd(3000);
		first = server->rcv_nxt;
		end = first + server->rcv_wnd;
		for (unsigned k = 0; k < 20; k++)
			give_tcp(server, first + rnd(3000), server->snd_nxt,
				 NULL, 0, rnd(1400));
		give_tcp(server, server->rcv_nxt, server->snd_nxt, NULL, 0,
			 1400);
		CHECK(TCP_SEQ_LEQ(server->rcv_nxt, end));
		CHECK(server->rcv_nxt - first == got);
		reading = 100;
		tcp_arg(client, NULL);
		tcp_err(client, NULL);
		tcp_abort(client);
		client = NULL;
		settle();
		CHECK(!server);
	}
}

static unsigned
waiting(const struct tcp_pcb *pcb)
{
	unsigned n = 0;

	for (const struct tcp_seg *s = pcb->ooseq; s; s = s->next)
		n++;
	return n;
}

/* Much that comes before what goes in front of it: all of it counts; of
 * crumbs only so many are kept. */
static void
test_out_of_order(void)
{
	uint32_t first, wnd = 1u << 20;

	to_send = 0;
	open_both();
	server->wnd_max = server->rcv_wnd = server->rcv_ann_wnd = wnd;
	first = server->rcv_nxt;
	for (unsigned k = 600; k-- > 1;)
		give_tcp(server, first + k * 1400, server->snd_nxt, NULL, 0,
			 1400);
	CHECK(waiting(server) == 599 && !got);
	give_tcp(server, first, server->snd_nxt, NULL, 0, 1400);
	CHECK(!server->ooseq && got == 600 * 1400);
	CHECK(server->rcv_nxt - first == got);
	first = server->rcv_nxt;
	for (unsigned k = 0; k < 6000; k++) {
		uint32_t at = k < 3000 ? 1 + 2 * k : 13000 - 2 * (k - 3000);

		give_tcp(server, first + at, server->snd_nxt, NULL, 0, 1);
		CHECK(waiting(server) <= wnd / 512 + 64);
	}
	CHECK(waiting(server) == wnd / 512 + 64);
	tcp_arg(client, NULL);
	tcp_err(client, NULL);
	tcp_abort(client);
	client = NULL;
	settle();
	CHECK(!server);
}

/* ---- damage ---- */

static uint16_t
sum_of(const uint8_t *b, unsigned n)
{
	return inet_chksum(b, (u16_t)n);
}

/* Half of the damaged packets get good checksums, or few would get far. */
static void
mend(uint8_t *b, unsigned len)
{
	unsigned ihl = (b[0] & 15u) * 4;
	uint16_t s;

	if (len < 20 || b[0] >> 4 != 4 || ihl < 20 || ihl > len)
		return;
	b[10] = b[11] = 0;
	s = sum_of(b, ihl);
	memcpy(b + 10, &s, 2);
	if (b[9] == IP_PROTO_ICMP && len >= ihl + 4) {
		b[ihl + 2] = b[ihl + 3] = 0;
		s = sum_of(b + ihl, len - ihl);
		memcpy(b + ihl + 2, &s, 2);
	}
}

static void
give(const uint8_t *b, unsigned len, uint16_t type)
{
	struct pbuf *p, *q;
	unsigned first = rnd(3) ? len : rnd(len + 1);

	/* The port checks the sum by the device's word half of the time. */
	nif[1].chksum_flags = rnd(2) ? NETIF_CHECKSUM_ENABLE_ALL :
				       (u16_t)(NETIF_CHECKSUM_ENABLE_ALL &
					       ~(NETIF_CHECKSUM_CHECK_TCP |
						 NETIF_CHECKSUM_CHECK_UDP |
						 NETIF_CHECKSUM_CHECK_ICMP6));
	p = pbuf_alloc(PBUF_RAW, (u16_t)first, PBUF_RAM);
	pbuf_take(p, b, (u16_t)first);
	if (first < len) {
		q = pbuf_alloc(PBUF_RAW, (u16_t)(len - first), PBUF_RAM);
		pbuf_take(q, b + first, q->len);
		pbuf_cat(p, q);
	}
	p->if_idx = netif_get_index(&nif[1]);
	p->flags |= rnd(3) ? 0 : rnd(2) ? PBUF_FLAG_LLBCAST : PBUF_FLAG_LLMCAST;
	p = port_whole_head(p, type);
	if (!p)
		return;
	if (type == ETHTYPE_ARP)
		etharp_input(p, &nif[1]);
	else if (type == ETHTYPE_IP)
		ip4_input(p, &nif[1]);
	else
		ip6_input(p, &nif[1]);
}

/* Packets of protocols that the transfers do not make. */
static unsigned
invent(uint8_t *b, uint16_t *type)
{
	static const uint8_t next[] = { 0, 6, 17, 43, 44, 58, 58, 58, 59, 60 };
	static const uint8_t icmp6[] = { 1,   2,   3,	4,   128, 129, 130,
					 131, 132, 133, 134, 135, 136, 137 };
	unsigned len = 40 + rnd(200);

	for (unsigned i = 0; i < len; i++)
		b[i] = (uint8_t)rnd(256);
	switch (rnd(4)) {
	case 0:
		*type = ETHTYPE_ARP;
		b[0] = 0, b[1] = 1, b[2] = 8, b[3] = 0, b[4] = 6, b[5] = 4;
		b[6] = 0, b[7] = (uint8_t)(1 + rnd(2));
		memcpy(b + 24, netif_ip4_addr(&nif[1]), 4);
		return 28 + rnd(20);
	case 1:
		*type = ETHTYPE_IP;
		b[0] = 0x45;
		b[2] = 0, b[3] = (uint8_t)len;
		b[6] &= 0x3f;
		b[9] = (uint8_t[]){ 1, 2, 6, 17 }[rnd(4)];
		memcpy(b + 12, netif_ip4_addr(&nif[0]), 4);
		memcpy(b + 16, netif_ip4_addr(&nif[1]), 4);
		if (b[9] == 2)
			memcpy(b + 16, (uint8_t[]){ 224, 0, 0, 1 }, 4);
		if (b[9] == 17)
			b[22] = 0, b[23] = (uint8_t)(rnd(2) ? 68 : 53);
		return len;
	default:
		*type = ETHTYPE_IPV6;
		b[0] = 0x60;
		b[4] = 0, b[5] = (uint8_t)(len - 40);
		b[6] = next[rnd(sizeof(next))];
		b[7] = 255;
		memcpy(b + 8, netif_ip6_addr(&nif[1], 0), 16);
		b[23] ^= 1;
		memcpy(b + 24, netif_ip6_addr(&nif[1], 0), 16);
		if (rnd(2))
			memcpy(b + 24, (uint8_t[16]){ 0xff, 2, [15] = 1 }, 16);
		if (b[6] == 58) {
			b[40] = icmp6[rnd(sizeof(icmp6))];
			b[41] = 0;
		} else if (len > 48) {
			b[40] = next[rnd(sizeof(next))];
			b[41] = (uint8_t)rnd(8);
		}
		return len;
	}
}

static void
test_damage(unsigned rounds)
{
	long before;

	to_send = 8 << 20;
	made_up = true;
	open_both();
	before = allocated;
	for (unsigned i = 0; i < rounds; i++) {
		uint8_t b[2048];
		uint16_t type = ETHTYPE_IP;
		unsigned len;

		if (rnd(2) && nkept) {
			const struct packet *k = kept[rnd(nkept)];

			len = k->len;
			memcpy(b, k->data, len);
			for (unsigned n = rnd(6); n; n--)
				b[rnd(len < 64 || rnd(2) ? len : 64)] =
					(uint8_t)(rnd(2) ? rnd(256) :
							   (unsigned[]){
								   0, 1, 127,
								   255 }[rnd(
								   4)]);
			if (rnd(4) == 0)
				len = rnd(len + 1);
		} else {
			len = invent(b, &type);
			if (rnd(8) == 0)
				len = rnd(len + 1);
		}
		if (rnd(4))
			mend(b, len);
		if (len)
			give(b, len, type);
		if (rnd(16) == 0)
			step();
		if (!server) { /* a damaged packet was a valid reset */
			if (client) {
				tcp_arg(client, NULL);
				tcp_err(client, NULL);
				tcp_abort(client);
				client = NULL;
			}
			open_both();
		}
	}
	printf("damaged frames: %u, blocks held %ld\n", rounds,
	       allocated - before);
	CHECK(allocated - before < 20000);
}

int
main(void)
{
	open_stack();
	test_clean();
	test_loss();
	test_path_mtu(false);
	test_path_mtu(true);
	test_many();
	test_rtt();
	test_idle();
	test_cookies();
	test_urgent();
	test_overrun();
	test_out_of_order();
	seed = getenv("PITH_SEED") ? strtoull(getenv("PITH_SEED"), NULL, 0) : 1;
	test_damage(getenv("PITH_LONG") ? 5000000 : 60000);
	puts("ok");
	return 0;
}
