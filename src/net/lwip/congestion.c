/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control of TCP: see congestion.h.
 *
 * Numbers with "RFC 9438" or "RFC 9406" are those documents' own.
 */
#include "congestion.h"

/* RFC 9406, 4.3: ms, rounds, and by how much slower a slow round grows. */
#define RTT_SAMPLES  8
#define RTT_MORE_MIN 4
#define RTT_MORE_MAX 16
#define RTT_DIVISOR  8
#define SLOW_DIVISOR 4
#define SLOW_ROUNDS  2
/* Below it slow start does no harm. */
#define SLOW_START_FREE 16

/* RFC 9438, 4.1 and 4.6: C is 0.4 segments a second cubed, beta 0.7. */
#define BETA_MUL  7
#define BETA_DIV  10
#define MS_CUBED  10000000000ll /* of C = 4 tenths */
#define EPOCH_MAX 40000		/* ms: cubes of it fit */

static uint32_t
at_least(uint32_t v, uint32_t least)
{
	return v < least ? least : v;
}

/* The largest r with r^3 <= v. */
static uint32_t
cube_root(uint64_t v)
{
	uint64_t r = 0;

	for (int shift = 63; shift >= 0; shift -= 3) {
		uint64_t b = 3 * (2 * r) * (2 * r + 1) + 1;

		r *= 2;
		if (v >> shift >= b) {
			v -= b << shift;
			r++;
		}
	}
	return (uint32_t)r;
}

static void
grow(uint32_t *cwnd, uint64_t by)
{
	*cwnd = by > UINT32_MAX - *cwnd ? UINT32_MAX : *cwnd + (uint32_t)by;
}

/* ---- slow start ---- */

static void
restart(struct tcp_cc *cc)
{
	cc->avoiding = false;
	cc->samples = cc->slow_rounds = 0;
	cc->start.end = cc->start.least = 0;
	cc->start.last = cc->start.slow = 0;
}

/* At the end of a round: has the path begun to queue? */
static void
next_round(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t cwnd,
	   uint32_t *ssthresh)
{
	if (cc->slow_rounds && ++cc->slow_rounds > SLOW_ROUNDS) {
		*ssthresh = cwnd;
		cc->slow_rounds = 0;
	}
	cc->start.last = cc->samples ? cc->start.least : TCP_CC_NO_RTT;
	cc->start.least = TCP_CC_NO_RTT;
	cc->samples = 0;
	cc->start.end = a->snd_nxt;
}

static void
look_at_round_trip(struct tcp_cc *cc, uint32_t rtt, uint32_t cwnd, uint32_t mss)
{
	uint32_t more;

	if (rtt < cc->start.least)
		cc->start.least = rtt;
	if (cc->samples < RTT_SAMPLES)
		cc->samples++;
	if (cc->samples < RTT_SAMPLES || cc->start.last == TCP_CC_NO_RTT ||
	    cwnd / mss < SLOW_START_FREE)
		return;
	if (cc->slow_rounds) {
		if (cc->start.least < cc->start.slow)
			cc->slow_rounds = 0; /* it was a passing delay */
		return;
	}
	more = cc->start.last / RTT_DIVISOR;
	more = at_least(more > RTT_MORE_MAX ? RTT_MORE_MAX : more,
			RTT_MORE_MIN);
	if (cc->start.least >= cc->start.last + more) {
		cc->slow_rounds = 1;
		cc->start.slow = cc->start.least;
	}
}

static void
slow_start(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t *cwnd,
	   uint32_t *ssthresh)
{
	if (cc->avoiding)
		restart(cc);
	/* The first round of all, or of this slow start, has no end yet. */
	if ((int32_t)(a->ackno - cc->start.end) >= 0 || !cc->start.end)
		next_round(cc, a, *cwnd, ssthresh);
	if (a->rtt != TCP_CC_NO_RTT)
		look_at_round_trip(cc, a->rtt, *cwnd, a->mss);
	grow(cwnd, cc->slow_rounds ? a->acked / SLOW_DIVISOR : a->acked);
}

/* ---- congestion avoidance ---- */

