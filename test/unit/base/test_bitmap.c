/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: ranges of bits are filled and counted as one bit at a time would.
 * Method: every range of three words over random bits against a model of one
 * byte for each bit; the words beside them stay as they are.
 * SOURCES: src/base/hash.c
 */
#include "../unit.h"

#include <base/bitmap.h>

#define N 192u

static uint64_t words[N / 64];
static bool model[N];

static void
randomize(unsigned seed)
{
	srand(seed);
	for (unsigned k = 0; k < N; k++) {
		model[k] = seed % 3 ? rand() & 1 : seed % 2;
		if (model[k])
			bitmap_set(words, k);
		else
			bitmap_clear(words, k);
	}
}

static size_t
model_count(unsigned from, unsigned to)
{
	size_t n = 0;

	while (from < to)
		n += model[from++];
	return n;
}

static void
test_ranges(void)
{
	for (unsigned from = 0; from <= N; from++)
		for (unsigned to = from; to <= N; to++) {
			randomize(from * N + to);
			CHECK_EQ(bitmap_count(words, from, to),
				 model_count(from, to));
			bitmap_fill(words, from, to, to & 1);
			for (unsigned k = from; k < to; k++)
				model[k] = to & 1;
			for (unsigned k = 0; k < N; k++)
				CHECK_EQ(bitmap_test(words, k), model[k]);
		}
}

static const struct unit_test tests[] = {
	{ "ranges", test_ranges },
	{ 0 },
};
UNIT_MAIN(tests)
