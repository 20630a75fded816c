/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SYN cookies: what was told comes back, of the ends that it was made for,
 * under its key, for as long as it is good; nothing else does.
 *
 * INCLUDE: src
 * SOURCES: src/net/syncookie.c src/base/hash.c
 */
#include "../unit.h"

#include <net/syncookie.h>

static const uint64_t key[2] = { 0x0123456789abcdef, 0xfedcba9876543210 };
static const struct syncookie_ends ends = {
	.local = { 10, [15] = 1 },
	.remote = { 10, [15] = 2 },
	.local_port = 80,
	.remote_port = 40000,
	.seq = 0xfffffff0,
};

/* Each size is rounded down to one of the table, the least one up. */
static void
test_sizes(void)
{
	static const uint16_t told[] = { 0,    216,  535,  536,	 1219, 1220,
					 1399, 1460, 8939, 8940, 65535 };
	static const uint16_t back[] = { 216,  216,  216,  536,	 536, 1220,
					 1300, 1460, 1460, 8940, 8940 };

	for (unsigned i = 0; i < sizeof(told) / sizeof(*told); i++) {
		uint32_t c = syncookie_make(key, &ends, 1000, told[i]);

		CHECK(syncookie_check(key, &ends, 1000, c) == back[i]);
	}
}

/* Good in its step of the clock and the next one, over the count's end. */
static void
test_age(void)
{
	for (uint64_t at = 0; at < 40 * 64; at += 7) {
		uint32_t c = syncookie_make(key, &ends, at, 1460);
		uint64_t end = (at / 64 + 2) * 64;

		CHECK(syncookie_check(key, &ends, at, c) == 1460);
		CHECK(syncookie_check(key, &ends, end - 1, c) == 1460);
		CHECK(!syncookie_check(key, &ends, end, c));
		CHECK(!syncookie_check(key, &ends, at + 64 * 32, c));
		if (at >= 64)
			CHECK(!syncookie_check(key, &ends, at - 64, c));
	}
}

/* Any bit of the ends, the key or the cookie counts. */
static void
test_others(void)
{
	uint32_t c = syncookie_make(key, &ends, 1000, 1460);
	struct syncookie_ends e;
	uint64_t k[2];

	for (unsigned i = 0; i < sizeof(e) * 8; i++) {
		e = ends;
		((uint8_t *)&e)[i / 8] ^= (uint8_t)(1 << i % 8);
		CHECK(!syncookie_check(key, &e, 1000, c));
	}
	for (unsigned i = 0; i < 128; i++) {
		k[0] = key[0];
		k[1] = key[1];
		k[i / 64] ^= 1ull << i % 64;
		CHECK(!syncookie_check(k, &ends, 1000, c));
	}
	for (unsigned i = 0; i < 32; i++)
		CHECK(!syncookie_check(key, &ends, 1000, c ^ 1u << i));
}

/* Whoever guesses has one chance in 2^24 for each of 2 x 8 upper bytes. */
static void
test_guesses(void)
{
	unsigned good = 0;
	uint32_t x = 1;

	for (unsigned i = 0; i < 1000000; i++) {
		x = x * 1664525 + 1013904223;
		good += syncookie_check(key, &ends, 1000, x ^ x >> 16) != 0;
	}
	CHECK(good <= 3);
}

static const struct unit_test tests[] = {
	{ "sizes", test_sizes },
	{ "age", test_age },
	{ "others", test_others },
	{ "guesses", test_guesses },
	{ NULL, NULL },
};

UNIT_MAIN(tests)
