/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring's operations on sockets: made without sleeping, and made again
 * when the socket is ready.
 *
 * What describes a message is copied when the entry is submitted, except for
 * control data.  A transfer with MSG_WAITALL that got a part goes on; the part
 * is its result if nothing more comes of it.  SEND_ZC copies, and its second
 * completion says so.
 */
#include <linux/uring_ops.h>

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/socket.h>
#include <abi/uio.h>
#include <file/file.h>
#include <linux/sock_call.h>
#include <linux/syscalls_gen.h>
#include <mem/heap.h>
#include <net/socket.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define SEND_PRIO IORING_RECVSEND_POLL_FIRST
#define RECV_PRIO (IORING_RECVSEND_POLL_FIRST | IORING_RECV_MULTISHOT)
#define ZC_PRIO                                                   \
	(IORING_RECVSEND_POLL_FIRST | IORING_RECVSEND_FIXED_BUF | \
	 IORING_SEND_ZC_REPORT_USAGE)

static struct thread *
self(void)
{
	return thread_current();
}

/* Flags of a call that does not sleep. */
static int
quick(const struct uring_req *r)
{
	return (int)(r->sqe.op_flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool
is_zc(const struct uring_req *r)
{
	return r->sqe.opcode == IORING_OP_SEND_ZC ||
	       r->sqe.opcode == IORING_OP_SENDMSG_ZC;
}

/* n more bytes were moved, or an error: what the request answers. */
static long
moved(struct uring_req *r, const struct socket *s, long n)
{
	bool all = (r->sqe.op_flags & MSG_WAITALL) &&
		   (s->type == SOCK_STREAM || s->type == SOCK_SEQPACKET);

	if (n < 0)
		return n;
	r->done += (size_t)n;
	if (!n || !all || !r->uio.resid)
		return (long)r->done;
	r->partial = true;
	return -EAGAIN; /* for the rest */
}

/* ---- sending ---- */

static int
prep_send(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	bool zc = is_zc(r);

	if (s->ioprio & ~(zc ? ZC_PRIO : SEND_PRIO))
		return -EINVAL;
	if (zc && s->flags & IOSQE_CQE_SKIP_SUCCESS)
		return -EINVAL;
	r->exact = s->op_flags & MSG_WAITALL;
	return 0;
}

static struct msg_in *
make_msg(struct uring_req *r)
{
	struct msg_in *m = kzalloc(sizeof(*m), ALLOC_KERNEL);

	r->priv = m;
	return m;
}

/* The destination: off, file_index says how long. */
static int
get_dest(struct uring_req *r)
{
	uint32_t len = r->sqe.file_index & 0xffff;
	struct msg_in *m;

	if (r->sqe.file_index >> 16)
		return -EINVAL;
	if (!r->sqe.off)
		return 0;
	m = make_msg(r);
	if (!m)
		return -ENOMEM;
	m->h.namelen = len;
	return sock_addr_in((const void __user *)r->sqe.off, len, m->addr);
}

int
uring_prep_send(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	bool fixed = s->ioprio & IORING_RECVSEND_FIXED_BUF;
	int err = prep_send(r);

	if (err)
		return err;
	if (fixed) {
		err = uring_fixed_buffer(r);
	} else {
		void __user *buf = (void __user *)s->addr;

		if (!user_range_ok(buf, s->len))
			return -EFAULT;
		uio_init_user(&r->uio, buf, s->len);
		r->want = r->uio.resid;
	}
	return err ? err : get_dest(r);
}

long
uring_send(struct uring_req *r)
{
	struct sock_msg m = { .flags = quick(r) };
	struct socket *s = socket_of(r->file);
	struct msg_in *in = r->priv;

	if (!s)
		return -ENOTSOCK;
	if (in) {
		m.addr = in->addr;
		m.addrlen = in->h.namelen;
	}
	r->notifies = is_zc(r);
	return moved(r, s, s->ops->send(s, &r->uio, &m));
}

int
uring_prep_sendmsg(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	int err = prep_send(r);
	struct msg_in *m;

	if (err)
		return err;
	if (s->off || s->file_index || s->op_flags & MSG_CMSG_COMPAT ||
	    s->ioprio & IORING_RECVSEND_FIXED_BUF)
		return -EINVAL;
	m = make_msg(r);
	if (!m)
		return -ENOMEM;
	err = sock_msg_in(m, (const void __user *)s->addr, true, &r->uio);
	r->want = r->uio.resid;
	return err;
}

long
uring_sendmsg(struct uring_req *r)
{
	struct socket *s = socket_of(r->file);
	struct msg_in *in = r->priv;
	long n;

	if (!s)
		return -ENOTSOCK;
	r->notifies = is_zc(r);
	n = sock_sendmsg_on(self(), s, in, &r->uio, quick(r));
	if (n > 0)
		in->h.controllen = 0; /* has gone with the first part */
	return moved(r, s, n);
}

/* ---- receiving ---- */

static int
prep_recv(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	if (s->off || s->file_index || s->ioprio & ~RECV_PRIO)
		return -EINVAL;
	r->multishot = s->ioprio & IORING_RECV_MULTISHOT;
	if (r->multishot &&
	    (!(s->flags & IOSQE_BUFFER_SELECT) || s->op_flags & MSG_WAITALL))
		return -EINVAL;
	r->exact = s->op_flags & MSG_WAITALL;
	return 0;
}

/* Before a receive: a buffer is taken when there is something for it. */
static int
choose(struct uring_req *r)
{
	if (!(r->sqe.flags & IOSQE_BUFFER_SELECT) || r->has_buffer)
		return 0;
	if (!uring_has_buffer(r))
		return -ENOBUFS;
	if (!(file_poll(r->file, NULL) & (POLLIN | POLLERR | POLLHUP)))
		return -EAGAIN;
	r->done = 0;
	return uring_take_buffer(r);
}

int
uring_prep_recv(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	int err = prep_recv(r);

	if (err)
		return err;
	if (s->flags & IOSQE_BUFFER_SELECT)
		return 0;
	if (!user_range_ok((void __user *)s->addr, s->len))
		return -EFAULT;
	uio_init_user(&r->uio, (void __user *)s->addr, s->len);
	r->want = r->uio.resid;
	return 0;
}

long
uring_recv(struct uring_req *r)
{
	struct sock_msg m = { .flags = (int)(r->sqe.op_flags | MSG_DONTWAIT) };
	struct socket *s = socket_of(r->file);
	long n;

	if (!s)
		return -ENOTSOCK;
	n = choose(r);
	if (n)
		return n;
	n = s->ops->recv(s, &r->uio, &m);
	if (m.files)
		sock_files_free(m.files);
	return moved(r, s, n);
}

/* With a buffer to be chosen the vector has one piece at most, whose length
 * is the most that is wanted. */
static int
get_length(struct uring_req *r, const struct user_msghdr *h)
{
	struct iovec v;

	r->sqe.len = 0;
	if (h->iovlen > 1)
		return -EINVAL;
	if (!h->iovlen || r->multishot)
		return 0;
	if (copy_from_user(&v, (const void __user *)h->iov, sizeof(v)))
		return -EFAULT;
	if (v.len > INT32_MAX)
		return -EINVAL;
	r->sqe.len = (uint32_t)v.len;
	return 0;
}

int
uring_prep_recvmsg(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	bool select = s->flags & IOSQE_BUFFER_SELECT;
	int err = prep_recv(r);
	struct msg_in *m;

	if (err)
		return err;
	if (s->op_flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	m = make_msg(r);
	if (!m)
		return -ENOMEM;
	err = sock_msg_in(m, (const void __user *)s->addr, false,
			  select ? NULL : &r->uio);
	if (!err && select)
		err = get_length(r, &m->h);
	r->want = r->uio.resid;
	return err;
}

long
uring_recvmsg(struct uring_req *r)
{
	int flags = (int)(r->sqe.op_flags | MSG_DONTWAIT);
	struct socket *s = socket_of(r->file);
	struct msg_in *in = r->priv;
	long n, got;

	if (!s)
		return -ENOTSOCK;
	n = choose(r);
	if (n)
		return n;
	if (!r->multishot)
		return moved(r, s,
			     sock_recvmsg_on(self(), s, &in->h,
					     (void __user *)r->sqe.addr,
					     &r->uio, flags));
	n = sock_recvmsg_multi(self(), s, &in->h, &r->uio, flags, &got);
	if (got == 0)
		r->multishot = false; /* the end, which is told with a buffer */
	return n;
}

/* ---- connections ---- */

int
uring_prep_accept(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;

	if (s->len || s->buf_index || s->ioprio & ~IORING_ACCEPT_MULTISHOT)
		return -EINVAL;
	if (s->file_index && s->op_flags & SOCK_CLOEXEC)
		return -EINVAL;
	r->multishot = s->ioprio & IORING_ACCEPT_MULTISHOT;
	if (r->multishot && s->file_index &&
	    s->file_index != IORING_FILE_INDEX_ALLOC)
		return -EINVAL;
	return 0;
}

long
uring_accept(struct uring_req *r)
{
	struct socket *s = socket_of(r->file);
	void __user *addr = (void __user *)r->sqe.addr;
	void __user *len = (void __user *)r->sqe.off;
	int flags = (int)r->sqe.op_flags, err;
	struct file *f;

	if (!s)
		return -ENOTSOCK;
	if (!r->sqe.file_index)
		return sock_accept_on(self(), s, true, addr, len, flags);
	err = sock_accept_file(s, true, addr, len, flags, &f);
	return err ? err : uring_install(r->ring, f, r->sqe.file_index);
}

int
uring_prep_connect(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	struct msg_in *m;

	if (s->len || s->buf_index || s->op_flags || s->file_index)
		return -EINVAL;
	if (s->off > SOCKADDR_MAX)
		return -EINVAL;
	m = make_msg(r);
	if (!m)
		return -ENOMEM;
	m->h.namelen = (uint32_t)s->off;
	return sock_addr_in((const void __user *)s->addr, m->h.namelen,
			    m->addr);
}

long
uring_connect(struct uring_req *r)
{
	struct socket *s = socket_of(r->file);
	struct msg_in *m = r->priv;
	bool again = r->done;
	int err;

	if (!s)
		return -ENOTSOCK;
	if (!s->ops->connect)
		return -EOPNOTSUPP;
	err = s->ops->connect(s, m->addr, m->h.namelen, true);
	/* Under way: asked once more when the socket can be written to. */
	if (err == -EINPROGRESS || (again && err == -EALREADY)) {
		r->done = 1;
		return -EAGAIN;
	}
	return again && err == -EISCONN ? 0 : err;
}

long
uring_socket(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	struct file *f;
	int err;

	if (s->addr || s->op_flags)
		return -EINVAL;
	if (!s->file_index)
		return sys_socket(self(), s->fd, (int)s->off, (int)s->len);
	err = sock_make_file(s->fd, (int)s->off, (int)s->len, &f);
	return err ? err : uring_install(r->ring, f, s->file_index);
}

long
uring_shutdown(struct uring_req *r)
{
	struct socket *s = socket_of(r->file);

	if (r->sqe.off || r->sqe.addr || r->sqe.op_flags || r->sqe.buf_index)
		return -EINVAL;
	if (!s)
		return -ENOTSOCK;
	return s->ops->shutdown ? s->ops->shutdown(s, (int)r->sqe.len) :
				  -EOPNOTSUPP;
}
