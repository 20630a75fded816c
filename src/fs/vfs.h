/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual file system: inodes, directory entries, mounted file systems.
 *
 * Directory entries (names, negative ones too) are found by a lock-free hash
 * walk; they are freed by deferred reclamation.  A path walk that must sleep
 * (the name is not cached) takes references first.  The parent's inode lock
 * (RANK_INODE, shared for lookup, exclusive for changes) serialises the
 * file system's own lookup and its changes.
 *
 * Life of an inode: inode_get_cached() or inode_new() gives a reference;
 * dentries and files hold references; at zero it stays cached while the file
 * system says so, and is evicted (ops->evict) under memory pressure or when
 * its link count is zero.
 *
 * Operations may sleep.  NULL operations answer the errno beside them.
 */
#pragma once

#include <abi/stat.h>
#include <base/compiler.h>
#include <base/hlist.h>
#include <base/list.h>
#include <base/refcount.h>
#include <base/types.h>
#include <core/reclaim.h>
#include <sched/mutex.h>

struct acl;
struct dir_emit;
struct file;
struct file_ops;
struct file_mmap;
struct inode;
struct file_locks;
struct leases;
struct super;
struct dentry;
struct page_cache;
struct page_range;
struct statfs;
struct cred;
struct writer;

struct timespec64 {
	int64_t sec;
	uint32_t nsec;
};

struct inode_attr {	/* for ops->setattr */
	unsigned valid; /* ATTR_* */
	uint32_t mode, uid, gid;
	uint64_t size;
	struct timespec64 atime, mtime, ctime;
};
#define ATTR_MODE  (1u << 0)
#define ATTR_UID   (1u << 1)
#define ATTR_GID   (1u << 2)
#define ATTR_SIZE  (1u << 3)
#define ATTR_ATIME (1u << 4)
#define ATTR_MTIME (1u << 5)
#define ATTR_CTIME (1u << 6)

struct inode_ops {
	/* 0 with a referenced inode; -ENOENT. */
	int (*lookup)(struct inode *dir, const char *name, size_t len,
		      struct inode **out); /* ENOTDIR */
	int (*create)(struct inode *dir, const char *name, size_t len,
		      uint32_t mode, uint64_t rdev,
		      struct inode **out); /* all types but link; EROFS */
	int (*symlink)(struct inode *dir, const char *name, size_t len,
		       const char *target, struct inode **out); /* EROFS */
	int (*link)(struct inode *dir, const char *name, size_t len,
		    struct inode *target); /* EROFS */
	int (*unlink)(struct inode *dir, const char *name, size_t len,
		      struct inode *target); /* rmdir, too; EROFS */
	int (*rename)(struct inode *odir, const char *oname, size_t olen,
		      struct inode *source, struct inode *ndir,
		      const char *nname, size_t nlen, struct inode *victim,
		      unsigned flags); /* EROFS */
	int (*tmpfile)(struct inode *dir, uint32_t mode,
		       struct inode **out); /* EOPNOTSUPP */
	/* Target into buf (no NUL added): its length or -errno. */
	ssize_t (*readlink)(struct inode *i, char *buf,
			    size_t size); /* EINVAL */
	/* "Magic" links (/proc/self/fd/3, exe): jumps to a dentry. */
	int (*follow)(struct inode *i, struct dentry **out);
	int (*setattr)(struct inode *i, const struct inode_attr *a); /* EROFS */
	void (*getattr)(struct inode *i, struct kstat *st); /* generic */
	ssize_t (*getxattr)(struct inode *i, const char *name, void *buf,
			    size_t size); /* EOPNOTSUPP */
	ssize_t (*listxattr)(struct inode *i, char *buf, size_t size);
	int (*setxattr)(struct inode *i, const char *name, const void *val,
			size_t len, int flags);
	int (*removexattr)(struct inode *i, const char *name);
	/* Stores an ACL (NULL: none) of ACL_ACCESS or ACL_DEFAULT and the
	 * mode in one step; the caller sets i->acl after. */
	int (*set_acl)(struct inode *i, unsigned type, const struct acl *a,
		       uint32_t mode); /* the file system has none */
	/* FS_FL_*; setting with the lock. */
	uint32_t (*get_flags)(struct inode *i);	       /* ENOTTY */
	int (*set_flags)(struct inode *i, uint32_t f); /* as get_flags */
	/* Makes an open file: 0 with f->ops set, or -errno.  NULL: generic,
	 * uses inode->fops.  The caller adds dentry and inode. */
	int (*open)(struct inode *i, unsigned flags, struct file **out);
	/* A descriptor of it is closed. */
	void (*flush)(struct inode *i); /* nothing */
	/* A write of len bytes at pos is about to be made, by who holds the
	 * lock: 0 or -errno (-EPERM: sealed). */
	int (*write_begin)(struct inode *i, int64_t pos, size_t len); /* 0 */
	/* A mapping is about to be made; may change m->vma_flags. */
	int (*may_map)(struct inode *i, struct file_mmap *m); /* 0 */
	/* With the lock. */
	int (*fallocate)(struct inode *i, int mode, int64_t off,
			 int64_t len); /* EOPNOTSUPP */
	/* Directory entries from *pos on, "." and ".." too (parent is the
	 * inode number of ".."); *pos is where the next call goes on.
	 * inode->lock is held for reading. */
	int (*iterate)(struct inode *dir, int64_t *pos, uint64_t parent,
		       struct dir_emit *e); /* ENOTDIR */
};

