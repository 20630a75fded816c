/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes of ext4, and reading file data into the page cache.
 */
#include "ext4.h"

#include <abi/errno.h>
#include <base/hash.h>
#include <base/string.h>
#include <dev/blk.h>
#include <fs/bdev.h>
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

/* ---- data ---- */

/* Blocks smaller than a page: one after the other, waiting. */
static void
read_small(struct inode *i, struct page *p)
{
	struct ext4_super *s = ext4_sb(i);
	unsigned per_shift = PAGE_SHIFT - s->block_shift;
	uint32_t lblk = (uint32_t)(p->index << per_shift), n = 1u << per_shift;
	struct ext4_map m;
	int err = 0;

	for (uint32_t k = 0; k < n && !err;) {
		uint32_t off = k << s->block_shift, run;

		err = ext4_map_block(i, lblk + k, &m);
		if (err)
			break;
		run = m.len < n - k ? m.len : n - k;
		if (m.pblk)
			err = bdev_read_part(
				s->dev, m.pblk << (s->block_shift - 9), p,
				off, run << s->block_shift);
		else
			memset((char *)page_addr(p) + off, 0,
			       (size_t)run << s->block_shift);
		k += run;
	}
	page_read_end(p, err);
}

static void
ext4_read_pages(struct page_cache *pc, struct page **pages, unsigned n)
{
	struct inode *i = pc->inode;
	struct ext4_super *s = ext4_sb(i);
	struct ext4_map m;

	if (s->block_shift != PAGE_SHIFT) {
		for (unsigned k = 0; k < n; k++)
			read_small(i, pages[k]);
		return;
	}
	for (unsigned k = 0; k < n;) {
		int err = pages[k]->index > UINT32_MAX
				  ? -EIO
				  : ext4_map_block(i, (uint32_t)pages[k]->index,
						   &m);
		unsigned run = n - k;

		if (err) {
			page_read_end(pages[k++], err);
			continue;
		}
		if (run > m.len)
			run = m.len;
		if (m.pblk) {
			bdev_read_pages(s->dev,
					m.pblk << (PAGE_SHIFT - 9),
					pages + k, run);
		} else {
			for (unsigned j = k; j < k + run; j++) {
				page_clear(page_addr(pages[j]));
				page_read_end(pages[j], 0);
			}
		}
		k += run;
	}
}

static const struct page_cache_ops ext4_cache_ops = {
	.read_pages = ext4_read_pages,
};

/* ---- symbolic links ---- */

static ssize_t
ext4_readlink(struct inode *i, char *buf, size_t size)
{
	if (i->size > PATH_MAX_BYTES)
		return ext4_bad(ext4_sb(i), i->ino, "length of a link");
	return page_cache_read_kernel(i->cache, buf, size, 0);
}

static const struct inode_ops file_inode_ops = {
	.getxattr = ext4_getxattr,
	.listxattr = ext4_listxattr,
};

static const struct inode_ops dir_inode_ops = {
	.lookup = ext4_lookup,
	.iterate = ext4_iterate,
	.getxattr = ext4_getxattr,
	.listxattr = ext4_listxattr,
};

static const struct inode_ops link_inode_ops = {
	.readlink = ext4_readlink,
	.getxattr = ext4_getxattr,
	.listxattr = ext4_listxattr,
};

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
		return 0; /* read when it is needed */
	i->link = kzalloc(i->size + 1, ALLOC_KERNEL);
	if (!i->link)
		return -ENOMEM;
	memcpy(i->link, e->block, i->size);
	if (strlen(i->link) != i->size)
		return ext4_bad(s, i->ino, "text of a link");
	return 0;
}

static int
fill_by_type(struct ext4_super *s, struct inode *i)
{
	const struct ext4_inode *e = ext4_i(i);
	uint32_t dev;

	switch (i->mode & S_IFMT) {
	case S_IFREG:
		i->ops = &file_inode_ops;
		i->fops = &page_cache_file_ops;
		break;
	case S_IFDIR:
		i->ops = &dir_inode_ops;
		if (!i->size || i->size & (s->block_size - 1))
			return ext4_bad(s, i->ino, "size of a directory");
		return 0; /* its blocks are metadata */
	case S_IFLNK:
		i->ops = &link_inode_ops;
		break;
	case S_IFCHR:
	case S_IFBLK:
		i->ops = &file_inode_ops;
		dev = e->block[0];
		if (dev) /* the old form: 8 and 8 bits */
			i->rdev = DEV_MAKE(dev >> 8 & 0xff, dev & 0xff);
		else
			i->rdev = e->block[1];
		return 0;
	case S_IFIFO:
	case S_IFSOCK:
		i->ops = &file_inode_ops;
		return 0;
	default:
		return ext4_bad(s, i->ino, "type of a file");
	}
	if (S_ISLNK(i->mode)) {
		int err = fill_link(s, i);

		if (err || i->link)
			return err;
	}
	i->cache = page_cache_create(i, &ext4_cache_ops, false);
	return i->cache ? 0 : -ENOMEM;
}

static int
fill(struct ext4_super *s, struct inode *i, const uint8_t *raw)
{
	const struct ext4_inode_disk *d = (const void *)raw;
	struct ext4_inode *e = ext4_i(i);

	if (s->inode_size > 128 &&
	    (d->i_extra_isize > s->inode_size - 128 ||
	     (d->i_extra_isize & 3)))
		return ext4_bad(s, i->ino, "size of the inode's extra part");
	if (!ext4_inode_csum_ok(s, (uint32_t)i->ino, raw, &e->csum_seed))
		return ext4_bad(s, i->ino, "inode's checksum");
	if (!d->i_links_count)
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
	i->blocks = blocks_of(s, d);
	i->generation = d->i_generation;
	if (e->flags & EXT4_FL_IMMUTABLE)
		i->state |= INODE_IMMUTABLE;
	if (e->flags & EXT4_FL_APPEND)
		i->state |= INODE_APPEND;
	fill_times(s, i, d);
	return fill_by_type(s, i);
}

int
ext4_iget(struct ext4_super *s, uint64_t ino, struct inode **out)
{
	struct ext4_buf b;
	struct inode *i;
	uint8_t *raw;
	bool fresh;
	int err;

	if (ino != EXT4_ROOT_INO && ino < s->first_ino)
		return ext4_bad(s, ino, "a name for a reserved inode");
	err = inode_get_cached(&s->sb, ino, &i, &fresh);
	if (err)
		return err;
	if (!fresh) {
		*out = i;
		return 0;
	}
	i->priv = kzalloc(sizeof(struct ext4_inode), ALLOC_KERNEL);
	err = i->priv ? ext4_inode_raw(s, ino, &b, &raw) : -ENOMEM;
	if (!err) {
		err = fill(s, i, raw);
		ext4_brelse(&b);
	}
	if (err) {
		ext4_evict(i);
		inode_fail(i, err);
		return err;
	}
	inode_ready(i);
	*out = i;
	return 0;
}

void
ext4_evict(struct inode *i)
{
	if (i->cache)
		page_cache_destroy(i->cache);
	i->cache = NULL;
	kfree(i->priv);
	i->priv = NULL;
}
