/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash functions.  hash_bytes is FNV-1a (64 bit) for names; hash_u64 mixes a
 * word (the finaliser of SplitMix64); siphash is SipHash-2-4 (Aumasson and
 * Bernstein) for keys that somebody hostile chooses.
 */
#pragma once

#include <base/types.h>

static inline uint64_t
hash_bytes(uint64_t seed, const void *p, size_t len)
{
	const uint8_t *s = p;
	uint64_t h = 14695981039346656037ull ^ seed;

	while (len--)
		h = (h ^ *s++) * 1099511628211ull;
	return h;
}

static inline uint64_t
hash_u64(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint64_t siphash(const uint64_t key[2], const void *p, size_t len);

/* CRC-32C (Castagnoli, reflected 0x82f63b78): crc of what came before,
 * ~0u at first; the caller inverts the end where a format wants that. */
uint32_t crc32c(uint32_t crc, const void *p, size_t len);
uint32_t crc32c_table(uint32_t crc, const void *p, size_t len); /* any CPU */
/* The same of len zeroes, below 64 KiB, without looking at them. */
uint32_t crc32c_zeros(uint32_t crc, size_t len);
/* crc32c() of what is likely to end with zeroes. */
uint32_t crc32c_padded(uint32_t crc, const void *p, size_t len);
/* CRC-32 (IEEE, reflected 0xedb88320) as GPT uses it, same convention. */
uint32_t crc32(uint32_t crc, const void *p, size_t len);
/* CRC-16 (ANSI, reflected 0xa001) as ext4 group descriptors use it. */
uint16_t crc16(uint16_t crc, const void *p, size_t len);