struct inode {
	uint64_t ino;		     /* [I] */
	struct super *sb;	     /* [I] */
	const struct inode_ops *ops; /* [I] */
	const struct file_ops *fops; /* [I] for the generic open */
	struct refcount refs;
	struct rwlock lock; /* RANK_INODE */
	uint32_t mode;	    /* [lock w, a] type and permissions */
	uint32_t uid, gid;  /* [lock w, a] */
	uint32_t nlink;	    /* [lock] */
	struct acl *acl[2]; /* [lock w, q] ACL_* (fs/acl.h); NULL: none */
	uint64_t rdev;	    /* [I] devices */
	uint64_t size;	    /* [lock w, a] bytes */
	uint64_t blocks;    /* [lock w, a] 512-byte units */
	struct timespec64 atime, mtime, ctime, btime; /* [lock] */
	struct page_cache *cache;  /* [I] file data; NULL for none */
	char *link;		   /* [a] symlink target once read, or NULL */
	struct file_locks *locks;  /* [a] fs/lock.c */
	struct leases *leases;	   /* [a] fs/lease.c */
	struct hlist_head watches; /* [inotify's lock] fs/inotify.c */
	void *fifo;		   /* [lock] the pipe behind a FIFO */
	void *priv;		   /* the file system's */
	uint32_t generation;
	uint32_t state;		/* [a] INODE_* */
	struct hlist_node hash; /* [inode hash lock] */
	struct list lru;
	struct list dirty;    /* [inode hash lock] in super->dirty */
	uint64_t dirty_since; /* [inode hash lock] monotonic, ns */
	struct reclaim_head reclaim;
};

#define INODE_NO_NEGATIVE (1u << 0)  /* names change by themselves: procfs */
#define INODE_LOADING	  (1u << 1)  /* being filled by its file system */
#define INODE_FAILED	  (1u << 2)  /* filling it failed */
#define INODE_KEEP	  (1u << 3)  /* stays cached without references */
#define INODE_IMMUTABLE	  (1u << 4)  /* chattr +i */
#define INODE_APPEND	  (1u << 5)  /* chattr +a */
#define INODE_REFERENCED  (1u << 6)  /* used since the last scan */
#define INODE_DIRTY	  (1u << 7)  /* attributes differ from the disk's */
#define INODE_DIRTY_PAGES (1u << 8)  /* its cache has dirty pages */
#define INODE_DIRTY_SIZE  (1u << 9)  /* with INODE_DIRTY: fdatasync, too */
#define INODE_DYING	  (1u << 10) /* out of the cache, being evicted */
#define INODE_LINKABLE	  (1u << 11) /* without a name, and may get one */

/*
 * Writing.  A file system that writes lists inodes that differ from its disk
 * (inode_mark_dirty(), page_cache_set_dirty()) in its super; a thread per
 * super writes them when they are old, when memory is short, and on demand.
 * The vfs calls these in this order:
 *	sync, umount:	data of all inodes; write_inode of all; sync
 *	fsync:		data of the inode; write_inode, if dirty; fsync,
 *			which waits for the data
 */
