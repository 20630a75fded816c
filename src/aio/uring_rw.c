/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: reading and writing.
 *
 * A transfer is tried without sleeping (uio.nowait).  What the page cache
 * does not have is left to a worker; a stream that is not ready is armed by
 * the caller; O_DIRECT is handed to the block layer where it can be.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/stat.h>
#include <abi/uio.h>
#include <base/atomic.h>
#include <base/string.h>
#include <file/file.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define PRIO_CLASS_SHIFT 13
#define PRIO_CLASS_IDLE	 3
#define SYNC_FLAGS	 (RWF_DSYNC | RWF_SYNC)
#define RW_FLAGS	 (RWF_HIPRI | SYNC_FLAGS | RWF_NOWAIT | RWF_APPEND)

/* ---- preparation ---- */

static int
check_rw(struct uring_req *r)
{
	/* A class and a level of I/O priority, which there are none of. */
	if (r->sqe.ioprio >> PRIO_CLASS_SHIFT > PRIO_CLASS_IDLE)
		return -EINVAL;
	if (r->sqe.op_flags & ~(uint32_t)RW_FLAGS)
		return -EOPNOTSUPP;
	r->exact = true;
	return 0;
}

int
uring_prep_rw(struct uring_req *r)
{
	void __user *buf = (void __user *)r->sqe.addr;
	int err = check_rw(r);

	if (err)
		return err;
	if (r->sqe.flags & IOSQE_BUFFER_SELECT) {
		r->want = r->sqe.len;
		return 0; /* the buffer is chosen when there is something */
	}
	if (!user_range_ok(buf, r->sqe.len))
		return -EFAULT;
	uio_init_user(&r->uio, buf, r->sqe.len);
	r->want = r->uio.resid;
	return 0;
}

int
uring_prep_vector(struct uring_req *r)
{
	int err = check_rw(r);

	if (err)
		return err;
	if (r->sqe.flags & IOSQE_BUFFER_SELECT) {
		struct iovec v;

		if (r->sqe.len != 1)
			return -EINVAL;
		if (copy_from_user(&v, (void __user *)r->sqe.addr, sizeof(v)))
			return -EFAULT;
		if (v.len > UINT32_MAX)
			return -EINVAL;
		r->sqe.len = (uint32_t)v.len;
		r->want = r->sqe.len;
		return 0;
	}
	err = uio_init_iovec(&r->uio, (void __user *)r->sqe.addr, r->sqe.len);
	if (!err)
		r->want = r->uio.resid;
	return err;
}

int
uring_prep_fixed(struct uring_req *r)
{
	int err = check_rw(r);

	return err ? err : uring_fixed_buffer(r);
}

/* ---- transfers ---- */

static void
direct_done(struct direct_io *io)
{
	struct uring_req *r = container_of(io, struct uring_req, direct);
	long res = io->err ? io->err : (long)io->len;

	/* The program hears at once; what is left needs a thread. */
	if (direct_settled(io) && !(r->sqe.flags & IOSQE_CQE_SKIP_SUCCESS)) {
		r->posted = true;
		uring_post(r->ring, r->sqe.user_data, res, r->cflags, true);
		if (uring_leave_to_waiter(r))
			return;
	}
	uring_complete_later(r, res);
}

static bool
is_regular(const struct file *f)
{
	return f->inode && S_ISREG(f->inode->mode);
}

/* To the block layer: URING_LATER, -EAGAIN: the other ways, -errno. */
static long
start_direct(struct uring_req *r, bool write, int64_t pos)
{
	struct uio u = r->uio;
	int err;

	if (!(r->file->flags & O_DIRECT) || r->done || u.segs != r->uio.fast ||
	    pos < 0 || (r->sqe.op_flags & (RWF_DSYNC | RWF_SYNC | RWF_APPEND)))
		return -EAGAIN;
	u.segs = u.fast;
	uring_will_complete(r);
	r->direct.done = direct_done;
	r->is_direct = true; /* it may be over before this returns */
	err = direct_start(r->file, &u, pos, write, &r->direct);
	if (!err)
		return URING_LATER;
	r->is_direct = false;
	return err;
}

