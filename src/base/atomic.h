/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Atomic operations by name; thin over the compiler's builtins.  The default
 * order is sequentially consistent; _relaxed, _acquire and _release say what
 * they do.
 */
#pragma once

#include <base/compiler.h>

#define atomic_load_relaxed(p)	   __atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_load_acquire(p)	   __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atomic_load_consume(p)	   __atomic_load_n((p), __ATOMIC_CONSUME)
#define atomic_load(p)		   __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define atomic_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atomic_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atomic_store(p, v)	   __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define atomic_xchg(p, v)	   __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define atomic_add(p, v)	   __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_sub(p, v)	   __atomic_sub_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_add(p, v)	   __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_sub(p, v)	   __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define atomic_or(p, v)		   __atomic_or_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_and(p, v)	   __atomic_and_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_or(p, v)	   __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, v)	   __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
/* true if *p was *old and is now v; else *old is what was found. */
#define atomic_cas(p, old, v)                                                 \
	__atomic_compare_exchange_n((p), (old), (v), false, __ATOMIC_SEQ_CST, \
				    __ATOMIC_SEQ_CST)
#define atomic_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