struct super_ops {
	/* Frees priv; the last reference has gone.  nlink 0: the file is
	 * deleted; its pages may still be dirty or under writeback, which
	 * page_cache_destroy() drops and waits for. */
	void (*evict)(struct inode *i);
	int (*statfs)(struct super *sb, struct statfs *st);
	/* Puts the attributes of i (size, times, owner, mode) into a
	 * transaction; the caller has cleared INODE_DIRTY.  Waits for no
	 * disk.  No lock is held; i->lock must not be taken. */
	int (*write_inode)(struct inode *i);
	/* i's data are on their way to the device.  Waits for them
	 * (page_range_wait()), makes what is needed to find them safe, or all
	 * of the inode, and flushes the device.  data NULL: there are none.
	 * i->lock is not held.  NULL: 0, nothing is ever unsafe. */
	int (*fsync)(struct inode *i, bool datasync,
		     const struct page_range *data);
	/* All data and attributes have been handed over: commits, flushes. */
	int (*sync)(struct super *sb);
	/* Some seconds after super_want_commit(): what has been put into
	 * transactions since is committed.  NULL: nothing. */
	void (*commit)(struct super *sb);
	/* To MS_RDONLY or back; after a sync, nobody is writing.  Sets
	 * sb->flags itself.  NULL: -EROFS towards rw, flag only towards ro. */
	int (*remount)(struct super *sb, unsigned flags);
	/* The inodes have gone.  Leaves a clean file system, frees sb. */
	void (*unmount)(struct super *sb);
};

struct super {
	const struct fs_type *type;
	const struct super_ops *ops;
	struct inode *root;
	uint64_t dev; /* st_dev */
	uint32_t block_size;
	uint32_t flags;	  /* MS_RDONLY ... */
	bool cache_names; /* false: dentries are not kept (procfs) */
	uint64_t magic;	  /* statfs f_type */
	/* [I] What it can store of times; both 0: anything. */
	int64_t time_min, time_max;
	bool whole_seconds; /* [I] and no parts of them */
	void *priv;
	struct list dirty;     /* [inode hash lock] inodes, oldest first */
	struct writer *writer; /* [I] the thread that writes them; or NULL */
	uint32_t wb_err;       /* [a] errseq of all its inodes: syncfs */
	uint32_t nwriters;     /* [a] regular files open for writing */
};

struct fs_type {
	const char *name; /* "ext4" */
	bool nodev;	  /* needs no block device */
	/* source: a device name or anything; options: "size=64m,..." */
	int (*mount)(const struct fs_type *t, const char *source,
		     unsigned flags, const char *options, struct super **out);
};

#define NAME_MAX_BYTES	  255
#define PATH_MAX_BYTES	  4096
#define SYMLINK_MAX_DEPTH 40

struct dentry {
	struct refcount refs;
	uint32_t name_hash;	/* [q] */
	struct hlist_node hash; /* [q] */
	struct dentry *parent;	/* [q] itself: a root */
	struct inode *inode;	/* [q] NULL: negative */
	char *name;		/* [q] in place or allocated; ends with NUL */
	uint16_t name_len;	/* [q] */
	bool unhashed;		/* [q] removed: the name is gone */
	bool referenced;	/* [a] used since the last scan */
	struct dentry *mounted; /* [q] root of what is mounted here, or NULL */
	struct dentry *covers;	/* [q] a mounted root: the mount point */
	struct super *sb;	/* [I] */
	struct list lru;	/* [dcache lock] */
	union {
		struct reclaim_head reclaim;
		struct dentry *next_victim; /* [o] of the one who frees it */
	};
	char inline_name[40];
};

/* ---- file-system types and mounts ---- */
void fs_register(const struct fs_type *t);
const struct fs_type *fs_type_get(unsigned i); /* NULL at the end */
MUST_CHECK int vfs_mount(const char *type, const char *source,
			 const char *target, unsigned flags,
			 const char *options);
MUST_CHECK int vfs_mount_root(struct super *sb);
/* Boot: mounts the ext4 file system of block device source ("vda4") as the
 * root; mode is PITH_ROOT_* (abi/pith.h).  -EROFS: PITH_ROOT_RW of what can
 * only be read. */
MUST_CHECK int fs_mount_root(const char *source, unsigned mode);
/* d is the root of what is mounted; success consumes the caller's reference.
 * -EINVAL: not such a root, -EBUSY. */
