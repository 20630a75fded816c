/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials.  Immutable once published; a change duplicates.
 */
#include <abi/errno.h>
#include <base/string.h>
#include <file/cred.h>
#include <mem/heap.h>

#define CAP_ALL 0x1ffffffffffull /* CAP_LAST_CAP is 40 */

int
cred_create(uint32_t uid, uint32_t gid, const uint32_t *groups,
	    unsigned ngroups, struct cred **out)
{
	struct cred *c = kzalloc(sizeof(*c), ALLOC_KERNEL);

	if (!c)
		return -ENOMEM;
	refcount_set(&c->refs, 1);
	c->uid = c->euid = c->suid = c->fsuid = uid;
	c->gid = c->egid = c->sgid = c->fsgid = gid;
	c->cap_bounding = CAP_ALL;
	if (!uid)
		c->cap_permitted = c->cap_effective = CAP_ALL;
	if (ngroups) {
		c->groups = kmemdup(groups, ngroups * sizeof(*groups),
				    ALLOC_KERNEL);
		if (!c->groups) {
			kfree(c);
			return -ENOMEM;
		}
		c->ngroups = ngroups;
	}
	*out = c;
	return 0;
}

struct cred *
cred_dup(const struct cred *c)
{
	struct cred *n = kmemdup(c, sizeof(*c), ALLOC_KERNEL);

	if (!n)
		return NULL;
	refcount_set(&n->refs, 1);
	if (c->ngroups) {
		n->groups = kmemdup(c->groups, c->ngroups * sizeof(uint32_t),
				    ALLOC_KERNEL);
		if (!n->groups) {
			kfree(n);
			return NULL;
		}
	}
	return n;
}

void
cred_get(struct cred *c)
{
	refcount_get(&c->refs);
}

static void
cred_free(struct reclaim_head *h)
{
	struct cred *c = container_of(h, struct cred, reclaim);

	kfree(c->groups);
	kfree(c);
}

void
cred_put(struct cred *c)
{
	if (c && refcount_put(&c->refs))
		reclaim_call(&c->reclaim, cred_free);
}

bool
cred_in_group(const struct cred *c, uint32_t gid)
{
	if (c->fsgid == gid)
		return true;
	for (unsigned i = 0; i < c->ngroups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

bool
cred_capable(const struct cred *c, unsigned cap)
{
	return cap < 64 && c->cap_effective >> cap & 1;
}
