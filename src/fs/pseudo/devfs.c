/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes of /dev: null, zero, full, random, urandom, the terminal, and the
 * links to the descriptors.  /dev/shm is a directory for a tmpfs,
 * /dev/pts for devpts.
 */
#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/termios.h>
#include <base/math.h>
#include <base/string.h>
#include <core/log.h>
#include <dev/random.h>
#include <dev/tty.h>
#include <file/file.h>
#include <file/poll.h>
#include <fs/pseudo/ttyfile.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#include "pseudo_priv.h"

#define RNDGETENTCNT 0x80045200u
#define RANDOM_CHUNK 512u
#define RANDOM_LOOK  4096u /* bytes between looks for signals */

void
register_table(int (*fn)(const struct pseudo_entry *),
	       const struct pseudo_entry *e, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		int err = fn(&e[i]);

		if (err)
			log_err("%s: can't be registered: error %d", e[i].path,
				-err);
	}
}

/* ---- null, zero, full ---- */

static ssize_t
null_read(struct file *f, struct uio *u, int64_t *pos)
{
	(void)f, (void)u, (void)pos;
	return 0;
}

static ssize_t
null_write(struct file *f, struct uio *u, int64_t *pos)
{
	size_t n = u->resid;

	(void)f, (void)pos;
	uio_advance(u, n);
	return (ssize_t)n;
}

static ssize_t
zero_read(struct file *f, struct uio *u, int64_t *pos)
{
	size_t done = 0;
	ssize_t n = 0;

	(void)f, (void)pos;
	/* In pieces: a signal must not wait for gigabytes. */
	while (u->resid) {
		n = uio_zero(u, min_size(u->resid, 1u << 20));
		if (n <= 0)
			break;
		done += (size_t)n;
		if (!u->resid)
			break;
		thread_resched_point();
		if (thread_signal_pending())
			break;
	}
	return done ? (ssize_t)done : n;
}

static ssize_t
full_write(struct file *f, struct uio *u, int64_t *pos)
{
	(void)f, (void)u, (void)pos;
	return -ENOSPC;
}

static int64_t
null_seek(struct file *f, int64_t off, int whence)
{
	(void)off, (void)whence;
	f->pos = 0;
	return 0;
}

static int
dev_stat(struct file *f, struct kstat *st)
{
	inode_stat(f->inode, st);
	return 0;
}

/* A mapping of /dev/zero is anonymous memory. */
static int
zero_mmap(struct file *f, struct file_mmap *m)
{
	(void)f;
	m->object = NULL;
	return 0;
}

static const struct file_ops null_fops = {
	.read = null_read,
	.write = null_write,
	.seek = null_seek,
	.stat = dev_stat,
};
static const struct file_ops zero_fops = {
	.read = zero_read,
	.write = null_write,
	.seek = null_seek,
	.stat = dev_stat,
	.mmap = zero_mmap,
};
static const struct file_ops full_fops = {
	.read = zero_read,
	.write = full_write,
	.seek = null_seek,
	.stat = dev_stat,
};

/* ---- random ---- */

static ssize_t
random_read(struct file *f, struct uio *u, int64_t *pos)
{
	uint8_t buf[RANDOM_CHUNK];
	size_t done = 0;
	ssize_t n;
	int err = 0;

	(void)pos;
	if (!random_ready())
		err = file_nonblock(f) ? -EAGAIN : random_wait(true);
	while (u->resid && !err) {
		random_bytes(buf, min_size(u->resid, sizeof(buf)));
		n = uio_write(u, buf, min_size(u->resid, sizeof(buf)));
		if (n < 0)
			err = (int)n;
		else
			done += (size_t)n;
		if (done % RANDOM_LOOK == 0) {
			thread_resched_point();
			if (thread_signal_pending())
				break;
		}
	}
	return done ? (ssize_t)done : err;
}

static ssize_t
random_write(struct file *f, struct uio *u, int64_t *pos)
{
	uint8_t buf[RANDOM_CHUNK];
	size_t done = 0;
	ssize_t n = 0;

	(void)f, (void)pos;
	while (u->resid) {
		n = uio_read(u, buf, min_size(u->resid, sizeof(buf)));
		if (n < 0)
			break;
		random_add(buf, (size_t)n, 0);
		done += (size_t)n;
	}
	return done ? (ssize_t)done : n;
}

static uint32_t
random_poll(struct file *f, struct poll_table *pt)
{
	(void)f, (void)pt;
	/* Not ready lasts for milliseconds at boot, and reads wait it out. */
	return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

static long
random_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	int bits = random_ready() ? 256 : 0;

	(void)f;
	if (cmd != RNDGETENTCNT)
		return -EINVAL;
	return copy_to_user((void __user *)arg, &bits, sizeof(bits));
}

static const struct file_ops random_fops = {
	.read = random_read,
	.write = random_write,
	.seek = null_seek,
	.poll = random_poll,
	.ioctl = random_ioctl,
	.stat = dev_stat,
};

/* ---- the table ---- */

static int
open_fops(struct inode *i, unsigned flags, struct file **out, void *arg)
{
	(void)i;
	return file_create(arg, flags, NULL, out);
}

static ssize_t
link_text(char *buf, size_t size, void *arg)
{
	const char *text = arg;
	size_t n = min_size(strlen(text), size);

	memcpy(buf, text, n);
	return (ssize_t)n;
}

#define NODE(p, perm, maj, min, f)                             \
	{                                                      \
		.path = (p), .mode = S_IFCHR | (perm),         \
		.rdev = DEV_MAKE(maj, min), .open = open_fops, \
		.arg = (void *)(uintptr_t)(f)                  \
	}
#define TTY(p, perm, min, fn)                                     \
	{                                                         \
		.path = (p), .mode = S_IFCHR | (perm),            \
		.rdev = DEV_MAKE(TTYAUX_MAJOR, min), .open = (fn) \
	}
#define LINK(p, text)                                                       \
	{                                                                   \
		.path = (p), .mode = S_IFLNK | 0777, .readlink = link_text, \
		.arg = (void *)(uintptr_t)(text)                            \
	}

static const struct pseudo_entry nodes[] = {
	NODE("null", 0666, 1, 3, &null_fops),
	NODE("zero", 0666, 1, 5, &zero_fops),
	NODE("full", 0666, 1, 7, &full_fops),
	NODE("random", 0666, 1, 8, &random_fops),
	NODE("urandom", 0666, 1, 9, &random_fops),
	TTY("tty", 0666, 0, tty_file_open),
	TTY("console", 0666, 1, console_open),
	TTY("ptmx", 0666, 2, ptmx_open),
	LINK("fd", "/proc/self/fd"),
	LINK("stdin", "/proc/self/fd/0"),
	LINK("stdout", "/proc/self/fd/1"),
	LINK("stderr", "/proc/self/fd/2"),
	{ .path = "shm", .mode = S_IFDIR | 01777 },
	{ .path = "pts", .mode = S_IFDIR | 0755 },
};

void
dev_nodes_init(void)
{
	tty_init();
	devpts_init();
	register_table(dev_register, nodes, ARRAY_SIZE(nodes));
}