MUST_CHECK int vfs_unmount(struct dentry *d, unsigned flags);
/* For /proc/self/mountinfo; false stops. */
struct mount_info {
	const char *type, *source, *target, *options;
	struct super *sb;
	unsigned id, parent_id;
};
void vfs_for_each_mount(bool (*fn)(const struct mount_info *m, void *arg),
			void *arg);
/* Registers ext4, tmpfs and overlay; makes the caches. */
void vfs_init(void);
/* All mounts: data and attributes of each, then commits, then flushes; the
 * last mounted first, so that what lies on another file system's file is
 * written before it.  The first error. */
int vfs_sync_all(void);
/* Can any mounted file system be written to a disk? */
bool vfs_any_writer(void);
/* The end of the machine: writes everything and makes every file system
 * read-only, which leaves it clean.  Never called in a panic. */
void vfs_shutdown(void);
/* Opens what a device number stands for; set by the device registry
 * (fs/pseudo).  NULL: -ENXIO. */
extern int (*fs_device_open)(struct inode *i, unsigned flags,
			     struct file **out);
/* Creates a FIFO's file (file/pipe); NULL: -ENXIO. */
extern int (*fs_fifo_open)(struct inode *i, unsigned flags, struct file **out);

/* ---- dentries ---- */
static inline void
dentry_get(struct dentry *d)
{
	refcount_get(&d->refs);
}
void dentry_put(struct dentry *d);
/* A new entry outside the cache, with one reference; holds one of parent
 * (NULL: it is a root).  NULL: no memory. */
struct dentry *dentry_new(struct dentry *parent, struct super *sb,
			  const char *name, size_t len, uint32_t hash);
/* An entry without parent for sb's root inode, with one reference: what a
 * mount makes, and files that are in no directory (streams).  NULL. */
struct dentry *dentry_new_root(struct super *sb);
/* Is d equal to or below top?  It stays so only while no rename can happen. */
bool dentry_is_below(struct dentry *d, struct dentry *top);
/* Absolute path of d seen from root into buf: pointer into buf or NULL
 * (too long).  Removed files get " (deleted)". */
char *dentry_path(struct dentry *d, struct dentry *root, char *buf,
		  size_t size);

/* ---- inodes, for file systems ---- */
/* A new inode with one reference, not hashed.  NULL: no memory. */
MUST_CHECK struct inode *inode_new(struct super *sb);
/* From the cache by number, or a new one locked for filling (*fresh); then
 * inode_ready() or inode_fail(). */
MUST_CHECK int inode_get_cached(struct super *sb, uint64_t ino,
				struct inode **out, bool *fresh);
void inode_ready(struct inode *i);
void inode_fail(struct inode *i, int err);
static inline void
inode_get(struct inode *i)
{
	refcount_get(&i->refs);
}
void inode_put(struct inode *i);
/* Evicts each cached inode of a file system that nobody uses: unmount. */
void inode_drop_all(struct super *sb);
/* rwx against the current credentials: 0 or -EACCES.  MAY_* = 4, 2, 1. */
MUST_CHECK int inode_permission(struct inode *i, unsigned mask);
/* ATTR_*TIME = now; marks it dirty where that means something. */
void inode_touch(struct inode *i, unsigned attr_times);
/* Mode, owner, times of access and change of data, where a has them. */
void inode_copy_attr(struct inode *i, const struct inode_attr *a);
/* Attributes were changed without a transaction: write_inode() will be
 * called, at once by fsync, in some seconds by the writer.  size: also a
 * reason for fdatasync. */
void inode_mark_dirty(struct inode *i, bool size);
/* The attributes just went into a transaction of the file system's own. */
void inode_clear_dirty(struct inode *i);

/* ---- writing (writeback.c) ---- */
/* A file system that will write calls this early in its mount, and the vfs
 * stops the thread at unmount, before the inodes go. */
MUST_CHECK int super_start_writer(struct super *sb);
void super_stop_writer(struct super *sb);
/* A transaction has something in it: ops->commit in some seconds. */
void super_want_commit(struct super *sb);
/* data, write_inode, ops->sync; 0 or the first error. */
MUST_CHECK int super_sync(struct super *sb);
/* fsync and fdatasync of bytes [start, end) of an open file: data, metadata,
 * flush; an error of earlier writing is reported once to each open file. */
MUST_CHECK int file_sync(struct file *f, int64_t start, int64_t end,
			 bool datasync);
void inode_stat(struct inode *i, struct kstat *st); /* generic getattr */
