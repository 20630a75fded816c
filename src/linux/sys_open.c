/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that open files and change where paths begin.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/prctl.h>
#include <abi/stat.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <linux/fcntl_fs.h>
#include <linux/pathbuf.h>
#include <linux/syscalls_gen.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define OPEN_HOW_MAX 4096 /* a structure longer than that is refused */

#define RESOLVE_KNOWN                                                    \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | \
	 RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED)

/* What open(2) makes of flags that contradict each other. */
static int
check_flags(unsigned *flags)
{
	if (*flags & O_PATH)
		*flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
	if (*flags & __O_TMPFILE) {
		if ((*flags & O_TMPFILE) != O_TMPFILE)
			return -EINVAL;
		if ((*flags & O_ACCMODE) == O_RDONLY)
			return -EINVAL;
		if (*flags & O_CREAT)
			return -EINVAL;
	}
	return 0;
}

/* To out, or, if that is NULL, to a descriptor, which is returned. */
static long
do_open(int dfd, const char __user *path, unsigned flags, uint32_t mode,
	unsigned lookup, struct file **out)
{
	struct fdtable *fds = thread_current()->fds;
	struct pathbuf b;
	struct file *f;
	int fd = 0, err;

	err = check_flags(&flags);
	if (err)
		return err;
	err = pathbuf_get(&b, path);
	if (err)
		return err;
	if (!out)
		fd = fd_reserve(fds, 0, flags & O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto done;
	}
	if (!(flags & O_PATH))
		flags |= O_LARGEFILE; /* F_GETFL shows it on 64 bits */
	err = path_open(dfd, b.s, flags, mode, lookup, out ? out : &f);
	if (out)
		goto done;
	if (err)
		fd_unreserve(fds, fd);
	else
		fd_install(fds, fd, f);
done:
	pathbuf_put(&b);
	return err ? err : fd;
}

long
sys_open(struct thread *t, const char __user *path, int flags, uint32_t mode)
{
	(void)t;
	return do_open(AT_FDCWD, path, (unsigned)flags & O_VALID_FLAGS, mode, 0,
		       NULL);
}

long
sys_creat(struct thread *t, const char __user *path, uint32_t mode)
{
	(void)t;
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode, 0,
		       NULL);
}

long
openat_file(int dirfd, const char __user *path, int flags, uint32_t mode,
	    struct file **out)
{
	return do_open(dirfd, path, (unsigned)flags & O_VALID_FLAGS, mode, 0,
		       out);
}

long
sys_openat(struct thread *t, int dirfd, const char __user *path, int flags,
	   uint32_t mode)
{
	(void)t;
	return openat_file(dirfd, path, flags, mode, NULL);
}

static int
get_how(struct open_how *how, const void __user *from, size_t size)
{
	if (size < OPEN_HOW_SIZE_VER0)
		return -EINVAL;
	if (size > OPEN_HOW_MAX)
		return -E2BIG;
	if (copy_from_user(how, from, sizeof(*how)))
		return -EFAULT;
	/* Fields of a later version must not ask for anything. */
	for (size_t at = sizeof(*how); at < size; at++) {
		uint8_t c;

		if (copy_from_user(&c, (const char __user *)from + at, 1))
			return -EFAULT;
		if (c)
			return -E2BIG;
	}
	return 0;
}

