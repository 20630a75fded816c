/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening files by path: what each O_ flag asks, in Linux's order of errors.
 */
#include <fs/namei.h>

#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <base/atomic.h>
#include <base/string.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <fs/acl.h>
#include <fs/attr.h>
#include <fs/notify.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <sched/thread.h>

static unsigned
access_mask(unsigned oflags)
{
	static const uint8_t masks[4] = { R_OK, W_OK, R_OK | W_OK,
					  R_OK | W_OK };
	unsigned mask = masks[oflags & O_ACCMODE];

	if (oflags & O_TRUNC)
		mask |= W_OK;
	return mask;
}

/* May the program open d so?  Not asked of a file it has just made. */
static int
may_open(struct dentry *d, unsigned oflags)
{
	struct inode *i = d->inode;
	unsigned mask = access_mask(oflags);
	int err;

	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (mask & W_OK)
			return -EISDIR;
		break;
	case S_IFREG:
		if ((mask & W_OK) && vfs_read_only(d))
			return -EROFS;
		break;
	}
	err = inode_permission(i, mask);
	if (err)
		return err;
	if ((i->state & INODE_APPEND) &&
	    ((oflags & O_ACCMODE) != O_RDONLY && !(oflags & O_APPEND)))
		return -EPERM;
	if ((i->state & INODE_APPEND) && (oflags & O_TRUNC))
		return -EPERM;
	if ((oflags & O_NOATIME) && !inode_owner_or_capable(i))
		return -EPERM;
	return 0;
}

static int
open_by_type(struct inode *i, unsigned oflags, struct file **out)
{
	if (oflags & O_PATH)
		return file_create(&path_file_ops, oflags, NULL, out);
	if (i->ops->open)
		return i->ops->open(i, oflags, out);
	switch (i->mode & S_IFMT) {
	case S_IFDIR:
		return file_create(&dir_file_ops, oflags, NULL, out);
	case S_IFCHR:
	case S_IFBLK:
		return fs_device_open ? fs_device_open(i, oflags, out) : -ENXIO;
	case S_IFIFO:
		return fs_fifo_open ? fs_fifo_open(i, oflags, out) : -ENXIO;
	case S_IFREG:
		if ((oflags & O_DIRECT) && i->cache && !i->cache->anonymous &&
		    !i->cache->ops->map)
			return -EINVAL;
		return i->fops ? file_create(i->fops, oflags, NULL, out) :
				 -EINVAL;
	default: /* a socket's name is connected to, not opened */
		return -ENXIO;
	}
}

int
dentry_open(struct dentry *d, unsigned oflags, struct file **out)
{
	/* What only the call itself is about does not stay with the file;
	 * that a terminal may become the controlling one is asked now. */
	unsigned keep =
		oflags & ~(unsigned)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
	struct inode *i = d->inode;
	struct file *f;
	int err = open_by_type(i, keep, &f);

	if (err)
		return err;
	/* An open operation may hand out a file that knows its place. */
	if (!f->dentry) {
		dentry_get(d);
		f->dentry = d;
	}
	if (!f->inode) {
		inode_get(i);
		f->inode = i;
	}
	if (S_ISDIR(i->mode))
		f->mode |= FILE_DIR;
	if (i->cache)
		f->wb_err = errseq_sample(&i->cache->wb_err);
	f->sb_err = errseq_sample(&i->sb->wb_err);
	if (S_ISREG(i->mode) && (f->mode & FILE_WRITE))
		atomic_add(&i->sb->nwriters, 1);
	*out = f;
	return 0;
}

/* Opens what a walk ended at; created: just made by this call. */
static int
open_found(struct dentry *d, unsigned oflags, bool created, struct file **out)
{
	struct inode *i = d->inode;
	int err = 0;

	if ((oflags & O_DIRECTORY) && !S_ISDIR(i->mode))
		return -ENOTDIR;
	if (oflags & O_PATH)
		return dentry_open(d, oflags, out);
	if (!created) {
		if ((oflags & O_CREAT) && S_ISDIR(i->mode))
			return -EISDIR;
		err = may_open(d, oflags);
	}
	if (!err && S_ISREG(i->mode))
		err = inode_break_leases(i, (oflags & O_ACCMODE) != O_RDONLY,
					 oflags & O_NONBLOCK);
	if (!err)
		err = dentry_open(d, oflags, out);
	if (!err)
		notify_file(*out, IN_OPEN);
	if (err || created || !(oflags & O_TRUNC) || !S_ISREG(i->mode) ||
	    (*out)->ops != &page_cache_file_ops)
		return err;
	err = inode_truncate(i, 0);
	if (err)
		file_put(*out);
	else
		notify_file(*out, IN_MODIFY);
	return err;
}

/* O_CREAT: the entry of the last component, made if need be.  -EAGAIN: it is
 * a link to follow; *d is it. */
static int
create_last(struct walk_last *l, unsigned oflags, uint32_t mode,
	    struct dentry **out, bool *created)
{
	struct inode *dir = l->parent->inode;
	struct dentry *d;
	int err;

	*created = false;
	write_lock(&dir->lock);
	err = lookup_one(l->parent, l->name, l->len, l->hash, &d);
	if (err)
		goto unlock;
	if (!d->inode) {
		if (vfs_read_only(l->parent))
			err = -EROFS;
		else
			err = inode_permission(dir, W_OK | X_OK);
		mode = acl_create_mode(dir, mode & S_IALLUGO);
		if (!err)
			err = inode_create_at(l->parent, d, S_IFREG | mode, 0);
		*created = !err;
		if (!err)
			notify_name(dir, IN_CREATE, l->name);
	} else if (oflags & O_EXCL) {
		err = -EEXIST;
	}
	if (err)
		dentry_put(d);
unlock:
	write_unlock(&dir->lock);
	*out = d;
	return err;
}

