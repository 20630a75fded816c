/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from a hostile network, for lwIP with our configuration and patches,
 * under ASan and UBSan.  ../test_frames.py builds and runs it: either with
 * clang's libFuzzer, or with the main() below, which gives it the inputs of
 * the saved corpus and damaged ones made of them.
 *
 * An input is a sequence of steps: a byte of controls, the length of a frame
 * in two bytes (little-endian), the frame.  The controls:
 *	0x01	the second interface, which asks DHCP for its address; else
 *		the first, with addresses, a listener and a connection that is
 *		being opened
 *	0x0e	time that passes before: none, 1, 250 ms, 1, 5, 20, 60, 600 s
 *	0x10	the frame lies in two pieces
 *	0x20	the device has checked the sums
 *	0x40	the program writes to all its connections
 *	0x80	the program closes its oldest connection
 *
 * After an input everything is taken down, and no block may be left.
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

#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/dhcp6.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/init.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>
#include <net/lwip/report.h>

#include "port_hooks.h"
#include "port_input.h"

#define STEPS	  64
#define FRAME_MAX 1514
#define CONNS	  16

static struct netif nif[2];
static struct tcp_pcb *conns[CONNS], *opening;
static bool verbose;

/* ---- the program ---- */

void
port_tcp_urgent(struct tcp_pcb *pcb, uint32_t ahead)
{
	(void)pcb, (void)ahead;
}

void
port_tcp_processed(struct tcp_pcb *pcb)
{
	forget_closed(pcb);
}

static err_t
on_data(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	(void)arg, (void)err;
	if (p) {
		tcp_recved(pcb, p->tot_len);
		pbuf_free(p);
	}
	return ERR_OK;
}

static void
adopt(struct tcp_pcb *pcb, struct tcp_pcb **slot)
{
	*slot = pcb;
	tcp_arg(pcb, slot);
	tcp_recv(pcb, on_data);
	tcp_err(pcb, forget_ended);
}

static err_t
on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg, (void)err;
	for (int i = 0; i < CONNS; i++)
		if (!conns[i]) {
			adopt(pcb, &conns[i]);
			return ERR_OK;
		}
	tcp_abort(pcb);
	return ERR_ABRT;
}

static void
write_all(void)
{
	static const char data[3000];

	for (int i = 0; i < CONNS; i++) {
		if (!conns[i])
			continue;
		tcp_write(conns[i], data, sizeof(data),
			  i & 1 ? TCP_WRITE_FLAG_COPY : 0);
		tcp_output(conns[i]);
	}
}

static void
close_one(void)
{
	for (int i = 0; i < CONNS; i++) {
		struct tcp_pcb *pcb = conns[i];

		if (!pcb)
			continue;
		tcp_arg(pcb, NULL);
		tcp_err(pcb, NULL);
		tcp_recv(pcb, NULL);
		if (tcp_close(pcb) != ERR_OK)
			tcp_abort(pcb);
		conns[i] = NULL;
		return;
	}
}

/* ---- the machine ---- */

static err_t
link_out(struct netif *n, struct pbuf *p)
{
	(void)n;
	CHECK(p->tot_len <= FRAME_MAX);
	if (verbose) {
		printf("sent: ");
		for (struct pbuf *q = p; q; q = q->next)
			for (u16_t i = 0; i < q->len; i++)
				printf("%02x", ((uint8_t *)q->payload)[i]);
		printf("\n");
	}
	return ERR_OK;
}

static err_t
init_if(struct netif *n)
{
	n->output = etharp_output;
	n->output_ip6 = ethip6_output;
	n->linkoutput = link_out;
	n->mtu = n->mtu6 = 1500;
	n->hwaddr_len = 6;
	n->hwaddr[0] = 2;
	n->hwaddr[5] = (u8_t)(n == &nif[1]);
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
		   NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	n->name[0] = 'e';
	return ERR_OK;
}

/* For everybody but one. */
static void
join(struct netif *n, const struct inet_addr *group)
{
	struct inet_addr one = *group;

	one.b[12] = 9;
	CHECK(mc_join(n, group));
	mc_filter(n, group, false, &one, 1);
}

