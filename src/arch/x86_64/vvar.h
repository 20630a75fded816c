/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data page that the kernel shares with the vDSO.  Monotonic ns =
 * base_ns + ((TSC - base_tsc) * mult >> shift), wall clock = monotonic +
 * real_offset_ns; seq is odd while they change.
 */
#pragma once

#include <base/types.h>

struct vvar {
	uint32_t seq;
	uint32_t mult, shift;
	uint32_t reserved;
	uint64_t base_tsc, base_ns;
	uint64_t real_offset_ns;
};
