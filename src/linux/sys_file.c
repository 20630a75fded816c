/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls on descriptors: reading, writing, duplicating, control.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <abi/resource.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <abi/uio.h>
#include <file/async.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <file/pipe.h>
#include <fs/attr.h>
#include <fs/pagecache.h>
#include <fs/vfs.h>
#include <linux/fcntl_fs.h>
#include <linux/syscalls_gen.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define IO_MAX		    0x7ffff000ull /* what one call moves at most */
#define FIONBIO		    0x5421u
#define FIOASYNC	    0x5452u
#define FIOCLEX		    0x5451u
#define FIONCLEX	    0x5450u
#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

/* What a failed write means besides its errno.  Of a pipe that broke after a
 * part both the part and the signal are told. */
static ssize_t
write_result(struct thread *t, const struct file *f, const struct uio *u,
	     ssize_t n)
{
	bool broken = n == -EPIPE || (n > 0 && u->resid && pipe_broken(f));

	if (broken && !(f->mode & FILE_NOSIGPIPE))
		ignore(signal_send_thread(t, SIGPIPE, NULL)); /* queue full */
	else if (n == -EFBIG)
		ignore(signal_send_thread(t, SIGXFSZ, NULL)); /* queue full */
	return n;
}

long
sys_read(struct thread *t, int fd, void __user *buf, size_t count)
{
	struct uio u UNINIT;
	struct file *f;
	ssize_t n = fd_get(t->fds, fd, &f);

	if (n)
		return n;
	if (user_range_ok(buf, count)) {
		uio_init_user(&u, buf, count < IO_MAX ? count : IO_MAX);
		n = file_read(f, &u);
	} else {
		n = -EFAULT;
	}
	file_put(f);
	return n;
}

long
sys_write(struct thread *t, int fd, const void __user *buf, size_t count)
{
	struct uio u UNINIT;
	struct file *f;
	ssize_t n = fd_get(t->fds, fd, &f);

	if (n)
		return n;
	if (user_range_ok(buf, count)) {
		uio_init_user(&u, buf, count < IO_MAX ? count : IO_MAX);
		n = file_write(f, &u);
		if (unlikely(n < (ssize_t)count))
			n = write_result(t, f, &u, n);
	} else {
		n = -EFAULT;
	}
	file_put(f);
	return n;
}

long
sys_pread64(struct thread *t, int fd, void __user *buf, size_t count,
	    int64_t offset)
{
	struct uio u UNINIT;
	struct file *f;
	ssize_t n;

	if (offset < 0)
		return -EINVAL;
	n = fd_get(t->fds, fd, &f);
	if (n)
		return n;
	uio_init_user(&u, buf, count < IO_MAX ? count : IO_MAX);
	n = file_pread(f, &u, offset);
	file_put(f);
	return n;
}

long
sys_pwrite64(struct thread *t, int fd, const void __user *buf, size_t count,
	     int64_t offset)
{
	struct uio u UNINIT;
	struct file *f;
	ssize_t n;

	if (offset < 0)
		return -EINVAL;
	n = fd_get(t->fds, fd, &f);
	if (n)
		return n;
	uio_init_user(&u, buf, count < IO_MAX ? count : IO_MAX);
	n = write_result(t, f, &u, file_pwrite(f, &u, offset));
	file_put(f);
	return n;
}

/* The four vectored forms; pos -1: the file's own position. */
static long
vectored(struct thread *t, int fd, const void __user *iov, uint32_t n,
	 int64_t pos, bool own_pos, bool write, int flags)
{
	struct file *f;
	struct uio u UNINIT;
	ssize_t r = fd_get(t->fds, fd, &f);

	if (r)
		return r;
	r = uio_init_iovec(&u, iov, n);
	if (r)
		goto out;
	r = -EOPNOTSUPP;
	if (flags &
	    ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND | RWF_NOWAIT))
		goto out_uio;
	/* Pipes and the like have O_NONBLOCK for it. */
	if ((flags & RWF_NOWAIT) && f->ops != &page_cache_file_ops)
		goto out_uio;
	u.append = write && (flags & RWF_APPEND);
	u.nowait = flags & RWF_NOWAIT;
	if (write)
		r = own_pos ? file_write(f, &u) : file_pwrite(f, &u, pos);
	else
		r = own_pos ? file_read(f, &u) : file_pread(f, &u, pos);
	if (write && r > 0 && (flags & (RWF_DSYNC | RWF_SYNC)) &&
	    f->ops->fsync) {
		int err = f->ops->fsync(f, 0, INT64_MAX, !(flags & RWF_SYNC));

		if (err)
			r = err;
	}
	if (write)
		r = write_result(t, f, &u, r);
