/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Big-endian numbers, as journals and networks have them, on a little-endian
 * machine (all that Pith runs on).
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian");

static inline uint16_t
cpu_to_be16(uint16_t x)
{
	return __builtin_bswap16(x);
}

static inline uint32_t
cpu_to_be32(uint32_t x)
{
	return __builtin_bswap32(x);
}

static inline uint64_t
cpu_to_be64(uint64_t x)
{
	return __builtin_bswap64(x);
}

static inline uint16_t
be16_to_cpu(uint16_t x)
{
	return __builtin_bswap16(x);
}

static inline uint32_t
be32_to_cpu(uint32_t x)
{
	return __builtin_bswap32(x);
}

static inline uint64_t
be64_to_cpu(uint64_t x)
{
	return __builtin_bswap64(x);
}
