/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring's operations.  Reading, writing, polls and timeouts are src/aio's;
 * the others are system calls, made in the program's own thread when the
 * entry is submitted, or on files.  Those on sockets are in uring_sock.c.
 */
#include <linux/uring_ops.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/socket.h>
#include <abi/uio.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <linux/fcntl_fs.h>
#include <linux/syscalls_gen.h>
#include <sched/thread.h>

static struct thread *
self(void)
{
	return thread_current();
}

static long
op_nop(struct uring_req *r)
{
	(void)r;
	return 0;
}

/* ---- files ---- */

static long
op_fsync(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	int64_t end = INT64_MAX;

	if (s->addr || s->buf_index || s->file_index ||
	    s->op_flags & ~IORING_FSYNC_DATASYNC)
		return -EINVAL;
	if (!r->file->ops->fsync)
		return -EINVAL;
	if (s->len && ((int64_t)s->off < 0 ||
		       __builtin_add_overflow((int64_t)s->off, s->len, &end)))
		return -EINVAL;
	return r->file->ops->fsync(r->file, (int64_t)s->off, end,
				   s->op_flags & IORING_FSYNC_DATASYNC);
}

static long
op_fallocate(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	if (s->buf_index || s->op_flags || s->file_index)
		return -EINVAL;
	return file_fallocate(r->file, (int)s->len, (int64_t)s->off,
			      (int64_t)s->addr);
}

/* Calls that take a number of a descriptor, which a registered file lacks. */
static int
plain_fd(struct uring_req *r)
{
	return r->sqe.flags & IOSQE_FIXED_FILE ? -EBADF : 0;
}

/* file_index: no descriptor, a place in the table of registered files. */
static int
prep_open(struct uring_req *r)
{
	return r->sqe.buf_index ? -EINVAL : plain_fd(r);
}

static long
installed(struct uring_req *r, long err, struct file *f)
{
	return err ? err : uring_install(r->ring, f, r->sqe.file_index);
}

static int
prep_path(struct uring_req *r)
{
	if (r->sqe.buf_index || r->sqe.file_index)
		return -EINVAL;
	return plain_fd(r);
}

static long
op_openat(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	const char __user *path = (const char __user *)s->addr;
	struct file *f;
	long err;

	if (!s->file_index)
		return sys_openat(self(), s->fd, path, (int)s->op_flags,
				  s->len);
	if (s->op_flags & O_CLOEXEC)
		return -EINVAL; /* there is no descriptor to close */
	err = openat_file(s->fd, path, (int)s->op_flags, s->len, &f);
	return installed(r, err, f);
}

static long
op_openat2(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	const char __user *path = (const char __user *)s->addr;
	const void __user *how = (const void __user *)s->off;
	struct file *f;
	long err;

	if (!s->file_index)
		return sys_openat2(self(), s->fd, path, how, s->len);
	err = openat2_file(s->fd, path, how, s->len, &f);
	return installed(r, err, f);
}

static int
prep_close(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	if (s->off || s->addr || s->len || s->op_flags || s->buf_index ||
	    (s->file_index && s->fd))
		return -EINVAL;
	return plain_fd(r);
}

static long
op_close(struct uring_req *r)
{
	struct file *f;
	bool ring;

	if (r->sqe.file_index)
		return uring_close_fixed(r);
	if (fd_get_any(self()->fds, r->sqe.fd, &f))
		return -EBADF;
	ring = uring_is(f);
	file_put(f);
	return ring ? -EBADF : sys_close(self(), r->sqe.fd);
}

static long
op_statx(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sys_statx(self(), s->fd, (const char __user *)s->addr,
			 (int)s->op_flags, s->len, (void __user *)s->off);
}

static int
prep_unlinkat(struct uring_req *r)
{
	if (r->sqe.off || r->sqe.len || (r->sqe.op_flags & ~AT_REMOVEDIR))
		return -EINVAL;
	return prep_path(r);
}

