/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of fcntl(2) that belong to the file system: locks, seals.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;

/* splice(2) and tee(2) on files, with offsets of the kernel's (or NULL), for
 * io_uring.  Without the signal of a broken pipe. */
long splice_on(struct file *in, int64_t *off_in, struct file *out,
	       int64_t *off_out, size_t len, uint32_t flags, bool tee);
/* fadvise64(2) and sync_file_range(2) on a file. */
long fadvise_on(struct file *f, int64_t offset, int64_t len, int advice);
long sync_range_on(struct file *f, int64_t offset, int64_t len, uint32_t flags);
/* openat(2) and openat2(2) without a descriptor. */
long openat_file(int dirfd, const char __user *path, int flags, uint32_t mode,
		 struct file **out);
long openat2_file(int dirfd, const char __user *path, const void __user *how,
		  size_t size, struct file **out);
/* fallocate(2) on a file. */
long file_fallocate(struct file *f, int mode, int64_t offset, int64_t len);
/* -EINVAL: not such an operation. */
long fcntl_fs(struct file *f, int cmd, uint64_t arg);
