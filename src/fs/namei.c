/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From paths to dentries.
 *
 * A walk is tried twice.  The first try takes no reference and no lock: it
 * does not sleep, so nothing it looks at is freed under it.  It gives up
 * (-ECHILD, seen by nobody outside) when a name is not in the cache, when a
 * symbolic link has not been read yet, when a reference cannot be had at the
 * end, or when something was renamed meanwhile.  The second try takes
 * references at each step and may sleep.
 *
 * Symbolic links do not recurse: what is left of each path is kept on a
 * small stack, and their targets stay with their inodes (inode->link).
 */
#include <fs/namei.h>

#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <base/assert.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <mem/heap.h>
#include <sched/thread.h>

void (*path_missing_hook)(const char *path);

struct walk {
	struct dentry *d;    /* where we are; referenced when ref */
	struct dentry *root; /* the same */
	struct dentry *link; /* step() found a link to follow here */
	unsigned flags;	     /* LOOKUP_*, WALK_* */
	uint32_t seq;	     /* dcache_seq() at the start */
	unsigned nlinks;     /* followed so far */
	unsigned depth;	     /* of the stack */
	uint64_t bufs;	     /* bit i: stack[i].hold is a kmalloc buffer */
	bool ref;	     /* the careful try */
	bool need_dir;	     /* a '/' came after the last component */
	bool negative;	     /* the cache says that it is not there */
	struct {
		const char *rest;
		void *hold; /* dentry or buffer; NULL */
	} stack[SYMLINK_MAX_DEPTH];
};

int
may_lookup(struct inode *dir)
{
	if ((dir->mode & S_IXUGO) == S_IXUGO && !dir->acl[0])
		return 0;
	return inode_permission(dir, X_OK);
}

int
lookup_one(struct dentry *parent, const char *name, size_t len, uint32_t hash,
	   struct dentry **out)
{
	struct inode *dir = parent->inode;
	struct dentry *d = dcache_find_get(parent, name, len, hash);
	struct inode *i = NULL;
	int err;

	if (d) {
		*out = d;
		return 0;
	}
	if (!dir->nlink)
		return -ENOENT;
	if (!dir->ops->lookup)
		return -ENOTDIR;
	d = dentry_new(parent, parent->sb, name, len, hash);
	if (!d)
		return -ENOMEM;
	err = dir->ops->lookup(dir, d->name, len, &i);
	if (err && err != -ENOENT) {
		dentry_put(d);
		return err;
	}
	if (!err)
		d->inode = i;
	if (parent->sb->cache_names &&
	    (!err || !(dir->state & INODE_NO_NEGATIVE)))
		d = dcache_insert(d);
	*out = d;
	return 0;
}

/* The careful try's lookup. */
static int
lookup_slow(struct dentry *parent, const char *name, size_t len, uint32_t hash,
	    struct dentry **out)
{
	int err;

	read_lock(&parent->inode->lock);
	err = lookup_one(parent, name, len, hash, out);
	read_unlock(&parent->inode->lock);
	return err;
}

/* Goes to d; takes over a reference in the careful try. */
static inline void
move_to(struct walk *w, struct dentry *d)
{
	struct dentry *old = w->d;

	w->d = d;
	if (w->ref)
		dentry_put(old);
}

static inline void
hold(struct walk *w, struct dentry *d)
{
	if (w->ref)
		dentry_get(d);
}

static int
go_up(struct walk *w)
{
	struct dentry *d = w->d, *parent;

	if (d == w->root)
		return w->flags & LOOKUP_BENEATH ? -EXDEV : 0;
	while (d->parent == d) {
		if (!d->covers)
			return 0; /* the very top */
		if (w->flags & LOOKUP_NO_XDEV)
			return -EXDEV;
		d = d->covers;
		if (d == w->root)
			break;
	}
	parent = d == w->root ? d : atomic_load_acquire(&d->parent);
	hold(w, parent);
	move_to(w, parent);
	return 0;
}

/* To the root for an absolute path or link. */
static int
go_root(struct walk *w)
{
	if (w->flags & LOOKUP_BENEATH)
		return -EXDEV;
	if ((w->flags & LOOKUP_NO_XDEV) && w->d->sb != w->root->sb)
		return -EXDEV;
	hold(w, w->root);
	move_to(w, w->root);
	return 0;
}

/* The target of a link whose text is not kept with the inode: *buf is to be
 * freed.  Otherwise *buf is NULL. */
