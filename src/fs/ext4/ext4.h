/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ext4 file system: its structures on disk (little-endian; names after
 * the kernel.org document "ext4 Data Structures and Algorithms"), and what
 * the files of this folder share.
 *
 * All that comes from the disk is checked where it is used: block numbers
 * against the size of the file system, lengths against their block, depth
 * and loops against a bound.  What does not hold is logged once with the
 * inode's number and answered with -EUCLEAN (bad structure) or -EIO.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <fs/vfs.h>

struct blk_device;
struct page;
struct page_cache;

#define EXT4_MAGIC	  0xef53
#define EXT4_SUPER_OFFSET 1024
#define EXT4_ROOT_INO	  2
#define EXT4_MAX_DEPTH	  5
#define EXT4_NBLOCKS	  15 /* i_block[] */

struct ext4_super_disk {
	uint32_t s_inodes_count, s_blocks_count_lo, s_r_blocks_count_lo;
	uint32_t s_free_blocks_count_lo, s_free_inodes_count;
	uint32_t s_first_data_block, s_log_block_size, s_log_cluster_size;
	uint32_t s_blocks_per_group, s_clusters_per_group;
	uint32_t s_inodes_per_group, s_mtime, s_wtime;
	uint16_t s_mnt_count, s_max_mnt_count, s_magic, s_state, s_errors;
	uint16_t s_minor_rev_level;
	uint32_t s_lastcheck, s_checkinterval, s_creator_os, s_rev_level;
	uint16_t s_def_resuid, s_def_resgid;
	uint32_t s_first_ino;
	uint16_t s_inode_size, s_block_group_nr;
	uint32_t s_feature_compat, s_feature_incompat, s_feature_ro_compat;
	uint8_t s_uuid[16];
	char s_volume_name[16], s_last_mounted[64];
	uint32_t s_algorithm_usage_bitmap;
	uint8_t s_prealloc_blocks, s_prealloc_dir_blocks;
	uint16_t s_reserved_gdt_blocks;
	uint8_t s_journal_uuid[16];
	uint32_t s_journal_inum, s_journal_dev, s_last_orphan;
	uint32_t s_hash_seed[4];
	uint8_t s_def_hash_version, s_jnl_backup_type;
	uint16_t s_desc_size;
	uint32_t s_default_mount_opts, s_first_meta_bg, s_mkfs_time;
	uint32_t s_jnl_blocks[17];
	uint32_t s_blocks_count_hi, s_r_blocks_count_hi;
	uint32_t s_free_blocks_count_hi;
	uint16_t s_min_extra_isize, s_want_extra_isize;
	uint32_t s_flags;
	uint16_t s_raid_stride, s_mmp_interval;
	uint64_t s_mmp_block;
	uint32_t s_raid_stripe_width;
	uint8_t s_log_groups_per_flex, s_checksum_type;
	uint16_t s_reserved_pad;
	uint64_t s_kbytes_written;
	uint8_t unused1[240];
	uint32_t s_checksum_seed;
	uint8_t unused2[392];
	uint32_t s_checksum;
};
static_assert(offsetof(struct ext4_super_disk, s_magic) == 0x38, "s_magic");
static_assert(offsetof(struct ext4_super_disk, s_hash_seed) == 0xec, "seed");
static_assert(offsetof(struct ext4_super_disk, s_desc_size) == 0xfe, "desc");
static_assert(offsetof(struct ext4_super_disk, s_kbytes_written) == 0x178,
	      "kbytes");
static_assert(offsetof(struct ext4_super_disk, s_checksum_seed) == 0x270,
	      "s_checksum_seed");
static_assert(offsetof(struct ext4_super_disk, s_checksum) == 0x3fc, "csum");
static_assert(sizeof(struct ext4_super_disk) == 1024, "superblock");

#define EXT4_INCOMPAT_FILETYPE	0x0002u
#define EXT4_INCOMPAT_RECOVER	0x0004u
#define EXT4_INCOMPAT_META_BG	0x0010u
#define EXT4_INCOMPAT_EXTENTS	0x0040u
#define EXT4_INCOMPAT_64BIT	0x0080u
#define EXT4_INCOMPAT_FLEX_BG	0x0200u
#define EXT4_INCOMPAT_CSUM_SEED 0x2000u
#define EXT4_INCOMPAT_LARGEDIR	0x4000u
#define EXT4_INCOMPAT_KNOWN                                                   \
	(EXT4_INCOMPAT_FILETYPE | EXT4_INCOMPAT_META_BG |                     \
	 EXT4_INCOMPAT_EXTENTS | EXT4_INCOMPAT_64BIT |                        \
	 EXT4_INCOMPAT_FLEX_BG | EXT4_INCOMPAT_CSUM_SEED |                    \
	 EXT4_INCOMPAT_LARGEDIR)
