/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of directories: entries added, removed and turned to other files.
 *
 * An entry that goes is joined to the one before it, or, the first of its
 * block, is marked as unused.  Blocks are never given back before the
 * directory itself.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/string.h>

static uint8_t
ft_of_mode(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 1;
	case S_IFDIR:
		return 2;
	case S_IFCHR:
		return 3;
	case S_IFBLK:
		return 4;
	case S_IFIFO:
		return 5;
	case S_IFSOCK:
		return 6;
	case S_IFLNK:
		return 7;
	default:
		return 0;
	}
}

static struct ext4_dirent *
at_of(uint8_t *block, uint32_t at)
{
	return (void *)(block + at);
}

uint32_t
ext4_dir_room(const struct ext4_super *s)
{
	return s->block_size - (s->csum ? 12 : 0);
}

static void
fill(struct ext4_super *s, struct ext4_dirent *d, const char *name, size_t len,
     uint32_t ino, uint32_t mode)
{
	d->inode = ino;
	d->name_len = (uint8_t)len;
	d->file_type =
		s->incompat & EXT4_INCOMPAT_FILETYPE ? ft_of_mode(mode) : 0;
	memcpy(d->name, name, len);
}

void
ext4_dir_init_block(struct ext4_super *s, uint8_t *block)
{
	struct ext4_dirent *d = at_of(block, 0);

	memset(block, 0, s->block_size);
	d->rec_len = (uint16_t)ext4_dir_room(s);
	if (s->csum) {
		d = at_of(block, s->block_size - 12);
		d->rec_len = 12;
		d->file_type = EXT4_FT_CSUM;
	}
}

int
ext4_dir_put(struct ext4_super *s, uint8_t *block, const char *name, size_t len,
	     uint32_t ino, uint32_t mode)
{
	uint32_t at = 0, need = ext4_rec_len(len), end = ext4_dir_room(s);

	while (at < end) {
		const struct ext4_dirent *c = ext4_dirent_at(s, block, at);
		struct ext4_dirent *d = at_of(block, at);
		uint32_t used;

		if (!c)
			return ext4_bad(s, 0, "directory entry");
		used = c->inode ? ext4_rec_len(c->name_len) : 0;
		if (c->rec_len >= used + need) {
			if (used) {
				struct ext4_dirent *n = at_of(block, at + used);

				n->rec_len = (uint16_t)(d->rec_len - used);
				d->rec_len = (uint16_t)used;
				d = n;
			}
			fill(s, d, name, len, ino, mode);
			return 0;
		}
		at += c->rec_len;
	}
	return -ENOSPC;
}

/* Is there room?  Without changing anything. */
static bool
has_room(struct ext4_super *s, const uint8_t *block, size_t len)
{
	uint32_t at = 0, need = ext4_rec_len(len), end = ext4_dir_room(s);

	while (at < end) {
		const struct ext4_dirent *d = ext4_dirent_at(s, block, at);

		if (!d)
			return false;
		if (d->rec_len >=
		    need + (d->inode ? ext4_rec_len(d->name_len) : 0))
			return true;
		at += d->rec_len;
	}
	return false;
}

/* A block of a tree without its checksum's place has none for entries. */
static bool
takes_entries(struct ext4_super *s, const uint8_t *block)
{
	const struct ext4_dirent *t;

	if (!s->csum)
		return true;
	t = (const void *)(block + s->block_size - 12);
	return !t->inode && t->rec_len == 12 && !t->name_len &&
	       t->file_type == EXT4_FT_CSUM;
}

static int
add_linear(struct jhandle *h, struct inode *dir, const char *name, size_t len,
	   uint32_t ino, uint32_t mode)
{
	struct ext4_super *s = h->s;
	uint32_t n = (uint32_t)(dir->size >> s->block_shift), lblk;
	struct ext4_buf b;
	int err;

	for (uint32_t k = 0; k < n; k++) {
		err = ext4_dir_block(dir, k, &b);
		if (err)
			return err;
		if (takes_entries(s, b.data) && has_room(s, b.data, len)) {
			err = ext4_bwrite(h, &b, JK_DIR,
					  ext4_i(dir)->csum_seed);
			if (!err)
				err = ext4_dir_put(s, b.data, name, len, ino,
						   mode);
			ext4_brelse(&b);
			return err;
		}
		ext4_brelse(&b);
	}
	if (n == 1 && (s->compat & EXT4_COMPAT_DIR_INDEX)) {
		err = ext4_htree_make(h, dir);
		if (!err)
			return ext4_htree_add(h, dir, name, len, ino, mode);
		if (err != -ENODEV)
			return err;
	}
	err = ext4_append_block(h, dir, &lblk, &b);
	if (err)
		return err;
	ext4_dir_init_block(s, b.data);
	err = ext4_dir_put(s, b.data, name, len, ino, mode);
	ext4_brelse(&b);
	return err;
}

