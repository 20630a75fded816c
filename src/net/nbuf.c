/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of a stream (struct nbuf) and queues of them.  No locks: a queue is
 * guarded by its socket's, and the memory of a piece by its references.
 */
#include <net/tcp.h>

#include "tcp_priv.h"

#include <base/string.h>
#include <mem/heap.h>

#define SHARED_LEAST (512u - (uint32_t)sizeof(struct nbuf))

struct nbuf *
nbuf_alloc(uint32_t len, unsigned alloc)
{
	struct nbuf *b = kmalloc(sizeof(*b) + len, alloc);

	if (!b)
		return NULL;
	b->next = NULL;
	b->data = (uint8_t *)(b + 1);
	b->len = len;
	b->truesize = (uint32_t)sizeof(*b) + len;
	refcount_set(&b->refs, 1);
	b->free = NULL;
	b->priv = NULL;
	b->shares = b->referred = false;
	return b;
}

struct nbuf *
nbuf_alloc_shared(uint32_t len, unsigned alloc, void (*free)(struct nbuf *b))
{
	struct nbuf *b =
		nbuf_alloc(len < SHARED_LEAST ? SHARED_LEAST : len, alloc);

	if (!b)
		return NULL;
	b->len = len;
	b->free = free;
	b->shares = true;
	return b;
}

void
nbuf_free(struct nbuf *b)
{
	if (!refcount_put(&b->refs))
		return;
	if (b->free)
		b->free(b);
	else
		kfree(b);
}

void
nbuf_append(struct nbuf_queue *q, struct nbuf *b)
{
	b->next = NULL;
	*q->tail = b;
	q->tail = &b->next;
	q->bytes += b->len;
}

void
nbuf_join(struct nbuf_queue *q, struct nbuf *b)
{
	struct nbuf *last;
	uint8_t *end;

	if (!q->head || !b->shares || b->len >= SHARED_LEAST)
		goto alone;
	last = container_of(q->tail, struct nbuf, next);
	end = last->data + last->len;
	if (!last->shares ||
	    (size_t)((uint8_t *)last + last->truesize - end) < b->len)
		goto alone;
	memcpy(end, b->data, b->len);
	last->len += b->len;
	q->bytes += b->len;
	nbuf_free(b);
	return;
alone:
	nbuf_append(q, b);
}

struct nbuf *
nbuf_take_all(struct nbuf_queue *q)
{
	struct nbuf *b = q->head;

	nbuf_queue_init(q);
	return b;
}

void
nbuf_free_list(struct nbuf *b)
{
	while (b) {
		struct nbuf *next = b->next;

		nbuf_free(b);
		b = next;
	}
}
