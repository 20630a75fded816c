/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a range of blocks out of a file, and putting a hole in.
 *
 * What lies behind moves by its extents' numbers, a leaf of the tree a
 * transaction, from the side that has room: each leaves a whole tree, and
 * none needs a block.  After a crash in the middle the file system is whole
 * and the file's contents are partly moved, as with Linux.
 *
 * The inode's lock is held for writing, and reads are stopped: what is cached
 * from the range on is written and dropped before, and nobody brings any of it
 * in again before all has moved.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <fs/attr.h>
#include <fs/pagecache.h>
#include <mem/page.h>
#include <sched/thread.h>

/* A page that a mapping made dirty while it was to be dropped is written by
 * the next attempt, and then there are no mappings left to do so again. */
static int
drop_cached(struct inode *i, uint64_t start)
{
	int err = -EIO;

	for (unsigned tries = 0; err == -EIO && tries < 3; tries++)
		err = page_cache_invalidate(i->cache, start >> PAGE_SHIFT,
					    UINT64_MAX >> PAGE_SHIFT);
	return err;
}

static int
start_step(struct inode *i, struct jhandle *h)
{
	int err = journal_start(ext4_sb(i), ext4_ext_credits(i) + 8, h);

	if (!err)
		write_lock(&ext4_i(i)->tree_lock);
	return err;
}

static int
end_step(struct inode *i, struct jhandle *h, int err)
{
	ext4_i(i)->last_pblk = 0;
	if (!err)
		err = ext4_iwrite(h, i, true);
	write_unlock(&ext4_i(i)->tree_lock);
	journal_stop(h);
	thread_resched_point();
	return err;
}

static int
set_size(struct inode *i, uint64_t size)
{
	struct ext4_inode *e = ext4_i(i);
	struct inode_attr now = { .valid = 0 };
	struct jhandle h;
	int err = start_step(i, &h);

	if (err)
		return err;
	inode_now(&now);
	i->mtime = i->ctime = now.mtime;
	e->disksize = size;
	atomic_store_release(&i->size, size);
	return end_step(i, &h, 0);
}

int
ext4_collapse(struct inode *i, uint64_t start, uint64_t end)
{
	unsigned shift = ext4_sb(i)->block_shift;
	uint32_t first = (uint32_t)(start >> shift), by, from;
	bool more = true;
	struct jhandle h;
	int err;

	from = (uint32_t)(end >> shift);
	by = from - first;
	err = drop_cached(i, start);
	if (!err)
		err = journal_start(ext4_sb(i), ext4_ext_credits(i) + 24, &h);
	if (err)
		return err;
	err = ext4_remove_blocks(i, &h, first, from - 1);
	if (h.tx)
		journal_stop(&h);
	while (more && !err) {
		err = start_step(i, &h);
		if (!err)
			err = end_step(
				i, &h,
				ext4_ext_shift_left(&h, i, &from, by, &more));
	}
	if (!err)
		err = set_size(i, i->size - (end - start));
	return err;
}

int
ext4_insert(struct inode *i, uint64_t start, uint64_t end)
{
	unsigned shift = ext4_sb(i)->block_shift;
	uint32_t from = (uint32_t)(start >> shift), last;
	uint32_t by = (uint32_t)(end >> shift) - from;
	bool more = true;
	struct jhandle h;
	int err = drop_cached(i, start);

	if (err)
		return err;
	read_lock(&ext4_i(i)->tree_lock);
	err = ext4_ext_end(i, &last);
	read_unlock(&ext4_i(i)->tree_lock);
	if (!err && last > UINT32_MAX - 1 - by)
		err = -EFBIG;
	if (!err)
		err = set_size(i, i->size + (end - start));
	if (!err)
		err = start_step(i, &h);
	if (err)
		return err;
	err = end_step(i, &h, ext4_ext_cut(&h, i, from));
	while (more && !err) {
		err = start_step(i, &h);
		if (!err)
			err = end_step(i, &h,
				       ext4_ext_shift_right(&h, i, from, &last,
							    by, &more));
	}
	return err;
}
