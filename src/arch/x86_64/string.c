/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcpy, memset and memmove by string instructions: words, then the tail.
 * One instruction moves any amount, which is what both real processors and
 * emulators are fastest at; short blocks take plain moves.
 */
#include <base/string.h>
#include <core/kasan.h>

void *
memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	void *d = dst;
	size_t words = n >> 3, tail = n & 7;

	kasan_check(dst, n, true);
	kasan_check(src, n, false);
	if (n < 32) {
		char *c = dst;
		const char *s = src;

		for (; n >= 8; n -= 8, c += 8, s += 8) {
			uint64_t v;

			__builtin_memcpy(&v, s, 8);
			__builtin_memcpy(c, &v, 8);
		}
		while (n--) {
			*c++ = *s++;
			__asm__ volatile("" : : : "memory");
		}
		return dst;
	}
	__asm__ volatile("rep movsq"
			 : "+D"(d), "+S"(src), "+c"(words)
			 :
			 : "memory");
	__asm__ volatile("rep movsb"
			 : "+D"(d), "+S"(src), "+c"(tail)
			 :
			 : "memory");
	return dst;
}

void *
memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	kasan_check(dst, n, true);
	kasan_check(src, n, false);
	for (; n >= 8; n -= 8) {
		uint64_t v;

		__builtin_memcpy(&v, s + n - 8, 8);
		__builtin_memcpy(d + n - 8, &v, 8);
	}
	while (n--) {
		d[n] = s[n];
		__asm__ volatile("" : : : "memory");
	}
	return dst;
}

void *
memset(void *dst, int c, size_t n)
{
	void *d = dst;
	uint64_t v = (uint8_t)c * 0x0101010101010101ull;
	size_t words = n >> 3, tail = n & 7;

	kasan_check(dst, n, true);
	__asm__ volatile("rep stosq"
			 : "+D"(d), "+c"(words)
			 : "a"(v)
			 : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(tail) : "a"(v) : "memory");
	return dst;
}