static int
read_link(struct inode *i, bool keep, const char **target, char **buf)
{
	char *old = NULL, *text;
	ssize_t n;

	*buf = NULL;
	if (!i->ops->readlink)
		return -EINVAL;
	text = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL);
	if (!text)
		return -ENOMEM;
	n = i->ops->readlink(i, text, PATH_MAX_BYTES - 1);
	if (n >= 0)
		text[n] = '\0';
	if (n < 0) {
		kfree(text);
		return (int)n;
	}
	if (!keep) {
		*buf = text;
		*target = text;
		return 0;
	}
	*target = kmemdup(text, (size_t)n + 1, ALLOC_KERNEL);
	kfree(text);
	if (!*target)
		return -ENOMEM;
	/* The first one stays. */
	if (!atomic_cas(&i->link, &old, (char *)(uintptr_t)*target)) {
		kfree((char *)(uintptr_t)*target);
		*target = old;
	}
	return 0;
}

/* /proc/self/fd/3 and its like: straight to a dentry. */
static int
jump(struct walk *w, struct inode *i)
{
	struct dentry *d;
	int err;

	if (w->flags & LOOKUP_NO_MAGIC)
		return -ELOOP;
	if (w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
		return -EXDEV;
	if (!w->ref)
		return -ECHILD;
	err = i->ops->follow(i, &d);
	if (err)
		return err;
	if ((w->flags & LOOKUP_NO_XDEV) && d->sb != w->d->sb) {
		dentry_put(d);
		return -EXDEV;
	}
	move_to(w, d);
	return 0;
}

/* Follows w->link; *p is what is left of the path, and becomes the target.
 * The link's reference goes to the stack. */
static int
follow(struct walk *w, const char **p)
{
	struct dentry *link = w->link;
	struct inode *i = link->inode;
	const char *target = atomic_load_acquire(&i->link);
	char *buf = NULL;
	int err = 0;

	w->link = NULL;
	if (w->nlinks++ >= SYMLINK_MAX_DEPTH || (w->flags & LOOKUP_NO_SYMLINKS))
		err = -ELOOP;
	else if (i->ops->follow)
		err = jump(w, i);
	else if (!target)
		err = w->ref ? read_link(i, i->sb->cache_names, &target, &buf) :
			       -ECHILD;
	if (err || (i->ops->follow && !target))
		goto out;
	if (!*target) {
		err = -ENOENT;
		goto out;
	}
	/* Always pushed: the text must stay until it has been walked. */
	if (buf)
		w->bufs |= 1ull << w->depth;
	else
		w->bufs &= ~(1ull << w->depth);
	w->stack[w->depth].rest = *p;
	w->stack[w->depth].hold = buf	 ? (void *)buf :
				  w->ref ? (void *)link :
					   NULL;
	w->depth++;
	*p = target;
	if (buf && w->ref)
		dentry_put(link);
	return *target == '/' ? go_root(w) : 0;
out:
	kfree(buf);
	if (w->ref)
		dentry_put(link);
	return err;
}

static void
pop(struct walk *w)
{
	w->depth--;
	if (w->bufs >> w->depth & 1)
		kfree(w->stack[w->depth].hold);
	else if (w->stack[w->depth].hold)
		dentry_put(w->stack[w->depth].hold);
}

/*
 * One component, neither "." nor "..": goes to it, or sets w->link when it
 * is a link that shall be followed.
 */
static int
step(struct walk *w, const char *name, size_t len, uint32_t hash,
     bool follow_link)
{
	struct dentry *d;
	struct inode *i;
	int err;

	if (!w->ref) {
		d = dcache_find(w->d, name, len, hash);
		if (!d)
			return -ECHILD;
		if (!d->referenced)
			d->referenced = true;
	} else {
		err = lookup_slow(w->d, name, len, hash, &d);
		if (err)
			return err;
	}
	i = atomic_load_acquire(&d->inode);
	if (!i) {
		if (w->ref)
			dentry_put(d);
		w->negative = true;
		return -ENOENT;
	}
	while (unlikely(d->mounted)) {
		struct dentry *m = d->mounted;

		if (w->flags & LOOKUP_NO_XDEV) {
			if (w->ref)
				dentry_put(d);
			return -EXDEV;
		}
		hold(w, m);
		if (w->ref)
			dentry_put(d);
		d = m;
		i = d->inode;
	}
	if (S_ISLNK(i->mode) && follow_link) {
		w->link = d;
		return 0;
	}
	move_to(w, d);
	return 0;
}

/* The end of the component at p, its length and hash. */
static inline const char *
component(const char *p, uint32_t *hash)
{
	uint32_t h = DNAME_SEED;

	while (*p && *p != '/')
		h = dname_hash_step(h, (uint8_t)*p++);
	*hash = h;
	return p;
}

static inline bool
is_dot(const char *name, size_t len)
{
	return len == 1 && name[0] == '.';
}

static inline bool
is_dotdot(const char *name, size_t len)
{
	return len == 2 && name[0] == '.' && name[1] == '.';
}

static void
set_last(struct walk_last *last, const char *name, size_t len, uint32_t hash,
	 bool slash)
{
	memcpy(last->name, name, len);
	last->name[len] = '\0';
	last->len = len;
	last->hash = hash;
	last->slash = slash;
}

/*
 * Walks p from w->d.  With last, stops before the last component; w->d is
 * then its directory.
 */
static int
walk(struct walk *w, const char *p, struct walk_last *last)
{
	int err;

	for (;;) {
		const char *name, *end;
		bool is_last, slash, dots;
		uint32_t hash;
		size_t len;

		while (*p == '/')
			p++;
		if (!*p) {
			if (!w->depth)
				break;
			p = w->stack[w->depth - 1].rest;
			pop(w);
			continue;
		}
		if (unlikely(!S_ISDIR(w->d->inode->mode)))
			return -ENOTDIR;
		err = may_lookup(w->d->inode);
		if (err)
			return err;
		name = p;
		p = end = component(p, &hash);
		len = (size_t)(end - name);
		if (len > NAME_MAX_BYTES)
			return -ENAMETOOLONG;
		while (*p == '/')
			p++;
		slash = p != end;
		is_last = !*p;
		for (unsigned i = 0; is_last && i < w->depth; i++) {
			const char *r = w->stack[i].rest;

			while (*r == '/')
				r++;
			is_last = !*r;
		}
		if (is_last) {
			if (last) {
				set_last(last, name, len, hash,
					 slash || w->need_dir);
				return 0;
			}
			w->need_dir |= slash;
		}
		dots = name[0] == '.' && len <= 2;
		if (dots && is_dot(name, len))
			continue;
		if (dots && is_dotdot(name, len))
			err = go_up(w);
		else
			err = step(w, name, len, hash,
				   !is_last || w->need_dir ||
					   (w->flags & LOOKUP_FOLLOW));
		if (!err && w->link)
			err = follow(w, &p);
		if (unlikely(err))
			return err;
	}
	if (last) /* nothing but slashes */
		set_last(last, "", 0, 0, true);
	else if ((w->need_dir || (w->flags & LOOKUP_DIRECTORY)) &&
		 !S_ISDIR(w->d->inode->mode))
		return -ENOTDIR;
	return 0;
}

/* Root and start for the fast try; f: the file of dfd, if any. */
static void
start_fast(struct walk *w, const char *path, struct file *f)
{
	struct fs_context *c = thread_current()->fsctx;
	struct dentry *root = c ? atomic_load_consume(&c->root) : vfs_root;

	w->ref = false;
	w->seq = dcache_seq();
	w->root = root;
	if (*path == '/')
		w->d = root;
	else if (f)
		w->d = f->dentry;
	else
		w->d = c ? atomic_load_consume(&c->cwd) : vfs_root;
	if (w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) {
		if (f)
			w->d = f->dentry;
		else
			w->d = c ? atomic_load_consume(&c->cwd) : vfs_root;
		w->root = w->d;
	}
}

static void
start_slow(struct walk *w, const char *path, struct file *f)
{
	struct fs_context *c = thread_current()->fsctx;

	if (c)
		spin_lock(&c->lock);
	start_fast(w, path, f);
	dentry_get(w->root);
	dentry_get(w->d);
	if (c)
		spin_unlock(&c->lock);
	w->ref = true;
}

static void
finish_slow(struct walk *w, int err)
{
	while (w->depth)
		pop(w);
	dentry_put(w->root);
	if (err)
		dentry_put(w->d);
}

/* The file behind dfd when the path needs one. */
static int
dfd_file(int dfd, const char *path, unsigned flags, struct file **f)
{
	int err;

	*f = NULL;
	if (dfd == AT_FDCWD ||
	    (*path == '/' && !(flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))))
		return 0;
	err = fd_get_any(thread_current()->fds, dfd, f);
	if (err)
		return err;
	if ((*f)->dentry)
		return 0;
	file_put(*f);
	*f = NULL;
	return -ENOTDIR;
}