static long
op_unlinkat(struct uring_req *r)
{
	return sys_unlinkat(self(), r->sqe.fd, (const char __user *)r->sqe.addr,
			    (int)r->sqe.op_flags);
}

static long
op_renameat(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sys_renameat2(self(), s->fd, (const char __user *)s->addr,
			     (int)s->len, (const char __user *)s->off,
			     s->op_flags);
}

static int
prep_mkdirat(struct uring_req *r)
{
	if (r->sqe.off || r->sqe.op_flags)
		return -EINVAL;
	return prep_path(r);
}

static long
op_mkdirat(struct uring_req *r)
{
	return sys_mkdirat(self(), r->sqe.fd, (const char __user *)r->sqe.addr,
			   r->sqe.len);
}

static int
prep_symlinkat(struct uring_req *r)
{
	if (r->sqe.len || r->sqe.op_flags)
		return -EINVAL;
	return prep_path(r);
}

static long
op_symlinkat(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sys_symlinkat(self(), (const char __user *)s->addr, s->fd,
			     (const char __user *)s->off);
}

static long
op_linkat(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sys_linkat(self(), s->fd, (const char __user *)s->addr,
			  (int)s->len, (const char __user *)s->off,
			  (int)s->op_flags);
}

static long
op_fadvise(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return fadvise_on(r->file, (int64_t)s->off, s->len, (int)s->op_flags);
}

static long
op_madvise(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	if (s->buf_index || s->off || s->file_index)
		return -EINVAL;
	return sys_madvise(self(), s->addr, s->len, (int)s->op_flags);
}

static int
prep_fadvise(struct uring_req *r)
{
	return r->sqe.buf_index || r->sqe.file_index || r->sqe.addr ? -EINVAL :
								      0;
}

static long
op_sync_range(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sync_range_on(r->file, (int64_t)s->off, (int64_t)s->len,
			     s->op_flags);
}

static long
op_epoll_ctl(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sys_epoll_ctl(self(), s->fd, (int)s->len, (int)s->off,
			     (void __user *)s->addr);
}

#define SPLICE_F_FD_IN_FIXED (1u << 31)

/* -1: no offset. */
static int64_t *
offset(uint64_t v, int64_t *to)
{
	*to = (int64_t)v;
	return v == UINT64_MAX ? NULL : to;
}

static long
do_splice(struct uring_req *r, bool tee)
{
	const struct io_uring_sqe *s = &r->sqe;
	int64_t in, out, *off_in = offset(s->addr, &in);
	int64_t *off_out = offset(s->off, &out);
	int err;

	if (!r->file_in) {
		err = uring_get_file_in(r, s->op_flags & SPLICE_F_FD_IN_FIXED);
		if (err)
			return err;
	}
	if ((off_in && in < 0) || (off_out && out < 0))
		return -EINVAL;
	return splice_on(r->file_in, off_in, r->file, off_out, s->len,
			 s->op_flags & ~SPLICE_F_FD_IN_FIXED, tee);
}

static long
op_splice(struct uring_req *r)
{
	return do_splice(r, false);
}

static long
op_tee(struct uring_req *r)
{
	r->sqe.addr = r->sqe.off = UINT64_MAX;
	return do_splice(r, true);
}

static int
prep_tee(struct uring_req *r)
{
	return r->sqe.addr || r->sqe.off ? -EINVAL : 0;
}

/* ---- attributes: the name at addr, the value at off, the path ---- */

static int
prep_getxattr(struct uring_req *r)
{
	return r->sqe.op_flags ? -EINVAL : prep_path(r);
}

static long
op_fsetxattr(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sys_fsetxattr(self(), s->fd, (const char __user *)s->addr,
			     (const void __user *)s->off, s->len,
			     (int)s->op_flags);
}

static long
op_setxattr(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sys_setxattr(self(), (const char __user *)s->addr3,
			    (const char __user *)s->addr,
			    (const void __user *)s->off, s->len,
			    (int)s->op_flags);
}

