/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting an ext4 file system, its groups, and its blocks of metadata.
 *
 * Metadata lie in the page cache of the device; a block's checksum is checked
 * the first time it is used after it was read (a bit in page->priv).  Mounts
 * are read-only: writing and the journal come later.  An image whose journal
 * was not played back is refused, since its metadata are of two moments.
 */
#include "ext4.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/statfs.h>
#include <base/atomic.h>
#include <base/bitmap.h>
#include <base/hash.h>
#include <base/math.h>
#include <base/string.h>
#include <core/log.h>
#include <dev/blk.h>
#include <fs/bdev.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <mem/page.h>

#define MAX_COMPLAINTS 20u

int
ext4_bad(struct ext4_super *s, uint64_t ino, const char *what)
{
	if (atomic_fetch_add(&s->complaints, 1) < MAX_COMPLAINTS)
		log_err("ext4 %s: corrupted: %s (inode %lu)", s->dev->name,
			what, (unsigned long)ino);
	return -EUCLEAN;
}

int
ext4_bread(struct ext4_super *s, uint64_t block, struct ext4_buf *b)
{
	uint64_t at = block << s->block_shift;
	int err;

	b->page = NULL;
	if (block >= s->nblocks)
		return ext4_bad(s, 0, "block number beyond the end");
	err = page_cache_get(s->meta, at >> PAGE_SHIFT, &b->page);
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
ext4_buf_checked(struct ext4_super *s, const struct ext4_buf *b,
		 uint64_t block)
{
	return (uint64_t)atomic_load_relaxed(&b->page->priv) &
	       checked_bit(s, block);
}

void
ext4_buf_set_checked(struct ext4_super *s, const struct ext4_buf *b,
		     uint64_t block)
{
	atomic_or((uint64_t *)&b->page->priv, checked_bit(s, block));
}

/* Has this group a copy of the superblock and the descriptors? */
static bool
has_super(struct ext4_super *s, uint32_t g)
{
	static const uint32_t bases[] = { 3, 5, 7 };

	if (!(s->ro_compat & EXT4_RO_SPARSE_SUPER) || g <= 1)
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
		uint64_t n = bases[i];

		while (n < g)
			n *= bases[i];
		if (n == g)
			return true;
	}
	return false;
}

/* The block of a group's descriptor. */
static uint64_t
desc_block(struct ext4_super *s, uint32_t group, uint32_t per_block)
{
	uint32_t nr = group / per_block;
	uint32_t first = nr * per_block;

	if (!(s->incompat & EXT4_INCOMPAT_META_BG) || nr < s->first_meta_bg)
		return (uint64_t)s->first_data_block + 1 + nr;
	return s->first_data_block +
	       (uint64_t)first * s->blocks_per_group + has_super(s, first);
}

int
ext4_group_table(struct ext4_super *s, uint32_t group, uint64_t *inode_table)
{
	uint32_t per_block = s->block_size / s->desc_size;
	const struct ext4_group_disk *g;
	uint64_t table, need;
	struct ext4_buf b;
	int err = ext4_bread(s, desc_block(s, group, per_block), &b);

	if (err)
		return err;
	g = (const void *)(b.data + (group % per_block) * s->desc_size);
	table = g->bg_inode_table_lo;
	if (s->desc_size >= 64)
		table |= (uint64_t)g->bg_inode_table_hi << 32;
	if (!bitmap_test(s->group_ok, group)) {
		need = div_round_up((uint64_t)s->inodes_per_group *
					    s->inode_size, s->block_size);
		if (!ext4_group_csum_ok(s, group, g))
			err = ext4_bad(s, 0, "group descriptor's checksum");
		else if (table < s->first_data_block || table >= s->nblocks ||
			 need > s->nblocks - table)
			err = ext4_bad(s, 0, "place of an inode table");
		else
			atomic_or(&s->group_ok[group / 64],
				  1ull << (group % 64));
	}
	*inode_table = table;
	ext4_brelse(&b);
	return err;
}

static int
refuse(struct blk_device *dev, const char *why)
{
	log_err("ext4 %s: cannot be mounted: %s", dev->name, why);
	return -EINVAL;
}

