/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that ask what a file or file system is: stat and its kin,
 * access, statfs, readlink, directory entries.
 */
#include <abi/dirent.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/stat.h>
#include <abi/statfs.h>
#include <base/math.h>
#include <base/string.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <linux/pathbuf.h>
#include <linux/syscalls_gen.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

static long
put_stat(const struct kstat *k, void __user *to)
{
	struct stat st = {
		.st_dev = k->dev,
		.st_ino = k->ino,
		.st_nlink = k->nlink,
		.st_mode = k->mode,
		.st_uid = k->uid,
		.st_gid = k->gid,
		.st_rdev = k->rdev,
		.st_size = (int64_t)k->size,
		.st_blksize = k->blksize,
		.st_blocks = (int64_t)k->blocks,
		.st_atime = (uint64_t)k->atime.sec,
		.st_atime_nsec = k->atime.nsec,
		.st_mtime = (uint64_t)k->mtime.sec,
		.st_mtime_nsec = k->mtime.nsec,
		.st_ctime = (uint64_t)k->ctime.sec,
		.st_ctime_nsec = k->ctime.nsec,
	};

	return copy_to_user(to, &st, sizeof(st));
}

static int
stat_file(struct thread *t, int fd, struct kstat *k)
{
	struct file *f;
	int err = fd_get_any(t->fds, fd, &f);

	if (err)
		return err;
	memset(k, 0, sizeof(*k));
	err = f->ops->stat ? f->ops->stat(f, k) : -EBADF;
	file_put(f);
	return err;
}

/* A descriptor for "" may be of a file without a path, so it goes by the
 * file's own operation. */
static int
stat_at(struct thread *t, int dfd, const char __user *path, int atflags,
	struct kstat *k)
{
	unsigned lookup = atflags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct pathbuf b;
	int err = pathbuf_get(&b, path);

	if (err)
		return err;
	if (!*b.s && (atflags & AT_EMPTY_PATH) && dfd != AT_FDCWD) {
		err = stat_file(t, dfd, k);
	} else {
		if (atflags & AT_EMPTY_PATH)
			lookup |= LOOKUP_EMPTY;
		err = path_stat(dfd, b.s, lookup, k);
	}
	pathbuf_put(&b);
	return err;
}

long
sys_stat(struct thread *t, const char __user *path, void __user *st)
{
	struct kstat k;
	int err = stat_at(t, AT_FDCWD, path, 0, &k);

	return err ? err : put_stat(&k, st);
}

long
sys_lstat(struct thread *t, const char __user *path, void __user *st)
{
	struct kstat k;
	int err = stat_at(t, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &k);

	return err ? err : put_stat(&k, st);
}

long
sys_fstat(struct thread *t, int fd, void __user *st)
{
	struct kstat k;
	int err = stat_file(t, fd, &k);

	return err ? err : put_stat(&k, st);
}

long
sys_newfstatat(struct thread *t, int dirfd, const char __user *path,
	       void __user *st, int flags)
{
	struct kstat k;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	err = stat_at(t, dirfd, path, flags, &k);
	return err ? err : put_stat(&k, st);
}

static struct statx_timestamp
stamp(struct kstat_time t)
{
	return (struct statx_timestamp){ .tv_sec = t.sec, .tv_nsec = t.nsec };
}

long
sys_statx(struct thread *t, int dirfd, const char __user *path, int flags,
	  uint32_t mask, void __user *st)
{
	struct kstat k;
	struct statx x;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT |
		      AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
	    (mask & STATX__RESERVED))
		return -EINVAL;
	err = stat_at(t, dirfd, path, flags, &k);
	if (err)
		return err;
	x = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = k.blksize,
		.stx_attributes = k.attributes,
		.stx_attributes_mask = k.attributes_mask |
				       STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND,
		.stx_nlink = k.nlink,
		.stx_uid = k.uid,
		.stx_gid = k.gid,
		.stx_mode = (uint16_t)k.mode,
		.stx_ino = k.ino,
		.stx_size = k.size,
		.stx_blocks = k.blocks,
		.stx_atime = stamp(k.atime),
		.stx_ctime = stamp(k.ctime),
		.stx_mtime = stamp(k.mtime),
		.stx_rdev_major = DEV_MAJOR(k.rdev),
		.stx_rdev_minor = DEV_MINOR(k.rdev),
		.stx_dev_major = DEV_MAJOR(k.dev),
		.stx_dev_minor = DEV_MINOR(k.dev),
	};
	if (k.have_btime) {
		x.stx_mask |= STATX_BTIME;
		x.stx_btime = stamp(k.btime);
	}
	return copy_to_user(st, &x, sizeof(x));
}

