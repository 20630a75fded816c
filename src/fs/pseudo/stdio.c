/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files over streams (a pipe to the program), and the standard streams.
 *
 * A stream's file has an inode and a directory entry of its own, so that
 * /dev/stdout, which leads to /proc/self/fd/1, can be opened again: that
 * makes a second file on the same stream.
 *
 * Data goes through a buffer in the kernel: user memory is copied with no
 * lock held, and what was taken from a stream is never lost to a bad
 * address, as the address is tried first.  Writers of one stream take turns
 * by pieces of at least PIPE_BUF bytes, so that small writes are whole.
 */
#include <fs/pseudo/stdio.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <dev/control.h>
#include <dev/stream.h>
#include <dev/tty.h>
#include <file/file.h>
#include <file/poll.h>
#include <fs/namei.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#include "pseudo_priv.h"

#define FIONREAD FIONREAD_TTY

struct pipe_port {
	struct super sb;
	struct stream *s;
	struct mutex write_lock; /* RANK_PIPE */
};

static const struct fs_type pipe_type = { .name = "pipefs", .nodev = true };

/* ---- streams ---- */

static struct pipe_port *
port_of(struct file *f)
{
	return f->priv;
}

/* Waits until the stream polls for one of events.  0, -EAGAIN, -EINTR. */
static int
wait_for(struct stream *s, uint32_t events, bool nonblock)
{
	struct wait_entry e UNINIT;
	int err = 0;

	if (nonblock)
		return -EAGAIN;
	wait_start(&s->wq, &e, true);
	while (!err && !(s->ops->poll(s) & (events | POLLHUP)))
		err = wait_sleep(&e, TIME_NEVER);
	wait_end(&s->wq, &e);
	return err;
}

static ssize_t
pipe_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct stream *s = port_of(f)->s;
	size_t size = u->resid;
	char small[BOUNCE_SMALL], *buf;
	ssize_t n;
	int err;

	(void)pos;
	if (!size)
		return 0;
	buf = bounce_get(small, &size);
	err = uio_prefault(u, size, true);
	if (err)
		goto out;
	do {
		n = s->ops->read(s, buf, size);
		err = 0;
		if (n == -EAGAIN)
			err = wait_for(s, POLLIN, file_nowait(f, u));
	} while (n == -EAGAIN && !err);
	if (!err && n > 0)
		n = uio_write(u, buf, (size_t)n);
	if (!err)
		err = (int)n;
out:
	bounce_put(buf, small);
	return err;
}

/* One piece.  Bytes written, short only with *err. */
static size_t
push(struct pipe_port *p, const char *buf, size_t len, bool nonblock, int *err)
{
	size_t done = 0;
	ssize_t n;

	*err = mutex_lock_intr(&p->write_lock);
	if (*err)
		return 0;
	while (done < len && !*err) {
		n = p->s->ops->write(p->s, buf + done, len - done);
		if (n < 0)
			*err = (int)n;
		else if (n == 0)
			*err = wait_for(p->s, POLLOUT, nonblock);
		else
			done += (size_t)n;
	}
	mutex_unlock(&p->write_lock);
	return done;
}

static ssize_t
pipe_write(struct file *f, struct uio *u, int64_t *pos)
{
	size_t size = u->resid, done = 0;
	char small[BOUNCE_SMALL], *buf;
	ssize_t n;
	int err = 0;

	(void)pos;
	if (!size)
		return 0;
	buf = bounce_get(small, &size);
	while (u->resid && !err) {
		n = uio_read(u, buf, min_size(size, u->resid));
		if (n < 0) {
			err = (int)n;
			break;
		}
		done += push(port_of(f), buf, (size_t)n, file_nowait(f, u),
			     &err);
	}
	bounce_put(buf, small);
	return done ? (ssize_t)done : err;
}

static uint32_t
pipe_poll(struct file *f, struct poll_table *pt)
{
	struct stream *s = port_of(f)->s;
	uint32_t r;

	poll_wait(pt, &s->wq);
	r = s->ops->poll(s);
	/* A reader's end and a writer's see the same event differently. */
	if (!(f->mode & FILE_WRITE))
		return r & ~(uint32_t)(POLLOUT | POLLWRNORM);
	if (!(f->mode & FILE_READ))
		r &= ~(uint32_t)(POLLIN | POLLRDNORM);
	if (r & POLLHUP)
		r = (r & ~(uint32_t)POLLHUP) | POLLERR | POLLOUT | POLLWRNORM;
	return r;
}

static long
pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct stream *s = port_of(f)->s;
	int n;

	if (cmd != FIONREAD || !s->ops->available)
		return -ENOTTY;
	n = (int)s->ops->available(s);
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static int
file_stat(struct file *f, struct kstat *st)
{
	inode_stat(f->inode, st);
	return 0;
}

