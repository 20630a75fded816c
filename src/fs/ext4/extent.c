/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a file's block numbers to the device's: the extent tree, and the
 * older lists of blocks in three levels of indirection.
 */
#include "ext4.h"

#include <abi/errno.h>
#include <base/string.h>

/* Room for this many entries behind a header in so many bytes. */
static unsigned
capacity(size_t bytes)
{
	return (unsigned)((bytes - sizeof(struct ext4_extent_header)) / 12);
}

bool
ext4_ext_header_ok(const struct ext4_extent_header *h, size_t bytes,
		   unsigned depth)
{
	return h->eh_magic == EXT4_EXT_MAGIC && h->eh_depth == depth &&
	       h->eh_entries <= h->eh_max && h->eh_max <= capacity(bytes);
}

/* The last entry whose first block (a u32 at its start) is <= lblk, or -1.
 * Entries out of order give some entry, which the caller checks. */
int
ext4_ext_search(const struct ext4_extent_header *h, uint32_t lblk)
{
	const uint8_t *e = (const uint8_t *)(h + 1);
	int low = 0, high = (int)h->eh_entries - 1, found = -1;

	while (low <= high) {
		int mid = (low + high) / 2;
		uint32_t first;

		memcpy(&first, e + (size_t)mid * 12, sizeof(first));
		if (first <= lblk) {
			found = mid;
			low = mid + 1;
		} else {
			high = mid - 1;
		}
	}
	return found;
}

static bool
run_ok(const struct ext4_super *s, uint64_t start, uint64_t len)
{
	return start >= s->first_data_block && start < s->nblocks &&
	       len <= s->nblocks - start;
}

/* A hole from lblk up to the next extent, as far as this leaf tells. */
static void
hole(const struct ext4_extent_header *h, int at, uint32_t lblk, uint32_t limit,
     struct ext4_map *m)
{
	const struct ext4_extent *e = (const void *)(h + 1);
	uint32_t end = limit;

	if (at + 1 < h->eh_entries && e[at + 1].ee_block > lblk &&
	    e[at + 1].ee_block < end)
		end = e[at + 1].ee_block;
	m->pblk = 0;
	m->len = end > lblk ? end - lblk : 1;
}

static int
map_leaf(struct inode *i, const struct ext4_extent_header *h, uint32_t lblk,
	 uint32_t limit, struct ext4_map *m)
{
	struct ext4_super *s = ext4_sb(i);
	int at = ext4_ext_search(h, lblk);
	struct ext4_extent e;
	bool unwritten;
	uint64_t start;
	uint32_t len;

	if (at < 0) {
		hole(h, -1, lblk, limit, m);
		return 0;
	}
	memcpy(&e, (const struct ext4_extent *)(h + 1) + at, sizeof(e));
	unwritten = e.ee_len > EXT4_EXT_INIT_MAX;
	len = unwritten ? e.ee_len - EXT4_EXT_INIT_MAX : e.ee_len;
	start = (uint64_t)e.ee_start_hi << 32 | e.ee_start_lo;
	if (!len || !run_ok(s, start, len) || e.ee_block > UINT32_MAX - len)
		return ext4_bad(s, i->ino, "extent out of range");
	if (lblk - e.ee_block >= len) {
		hole(h, at, lblk, limit, m);
		return 0;
	}
	m->pblk = start + (lblk - e.ee_block);
	m->unwritten = unwritten;
	m->len = len - (lblk - e.ee_block);
	return 0;
}

int
ext4_ext_node(struct inode *i, uint64_t block, unsigned depth,
	      struct ext4_buf *b)
{
	struct ext4_super *s = ext4_sb(i);
	int err = ext4_bread(s, block, b);

	if (err)
		return err;
	if (!ext4_ext_header_ok((const void *)b->data, s->block_size, depth))
		err = ext4_bad(s, i->ino, "extent block's header");
	else if (!ext4_buf_checked(s, b, block)) {
		if (!ext4_extent_csum_ok(s, ext4_i(i)->csum_seed, b->data))
			err = ext4_bad(s, i->ino, "extent block's checksum");
		else
			ext4_buf_set_checked(s, b, block);
	}
	if (err)
		ext4_brelse(b);
	return err;
}

