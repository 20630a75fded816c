/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files of file systems: regular files, directories, and those that
 * only name a path (O_PATH).
 *
 * Reads take no lock; writes, truncation and fallocate hold the inode's lock
 * for writing, which also makes O_APPEND exact.
 */
#include "fs_priv.h"
#include "pagecache_priv.h"

#include <abi/dirent.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <abi/prctl.h>
#include <abi/statfs.h>
#include <base/atomic.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/notify.h>
#include <fs/pagecache.h>
#include <sched/thread.h>
#include <vm/space.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

/* The largest offset: so that page numbers and sums do not wrap. */
#define MAX_FILE_SIZE INT64_MAX

static ssize_t
regular_read(struct file *f, struct uio *u, int64_t *pos)
{
	if (unlikely(f->flags & O_DIRECT) && !f->inode->cache->anonymous)
		return direct_read(f, u, pos);
	return page_cache_read(f->inode->cache, u, pos);
}

/* A program that writes to it takes the right to run as its owner away. */
static void
drop_suid(struct inode *i)
{
	const struct cred *c = thread_current()->cred;

	if (!(i->mode & (S_ISUID | S_ISGID)) || !c ||
	    cred_capable(c, CAP_FSETID))
		return;
	i->mode &= ~(uint32_t)S_ISUID;
	if (i->mode & 0010)
		i->mode &= ~(uint32_t)S_ISGID;
	inode_mark_dirty(i, false);
}

/* With the inode's lock. */
static ssize_t
write_locked(struct file *f, struct uio *u, int64_t *pos)
{
	struct inode *i = f->inode;
	ssize_t r;

	if ((f->flags & O_APPEND) || u->append)
		*pos = (int64_t)i->size;
	if (*pos < 0)
		return -EINVAL;
	if ((int64_t)u->resid > MAX_FILE_SIZE - *pos)
		return -EFBIG;
	r = i->ops->write_begin ? i->ops->write_begin(i, *pos, u->resid) : 0;
	if (r)
		return r;
	if (unlikely(f->flags & O_DIRECT) && !i->cache->anonymous)
		r = direct_write(f, u, pos);
	else
		r = page_cache_write(i->cache, u, pos);
	if (r > 0) {
		drop_suid(i);
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	}
	return r;
}

static ssize_t
regular_write(struct file *f, struct uio *u, int64_t *pos)
{
	struct inode *i = f->inode;
	ssize_t r;

	if (i->sb->flags & MS_RDONLY)
		return -EROFS;
	/* As ext4 has it: writing to the cache may have to wait. */
	if (u->nowait && !i->cache->anonymous)
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	r = write_locked(f, u, pos);
	write_unlock(&i->lock);
	if (r > 0 && unlikely(f->flags & O_DSYNC)) {
		int err = file_sync(f, *pos - r, *pos,
				    (f->flags & O_SYNC) != O_SYNC);

		if (err)
			r = err;
	}
	return r;
}

/*
 * On a device: data is what has written blocks, or a page that waits to be
 * written.  Pages are looked at first: one that is written meanwhile is found
 * by its block then.
 */
static int64_t
seek_mapped(struct inode *i, uint64_t pos, uint64_t size, bool hole)
{
	struct page_cache *pc = i->cache;
	struct page_cache_run run;

	while (pos < size) {
		uint64_t index =
			page_cache_next_unwritten(pc, pos >> PAGE_SHIFT);
		uint64_t page = index > size >> PAGE_SHIFT ?
					UINT64_MAX :
					index << PAGE_SHIFT;
		int err = pc->ops->map(pc, pos, size - pos, false, &run);

		if (err)
			return err;
		if (!run.hole || page <= pos) {
			if (!hole)
				return (int64_t)pos;
			pos = !run.hole ? pos + run.len :
					  (index + 1) << PAGE_SHIFT;
		} else if (hole) {
			return (int64_t)pos;
		} else {
			pos = page < pos + run.len ? page : pos + run.len;
		}
	}
	return hole ? (int64_t)size : -ENXIO;
}

static int64_t
seek_data(struct inode *i, int64_t off, bool hole)
{
	uint64_t size = i->size, index = (uint64_t)off >> PAGE_SHIFT, next;
	int64_t at;

	if (off < 0 || (uint64_t)off >= size)
		return -ENXIO;
	if (!i->cache->anonymous && !i->cache->ops->map)
		return hole ? (int64_t)size : off; /* as if without holes */
	if (!i->cache->anonymous) {
		read_lock(&i->lock);
		at = seek_mapped(i, (uint64_t)off, size, hole);
		read_unlock(&i->lock);
		return at;
	}
	for (;;) {
		next = page_cache_next_data(i->cache, index);
		if (!hole) {
			if (next == index)
				return off;
			if (next == UINT64_MAX || next << PAGE_SHIFT >= size)
				return -ENXIO;
			return (int64_t)(next << PAGE_SHIFT);
		}
		if (next != index)
			return off > (int64_t)(index << PAGE_SHIFT) ?
				       off :
				       (int64_t)(index << PAGE_SHIFT);
		if (++index << PAGE_SHIFT >= size)
			return (int64_t)size;
	}
}