out_uio:
	uio_fini(&u);
out:
	file_put(f);
	return r;
}

long
sys_readv(struct thread *t, int fd, const void __user *iov, uint32_t n)
{
	return vectored(t, fd, iov, n, 0, true, false, 0);
}

long
sys_writev(struct thread *t, int fd, const void __user *iov, uint32_t n)
{
	return vectored(t, fd, iov, n, 0, true, true, 0);
}

long
sys_preadv(struct thread *t, int fd, const void __user *iov, uint32_t n,
	   uint64_t pos_l, uint64_t pos_h)
{
	(void)pos_h; /* for 32-bit programs */
	if ((int64_t)pos_l < 0)
		return -EINVAL;
	return vectored(t, fd, iov, n, (int64_t)pos_l, false, false, 0);
}

long
sys_pwritev(struct thread *t, int fd, const void __user *iov, uint32_t n,
	    uint64_t pos_l, uint64_t pos_h)
{
	(void)pos_h;
	if ((int64_t)pos_l < 0)
		return -EINVAL;
	return vectored(t, fd, iov, n, (int64_t)pos_l, false, true, 0);
}

long
sys_preadv2(struct thread *t, int fd, const void __user *iov, uint32_t n,
	    uint64_t pos_l, uint64_t pos_h, int flags)
{
	(void)pos_h;
	if ((int64_t)pos_l < -1)
		return -EINVAL;
	return vectored(t, fd, iov, n, (int64_t)pos_l, (int64_t)pos_l == -1,
			false, flags);
}

long
sys_pwritev2(struct thread *t, int fd, const void __user *iov, uint32_t n,
	     uint64_t pos_l, uint64_t pos_h, int flags)
{
	(void)pos_h;
	if ((int64_t)pos_l < -1)
		return -EINVAL;
	return vectored(t, fd, iov, n, (int64_t)pos_l, (int64_t)pos_l == -1,
			true, flags);
}

long
sys_lseek(struct thread *t, int fd, int64_t offset, int whence)
{
	struct file *f;
	long r = fd_get(t->fds, fd, &f);

	if (r)
		return r;
	r = f->ops->seek ? f->ops->seek(f, offset, whence) : -ESPIPE;
	file_put(f);
	return r;
}

long
sys_close(struct thread *t, int fd)
{
	return fd_close(t->fds, fd);
}

long
sys_close_range(struct thread *t, uint32_t first, uint32_t last, uint32_t flags)
{
	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	if (first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		struct fdtable *own, *shared = t->fds;
		int err = fdtable_clone(shared, &own);

		if (err)
			return err;
		t->fds = own;
		fdtable_put(shared);
	}
	return fd_close_range(t->fds, first, last, flags & CLOSE_RANGE_CLOEXEC);
}

static long
dup_from(struct thread *t, int fd, int min, bool cloexec)
{
	struct file *f;
	long r = fd_get_any(t->fds, fd, &f);

	if (r)
		return r;
	r = fd_reserve(t->fds, min, cloexec);
	if (r < 0)
		file_put(f);
	else
		fd_install(t->fds, (int)r, f);
	return r;
}

long
sys_dup(struct thread *t, int fd)
{
	return dup_from(t, fd, 0, false);
}

long
sys_dup2(struct thread *t, int from, int to)
{
	struct file *f;

	if (from == to) {
		int err = fd_get_any(t->fds, from, &f);

		if (err)
			return err;
		file_put(f);
		return to;
	}
	return fd_dup2(t->fds, from, to, false);
}

long
sys_dup3(struct thread *t, int from, int to, int flags)
{
	if (flags & ~O_CLOEXEC || from == to)
		return -EINVAL;
	return fd_dup2(t->fds, from, to, flags & O_CLOEXEC);
}

/* Files with data of their own go past the cache, pipes make packets. */
static bool
takes_o_direct(const struct file *f)
{
	return pipe_is(f) || (f->inode && (S_ISREG(f->inode->mode) ||
					   S_ISBLK(f->inode->mode)));
}

static long
set_flags(struct file *f, int fd, uint64_t arg)
{
	const uint32_t mask = O_APPEND | O_DIRECT | O_NOATIME | O_NONBLOCK;
	uint32_t flags = (f->flags & ~mask) | ((uint32_t)arg & mask);
	bool async = arg & O_ASYNC;

	if (flags & O_DIRECT && !takes_o_direct(f))
		return -EINVAL;
	if (f->ops->set_flags) {
		int err = f->ops->set_flags(f, flags | (async ? O_ASYNC : 0));

		if (err)
			return err;
	}
	f->flags = flags;
	return async || f->async ? file_set_async(f, fd, async) : 0;
}

