/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devpts, the directory of the slaves of ptys, and /dev/ptmx, which makes
 * one (pts(4)).
 *
 * There is one instance: its super is static, and a second mount is refused.
 * An entry of nodes[] is the inode of a slave, from the opening of its master
 * until that closes; its number is the pty's index + 3, its priv the pty's
 * serial number, by which a later pty of the same index is told apart.
 *
 * Lock: nodes_lock (RANK_EVENT) for the table.
 */
#include <abi/dirent.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/statfs.h>
#include <abi/termios.h>
#include <base/assert.h>
#include <base/fmt.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/spinlock.h>
#include <dev/pty.h>
#include <dev/tty.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/poll.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/pseudo/ttyfile.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#include "pseudo_priv.h"

#define DEVPTS_MAGIC 0x1cd1
#define ROOT_INO     1
#define PTMX_INO     2
#define FIRST_INO    3
#define NAME_ROOM    12
#define DIR_START    2 /* "." and ".." */

static struct super devpts_super;
static struct {
	bool mounted;  /* [a] */
	uint32_t mode; /* of new slaves: mode=, 0600 */
	bool has_gid;
	uint32_t gid;	    /* of new slaves: gid= */
	uint32_t ptmx_mode; /* ptmxmode=, 0 */
} fs;

static struct spinlock nodes_lock;
static struct inode **nodes; /* [nodes_lock] LIMIT_PTYS, made at first */

/* ---- inodes ---- */

static const struct inode_ops slave_iops, ptmx_iops, root_iops;

static struct inode *
make_inode(uint64_t ino, uint32_t mode, uint64_t rdev,
	   const struct inode_ops *ops)
{
	struct inode *i = inode_new(&devpts_super);
	uint64_t now = clock_real_ns();

	if (!i)
		return NULL;
	i->ino = ino;
	i->mode = mode;
	i->rdev = rdev;
	i->ops = ops;
	i->state |= INODE_NO_NEGATIVE;
	i->atime.sec = (int64_t)(now / NSEC_PER_SEC);
	i->atime.nsec = (uint32_t)(now % NSEC_PER_SEC);
	i->mtime = i->ctime = i->atime;
	return i;
}

static int
setattr(struct inode *i, const struct inode_attr *a)
{
	inode_copy_attr(i, a);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

/* A name is a number as printf writes it. */
static bool
parse_index(const char *name, size_t len, unsigned *out)
{
	unsigned v = 0;
	size_t k;

	if (!len || len > 4 || (name[0] == '0' && len > 1))
		return false;
	for (k = 0; k < len; k++) {
		if (name[k] < '0' || name[k] > '9')
			return false;
		v = v * 10 + (unsigned)(name[k] - '0');
	}
	*out = v;
	return v < LIMIT_PTYS;
}

static int
root_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	unsigned index;

	(void)dir;
	if (len == 4 && !memcmp(name, "ptmx", 4)) {
		*out = make_inode(PTMX_INO, S_IFCHR | fs.ptmx_mode,
				  DEV_MAKE(TTYAUX_MAJOR, 2), &ptmx_iops);
		return *out ? 0 : -ENOMEM;
	}
	if (!parse_index(name, len, &index))
		return -ENOENT;
	spin_lock(&nodes_lock);
	*out = nodes ? nodes[index] : NULL;
	if (*out)
		inode_get(*out);
	spin_unlock(&nodes_lock);
	return *out ? 0 : -ENOENT;
}

static bool
node_at(unsigned index)
{
	return nodes && READ_ONCE(nodes[index]);
}

static int
root_iterate(struct inode *dir, int64_t *pos, uint64_t parent,
	     struct dir_emit *e)
{
	char name[NAME_ROOM];
	int n;

	if (*pos == 0) {
		if (!e->fn(e, ".", 1, dir->ino, 1, DT_DIR))
			return 0;
		*pos = 1;
	}
	if (*pos == 1) {
		if (!e->fn(e, "..", 2, parent, DIR_START, DT_DIR))
			return 0;
		*pos = DIR_START;
	}
	if (*pos == DIR_START) {
		if (!e->fn(e, "ptmx", 4, PTMX_INO, DIR_START + 1, DT_CHR))
			return 0;
		*pos = DIR_START + 1;
	}
	for (; *pos < DIR_START + 1 + LIMIT_PTYS; ++*pos) {
		unsigned i = (unsigned)(*pos - DIR_START - 1);

		if (!node_at(i))
			continue;
		n = ksnprintf(name, sizeof(name), "%u", i);
		if (!e->fn(e, name, (size_t)n, i + FIRST_INO, *pos + 1, DT_CHR))
			return 0;
	}
	return 0;
}

static int
slave_open(struct inode *i, unsigned flags, struct file **out)
{
	struct tty *t;
	uint32_t era;
	int err;

	err = pty_open_slave((unsigned)(i->ino - FIRST_INO),
			     (uint64_t)(uintptr_t)i->priv, tty_privileged(), &t,
			     &era);
	if (err)
		return err;
	err = tty_file_create(t, era, flags, out);
	if (!err && !(flags & O_NOCTTY) && (flags & O_ACCMODE) != O_WRONLY)
		ignore(tty_control(t, true, false)); /* it need not be */
	return err;
}

