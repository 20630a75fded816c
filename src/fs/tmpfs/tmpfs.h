/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpfs, and the overlay that is made of it.
 *
 * An inode of tmpfs may stand for one of a lower, read-only file system (it
 * is a wrapper, then).  A directory shows its own entries and, below them,
 * those of the lower directory that are not hidden by an entry of its own; an
 * entry without an inode hides a name and is nothing else (a whiteout).  A
 * file has its own pages and, where it has none, the lower file's
 * (fs/pagecache.h).  Mode, owner and times are copied when the wrapper is
 * made.
 *
 * Life of a wrapper: it is found by the lower inode's number in the inode
 * cache and may be evicted and made anew as long as nothing was changed.  The
 * first change pins it: it holds a reference to itself until its last name
 * goes.  An inode without a lower one lives by the references of its entries.
 *
 * Locks: entries and attributes by the inode's lock; the counts of the file
 * system are atomic.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/rbtree.h>
#include <base/types.h>
#include <fs/vfs.h>

struct tmpfs_super {
	struct super sb;
	struct super *lower;	  /* [I] NULL: a plain tmpfs */
	uint64_t max_pages;	  /* [I] */
	uint64_t max_inodes;	  /* [I] */
	uint64_t npages, ninodes; /* [a] */
	uint64_t next_ino;	  /* [a] */
	uint32_t mode, uid, gid;  /* [I] of the root */
	bool draining;		  /* unmount: see tmpfs_evict() */
	struct list graves;	  /* entries of directories that went */
};

struct tmpfs_entry {
	struct rb_node by_name;
	struct rb_node by_cookie;
	struct list grave;
	struct inode *inode; /* referenced; NULL: a whiteout */
	uint64_t cookie;     /* position for readdir */
	uint64_t hash;
	bool hides; /* the lower directory has this name */
	uint8_t len;
	char name[];
};

struct tmpfs_xattr {
	struct list link;
	char *name;
	size_t len;
	uint8_t value[];
};

struct tmpfs_inode {
	struct inode *lower;  /* [I] referenced; NULL */
	struct rb_root names; /* directories: entries by hash and name */
	struct rb_root order; /* ... by cookie */
	uint64_t next_cookie;
	uint64_t nreal; /* entries that are no whiteouts */
	struct list xattrs;
	bool own_xattrs; /* those of lower have been copied */
	bool pinned;	 /* [a] holds a reference to itself */
	bool sealable;	 /* memfd */
	uint32_t seals;	 /* F_SEAL_* */
};

static inline struct tmpfs_super *
tmpfs_sb(const struct inode *i)
{
	return i->sb->priv;
}

static inline struct tmpfs_inode *
tmpfs_i(const struct inode *i)
{
	return i->priv;
}

/* ---- inode.c ---- */
extern const struct inode_ops tmpfs_file_ops, tmpfs_dir_ops, tmpfs_link_ops;

/* -ENOSPC (inodes), -ENOMEM. */
MUST_CHECK int tmpfs_new_inode(struct super *sb, struct inode *dir,
			       uint32_t mode, uint64_t rdev,
			       struct inode **out);
void tmpfs_evict(struct inode *i);
/* The inode has changed: it must stay. */
void tmpfs_pin(struct inode *i);
/* One name less; at zero the pin goes. */
void tmpfs_drop_link(struct inode *i, unsigned n);
MUST_CHECK int tmpfs_setup(struct inode *i);

/* ---- dir.c ---- */
MUST_CHECK int tmpfs_lookup(struct inode *dir, const char *name, size_t len,
			    struct inode **out);
MUST_CHECK int tmpfs_create(struct inode *dir, const char *name, size_t len,
			    uint32_t mode, uint64_t rdev, struct inode **out);
MUST_CHECK int tmpfs_symlink(struct inode *dir, const char *name, size_t len,
			     const char *target, struct inode **out);
MUST_CHECK int tmpfs_link(struct inode *dir, const char *name, size_t len,
			  struct inode *target);
MUST_CHECK int tmpfs_unlink(struct inode *dir, const char *name, size_t len,
			    struct inode *target);
MUST_CHECK int tmpfs_rename(struct inode *odir, const char *oname, size_t olen,
			    struct inode *source, struct inode *ndir,
			    const char *nname, size_t nlen,
			    struct inode *victim, unsigned flags);
MUST_CHECK int tmpfs_iterate(struct inode *dir, int64_t *pos, uint64_t parent,
			     struct dir_emit *e);
/* Empties a directory that is evicted into the super's list of graves. */
void tmpfs_bury(struct inode *dir);

/* ---- xattr.c ---- */
ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf,
		       size_t size);
ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size);
MUST_CHECK int tmpfs_setxattr(struct inode *i, const char *name,
			      const void *val, size_t len, int flags);
MUST_CHECK int tmpfs_removexattr(struct inode *i, const char *name);
MUST_CHECK int tmpfs_set_acl(struct inode *i, unsigned type,
			     const struct acl *a, uint32_t mode);
void tmpfs_free_xattrs(struct inode *i);

/* ---- super.c ---- */
extern const struct fs_type ext4_type, tmpfs_type, overlay_type;
/* A tmpfs without limits that is mounted nowhere. */
MUST_CHECK int tmpfs_make_super(struct tmpfs_super **out);
/* The wrapper of a lower inode, whose reference is taken over. */
MUST_CHECK int overlay_wrap(struct super *sb, struct inode *lower,
			    struct inode **out);
MUST_CHECK int overlay_create(struct super *lower, const char *options,
			      struct super **out);
