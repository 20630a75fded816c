/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink messages under construction, and attributes found in requests.
 * What comes from a program is copied out before it is looked at: it need
 * not be aligned.
 */
#include "netlink.h"

#include <abi/errno.h>
#include <base/math.h>
#include <base/string.h>
#include <mem/heap.h>

void
nl_buf_free(struct nl_buf *b)
{
	kfree(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}

static void *
grow(struct nl_buf *b, uint32_t n)
{
	uint32_t need = b->len + n;
	void *p;

	if (b->err)
		return NULL;
	if (need > b->cap) {
		uint32_t cap = (uint32_t)max_u64(need, b->cap * 2 + 512);
		uint8_t *data = kmalloc(cap, ALLOC_KERNEL);

		if (!data) {
			b->err = -ENOMEM;
			return NULL;
		}
		memcpy(data, b->data, b->len);
		kfree(b->data);
		b->data = data;
		b->cap = cap;
	}
	p = b->data + b->len;
	memset(p, 0, n);
	b->len = need;
	return p;
}

void *
nl_begin(struct nl_buf *b, uint16_t type, uint16_t flags, uint32_t seq,
	 uint32_t pid, uint32_t size)
{
	struct nlmsghdr *h;

	b->at = b->len;
	h = grow(b, sizeof(*h) + NLMSG_ALIGN(size));
	if (!h)
		return NULL;
	h->type = type;
	h->flags = flags;
	h->seq = seq;
	h->pid = pid;
	return h + 1;
}

void
nl_attr(struct nl_buf *b, uint16_t type, const void *p, uint32_t len)
{
	struct nlattr *a = grow(b, sizeof(*a) + NLMSG_ALIGN(len));

	if (!a)
		return;
	a->len = (uint16_t)(sizeof(*a) + len);
	a->type = type;
	memcpy(a + 1, p, len);
}

void
nl_attr_u32(struct nl_buf *b, uint16_t type, uint32_t v)
{
	nl_attr(b, type, &v, sizeof(v));
}

void
nl_attr_u8(struct nl_buf *b, uint16_t type, uint8_t v)
{
	nl_attr(b, type, &v, sizeof(v));
}

void
nl_attr_str(struct nl_buf *b, uint16_t type, const char *s)
{
	nl_attr(b, type, s, (uint32_t)strlen(s) + 1);
}

void
nl_end(struct nl_buf *b)
{
	struct nlmsghdr h;

	if (b->err)
		return;
	memcpy(&h, b->data + b->at, sizeof(h));
	h.len = b->len - b->at;
	memcpy(b->data + b->at, &h, sizeof(h));
}

int
nl_check(const struct nl_request *r, uint32_t size)
{
	uint32_t at = NLMSG_ALIGN(size);

	if (r->len < size)
		return -EINVAL;
	while (at < r->len && r->len - at >= sizeof(struct nlattr)) {
		struct nlattr a;

		memcpy(&a, r->payload + at, sizeof(a));
		if (a.len < sizeof(a) || a.len > r->len - at)
			return -EINVAL;
		at += NLMSG_ALIGN(a.len);
	}
	return 0;
}

const void *
nl_find(const struct nl_request *r, uint32_t size, uint16_t type, uint32_t *len)
{
	uint32_t at = NLMSG_ALIGN(size);

	while (at < r->len && r->len - at >= sizeof(struct nlattr)) {
		struct nlattr a;

		memcpy(&a, r->payload + at, sizeof(a));
		if (a.len < sizeof(a) || a.len > r->len - at)
			return NULL;
		if ((a.type & NLA_TYPE_MASK) == type) {
			*len = (uint32_t)(a.len - sizeof(a));
			return r->payload + at + sizeof(a);
		}
		at += NLMSG_ALIGN(a.len);
	}
	return NULL;
}
