/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files.  A struct file is what a descriptor refers to: operations, a
 * position, status flags.  Shared by dup'ed descriptors.
 *
 * Life: file_create() gives the first reference; the descriptor table holds
 * one; a call in progress holds one (fd_get/file_put).  The last put calls
 * ops->release() in the context of the caller, which may sleep.
 *
 * An operation that is NULL answers the errno named beside it.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/refcount.h>
#include <base/types.h>
#include <core/reclaim.h>
#include <sched/mutex.h>

struct file;
struct uio;
struct page;
struct kstat;	   /* abi/stat.h */
struct statfs;	   /* abi/statfs.h */
struct poll_table; /* file/poll.h */
struct vm_object;
struct dentry; /* fs/vfs.h */
struct inode;

/* Directory entries go out through this; false: no more room, stop. */
struct dir_emit {
	bool (*fn)(struct dir_emit *e, const char *name, size_t len,
		   uint64_t ino, int64_t next_pos, uint8_t type);
};

struct file_mmap {
	struct vm_object *object; /* out: referenced; NULL for anonymous */
	uint64_t offset;	  /* in/out: bytes, page aligned */
	size_t len;		  /* in */
	uint32_t vma_flags;	  /* in/out: VMA_* */
};

/* A piece of a page on its way between files: sendfile, splice. */
struct page_piece {
	struct page *page; /* referenced by whoever holds the array */
	uint32_t off, len; /* within the page */
};

struct file_ops {
	/* pos: the file's or pread's position, advanced by the operation;
	 * NULL for files without positions (FILE_STREAM). */
	ssize_t (*read)(struct file *f, struct uio *u,
			int64_t *pos); /* EINVAL */
	ssize_t (*write)(struct file *f, struct uio *u,
			 int64_t *pos);				  /* EINVAL */
	int64_t (*seek)(struct file *f, int64_t off, int whence); /* ESPIPE */
	/* POLL* bits ready now; registers with pt when it is not NULL.
	 * NULL: always POLLIN|POLLOUT, and epoll answers EPERM. */
	uint32_t (*poll)(struct file *f, struct poll_table *pt);
	long (*ioctl)(struct file *f, unsigned cmd, uint64_t arg); /* ENOTTY */
	int (*mmap)(struct file *f, struct file_mmap *m);	   /* ENODEV */
	int (*stat)(struct file *f, struct kstat *st);	    /* required */
	int (*statfs)(struct file *f, struct statfs *st);   /* ENOSYS */
	int (*readdir)(struct file *f, struct dir_emit *e); /* ENOTDIR */
	int (*fsync)(struct file *f, int64_t start, int64_t end,
		     bool datasync);		      /* EINVAL */
	int (*truncate)(struct file *f, int64_t len); /* EINVAL */
	int (*fallocate)(struct file *f, int mode, int64_t off,
			 int64_t len); /* EOPNOTSUPP */
	/* Pages for sendfile and splice: up to len bytes at *pos in at most
	 * *n pieces, each with a reference that the caller drops; bytes, and
	 * the pieces in *n.  NULL: copied by way of read. */
	ssize_t (*read_pages)(struct file *f, struct page_piece *v, unsigned *n,
			      size_t len, int64_t *pos);
	/* Writes the pieces by reference, taking its own; flags: MSG_MORE,
	 * MSG_DONTWAIT.  Bytes.  No pieces: nothing more comes after a
	 * MSG_MORE.  NULL: copied by way of write. */
	ssize_t (*write_pages)(struct file *f, const struct page_piece *v,
			       unsigned n, int flags);
	bool async; /* O_ASYNC can be set: poll tells what SIGIO is for */
	int (*set_flags)(struct file *f, unsigned flags); /* F_SETFL hook */
	void (*flush)(struct file *f); /* at each close of a descriptor */
	void (*release)(struct file *f);
	/* text for /proc/self/fd links ("pipe:[7]") and fdinfo's extra lines;
	 * lengths as snprintf */
	int (*link_name)(struct file *f, char *buf, size_t size);
	int (*fdinfo)(struct file *f, char *buf, size_t size);
};

struct file {
	const struct file_ops *ops; /* [I] */
	struct refcount refs;
	uint32_t flags;	       /* [a] O_* status flags and access mode */
	uint32_t mode;	       /* [I] FILE_* */
	int64_t pos;	       /* [pos_lock] */
	struct mutex pos_lock; /* RANK_FILEPOS */
	struct dentry *dentry; /* [I] path; NULL for pipes and such */
	struct inode *inode;   /* [I] */
	void *priv;	       /* [I] the implementation's */
	struct list watchers;  /* [watch lock] epoll items */
	struct spinlock watch_lock;
	int owner_pid;		  /* [a] F_SETOWN; negative: a group */
	uint8_t owner_type;	  /* [a] F_OWNER_TID or _PID */
	struct file_async *async; /* [a] file/async.c; or NULL */
	uint32_t wb_err, sb_err;  /* [a] errors of writing seen so far */
	struct reclaim_head reclaim;
};

#define FILE_READ      (1u << 0)
#define FILE_WRITE     (1u << 1)
#define FILE_STREAM    (1u << 2) /* no position: pread is ESPIPE */
#define FILE_PATH      (1u << 3) /* O_PATH */
#define FILE_DIR       (1u << 4)
#define FILE_NOSIGPIPE (1u << 5) /* EPIPE comes without the signal */
#define FILE_NOSPLICE  (1u << 6) /* splice and sendfile: EINVAL, as on Linux */

/* New file with one reference.  flags: O_*; mode is derived from them.
 * -ENOMEM, -ENFILE. */
MUST_CHECK int file_create(const struct file_ops *ops, unsigned flags,
			   void *priv, struct file **out);
unsigned file_count(void); /* how many are open */

static inline void
file_get(struct file *f)
{
	refcount_get(&f->refs);
}
void file_put(struct file *f);

/* Reads and writes at the file's own position (locks it) or at *pos. */
ssize_t file_read(struct file *f, struct uio *u);
ssize_t file_write(struct file *f, struct uio *u); /* O_APPEND, RLIMIT_FSIZE */
ssize_t file_pread(struct file *f, struct uio *u, int64_t pos);
ssize_t file_pwrite(struct file *f, struct uio *u, int64_t pos);
/* Must a transfer that would have to wait say -EAGAIN? */
#define file_nowait(f, u) (file_nonblock(f) || (u)->nowait)

uint32_t file_poll(struct file *f, struct poll_table *pt);
static inline bool
file_nonblock(const struct file *f)
{
	return f->flags & 04000; /* O_NONBLOCK */
}
