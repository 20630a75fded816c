/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block groups: descriptors and bitmaps, read when they are first wanted.
 * The time that a mount takes does not depend on their number.
 *
 * A bitmap's checksum lies in its descriptor, and a descriptor's in itself;
 * both are brought up to date once a commit (dirty_groups), not at each
 * change.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/bitmap.h>
#include <base/hash.h>
#include <base/math.h>
#include <base/string.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <mem/page.h>

/* Is n a power of base? */
static bool
is_power(uint64_t n, uint64_t base)
{
	uint64_t p = base;

	while (p < n)
		p *= base;
	return p == n;
}

/* Has this group a copy of the superblock and the descriptors? */
static bool
has_super(const struct ext4_super *s, uint32_t g)
{
	if (g == 0)
		return true;
	if (s->compat & EXT4_COMPAT_SPARSE_SUPER2)
		return g == s->backup_bgs[0] || g == s->backup_bgs[1];
	if (g == 1 || !(s->ro_compat & EXT4_RO_SPARSE_SUPER))
		return true;
	return is_power(g, 3) || is_power(g, 5) || is_power(g, 7);
}

static uint64_t
group_start(const struct ext4_super *s, uint32_t g)
{
	return s->first_data_block + (uint64_t)g * s->blocks_per_group;
}

static uint32_t
group_blocks(const struct ext4_super *s, uint32_t g)
{
	uint64_t left = s->nblocks - group_start(s, g);

	return left < s->blocks_per_group ? (uint32_t)left :
					    s->blocks_per_group;
}

/* Blocks of descriptors in this group, and those kept for more of them. */
static uint32_t
desc_blocks_in(const struct ext4_super *s, uint32_t g)
{
	uint32_t per_block = s->block_size / s->desc_size;
	uint32_t all = (uint32_t)div_round_up(s->ngroups, per_block);
	bool meta = s->incompat & EXT4_INCOMPAT_META_BG;
	uint32_t at = g % per_block, n = 0;

	if (has_super(s, g))
		n = meta && s->first_meta_bg < all ? s->first_meta_bg :
						     all + s->reserved_gdt;
	/* Of a meta group: in its first, second and last group. */
	if (meta && g / per_block >= s->first_meta_bg)
		n = at < 2 || at == per_block - 1;
	return n;
}

/* What is never a file's: as Linux takes it from f_blocks (bsddf). */
uint64_t
ext4_overhead(const struct ext4_super *s)
{
	uint64_t n = s->first_data_block, log = 0;

	for (uint32_t g = 0; g < s->ngroups; g++)
		n += has_super(s, g) + desc_blocks_in(s, g) + 2 +
		     div_round_up((uint64_t)s->inodes_per_group * s->inode_size,
				  s->block_size);
	if (s->journal)
		log = s->journal->last;
	return n + log;
}

/* The block of a group's descriptor. */
static uint64_t
desc_block(const struct ext4_super *s, uint32_t group, uint32_t per_block)
{
	uint32_t nr = group / per_block;
	uint32_t first = nr * per_block;

	if (!(s->incompat & EXT4_INCOMPAT_META_BG) || nr < s->first_meta_bg)
		return (uint64_t)s->first_data_block + 1 + nr;
	return group_start(s, first) + has_super(s, first);
}

static uint64_t
wide(const struct ext4_super *s, uint32_t lo, uint32_t hi)
{
	return s->desc_size >= 64 ? (uint64_t)hi << 32 | lo : lo;
}

static uint64_t
table_of(const struct ext4_super *s, const struct ext4_group_disk *d)
{
	return wide(s, d->bg_inode_table_lo, d->bg_inode_table_hi);
}

static uint64_t
block_bitmap_of(const struct ext4_super *s, const struct ext4_group_disk *d)
{
	return wide(s, d->bg_block_bitmap_lo, d->bg_block_bitmap_hi);
}

static uint64_t
inode_bitmap_of(const struct ext4_super *s, const struct ext4_group_disk *d)
{
	return wide(s, d->bg_inode_bitmap_lo, d->bg_inode_bitmap_hi);
}

uint32_t
ext4_desc_free_blocks(const struct ext4_super *s,
		      const struct ext4_group_disk *d)
{
	return d->bg_free_blocks_lo |
	       (s->desc_size >= 64 ? (uint32_t)d->bg_free_blocks_hi << 16 : 0);
}

uint32_t
ext4_desc_free_inodes(const struct ext4_super *s,
		      const struct ext4_group_disk *d)
{
	return d->bg_free_inodes_lo |
	       (s->desc_size >= 64 ? (uint32_t)d->bg_free_inodes_hi << 16 : 0);
}

