/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform of lwIP on the host (stack.h).
 */
#include "stack.h"

#include <string.h>

#include <lwip/dns.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <net/lwip/dhcp_options.h>
#include <net/syncookie.h>

#include "port_hooks.h"

uint32_t now_ms;
long allocated;
uint64_t seed = 1;

uint32_t
rnd(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

u32_t
sys_now(void)
{
	return now_ms;
}
u32_t
port_tcp_usec(void)
{
	return now_ms * 1000;
}
uint8_t
port_tcp_tries(const struct tcp_pcb *pcb)
{
	return pcb->state == SYN_SENT ? 6 : 12;
}
int
port_tcp_idle(void)
{
	return 1;
}
void
sys_timeouts_init(void)
{
}
void
tcp_timer_needed(void)
{
}
void
port_mcast_due(void)
{
}
uint32_t
lwip_port_rand(void)
{
	return rnd(0x7fffffff);
}
unsigned fail_one_in;

/* Where a connection cannot be had lwIP ends another one, which the tests
 * would not know from a mistake. */
static bool
fails(size_t n)
{
	return fail_one_in && n != sizeof(struct tcp_pcb) &&
	       rnd(fail_one_in) == 0;
}

void *
lwip_port_malloc(size_t n)
{
	if (fails(n))
		return NULL;
	allocated++;
	return malloc(n);
}
void *
lwip_port_calloc(size_t n, size_t m)
{
	allocated++;
	return calloc(n, m);
}
void
lwip_port_free(void *p)
{
	allocated -= p != NULL;
	free(p);
}
void
dns_init(void)
{
}

void
dns_setserver_from(enum dns_from from, u8_t i, const ip_addr_t *a)
{
	(void)from, (void)i, (void)a;
}

const ip_addr_t *
dns_getserver_from(enum dns_from from, u8_t i)
{
	(void)from, (void)i;
	return IP_ADDR_ANY;
}

void
lwip_port_assert(const char *what, const char *file, int line)
{
	printf("lwIP's assertion: %s (%s:%d)\n", what, file, line);
	abort();
}

uint16_t
lwip_port_chksum(const void *data, int len)
{
	const uint8_t *p = data;
	uint32_t sum = 0;

	for (int i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i & 1 ? 8 : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

struct netif *
port_route4(const ip4_addr_t *src, const ip4_addr_t *dst)
{
	(void)src, (void)dst;
	return NULL;
}

const ip4_addr_t *
port_gateway4(struct netif *n, const ip4_addr_t *dst)
{
	(void)n;
	return dst;
}

unsigned port_more_addrs;
uint16_t port_frag6;

int
port_ip4_own(const struct netif *n, const ip4_addr_t *a)
{
	(void)n, (void)a;
	return 0;
}

int
port_ip4_broadcast(const struct netif *n, const ip4_addr_t *a)
{
	(void)n, (void)a;
	return 0;
}

static struct lease lease;

void
port_dhcp_begin(void)
{
	memset(&lease, 0, sizeof(lease));
}

void
port_dhcp_option(struct pbuf *p, uint8_t option, uint8_t len, uint16_t off)
{
	uint8_t v[255];

	if (pbuf_copy_partial(p, v, len, off) == len)
		lease_option(&lease, option, v, len);
}

void
port_dhcp_gateway(ip4_addr_t *gw)
{
	(void)gw;
}

void
port_dhcp_bound(struct netif *n)
{
	(void)n;
}

const ip6_addr_t *
port_gateway6(struct netif *n, const ip6_addr_t *dst)
{
	(void)n, (void)dst;
	return NULL;
}

struct netif *
port_route6(const ip6_addr_t *src, const ip6_addr_t *dst)
{
	(void)src, (void)dst;
	return NULL;
}

int
port_udp_input(struct pbuf *p, struct netif *inp)
{
	(void)p, (void)inp;
	return 0;
}

void
port_icmp4_error(struct pbuf *p, uint8_t t, uint8_t c, uint16_t mtu)
{
	(void)p, (void)t, (void)c, (void)mtu;
}

void
port_icmp6_error(struct pbuf *p, uint8_t t, uint8_t c, uint32_t mtu)
{
	(void)p, (void)t, (void)c, (void)mtu;
}

struct ref {
	struct pbuf_custom pc;
};
long refs;

static void
ref_free(struct pbuf *p)
{
	refs--;
	free(p);
}

struct pbuf *
port_tcp_ref_pbuf(uint16_t len)
{
	struct ref *r;

	if (fails(sizeof(*r)))
		return NULL;
	r = malloc(sizeof(*r));
	refs++;
	r->pc.custom_free_function = ref_free;
	return pbuf_alloced_custom(PBUF_RAW, len, PBUF_ROM, &r->pc, &seed, len);
}

/* What the kernel has as one block is three here, so that the sanitizer sees
 * the use of each after its end. */
struct head {
	struct pbuf_custom pc;
	uint8_t room[128];
};

struct pbuf *
port_tcp_seg_pbufs(uint16_t optlen, const void *data, uint16_t len)
{
	struct pbuf *p, *d = port_tcp_ref_pbuf(len);
	struct head *h;

	if (!d)
		return NULL;
	h = malloc(sizeof(*h));
	d->payload = (void *)(uintptr_t)data;
	refs++;
	h->pc.custom_free_function = ref_free;
	p = pbuf_alloced_custom(PBUF_TRANSPORT, optlen, PBUF_RAM, &h->pc,
				h->room, sizeof(h->room));
	CHECK(p);
	pbuf_cat(p, d);
	return p;
}

static unsigned parts; /* made */

/* Every other one is made by lwIP itself. */
struct pbuf *
port_tcp_seg_part(uint16_t optlen, struct pbuf *p, uint16_t off)
{
	struct ref *r = (struct ref *)(void *)p;

	if (!(p->flags & PBUF_FLAG_IS_CUSTOM) ||
	    r->pc.custom_free_function != ref_free || ++parts % 2)
		return NULL;
	return port_tcp_seg_pbufs(optlen, (uint8_t *)p->payload + off,
				  (uint16_t)(p->len - off));
}

struct tcp_seg *
port_tcp_seg_of(struct pbuf *p)
{
	struct pbuf_custom *c = (struct pbuf_custom *)(void *)p;

	if (!(p->flags & PBUF_FLAG_IS_CUSTOM) ||
	    c->custom_free_function != ref_free)
		return NULL;
	refs++;
	return malloc(sizeof(struct tcp_seg));
}

void
port_tcp_seg_free(struct tcp_seg *seg)
{
	refs--;
	free(seg);
}

struct tcp_pcb *listener;

struct tcp_pcb_listen *
port_tcp_listener(struct netif *inp, uint16_t dest, uint16_t src)
{
	(void)inp, (void)src;
	return listener && dest == listener->local_port ?
		       (struct tcp_pcb_listen *)(void *)listener :
		       NULL;
}

int
port_tcp_syn(struct tcp_pcb_listen *l)
{
	(void)l;
	return 1;
}

uint32_t
port_tcp_isn(const ip_addr_t *a, uint16_t b, const ip_addr_t *c, uint16_t d)
{
	(void)a, (void)c;
	/* The same in every run, so that saved frames fit. */
	return (b ^ (uint32_t)d << 16) * 2654435761u;
}

unsigned cookies, cookies_good;
static const uint64_t cookie_key[2] = { 1, 2 };

static struct syncookie_ends
ends_of(const ip_addr_t *l, uint16_t lp, const ip_addr_t *r, uint16_t rp,
	uint32_t seq)
{
	struct syncookie_ends e = { .local_port = lp,
				    .remote_port = rp,
				    .seq = seq };

	memcpy(e.local, ip_2_ip6(l), IP_IS_V6(l) ? 16 : 4);
	memcpy(e.remote, ip_2_ip6(r), IP_IS_V6(r) ? 16 : 4);
	return e;
}

uint32_t
port_tcp_cookie_make(const ip_addr_t *l, uint16_t lp, const ip_addr_t *r,
		     uint16_t rp, uint32_t seq, uint16_t mss)
{
	struct syncookie_ends e = ends_of(l, lp, r, rp, seq);

	cookies++;
	return syncookie_make(cookie_key, &e, now_ms / 1000, mss);
}

uint16_t
port_tcp_cookie_check(const ip_addr_t *l, uint16_t lp, const ip_addr_t *r,
		      uint16_t rp, uint32_t seq, uint32_t cookie)
{
	struct syncookie_ends e = ends_of(l, lp, r, rp, seq);
	uint16_t mss = syncookie_check(cookie_key, &e, now_ms / 1000, cookie);

	cookies_good += mss != 0;
	return mss;
}

/* ---- large segments ---- */

bool offload, whole;

static void
gso_free(struct pbuf *p)
{
	struct gso *g = (struct gso *)(void *)p;

	for (unsigned i = 0; i < g->n; i++)
		pbuf_free(g->held[i]);
	free(g);
}

int
port_gso_can(const struct netif *n, int v6)
{
	(void)n, (void)v6;
	return offload;
}

struct pbuf *
port_gso_begin(struct netif *n, int v6, uint16_t hlen, uint16_t size)
{
	struct gso *g;
	struct pbuf *p;

	(void)n, (void)v6;
	if (!offload || fails(sizeof(*g)))
		return NULL;
	g = malloc(sizeof(*g));
	g->pc.custom_free_function = gso_free;
	g->size = size;
	g->n = 0;
	g->room = 1 + rnd(44);
	p = pbuf_alloced_custom(PBUF_RAW, hlen, PBUF_RAM, &g->pc, g->head + 80,
				hlen);
	p->flags |= PBUF_FLAG_GSO;
	return p;
}

int
port_gso_add(struct pbuf *p, struct pbuf *seg, uint16_t off)
{
	struct gso *g = (struct gso *)(void *)p;

	if (g->n == g->room)
		return 0;
	pbuf_ref(seg);
	g->off[g->n] = off;
	g->held[g->n++] = seg;
	return 1;
}

/* Without allocating: memory may be short. */
uint16_t
tcp_sum(const uint8_t *pkt, uint16_t len)
{
	bool v6 = pkt[0] >> 4 == 6;
	int head = v6 ? 40 : 20;
	uint16_t n = lwip_htons((uint16_t)(len - head)),
		 proto = PP_HTONS(IP_PROTO_TCP);
	uint32_t sum = lwip_port_chksum(pkt + (v6 ? 8 : 12), v6 ? 32 : 8) + n +
		       proto + lwip_port_chksum(pkt + head, len - head);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
set_length(uint8_t *pkt, uint16_t len)
{
	bool v6 = pkt[0] >> 4 == 6;
	uint16_t n = lwip_htons((uint16_t)(v6 ? len - 40 : len)), sum;

	memcpy(pkt + (v6 ? 4 : 2), &n, 2);
	if (v6)
		return;
	memset(pkt + 10, 0, 2);
	sum = inet_chksum(pkt, 20);
	memcpy(pkt + 10, &sum, 2);
}

/* The data in pieces of g->size; the last one may be shorter, and it alone ends
 * the stream. */
void
gso_cut(struct pbuf *p, int to, void (*one)(int, const void *, uint16_t))
{
	const struct gso *g = (const struct gso *)(const void *)p;
	static uint8_t data[1 << 16], pkt[1 << 16];
	uint8_t *tcp = pkt + 20, flags;
	uint32_t seq, total = 0, n, size;
	uint16_t sum, len;

	memcpy(pkt, p->payload, p->len);
	if (pkt[0] >> 4 == 6)
		tcp = pkt + 40;
	memcpy(&seq, tcp + 4, 4);
	seq = lwip_ntohl(seq);
	flags = tcp[13];
	for (unsigned i = 0; i < g->n; i++) {
		n = g->held[i]->tot_len - (uint32_t)g->off[i];
		CHECK(total + n <= sizeof(data) && total % g->size == 0);
		pbuf_copy_partial(g->held[i], data + total, (u16_t)n,
				  g->off[i]);
		total += n;
	}
	CHECK(total > g->size && total + p->len == p->tot_len);
	size = whole ? total : g->size;
	for (uint32_t at = 0; at < total; at += n) {
		uint32_t v = lwip_htonl(seq + at);

		n = total - at < size ? total - at : size;
		len = (uint16_t)(p->len + n);
		CHECK(len <= MTU || whole);
		memcpy(pkt + p->len, data + at, n);
		memcpy(tcp + 4, &v, 4);
		tcp[13] = at + n == total ?
				  flags :
				  (uint8_t)(flags & ~(TCP_FIN | TCP_PSH));
		tcp[16] = tcp[17] = 0;
		set_length(pkt, len);
		sum = tcp_sum(pkt, len);
		memcpy(tcp + 16, &sum, 2);
		one(to, pkt, len);
	}
}

void
packet_put(struct packet **wire, uint32_t at, int to, const void *data,
	   uint16_t len)
{
	struct packet *k = malloc(sizeof(*k) + len);

	k->at = at;
	k->to = to;
	k->len = len;
	memcpy(k->data, data, len);
	while (*wire && (int32_t)((*wire)->at - at) <= 0)
		wire = &(*wire)->next;
	k->next = *wire;
	*wire = k;
}

void
packets_arrive(struct packet **wire, struct netif nif[2])
{
	struct packet *k;

	while ((k = *wire) && (int32_t)(k->at - now_ms) <= 0) {
		struct pbuf *p = pbuf_alloc(PBUF_RAW, k->len, PBUF_RAM);

		*wire = k->next;
		if (p) {
			pbuf_take(p, k->data, k->len);
			ip_input(p, &nif[k->to]);
		}
		free(k);
	}
}

void
forget_ended(void *arg, err_t err)
{
	(void)err;
	*(struct tcp_pcb **)arg = NULL;
}

void
forget_closed(struct tcp_pcb *pcb)
{
	if (pcb->state != TIME_WAIT || !pcb->callback_arg)
		return;
	*(struct tcp_pcb **)pcb->callback_arg = NULL;
	pcb->callback_arg = NULL;
	pcb->errf = NULL;
}
