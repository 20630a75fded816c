/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on paths: make, link, remove, rename, change attributes.
 *
 * A change of names holds the directory's lock for writing; a rename between
 * two directories holds, before those, the one lock for such renames, so
 * that the tree keeps still for the check against loops.  Of two directories
 * the one nearer to the root is locked first, else the one at the lower
 * address.  Errors come in Linux's order.
 */
#include <fs/namei.h>

#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/prctl.h>
#include <abi/resource.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/fs_context.h>
#include <fs/acl.h>
#include <fs/attr.h>
#include <fs/notify.h>
#include <sched/thread.h>

static struct mutex rename_lock = { .rank = RANK_PATH,
				    .wq = WAITQ_INIT(rename_lock.wq) };

static bool
is_dots(const struct walk_last *l)
{
	return l->len == 0 ||
	       (l->name[0] == '.' &&
		(l->len == 1 || (l->len == 2 && l->name[1] == '.')));
}

/* May names in dir be added and removed? */
static int
may_change(struct dentry *parent)
{
	if (!parent->inode->nlink)
		return -ENOENT;
	if (vfs_read_only(parent))
		return -EROFS;
	return inode_permission(parent->inode, W_OK | X_OK);
}

/* The sticky bit: only who owns the file or the directory. */
static int
may_remove(struct dentry *parent, struct dentry *d)
{
	struct inode *dir = parent->inode, *i = d->inode;
	const struct cred *c = thread_current()->cred;
	int err = may_change(parent);

	if (err)
		return err;
	if (dir->state & INODE_APPEND)
		return -EPERM;
	if ((dir->mode & S_ISVTX) && c && c->fsuid != i->uid &&
	    c->fsuid != dir->uid && !cred_capable(c, CAP_FOWNER))
		return -EPERM;
	if (i->state & (INODE_IMMUTABLE | INODE_APPEND))
		return -EPERM;
	return 0;
}

int
inode_create_at(struct dentry *parent, struct dentry *d, uint32_t mode,
		uint64_t rdev)
{
	struct inode *dir = parent->inode, *i;
	int err;

	if (!dir->ops->create)
		return -EROFS;
	err = dir->ops->create(dir, d->name, d->name_len, mode, rdev, &i);
	if (!err)
		dentry_instantiate(d, i);
	return err;
}

static uint32_t
created_mask(uint32_t mode)
{
	return S_ISDIR(mode) ? IN_CREATE | IN_ISDIR : IN_CREATE;
}

int
path_mknod(int dfd, const char *path, uint32_t mode, uint64_t rdev)
{
	const struct cred *c = thread_current()->cred;
	struct walk_last l;
	struct dentry *d;
	int err = path_parent(dfd, path, 0, &l);

	if (err)
		return err;
	if (is_dots(&l)) {
		err = -EEXIST;
		goto out;
	}
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && c &&
	    !cred_capable(c, CAP_MKNOD)) {
		err = -EPERM;
		goto out;
	}
	write_lock(&l.parent->inode->lock);
	err = lookup_one(l.parent, l.name, l.len, l.hash, &d);
	if (err)
		goto unlock;
	if (d->inode)
		err = -EEXIST;
	else if (l.slash && !S_ISDIR(mode))
		err = -ENOENT;
	else
		err = may_change(l.parent);
	if (!err)
		err = inode_create_at(l.parent, d,
				      acl_create_mode(l.parent->inode, mode),
				      rdev);
	if (!err)
		notify_name(l.parent->inode, created_mask(mode), l.name);
	dentry_put(d);
unlock:
	write_unlock(&l.parent->inode->lock);
out:
	dentry_put(l.parent);
	return err;
}