static uint64_t
table_blocks(const struct ext4_super *s)
{
	return div_round_up((uint64_t)s->inodes_per_group * s->inode_size,
			    s->block_size);
}

static bool
inside(const struct ext4_super *s, uint64_t block, uint64_t n)
{
	return block > s->first_data_block && block < s->nblocks &&
	       n <= s->nblocks - block;
}

static int
check_desc(struct ext4_super *s, uint32_t group,
	   const struct ext4_group_disk *d)
{
	if (!ext4_group_csum_ok(s, group, d))
		return ext4_bad(s, 0, "group descriptor's checksum");
	if (!inside(s, table_of(s, d), table_blocks(s)))
		return ext4_bad(s, 0, "place of an inode table");
	if (!inside(s, block_bitmap_of(s, d), 1) ||
	    !inside(s, inode_bitmap_of(s, d), 1))
		return ext4_bad(s, 0, "place of a bitmap");
	if (ext4_desc_free_blocks(s, d) > group_blocks(s, group) ||
	    ext4_desc_free_inodes(s, d) > s->inodes_per_group)
		return ext4_bad(s, 0, "a group's counters");
	return 0;
}

int
ext4_group_desc(struct ext4_super *s, uint32_t group, struct ext4_buf *b,
		struct ext4_group_disk **out)
{
	uint32_t per_block = s->block_size / s->desc_size;
	int err;

	if (group >= s->ngroups)
		return ext4_bad(s, 0, "group number out of range");
	err = ext4_bread(s, desc_block(s, group, per_block), b);
	if (err)
		return err;
	*out = (void *)(b->data + (group % per_block) * s->desc_size);
	if (!bitmap_test(s->group_ok, group)) {
		err = check_desc(s, group, *out);
		if (err)
			ext4_brelse(b);
		else
			atomic_or(&s->group_ok[group / 64],
				  1ull << (group % 64));
	}
	return err;
}

int
ext4_group_table(struct ext4_super *s, uint32_t group, uint64_t *inode_table)
{
	struct ext4_group_disk *d;
	struct ext4_buf b;
	int err = ext4_group_desc(s, group, &b, &d);

	if (err)
		return err;
	*inode_table = table_of(s, d);
	ext4_brelse(&b);
	return 0;
}

struct ext4_group *
ext4_group_info(struct ext4_super *s, uint32_t group)
{
	struct ext4_group **c = &s->groups[group / EXT4_GROUP_CHUNK];

	if (!*c) {
		*c = kcalloc(EXT4_GROUP_CHUNK, sizeof(**c), ALLOC_NOFS);
		if (!*c)
			return NULL;
		for (unsigned k = 0; k < EXT4_GROUP_CHUNK; k++) {
			list_init(&(*c)[k].dirty);
			(*c)[k].max_run = UINT32_MAX;
		}
	}
	return &(*c)[group % EXT4_GROUP_CHUNK];
}

void
ext4_groups_free(struct ext4_super *s)
{
	uint32_t n = (uint32_t)div_round_up(s->ngroups, EXT4_GROUP_CHUNK);

	for (uint32_t c = 0; s->groups && c < n; c++) {
		if (!s->groups[c])
			continue;
		for (unsigned k = 0; k < EXT4_GROUP_CHUNK; k++)
			kfree(s->groups[c][k].pending);
		kfree(s->groups[c]);
	}
	vfree(s->groups);
	s->groups = NULL;
}

/* ---- bitmaps ---- */

/* Marks blocks of [start, start + n) that lie in the group. */
static void
mark(const struct ext4_super *s, uint64_t *bits, uint32_t group, uint64_t start,
     uint64_t n)
{
	uint64_t base = group_start(s, group), end = start + n;
	uint64_t limit = base + group_blocks(s, group);

	if (start < base)
		start = base;
	if (end > limit)
		end = limit;
	if (start < end)
		bitmap_fill(bits, start - base, end - base, true);
}

/* A bitmap that the disk does not hold yet: the group has nothing but its
 * own metadata. */
