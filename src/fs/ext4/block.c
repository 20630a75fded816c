/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of metadata: pages of the device's own cache, of which a block is a
 * part or the whole.  A page with a block in the journal is kept there by
 * the journal's reference.
 */
#include "ext4.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/log.h>
#include <dev/blk.h>
#include <fs/pagecache.h>
#include <mem/page.h>

/* Inodes and directories that are needed together lie together, above all
 * in an image made by pith.  Not in a file system that is written to: a block
 * that is a file's today must not be found here when it is metadata
 * tomorrow. */
static void
read_around(struct ext4_super *s, uint64_t index)
{
	uint64_t n = mem_total_pages() < 4096 ? 8 : 64;

	if (!s->ro)
		return;
	/* A remount waits until nobody is here, then drops all. */
	atomic_add(&s->readers_around, 1);
	if (atomic_load(&s->ro) && (s->sb.flags & MS_RDONLY))
		page_cache_readahead(s->meta, index & ~(n - 1), n);
	atomic_sub(&s->readers_around, 1);
}

int
ext4_bread(struct ext4_super *s, uint64_t block, struct ext4_buf *b)
{
	uint64_t at = block << s->block_shift;
	uint64_t index = at >> PAGE_SHIFT;
	int err = 0;

	b->page = NULL;
	b->block = block;
	if (block >= s->nblocks)
		return ext4_bad(s, 0, "block number beyond the end");
	b->page = page_cache_peek(s->meta, index);
	if (!b->page) {
		read_around(s, index);
		err = page_cache_get(s->meta, index, &b->page);
	}
	if (err) {
		b->page = NULL;
		if (err == -EIO)
			log_err("ext4 %s: block %lu cannot be read",
				s->dev->name, (unsigned long)block);
		return err;
	}
	b->data = (uint8_t *)page_addr(b->page) + (at & PAGE_MASK);
	return 0;
}

int
ext4_bnew(struct ext4_super *s, uint64_t block, struct ext4_buf *b)
{
	int err;

	if (s->block_shift != PAGE_SHIFT || block >= s->nblocks) {
		err = ext4_bread(s, block, b);
	} else {
		b->block = block;
		err = page_cache_get_blank(s->meta, block, &b->page);
		if (err)
			b->page = NULL;
		else
			b->data = page_addr(b->page);
	}
	return err;
}

void
ext4_brelse(struct ext4_buf *b)
{
	if (b->page)
		page_put(b->page);
	b->page = NULL;
}

static uint64_t
checked_bit(struct ext4_super *s, uint64_t block)
{
	return 1ull << (block & ((PAGE_SIZE >> s->block_shift) - 1));
}

bool
ext4_buf_checked(struct ext4_super *s, const struct ext4_buf *b, uint64_t block)
{
	return (uint64_t)atomic_load_relaxed(&b->page->priv) &
	       checked_bit(s, block);
}

void
ext4_buf_set_checked(struct ext4_super *s, const struct ext4_buf *b,
		     uint64_t block)
{
	uint64_t bit = checked_bit(s, block);

	if (!((uint64_t)atomic_load_relaxed(&b->page->priv) & bit))
		atomic_or((uint64_t *)&b->page->priv, bit);
}
