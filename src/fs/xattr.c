/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes: who may, by the name's prefix; then the file system.
 */
#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/prctl.h>
#include <base/string.h>
#include <file/cred.h>
#include <fs/acl.h>
#include <fs/attr.h>
#include <fs/notify.h>
#include <sched/thread.h>

static bool
has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static bool
capable(unsigned cap)
{
	const struct cred *c = thread_current()->cred;

	return !c || cred_capable(c, cap);
}

static int
may_xattr(struct inode *i, const char *name, bool write)
{
	if (has_prefix(name, "trusted."))
		return capable(CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
	if (has_prefix(name, "security."))
		return !write || capable(CAP_SYS_ADMIN) ||
				       capable(CAP_SETFCAP) ?
			       0 :
			       -EPERM;
	if (has_prefix(name, "system.")) {
		if (acl_of_name(name) < 0 || S_ISLNK(i->mode))
			return -EOPNOTSUPP;
		/* Where ACLs mean something, acl.c asks who may. */
		return write && !i->ops->set_acl && !inode_owner_or_capable(i) ?
			       -EPERM :
			       0;
	}
	if (!has_prefix(name, "user."))
		return -EOPNOTSUPP;
	if (!name[5])
		return -EINVAL;
	/* Only what has contents of the user's own. */
	if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
		return write ? -EPERM : -ENODATA;
	if (write && S_ISDIR(i->mode) && (i->mode & S_ISVTX) &&
	    !inode_owner_or_capable(i))
		return -EPERM;
	return inode_permission(i, write ? W_OK : R_OK);
}

ssize_t
inode_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	int acl = i->ops->set_acl ? acl_of_name(name) : -1;
	ssize_t n = may_xattr(i, name, false);

	if (n)
		return n;
	if (!i->ops->getxattr)
		return -EOPNOTSUPP;
	read_lock(&i->lock);
	n = acl < 0 ? i->ops->getxattr(i, name, buf, size) :
		      acl_getxattr(i, (unsigned)acl, buf, size);
	read_unlock(&i->lock);
	return n;
}

ssize_t
inode_listxattr(struct inode *i, char *buf, size_t size)
{
	ssize_t n;

	if (!i->ops->listxattr)
		return 0;
	read_lock(&i->lock);
	n = i->ops->listxattr(i, buf, size);
	read_unlock(&i->lock);
	return n;
}

static int
may_change(struct dentry *d, const char *name)
{
	if (vfs_read_only(d))
		return -EROFS;
	if (d->inode->state & (INODE_IMMUTABLE | INODE_APPEND))
		return -EPERM;
	return may_xattr(d->inode, name, true);
}

int
inode_setxattr(struct dentry *d, const char *name, const void *val, size_t len,
	       int flags)
{
	struct inode *i = d->inode;
	int acl = i->ops->set_acl ? acl_of_name(name) : -1;
	int err = may_change(d, name);

	if (err)
		return err;
	if (!i->ops->setxattr)
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	err = acl < 0 ? i->ops->setxattr(i, name, val, len, flags) :
			acl_setxattr(i, (unsigned)acl, val, len);
	write_unlock(&i->lock);
	if (!err)
		notify_dentry(d, IN_ATTRIB);
	return err;
}

int
inode_removexattr(struct dentry *d, const char *name)
{
	struct inode *i = d->inode;
	int acl = i->ops->set_acl ? acl_of_name(name) : -1;
	int err = may_change(d, name);

	if (err)
		return err;
	if (!i->ops->removexattr)
		return -EOPNOTSUPP;
	write_lock(&i->lock);
	err = acl < 0 ? i->ops->removexattr(i, name) :
			acl_setxattr(i, (unsigned)acl, NULL, 0);
	write_unlock(&i->lock);
	if (!err)
		notify_dentry(d, IN_ATTRIB);
	return err;
}
