/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls on sockets: addresses, messages and control data in and out.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/signal.h>
#include <abi/socket.h>
#include <base/math.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <linux/syscalls_gen.h>
#include <mem/heap.h>
#include <net/socket.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define CONTROL_MAX 8192u
#define OPT_MAX	    256u

/* *f referenced, *s of it. */
static int
sock_get(struct thread *t, int fd, struct file **f, struct socket **s)
{
	int err = fd_get(t->fds, fd, f);

	if (err)
		return err;
	*s = socket_of(*f);
	if (*s)
		return 0;
	file_put(*f);
	return -ENOTSOCK;
}

static int
addr_in(const void __user *uaddr, uint32_t len, void *addr)
{
	if (len > SOCKADDR_MAX)
		return -EINVAL;
	return copy_from_user(addr, uaddr, len);
}

/* The whole length is told, what fits is copied. */
static int
addr_out(const void *addr, uint32_t len, void __user *uaddr,
	 void __user *ulen)
{
	int room;

	if (copy_from_user(&room, ulen, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (copy_to_user(uaddr, addr, min_u64((uint64_t)room, len)) ||
	    copy_to_user(ulen, &len, sizeof(len)))
		return -EFAULT;
	return 0;
}

/* Descriptor of a socket; consumes it. */
static long
sock_install(struct thread *t, struct socket *s, int type_flags)
{
	struct file *f;
	long fd = socket_file(s, type_flags & SOCK_NONBLOCK ? O_NONBLOCK : 0,
			      &f);

	if (fd) {
		s->ops->release(s);
		return fd;
	}
	fd = fd_add(t->fds, f, type_flags & SOCK_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static bool
type_ok(int type)
{
	return !(type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC));
}

long
sys_socket(struct thread *t, int family, int type, int protocol)
{
	struct socket *s;
	int err;

	if (!type_ok(type))
		return -EINVAL;
	err = socket_create(family, type & SOCK_TYPE_MASK, protocol, &s);
	return err ? err : sock_install(t, s, type);
}

long
sys_socketpair(struct thread *t, int family, int type, int protocol,
	       void __user *fds)
{
	struct socket *s[2];
	int fd[2], err;

	if (!type_ok(type))
		return -EINVAL;
	err = socket_pair(family, type & SOCK_TYPE_MASK, protocol, s);
	if (err)
		return err;
	fd[0] = (int)sock_install(t, s[0], type);
	if (fd[0] < 0) {
		s[1]->ops->release(s[1]);
		return fd[0];
	}
	fd[1] = (int)sock_install(t, s[1], type);
	if (fd[1] < 0) {
		ignore(fd_close(t->fds, fd[0])); /* just made */
		return fd[1];
	}
	if (copy_to_user(fds, fd, sizeof(fd))) {
		ignore(fd_close(t->fds, fd[0])); /* just made */
		ignore(fd_close(t->fds, fd[1]));
		return -EFAULT;
	}
	return 0;
}

long
sys_bind(struct thread *t, int fd, const void __user *uaddr, uint32_t len)
{
	uint8_t addr[SOCKADDR_MAX];
	struct socket *s;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = addr_in(uaddr, len, addr);
	if (!err)
		err = s->ops->bind(s, addr, len);
	file_put(f);
	return err;
}

long
sys_connect(struct thread *t, int fd, const void __user *uaddr, uint32_t len)
{
	uint8_t addr[SOCKADDR_MAX];
	struct socket *s;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = addr_in(uaddr, len, addr);
	if (!err)
		err = s->ops->connect(s, addr, len, file_nonblock(f));
	file_put(f);
	return err;
}

long
sys_listen(struct thread *t, int fd, int backlog)
{
	struct socket *s;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = s->ops->listen(s, backlog);
	file_put(f);
	return err;
}

long
sys_accept4(struct thread *t, int fd, void __user *uaddr, void __user *ulen,
	    int flags)
{
	uint8_t addr[SOCKADDR_MAX];
	struct socket *s, *n;
	uint32_t len = 0;
	struct file *f;
	long r;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	r = sock_get(t, fd, &f, &s);
	if (r)
		return r;
	r = s->ops->accept(s, file_nonblock(f), &n);
	file_put(f);
	if (r)
		return r;
	if (uaddr) {
		r = n->ops->name(n, true, addr, &len);
		if (!r)
			r = addr_out(addr, len, uaddr, ulen);
		if (r) {
			n->ops->release(n);
			return r;
		}
	}
	return sock_install(t, n, flags);
}

long
sys_accept(struct thread *t, int fd, void __user *addr, void __user *len)
{
	return sys_accept4(t, fd, addr, len, 0);
}

static long
sock_name(struct thread *t, int fd, bool peer, void __user *uaddr,
	  void __user *ulen)
{
	uint8_t addr[SOCKADDR_MAX];
	struct socket *s;
	uint32_t len = 0;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = s->ops->name(s, peer, addr, &len);
	if (!err)
		err = addr_out(addr, len, uaddr, ulen);
	file_put(f);
	return err;
}

long
sys_getsockname(struct thread *t, int fd, void __user *addr, void __user *len)
{
	return sock_name(t, fd, false, addr, len);
}

long
sys_getpeername(struct thread *t, int fd, void __user *addr, void __user *len)
{
	return sock_name(t, fd, true, addr, len);
}

long
sys_shutdown(struct thread *t, int fd, int how)
{
	struct socket *s;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = s->ops->shutdown(s, how);
	file_put(f);
	return err;
}

long
sys_setsockopt(struct thread *t, int fd, int level, int name,
	       const void __user *value, uint32_t len)
{
	uint8_t buf[OPT_MAX];
	struct socket *s;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = len > sizeof(buf) ? -EINVAL : copy_from_user(buf, value, len);
	if (!err)
		err = s->ops->setopt(s, level, name, buf, len);
	file_put(f);
	return err;
}

/* Options that are the same for every family. */
static bool
common_opt(const struct socket *s, int level, int name, int *v)
{
	if (level != SOL_SOCKET)
		return false;
	switch (name) {
	case SO_TYPE:
		*v = s->type;
		return true;
	case SO_DOMAIN:
		*v = s->family;
		return true;
	case SO_PROTOCOL:
		*v = s->protocol;
		return true;
	case SO_ERROR:
		*v = 0;
		return true;
	default:
		return false;
	}
}

long
sys_getsockopt(struct thread *t, int fd, int level, int name,
	       void __user *value, void __user *ulen)
{
	uint8_t buf[OPT_MAX];
	struct socket *s;
	struct file *f;
	uint32_t len;
	int v, err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = copy_from_user(&len, ulen, sizeof(len));
	if (!err && (int)len < 0)
		err = -EINVAL;
	if (err)
		goto out;
	if (len > sizeof(buf))
		len = sizeof(buf);
	if (common_opt(s, level, name, &v)) {
		if (len > sizeof(v))
			len = sizeof(v);
		memcpy(buf, &v, len);
	} else {
		err = s->ops->getopt(s, level, name, buf, &len);
	}
	if (!err && (copy_to_user(value, buf, len) ||
		     copy_to_user(ulen, &len, sizeof(len))))
		err = -EFAULT;
out:
	file_put(f);
	return err;
}

/* ---- messages ---- */

static void
drop_files(struct sock_msg *m)
{
	while (m->nfiles)
		file_put(m->files[--m->nfiles]);
}

static int
rights_in(struct thread *t, struct sock_msg *m, const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int err;

		if (m->nfiles == SCM_MAX_FD)
			return -EINVAL;
		err = fd_get_any(t->fds, fds[i], &m->files[m->nfiles]);
		if (err)
			return err;
		m->nfiles++;
	}
	return 0;
}

static int
cred_in(struct thread *t, struct sock_msg *m, const struct ucred *c)
{
	const struct cred *mine = t->cred;

	/* Only root may speak for others. */
	if (mine->euid && (c->uid != mine->uid && c->uid != mine->euid &&
			   c->uid != mine->suid))
		return -EPERM;
	m->cred = *c;
	m->has_cred = true;
	return 0;
}

static int
control_in(struct thread *t, struct sock_msg *m, uint64_t control,
	   uint64_t len)
{
	uint64_t at = 0;
	uint8_t *buf;
	int err = 0;

	if (!control || len < sizeof(struct cmsghdr))
		return 0;
	if (len > CONTROL_MAX)
		return -ENOBUFS;
	buf = kmalloc(len, ALLOC_KERNEL);
	if (!buf)
		return -ENOMEM;
	if (copy_from_user(buf, (const void __user *)control, len))
		err = -EFAULT;
	while (!err && len - at >= sizeof(struct cmsghdr)) {
		struct cmsghdr h;
		uint64_t data;

		memcpy(&h, buf + at, sizeof(h));
		if (h.len < sizeof(h) || h.len > len - at) {
			err = -EINVAL;
			break;
		}
		data = h.len - sizeof(h);
		if (h.level == SOL_SOCKET && h.type == SCM_RIGHTS)
			err = rights_in(t, m, (int *)(buf + at + sizeof(h)),
					(unsigned)(data / sizeof(int)));
		else if (h.level == SOL_SOCKET && h.type == SCM_CREDENTIALS &&
			 data == sizeof(struct ucred))
			err = cred_in(t, m,
				      (struct ucred *)(buf + at + sizeof(h)));
		else
			err = -EINVAL;
		at += min_u64(CMSG_ALIGN(h.len), len - at);
	}
	kfree(buf);
	return err;
}

static long
send_msg(struct thread *t, struct file *f, struct socket *s, struct uio *u,
	 struct sock_msg *m)
{
	bool quiet = m->flags & MSG_NOSIGNAL;
	ssize_t n = s->ops->send(s, u, m, file_nonblock(f));

	drop_files(m);
	if (n == -EPIPE && !quiet && s->type == SOCK_STREAM)
		ignore(signal_send_thread(t, SIGPIPE, NULL)); /* queue full */
	return n;
}

long
sys_sendto(struct thread *t, int fd, const void __user *buf, size_t len,
	   int flags, const void __user *addr, uint32_t addrlen)
{
	struct sock_msg *m;
	struct socket *s;
	struct file *f;
	struct uio u;
	long r = sock_get(t, fd, &f, &s);

	if (r)
		return r;
	m = kzalloc(sizeof(*m), ALLOC_KERNEL);
	if (!m) {
		r = -ENOMEM;
		goto out;
	}
	m->flags = flags;
	if (addr && addrlen) {
		r = addr_in(addr, addrlen, m->addr);
		m->addrlen = addrlen;
	}
	if (!r) {
		uio_init_user(&u, buf, len);
		r = send_msg(t, f, s, &u, m);
	}
	kfree(m);
out:
	file_put(f);
	return r;
}

long
sys_sendmsg(struct thread *t, int fd, const void __user *umsg, int flags)
{
	struct user_msghdr h;
	struct sock_msg *m;
	struct socket *s;
	struct file *f;
	struct uio u;
	long r = sock_get(t, fd, &f, &s);

	if (r)
		return r;
	m = kzalloc(sizeof(*m), ALLOC_KERNEL);
	if (!m) {
		r = -ENOMEM;
		goto out;
	}
	m->flags = flags;
	r = copy_from_user(&h, umsg, sizeof(h));
	if (!r && h.name && h.namelen) {
		r = addr_in((const void __user *)h.name, h.namelen, m->addr);
		m->addrlen = h.namelen;
	}
	if (!r)
		r = h.iovlen > UIO_MAX_SEGS ? -EMSGSIZE :
		    uio_init_iovec(&u, (const void __user *)h.iov,
				   (unsigned)h.iovlen);
	if (r)
		goto out_msg;
	r = control_in(t, m, h.control, h.controllen);
	if (!r)
		r = send_msg(t, f, s, &u, m);
	else
		drop_files(m);
	uio_fini(&u);
out_msg:
	kfree(m);
out:
	file_put(f);
	return r;
}

long
sys_recvfrom(struct thread *t, int fd, void __user *buf, size_t len,
	     int flags, void __user *addr, void __user *addrlen)
{
	struct sock_msg *m;
	struct socket *s;
	struct file *f;
	struct uio u;
	long r = sock_get(t, fd, &f, &s);

	if (r)
		return r;
	m = kzalloc(sizeof(*m), ALLOC_KERNEL);
	if (!m) {
		r = -ENOMEM;
		goto out;
	}
	m->flags = flags;
	uio_init_user(&u, buf, len);
	r = s->ops->recv(s, &u, m, file_nonblock(f));
	drop_files(m); /* nobody asked for them: closed, as on Linux */
	if (r >= 0 && addr) {
		int err = addr_out(m->addr, m->addrlen, addr, addrlen);

		if (err)
			r = err;
	}
	kfree(m);
out:
	file_put(f);
	return r;
}

/* One piece of control data; false: no room. */
static bool
control_put(uint64_t *at, uint64_t *left, int type, const void *data,
	    size_t len)
{
	struct cmsghdr h = { sizeof(h) + len, SOL_SOCKET, type };
	uint64_t step = CMSG_ALIGN(h.len);

	if (*left < h.len)
		return false;
	if (copy_to_user((void __user *)*at, &h, sizeof(h)) ||
	    copy_to_user((void __user *)(*at + sizeof(h)), data, len))
		return false;
	step = min_u64(step, *left);
	*at += step;
	*left -= step;
	return true;
}

/* Files that find no room are closed, and the message says MSG_CTRUNC. */
static bool
rights_out(struct thread *t, struct sock_msg *m, uint64_t *at,
	   uint64_t *left, bool cloexec)
{
	uint64_t room = *left > sizeof(struct cmsghdr) ?
			(*left - sizeof(struct cmsghdr)) / sizeof(int) : 0;
	unsigned n = (unsigned)min_u64(m->nfiles, room), i;
	bool whole = n == m->nfiles;
	int fds[SCM_MAX_FD];

	for (i = 0; i < n; i++) {
		fds[i] = fd_add(t->fds, m->files[i], cloexec);
		if (fds[i] < 0) {
			whole = false;
			break;
		}
	}
	for (unsigned k = i; k < m->nfiles; k++)
		file_put(m->files[k]);
	m->nfiles = 0;
	return i ? control_put(at, left, SCM_RIGHTS, fds, i * sizeof(int)) &&
		   whole : whole;
}

long
sys_recvmsg(struct thread *t, int fd, void __user *umsg, int flags)
{
	struct user_msghdr h;
	struct sock_msg *m;
	struct socket *s;
	struct file *f;
	struct uio u;
	uint64_t at, left;
	uint32_t out = 0;
	long r = sock_get(t, fd, &f, &s);

	if (r)
		return r;
	m = kzalloc(sizeof(*m), ALLOC_KERNEL);
	if (!m) {
		r = -ENOMEM;
		goto out;
	}
	m->flags = flags;
	r = copy_from_user(&h, umsg, sizeof(h));
	if (!r)
		r = h.iovlen > UIO_MAX_SEGS ? -EMSGSIZE :
		    uio_init_iovec(&u, (const void __user *)h.iov,
				   (unsigned)h.iovlen);
	if (r)
		goto out_msg;
	r = s->ops->recv(s, &u, m, file_nonblock(f));
	uio_fini(&u);
	if (r < 0)
		goto out_msg;
	if (m->flags >> 16 & MSG_TRUNC)
		out |= MSG_TRUNC;
	at = h.control;
	left = h.control ? h.controllen : 0;
	if (m->has_cred && !control_put(&at, &left, SCM_CREDENTIALS, &m->cred,
					sizeof(m->cred)))
		out |= MSG_CTRUNC;
	if (m->nfiles && !rights_out(t, m, &at, &left,
				     flags & MSG_CMSG_CLOEXEC))
		out |= MSG_CTRUNC;
	if (h.name && copy_to_user((void __user *)h.name, m->addr,
				   min_u64(h.namelen, m->addrlen)))
		r = -EFAULT;
	h.namelen = m->addrlen;
	h.controllen = at - h.control;
	h.flags = out | ((uint32_t)flags & MSG_CMSG_CLOEXEC);
	if (copy_to_user(umsg, &h, sizeof(h)))
		r = -EFAULT;
out_msg:
	drop_files(m);
	kfree(m);
out:
	file_put(f);
	return r;
}
