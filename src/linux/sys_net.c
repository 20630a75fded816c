/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls on sockets: creation, names, connections, options.  Messages
 * are in sys_msg.c.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/socket.h>
#include <base/math.h>
#include <base/string.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <linux/sock_call.h>
#include <linux/syscalls_gen.h>
#include <mem/heap.h>
#include <net/settings.h>
#include <net/socket.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define OPT_FAST 64u /* bytes of an option that need no heap */

int
sock_get(struct thread *t, int fd, struct file **f, struct socket **s)
{
	int err = fd_get(t->fds, fd, f);

	if (unlikely(err))
		return err;
	*s = socket_of(*f);
	if (likely(*s != NULL))
		return 0;
	file_put(*f);
	return -ENOTSOCK;
}

int
sock_addr_in(const void __user *uaddr, uint32_t len, void *addr)
{
	if (len > SOCKADDR_MAX)
		return -EINVAL;
	return copy_from_user(addr, uaddr, len);
}

/* The whole length is told, what fits is copied. */
int
sock_addr_out(const void *addr, uint32_t len, void __user *uaddr,
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

/* Consumes the socket. */
static int
to_file(struct socket *s, int type_flags, struct file **f)
{
	int err =
		socket_file(s, type_flags & SOCK_NONBLOCK ? O_NONBLOCK : 0, f);

	if (err)
		s->ops->release(s);
	return err;
}

/* Descriptor of a socket at a reserved number; consumes the socket. */
static int
sock_install(struct thread *t, int fd, struct socket *s, int type_flags)
{
	struct file *f;
	int err = to_file(s, type_flags, &f);

	if (err) {
		fd_unreserve(t->fds, fd);
		return err;
	}
	fd_install(t->fds, fd, f);
	return fd;
}

static bool
type_ok(int type)
{
	return !(type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int
sock_make_file(int family, int type, int protocol, struct file **f)
{
	struct socket *s;
	int err;

	if (type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK))
		return -EINVAL;
	err = socket_create(family, type & SOCK_TYPE_MASK, protocol, &s);
	return err ? err : to_file(s, type, f);
}

long
sys_socket(struct thread *t, int family, int type, int protocol)
{
	struct socket *s;
	int err, fd;

	if (!type_ok(type))
		return -EINVAL;
	err = socket_create(family, type & SOCK_TYPE_MASK, protocol, &s);
	if (err)
		return err;
	fd = fd_reserve(t->fds, 0, type & SOCK_CLOEXEC);
	if (fd < 0) {
		s->ops->release(s);
		return fd;
	}
	return sock_install(t, fd, s, type);
}

static int
pair_install(struct thread *t, const int fd[2], int family, int type,
	     int protocol)
{
	struct socket *s[2];
	int err = socket_pair(family, type & SOCK_TYPE_MASK, protocol, s);

	if (err)
		goto fail_both;
	err = sock_install(t, fd[0], s[0], type);
	if (err < 0) {
		s[1]->ops->release(s[1]);
		fd_unreserve(t->fds, fd[1]);
		return err;
	}
	err = sock_install(t, fd[1], s[1], type);
	if (err < 0) {
		ignore(fd_close(t->fds, fd[0])); /* just made */
		return err;
	}
	return 0;

fail_both:
	fd_unreserve(t->fds, fd[1]);
	fd_unreserve(t->fds, fd[0]);
	return err;
}

long
sys_socketpair(struct thread *t, int family, int type, int protocol,
	       void __user *fds)
{
	int fd[2], err;

	if (!type_ok(type))
		return -EINVAL;
	fd[0] = fd_reserve(t->fds, 0, type & SOCK_CLOEXEC);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = fd_reserve(t->fds, 0, type & SOCK_CLOEXEC);
	if (fd[1] < 0) {
		err = fd[1];
		goto fail_first;
	}
	/* Before anything is made: a bad address costs no connection. */
	err = copy_to_user(fds, fd, sizeof(fd));
	if (!err)
		return pair_install(t, fd, family, type, protocol);
	fd_unreserve(t->fds, fd[1]);
fail_first:
	fd_unreserve(t->fds, fd[0]);
	return err;
}

long
sys_bind(struct thread *t, int fd, const void __user *uaddr, uint32_t len)
{
	uint8_t addr[SOCKADDR_MAX] UNINIT;
	struct socket *s;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = sock_addr_in(uaddr, len, addr);
	if (!err)
		err = s->ops->bind(s, addr, len);
	file_put(f);
	return err;
}

long
sys_connect(struct thread *t, int fd, const void __user *uaddr, uint32_t len)
{
	uint8_t addr[SOCKADDR_MAX] UNINIT;
	struct socket *s;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = sock_addr_in(uaddr, len, addr);
	if (!err)
		err = s->ops->connect ?
			      s->ops->connect(s, addr, len, file_nonblock(f)) :
			      -EOPNOTSUPP;
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
	if ((unsigned)backlog > (unsigned)net_settings.somaxconn)
		backlog = net_settings.somaxconn; /* a negative one, too */
	err = s->ops->listen ? s->ops->listen(s, backlog) : -EOPNOTSUPP;
	file_put(f);
	return err;
}

/* The connection, and its peer's address to the program. */
static int
accept_one(struct socket *s, bool nonblock, void __user *uaddr,
	   void __user *ulen, struct socket **out)
{
	uint8_t addr[SOCKADDR_MAX] UNINIT;
	struct socket *n;
	uint32_t len = 0;
	int err;

	if (!s->ops->accept)
		return -EOPNOTSUPP;
	err = s->ops->accept(s, nonblock, &n);
	if (err)
		return err;
	if (uaddr) {
		err = n->ops->name(n, true, addr, &len);
		if (err)
			err = -ECONNABORTED; /* gone already */
		else
			err = sock_addr_out(addr, len, uaddr, ulen);
		if (err) {
			n->ops->release(n);
			return err;
		}
	}
	*out = n;
	return 0;
}

int
sock_accept_file(struct socket *s, bool nonblock, void __user *uaddr,
		 void __user *ulen, int flags, struct file **f)
{
	struct socket *n;
	int err;

	if (flags & ~SOCK_NONBLOCK)
		return -EINVAL;
	err = accept_one(s, nonblock, uaddr, ulen, &n);
	return err ? err : to_file(n, flags, f);
}

long
sock_accept_on(struct thread *t, struct socket *s, bool nonblock,
	       void __user *uaddr, void __user *ulen, int flags)
{
	struct socket *n;
	int nfd, err;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	/* First, so that no connection is taken that finds no number. */
	nfd = fd_reserve(t->fds, 0, flags & SOCK_CLOEXEC);
	if (nfd < 0)
		return nfd;
	err = accept_one(s, nonblock, uaddr, ulen, &n);
	if (err)
		fd_unreserve(t->fds, nfd);
	else
		err = sock_install(t, nfd, n, flags);
	return err;
}

long
sys_accept4(struct thread *t, int fd, void __user *uaddr, void __user *ulen,
	    int flags)
{
	struct socket *s;
	struct file *f;
	long r;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	r = sock_get(t, fd, &f, &s);
	if (r)
		return r;
	r = sock_accept_on(t, s, file_nonblock(f), uaddr, ulen, flags);
	file_put(f);
	return r;
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
	uint8_t addr[SOCKADDR_MAX] UNINIT;
	struct socket *s;
	uint32_t len = 0;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = s->ops->name(s, peer, addr, &len);
	if (!err)
		err = sock_addr_out(addr, len, uaddr, ulen);
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
	err = s->ops->shutdown ? s->ops->shutdown(s, how) : -EOPNOTSUPP;
	file_put(f);
	return err;
}

/* Most options are a number or a little more; a filter is long. */
static int
set_value(struct socket *s, int level, int name, const void __user *value,
	  uint32_t len)
{
	uint64_t fast[OPT_FAST / 8];
	void *buf = fast;
	int err;

	if ((int)len < 0)
		return -EINVAL;
	if (len > OPT_MAX_IN)
		len = OPT_MAX_IN;
	if (len > sizeof(fast)) {
		buf = kmalloc(len, ALLOC_KERNEL);
		if (!buf)
			return -ENOMEM;
	}
	err = copy_from_user(buf, value, len);
	if (!err)
		err = socket_setopt(s, level, name, buf, len);
	if (buf != fast)
		kfree(buf);
	return err;
}

long
sys_setsockopt(struct thread *t, int fd, int level, int name,
	       const void __user *value, uint32_t len)
{
	struct socket *s;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = set_value(s, level, name, value, len);
	file_put(f);
	return err;
}

static int
get_value(struct socket *s, int level, int name, void __user *value,
	  void __user *ulen)
{
	uint64_t fast[OPT_FAST / 8] = { 0 };
	void *buf = fast;
	uint32_t len;
	int err = copy_from_user(&len, ulen, sizeof(len));

	if (err)
		return err;
	if ((int)len < 0)
		return -EINVAL;
	len = (uint32_t)min_u64(len, OPT_MAX);
	if (len > sizeof(fast)) {
		buf = kzalloc(len, ALLOC_KERNEL);
		if (!buf)
			return -ENOMEM;
	}
	/* A few options of families read their value first (PACKET_HDRLEN);
	 * one that can't be read is zero to them. */
	if (level != SOL_SOCKET && copy_from_user(buf, value, len))
		memset(buf, 0, len);
	err = socket_getopt(s, level, name, buf, &len);
	/* SO_PEERGROUPS says how long it would have been. */
	if (err == -ERANGE && copy_to_user(ulen, &len, sizeof(len)))
		err = -EFAULT;
	if (!err && (copy_to_user(value, buf, len) ||
		     copy_to_user(ulen, &len, sizeof(len))))
		err = -EFAULT;
	if (buf != fast)
		kfree(buf);
	return err;
}

long
sys_getsockopt(struct thread *t, int fd, int level, int name,
	       void __user *value, void __user *ulen)
{
	struct socket *s;
	struct file *f;
	int err = sock_get(t, fd, &f, &s);

	if (err)
		return err;
	err = get_value(s, level, name, value, ulen);
	file_put(f);
	return err;
}
