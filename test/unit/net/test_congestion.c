/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The windows of congestion.h against the formulas of RFC 9438 and RFC 9406, in
 * floating point; and that nothing that is said to it makes nonsense of them.
 *
 * INCLUDE: src/net/lwip/include
 * SOURCES: src/net/lwip/congestion.c src/net/lwip/dhcp_options.c
 */
#include <stdlib.h>

#include "congestion.h"

#include "../unit.h"

#define MSS 1448u

static struct tcp_cc cc;
static uint32_t cwnd, ssthresh, seq, now;

static void
start(uint32_t window, uint32_t threshold)
{
	cc = (struct tcp_cc){ 0 };
	cwnd = window;
	ssthresh = threshold;
	seq = 0x7ffffff0; /* both wrap soon */
	now = 0xfffff000;
}

/* A round trip of so many milliseconds in which the whole window is
 * acknowledged, two packets at a time. */
static void
round_trip(uint32_t ms, uint32_t rtt)
{
	uint32_t n = cwnd / (2 * MSS), w = cwnd;

	for (uint32_t i = 0; i < n; i++) {
		struct tcp_cc_ack a = {
			.acked = 2 * MSS, .rtt = rtt, .srtt = ms, .mss = MSS
		};

		seq += 2 * MSS;
		a.ackno = seq;
		a.snd_nxt = seq + w;
		a.now = now + i * ms / n;
		tcp_cc_acked(&cc, &a, &cwnd, &ssthresh);
	}
	now += ms;
}

/* After a loss the window follows the curve, of 0.7 at first, and is where it
 * was after K. */
static void
test_curve(void)
{
	const double wmax = 1000, k = 9.0856; /* the cube root of 300 / 0.4 */
	double t, d, want;

	start(1000 * MSS, 1);
	ssthresh = tcp_cc_lost(&cc, cwnd, MSS);
	CHECK(ssthresh == 1000 * MSS / 10 * 7);
	cwnd = ssthresh;
	for (t = 0; t < 2 * k; t += 0.1) {
		round_trip(100, 100);
		/* a round trip from now is what the last one aimed at */
		d = t + 0.1 - k;
		want = 0.4 * d * d * d + wmax;
		if (t > 0.5) {
			CHECK(cwnd > want * 0.97 * MSS);
			CHECK(cwnd < want * 1.03 * MSS);
		}
	}
}

/* On a short path it is as fast as NewReno would be (4.3): 9/17 of a packet
 * each round trip, a packet when it is back where it was. */
static void
test_friendly(void)
{
	uint32_t at;

	start(100 * MSS, 1);
	cwnd = ssthresh = tcp_cc_lost(&cc, cwnd, MSS);
	for (int i = 0; i < 30; i++)
		round_trip(2, 2);
	CHECK(cwnd > 84 * MSS && cwnd < 88 * MSS);
	for (int i = 0; i < 100; i++)
		round_trip(2, 2);
	at = cwnd;
	for (int i = 0; i < 10; i++)
		round_trip(2, 2);
	CHECK(cwnd > at + 8 * MSS && cwnd < at + 12 * MSS);
}

static void
test_reno(void)
{
	start(40 * MSS, 1);
	cc.reno = true;
	cwnd = ssthresh = tcp_cc_lost(&cc, cwnd, MSS);
	CHECK(cwnd == 20 * MSS);
	for (int i = 0; i < 10; i++)
		round_trip(50, 50);
	CHECK(cwnd >= 29 * MSS && cwnd <= 31 * MSS);
}

/* Who loses before it was back makes room; a loss that was none changes
 * nothing. */
static void
test_losses(void)
{
	start(1000 * MSS, 1);
	ssthresh = tcp_cc_lost(&cc, 1000 * MSS, MSS);
	CHECK(cc.w_max == 1000 * MSS);
	ssthresh = tcp_cc_lost(&cc, 800 * MSS, MSS);
	CHECK(cc.w_max == 680 * MSS && ssthresh == 560 * MSS);
	tcp_cc_undone(&cc, 800 * MSS);
	CHECK(cc.w_max == 800 * MSS);
	CHECK(tcp_cc_lost(&cc, MSS, MSS) == 2 * MSS);
	CHECK(tcp_cc_lost(&cc, 0, MSS) == 2 * MSS);
	CHECK(tcp_cc_lost(&cc, UINT32_MAX, MSS) > UINT32_MAX / 10 * 6);
}

