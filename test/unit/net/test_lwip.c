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
 * SOURCES: test/unit/net/stack.c src/net/syncookie.c src/base/hash.c
 * SOURCES: $LWIP/core/def.c $LWIP/core/inet_chksum.c $LWIP/core/init.c
 * SOURCES: $LWIP/core/ip.c $LWIP/core/mem.c $LWIP/core/memp.c
 * SOURCES: $LWIP/core/netif.c $LWIP/core/pbuf.c $LWIP/core/raw.c
 * SOURCES: $LWIP/core/stats.c $LWIP/core/udp.c $LWIP/core/ipv4/dhcp.c
 * SOURCES: $LWIP/core/ipv4/etharp.c $LWIP/core/ipv4/icmp.c
 * SOURCES: $LWIP/core/ipv4/igmp.c $LWIP/core/ipv4/ip4.c
 * SOURCES: $LWIP/core/ipv4/ip4_addr.c $LWIP/core/ipv4/ip4_frag.c
 * SOURCES: $LWIP/core/ipv6/dhcp6.c $LWIP/core/ipv6/ethip6.c
 * SOURCES: $LWIP/core/ipv6/icmp6.c $LWIP/core/ipv6/inet6.c
 * SOURCES: $LWIP/core/ipv6/ip6.c $LWIP/core/ipv6/ip6_addr.c
 * SOURCES: $LWIP/core/ipv6/ip6_frag.c $LWIP/core/ipv6/mld6.c
 * SOURCES: $LWIP/core/ipv6/nd6.c $LWIP/netif/ethernet.c
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/dhcp6.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/igmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ethernet.h>
#include <lwip/raw.h>
#include <lwip/tcp.h>
#include <netif/ethernet.h>

#include "port_hooks.h"
#include "port_input.h"
#include "stack.h"

static uint32_t got, urgent_at;

void
port_tcp_urgent(struct tcp_pcb *pcb, uint32_t ahead)
{
	(void)pcb;
	urgent_at = got + ahead;
}

/* ---- the wire ---- */

struct packet {
	struct packet *next;
	uint32_t at;
	int to;
	uint16_t len;
	uint8_t data[];
};
static struct packet *wire;
static struct netif nif[2];
static unsigned loss, reorder, twice, delay = 1; /* percent, ms */
static unsigned path_mtu = MTU, sent, lost, large;
static struct tcp_pcb *client, *server;
static bool too_large;

#define KEEP 256
static struct packet *kept[KEEP]; /* samples for damage */
static unsigned nkept;

static void
put(int to, const void *data, uint16_t len)
{
	struct packet *k, **at = &wire;

	k = malloc(sizeof(*k) + len);
	k->at = now_ms + delay + (rnd(100) < reorder ? rnd(20) : 0);
	k->to = to;
	k->len = len;
	memcpy(k->data, data, len);
	while (*at && (int32_t)((*at)->at - k->at) <= 0)
		at = &(*at)->next;
	k->next = *at;
	*at = k;
}

static void
send_one(int to, const void *data, uint16_t len)
{
	sent++;
	if (nkept < KEEP && rnd(4) == 0) {
		kept[nkept] = malloc(sizeof(*wire) + len);
		kept[nkept]->len = len;
		memcpy(kept[nkept++]->data, data, len);
	}
	if (len > path_mtu) {
		too_large = true; /* a router says so, later */
		return;
	}
	if (rnd(100) < loss) {
		lost++;
		return;
	}
	put(to, data, len);
	if (rnd(100) < twice)
		put(to, data, len);
}

static err_t
output(struct netif *n, struct pbuf *p, const ip4_addr_t *dst)
{
	uint8_t buf[MTU];
	int to = n == &nif[0];

	(void)dst;
	if (p->flags & PBUF_FLAG_GSO) {
		large++;
		gso_cut(p, to, send_one);
		return ERR_OK;
	}
	CHECK(p->tot_len <= MTU);
	pbuf_copy_partial(p, buf, p->tot_len, 0);
	send_one(to, buf, p->tot_len);
	return ERR_OK;
}

static err_t
output6(struct netif *n, struct pbuf *p, const ip6_addr_t *dst)
{
	(void)n, (void)p, (void)dst;
	return ERR_OK;
}

static err_t
link_out(struct netif *n, struct pbuf *p)
{
	(void)n, (void)p;
	return ERR_OK;
}

static err_t
init_if(struct netif *n)
{
	n->output = output;
	n->output_ip6 = output6;
	n->linkoutput = link_out;
	n->mtu = n->mtu6 = MTU;
	n->hwaddr_len = 6;
	n->hwaddr[5] = (u8_t)(n == &nif[1]);
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
		   NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	n->name[0] = 'e';
	return ERR_OK;
}

static void
step(void)
{
	now_ms++;
	while (wire && (int32_t)(wire->at - now_ms) <= 0) {
		struct packet *k = wire;
		struct pbuf *p = pbuf_alloc(PBUF_RAW, k->len, PBUF_RAM);

		wire = k->next;
		pbuf_take(p, k->data, k->len);
		ip4_input(p, &nif[k->to]);
		free(k);
	}
	if (too_large && client)
		tcp_path_mtu(client, (u16_t)path_mtu);
	too_large = false;
	if (now_ms % TCP_TMR_INTERVAL == 0)
		tcp_tmr();
	if (now_ms % 1000 == 0) {
		tcp_tw_tmr();
		ip_reass_tmr();
		ip6_reass_tmr();
		etharp_tmr();
		nd6_tmr();
	}
}

/* ---- ends of a connection ---- */

static uint8_t source[1 << 16];
static uint32_t to_send, written;
static bool fin_seen;

