/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that send and receive messages: data, addresses, control data.
 *
 * What has neither address nor control data takes a short way: a struct
 * sock_msg on the stack and the family's operation.  Arrays on the stack are
 * left unfilled (UNINIT), and the long functions are kept apart.
 */
#include <abi/errno.h>
#include <abi/io_uring.h>
#include <abi/prctl.h>
#include <abi/signal.h>
#include <abi/socket.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <linux/sock_call.h>
#include <linux/syscalls_gen.h>
#include <linux/usertime.h>
#include <mem/heap.h>
#include <net/socket.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define CONTROL_MAX_IN	65536u /* more is ENOBUFS */
#define CONTROL_MAX_OUT 512u   /* without descriptors: a dozen small items */
#define VLEN_MAX	1024u  /* UIO_MAXIOV: messages of one call */
#define IO_MAX		0x7ffff000ull

static int
call_flags(const struct file *f, int flags)
{
	return file_nonblock(f) ? flags | MSG_DONTWAIT : flags;
}

static int
buf_init(struct uio *u, const void __user *buf, size_t len)
{
	len = min_size(len, IO_MAX);
	if (unlikely(!user_range_ok(buf, len)))
		return -EFAULT;
	uio_init_user(u, buf, len);
	return 0;
}

/* ---- sending ---- */

static long
do_send(struct thread *t, struct socket *s, struct uio *u, struct sock_msg *m)
{
	bool quiet = m->flags & MSG_NOSIGNAL;
	ssize_t n = s->ops->send(s, u, m);

	if (unlikely(n == -EPIPE) && !quiet && socket_sigpipe(s))
		ignore(signal_send_thread(t, SIGPIPE, NULL)); /* queue full */
	return n;
}

static NOINLINE long
send_to(struct thread *t, struct socket *s, struct uio *u, int flags,
	const void __user *uaddr, uint32_t addrlen)
{
	uint8_t addr[SOCKADDR_MAX] UNINIT;
	struct sock_msg m = { .flags = flags,
			      .addr = addr,
			      .addrlen = addrlen };
	int err = sock_addr_in(uaddr, addrlen, addr);

	return err ? err : do_send(t, s, u, &m);
}

long
sys_sendto(struct thread *t, int fd, const void __user *buf, size_t len,
	   int flags, const void __user *addr, uint32_t addrlen)
{
	struct socket *s;
	struct uio u UNINIT;
	struct file *f;
	long r = buf_init(&u, buf, len);

	if (unlikely(r))
		return r;
	r = sock_get(t, fd, &f, &s);
	if (unlikely(r))
		return r;
	flags = call_flags(f, flags);
	if (likely(!addr)) {
		struct sock_msg m = { .flags = flags };

		r = do_send(t, s, &u, &m);
	} else {
		r = send_to(t, s, &u, flags, addr, addrlen);
	}
	file_put(f);
	return r;
}

static int
rights_in(struct thread *t, struct sock_msg *m, const uint8_t *data,
	  uint64_t len)
{
	uint64_t n = len / sizeof(int);

	if (n > SCM_MAX_FD)
		return -EINVAL;
	if (!n)
		return 0;
	if (!m->files) {
		m->files = kmalloc(sizeof(*m->files), ALLOC_KERNEL);
		if (!m->files)
			return -ENOMEM;
		m->files->n = 0;
	}
	if (n > SCM_MAX_FD - m->files->n)
		return -EINVAL;
	for (uint64_t i = 0; i < n; i++) {
		int fd, err;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		err = fd_get(t->fds, fd, &m->files->f[m->files->n]);
		if (err)
			return err;
		m->files->n++;
	}
	return 0;
}

/* Only with the right capability may a program speak for others. */
static int
cred_in(struct thread *t, struct sock_msg *m, const uint8_t *data, uint64_t len)
{
	const struct cred *me = t->cred;
	struct ucred c;

	if (len != sizeof(c))
		return -EINVAL;
	memcpy(&c, data, sizeof(c));
	if (c.pid != t->tgid && !cred_capable(me, CAP_SYS_ADMIN))
		return -EPERM;
	if (c.uid != me->uid && c.uid != me->euid && c.uid != me->suid &&
	    !cred_capable(me, CAP_SETUID))
		return -EPERM;
	if (c.gid != me->gid && c.gid != me->egid && c.gid != me->sgid &&
	    !cred_capable(me, CAP_SETGID))
		return -EPERM;
	if (c.pid != t->tgid && c.pid)
		return -ESRCH; /* there is one process */
	m->cred = c;
	m->has_cred = true;
	return 0;
}

/* Checks the whole list; takes descriptors and credentials out of it for the
 * family that carries them. */
