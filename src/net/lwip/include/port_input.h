/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lwIP takes for granted of a packet that it is given: it reads headers
 * before it looks whether the first pbuf has them.  Shared with the unit
 * test that feeds it damaged frames.
 */
#pragma once

#include <lwip/pbuf.h>
#include <lwip/prot/ethernet.h>

#define PORT_HEAD 128 /* the first bytes of a packet lie in one piece */

static inline u16_t
port_least(u16_t ethertype)
{
	switch (ethertype) {
	case ETHTYPE_ARP:
		return 28;
	case ETHTYPE_IP:
		return 20;
	case ETHTYPE_IPV6:
		return 40;
	default:
		return 0xffff; /* not ours */
	}
}

/* p without its link header.  The packet to go on with; NULL: dropped. */
static inline struct pbuf *
port_whole_head(struct pbuf *p, u16_t ethertype)
{
	struct pbuf *q;

	if (p->tot_len < port_least(ethertype)) {
		pbuf_free(p);
		return NULL;
	}
	if (p->len == p->tot_len || p->len >= PORT_HEAD)
		return p;
	q = pbuf_clone(PBUF_LINK, PBUF_RAM, p);
	if (q) {
		q->flags |= p->flags & (PBUF_FLAG_LLBCAST | PBUF_FLAG_LLMCAST);
		q->if_idx = p->if_idx;
	}
	pbuf_free(p);
	return q;
}
