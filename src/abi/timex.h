/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adjtimex(2).
 */
#pragma once

#include <abi/time.h>
#include <stdint.h>

#define STA_PLL		   0x1
#define STA_UNSYNC	   0x40
#define TIME_OK		   0
#define TIME_ERROR	   5 /* the clock is not synchronised */
#define TIMEX_ERROR_MAX_US 16000000
#define TIMEX_TOLERANCE	   32768000 /* 500 ppm */

struct timex {
	uint32_t modes, pad0;
	int64_t offset, freq, maxerror, esterror;
	int32_t status, pad1;
	int64_t constant, precision, tolerance;
	struct timeval time;
	int64_t tick, ppsfreq, jitter;
	int32_t shift, pad2;
	int64_t stabil, jitcnt, calcnt, errcnt, stbcnt;
	int32_t tai, reserved[11];
};

_Static_assert(sizeof(struct timex) == 208, "timex");
