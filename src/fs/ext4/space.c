/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Space of files: truncation, fallocate, blocks for directories.
 *
 * Removing blocks takes as many transactions as the file needs: each step
 * leaves a whole file system, and the orphan list says what a crash in
 * between has to be followed up with.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <base/atomic.h>
#include <base/string.h>
#include <fs/attr.h>
#include <fs/pagecache.h>
#include <mem/page.h>
#include <sched/thread.h>

#define MAX_UNWRITTEN (EXT4_EXT_INIT_MAX - 1)

/* Blocks of a directory or a link are metadata: the log must forget them. */
static int
forget_last(struct jhandle *h, struct inode *i, uint32_t *from, uint32_t to)
{
	struct ext4_map m;
	uint32_t end, n;
	int err;

	/* The last block that there is in the range, and up to 8 before. */
	end = (uint32_t)(i->blocks / (h->s->block_size / 512)) + 8;
	n = (uint32_t)(i->size >> h->s->block_shift);
	if (n > end) /* a directory has no holes */
		n = end;
	if (to >= n)
		to = n ? n - 1 : 0;
	if (to > 7 && *from < to - 7)
		*from = to - 7;
	for (uint32_t k = *from; k <= to; k++) {
		err = ext4_map_locked(i, k, &m);
		if (!err && m.pblk)
			err = journal_forget(h, m.pblk);
		if (err)
			return err;
	}
	return 0;
}

int
ext4_remove_blocks(struct inode *i, struct jhandle *h, uint32_t from,
		   uint32_t to)
{
	struct ext4_inode *e = ext4_i(i);
	bool more = true;
	int err = 0;

	while (more && !err) {
		uint32_t need = ext4_ext_credits(i) + 20, low = from;

		err = journal_extend(h, need);
		if (err == -EAGAIN)
			err = journal_restart(h, need);
		if (err)
			return err;
		write_lock(&e->tree_lock);
		if (!S_ISREG(i->mode))
			err = forget_last(h, i, &low, to);
		if (!err)
			err = ext4_ext_remove_last(h, i, low, to, &more);
		if (!more && low > from && !err)
			more = true;
		e->last_pblk = 0;
		if (!err)
			err = ext4_iwrite(h, i, true);
		write_unlock(&e->tree_lock);
		if (low > from)
			to = low - 1;
		thread_resched_point();
	}
	return err;
}

int
ext4_truncate(struct inode *i, uint64_t size)
{
	struct ext4_super *s = ext4_sb(i);
	struct ext4_inode *e = ext4_i(i);
	uint32_t from =
		(uint32_t)((size + s->block_size - 1) >> s->block_shift);
	const struct ext4_extent_header *root = (const void *)e->block;
	struct jhandle h;
	int err;

	if (!(e->flags & EXT4_FL_EXTENTS))
		return -EOPNOTSUPP;
	err = journal_start(s, ext4_ext_credits(i) + 24, &h);
	if (err)
		return err;
	if (root->eh_entries)
		err = ext4_orphan_add(&h, i);
	if (!err) {
		write_lock(&e->tree_lock);
		if (e->disksize > size)
			e->disksize = size;
		write_unlock(&e->tree_lock);
		err = ext4_iwrite(&h, i, true);
	}
	if (!err && root->eh_entries)
		err = ext4_remove_blocks(i, &h, from, UINT32_MAX - 1);
	if (!h.tx)
		return err;
	if (!err && i->nlink) {
		err = journal_extend(&h, 6);
		if (err == -EAGAIN)
			err = journal_restart(&h, 6);
		if (!h.tx)
			return err;
		if (!err)
			err = ext4_orphan_del(&h, i);
		if (!err)
			err = ext4_iwrite(&h, i, true);
	}
	journal_stop(&h);
	return err;
}

int
ext4_append_block(struct jhandle *h, struct inode *i, uint32_t *lblk,
		  struct ext4_buf *b)
{
	struct ext4_super *s = h->s;
	struct ext4_inode *e = ext4_i(i);
	uint64_t goal, block;
	uint32_t n;
	struct ext4_map m;
	int err;

