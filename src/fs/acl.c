/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX ACLs: permission, inheritance, the form that programs see (version 2
 * of the attribute: a number, then entries of 8 bytes).  acl(5) has the rules;
 * where it leaves a choice, Linux's is ours.
 */
#include <fs/acl.h>

#include <abi/errno.h>
#include <abi/prctl.h>
#include <base/string.h>
#include <file/cred.h>
#include <file/fs_context.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <sched/thread.h>

#include "fs_priv.h"

#define CALL_VERSION 2u

struct acl *
acl_new(uint32_t n, unsigned flags)
{
	struct acl *a = kmalloc(sizeof(*a) + n * sizeof(a->e[0]), flags);

	if (!a)
		return NULL;
	refcount_set(&a->refs, 1);
	a->n = n;
	return a;
}

struct acl *
acl_get(struct acl *a)
{
	if (a)
		refcount_get(&a->refs);
	return a;
}

static void
free_memory(struct reclaim_head *h)
{
	kfree(container_of(h, struct acl, reclaim));
}

void
acl_put(struct acl *a)
{
	if (a && refcount_put(&a->refs))
		reclaim_call(&a->reclaim, free_memory);
}

static struct acl *
copy(const struct acl *from)
{
	struct acl *a = acl_new(from->n, ALLOC_KERNEL);

	if (a)
		memcpy(a->e, from->e, from->n * sizeof(a->e[0]));
	return a;
}

/* Each kind once, the named ones between, all in the order of their tags. */
bool
acl_valid(const struct acl *a)
{
	bool named = false, mask = false;
	unsigned last = 0, seen = 0;

	for (uint32_t k = 0; k < a->n; k++) {
		const struct acl_entry *e = &a->e[k];
		bool many = e->tag == ACL_USER || e->tag == ACL_GROUP;

		switch (e->tag) {
		case ACL_USER:
		case ACL_GROUP:
			if (e->id == UINT32_MAX)
				return false;
			named = true;
			break;
		case ACL_MASK:
			mask = true;
			break;
		case ACL_USER_OBJ:
		case ACL_GROUP_OBJ:
		case ACL_OTHER:
			break;
		default:
			return false;
		}
		if (e->perm & ~7u || e->tag < last || (e->tag == last && !many))
			return false;
		last = e->tag;
		seen |= e->tag;
	}
	return (seen & ACL_USER_OBJ) && (seen & ACL_GROUP_OBJ) &&
	       (seen & ACL_OTHER) && (mask || !named);
}

/* ---- permission ---- */

static bool
in_group(const struct cred *c, uint32_t gid, uint32_t id)
{
	return gid == id || cred_in_group(c, id);
}

/* An entry of the group class that applies: what of it the mask leaves. */
static int
masked(const struct acl *a, const struct acl_entry *e, unsigned mask)
{
	unsigned perm = e->perm;

	for (const struct acl_entry *m = e + 1; m < a->e + a->n; m++)
		if (m->tag == ACL_MASK)
			perm &= m->perm;
	return (perm & mask) == mask ? 0 : -EACCES;
}

int
acl_permission(const struct acl *a, const struct inode *i, unsigned mask,
	       uint32_t uid, uint32_t gid, const struct cred *c)
{
	bool found = false;

	for (const struct acl_entry *e = a->e; e < a->e + a->n; e++) {
		bool mine = false;

		switch (e->tag) {
		case ACL_USER:
			if (e->id == uid)
				return masked(a, e, mask);
			break;
		case ACL_GROUP_OBJ:
			mine = in_group(c, gid, i->gid);
			break;
		case ACL_GROUP:
			mine = in_group(c, gid, e->id);
			break;
		case ACL_OTHER:
			return !found && (e->perm & mask) == mask ? 0 : -EACCES;
		}
		found |= mine;
		if (mine && (e->perm & mask) == mask)
			return masked(a, e, mask);
	}
	return -EACCES; /* one that cannot be read */
}

/* ---- modes ---- */

/* The entry that the mode's group bits are: the mask, else the group's. */
static struct acl_entry *
group_class(struct acl *a)
{
	struct acl_entry *group = NULL;

	for (struct acl_entry *e = a->e; e < a->e + a->n; e++) {
		if (e->tag == ACL_MASK)
			return e;
		if (e->tag == ACL_GROUP_OBJ)
			group = e;
	}
	return group;
}

static struct acl_entry *
find(struct acl *a, unsigned tag)
{
	for (struct acl_entry *e = a->e; e < a->e + a->n; e++)
		if (e->tag == tag)
			return e;
	return NULL;
}

/* Says a no more than a mode does? */
static bool
plain(const struct acl *a)
{
	return a->n == 3;
}

static uint32_t
mode_of(struct acl *a)
{
	return (uint32_t)find(a, ACL_USER_OBJ)->perm << 6 |
	       (uint32_t)group_class(a)->perm << 3 | find(a, ACL_OTHER)->perm;
}

static void
put_mode(struct acl *a, uint32_t mode)
{
	find(a, ACL_USER_OBJ)->perm = mode >> 6 & 7;
	group_class(a)->perm = mode >> 3 & 7;
	find(a, ACL_OTHER)->perm = mode & 7;
}

