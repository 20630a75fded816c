/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire of wire.h, and who stands at its two ends.
 */
#include "wire.h"

#include <string.h>

#include <lwip/etharp.h>
#include <lwip/inet_chksum.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>

#include "port_hooks.h"

uint32_t got, urgent_at;

void
port_tcp_urgent(struct tcp_pcb *pcb, uint32_t ahead)
{
	(void)pcb;
	urgent_at = got + ahead;
}

/* ---- the wire ---- */

struct packet *wire;
struct netif nif[2];
unsigned loss, reorder, twice, delay = 1;
unsigned path_mtu = MTU, sent, lost, large;
struct tcp_pcb *client, *server;
unsigned rate, queue, sent_there;
bool (*loses)(int to, const void *data, uint16_t len);
static bool too_large;

struct packet *kept[KEEP];
unsigned nkept;

static void
put(int to, const void *data, uint16_t len)
{
	static uint64_t free_us; /* the narrow place, of all before this one */
	uint64_t now_us = now_ms * 1000ull;
	uint32_t waits = 0;

	if (rate && to == 1) {
		if (free_us < now_us)
			free_us = now_us;
		if ((free_us - now_us) * rate / 1000 >= queue) {
			lost++;
			return;
		}
		free_us += 1000 / rate;
		waits = (uint32_t)((free_us - now_us) / 1000);
	}
	packet_put(&wire,
		   now_ms + waits + delay + (rnd(100) < reorder ? rnd(20) : 0),
		   to, data, len);
}

static void
send_one(int to, const void *data, uint16_t len)
{
	sent++;
	sent_there += to == 1;
	if (nkept < KEEP && rnd(4) == 0) {
		kept[nkept] = malloc(sizeof(*wire) + len);
		kept[nkept]->len = len;
		memcpy(kept[nkept++]->data, data, len);
	}
	if (len > path_mtu && !whole) {
		too_large = true; /* a router says so, later */
		return;
	}
	if (loses ? loses(to, data, len) : rnd(100) < loss) {
		lost++;
		return;
	}
	put(to, data, len);
	if (rnd(100) < twice)
		put(to, data, len);
}

/* Packets that the device keeps for a while, and its queue that is full. */
struct held {
	struct held *next;
	struct pbuf *p;
	uint32_t until;
};
static struct held *device;
unsigned slow, full;

static void
hold(struct pbuf *p)
{
	struct held *h, **at = &device;

	if (!slow)
		return;
	h = malloc(sizeof(*h));
	pbuf_ref(p);
	h->p = p;
	h->until = now_ms + rnd(slow);
	while (*at)
		at = &(*at)->next;
	h->next = NULL;
	*at = h;
}

static void
let_go(void)
{
	struct held **at = &device, *h;

	while ((h = *at)) {
		if ((int32_t)(h->until - now_ms) > 0) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		pbuf_free(h->p);
		free(h);
	}
}

