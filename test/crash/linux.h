/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same operations on a directory of the host: what is right.  Each
 * answers a count or -errno.  (A file of its own: the C library's headers and
 * the kernel's do not go together.)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct seen {
	uint32_t mode, nlink, uid, gid;
	uint64_t size, hash; /* contents, target or names */
	int64_t mtime;
	int err; /* of the look itself */
};

void linux_root(const char *dir);
int linux_write(const char *p, uint64_t pos, const void *buf, size_t len,
		int append);
int linux_truncate(const char *p, int64_t size);
int linux_unlink(const char *p);
int linux_rmdir(const char *p);
int linux_mkdir(const char *p, uint32_t mode);
int linux_mknod(const char *p, uint32_t mode, uint64_t dev);
int linux_rename(const char *a, const char *b, unsigned flags);
int linux_link(const char *a, const char *b);
int linux_symlink(const char *text, const char *p);
int linux_chmod(const char *p, uint32_t mode);
int linux_chown(const char *p, uint32_t uid, uint32_t gid);
int linux_utime(const char *p, int64_t sec);
int linux_setxattr(const char *p, const char *name, const void *v, size_t len,
		   int flags);
int linux_removexattr(const char *p, const char *name);
int linux_getxattr(const char *p, const char *name, void *v, size_t len);
int linux_fallocate(const char *p, int mode, int64_t off, int64_t len);
int linux_fsync(const char *p);
void linux_look(const char *p, struct seen *s);

/* FNV-1a, so that both sides have the same. */
static inline uint64_t
seen_hash(uint64_t h, const void *p, size_t len)
{
	const uint8_t *s = p;

	while (len--)
		h = (h ^ *s++) * 1099511628211ull;
	return h;
}
