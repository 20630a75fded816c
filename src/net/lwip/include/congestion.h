/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control of TCP: how much may be on its way.
 *
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406), or NewReno (RFC 5681), for each
 * connection by itself.  Pure arithmetic on what the caller says: no clock, no
 * locks, no lwIP, so that a test can drive it.  Windows are bytes, times
 * milliseconds of any clock that may wrap.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * All zero at first.  Whoever has the connection's lock has this too.
 */
struct tcp_cc {
	bool reno;
	bool avoiding; /* congestion avoidance: `cubic` or `acked` is valid,
			* and not `start` */
	uint8_t samples;
	uint8_t slow_rounds; /* 0: no slow one */
	uint32_t w_max;	     /* CUBIC: where the last loss was */
	union {
		/* CUBIC: the epoch began at `epoch`, and reaches `origin` k ms
		 * later; what NewReno would have by now. */
		struct {
			uint32_t epoch, k, origin, w_est;
		} cubic;

		/* HyStart++: the round ends when this is acknowledged; least
		 * round trips of it, of the last one, and of the one in which
		 * the slow ones began. */
		struct {
			uint32_t end, least, last, slow;
		} start;

		uint32_t acked; /* NewReno: since the window last grew */
	};
};

#define TCP_CC_NO_RTT UINT32_MAX

struct tcp_cc_ack {
	uint32_t acked;	  /* bytes for the first time */
	uint32_t ackno;	  /* up to where */
	uint32_t snd_nxt; /* what is sent ends here */
	uint32_t now;
	uint32_t rtt;  /* of what is acknowledged, or TCP_CC_NO_RTT */
	uint32_t srtt; /* smoothed */
	uint32_t mss;
};

/* From now on by NewReno, or by CUBIC. */
void tcp_cc_choose(struct tcp_cc *cc, bool reno);

/*
 * New data was acknowledged, outside of loss recovery, by a sender that the
 * window held back: both windows as they are from now on.
 */
void tcp_cc_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t *cwnd,
		  uint32_t *ssthresh);

/* A loss with `window` on its way: the threshold from now on. */
uint32_t tcp_cc_lost(struct tcp_cc *cc, uint32_t window, uint32_t mss);

/*
 * Nothing was on its way for so many time-outs: the window is halved for each,
 * but not below `least`, where it is larger.
 */
void tcp_cc_idle(struct tcp_cc *cc, uint32_t timeouts, uint32_t least,
		 uint32_t *cwnd, uint32_t *ssthresh);

/* The last loss was none, and the window is what it was. */
void tcp_cc_undone(struct tcp_cc *cc, uint32_t cwnd);