static int64_t
regular_seek(struct file *f, int64_t off, int whence)
{
	struct inode *i = f->inode;
	int64_t pos = off;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		if (__builtin_add_overflow(f->pos, off, &pos))
			return -EINVAL;
		break;
	case SEEK_END:
		if (__builtin_add_overflow((int64_t)i->size, off, &pos))
			return -EINVAL;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		pos = seek_data(i, off, whence == SEEK_HOLE);
		if (pos < 0)
			return pos;
		break;
	default:
		return -EINVAL;
	}
	if (pos < 0)
		return -EINVAL;
	f->pos = pos;
	return pos;
}

static int
regular_mmap(struct file *f, struct file_mmap *m)
{
	struct inode *i = f->inode;

	if ((i->state & INODE_APPEND) && (m->vma_flags & VMA_SHARED) &&
	    (f->mode & FILE_WRITE)) /* mprotect may make it writable */
		return -EACCES;
	if (i->ops->may_map) {
		int err = i->ops->may_map(i, m);

		if (err)
			return err;
	}
	m->object = &i->cache->object;
	vm_object_get(m->object);
	return 0;
}

static int
any_stat(struct file *f, struct kstat *st)
{
	return inode_getattr(f->inode, st);
}

static int
any_statfs(struct file *f, struct statfs *st)
{
	return vfs_statfs(f->dentry, st);
}

static int
regular_truncate(struct file *f, int64_t len)
{
	int err;

	if (len < 0)
		return -EINVAL;
	if (f->inode->state & (INODE_APPEND | INODE_IMMUTABLE))
		return -EPERM;
	err = inode_truncate(f->inode, (uint64_t)len);
	if (!err)
		notify_file(f, IN_MODIFY);
	return err;
}

static int
regular_fallocate(struct file *f, int mode, int64_t off, int64_t len)
{
	struct inode *i = f->inode;
	int err;

	if (!i->ops->fallocate)
		return i->sb->flags & MS_RDONLY ? -EROFS : -EOPNOTSUPP;
	if ((i->state & INODE_IMMUTABLE) ||
	    ((i->state & INODE_APPEND) && (mode & ~FALLOC_FL_KEEP_SIZE)))
		return -EPERM;
	write_lock(&i->lock);
	err = i->ops->fallocate(i, mode, off, len);
	write_unlock(&i->lock);
	if (!err)
		notify_file(f, IN_MODIFY);
	return err;
}

static int
regular_set_flags(struct file *f, unsigned flags)
{
	return (f->inode->state & INODE_APPEND) && !(flags & O_APPEND) ?
		       -EPERM :
		       0;
}

static long
regular_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	int n;

	if (cmd != FIONREAD)
		return inode_ioctl(f, cmd, arg);
	n = (int)((int64_t)f->inode->size - f->pos);
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static void
regular_release(struct file *f)
{
	locks_release(f);
	leases_release(f);
	if (f->mode & FILE_WRITE)
		atomic_sub(&f->inode->sb->nwriters, 1);
}

static void
regular_flush(struct file *f)
{
	locks_flush(f);
	if (f->inode->ops->flush)
		f->inode->ops->flush(f->inode);
}

const struct file_ops page_cache_file_ops = {
	.read = regular_read,
	.write = regular_write,
	.read_pages = page_cache_read_pages,
	.seek = regular_seek,
	.ioctl = regular_ioctl,
	.mmap = regular_mmap,
	.stat = any_stat,
	.statfs = any_statfs,
	.fsync = file_sync,
	.truncate = regular_truncate,
	.fallocate = regular_fallocate,
	.set_flags = regular_set_flags,
	.flush = regular_flush,
	.release = regular_release,
};

/* ---- directories ---- */

static ssize_t
dir_read(struct file *f, struct uio *u, int64_t *pos)
{
	(void)f, (void)u, (void)pos;
	return -EISDIR;
}

static int64_t
dir_seek(struct file *f, int64_t off, int whence)
{
	if (whence == SEEK_CUR)
		off += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

static int
dir_readdir(struct file *f, struct dir_emit *e)
{
	struct inode *dir = f->inode;
	struct dentry *parent = f->dentry;
	uint64_t up;
	int err;

	if (!dir->ops->iterate)
		return -ENOTDIR;
	while (parent->parent == parent && parent->covers)
		parent = parent->covers;
	up = parent->parent->inode ? parent->parent->inode->ino : dir->ino;
	read_lock(&dir->lock);
	/* A removed directory is not even itself any more. */
	err = dir->nlink ? dir->ops->iterate(dir, &f->pos, up, e) : -ENOENT;
	read_unlock(&dir->lock);
	if (!err)
		notify_file(f, IN_ACCESS);
	return err;
}

const struct file_ops dir_file_ops = {
	.read = dir_read,
	.seek = dir_seek,
	.stat = any_stat,
	.statfs = any_statfs,
	.ioctl = inode_ioctl,
	.readdir = dir_readdir,
	.fsync = file_sync,
	.release = locks_release,
};

const struct file_ops path_file_ops = {
	.stat = any_stat,
	.statfs = any_statfs,
};
