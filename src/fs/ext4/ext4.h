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
#include <base/list.h>
#include <base/types.h>
#include <core/spinlock.h>
#include <fs/vfs.h>
#include <sched/mutex.h>

struct blk_device;
struct ext4_quota;
struct jhandle;
struct journal;
struct jtx;
struct page;
struct page_cache;
struct page_cache_run;
struct page_cache_ops;

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
	uint32_t s_snapshot[5];
	uint32_t s_error_count, s_first_error_time, s_first_error_ino;
	uint64_t s_first_error_block;
	uint8_t s_first_error_func[32];
	uint32_t s_first_error_line, s_last_error_time, s_last_error_ino;
	uint32_t s_last_error_line;
	uint64_t s_last_error_block;
	uint8_t s_last_error_func[32];
	uint8_t s_mount_opts[64];
	uint32_t s_usr_quota_inum, s_grp_quota_inum, s_overhead_blocks;
	uint32_t s_backup_bgs[2];
	uint8_t unused1[28];
	uint32_t s_checksum_seed;
	uint8_t unused2[12];
	uint32_t s_orphan_file_inum;
	uint8_t unused3[376];
	uint32_t s_checksum;
};
static_assert(offsetof(struct ext4_super_disk, s_magic) == 0x38, "s_magic");
static_assert(offsetof(struct ext4_super_disk, s_hash_seed) == 0xec, "seed");
static_assert(offsetof(struct ext4_super_disk, s_desc_size) == 0xfe, "desc");
static_assert(offsetof(struct ext4_super_disk, s_kbytes_written) == 0x178,
	      "kbytes");
static_assert(offsetof(struct ext4_super_disk, s_error_count) == 0x194, "err");
static_assert(offsetof(struct ext4_super_disk, s_last_error_block) == 0x1e0 - 8,
	      "last error");
static_assert(offsetof(struct ext4_super_disk, s_backup_bgs) == 0x24c, "bgs");
static_assert(offsetof(struct ext4_super_disk, s_checksum_seed) == 0x270,
	      "s_checksum_seed");
static_assert(offsetof(struct ext4_super_disk, s_orphan_file_inum) == 0x280,
	      "s_orphan_file_inum");
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
#define EXT4_INCOMPAT_KNOWN                                                    \
	(EXT4_INCOMPAT_FILETYPE | EXT4_INCOMPAT_META_BG |                      \
	 EXT4_INCOMPAT_EXTENTS | EXT4_INCOMPAT_64BIT | EXT4_INCOMPAT_FLEX_BG | \
	 EXT4_INCOMPAT_CSUM_SEED | EXT4_INCOMPAT_LARGEDIR)
#define EXT4_RO_SPARSE_SUPER   0x0001u
#define EXT4_RO_LARGE_FILE     0x0002u
#define EXT4_RO_HUGE_FILE      0x0008u
#define EXT4_RO_GDT_CSUM       0x0010u
#define EXT4_RO_DIR_NLINK      0x0020u
#define EXT4_RO_EXTRA_ISIZE    0x0040u
#define EXT4_RO_QUOTA	       0x0100u
#define EXT4_RO_BIGALLOC       0x0200u
#define EXT4_RO_METADATA_CSUM  0x0400u
#define EXT4_RO_READONLY       0x1000u
#define EXT4_RO_PROJECT	       0x2000u
#define EXT4_RO_VERITY	       0x8000u
#define EXT4_RO_ORPHAN_PRESENT 0x10000u
/* With these we write; with others we only read. */
#define EXT4_RO_WRITABLE                                                 \
	(EXT4_RO_SPARSE_SUPER | EXT4_RO_LARGE_FILE | EXT4_RO_HUGE_FILE | \
	 EXT4_RO_GDT_CSUM | EXT4_RO_DIR_NLINK | EXT4_RO_EXTRA_ISIZE |    \
	 EXT4_RO_QUOTA | EXT4_RO_METADATA_CSUM | EXT4_RO_ORPHAN_PRESENT)
