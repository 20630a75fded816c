/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting an ext4 file system, its groups, and its blocks of metadata.
 *
 * Metadata lie in the page cache of the device; a block's checksum is checked
 * the first time it is used after it was read (a bit in page->priv).  A journal
 * that waits is played back first, since the metadata are of two moments; what
 * may not be written, by its features or its device, is mounted read-only.
 */
#include "ext4.h"
#include "journal.h"
#include "quota.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/statfs.h>
#include <base/atomic.h>
#include <base/bitmap.h>
#include <base/hash.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <dev/blk.h>
#include <fs/bdev.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <mem/page.h>
#include <sched/thread.h>

#define MAX_COMPLAINTS 20u

int
ext4_bad(struct ext4_super *s, uint64_t ino, const char *what)
{
	if (atomic_fetch_add(&s->complaints, 1) < MAX_COMPLAINTS)
		log_err("ext4 %s: corrupted: %s (inode %lu)", s->dev->name,
			what, (unsigned long)ino);
	/* The next commit puts it into the superblock. */
	atomic_store_relaxed(&s->error_ino, (uint32_t)ino);
	atomic_add(&s->error_count, 1);
	if (s->errors != EXT4_ERRORS_CONTINUE && s->journal &&
	    s->journal->writable)
		journal_abort(s->journal, -EUCLEAN);
	return -EUCLEAN;
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
	uint32_t odd = d->s_feature_incompat &
		       ~(EXT4_INCOMPAT_KNOWN | EXT4_INCOMPAT_RECOVER);

	if (d->s_rev_level > 1)
		return refuse(dev, "revision is not known");
	if (d->s_rev_level == 0 && d->s_feature_incompat)
		return refuse(dev, "revision 0 with features");
	if (odd) {
		log_err("ext4 %s: cannot be mounted: features 0x%x are not "
			"supported",
			dev->name, odd);
		return -EINVAL;
	}
	return 0;
}

/* May it be written?  Says why not. */
static bool
may_write(struct blk_device *dev, const struct ext4_super_disk *d)
{
	uint32_t odd = d->s_feature_ro_compat & ~EXT4_RO_WRITABLE;
	uint32_t need = EXT4_INCOMPAT_EXTENTS | EXT4_INCOMPAT_FILETYPE;

	if (odd)
		log_warn("ext4 %s: features 0x%x (%s) can only be read",
			 dev->name, odd,
			 odd & EXT4_RO_BIGALLOC ? "bigalloc" :
			 odd & EXT4_RO_PROJECT	? "project" :
			 odd & EXT4_RO_VERITY	? "verity" :
			 odd & EXT4_RO_READONLY ? "read-only" :
						  "not known");
	else if ((d->s_feature_incompat & need) != need)
		log_warn("ext4 %s: without extents and filetype it can only "
			 "be read",
			 dev->name);
	else if (!(d->s_feature_compat & EXT4_COMPAT_HAS_JOURNAL))
		log_warn("ext4 %s: without a journal it can only be read",
			 dev->name);
	else if (dev->read_only)
		log_warn("ext4 %s: the device is read-only", dev->name);
	else
		return true;
	return false;
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
	s->csum_seed = s->incompat & EXT4_INCOMPAT_CSUM_SEED ?
			       d->s_checksum_seed :
			       crc32c(~0u, s->uuid, sizeof(s->uuid));
	s->free_blocks = d->s_free_blocks_count_lo;
	if (s->incompat & EXT4_INCOMPAT_64BIT)
		s->free_blocks |= (uint64_t)d->s_free_blocks_count_hi << 32;
	s->free_inodes = d->s_free_inodes_count;
	if (s->free_inodes > s->ninodes)
		s->free_inodes = s->ninodes;
	s->root_blocks = d->s_r_blocks_count_lo;
	if (s->incompat & EXT4_INCOMPAT_64BIT)
		s->root_blocks |= (uint64_t)d->s_r_blocks_count_hi << 32;
	s->root_uid = d->s_def_resuid;
	s->root_gid = d->s_def_resgid;
	/* As Linux: a fiftieth, at most 4096 blocks. */
	s->spare_blocks = s->nblocks / 50 < 4096 ? s->nblocks / 50 : 4096;
	s->log_groups_per_flex = s->incompat & EXT4_INCOMPAT_FLEX_BG &&
						 d->s_log_groups_per_flex < 31 ?
					 d->s_log_groups_per_flex :
					 0;
	s->errors = d->s_errors;
	s->reserved_gdt = d->s_reserved_gdt_blocks;
	s->orphan_file_ino = d->s_orphan_file_inum;
	memcpy(s->backup_bgs, d->s_backup_bgs, sizeof(s->backup_bgs));
	memcpy(s->hash_seed, d->s_hash_seed, sizeof(s->hash_seed));
	s->hash_version = d->s_def_hash_version;
	s->hash_unsigned = d->s_flags & EXT4_HASH_UNSIGNED;
	s->want_extra_isize = d->s_want_extra_isize;
	if (s->want_extra_isize < 32 || s->want_extra_isize & 3 ||
	    s->want_extra_isize > s->inode_size - 128)
		s->want_extra_isize = s->inode_size > 128 ? 32 : 0;
	s->overhead = d->s_overhead_blocks;
	if (s->free_blocks > s->nblocks)
		s->free_blocks = s->nblocks;
	return 0;
}

