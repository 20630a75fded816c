/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of the address sanitizer; see kasan.h.  The names that begin
 * with __asan are the compiler's (gcc's kernel-address ABI): load or store,
 * the size in bytes, "noabort" as the kernel form is called.
 *
 * This file is compiled without the sanitizer.  No locks: a shadow byte
 * belongs to whom the memory belongs.
 */
#include <core/kasan.h>

#ifdef PITH_KASAN

#include <base/string.h>
#include <core/panic.h>

static uint8_t *shadow; /* [I] NULL: too early */
static vaddr_t shadow_base;
static size_t shadow_len;
static bool reported; /* [a] the panic itself is not checked */

static NORETURN NOINLINE void
report(vaddr_t addr, size_t len, bool write, uint8_t why)
{
	const char *what = why == KASAN_FREE_PAGE   ? "a free page" :
			   why == KASAN_FREE_OBJECT ? "a free object" :
						      "the end of an object";

	reported = true;
	panic("kasan: %s of %lu bytes at %p, in %s", write ? "write" : "read",
	      (unsigned long)len, (void *)addr, what);
}

static inline bool
covered(vaddr_t addr, size_t len)
{
	return shadow && addr - shadow_base < shadow_len &&
	       len <= shadow_len - (addr - shadow_base);
}

static ALWAYS_INLINE void
check(vaddr_t addr, size_t len, bool write)
{
	vaddr_t end = addr + len;

	if (!covered(addr, len) || !len || reported)
		return;
	for (vaddr_t a = addr & ~7ul; a < end; a += 8) {
		uint8_t s = shadow[(a - shadow_base) >> 3];

		if (likely(!s))
			continue;
		if (s >= 8 || (end < a + 8 ? end - a : 8) > s)
			report(addr, len, write, s);
	}
}

void
kasan_init(uint8_t *map, vaddr_t base, size_t len)
{
	shadow_base = base;
	shadow_len = len;
	shadow = map;
}

void
kasan_poison(const void *addr, size_t len, uint8_t why)
{
	if (covered((vaddr_t)addr, len))
		memset(shadow + (((vaddr_t)addr - shadow_base) >> 3), why,
		       (len + 7) / 8);
}

void
kasan_unpoison(const void *addr, size_t len)
{
	uint8_t *s = shadow + (((vaddr_t)addr - shadow_base) >> 3);

	if (!covered((vaddr_t)addr, len))
		return;
	memset(s, 0, len / 8);
	if (len % 8)
		s[len / 8] = len % 8;
}

void
kasan_check(const void *addr, size_t len, bool write)
{
	check((vaddr_t)addr, len, write);
}

#define ASAN_SIZE(n)                               \
	void __asan_load##n##_noabort(vaddr_t a);  \
	void __asan_store##n##_noabort(vaddr_t a); \
	void __asan_load##n##_noabort(vaddr_t a)   \
	{                                          \
		check(a, n, false);                \
	}                                          \
	void __asan_store##n##_noabort(vaddr_t a)  \
	{                                          \
		check(a, n, true);                 \
	}

ASAN_SIZE(1)
ASAN_SIZE(2)
ASAN_SIZE(4)
ASAN_SIZE(8)
ASAN_SIZE(16)

void __asan_loadN_noabort(vaddr_t a, size_t n);
void __asan_storeN_noabort(vaddr_t a, size_t n);
void __asan_handle_no_return(void);

void
__asan_loadN_noabort(vaddr_t a, size_t n)
{
	check(a, n, false);
}

void
__asan_storeN_noabort(vaddr_t a, size_t n)
{
	check(a, n, true);
}

void
__asan_handle_no_return(void)
{
}

#endif
