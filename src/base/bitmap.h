/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bitmaps: arrays of 64-bit words, bit i in word i / 64.  Not atomic.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define BITMAP_WORDS(n) (((n) + 63) / 64)

static inline bool
bitmap_test(const uint64_t *b, size_t i)
{
	return b[i / 64] >> (i % 64) & 1;
}

static inline void
bitmap_set(uint64_t *b, size_t i)
{
	b[i / 64] |= 1ull << (i % 64);
}

static inline void
bitmap_clear(uint64_t *b, size_t i)
{
	b[i / 64] &= ~(1ull << (i % 64));
}

/* First bit >= start that is zero (or one), or n when there is none. */
static inline size_t
bitmap_next_zero(const uint64_t *b, size_t n, size_t start)
{
	size_t i = start;

	while (i < n) {
		uint64_t w = ~b[i / 64] >> (i % 64);

		if (w) {
			i += (size_t)__builtin_ctzll(w);
			return i < n ? i : n;
		}
		i = (i / 64 + 1) * 64;
	}
	return n;
}

static inline size_t
bitmap_next_one(const uint64_t *b, size_t n, size_t start)
{
	size_t i = start;

	while (i < n) {
		uint64_t w = b[i / 64] >> (i % 64);

		if (w) {
			i += (size_t)__builtin_ctzll(w);
			return i < n ? i : n;
		}
		i = (i / 64 + 1) * 64;
	}
	return n;
}
