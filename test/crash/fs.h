/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small calls for the tests: files by path on the one mounted file system.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

/* Mounts an ext4 disk for reading and writing, as the root. */
MUST_CHECK int fs_mount(const char *disk);
MUST_CHECK int fs_unmount(void);
MUST_CHECK int fs_write(const char *path, uint64_t pos, size_t len,
			unsigned fill);
MUST_CHECK int fs_write_buf(const char *path, uint64_t pos, void *buf,
			    size_t len);
MUST_CHECK int fs_read(const char *path, uint64_t pos, void *buf, size_t len);
MUST_CHECK int fs_fsync(const char *path, bool datasync);
MUST_CHECK int fs_fallocate(const char *path, int mode, uint64_t off,
			    uint64_t len);
MUST_CHECK int fs_sync(void);
/* What the super's writer does, and a machine that is short of memory: all is
 * with the device, nothing committed, and nothing cached that need not be. */
void fs_forget(void);
/* -ENOENT, or 0 with what the file holds. */
MUST_CHECK int fs_hash(const char *path, uint64_t *hash, uint64_t *size);
/* Opens a file, removes its name, keeps it open for ever. */
void fs_hold_unlinked(const char *path);
/* All names with type, mode, size, links and contents' hash, sorted. */
void fs_tree(const char *out);
/* Sets an attribute of so many bytes; reads all of a file's. */
MUST_CHECK int fs_xattr(const char *path, const char *name, size_t len);
MUST_CHECK int fs_xattrs(const char *path);
