/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths from the program, and what a call acts on; see pathbuf.h.
 */
#include <linux/pathbuf.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

int
pathbuf_get(struct pathbuf *b, const char __user *path)
{
	ssize_t n = copy_string_from_user(b->small, path, sizeof(b->small));

	b->s = b->small;
	if (likely(n >= 0))
		return 0;
	if (n != -ENAMETOOLONG)
		return (int)n;
	b->s = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL);
	if (!b->s)
		return -ENOMEM;
	n = copy_string_from_user(b->s, path, PATH_MAX_BYTES);
	if (n >= 0)
		return 0;
	kfree(b->s);
	return (int)n;
}

void
pathbuf_put(struct pathbuf *b)
{
	if (unlikely(b->s != b->small))
		kfree(b->s);
}

int
fd_dentry(struct thread *t, int fd, bool path_ok, struct dentry **out)
{
	struct file *f;
	int err = path_ok ? fd_get_any(t->fds, fd, &f) : fd_get(t->fds, fd, &f);

	if (err)
		return err;
	if (f->dentry) {
		dentry_get(f->dentry);
		*out = f->dentry;
	} else {
		err = -EINVAL;
	}
	file_put(f);
	return err;
}

int
at_dentry(int dfd, const char __user *path, int atflags, struct dentry **out)
{
	unsigned lookup = 0;
	struct pathbuf b;
	int err = pathbuf_get(&b, path);

	if (err)
		return err;
	if (!(atflags & AT_SYMLINK_NOFOLLOW))
		lookup |= LOOKUP_FOLLOW;
	if (atflags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	err = path_lookup(dfd, b.s, lookup, out);
	pathbuf_put(&b);
	return err;
}
