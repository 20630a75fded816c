/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many connections of lwIP at once, both ways, through bad weather: what is
 * lost, late, double or out of order changes from moment to moment, and so do
 * how long the device holds a segment before it reads it, how many it has
 * room for, what the path takes and whether there is memory.  Time is
 * simulated and everything comes from one seed.
 *
 * Checked: every byte arrives, where it belongs; no connection gives up (but
 * for a few that never began) or stands still; a segment does not change while the device has it; each queue
 * is in order, and a timer runs while something is out; nothing is left.
 *
 * PITH_SEED=n runs one seed, PITH_LONG=n so many of them.
 *
 * INCLUDE: src/net/lwip/include $LWIP/include test/unit/net
 * SOURCES: $LWIP/core/tcp.c $LWIP/core/tcp_in.c $LWIP/core/tcp_out.c
 * SOURCES: src/net/lwip/congestion.c src/net/lwip/dhcp_options.c
 * SOURCES: test/unit/net/stack.c src/net/syncookie.c src/base/hash.c
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

#include <lwip/inet_chksum.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>

#include "port_hooks.h"
#include "stack.h"

#define CONNS	   48u	   /* at once */
#define SIZE_MAX_1 300000u /* bytes one way */
#define MEM	   (1u << 20)
#define STALL_MS   400000u /* twelve time-outs in a row are 25 s and more */
#define RING_MAX   256u
#define SMALL	   160u /* a copy waits for room: lwip/ether.c */
#define PIECES	   8u	/* more become one, in a copy */

/* ---- the weather ---- */

static struct weather {
	unsigned loss, reorder, twice; /* percent */
	unsigned delay, late;	       /* ms; of those out of order */
	unsigned hold, ring;	       /* ms; segments */
	unsigned mtu, no_memory;       /* one in so many; 0 */
} now;
static uint32_t changes_ms;
static unsigned packets, lost, large, held_again, full;

static unsigned
one_of(const unsigned *v, unsigned n)
{
	return v[rnd(n)];
}
#define ONE_OF(...)                               \
	one_of((const unsigned[]){ __VA_ARGS__ }, \
	       sizeof((const unsigned[]){ __VA_ARGS__ }) / sizeof(unsigned))

static void
change_weather(void)
{
	changes_ms = now_ms + 50 + rnd(1500);
	now.loss = ONE_OF(0, 0, 1, 5, 10, 20, 35);
	now.reorder = ONE_OF(0, 0, 5, 30);
	now.twice = ONE_OF(0, 0, 1, 10);
	now.delay = ONE_OF(1, 1, 5, 20, 60);
	now.late = ONE_OF(2, 20, 150);
	now.hold = ONE_OF(0, 0, 1, 10, 100, 500);
	now.ring = ONE_OF(2, 8, 64, RING_MAX);
	now.mtu = ONE_OF(MTU, MTU, MTU, MTU, 1000, 600);
	now.no_memory = ONE_OF(0, 0, 0, 1000, 50);
	fail_one_in = now.no_memory;
	offload = rnd(2);
	if (rnd(12) == 0) { /* nothing goes through for a while */
		now.loss = 100;
		changes_ms = now_ms + 50 + rnd(700);
	}
}

/* ---- ends ---- */

struct end {
	struct end *other;
	struct tcp_pcb *pcb;	    /* NULL: none yet, or it is gone */
	uint32_t base;		    /* where its bytes begin in mem */
	uint32_t to_send, written;  /* bytes */
	uint32_t expect, got, from; /* bytes that come, and their base */
	uint32_t unread;	    /* lwIP was not told of */
	uint32_t moved_ms;	    /* something came, or all is done */
	uint16_t mtu;		    /* a router said so; 0 */
	struct tcp_pcb seen;	    /* as it was last */
	bool shut, fin_seen, done, slow;
};
static struct conn {
	struct end e[2];
	uint16_t port;
	bool used;
} conns[CONNS];
static uint8_t *mem;
static unsigned begun, ended, at_once, unheard;
static uint64_t this_seed;

static struct conn *
conn_of(uint16_t port)
{
	for (unsigned i = 0; i < CONNS; i++)
		if (conns[i].used && conns[i].port == port)
			return &conns[i];
	return NULL;
}

