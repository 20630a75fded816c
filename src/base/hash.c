/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash and the cyclic redundancy checks.  The CRC tables of 16 entries
 * are constant, so that they cost nothing at boot.
 */
#include <base/hash.h>

static uint64_t
rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

uint64_t
siphash(const uint64_t key[2], const void *p, size_t len)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
		key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull,
	};
	const uint8_t *s = p;
	uint64_t last = (uint64_t)len << 56, m;
	size_t left = len;

	for (; left >= 8; left -= 8, s += 8) {
		__builtin_memcpy(&m, s, 8);
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)s[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* One table entry is the check of a nibble. */
#define B(c, p)	 ((c) & 1 ? (c) >> 1 ^ (p) : (c) >> 1)
#define N4(c, p) B(B(B(B((uint32_t)(c), p), p), p), p)
#define TABLE(p)                                                               \
	{                                                                      \
		N4(0, p), N4(1, p), N4(2, p), N4(3, p), N4(4, p), N4(5, p),    \
		N4(6, p), N4(7, p), N4(8, p), N4(9, p), N4(10, p), N4(11, p),  \
		N4(12, p), N4(13, p), N4(14, p), N4(15, p)                     \
	}

static const uint32_t table_c[16] = TABLE(0x82f63b78u);
static const uint32_t table_ieee[16] = TABLE(0xedb88320u);
static const uint32_t table_16[16] = TABLE(0xa001u);

static uint32_t
crc_nibbles(const uint32_t *table, uint32_t crc, const uint8_t *s, size_t len)
{
	while (len--) {
		crc ^= *s++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

uint32_t
crc32c(uint32_t crc, const void *p, size_t len)
{
	return crc_nibbles(table_c, crc, p, len);
}

uint32_t
crc32(uint32_t crc, const void *p, size_t len)
{
	return crc_nibbles(table_ieee, crc, p, len);
}

uint16_t
crc16(uint16_t crc, const void *p, size_t len)
{
	return (uint16_t)crc_nibbles(table_16, crc, p, len);
}
