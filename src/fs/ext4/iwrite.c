/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes to the disk: attributes into a transaction, fsync, new inodes, and
 * the end of deleted ones.
 *
 * The inode on the disk is written from memory whole; raw_lock keeps two that
 * do so apart.  The size there is e->disksize: what was written, not what is
 * still in the cache.
 */
#include "ext4.h"
#include "journal.h"
#include "quota.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/prctl.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <dev/blk.h>
#include <file/cred.h>
#include <fs/attr.h>
#include <fs/bdev.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>

/* ---- to the disk ---- */

/* Seconds beyond 32 bits go into the two low bits of the other word. */
static void
put_time(struct timespec64 t, uint32_t *sec, uint32_t *extra)
{
	*sec = (uint32_t)t.sec;
	if (extra)
		*extra = (uint32_t)((t.sec - (int32_t)t.sec) >> 32 & 3) |
			 t.nsec << 2;
}

static void
put_times(struct ext4_super *s, const struct inode *i,
	  struct ext4_inode_disk *d)
{
	uint32_t have = s->inode_size > 128 ? 128u + d->i_extra_isize : 0;

	put_time(i->ctime, &d->i_ctime,
		 have >= 0x88 ? &d->i_ctime_extra : NULL);
	put_time(i->mtime, &d->i_mtime,
		 have >= 0x8c ? &d->i_mtime_extra : NULL);
	put_time(i->atime, &d->i_atime,
		 have >= 0x90 ? &d->i_atime_extra : NULL);
	if (have >= 0x98)
		put_time(i->btime, &d->i_crtime, &d->i_crtime_extra);
}

static void
put_device(const struct inode *i, struct ext4_inode_disk *d)
{
	uint64_t major = DEV_MAJOR(i->rdev), minor = DEV_MINOR(i->rdev);

	memset(d->i_block, 0, sizeof(d->i_block));
	if (major < 256 && minor < 256) /* the old form: 8 and 8 bits */
		d->i_block[0] = (uint32_t)(major << 8 | minor);
	else
		d->i_block[1] = (uint32_t)((minor & 0xff) | major << 8 |
					   (minor & ~0xffull) << 12);
}

static void
fill_raw(struct ext4_super *s, const struct inode *i, uint8_t *raw)
{
	struct ext4_inode_disk *d = (void *)raw;
	struct ext4_inode *e = ext4_i(i);
	uint64_t size = S_ISREG(i->mode) ? e->disksize : i->size;

	if (e->fresh) {
		memset(raw, 0, s->inode_size);
		e->fresh = false;
	}
	d->i_mode = (uint16_t)i->mode;
	d->i_uid = (uint16_t)i->uid;
	d->i_uid_high = (uint16_t)(i->uid >> 16);
	d->i_gid = (uint16_t)i->gid;
	d->i_gid_high = (uint16_t)(i->gid >> 16);
	/* A directory with too many says 1: nobody counts (dir_nlink). */
	d->i_links_count = i->nlink > 65000 ? 1 : (uint16_t)i->nlink;
	d->i_size_lo = (uint32_t)size;
	d->i_size_high = (uint32_t)(size >> 32);
	d->i_blocks_lo = (uint32_t)i->blocks;
	d->i_blocks_high = (uint16_t)(i->blocks >> 32);
	d->i_flags = e->flags & ~EXT4_FL_HUGE_FILE;
	d->i_dtime = e->next_orphan;
	d->i_generation = i->generation;
	d->i_file_acl_lo = (uint32_t)e->file_acl;
	d->i_file_acl_high = (uint16_t)(e->file_acl >> 32);
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		put_device(i, d);
	else
		memcpy(d->i_block, e->block, sizeof(d->i_block));
	if (s->inode_size > 128)
		d->i_extra_isize = (uint16_t)e->extra_isize;
	put_times(s, i, d);
	ext4_inode_csum_set(s, (uint32_t)i->ino, raw);
}

int
ext4_inode_raw_write(struct jhandle *h, const struct inode *i,
		     struct ext4_buf *b, uint8_t **raw)
{
	int err = ext4_inode_raw(h->s, i->ino, b, raw);

	if (err)
		return err;
	err = ext4_bwrite(h, b, JK_PLAIN, 0);
	if (err)
		ext4_brelse(b);
	return err;
}