static void
show(const struct end *e)
{
	const struct tcp_pcb *p = &e->seen;

	printf("sent %u of %u, got %u of %u, %u unread, fin %d %d, done %d\n",
	       e->written, e->to_send, e->got, e->expect, e->unread, e->shut,
	       e->fin_seen, e->done);
	printf("  state %d, srtt %d, var %d, rtime %d, rto %d, nrtx %u, "
	       "persist %u %u, "
	       "flags %#x, mss %u, cwnd %u, window %u %u\n",
	       (int)p->state, (int)p->sa / 8, (int)p->sv / 4, p->rtime, p->rto,
	       p->nrtx, p->persist_backoff, p->persist_probe,
	       (unsigned)p->flags, p->mss, (unsigned)p->cwnd,
	       (unsigned)p->snd_wnd, (unsigned)p->rcv_wnd);
	for (int i = 0; i < 2 && e->pcb; i++)
		for (struct tcp_seg *s = i ? p->unsent : p->unacked; s;
		     s = s->next)
			printf("  %s %u+%u flags %#x refs %u\n",
			       i ? "unsent" : "unacked",
			       lwip_ntohl(s->tcphdr->seqno) - p->lastack,
			       s->len, s->flags, s->p->ref);
}

static void
stop(const struct end *e, const char *why)
{
	printf("seed %llu: %s at %u ms, %u ms after something came\n",
	       (unsigned long long)this_seed, why, now_ms,
	       now_ms - e->moved_ms);
	for (unsigned i = 0; i < CONNS; i++)
		if (e == &conns[i].e[0] || e == &conns[i].e[1]) {
			printf("port %u\n", conns[i].port);
			show(&conns[i].e[0]);
			show(&conns[i].e[1]);
		}
	exit(1);
}

static err_t
on_data(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct end *e = arg;

	(void)err;
	CHECK(e);
	e->moved_ms = now_ms;
	if (!p) {
		CHECK(!e->fin_seen);
		e->fin_seen = true;
		return ERR_OK;
	}
	if (fail_one_in && rnd(fail_one_in) == 0)
		return ERR_MEM; /* it comes again */
	CHECK(e->got + p->tot_len <= e->expect);
	for (struct pbuf *q = p; q; q = q->next) {
		CHECK(!memcmp(q->payload, mem + e->from + e->got, q->len));
		e->got += q->len;
	}
	if (e->slow)
		e->unread += p->tot_len;
	else
		tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

/* What was refused for want of memory is given for the last time. */
static void
end_of(struct end *e)
{
	unsigned f = fail_one_in;

	fail_one_in = 0;
	CHECK(tcp_process_refused_data(e->pcb) == ERR_OK);
	fail_one_in = f;
	e->pcb = NULL;
	e->done = true;
	e->moved_ms = now_ms;
}

/* All has come at both ends, and the other one is gone. */
static bool
all_came(const struct end *e)
{
	return e->fin_seen && e->got == e->expect && e->shut && e->other->done;
}

static void
on_error(void *arg, err_t err)
{
	struct end *e = arg;

	if (!e)
		return;
	if (err == ERR_ABRT && e->seen.state == SYN_SENT && !e->got) {
		struct conn *c = conn_of(e->seen.local_port);

		CHECK(c && !c->e[1].pcb && !c->e[1].done);
		c->used = false; /* seven times in a row: it may be */
		begun--;
		unheard++;
		return;
	}
	if (err == ERR_RST && all_came(e)) { /* after TIME_WAIT */
		e->pcb = NULL;
		e->done = true;
		return;
	}
	if (err != ERR_CLSD) {
		e->pcb = NULL;
		stop(e, err == ERR_RST ? "a reset" : "given up");
	}
	end_of(e);
}

void
port_tcp_processed(struct tcp_pcb *pcb)
{
	struct end *e = pcb->callback_arg;

	if (!e || pcb->state != TIME_WAIT)
		return;
	end_of(e);
	tcp_arg(pcb, NULL);
	pcb->errf = NULL;
	pcb->recv = NULL;
}

void
port_tcp_urgent(struct tcp_pcb *pcb, uint32_t ahead)
{
	(void)pcb, (void)ahead;
	CHECK(!"nothing is urgent");
}

static void
adopt(struct end *e, struct tcp_pcb *pcb)
{
	e->pcb = pcb;
	tcp_arg(pcb, e);
	tcp_recv(pcb, on_data);
	tcp_err(pcb, on_error);
	tcp_set_wnd(pcb, ONE_OF(3000, 16384, 128 << 10, 1 << 20));
	if (rnd(2))
		tcp_nagle_disable(pcb);
}

static err_t
on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct conn *c;

	(void)arg;
	if (err != ERR_OK)
		return err;
	c = conn_of(pcb->remote_port);
	CHECK(c && !c->e[1].pcb && !c->e[1].done);
	adopt(&c->e[1], pcb);
	return ERR_OK;
}

