/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files: creation, references, reads and writes at positions.
 *
 * A file's memory goes by deferred reclamation, as descriptor lookup reads
 * it without a lock (fdtable.c); its release operation runs at once, in the
 * context of the last put.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/resource.h>
#include <base/atomic.h>
#include <file/async.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <file/poll.h>
#include <fs/notify.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <vm/uio.h>

#define FILES_MAX (1u << 20)

struct rlimits *process_rlimits;

static struct cache *cache;
static uint32_t nfiles; /* [a] */

uint64_t
rlimit_soft(unsigned resource)
{
	return process_rlimits ? process_rlimits->soft[resource] : UINT64_MAX;
}

unsigned
file_count(void)
{
	return atomic_load_relaxed(&nfiles);
}

static uint32_t
mode_of(unsigned flags)
{
	if (flags & O_PATH)
		return FILE_PATH;
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return FILE_READ;
	case O_WRONLY:
		return FILE_WRITE;
	case O_RDWR:
		return FILE_READ | FILE_WRITE;
	default: /* 3: ioctl only */
		return 0;
	}
}

int
file_create(const struct file_ops *ops, unsigned flags, void *priv,
	    struct file **out)
{
	struct file *f;

	if (atomic_load_relaxed(&nfiles) >= FILES_MAX)
		return -ENFILE;
	if (!cache) {
		cache = cache_create("file", sizeof(*f), 64);
		if (!cache)
			return -ENOMEM;
	}
	f = cache_alloc(cache, ALLOC_KERNEL | ALLOC_ZERO);
	if (!f)
		return -ENOMEM;
	atomic_add(&nfiles, 1);
	f->ops = ops;
	f->flags = flags & ~(unsigned)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC |
				       O_CLOEXEC);
	f->mode = mode_of(flags);
	f->priv = priv;
	refcount_set(&f->refs, 1);
	mutex_init(&f->pos_lock, RANK_FILEPOS);
	list_init(&f->watchers);
	spin_init(&f->watch_lock, RANK_EVENT);
	*out = f;
	return 0;
}

static void
file_free(struct reclaim_head *h)
{
	cache_free(cache, container_of(h, struct file, reclaim));
}

void
file_put(struct file *f)
{
	if (!refcount_put(&f->refs))
		return;
	if (!list_empty(&f->watchers))
		poll_file_release(f);
	if (unlikely(f->async))
		file_async_release(f);
	notify_file(f,
		    f->mode & FILE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (f->ops->release)
		f->ops->release(f);
	if (f->dentry)
		dentry_put(f->dentry);
	if (f->inode)
		inode_put(f->inode);
	atomic_sub(&nfiles, 1);
	reclaim_call(&f->reclaim, file_free);
}

/* With somebody who watches: apart, so that the usual way ends in a jump. */
static NOINLINE ssize_t
watched_read(struct file *f, struct uio *u, int64_t *pos)
{
	ssize_t n = f->ops->read(f, u, pos);

	if (n > 0)
		notify_file(f, IN_ACCESS);
	return n;
}

static NOINLINE ssize_t
watched_write(struct file *f, struct uio *u, int64_t *pos)
{
	ssize_t n = f->ops->write(f, u, pos);

	if (n > 0)
		notify_file(f, IN_MODIFY);
	return n;
}

static ssize_t
do_read(struct file *f, struct uio *u, int64_t *pos)
{
	if (!(f->mode & FILE_READ))
		return -EBADF;
	if (!f->ops->read)
		return f->mode & FILE_DIR ? -EISDIR : -EINVAL;
	if (pos && u->resid > (uint64_t)(INT64_MAX - *pos))
		return -EINVAL;
	if (notify_on())
		return watched_read(f, u, pos);
	return f->ops->read(f, u, pos);
}

/* RLIMIT_FSIZE cuts a write, and refuses one that begins beyond. */
static int
check_fsize(struct uio *u, int64_t pos)
{
	uint64_t limit = rlimit_soft(RLIMIT_FSIZE);

	if (likely(limit == UINT64_MAX))
		return 0;
	if ((uint64_t)pos >= limit)
		return -EFBIG; /* the system call adds SIGXFSZ */
	if (u->resid > limit - (uint64_t)pos)
		uio_truncate(u, limit - (uint64_t)pos);
	return 0;
}

static ssize_t
do_write(struct file *f, struct uio *u, int64_t *pos)
{
	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if (!f->ops->write)
		return -EINVAL;
	if (pos && u->resid > (uint64_t)(INT64_MAX - *pos))
		return -EINVAL;
	if (pos && f->inode && (f->inode->mode & S_IFMT) == S_IFREG) {
		int err = check_fsize(u, (f->flags & O_APPEND) || u->append ?
						 (int64_t)f->inode->size :
						 *pos);

		if (err)
			return err;
	}
	if (notify_on())
		return watched_write(f, u, pos);
	return f->ops->write(f, u, pos);
}

ssize_t
file_read(struct file *f, struct uio *u)
{
	ssize_t n;

	if (f->mode & FILE_STREAM)
		return do_read(f, u, NULL);
	mutex_lock(&f->pos_lock);
	n = do_read(f, u, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t
file_write(struct file *f, struct uio *u)
{
	ssize_t n;

	if (f->mode & FILE_STREAM)
		return do_write(f, u, NULL);
	mutex_lock(&f->pos_lock);
	n = do_write(f, u, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t
file_pread(struct file *f, struct uio *u, int64_t pos)
{
	if (f->mode & FILE_STREAM)
		return -ESPIPE;
	if (pos < 0)
		return -EINVAL;
	return do_read(f, u, &pos);
}

ssize_t
file_pwrite(struct file *f, struct uio *u, int64_t pos)
{
	if (f->mode & FILE_STREAM)
		return -ESPIPE;
	if (pos < 0)
		return -EINVAL;
	return do_write(f, u, &pos);
}

uint32_t
file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->ops->poll(f, pt);
}