int
ext4_iready(struct jhandle *h, struct inode *i)
{
	struct ext4_buf b;
	uint8_t *raw;
	int err = ext4_inode_raw_write(h, i, &b, &raw);

	if (!err)
		ext4_brelse(&b);
	return err;
}

int
ext4_iwrite(struct jhandle *h, struct inode *i, bool size)
{
	struct ext4_inode *e = ext4_i(i);
	struct ext4_buf b;
	uint8_t *raw;
	int err = ext4_inode_raw_write(h, i, &b, &raw);

	if (err)
		return err;
	mutex_lock(&e->raw_lock);
	fill_raw(h->s, i, raw);
	mutex_unlock(&e->raw_lock);
	atomic_store_relaxed(&e->sync_tid, journal_tid(h));
	if (size)
		atomic_store_relaxed(&e->datasync_tid, journal_tid(h));
	ext4_brelse(&b);
	return ext4_quota_sync(h, i);
}

int
ext4_write_inode(struct inode *i)
{
	struct jhandle h;
	int err = journal_start(ext4_sb(i), 2, &h);

	if (err)
		return err;
	err = ext4_iwrite(&h, i, false);
	journal_stop(&h);
	return err;
}

int
ext4_fsync(struct inode *i, bool datasync, const struct page_range *data)
{
	struct ext4_super *s = ext4_sb(i);
	struct ext4_inode *e = ext4_i(i);
	uint32_t tid =
		atomic_load_relaxed(datasync ? &e->datasync_tid : &e->sync_tid);

	if (!s->journal || !s->journal->writable)
		return 0; /* read-only: nothing was ever written */
	return journal_sync(s->journal, tid, data);
}

/* ---- attributes ---- */

/*
 * The file is about to grow beyond its size.  After a crash the disk may still
 * have bytes behind the end that a truncation was to zero: they must not come
 * back.  What is in memory is clean, so only a page that is not is looked at.
 */
static int
clean_tail(struct inode *i)
{
	uint64_t size = i->size, tail = size & PAGE_MASK;
	struct ext4_super *s = ext4_sb(i);
	struct ext4_map m;
	struct page *p;
	int err;

	if (!tail || !i->cache)
		return 0;
	p = page_cache_find(i->cache, size >> PAGE_SHIFT);
	if (p) {
		page_put(p);
		page_cache_grow(i->cache, size);
		return 0;
	}
	err = ext4_map_block(i, (uint32_t)(size >> s->block_shift), &m);
	if (err || !m.pblk || !(size & (s->block_size - 1)))
		return err;
	return page_cache_zero(i->cache, size,
			       size - (size & (s->block_size - 1)) +
				       s->block_size);
}

int
ext4_write_begin(struct inode *i, int64_t pos, size_t len)
{
	(void)len;
	if (i->state & INODE_IMMUTABLE) /* since it was opened */
		return -EPERM;
	return (uint64_t)pos > i->size ? clean_tail(i) : 0;
}

/* What is behind the new end in its block becomes zeroes.  In a hole it is
 * nothing but where a page waits to be written. */
static int
zero_behind(struct inode *i, uint64_t size, uint64_t end)
{
	struct page *p = page_cache_find(i->cache, size >> PAGE_SHIFT);
	bool dirty = p && (p->flags & (PG_DIRTY | PG_WRITEBACK));
	struct ext4_map m;
	int err = ext4_map_any(i, (uint32_t)(size >> ext4_sb(i)->block_shift),
			       &m);

	if (p)
		page_put(p);
	if (!err && (m.pblk || dirty))
		err = page_cache_zero(i->cache, size, end);
	return err;
}

static int
set_size(struct inode *i, uint64_t size)
{
	struct ext4_super *s = ext4_sb(i);
	uint64_t max = (uint64_t)UINT32_MAX << s->block_shift;
	uint64_t end = (size + s->block_size - 1) & ~(s->block_size - 1ull);
	int err;

	if (!S_ISREG(i->mode))
		return S_ISDIR(i->mode) ? -EISDIR : -EINVAL;
	if (!(ext4_i(i)->flags & EXT4_FL_EXTENTS))
		return -EOPNOTSUPP;
	if (size > max)
		return -EFBIG;
	if (size >= i->size) {
		err = size > i->size ? clean_tail(i) : 0;
		if (!err)
			atomic_store_release(&i->size, size);
		return err;
	}
	if (size & (s->block_size - 1)) {
		err = zero_behind(i, size, end);
		if (err)
			return err;
	}
	atomic_store_release(&i->size, size);
	page_cache_truncate(i->cache, size);
	ext4_cut_page(i, size);
	return ext4_truncate(i, size);
}