static err_t
leave(struct netif *n, struct pbuf *p)
{
	uint8_t buf[MTU];
	int to = n == &nif[0];

	if (full && rnd(100) < full)
		return ERR_MEM;
	hold(p);
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
output(struct netif *n, struct pbuf *p, const ip4_addr_t *dst)
{
	(void)dst;
	return leave(n, p);
}

/* Neighbours and groups are not looked for. */
static err_t
output6(struct netif *n, struct pbuf *p, const ip6_addr_t *dst)
{
	(void)dst;
	return ((uint8_t *)p->payload)[6] == IP6_NEXTH_TCP ? leave(n, p) :
							     ERR_OK;
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

/* Every byte from the first that is not acknowledged to the last that was
 * written is in one segment of one queue, and what is counted is so. */
void
check_queues(const struct tcp_pcb *pcb)
{
	const struct tcp_seg *a = pcb->unacked, *b = pcb->unsent, *seg;
	uint32_t pieces = 0, seq = pcb->lastack - pcb->part_acked, v;

	if (pcb->state < ESTABLISHED || pcb->state == TIME_WAIT)
		return;
	while (a || b) {
		bool first = !b || (a && TCP_SEQ_LT(ntohl(a->tcphdr->seqno),
						    ntohl(b->tcphdr->seqno)));

		seg = first ? a : b;
		a = first ? a->next : a;
		b = first ? b : b->next;
		v = lwip_ntohl(seg->tcphdr->seqno);
		CHECK(v == seq && seg->pieces == pbuf_clen(seg->p));
		CHECK(seg->p->tot_len >= seg->len + TCP_HLEN);
		v = 0;
		for (const struct pbuf *p = seg->p; p; p = p->next)
			v += p->len;
		CHECK(v == seg->p->tot_len);
		seq += TCP_TCPLEN(seg);
		pieces += seg->pieces;
	}
	CHECK(pieces == pcb->snd_queuelen);
	CHECK(seq == pcb->snd_lbb ||
	      (pcb->flags & TF_FIN && seq == pcb->snd_lbb + 1));
}

uint32_t first_seq, told;

static err_t
on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	(void)arg, (void)pcb;
	told += len;
	return ERR_OK;
}

void
step(void)
{
	now_ms++;
	let_go();
	packets_arrive(&wire, nif);
	if (too_large && client)
		tcp_path_mtu(client, (u16_t)path_mtu);
	too_large = false;
	if (client && client->state == ESTABLISHED) {
		check_queues(client);
		CHECK(told == client->lastack - first_seq);
	}
	if (server)
		check_queues(server);
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

uint32_t to_send, written;
uint32_t unread, window = 1 << 20;
unsigned reading = 100;
unsigned scarce;
bool fin_seen, hurry, over6, made_up;

uint8_t
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
			CHECK(made_up ||
			      ((uint8_t *)q->payload)[i] == byte_at(got));
	unread += p->tot_len;
	pbuf_free(p);
	if (reading == 100) {
		tcp_recved(pcb, (u16_t)unread);
		unread = 0;
	}
	return ERR_OK;
}

void
reader(void)
{
	while (server && unread && rnd(100) < reading) {
		u16_t n = (u16_t)(1 + rnd(unread < 20000 ? unread : 20000));

		tcp_recved(server, n);
		unread -= n;
	}
}

void
port_tcp_processed(struct tcp_pcb *pcb)
{
	forget_closed(pcb);
}

static err_t
on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg, (void)err;
	server = pcb;
	tcp_arg(pcb, &server);
	tcp_recv(pcb, on_data);
	tcp_err(pcb, forget_ended);
	tcp_set_wnd(pcb, window);
	if (window < pcb->wnd_max)
		pcb->wnd_max = pcb->rcv_wnd = pcb->rcv_ann_wnd = window;
	return ERR_OK;
}

/* Half by reference, half copied; nothing that is referred to ever moves. */
void
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

void
feed(void)
{
	fill();
	if (client)
		tcp_output(client);
}

static void
end_of(struct netif *n, ip_addr_t *a)
{
	if (over6)
		ip_addr_copy_from_ip6(*a, *netif_ip6_addr(n, 1));
	else
		ip_addr_copy_from_ip4(*a, *netif_ip4_addr(n));
}

