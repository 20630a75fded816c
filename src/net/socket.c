/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets as files, and the choice of the family.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/stat.h>
#include <base/fmt.h>
#include <file/anon.h>
#include <file/file.h>
#include <file/poll.h>
#include <net/socket.h>

int
socket_create(int family, int type, int protocol, struct socket **out)
{
	int err;

	switch (family) {
	case AF_UNIX:
		err = unix_create(type, protocol, out);
		break;
	default: /* the network is a later step: docs/limits.md */
		return -EAFNOSUPPORT;
	}
	if (!err)
		(*out)->ino = anon_ino();
	return err;
}

int
socket_pair(int family, int type, int protocol, struct socket *out[2])
{
	int err;

	if (family != AF_UNIX)
		return -EAFNOSUPPORT;
	err = unix_pair(type, protocol, out);
	if (!err) {
		out[0]->ino = anon_ino();
		out[1]->ino = anon_ino();
	}
	return err;
}

static ssize_t
sock_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct socket *s = f->priv;

	(void)pos;
	return s->ops->recv(s, u, NULL, file_nonblock(f));
}

static ssize_t
sock_write(struct file *f, struct uio *u, int64_t *pos)
{
	struct socket *s = f->priv;

	(void)pos;
	return s->ops->send(s, u, NULL, file_nonblock(f));
}

static uint32_t
sock_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->priv;

	return s->ops->poll(s, pt);
}

static long
sock_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct socket *s = f->priv;

	return s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;
}

static int
sock_stat(struct file *f, struct kstat *st)
{
	struct socket *s = f->priv;

	anon_stat(st, s->ino, S_IFSOCK | 0777);
	return 0;
}

static void
sock_release(struct file *f)
{
	struct socket *s = f->priv;

	s->ops->release(s);
}

static int
sock_link_name(struct file *f, char *buf, size_t size)
{
	const struct socket *s = f->priv;

	return ksnprintf(buf, size, "socket:[%lu]", (unsigned long)s->ino);
}

static const struct file_ops socket_file_ops = {
	.read = sock_read,
	.write = sock_write,
	.poll = sock_poll,
	.ioctl = sock_ioctl,
	.stat = sock_stat,
	.release = sock_release,
	.link_name = sock_link_name,
};

int
socket_file(struct socket *s, unsigned flags, struct file **out)
{
	int err = file_create(&socket_file_ops, O_RDWR | (flags & O_NONBLOCK),
			      s, out);

	if (!err)
		(*out)->mode |= FILE_STREAM;
	return err;
}

struct socket *
socket_of(struct file *f)
{
	return f->ops == &socket_file_ops ? f->priv : NULL;
}