static int
pipe_link_name(struct file *f, char *buf, size_t size)
{
	return ksnprintf(buf, size, "pipe:[%lu]", (unsigned long)f->inode->ino);
}

static const struct file_ops pipe_fops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.stat = file_stat,
	.link_name = pipe_link_name,
};

static int
pipe_inode_open(struct inode *i, unsigned flags, struct file **out)
{
	int err = file_create(&pipe_fops, flags, i->priv, out);

	if (!err)
		(*out)->mode |= FILE_STREAM;
	return err;
}

static const struct inode_ops pipe_iops = { .open = pipe_inode_open };

/* Ports live as long as the machine: the entry made here is never freed. */
static int
pipe_make(struct stream *s, unsigned fd, unsigned flags, struct file **out)
{
	struct pipe_port *p = kzalloc(sizeof(*p), ALLOC_KERNEL);
	struct dentry *d;
	struct inode *i;
	int err = -ENOMEM;

	if (!p)
		return -ENOMEM;
	p->s = s;
	mutex_init(&p->write_lock, RANK_PIPE);
	p->sb.type = &pipe_type;
	p->sb.block_size = (uint32_t)PAGE_SIZE;
	p->sb.dev = DEV_MAKE(0, 14);
	i = inode_new(&p->sb);
	if (!i)
		goto no_inode;
	i->ino = 1000 + fd;
	i->mode = S_IFIFO | 0600;
	i->ops = &pipe_iops;
	i->priv = p;
	p->sb.root = i;
	d = dentry_new_root(&p->sb);
	if (!d)
		goto no_dentry;
	err = dentry_open(d, flags, out);
	dentry_put(d);
	if (err)
		goto no_dentry;
	return 0;
no_dentry:
	inode_put(i);
no_inode:
	kfree(p);
	return err;
}

/* ---- the terminal ---- */

static void
winsize_frame(const void *payload, size_t len)
{
	struct tty *t = tty_get();
	struct winsize w;

	if (len != sizeof(w) || !t)
		return;
	memcpy(&w, payload, sizeof(w));
	tty_set_winsize(t, &w);
}

/* ---- the three ---- */

static const char *const port_names[3] = {
	PITH_PORT_STDIN,
	PITH_PORT_STDOUT,
	PITH_PORT_STDERR,
};

static bool
is_tty(const struct pith_streams *s, unsigned fd)
{
	return s->kind[fd] == PITH_STREAM_TTY;
}

static int
make_tty(const struct pith_streams *s, const struct ktermios *tio,
	 const struct winsize *win)
{
	struct stream *in = NULL, *out = NULL;
	struct tty *t;
	int err;

	if (is_tty(s, 0))
		in = stream_find(PITH_PORT_STDIN);
	if (is_tty(s, 1))
		out = stream_find(PITH_PORT_STDOUT);
	else if (is_tty(s, 2))
		out = stream_find(PITH_PORT_STDERR);
	if (!in && !out)
		return 0;
	err = tty_create(in, out, tio, win, &t);
	if (!err)
		control_on(PITH_FRAME_WINSIZE, winsize_frame);
	return err;
}

static int
open_one(const struct pith_streams *s, unsigned fd, struct file *files[3])
{
	struct file **out = &files[fd];
	struct stream *p;

	switch (s->kind[fd]) {
	case PITH_STREAM_STDOUT: /* one open file, as after 2>&1 */
		if (fd != 2 || !files[1])
			return -ENXIO;
		*out = files[1];
		file_get(*out);
		return 0;
	case PITH_STREAM_TTY:
		if (tty_get())
			return path_open(AT_FDCWD, "/dev/console",
					 O_RDWR | O_NOCTTY, 0, LOOKUP_FOLLOW,
					 out);
		return -ENXIO;
	case PITH_STREAM_NULL:
		/* As a shell's redirection opens it. */
		return path_open(AT_FDCWD, "/dev/null",
				 fd ? O_WRONLY : O_RDONLY, 0, LOOKUP_FOLLOW,
				 out);
	case PITH_STREAM_PIPE:
	case PITH_STREAM_FILE:
		p = stream_find(port_names[fd]);
		if (!p)
			return -ENXIO;
		return pipe_make(p, fd, fd ? O_WRONLY : O_RDONLY, out);
	default:
		return -ENXIO;
	}
}

int
stdio_open(const struct pith_streams *s, const void *termios,
	   const void *winsize, struct file *out[3])
{
	unsigned fd;
	int err = make_tty(s, termios, winsize);

	if (err)
		return err;
	for (fd = 0; fd < 3; fd++) {
		out[fd] = NULL;
		if (s->kind[fd] == PITH_STREAM_CLOSED)
			continue;
		err = open_one(s, fd, out);
		if (err == -ENOMEM)
			return err;
		if (err)
			log_warn("descriptor %u can't be opened: error %d", fd,
				 -err);
	}
	return 0;
}