#define EXT4_COMPAT_HAS_JOURNAL	  0x0004u
#define EXT4_COMPAT_DIR_INDEX	  0x0020u
#define EXT4_COMPAT_SPARSE_SUPER2 0x0200u
#define EXT4_COMPAT_ORPHAN_FILE	  0x1000u

#define EXT4_STATE_VALID     1u /* s_state: cleanly unmounted */
#define EXT4_STATE_ERROR     2u
#define EXT4_STATE_ORPHAN    4u
#define EXT4_ERRORS_CONTINUE 1u /* s_errors */
#define EXT4_HASH_SIGNED     1u /* s_flags */
#define EXT4_HASH_UNSIGNED   2u

struct ext4_group_disk {
	uint32_t bg_block_bitmap_lo, bg_inode_bitmap_lo, bg_inode_table_lo;
	uint16_t bg_free_blocks_lo, bg_free_inodes_lo, bg_used_dirs_lo;
	uint16_t bg_flags;
	uint32_t bg_exclude_bitmap_lo;
	uint16_t bg_block_bitmap_csum_lo, bg_inode_bitmap_csum_lo;
	uint16_t bg_itable_unused_lo, bg_checksum;
	uint32_t bg_block_bitmap_hi, bg_inode_bitmap_hi, bg_inode_table_hi;
	uint16_t bg_free_blocks_hi, bg_free_inodes_hi, bg_used_dirs_hi;
	uint16_t bg_itable_unused_hi;
	uint32_t bg_exclude_bitmap_hi;
	uint16_t bg_block_bitmap_csum_hi, bg_inode_bitmap_csum_hi;
	uint32_t bg_reserved;
};
#define EXT4_BG_INODE_UNINIT 1u
#define EXT4_BG_BLOCK_UNINIT 2u
#define EXT4_BG_INODE_ZEROED 4u
static_assert(offsetof(struct ext4_group_disk, bg_free_blocks_hi) == 0x2c,
	      "free blocks");
static_assert(offsetof(struct ext4_group_disk, bg_block_bitmap_csum_hi) == 0x38,
	      "bitmap checksum");
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

/* Beside FS_FL_* (abi/fs.h). */
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

/* What is known of a group beyond its descriptor. */
struct ext4_group {
	struct list dirty;   /* [alloc_lock] in s->dirty_groups */
	uint64_t *pending;   /* [alloc_lock] freed, not yet committed */
	uint32_t npending;   /* [alloc_lock] */
	uint32_t frozen_tid; /* [alloc_lock] nothing is taken from it until
				 * this is committed; 0 */
	uint32_t max_run;    /* [alloc_lock] no free run is longer */
	bool blocks_dirty, inodes_dirty; /* [alloc_lock] bitmaps, in the
				 * running transaction */
};
#define EXT4_GROUP_CHUNK 64u

enum { EXT4_QUOTA_USER, EXT4_QUOTA_GROUP, EXT4_QUOTAS };

