/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large segments for a device that cuts them: the pbuf that lwIP sees holds
 * the headers; the data lies in the pbufs of the segments that it stands for,
 * each held by a reference until the device has sent it.
 */
#include "ether.h"

#include <base/string.h>

#include <lwip/prot/ethernet.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>

#include "port_hooks.h"

#define GSO_SEGS 46 /* segments of one: 64 KB in 1448s */
#define HEADROOM 64 /* link and IP headers */

static_assert(HEADROOM >= SIZEOF_ETH_HDR + IP6_HLEN, "room for headers");

struct gso_pbuf {
	struct pbuf_custom pc; /* first */
	unsigned nheld, nsegs;
	uint16_t size, hlen;
	bool v6;
	struct pbuf *held[GSO_SEGS];
	struct nic_seg segs[NIC_TX_SEGS - 1];
	uint8_t room[HEADROOM + 60];
};

static void
gso_free(struct pbuf *p)
{
	struct gso_pbuf *g = (struct gso_pbuf *)(void *)p;

	for (unsigned i = 0; i < g->nheld; i++)
		pbuf_free(g->held[i]);
	lwip_port_free(g);
}

int
port_gso_can(const struct netif *n, int v6)
{
	const struct net_port *e = n->state;

	return e->nic && e->nic->tx_csum &&
	       (v6 ? e->nic->tx_tso6 : e->nic->tx_tso4);
}

struct pbuf *
port_gso_begin(struct netif *n, int v6, uint16_t hlen, uint16_t size)
{
	struct gso_pbuf *g;
	struct pbuf *p;

	if (!port_gso_can(n, v6) || hlen > 60)
		return NULL;
	g = lwip_port_malloc(sizeof(*g));
	if (!g)
		return NULL;
	g->pc.custom_free_function = gso_free;
	g->nheld = g->nsegs = 0;
	g->size = size;
	g->hlen = hlen;
	g->v6 = v6;
	p = pbuf_alloced_custom(PBUF_RAW, hlen, PBUF_RAM, &g->pc,
				g->room + HEADROOM, hlen);
	p->flags |= PBUF_FLAG_GSO;
	return p;
}

/* Neighbours in memory become one piece. */
static bool
add_piece(struct gso_pbuf *g, const uint8_t *data, uint32_t len)
{
	struct nic_seg *last = g->nsegs ? &g->segs[g->nsegs - 1] : NULL;

	if (!len)
		return true;
	if (last && (const uint8_t *)last->data + last->len == data) {
		last->len += len;
		return true;
	}
	if (g->nsegs == NIC_TX_SEGS - 1)
		return false;
	g->segs[g->nsegs].data = data;
	g->segs[g->nsegs++].len = len;
	return true;
}

int
port_gso_add(struct pbuf *p, struct pbuf *seg, uint16_t off)
{
	struct gso_pbuf *g = (struct gso_pbuf *)(void *)p;
	unsigned nsegs = g->nsegs;
	uint32_t last = nsegs ? g->segs[nsegs - 1].len : 0;
	const struct pbuf *q;
	bool ok = g->nheld < GSO_SEGS && off <= seg->len;

	for (q = seg; ok && q; q = q->next) {
		ok = add_piece(g, (const uint8_t *)q->payload + off,
			       (uint32_t)q->len - off);
		off = 0;
	}
	if (!ok) {
		g->nsegs = nsegs;
		if (nsegs)
			g->segs[nsegs - 1].len = last;
		return 0;
	}
	pbuf_ref(seg);
	g->held[g->nheld++] = seg;
	return 1;
}

unsigned
net_gso_gather(const struct pbuf *p, struct nic_seg *segs, struct nic_meta *m)
{
	const struct gso_pbuf *g = (const struct gso_pbuf *)(const void *)p;

	segs[0].data = p->payload;
	segs[0].len = p->len;
	memcpy(segs + 1, g->segs, g->nsegs * sizeof(*segs));
	m->gso = g->v6 ? NIC_GSO_TCP6 : NIC_GSO_TCP4;
	m->gso_size = g->size;
	m->hdr_len = p->len;
	return g->nsegs + 1;
}
