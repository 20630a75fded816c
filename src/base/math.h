/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small integer arithmetic: rounding, minimum and maximum, overflow checks,
 * powers of two.  The align functions take powers of two.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

static inline uint64_t
align_up(uint64_t v, uint64_t a)
{
	return (v + a - 1) & ~(a - 1);
}

static inline uint64_t
align_down(uint64_t v, uint64_t a)
{
	return v & ~(a - 1);
}

static inline bool
is_aligned(uint64_t v, uint64_t a)
{
	return !(v & (a - 1));
}

static inline uint64_t
div_round_up(uint64_t n, uint64_t d)
{
	return n / d + (n % d != 0);
}

static inline uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline int64_t
min_i64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t
max_i64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t
max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

static inline bool
is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* Position of the highest set bit; v is not 0. */
static inline unsigned
log2_u64(uint64_t v)
{
	return 63u - (unsigned)__builtin_clzll(v);
}

/* true: overflow; *r holds the wrapped result. */
static inline bool
add_overflow_u64(uint64_t a, uint64_t b, uint64_t *r)
{
	return __builtin_add_overflow(a, b, r);
}

static inline bool
mul_overflow_u64(uint64_t a, uint64_t b, uint64_t *r)
{
	return __builtin_mul_overflow(a, b, r);
}