static struct netif nif[2];

static uint32_t
some_size(void)
{
	uint32_t n = 1u << rnd(19);

	n += rnd(n);
	return rnd(10) == 0 ? 0 : n < SIZE_MAX_1 ? n : SIZE_MAX_1;
}

static void
begin(struct conn *c)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_V4);
	ip_addr_t a;

	if (!pcb)
		return;
	ip_addr_copy_from_ip4(pcb->local_ip, *netif_ip4_addr(&nif[0]));
	tcp_bind_netif(pcb, &nif[0]);
	ip_addr_copy_from_ip4(a, *netif_ip4_addr(&nif[1]));
	memset(c, 0, sizeof(*c));
	for (int i = 0; i < 2; i++) {
		struct end *e = &c->e[i];

		e->base = rnd(MEM - SIZE_MAX_1);
		e->to_send = some_size();
		e->moved_ms = now_ms;
		e->slow = rnd(4) == 0;
		e->other = &c->e[!i];
	}
	for (int i = 0; i < 2; i++) {
		c->e[i].expect = c->e[!i].to_send;
		c->e[i].from = c->e[!i].base;
	}
	adopt(&c->e[0], pcb);
	c->used = true;
	if (tcp_connect(pcb, &a, 80, NULL) != ERR_OK) {
		c->used = false;
		tcp_arg(pcb, NULL);
		tcp_abort(pcb);
		return;
	}
	c->port = pcb->local_port;
	begun++;
}

/* What a program would do at this moment. */
static void
use(struct end *e)
{
	if (e->unread && rnd(30) == 0) {
		uint32_t n = 1 + rnd(e->unread < 65535 ? e->unread : 65535);

		e->unread -= n;
		tcp_recved(e->pcb, (u16_t)n);
	}
	while (e->pcb && e->written < e->to_send &&
	       e->pcb->snd_buf > TCP_SND_BUF - 100000) {
		u16_t n = (u16_t)(1 + rnd(rnd(2) ? 600 : 30000));

		if (n > e->to_send - e->written)
			n = (u16_t)(e->to_send - e->written);
		if (tcp_write(e->pcb, mem + e->base + e->written, n,
			      n < 512 ? TCP_WRITE_FLAG_COPY : 0) != ERR_OK)
			break;
		e->written += n;
		if (rnd(4) == 0)
			break;
	}
	tcp_output(e->pcb);
	if (e->pcb && !e->shut && e->written == e->to_send && rnd(4) == 0 &&
	    tcp_shutdown(e->pcb, 0, 1) == ERR_OK)
		e->shut = true;
}

/* ---- the wire ---- */

static struct packet *wire;

static void
put(int to, const void *data, uint16_t len)
{
	packet_put(&wire,
		   now_ms + now.delay +
			   (rnd(100) < now.reorder ? rnd(now.late) : 0),
		   to, data, len);
}

static void
on_path(int to, const void *data, uint16_t len)
{
	packets++;
	if (rnd(100) < now.loss) {
		lost++;
		return;
	}
	if (len > now.mtu) { /* a router says so, a little later */
		const uint8_t *tcp = (const uint8_t *)data + 20;
		struct conn *c = conn_of(
			(uint16_t)(tcp[to ? 0 : 2] << 8 | tcp[to ? 1 : 3]));

		if (c)
			c->e[!to].mtu = (uint16_t)now.mtu;
		return;
	}
	put(to, data, len);
	if (rnd(100) < now.twice)
		put(to, data, len);
}

