/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From paths to dentries, and the path operations behind the system calls.
 * dfd is a descriptor or AT_FDCWD; path is a kernel string.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct dentry;
struct inode;
struct inode_attr;
struct file;
struct kstat;

#define LOOKUP_FOLLOW	   (1u << 0) /* follow a final symbolic link */
#define LOOKUP_DIRECTORY   (1u << 1) /* must be a directory */
#define LOOKUP_EMPTY	   (1u << 2) /* "" means dfd itself (AT_EMPTY_PATH) */
#define LOOKUP_NO_SYMLINKS (1u << 3) /* openat2 RESOLVE_NO_SYMLINKS */
#define LOOKUP_BENEATH	   (1u << 4)
#define LOOKUP_IN_ROOT	   (1u << 5)
#define LOOKUP_NO_XDEV	   (1u << 6)
#define LOOKUP_NO_MAGIC	   (1u << 7)

/* 0 with a referenced, positive dentry; -ENOENT, -ENOTDIR, -ELOOP, -EACCES,
 * -ENAMETOOLONG, -EBADF, -EIO. */
MUST_CHECK int path_lookup(int dfd, const char *path, unsigned flags,
			   struct dentry **out);
MUST_CHECK int path_open(int dfd, const char *path, unsigned oflags,
			 uint32_t mode, unsigned lookup, struct file **out);
/* Opens for the kernel's own use (exec, boot), absolute path. */
MUST_CHECK int path_open_exec(const char *path, struct file **out);
MUST_CHECK int dentry_open(struct dentry *d, unsigned oflags,
			   struct file **out);
MUST_CHECK int path_stat(int dfd, const char *path, unsigned flags,
			 struct kstat *st);
MUST_CHECK int path_mknod(int dfd, const char *path, uint32_t mode,
			  uint64_t rdev); /* mkdir too: S_IFDIR */
MUST_CHECK int path_symlink(const char *target, int dfd, const char *path);
MUST_CHECK int path_link(int odfd, const char *opath, int ndfd,
			 const char *npath, unsigned flags);
MUST_CHECK int path_unlink(int dfd, const char *path, bool dir);
MUST_CHECK int path_rename(int odfd, const char *opath, int ndfd,
			   const char *npath, unsigned flags);
MUST_CHECK ssize_t path_readlink(int dfd, const char *path, char *buf,
				 size_t size);
MUST_CHECK int path_setattr(int dfd, const char *path, unsigned flags,
			    const struct inode_attr *a);
MUST_CHECK int path_truncate(const char *path, int64_t len);
MUST_CHECK int path_access(int dfd, const char *path, int mode, unsigned flags,
			   bool effective);
MUST_CHECK int path_chdir(const char *path);

/* Paths looked for in vain go here when set (pith run --missing-files). */
extern void (*path_missing_hook)(const char *path);
