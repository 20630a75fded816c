/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage by user and group; see quota.c.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct ext4_super;
struct ext4_super_disk;
struct inode;
struct jhandle;

/* What a handle may need for it, beside what it promises. */
#define EXT4_QUOTA_CREDITS 8u

/* Before anything is written.  An error: it must stay read-only. */
MUST_CHECK int ext4_quota_load(struct ext4_super *s,
			       const struct ext4_super_disk *d);
void ext4_quota_free(struct ext4_super *s);
/* No handle is open: entries for what will be counted. */
MUST_CHECK int ext4_quota_ready(struct ext4_super *s, uint32_t uid,
				uint32_t gid);
MUST_CHECK int ext4_quota_ready_child(const struct inode *dir);
/* i as it is now, in h; from the disk. */
MUST_CHECK int ext4_quota_sync(struct jhandle *h, struct inode *i);
void ext4_quota_loaded(struct inode *i);
