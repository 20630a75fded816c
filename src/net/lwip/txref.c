/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data that TCP sends by reference: a pbuf holds the piece (nbuf) that it
 * points into until it is acknowledged and the device is done.
 *
 * Each segment needs a tcp_seg, a pbuf for its headers and one for the first
 * piece of its data.  They are one block of memory, which goes when the last
 * of the three does.  Where a segment is cut, both parts refer to the piece.
 *
 * Everything here runs with the core lock, as lwIP's counts of references
 * are plain words.
 */
#include "port.h"

#include <base/string.h>
#include <net/lwip/far.h>
#include <net/tcp.h>

#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>

#include "port_hooks.h"

#define ROOM 112 /* headers: link, IP, TCP, options */

struct nbuf *tx_ref_writing;

struct ref_pbuf {
	struct pbuf_custom pc; /* first */
	struct nbuf *b;
};

static_assert(sizeof(struct ref_pbuf) <= NBUF_REF, "nbuf.ref");

struct seg_block {
	struct pbuf_custom hdr; /* first */
	struct ref_pbuf data;
	struct tcp_seg seg;
	unsigned users; /* of the three */
	uint8_t room[ROOM] __attribute__((aligned(8)));
};
static_assert(sizeof(struct seg_block) <= 256, "a size of the heap's");
static_assert(ROOM >= LWIP_MEM_ALIGN_SIZE(PBUF_TRANSPORT) +
			      LWIP_TCP_OPT_LEN_TS_OUT,
	      "the options of data");

/* The payload is set by the caller.  Not PBUF_ROM: tcp_write() makes such a
 * one longer where the next piece follows in memory, which two pages do, and
 * would hold the first piece only. */
static struct pbuf *
ref_init(struct ref_pbuf *r, struct nbuf *b, uint16_t len,
	 pbuf_free_custom_fn done)
{
	r->pc.custom_free_function = done;
	r->b = b;
	refcount_get(&r->b->refs);
	return pbuf_alloced_custom(PBUF_RAW, len, PBUF_REF, &r->pc, r->b->data,
				   len);
}

static void
ref_free(struct pbuf *p)
{
	struct ref_pbuf *r = (struct ref_pbuf *)(void *)p;

	nbuf_free(r->b);
	lwip_port_free(r);
}

static void
own_ref_free(struct pbuf *p)
{
	struct nbuf *b = ((struct ref_pbuf *)(void *)p)->b;

	b->referred = false;
	nbuf_free(b);
}

/* A page that is sent is referred to once, by what lies in its own piece. */
struct pbuf *
port_tcp_ref_pbuf(uint16_t len)
{
	struct nbuf *b = tx_ref_writing;
	struct ref_pbuf *r;

	if (!b->referred) {
		b->referred = true;
		return ref_init((struct ref_pbuf *)(void *)b->ref, b, len,
				own_ref_free);
	}
	r = lwip_port_malloc(sizeof(*r));
	return r ? ref_init(r, tx_ref_writing, len, ref_free) : NULL;
}

static void
block_put(struct seg_block *s)
{
	if (!--s->users)
		lwip_port_free(s);
}

static void
block_hdr_free(struct pbuf *p)
{
	block_put((struct seg_block *)(void *)p);
}

static void
block_data_free(struct pbuf *p)
{
	struct seg_block *s = container_of((struct ref_pbuf *)(void *)p,
					   struct seg_block, data);

	nbuf_free(s->data.b);
	block_put(s);
}

static struct pbuf *
make_block(struct nbuf *b, uint16_t optlen, const void *data, uint16_t len)
{
	struct seg_block *s;
	struct pbuf *h, *d;

	if (LWIP_MEM_ALIGN_SIZE(PBUF_TRANSPORT) + optlen > ROOM)
		return NULL;
	s = lwip_port_malloc(sizeof(*s));
	if (!s)
		return NULL;
	s->users = 2;
	s->hdr.custom_free_function = block_hdr_free;
	h = pbuf_alloced_custom(PBUF_TRANSPORT, optlen, PBUF_RAM, &s->hdr,
				s->room, ROOM);
	d = ref_init(&s->data, b, len, block_data_free);
	d->payload = (void *)(uintptr_t)data;
	h->next = d;
	h->tot_len = (u16_t)(optlen + len);
	return h;
}

struct pbuf *
port_tcp_seg_pbufs(uint16_t optlen, const void *data, uint16_t len)
{
	return make_block(tx_ref_writing, optlen, data, len);
}

struct pbuf *
port_tcp_seg_part(uint16_t optlen, struct pbuf *p, uint16_t off)
{
	struct ref_pbuf *r = (struct ref_pbuf *)(void *)p;

	if (!(p->flags & PBUF_FLAG_IS_CUSTOM) ||
	    (r->pc.custom_free_function != ref_free &&
	     r->pc.custom_free_function != own_ref_free &&
	     r->pc.custom_free_function != block_data_free))
		return NULL;
	return make_block(r->b, optlen, (uint8_t *)p->payload + off,
			  (uint16_t)(p->len - off));
}

struct tcp_seg *
port_tcp_seg_of(struct pbuf *p)
{
	struct seg_block *s = (struct seg_block *)(void *)p;

	if (!(p->flags & PBUF_FLAG_IS_CUSTOM) ||
	    s->hdr.custom_free_function != block_hdr_free)
		return NULL;
	s->users++;
	return &s->seg;
}

void
port_tcp_seg_free(struct tcp_seg *seg)
{
	block_put(container_of(seg, struct seg_block, seg));
}
