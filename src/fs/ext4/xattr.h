/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes on the disk: what reading and changing them share.
 */
#pragma once

#include "ext4.h"

#define EXT4_XATTR_PREFIXES 7u
extern const char *const ext4_xattr_prefixes[EXT4_XATTR_PREFIXES];

/* One of the two lists: entries from first on, values relative to base, all
 * below end. */
struct ext4_xattr_area {
	const uint8_t *first, *base, *end;
};

/* The next entry at p, or NULL at the end; *bad: it does not fit. */
const struct ext4_xattr_entry *ext4_xattr_at(const struct ext4_xattr_area *a,
					     const uint8_t *p, bool *bad);
static inline size_t
ext4_xattr_len(size_t name_len)
{
	return (sizeof(struct ext4_xattr_entry) + name_len + 3) & ~(size_t)3;
}
static inline const uint8_t *
ext4_xattr_after(const struct ext4_xattr_entry *e)
{
	return (const uint8_t *)e + ext4_xattr_len(e->e_name_len);
}
/* The inode's attribute block (there is one), checked. */
MUST_CHECK int ext4_xattr_block(struct inode *i, struct ext4_buf *b,
				struct ext4_xattr_area *a);
/* The inode's own part, in raw; false: there is none. */
bool ext4_xattr_inode_area(const struct inode *i, const uint8_t *raw,
			   struct ext4_xattr_area *a);
/* val NULL: takes it away. */
MUST_CHECK int ext4_xattr_change(struct inode *i, const char *name,
				 const void *val, size_t len, int flags);
/* The first attributes of a new inode, in h; their names are their index. */
struct ext4_xattr_value {
	uint8_t index;
	const void *value;
	uint32_t size;
};
MUST_CHECK int ext4_xattr_init(struct jhandle *h, struct inode *i,
			       const struct ext4_xattr_value *v, unsigned n);
