/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes of ext4: from the disk into memory.
 */
#include "ext4.h"
#include "journal.h"
#include "quota.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <base/atomic.h>
#include <base/string.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/mutex.h>

int
ext4_inode_raw(struct ext4_super *s, uint64_t ino, struct ext4_buf *b,
	       uint8_t **raw)
{
	uint64_t table, at;
	int err;

	if (ino < 1 || ino > s->ninodes)
		return ext4_bad(s, ino, "inode number out of range");
	err = ext4_group_table(s, (uint32_t)((ino - 1) / s->inodes_per_group),
			       &table);
	if (err)
		return err;
	at = (ino - 1) % s->inodes_per_group * s->inode_size;
	err = ext4_bread(s, table + (at >> s->block_shift), b);
	if (err)
		return err;
	*raw = b->data + (at & (s->block_size - 1));
	return 0;
}

/* ---- operations ---- */

static void
ext4_getattr(struct inode *i, struct kstat *st)
{
	inode_stat(i, st);
	/* Blocks that dirty pages will get count, as in Linux. */
	st->blocks += (uint64_t)atomic_load_relaxed(&ext4_i(i)->delayed) *
		      (ext4_sb(i)->block_size / 512);
}

static ssize_t
ext4_readlink(struct inode *i, char *buf, size_t size)
{
	struct ext4_super *s = ext4_sb(i);
	size_t n = i->size < size ? i->size : size;
	struct ext4_map m;
	struct ext4_buf b;
	int err;

	if (!i->size || i->size >= PATH_MAX_BYTES || i->size > s->block_size)
		return ext4_bad(s, i->ino, "length of a link");
	err = ext4_map_block(i, 0, &m);
	if (!err && !m.pblk)
		err = ext4_bad(s, i->ino, "a link without text");
	if (!err)
		err = ext4_bread(s, m.pblk, &b);
	if (err)
		return err;
	memcpy(buf, b.data, n);
	ext4_brelse(&b);
	return (ssize_t)n;
}

static const struct inode_ops file_inode_ops = {
	.setattr = ext4_setattr,
	.getattr = ext4_getattr,
	.get_flags = ext4_get_flags,
	.set_flags = ext4_set_flags,
	.getxattr = ext4_getxattr,
	.listxattr = ext4_listxattr,
	.setxattr = ext4_setxattr,
	.removexattr = ext4_removexattr,
	.set_acl = ext4_set_acl,
	.fallocate = ext4_fallocate,
	.write_begin = ext4_write_begin,
};

static const struct inode_ops special_inode_ops = {
	.setattr = ext4_setattr,
	.getxattr = ext4_getxattr,
	.listxattr = ext4_listxattr,
	.setxattr = ext4_setxattr,
	.removexattr = ext4_removexattr,
	.set_acl = ext4_set_acl,
};

static const struct inode_ops link_inode_ops = {
	.readlink = ext4_readlink,
	.setattr = ext4_setattr,
	.getxattr = ext4_getxattr,
	.listxattr = ext4_listxattr,
	.setxattr = ext4_setxattr,
	.removexattr = ext4_removexattr,
};

struct ext4_inode *
ext4_inode_make(struct inode *i)
{
	struct ext4_inode *e = kzalloc(sizeof(*e), ALLOC_NOFS);

	if (!e)
		return NULL;
	e->inode = i;
	rwlock_init(&e->tree_lock, RANK_EXTENTS);
	mutex_init(&e->raw_lock, RANK_FSALLOC2);
	list_init(&e->orphan);
	i->priv = e;
	return e;
}

void
ext4_inode_free(struct inode *i)
{
	if (i->cache)
		page_cache_destroy(i->cache);
	i->cache = NULL;
	kfree(i->priv);
	i->priv = NULL;
}

/* ---- from the disk ---- */

static struct timespec64
time_of(uint32_t sec, uint32_t extra)
{
	struct timespec64 t = { .sec = (int32_t)sec };

	t.sec += (int64_t)(extra & 3) << 32;
	t.nsec = extra >> 2;
	if (t.nsec >= 1000000000u)
		t.nsec = 0;
	return t;
}

static void
fill_times(struct ext4_super *s, struct inode *i,
	   const struct ext4_inode_disk *d)
{
	uint32_t have = 0;
	bool large = s->inode_size > 128;

	if (large)
		have = 128u + d->i_extra_isize;
	i->ctime = time_of(d->i_ctime, have >= 0x88 ? d->i_ctime_extra : 0);
	i->mtime = time_of(d->i_mtime, have >= 0x8c ? d->i_mtime_extra : 0);
	i->atime = time_of(d->i_atime, have >= 0x90 ? d->i_atime_extra : 0);
	if (have >= 0x98)
		i->btime = time_of(d->i_crtime, d->i_crtime_extra);
}

static uint64_t
blocks_of(struct ext4_super *s, const struct ext4_inode_disk *d)
{
	uint64_t n = d->i_blocks_lo;

	if (s->ro_compat & EXT4_RO_HUGE_FILE) {
		n |= (uint64_t)d->i_blocks_high << 32;
		if (d->i_flags & EXT4_FL_HUGE_FILE)
			n <<= s->block_shift - 9;
	}
	return n;
}

/* The largest size that block numbers of 32 bits reach. */
static uint64_t
max_size(const struct ext4_super *s)
{
	return ((uint64_t)UINT32_MAX << s->block_shift) - 1;
}

