/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of orphans (feature orphan_file; the kernel.org document's
 * "Orphan file"): blocks of inode numbers, zero where a slot is empty, with a
 * magic number and a checksum at their end.
 *
 * We read it at mount only: what another system left there goes over to the
 * list (orphan.c), which the format allows beside it, each in one handle, so
 * that after a crash an orphan is in one of the two.  Our own never go into
 * the file, and the superblock's mark of orphans in it is taken off.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/hash.h>
#include <base/string.h>

#define ORPHAN_MAGIC 0x0b10ca04u

struct orphan_tail { /* the last bytes of each block */
	uint32_t ob_magic, ob_checksum;
};
static_assert(sizeof(struct orphan_tail) == 8, "tail of an orphan block");

static struct orphan_tail *
tail_of(const struct ext4_super *s, uint8_t *block)
{
	return (void *)(block + s->block_size - sizeof(struct orphan_tail));
}

static uint32_t
block_csum(const struct ext4_super *s, uint32_t seed, uint64_t nr,
	   const uint8_t *block)
{
	uint32_t c = crc32c(seed, &nr, sizeof(nr));

	return crc32c(c, block, s->block_size - sizeof(struct orphan_tail));
}

void
ext4_orphan_csum_set(struct ext4_super *s, uint32_t seed, uint64_t nr,
		     uint8_t *block)
{
	tail_of(s, block)->ob_checksum = block_csum(s, seed, nr, block);
}

/* Block lblk of the file, checked. */
static int
read_block(struct inode *file, uint32_t lblk, struct ext4_buf *b)
{
	struct ext4_super *s = ext4_sb(file);
	struct orphan_tail *t;
	struct ext4_map m;
	int err = ext4_map_block(file, lblk, &m);

	if (!err && !m.pblk)
		err = ext4_bad(s, file->ino, "a hole in the file of orphans");
	if (!err)
		err = ext4_bread(s, m.pblk, b);
	if (err)
		return err;
	t = tail_of(s, b->data);
	if (t->ob_magic == ORPHAN_MAGIC &&
	    (!s->csum ||
	     t->ob_checksum ==
		     block_csum(s, ext4_i(file)->csum_seed, m.pblk, b->data)))
		return 0;
	ext4_brelse(b);
	return ext4_bad(s, file->ino, "a block of the file of orphans");
}

/* One orphan to the list, which keeps the reference. */
static int
move(struct inode *file, struct ext4_buf *b, uint32_t *slot)
{
	struct ext4_super *s = ext4_sb(file);
	struct jhandle h;
	struct inode *i;
	int err;

	if (*slot < s->first_ino || *slot == file->ino)
		return ext4_bad(s, *slot, "the file of orphans");
	err = ext4_iget_orphan(s, *slot, &i);
	if (err)
		return err;
	if (!list_empty(&ext4_i(i)->orphan)) {
		inode_put(i);
		return ext4_bad(s, *slot, "an orphan that is one twice");
	}
	err = journal_start(s, 4, &h);
	if (err) {
		inode_put(i);
		return err;
	}
	err = ext4_bwrite(&h, b, JK_ORPHANS, ext4_i(file)->csum_seed);
	if (!err)
		err = ext4_orphan_add(&h, i);
	if (!err)
		*slot = 0;
	journal_stop(&h);
	if (err)
		inode_put(i);
	return err;
}

static int
move_all(struct inode *file, uint32_t nblocks)
{
	struct ext4_super *s = ext4_sb(file);
	size_t n = (s->block_size - sizeof(struct orphan_tail)) / 4;
	struct ext4_buf b;
	int err = 0;

	for (uint32_t k = 0; k < nblocks && !err; k++) {
		uint32_t *slots;

		err = read_block(file, k, &b);
		if (err)
			break;
		slots = (void *)b.data;
		for (size_t at = 0; at < n && !err; at++)
			if (slots[at])
				err = move(file, &b, &slots[at]);
		ext4_brelse(&b);
	}
	return err;
}

/* The superblock says no more that there are orphans in the file. */
static int
clear_mark(struct ext4_super *s)
{
	struct ext4_super_disk *d;
	struct jhandle h;
	struct ext4_buf b;
	int err = journal_start(s, 2, &h);

	if (err)
		return err;
	err = ext4_bread(s, EXT4_SUPER_OFFSET >> s->block_shift, &b);
	if (err)
		goto out;
	err = ext4_bwrite(&h, &b, JK_PLAIN, 0);
	if (!err) {
		d = (void *)(b.data +
			     (EXT4_SUPER_OFFSET & (s->block_size - 1)));
		d->s_feature_ro_compat &= ~EXT4_RO_ORPHAN_PRESENT;
		s->ro_compat &= ~EXT4_RO_ORPHAN_PRESENT;
	}
	ext4_brelse(&b);
out:
	journal_stop(&h);
	return err;
}

int
ext4_orphan_file_load(struct ext4_super *s)
{
	struct inode *file;
	int err;

	if (!(s->ro_compat & EXT4_RO_ORPHAN_PRESENT))
		return 0;
	if (!(s->compat & EXT4_COMPAT_ORPHAN_FILE))
		return ext4_bad(s, 0, "orphans in a file that is not there");
	err = ext4_iget(s, s->orphan_file_ino, &file);
	if (err)
		return err;
	if (S_ISREG(file->mode) && !(file->size & (s->block_size - 1)) &&
	    file->size >> s->block_shift <= UINT32_MAX)
		err = move_all(file, (uint32_t)(file->size >> s->block_shift));
	else
		err = ext4_bad(s, file->ino, "the file of orphans");
	inode_put(file);
	return err ? err : clear_mark(s);
}
