/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C by the CPU's instruction, eight bytes at a time: ext4 checks every
 * block of metadata, and the manifest is checked at each start.  QEMU's
 * emulator does it bit by bit, a third as fast as the table.
 */
#include "arch_priv.h"

#include <base/hash.h>

uint32_t
crc32c(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *s = p;
	uint64_t c = crc;

	if (unlikely(!cpu_features.crc32 || cpu_features.tcg))
		return crc32c_table(crc, p, len);
	for (; len >= 8; len -= 8, s += 8) {
		uint64_t word;

		__builtin_memcpy(&word, s, 8);
		__asm__("crc32q %1, %0" : "+r"(c) : "r"(word));
	}
	for (; len; len--, s++)
		__asm__("crc32b %1, %0" : "+r"(c) : "r"(*s));
	return (uint32_t)c;
}