int
path_symlink(const char *target, int dfd, const char *path)
{
	struct walk_last l;
	struct inode *dir, *i;
	struct dentry *d;
	int err;

	if (!*target)
		return -ENOENT;
	err = path_parent(dfd, path, 0, &l);
	if (err)
		return err;
	if (is_dots(&l)) {
		err = -EEXIST;
		goto out;
	}
	dir = l.parent->inode;
	write_lock(&dir->lock);
	err = lookup_one(l.parent, l.name, l.len, l.hash, &d);
	if (err)
		goto unlock;
	if (d->inode)
		err = -EEXIST;
	else if (l.slash)
		err = -ENOENT;
	else
		err = may_change(l.parent);
	if (!err)
		err = dir->ops->symlink ? dir->ops->symlink(dir, l.name, l.len,
							    target, &i) :
					  -EROFS;
	if (!err) {
		dentry_instantiate(d, i);
		notify_name(dir, IN_CREATE, l.name);
	}
	dentry_put(d);
unlock:
	write_unlock(&dir->lock);
out:
	dentry_put(l.parent);
	return err;
}

static int
link_at(struct dentry *from, struct walk_last *l)
{
	struct inode *dir = l->parent->inode, *i = from->inode;
	struct dentry *d;
	int err;

	write_lock(&dir->lock);
	err = lookup_one(l->parent, l->name, l->len, l->hash, &d);
	if (err)
		goto unlock;
	if (d->inode)
		err = -EEXIST;
	else if (l->slash)
		err = -ENOENT;
	else if (l->parent->sb != from->sb)
		err = -EXDEV;
	else
		err = may_change(l->parent);
	if (!err &&
	    (S_ISDIR(i->mode) || (i->state & (INODE_IMMUTABLE | INODE_APPEND))))
		err = -EPERM;
	/* A file that has lost its last name stays without. */
	if (!err && !i->nlink && !(i->state & INODE_LINKABLE))
		err = -ENOENT;
	if (!err)
		err = dir->ops->link ? dir->ops->link(dir, l->name, l->len, i) :
				       -EROFS;
	if (!err) {
		atomic_and(&i->state, ~INODE_LINKABLE);
		inode_get(i);
		dentry_instantiate(d, i);
		notify_inode(i, IN_ATTRIB);
		notify_name(dir, IN_CREATE, l->name);
	}
	dentry_put(d);
unlock:
	write_unlock(&dir->lock);
	return err;
}

int
path_link(int odfd, const char *opath, int ndfd, const char *npath,
	  unsigned flags)
{
	struct dentry *from;
	struct walk_last l;
	int err = path_lookup(odfd, opath, flags, &from);

	if (err)
		return err;
	err = path_parent(ndfd, npath, 0, &l);
	if (err)
		goto out;
	err = is_dots(&l) ? -EEXIST : link_at(from, &l);
	dentry_put(l.parent);
out:
	dentry_put(from);
	return err;
}

static int
unlink_checks(const struct walk_last *l, struct dentry *d, bool dir)
{
	int err;

	if (!d->inode)
		return -ENOENT;
	if (!dir && l->slash)
		return S_ISDIR(d->inode->mode) ? -EISDIR : -ENOTDIR;
	err = may_remove(l->parent, d);
	if (err)
		return err;
	if (dir != S_ISDIR(d->inode->mode))
		return dir ? -ENOTDIR : -EISDIR;
	return d->mounted ? -EBUSY : 0;
}

int
path_unlink(int dfd, const char *path, bool dir)
{
	struct walk_last l;
	struct inode *parent;
	struct dentry *d;
	int err = path_parent(dfd, path, 0, &l);

	if (err)
		return err;
	if (is_dots(&l)) {
		if (!dir)
			err = -EISDIR;
		else if (l.len == 2)
			err = -ENOTEMPTY;
		else
			err = l.len ? -EINVAL : -EBUSY;
		goto out;
	}
	parent = l.parent->inode;
	write_lock(&parent->lock);
	err = lookup_one(l.parent, l.name, l.len, l.hash, &d);
	if (err) {
		write_unlock(&parent->lock);
		goto out;
	}
	err = unlink_checks(&l, d, dir);
	if (!err)
		err = parent->ops->unlink ?
			      parent->ops->unlink(parent, l.name, l.len,
						  d->inode) :
			      -EROFS;
	if (!err) {
		dcache_remove(d, true);
		if (!dir)
			notify_inode(d->inode, IN_ATTRIB);
	}
	write_unlock(&parent->lock);
	if (!err && dir)
		dcache_drop_children(d);
	dentry_put(d);
	if (!err)
		notify_name(parent, dir ? IN_DELETE | IN_ISDIR : IN_DELETE,
			    l.name);
out:
	dentry_put(l.parent);
	return err;
}

