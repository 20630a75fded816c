/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a DHCP server says beside an address is taken where it is whole, and
 * left where it is not: options as bytes.
 *
 * INCLUDE: src
 * SOURCES: src/net/lwip/dhcp_options.c
 */
#include "../unit.h"

#include <net/lwip/dhcp_options.h>

#define TAKE(l, option, bytes) \
	lease_option(l, option, (const uint8_t *)(bytes), sizeof(bytes) - 1)

static void
test_search(void)
{
	struct lease l = { 0 };

	TAKE(&l, 15, "example.org\0");
	CHECK_STR(l.search, "example.org");
	/* RFC 3397 section 2, in one option. */
	TAKE(&l, 119, "\3eng\5apple\3com\0\tmarketing\xc0\4");
	CHECK_STR(l.search, "eng.apple.com marketing.apple.com");
	TAKE(&l, 15, "example.org"); /* the list says more */
	CHECK_STR(l.search, "eng.apple.com marketing.apple.com");
}

static void
test_bad_search(void)
{
	static const struct {
		const char *bytes;
		unsigned len;
		const char *want;
	} cases[] = {
		{ "\3eng", 4, "" },	      /* no end */
		{ "\3en", 3, "" },	      /* nor of the label */
		{ "\0", 1, "" },	      /* the root */
		{ "\xc0\0", 2, "" },	      /* to itself */
		{ "\1a\xc0\2", 4, "" },	      /* to its own second half */
		{ "\1a\xc0\0", 4, "" },	      /* to its start */
		{ "\1a\0\1b\xc0", 6, "a" },   /* half a pointer */
		{ "\1a\0\1b\xc0\7", 7, "a" }, /* beyond the end */
		{ "\1a\0\1;\0", 6, "a" },     /* no name of a host's */
		{ "\x40zz\0", 4, "" },	      /* a label of no known kind */
		{ "\1a\0\1b\xc0\0\1c\xc0\3", 12, "a b.a c.b.a" },
	};
	struct lease l;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memset(&l, 0, sizeof(l));
		lease_option(&l, 119, (const uint8_t *)cases[i].bytes,
			     cases[i].len);
		CHECK_STR(l.search, cases[i].want);
	}
}

/* 255 bytes of pointers say more than there is room for. */
static void
test_long_search(void)
{
	uint8_t v[255] = "\x3f";
	struct lease l = { 0 };

	memset(v + 1, 'a', 63);
	v[64] = 0;
	for (unsigned i = 65; i + 4 <= sizeof(v); i += 4)
		memcpy(v + i, "\1b\xc0", 4);
	lease_option(&l, 119, v, sizeof(v));
	CHECK(strlen(l.search) < sizeof(l.search));
	CHECK(!strncmp(l.search + 63, " b.aaa", 6));
	memset(l.search, 0, sizeof(l.search));
	l.list = false;
	memset(v, 'x', sizeof(v));
	lease_option(&l, 15, v, sizeof(v));
	CHECK(strlen(l.search) == 255);
	TAKE(&l, 15, "a b.c-d_e\nnameserver 1.2.3.4");
	CHECK(strlen(l.search) == 255);
}

static void
test_routes(void)
{
	struct lease l = { 0 };

	TAKE(&l, 121,
	     "\0\12\0\0\1\31\12\27\33\377\12\0\0\2\40\1\2\3\4\0\0\0\0");
	CHECK(l.classless && l.nroutes == 3);
	CHECK(!l.routes[0].prefix && !memcmp(l.routes[0].via, "\12\0\0\1", 4));
	/* The bits beyond the prefix do not count. */
	CHECK(l.routes[1].prefix == 25 &&
	      !memcmp(l.routes[1].dst, "\12\27\33\200", 4) &&
	      !memcmp(l.routes[1].via, "\12\0\0\2", 4));
	CHECK(l.routes[2].prefix == 32 &&
	      !memcmp(l.routes[2].dst, "\1\2\3\4", 4) &&
	      !memcmp(l.routes[2].via, "\0\0\0\0", 4));

	memset(&l, 0, sizeof(l));
	TAKE(&l, 121, "\0\12\0\0\1\41\12\27\33\377\12\12\0\0\2"); /* 33 bits */
	TAKE(&l, 121, "\0\12\0\0");
	TAKE(&l, 121, "\10\12\12\0\0");
	TAKE(&l, 121, "");
	CHECK(!l.classless && !l.nroutes);
}

static void
test_mtu(void)
{
	struct lease l = { 0 };

	TAKE(&l, 26, "\5\170");
	CHECK(l.mtu == 1400);
	TAKE(&l, 26, "\2\77"); /* 575 */
	TAKE(&l, 26, "\5");
	TAKE(&l, 26, "\5\171\1");
	CHECK(l.mtu == 1400);
}

static const struct unit_test tests[] = {
	{ "search", test_search },
	{ "bad_search", test_bad_search },
	{ "long_search", test_long_search },
	{ "routes", test_routes },
	{ "mtu", test_mtu },
	{ NULL, NULL },
};

UNIT_MAIN(tests)
