/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SYN cookies (RFC 4987, 3.6): the sequence number of an answer to a SYN of
 * which nothing is kept.
 *
 *	31   27 26  24 23                    0
 *	[count ][mss  ][hash                 ]
 *
 * count: the time in steps of 64 seconds, modulo 32; mss: an index into a
 * table; hash: of both ends, the other end's sequence number, count and mss,
 * under a key of the kernel's random generator.  The upper byte is masked by
 * a second hash, so that a connection's number says nothing of another's.
 */
#pragma once

#include <base/types.h>

struct syncookie_ends {
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port;
	uint32_t seq; /* of the SYN */
};

#define SYNCOOKIE_STEP_S 64u /* one more on the clock */
#define SYNCOOKIE_STEPS	 2u  /* for how many it is good: the current, one */

uint32_t syncookie_make(const uint64_t key[2], const struct syncookie_ends *e,
			uint64_t seconds, uint16_t mss);
/* The largest segment, not above what make() was told; 0: none of ours, or
 * too old. */
uint16_t syncookie_check(const uint64_t key[2], const struct syncookie_ends *e,
			 uint64_t seconds, uint32_t cookie);