int
acl_inherit(const struct inode *dir, uint32_t *mode, struct acl *acls[2])
{
	struct acl *from = dir->acl[ACL_DEFAULT], *a;

	acls[ACL_ACCESS] = acls[ACL_DEFAULT] = NULL;
	if (!from || S_ISLNK(*mode))
		return 0;
	if (!from->n)
		return -EIO;
	a = copy(from);
	if (!a)
		return -ENOMEM;
	*mode &= mode_of(a) | ~0777u;
	put_mode(a, *mode);
	if (plain(a)) {
		acl_put(a);
		a = NULL;
	}
	acls[ACL_ACCESS] = a;
	if (S_ISDIR(*mode))
		acls[ACL_DEFAULT] = acl_get(from);
	return 0;
}

uint32_t
acl_create_mode(const struct inode *dir, uint32_t mode)
{
	struct fs_context *c = thread_current()->fsctx;

	if (dir->acl[ACL_DEFAULT] || !c)
		return mode;
	return mode & ~(atomic_load_relaxed(&c->umask) & 0777);
}

/* ---- the calls ---- */

const char *const acl_names[2] = {
	[ACL_ACCESS] = "system.posix_acl_access",
	[ACL_DEFAULT] = "system.posix_acl_default",
};

int
acl_of_name(const char *name)
{
	for (unsigned k = 0; k < 2; k++)
		if (!strcmp(name, acl_names[k]))
			return (int)k;
	return -1;
}

ssize_t
acl_getxattr(struct inode *i, unsigned type, void *buf, size_t size)
{
	const uint32_t version = CALL_VERSION;
	const struct acl *a = i->acl[type];
	size_t len;

	if (!a)
		return -ENODATA;
	if (!a->n)
		return -EIO;
	len = sizeof(version) + a->n * sizeof(a->e[0]);
	if (!size)
		return (ssize_t)len;
	if (size < len)
		return -ERANGE;
	memcpy(buf, &version, sizeof(version));
	memcpy((uint8_t *)buf + sizeof(version), a->e, len - sizeof(version));
	return (ssize_t)len;
}

/* From what a program gave, perhaps not valid; *out NULL: no entries. */
static int
parse(const void *val, size_t len, struct acl **out)
{
	const uint8_t *p = val;
	uint32_t version, n;
	struct acl *a;

	*out = NULL;
	if (!len)
		return 0;
	if (len < sizeof(version))
		return -EINVAL;
	memcpy(&version, p, sizeof(version));
	if (version != CALL_VERSION)
		return -EOPNOTSUPP;
	len -= sizeof(version);
	if (len % sizeof(a->e[0]))
		return -EINVAL;
	n = (uint32_t)(len / sizeof(a->e[0]));
	if (!n)
		return 0;
	a = acl_new(n, ALLOC_KERNEL);
	if (!a)
		return -ENOMEM;
	memcpy(a->e, p + sizeof(version), len);
	for (uint32_t k = 0; k < n; k++) {
		switch (a->e[k].tag) {
		case ACL_USER:
		case ACL_GROUP:
			break;
		case ACL_USER_OBJ:
		case ACL_GROUP_OBJ:
		case ACL_MASK:
		case ACL_OTHER:
			a->e[k].id = UINT32_MAX;
			break;
		default:
			acl_put(a);
			return -EINVAL;
		}
	}
	*out = a;
	return 0;
}

/* a, whose reference is taken over, and mode become i's. */
static int
store(struct inode *i, unsigned type, struct acl *a, uint32_t mode)
{
	struct acl *old = i->acl[type];
	int err = i->ops->set_acl(i, type, a, mode);

	if (err) {
		acl_put(a);
		return err;
	}
	atomic_store_release(&i->acl[type], a);
	acl_put(old);
	return 0;
}

int
acl_setxattr(struct inode *i, unsigned type, const void *val, size_t len)
{
	const struct cred *c = thread_current()->cred;
	uint32_t mode = i->mode;
	struct acl *a;
	int err = parse(val, len, &a);

	if (err)
		return err;
	if (type == ACL_DEFAULT && !S_ISDIR(i->mode))
		err = a ? -EACCES : 1;
	else if (!inode_owner_or_capable(i))
		err = -EPERM;
	else if (a && !acl_valid(a))
		err = -EINVAL;
	if (err) {
		acl_put(a);
		return err < 0 ? err : 0;
	}
	if (type == ACL_ACCESS && a) {
		mode = (mode & ~0777u) | mode_of(a);
		if (c && c->fsgid != i->gid && !cred_in_group(c, i->gid) &&
		    !cred_capable(c, CAP_FSETID))
			mode &= ~(uint32_t)S_ISGID;
		if (plain(a)) {
			acl_put(a);
			a = NULL;
		}
	}
	return store(i, type, a, mode);
}

int
acl_chmod(struct inode *i, uint32_t mode)
{
	struct acl *a;

	if (!i->acl[ACL_ACCESS]->n)
		return -EIO;
	a = copy(i->acl[ACL_ACCESS]);
	if (!a)
		return -ENOMEM;
	put_mode(a, mode);
	return store(i, ACL_ACCESS, a, mode);
}