static void
make_block_bitmap(const struct ext4_super *s, uint32_t group,
		  const struct ext4_group_disk *d, uint64_t *bits)
{
	uint32_t per_block = s->block_size / s->desc_size;
	uint32_t nr = group / per_block;
	uint64_t base = group_start(s, group), n = 0;
	bool meta =
		(s->incompat & EXT4_INCOMPAT_META_BG) && nr >= s->first_meta_bg;

	memset(bits, 0, s->block_size);
	if (has_super(s, group))
		n = 1;
	if (!meta && has_super(s, group)) {
		n += s->incompat & EXT4_INCOMPAT_META_BG ?
			     s->first_meta_bg :
			     div_round_up(s->ngroups, per_block);
		n += s->reserved_gdt;
	} else if (meta && (group % per_block <= 1 ||
			    group % per_block == per_block - 1)) {
		n += 1;
	}
	mark(s, bits, group, base, n);
	mark(s, bits, group, block_bitmap_of(s, d), 1);
	mark(s, bits, group, inode_bitmap_of(s, d), 1);
	mark(s, bits, group, table_of(s, d), table_blocks(s));
	bitmap_fill(bits, group_blocks(s, group), s->block_size * 8ull, true);
}

static uint32_t
bitmap_csum(const struct ext4_super *s, const void *bits, uint32_t n)
{
	return crc32c_padded(s->csum_seed, bits, n / 8);
}

static bool
csum_matches(const struct ext4_super *s, uint32_t c, uint16_t lo, uint16_t hi)
{
	if (s->desc_size < 64)
		return (uint16_t)c == lo;
	return c == ((uint32_t)hi << 16 | lo);
}

static int
check_block_bitmap(struct ext4_super *s, uint32_t group, struct ext4_bitmap *m)
{
	const struct ext4_group_disk *d = m->desc;
	uint64_t base = group_start(s, group), at = block_bitmap_of(s, d);

	if (s->csum &&
	    !csum_matches(s, bitmap_csum(s, m->bits, s->blocks_per_group),
			  d->bg_block_bitmap_csum_lo,
			  d->bg_block_bitmap_csum_hi))
		return ext4_bad(s, 0, "block bitmap's checksum");
	/* What holds the group itself is never free. */
	if (at >= base && at - base < m->nbits &&
	    !bitmap_test(m->bits, at - base))
		return ext4_bad(s, 0, "block bitmap");
	return 0;
}

static int
open_desc(struct ext4_super *s, uint32_t group, struct ext4_bitmap *m)
{
	int err;

	memset(m, 0, sizeof(*m));
	m->info = ext4_group_info(s, group);
	if (!m->info)
		return -ENOMEM;
	err = ext4_group_desc(s, group, &m->desc_buf, &m->desc);
	if (err)
		m->desc_buf.page = NULL;
	return err;
}

/* The flag says that the disk does not hold this bitmap yet. */
static bool
is_blank(const struct ext4_super *s, const struct ext4_bitmap *m, uint16_t flag)
{
	return (m->desc->bg_flags & flag) &&
	       (s->csum || (s->ro_compat & EXT4_RO_GDT_CSUM));
}

/* A blank one is not read, but what is in memory may be made already. */
static int
open_bits(struct ext4_super *s, uint64_t at, bool blank, struct ext4_buf *b)
{
	struct page *p = NULL;
	int err;

	if (blank)
		p = page_cache_peek(s->meta,
				    at >> (PAGE_SHIFT - s->block_shift));
	err = blank && !p ? ext4_bnew(s, at, b) : ext4_bread(s, at, b);
	if (p)
		page_put(p);
	return err;
}

int
ext4_block_bitmap(struct ext4_super *s, uint32_t group, struct ext4_bitmap *m)
{
	int err = open_desc(s, group, m);
	uint64_t at;
	bool blank;

	if (err)
		return err;
	at = block_bitmap_of(s, m->desc);
	blank = is_blank(s, m, EXT4_BG_BLOCK_UNINIT);
	err = open_bits(s, at, blank, &m->buf);
	if (err)
		goto fail;
	m->bits = (void *)m->buf.data;
	m->nbits = group_blocks(s, group);
	if (ext4_buf_checked(s, &m->buf, at))
		return 0;
	if (blank)
		make_block_bitmap(s, group, m->desc, m->bits);
	else
		err = check_block_bitmap(s, group, m);
	if (err)
		goto fail;
	ext4_buf_set_checked(s, &m->buf, at);
	return 0;
fail:
	ext4_bitmap_put(m);
	return err;
}