struct ext4_super {
	struct super sb;
	struct blk_device *dev;
	struct page_cache *meta; /* the device's blocks */
	uint32_t block_size, block_shift;
	uint64_t nblocks;
	uint32_t ninodes, first_ino, inode_size, desc_size;
	uint32_t blocks_per_group, inodes_per_group, ngroups;
	uint32_t first_data_block, first_meta_bg;
	uint32_t compat, incompat, ro_compat;
	bool csum; /* metadata_csum */
	uint32_t csum_seed;
	uint8_t uuid[16];
	uint64_t free_blocks, free_inodes;  /* [alloc_lock w, a] */
	uint64_t delayed;		    /* [a] reserved: balloc.c */
	uint64_t overhead;		    /* [a] blocks; 0: not counted yet */
	uint64_t root_blocks, spare_blocks; /* [I] */
	uint32_t root_uid, root_gid;	    /* [I] who may take root_blocks */
	uint32_t last_dirs; /* [alloc_lock] where directories go */
	uint16_t log_groups_per_flex, errors, want_extra_isize;
	uint32_t reserved_gdt, backup_bgs[2];
	uint32_t orphan_file_ino; /* [I] */
	uint32_t hash_seed[4];	  /* [I] */
	uint8_t hash_version;	  /* [I] */
	bool hash_unsigned;	  /* [I] */
	struct journal *journal;
	struct mutex quota_lock;		/* RANK_FSALLOC2 */
	struct ext4_quota *quotas[EXT4_QUOTAS]; /* [I] NULL: not counted */
	bool has_quota;				/* [I] */
	bool ro;		    /* [a] mounted for reading only */
	bool minixdf;		    /* [I] f_blocks is all blocks */
	uint32_t readers_around;    /* [a] block.c: reading ahead */
	bool may_write;		    /* [I] nothing forbids it */
	struct mutex alloc_lock;    /* RANK_FSALLOC */
	struct ext4_group **groups; /* [alloc_lock] in chunks, made when
					 * they are wanted */
	struct list dirty_groups;   /* [alloc_lock] */
	struct mutex orphan_lock;   /* RANK_EXTENTS */
	struct list orphans;	    /* [orphan_lock] as on the disk */
	uint64_t freed_pending;	    /* [alloc_lock] blocks */
	struct spinlock lost_lock;  /* RANK_PAGECACHE */
	struct list lost;	    /* [lost_lock] notes of lost.c */
	uint32_t nlost;		    /* [a] how many */
	bool lost_all;		    /* [a] one could not be made */
	uint32_t error_count;	    /* [a] since the last commit */
	uint32_t error_ino;	    /* [a] */
	uint32_t next_generation;   /* [a] */
	uint64_t *group_ok;	    /* [a] bitmap: descriptor was checked */
	uint32_t complaints;	    /* [a] */
};

/* What an inode counts for in the quotas, and whose. */
struct ext4_counted {
	uint32_t uid, gid;
	uint32_t inodes; /* 0, 1 */
	uint64_t blocks; /* of 512 bytes */
};

struct ext4_inode {
	struct inode *inode;	      /* [I] */
	struct rwlock tree_lock;      /* RANK_EXTENTS: block[], the extents */
	struct mutex raw_lock;	      /* RANK_FSALLOC2: the disk's inode */
	uint32_t flags;		      /* [raw_lock] */
	uint32_t csum_seed;	      /* [I] */
	uint32_t block[EXT4_NBLOCKS]; /* [tree_lock] as on disk */
	uint64_t file_acl;	      /* [inode lock w] */
	uint32_t extra_isize;	      /* [I] */
	uint64_t disksize;	      /* [tree_lock] size on the disk */
	uint32_t sync_tid;	      /* [a] last transaction with it */
	uint32_t datasync_tid;	      /* [a] the same for fdatasync */
	struct list orphan;	      /* [orphan_lock] in s->orphans */
	uint32_t lost_ino;	      /* [orphan_lock] in s->orphans for good */
	uint32_t next_orphan;	      /* [orphan_lock] or time of deletion */
	uint32_t delayed;	      /* [a] blocks that dirty pages wait for */
	uint32_t nlost;		      /* [a] notes of lost.c */
	uint64_t last_pblk;	      /* [tree_lock] where the last went */
	uint32_t last_lblk;	      /* [tree_lock] */
	bool fresh;		      /* [raw_lock] the disk has rubbish */
	bool no_delete;		      /* [o] evict leaves the disk alone */
	bool gone;		      /* [o] about to be freed on the disk */
	struct ext4_counted counted;  /* [quota_lock] */
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
	struct page *page; /* NULL: none */
	uint8_t *data;
	uint64_t block;
};

/* ---- super.c ---- */
extern const struct fs_type ext4_type;
/* Says what is wrong with the image; returns -EUCLEAN. */
int ext4_bad(struct ext4_super *s, uint64_t ino, const char *what);
/* Commit is about to begin, no handle is open: counters and checksums of t's
 * blocks. */
