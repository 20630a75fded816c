/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that change files and their names: make, link, remove, rename,
 * mode, owner, times, size; mounts; what concerns data on their way to disks.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <abi/resource.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <abi/time.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <file/pipe.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/pagecache.h>
#include <fs/vfs.h>
#include <linux/fcntl_fs.h>
#include <linux/pathbuf.h>
#include <linux/syscalls_gen.h>
#include <mem/heap.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define MOUNT_DATA_MAX 4096

/* ---- names ---- */

static long
make_at(int dfd, const char __user *path, uint32_t mode, uint64_t dev)
{
	struct pathbuf b;
	int err = pathbuf_get(&b, path);

	if (err)
		return err;
	err = path_mknod(dfd, b.s, mode, dev);
	pathbuf_put(&b);
	return err;
}

static long
mknod_at(int dfd, const char __user *path, uint32_t mode, uint64_t dev)
{
	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return make_at(dfd, path, mode & (S_IFMT | S_IALLUGO), dev);
}

long
sys_mknod(struct thread *t, const char __user *path, uint32_t mode,
	  uint64_t dev)
{
	(void)t;
	return mknod_at(AT_FDCWD, path, mode, (uint32_t)dev);
}

long
sys_mknodat(struct thread *t, int dirfd, const char __user *path, uint32_t mode,
	    uint64_t dev)
{
	(void)t;
	return mknod_at(dirfd, path, mode, (uint32_t)dev);
}

long
sys_mkdir(struct thread *t, const char __user *path, uint32_t mode)
{
	(void)t;
	return make_at(AT_FDCWD, path, S_IFDIR | (mode & 01777), 0);
}

long
sys_mkdirat(struct thread *t, int dirfd, const char __user *path, uint32_t mode)
{
	(void)t;
	return make_at(dirfd, path, S_IFDIR | (mode & 01777), 0);
}

static long
unlink_at(int dfd, const char __user *path, bool dir)
{
	struct pathbuf b;
	int err = pathbuf_get(&b, path);

	if (err)
		return err;
	err = path_unlink(dfd, b.s, dir);
	pathbuf_put(&b);
	return err;
}

long
sys_unlink(struct thread *t, const char __user *path)
{
	(void)t;
	return unlink_at(AT_FDCWD, path, false);
}

long
sys_rmdir(struct thread *t, const char __user *path)
{
	(void)t;
	return unlink_at(AT_FDCWD, path, true);
}

long
sys_unlinkat(struct thread *t, int dirfd, const char __user *path, int flags)
{
	(void)t;
	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	return unlink_at(dirfd, path, flags & AT_REMOVEDIR);
}

static long
symlink_at(const char __user *target, int dfd, const char __user *path)
{
	struct pathbuf a, b;
	int err = pathbuf_get(&a, target);

	if (err)
		return err;
	err = pathbuf_get(&b, path);
	if (err)
		goto out;
	err = path_symlink(a.s, dfd, b.s);
	pathbuf_put(&b);
out:
	pathbuf_put(&a);
	return err;
}

long
sys_symlink(struct thread *t, const char __user *target,
	    const char __user *path)
{
	(void)t;
	return symlink_at(target, AT_FDCWD, path);
}

long
sys_symlinkat(struct thread *t, const char __user *target, int dirfd,
	      const char __user *path)
{
	(void)t;
	return symlink_at(target, dirfd, path);
}

static long
link_at(int odfd, const char __user *from, int ndfd, const char __user *to,
	int flags)
{
	struct pathbuf a, b;
	unsigned lookup = 0;
	int err;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_SYMLINK_FOLLOW)
		lookup |= LOOKUP_FOLLOW;
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	err = pathbuf_get(&a, from);
	if (err)
		return err;
	err = pathbuf_get(&b, to);
	if (err)
		goto out;
	err = path_link(odfd, a.s, ndfd, b.s, lookup);
	pathbuf_put(&b);
out:
	pathbuf_put(&a);
	return err;
}

