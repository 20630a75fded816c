/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files without a path: what stat says of them, and their link names.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct kstat;

/* A fresh number for "pipe:[N]" and st_ino. */
uint64_t anon_ino(void);
/* Fills st for a file of this type and permissions. */
void anon_stat(struct kstat *st, uint64_t ino, uint32_t mode);
/* A seek in what has no position but does not mind: stays at 0. */
int64_t anon_seek(struct file *f, int64_t off, int whence);