static void
report_missing(struct file *f, const char *path)
{
	struct fs_context *c = thread_current()->fsctx;
	struct dentry *d;
	char *buf, *dir;
	size_t n;

	if (*path == '/' || (!f && !c)) {
		path_missing_hook(path);
		return;
	}
	buf = kmalloc(2 * PATH_MAX_BYTES, ALLOC_KERNEL);
	if (!buf)
		return;
	d = f ? f->dentry : c->cwd;
	dir = dentry_path(d, c ? c->root : NULL, buf, PATH_MAX_BYTES);
	if (dir) {
		n = strlen(dir);
		memmove(buf, dir, n);
		if (n > 1)
			buf[n++] = '/';
		strlcpy(buf + n, path, 2 * PATH_MAX_BYTES - n);
		path_missing_hook(buf);
	}
	kfree(buf);
}

/* 0 with w->d referenced. */
static int
walk_fast(struct walk *w, const char *path, struct file *f)
{
	int err;

	start_fast(w, path, f);
	if (w->seq & 1)
		return -ECHILD;
	err = 0;
	if (*path == '/' && (w->flags & LOOKUP_BENEATH))
		return -EXDEV;
	err = walk(w, path, NULL);
	if (!err && !refcount_get_unless_zero(&w->d->refs))
		err = -ECHILD;
	if (dcache_seq() != w->seq) {
		if (!err)
			dentry_put(w->d);
		err = -ECHILD;
	}
	/* Only what the cache says for sure, and never an entry that is
	 * being removed. */
	if (!err && !w->d->inode) {
		dentry_put(w->d);
		err = -ECHILD;
	}
	return err;
}

