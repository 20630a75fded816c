/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes: numbers taken and given back.
 *
 * Files go to their directory's group, or the nearest with room; directories
 * below the root are spread over the groups, others stay near their parent
 * unless its group is full.  Within a group the lowest free number is taken,
 * so the part of the table that was never used (bg_itable_unused) is never
 * entered with a gap.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/bitmap.h>
#include <base/string.h>

static void
set_free_inodes(struct ext4_super *s, struct ext4_group_disk *d, uint32_t n)
{
	d->bg_free_inodes_lo = (uint16_t)n;
	if (s->desc_size >= 64)
		d->bg_free_inodes_hi = (uint16_t)(n >> 16);
}

static uint32_t
unused_of(const struct ext4_super *s, const struct ext4_group_disk *d)
{
	return d->bg_itable_unused_lo |
	       (s->desc_size >= 64 ? (uint32_t)d->bg_itable_unused_hi << 16 :
				     0);
}

static void
count_dirs(struct ext4_super *s, struct ext4_group_disk *d, int by)
{
	uint32_t n =
		d->bg_used_dirs_lo |
		(s->desc_size >= 64 ? (uint32_t)d->bg_used_dirs_hi << 16 : 0);

	if (by < 0 && !n)
		return;
	n += (uint32_t)by;
	d->bg_used_dirs_lo = (uint16_t)n;
	if (s->desc_size >= 64)
		d->bg_used_dirs_hi = (uint16_t)(n >> 16);
}

/* With uninit groups the table's end is not in use; entering it moves it. */
static void
use_table(struct ext4_super *s, struct ext4_group_disk *d, uint32_t bit)
{
	uint32_t unused;

	if (!s->csum && !(s->ro_compat & EXT4_RO_GDT_CSUM))
		return;
	unused = unused_of(s, d);
	if (unused > s->inodes_per_group || bit < s->inodes_per_group - unused)
		return;
	unused = s->inodes_per_group - bit - 1;
	d->bg_itable_unused_lo = (uint16_t)unused;
	if (s->desc_size >= 64)
		d->bg_itable_unused_hi = (uint16_t)(unused >> 16);
}

static int
take_from(struct jhandle *h, uint32_t g, bool is_dir, uint32_t *ino)
{
	struct ext4_super *s = h->s;
	struct ext4_bitmap m;
	struct ext4_group_disk *d;
	struct ext4_buf b;
	uint32_t bit, left;
	int err = ext4_group_desc(s, g, &b, &d);

	if (err)
		return err;
	left = ext4_desc_free_inodes(s, d);
	ext4_brelse(&b);
	if (!left)
		return -ENOSPC;
	err = ext4_inode_bitmap(s, g, &m);
	if (err)
		return err;
	bit = (uint32_t)bitmap_next_zero(m.bits, m.nbits,
					 g ? 0 : s->first_ino - 1);
	if (bit >= m.nbits) {
		err = -ENOSPC;
		goto out;
	}
	err = ext4_bitmap_write(s, h, &m);
	if (err)
		goto out;
	bitmap_set(m.bits, bit);
	set_free_inodes(s, m.desc, left - 1);
	use_table(s, m.desc, bit);
	if (is_dir)
		count_dirs(s, m.desc, 1);
	*ino = g * s->inodes_per_group + bit + 1;
out:
	ext4_bitmap_put(&m);
	return err;
}

static uint32_t
first_group(struct ext4_super *s, const struct inode *dir, bool is_dir)
{
	uint32_t flex = 1u << s->log_groups_per_flex;

	if (!is_dir || dir->ino != EXT4_ROOT_INO || s->ngroups <= flex)
		return (uint32_t)((dir->ino - 1) / s->inodes_per_group);
	/* Directories of the root, one flex group after the other. */
	return (s->last_dirs++ * flex) % s->ngroups;
}

int
ext4_ialloc(struct jhandle *h, struct inode *dir, uint32_t mode, uint32_t *ino)
{
	struct ext4_super *s = h->s;
	bool is_dir = S_ISDIR(mode);
	uint32_t first;
	int err = -ENOSPC;

	if (!atomic_load_relaxed(&s->free_inodes))
		return -ENOSPC;
	mutex_lock(&s->alloc_lock);
	first = first_group(s, dir, is_dir);
	for (uint32_t k = 0; k < s->ngroups; k++) {
		err = take_from(h, (first + k) % s->ngroups, is_dir, ino);
		if (err != -ENOSPC && err != -EUCLEAN && err != -EIO)
			break;
	}
	if (!err)
		s->free_inodes--;
	mutex_unlock(&s->alloc_lock);
	return err;
}

int
ext4_ifree_ready(struct jhandle *h, uint64_t ino)
{
	struct ext4_super *s = h->s;
	struct ext4_bitmap m;
	int err;

	mutex_lock(&s->alloc_lock);
	err = ext4_inode_bitmap(s, (uint32_t)((ino - 1) / s->inodes_per_group),
				&m);
	if (!err) {
		err = ext4_bitmap_write(s, h, &m);
		ext4_bitmap_put(&m);
	}
	mutex_unlock(&s->alloc_lock);
	return err;
}

int
ext4_ifree(struct jhandle *h, uint64_t ino, bool is_dir)
{
	struct ext4_super *s = h->s;
	uint32_t g = (uint32_t)((ino - 1) / s->inodes_per_group);
	uint32_t bit = (uint32_t)((ino - 1) % s->inodes_per_group);
	struct ext4_bitmap m;
	int err;

	mutex_lock(&s->alloc_lock);
	err = ext4_inode_bitmap(s, g, &m);
	if (err)
		goto out;
	if (!bitmap_test(m.bits, bit)) {
		err = ext4_bad(s, ino, "an inode freed that is free");
		goto put;
	}
	err = ext4_bitmap_write(s, h, &m);
	if (err)
		goto put;
	bitmap_clear(m.bits, bit);
	set_free_inodes(s, m.desc, ext4_desc_free_inodes(s, m.desc) + 1);
	if (is_dir)
		count_dirs(s, m.desc, -1);
	s->free_inodes++;
put:
	ext4_bitmap_put(&m);
out:
	mutex_unlock(&s->alloc_lock);
	return err;
}