void ext4_precommit(struct ext4_super *s, struct jtx *t);

/* ---- block.c ---- */
/* -EUCLEAN: no such block, -EIO, -ENOMEM. */
MUST_CHECK int ext4_bread(struct ext4_super *s, uint64_t block,
			  struct ext4_buf *b);
/* A block that holds nothing yet: zeroes, not read. */
MUST_CHECK int ext4_bnew(struct ext4_super *s, uint64_t block,
			 struct ext4_buf *b);
void ext4_brelse(struct ext4_buf *b);
/* Was this block's checksum found right since it was read? */
bool ext4_buf_checked(struct ext4_super *s, const struct ext4_buf *b,
		      uint64_t block);
void ext4_buf_set_checked(struct ext4_super *s, const struct ext4_buf *b,
			  uint64_t block);

/* ---- group.c ---- */
/* A group's descriptor, checked; the buffer holds it. */
MUST_CHECK int ext4_group_desc(struct ext4_super *s, uint32_t group,
			       struct ext4_buf *b,
			       struct ext4_group_disk **out);
MUST_CHECK int ext4_group_table(struct ext4_super *s, uint32_t group,
				uint64_t *inode_table);
/* With alloc_lock.  NULL: no memory. */
struct ext4_group *ext4_group_info(struct ext4_super *s, uint32_t group);
/* With alloc_lock: the bitmap, read or made, and its descriptor, both ready
 * to be changed in h (NULL: only to be read). */
struct ext4_bitmap {
	struct ext4_buf desc_buf, buf;
	struct ext4_group_disk *desc;
	struct ext4_group *info;
	uint64_t *bits;
	uint32_t nbits;
	bool inodes;
};
MUST_CHECK int ext4_block_bitmap(struct ext4_super *s, uint32_t group,
				 struct ext4_bitmap *m);
MUST_CHECK int ext4_inode_bitmap(struct ext4_super *s, uint32_t group,
				 struct ext4_bitmap *m);
MUST_CHECK int ext4_bitmap_write(struct ext4_super *s, struct jhandle *h,
				 struct ext4_bitmap *m);
void ext4_bitmap_put(struct ext4_bitmap *m);
void ext4_groups_precommit(struct ext4_super *s);
void ext4_groups_free(struct ext4_super *s);
uint32_t ext4_desc_free_blocks(const struct ext4_super *s,
			       const struct ext4_group_disk *d);
uint32_t ext4_desc_free_inodes(const struct ext4_super *s,
			       const struct ext4_group_disk *d);
/* Sums of all descriptors. */
MUST_CHECK int ext4_count_free(struct ext4_super *s);
uint64_t ext4_overhead(const struct ext4_super *s);

/* ---- balloc.c ---- */
#define EXT4_ALLOC_DELAYED 1u /* reserved when its page became dirty */
#define EXT4_ALLOC_META	   2u /* may take of the spare blocks */
/* One run of 1..want blocks, near goal.  -ENOSPC. */
MUST_CHECK int ext4_balloc(struct jhandle *h, uint64_t goal, uint32_t want,
			   unsigned flags, uint64_t *start, uint32_t *len);
MUST_CHECK int ext4_bfree(struct jhandle *h, uint64_t start, uint32_t len);
/* Makes what ext4_bfree() of these needs: it cannot fail then. */
MUST_CHECK int ext4_bfree_ready(struct jhandle *h, uint64_t start,
				uint32_t len);
/* A committed transaction's blocks may be taken from now on. */
void ext4_freed(struct ext4_super *s, uint64_t start, uint32_t len);
/* Space for n blocks of dirty pages: 0 or -ENOSPC. */
MUST_CHECK int ext4_reserve(struct ext4_super *s, uint32_t n);
void ext4_unreserve(struct ext4_super *s, uint32_t n);
/* Blocks that a program may still take. */
uint64_t ext4_available(struct ext4_super *s, bool root);
/* After -ENOSPC: is it worth to try again?  Commits, so that what was freed
 * can be taken.  Not in a handle. */