/* Locks one or two directories in order. */
static void
lock_pair(struct dentry *a, struct dentry *b)
{
	if (a->inode == b->inode) {
		write_lock(&a->inode->lock);
		return;
	}
	mutex_lock(&rename_lock);
	if (dentry_is_below(a, b) ||
	    (!dentry_is_below(b, a) && a->inode > b->inode)) {
		struct dentry *t = a;

		a = b;
		b = t;
	}
	write_lock(&a->inode->lock);
	write_lock(&b->inode->lock);
}

static void
unlock_pair(struct dentry *a, struct dentry *b)
{
	write_unlock(&a->inode->lock);
	if (a->inode == b->inode)
		return;
	write_unlock(&b->inode->lock);
	mutex_unlock(&rename_lock);
}

/* What must hold of source and target, whatever the file system. */
static int
rename_checks(const struct walk_last *o, struct dentry *od,
	      const struct walk_last *n, struct dentry *nd, unsigned flags)
{
	struct inode *si = od->inode, *ti = nd->inode;
	bool exchange = flags & RENAME_EXCHANGE;
	int err;

	if (!si)
		return -ENOENT;
	if (ti && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!ti && exchange)
		return -ENOENT;
	if (!S_ISDIR(si->mode)) {
		if (o->slash)
			return -ENOTDIR;
		if (!exchange && n->slash)
			return -ENOTDIR;
	}
	if (exchange && !S_ISDIR(ti->mode) && n->slash)
		return -ENOTDIR;
	/* The source must not hold the target, nor the other way about. */
	if (o->parent != n->parent && dentry_is_below(n->parent, od))
		return -EINVAL;
	if (ti && o->parent != n->parent && dentry_is_below(o->parent, nd))
		return exchange ? -EINVAL : -ENOTEMPTY;
	if (si == ti) /* two names of one file: nothing to do or to ask */
		return 0;
	err = may_remove(o->parent, od);
	if (!err)
		err = ti ? may_remove(n->parent, nd) : may_change(n->parent);
	if (err)
		return err;
	if (ti && !exchange && S_ISDIR(si->mode) != S_ISDIR(ti->mode))
		return S_ISDIR(si->mode) ? -ENOTDIR : -EISDIR;
	/* The ".." of a directory that moves changes. */
	if (S_ISDIR(si->mode) && o->parent != n->parent)
		err = inode_permission(si, W_OK);
	if (!err && exchange && S_ISDIR(ti->mode) && o->parent != n->parent)
		err = inode_permission(ti, W_OK);
	if (err)
		return err;
	return od->mounted || nd->mounted ? -EBUSY : 0;
}

/* For those who watch: i went from one name to the other. */
static void
tell_move(struct walk_last *o, struct walk_last *n, struct inode *i)
{
	uint32_t type = S_ISDIR(i->mode) ? IN_ISDIR : 0;
	uint32_t cookie = notify_cookie();

	notify_name_slow(o->parent->inode, IN_MOVED_FROM | type, o->name,
			 cookie);
	notify_name_slow(n->parent->inode, IN_MOVED_TO | type, n->name, cookie);
}

static void
tell_rename(struct walk_last *o, struct walk_last *n, struct inode *i,
	    struct inode *other, bool exchange)
{
	tell_move(o, n, i);
	if (other && !exchange && !S_ISDIR(other->mode))
		notify_inode_slow(other, IN_ATTRIB);
	notify_inode_slow(i, IN_MOVE_SELF);
	if (exchange) {
		tell_move(n, o, other);
		notify_inode_slow(other, IN_MOVE_SELF);
	}
}

static int
rename_entries(struct walk_last *o, struct dentry *od, struct walk_last *n,
	       struct dentry *nd, unsigned flags)
{
	struct inode *odir = o->parent->inode;
	struct inode *victim = nd->inode;
	int err = rename_checks(o, od, n, nd, flags);

