/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the program looked for and did not find.
 *
 * The gate calls this for each call that answered ENOENT, when the host asked
 * for it.  Which argument is a path, and whether a directory's descriptor
 * stands before it, is known from the table's kinds.  The first path of a
 * call is the one that is reported: of link and rename it is the old name.
 * The host drops what it has heard before.
 *
 * Nothing is held but references; without memory a report is left out.
 */
#include <linux/missing.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/pith.h>
#include <base/string.h>
#include <dev/control.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <fs/vfs.h>
#include <linux/syscalls_gen.h>
#include <linux/table.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define PATH_BYTES 4096u

/* The directory that a relative path starts from, with a reference. */
static struct dentry *
start_of(struct thread *t, int dfd)
{
	struct fs_context *c = t->fsctx;
	struct dentry *d = NULL;
	struct file *f;

	if (dfd == AT_FDCWD) {
		spin_lock(&c->lock);
		d = c->cwd;
		dentry_get(d);
		spin_unlock(&c->lock);
		return d;
	}
	if (fd_get_any(t->fds, dfd, &f))
		return NULL;
	d = f->dentry;
	if (d)
		dentry_get(d);
	file_put(f);
	return d;
}

/* Prefixes path, of len bytes at buf + PATH_BYTES, by its directory. */
static const char *
make_absolute(struct thread *t, int dfd, char *buf, char *path)
{
	struct dentry *d = start_of(t, dfd);
	const char *dir;
	size_t n;

	if (!d)
		return path;
	dir = dentry_path(d, NULL, buf, PATH_BYTES);
	dentry_put(d);
	if (!dir)
		return path;
	/* dentry_path() writes at the buffer's end: close up to the path. */
	n = strlen(dir);
	if (n == 1)
		n = 0; /* the root's own slash is the one below */
	path[-1] = '/';
	memmove(path - 1 - n, dir, n);
	return path - 1 - n;
}

void
missing_report(struct thread *t, const struct syscall_desc *d,
	       const uint64_t a[6])
{
	char *buf, *path;
	const char *whole;
	int dfd = AT_FDCWD;
	unsigned i = 0;
	ssize_t n;

	while (i < d->nargs && d->kind[i] != KIND_path)
		i++;
	if (i == d->nargs)
		return;
	if (i && d->kind[i - 1] == KIND_dirfd)
		dfd = (int)a[i - 1];
	/* The directory's path, a slash, the path. */
	buf = kmalloc(2 * PATH_BYTES + 1, ALLOC_KERNEL);
	if (!buf)
		return;
	path = buf + PATH_BYTES + 1;
	n = copy_string_from_user(path, (const char __user *)a[i], PATH_BYTES);
	if (n > 0) {
		whole = *path == '/' ? path : make_absolute(t, dfd, buf, path);
		control_send(PITH_FRAME_MISSING, whole,
			     (size_t)(path + n - whole));
	}
	kfree(buf);
}
