/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of fcntl(2) that belong to the file system: locks, seals.
 */
#pragma once

#include <base/types.h>

struct file;

/* fallocate(2) on a file. */
long file_fallocate(struct file *f, int mode, int64_t offset, int64_t len);
/* -EINVAL: not such an operation. */
long fcntl_fs(struct file *f, int cmd, uint64_t arg);