static int
parse_control(struct thread *t, const struct socket *s, struct sock_msg *m)
{
	bool local = s->family == AF_UNIX,
	     cred = local || s->family == AF_NETLINK;
	uint32_t at = 0, left;
	const uint8_t *data;
	struct cmsghdr h;
	int err = 0;

	while (!err && sock_cmsg_next(m, &at, &h, &data)) {
		uint64_t len = h.len - sizeof(h);

		if (h.level != SOL_SOCKET)
			continue;
		if (h.type == SCM_RIGHTS && local)
			err = rights_in(t, m, data, len);
		else if (h.type == SCM_CREDENTIALS && cred)
			err = cred_in(t, m, data, len);
		else if (cred)
			err = -EINVAL;
	}
	left = m->control_len - at;
	if (!err && at < m->control_len && left >= sizeof(h))
		err = -EINVAL; /* stopped at a bad length */
	return err;
}

static int
control_in(struct thread *t, const struct socket *s, struct sock_msg *m,
	   const struct user_msghdr *h)
{
	if (h->controllen > CONTROL_MAX_IN)
		return -ENOBUFS;
	m->control = kmalloc(h->controllen, ALLOC_KERNEL);
	if (!m->control)
		return -ENOMEM;
	m->control_len = (uint32_t)h->controllen;
	if (copy_from_user(m->control, (const void __user *)h->control,
			   h->controllen))
		return -EFAULT;
	return parse_control(t, s, m);
}

/* u NULL: the vector does not matter, and namelen says how much room there
 * would be. */
static int
header_in(const void __user *umsg, struct user_msghdr *h, struct uio *u)
{
	int err = copy_from_user(h, umsg, sizeof(*h));

	if (err)
		return err;
	if (!h->name && u)
		h->namelen = 0;
	if ((int)h->namelen < 0)
		return -EINVAL;
	if (!u)
		return 0;
	h->namelen = (uint32_t)min_u64(h->namelen, SOCKADDR_MAX);
	if (h->iovlen > UIO_MAX_SEGS)
		return -EMSGSIZE;
	return uio_init_iovec(u, (const void __user *)h->iov,
			      (unsigned)h->iovlen);
}

int
sock_msg_in(struct msg_in *m, const void __user *umsg, bool sends,
	    struct uio *u)
{
	int err = header_in(umsg, &m->h, u);

	if (err || !sends || !m->h.namelen)
		return err;
	err = copy_from_user(m->addr, (const void __user *)m->h.name,
			     m->h.namelen);
	if (err && u)
		uio_fini(u);
	return err;
}

long
sock_sendmsg_on(struct thread *t, struct socket *s, struct msg_in *in,
		struct uio *u, int flags)
{
	struct sock_msg m = { .flags = flags };
	long r = 0;

	if (in->h.namelen) {
		m.addr = in->addr;
		m.addrlen = in->h.namelen;
	}
	if (in->h.control && in->h.controllen)
		r = control_in(t, s, &m, &in->h);
	if (!r)
		r = do_send(t, s, u, &m);
	sock_files_free(m.files);
	kfree(m.control);
	return r;
}

static NOINLINE long
send_msg(struct thread *t, struct socket *s, const void __user *umsg, int flags)
{
	struct msg_in in UNINIT;
	struct uio u UNINIT;
	long r = sock_msg_in(&in, umsg, true, &u);

	if (r)
		return r;
	r = sock_sendmsg_on(t, s, &in, &u, flags);
	uio_fini(&u);
	return r;
}

long
sys_sendmsg(struct thread *t, int fd, const void __user *umsg, int flags)
{
	struct socket *s;
	struct file *f;
	long r;

	if (flags & (int)MSG_CMSG_COMPAT)
		return -EINVAL;
	r = sock_get(t, fd, &f, &s);
	if (r)
		return r;
	r = send_msg(t, s, umsg, call_flags(f, flags));
	file_put(f);
	return r;
}

long
sys_sendmmsg(struct thread *t, int fd, void __user *msgs, uint32_t n, int flags)
{
	struct mmsghdr __user *v = msgs;
	struct socket *s;
	uint32_t i = 0;
	struct file *f;
	long r;

	if (flags & (int)MSG_CMSG_COMPAT)
		return -EINVAL;
	r = sock_get(t, fd, &f, &s);
	if (r)
		return r;
	if (n > VLEN_MAX)
		n = VLEN_MAX;
	flags = call_flags(f, flags);
	for (; i < n; i++) {
		uint32_t len;

		r = send_msg(t, s, &v[i].hdr, flags);
		if (r < 0)
			break;
		len = (uint32_t)r;
		r = copy_to_user(&v[i].len, &len, sizeof(len));
		if (r)
			break;
		if (thread_signal_pending()) {
			i++;
			break;
		}
	}
	file_put(f);
	return i ? (long)i : r;
}