#define EXT4_RO_SPARSE_SUPER   0x0001u
#define EXT4_RO_HUGE_FILE      0x0008u
#define EXT4_RO_GDT_CSUM       0x0010u
#define EXT4_RO_METADATA_CSUM  0x0400u
#define EXT4_COMPAT_SPARSE_SUPER2 0x0200u

struct ext4_group_disk {
	uint32_t bg_block_bitmap_lo, bg_inode_bitmap_lo, bg_inode_table_lo;
	uint16_t bg_free_blocks_lo, bg_free_inodes_lo, bg_used_dirs_lo;
	uint16_t bg_flags;
	uint32_t bg_exclude_bitmap_lo;
	uint16_t bg_block_bitmap_csum_lo, bg_inode_bitmap_csum_lo;
	uint16_t bg_itable_unused_lo, bg_checksum;
	uint32_t bg_block_bitmap_hi, bg_inode_bitmap_hi, bg_inode_table_hi;
	uint8_t unused[20];
};
static_assert(offsetof(struct ext4_group_disk, bg_checksum) == 0x1e, "csum");
static_assert(sizeof(struct ext4_group_disk) == 64, "group descriptor");

struct ext4_inode_disk {
	uint16_t i_mode, i_uid;
	uint32_t i_size_lo, i_atime, i_ctime, i_mtime, i_dtime;
	uint16_t i_gid, i_links_count;
	uint32_t i_blocks_lo, i_flags, i_version;
	uint32_t i_block[EXT4_NBLOCKS];
	uint32_t i_generation, i_file_acl_lo, i_size_high, i_obso_faddr;
	uint16_t i_blocks_high, i_file_acl_high, i_uid_high, i_gid_high;
	uint16_t i_checksum_lo, i_reserved;
	/* only where s_inode_size > 128 */
	uint16_t i_extra_isize, i_checksum_hi;
	uint32_t i_ctime_extra, i_mtime_extra, i_atime_extra, i_crtime;
	uint32_t i_crtime_extra, i_version_hi, i_projid;
};
static_assert(offsetof(struct ext4_inode_disk, i_block) == 0x28, "i_block");
static_assert(offsetof(struct ext4_inode_disk, i_checksum_lo) == 0x7c, "lo");
static_assert(sizeof(struct ext4_inode_disk) == 160, "inode");

#define EXT4_FL_IMMUTABLE   0x00000010u
#define EXT4_FL_APPEND	    0x00000020u
#define EXT4_FL_ENCRYPT	    0x00000800u
#define EXT4_FL_INDEX	    0x00001000u
#define EXT4_FL_HUGE_FILE   0x00040000u
#define EXT4_FL_EXTENTS	    0x00080000u
#define EXT4_FL_INLINE_DATA 0x10000000u

struct ext4_extent_header {
	uint16_t eh_magic, eh_entries, eh_max, eh_depth;
	uint32_t eh_generation;
};
struct ext4_extent {
	uint32_t ee_block;
	uint16_t ee_len, ee_start_hi;
	uint32_t ee_start_lo;
};
struct ext4_extent_idx {
	uint32_t ei_block, ei_leaf_lo;
	uint16_t ei_leaf_hi, ei_unused;
};
static_assert(sizeof(struct ext4_extent) == 12, "extent");
static_assert(sizeof(struct ext4_extent_idx) == 12, "index");
static_assert(sizeof(struct ext4_extent_header) == 12, "header");
#define EXT4_EXT_MAGIC	  0xf30a
#define EXT4_EXT_INIT_MAX 32768u

struct ext4_dirent {
	uint32_t inode;
	uint16_t rec_len;
	uint8_t name_len, file_type;
	char name[];
};
static_assert(sizeof(struct ext4_dirent) == 8, "dirent");
#define EXT4_FT_CSUM 0xde