static int
ptmx_node_open(struct inode *i, unsigned flags, struct file **out)
{
	return ptmx_open(i, flags, out, NULL);
}

static const struct inode_ops slave_iops = {
	.open = slave_open,
	.setattr = setattr,
};
static const struct inode_ops ptmx_iops = {
	.open = ptmx_node_open,
	.setattr = setattr,
};
/* Names come and go with their masters only. */
static int
root_create(struct inode *dir, const char *name, size_t len, uint32_t mode,
	    uint64_t rdev, struct inode **out)
{
	(void)dir, (void)name, (void)len, (void)mode, (void)rdev, (void)out;
	return -EACCES;
}

static int
root_unlink(struct inode *dir, const char *name, size_t len,
	    struct inode *target)
{
	(void)dir, (void)name, (void)len, (void)target;
	return -EPERM;
}

static const struct inode_ops root_iops = {
	.create = root_create,
	.unlink = root_unlink,
	.lookup = root_lookup,
	.iterate = root_iterate,
	.setattr = setattr,
};

/* ---- masters ---- */

static ssize_t
read_some(struct file *f, void *buf, size_t len, bool nowait)
{
	return pty_read(f->priv, buf, len, nowait);
}

static ssize_t
write_some(struct file *f, const void *buf, size_t len, bool nowait)
{
	return pty_write(f->priv, buf, len, nowait);
}

static ssize_t
master_read(struct file *f, struct uio *u, int64_t *pos)
{
	(void)pos;
	return bounce_read(f, u, 4095, read_some);
}

static ssize_t
master_write(struct file *f, struct uio *u, int64_t *pos)
{
	(void)pos;
	return bounce_write(f, u, write_some);
}

static uint32_t
master_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(pt, pty_waitq(f->priv));
	return pty_poll(f->priv);
}

static long
set_flag(struct pty *p, uint64_t arg, void (*fn)(struct pty *, bool))
{
	int v, err = tty_get_int(arg, &v);

	if (!err)
		fn(p, v);
	return err;
}