static int
check_features(struct blk_device *dev, const struct ext4_super_disk *d)
{
	uint32_t odd = d->s_feature_incompat & ~(EXT4_INCOMPAT_KNOWN |
						 EXT4_INCOMPAT_RECOVER);

	if (d->s_rev_level > 1)
		return refuse(dev, "revision is not known");
	if (d->s_rev_level == 0 && d->s_feature_incompat)
		return refuse(dev, "revision 0 with features");
	if (odd) {
		log_err("ext4 %s: cannot be mounted: features 0x%x are not "
			"supported", dev->name, odd);
		return -EINVAL;
	}
	if (d->s_feature_incompat & EXT4_INCOMPAT_RECOVER)
		return refuse(dev, "its journal must be played back first "
				   "(e2fsck does)");
	return 0;
}

static int
parse_geometry(struct ext4_super *s, const struct ext4_super_disk *d)
{
	struct blk_device *dev = s->dev;
	uint64_t data, groups;

	if (d->s_log_block_size > 2)
		return refuse(dev, "blocks larger than 4096 bytes");
	s->block_shift = 10 + d->s_log_block_size;
	s->block_size = 1u << s->block_shift;
	s->nblocks = d->s_blocks_count_lo;
	s->desc_size = 32;
	if (d->s_feature_incompat & EXT4_INCOMPAT_64BIT) {
		s->nblocks |= (uint64_t)d->s_blocks_count_hi << 32;
		s->desc_size = d->s_desc_size;
	}
	s->inode_size = d->s_rev_level ? d->s_inode_size : 128;
	s->first_ino = d->s_rev_level ? d->s_first_ino : 11;
	s->ninodes = d->s_inodes_count;
	s->blocks_per_group = d->s_blocks_per_group;
	s->inodes_per_group = d->s_inodes_per_group;
	s->first_data_block = d->s_first_data_block;
	s->first_meta_bg = d->s_first_meta_bg;
	if (!is_pow2(s->desc_size) || s->desc_size < 32 ||
	    s->desc_size > s->block_size ||
	    ((d->s_feature_incompat & EXT4_INCOMPAT_64BIT) &&
	     s->desc_size < 64))
		return refuse(dev, "size of group descriptors");
	if (!is_pow2(s->inode_size) || s->inode_size < 128 ||
	    s->inode_size > s->block_size)
		return refuse(dev, "size of inodes");
	if (!s->blocks_per_group || s->blocks_per_group > s->block_size * 8 ||
	    !s->inodes_per_group || s->inodes_per_group > s->block_size * 8)
		return refuse(dev, "size of groups");
	if (s->first_data_block != (s->block_size == 1024))
		return refuse(dev, "number of the first block");
	if (s->nblocks <= s->first_data_block ||
	    s->nblocks > (dev->sectors << BLK_SECTOR_SHIFT) >> s->block_shift)
		return refuse(dev, "it is larger than its device");
	data = s->nblocks - s->first_data_block;
	groups = div_round_up(data, s->blocks_per_group);
	if (groups > UINT32_MAX / s->inodes_per_group ||
	    s->ninodes > groups * s->inodes_per_group ||
	    s->ninodes < EXT4_ROOT_INO)
		return refuse(dev, "number of groups or inodes");
	s->ngroups = (uint32_t)groups;
	return 0;
}

static int
parse_super(struct ext4_super *s, const struct ext4_super_disk *d)
{
	int err;

	if (d->s_magic != EXT4_MAGIC)
		return refuse(s->dev, "it holds no ext4 file system");
	if (!ext4_super_csum_ok(d))
		return refuse(s->dev, "its superblock's checksum is wrong");
	err = check_features(s->dev, d);
	if (!err)
		err = parse_geometry(s, d);
	if (err)
		return err;
	s->compat = d->s_feature_compat;
	s->incompat = d->s_feature_incompat;
	s->ro_compat = d->s_feature_ro_compat;
	s->csum = s->ro_compat & EXT4_RO_METADATA_CSUM;
	memcpy(s->uuid, d->s_uuid, sizeof(s->uuid));
	s->csum_seed = s->incompat & EXT4_INCOMPAT_CSUM_SEED
			       ? d->s_checksum_seed
			       : crc32c(~0u, s->uuid, sizeof(s->uuid));
	s->free_blocks = d->s_free_blocks_count_lo;
	if (s->incompat & EXT4_INCOMPAT_64BIT)
		s->free_blocks |= (uint64_t)d->s_free_blocks_count_hi << 32;
	s->free_inodes = d->s_free_inodes_count;
	s->overhead = (uint64_t)s->ngroups *
		      ((uint64_t)s->inodes_per_group * s->inode_size /
			       s->block_size + 2);
	if (s->free_blocks > s->nblocks)
		s->free_blocks = s->nblocks;
	return 0;
}