static void
set_up(void)
{
	const struct inet_addr group = inet_v4(PP_HTONL(0xe00000fbu)),
			       group6 = {
				       .b = { 0xff, 2, [15] = 0xfb },
			       };
	ip4_addr_t a, m, none = { 0 };
	ip_addr_t peer;

	now_ms = 1000;
	seed = 1;
	IP4_ADDR(&a, 10, 0, 0, 1);
	IP4_ADDR(&m, 255, 255, 255, 0);
	for (int i = 0; i < 2; i++) {
		netif_add(&nif[i], i ? &none : &a, i ? &none : &m, &none, NULL,
			  init_if, ip_input);
		netif_set_link_up(&nif[i]);
		netif_set_up(&nif[i]);
		netif_create_ip6_linklocal_address(&nif[i], 1);
		netif_set_ip6_autoconfig_enabled(&nif[i], 1);
		join(&nif[i], &group);
		join(&nif[i], &group6);
		CHECK(dhcp6_enable_stateless(&nif[i]) == ERR_OK);
	}
	CHECK(dhcp_start(&nif[1]) == ERR_OK);
	listener = tcp_new_ip_type(IPADDR_TYPE_ANY);
	listener->local_port = 80;
	listener = tcp_listen_with_backlog(listener, 8);
	tcp_accept(listener, on_accept);
	adopt(tcp_new_ip_type(IPADDR_TYPE_V4), &opening);
	ip_addr_copy_from_ip4(opening->local_ip, a);
	opening->local_port = 40000;
	tcp_bind_netif(opening, &nif[0]);
	IP_ADDR4(&peer, 10, 0, 0, 2);
	CHECK(tcp_connect(opening, &peer, 80, NULL) == ERR_OK);
}

static void
pass(uint32_t ms)
{
	uint32_t step, was;

	for (; ms; ms -= step) {
		step = ms > 5000 ? 250 : ms > 50 ? 50 : ms;
		was = now_ms;
		now_ms += step;
		if (was / 250 != now_ms / 250)
			tcp_tmr();
		if (was / 100 != now_ms / 100) {
			mc_tick();
		}
		if (was / 500 != now_ms / 500) {
			dhcp_fine_tmr();
			dhcp6_tmr();
		}
		if (was / 1000 == now_ms / 1000)
			continue;
		tcp_tw_tmr();
		ip_reass_tmr();
		ip6_reass_tmr();
		etharp_tmr();
		nd6_tmr();
		if (now_ms / 60000 != was / 60000)
			dhcp_coarse_tmr();
	}
}

static void
take_down(void)
{
	while (tcp_active_pcbs)
		tcp_abort(tcp_active_pcbs);
	while (tcp_tw_pcbs)
		tcp_abort(tcp_tw_pcbs);
	CHECK(!opening);
	tcp_close((struct tcp_pcb *)listener);
	listener = NULL;
	for (int i = 0; i < 2; i++) {
		dhcp_release_and_stop(&nif[i]);
		dhcp_cleanup(&nif[i]);
		dhcp6_disable(&nif[i]);
		dhcp6_cleanup(&nif[i]);
		netif_remove(&nif[i]);
	}
	for (int i = 0; i < 70; i++) { /* fragments wait for a minute */
		ip_reass_tmr();
		ip6_reass_tmr();
	}
}

