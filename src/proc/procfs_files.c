/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in /proc/self: the links exe, cwd and root, the directories fd and
 * fdinfo, and the mounts.  An entry of fd is made when it is looked up; its
 * argument is the descriptor's number.
 */
#include "procfs_priv.h"

#include <abi/errno.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/vfs.h>
#include <mem/heap.h>

#define FDINFO_MAX    (1u << 20)
#define LINK_NAME_MAX 288u /* a message queue's: 255, and " (deleted)" */

/* ---- mounts ---- */

#define SPECIAL " \t\n\\"

static void
mount_source(struct seq_buf *s, const struct mount_info *m)
{
	seq_escape(s, m->source && *m->source ? m->source : "none",
		   SPECIAL "#");
}

static bool
mount_line(const struct mount_info *m, void *arg)
{
	mount_source(arg, m);
	seq_write(arg, " ", 1);
	seq_escape(arg, m->target, SPECIAL);
	seq_printf(arg, " %s %s 0 0\n", m->type,
		   m->options && *m->options ? m->options : "rw");
	return true;
}

int
procfs_show_mounts(struct seq_buf *s, void *arg)
{
	(void)arg;
	vfs_for_each_mount(mount_line, s);
	return 0;
}

static bool
mountinfo_line(const struct mount_info *m, void *arg)
{
	uint64_t dev = m->sb->dev;
	const char *opt = m->options && *m->options ? m->options : "rw";

	seq_printf(arg, "%u %u %u:%u / ", m->id, m->parent_id,
		   (unsigned)(dev >> 8 & 0xfff), (unsigned)(dev & 0xff));
	seq_escape(arg, m->target, SPECIAL);
	seq_printf(arg, " %s - %s ", opt, m->type);
	mount_source(arg, m);
	seq_printf(arg, " %s\n", opt);
	return true;
}

int
procfs_show_mountinfo(struct seq_buf *s, void *arg)
{
	(void)arg;
	vfs_for_each_mount(mountinfo_line, s);
	return 0;
}

/* ---- links: exe, cwd, root, fd ---- */

/* The dentry with a reference, or NULL. */
static struct dentry *
link_dentry(void *arg)
{
	struct thread *t = thread_current();
	struct fs_context *c = t->fsctx;
	struct dentry *d = NULL;

	if ((enum link_what)(intptr_t)arg == LINK_EXE) {
		mutex_lock(&t->proc->lock);
		if (t->proc->exe)
			d = t->proc->exe->dentry;
		if (d)
			dentry_get(d);
		mutex_unlock(&t->proc->lock);
		return d;
	}
	spin_lock(&c->lock);
	d = (enum link_what)(intptr_t)arg == LINK_CWD ? c->cwd : c->root;
	dentry_get(d);
	spin_unlock(&c->lock);
	return d;
}

static ssize_t
path_into(struct dentry *d, char *buf, size_t size)
{
	char *tmp = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL), *path;
	ssize_t n = -ENAMETOOLONG;

	if (!tmp)
		return -ENOMEM;
	path = dentry_path(d, NULL, tmp, PATH_MAX_BYTES);
	if (path) {
		n = (ssize_t)min_size(strlen(path), size);
		memcpy(buf, path, (size_t)n);
	}
	kfree(tmp);
	return n;
}

ssize_t
procfs_link_readlink(char *buf, size_t size, void *arg)
{
	struct dentry *d = link_dentry(arg);
	ssize_t n;

	if (!d)
		return -ENOENT;
	n = path_into(d, buf, size);
	dentry_put(d);
	return n;
}

int
procfs_link_follow(struct dentry **out, void *arg)
{
	*out = link_dentry(arg);
	return *out ? 0 : -ENOENT;
}