/* Once from the uio, at the position that the entry names. */
static ssize_t
transfer(struct uring_req *r, bool write)
{
	struct file *f = r->file;
	int64_t pos = (int64_t)r->sqe.off;

	r->uio.nowait = !r->blocking;
	r->uio.append = write && (r->sqe.op_flags & RWF_APPEND);
	if (pos == -1 || (f->mode & FILE_STREAM))
		return write ? file_write(f, &r->uio) : file_read(f, &r->uio);
	pos += (int64_t)r->done;
	return write ? file_pwrite(f, &r->uio, pos) :
		       file_pread(f, &r->uio, pos);
}

static ssize_t
sync_after(struct uring_req *r, ssize_t n)
{
	int err;

	if (n <= 0 || !(r->sqe.op_flags & (RWF_DSYNC | RWF_SYNC)) ||
	    !r->file->ops->fsync)
		return n;
	err = r->file->ops->fsync(r->file, 0, INT64_MAX,
				  !(r->sqe.op_flags & RWF_SYNC));
	return err ? err : n;
}

static long
regular(struct uring_req *r, bool write)
{
	ssize_t n;

	if (!r->blocking) {
		/* A sync at the end sleeps in any case. */
		if (r->sqe.op_flags & (RWF_DSYNC | RWF_SYNC))
			return URING_WORKER;
		n = start_direct(r, write, (int64_t)r->sqe.off);
		if (n != -EAGAIN)
			return n;
		if (write && (r->file->flags & O_DIRECT))
			return URING_WORKER;
	}
	n = transfer(r, write);
	if (r->blocking) {
		if (n < 0)
			return r->done ? (long)r->done : n;
		return sync_after(r, n + (ssize_t)r->done);
	}
	if (n == -EAGAIN || n == -EOPNOTSUPP)
		return r->sqe.op_flags & RWF_NOWAIT ? -EAGAIN : URING_WORKER;
	if (n < 0)
		return n;
	/* Cut short by what is not cached: the rest sleeps for it. */
	r->done += (size_t)n;
	if (n && r->uio.resid && !(r->sqe.op_flags & RWF_NOWAIT) && !write &&
	    (int64_t)r->sqe.off != -1 &&
	    r->sqe.off + r->done < r->file->inode->size)
		return URING_WORKER;
	return (long)r->done;
}

/* Pipes, sockets, terminals: what is there, or -EAGAIN. */
static long
stream(struct uring_req *r, bool write)
{
	struct file *f = r->file;
	int err;

	if (!r->blocking && f->ops->poll &&
	    !(file_poll(f, NULL) &
	      ((write ? POLLOUT : POLLIN) | POLLERR | POLLHUP)))
		return -EAGAIN;
	if ((r->sqe.flags & IOSQE_BUFFER_SELECT) && !r->has_buffer) {
		err = uring_take_buffer(r);
		if (err)
			return err;
	}
	return transfer(r, write);
}

static long
read_write(struct uring_req *r, bool write)
{
	struct file *f = r->file;

	if (!(f->mode & (write ? FILE_WRITE : FILE_READ)))
		return -EBADF;
	if (write ? !f->ops->write : !f->ops->read)
		return f->mode & FILE_DIR ? -EISDIR : -EINVAL;
	if ((int64_t)r->sqe.off < -1)
		return -EINVAL;
	if ((r->sqe.flags & IOSQE_ASYNC) && !r->blocking && !f->ops->poll)
		return URING_WORKER;
	if ((r->sqe.flags & IOSQE_BUFFER_SELECT) && !r->has_buffer &&
	    (!f->ops->poll || is_regular(f))) {
		int err = uring_take_buffer(r); /* no wait is known of */

		if (err)
			return err;
	}
	if (is_regular(f))
		return regular(r, write);
	/* A device that cannot be waited for by poll may sleep. */
	if (!f->ops->poll && !r->blocking)
		return URING_WORKER;
	return stream(r, write);
}

long
uring_read(struct uring_req *r)
{
	return read_write(r, false);
}

long
uring_write(struct uring_req *r)
{
	return read_write(r, true);
}