/* ---- receiving ---- */

static NOINLINE long
recv_from(struct socket *s, struct uio *u, int flags, void __user *uaddr,
	  void __user *ulen)
{
	uint8_t addr[SOCKADDR_MAX] UNINIT;
	struct sock_msg m = { .flags = flags, .addr = addr };
	ssize_t n = s->ops->recv(s, u, &m);

	sock_files_free(m.files); /* nobody asked for them: closed */
	if (n >= 0) {
		int err = sock_addr_out(addr, m.addrlen, uaddr, ulen);

		if (err)
			n = err;
	}
	return n;
}

long
sys_recvfrom(struct thread *t, int fd, void __user *buf, size_t len, int flags,
	     void __user *addr, void __user *addrlen)
{
	struct socket *s;
	struct uio u UNINIT;
	struct file *f;
	long r = buf_init(&u, buf, len);

	if (unlikely(r))
		return r;
	r = sock_get(t, fd, &f, &s);
	if (unlikely(r))
		return r;
	flags = call_flags(f, flags);
	if (likely(!addr)) {
		struct sock_msg m = { .flags = flags };

		r = s->ops->recv(s, &u, &m);
		if (unlikely(m.files != NULL))
			sock_files_free(m.files);
	} else {
		r = recv_from(s, &u, flags, addr, addrlen);
	}
	file_put(f);
	return r;
}

/* Descriptors to the program's room; those that find none are closed, and
 * the message says MSG_CTRUNC. */
static void
rights_out(struct thread *t, struct sock_msg *m, uint64_t *at)
{
	struct sock_files *v = m->files;
	uint64_t room = m->control_room > sizeof(struct cmsghdr) ?
				(m->control_room - sizeof(struct cmsghdr)) /
					sizeof(int) :
				0;
	bool cloexec = m->flags & MSG_CMSG_CLOEXEC;
	struct cmsghdr h = { 0, SOL_SOCKET, SCM_RIGHTS };
	uint64_t to = *at + sizeof(h), step;
	unsigned i;

	for (i = 0; i < v->n && i < room; i++) {
		int fd = fd_reserve(t->fds, 0, cloexec);

		if (fd < 0)
			break;
		if (copy_to_user((void __user *)(to + i * sizeof(fd)), &fd,
				 sizeof(fd))) {
			fd_unreserve(t->fds, fd);
			break;
		}
		file_get(v->f[i]);
		fd_install(t->fds, fd, v->f[i]);
	}
	if (i < v->n)
		m->out_flags |= MSG_CTRUNC;
	if (!i)
		return;
	h.len = sizeof(h) + i * sizeof(int);
	if (copy_to_user((void __user *)*at, &h, sizeof(h)))
		return; /* they are open; nobody is told, as on Linux */
	step = min_u64(CMSG_ALIGN(h.len), m->control_room);
	*at += step;
	m->control_room -= step;
}

/* Control data and descriptors to the program's room at an address: how much
 * of it they took. */
static long
control_out(struct thread *t, struct sock_msg *m, uint64_t room)
{
	uint64_t at = room;

	if (m->control_len) {
		if (copy_to_user((void __user *)at, m->control, m->control_len))
			return -EFAULT;
		at += m->control_len;
	}
	if (m->files)
		rights_out(t, m, &at);
	return (long)(at - room);
}

/* What came beside the data. */
static long
extras_out(struct thread *t, struct sock_msg *m, const struct user_msghdr *h,
	   void __user *umsg)
{
	struct user_msghdr __user *uh = umsg;
	long len;
	int flags;

	if (h->name) {
		int err = sock_addr_out(m->addr, m->addrlen,
					(void __user *)h->name, &uh->namelen);

		if (err)
			return err;
	}
	len = control_out(t, m, h->control);
	if (len < 0)
		return len;
	flags = m->out_flags | (m->flags & MSG_CMSG_CLOEXEC);
	if (copy_to_user(&uh->flags, &flags, sizeof(flags)) ||
	    copy_to_user(&uh->controllen, &len, sizeof(len)))
		return -EFAULT;
	return 0;
}

long
sock_recvmsg_on(struct thread *t, struct socket *s, const struct user_msghdr *h,
		void __user *umsg, struct uio *u, int flags)
{
	uint8_t addr[SOCKADDR_MAX] UNINIT;
	uint8_t control[CONTROL_MAX_OUT] UNINIT;
	struct sock_msg m = { .flags = flags,
			      .control = control,
			      .control_size = sizeof(control) };
	long r, err;

	m.addr = h->name ? addr : NULL;
	m.control_wanted = true;
	m.control_room = h->control ? h->controllen : 0;
	r = s->ops->recv(s, u, &m);
	if (r >= 0) {
		err = extras_out(t, &m, h, umsg);
		if (err)
			r = err;
	}
	sock_files_free(m.files);
	return r;
}