static int
ext4_statfs(struct super *sb, struct statfs *st)
{
	struct ext4_super *s = sb->priv;
	uint64_t have = atomic_load_relaxed(&s->free_blocks);
	uint64_t gone = atomic_load_relaxed(&s->delayed);
	uint32_t id[4];

	/* All groups are looked at: not at the mount. */
	if (!atomic_load_relaxed(&s->overhead))
		atomic_store_relaxed(&s->overhead, ext4_overhead(s));
	st->f_blocks = s->nblocks;
	if (!s->minixdf && s->overhead < s->nblocks)
		st->f_blocks -= s->overhead;
	st->f_bfree = have > gone ? have - gone : 0;
	st->f_bavail = ext4_available(s, false);
	st->f_files = s->ninodes;
	st->f_ffree = s->free_inodes;
	memcpy(id, s->uuid, sizeof(id));
	st->f_fsid[0] = (int32_t)(id[0] ^ id[2]);
	st->f_fsid[1] = (int32_t)(id[1] ^ id[3]);
	return 0;
}

/* ---- writing ---- */

static struct ext4_super_disk *
super_of(struct ext4_super *s, struct ext4_buf *b)
{
	return (void *)(b->data + (EXT4_SUPER_OFFSET & (s->block_size - 1)));
}

static void
put_errors(struct ext4_super *s, struct ext4_super_disk *d)
{
	uint32_t n = atomic_xchg(&s->error_count, 0);
	uint32_t now = (uint32_t)(clock_real_ns() / NSEC_PER_SEC);
	static const char who[] = "pith";

	if (!n)
		return;
	d->s_state |= EXT4_STATE_ERROR;
	if (!d->s_error_count) {
		d->s_first_error_time = now;
		d->s_first_error_ino = s->error_ino;
		memcpy(d->s_first_error_func, who, sizeof(who));
	}
	d->s_last_error_time = now;
	d->s_last_error_ino = s->error_ino;
	memcpy(d->s_last_error_func, who, sizeof(who));
	d->s_error_count += n;
}

static void
put_counters(struct ext4_super *s, struct ext4_super_disk *d)
{
	d->s_free_blocks_count_lo = (uint32_t)s->free_blocks;
	if (s->incompat & EXT4_INCOMPAT_64BIT)
		d->s_free_blocks_count_hi = (uint32_t)(s->free_blocks >> 32);
	d->s_free_inodes_count = (uint32_t)s->free_inodes;
	d->s_wtime = (uint32_t)(clock_real_ns() / NSEC_PER_SEC);
}

void
ext4_precommit(struct ext4_super *s, struct jtx *t)
{
	struct jhandle h = { .s = s, .tx = t, .credits = 1 };
	struct ext4_buf b;

	mutex_lock(&s->alloc_lock);
	ext4_groups_precommit(s);
	mutex_unlock(&s->alloc_lock);
	if (ext4_bread(s, EXT4_SUPER_OFFSET >> s->block_shift, &b))
		return; /* read at mount: is there */
	if (!ext4_bwrite(&h, &b, JK_PLAIN, 0)) {
		struct ext4_super_disk *d = super_of(s, &b);

		put_counters(s, d);
		put_errors(s, d);
		ext4_super_csum_set(d);
	}
	ext4_brelse(&b);
}

