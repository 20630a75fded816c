/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes in memory.  A wrapper shows those of the lower inode
 * until one is changed; then it has copies of all.  ACLs are kept with the
 * inode only.  The inode's lock is held by the caller.
 */
#include "tmpfs.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <base/string.h>
#include <fs/acl.h>
#include <mem/heap.h>

#define MAX_XATTRS 256 /* of one inode */

static struct inode *
shown_lower(const struct inode *i)
{
	const struct tmpfs_inode *t = tmpfs_i(i);

	return t->own_xattrs ? NULL : t->lower;
}

static struct tmpfs_xattr *
find(const struct inode *i, const char *name)
{
	struct tmpfs_xattr *x;

	list_for_each_entry(x, &tmpfs_i(i)->xattrs, link)
		if (!strcmp(x->name, name))
			return x;
	return NULL;
}

static void
free_one(struct tmpfs_xattr *x)
{
	list_del(&x->link);
	kfree(x->name);
	kfree(x);
}

void
tmpfs_free_xattrs(struct inode *i)
{
	struct list *l = &tmpfs_i(i)->xattrs;

	while (!list_empty(l))
		free_one(list_first_entry(l, struct tmpfs_xattr, link));
}

static struct tmpfs_xattr *
make(const char *name, const void *val, size_t len)
{
	struct tmpfs_xattr *x = kmalloc(sizeof(*x) + len, ALLOC_KERNEL);

	if (!x)
		return NULL;
	x->name = kstrdup(name, ALLOC_KERNEL);
	if (!x->name) {
		kfree(x);
		return NULL;
	}
	list_init(&x->link);
	x->len = len;
	memcpy(x->value, val, len);
	return x;
}

static int
copy_one(struct inode *i, struct inode *lower, const char *name, char *buf)
{
	ssize_t n = lower->ops->getxattr(lower, name, buf, XATTR_SIZE_MAX);
	struct tmpfs_xattr *x;

	if (n < 0)
		return (int)n;
	x = make(name, buf, (size_t)n);
	if (!x)
		return -ENOMEM;
	list_add_tail(&tmpfs_i(i)->xattrs, &x->link);
	return 0;
}

/* Makes the attributes our own. */
static int
copy_up(struct inode *i)
{
	struct inode *lower = shown_lower(i);
	char *names, *buf;
	ssize_t n;
	int err = 0;

	if (!lower || !lower->ops->listxattr)
		goto done;
	names = kmalloc(XATTR_LIST_MAX, ALLOC_KERNEL);
	buf = kmalloc(XATTR_SIZE_MAX, ALLOC_KERNEL);
	n = names && buf ? lower->ops->listxattr(lower, names, XATTR_LIST_MAX) :
			   -ENOMEM;
	if (n < 0)
		err = (int)n;
	for (ssize_t at = 0; at < n && !err;
	     at += (ssize_t)strlen(names + at) + 1)
		if (acl_of_name(names + at) < 0)
			err = copy_one(i, lower, names + at, buf);
	kfree(names);
	kfree(buf);
	if (err) {
		tmpfs_free_xattrs(i);
		return err;
	}
done:
	tmpfs_i(i)->own_xattrs = true;
	tmpfs_pin(i);
	return 0;
}

ssize_t
tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct inode *lower = shown_lower(i);
	struct tmpfs_xattr *x;

	if (lower)
		return lower->ops->getxattr ?
			       lower->ops->getxattr(lower, name, buf, size) :
			       -EOPNOTSUPP;
	x = find(i, name);
	if (!x)
		return -ENODATA;
	if (size && size < x->len)
		return -ERANGE;
	if (size)
		memcpy(buf, x->value, x->len);
	return (ssize_t)x->len;
}

/* One name more in buf; false: it has no room.  size 0: only counts. */
static bool
put_name(const char *name, char *buf, size_t size, size_t *total)
{
	size_t n = strlen(name) + 1;

	if (size) {
		if (n > size - *total)
			return false;
		memcpy(buf + *total, name, n);
	}
	*total += n;
	return true;
}

ssize_t
tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
	struct inode *lower = shown_lower(i);
	struct tmpfs_xattr *x;
	size_t total = 0;

	if (lower)
		return lower->ops->listxattr ?
			       lower->ops->listxattr(lower, buf, size) :
			       0;
	for (unsigned k = 0; k < 2; k++)
		if (i->acl[k] && !put_name(acl_names[k], buf, size, &total))
			return -ERANGE;
	list_for_each_entry(x, &tmpfs_i(i)->xattrs, link)
		if (!put_name(x->name, buf, size, &total))
			return -ERANGE;
	return (ssize_t)total;
}

int
tmpfs_setxattr(struct inode *i, const char *name, const void *val, size_t len,
	       int flags)
{
	struct tmpfs_xattr *old, *x;
	unsigned n = 0;
	int err;

	err = copy_up(i);
	if (err)
		return err;
	old = find(i, name);
	if (old && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!old && (flags & XATTR_REPLACE))
		return -ENODATA;
	list_for_each_entry(x, &tmpfs_i(i)->xattrs, link)
		n++;
	if (!old && n >= MAX_XATTRS)
		return -ENOSPC;
	x = make(name, val, len);
	if (!x)
		return -ENOMEM;
	if (old)
		free_one(old);
	list_add_tail(&tmpfs_i(i)->xattrs, &x->link);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

int
tmpfs_removexattr(struct inode *i, const char *name)
{
	struct tmpfs_xattr *x;
	int err = copy_up(i);

	if (err)
		return err;
	x = find(i, name);
	if (!x)
		return -ENODATA;
	free_one(x);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

int
tmpfs_set_acl(struct inode *i, unsigned type, const struct acl *a,
	      uint32_t mode)
{
	int err = copy_up(i);

	(void)type, (void)a; /* in i->acl, by the caller */
	if (err)
		return err;
	i->mode = mode;
	inode_touch(i, ATTR_CTIME);
	return 0;
}