/* TIOCGPTPEER: a descriptor of the slave. */
static long
open_peer(struct pty *p, uint64_t flags)
{
	char path[24];
	struct file *f;
	int fd, err;

	ksnprintf(path, sizeof(path), "/dev/pts/%u", pty_index(p));
	err = path_open(AT_FDCWD, path, (unsigned)flags, 0, LOOKUP_FOLLOW, &f);
	if (err)
		return err;
	fd = fd_add(thread_current()->fds, f, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long
send_signal(struct pty *p, uint64_t sig)
{
	if (sig < 1 || sig > 64)
		return -EINVAL;
	tty_signal(pty_slave(p), (int)sig);
	return 0;
}

static long
master_flush(struct pty *p, uint64_t arg)
{
	if (arg > TCIOFLUSH)
		return -EINVAL;
	if (arg != TCOFLUSH)
		pty_drop_output(p); /* what the master would read */
	return 0;
}

static long
master_session(struct pty *p, uint64_t arg)
{
	int sid = tty_session(pty_slave(p));

	return sid ? tty_put_int(arg, sid) : -ENOTTY;
}

static long
master_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct pty *p = f->priv;
	struct tty *t = pty_slave(p);

	switch (cmd) {
	case TIOCGPTN:
		return tty_put_int(arg, (int)pty_index(p));
	case TIOCSPTLCK:
		return set_flag(p, arg, pty_set_locked);
	case TIOCGPTLCK:
		return tty_put_int(arg, pty_locked(p));
	case TIOCPKT:
		return set_flag(p, arg, pty_set_packet);
	case TIOCGPKT:
		return tty_put_int(arg, pty_packet(p));
	case TIOCGPTPEER:
		return open_peer(p, arg);
	case TIOCSIG:
		return send_signal(p, arg);
	case FIONREAD_TTY:
		return tty_put_int(arg, (int)pty_readable(p));
	case TIOCGPGRP:
		return tty_put_int(arg, tty_pgrp(t));
	case TIOCGSID:
		return master_session(p, arg);
	case TIOCSCTTY:
		return tty_control(t, false, arg == 1 && tty_privileged());
	case TCFLSH:
		return master_flush(p, arg);
	case TCSBRK:
	case TCSBRKP:
		return 0; /* what was written has arrived */
	default:
		return tty_ioctl_shared(t, cmd, arg);
	}
}

static int
master_stat(struct file *f, struct kstat *st)
{
	inode_stat(f->inode, st);
	return 0;
}

static int
master_fdinfo(struct file *f, char *buf, size_t size)
{
	return ksnprintf(buf, size, "tty-index:\t%u\n", pty_index(f->priv));
}

/* The name goes with the master. */
static void
master_release(struct file *f)
{
	unsigned index = pty_index(f->priv);
	struct inode *i;

	spin_lock(&nodes_lock);
	i = nodes[index];
	nodes[index] = NULL;
	spin_unlock(&nodes_lock);
	pty_close(f->priv);
	i->nlink = 0;
	inode_put(i);
}

static int
master_set_flags(struct file *f, unsigned flags)
{
	tty_default_owner(pty_slave(f->priv), f, flags);
	return 0;
}

static const struct file_ops master_fops = {
	.async = true,
	.set_flags = master_set_flags,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.stat = master_stat,
	.fdinfo = master_fdinfo,
	.release = master_release,
};

/* The table is as large as it can get: 32 KB, when there is a first pty. */
static int
make_table(void)
{
	struct inode **t;

	if (READ_ONCE(nodes))
		return 0;
	t = kcalloc(LIMIT_PTYS, sizeof(*t), ALLOC_KERNEL);
	if (!t)
		return -ENOMEM;
	spin_lock(&nodes_lock);
	if (!nodes) {
		nodes = t;
		t = NULL;
	}
	spin_unlock(&nodes_lock);
	kfree(t);
	return 0;
}

static struct inode *
make_node(struct pty *p)
{
	struct cred *c = thread_current()->cred;
	struct inode *i =
		make_inode(pty_index(p) + FIRST_INO, S_IFCHR | fs.mode,
			   DEV_MAKE(PTS_MAJOR, pty_index(p)), &slave_iops);

	if (!i)
		return NULL;
	i->priv = (void *)(uintptr_t)pty_serial(p);
	if (c) {
		i->uid = c->fsuid;
		i->gid = c->fsgid;
	}
	if (fs.has_gid)
		i->gid = fs.gid;
	return i;
}

int
ptmx_open(struct inode *inode, unsigned flags, struct file **out, void *arg)
{
	struct inode *i;
	struct pty *p;
	int err;

	(void)inode, (void)arg;
	if (!atomic_load_relaxed(&fs.mounted))
		return -ENODEV;
	err = make_table();
	if (!err)
		err = pty_create(&p);
	if (err)
		return err;
	i = make_node(p);
	err = i ? file_create(&master_fops, flags, p, out) : -ENOMEM;
	if (err)
		goto failed;
	(*out)->mode |= FILE_STREAM;
	spin_lock(&nodes_lock);
	nodes[pty_index(p)] = i;
	spin_unlock(&nodes_lock);
	return 0;
failed:
	if (i)
		inode_put(i);
	pty_close(p);
	return err;
}

/* ---- mounting ---- */

/* "NAME=" at s, and a number to base: true. */
static bool
option(const char *s, const char *name, unsigned base, uint32_t *out)
{
	size_t n = strlen(name);
	uint32_t v = 0;

	if (strncmp(s, name, n))
		return false;
	for (s += n; *s >= '0' && *s < (char)('0' + base); s++)
		v = v * base + (uint32_t)(*s - '0');
	*out = v;
	return *s == ',' || !*s;
}

static int
parse_options(const char *s)
{
	uint32_t v;

	while (s && *s) {
		const char *end = strchr(s, ',');

		if (option(s, "mode=", 8, &v)) {
			fs.mode = v & 0777;
		} else if (option(s, "ptmxmode=", 8, &v)) {
			fs.ptmx_mode = v & 0777;
		} else if (option(s, "gid=", 10, &v)) {
			fs.gid = v;
			fs.has_gid = true;
		} else {
			return -EINVAL;
		}
		s = end ? end + 1 : NULL;
	}
	return 0;
}

static int
statfs(struct super *sb, struct statfs *st)
{
	(void)sb;
	st->f_type = DEVPTS_MAGIC;
	st->f_bsize = (int64_t)PAGE_SIZE;
	st->f_frsize = (int64_t)PAGE_SIZE;
	st->f_namelen = NAME_MAX_BYTES;
	return 0;
}

static void
unmount(struct super *sb)
{
	(void)sb;
	atomic_store_relaxed(&fs.mounted, false);
}

static const struct super_ops devpts_super_ops = {
	.statfs = statfs,
	.unmount = unmount,
};

static int
mount_devpts(const struct fs_type *t, const char *source, unsigned flags,
	     const char *options, struct super **out)
{
	struct super *sb = &devpts_super;
	int err;

	(void)source;
	if (atomic_load_relaxed(&fs.mounted))
		return -EBUSY; /* one instance */
	fs.mode = 0600;
	fs.ptmx_mode = 0;
	fs.has_gid = false;
	err = parse_options(options);
	if (err)
		return err;
	sb->type = t;
	sb->ops = &devpts_super_ops;
	sb->flags = flags;
	sb->block_size = 1024; /* st_blksize, as on Linux */
	sb->magic = DEVPTS_MAGIC;
	sb->root = make_inode(ROOT_INO, S_IFDIR | 0755, 0, &root_iops);
	if (!sb->root)
		return -ENOMEM;
	sb->root->nlink = 2;
	atomic_store_relaxed(&fs.mounted, true);
	*out = sb;
	return 0;
}

static const struct fs_type devpts_type = {
	.name = "devpts",
	.nodev = true,
	.mount = mount_devpts,
};

void
devpts_init(void)
{
	spin_init(&nodes_lock, RANK_EVENT);
	fs_register(&devpts_type);
}