	write_lock(&e->tree_lock);
	*lblk = (uint32_t)(i->size >> s->block_shift);
	goal = s->first_data_block + (i->ino - 1) / s->inodes_per_group *
					     (uint64_t)s->blocks_per_group;
	if (*lblk && !ext4_map_locked(i, *lblk - 1, &m) && m.pblk)
		goal = m.pblk + 1;
	err = ext4_balloc(h, goal, 1, 0, &block, &n);
	if (err)
		goto out;
	err = ext4_bnew(s, block, b);
	if (!err) {
		err = ext4_bwrite(h, b, S_ISDIR(i->mode) ? JK_DIR : JK_PLAIN,
				  e->csum_seed);
		if (!err)
			err = ext4_ext_insert(h, i, *lblk, 1, block, false);
		if (err)
			ext4_brelse(b);
	}
	if (err) {
		/* The transaction may have it: it must not be written over
		 * what the block holds next.  err is reported. */
		if (!journal_forget(h, block))
			ignore(ext4_bfree(h, block, 1));
		goto out;
	}
	memset(b->data, 0, s->block_size);
	i->size += s->block_size;
	e->disksize = i->size;
	err = ext4_iwrite(h, i, true);
out:
	write_unlock(&e->tree_lock);
	return err;
}

/* ---- fallocate ---- */

/* One run a transaction. */
int
ext4_fill_holes(struct inode *i, uint32_t lblk, uint32_t end)
{
	struct ext4_super *s = ext4_sb(i);
	struct ext4_inode *e = ext4_i(i);
	unsigned tries = 0;
	int err = 0;

	while (lblk < end && !err) {
		struct ext4_map m;
		struct jhandle h;
		uint64_t start, goal = s->first_data_block +
				       (i->ino - 1) / s->inodes_per_group *
					       (uint64_t)s->blocks_per_group;
		uint32_t n;

		err = journal_start(s, ext4_ext_credits(i) + 8, &h);
		if (err)
			return err;
		write_lock(&e->tree_lock);
		err = ext4_map_locked(i, lblk, &m);
		n = m.len < end - lblk ? m.len : end - lblk;
		if (!err && !m.pblk) {
			struct ext4_map before;

			if (lblk && !ext4_map_locked(i, lblk - 1, &before) &&
			    before.pblk)
				goal = before.pblk + 1;
			err = ext4_balloc(&h, goal,
					  n < MAX_UNWRITTEN ? n : MAX_UNWRITTEN,
					  0, &start, &n);
			if (!err) {
				err = ext4_ext_insert(&h, i, lblk, n, start,
						      true);
				if (err)
					ignore(ext4_bfree(&h, start, n));
			}
			if (!err)
				err = ext4_iwrite(&h, i, true);
		}
		write_unlock(&e->tree_lock);
		journal_stop(&h);
		if (ext4_retry_alloc(s, err, &tries))
			err = 0;
		else if (!err)
			lblk += n;
		thread_resched_point();
	}
	return err;
}

static int
free_range(struct inode *i, uint64_t start, uint64_t end)
{
	struct ext4_super *s = ext4_sb(i);
	uint32_t from =
		(uint32_t)((start + s->block_size - 1) >> s->block_shift);
	uint64_t to = end >> s->block_shift;
	struct jhandle h;
	int err;

	if (from >= to)
		return 0;
	err = journal_start(s, ext4_ext_credits(i) + 24, &h);
	if (err)
		return err;
	err = ext4_remove_blocks(i, &h, from, (uint32_t)(to - 1));
	if (h.tx)
		journal_stop(&h);
	return err;
}

