/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files over streams (a pipe to the program) and over the terminal.
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

#define SMALL	   256u
#define BOUNCE_MAX 32768u
#define FIONREAD   FIONREAD_TTY
#define PGRP	   1 /* the only process group and session */

struct pipe_port {
	struct super sb;
	struct stream *s;
	struct mutex write_lock; /* RANK_PIPE */
};

static const struct fs_type pipe_type = { .name = "pipefs", .nodev = true };

/* ---- buffers ---- */

/* The largest that can be had, at most *size; the caller's small one at
 * last. */
static char *
bounce_get(char *small, size_t *size)
{
	char *p = NULL;

	*size = min_size(*size, BOUNCE_MAX);
	if (*size <= SMALL)
		return small;
	while (!p && *size > SMALL) {
		p = kmalloc(*size, ALLOC_KERNEL);
		if (!p)
			*size /= 4;
	}
	if (p)
		return p;
	*size = SMALL;
	return small;
}

static void
bounce_put(char *p, char *small)
{
	if (p != small)
		kfree(p);
}

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
	char small[SMALL], *buf;
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
	char small[SMALL], *buf;
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
	return ksnprintf(buf, size, "pipe:[%lu]",
			 (unsigned long)f->inode->ino);
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

static ssize_t
tty_file_read(struct file *f, struct uio *u, int64_t *pos)
{
	size_t size = min_size(u->resid, 4096);
	char small[SMALL], *buf = bounce_get(small, &size);
	ssize_t n = uio_prefault(u, size, true);

	(void)pos;
	if (!n)
		n = tty_read(f->priv, buf, size, file_nowait(f, u));
	if (n > 0)
		n = uio_write(u, buf, (size_t)n);
	bounce_put(buf, small);
	return n;
}

static ssize_t
tty_file_write(struct file *f, struct uio *u, int64_t *pos)
{
	size_t size = min_size(u->resid, 4096);
	char small[SMALL], *buf = bounce_get(small, &size);
	ssize_t n = 0, done = 0, len;

	(void)pos;
	while (u->resid) {
		len = uio_read(u, buf, min_size(size, u->resid));
		n = len < 0 ? len : tty_write(f->priv, buf, (size_t)len,
					      file_nowait(f, u));
		if (n > 0)
			done += n;
		if (n < len || len < 0)
			break;
	}
	bounce_put(buf, small);
	return done ? done : n;
}

static uint32_t
tty_file_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = f->priv;
	struct waitq *out = tty_output_waitq(t);

	poll_wait(pt, tty_input_waitq(t));
	if (out)
		poll_wait(pt, out);
	return tty_poll(t);
}

static int
get_int(uint64_t arg, int *v)
{
	return copy_from_user(v, (const void __user *)arg, sizeof(*v));
}

static int
put_int(uint64_t arg, int v)
{
	return copy_to_user((void __user *)arg, &v, sizeof(v));
}

static long
set_termios(struct tty *t, unsigned cmd, uint64_t arg)
{
	struct ktermios tio;
	int err = copy_from_user(&tio, (const void __user *)arg, sizeof(tio));

	if (err)
		return err;
	return tty_set_termios(t, &tio, cmd != TCSETS, cmd == TCSETSF);
}

static long
set_winsize(struct tty *t, uint64_t arg)
{
	struct winsize w;
	int err = copy_from_user(&w, (const void __user *)arg, sizeof(w));

	if (!err)
		tty_set_winsize(t, &w);
	return err;
}

static long
flow(struct tty *t, uint64_t arg)
{
	switch (arg) {
	case TCOOFF:
	case TCOON:
		tty_stop(t, arg == TCOOFF);
		return 0;
	default:
		return -EINVAL; /* no line to send a STOP character over */
	}
}

static long
flush(struct tty *t, uint64_t arg)
{
	if (arg > TCIOFLUSH)
		return -EINVAL;
	tty_flush(t, arg != TCOFLUSH, arg != TCIFLUSH);
	return 0;
}

static long
set_pgrp(uint64_t arg)
{
	int v, err = get_int(arg, &v);

	if (err)
		return err;
	return v == PGRP ? 0 : v < 0 ? -EINVAL : -ESRCH;
}

static long
tty_file_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct tty *t = f->priv;
	struct ktermios tio;
	struct winsize w;

	switch (cmd) {
	case TCGETS:
		tty_get_termios(t, &tio);
		return copy_to_user((void __user *)arg, &tio, sizeof(tio));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_termios(t, cmd, arg);
	case TIOCGWINSZ:
		tty_get_winsize(t, &w);
		return copy_to_user((void __user *)arg, &w, sizeof(w));
	case TIOCSWINSZ:
		return set_winsize(t, arg);
	case TIOCGPGRP:
	case TIOCGSID:
		return put_int(arg, PGRP);
	case TIOCSPGRP:
		return set_pgrp(arg);
	case TIOCSCTTY:
		return 0; /* it is that already, as on Linux */
	case FIONREAD:
		return put_int(arg, (int)tty_readable(t));
	case TIOCOUTQ:
		return put_int(arg, 0); /* written is with the host */
	case TIOCGETD:
		return put_int(arg, 0); /* N_TTY */
	case TCSBRK:
	case TCSBRKP:
		return tty_drain(t); /* a break, too: there is no line */
	case TCXONC:
		return flow(t, arg);
	case TCFLSH:
		return flush(t, arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_ops tty_fops = {
	.read = tty_file_read,
	.write = tty_file_write,
	.poll = tty_file_poll,
	.ioctl = tty_file_ioctl,
	.stat = file_stat,
};

int
tty_file_open(struct inode *i, unsigned flags, struct file **out, void *arg)
{
	struct tty *t = tty_get();
	int err;

	(void)i, (void)arg;
	if (!t)
		return -ENXIO;
	err = file_create(&tty_fops, flags, t, out);
	if (!err)
		(*out)->mode |= FILE_STREAM;
	return err;
}

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
	PITH_PORT_STDIN, PITH_PORT_STDOUT, PITH_PORT_STDERR,
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
open_one(const struct pith_streams *s, unsigned fd, struct file **out)
{
	struct stream *p;

	switch (s->kind[fd]) {
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
		err = open_one(s, fd, &out[fd]);
		if (err == -ENOMEM)
			return err;
		if (err)
			log_warn("descriptor %u can't be opened: error %d",
				 fd, -err);
	}
	return 0;
}
