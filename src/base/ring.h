/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte ring over the caller's buffer; its size is a power of two.  Counters
 * run freely: used = head - tail.  No locking.
 */
#pragma once

#include <base/math.h>
#include <base/string.h>
#include <base/types.h>

struct ring {
	uint8_t *buf;
	uint32_t size;	     /* power of two */
	uint32_t head, tail; /* written, read */
};

static inline void
ring_init(struct ring *r, void *buf, uint32_t size)
{
	r->buf = buf;
	r->size = size;
	r->head = r->tail = 0;
}

static inline uint32_t
ring_used(const struct ring *r)
{
	return r->head - r->tail;
}

static inline uint32_t
ring_free(const struct ring *r)
{
	return r->size - ring_used(r);
}

/* Both return the number of bytes moved. */
static inline uint32_t
ring_write(struct ring *r, const void *src, uint32_t len)
{
	uint32_t n = (uint32_t)min_u64(len, ring_free(r));
	uint32_t at = r->head & (r->size - 1);
	uint32_t first = (uint32_t)min_u64(n, r->size - at);

	memcpy(r->buf + at, src, first);
	memcpy(r->buf, (const uint8_t *)src + first, n - first);
	r->head += n;
	return n;
}

static inline uint32_t
ring_read(struct ring *r, void *dst, uint32_t len)
{
	uint32_t n = (uint32_t)min_u64(len, ring_used(r));
	uint32_t at = r->tail & (r->size - 1);
	uint32_t first = (uint32_t)min_u64(n, r->size - at);

	memcpy(dst, r->buf + at, first);
	memcpy((uint8_t *)dst + first, r->buf, n - first);
	r->tail += n;
	return n;
}
