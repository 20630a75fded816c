/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals as open files: /dev/console, /dev/tty, and the slaves of ptys
 * (devpts.c); and their ioctls, which the masters share (ioctl_tty(2)).
 *
 * A file belongs to an era of its terminal (dev/tty.h): after a hang-up reads
 * are at the end, and all else is EIO.
 */
#include <fs/pseudo/ttyfile.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/prctl.h>
#include <abi/signal.h>
#include <abi/termios.h>
#include <base/math.h>
#include <dev/tty.h>
#include <file/cred.h>
#include <file/file.h>
#include <file/poll.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#include "pseudo_priv.h"

#define BOUNCE_MAX 32768u

struct tty_file {
	struct tty *t; /* counted by tty_open() */
	uint32_t era;
};

/* ---- buffers ---- */

char *
bounce_get(char *small, size_t *size)
{
	char *p = NULL;

	*size = min_size(*size, BOUNCE_MAX);
	if (*size <= BOUNCE_SMALL)
		return small;
	while (!p && *size > BOUNCE_SMALL) {
		p = kmalloc(*size, ALLOC_KERNEL);
		if (!p)
			*size /= 4;
	}
	if (p)
		return p;
	*size = BOUNCE_SMALL;
	return small;
}

void
bounce_put(char *p, char *small)
{
	if (p != small)
		kfree(p);
}

ssize_t
bounce_read(struct file *f, struct uio *u, size_t most,
	    ssize_t (*fn)(struct file *f, void *buf, size_t len, bool nowait))
{
	size_t size = min_size(u->resid, most);
	char small[BOUNCE_SMALL], *buf = bounce_get(small, &size);
	ssize_t n = uio_prefault(u, size, true);

	if (!n)
		n = fn(f, buf, size, file_nowait(f, u));
	if (n > 0)
		n = uio_write(u, buf, (size_t)n);
	bounce_put(buf, small);
	return n;
}

ssize_t
bounce_write(struct file *f, struct uio *u,
	     ssize_t (*fn)(struct file *f, const void *buf, size_t len,
			   bool nowait))
{
	size_t size = min_size(u->resid, 4096);
	char small[BOUNCE_SMALL], *buf = bounce_get(small, &size);
	ssize_t n = 0, done = 0, len;

	while (u->resid) {
		len = uio_read(u, buf, min_size(size, u->resid));
		n = len < 0 ? len : fn(f, buf, (size_t)len, file_nowait(f, u));
		if (n > 0)
			done += n;
		if (n < len || len < 0)
			break;
	}
	bounce_put(buf, small);
	return done ? done : n;
}

/* ---- reading and writing ---- */

static struct tty_file *
tty_file(struct file *f)
{
	return f->priv;
}

static ssize_t
read_some(struct file *f, void *buf, size_t len, bool nowait)
{
	struct tty_file *tf = tty_file(f);

	return tty_read(tf->t, tf->era, buf, len, nowait);
}

static ssize_t
write_some(struct file *f, const void *buf, size_t len, bool nowait)
{
	return tty_write(tty_file(f)->t, buf, len, nowait);
}

static ssize_t
tty_file_read(struct file *f, struct uio *u, int64_t *pos)
{
	(void)pos;
	return bounce_read(f, u, 4096, read_some);
}

static ssize_t
tty_file_write(struct file *f, struct uio *u, int64_t *pos)
{
	struct tty_file *tf = tty_file(f);

	(void)pos;
	if (tty_dead(tf->t, tf->era))
		return -EIO;
	return bounce_write(f, u, write_some);
}

static uint32_t
tty_file_poll(struct file *f, struct poll_table *pt)
{
	struct tty_file *tf = tty_file(f);
	struct waitq *out = tty_output_waitq(tf->t);

	poll_wait(pt, tty_input_waitq(tf->t));
	if (out)
		poll_wait(pt, out);
	if (tty_dead(tf->t, tf->era))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR |
		       POLLHUP;
	return tty_poll(tf->t);
}

static int
tty_file_stat(struct file *f, struct kstat *st)
{
	inode_stat(f->inode, st);
	return 0;
}

static void
tty_file_release(struct file *f)
{
	tty_close(tty_file(f)->t);
	kfree(f->priv);
}

/* ---- ioctls ---- */

bool
tty_privileged(void)
{
	struct cred *c = thread_current()->cred;

	return !c || cred_capable(c, CAP_SYS_ADMIN);
}

int
tty_get_int(uint64_t arg, int *v)
{
	return copy_from_user(v, (const void __user *)arg, sizeof(*v));
}

int
tty_put_int(uint64_t arg, int v)
{
	return copy_to_user((void __user *)arg, &v, sizeof(v));
}