bool ext4_retry_alloc(struct ext4_super *s, int err, unsigned *tries);

/* ---- ialloc.c ---- */
MUST_CHECK int ext4_ialloc(struct jhandle *h, struct inode *dir, uint32_t mode,
			   uint32_t *ino);
MUST_CHECK int ext4_ifree(struct jhandle *h, uint64_t ino, bool is_dir);
/* The same for ext4_ifree() of this one. */
MUST_CHECK int ext4_ifree_ready(struct jhandle *h, uint64_t ino);

/* ---- orphan.c ---- */
MUST_CHECK int ext4_orphan_add(struct jhandle *h, struct inode *i);
MUST_CHECK int ext4_orphan_del(struct jhandle *h, struct inode *i);
/* At mount: ends what the last one did not. */
/* i goes, and stays on the disk's list: true, and its ext4_inode is kept. */
bool ext4_orphan_lose(struct inode *i);
void ext4_orphan_free_lost(struct ext4_super *s);
MUST_CHECK int ext4_orphan_cleanup(struct ext4_super *s, uint32_t first);

/* ---- orphanfile.c ---- */
/* What is in the file of orphans goes over to the list, whose references it
 * keeps. */
MUST_CHECK int ext4_orphan_file_load(struct ext4_super *s);
void ext4_orphan_csum_set(struct ext4_super *s, uint32_t seed, uint64_t nr,
			  uint8_t *block);

/* ---- csum.c ---- */
bool ext4_super_csum_ok(const struct ext4_super_disk *d);
void ext4_super_csum_set(struct ext4_super_disk *d);
bool ext4_group_csum_ok(struct ext4_super *s, uint32_t group, const void *desc);
void ext4_group_csum_set(struct ext4_super *s, uint32_t group, void *desc);
/* Fills i's csum_seed. */
bool ext4_inode_csum_ok(struct ext4_super *s, uint32_t ino, const void *raw,
			uint32_t *seed);
void ext4_inode_csum_set(struct ext4_super *s, uint32_t ino, void *raw);
uint32_t ext4_inode_seed(struct ext4_super *s, uint32_t ino,
			 uint32_t generation);
bool ext4_extent_csum_ok(struct ext4_super *s, uint32_t seed,
			 const uint8_t *block);
bool ext4_dir_csum_ok(struct ext4_super *s, uint32_t seed,
		      const uint8_t *block);
bool ext4_xattr_csum_ok(struct ext4_super *s, uint64_t nr,
			const uint8_t *block);
/* What journal kind `kind` has inside, brought up to date. */
void ext4_block_csum_set(struct ext4_super *s, unsigned kind, uint32_t seed,
			 uint64_t nr, uint8_t *block);

/* ---- inode.c ---- */
MUST_CHECK int ext4_iget(struct ext4_super *s, uint64_t ino,
			 struct inode **out);
/* Reserved ones, too: the journal. */
MUST_CHECK int ext4_iget_any(struct ext4_super *s, uint64_t ino,
			     struct inode **out);
/* At recovery: also one without links. */
MUST_CHECK int ext4_iget_orphan(struct ext4_super *s, uint64_t ino,
				struct inode **out);
void ext4_evict(struct inode *i);
/* Where an inode lies: its block and the offset in it. */
MUST_CHECK int ext4_inode_raw(struct ext4_super *s, uint64_t ino,
			      struct ext4_buf *b, uint8_t **raw);
/* Its private part; NULL: no memory. */
struct ext4_inode *ext4_inode_make(struct inode *i);
void ext4_inode_free(struct inode *i);
/* Sets operations by i's type, and makes a file's cache. */
MUST_CHECK int ext4_set_ops(struct inode *i);

