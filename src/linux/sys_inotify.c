/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify's system calls.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/inotify.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/namei.h>
#include <fs/notify.h>
#include <linux/pathbuf.h>
#include <linux/syscalls_gen.h>
#include <sched/thread.h>

#define KNOWN_BITS                                                       \
	(IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED |       \
	 IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | \
	 IN_MASK_ADD | IN_ISDIR | IN_ONESHOT)
#define MAY_READ 4u

long
sys_inotify_init1(struct thread *t, int flags)
{
	struct file *f;
	int fd, err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	err = inotify_create((unsigned)flags, &f);
	if (err)
		return err;
	fd = fd_add(t->fds, f, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

long
sys_inotify_init(struct thread *t)
{
	return sys_inotify_init1(t, 0);
}

/* The file to watch: one that the program may read. */
static int
find_target(const char __user *upath, uint32_t mask, struct dentry **out)
{
	unsigned flags = mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW;
	struct pathbuf path;
	int err = pathbuf_get(&path, upath);

	if (err)
		return err;
	if (mask & IN_ONLYDIR)
		flags |= LOOKUP_DIRECTORY;
	err = path_lookup(AT_FDCWD, path.s, flags, out);
	pathbuf_put(&path);
	if (err)
		return err;
	err = inode_permission((*out)->inode, MAY_READ);
	if (err)
		dentry_put(*out);
	return err;
}

long
sys_inotify_add_watch(struct thread *t, int fd, const char __user *path,
		      uint32_t mask)
{
	struct dentry *d;
	struct file *f;
	long r;

	if (mask & ~KNOWN_BITS || !(mask & KNOWN_BITS))
		return -EINVAL;
	r = fd_get(t->fds, fd, &f);
	if (r)
		return r;
	r = -EINVAL;
	if ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE))
		goto out;
	if (!inotify_is(f))
		goto out;
	r = find_target(path, mask, &d);
	if (r)
		goto out;
	r = inotify_add(f, d->inode, mask);
	dentry_put(d);
out:
	file_put(f);
	return r;
}

long
sys_inotify_rm_watch(struct thread *t, int fd, int wd)
{
	struct file *f;
	long r = fd_get(t->fds, fd, &f);

	if (r)
		return r;
	r = inotify_remove(f, wd);
	file_put(f);
	return r;
}
