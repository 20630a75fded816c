/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File data for O_DIRECT: where it lies, and writing to where nothing is yet.
 *
 * A direct write to a hole or beyond the end takes blocks as unwritten ones,
 * writes them, and then makes them written and the file longer, each in a
 * transaction of its own: after a crash in between the file reads as before.
 * The writes have ended before the second begins, and its commit flushes the
 * device first, so data is never behind the extent that shows it.
 *
 * The inode's lock is held for writing throughout.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <dev/blk.h>
#include <fs/pagecache.h>

static uint64_t
sector_of(const struct ext4_super *s, uint64_t block, uint64_t off)
{
	return (block << (s->block_shift - BLK_SECTOR_SHIFT)) +
	       (off >> BLK_SECTOR_SHIFT);
}

int
ext4_map_direct(struct page_cache *pc, uint64_t pos, uint64_t len, bool write,
		struct page_cache_run *run)
{
	struct inode *i = pc->inode;
	struct ext4_super *s = ext4_sb(i);
	uint64_t lblk = pos >> s->block_shift, off = pos & (s->block_size - 1);
	struct ext4_map m;
	uint64_t bytes;
	int err;

	if (lblk >= UINT32_MAX)
		return -EFBIG;
	err = ext4_map_shown(i, (uint32_t)lblk, &m);
	if (err)
		return err;
	bytes = ((uint64_t)m.len << s->block_shift) - off;
	run->dev = s->dev;
	run->len = bytes < len ? bytes : len;
	run->hole = !m.pblk || m.unwritten ||
		    (write && pos + run->len > ext4_i(i)->disksize);
	run->sector = run->hole ? 0 : sector_of(s, m.pblk, off);
	return 0;
}

int
ext4_direct_alloc(struct page_cache *pc, uint64_t pos, uint64_t len,
		  struct page_cache_run *run)
{
	struct inode *i = pc->inode;
	struct ext4_super *s = ext4_sb(i);
	uint64_t first = pos >> s->block_shift;
	uint64_t end = (pos + len) >> s->block_shift;
	struct ext4_map m;
	int err;

	if (!(ext4_i(i)->flags & EXT4_FL_EXTENTS))
		return -EOPNOTSUPP;
	if (end >= UINT32_MAX)
		return -EFBIG;
	ext4_lost_settle(s);
	err = ext4_fill_holes(i, (uint32_t)first, (uint32_t)end);
	if (!err)
		err = ext4_map_any(i, (uint32_t)first, &m);
	if (err)
		return err;
	if (!m.pblk)
		return -EIO;
	run->dev = s->dev;
	run->sector = sector_of(s, m.pblk, 0);
	run->len = (uint64_t)m.len << s->block_shift;
	if (run->len > len)
		run->len = len;
	run->hole = false;
	return 0;
}

/* One run of blocks from lblk on; how many. */
static int
wrote_run(struct inode *i, uint32_t lblk, uint32_t end, uint32_t *n)
{
	struct ext4_super *s = ext4_sb(i);
	struct ext4_inode *e = ext4_i(i);
	struct jhandle h;
	struct ext4_map m;
	uint64_t size;
	int err = journal_start(s, ext4_ext_credits(i) + 8, &h);

	if (err)
		return err;
	write_lock(&e->tree_lock);
	err = ext4_map_locked(i, lblk, &m);
	if (!err && !m.pblk)
		err = -EIO;
	*n = m.len < end - lblk ? m.len : end - lblk;
	if (!err && m.unwritten)
		err = ext4_ext_set_written(&h, i, lblk, *n);
	size = ((uint64_t)lblk + *n) << s->block_shift;
	if (!err && size > i->size)
		atomic_store_release(&i->size, size);
	if (!err && size > e->disksize)
		e->disksize = size;
	if (!err)
		err = ext4_iwrite(&h, i, true);
	write_unlock(&e->tree_lock);
	journal_stop(&h);
	return err;
}

int
ext4_direct_wrote(struct page_cache *pc, uint64_t pos, uint64_t len)
{
	struct inode *i = pc->inode;
	unsigned shift = ext4_sb(i)->block_shift;
	uint32_t lblk = (uint32_t)(pos >> shift);
	uint32_t end = (uint32_t)((pos + len) >> shift), n = 0;
	int err = 0;

	while (lblk < end && !err) {
		err = wrote_run(i, lblk, end, &n);
		lblk += n;
	}
	return err;
}