static void
begin_epoch(struct tcp_cc *cc, uint32_t cwnd, uint32_t now, uint32_t mss)
{
	cc->avoiding = true;
	cc->cubic.epoch = now;
	cc->cubic.w_est = cwnd;
	cc->cubic.k = 0;
	cc->cubic.origin = cwnd;
	if (cwnd < cc->w_max) {
		/* K = cbrt((W_max - cwnd) / C), here in ms (4.2). */
		cc->cubic.k =
			cube_root((cc->w_max - cwnd) / mss * 2500000000ull);
		cc->cubic.origin = cc->w_max;
	}
}

/* Where the curve is a round trip from now (4.2), within bounds (4.2). */
static uint32_t
target(const struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t cwnd)
{
	int64_t t = (int64_t)(a->now - cc->cubic.epoch) + a->srtt;
	int64_t d = (t > EPOCH_MAX ? EPOCH_MAX : t) - cc->cubic.k;
	int64_t w = cc->cubic.origin + d * d * d * 4 / MS_CUBED * a->mss +
		    d * d * d * 4 % MS_CUBED * a->mss / MS_CUBED;
	int64_t most = (int64_t)cwnd + cwnd / 2;

	return (uint32_t)(w < cwnd ? cwnd : w > most ? most : w);
}

static void
cubic(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t *cwnd)
{
	uint64_t step;
	uint32_t aim;

	if (!cc->avoiding)
		begin_epoch(cc, *cwnd, a->now, a->mss);
	aim = target(cc, a, *cwnd);
	/* What NewReno would do (4.3): alpha is 9/17 until it has what there
	 * was before the loss. */
	step = (uint64_t)a->acked * a->mss / *cwnd;
	grow(&cc->cubic.w_est,
	     cc->cubic.w_est < cc->w_max ? step * 9 / 17 : step);
	grow(cwnd, (uint64_t)(aim - *cwnd) * a->acked / *cwnd);
	if (*cwnd < cc->cubic.w_est)
		*cwnd = cc->cubic.w_est;
}

static void
reno(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t *cwnd)
{
	if (!cc->avoiding)
		cc->acked = 0;
	cc->avoiding = true;
	grow(&cc->acked, a->acked);
	if (cc->acked >= *cwnd) {
		cc->acked -= *cwnd;
		grow(cwnd, a->mss);
	}
}

/* ---- what lwIP asks ---- */

void
tcp_cc_choose(struct tcp_cc *cc, bool reno)
{
	if (cc->reno != reno)
		restart(cc);
	cc->reno = reno;
}

void
tcp_cc_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t *cwnd,
	     uint32_t *ssthresh)
{
	if (*cwnd < *ssthresh)
		slow_start(cc, a, cwnd, ssthresh);
	else if (cc->reno)
		reno(cc, a, cwnd);
	else
		cubic(cc, a, cwnd);
}

uint32_t
tcp_cc_lost(struct tcp_cc *cc, uint32_t window, uint32_t mss)
{
	uint32_t left = window / 2;

	if (!cc->reno) {
		/* Who had to give way before has reached w_max makes room for
		 * others (4.7). */
		cc->w_max = window < cc->w_max ?
				    (uint32_t)((uint64_t)window *
					       (BETA_DIV + BETA_MUL) /
					       (2 * BETA_DIV)) :
				    window;
		left = (uint32_t)((uint64_t)window * BETA_MUL / BETA_DIV);
	}
	restart(cc);
	return at_least(left, 2 * mss);
}

/* RFC 2861, 3; the time that went by is none of an epoch (RFC 9438, 5.8). */
void
tcp_cc_idle(struct tcp_cc *cc, uint32_t timeouts, uint32_t least,
	    uint32_t *cwnd, uint32_t *ssthresh)
{
	*ssthresh = at_least(*ssthresh, *cwnd - *cwnd / 4);
	if (least < *cwnd)
		*cwnd = at_least(timeouts < 32 ? *cwnd >> timeouts : 0, least);
	restart(cc);
}

void
tcp_cc_undone(struct tcp_cc *cc, uint32_t cwnd)
{
	cc->w_max = at_least(cc->w_max, cwnd);
	restart(cc);
}
