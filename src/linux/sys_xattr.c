/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls on extended attributes: by path, by path without following a
 * last link, by descriptor.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <base/string.h>
#include <fs/attr.h>
#include <fs/vfs.h>
#include <linux/pathbuf.h>
#include <linux/syscalls_gen.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

/* Which file a call is about. */
struct target {
	const char __user *path;
	bool by_fd; /* in place of the path */
	bool follow;
	int fd;
};

static int
target_get(struct thread *t, const struct target *g, struct dentry **out)
{
	if (g->by_fd)
		return fd_dentry(t, g->fd, false, out);
	return at_dentry(AT_FDCWD, g->path, g->follow ? 0 : AT_SYMLINK_NOFOLLOW,
			 out);
}

static int
get_name(char *name, const char __user *from)
{
	ssize_t n = copy_string_from_user(name, from, XATTR_NAME_MAX + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

static long
do_set(struct thread *t, const struct target *g, const char __user *uname,
       const void __user *value, size_t size, int flags)
{
	char name[XATTR_NAME_MAX + 1];
	struct dentry *d;
	void *buf;
	int err;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	err = get_name(name, uname);
	if (err)
		return err;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	buf = kmalloc(size ? size : 1, ALLOC_KERNEL);
	if (!buf)
		return -ENOMEM;
	err = copy_from_user(buf, value, size);
	if (!err)
		err = target_get(t, g, &d);
	if (!err) {
		err = inode_setxattr(d, name, buf, size, flags);
		dentry_put(d);
	}
	kfree(buf);
	return err;
}

static long
get_or_list(struct thread *t, const struct target *g, bool list,
	    const char __user *uname, void __user *out, size_t size)
{
	char name[XATTR_NAME_MAX + 1];
	struct dentry *d;
	void *buf = NULL;
	ssize_t n = list ? 0 : get_name(name, uname);

	if (n)
		return n;
	if (size > XATTR_SIZE_MAX)
		size = XATTR_SIZE_MAX;
	if (size) {
		buf = kmalloc(size, ALLOC_KERNEL);
		if (!buf)
			return -ENOMEM;
	}
	n = target_get(t, g, &d);
	if (!n) {
		n = list ? inode_listxattr(d->inode, buf, size) :
			   inode_getxattr(d->inode, name, buf, size);
		dentry_put(d);
	}
	if (n > 0 && size && copy_to_user(out, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	return n;
}

static long
do_get(struct thread *t, const struct target *g, const char __user *uname,
       void __user *out, size_t size)
{
	return get_or_list(t, g, false, uname, out, size);
}

static long
do_list(struct thread *t, const struct target *g, void __user *out, size_t size)
{
	return get_or_list(t, g, true, NULL, out, size);
}

static long
do_remove(struct thread *t, const struct target *g, const char __user *uname)
{
	char name[XATTR_NAME_MAX + 1];
	struct dentry *d;
	int err = get_name(name, uname);

	if (!err)
		err = target_get(t, g, &d);
	if (err)
		return err;
	err = inode_removexattr(d, name);
	dentry_put(d);
	return err;
}

long
sys_setxattr(struct thread *t, const char __user *path, const char __user *name,
	     const void __user *value, size_t size, int flags)
{
	return do_set(t, &(struct target){ .path = path, .follow = true }, name,
		      value, size, flags);
}

long
sys_lsetxattr(struct thread *t, const char __user *path,
	      const char __user *name, const void __user *value, size_t size,
	      int flags)
{
	return do_set(t, &(struct target){ .path = path }, name, value, size,
		      flags);
}

long
sys_fsetxattr(struct thread *t, int fd, const char __user *name,
	      const void __user *value, size_t size, int flags)
{
	return do_set(t, &(struct target){ .by_fd = true, .fd = fd }, name,
		      value, size, flags);
}

long
sys_getxattr(struct thread *t, const char __user *path, const char __user *name,
	     void __user *value, size_t size)
{
	return do_get(t, &(struct target){ .path = path, .follow = true }, name,
		      value, size);
}

long
sys_lgetxattr(struct thread *t, const char __user *path,
	      const char __user *name, void __user *value, size_t size)
{
	return do_get(t, &(struct target){ .path = path }, name, value, size);
}

long
sys_fgetxattr(struct thread *t, int fd, const char __user *name,
	      void __user *value, size_t size)
{
	return do_get(t, &(struct target){ .by_fd = true, .fd = fd }, name,
		      value, size);
}

long
sys_listxattr(struct thread *t, const char __user *path, void __user *list,
	      size_t size)
{
	return do_list(t, &(struct target){ .path = path, .follow = true },
		       list, size);
}

long
sys_llistxattr(struct thread *t, const char __user *path, void __user *list,
	       size_t size)
{
	return do_list(t, &(struct target){ .path = path }, list, size);
}

long
sys_flistxattr(struct thread *t, int fd, void __user *list, size_t size)
{
	return do_list(t, &(struct target){ .by_fd = true, .fd = fd }, list,
		       size);
}

long
sys_removexattr(struct thread *t, const char __user *path,
		const char __user *name)
{
	return do_remove(t, &(struct target){ .path = path, .follow = true },
			 name);
}

long
sys_lremovexattr(struct thread *t, const char __user *path,
		 const char __user *name)
{
	return do_remove(t, &(struct target){ .path = path }, name);
}

long
sys_fremovexattr(struct thread *t, int fd, const char __user *name)
{
	return do_remove(t, &(struct target){ .by_fd = true, .fd = fd }, name);
}
