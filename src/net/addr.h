/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address of IPv4 or IPv6.  Inside, every one has 16 bytes, one of IPv4 is
 * ::ffff:a.b.c.d; so a socket of either family meets the other without
 * conversion.
 */
#pragma once

#include <base/types.h>

struct inet_addr {
	union {
		uint8_t b[16];
		uint32_t w[4];
		uint64_t d[2];
	};
};

static inline struct inet_addr
inet_v4(uint32_t net)
{
	struct inet_addr a = { .w = { 0, 0, 0xffff0000u, net } };

	return a;
}

static inline bool
inet_is_v4(const struct inet_addr *a)
{
	return a->d[0] == 0 && a->w[2] == 0xffff0000u;
}

static inline bool
inet_same(const struct inet_addr *a, const struct inet_addr *b)
{
	return a->d[0] == b->d[0] && a->d[1] == b->d[1];
}

/* 127.0.0.0/8: no packet leaves from there (RFC 1122, 3.2.1.3). */
static inline bool
inet_is_loopback4(const struct inet_addr *a)
{
	return inet_is_v4(a) && a->b[12] == 127;
}

/* Whom this machine is to itself: the source of what it sends to dst, which is
 * one of its own addresses. */
static inline struct inet_addr
inet_near_source(const struct inet_addr *dst)
{
	if (inet_is_loopback4(dst))
		return inet_v4(0x0100007f);
	return *dst;
}

/* 0.0.0.0 or :: */
static inline bool
inet_is_any(const struct inet_addr *a)
{
	return a->d[0] == 0 && a->w[3] == 0 &&
	       (a->w[2] == 0 || a->w[2] == 0xffff0000u);
}
