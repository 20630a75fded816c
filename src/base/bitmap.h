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

/* The bits of word w that lie in [from, to). */
static inline uint64_t
bitmap_mask(size_t w, size_t from, size_t to)
{
	uint64_t m = ~0ull;

	if (from > w * 64)
		m <<= from - w * 64;
	if (to < (w + 1) * 64)
		m &= ~0ull >> ((w + 1) * 64 - to);
	return m;
}

/* Bits [from, to) become one (on) or zero. */
static inline void
bitmap_fill(uint64_t *b, size_t from, size_t to, bool on)
{
	size_t w = from / 64, last = (to - 1) / 64;

	if (from >= to)
		return;
	for (; w <= last; w++) {
		uint64_t m = bitmap_mask(w, from, to);

		b[w] = on ? b[w] | m : b[w] & ~m;
	}
}

/* How many of the bits [from, to) are one. */
static inline size_t
bitmap_count(const uint64_t *b, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t w = from / 64; w * 64 < to; w++) {
		uint64_t x = b[w] & bitmap_mask(w, from, to);

		/* Whole words are what there is most of. */
		if (x == ~0ull)
			n += 64;
		else
			for (; x; x &= x - 1)
				n++;
	}
	return n;
}
