/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference counts that saturate: a count that ever reaches the upper half
 * stays there for good, so an overflow leaks and never frees too early.
 */
#pragma once

#include <base/atomic.h>
#include <base/types.h>

struct refcount {
	uint32_t n;
};

#define REFCOUNT_SATURATED 0xc0000000u
#define REFCOUNT_INIT(v) \
	{                \
		(v)      \
	}

static inline void
refcount_set(struct refcount *r, uint32_t n)
{
	atomic_store_relaxed(&r->n, n);
}

static inline uint32_t
refcount_read(const struct refcount *r)
{
	return atomic_load_relaxed(&r->n);
}

static inline void
refcount_get(struct refcount *r)
{
	uint32_t old = __atomic_fetch_add(&r->n, 1, __ATOMIC_RELAXED);

	if (unlikely(old >= 0x80000000u))
		atomic_store_relaxed(&r->n, REFCOUNT_SATURATED);
}

/* false: the count was zero and stays so. */
static inline bool
refcount_get_unless_zero(struct refcount *r)
{
	uint32_t old = atomic_load_relaxed(&r->n);

	do {
		if (old == 0)
			return false;
		if (unlikely(old >= 0x80000000u))
			return true;
	} while (!atomic_cas(&r->n, &old, old + 1));
	return true;
}

/* true: that was the last one. */
static inline bool
refcount_put(struct refcount *r)
{
	uint32_t old = __atomic_fetch_sub(&r->n, 1, __ATOMIC_ACQ_REL);

	if (unlikely(old == 0 || old >= 0x80000000u)) {
		atomic_store_relaxed(&r->n, REFCOUNT_SATURATED);
		return false;
	}
	return old == 1;
}