int
ext4_inode_bitmap(struct ext4_super *s, uint32_t group, struct ext4_bitmap *m)
{
	int err = open_desc(s, group, m);
	bool blank;

	if (err)
		return err;
	blank = is_blank(s, m, EXT4_BG_INODE_UNINIT);
	err = open_bits(s, inode_bitmap_of(s, m->desc), blank, &m->buf);
	if (err)
		goto fail;
	m->bits = (void *)m->buf.data;
	m->nbits = s->inodes_per_group;
	m->inodes = true;
	if (ext4_buf_checked(s, &m->buf, m->buf.block))
		return 0;
	if (blank) {
		memset(m->bits, 0, s->block_size);
		bitmap_fill(m->bits, s->inodes_per_group, s->block_size * 8ull,
			    true);
	} else if (s->csum &&
		   !csum_matches(s,
				 bitmap_csum(s, m->bits, s->inodes_per_group),
				 m->desc->bg_inode_bitmap_csum_lo,
				 m->desc->bg_inode_bitmap_csum_hi)) {
		err = ext4_bad(s, 0, "inode bitmap's checksum");
		goto fail;
	}
	ext4_buf_set_checked(s, &m->buf, m->buf.block);
	return 0;
fail:
	ext4_bitmap_put(m);
	return err;
}

void
ext4_bitmap_put(struct ext4_bitmap *m)
{
	ext4_brelse(&m->buf);
	ext4_brelse(&m->desc_buf);
}

int
ext4_bitmap_write(struct ext4_super *s, struct jhandle *h,
		  struct ext4_bitmap *m)
{
	int err = ext4_bwrite(h, &m->desc_buf, JK_PLAIN, 0);

	if (!err)
		err = ext4_bwrite(h, &m->buf, JK_PLAIN, 0);
	if (err)
		return err;
	if (list_empty(&m->info->dirty))
		list_add_tail(&s->dirty_groups, &m->info->dirty);
	if (m->inodes) {
		m->info->inodes_dirty = true;
		m->desc->bg_flags &= (uint16_t)~EXT4_BG_INODE_UNINIT;
	} else {
		m->info->blocks_dirty = true;
		m->desc->bg_flags &= (uint16_t)~EXT4_BG_BLOCK_UNINIT;
	}
	return 0;
}

/* The number of a group by its info. */
static uint32_t
number_of(const struct ext4_super *s, const struct ext4_group *g)
{
	for (uint32_t c = 0;; c++)
		if (s->groups[c] && g >= s->groups[c] &&
		    g < s->groups[c] + EXT4_GROUP_CHUNK)
			return c * EXT4_GROUP_CHUNK +
			       (uint32_t)(g - s->groups[c]);
}

static void
put_bitmap_csum(struct ext4_super *s, uint64_t at, uint32_t n, uint16_t *lo,
		uint16_t *hi)
{
	struct ext4_buf m;
	uint32_t c;

	if (ext4_bread(s, at, &m)) /* the journal holds it: is in memory */
		return;
	c = bitmap_csum(s, m.data, n);
	*lo = (uint16_t)c;
	if (s->desc_size >= 64)
		*hi = (uint16_t)(c >> 16);
	ext4_brelse(&m);
}

static void
update_csums(struct ext4_super *s, uint32_t group, struct ext4_group *g)
{
	struct ext4_group_disk *d;
	struct ext4_buf b;

	if (ext4_group_desc(s, group, &b, &d))
		return;
	if (s->csum && g->blocks_dirty)
		put_bitmap_csum(s, block_bitmap_of(s, d), s->blocks_per_group,
				&d->bg_block_bitmap_csum_lo,
				&d->bg_block_bitmap_csum_hi);
	if (s->csum && g->inodes_dirty)
		put_bitmap_csum(s, inode_bitmap_of(s, d), s->inodes_per_group,
				&d->bg_inode_bitmap_csum_lo,
				&d->bg_inode_bitmap_csum_hi);
	g->blocks_dirty = g->inodes_dirty = false;
	ext4_group_csum_set(s, group, d);
	ext4_brelse(&b);
}

void
ext4_groups_precommit(struct ext4_super *s)
{
	while (!list_empty(&s->dirty_groups)) {
		struct ext4_group *g = list_first_entry(
			&s->dirty_groups, struct ext4_group, dirty);

		list_del(&g->dirty);
		list_init(&g->dirty);
		update_csums(s, number_of(s, g), g);
	}
}

int
ext4_count_free(struct ext4_super *s)
{
	uint64_t blocks = 0, inodes = 0;

	for (uint32_t g = 0; g < s->ngroups; g++) {
		struct ext4_group_disk *d;
		struct ext4_buf b;
		int err = ext4_group_desc(s, g, &b, &d);

		if (err)
			return err;
		blocks += ext4_desc_free_blocks(s, d);
		inodes += ext4_desc_free_inodes(s, d);
		ext4_brelse(&b);
	}
	s->free_blocks = blocks;
	s->free_inodes = inodes;
	return 0;
}