static int
ext4_statfs(struct super *sb, struct statfs *st)
{
	struct ext4_super *s = sb->priv;
	uint32_t id[4];

	st->f_blocks = s->nblocks > s->overhead ? s->nblocks - s->overhead
						: s->nblocks;
	st->f_bfree = st->f_bavail = s->free_blocks;
	st->f_files = s->ninodes;
	st->f_ffree = s->free_inodes;
	memcpy(id, s->uuid, sizeof(id));
	st->f_fsid[0] = (int32_t)(id[0] ^ id[2]);
	st->f_fsid[1] = (int32_t)(id[1] ^ id[3]);
	return 0;
}

static void
ext4_unmount(struct super *sb)
{
	struct ext4_super *s = sb->priv;

	bdev_cache_destroy(s->meta);
	vfree(s->group_ok);
	kfree(s);
}

static const struct super_ops ext4_super_ops = {
	.evict = ext4_evict,
	.statfs = ext4_statfs,
	.unmount = ext4_unmount,
};

static int
load(struct ext4_super *s)
{
	struct ext4_super_disk *d = kmalloc(sizeof(*d), ALLOC_KERNEL);
	struct inode *root;
	int err;

	if (!d)
		return -ENOMEM;
	err = blk_read(s->dev, EXT4_SUPER_OFFSET, d, sizeof(*d));
	if (!err)
		err = parse_super(s, d);
	kfree(d);
	if (err)
		return err;
	s->group_ok = vmalloc(BITMAP_WORDS(s->ngroups) * 8ull, ALLOC_KERNEL);
	s->meta = bdev_cache_create(s->dev);
	if (!s->group_ok || !s->meta)
		return -ENOMEM;
	s->sb.block_size = s->block_size;
	s->sb.dev = DEV_MAKE(254, 0);
	err = ext4_iget(s, EXT4_ROOT_INO, &root);
	if (err)
		return err;
	if (!S_ISDIR(root->mode)) {
		inode_put(root);
		return ext4_bad(s, EXT4_ROOT_INO, "the root is no directory");
	}
	s->sb.root = root;
	return 0;
}

static int
ext4_mount(const struct fs_type *t, const char *source, unsigned flags,
	   const char *options, struct super **out)
{
	const char *name = strrchr(source, '/');
	struct blk_device *dev = blk_find(name ? name + 1 : source);
	struct ext4_super *s;
	int err;

	if (*options && strcmp(options, "ro"))
		return -EINVAL;
	if (!dev)
		return -ENXIO;
	if (!(flags & MS_RDONLY)) {
		log_err("ext4 %s: only read-only mounts, so far", dev->name);
		return -EROFS;
	}
	s = kzalloc(sizeof(*s), ALLOC_KERNEL);
	if (!s)
		return -ENOMEM;
	s->dev = dev;
	s->sb.type = t;
	s->sb.ops = &ext4_super_ops;
	s->sb.flags = MS_RDONLY;
	s->sb.cache_names = true;
	s->sb.magic = EXT4_SUPER_MAGIC;
	s->sb.priv = s;
	err = load(s);
	if (err) {
		if (s->meta)
			bdev_cache_destroy(s->meta);
		vfree(s->group_ok);
		kfree(s);
		return err;
	}
	*out = &s->sb;
	return 0;
}

extern const struct fs_type ext4_type; /* as fs_priv.h has it */
const struct fs_type ext4_type = { .name = "ext4", .mount = ext4_mount };
