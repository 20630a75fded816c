/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of ext4: blocks of entries, read one after the other.  The
 * blocks of a hash tree look like empty directory blocks, so a directory with
 * one reads the same way; a name is found through the tree (htree.c).
 *
 * The position of readdir is the byte offset in the directory.
 */
#include "ext4.h"

#include <abi/dirent.h>
#include <abi/errno.h>
#include <base/string.h>
#include <file/file.h>

static const uint8_t dt_of_ft[] = { DT_UNKNOWN, DT_REG,	 DT_DIR,  DT_CHR,
				    DT_BLK,	DT_FIFO, DT_SOCK, DT_LNK };

/* Block lblk of a directory; a hole is an error. */
int
ext4_dir_block(struct inode *dir, uint32_t lblk, struct ext4_buf *b)
{
	struct ext4_super *s = ext4_sb(dir);
	struct ext4_map m;
	int err = ext4_map_block(dir, lblk, &m);

	if (err)
		return err;
	if (!m.pblk)
		return ext4_bad(s, dir->ino, "a hole in a directory");
	err = ext4_bread(s, m.pblk, b);
	if (err || ext4_buf_checked(s, b, m.pblk))
		return err;
	if (!ext4_dir_csum_ok(s, ext4_i(dir)->csum_seed, b->data)) {
		ext4_brelse(b);
		return ext4_bad(s, dir->ino, "directory block's checksum");
	}
	ext4_buf_set_checked(s, b, m.pblk);
	return 0;
}

/* The entry at offset `at` of a block, if all of it lies inside. */
const struct ext4_dirent *
ext4_dirent_at(struct ext4_super *s, const uint8_t *block, uint32_t at)
{
	const struct ext4_dirent *d = (const void *)(block + at);

	if (at + sizeof(*d) > s->block_size || d->rec_len < 12 ||
	    (d->rec_len & 3) || d->rec_len > s->block_size - at ||
	    d->name_len + 8u > d->rec_len || d->inode > s->ninodes)
		return NULL;
	return d;
}

static bool
name_ok(const struct ext4_dirent *d)
{
	return d->name_len && !memchr(d->name, '/', d->name_len) &&
	       !memchr(d->name, '\0', d->name_len);
}

/* 0 with *at, -ENOENT; other errors. */
static int
find_in_block(struct inode *dir, const uint8_t *block, const char *name,
	      size_t len, uint32_t *found)
{
	struct ext4_super *s = ext4_sb(dir);
	uint32_t at = 0;

	while (at < s->block_size) {
		const struct ext4_dirent *d = ext4_dirent_at(s, block, at);

		if (!d)
			return ext4_bad(s, dir->ino, "directory entry");
		if (d->inode && d->name_len == len &&
		    !memcmp(d->name, name, len)) {
			*found = at;
			return 0;
		}
		at += d->rec_len;
	}
	return -ENOENT;
}

int
ext4_dir_search_block(struct inode *dir, uint32_t lblk, const char *name,
		      size_t len, struct ext4_buf *b, uint32_t *at)
{
	int err = ext4_dir_block(dir, lblk, b);

	if (err)
		return err;
	err = find_in_block(dir, b->data, name, len, at);
	if (err)
		ext4_brelse(b);
	return err;
}

int
ext4_dir_find(struct inode *dir, const char *name, size_t len,
	      struct ext4_buf *b, uint32_t *at)
{
	struct ext4_super *s = ext4_sb(dir);
	uint32_t n = (uint32_t)(dir->size >> s->block_shift);
	int err = ext4_htree_find(dir, name, len, b, at);

	if (err != -ENODEV)
		return err;
	err = -ENOENT;
	for (uint32_t k = 0; k < n && err == -ENOENT; k++)
		err = ext4_dir_search_block(dir, k, name, len, b, at);
	return err;
}

int
ext4_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct ext4_super *s = ext4_sb(dir);
	struct ext4_buf b;
	uint32_t at, ino;
	int err = ext4_dir_find(dir, name, len, &b, &at);

	if (err)
		return err;
	ino = ((const struct ext4_dirent *)(void *)(b.data + at))->inode;
	ext4_brelse(&b);
	if (ino == dir->ino)
		return ext4_bad(s, ino, "a directory in itself");
	return ext4_iget(s, ino, out);
}

/* Entries of one block from offset `from` on (which may lie inside an entry
 * if the program made it up).  1: no more room. */
static int
emit_block(struct inode *dir, const uint8_t *block, uint64_t base,
	   uint32_t from, int64_t *pos, struct dir_emit *e)
{
	struct ext4_super *s = ext4_sb(dir);
	uint32_t at = 0;

	while (at < s->block_size) {
		const struct ext4_dirent *d = ext4_dirent_at(s, block, at);
		int64_t next;

		if (!d)
			return ext4_bad(s, dir->ino, "directory entry");
		next = (int64_t)(base + at + d->rec_len);
		if (at >= from && d->inode) {
			uint8_t type = d->file_type < ARRAY_SIZE(dt_of_ft) ?
					       dt_of_ft[d->file_type] :
					       DT_UNKNOWN;

			if (!name_ok(d))
				return ext4_bad(s, dir->ino, "a name");
			if (!e->fn(e, d->name, d->name_len, d->inode, next,
				   type))
				return 1;
		}
		*pos = next;
		at += d->rec_len;
	}
	return 0;
}

int
ext4_iterate(struct inode *dir, int64_t *pos, uint64_t parent,
	     struct dir_emit *e)
{
	struct ext4_super *s = ext4_sb(dir);
	int err = 0;

	(void)parent; /* the disk has ".." */
	while (!err && *pos >= 0 && (uint64_t)*pos < dir->size) {
		uint64_t at = (uint64_t)*pos;
		uint32_t from = (uint32_t)(at & (s->block_size - 1));
		struct ext4_buf b;

		err = ext4_dir_block(dir, (uint32_t)(at >> s->block_shift), &b);
		if (err)
			break;
		err = emit_block(dir, b.data, at - from, from, pos, e);
		ext4_brelse(&b);
	}
	return err > 0 ? 0 : err;
}