/* ---- the device ---- */

/* As a real one, it has addresses of memory, and reads them late. */
struct held {
	struct held *next;
	uint32_t at;
	struct pbuf *p;
	unsigned n; /* 0: a large segment, read when it came */
	struct {
		const void *data;
		uint16_t len;
	} piece[PIECES];
	struct packet *cut;
};
static struct device {
	struct held *head, **tail;
	unsigned n;
	bool was_full;
} dev[2];

static struct packet **cut_end;

static void
keep_cut(int to, const void *data, uint16_t len)
{
	struct packet *k = malloc(sizeof(*k) + len);

	k->next = NULL;
	k->to = to;
	k->len = len;
	memcpy(k->data, data, len);
	*cut_end = k;
	cut_end = &k->next;
}

static void
read_plain(int to, const struct held *h)
{
	uint8_t b[MTU];
	uint16_t len = 0;

	for (unsigned i = 0; i < h->n; i++) {
		CHECK(len + h->piece[i].len <= MTU);
		memcpy(b + len, h->piece[i].data, h->piece[i].len);
		len = (uint16_t)(len + h->piece[i].len);
	}
	/* It is as it was when it came. */
	CHECK(inet_chksum(b, 20) == 0);
	CHECK(len == (b[2] << 8 | b[3]) && b[9] == IP_PROTO_TCP);
	CHECK(tcp_sum(b, len) == 0);
	on_path(to, b, len);
}

static void
device_step(int i)
{
	struct device *d = &dev[i];
	struct held *h;

	while ((h = d->head) && (int32_t)(h->at - now_ms) <= 0) {
		d->head = h->next;
		if (!d->head)
			d->tail = &d->head;
		d->n--;
		if (h->n)
			read_plain(!i, h);
		while (h->cut) {
			struct packet *k = h->cut;

			h->cut = k->next;
			on_path(k->to, k->data, k->len);
			free(k);
		}
		pbuf_free(h->p);
		free(h);
	}
	if (d->was_full && d->n < now.ring) {
		d->was_full = false;
		tcp_txnow();
	}
}

static err_t
output(struct netif *n, struct pbuf *p, const ip4_addr_t *dst)
{
	int i = n == &nif[1];
	struct device *d = &dev[i];
	struct held *h;

	(void)dst;
	if (d->n >= now.ring &&
	    (p->tot_len > SMALL || p->flags & PBUF_FLAG_GSO)) {
		d->was_full = true;
		full++;
		return ERR_MEM;
	}
	if (d->n >= now.ring || pbuf_clen(p) > PIECES) {
		p = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
		if (!p)
			return ERR_MEM;
	} else {
		pbuf_ref(p);
	}
	h = calloc(1, sizeof(*h));
	h->at = now_ms + (now.hold ? rnd(now.hold) : 0);
	h->p = p;
	if (p->flags & PBUF_FLAG_GSO) {
		large++;
		cut_end = &h->cut;
		gso_cut(p, !i, keep_cut);
	} else {
		for (struct pbuf *q = p; q; q = q->next) {
			h->piece[h->n].data = q->payload;
			h->piece[h->n++].len = q->len;
		}
	}
	*d->tail = h;
	d->tail = &h->next;
	d->n++;
	return ERR_OK;
}

static err_t
init_if(struct netif *n)
{
	n->output = output;
	n->mtu = n->mtu6 = MTU;
	n->name[0] = 'e';
	return ERR_OK;
}

/* ---- time ---- */

static void
check_queue(const struct end *e, const struct tcp_seg *s)
{
	for (; s && s->next; s = s->next)
		if (!TCP_SEQ_LT(lwip_ntohl(s->tcphdr->seqno),
				lwip_ntohl(s->next->tcphdr->seqno)))
			stop(e, "a queue out of order");
}

