/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of a unit test: an ordinary Linux program under ASan and UBSan.
 *
 * A test file lists, in one comment line that begins "SOURCES:", what it is
 * linked with (paths from the root of the tree), ends with a table of
 * {name, function}, and uses CHECK().  The first failed CHECK ends the
 * program: what follows would only repeat it.
 *
 *	prog			runs all and prints one line each
 *	prog NAME...		runs those
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit_test {
	const char *name;
	void (*fn)(void);
};

#define CHECK(x) ((x) ? (void)0 : unit_fail(__FILE__, __LINE__, #x))
#define CHECK_EQ(a, b)                                                    \
	unit_check_eq((long long)(a), (long long)(b), __FILE__, __LINE__, \
		      #a " == " #b)
#define CHECK_STR(a, b) unit_check_str((a), (b), __FILE__, __LINE__)

static inline void __attribute__((noreturn))
unit_fail(const char *file, int line, const char *what)
{
	printf("%s:%d: %s\n", file, line, what);
	fflush(stdout);
	_Exit(1);
}

static inline void
unit_check_eq(long long a, long long b, const char *file, int line,
	      const char *what)
{
	if (a == b)
		return;
	printf("%lld and %lld: ", a, b);
	unit_fail(file, line, what);
}

static inline void
unit_check_str(const char *a, const char *b, const char *file, int line)
{
	if (!strcmp(a, b))
		return;
	printf("\"%s\" and \"%s\": ", a, b);
	unit_fail(file, line, "strings differ");
}

/* SplitMix64: the same numbers in every run. */
static inline uint64_t
unit_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static inline int
unit_main(int argc, char **argv, const struct unit_test *tests)
{
	int ran = 0;

	for (const struct unit_test *t = tests; t->name; t++) {
		int wanted = argc < 2;

		for (int i = 1; i < argc; i++)
			wanted |= !strcmp(argv[i], t->name);
		if (!wanted)
			continue;
		t->fn();
		printf("ok %s\n", t->name);
		ran++;
	}
	if (!ran)
		printf("no such test\n");
	return ran ? 0 : 1;
}

#define UNIT_MAIN(table)                               \
	int main(int argc, char **argv)                \
	{                                              \
		return unit_main(argc, argv, (table)); \
	}
