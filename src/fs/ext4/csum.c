/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checksums of ext4 metadata: CRC-32C over the structure with its own field
 * as zeroes, seeded by the file system and, for what belongs to an inode, by
 * its number and generation.  Without metadata_csum all are right, but for
 * the CRC-16 of group descriptors.
 */
#include "ext4.h"
#include "journal.h"

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

void
ext4_super_csum_set(struct ext4_super_disk *d)
{
	if (d->s_feature_ro_compat & EXT4_RO_METADATA_CSUM)
		d->s_checksum = crc32c(
			~0u, d, offsetof(struct ext4_super_disk, s_checksum));
}

static uint16_t
group_csum(struct ext4_super *s, uint32_t group, const void *desc)
{
	const size_t at = offsetof(struct ext4_group_disk, bg_checksum);
	const uint8_t *p = desc;
	uint16_t zero = 0, c16;
	uint32_t c;

	if (s->csum) {
		c = crc32c(s->csum_seed, &group, sizeof(group));
		c = crc32c(c, p, at);
		c = crc32c(c, &zero, sizeof(zero));
		if (s->desc_size > at + 2)
			c = crc32c(c, p + at + 2, s->desc_size - at - 2);
		return (uint16_t)c;
	}
	c16 = crc16(0xffff, s->uuid, sizeof(s->uuid));
	c16 = crc16(c16, &group, sizeof(group));
	c16 = crc16(c16, p, at);
	if (s->desc_size > at + 2)
		c16 = crc16(c16, p + at + 2, s->desc_size - at - 2);
	return c16;
}

static bool
groups_have_csum(const struct ext4_super *s)
{
	return s->csum || (s->ro_compat & EXT4_RO_GDT_CSUM);
}

bool
ext4_group_csum_ok(struct ext4_super *s, uint32_t group, const void *desc)
{
	const struct ext4_group_disk *g = desc;

	return !groups_have_csum(s) ||
	       group_csum(s, group, desc) == g->bg_checksum;
}

void
ext4_group_csum_set(struct ext4_super *s, uint32_t group, void *desc)
{
	struct ext4_group_disk *g = desc;

	if (groups_have_csum(s))
		g->bg_checksum = group_csum(s, group, desc);
}

uint32_t
ext4_inode_seed(struct ext4_super *s, uint32_t ino, uint32_t generation)
{
	uint32_t c = crc32c(s->csum_seed, &ino, sizeof(ino));

	return crc32c(c, &generation, sizeof(generation));
}

/* *high: both halves are there. */
static uint32_t
inode_csum(struct ext4_super *s, uint32_t ino, const void *raw, uint32_t *seed,
	   bool *high)
{
	const size_t lo = offsetof(struct ext4_inode_disk, i_checksum_lo);
	const size_t hi = offsetof(struct ext4_inode_disk, i_checksum_hi);
	const struct ext4_inode_disk *d = raw;
	const uint8_t *p = raw;
	uint16_t zero = 0;
	uint32_t c;
	bool has_hi;

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
	*high = has_hi;
	return c;
}

bool
ext4_inode_csum_ok(struct ext4_super *s, uint32_t ino, const void *raw,
		   uint32_t *seed)
{
	const struct ext4_inode_disk *d = raw;
	uint32_t c;
	bool high;

	if (!s->csum)
		return true;
	c = inode_csum(s, ino, raw, seed, &high);
	if ((c & 0xffff) != d->i_checksum_lo)
		return false;
	return !high || c >> 16 == d->i_checksum_hi;
}

void
ext4_inode_csum_set(struct ext4_super *s, uint32_t ino, void *raw)
{
	struct ext4_inode_disk *d = raw;
	uint32_t c, seed;
	bool high;

	if (!s->csum)
		return;
	c = inode_csum(s, ino, raw, &seed, &high);
	d->i_checksum_lo = (uint16_t)c;
	if (high)
		d->i_checksum_hi = (uint16_t)(c >> 16);
}

/* Where a block of extents has its checksum; beyond it: nowhere. */
static size_t
extent_csum_at(const uint8_t *block)
{
	const struct ext4_extent_header *h = (const void *)block;

	return sizeof(*h) + (size_t)h->eh_max * 12;
}

bool
ext4_extent_csum_ok(struct ext4_super *s, uint32_t seed, const uint8_t *block)
{
	size_t at = extent_csum_at(block);
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
index_csum(struct ext4_super *s, uint32_t seed, const uint8_t *block,
	   size_t *field, uint32_t *csum)
{
	const struct ext4_dirent *d = (const void *)block;
	uint32_t bs = s->block_size, zero = 0, c;
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
	*csum = crc32c(c, &zero, sizeof(zero));
	*field = at + (size_t)limit * 8 + 4;
	return true;
}

static bool
index_csum_ok(struct ext4_super *s, uint32_t seed, const uint8_t *block)
{
	uint32_t c, stored;
	size_t at;

	if (!index_csum(s, seed, block, &at, &c))
		return false;
	memcpy(&stored, block + at, 4);
	return c == stored;
}

static bool
has_dir_tail(struct ext4_super *s, const uint8_t *block)
{
	const struct ext4_dirent *t =
		(const void *)(block + s->block_size - 12);

	return !t->inode && t->rec_len == 12 && !t->name_len &&
	       t->file_type == EXT4_FT_CSUM;
}

bool
ext4_dir_csum_ok(struct ext4_super *s, uint32_t seed, const uint8_t *block)
{
	size_t at = s->block_size - 12;
	uint32_t stored;

	if (!s->csum)
		return true;
	if (!has_dir_tail(s, block))
		return index_csum_ok(s, seed, block);
	memcpy(&stored, block + at + 8, sizeof(stored));
	return crc32c(seed, block, at) == stored;
}

static uint32_t
xattr_csum(struct ext4_super *s, uint64_t nr, const uint8_t *block)
{
	const size_t at = offsetof(struct ext4_xattr_header, h_checksum);
	uint32_t zero = 0, c;

	c = crc32c(s->csum_seed, &nr, sizeof(nr));
	c = crc32c(c, block, at);
	c = crc32c(c, &zero, sizeof(zero));
	return crc32c(c, block + at + 4, s->block_size - at - 4);
}

bool
ext4_xattr_csum_ok(struct ext4_super *s, uint64_t nr, const uint8_t *block)
{
	const struct ext4_xattr_header *h = (const void *)block;

	return !s->csum || xattr_csum(s, nr, block) == h->h_checksum;
}

void
ext4_block_csum_set(struct ext4_super *s, unsigned kind, uint32_t seed,
		    uint64_t nr, uint8_t *block)
{
	struct ext4_xattr_header *h = (void *)block;
	uint32_t c;
	size_t at;

	if (!s->csum)
		return;
	switch (kind) {
	case JK_DIR:
		if (has_dir_tail(s, block)) {
			at = s->block_size - 12;
			c = crc32c(seed, block, at);
			memcpy(block + at + 8, &c, sizeof(c));
		} else if (index_csum(s, seed, block, &at, &c)) {
			memcpy(block + at, &c, sizeof(c));
		}
		break;
	case JK_EXTENT:
		at = extent_csum_at(block);
		if (at + 4 <= s->block_size) {
			c = crc32c(seed, block, at);
			memcpy(block + at, &c, sizeof(c));
		}
		break;
	case JK_XATTR:
		h->h_checksum = xattr_csum(s, nr, block);
		break;
	case JK_ORPHANS:
		ext4_orphan_csum_set(s, seed, nr, block);
		break;
	default:
		break;
	}
}
