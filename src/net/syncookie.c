/* SPDX-License-Identifier: Apache-2.0 */
/* SYN cookies; their form is in syncookie.h.  No state, no locks. */
#include <net/syncookie.h>

#include <base/compiler.h>
#include <base/hash.h>
#include <base/string.h>

#define HASH_MASK 0xffffffu
#define MASK_ONLY UINT64_MAX /* in place of a count: the upper byte's mask */

/* What paths have: IPv4's and IPv6's least, tunnels, Ethernet with and
 * without time stamps or IPv6, jumbo frames. */
static const uint16_t sizes[8] = {
	216, 536, 1220, 1300, 1400, 1440, 1460, 8940
};

static uint32_t
hash(const uint64_t key[2], const struct syncookie_ends *e, uint64_t count,
     uint32_t mss)
{
	struct {
		struct syncookie_ends e;
		uint64_t mss, count;
	} in;

	static_assert(sizeof(in) == 56, "no holes");
	in.e = *e;
	in.mss = mss;
	in.count = count;
	return (uint32_t)siphash(key, &in, sizeof(in));
}

uint32_t
syncookie_make(const uint64_t key[2], const struct syncookie_ends *e,
	       uint64_t seconds, uint16_t mss)
{
	uint64_t count = seconds / SYNCOOKIE_STEP_S;
	uint32_t i = ARRAY_SIZE(sizes) - 1;

	while (i && sizes[i] > mss)
		i--;
	return ((uint32_t)(count & 31) << 27 | i << 24 |
		(hash(key, e, count, i) & HASH_MASK)) ^
	       (hash(key, e, MASK_ONLY, 0) & ~HASH_MASK);
}

uint16_t
syncookie_check(const uint64_t key[2], const struct syncookie_ends *e,
		uint64_t seconds, uint32_t cookie)
{
	uint32_t top = cookie ^ (hash(key, e, MASK_ONLY, 0) & ~HASH_MASK);
	uint32_t i = top >> 24 & 7;
	uint64_t count = seconds / SYNCOOKIE_STEP_S;
	uint64_t age = (count - (top >> 27)) & 31;

	if (age >= SYNCOOKIE_STEPS || age > count)
		return 0;
	return ((hash(key, e, count - age, i) ^ cookie) & HASH_MASK) ? 0 :
								       sizes[i];
}
