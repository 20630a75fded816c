/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taps: who sees frames go by (AF_PACKET), and frames that are sent whole.
 */
#include "ether.h"

#include <abi/errno.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>

#include <lwip/pbuf.h>
#include <lwip/prot/ethernet.h>

#define ETH_P_ALL 3

static struct list taps = LIST_INIT(taps); /* [core] */
bool net_taps_any;			   /* [core] */

/* On lo there is no link header: Linux shows one of zeroes and the type. */
static size_t
copy_made_head(const struct net_frame *f, size_t off, uint8_t *dst, size_t len)
{
	uint8_t head[SIZEOF_ETH_HDR] = { 0 };

	head[12] = (uint8_t)(f->protocol >> 8);
	head[13] = (uint8_t)f->protocol;
	len = min_size(len, sizeof(head) - off);
	memcpy(dst, head + off, len);
	return len;
}

size_t
net_frame_copy(const struct net_frame *f, size_t off, void *dst, size_t len)
{
	size_t done = 0;

	if (off >= f->len)
		return 0;
	if (f->made_head) {
		if (off < SIZEOF_ETH_HDR)
			done = copy_made_head(f, off, dst, len);
		off = off + done - SIZEOF_ETH_HDR;
		if (done == len)
			return done;
	}
	return done + pbuf_copy_partial(f->handle, (uint8_t *)dst + done,
					(u16_t)min_u64(len - done, 0xffff),
					(u16_t)off);
}

static uint8_t
type_of(const struct net_port *p, const uint8_t *dest, bool outgoing)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };

	if (outgoing)
		return 4;
	if (!memcmp(dest, all, 6))
		return 1;
	if (dest[0] & 1)
		return 2;
	return memcmp(dest, p->nic->mac, 6) ? 3 : 0;
}

void
net_taps_see(struct net_port *p, struct pbuf *pb, bool outgoing, bool partial)
{
	struct net_frame f = {
		.ifindex = netif_get_index(&p->netif),
		.outgoing = outgoing,
		.len = pb->tot_len,
		.csum_partial = partial,
		.handle = pb,
	};
	const uint8_t *h = pb->payload;
	struct net_tap *t, *n;

	f.time_ns = clock_real_ns();
	if (p->nic && pb->len >= SIZEOF_ETH_HDR) {
		f.link_len = SIZEOF_ETH_HDR;
		f.protocol = (uint16_t)(h[12] << 8 | h[13]);
		f.pkttype = type_of(p, h, outgoing);
		/* What came in has left its header out of its length. */
		if (!outgoing)
			f.len += SIZEOF_ETH_HDR;
	} else {
		f.protocol = h[0] >> 4 == 6 ? ETHTYPE_IPV6 : ETHTYPE_IP;
		f.made_head = true;
		f.link_len = SIZEOF_ETH_HDR;
		f.len += SIZEOF_ETH_HDR;
	}
	list_for_each_entry_safe(t, n, &taps, link) {
		if (t->ifindex && t->ifindex != f.ifindex)
			continue;
		if (t->protocol != ETH_P_ALL &&
		    (t->protocol != f.protocol || outgoing))
			continue;
		t->fn(t, &f);
	}
}

void
net_tap_add(struct net_tap *t)
{
	net_core_lock();
	list_add_tail(&taps, &t->link);
	net_taps_any = true;
	net_core_unlock();
}

void
net_tap_remove(struct net_tap *t)
{
	net_core_lock();
	list_del(&t->link);
	net_taps_any = !list_empty(&taps);
	net_core_unlock();
}

int
net_link_send(int ifindex, const void *frame, size_t len)
{
	struct net_port *e;
	struct pbuf *p;
	int err = 0;

	if (len > 0xffff)
		return -EMSGSIZE;
	net_core_lock();
	e = net_port_of(ifindex);
	if (!e)
		err = -ENXIO;
	else if (!e->admin_up)
		err = -ENETDOWN;
	else if (!e->nic)
		err = -EOPNOTSUPP;
	else if (len < SIZEOF_ETH_HDR)
		err = -EINVAL;
	else if (len > (size_t)e->netif.mtu + SIZEOF_ETH_HDR)
		err = -EMSGSIZE;
	p = err ? NULL : pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
	if (p) {
		pbuf_take(p, frame, (u16_t)len);
		if (e->netif.linkoutput(&e->netif, p) != ERR_OK)
			err = -ENOBUFS;
		pbuf_free(p);
	} else if (!err) {
		err = -ENOBUFS;
	}
	net_core_unlock();
	return err;
}