	if (err)
		return err;
	if (od->inode == victim)
		return 0;
	if (!odir->ops->rename)
		return -EROFS;
	err = odir->ops->rename(odir, o->name, o->len, od->inode,
				n->parent->inode, n->name, n->len, victim,
				flags);
	if (err)
		return err;
	if (notify_on())
		tell_rename(o, n, od->inode, victim, flags & RENAME_EXCHANGE);
	/* The file system has renamed; without memory for the new name the
	 * cache forgets both, and finds them again. */
	if (flags & RENAME_EXCHANGE) {
		if (dcache_exchange(od, nd)) {
			dcache_remove(od, false);
			dcache_remove(nd, false);
		}
		return 0;
	}
	dcache_remove(nd, victim != NULL);
	if (victim && S_ISDIR(victim->mode))
		dcache_drop_children(nd);
	if (dcache_move(od, n->parent, n->name, n->len, n->hash))
		dcache_remove(od, false);
	return 0;
}

int
path_rename(int odfd, const char *opath, int ndfd, const char *npath,
	    unsigned flags)
{
	const struct cred *c = thread_current()->cred;
	struct walk_last o, n;
	struct dentry *od, *nd;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & RENAME_EXCHANGE) && (flags & ~RENAME_EXCHANGE))
		return -EINVAL;
	if ((flags & RENAME_WHITEOUT) && c && !cred_capable(c, CAP_MKNOD))
		return -EPERM;
	err = path_parent(odfd, opath, 0, &o);
	if (err)
		return err;
	err = path_parent(ndfd, npath, 0, &n);
	if (err)
		goto out_old;
	if (o.parent->sb != n.parent->sb)
		err = -EXDEV;
	else if (is_dots(&o))
		err = -EBUSY;
	else if (is_dots(&n))
		err = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (err)
		goto out_new;
	lock_pair(o.parent, n.parent);
	err = lookup_one(o.parent, o.name, o.len, o.hash, &od);
	if (err)
		goto unlock;
	err = lookup_one(n.parent, n.name, n.len, n.hash, &nd);
	if (!err) {
		err = rename_entries(&o, od, &n, nd, flags);
		unlock_pair(o.parent, n.parent);
		dentry_put(nd);
		dentry_put(od);
		goto out_new;
	}
	dentry_put(od);
unlock:
	unlock_pair(o.parent, n.parent);
out_new:
	dentry_put(n.parent);
out_old:
	dentry_put(o.parent);
	return err;
}

/*
 * Attributes.
 */

static int
set_locked(struct inode *i, const struct inode_attr *a)
{
	return i->ops->setattr ? i->ops->setattr(i, a) : -EROFS;
}

static int
may_set(struct dentry *d)
{
	if (vfs_read_only(d))
		return -EROFS;
	return d->inode->state & (INODE_IMMUTABLE | INODE_APPEND) ? -EPERM : 0;
}

