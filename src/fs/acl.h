/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX ACLs of inodes.  An ACL does not change once an inode has it: readers
 * take the pointer without a lock, and what was replaced is freed by deferred
 * reclamation.  inode->acl is filled by the file system before the inode can
 * be seen, and replaced with the inode's lock held.
 *
 * A file system with ACLs has inode_ops->set_acl, and calls acl_inherit()
 * where it makes an inode in a directory; all else is done by fs/acl.c.
 */
#pragma once

#include <base/compiler.h>
#include <base/refcount.h>
#include <base/types.h>
#include <core/reclaim.h>

struct cred;
struct inode;

#define ACL_ACCESS  0u
#define ACL_DEFAULT 1u

/* e_tag, as in system calls and on ext4. */
#define ACL_USER_OBJ  0x01
#define ACL_USER      0x02
#define ACL_GROUP_OBJ 0x04
#define ACL_GROUP     0x08
#define ACL_MASK      0x10
#define ACL_OTHER     0x20

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id; /* of ACL_USER and ACL_GROUP; else UINT32_MAX */
};
static_assert(sizeof(struct acl_entry) == 8, "an entry of an ACL in calls");

struct acl {
	struct refcount refs;
	uint32_t n; /* [I] 0: one that cannot be read, which lets nobody in */
	struct reclaim_head reclaim;
	struct acl_entry e[];
};

/* NULL: no memory.  flags: as kmalloc's; n entries, to be filled in. */
struct acl *acl_new(uint32_t n, unsigned flags);
struct acl *acl_get(struct acl *a); /* NULL gives NULL */
void acl_put(struct acl *a);	    /* NULL: nothing */
/* Entries in order, with a mask where one is needed. */
bool acl_valid(const struct acl *a);
/* For who is not the owner: 0 or -EACCES. */
MUST_CHECK int acl_permission(const struct acl *a, const struct inode *i,
			      unsigned mask, uint32_t uid, uint32_t gid,
			      const struct cred *c);
/* For a new inode in dir: the mode and the two ACLs, each with a reference;
 * NULL where there is none. */
MUST_CHECK int acl_inherit(const struct inode *dir, uint32_t *mode,
			   struct acl *acls[2]);
/* The mode that a program's wish for a new inode in dir becomes: without the
 * bits of the umask, unless an ACL will see to that. */
uint32_t acl_create_mode(const struct inode *dir, uint32_t mode);

/* ---- the calls; with the inode's lock ---- */
/* Of the extended attributes. */
extern const char *const acl_names[2];
/* The ACL that a name of an extended attribute stands for; or -1. */
int acl_of_name(const char *name);
ssize_t acl_getxattr(struct inode *i, unsigned type, void *buf, size_t size);
/* len 0: takes it away. */
MUST_CHECK int acl_setxattr(struct inode *i, unsigned type, const void *val,
			    size_t len);
/* The inode has an ACL, and gets this mode. */
MUST_CHECK int acl_chmod(struct inode *i, uint32_t mode);