int
ext4_setattr(struct inode *i, const struct inode_attr *a)
{
	struct inode_attr now = { .valid = 0 };
	struct ext4_inode *e = ext4_i(i);
	struct jhandle h;
	int err = 0;

	if (a->valid & ATTR_SIZE)
		err = set_size(i, a->size);
	if (!err && (a->valid & (ATTR_UID | ATTR_GID)))
		err = ext4_quota_ready(ext4_sb(i),
				       a->valid & ATTR_UID ? a->uid : i->uid,
				       a->valid & ATTR_GID ? a->gid : i->gid);
	if (!err)
		err = journal_start(ext4_sb(i), 3, &h);
	if (err)
		return err;
	inode_now(&now);
	inode_copy_attr(i, a);
	i->ctime = now.ctime;
	if (a->valid & ATTR_SIZE) {
		write_lock(&e->tree_lock);
		/* At once, also with dirty pages below: on the disk they are
		 * holes until they are written. */
		e->disksize = i->size;
		write_unlock(&e->tree_lock);
	}
	err = ext4_iwrite(&h, i, a->valid & ATTR_SIZE);
	journal_stop(&h);
	return err;
}

/* ---- flags ---- */

/* Those that mean something to us, or nothing to anybody (SECRM, UNRM, COMPR,
 * NOTAIL), or what is done anyhow (NOATIME). */
#define SETTABLE                                                 \
	(FS_FL_SECRM | FS_FL_UNRM | FS_FL_COMPR | FS_FL_NOTAIL | \
	 FS_FL_IMMUTABLE | FS_FL_APPEND | FS_FL_NODUMP | FS_FL_NOATIME)
/* What a new file has of its directory's; a special one, few. */
#define INHERITED                                                             \
	(FS_FL_SECRM | FS_FL_UNRM | FS_FL_COMPR | FS_FL_SYNC | FS_FL_NODUMP | \
	 FS_FL_NOATIME | FS_FL_NOTAIL | FS_FL_DIRSYNC)
/* Of the file's form: whoever sets or clears one is not heard, as in Linux. */
#define NOT_HEARD 0x10101d00u

uint32_t
ext4_get_flags(struct inode *i)
{
	return ext4_i(i)->flags & ~EXT4_FL_HUGE_FILE;
}

int
ext4_set_flags(struct inode *i, uint32_t flags)
{
	struct ext4_inode *e = ext4_i(i);
	uint32_t may = SETTABLE | (S_ISDIR(i->mode) ? FS_FL_TOPDIR : 0);
	uint32_t changed = (ext4_get_flags(i) ^ flags) & ~NOT_HEARD;
	struct inode_attr now = { .valid = 0 };
	struct jhandle h;
	int err;

	if (changed & ~may)
		return -EOPNOTSUPP;
	err = journal_start(ext4_sb(i), 3, &h);
	if (err)
		return err;
	inode_now(&now);
	i->ctime = now.ctime;
	e->flags ^= changed;
	atomic_and(&i->state, ~(INODE_IMMUTABLE | INODE_APPEND));
	atomic_or(&i->state, (flags & FS_FL_IMMUTABLE ? INODE_IMMUTABLE : 0) |
				     (flags & FS_FL_APPEND ? INODE_APPEND : 0));
	err = ext4_iwrite(&h, i, false);
	journal_stop(&h);
	return err;
}

static uint32_t
inherited(const struct inode *dir, uint32_t mode)
{
	uint32_t flags = ext4_i(dir)->flags & INHERITED;

	if (S_ISDIR(mode))
		return flags;
	return flags &
	       (S_ISREG(mode) ? ~FS_FL_DIRSYNC : FS_FL_NODUMP | FS_FL_NOATIME);
}

/* ---- birth ---- */

static void
set_owner(struct inode *i, const struct inode *dir, uint32_t mode)
{
	const struct cred *c = thread_current()->cred;

	i->mode = mode;
	i->uid = c ? c->fsuid : 0;
	i->gid = c ? c->fsgid : 0;
	if (!(dir->mode & S_ISGID))
		return;
	i->gid = dir->gid;
	if (S_ISDIR(mode))
		i->mode |= S_ISGID;
	else if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010) && c &&
		 !cred_in_group(c, i->gid) && c->fsgid != i->gid &&
		 !cred_capable(c, CAP_FSETID))
		i->mode &= ~(uint32_t)S_ISGID;
}