static NOINLINE long
recv_msg(struct thread *t, struct socket *s, void __user *umsg, int flags)
{
	struct user_msghdr h UNINIT;
	struct uio u UNINIT;
	long r = header_in(umsg, &h, &u);

	if (r)
		return r;
	r = sock_recvmsg_on(t, s, &h, umsg, &u, flags);
	uio_fini(&u);
	return r;
}

/* Behind the head come room for the name, for control data, and the data, as
 * the header said (io_uring_prep_recvmsg_multishot(3)). */
long
sock_recvmsg_multi(struct thread *t, struct socket *s,
		   const struct user_msghdr *h, struct uio *u, int flags,
		   long *got)
{
	uint8_t addr[SOCKADDR_MAX] UNINIT;
	uint8_t control[CONTROL_MAX_OUT] UNINIT;
	struct sock_msg m = { .flags = flags,
			      .addr = addr,
			      .control = control,
			      .control_size = sizeof(control),
			      .control_wanted = true,
			      .control_room = h->controllen };
	struct io_uring_recvmsg_out out;
	uint64_t base = u->segs[0].base, name = base + sizeof(out);
	uint64_t head = sizeof(out) + h->namelen;
	size_t room;
	long r, len;

	if (h->controllen > u->resid || head + h->controllen > u->resid)
		return -EFAULT;
	head += h->controllen;
	uio_advance(u, head);
	room = u->resid;
	r = s->ops->recv(s, u, &m);
	*got = r;
	if (r < 0)
		return r;
	len = control_out(t, &m, name + h->namelen);
	sock_files_free(m.files);
	out = (struct io_uring_recvmsg_out){ m.addrlen, (uint32_t)len,
					     (uint32_t)r,
					     (uint32_t)m.out_flags };
	if (len < 0 ||
	    copy_to_user((void __user *)name, addr,
			 min_u64(m.addrlen, h->namelen)) ||
	    copy_to_user((void __user *)base, &out, sizeof(out)))
		return -EFAULT;
	return (long)(head + min_size((size_t)r, room));
}

long
sys_recvmsg(struct thread *t, int fd, void __user *umsg, int flags)
{
	struct socket *s;
	struct file *f;
	long r;

	if (flags & (int)MSG_CMSG_COMPAT)
		return -EINVAL;
	r = sock_get(t, fd, &f, &s);
	if (r)
		return r;
	r = recv_msg(t, s, umsg, call_flags(f, flags));
	file_put(f);
	return r;
}

/* Several messages; deadline is looked at after each one only, as on Linux.
 * An error after the first is kept for the next call. */
static long
recv_several(struct thread *t, struct socket *s, struct mmsghdr __user *v,
	     uint32_t n, int flags, uint64_t deadline)
{
	bool one = flags & MSG_WAITFORONE;
	uint32_t i = 0;
	long r = sock_take_error(s);

	if (r)
		return r;
	flags &= ~MSG_WAITFORONE;
	while (i < n) {
		uint32_t len;

		r = recv_msg(t, s, &v[i].hdr, flags);
		if (r < 0)
			break;
		len = (uint32_t)r;
		r = copy_to_user(&v[i].len, &len, sizeof(len));
		if (r)
			break;
		i++;
		if (one)
			flags |= MSG_DONTWAIT;
		if (clock_mono_ns() >= deadline)
			break;
	}
	if (i && r < 0 && r != -EAGAIN)
		sock_set_error(s, r == -ERESTARTSYS ? -EINTR : (int)r);
	return i ? (long)i : r;
}

long
sys_recvmmsg(struct thread *t, int fd, void __user *msgs, uint32_t n, int flags,
	     void __user *timeout)
{
	uint64_t deadline;
	struct socket *s;
	struct file *f;
	long r;

	if (flags & (int)MSG_CMSG_COMPAT)
		return -EINVAL;
	r = get_user_timeout(timeout, &deadline);
	if (r)
		return r;
	r = sock_get(t, fd, &f, &s);
	if (r)
		return r;
	r = recv_several(t, s, msgs, n > VLEN_MAX ? VLEN_MAX : n,
			 call_flags(f, flags), deadline);
	file_put(f);
	if (r > 0 && timeout &&
	    put_user_timespec(timeout, deadline_left(deadline)))
		r = -EFAULT;
	return r;
}