/* The superblock straight to its place: before the first transaction and
 * after the last.  state: s_state and the mark of the journal. */
static int
write_super(struct ext4_super *s, bool in_use)
{
	struct ext4_super_disk *d;
	struct ext4_buf b;
	int err = ext4_bread(s, EXT4_SUPER_OFFSET >> s->block_shift, &b);

	if (err)
		return err;
	d = super_of(s, &b);
	if (in_use) {
		d->s_feature_incompat |= EXT4_INCOMPAT_RECOVER;
		d->s_state &= (uint16_t)~EXT4_STATE_VALID;
		d->s_mnt_count++;
		d->s_mtime = (uint32_t)(clock_real_ns() / NSEC_PER_SEC);
	} else {
		d->s_feature_incompat &= ~EXT4_INCOMPAT_RECOVER;
		if (!(d->s_state & EXT4_STATE_ERROR))
			d->s_state |= EXT4_STATE_VALID;
	}
	put_counters(s, d);
	put_errors(s, d);
	ext4_super_csum_set(d);
	err = bdev_write(s->dev, b.block << s->block_shift, b.data,
			 s->block_size);
	ext4_brelse(&b);
	if (!err)
		err = bdev_flush(s->dev);
	return err;
}

/* What an aborted journal can still say. */
static void
write_errors(struct ext4_super *s)
{
	struct ext4_super_disk *d = kmalloc(sizeof(*d), ALLOC_KERNEL);

	if (!d)
		return;
	if (!blk_read(s->dev, EXT4_SUPER_OFFSET, d, sizeof(*d)) &&
	    d->s_magic == EXT4_MAGIC) {
		atomic_add(&s->error_count, 1);
		put_errors(s, d);
		ext4_super_csum_set(d);
		ignore(bdev_write(s->dev, EXT4_SUPER_OFFSET, d, sizeof(*d)));
	}
	kfree(d);
}

static int
ext4_sync(struct super *sb)
{
	struct ext4_super *s = sb->priv;
	struct journal *j = s->journal;

	if (!j || !j->writable)
		return 0;
	return journal_sync(j, 0, NULL);
}

static void
ext4_commit(struct super *sb)
{
	struct ext4_super *s = sb->priv;

	if (s->journal && s->journal->writable && s->journal->running)
		ignore(journal_commit(s->journal, 0)); /* aborts by itself */
}

/* All that is in the journal to its place, and the disk says it is clean. */
static int
make_clean(struct ext4_super *s)
{
	int err = journal_flush(s->journal);

	if (err) {
		write_errors(s);
		return err;
	}
	return write_super(s, false);
}

static int
start_writing(struct ext4_super *s)
{
	int err;

	if (!s->journal->group) {
		err = journal_start_writing(s->journal);
		if (err)
			return err;
	}
	err = write_super(s, true);
	if (!err) {
		s->journal->writable = true;
		s->sb.flags &= ~(uint32_t)MS_RDONLY;
	}
	return err;
}

static const struct super_ops ext4_rw_ops;

/* Mounted read-only so far: from here on it has what a file system needs that
 * is written to, and no block is cached that may be a file's (block.c). */
static int
stop_reading_around(struct ext4_super *s)
{
	int err = super_start_writer(&s->sb);

	if (err)
		return err;
	atomic_store(&s->ro, false);
	while (atomic_load_acquire(&s->readers_around))
		thread_yield();
	err = page_cache_invalidate(s->meta, 0, UINT64_MAX >> PAGE_SHIFT);
	s->sb.ops = &ext4_rw_ops;
	return err;
}

static int
ext4_remount(struct super *sb, unsigned flags)
{
	struct ext4_super *s = sb->priv;
	int err;

	if ((flags & MS_RDONLY) == (sb->flags & MS_RDONLY))
		return 0;
	if (flags & MS_RDONLY) {
		sb->flags |= MS_RDONLY;
		err = make_clean(s);
		s->journal->writable = false;
		return err;
	}
	if (!s->may_write || !s->journal || s->journal->err)
		return -EROFS;
	if (s->ro) {
		err = stop_reading_around(s);
		if (err)
			return err;
	}
	return start_writing(s);
}