static long
access_at(int dfd, const char __user *path, int mode, int atflags)
{
	unsigned lookup = atflags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct pathbuf b;
	int err;

	if (mode & ~7)
		return -EINVAL;
	err = pathbuf_get(&b, path);
	if (err)
		return err;
	if (atflags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	err = path_access(dfd, b.s, mode, lookup, atflags & AT_EACCESS);
	pathbuf_put(&b);
	return err;
}

long
sys_access(struct thread *t, const char __user *path, int mode)
{
	(void)t;
	return access_at(AT_FDCWD, path, mode, 0);
}

long
sys_faccessat(struct thread *t, int dirfd, const char __user *path, int mode)
{
	(void)t;
	return access_at(dirfd, path, mode, 0);
}

long
sys_faccessat2(struct thread *t, int dirfd, const char __user *path, int mode,
	       int flags)
{
	(void)t;
	if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return access_at(dirfd, path, mode, flags);
}

long
sys_statfs(struct thread *t, const char __user *path, void __user *buf)
{
	struct statfs st;
	struct dentry *d;
	int err = at_dentry(AT_FDCWD, path, 0, &d);

	(void)t;
	if (err)
		return err;
	err = vfs_statfs(d, &st);
	dentry_put(d);
	return err ? err : copy_to_user(buf, &st, sizeof(st));
}

/* The file systems that pipes, sockets and the like are said to be on. */
static int
nameless_statfs(struct file *f, struct statfs *st)
{
	struct kstat k;
	int err;

	memset(&k, 0, sizeof(k));
	err = f->ops->stat(f, &k);
	if (err)
		return err;
	st->f_type = S_ISFIFO(k.mode) ? PIPEFS_MAGIC :
		     S_ISSOCK(k.mode) ? SOCKFS_MAGIC :
					ANON_INODE_FS_MAGIC;
	st->f_bsize = st->f_frsize = PAGE_SIZE;
	st->f_namelen = 255;
	return 0;
}

long
sys_fstatfs(struct thread *t, int fd, void __user *buf)
{
	struct statfs st;
	struct file *f;
	int err = fd_get_any(t->fds, fd, &f);

	if (err)
		return err;
	memset(&st, 0, sizeof(st));
	if (f->ops->statfs)
		err = f->ops->statfs(f, &st);
	else if (f->dentry)
		err = vfs_statfs(f->dentry, &st);
	else
		err = nameless_statfs(f, &st);
	file_put(f);
	return err ? err : copy_to_user(buf, &st, sizeof(st));
}

static long
readlink_at(int dfd, const char __user *path, void __user *buf, size_t size)
{
	struct pathbuf b;
	char *tmp;
	ssize_t n;

	if ((int)size <= 0)
		return -EINVAL;
	n = pathbuf_get(&b, path);
	if (n)
		return n;
	if (size > PATH_MAX_BYTES)
		size = PATH_MAX_BYTES;
	tmp = kmalloc(size, ALLOC_KERNEL);
	n = tmp ? path_readlink(dfd, b.s, tmp, size) : -ENOMEM;
	if (n > 0 && copy_to_user(buf, tmp, (size_t)n))
		n = -EFAULT;
	kfree(tmp);
	pathbuf_put(&b);
	return n;
}

long
sys_readlink(struct thread *t, const char __user *path, void __user *buf,
	     size_t size)
{
	(void)t;
	return readlink_at(AT_FDCWD, path, buf, size);
}

long
sys_readlinkat(struct thread *t, int dirfd, const char __user *path,
	       void __user *buf, size_t size)
{
	(void)t;
	return readlink_at(dirfd, path, buf, size);
}

/* ---- directory entries ---- */

/* Records are gathered here, a piece at a time, since entries come out with
 * the directory locked. */
#define DENTS_PIECE 32768u

struct dents {
	struct dir_emit e; /* first */
	char *buf;
	size_t size, used;
	bool full, old_form;
};

static size_t
put_record(const struct dents *d, const char *name, size_t len, uint64_t ino,
	   int64_t next_pos, uint8_t type)
{
	size_t head = d->old_form ? offsetof(struct linux_dirent, d_name) :
				    offsetof(struct linux_dirent64, d_name);
	/* The old form has the type behind the name's NUL. */
	size_t n = align_up(head + len + 1 + d->old_form, 8);
	char *p = d->buf + d->used;

	if (n > d->size - d->used)
		return 0;
	memset(p, 0, n);
	if (d->old_form) {
		struct linux_dirent *r = (struct linux_dirent *)p;

		r->d_ino = ino;
		r->d_off = (uint64_t)next_pos;
		r->d_reclen = (uint16_t)n;
		memcpy(r->d_name, name, len);
		p[n - 1] = (char)type;
	} else {
		struct linux_dirent64 *r = (struct linux_dirent64 *)p;

		r->d_ino = ino;
		r->d_off = next_pos;
		r->d_reclen = (uint16_t)n;
		r->d_type = type;
		memcpy(r->d_name, name, len);
	}
	return n;
}

static bool
emit(struct dir_emit *e, const char *name, size_t len, uint64_t ino,
     int64_t next_pos, uint8_t type)
{
	struct dents *d = container_of(e, struct dents, e);
	size_t n = put_record(d, name, len, ino, next_pos, type);

	d->used += n;
	d->full = !n;
	return n != 0;
}

static long
read_dents(struct thread *t, int fd, void __user *buf, uint32_t size,
	   bool old_form)
{
	struct dents d = { .e.fn = emit, .old_form = old_form };
	struct file *f;
	int64_t start;
	long err = fd_get(t->fds, fd, &f);

	if (err)
		return err;
	if (!f->ops->readdir) {
		err = -ENOTDIR;
		goto out;
	}
	d.size = size < DENTS_PIECE ? size : DENTS_PIECE;
	d.buf = kmalloc(d.size ? d.size : 1, ALLOC_KERNEL);
	if (!d.buf) {
		err = -ENOMEM;
		goto out;
	}
	mutex_lock(&f->pos_lock);
	start = f->pos;
	err = f->ops->readdir(f, &d.e);
	if (d.used) {
		err = (long)d.used;
		if (copy_to_user(buf, d.buf, d.used)) {
			f->pos = start;
			err = -EFAULT;
		}
	} else if (!err && d.full) {
		err = -EINVAL; /* not even one fits */
	}
	mutex_unlock(&f->pos_lock);
	kfree(d.buf);
out:
	file_put(f);
	return err;
}

long
sys_getdents64(struct thread *t, int fd, void __user *buf, uint32_t size)
{
	return read_dents(t, fd, buf, size, false);
}

long
sys_getdents(struct thread *t, int fd, void __user *buf, uint32_t size)
{
	return read_dents(t, fd, buf, size, true);
}
