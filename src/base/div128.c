/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 128-bit division, which the compiler calls by these names and a
 * freestanding kernel has no library for.  Bit by bit: it is used where
 * clocks are set up, never on a hot path.
 */
#include <base/types.h>

unsigned __int128 __udivti3(unsigned __int128 n, unsigned __int128 d);
__int128 __divti3(__int128 n, __int128 d);

unsigned __int128
__udivti3(unsigned __int128 n, unsigned __int128 d)
{
	unsigned __int128 q = 0, r = 0;

	/* A zero divisor gives all ones; nobody asks for it. */
	for (int i = 127; i >= 0; i--) {
		r = r << 1 | (n >> i & 1);
		if (r >= d) {
			r -= d;
			q |= (unsigned __int128)1 << i;
		}
	}
	return q;
}

__int128
__divti3(__int128 n, __int128 d)
{
	bool neg = (n < 0) != (d < 0);
	unsigned __int128 q;

	q = __udivti3(n < 0 ? -(unsigned __int128)n : (unsigned __int128)n,
		      d < 0 ? -(unsigned __int128)d : (unsigned __int128)d);
	return neg ? -(__int128)q : (__int128)q;
}