static void
give(struct netif *n, const uint8_t *b, unsigned len, bool split, bool good)
{
	unsigned first = split ? len / 2 : len;
	struct pbuf *p, *q;
	uint16_t type;

	if (len <= SIZEOF_ETH_HDR)
		return;
	type = (uint16_t)(b[12] << 8 | b[13]);
	p = pbuf_alloc(PBUF_RAW, (u16_t)first, PBUF_RAM);
	pbuf_take(p, b, (u16_t)first);
	if (first < len) {
		q = pbuf_alloc(PBUF_RAW, (u16_t)(len - first), PBUF_RAM);
		pbuf_take(q, b + first, q->len);
		pbuf_cat(p, q);
	}
	if (b[0] & 1)
		p->flags |=
			b[0] == 0xff ? PBUF_FLAG_LLBCAST : PBUF_FLAG_LLMCAST;
	p->if_idx = netif_get_index(n);
	if (p->len < SIZEOF_ETH_HDR) {
		pbuf_free(p);
		return;
	}
	pbuf_remove_header(p, SIZEOF_ETH_HDR);
	p = port_whole_head(p, type);
	if (!p)
		return;
	n->chksum_flags = good ? (u16_t)(NETIF_CHECKSUM_ENABLE_ALL &
					 ~(NETIF_CHECKSUM_CHECK_IP |
					   NETIF_CHECKSUM_CHECK_TCP |
					   NETIF_CHECKSUM_CHECK_UDP |
					   NETIF_CHECKSUM_CHECK_ICMP |
					   NETIF_CHECKSUM_CHECK_ICMP6)) :
				 NETIF_CHECKSUM_ENABLE_ALL;
	if (type == ETHTYPE_ARP)
		etharp_input(p, n);
	else if (type == ETHTYPE_IP)
		ip4_input(p, n);
	else
		ip6_input(p, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t size)
{
	static const uint32_t wait_ms[8] = { 0,	   1,	  250,	 1000,
					     5000, 20000, 60000, 600000 };
	static bool ready;
	long before;

	if (!ready) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		lwip_init();
		verbose = getenv("FRAMES_VERBOSE") != NULL;
		set_up();
		take_down();
		ready = true;
	}
	before = allocated;
	set_up();
	for (unsigned i = 0; i < STEPS && size >= 3; i++) {
		uint8_t ctl = b[0];
		size_t len = b[1] | (size_t)b[2] << 8;

		b += 3;
		size -= 3;
		if (len > size)
			len = size;
		if (len > FRAME_MAX)
			len = FRAME_MAX;
		pass(wait_ms[ctl >> 1 & 7]);
		if (ctl & 0x40)
			write_all();
		if (ctl & 0x80)
			close_one();
		give(&nif[ctl & 1], b, (unsigned)len, ctl & 0x10, ctl & 0x20);
		b += len;
		size -= len;
	}
	take_down();
	if (allocated != before || refs)
		printf("left: %ld blocks, %ld references\n", allocated - before,
		       refs);
	CHECK(allocated == before && refs == 0);
	return 0;
}

#ifndef LIBFUZZER
/* ---- without libFuzzer ---- */

#define INPUTS	  4096
#define INPUT_MAX 8192

static struct input {
	uint8_t *b;
	size_t len;
} inputs[INPUTS];
static unsigned ninputs;

/* One input a line, in hexadecimal. */
static void
load(const char *path)
{
	static char line[2 * INPUT_MAX + 2];
	FILE *f = fopen(path, "r");

	CHECK(f);
	while (ninputs < INPUTS && fgets(line, sizeof(line), f)) {
		struct input *in = &inputs[ninputs++];
		unsigned byte;

		in->b = malloc(INPUT_MAX);
		while (sscanf(line + 2 * in->len, "%2x", &byte) == 1)
			in->b[in->len++] = (uint8_t)byte;
	}
	fclose(f);
	CHECK(ninputs);
}

/* Bytes changed, the head of one before the tail of another, an end cut
 * off. */
static size_t
damage(uint8_t *b, uint64_t *chance)
{
	const struct input *in, *other;
	size_t len;

	seed = *chance;
	in = &inputs[rnd(ninputs)];
	other = &inputs[rnd(ninputs)];
	len = in->len;
	memcpy(b, in->b, len);
	if (rnd(3) == 0 && len && other->len) {
		size_t at = rnd((uint32_t)len),
		       from = rnd((uint32_t)other->len);
		size_t n = other->len - from;

		if (n > INPUT_MAX - at)
			n = INPUT_MAX - at;
		memcpy(b + at, other->b + from, n);
		len = at + n;
	}
	for (unsigned n = rnd(6); n && len; n--)
		b[rnd((uint32_t)len)] =
			(uint8_t)(rnd(2) ? rnd(256) :
					   (unsigned[]){ 0, 1, 127,
							 255 }[rnd(4)]);
	if (rnd(8) == 0)
		len = rnd((uint32_t)len + 1);
	*chance = seed;
	return len;
}

/* frames CORPUS ROUNDS SEED */
int
main(int argc, char **argv)
{
	static uint8_t b[INPUT_MAX];
	uint64_t chance;

	CHECK(argc == 4);
	load(argv[1]);
	chance = strtoull(argv[3], NULL, 0);
	for (unsigned i = 0; i < ninputs; i++)
		LLVMFuzzerTestOneInput(inputs[i].b, inputs[i].len);
	for (long n = strtol(argv[2], NULL, 0); n > 0; n--)
		LLVMFuzzerTestOneInput(b, damage(b, &chance));
	printf("%u inputs, %s damaged ones\n", ninputs, argv[2]);
	return 0;
}
#endif
