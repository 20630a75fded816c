/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address sanitizer of debug kernels: the compiler calls a check before
 * each access (gcc -fsanitize=kernel-address), and the allocators say which
 * bytes of the direct map are somebody's.
 *
 * The shadow has a byte for eight: 0, all are good; 1 to 7, the first so
 * many are; KASAN_*, none is, and why.  Stacks, globals and device memory
 * lie outside of the direct map and are not checked.
 *
 * In a release kernel all of this is empty.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define KASAN_FREE_PAGE	  0xf1
#define KASAN_FREE_OBJECT 0xf2
#define KASAN_REDZONE	  0xf3 /* behind an object, within its slot */

#ifdef PITH_KASAN
/* Boot: the shadow, zeroed, of the len bytes from base on. */
void kasan_init(uint8_t *shadow, vaddr_t base, size_t len);
/* addr is a multiple of eight.  unpoison: the len bytes are somebody's, what
 * is left of the last eight is not. */
void kasan_poison(const void *addr, size_t len, uint8_t why);
void kasan_unpoison(const void *addr, size_t len);
/* For what the compiler does not see: string instructions. */
void kasan_check(const void *addr, size_t len, bool write);
#else
static inline void
kasan_poison(const void *addr, size_t len, uint8_t why)
{
	(void)addr, (void)len, (void)why;
}
static inline void
kasan_unpoison(const void *addr, size_t len)
{
	(void)addr, (void)len;
}
static inline void
kasan_check(const void *addr, size_t len, bool write)
{
	(void)addr, (void)len, (void)write;
}
#endif