long
sys_link(struct thread *t, const char __user *from, const char __user *to)
{
	(void)t;
	return link_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

long
sys_linkat(struct thread *t, int odirfd, const char __user *from, int ndirfd,
	   const char __user *to, int flags)
{
	(void)t;
	return link_at(odirfd, from, ndirfd, to, flags);
}

static long
rename_at(int odfd, const char __user *from, int ndfd, const char __user *to,
	  unsigned flags)
{
	struct pathbuf a, b;
	int err = pathbuf_get(&a, from);

	if (err)
		return err;
	err = pathbuf_get(&b, to);
	if (err)
		goto out;
	err = path_rename(odfd, a.s, ndfd, b.s, flags);
	pathbuf_put(&b);
out:
	pathbuf_put(&a);
	return err;
}

long
sys_rename(struct thread *t, const char __user *from, const char __user *to)
{
	(void)t;
	return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

long
sys_renameat(struct thread *t, int odirfd, const char __user *from, int ndirfd,
	     const char __user *to)
{
	(void)t;
	return rename_at(odirfd, from, ndirfd, to, 0);
}

long
sys_renameat2(struct thread *t, int odirfd, const char __user *from, int ndirfd,
	      const char __user *to, uint32_t flags)
{
	(void)t;
	return rename_at(odirfd, from, ndirfd, to, flags);
}

/* ---- mode, owner ---- */

static long
chmod_at(int dfd, const char __user *path, uint32_t mode)
{
	struct dentry *d;
	int err = at_dentry(dfd, path, 0, &d);

	if (err)
		return err;
	err = dentry_chmod(d, mode);
	dentry_put(d);
	return err;
}

long
sys_chmod(struct thread *t, const char __user *path, uint32_t mode)
{
	(void)t;
	return chmod_at(AT_FDCWD, path, mode);
}

long
sys_fchmodat(struct thread *t, int dirfd, const char __user *path,
	     uint32_t mode)
{
	(void)t;
	return chmod_at(dirfd, path, mode);
}

long
sys_fchmod(struct thread *t, int fd, uint32_t mode)
{
	struct dentry *d;
	int err = fd_dentry(t, fd, false, &d);

	if (err)
		return err;
	err = dentry_chmod(d, mode);
	dentry_put(d);
	return err;
}

static long
chown_at(int dfd, const char __user *path, uint32_t uid, uint32_t gid,
	 int flags)
{
	struct dentry *d;
	int err = at_dentry(dfd, path, flags, &d);

	if (err)
		return err;
	err = dentry_chown(d, uid, gid);
	dentry_put(d);
	return err;
}

long
sys_chown(struct thread *t, const char __user *path, uint32_t uid, uint32_t gid)
{
	(void)t;
	return chown_at(AT_FDCWD, path, uid, gid, 0);
}

long
sys_lchown(struct thread *t, const char __user *path, uint32_t uid,
	   uint32_t gid)
{
	(void)t;
	return chown_at(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long
sys_fchownat(struct thread *t, int dirfd, const char __user *path, uint32_t uid,
	     uint32_t gid, int flags)
{
	(void)t;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chown_at(dirfd, path, uid, gid, flags);
}

long
sys_fchown(struct thread *t, int fd, uint32_t uid, uint32_t gid)
{
	struct dentry *d;
	int err = fd_dentry(t, fd, false, &d);

	if (err)
		return err;
	err = dentry_chown(d, uid, gid);
	dentry_put(d);
	return err;
}

/* ---- times ---- */

static void
set_now(struct timespec64 *ts)
{
	uint64_t now = clock_real_ns();

	ts->sec = (int64_t)(now / NSEC_PER_SEC);
	ts->nsec = (uint32_t)(now % NSEC_PER_SEC);
}

/* By path, or with a NULL path the descriptor's file. */
static long
utimes_at(struct thread *t, int dfd, const char __user *path,
	  struct timespec64 ts[2], bool now, int flags)
{
	struct dentry *d;
	int err = path ? at_dentry(dfd, path, flags, &d) :
			 fd_dentry(t, dfd, false, &d);

	if (err)
		return err;
	if (now) {
		set_now(&ts[0]);
		ts[1] = ts[0];
	}
	err = dentry_utimes(d, ts, now);
	dentry_put(d);
	return err;
}

long
sys_utimensat(struct thread *t, int dirfd, const char __user *path,
	      const void __user *times, int flags)
{
	struct timespec u[2];
	struct timespec64 ts[2];
	bool now = !times, both = true;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (times && copy_from_user(u, times, sizeof(u)))
		return -EFAULT;
	for (unsigned i = 0; times && i < 2; i++) {
		if (u[i].tv_nsec == UTIME_NOW) {
			set_now(&ts[i]);
			continue;
		}
		both = false;
		if (u[i].tv_nsec != UTIME_OMIT &&
		    (u[i].tv_nsec < 0 || u[i].tv_nsec >= 1000000000))
			return -EINVAL;
		ts[i].sec = u[i].tv_sec;
		ts[i].nsec = (uint32_t)u[i].tv_nsec;
	}
	if (times && u[0].tv_nsec == UTIME_OMIT && u[1].tv_nsec == UTIME_OMIT)
		return 0;
	if (!path && dirfd == AT_FDCWD)
		return -EFAULT;
	return utimes_at(t, dirfd, path, ts, now || both, flags);
}

/* Pairs of seconds and microseconds. */
static long
utimes_usec(struct thread *t, int dfd, const char __user *path,
	    const void __user *times)
{
	struct timespec64 ts[2];
	int64_t v[4];

	if (times && copy_from_user(v, times, sizeof(v)))
		return -EFAULT;
	for (unsigned i = 0; times && i < 2; i++) {
		if (v[i * 2 + 1] < 0 || v[i * 2 + 1] >= 1000000)
			return -EINVAL;
		ts[i].sec = v[i * 2];
		ts[i].nsec = (uint32_t)v[i * 2 + 1] * 1000;
	}
	if (!path && dfd == AT_FDCWD)
		return -EFAULT;
	return utimes_at(t, dfd, path, ts, !times, 0);
}

long
sys_utimes(struct thread *t, const char __user *path, const void __user *times)
{
	return utimes_usec(t, AT_FDCWD, path, times);
}

long
sys_futimesat(struct thread *t, int dirfd, const char __user *path,
	      const void __user *times)
{
	return utimes_usec(t, dirfd, path, times);
}

long
sys_utime(struct thread *t, const char __user *path, const void __user *times)
{
	struct timespec64 ts[2];
	int64_t v[2];

	if (times && copy_from_user(v, times, sizeof(v)))
		return -EFAULT;
	for (unsigned i = 0; times && i < 2; i++) {
		ts[i].sec = v[i];
		ts[i].nsec = 0;
	}
	if (!path)
		return -EFAULT;
	return utimes_at(t, AT_FDCWD, path, ts, !times, 0);
}

/* ---- sizes and data ---- */

static long
size_result(struct thread *t, long err)
{
	if (err == -EFBIG)
		ignore(signal_send_thread(t, SIGXFSZ, NULL)); /* queue full */
	return err;
}

long
sys_truncate(struct thread *t, const char __user *path, int64_t len)
{
	struct pathbuf b;
	int err;

	if (len < 0)
		return -EINVAL;
	err = pathbuf_get(&b, path);
	if (err)
		return err;
	err = path_truncate(b.s, len);
	pathbuf_put(&b);
	return size_result(t, err);
}

long
sys_ftruncate(struct thread *t, int fd, int64_t len)
{
	struct file *f;
	int err;

	if (len < 0)
		return -EINVAL;
	err = fd_get(t->fds, fd, &f);
	if (err)
		return err;
	if (!f->ops->truncate || !(f->mode & FILE_WRITE))
		err = -EINVAL;
	else
		err = f->ops->truncate(f, len);
	file_put(f);
	return size_result(t, err);
}

/* Modes do not go together. */
static bool
known_fallocate(int mode)
{
	switch (mode) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		return true;
	}
	return false;
}

/* Would the file grow beyond RLIMIT_FSIZE? */
static bool
over_limit(const struct file *f, int mode, int64_t end)
{
	return !(mode & FALLOC_FL_KEEP_SIZE) && f->inode &&
	       (uint64_t)end > rlimit_soft(RLIMIT_FSIZE) &&
	       (uint64_t)end > f->inode->size;
}

long
file_fallocate(struct file *f, int mode, int64_t offset, int64_t len)
{
	int64_t end;

	if (offset < 0 || len <= 0)
		return -EINVAL;
	if (!known_fallocate(mode))
		return -EOPNOTSUPP;
	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if (__builtin_add_overflow(offset, len, &end))
		return -EFBIG;
	if (f->mode & FILE_DIR)
		return -EISDIR;
	if (pipe_is(f))
		return -ESPIPE;
	if (f->mode & FILE_STREAM || (f->inode && !S_ISREG(f->inode->mode)))
		return -ENODEV;
	if (!f->ops->fallocate)
		return -EOPNOTSUPP;
	return over_limit(f, mode, end) ?
		       -EFBIG :
		       f->ops->fallocate(f, mode, offset, len);
}

long
sys_fallocate(struct thread *t, int fd, int mode, int64_t offset, int64_t len)
{
	struct file *f;
	long r = fd_get(t->fds, fd, &f);

	if (r)
		return r;
	r = file_fallocate(f, mode, offset, len);
	if (r == -EFBIG && len <= INT64_MAX - offset &&
	    over_limit(f, mode, offset + len))
		ignore(signal_send_thread(t, SIGXFSZ, NULL)); /* queue full */
	file_put(f);
	return r;
}

static long
sync_file(struct thread *t, int fd, bool datasync)
{
	struct file *f;
	int err = fd_get(t->fds, fd, &f);

	if (err)
		return err;
	err = f->ops->fsync ? f->ops->fsync(f, 0, INT64_MAX, datasync) :
			      -EINVAL;
	file_put(f);
	return err;
}

long
sys_fsync(struct thread *t, int fd)
{
	return sync_file(t, fd, false);
}

long
sys_fdatasync(struct thread *t, int fd)
{
	return sync_file(t, fd, true);
}

long
sys_sync(struct thread *t)
{
	(void)t;
	ignore(vfs_sync_all()); /* sync(2) reports nothing */
	return 0;
}

long
sys_syncfs(struct thread *t, int fd)
{
	struct file *f;
	int err = fd_get(t->fds, fd, &f), e;

	if (err)
		return err;
	if (f->inode) { /* a pipe has nothing to write */
		err = super_sync(f->inode->sb);
		e = errseq_check_advance(&f->inode->sb->wb_err, &f->sb_err);
		if (!err)
			err = e;
	}
	file_put(f);
	return err;
}

#define SYNC_WAIT_BEFORE 1u
#define SYNC_WRITE	 2u
#define SYNC_WAIT_AFTER	 4u

/* Of data only: neither what finds them nor the device's cache. */
static int
sync_pages(struct file *f, int64_t start, int64_t end, uint32_t flags)
{
	struct page_cache *pc = f->inode ? f->inode->cache : NULL;
	uint64_t first = (uint64_t)start >> PAGE_SHIFT;
	uint64_t last = ((uint64_t)end + PAGE_SIZE - 1) >> PAGE_SHIFT;

	if (!pc || pc->anonymous)
		return 0;
	if (flags & SYNC_WAIT_BEFORE)
		page_cache_wait_range(pc, first, last);
	if (flags & SYNC_WRITE)
		page_cache_write_range(pc, first, last, false);
	if (flags & SYNC_WAIT_AFTER)
		page_cache_wait_range(pc, first, last);
	if (!(flags & (SYNC_WAIT_BEFORE | SYNC_WAIT_AFTER)))
		return 0;
	return errseq_check_advance(&pc->wb_err, &f->wb_err);
}

long
sync_range_on(struct file *f, int64_t offset, int64_t len, uint32_t flags)
{
	int64_t end;

	if ((flags & ~7u) || offset < 0 || len < 0)
		return -EINVAL;
	if (!len || __builtin_add_overflow(offset, len, &end))
		end = INT64_MAX;
	if (f->mode & FILE_STREAM)
		return -ESPIPE;
	return sync_pages(f, offset, end, flags);
}

long
sys_sync_file_range(struct thread *t, int fd, int64_t offset, int64_t len,
		    uint32_t flags)
{
	struct file *f;
	long r;

	if ((flags & ~7u) || offset < 0 || len < 0)
		return -EINVAL; /* before a descriptor that is none */
	r = fd_get(t->fds, fd, &f);
	if (r)
		return r;
	r = sync_range_on(f, offset, len, flags);
	file_put(f);
	return r;
}

long
fadvise_on(struct file *f, int64_t offset, int64_t len, int advice)
{
	struct page_cache *pc;
	uint64_t end;
	int err = 0;

	if ((f->mode & FILE_STREAM) || (f->inode && S_ISFIFO(f->inode->mode)))
		err = -ESPIPE;
	else if (len < 0 || advice < POSIX_FADV_NORMAL ||
		 advice > POSIX_FADV_NOREUSE)
		err = -EINVAL;
	pc = f->inode ? f->inode->cache : NULL;
	if (err || !pc || offset < 0)
		return err;
	end = len && len <= INT64_MAX - offset ? (uint64_t)(offset + len) :
						 INT64_MAX;
	if (advice == POSIX_FADV_WILLNEED)
		page_cache_readahead(pc, (uint64_t)offset >> PAGE_SHIFT,
				     (end - (uint64_t)offset + PAGE_SIZE - 1) >>
					     PAGE_SHIFT);
	else if (advice == POSIX_FADV_DONTNEED)
		page_cache_drop(pc, (uint64_t)offset >> PAGE_SHIFT,
				end >> PAGE_SHIFT);
	return 0;
}

long
sys_fadvise64(struct thread *t, int fd, int64_t offset, int64_t len, int advice)
{
	struct file *f;
	long r = fd_get(t->fds, fd, &f);

	if (r)
		return r;
	r = fadvise_on(f, offset, len, advice);
	file_put(f);
	return r;
}

long
sys_readahead(struct thread *t, int fd, int64_t offset, size_t count)
{
	struct file *f;
	int err = fd_get(t->fds, fd, &f);

	if (err)
		return err;
	if (!(f->mode & FILE_READ))
		err = -EBADF;
	else if (!f->inode || !f->inode->cache || offset < 0)
		err = -EINVAL;
	else
		page_cache_readahead(f->inode->cache,
				     (uint64_t)offset >> PAGE_SHIFT,
				     (count + PAGE_SIZE - 1) >> PAGE_SHIFT);
	file_put(f);
	return err;
}

long
sys_flock(struct thread *t, int fd, int op)
{
	struct file *f;
	int err = fd_get(t->fds, fd, &f);

	if (err)
		return err;
	err = file_flock(f, op);
	file_put(f);
	return err;
}

/* ---- mounts ---- */

long
sys_mount(struct thread *t, const char __user *source,
	  const char __user *target, const char __user *type, uint64_t flags,
	  const void __user *data)
{
	struct pathbuf s = { .s = NULL }, g, y = { .s = NULL }, o;
	int err = pathbuf_get(&g, target);

	(void)t;
	if (err)
		return err;
	o.s = o.small;
	o.small[0] = '\0';
	if (source)
		err = pathbuf_get(&s, source);
	if (!err && type) {
		err = pathbuf_get(&y, type);
		if (err)
			y.s = NULL;
	} else if (err) {
		s.s = NULL;
	}
	if (!err && data) {
		err = pathbuf_get(&o, data);
		if (err)
			o.s = o.small;
	}
	if (!err)
		err = vfs_mount(y.s, s.s, g.s, (unsigned)flags, o.s);
	pathbuf_put(&o);
	if (y.s)
		pathbuf_put(&y);
	if (s.s)
		pathbuf_put(&s);
	pathbuf_put(&g);
	return err;
}

long
sys_umount2(struct thread *t, const char __user *target, int flags)
{
	struct dentry *d;
	int err = at_dentry(AT_FDCWD, target,
			    flags & UMOUNT_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0,
			    &d);

	(void)t;
	if (err)
		return err;
	err = vfs_unmount(d, (unsigned)flags);
	if (err)
		dentry_put(d);
	return err;
}