int
dentry_chmod(struct dentry *d, uint32_t mode)
{
	const struct cred *c = thread_current()->cred;
	struct inode *i = d->inode;
	struct inode_attr a = { .valid = ATTR_MODE };
	int err = may_set(d);

	if (err)
		return err;
	if (S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	mode &= S_IALLUGO;
	if (!inode_owner_or_capable(i)) {
		err = -EPERM;
	} else {
		if (c && !cred_in_group(c, i->gid) && c->fsgid != i->gid &&
		    !cred_capable(c, CAP_FSETID))
			mode &= ~(uint32_t)S_ISGID;
		a.mode = (i->mode & S_IFMT) | mode;
		err = i->acl[ACL_ACCESS] ? acl_chmod(i, a.mode) :
					   set_locked(i, &a);
	}
	write_unlock(&i->lock);
	if (!err)
		notify_dentry(d, IN_ATTRIB);
	return err;
}

int
dentry_chown(struct dentry *d, uint32_t uid, uint32_t gid)
{
	const struct cred *c = thread_current()->cred;
	struct inode *i = d->inode;
	struct inode_attr a = { .uid = uid, .gid = gid };
	int err = may_set(d);

	if (err)
		return err;
	write_lock(&i->lock);
	if (uid != (uint32_t)-1)
		a.valid |= ATTR_UID;
	if (gid != (uint32_t)-1)
		a.valid |= ATTR_GID;
	if (c && !cred_capable(c, CAP_CHOWN)) {
		if ((a.valid & ATTR_UID) &&
		    (c->fsuid != i->uid || uid != i->uid))
			err = -EPERM;
		if ((a.valid & ATTR_GID) &&
		    (c->fsuid != i->uid || (gid != i->gid && gid != c->fsgid &&
					    !cred_in_group(c, gid))))
			err = -EPERM;
	}
	/* A new owner does not inherit the right to run as the old one. */
	if (!err && !S_ISDIR(i->mode) && (i->mode & (S_ISUID | S_ISGID))) {
		a.mode = i->mode & ~(uint32_t)S_ISUID;
		if (i->mode & 0010)
			a.mode &= ~(uint32_t)S_ISGID;
		a.valid |= ATTR_MODE;
	}
	if (!err)
		err = set_locked(i, &a);
	write_unlock(&i->lock);
	if (!err && (a.valid & (ATTR_UID | ATTR_GID | ATTR_MODE)))
		notify_dentry(d, IN_ATTRIB);
	return err;
}

int
dentry_utimes(struct dentry *d, const struct timespec64 ts[2], bool now)
{
	struct inode *i = d->inode;
	struct inode_attr a = { .valid = 0 };
	int err = may_set(d);

	if (err == -EPERM && now && !(i->state & INODE_IMMUTABLE))
		err = 0;
	if (err)
		return err;
	if (!inode_owner_or_capable(i)) {
		err = now ? inode_permission(i, W_OK) : -EPERM;
		if (err)
			return err;
	}
	if (ts[0].nsec != UTIME_OMIT) {
		a.valid |= ATTR_ATIME;
		a.atime = ts[0];
	}
	if (ts[1].nsec != UTIME_OMIT) {
		a.valid |= ATTR_MTIME;
		a.mtime = ts[1];
	}
	write_lock(&i->lock);
	err = set_locked(i, &a);
	write_unlock(&i->lock);
	if (err)
		return err;
	/* One of the two alone is told as what changes it. */
	switch (a.valid) {
	case ATTR_ATIME | ATTR_MTIME:
		notify_dentry(d, IN_ATTRIB);
		break;
	case ATTR_ATIME:
		notify_dentry(d, IN_ACCESS);
		break;
	case ATTR_MTIME:
		notify_dentry(d, IN_MODIFY);
		break;
	}
	return 0;
}

int
inode_truncate(struct inode *i, uint64_t len)
{
	struct inode_attr a = { .valid = ATTR_SIZE | ATTR_MTIME, .size = len };
	struct inode_attr now = { .valid = 0 };
	int err;

	if (len > rlimit_soft(RLIMIT_FSIZE) && thread_current()->cred)
		return -EFBIG;
	if (i->sb->flags & 1)
		return -EROFS;
	write_lock(&i->lock);
	inode_now(&now);
	a.mtime = now.mtime;
	err = set_locked(i, &a);
	write_unlock(&i->lock);
	return err;
}

int
path_setattr(int dfd, const char *path, unsigned flags,
	     const struct inode_attr *a)
{
	struct dentry *d;
	int err = path_lookup(dfd, path, flags, &d);

	if (err)
		return err;
	err = may_set(d);
	if (!err && !inode_owner_or_capable(d->inode))
		err = -EPERM;
	if (!err) {
		write_lock(&d->inode->lock);
		err = set_locked(d->inode, a);
		write_unlock(&d->inode->lock);
	}
	dentry_put(d);
	return err;
}

int
path_truncate(const char *path, int64_t len)
{
	struct dentry *d;
	int err;

	if (len < 0)
		return -EINVAL;
	err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &d);
	if (err)
		return err;
	if (S_ISDIR(d->inode->mode))
		err = -EISDIR;
	else if (!S_ISREG(d->inode->mode))
		err = -EINVAL;
	else if (vfs_read_only(d))
		err = -EROFS;
	else
		err = inode_permission(d->inode, W_OK);
	if (!err && (d->inode->state & INODE_APPEND))
		err = -EPERM;
	if (!err)
		err = inode_break_leases(d->inode, true, false);
	if (!err)
		err = inode_truncate(d->inode, (uint64_t)len);
	if (!err)
		notify_dentry(d, IN_MODIFY);
	dentry_put(d);
	return err;
}