/* ---- iwrite.c ---- */
/* Puts i into h's transaction; size: something that fdatasync is about. */
/* Its blocks are in an ext2 list, which is only read: it cannot be freed. */
bool ext4_has_list(const struct inode *i);
/* i's inode on the disk, to be changed in h with raw_lock held; b holds it. */
MUST_CHECK int ext4_inode_raw_write(struct jhandle *h, const struct inode *i,
				    struct ext4_buf *b, uint8_t **raw);
/* Makes what ext4_iwrite() needs, before an operation changes anything. */
MUST_CHECK int ext4_iready(struct jhandle *h, struct inode *i);
MUST_CHECK int ext4_iwrite(struct jhandle *h, struct inode *i, bool size);
MUST_CHECK int ext4_write_inode(struct inode *i);
MUST_CHECK int ext4_fsync(struct inode *i, bool datasync,
			  const struct page_range *data);
MUST_CHECK int ext4_setattr(struct inode *i, const struct inode_attr *a);
uint32_t ext4_get_flags(struct inode *i);
MUST_CHECK int ext4_set_flags(struct inode *i, uint32_t flags);
MUST_CHECK int ext4_write_begin(struct inode *i, int64_t pos, size_t len);
/* A new inode in dir, in the cache, with one link, written in h. */
MUST_CHECK int ext4_new_inode(struct jhandle *h, struct inode *dir,
			      uint32_t mode, uint64_t rdev, struct inode **out);

/* ---- extent.c ---- */
struct ext4_map {
	uint64_t pblk;	/* 0: no block */
	uint32_t len;	/* blocks that go on like this, >= 1 */
	bool unwritten; /* has blocks, reads as zeroes */
};
/* pblk is 0 for what reads as zeroes. */
MUST_CHECK int ext4_map_block(struct inode *i, uint32_t lblk,
			      struct ext4_map *m);
/* With unwritten ones. */
MUST_CHECK int ext4_map_any(struct inode *i, uint32_t lblk, struct ext4_map *m);
/* As readers have it: data that was lost is unwritten (lost.c). */
MUST_CHECK int ext4_map_shown(struct inode *i, uint32_t lblk,
			      struct ext4_map *m);
/* The same by who has tree_lock. */
MUST_CHECK int ext4_map_locked(struct inode *i, uint32_t lblk,
			       struct ext4_map *m);
/* A block of the tree, checked. */
MUST_CHECK int ext4_ext_node(struct inode *i, uint64_t block, unsigned depth,
			     struct ext4_buf *b);
bool ext4_ext_header_ok(const struct ext4_extent_header *h, size_t bytes,
			unsigned depth);
int ext4_ext_search(const struct ext4_extent_header *h, uint32_t lblk);

/* ---- exttree.c: all with tree_lock, in a handle ---- */
/* Credits for one change of a tree. */
uint32_t ext4_ext_credits(const struct inode *i);
void ext4_ext_init(struct ext4_inode *e);
/* [lblk, lblk + len) is a hole: becomes pblk. */
MUST_CHECK int ext4_ext_insert(struct jhandle *h, struct inode *i,
			       uint32_t lblk, uint32_t len, uint64_t pblk,
			       bool unwritten);
/* Blocks of [lblk, lblk + len), all in one unwritten extent, are written. */
MUST_CHECK int ext4_ext_set_written(struct jhandle *h, struct inode *i,
				    uint32_t lblk, uint32_t len);
/* The reverse: all in one written extent, never were. */
MUST_CHECK int ext4_ext_set_unwritten(struct jhandle *h, struct inode *i,
				      uint32_t lblk, uint32_t len);
/* Removes one piece of the last extent in [from, to]; *more: there may be
 * others. */
MUST_CHECK int ext4_ext_remove_last(struct jhandle *h, struct inode *i,
				    uint32_t from, uint32_t to, bool *more);

/* No extent goes across the border before lblk any more. */
MUST_CHECK int ext4_ext_cut(struct jhandle *h, struct inode *i, uint32_t lblk);
/* All extents from *from on move to the front, or those of [from, *end) to
 * the back: one leaf a call, which moves *from or *end on; *more: call again.
 * The caller has seen that they have room, and cut at the border. */
