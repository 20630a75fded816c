/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues of bytes, made of packets.  A packet that fits into what the last
 * one has left is copied there, so small ones do not cost a buffer each: no
 * two neighbours are both less than half full.  Callers hold vsock_lock.
 *
 * A reader copies from pieces without the lock, up to a len that it saw with
 * it: what is added comes behind.
 */
#include "vsock.h"

#include <abi/errno.h>
#include <base/math.h>
#include <base/string.h>
#include <mem/heap.h>

#define SMALL_ROOM 432u /* with the rest of the packet, 512 */

void
vsock_queue_init(struct vsock_queue *q)
{
	list_init(&q->pieces);
	q->bytes = 0;
}

struct vsock_pkt *
vsock_pkt_alloc(uint32_t room, unsigned alloc)
{
	struct vsock_pkt *p = kmalloc(sizeof(*p) + room, alloc);

	if (!p)
		return NULL;
	list_init(&p->link);
	p->owner = NULL;
	p->off = p->len = 0;
	p->room = room;
	memset(&p->hdr, 0, sizeof(p->hdr));
	return p;
}

static struct vsock_pkt *
last_with_room(struct vsock_queue *q, uint32_t n)
{
	struct vsock_pkt *p;

	if (list_empty(&q->pieces))
		return NULL;
	p = list_last_entry(&q->pieces, struct vsock_pkt, link);
	return p->room - p->len >= n ? p : NULL;
}

static void
append(struct vsock_pkt *to, const void *from, uint32_t n)
{
	memcpy(to->data + to->len, from, n);
	to->len += n;
}

void
vsock_queue_packet(struct vsock_queue *q, struct vsock_pkt *p)
{
	uint32_t n = p->len - p->off;
	struct vsock_pkt *last = n ? last_with_room(q, n) : NULL;

	q->bytes += n;
	if (last)
		append(last, p->data + p->off, n);
	if (last || !n)
		kfree(p);
	else
		list_add_tail(&q->pieces, &p->link);
}

int
vsock_queue_bytes(struct vsock_queue *q, const void *from, uint32_t n)
{
	struct vsock_pkt *last = last_with_room(q, n);

	if (!last) {
		last = vsock_pkt_alloc(SMALL_ROOM, ALLOC_ATOMIC);
		if (!last)
			return -ENOMEM;
		list_add_tail(&q->pieces, &last->link);
	}
	append(last, from, n);
	q->bytes += n;
	return 0;
}

void
vsock_queue_take(struct vsock_queue *q, void *to, uint32_t n)
{
	uint8_t *at = to;

	q->bytes -= n;
	while (n) {
		struct vsock_pkt *p =
			list_first_entry(&q->pieces, struct vsock_pkt, link);
		uint32_t k = (uint32_t)min_u64(n, p->len - p->off);

		if (at) {
			memcpy(at, p->data + p->off, k);
			at += k;
		}
		n -= k;
		p->off += k;
		if (p->off == p->len) {
			list_del(&p->link);
			kfree(p);
		}
	}
}

void
vsock_queue_peek(const struct vsock_queue *q, void *to, uint32_t n)
{
	const struct vsock_pkt *p;
	uint8_t *at = to;

	list_for_each_entry(p, &q->pieces, link) {
		uint32_t k = (uint32_t)min_u64(n, p->len - p->off);

		memcpy(at, p->data + p->off, k);
		at += k;
		n -= k;
		if (!n)
			return;
	}
}

void
vsock_queue_clear(struct vsock_queue *q)
{
	while (!list_empty(&q->pieces)) {
		struct vsock_pkt *p =
			list_first_entry(&q->pieces, struct vsock_pkt, link);

		list_del(&p->link);
		kfree(p);
	}
	q->bytes = 0;
}