static void
free_super(struct ext4_super *s)
{
	journal_close(s->journal);
	ext4_orphan_free_lost(s);
	ext4_lost_free(s);
	ext4_quota_free(s);
	if (s->meta)
		bdev_cache_destroy(s->meta);
	ext4_groups_free(s);
	vfree(s->group_ok);
	kfree(s);
}

static void
ext4_unmount(struct super *sb)
{
	struct ext4_super *s = sb->priv;

	if (s->journal && s->journal->writable)
		ignore(make_clean(s)); /* nobody is left to tell: logged */
	free_super(s);
}

static const struct super_ops ext4_super_ops = {
	.evict = ext4_evict,
	.statfs = ext4_statfs,
	.remount = ext4_remount,
	.unmount = ext4_unmount,
};
/* Of what can be written. */
static const struct super_ops ext4_rw_ops = {
	.evict = ext4_evict,
	.statfs = ext4_statfs,
	.write_inode = ext4_write_inode,
	.fsync = ext4_fsync,
	.sync = ext4_sync,
	.commit = ext4_commit,
	.remount = ext4_remount,
	.unmount = ext4_unmount,
};

/* ---- mount ---- */

static int
open_journal(struct ext4_super *s, struct ext4_super_disk *d)
{
	int err;

	if (!(s->compat & EXT4_COMPAT_HAS_JOURNAL) || !d->s_journal_inum) {
		if (d->s_feature_incompat & EXT4_INCOMPAT_RECOVER)
			return refuse(s->dev, "the journal to play back is "
					      "not there");
		return 0;
	}
	err = journal_open(s, d->s_journal_inum);
	if (err)
		return err;
	/* As Linux: also where the mark is missing. */
	if (!(d->s_feature_incompat & EXT4_INCOMPAT_RECOVER) &&
	    !journal_needs_recovery(s->journal))
		return 0;
	if (s->dev->read_only)
		return refuse(s->dev, "its journal must be played back, and "
				      "the device is read-only");
	return journal_recover(s->journal) ? -EIO : 1;
}

static int
open_meta(struct ext4_super *s)
{
	uint32_t chunks = (uint32_t)div_round_up(s->ngroups, EXT4_GROUP_CHUNK);

	s->group_ok = vmalloc(BITMAP_WORDS(s->ngroups) * 8ull, ALLOC_KERNEL);
	s->groups = vmalloc(chunks * sizeof(*s->groups), ALLOC_KERNEL);
	s->meta = bdev_cache_create(s->dev);
	if (!s->group_ok || !s->groups || !s->meta)
		return -ENOMEM;
	s->sb.block_size = s->block_size;
	/* 32 bits with a sign; 34 where the inode has the other word. */
	s->sb.time_min = INT32_MIN;
	s->sb.time_max =
		s->inode_size > 128 ? INT32_MAX + (3ll << 32) : INT32_MAX;
	s->sb.whole_seconds = s->inode_size == 128;
	return 0;
}

/* What was read before the journal was played back is of the past. */
static void
close_meta(struct ext4_super *s)
{
	journal_close(s->journal);
	inode_drop_all(&s->sb);
	bdev_cache_destroy(s->meta);
	ext4_groups_free(s);
	vfree(s->group_ok);
	s->meta = NULL;
	s->group_ok = NULL;
}

static int
read_super(struct ext4_super *s, struct ext4_super_disk *d)
{
	int err = blk_read(s->dev, EXT4_SUPER_OFFSET, d, sizeof(*d));

	if (!err)
		err = parse_super(s, d);
	if (!err)
		err = open_meta(s);
	return err;
}