/* Over mounts. */
static struct dentry *
cross(struct dentry *d)
{
	while (d->mounted) {
		struct dentry *m = d->mounted;

		dentry_get(m);
		dentry_put(d);
		d = m;
	}
	return d;
}

/*
 * The target of a link that was found where a file should be created, as a
 * path from the link's directory.
 */
static int
link_target(struct dentry *link, char *buf)
{
	struct inode *i = link->inode;
	const char *text = atomic_load_acquire(&i->link);
	ssize_t n;

	if (text) {
		n = (ssize_t)strlcpy(buf, text, PATH_MAX_BYTES);
		return n >= PATH_MAX_BYTES ? -ENAMETOOLONG : 0;
	}
	if (i->ops->follow || !i->ops->readlink)
		return -ELOOP;
	n = i->ops->readlink(i, buf, PATH_MAX_BYTES - 1);
	if (n < 0)
		return (int)n;
	buf[n] = '\0';
	return n ? 0 : -ENOENT;
}

static int
open_create(int dfd, const char *path, unsigned oflags, uint32_t mode,
	    unsigned lookup, struct file **out)
{
	struct walk_last l;
	struct dentry *d;
	bool created;
	char *buf = NULL;
	int err;

	l.parent = NULL;
	err = path_parent(dfd, path, lookup, &l);
	for (unsigned links = 0; !err; links++) {
		/* A directory, then; it is there already. */
		if (!l.len ||
		    (l.name[0] == '.' &&
		     (l.len == 1 || (l.len == 2 && l.name[1] == '.')))) {
			err = oflags & O_EXCL ? -EEXIST : -EISDIR;
			break;
		}
		if (l.slash) {
			err = -EISDIR;
			break;
		}
		err = create_last(&l, oflags, mode, &d, &created);
		if (err)
			break;
		if (!S_ISLNK(d->inode->mode)) {
			d = cross(d);
			err = open_found(d, oflags, created, out);
			dentry_put(d);
			break;
		}
		if (oflags & O_PATH)
			err = -ELOOP;
		else if ((oflags & O_NOFOLLOW) || links >= SYMLINK_MAX_DEPTH ||
			 (lookup & LOOKUP_NO_SYMLINKS))
			err = -ELOOP;
		else if (lookup & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
			err = -EXDEV; /* where it leads is not checked here */
		if (!err && d->inode->ops->follow) {
			/* /proc/self/fd/1 and such: never created */
			dentry_put(d);
			dentry_put(l.parent);
			kfree(buf);
			return path_open(dfd, path, oflags & ~(unsigned)O_CREAT,
					 0, lookup, out);
		}
		if (!err && !buf) {
			buf = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL);
			err = buf ? 0 : -ENOMEM;
		}
		if (!err)
			err = link_target(d, buf);
		dentry_put(d);
		if (!err) {
			struct dentry *at = l.parent;

			err = path_parent_at(at, buf, lookup, &l);
			dentry_put(at);
			if (err) {
				kfree(buf);
				return err;
			}
		}
	}
	if (l.parent)
		dentry_put(l.parent);
	kfree(buf);
	return err;
}

static int
open_tmpfile(int dfd, const char *path, unsigned oflags, uint32_t mode,
	     unsigned lookup, struct file **out)
{
	struct dentry *dir, *d = NULL;
	struct inode *i;
	int err = path_lookup(dfd, path, lookup | LOOKUP_DIRECTORY, &dir);

	if (err)
		return err;
	err = inode_permission(dir->inode, W_OK | X_OK);
	if (!err && vfs_read_only(dir))
		err = -EROFS;
	if (!err && !dir->inode->ops->tmpfile)
		err = -EOPNOTSUPP;
	if (err)
		goto out;
	d = dentry_new(dir, dir->sb, "#tmpfile", 8, 0);
	if (!d) {
		err = -ENOMEM;
		goto out;
	}
	read_lock(&dir->inode->lock); /* for its default ACL */
	mode = acl_create_mode(dir->inode, mode & S_IALLUGO);
	err = dir->inode->ops->tmpfile(dir->inode, S_IFREG | mode, &i);
	read_unlock(&dir->inode->lock);
	if (err)
		goto out;
	d->inode = i;
	d->unhashed = true;
	if (!(oflags & O_EXCL))
		atomic_or(&i->state, INODE_LINKABLE);
	err = dentry_open(d, oflags & ~(unsigned)O_TMPFILE, out);
	if (!err)
		notify_file(*out, IN_OPEN);
out:
	if (d)
		dentry_put(d);
	dentry_put(dir);
	return err;
}

int
path_open(int dfd, const char *path, unsigned oflags, uint32_t mode,
	  unsigned lookup, struct file **out)
{
	struct dentry *d;
	int err;

	if (!(oflags & O_NOFOLLOW))
		lookup |= LOOKUP_FOLLOW;
	if ((oflags & O_TMPFILE) == O_TMPFILE)
		return open_tmpfile(dfd, path, oflags, mode, lookup, out);
	if ((oflags & O_CREAT) && !(oflags & O_PATH))
		return open_create(dfd, path, oflags, mode, lookup, out);
	if (oflags & O_DIRECTORY)
		lookup |= LOOKUP_DIRECTORY;
	err = path_lookup(dfd, path, lookup, &d);
	if (err)
		return err;
	err = open_found(d, oflags, false, out);
	dentry_put(d);
	return err;
}

int
path_open_exec(const char *path, struct file **out)
{
	return path_open(AT_FDCWD, path, O_RDONLY, 0, LOOKUP_FOLLOW, out);
}
