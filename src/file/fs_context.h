/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path context of a process: root, working directory, umask; and its
 * resource limits.  Shared by threads (CLONE_FS).
 */
#pragma once

#include <base/compiler.h>
#include <base/refcount.h>
#include <base/types.h>
#include <core/reclaim.h>
#include <core/spinlock.h>

struct dentry;

struct fs_context {
	struct refcount refs;
	struct spinlock lock;
	struct dentry *root; /* [lock] referenced */
	struct dentry *cwd;  /* [lock] referenced */
	uint32_t umask;	     /* [a, q] */
	struct reclaim_head reclaim;
};

#define RLIM_COUNT 16
struct rlimits {
	struct spinlock lock;
	uint64_t soft[RLIM_COUNT],
		hard[RLIM_COUNT]; /* [lock], read torn-free */
};
/* The limits of the (only) process; upper layers give it at start. */
uint64_t rlimit_soft(unsigned resource);
extern struct rlimits *process_rlimits;