static uint8_t
byte_at(uint32_t i)
{
	return (uint8_t)(i * 2654435761u >> 24);
}

static err_t
on_data(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	(void)arg, (void)err;
	if (!p) {
		fin_seen = true;
		return ERR_OK;
	}
	for (struct pbuf *q = p; q; q = q->next)
		for (u16_t i = 0; i < q->len; i++, got++)
			CHECK(((uint8_t *)q->payload)[i] == byte_at(got));
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static void
on_error(void *arg, err_t err)
{
	*(struct tcp_pcb **)arg = NULL;
	(void)err;
}

void
port_tcp_processed(struct tcp_pcb *pcb)
{
	if (pcb->state != TIME_WAIT || !pcb->callback_arg)
		return;
	*(struct tcp_pcb **)pcb->callback_arg = NULL;
	pcb->callback_arg = NULL;
	pcb->errf = NULL;
}

static err_t
on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg, (void)err;
	server = pcb;
	tcp_arg(pcb, &server);
	tcp_recv(pcb, on_data);
	tcp_err(pcb, on_error);
	tcp_set_wnd(pcb, 1 << 20);
	return ERR_OK;
}

/* Half by reference, half copied; nothing that is referred to ever moves. */
static void
fill(void)
{
	static uint8_t *mem;

	if (!mem) {
		mem = malloc(8 << 20);
		for (uint32_t i = 0; i < 8 << 20; i++)
			mem[i] = byte_at(i);
	}
	while (client && written < to_send && written - got < 600000) {
		u16_t n = (u16_t)(1 + rnd(30000));

		if (n > to_send - written)
			n = (u16_t)(to_send - written);
		if (tcp_write(client, mem + written, n,
			      n < 600 ? TCP_WRITE_FLAG_COPY : 0) != ERR_OK)
			break;
		written += n;
	}
}

static void
feed(void)
{
	fill();
	if (client)
		tcp_output(client);
}

static void
open_both(void)
{
	ip_addr_t a;

	got = written = 0;
	fin_seen = false;
	client = tcp_new_ip_type(IPADDR_TYPE_V4);
	ip_addr_copy_from_ip4(client->local_ip, *netif_ip4_addr(&nif[0]));
	tcp_bind_netif(client, &nif[0]);
	tcp_arg(client, &client);
	tcp_err(client, on_error);
	ip_addr_copy_from_ip4(a, *netif_ip4_addr(&nif[1]));
	CHECK(tcp_connect(client, &a, 80, NULL) == ERR_OK);
	for (int i = 0;
	     i < 30000 && client && !(server && client->state == ESTABLISHED);
	     i++)
		step();
	CHECK(client && server);
}

static void
close_both(void)
{
	struct tcp_pcb *c = client, *s;

	tcp_arg(c, NULL);
	tcp_err(c, NULL);
	client = NULL;
	CHECK(tcp_close(c) == ERR_OK);
	for (int i = 0; i < 200000 && !fin_seen; i++)
		step();
	CHECK(fin_seen);
	s = server;
	server = NULL;
	if (s) {
		tcp_arg(s, NULL);
		tcp_err(s, NULL);
		tcp_recv(s, NULL);
		CHECK(tcp_close(s) == ERR_OK);
	}
}

/* Simulated milliseconds. */
static uint32_t
transfer(const char *what, uint32_t bytes)
{
	uint32_t start;

	sent = lost = large = 0;
	to_send = bytes;
	open_both();
	start = now_ms;
	while (got < bytes && now_ms - start < 600000) {
		feed();
		step();
	}
	if (got != bytes)
		printf("%s: %u of %u, client %d, %u written\n", what, got,
		       bytes, client ? (int)client->state : -1, written);
	CHECK(got == bytes);
	start = now_ms - start;
	printf("%s: %u bytes in %u ms, %u packets, %u lost, %u large\n", what,
	       bytes, start, sent, lost, large);
	close_both();
	return start;
}

/* Until every connection is forgotten. */
static void
settle(void)
{
	for (int i = 0; i < 300000 && (tcp_active_pcbs || tcp_tw_pcbs || wire);
	     i++)
		step();
	CHECK(!tcp_active_pcbs && !tcp_tw_pcbs && !tcp_busy_pcbs);
	CHECK(tcp_tw_count == 0 && refs == 0);
}

/* ---- the tests ---- */

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
test_path_mtu(void)
{
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
	ip4_addr_t a, m, none = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (uint32_t i = 0; i < sizeof(source); i++)
		source[i] = byte_at(i);
	lwip_init();
	IP4_ADDR(&m, 255, 255, 255, 0);
	for (int i = 0; i < 2; i++) {
		IP4_ADDR(&a, 10, 0, 0, 1 + i);
		netif_add(&nif[i], &a, &m, &none, NULL, init_if, ip_input);
		netif_set_link_up(&nif[i]);
		netif_set_up(&nif[i]);
		netif_create_ip6_linklocal_address(&nif[i], 1);
		netif_set_ip6_autoconfig_enabled(&nif[i], 1);
	}
	listener = tcp_new_ip_type(IPADDR_TYPE_V4);
	listener->local_port = 80;
	listener = tcp_listen_with_backlog(listener, 255);
	tcp_accept(listener, on_accept);
	test_clean();
	test_loss();
	test_path_mtu();
	test_many();
	test_rtt();
	test_idle();
	test_cookies();
	test_urgent();
	seed = getenv("PITH_SEED") ? strtoull(getenv("PITH_SEED"), NULL, 0) : 1;
	test_damage(getenv("PITH_LONG") ? 5000000 : 60000);
	puts("ok");
	return 0;
}
