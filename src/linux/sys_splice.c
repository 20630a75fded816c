/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that move data between descriptors within the kernel.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/signal.h>
#include <abi/splice.h>
#include <abi/stat.h>
#include <base/math.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/pipe.h>
#include <file/splice.h>
#include <fs/vfs.h>
#include <linux/fcntl_fs.h>
#include <linux/syscalls_gen.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define IO_MAX 0x7ffff000ull /* what one call moves at most */

/* Both ends, the one to be read and the other to be written. */
static int
two_files(struct thread *t, int in_fd, int out_fd, struct file **in,
	  struct file **out)
{
	int err = fd_get(t->fds, in_fd, in);

	if (err)
		return err;
	err = fd_get(t->fds, out_fd, out);
	if (err)
		goto fail_in;
	if (!((*in)->mode & FILE_READ) || !((*out)->mode & FILE_WRITE)) {
		err = -EBADF;
		goto fail_out;
	}
	return 0;

fail_out:
	file_put(*out);
fail_in:
	file_put(*in);
	return err;
}

/* What a failed write means besides its errno. */
static long
result(struct thread *t, const struct file *out, long n)
{
	if (n == -EPIPE && !(out->mode & FILE_NOSIGPIPE))
		ignore(signal_send_thread(t, SIGPIPE, NULL)); /* queue full */
	return n;
}

static int
offset_in(const void __user *p, int64_t *pos)
{
	int err = copy_from_user(pos, p, sizeof(*pos));

	return err ? err : *pos < 0 ? -EINVAL : 0;
}

/* Files whose reads and writes are no bytes that flow. */
static bool
refused(const struct file *in, const struct file *out)
{
	return (in->mode | out->mode) & FILE_NOSPLICE;
}

static ssize_t
send(struct file *out, struct file *in, int64_t *pos, size_t count)
{
	count = min_u64(count, IO_MAX);
	if (pipe_is(out)) /* what there is room for */
		return count ? splice_to_pipe(out, in, pos, count,
					      file_nonblock(out)) :
			       0;
	return file_copy(out, NULL, in, pos, count);
}

long
sys_sendfile(struct thread *t, int out_fd, int in_fd, void __user *offset,
	     size_t count)
{
	struct file *in, *out;
	int64_t pos;
	long n = two_files(t, in_fd, out_fd, &in, &out);

	if (n)
		return n;
	n = offset && in->mode & FILE_STREAM ? -ESPIPE : -EINVAL;
	if (refused(in, out) || out->flags & O_APPEND ||
	    (in->mode & FILE_STREAM && (offset || !pipe_is(out))))
		goto out;
	n = offset ? offset_in(offset, &pos) : 0;
	if (n)
		goto out;
	n = result(t, out, send(out, in, offset ? &pos : NULL, count));
	if (n >= 0 && offset && copy_to_user(offset, &pos, sizeof(pos)))
		n = -EFAULT;
out:
	file_put(out);
	file_put(in);
	return n;
}

/* One of the two is a pipe at least; offsets are of the other. */
static int
check_splice(const struct file *in, bool off_in, const struct file *out,
	     bool off_out)
{
	bool from = pipe_is(in), to = pipe_is(out);

	if (!from && !to)
		return -EINVAL;
	if ((from && off_in) || (to && off_out))
		return -ESPIPE;
	if (from && to)
		return pipe_same(in, out) ? -EINVAL : 0;
	if (refused(in, out) || (off_in && in->mode & FILE_STREAM) ||
	    (off_out && out->mode & FILE_STREAM))
		return -EINVAL;
	return !to && out->flags & O_APPEND ? -EINVAL : 0;
}

/* O_NONBLOCK of a pipe's end is SPLICE_F_NONBLOCK. */
static ssize_t
splice(struct file *in, int64_t *off_in, struct file *out, int64_t *off_out,
       size_t len, uint32_t flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK;

	len = min_u64(len, IO_MAX);
	if (pipe_is(in) && pipe_is(out))
		return pipe_move(in, out, len,
				 nonblock || file_nonblock(in) ||
					 file_nonblock(out),
				 false);
	if (pipe_is(in))
		return splice_from_pipe(out, off_out, in, len,
					nonblock || file_nonblock(in),
					flags & SPLICE_F_MORE);
	return splice_to_pipe(out, in, off_in, len,
			      nonblock || file_nonblock(out));
}

static ssize_t
tee(struct file *in, struct file *out, size_t len, uint32_t flags)
{
	if (!pipe_is(in) || !pipe_is(out) || pipe_same(in, out))
		return -EINVAL;
	return pipe_move(in, out, min_u64(len, IO_MAX),
			 flags & SPLICE_F_NONBLOCK || file_nonblock(in) ||
				 file_nonblock(out),
			 true);
}

