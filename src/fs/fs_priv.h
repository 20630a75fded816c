/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of fs share: the directory cache's inner functions, the
 * state of a path walk, and the hooks between the page cache and reclaim.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>
#include <fs/vfs.h>

struct cred;
struct file;
struct page;
struct page_cache;

/* ---- inode.c ---- */
void inode_cache_init(void);
size_t inode_shrink(size_t n);
/* The file system's operation, or the default. */
int inode_getattr(struct inode *i, struct kstat *st);
/* fileattr.c: the ioctls of regular files and directories. */
long inode_ioctl(struct file *f, unsigned cmd, uint64_t arg);
bool inode_owner_or_capable(const struct inode *i);
/* Same as inode_permission, with given credentials. */
int inode_permission_cred(struct inode *i, unsigned mask, uint32_t uid,
			  uint32_t gid, const struct cred *c);

/* Sets INODE_DIRTY* bits, and lists the inode in its super. */
void inode_mark(struct inode *i, uint32_t bits);
/* Takes the inode that has been listed longest, if that is since before
 * older_than, off the list: with a reference, INODE_DIRTY_PAGES cleared. */
struct inode *inode_next_dirty(struct super *sb, uint64_t older_than);
/* Puts one that was taken on a list of the caller's. */
void inode_hold_dirty(struct inode *i, struct list *to);
/* Done with one that was taken: listed again if it is dirty, or its pages are
 * still on their way. */
void inode_requeue(struct inode *i);
/* When the oldest was listed; UINT64_MAX: none is. */
uint64_t inode_oldest_dirty(struct super *sb);

/* ---- writer.c ---- */
/* Calls write_inode if its attributes (datasync: its size) are dirty. */
MUST_CHECK int inode_write(struct inode *i, bool datasync);
/* The list of dirty inodes is not empty any more. */
void writer_look(struct super *sb);

/* ---- dcache.c ---- */
void dcache_init(void);
size_t dcache_shrink(size_t n);
/* The hash of a component; the walk computes it as it looks for the '/'. */
#define DNAME_SEED 0x811c9dc5u
static inline uint32_t
dname_hash_step(uint32_t h, uint8_t c)
{
	return (h ^ c) * 0x01000193u;
}
uint32_t dname_hash(const char *name, size_t len);

/* Lock-free: may miss an entry that moves; never returns a wrong one as long
 * as dcache_seq() stays the same around it.  No reference. */
struct dentry *dcache_find(const struct dentry *parent, const char *name,
			   size_t len, uint32_t hash);
uint32_t dcache_seq(void);
/* The same with a reference. */
struct dentry *dcache_find_get(struct dentry *parent, const char *name,
			       size_t len, uint32_t hash);
/* Puts it in the cache, unless an equal one is there, which is returned in
 * its place (with a reference; d's is dropped). */
struct dentry *dcache_insert(struct dentry *d);
/* Makes a negative entry positive; takes the inode's reference. */
void dentry_instantiate(struct dentry *d, struct inode *i);
/* Takes it out of the cache: the name is gone. */
void dcache_remove(struct dentry *d, bool deleted);
/* d is now name in parent; an entry that was there must be removed first. */
int dcache_move(struct dentry *d, struct dentry *parent, const char *name,
		size_t len, uint32_t hash);
/* Both change places. */
int dcache_exchange(struct dentry *a, struct dentry *b);
/* Drops every cached entry of a file system that nobody uses. */
void dcache_drop_super(struct super *sb);
/* dir was removed, the caller has the last reference but for those of names
 * that were looked for in it in vain: these would keep it for long. */
void dcache_drop_children(struct dentry *dir);

/* ---- mount.c ---- */
extern struct dentry *vfs_root;			  /* [I] after boot */
unsigned vfs_mount_flags(const struct dentry *d); /* MS_* of its mount */
static inline bool
vfs_read_only(const struct dentry *d)
{
	return d->sb->flags & 1; /* MS_RDONLY */
}

/* ---- namei.c ---- */
#define WALK_PARENT (1u << 16) /* stop at the last component's directory */
#define WALK_CREATE (1u << 17) /* a trailing slash is EISDIR, not ENOTDIR */

struct walk_last {
	struct dentry *parent; /* referenced */
	char name[NAME_MAX_BYTES + 1];
	size_t len; /* 0: "/" ; "." and ".." are given as such */
	uint32_t hash;
	bool slash; /* a '/' followed */
};
/* Resolves all but the last component. */
MUST_CHECK int path_parent(int dfd, const char *path, unsigned flags,
			   struct walk_last *out);
/* The same for a path that begins at a directory of ours. */
MUST_CHECK int path_parent_at(struct dentry *at, const char *path,
			      unsigned flags, struct walk_last *out);
/* The entry of one name in a directory, positive or negative, referenced.
 * The directory's lock is held (either way). */
MUST_CHECK int lookup_one(struct dentry *parent, const char *name, size_t len,
			  uint32_t hash, struct dentry **out);
MUST_CHECK int may_lookup(struct inode *dir);

/* ---- ops.c ---- */
/* Makes the file of a negative entry; the directory is locked and the
 * permission checked. */
MUST_CHECK int inode_create_at(struct dentry *parent, struct dentry *d,
			       uint32_t mode, uint64_t rdev);

/* ---- pagecache.c, reclaim.c ---- */
void reclaim_init(void);
void lru_add(struct page *p);
void lru_remove(struct page *p);
/* Page locked; true: it has left the cache and is the caller's alone but for
 * the reference passed in. */
bool page_cache_try_evict(struct page_cache *pc, struct page *p);

/* ---- file.c ---- */
extern const struct file_ops dir_file_ops, path_file_ops;

/* ---- lock.c ---- */
void locks_flush(struct file *f);   /* a descriptor is closed */
void locks_release(struct file *f); /* the last one */
void locks_free(struct inode *i);

/* ---- lease.c ---- */
void leases_release(struct file *f); /* the last descriptor is closed */
void leases_free(struct inode *i);
/* Before somebody opens the file, or truncates it: -EAGAIN with nonblock,
 * -ERESTARTSYS. */
MUST_CHECK int inode_break_leases(struct inode *i, bool write, bool nonblock);

/* ---- file systems ---- */
extern const struct fs_type ext4_type, tmpfs_type, overlay_type;
/* Makes an overlay whose lower layer is an ext4 super. */
MUST_CHECK int overlay_create(struct super *lower, const char *options,
			      struct super **out);