void
open_both(void)
{
	ip_addr_t a;

	got = written = unread = 0;
	fin_seen = false;
	client = tcp_new_ip_type(over6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
	end_of(&nif[0], &client->local_ip);
	end_of(&nif[1], &a);
	tcp_bind_netif(client, &nif[0]);
	tcp_arg(client, &client);
	tcp_err(client, forget_ended);
	tcp_sent(client, on_sent);
	told = 0;
	CHECK(tcp_connect(client, &a, 80, NULL) == ERR_OK);
	first_seq = client->snd_nxt;
	for (int i = 0;
	     i < 30000 && client && !(server && client->state == ESTABLISHED);
	     i++)
		step();
	CHECK(client && server);
}

void
close_both(void)
{
	struct tcp_pcb *c = client, *s;

	tcp_arg(c, NULL);
	tcp_err(c, NULL);
	tcp_sent(c, NULL); /* the next one's bytes are counted */
	client = NULL;
	CHECK(tcp_close(c) == ERR_OK);
	for (int i = 0; i < 200000 && !fin_seen; i++) {
		reader();
		step();
	}
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
uint32_t
transfer(const char *what, uint32_t bytes)
{
	uint32_t start;

	sent = lost = large = sent_there = 0;
	to_send = bytes;
	open_both();
	fail_one_in = scarce;
	start = now_ms;
	while (got < bytes && now_ms - start < 600000) {
		feed();
		if (hurry && client && written == bytes)
			break; /* closed before it has left */
		reader();
		step();
	}
	fail_one_in = 0;
	if (hurry) {
		close_both();
		CHECK(got == bytes);
		return now_ms - start;
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
void
settle(void)
{
	for (int i = 0;
	     i < 300000 && (tcp_active_pcbs || tcp_tw_pcbs || wire || device);
	     i++)
		step();
	CHECK(!tcp_active_pcbs && !tcp_tw_pcbs && !tcp_busy_pcbs);
	CHECK(tcp_tw_count == 0 && refs == 0);
}

void
give_tcp(const struct tcp_pcb *to, uint32_t seq, uint32_t ack,
	 const uint8_t *opts, unsigned optlen, unsigned len)
{
	uint8_t b[MTU] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6 }, *t = b + 20;
	uint16_t all = (uint16_t)(40 + optlen + len), s = lwip_htons(all);
	ip_addr_t client_end;
	struct netif *n;
	struct pbuf *p;
	uint32_t v;

	end_of(&nif[0], &client_end);
	n = ip_addr_cmp(&to->local_ip, &client_end) ? &nif[0] : &nif[1];
	CHECK(all + 20 <= MTU);
	if (over6) {
		memcpy(b, (uint8_t[8]){ 0x60, [6] = 6, 64 }, 8);
		s = lwip_htons((uint16_t)(all - 20));
		memcpy(b + 4, &s, 2);
		memcpy(b + 8, ip_2_ip6(&to->remote_ip), 16);
		memcpy(b + 24, ip_2_ip6(&to->local_ip), 16);
		t = b + 40;
		all += 20;
	} else {
		memcpy(b + 2, &s, 2);
		memcpy(b + 12, ip_2_ip4(&to->remote_ip), 4);
		memcpy(b + 16, ip_2_ip4(&to->local_ip), 4);
		s = inet_chksum(b, 20);
		memcpy(b + 10, &s, 2);
	}
	s = lwip_htons(to->remote_port);
	memcpy(t, &s, 2);
	s = lwip_htons(to->local_port);
	memcpy(t + 2, &s, 2);
	v = lwip_htonl(seq);
	memcpy(t + 4, &v, 4);
	v = lwip_htonl(ack);
	memcpy(t + 8, &v, 4);
	t[12] = (uint8_t)((20 + optlen) / 4 << 4);
	t[13] = TCP_ACK;
	t[14] = 0x10; /* a window that is large enough */
	if (optlen)
		memcpy(t + 20, opts, optlen);
	for (unsigned i = 0; i < len; i++)
		t[20 + optlen + i] = byte_at(got + seq - to->rcv_nxt + i);
	n->chksum_flags = NETIF_CHECKSUM_ENABLE_ALL & ~NETIF_CHECKSUM_CHECK_TCP;
	p = pbuf_alloc(PBUF_RAW, all, PBUF_RAM);
	pbuf_take(p, b, all);
	ip_input(p, n);
	n->chksum_flags = NETIF_CHECKSUM_ENABLE_ALL;
}

void
open_stack(void)
{
	ip4_addr_t a, m, none = { 0 };
	ip6_addr_t a6;

	setvbuf(stdout, NULL, _IOLBF, 0);
	lwip_init();
	IP4_ADDR(&m, 255, 255, 255, 0);
	for (int i = 0; i < 2; i++) {
		IP4_ADDR(&a, 10, 0, 0, 1 + i);
		netif_add(&nif[i], &a, &m, &none, NULL, init_if, ip_input);
		netif_set_link_up(&nif[i]);
		netif_set_up(&nif[i]);
		netif_create_ip6_linklocal_address(&nif[i], 1);
		netif_set_ip6_autoconfig_enabled(&nif[i], 1);
		IP6_ADDR(&a6, PP_HTONL(0xfd000000u), 0, 0, lwip_htonl(1u + i));
		netif_ip6_addr_set(&nif[i], 1, &a6);
		netif_ip6_addr_set_state(&nif[i], 1, IP6_ADDR_PREFERRED);
	}
	listener = tcp_new_ip_type(IPADDR_TYPE_ANY);
	listener->local_port = 80;
	listener = tcp_listen_with_backlog(listener, 255);
	tcp_accept(listener, on_accept);
}