/* Slow start doubles while round trips are what they were, and ends when they
 * grow; a delay that passes does not end it. */
static void
test_slow_start(void)
{
	start(10 * MSS, UINT32_MAX);
	for (int i = 0; i < 5; i++)
		round_trip(60, 60);
	CHECK(cwnd == 320 * MSS && ssthresh == UINT32_MAX);
	round_trip(60, 75);
	CHECK(cwnd < 500 * MSS && ssthresh == UINT32_MAX);
	round_trip(60, 60);
	CHECK(cc.slow_rounds == 0);
	round_trip(60, 60);
	CHECK(ssthresh == UINT32_MAX);
	start(10 * MSS, UINT32_MAX);
	for (int i = 0; i < 5; i++)
		round_trip(60, 60);
	for (int i = 0; i < 4; i++)
		round_trip(60, 80);
	CHECK(ssthresh < 900 * MSS && cwnd >= ssthresh);
	/* without time stamps it goes on */
	start(10 * MSS, UINT32_MAX);
	for (int i = 0; i < 8; i++)
		round_trip(60, TCP_CC_NO_RTT);
	CHECK(cwnd == 2560 * MSS && ssthresh == UINT32_MAX);
}

/* Whatever comes: a window never falls by what arrives, and never wraps. */
static void
test_nonsense(void)
{
	srand(1);
	for (int i = 0; i < 200000; i++) {
		struct tcp_cc_ack a = {
			.acked = (uint32_t)rand() % 65536 + 1,
			.ackno = (uint32_t)rand() * 2u,
			.snd_nxt = (uint32_t)rand() * 2u,
			.now = now += (uint32_t)rand() % (i % 3 ? 9 : 99999),
			.rtt = (uint32_t)rand() >> rand() % 31,
			.srtt = (uint32_t)rand() >> rand() % 31,
			.mss = 64u + (uint32_t)rand() % 8896,
		};
		uint32_t before;

		if (i % 100 == 0) {
			tcp_cc_choose(&cc, rand() % 4 == 0);
			cwnd = a.mss + ((uint32_t)rand() * 2u >> rand() % 31);
			ssthresh = (uint32_t)rand() * 2u >> rand() % 31;
		}
		if (rand() % 50 == 0) {
			ssthresh = tcp_cc_lost(&cc, cwnd, a.mss);
			CHECK(ssthresh >= 2 * a.mss);
			cwnd = rand() % 3 ? ssthresh : a.mss;
		}
		before = cwnd;
		tcp_cc_acked(&cc, &a, &cwnd, &ssthresh);
		CHECK(cwnd >= before);
	}
}

/* A pause halves the window for each time-out, down to the first one, and slow
 * start leads back to three quarters of it. */
static void
test_pause(void)
{
	start(100 * MSS, 1);
	cwnd = 100 * MSS;
	round_trip(60, 60);
	cwnd = 100 * MSS;
	tcp_cc_idle(&cc, 1, 10 * MSS, &cwnd, &ssthresh);
	CHECK(cwnd == 50 * MSS && ssthresh == 75 * MSS);
	tcp_cc_idle(&cc, 2, 10 * MSS, &cwnd, &ssthresh);
	CHECK(cwnd == 50 * MSS / 4 && ssthresh == 75 * MSS);
	round_trip(60, 60);
	CHECK(cwnd > 20 * MSS);
	tcp_cc_idle(&cc, 1000, 10 * MSS, &cwnd, &ssthresh);
	CHECK(cwnd == 10 * MSS && ssthresh == 75 * MSS);
	/* One that is smaller stays, and does not jump when the epoch is old. */
	start(4 * MSS, 1);
	ssthresh = tcp_cc_lost(&cc, 12 * MSS, MSS);
	cwnd = ssthresh = 4 * MSS;
	round_trip(60, 60);
	now += 30000;
	tcp_cc_idle(&cc, 100, 10 * MSS, &cwnd, &ssthresh);
	CHECK(cwnd >= 4 * MSS && cwnd < 5 * MSS);
	round_trip(60, 60);
	CHECK(cwnd < 6 * MSS);
}

int
main(void)
{
	test_curve();
	test_friendly();
	test_reno();
	test_losses();
	test_slow_start();
	test_nonsense();
	test_pause();
	puts("ok");
	return 0;
}