MUST_CHECK int ext4_ext_shift_left(struct jhandle *h, struct inode *i,
				   uint32_t *from, uint32_t by, bool *more);
MUST_CHECK int ext4_ext_shift_right(struct jhandle *h, struct inode *i,
				    uint32_t from, uint32_t *end, uint32_t by,
				    bool *more);
/* The block behind the last extent. */
MUST_CHECK int ext4_ext_end(struct inode *i, uint32_t *end);

/* ---- data.c ---- */
extern const struct page_cache_ops ext4_cache_ops;
void ext4_cut_page(struct inode *i, uint64_t size);

/* ---- lost.c ---- */
/* The device refused i's data of these blocks, which were taken in a
 * transaction that is not committed.  Any context, before writeback ends. */
void ext4_lost_note(struct inode *i, uint64_t pblk, uint32_t len);
/* What m finds there is unwritten as far as readers are concerned; -EIO.
 * With tree_lock, since m was asked. */
MUST_CHECK int ext4_lost_hide(struct ext4_super *s, struct ext4_map *m);
/* By commit: in the running transaction, which is closed to others. */
MUST_CHECK int ext4_lost_unwrite(struct ext4_super *s);
/* Before data is written: what was refused before is dealt with. */
void ext4_lost_settle(struct ext4_super *s);
void ext4_lost_evict(struct inode *i);
void ext4_lost_free(struct ext4_super *s);

/* ---- direct.c: see struct page_cache_ops ---- */
MUST_CHECK int ext4_map_direct(struct page_cache *pc, uint64_t pos,
			       uint64_t len, bool write,
			       struct page_cache_run *run);
MUST_CHECK int ext4_direct_alloc(struct page_cache *pc, uint64_t pos,
				 uint64_t len, struct page_cache_run *run);
MUST_CHECK int ext4_direct_wrote(struct page_cache *pc, uint64_t pos,
				 uint64_t len);

/* ---- space.c ---- */
/* Gives unwritten blocks to the holes of [lblk, end). */
MUST_CHECK int ext4_fill_holes(struct inode *i, uint32_t lblk, uint32_t end);
/* Frees all blocks of [from, to], in as many transactions as it takes. */
MUST_CHECK int ext4_remove_blocks(struct inode *i, struct jhandle *h,
				  uint32_t from, uint32_t to);
MUST_CHECK int ext4_truncate(struct inode *i, uint64_t size);
MUST_CHECK int ext4_fallocate(struct inode *i, int mode, int64_t off,
			      int64_t len);
/* ---- range.c: FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE ---- */
MUST_CHECK int ext4_collapse(struct inode *i, uint64_t start, uint64_t end);
MUST_CHECK int ext4_insert(struct inode *i, uint64_t start, uint64_t end);
/* A block of a directory or a link, allocated and zero. */
MUST_CHECK int ext4_append_block(struct jhandle *h, struct inode *i,
				 uint32_t *lblk, struct ext4_buf *b);

/* ---- dir.c ---- */
MUST_CHECK int ext4_lookup(struct inode *dir, const char *name, size_t len,
			   struct inode **out);
MUST_CHECK int ext4_iterate(struct inode *dir, int64_t *pos, uint64_t parent,
			    struct dir_emit *e);
/* Block lblk of a directory; a hole is an error. */
MUST_CHECK int ext4_dir_block(struct inode *dir, uint32_t lblk,
			      struct ext4_buf *b);
/* The entry at offset `at` of a block, if all of it lies inside. */
const struct ext4_dirent *ext4_dirent_at(struct ext4_super *s,
					 const uint8_t *block, uint32_t at);
/* In one block: 0 with the block, or -ENOENT. */
MUST_CHECK int ext4_dir_search_block(struct inode *dir, uint32_t lblk,
				     const char *name, size_t len,
				     struct ext4_buf *b, uint32_t *at);
