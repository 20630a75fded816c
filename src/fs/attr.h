/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes to a file's attributes, with the checks that Linux makes, for the
 * calls by path and by descriptor alike.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <fs/vfs.h>

struct dentry;
struct file;
struct inode;
struct inode_attr;
struct statfs;
struct timespec64;

MUST_CHECK int dentry_chmod(struct dentry *d, uint32_t mode);
/* (uint32_t)-1: stays. */
MUST_CHECK int dentry_chown(struct dentry *d, uint32_t uid, uint32_t gid);
/* Access and modification time; nsec UTIME_OMIT: stays.  now: both are the
 * present, for which write permission is enough. */
MUST_CHECK int dentry_utimes(struct dentry *d, const struct timespec64 ts[2],
			     bool now);
MUST_CHECK int dentry_chdir(struct dentry *d);
/* The caller has checked the permission. */
MUST_CHECK int inode_truncate(struct inode *i, uint64_t len);
/* The present into a's three times. */
void inode_now(struct inode_attr *a);
MUST_CHECK int vfs_statfs(struct dentry *d, struct statfs *st);

/* Locks of files (lock.c).  flock: LOCK_*; type F_*, range in bytes, end
 * INT64_MAX: to the end of the file; ofd: owned by the open file. */
struct flock;
struct seq_buf;
int locks_show(struct seq_buf *s, void *arg); /* /proc/locks */
MUST_CHECK int file_flock(struct file *f, int op);
MUST_CHECK int file_lock_get(struct file *f, struct flock *fl, bool ofd);
MUST_CHECK int file_lock_set(struct file *f, const struct flock *fl, bool ofd,
			     bool wait);

/* Leases (lease.c): F_RDLCK, F_WRLCK, F_UNLCK.  fd is what the signal says. */
MUST_CHECK int file_set_lease(struct file *f, int fd, int type);
int file_get_lease(struct file *f);

/* Names of user., security., trusted., system. are checked by the caller. */
MUST_CHECK ssize_t inode_getxattr(struct inode *i, const char *name, void *buf,
				  size_t size);
MUST_CHECK ssize_t inode_listxattr(struct inode *i, char *buf, size_t size);
MUST_CHECK int inode_setxattr(struct dentry *d, const char *name,
			      const void *val, size_t len, int flags);
MUST_CHECK int inode_removexattr(struct dentry *d, const char *name);

/* A file of an internal tmpfs without a name: memfd_create.  The inode's
 * seals are those of F_ADD_SEALS. */
MUST_CHECK int tmpfs_create_anon(const char *name, unsigned oflags,
				 uint32_t seals, struct file **out);
/* -EINVAL: not such a file. */
MUST_CHECK int tmpfs_get_seals(struct file *f);
MUST_CHECK int tmpfs_add_seals(struct file *f, uint32_t seals);
