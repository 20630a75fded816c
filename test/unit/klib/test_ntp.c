/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the time client takes the time of an honest answer to its own
 * question, to the nanosecond and beyond 2036, and nothing of any other.
 * Method: answers by the book, each field wrong in turn, cut, at random;
 * addresses of every wrong shape; choosing among servers.
 * SOURCES: klib/ntp/packet.c
 */
#include "../unit.h"

#include <abi/errno.h>
#include <base/endian.h>

#include "../../../klib/ntp/ntp.h"

#define NONCE 0x123456789abcdef0ull
#define UNIX  2208988800ull

static uint64_t seed = 3;

static void
put(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

/* An answer that came in at unix time sec and left a half second later. */
static void
honest(uint8_t p[48], uint64_t sec)
{
	memset(p, 0, 48);
	p[0] = 4 << 3 | 4;
	p[1] = 2;
	put(p + 4, 0x8000, 4); /* root delay: 0.5 s */
	put(p + 8, 0x4000, 4); /* dispersion: 0.25 s */
	put(p + 24, NONCE, 8);
	put(p + 32, sec + UNIX, 4); /* the era is cut off */
	put(p + 36, 0, 4);
	put(p + 40, sec + UNIX, 4);
	put(p + 44, 0x80000000u, 4);
}

static void
test_honest(void)
{
	/* Today, the last second of the era, the first of the next, and its
	 * last that can be told. */
	static const uint64_t secs[] = { 1800000000, 2085978495, 2085978496,
					 4233462143 };
	struct ntp_sample s;
	struct ntp_answer a;
	uint8_t p[48], q[48];

	for (unsigned i = 0; i < 4; i++) {
		uint64_t ns = secs[i] * 1000000000;

		honest(p, secs[i]);
		CHECK_EQ(ntp_read(p, 48, NONCE, &a), 0);
		CHECK_EQ(a.received_ns, ns);
		CHECK_EQ(a.sent_ns, ns + 500000000);
		CHECK_EQ(a.dispersion_ns, 500000000);
		/* Ours says the same, an eighth of a second each way. */
		CHECK_EQ(ntp_compare(&a, ns + 625000000, 750000000, &s), 0);
		CHECK_EQ(s.offset_ns, 0);
		CHECK_EQ(s.error_ns, 625000000);
		/* Ours is 40 years late, or early. */
		CHECK_EQ(ntp_compare(&a, 0, 500000000, &s), 0);
		CHECK_EQ(s.offset_ns, (int64_t)ns + 500000000);
		CHECK_EQ(ntp_compare(&a, ns + 500000000 + 77, 500000000, &s),
			 0);
		CHECK_EQ(s.offset_ns, -77);
		CHECK_EQ(ntp_compare(&a, ns, 499999999, &s), -EPROTO);
	}
	ntp_ask(q, NONCE);
	CHECK_EQ(q[0], 4 << 3 | 3);
	for (unsigned i = 1; i < 40; i++)
		CHECK_EQ(q[i], 0);
	CHECK(!memcmp(q + 40, p + 24, 8));
}

static int
changed(unsigned at, uint64_t v, unsigned n)
{
	struct ntp_answer a;
	uint8_t p[48];

	honest(p, 1800000000);
	put(p + at, v, n);
	return ntp_read(p, 48, NONCE, &a);
}

static void
test_wrong(void)
{
	struct ntp_answer a;
	uint8_t p[48];

	honest(p, 1800000000);
	for (size_t n = 0; n < 48; n++)
		CHECK_EQ(ntp_read(p, n, NONCE, &a), -EAGAIN);
	CHECK_EQ(ntp_read(p, 48, NONCE + 1, &a), -EAGAIN);
	CHECK_EQ(changed(0, 4 << 3 | 3, 1), -EAGAIN); /* a client */
	CHECK_EQ(changed(0, 4 << 3 | 5, 1), -EAGAIN); /* broadcast */
	CHECK_EQ(changed(0, 3 << 3 | 4, 1), 0);
	CHECK_EQ(changed(0, 2 << 3 | 4, 1), -EPROTO);
	CHECK_EQ(changed(0, 5 << 3 | 4, 1), -EPROTO);
	CHECK_EQ(changed(0, 3u << 6 | 4 << 3 | 4, 1), -EPROTO);
	CHECK_EQ(changed(1, 15, 1), 0);
	CHECK_EQ(changed(1, 16, 1), -EPROTO);
	CHECK_EQ(changed(1, 0, 1), -EPROTO);
	CHECK_EQ(changed(8, 0x20000, 4), -EPROTO);
	CHECK_EQ(changed(4, 0xffffffff, 4), -EPROTO);
	CHECK_EQ(changed(32, 0, 8), -EPROTO);	       /* in 2036 */
	CHECK_EQ(changed(32, 0x80000000, 4), -EPROTO); /* in 1968 */
	CHECK_EQ(changed(40, 0, 8), 0); /* sent in 2036: a long stay */
	honest(p, 1800000000);
	p[1] = 0;
	memcpy(p + 12, "DENY", 4);
	CHECK_EQ(ntp_read(p, 48, NONCE, &a), -EPERM);
	memcpy(p + 12, "RSTR", 4);
	CHECK_EQ(ntp_read(p, 48, NONCE, &a), -EPERM);
	memcpy(p + 12, "RATE", 4);
	CHECK_EQ(ntp_read(p, 48, NONCE, &a), -EBUSY);
}

static void
test_random(void)
{
	for (unsigned n = 0; n < 200000; n++) {
		struct ntp_answer a;
		struct ntp_sample s;
		uint8_t p[48];

		honest(p, 1800000000);
		for (unsigned k = (unsigned)(unit_random(&seed) % 12); k; k--)
			p[unit_random(&seed) % 48] =
				(uint8_t)unit_random(&seed);
		if (ntp_read(p, 48, NONCE, &a))
			continue;
		CHECK(a.sent_ns >= a.received_ns);
		CHECK(a.dispersion_ns <= 1500000000);
		if (!ntp_compare(&a, unit_random(&seed) >> 2,
				 unit_random(&seed) >> 30, &s))
			CHECK(s.error_ns < 1ull << 40);
	}
}

static void
test_servers(void)
{
	static const char *const bad[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.",
		"1.2.3.4.",
		"1.2.3.256",
		"1.2.3.4:",
		"1.2.3.4:0",
		"1.2.3.4:65536",
		"1.2.3.4,",
		",1.2.3.4",
		"1.2.3.4;1.2.3.5",
		"0.0.0.0",
		"time.example.org",
		"1.2.3.4:4294967297",
		"-1.2.3.4",
		"::1",
		" 1.2.3.4",
		"1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1",
	};
	struct sockaddr_in s[NTP_SERVERS_MAX];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_EQ(ntp_parse_servers(bad[i], s), -EINVAL);
	CHECK_EQ(ntp_parse_servers("10.0.2.2", s), 1);
	CHECK_EQ(s[0].addr, cpu_to_be32(0x0a000202));
	CHECK_EQ(s[0].port, cpu_to_be16(123));
	CHECK_EQ(ntp_parse_servers("1.2.3.4:65535,255.0.0.1,1.1.1.1:1,2.2.2.2",
				   s),
		 4);
	CHECK_EQ(s[0].port, 65535);
	CHECK_EQ(s[1].addr, cpu_to_be32(0xff000001));
	CHECK_EQ(s[2].port, cpu_to_be16(1));
}

static void
test_choose(void)
{
	struct ntp_sample s[4] = { { 50, 9 }, { -3, 1 }, { 4, 8 }, { 5, 1 } };

	CHECK(!ntp_choose(s, 0));
	CHECK_EQ(ntp_choose(s, 1)->offset_ns, 50);
	CHECK_EQ(ntp_choose(s, 2)->offset_ns, -3); /* the surer one */
	/* One that is far off counts for nothing. */
	s[0] = (struct ntp_sample){ INT64_MAX, 0 };
	s[1] = (struct ntp_sample){ 4, 100 };
	s[2] = (struct ntp_sample){ 5, 100 };
	CHECK_EQ(ntp_choose(s, 3)->offset_ns, 5);
}

static const struct unit_test tests[] = {
	{ "honest", test_honest }, { "wrong", test_wrong },
	{ "random", test_random }, { "servers", test_servers },
	{ "choose", test_choose }, { NULL, NULL },
};

UNIT_MAIN(tests)
