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
	if (in->mode & FILE_STREAM || out->flags & O_APPEND)
		goto out;
	n = offset ? offset_in(offset, &pos) : 0;
	if (n)
		goto out;
	n = result(t, out,
		   file_copy(out, NULL, in, offset ? &pos : NULL,
			     min_u64(count, IO_MAX)));
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
	if ((off_in && in->mode & FILE_STREAM) ||
	    (off_out && out->mode & FILE_STREAM))
		return -EINVAL;
	return !to && out->flags & O_APPEND ? -EINVAL : 0;
}

long
sys_splice(struct thread *t, int in_fd, void __user *off_in, int out_fd,
	   void __user *off_out, size_t len, uint32_t flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK;
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
	len = min_u64(len, IO_MAX);
	if (pipe_is(in))
		n = splice_from_pipe(out, off_out ? &pos : NULL, in, len,
				     nonblock, false);
	else
		n = splice_to_pipe(out, in, off_in ? &pos : NULL, len,
				   nonblock);
	n = result(t, out, n);
	if (n > 0 && off && copy_to_user(off, &pos, sizeof(pos)))
		n = -EFAULT;
out:
	file_put(out);
	file_put(in);
	return n;
}

long
splice_on(struct file *in, int64_t *off_in, struct file *out, int64_t *off_out,
	  size_t len, uint32_t flags, bool tee)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK;
	long n;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE))
		return -EBADF;
	n = check_splice(in, off_in != NULL, out, off_out != NULL);
	if (!n && tee && (!pipe_is(in) || !pipe_is(out)))
		n = -EINVAL;
	if (n || !len)
		return n;
	len = min_u64(len, IO_MAX);
	if (pipe_is(in))
		return splice_from_pipe(out, off_out, in, len, nonblock, tee);
	return splice_to_pipe(out, in, off_in, len, nonblock);
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
	if (!pipe_is(in) || !pipe_is(out) || pipe_same(in, out))
		n = -EINVAL;
	else
		n = result(t, out,
			   splice_from_pipe(out, NULL, in, min_u64(len, IO_MAX),
					    flags & SPLICE_F_NONBLOCK, true));
	file_put(out);
	file_put(in);
	return n;
}

/* A pipe's reading end gives, its writing end takes. */
static long
vmsplice(struct thread *t, struct file *f, struct uio *u, bool nonblock)
{
	struct uio_seg segs[2];
	ssize_t n, done = 0;

	if (f->mode & FILE_WRITE)
		return result(t, f, splice_uio_to_pipe(f, u, nonblock));
	n = pipe_hold(f, segs, u->resid, nonblock);
	if (n <= 0)
		return n;
	for (unsigned i = 0; i < 2 && segs[i].len; i++) {
		n = uio_write(u, (const void *)segs[i].base, segs[i].len);
		if (n < 0)
			break;
		done += n;
	}
	pipe_unhold(f, (size_t)done);
	return done ? done : n;
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