/* What readers have brought in since page_cache_punch() goes first. */
static int
remove_range(struct inode *i, uint64_t start, uint64_t end)
{
	int err;

	if (start >= end)
		return 0;
	page_cache_stop_reads(i->cache);
	page_cache_remove(i->cache, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
	err = free_range(i, start, end);
	page_cache_allow_reads(i->cache);
	return err;
}

/* Size and times after.  punched: pages before it that would have made the
 * size on the disk grow when they were written are gone. */
static int
finish(struct inode *i, uint64_t size, uint64_t punched)
{
	struct ext4_inode *e = ext4_i(i);
	struct inode_attr now = { .valid = 0 };
	struct jhandle h;
	int err;

	if (size > i->size) {
		err = ext4_write_begin(i, (int64_t)size, 0);
		if (err)
			return err;
	}
	err = journal_start(ext4_sb(i), 3, &h);
	if (err)
		return err;
	inode_now(&now);
	i->mtime = i->ctime = now.mtime;
	write_lock(&e->tree_lock);
	if (size > i->size) {
		e->disksize = size;
		atomic_store_release(&i->size, size);
	} else if (punched > e->disksize) {
		e->disksize = punched < i->size ? punched : i->size;
	}
	write_unlock(&e->tree_lock);
	err = ext4_iwrite(&h, i, true);
	journal_stop(&h);
	return err;
}

/* The offset and length of a collapse or an insertion: of whole blocks.  Reads
 * are stopped while blocks get other numbers. */
static int
move_range(struct inode *i, int mode, uint64_t start, uint64_t end)
{
	bool collapse = mode == FALLOC_FL_COLLAPSE_RANGE;
	uint64_t mask = ext4_sb(i)->block_size - 1;
	uint64_t max = (uint64_t)UINT32_MAX << ext4_sb(i)->block_shift;
	int err;

	if ((start | end) & mask)
		return -EINVAL;
	if (!collapse && end - start > max - i->size)
		return -EFBIG;
	if ((collapse ? end : start) >= i->size)
		return -EINVAL;
	page_cache_stop_reads(i->cache);
	err = collapse ? ext4_collapse(i, start, end) :
			 ext4_insert(i, start, end);
	page_cache_allow_reads(i->cache);
	return err;
}

static uint64_t
round_up_page(uint64_t pos)
{
	return (pos + PAGE_SIZE - 1) & ~(uint64_t)PAGE_MASK;
}

int
ext4_fallocate(struct inode *i, int mode, int64_t off, int64_t len)
{
	struct ext4_super *s = ext4_sb(i);
	uint64_t start = (uint64_t)off, end = start + (uint64_t)len;
	uint64_t max = (uint64_t)UINT32_MAX << s->block_shift;
	bool keep = mode & FALLOC_FL_KEEP_SIZE;
	int what = mode & ~FALLOC_FL_KEEP_SIZE, err = 0;

	bool moves = what == FALLOC_FL_COLLAPSE_RANGE ||
		     what == FALLOC_FL_INSERT_RANGE;

	if (what && !moves && what != FALLOC_FL_PUNCH_HOLE &&
	    what != FALLOC_FL_ZERO_RANGE)
		return -EOPNOTSUPP;
	if (what == FALLOC_FL_PUNCH_HOLE && !keep)
		return -EOPNOTSUPP;
	if (!S_ISREG(i->mode))
		return S_ISDIR(i->mode) ? -EISDIR : -ENODEV;
	if (!(ext4_i(i)->flags & EXT4_FL_EXTENTS))
		return -EOPNOTSUPP;
	if (end > max)
		return -EFBIG;
	if (moves)
		return move_range(i, what, start, end);
	if (what == FALLOC_FL_PUNCH_HOLE && end > i->size)
		end = i->size;
	if (what && start < end) {
		uint64_t cut = end < i->size ? end : i->size;

		if (start < cut)
			err = page_cache_punch(i->cache, start, cut);
		/* Whole pages only: parts were zeroed through the cache.
		 * What is behind the file's end was never written. */
		if (!err)
			err = remove_range(i, round_up_page(start),
					   end < i->size ?
						   end & ~(uint64_t)PAGE_MASK :
						   round_up_page(i->size));
	}
	if (!err && what != FALLOC_FL_PUNCH_HOLE)
		err = ext4_fill_holes(i, (uint32_t)(start >> s->block_shift),
				      (uint32_t)((end + s->block_size - 1) >>
						 s->block_shift));
	if (err)
		return err;
	return finish(i, keep ? 0 : end, what ? end : 0);
}