static long
get_termios(struct tty *t, uint64_t arg)
{
	struct ktermios tio;

	tty_get_termios(t, &tio);
	return copy_to_user((void __user *)arg, &tio, sizeof(tio));
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
get_winsize(struct tty *t, uint64_t arg)
{
	struct winsize w;

	tty_get_winsize(t, &w);
	return copy_to_user((void __user *)arg, &w, sizeof(w));
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
set_pgrp(struct tty *t, uint64_t arg)
{
	int v, err;

	if (!tty_is_controlling(t))
		return -ENOTTY;
	err = tty_get_int(arg, &v);
	return err ? err : tty_set_pgrp(t, v);
}

/* What both sides of a pty say of the slave.  -ENOTTY: not one of these. */
long
tty_ioctl_shared(struct tty *t, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case TCGETS:
		return get_termios(t, arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_termios(t, cmd, arg);
	case TIOCGWINSZ:
		return get_winsize(t, arg);
	case TIOCSWINSZ:
		return set_winsize(t, arg);
	case TIOCSPGRP:
		return set_pgrp(t, arg);
	case TIOCOUTQ:
		return tty_put_int(arg, 0); /* written is with the host */
	case TIOCGETD:
	case TIOCGSOFTCAR:
		return tty_put_int(arg, 0); /* N_TTY; no */
	case TIOCGEXCL:
		return tty_put_int(arg, tty_exclusive(t));
	case TIOCSBRK:
	case TIOCCBRK:
		return 0; /* no line to break: on Linux the same */
	default:
		return -ENOTTY;
	}
}

static long
flow(struct tty *t, uint64_t arg)
{
	switch (arg) {
	case TCOOFF:
	case TCOON:
		tty_stop(t, arg == TCOOFF);
		return 0;
	case TCIOFF:
	case TCION:
		return tty_send_flow(t, arg == TCIOFF);
	default:
		return -EINVAL;
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
type_char(struct tty *t, uint64_t arg)
{
	uint8_t c;
	int err;

	if (!tty_is_controlling(t) && !tty_privileged())
		return -EPERM;
	err = copy_from_user(&c, (const void __user *)arg, 1);
	if (!err)
		tty_type(t, c);
	return err;
}

static long
set_discipline(uint64_t arg)
{
	int v, err = tty_get_int(arg, &v);

	return err ? err : v ? -EINVAL : 0; /* N_TTY is the only one */
}

static long
hangup(struct tty *t)
{
	if (!tty_privileged())
		return -EPERM;
	tty_hangup(t);
	return 0;
}

static long
job_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case TIOCSCTTY:
		return tty_control(t, false, arg == 1 && tty_privileged());
	case TIOCNOTTY:
		return tty_give_up(t);
	case TIOCGPGRP:
		return tty_is_controlling(t) ? tty_put_int(arg, tty_pgrp(t)) :
					       -ENOTTY;
	case TIOCGSID:
		return tty_is_controlling(t) ?
			       tty_put_int(arg, tty_session(t)) :
			       -ENOTTY;
	case TIOCEXCL:
	case TIOCNXCL:
		tty_set_exclusive(t, cmd == TIOCEXCL);
		return 0;
	case TIOCVHANGUP:
		return hangup(t);
	default:
		return -ENOTTY;
	}
}

static long
tty_file_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct tty_file *tf = tty_file(f);
	struct tty *t = tf->t;
	long r;

	if (tty_dead(t, tf->era))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (cmd) {
	case FIONREAD_TTY:
		return tty_put_int(arg, (int)tty_readable(t));
	case TIOCSETD:
		return set_discipline(arg);
	case TIOCSTI:
		return type_char(t, arg);
	case TCSBRK:
	case TCSBRKP:
		return tty_drain(t); /* a break, too: there is no line */
	case TCXONC:
		return flow(t, arg);
	case TCFLSH:
		return flush(t, arg);
	}
	r = job_ioctl(t, cmd, arg);
	return r == -ENOTTY ? tty_ioctl_shared(t, cmd, arg) : r;
}

void
tty_default_owner(struct tty *t, struct file *f, unsigned flags)
{
	int pgrp = tty_pgrp(t);

	if (!(flags & O_ASYNC) || f->owner_pid)
		return;
	f->owner_type = F_OWNER_PID;
	WRITE_ONCE(f->owner_pid, pgrp ? -pgrp : tty_caller());
}

static int
tty_set_flags(struct file *f, unsigned flags)
{
	tty_default_owner(tty_file(f)->t, f, flags);
	return 0;
}

static const struct file_ops tty_fops = {
	.async = true,
	.set_flags = tty_set_flags,
	.read = tty_file_read,
	.write = tty_file_write,
	.poll = tty_file_poll,
	.ioctl = tty_file_ioctl,
	.stat = tty_file_stat,
	.release = tty_file_release,
};

/* ---- opening ---- */

int
tty_file_create(struct tty *t, uint32_t era, unsigned flags, struct file **out)
{
	struct tty_file *tf = kmalloc(sizeof(*tf), ALLOC_KERNEL);
	int err = -ENOMEM;

	if (!tf)
		goto no_memory;
	tf->t = t;
	tf->era = era;
	err = file_create(&tty_fops, flags, tf, out);
	if (err)
		goto no_file;
	(*out)->mode |= FILE_STREAM;
	return 0;
no_file:
	kfree(tf);
no_memory:
	tty_close(t);
	return err;
}

int
console_open(struct inode *i, unsigned flags, struct file **out, void *arg)
{
	struct tty *t = tty_get();
	uint32_t era;
	int err;

	(void)i, (void)arg;
	if (!t)
		return -ENXIO;
	err = tty_open(t, tty_privileged(), &era);
	return err ? err : tty_file_create(t, era, flags, out);
}

int
tty_file_open(struct inode *i, unsigned flags, struct file **out, void *arg)
{
	struct tty *t;
	uint32_t era;
	int err = tty_open_controlling(&t, &era);

	(void)i, (void)arg;
	return err ? err : tty_file_create(t, era, flags, out);
}