/* Where a name is: its block and the entry's offset in it.  -ENOENT. */
MUST_CHECK int ext4_dir_find(struct inode *dir, const char *name, size_t len,
			     struct ext4_buf *b, uint32_t *at);

/* ---- dirmod.c: with the directory's lock ---- */
#define EXT4_DIR_CREDITS 40u /* an entry added, at worst */
MUST_CHECK int ext4_dir_add(struct jhandle *h, struct inode *dir,
			    const char *name, size_t len, uint32_t ino,
			    uint32_t mode);
MUST_CHECK int ext4_dir_remove(struct jhandle *h, struct inode *dir,
			       const char *name, size_t len);
/* The name is another file's from now on. */
MUST_CHECK int ext4_dir_replace(struct jhandle *h, struct inode *dir,
				const char *name, size_t len, uint32_t ino,
				uint32_t mode);
/* A new directory's first block. */
MUST_CHECK int ext4_dir_init(struct jhandle *h, struct inode *dir,
			     uint64_t parent);
/* 0: only "." and "..", -ENOTEMPTY. */
MUST_CHECK int ext4_dir_check_empty(struct inode *dir);
/* Bytes of a block that entries may take: the rest is the checksum's. */
uint32_t ext4_dir_room(const struct ext4_super *s);
/* Makes a block of one empty entry (and the checksum's). */
void ext4_dir_init_block(struct ext4_super *s, uint8_t *block);
static inline uint32_t
ext4_rec_len(size_t name_len)
{
	return (uint32_t)(8 + name_len + 3) & ~3u;
}
/* Puts an entry where a block has room: 0 or -ENOSPC. */
MUST_CHECK int ext4_dir_put(struct ext4_super *s, uint8_t *block,
			    const char *name, size_t len, uint32_t ino,
			    uint32_t mode);

/* ---- htree.c ---- */
struct ext4_hash {
	uint32_t major, minor;
};
/* -EINVAL: a version that is not known. */
MUST_CHECK int ext4_dirhash(const struct ext4_super *s, uint8_t version,
			    const char *name, size_t len,
			    struct ext4_hash *out);
/* -ENODEV: not to be used, the blocks must be read one after the other. */
MUST_CHECK int ext4_htree_find(struct inode *dir, const char *name, size_t len,
			       struct ext4_buf *b, uint32_t *at);
MUST_CHECK int ext4_htree_add(struct jhandle *h, struct inode *dir,
			      const char *name, size_t len, uint32_t ino,
			      uint32_t mode);
/* A directory of one full block gets an index. */
MUST_CHECK int ext4_htree_make(struct jhandle *h, struct inode *dir);

/* ---- namei.c ---- */
extern const struct inode_ops ext4_dir_ops;
int ext4_symlink_target(struct inode *i, const char *target, size_t len);

/* ---- xattr.c ---- */
ssize_t ext4_getxattr(struct inode *i, const char *name, void *buf,
		      size_t size);
ssize_t ext4_listxattr(struct inode *i, char *buf, size_t size);
int ext4_setxattr(struct inode *i, const char *name, const void *val,
		  size_t len, int flags);
int ext4_removexattr(struct inode *i, const char *name);
/* ---- acl.c ---- */
/* i's ACLs, from the inode on the disk and its attribute block. */
MUST_CHECK int ext4_acl_load(struct inode *i, const uint8_t *raw);
/* Those of a new inode go to the disk in h. */
MUST_CHECK int ext4_acl_init(struct jhandle *h, struct inode *i);
#define EXT4_ACL_CREDITS 8u
int ext4_set_acl(struct inode *i, unsigned type, const struct acl *a,
		 uint32_t mode);

/* ---- xattrset.c ---- */
/* The attribute block goes with its inode. */
MUST_CHECK int ext4_xattr_drop(struct jhandle *h, struct inode *i);

/* ---- super.c ---- */
extern const struct fs_type ext4_type;
