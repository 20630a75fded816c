/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checksums of ext4 metadata: CRC-32C over the structure with its own field
 * as zeroes, seeded by the file system and, for what belongs to an inode, by
 * its number and generation.  Without metadata_csum all are right, but for
 * the CRC-16 of group descriptors.
 */
#include "ext4.h"

#include <base/hash.h>
#include <base/string.h>

bool
ext4_super_csum_ok(const struct ext4_super_disk *d)
{
	if (!(d->s_feature_ro_compat & EXT4_RO_METADATA_CSUM))
		return true;
	return crc32c(~0u, d, offsetof(struct ext4_super_disk, s_checksum)) ==
	       d->s_checksum;
}

bool
ext4_group_csum_ok(struct ext4_super *s, uint32_t group, const void *desc)
{
	const size_t at = offsetof(struct ext4_group_disk, bg_checksum);
	const struct ext4_group_disk *g = desc;
	const uint8_t *p = desc;
	uint16_t zero = 0, c16;
	uint32_t c;

	if (s->csum) {
		c = crc32c(s->csum_seed, &group, sizeof(group));
		c = crc32c(c, p, at);
		c = crc32c(c, &zero, sizeof(zero));
		if (s->desc_size > at + 2)
			c = crc32c(c, p + at + 2, s->desc_size - at - 2);
		return (c & 0xffff) == g->bg_checksum;
	}
	if (!(s->ro_compat & EXT4_RO_GDT_CSUM))
		return true;
	c16 = crc16(0xffff, s->uuid, sizeof(s->uuid));
	c16 = crc16(c16, &group, sizeof(group));
	c16 = crc16(c16, p, at);
	if (s->desc_size > at + 2)
		c16 = crc16(c16, p + at + 2, s->desc_size - at - 2);
	return c16 == g->bg_checksum;
}

bool
ext4_inode_csum_ok(struct ext4_super *s, uint32_t ino, const void *raw,
		   uint32_t *seed)
{
	const size_t lo = offsetof(struct ext4_inode_disk, i_checksum_lo);
	const size_t hi = offsetof(struct ext4_inode_disk, i_checksum_hi);
	const struct ext4_inode_disk *d = raw;
	const uint8_t *p = raw;
	uint16_t zero = 0;
	uint32_t c;
	bool has_hi;

	if (!s->csum)
		return true;
	c = crc32c(s->csum_seed, &ino, sizeof(ino));
	c = *seed = crc32c(c, &d->i_generation, sizeof(d->i_generation));
	has_hi = s->inode_size > 128 && d->i_extra_isize >= 4;
	c = crc32c(c, p, lo);
	c = crc32c(c, &zero, sizeof(zero));
	c = crc32c(c, p + lo + 2, 128 - lo - 2);
	if (s->inode_size > 128) {
		c = crc32c(c, p + 128, hi - 128);
		if (has_hi) {
			c = crc32c(c, &zero, sizeof(zero));
			c = crc32c(c, p + hi + 2, s->inode_size - hi - 2);
		} else {
			c = crc32c(c, p + hi, s->inode_size - hi);
		}
	}
	if ((c & 0xffff) != d->i_checksum_lo)
		return false;
	return !has_hi || c >> 16 == d->i_checksum_hi;
}

bool
ext4_extent_csum_ok(struct ext4_super *s, uint32_t seed, const uint8_t *block)
{
	const struct ext4_extent_header *h = (const void *)block;
	size_t at = sizeof(*h) + (size_t)h->eh_max * 12;
	uint32_t stored;

	if (!s->csum)
		return true;
	if (at + sizeof(stored) > s->block_size)
		return false;
	memcpy(&stored, block + at, sizeof(stored));
	return crc32c(seed, block, at) == stored;
}

/* Blocks of the hash tree look like directory blocks without entries; their
 * checksum lies behind the table of hashes. */
static bool
index_csum_ok(struct ext4_super *s, uint32_t seed, const uint8_t *block)
{
	const struct ext4_dirent *d = (const void *)block;
	uint32_t bs = s->block_size, zero = 0, stored, c;
	uint16_t limit, count;
	size_t at;

	if (d->rec_len == bs)
		at = 8;
	else if (d->rec_len == 12)
		at = 32;
	else
		return false;
	memcpy(&limit, block + at, 2);
	memcpy(&count, block + at + 2, 2);
	if (count > limit || at + (size_t)limit * 8 + 8 > bs)
		return false;
	c = crc32c(seed, block, at + (size_t)count * 8);
	c = crc32c(c, block + at + (size_t)limit * 8, 4);
	c = crc32c(c, &zero, sizeof(zero));
	memcpy(&stored, block + at + (size_t)limit * 8 + 4, 4);
	return c == stored;
}

bool
ext4_dir_csum_ok(struct ext4_super *s, uint32_t seed, const uint8_t *block)
{
	const struct ext4_dirent *tail;
	size_t at = s->block_size - 12;
	uint32_t stored;

	if (!s->csum)
		return true;
	tail = (const void *)(block + at);
	if (tail->inode || tail->rec_len != 12 || tail->name_len ||
	    tail->file_type != EXT4_FT_CSUM)
		return index_csum_ok(s, seed, block);
	memcpy(&stored, block + at + 8, sizeof(stored));
	return crc32c(seed, block, at) == stored;
}

bool
ext4_xattr_csum_ok(struct ext4_super *s, uint64_t nr, const uint8_t *block)
{
	const size_t at = offsetof(struct ext4_xattr_header, h_checksum);
	const struct ext4_xattr_header *h = (const void *)block;
	uint32_t zero = 0, c;

	if (!s->csum)
		return true;
	c = crc32c(s->csum_seed, &nr, sizeof(nr));
	c = crc32c(c, block, at);
	c = crc32c(c, &zero, sizeof(zero));
	c = crc32c(c, block + at + 4, s->block_size - at - 4);
	return c == h->h_checksum;
}