static int
check_how(const struct open_how *how)
{
	if (how->flags & ~(uint64_t)O_VALID_FLAGS)
		return -EINVAL;
	if (how->resolve & ~(uint64_t)RESOLVE_KNOWN)
		return -EINVAL;
	if ((how->resolve & RESOLVE_BENEATH) &&
	    (how->resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how->flags & (O_CREAT | __O_TMPFILE)) {
		if (how->mode & ~(uint64_t)S_IALLUGO)
			return -EINVAL;
	} else if (how->mode) {
		return -EINVAL;
	}
	if ((how->flags & O_PATH) &&
	    (how->flags &
	     ~(uint64_t)(O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)))
		return -EINVAL;
	/* "Only if it takes no wait": always may. */
	return how->resolve & RESOLVE_CACHED ? -EAGAIN : 0;
}

long
openat2_file(int dirfd, const char __user *path, const void __user *how,
	     size_t size, struct file **out)
{
	static const struct {
		unsigned resolve, lookup;
	} map[] = {
		{ RESOLVE_NO_XDEV, LOOKUP_NO_XDEV },
		{ RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGIC },
		{ RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS | LOOKUP_NO_MAGIC },
		{ RESOLVE_BENEATH, LOOKUP_BENEATH },
		{ RESOLVE_IN_ROOT, LOOKUP_IN_ROOT },
	};
	unsigned lookup = 0;
	struct open_how h;
	int err = get_how(&h, how, size);

	if (!err)
		err = check_how(&h);
	if (err)
		return err;
	for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
		if (h.resolve & map[i].resolve)
			lookup |= map[i].lookup;
	if (out && h.flags & O_CLOEXEC)
		return -EINVAL; /* there is no descriptor to close */
	return do_open(dirfd, path, (unsigned)h.flags, (uint32_t)h.mode, lookup,
		       out);
}

long
sys_openat2(struct thread *t, int dirfd, const char __user *path,
	    const void __user *how, size_t size)
{
	(void)t;
	return openat2_file(dirfd, path, how, size, NULL);
}

long
sys_chdir(struct thread *t, const char __user *path)
{
	struct dentry *d;
	int err = at_dentry(AT_FDCWD, path, 0, &d);

	(void)t;
	if (err)
		return err;
	err = dentry_chdir(d);
	dentry_put(d);
	return err;
}

long
sys_fchdir(struct thread *t, int fd)
{
	struct dentry *d;
	int err = fd_dentry(t, fd, true, &d);

	if (err)
		return err == -EINVAL ? -ENOTDIR : err;
	err = dentry_chdir(d);
	dentry_put(d);
	return err;
}

long
sys_chroot(struct thread *t, const char __user *path)
{
	struct fs_context *c = t->fsctx;
	struct dentry *d, *old;
	int err = at_dentry(AT_FDCWD, path, 0, &d);

	if (err)
		return err;
	if (!S_ISDIR(d->inode->mode))
		err = -ENOTDIR;
	else
		err = inode_permission(d->inode, X_OK);
	if (!err && !cred_capable(t->cred, CAP_SYS_CHROOT))
		err = -EPERM;
	if (err) {
		dentry_put(d);
		return err;
	}
	spin_lock(&c->lock);
	old = c->root;
	c->root = d;
	spin_unlock(&c->lock);
	dentry_put(old);
	return 0;
}

#define OUTSIDE	    "(unreachable)"
#define OUTSIDE_LEN ((long)sizeof(OUTSIDE) - 1)

long
sys_getcwd(struct thread *t, void __user *buf, size_t size)
{
	struct fs_context *c = t->fsctx;
	char *tmp = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL), *p;
	struct dentry *root, *cwd;
	size_t n;
	long r;

	if (!tmp)
		return -ENOMEM;
	spin_lock(&c->lock);
	root = c->root;
	cwd = c->cwd;
	dentry_get(root);
	dentry_get(cwd);
	spin_unlock(&c->lock);
	p = dentry_path(cwd, root, tmp, PATH_MAX_BYTES);
	if (cwd->unhashed) {
		r = -ENOENT;
	} else if (!p) {
		r = -ENAMETOOLONG;
	} else {
		/* Not below the root: said before the path. */
		if (!dentry_is_below(cwd, root) && p - tmp >= OUTSIDE_LEN) {
			p -= OUTSIDE_LEN;
			memcpy(p, OUTSIDE, OUTSIDE_LEN);
		}
		n = strlen(p) + 1;
		r = n > size		    ? -ERANGE :
		    copy_to_user(buf, p, n) ? -EFAULT :
					      (long)n;
	}
	dentry_put(cwd);
	dentry_put(root);
	kfree(tmp);
	return r;
}

long
sys_umask(struct thread *t, uint32_t mask)
{
	return __atomic_exchange_n(&t->fsctx->umask, mask & 0777,
				   __ATOMIC_RELAXED);
}
