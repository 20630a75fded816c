/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the checks of ext4 are what their definitions say.  Method: every
 * length and alignment against a loop that shifts bit by bit, and the
 * published check values of "123456789".
 * SOURCES: src/base/hash.c
 */
#include "../unit.h"

#include <base/hash.h>

static uint32_t
bitwise(uint32_t poly, uint32_t crc, const uint8_t *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? poly : 0);
	}
	return crc;
}

static void
test_check_values(void)
{
	static const uint8_t zeros[65535];
	static uint8_t padded[4096];
	static const size_t lens[] = { 0, 1, 2, 7, 255, 256, 4012, 65535 };

	CHECK(~crc32c(~0u, "123456789", 9) == 0xe3069283u);
	for (unsigned k = 0; k < sizeof(lens) / sizeof(lens[0]); k++)
		CHECK(crc32c_zeros(0x12345678, lens[k]) ==
		      crc32c(0x12345678, zeros, lens[k]));
	memcpy(padded, "unikernel", 9);
	for (size_t len = 0; len < sizeof(padded); len++)
		CHECK(crc32c_padded(7, padded, len) == crc32c(7, padded, len));
	CHECK(~crc32(~0u, "123456789", 9) == 0xcbf43926u);
	CHECK(crc16(0, "123456789", 9) == 0xbb3d);
}

static void
test_every_length(void)
{
	uint8_t buf[300];

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 167 + (i >> 3));
	for (size_t at = 0; at < 8; at++) {
		for (size_t len = 0; len <= 256; len++) {
			const uint8_t *p = buf + at;
			uint32_t seed = (uint32_t)(len * 0x9e3779b9u);

			CHECK(crc32c(seed, p, len) ==
			      bitwise(0x82f63b78u, seed, p, len));
			CHECK(crc32(seed, p, len) ==
			      bitwise(0xedb88320u, seed, p, len));
		}
	}
}

static const struct unit_test tests[] = {
	{ "check_values", test_check_values },
	{ "every_length", test_every_length },
	{ 0 },
};
UNIT_MAIN(tests)