int
ext4_new_inode(struct jhandle *h, struct inode *dir, uint32_t mode,
	       uint64_t rdev, struct inode **out)
{
	struct inode_attr now = { .valid = 0 };
	struct ext4_super *s = h->s;
	struct ext4_inode *e;
	struct inode *i;
	uint32_t ino;
	bool fresh;
	int err = ext4_ialloc(h, dir, mode, &ino);

	if (err)
		return err;
	err = inode_get_cached(&s->sb, ino, &i, &fresh);
	if (!err && !fresh) {
		inode_put(i);
		err = ext4_bad(s, ino, "a free inode is in use");
	}
	if (err)
		goto undo;
	set_owner(i, dir, mode);
	i->rdev = rdev;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	i->generation = atomic_add(&s->next_generation, 1);
	inode_now(&now);
	i->atime = i->mtime = i->ctime = i->btime = now.mtime;
	e = ext4_inode_make(i);
	if (!e) {
		err = -ENOMEM;
		goto fail;
	}
	e->fresh = true;
	e->flags = inherited(dir, mode);
	e->extra_isize = s->inode_size > 128 ? s->want_extra_isize : 0;
	e->csum_seed = ext4_inode_seed(s, ino, i->generation);
	if (S_ISREG(mode) || S_ISDIR(mode))
		ext4_ext_init(e);
	err = ext4_set_ops(i);
	if (!err)
		err = ext4_iwrite(h, i, true);
	if (err)
		goto fail;
	*out = i;
	return 0; /* still INODE_LOADING: nobody else sees it */
fail:
	ext4_inode_free(i);
	inode_fail(i, err);
undo:
	ignore(ext4_ifree(h, ino, S_ISDIR(mode))); /* err is reported */
	return err;
}

/* ---- death ---- */

bool
ext4_has_list(const struct inode *i)
{
	const struct ext4_inode *e = ext4_i(i);

	if (e->flags & EXT4_FL_EXTENTS ||
	    !(S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		return false;
	return i->blocks > (e->file_acl ? ext4_sb(i)->block_size / 512 : 0);
}

static int delete (struct inode *i)
{
	struct ext4_super *s = ext4_sb(i);
	struct ext4_inode *e = ext4_i(i);
	struct jhandle h;
	int err = journal_start(s, ext4_ext_credits(i) + 16, &h);

	if (err)
		return err;
	if (e->flags & EXT4_FL_EXTENTS)
		err = ext4_remove_blocks(i, &h, 0, UINT32_MAX - 1);
	else if (ext4_has_list(i))
		err = -EOPNOTSUPP;
	if (!h.tx)
		return err;
	if (!err)
		err = journal_extend(&h, 16);
	if (err == -EAGAIN)
		err = journal_restart(&h, 16);
	if (!h.tx)
		return err;
	if (!err)
		err = ext4_iready(&h, i);
	if (!err)
		err = ext4_ifree_ready(&h, i->ino);
	if (!err)
		err = ext4_xattr_drop(&h, i);
	if (!err)
		err = ext4_orphan_del(&h, i);
	if (!err) {
		e->next_orphan = (uint32_t)(clock_real_ns() / NSEC_PER_SEC);
		i->size = e->disksize = 0;
		e->gone = true;
		err = ext4_iwrite(&h, i, false);
	}
	if (!err)
		err = ext4_ifree(&h, i->ino, S_ISDIR(i->mode));
	journal_stop(&h);
	return err;
}

void
ext4_evict(struct inode *i)
{
	struct ext4_super *s = ext4_sb(i);
	struct ext4_inode *e = ext4_i(i);

	if (i->cache)
		page_cache_destroy(i->cache);
	i->cache = NULL;
	if (e)
		ext4_lost_evict(i);
	if (e && !i->nlink && !e->no_delete && s->journal &&
	    s->journal->writable && delete (i)) {
		log_warn("ext4 %s: deleted file %lu cannot be freed before "
			 "the next mount",
			 s->dev->name, (unsigned long)i->ino);
		if (ext4_orphan_lose(i))
			i->priv = NULL;
	}
	ext4_inode_free(i);
}