static long
get_owner(const struct file *f, void __user *to)
{
	struct f_owner_ex o;

	file_get_owner(f, &o.type, &o.pid);
	return copy_to_user(to, &o, sizeof(o));
}

static long
set_owner_ex(struct file *f, const void __user *from)
{
	struct f_owner_ex o;

	if (copy_from_user(&o, from, sizeof(o)))
		return -EFAULT;
	return file_set_owner(f, o.type, o.pid);
}

static long
set_owner(struct file *f, int who)
{
	if (who == INT32_MIN)
		return -EINVAL;
	return file_set_owner(f, who < 0 ? F_OWNER_PGRP : F_OWNER_PID,
			      who < 0 ? -who : who);
}

static long
file_fcntl(struct file *f, int fd, int cmd, uint64_t arg)
{
	switch (cmd) {
	case F_GETFL:
		return f->flags;
	case F_SETFL:
		return set_flags(f, fd, arg);
	case F_GETPIPE_SZ:
		return pipe_get_size(f);
	case F_SETPIPE_SZ:
		return pipe_set_size(f, arg);
	case F_GETOWN:
		return f->owner_pid;
	case F_SETOWN:
		return set_owner(f, (int)arg);
	case F_GETSIG:
		return file_get_signal(f);
	case F_SETSIG:
		return file_set_signal(f, arg);
	case F_SETLEASE:
		return file_set_lease(f, fd, (int)arg);
	case F_GETLEASE:
		return file_get_lease(f);
	case F_GETOWN_EX:
		return get_owner(f, (void __user *)arg);
	case F_SETOWN_EX:
		return set_owner_ex(f, (const void __user *)arg);
	default:
		return fcntl_fs(f, cmd, arg);
	}
}

long
sys_fcntl(struct thread *t, int fd, int cmd, uint64_t arg)
{
	struct file *f;
	long r;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (arg > INT32_MAX || arg >= rlimit_soft(RLIMIT_NOFILE))
			return -EINVAL;
		return dup_from(t, fd, (int)arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_get_cloexec(t->fds, fd);
	case F_SETFD:
		return fd_set_cloexec(t->fds, fd, arg & 1);
	}
	r = cmd == F_GETFL ? fd_get_any(t->fds, fd, &f) :
			     fd_get(t->fds, fd, &f);
	if (r)
		return r;
	r = file_fcntl(f, fd, cmd, arg);
	file_put(f);
	return r;
}

/* FIONBIO, FIOASYNC: an int says on or off. */
static long
set_one_flag(struct file *f, int fd, uint64_t arg, uint32_t flag)
{
	int on;

	if (copy_from_user(&on, (const void __user *)arg, sizeof(on)))
		return -EFAULT;
	if (flag == O_ASYNC && !f->ops->async)
		return !on ? 0 : -ENOTTY;
	return set_flags(f, fd, on ? f->flags | flag : f->flags & ~flag);
}

long
sys_ioctl(struct thread *t, int fd, uint32_t cmd, uint64_t arg)
{
	struct file *f;
	long r = fd_get(t->fds, fd, &f);

	if (r)
		return r;
	switch (cmd) {
	case FIONBIO:
		r = set_one_flag(f, fd, arg, O_NONBLOCK);
		break;
	case FIOASYNC:
		r = set_one_flag(f, fd, arg, O_ASYNC);
		break;
	case FIOCLEX:
	case FIONCLEX:
		r = fd_set_cloexec(t->fds, fd, cmd == FIOCLEX);
		break;
	default:
		r = f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
	}
	file_put(f);
	return r;
}

long
sys_pipe2(struct thread *t, void __user *fds, int flags)
{
	struct file *r, *w;
	int fd[2], err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_create((unsigned)flags, &r, &w);
	if (err)
		return err;
	fd[0] = fd_reserve(t->fds, 0, flags & O_CLOEXEC);
	if (fd[0] < 0) {
		err = fd[0];
		goto fail_files;
	}
	fd[1] = fd_reserve(t->fds, 0, flags & O_CLOEXEC);
	if (fd[1] < 0) {
		err = fd[1];
		goto fail_first;
	}
	err = copy_to_user(fds, fd, sizeof(fd));
	if (err)
		goto fail_second;
	fd_install(t->fds, fd[0], r);
	fd_install(t->fds, fd[1], w);
	return 0;

fail_second:
	fd_unreserve(t->fds, fd[1]);
fail_first:
	fd_unreserve(t->fds, fd[0]);
fail_files:
	file_put(r);
	file_put(w);
	return err;
}

long
sys_pipe(struct thread *t, void __user *fds)
{
	return sys_pipe2(t, fds, 0);
}