static ssize_t
fd_readlink(char *buf, size_t size, void *arg)
{
	struct file *f;
	ssize_t n;
	int err = fd_get_any(thread_current()->fds, (int)(intptr_t)arg, &f);

	if (err)
		return -ENOENT;
	if (f->ops->link_name) {
		char name[LINK_NAME_MAX];

		n = f->ops->link_name(f, name, sizeof(name));
		if (n >= 0) {
			/* It is as long as it would be with room. */
			n = (ssize_t)min_size((size_t)n, sizeof(name) - 1);
			n = (ssize_t)min_size((size_t)n, size);
			memcpy(buf, name, (size_t)n);
		}
	} else if (f->dentry) {
		n = path_into(f->dentry, buf, size);
	} else {
		n = -ENOENT;
	}
	file_put(f);
	return n;
}

/* Files without a name (pipes, sockets) are opened by the fs layer's own
 * means; here only those that have a directory entry. */
static int
fd_follow(struct dentry **out, void *arg)
{
	struct file *f;
	int err = fd_get_any(thread_current()->fds, (int)(intptr_t)arg, &f);

	if (err)
		return -ENOENT;
	*out = f->dentry;
	if (f->dentry)
		dentry_get(f->dentry);
	file_put(f);
	return *out ? 0 : -ENXIO;
}

/* What the file itself says, whole where there is memory for it. */
static void
fdinfo_extra(struct seq_buf *s, struct file *f)
{
	char small[512], *buf = small, *more;
	size_t size = sizeof(small);
	int n = f->ops->fdinfo(f, buf, size);

	while (n >= (int)size && size < FDINFO_MAX) {
		more = kmalloc(4 * size, ALLOC_KERNEL);
		if (!more)
			break;
		if (buf != small)
			kfree(buf);
		buf = more;
		size *= 4;
		n = f->ops->fdinfo(f, buf, size);
	}
	if (n > 0)
		seq_write(s, buf, min_size((size_t)n, size - 1));
	if (buf != small)
		kfree(buf);
}

static int
show_fdinfo(struct seq_buf *s, void *arg)
{
	struct file *f;
	int fd = (int)(intptr_t)arg;
	int err = fd_get_any(thread_current()->fds, fd, &f);

	if (err)
		return -ENOENT;
	seq_printf(s, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t1\nino:\t%lu\n",
		   (long)f->pos,
		   f->flags | (fd_get_cloexec(thread_current()->fds, fd) > 0 ?
				       02000000u :
				       0u),
		   f->inode ? (unsigned long)f->inode->ino : 0ul);
	if (f->ops->fdinfo)
		fdinfo_extra(s, f);
	file_put(f);
	return 0;
}

static int
fd_number(const char *name, int *fd)
{
	uint64_t v;
	struct file *f;

	if (parse_u64(name, strlen(name), 10, &v) || v > INT32_MAX)
		return -ENOENT;
	*fd = (int)v;
	if (fd_get_any(thread_current()->fds, *fd, &f))
		return -ENOENT;
	file_put(f);
	return 0;
}

int
procfs_fd_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	int fd, err = fd_number(name, &fd);

	(void)arg;
	if (err)
		return err;
	*e = (struct pseudo_entry){
		.path = name,
		.mode = 0120000u | 0700u,
		.readlink = fd_readlink,
		.follow = fd_follow,
		.arg = (void *)(intptr_t)fd,
	};
	return 0;
}

int
procfs_fdinfo_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	int fd, err = fd_number(name, &fd);

	(void)arg;
	if (err)
		return err;
	*e = (struct pseudo_entry){
		.path = name,
		.mode = FILE_MODE,
		.show = show_fdinfo,
		.arg = (void *)(intptr_t)fd,
	};
	return 0;
}

static int
iterate_fds(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
	    uint32_t type)
{
	struct file *f;
	int fd;

	if (*cursor > INT32_MAX)
		return -ENOENT;
	fd = fd_next(thread_current()->fds, (int)*cursor, &f);
	if (fd < 0)
		return -ENOENT;
	file_put(f);
	ksnprintf(name, size, "%d", fd);
	*mode = type;
	*cursor = (uint64_t)fd + 1;
	return 0;
}

int
procfs_fd_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
		  void *arg)
{
	(void)arg;
	return iterate_fds(cursor, name, size, mode, 0120000u | 0700u);
}

int
procfs_fdinfo_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
		      void *arg)
{
	(void)arg;
	return iterate_fds(cursor, name, size, mode, FILE_MODE);
}