static int
load_root(struct ext4_super *s)
{
	struct inode *root;
	int err = ext4_iget(s, EXT4_ROOT_INO, &root);

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
load(struct ext4_super *s, struct ext4_super_disk *d, bool write)
{
	bool played = false, orphans;
	int err = read_super(s, d);

	if (!err)
		err = open_journal(s, d);
	if (err > 0) { /* played back: begin again */
		played = true;
		close_meta(s);
		err = read_super(s, d);
		if (!err && (s->compat & EXT4_COMPAT_HAS_JOURNAL))
			err = journal_open(s, d->s_journal_inum);
	}
	if (err)
		return err;
	s->may_write = may_write(s->dev, d) && !ext4_quota_load(s, d);
	if (played || !(d->s_state & EXT4_STATE_VALID)) {
		err = ext4_count_free(s);
		if (err)
			return err;
	}
	orphans = d->s_last_orphan || (s->ro_compat & EXT4_RO_ORPHAN_PRESENT);
	if (s->journal && s->may_write && (write || orphans || played)) {
		err = start_writing(s);
		if (!err && orphans)
			err = ext4_orphan_cleanup(s, d->s_last_orphan);
		if (!err && !write)
			err = ext4_remount(&s->sb, MS_RDONLY);
		if (err)
			return err;
	}
	return load_root(s);
}

/* "ro" and "rw" are the flags' matter. */
static int
parse_options(struct ext4_super *s, const char *text)
{
	static const char *const words[] = { "ro", "rw", "bsddf", "minixdf" };

	while (*text) {
		const char *end = strchr(text, ',');
		size_t len = end ? (size_t)(end - text) : strlen(text), k;

		for (k = 0; k < ARRAY_SIZE(words); k++)
			if (strlen(words[k]) == len &&
			    !memcmp(text, words[k], len))
				break;
		if (k == ARRAY_SIZE(words))
			return -EINVAL;
		if (k >= 2)
			s->minixdf = k == 3;
		text += len + (text[len] == ',');
	}
	return 0;
}

/* st_dev: as Linux numbers virtio disks, by their order. */
static uint64_t
device_number(const struct blk_device *dev)
{
	unsigned n = 0;

	while (blk_get(n) && blk_get(n) != dev)
		n++;
	return DEV_MAKE(254, n);
}

static int
ext4_mount(const struct fs_type *t, const char *source, unsigned flags,
	   const char *options, struct super **out)
{
	const char *name = strrchr(source, '/');
	struct blk_device *dev = blk_find(name ? name + 1 : source);
	struct ext4_super_disk *d;
	struct ext4_super *s;
	int err = -ENOMEM;

	if (!dev)
		return -ENXIO;
	s = kzalloc(sizeof(*s), ALLOC_KERNEL);
	d = kmalloc(sizeof(*d), ALLOC_KERNEL);
	if (!s || !d)
		goto fail;
	s->dev = dev;
	mutex_init(&s->alloc_lock, RANK_FSALLOC);
	mutex_init(&s->orphan_lock, RANK_EXTENTS);
	mutex_init(&s->quota_lock, RANK_FSALLOC2);
	list_init(&s->dirty_groups);
	list_init(&s->orphans);
	spin_init(&s->lost_lock, RANK_PAGECACHE);
	list_init(&s->lost);
	list_init(&s->sb.dirty);
	s->next_generation = (uint32_t)clock_real_ns();
	s->sb.type = t;
	s->sb.ops = &ext4_super_ops;
	s->sb.flags = MS_RDONLY;
	s->sb.cache_names = true;
	s->sb.magic = EXT4_SUPER_MAGIC;
	s->sb.priv = s;
	s->sb.dev = device_number(dev);
	err = parse_options(s, options);
	if (err)
		goto fail;
	s->ro = flags & MS_RDONLY;
	if (!s->ro) {
		s->sb.ops = &ext4_rw_ops;
		err = super_start_writer(&s->sb);
		if (err)
			goto fail;
	}
	err = load(s, d, !(flags & MS_RDONLY));
	if (err)
		goto fail_loaded;
	kfree(d);
	*out = &s->sb;
	return 0;
fail_loaded:
	super_stop_writer(&s->sb);
	inode_drop_all(&s->sb);
	free_super(s);
	s = NULL;
fail:
	kfree(d);
	kfree(s);
	return err;
}

extern const struct fs_type ext4_type; /* as fs_priv.h has it */
const struct fs_type ext4_type = { .name = "ext4", .mount = ext4_mount };