struct ext4_xattr_header {
	uint32_t h_magic, h_refcount, h_blocks, h_hash, h_checksum;
	uint32_t h_reserved[3];
};
struct ext4_xattr_entry {
	uint8_t e_name_len, e_name_index;
	uint16_t e_value_offs;
	uint32_t e_value_inum, e_value_size, e_hash;
	char e_name[];
};
static_assert(sizeof(struct ext4_xattr_header) == 32, "xattr header");
static_assert(sizeof(struct ext4_xattr_entry) == 16, "xattr entry");
#define EXT4_XATTR_MAGIC 0xea020000u

/* ---- in memory ---- */

struct ext4_super {
	struct super sb;
	struct blk_device *dev;
	struct page_cache *meta;	/* the device's blocks */
	uint32_t block_size, block_shift;
	uint64_t nblocks;
	uint32_t ninodes, first_ino, inode_size, desc_size;
	uint32_t blocks_per_group, inodes_per_group, ngroups;
	uint32_t first_data_block, first_meta_bg;
	uint32_t compat, incompat, ro_compat;
	bool csum;			/* metadata_csum */
	uint32_t csum_seed;
	uint8_t uuid[16];
	uint64_t free_blocks, free_inodes, overhead;
	uint64_t *group_ok;		/* [a] bitmap: descriptor was checked */
	uint32_t complaints;		/* [a] */
};

struct ext4_inode {
	uint32_t flags;
	uint32_t csum_seed;
	uint32_t block[EXT4_NBLOCKS];	/* as on disk */
	uint64_t file_acl;
	uint32_t extra_isize;
};

static inline struct ext4_super *
ext4_sb(const struct inode *i)
{
	return i->sb->priv;
}

static inline struct ext4_inode *
ext4_i(const struct inode *i)
{
	return i->priv;
}

/* One block of metadata. */
struct ext4_buf {
	struct page *page;	/* NULL: none */
	uint8_t *data;
};

/* ---- super.c ---- */
/* -EUCLEAN: no such block, -EIO, -ENOMEM. */
MUST_CHECK int ext4_bread(struct ext4_super *s, uint64_t block,
			  struct ext4_buf *b);
void ext4_brelse(struct ext4_buf *b);
/* Was this block's checksum found right since it was read? */
bool ext4_buf_checked(struct ext4_super *s, const struct ext4_buf *b,
		      uint64_t block);
void ext4_buf_set_checked(struct ext4_super *s, const struct ext4_buf *b,
			  uint64_t block);
/* Says what is wrong with the image; returns -EUCLEAN. */
int ext4_bad(struct ext4_super *s, uint64_t ino, const char *what);
MUST_CHECK int ext4_group_table(struct ext4_super *s, uint32_t group,
				uint64_t *inode_table);

/* ---- csum.c ---- */
bool ext4_super_csum_ok(const struct ext4_super_disk *d);
bool ext4_group_csum_ok(struct ext4_super *s, uint32_t group,
			const void *desc);
/* Fills i's csum_seed. */
bool ext4_inode_csum_ok(struct ext4_super *s, uint32_t ino, const void *raw,
			uint32_t *seed);
bool ext4_extent_csum_ok(struct ext4_super *s, uint32_t seed,
			 const uint8_t *block);
bool ext4_dir_csum_ok(struct ext4_super *s, uint32_t seed,
		      const uint8_t *block);
bool ext4_xattr_csum_ok(struct ext4_super *s, uint64_t nr,
			const uint8_t *block);

/* ---- inode.c ---- */
MUST_CHECK int ext4_iget(struct ext4_super *s, uint64_t ino,
			 struct inode **out);
void ext4_evict(struct inode *i);
/* Where an inode lies: its block and the offset in it. */
MUST_CHECK int ext4_inode_raw(struct ext4_super *s, uint64_t ino,
			      struct ext4_buf *b, uint8_t **raw);

/* ---- extent.c ---- */
struct ext4_map {
	uint64_t pblk;	/* 0: reads as zeroes */
	uint32_t len;	/* blocks that go on like this, >= 1 */
};
MUST_CHECK int ext4_map_block(struct inode *i, uint32_t lblk,
			      struct ext4_map *m);

/* ---- dir.c ---- */
MUST_CHECK int ext4_lookup(struct inode *dir, const char *name, size_t len,
			   struct inode **out);
MUST_CHECK int ext4_iterate(struct inode *dir, int64_t *pos, uint64_t parent,
			    struct dir_emit *e);

/* ---- xattr.c ---- */
ssize_t ext4_getxattr(struct inode *i, const char *name, void *buf,
		      size_t size);
ssize_t ext4_listxattr(struct inode *i, char *buf, size_t size);
