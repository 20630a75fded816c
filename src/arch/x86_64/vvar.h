/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data page that the kernel shares with the vDSO.  Monotonic ns =
 * base_ns + ((TSC - base_tsc) * mult >> shift), the wall clock is made of it
 * by arch_wall_at(); seq is odd while they change.
 */
#pragma once

#include <arch/timer.h>
#include <base/types.h>

struct vvar {
	uint32_t seq;
	uint32_t mult, shift;
	uint32_t reserved;
	uint64_t base_tsc, base_ns;
	struct arch_wall wall;
};
