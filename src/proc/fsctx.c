/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of path contexts.  The structure is file's; the dentries in it
 * are known only up here.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <mem/heap.h>

int
fs_context_create(struct fs_context **out)
{
	struct fs_context *c = kzalloc(sizeof(*c), ALLOC_KERNEL);
	int err;

	if (!c)
		return -ENOMEM;
	err = path_lookup(-100, "/", LOOKUP_DIRECTORY, &c->root);
	if (err) {
		kfree(c);
		return err;
	}
	dentry_get(c->root);
	c->cwd = c->root;
	c->umask = 022;
	spin_init(&c->lock, RANK_FUTEX);
	refcount_set(&c->refs, 1);
	*out = c;
	return 0;
}

int
fs_context_clone(struct fs_context *from, struct fs_context **out)
{
	struct fs_context *c = kzalloc(sizeof(*c), ALLOC_KERNEL);

	if (!c)
		return -ENOMEM;
	spin_init(&c->lock, RANK_FUTEX);
	refcount_set(&c->refs, 1);
	spin_lock(&from->lock);
	c->root = from->root;
	c->cwd = from->cwd;
	c->umask = from->umask;
	dentry_get(c->root);
	dentry_get(c->cwd);
	spin_unlock(&from->lock);
	*out = c;
	return 0;
}

static void
free_later(struct reclaim_head *h)
{
	kfree(container_of(h, struct fs_context, reclaim));
}

void
fs_context_put(struct fs_context *c)
{
	if (!c || !refcount_put(&c->refs))
		return;
	dentry_put(c->cwd);
	dentry_put(c->root);
	reclaim_call(&c->reclaim, free_later);
}