static int
map_extents(struct inode *i, uint32_t lblk, struct ext4_map *m)
{
	struct ext4_super *s = ext4_sb(i);
	const struct ext4_extent_header *h = (const void *)ext4_i(i)->block;
	struct ext4_buf b = { .page = NULL }, next;
	uint32_t limit = UINT32_MAX;
	unsigned depth = h->eh_depth;
	int err = 0;

	if (depth > EXT4_MAX_DEPTH ||
	    !ext4_ext_header_ok(h, sizeof(ext4_i(i)->block), depth))
		return ext4_bad(s, i->ino, "extent header");
	while (depth--) {
		const struct ext4_extent_idx *x = (const void *)(h + 1);
		int at = ext4_ext_search(h, lblk);

		if (at + 1 < h->eh_entries && x[at + 1].ei_block < limit &&
		    x[at + 1].ei_block > lblk)
			limit = x[at + 1].ei_block;
		if (at < 0) { /* before the first: nothing there */
			m->pblk = 0;
			m->len = limit > lblk ? limit - lblk : 1;
			goto out;
		}
		err = ext4_ext_node(
			i, (uint64_t)x[at].ei_leaf_hi << 32 | x[at].ei_leaf_lo,
			depth, &next);
		if (err)
			goto out;
		ext4_brelse(&b);
		b = next;
		h = (const void *)b.data;
	}
	err = map_leaf(i, h, lblk, limit, m);
out:
	ext4_brelse(&b);
	return err;
}

/* One step down: entry `at` of a table of n numbers, and how many of the
 * following ones are its continuation. */
static int
map_table(struct inode *i, const uint32_t *table, uint32_t at, uint32_t n,
	  bool leaf, struct ext4_map *m)
{
	struct ext4_super *s = ext4_sb(i);

	m->pblk = table[at];
	m->len = 1;
	if (m->pblk && !run_ok(s, m->pblk, 1))
		return ext4_bad(s, i->ino, "block number out of range");
	while (leaf && at + m->len < n &&
	       table[at + m->len] == (m->pblk ? m->pblk + m->len : 0) &&
	       (!m->pblk || run_ok(s, m->pblk, m->len + 1)))
		m->len++;
	return 0;
}

static int
map_indirect(struct inode *i, uint32_t lblk, struct ext4_map *m)
{
	struct ext4_super *s = ext4_sb(i);
	const uint32_t *root = ext4_i(i)->block;
	uint32_t per_shift = s->block_shift - 2, per = 1u << per_shift;
	uint64_t left = lblk, span;
	unsigned level = 1;
	uint64_t block;

	if (left < 12)
		return map_table(i, root, (uint32_t)left, 12, true, m);
	left -= 12;
	for (; level <= 3; level++) {
		span = 1ull << (per_shift * level);
		if (left < span)
			break;
		left -= span;
	}
	if (level > 3)
		return ext4_bad(s, i->ino, "block beyond the last");
	block = root[11 + level];
	while (block) {
		struct ext4_buf b;
		uint32_t at;
		int err;

		level--;
		at = (uint32_t)(left >> (per_shift * level)) & (per - 1);
		if (!run_ok(s, block, 1))
			return ext4_bad(s, i->ino, "indirect block");
		err = ext4_bread(s, block, &b);
		if (err)
			return err;
		err = map_table(i, (const uint32_t *)(const void *)b.data, at,
				per, !level, m);
		ext4_brelse(&b);
		if (err || !level)
			return err;
		block = m->pblk;
	}
	/* A table that is not there: all zeroes, up to its end. */
	span = 1ull << (per_shift * level);
	m->pblk = 0;
	span -= left & (span - 1);
	m->len = span > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)span;
	return 0;
}

int
ext4_map_locked(struct inode *i, uint32_t lblk, struct ext4_map *m)
{
	m->unwritten = false;
	if (ext4_i(i)->flags & EXT4_FL_EXTENTS)
		return map_extents(i, lblk, m);
	return map_indirect(i, lblk, m);
}

int
ext4_map_any(struct inode *i, uint32_t lblk, struct ext4_map *m)
{
	int err;

	read_lock(&ext4_i(i)->tree_lock);
	err = ext4_map_locked(i, lblk, m);
	read_unlock(&ext4_i(i)->tree_lock);
	return err;
}

/* A note of lost data goes after its extent was changed, with the lock: so who
 * holds it finds either the one or the other. */
int
ext4_map_shown(struct inode *i, uint32_t lblk, struct ext4_map *m)
{
	int err;

	read_lock(&ext4_i(i)->tree_lock);
	err = ext4_map_locked(i, lblk, m);
	if (!err)
		err = ext4_lost_hide(ext4_sb(i), m);
	read_unlock(&ext4_i(i)->tree_lock);
	return err;
}

int
ext4_map_block(struct inode *i, uint32_t lblk, struct ext4_map *m)
{
	int err = ext4_map_shown(i, lblk, m);

	if (!err && m->unwritten)
		m->pblk = 0;
	return err;
}