int
ext4_dir_add(struct jhandle *h, struct inode *dir, const char *name, size_t len,
	     uint32_t ino, uint32_t mode)
{
	int err = -ENODEV;

	if (ext4_i(dir)->flags & EXT4_FL_INDEX) {
		err = ext4_htree_add(h, dir, name, len, ino, mode);
		if (err == -ENODEV) /* the blocks stay good without it */
			ext4_i(dir)->flags &= ~EXT4_FL_INDEX;
	}
	if (err == -ENODEV)
		err = add_linear(h, dir, name, len, ino, mode);
	return err;
}

/* Takes the entry at `at` out of its block. */
static int
cut(struct ext4_super *s, struct inode *dir, uint8_t *block, uint32_t at)
{
	struct ext4_dirent *d = at_of(block, at), *prev = NULL;
	uint32_t k = 0;

	while (k < at) {
		if (!ext4_dirent_at(s, block, k))
			return ext4_bad(s, dir->ino, "directory entry");
		prev = at_of(block, k);
		k += prev->rec_len;
	}
	if (prev)
		prev->rec_len = (uint16_t)(prev->rec_len + d->rec_len);
	d->inode = 0;
	return 0;
}

int
ext4_dir_remove(struct jhandle *h, struct inode *dir, const char *name,
		size_t len)
{
	struct ext4_buf b;
	uint32_t at;
	int err = ext4_dir_find(dir, name, len, &b, &at);

	if (err)
		return err;
	err = ext4_bwrite(h, &b, JK_DIR, ext4_i(dir)->csum_seed);
	if (!err)
		err = cut(h->s, dir, b.data, at);
	ext4_brelse(&b);
	return err;
}

int
ext4_dir_replace(struct jhandle *h, struct inode *dir, const char *name,
		 size_t len, uint32_t ino, uint32_t mode)
{
	struct ext4_buf b;
	uint32_t at;
	int err = ext4_dir_find(dir, name, len, &b, &at);

	if (err)
		return err;
	err = ext4_bwrite(h, &b, JK_DIR, ext4_i(dir)->csum_seed);
	if (!err)
		fill(h->s, at_of(b.data, at), name, len, ino, mode);
	ext4_brelse(&b);
	return err;
}

int
ext4_dir_init(struct jhandle *h, struct inode *dir, uint64_t parent)
{
	struct ext4_super *s = h->s;
	struct ext4_dirent *d;
	struct ext4_buf b;
	uint32_t lblk;
	int err = ext4_append_block(h, dir, &lblk, &b);

	if (err)
		return err;
	ext4_dir_init_block(s, b.data);
	d = at_of(b.data, 0);
	d->rec_len = 12;
	fill(s, d, ".", 1, (uint32_t)dir->ino, S_IFDIR);
	d = at_of(b.data, 12);
	d->rec_len = (uint16_t)(ext4_dir_room(s) - 12);
	fill(s, d, "..", 2, (uint32_t)parent, S_IFDIR);
	ext4_brelse(&b);
	return 0;
}

static bool
is_dots(const struct ext4_dirent *d)
{
	return d->name[0] == '.' &&
	       (d->name_len == 1 || (d->name_len == 2 && d->name[1] == '.'));
}

int
ext4_dir_check_empty(struct inode *dir)
{
	struct ext4_super *s = ext4_sb(dir);
	uint32_t n = (uint32_t)(dir->size >> s->block_shift);

	for (uint32_t k = 0; k < n; k++) {
		struct ext4_buf b;
		uint32_t at = 0;
		int err = ext4_dir_block(dir, k, &b);

		while (!err && at < s->block_size) {
			const struct ext4_dirent *d =
				ext4_dirent_at(s, b.data, at);

			if (!d)
				err = ext4_bad(s, dir->ino, "directory entry");
			else if (d->inode && !is_dots(d))
				err = -ENOTEMPTY;
			else
				at += d->rec_len;
		}
		ext4_brelse(&b);
		if (err)
			return err;
	}
	return 0;
}