static int
fill_link(struct ext4_super *s, struct inode *i)
{
	const struct ext4_inode *e = ext4_i(i);

	if (!i->size || i->size >= PATH_MAX_BYTES)
		return ext4_bad(s, i->ino, "length of a link");
	if (i->size >= sizeof(e->block) || (e->flags & EXT4_FL_EXTENTS))
		return 0; /* in a block: read when it is needed */
	i->link = kzalloc(i->size + 1, ALLOC_KERNEL);
	if (!i->link)
		return -ENOMEM;
	memcpy(i->link, e->block, i->size);
	if (strlen(i->link) != i->size)
		return ext4_bad(s, i->ino, "text of a link");
	return 0;
}

static void
fill_device(struct inode *i)
{
	const struct ext4_inode *e = ext4_i(i);
	uint32_t dev = e->block[0];

	if (dev) { /* the old form: 8 and 8 bits */
		i->rdev = DEV_MAKE(dev >> 8 & 0xff, dev & 0xff);
	} else {
		dev = e->block[1];
		i->rdev = DEV_MAKE(dev >> 8 & 0xfff,
				   (dev & 0xff) | (dev >> 12 & 0xfff00));
	}
}

int
ext4_set_ops(struct inode *i)
{
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		i->ops = &file_inode_ops;
		i->fops = &page_cache_file_ops;
		i->cache = page_cache_create(i, &ext4_cache_ops, false);
		return i->cache ? 0 : -ENOMEM;
	case S_IFDIR:
		i->ops = &ext4_dir_ops;
		return 0;
	case S_IFLNK:
		i->ops = &link_inode_ops;
		return 0;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		i->ops = &special_inode_ops;
		return 0;
	default:
		return ext4_bad(ext4_sb(i), i->ino, "type of a file");
	}
}

static int
fill_by_type(struct ext4_super *s, struct inode *i)
{
	if (S_ISDIR(i->mode) && (!i->size || i->size & (s->block_size - 1)))
		return ext4_bad(s, i->ino, "size of a directory");
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		fill_device(i);
	if (S_ISLNK(i->mode)) {
		int err = fill_link(s, i);

		if (err)
			return err;
	}
	return ext4_set_ops(i);
}

static int
fill(struct ext4_super *s, struct inode *i, const uint8_t *raw, bool orphan)
{
	const struct ext4_inode_disk *d = (const void *)raw;
	struct ext4_inode *e = ext4_i(i);
	int err;

	if (s->inode_size > 128 &&
	    (d->i_extra_isize > s->inode_size - 128 || (d->i_extra_isize & 3)))
		return ext4_bad(s, i->ino, "size of the inode's extra part");
	if (!ext4_inode_csum_ok(s, (uint32_t)i->ino, raw, &e->csum_seed))
		return ext4_bad(s, i->ino, "inode's checksum");
	e->next_orphan = orphan ? d->i_dtime : 0;
	if (!d->i_links_count && !orphan)
		return ext4_bad(s, i->ino, "a deleted inode has a name");
	e->flags = d->i_flags;
	e->extra_isize = s->inode_size > 128 ? d->i_extra_isize : 0;
	if (e->flags & (EXT4_FL_INLINE_DATA | EXT4_FL_ENCRYPT))
		return ext4_bad(s, i->ino, "inline or encrypted data");
	memcpy(e->block, d->i_block, sizeof(e->block));
	e->file_acl = d->i_file_acl_lo;
	if (s->incompat & EXT4_INCOMPAT_64BIT)
		e->file_acl |= (uint64_t)d->i_file_acl_high << 32;
	i->mode = d->i_mode;
	i->uid = d->i_uid | (uint32_t)d->i_uid_high << 16;
	i->gid = d->i_gid | (uint32_t)d->i_gid_high << 16;
	i->nlink = d->i_links_count;
	i->size = d->i_size_lo | (uint64_t)d->i_size_high << 32;
	if (i->size > max_size(s))
		return ext4_bad(s, i->ino, "size of a file");
	e->disksize = i->size;
	i->blocks = blocks_of(s, d);
	i->generation = d->i_generation;
	if (e->flags & FS_FL_IMMUTABLE)
		i->state |= INODE_IMMUTABLE;
	if (e->flags & FS_FL_APPEND)
		i->state |= INODE_APPEND;
	fill_times(s, i, d);
	ext4_quota_loaded(i);
	err = ext4_acl_load(i, raw);
	return err ? err : fill_by_type(s, i);
}

static int
get(struct ext4_super *s, uint64_t ino, bool orphan, struct inode **out)
{
	struct ext4_buf b;
	struct inode *i;
	uint8_t *raw;
	bool fresh;
	int err = inode_get_cached(&s->sb, ino, &i, &fresh);

	if (err)
		return err;
	if (!fresh) {
		*out = i;
		return 0;
	}
	err = ext4_inode_make(i) ? ext4_inode_raw(s, ino, &b, &raw) : -ENOMEM;
	if (!err) {
		/* It may have been changed and left the cache since the last
		 * commit; later ones are none of its fsync's business. */
		if (s->journal)
			ext4_i(i)->sync_tid = ext4_i(i)->datasync_tid =
				journal_newest_tid(s->journal);
		err = fill(s, i, raw, orphan);
		ext4_brelse(&b);
	}
	if (err) {
		ext4_inode_free(i);
		inode_fail(i, err);
		return err;
	}
	inode_ready(i);
	*out = i;
	return 0;
}

int
ext4_iget(struct ext4_super *s, uint64_t ino, struct inode **out)
{
	if (ino != EXT4_ROOT_INO && ino < s->first_ino)
		return ext4_bad(s, ino, "a name for a reserved inode");
	return get(s, ino, false, out);
}

int
ext4_iget_any(struct ext4_super *s, uint64_t ino, struct inode **out)
{
	return get(s, ino, false, out);
}

int
ext4_iget_orphan(struct ext4_super *s, uint64_t ino, struct inode **out)
{
	return get(s, ino, true, out);
}