static long
op_fgetxattr(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sys_fgetxattr(self(), s->fd, (const char __user *)s->addr,
			     (void __user *)s->off, s->len);
}

static long
op_getxattr(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	return sys_getxattr(self(), (const char __user *)s->addr3,
			    (const char __user *)s->addr, (void __user *)s->off,
			    s->len);
}

static const struct uring_op ops[IORING_OP_LAST] = {
	[IORING_OP_NOP] = { .issue = op_nop },
	[IORING_OP_READV] = {
		.prep = uring_prep_vector, .issue = uring_read,
		.poll_events = POLLIN, .quick_flag = RWF_NOWAIT,
		.needs_file = true, .takes_buffer = true, .takes_prio = true,
	},
	[IORING_OP_WRITEV] = {
		.prep = uring_prep_vector, .issue = uring_write,
		.poll_events = POLLOUT, .quick_flag = RWF_NOWAIT,
		.needs_file = true, .takes_prio = true,
	},
	[IORING_OP_FSYNC] = {
		.issue = op_fsync, .needs_file = true, .always_worker = true,
	},
	[IORING_OP_READ_FIXED] = {
		.prep = uring_prep_fixed, .issue = uring_read,
		.poll_events = POLLIN, .quick_flag = RWF_NOWAIT,
		.needs_file = true, .takes_prio = true,
	},
	[IORING_OP_WRITE_FIXED] = {
		.prep = uring_prep_fixed, .issue = uring_write,
		.poll_events = POLLOUT, .quick_flag = RWF_NOWAIT,
		.needs_file = true, .takes_prio = true,
	},
	[IORING_OP_POLL_ADD] = {
		.prep = uring_prep_poll, .issue = uring_poll_add,
		.needs_file = true,
	},
	[IORING_OP_POLL_REMOVE] = { .issue = uring_poll_remove },
	[IORING_OP_SYNC_FILE_RANGE] = {
		.prep = prep_fadvise, .issue = op_sync_range,
		.needs_file = true, .always_worker = true,
	},
	[IORING_OP_SENDMSG] = {
		.prep = uring_prep_sendmsg, .issue = uring_sendmsg,
		.poll_events = POLLOUT,
		.quick_flag = MSG_DONTWAIT, .needs_file = true, .takes_prio = true,
	},
	[IORING_OP_RECVMSG] = {
		.prep = uring_prep_recvmsg, .issue = uring_recvmsg,
		.poll_events = POLLIN, .quick_flag = MSG_DONTWAIT,
		.needs_file = true, .takes_buffer = true, .takes_prio = true,
	},
	[IORING_OP_TIMEOUT] = {
		.prep = uring_prep_timeout, .issue = uring_timeout,
	},
	[IORING_OP_TIMEOUT_REMOVE] = { .issue = uring_timeout_remove },
	[IORING_OP_ACCEPT] = {
		.prep = uring_prep_accept, .issue = uring_accept,
		.poll_events = POLLIN, .needs_file = true, .takes_prio = true,
	},
	[IORING_OP_ASYNC_CANCEL] = {
		.prep = uring_prep_cancel, .issue = uring_cancel,
	},
	[IORING_OP_LINK_TIMEOUT] = { .prep = uring_prep_timeout },
	[IORING_OP_CONNECT] = {
		.prep = uring_prep_connect, .issue = uring_connect,
		.poll_events = POLLOUT, .needs_file = true,
	},
	[IORING_OP_FALLOCATE] = { .issue = op_fallocate, .needs_file = true },
	[IORING_OP_OPENAT] = { .prep = prep_open, .issue = op_openat },
	[IORING_OP_CLOSE] = { .prep = prep_close, .issue = op_close },
	[IORING_OP_FILES_UPDATE] = { .issue = uring_files_update },
	[IORING_OP_STATX] = { .prep = prep_path, .issue = op_statx },
	[IORING_OP_READ] = {
		.prep = uring_prep_rw, .issue = uring_read,
		.poll_events = POLLIN, .quick_flag = RWF_NOWAIT,
		.needs_file = true, .takes_buffer = true, .takes_prio = true,
	},
	[IORING_OP_WRITE] = {
		.prep = uring_prep_rw, .issue = uring_write,
		.poll_events = POLLOUT, .quick_flag = RWF_NOWAIT,
		.needs_file = true, .takes_prio = true,
	},
	[IORING_OP_FADVISE] = {
		.prep = prep_fadvise, .issue = op_fadvise, .needs_file = true,
	},
	[IORING_OP_MADVISE] = { .issue = op_madvise },
	[IORING_OP_SEND] = {
		.prep = uring_prep_send, .issue = uring_send,
		.poll_events = POLLOUT,
		.quick_flag = MSG_DONTWAIT, .needs_file = true, .takes_prio = true,
	},
	[IORING_OP_RECV] = {
		.prep = uring_prep_recv, .issue = uring_recv,
		.poll_events = POLLIN, .quick_flag = MSG_DONTWAIT,
		.needs_file = true, .takes_buffer = true, .takes_prio = true,
	},
	[IORING_OP_OPENAT2] = { .prep = prep_open, .issue = op_openat2 },
	[IORING_OP_EPOLL_CTL] = { .prep = prep_path, .issue = op_epoll_ctl },
	[IORING_OP_SPLICE] = {
		.issue = op_splice, .needs_file = true, .always_worker = true,
	},
	[IORING_OP_TEE] = {
		.prep = prep_tee, .issue = op_tee, .needs_file = true,
		.always_worker = true,
	},
	[IORING_OP_PROVIDE_BUFFERS] = { .issue = uring_provide_buffers },
	[IORING_OP_REMOVE_BUFFERS] = { .issue = uring_remove_buffers },
	[IORING_OP_SHUTDOWN] = {
		.issue = uring_shutdown, .needs_file = true,
	},
	[IORING_OP_RENAMEAT] = { .prep = prep_path, .issue = op_renameat },
	[IORING_OP_UNLINKAT] = { .prep = prep_unlinkat, .issue = op_unlinkat },
	[IORING_OP_MKDIRAT] = { .prep = prep_mkdirat, .issue = op_mkdirat },
	[IORING_OP_SYMLINKAT] = {
		.prep = prep_symlinkat, .issue = op_symlinkat,
	},
	[IORING_OP_LINKAT] = { .prep = prep_path, .issue = op_linkat },
	[IORING_OP_MSG_RING] = { .issue = uring_msg_ring, .needs_file = true },
	[IORING_OP_FSETXATTR] = {
		.prep = prep_path, .issue = op_fsetxattr,
	},
	[IORING_OP_SETXATTR] = { .prep = prep_path, .issue = op_setxattr },
	[IORING_OP_FGETXATTR] = {
		.prep = prep_getxattr, .issue = op_fgetxattr,
	},
	[IORING_OP_GETXATTR] = {
		.prep = prep_getxattr, .issue = op_getxattr,
	},
	[IORING_OP_SOCKET] = { .prep = prep_open, .issue = uring_socket },
	[IORING_OP_SEND_ZC] = {
		.prep = uring_prep_send, .issue = uring_send,
		.poll_events = POLLOUT, .quick_flag = MSG_DONTWAIT,
		.needs_file = true, .takes_prio = true,
	},
	[IORING_OP_SENDMSG_ZC] = {
		.prep = uring_prep_sendmsg, .issue = uring_sendmsg,
		.poll_events = POLLOUT, .quick_flag = MSG_DONTWAIT,
		.needs_file = true, .takes_prio = true,
	},
};

void
uring_ops_init(void)
{
	uring_set_ops(ops, IORING_OP_LAST);
}
