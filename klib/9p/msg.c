/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of 9P: little-endian numbers and counted strings, one behind the
 * other.  Running over the end sets m->bad and yields zeroes, so that a
 * message is written or read in a row and looked at once.
 */
#include "p9.h"

#include <abi/errno.h>
#include <base/string.h>
#include <mem/heap.h>

int
p9_msg_begin(struct p9_msg *m, enum p9_type type)
{
	m->mem = kmalloc(P9_ASK_BYTES + P9_ANSWER_BYTES, ALLOC_NOFS);
	if (!m->mem)
		return -ENOMEM;
	m->buf = m->mem;
	m->at = 0;
	m->end = P9_ASK_BYTES;
	m->bad = false;
	p9_put32(m, 0); /* the size, when it is known */
	p9_put8(m, (uint8_t)type);
	p9_put16(m, 0); /* the tag, when it is sent */
	return 0;
}

void
p9_msg_end(struct p9_msg *m)
{
	kfree(m->mem);
}

/* Room for n bytes; NULL: there is none. */
static uint8_t *
take(struct p9_msg *m, uint32_t n)
{
	uint8_t *p = m->buf + m->at;

	if (m->bad || m->end - m->at < n) {
		m->bad = true;
		return NULL;
	}
	m->at += n;
	return p;
}

static void
put(struct p9_msg *m, uint64_t v, uint32_t n)
{
	uint8_t *p = take(m, n);

	for (uint32_t i = 0; p && i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t
get(struct p9_msg *m, uint32_t n)
{
	const uint8_t *p = take(m, n);
	uint64_t v = 0;

	for (uint32_t i = 0; p && i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

void
p9_put8(struct p9_msg *m, uint8_t v)
{
	put(m, v, 1);
}

void
p9_put16(struct p9_msg *m, uint16_t v)
{
	put(m, v, 2);
}

void
p9_put32(struct p9_msg *m, uint32_t v)
{
	put(m, v, 4);
}

void
p9_put64(struct p9_msg *m, uint64_t v)
{
	put(m, v, 8);
}

void
p9_put_str(struct p9_msg *m, const char *s, size_t len)
{
	uint8_t *p;

	if (len > UINT16_MAX) {
		m->bad = true;
		return;
	}
	put(m, len, 2);
	p = take(m, (uint32_t)len);
	if (p)
		memcpy(p, s, len);
}

uint8_t
p9_get8(struct p9_msg *m)
{
	return (uint8_t)get(m, 1);
}

uint16_t
p9_get16(struct p9_msg *m)
{
	return (uint16_t)get(m, 2);
}

uint32_t
p9_get32(struct p9_msg *m)
{
	return (uint32_t)get(m, 4);
}

uint64_t
p9_get64(struct p9_msg *m)
{
	return get(m, 8);
}

const char *
p9_get_str(struct p9_msg *m, uint16_t *len)
{
	uint16_t n = p9_get16(m);
	const uint8_t *p = take(m, n);

	*len = p ? n : 0;
	return p ? (const char *)p : "";
}

void
p9_get_qid(struct p9_msg *m, struct p9_qid *q)
{
	q->type = p9_get8(m);
	q->version = p9_get32(m);
	q->path = p9_get64(m);
}