static void
check(struct end *e)
{
	const struct tcp_pcb *p = e->pcb;

	if (now_ms - e->moved_ms > STALL_MS && !e->done)
		stop(e, "standing still");
	if (!p)
		return;
	e->seen = *p;
	check_queue(e, p->unacked);
	check_queue(e, p->unsent);
	if (p->unacked && p->rtime < 0)
		stop(e, "no timer");
	held_again += p->unacked && p->unacked->p->ref != 1;
}

static void
use_all(void)
{
	unsigned live = 0;

	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &conns[i];

		if (!c->used)
			continue;
		for (int k = 0; k < 2; k++) {
			struct end *e = &c->e[k];

			if (e->mtu && e->pcb && rnd(10) == 0) {
				tcp_path_mtu(e->pcb, e->mtu);
				e->mtu = 0;
			}
			if (e->pcb && e->pcb->state >= ESTABLISHED)
				use(e);
			check(e);
		}
		live++;
		if (!c->e[0].done || !c->e[1].done)
			continue;
		for (int k = 0; k < 2; k++)
			if (c->e[k].got != c->e[k].expect || !c->e[k].fin_seen)
				stop(&c->e[k], "over too early");
		c->used = false;
		ended++;
	}
	if (live > at_once)
		at_once = live;
}

static void
step(void)
{
	now_ms++;
	if ((int32_t)(now_ms - changes_ms) >= 0)
		change_weather();
	device_step(0);
	device_step(1);
	packets_arrive(&wire, nif);
	if (now_ms % TCP_TMR_INTERVAL == 0)
		tcp_tmr();
	if (now_ms % 1000 == 0)
		tcp_tw_tmr();
	if (now_ms % 4 == 0)
		use_all();
}

static void
run(uint64_t s, unsigned total)
{
	long before = allocated;
	uint32_t start = now_ms;

	seed = this_seed = s;
	begun = ended = at_once = unheard = packets = lost = large = 0;
	held_again = full = 0;
	change_weather();
	while (ended < total) {
		unsigned i = rnd(CONNS);

		if (begun < total && !conns[i].used && rnd(8) == 0)
			begin(&conns[i]);
		step();
	}
	memset(&now, 0, sizeof(now));
	now.ring = RING_MAX;
	now.mtu = MTU;
	fail_one_in = 0;
	changes_ms = now_ms + 10000000;
	for (int i = 0; i < 300000 && (tcp_active_pcbs || tcp_tw_pcbs || wire ||
				       dev[0].n || dev[1].n);
	     i++)
		step();
	CHECK(!tcp_active_pcbs && !tcp_tw_pcbs && !tcp_busy_pcbs && !wire);
	CHECK(unheard <= total / 50);
	CHECK(tcp_tw_count == 0 && refs == 0 && allocated == before);
	printf("seed %llu: %u connections, %u at once, %u not made, %u "
	       "packets, %u lost, %u large, %u times full, held %u, %u s\n",
	       (unsigned long long)s, ended, at_once, unheard, packets, lost,
	       large, full, held_again, (now_ms - start) / 1000);
}

int
main(void)
{
	const char *one = getenv("PITH_SEED"), *many = getenv("PITH_LONG");
	ip4_addr_t a, m, none = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	mem = malloc(MEM);
	for (uint32_t i = 0; i < MEM; i++)
		mem[i] = (uint8_t)rnd(256);
	lwip_init();
	IP4_ADDR(&m, 255, 255, 255, 0);
	for (int i = 0; i < 2; i++) {
		dev[i].tail = &dev[i].head;
		IP4_ADDR(&a, 10, 0, 0, 1 + i);
		netif_add(&nif[i], &a, &m, &none, NULL, init_if, ip_input);
		netif_set_link_up(&nif[i]);
		netif_set_up(&nif[i]);
	}
	tcp_tw_max = 4096;
	listener = tcp_new_ip_type(IPADDR_TYPE_V4);
	listener->local_port = 80;
	listener = tcp_listen_with_backlog(listener, 255);
	tcp_accept(listener, on_accept);
	if (one) {
		run(strtoull(one, NULL, 0), 500);
		return 0;
	}
	for (uint64_t s = 1; s <= (many ? strtoul(many, NULL, 0) : 3); s++)
		run(s, 500);
	puts("ok");
	return 0;
}
