/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash and the cyclic redundancy checks.  The CRC tables of 16 entries
 * are constant, so that they cost nothing at boot.
 */
#include <base/hash.h>

#include <base/compiler.h>

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
		key[0] ^ 0x736f6d6570736575ull,
		key[1] ^ 0x646f72616e646f6dull,
		key[0] ^ 0x6c7967656e657261ull,
		key[1] ^ 0x7465646279746573ull,
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
#define B(c, p)	 ((c)&1 ? (c) >> 1 ^ (p) : (c) >> 1)
#define N4(c, p) B(B(B(B((uint32_t)(c), p), p), p), p)
#define TABLE(p)                                                              \
	{                                                                     \
		N4(0, p), N4(1, p), N4(2, p), N4(3, p), N4(4, p), N4(5, p),   \
			N4(6, p), N4(7, p), N4(8, p), N4(9, p), N4(10, p),    \
			N4(11, p), N4(12, p), N4(13, p), N4(14, p), N4(15, p) \
	}

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

/*
 * CRC-32C four bytes at a time: it guards every block of ext4's metadata.
 * Cn is the remainder after n shifts of a one.  A table entry is the sum of
 * those of its bits, and the tables are for a byte with none to three bytes
 * behind it.
 */
#define P_C	0x82f63b78u
#define NEXT(c) ((c) >> 1 ^ ((c)&1 ? P_C : 0))
enum {
	C1 = P_C,
	C2 = NEXT(C1),
	C3 = NEXT(C2),
	C4 = NEXT(C3),
	C5 = NEXT(C4),
	C6 = NEXT(C5),
	C7 = NEXT(C6),
	C8 = NEXT(C7),
	C9 = NEXT(C8),
	C10 = NEXT(C9),
	C11 = NEXT(C10),
	C12 = NEXT(C11),
	C13 = NEXT(C12),
	C14 = NEXT(C13),
	C15 = NEXT(C14),
	C16 = NEXT(C15),
	C17 = NEXT(C16),
	C18 = NEXT(C17),
	C19 = NEXT(C18),
	C20 = NEXT(C19),
	C21 = NEXT(C20),
	C22 = NEXT(C21),
	C23 = NEXT(C22),
	C24 = NEXT(C23),
	C25 = NEXT(C24),
	C26 = NEXT(C25),
	C27 = NEXT(C26),
	C28 = NEXT(C27),
	C29 = NEXT(C28),
	C30 = NEXT(C29),
	C31 = NEXT(C30),
	C32 = NEXT(C31),
};
#define E(n, a, b, c, d, e, f, g, h)                                          \
	((n)&1 ? (uint32_t)(a) : 0) ^ ((n)&2 ? (uint32_t)(b) : 0) ^           \
		((n)&4 ? (uint32_t)(c) : 0) ^ ((n)&8 ? (uint32_t)(d) : 0) ^   \
		((n)&16 ? (uint32_t)(e) : 0) ^ ((n)&32 ? (uint32_t)(f) : 0) ^ \
		((n)&64 ? (uint32_t)(g) : 0) ^ ((n)&128 ? (uint32_t)(h) : 0)
#define E4(n, ...)                                                           \
	E(n, __VA_ARGS__), E((n) + 1, __VA_ARGS__), E((n) + 2, __VA_ARGS__), \
		E((n) + 3, __VA_ARGS__)
#define E16(n, ...)                                   \
	E4(n, __VA_ARGS__), E4((n) + 4, __VA_ARGS__), \
		E4((n) + 8, __VA_ARGS__), E4((n) + 12, __VA_ARGS__)
#define E64(n, ...)                                      \
	E16(n, __VA_ARGS__), E16((n) + 16, __VA_ARGS__), \
		E16((n) + 32, __VA_ARGS__), E16((n) + 48, __VA_ARGS__)
#define E256(...)                                                    \
	{                                                            \
		E64(0, __VA_ARGS__), E64(64, __VA_ARGS__),           \
			E64(128, __VA_ARGS__), E64(192, __VA_ARGS__) \
	}

static const uint32_t table_c[4][256] = {
	E256(C8, C7, C6, C5, C4, C3, C2, C1),
	E256(C16, C15, C14, C13, C12, C11, C10, C9),
	E256(C24, C23, C22, C21, C20, C19, C18, C17),
	E256(C32, C31, C30, C29, C28, C27, C26, C25),
};

uint32_t
crc32c_table(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *s = p;

	for (; len >= 4; len -= 4, s += 4) {
		uint32_t word;

		__builtin_memcpy(&word, s, 4); /* little-endian, as ext4 is */
		crc ^= word;
		crc = table_c[3][crc & 255] ^ table_c[2][crc >> 8 & 255] ^
		      table_c[1][crc >> 16 & 255] ^ table_c[0][crc >> 24];
	}
	while (len--)
		crc = crc >> 8 ^ table_c[0][(crc ^ *s++) & 255];
	return crc;
}

/* a times b modulo the polynomial; the highest bit is the lowest power. */
static uint32_t
multiply_c(uint32_t a, uint32_t b)
{
	uint32_t r = 0;

	for (; a; a <<= 1) {
		r ^= a >> 31 ? b : 0;
		b = NEXT(b);
	}
	return r;
}

/* A zero byte is a multiplication by the 8th power, so many are one by a
 * power that is made of these: of 8, 16, 32 and so on. */
uint32_t
crc32c_zeros(uint32_t crc, size_t len)
{
	static const uint32_t powers[] = {
		0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c,
		0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
		0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a,
		0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
	};

	for (unsigned k = 0; k < 16; k++)
		if (len >> k & 1)
			crc = multiply_c(powers[k], crc);
	return crc;
}

uint32_t
crc32c_padded(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *s = p;
	size_t used = len;

	while (used >= 8 && len - used < 65528) {
		uint64_t word;

		__builtin_memcpy(&word, s + used - 8, 8);
		if (word)
			break;
		used -= 8;
	}
	return crc32c_zeros(crc32c(crc, s, used), len - used);
}

/* Where the CPU has an instruction for it, arch has its own. */
WEAK uint32_t
crc32c(uint32_t crc, const void *p, size_t len)
{
	return crc32c_table(crc, p, len);
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