/* at: where to begin instead, for what is not absolute; or NULL. */
static int
walk_slow(struct walk *w, const char *path, struct file *f, struct dentry *at,
	  struct walk_last *last)
{
	int err = 0;

	w->link = NULL;
	w->nlinks = 0;
	w->depth = 0;
	w->need_dir = false;
	w->negative = false;
	start_slow(w, path, f);
	if (at && *path != '/') {
		dentry_get(at);
		move_to(w, at);
	}
	if (*path == '/' && (w->flags & LOOKUP_BENEATH))
		err = -EXDEV;
	if (!err)
		err = walk(w, path, last);
	finish_slow(w, err);
	return err;
}

static void
walk_init(struct walk *w, unsigned flags)
{
	/* Not the stack: it is large and used from the bottom. */
	w->flags = flags;
	w->link = NULL;
	w->nlinks = 0;
	w->depth = 0;
	w->need_dir = false;
	w->negative = false;
}

static int
empty_path(struct file *f, unsigned flags, struct dentry **out)
{
	struct fs_context *c = thread_current()->fsctx;

	if (!(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if (f) {
		*out = f->dentry;
		dentry_get(*out);
	} else if (c) {
		spin_lock(&c->lock);
		*out = c->cwd;
		dentry_get(*out);
		spin_unlock(&c->lock);
	} else {
		*out = vfs_root;
		dentry_get(*out);
	}
	if ((flags & LOOKUP_DIRECTORY) && !S_ISDIR((*out)->inode->mode)) {
		dentry_put(*out);
		return -ENOTDIR;
	}
	return 0;
}

int
path_lookup(int dfd, const char *path, unsigned flags, struct dentry **out)
{
	struct file *f;
	struct walk w;
	int err;

	if (unlikely(!*path) && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	err = dfd_file(dfd, path, flags, &f);
	if (err)
		return err;
	if (unlikely(!*path)) {
		err = empty_path(f, flags, out);
		goto out;
	}
	walk_init(&w, flags);
	err = walk_fast(&w, path, f);
	if (err == -ECHILD)
		err = walk_slow(&w, path, f, NULL, NULL);
	if (!err)
		*out = w.d;
	if (err == -ENOENT && path_missing_hook)
		report_missing(f, path);
out:
	if (f)
		file_put(f);
	return err;
}

int
path_parent(int dfd, const char *path, unsigned flags, struct walk_last *out)
{
	struct file *f;
	struct walk w;
	int err;

	if (unlikely(!*path))
		return -ENOENT;
	err = dfd_file(dfd, path, flags, &f);
	if (err)
		return err;
	walk_init(&w, flags);
	err = walk_slow(&w, path, f, NULL, out);
	if (!err)
		out->parent = w.d;
	if (err == -ENOENT && path_missing_hook)
		report_missing(f, path);
	if (f)
		file_put(f);
	return err;
}

int
path_parent_at(struct dentry *at, const char *path, unsigned flags,
	       struct walk_last *out)
{
	struct walk w;
	int err;

	walk_init(&w, flags);
	err = walk_slow(&w, path, NULL, at, out);
	out->parent = err ? NULL : w.d;
	return err;
}