long
sys_splice(struct thread *t, int in_fd, void __user *off_in, int out_fd,
	   void __user *off_out, size_t len, uint32_t flags)
{
	void __user *off = off_in ? off_in : off_out;
	struct file *in, *out;
	int64_t pos;
	long n;

	if (!len)
		return 0;
	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	n = two_files(t, in_fd, out_fd, &in, &out);
	if (n)
		return n;
	n = check_splice(in, off_in != NULL, out, off_out != NULL);
	if (!n && off)
		n = offset_in(off, &pos);
	if (n)
		goto out;
	n = result(t, out,
		   splice(in, off_in ? &pos : NULL, out, off_out ? &pos : NULL,
			  len, flags));
	if (n > 0 && off && copy_to_user(off, &pos, sizeof(pos)))
		n = -EFAULT;
out:
	file_put(out);
	file_put(in);
	return n;
}

long
splice_on(struct file *in, int64_t *off_in, struct file *out, int64_t *off_out,
	  size_t len, uint32_t flags, bool is_tee)
{
	long n;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE))
		return -EBADF;
	n = is_tee ? 0 : check_splice(in, off_in != NULL, out, off_out != NULL);
	if (n || !len)
		return n;
	return is_tee ? tee(in, out, len, flags) :
			splice(in, off_in, out, off_out, len, flags);
}

long
sys_tee(struct thread *t, int in_fd, int out_fd, size_t len, uint32_t flags)
{
	struct file *in, *out;
	long n;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!len)
		return 0;
	n = two_files(t, in_fd, out_fd, &in, &out);
	if (n)
		return n;
	n = result(t, out, tee(in, out, len, flags));
	file_put(out);
	file_put(in);
	return n;
}

/* A pipe's reading end gives, its writing end takes.  Only the flag makes
 * it not wait, O_NONBLOCK does not: as on Linux. */
static long
vmsplice(struct thread *t, struct file *f, struct uio *u, bool nonblock)
{
	if (f->mode & FILE_WRITE)
		return result(t, f, splice_uio_to_pipe(f, u, nonblock));
	return splice_pipe_to_uio(f, u, nonblock);
}

long
sys_vmsplice(struct thread *t, int fd, const void __user *iov, uint64_t nsegs,
	     uint32_t flags)
{
	struct file *f;
	struct uio u;
	long n;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	n = fd_get(t->fds, fd, &f);
	if (n)
		return n;
	n = nsegs > UIO_MAX_SEGS ? -EINVAL :
				   uio_init_iovec(&u, iov, (unsigned)nsegs);
	if (n)
		goto out;
	if (u.resid)
		n = pipe_is(f) ? vmsplice(t, f, &u, flags & SPLICE_F_NONBLOCK) :
				 -EBADF;
	uio_fini(&u);
out:
	file_put(f);
	return n;
}

static bool
is_regular(const struct file *f)
{
	return f->inode && (f->inode->mode & S_IFMT) == S_IFREG;
}

/* Where one file is both, the ranges may not touch. */
static int
check_ranges(const struct file *in, int64_t ipos, const struct file *out,
	     int64_t opos, uint64_t len)
{
	if (in->mode & FILE_DIR || out->mode & FILE_DIR)
		return -EISDIR;
	if (!is_regular(in) || !is_regular(out))
		return -EINVAL;
	if (out->flags & O_APPEND)
		return -EBADF;
	if ((uint64_t)ipos + len < len || (uint64_t)opos + len < len)
		return -EOVERFLOW;
	if (ipos < 0 || opos < 0)
		return -EINVAL;
	if ((uint64_t)ipos < in->inode->size)
		len = min_u64(len, in->inode->size - (uint64_t)ipos);
	else
		len = 0;
	if (in->inode == out->inode && len && ipos < opos + (int64_t)len &&
	    opos < ipos + (int64_t)len)
		return -EINVAL;
	return 0;
}

/* An offset of the program's, or the file's own position. */
static int
start_at(struct file *f, const void __user *off, int64_t *pos)
{
	if (off)
		return copy_from_user(pos, off, sizeof(*pos));
	mutex_lock(&f->pos_lock);
	*pos = f->pos;
	mutex_unlock(&f->pos_lock);
	return 0;
}

static int
end_at(struct file *f, void __user *off, int64_t pos)
{
	if (off)
		return copy_to_user(off, &pos, sizeof(pos));
	mutex_lock(&f->pos_lock);
	f->pos = pos;
	mutex_unlock(&f->pos_lock);
	return 0;
}

long
sys_copy_file_range(struct thread *t, int in_fd, void __user *off_in,
		    int out_fd, void __user *off_out, size_t len,
		    uint32_t flags)
{
	struct file *in, *out;
	int64_t ipos, opos;
	long n = two_files(t, in_fd, out_fd, &in, &out);

	if (n)
		return n;
	n = start_at(in, off_in, &ipos);
	if (!n)
		n = start_at(out, off_out, &opos);
	if (!n && flags)
		n = -EINVAL;
	if (!n)
		n = check_ranges(in, ipos, out, opos, len);
	if (n)
		goto out;
	n = file_copy(out, &opos, in, &ipos, min_u64(len, IO_MAX));
	if (n > 0 && (end_at(in, off_in, ipos) || end_at(out, off_out, opos)))
		n = -EFAULT;
out:
	file_put(out);
	file_put(in);
	return n;
}