/*
 * access(2) answers for the real ids, and with the capabilities that a
 * program of these would have; the walk to the file goes by them too.  Sets
 * *out to NULL where they are those in force.
 */
static int
real_cred(const struct cred *c, struct cred **out)
{
	uint64_t caps = c->uid ? 0 : c->cap_permitted;

	*out = NULL;
	if (c->fsuid == c->uid && c->fsgid == c->gid &&
	    c->cap_effective == caps)
		return 0;
	*out = cred_dup(c);
	if (!*out)
		return -ENOMEM;
	(*out)->fsuid = c->uid;
	(*out)->fsgid = c->gid;
	(*out)->cap_effective = caps;
	return 0;
}

static int
access_as_now(int dfd, const char *path, int mode, unsigned flags)
{
	struct dentry *d;
	struct inode *i;
	int err = path_lookup(dfd, path, flags, &d);

	if (err)
		return err;
	i = d->inode;
	if ((mode & W_OK) && vfs_read_only(d) && !S_ISCHR(i->mode) &&
	    !S_ISBLK(i->mode) && !S_ISFIFO(i->mode) && !S_ISSOCK(i->mode))
		err = -EROFS;
	else
		err = mode ? inode_permission(i, (unsigned)mode) : 0;
	dentry_put(d);
	return err;
}

int
path_access(int dfd, const char *path, int mode, unsigned flags, bool effective)
{
	struct thread *t = thread_current();
	struct cred *own = t->cred, *real = NULL;
	int err;

	if (mode & ~7)
		return -EINVAL;
	err = effective || !own ? 0 : real_cred(own, &real);
	if (err)
		return err;
	if (real)
		atomic_store_release(&t->cred, real);
	err = access_as_now(dfd, path, mode, flags);
	if (real) {
		atomic_store_release(&t->cred, own);
		cred_put(real);
	}
	return err;
}

ssize_t
path_readlink(int dfd, const char *path, char *buf, size_t size)
{
	struct dentry *d;
	struct inode *i;
	const char *link;
	ssize_t n;
	int err = path_lookup(dfd, path, *path ? 0 : LOOKUP_EMPTY, &d);

	if (err)
		return err;
	i = d->inode;
	link = atomic_load_acquire(&i->link);
	if (!S_ISLNK(i->mode)) {
		n = *path ? -EINVAL : -ENOENT;
	} else if (link) {
		n = (ssize_t)strlen(link);
		if ((size_t)n > size)
			n = (ssize_t)size;
		memcpy(buf, link, (size_t)n);
	} else {
		n = i->ops->readlink ? i->ops->readlink(i, buf, size) : -EINVAL;
	}
	dentry_put(d);
	return n;
}

int
path_stat(int dfd, const char *path, unsigned flags, struct kstat *st)
{
	struct dentry *d;
	int err = path_lookup(dfd, path, flags, &d);

	if (err)
		return err;
	err = inode_getattr(d->inode, st);
	dentry_put(d);
	return err;
}

int
dentry_chdir(struct dentry *d)
{
	struct fs_context *c = thread_current()->fsctx;
	struct dentry *old;
	int err;

	if (!S_ISDIR(d->inode->mode))
		return -ENOTDIR;
	err = inode_permission(d->inode, X_OK);
	if (err)
		return err;
	dentry_get(d);
	spin_lock(&c->lock);
	old = c->cwd;
	atomic_store_release(&c->cwd, d);
	spin_unlock(&c->lock);
	dentry_put(old);
	return 0;
}

int
path_chdir(const char *path)
{
	struct dentry *d;
	int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY,
			      &d);

	if (err)
		return err;
	err = dentry_chdir(d);
	dentry_put(d);
	return err;
}
