/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of IPC objects: identifiers, keys, permissions, /proc/sysvipc.
 *
 * An identifier is the slot and, above it, a sequence number that changes
 * with each object, so that one kept too long does not meet the slot's next
 * object.
 */
#include "ipc_priv.h"

#include <abi/errno.h>
#include <abi/prctl.h>
#include <base/assert.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/cred.h>
#include <fs/pseudo.h>
#include <mem/heap.h>
#include <sched/thread.h>

#define INDEX_BITS  15
#define INDEX_MASK  ((1 << INDEX_BITS) - 1)
#define SEQ_MASK    0xffffu
#define FIRST_SLOTS 16u

int64_t
ipc_now(void)
{
	return (int64_t)(clock_real_ns() / NSEC_PER_SEC);
}

int
ipc_pid(void)
{
	return thread_current()->tgid;
}

void
ipc_put(struct ipc_table *t, struct ipc_object *o)
{
	if (refcount_put(&o->refs))
		t->kind->free(o);
}

static int
grow(struct ipc_table *t)
{
	unsigned cap = t->cap ? t->cap * 2 : FIRST_SLOTS;
	struct ipc_object **n;

	if (cap > t->kind->max)
		cap = t->kind->max;
	n = kcalloc(cap, sizeof(struct ipc_object *), ALLOC_KERNEL);
	if (!n)
		return -ENOMEM;
	memset(n, 0, cap * sizeof(struct ipc_object *));
	if (t->cap)
		memcpy(n, t->slot, t->cap * sizeof(struct ipc_object *));
	kfree(t->slot);
	t->slot = n;
	t->cap = cap;
	return 0;
}

/* With the lock: an identifier. */
static int
add(struct ipc_table *t, struct ipc_object *o, int key, int mode)
{
	const struct cred *c = thread_current()->cred;
	unsigned i;
	int err;

	if (t->used >= t->kind->max)
		return -ENOSPC;
	if (t->used == t->cap) {
		err = grow(t);
		if (err)
			return err;
	}
	for (i = 0; t->slot[i]; i++)
		;
	refcount_set(&o->refs, 1);
	o->seq = t->seq++ & 0x7fff; /* an identifier is not negative */
	o->id = (int)((unsigned)o->seq << INDEX_BITS | i);
	o->key = key;
	o->mode = (uint32_t)mode & 0777;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->ctime = ipc_now();
	t->slot[i] = o;
	t->used++;
	return o->id;
}

static struct ipc_object *
find_key(struct ipc_table *t, int key)
{
	struct ipc_object *o;
	unsigned at = 0;

	while ((o = ipc_next(t, &at)))
		if (o->key == key)
			break;
	return o;
}

/* With the lock: for who asks for one that exists. */
static int
get_old(struct ipc_table *t, struct ipc_object *o, uint64_t size, int flags)
{
	int err;

	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return -EEXIST;
	if (size > t->kind->size(o))
		return -EINVAL;
	err = ipc_may(o, flags);
	return err ? err : o->id;
}

int
ipc_get(struct ipc_table *t, int key, uint64_t size, int flags)
{
	struct ipc_object *mine = NULL, *o = NULL;
	int r;

again:
	mutex_lock(&t->lock);
	if (key != IPC_PRIVATE)
		o = find_key(t, key);
	if (o) {
		r = get_old(t, o, size, flags);
	} else if (key != IPC_PRIVATE && !(flags & IPC_CREAT)) {
		r = -ENOENT;
	} else if (!mine) {
		/* It is made without the lock, then all is looked at again. */
		mutex_unlock(&t->lock);
		r = t->kind->make(key, size, &mine);
		if (r)
			return r;
		goto again;
	} else {
		r = add(t, mine, key, flags);
		if (r >= 0)
			mine = NULL;
	}
	mutex_unlock(&t->lock);
	if (mine)
		t->kind->free(mine);
	return r;
}

struct ipc_object *
ipc_next(const struct ipc_table *t, unsigned *at)
{
	while (*at < t->cap) {
		struct ipc_object *o = t->slot[(*at)++];

		if (o)
			return o;
	}
	return NULL;
}

/* No reference; -EINVAL. */
static int
find_index(struct ipc_table *t, int index, struct ipc_object **out)
{
	if (index < 0 || (unsigned)index >= t->cap || !t->slot[index])
		return -EINVAL;
	*out = t->slot[index];
	return 0;
}

static int
find(struct ipc_table *t, int id, struct ipc_object **out)
{
	int err = id < 0 ? -EINVAL : find_index(t, id & INDEX_MASK, out);

	if (!err && (*out)->id != id)
		err = -EINVAL;
	return err;
}

void
ipc_unlink(struct ipc_table *t, struct ipc_object *o)
{
	unsigned i = (unsigned)o->id & INDEX_MASK;

	assert(t->slot[i] == o);
	t->slot[i] = NULL;
	t->used--;
}

int
ipc_top(const struct ipc_table *t)
{
	unsigned i = t->cap;

	while (i && !t->slot[i - 1])
		i--;
	return i ? (int)i - 1 : 0;
}

int
ipc_may(const struct ipc_object *o, int bits)
{
	const struct cred *c = thread_current()->cred;
	unsigned want = (unsigned)(bits >> 6 | bits >> 3 | bits) & 7;
	unsigned have = o->mode;

	if (c->euid == o->cuid || c->euid == o->uid)
		have >>= 6;
	else if (c->egid == o->cgid || c->egid == o->gid ||
		 cred_in_group(c, o->cgid) || cred_in_group(c, o->gid))
		have >>= 3;
	if (!(want & ~have) || cred_capable(c, CAP_IPC_OWNER))
		return 0;
	return -EACCES;
}

/* The owner's commands. */
static int
may_control(const struct ipc_object *o)
{
	const struct cred *c = thread_current()->cred;

	if (c->euid == o->uid || c->euid == o->cuid ||
	    cred_capable(c, CAP_SYS_ADMIN))
		return 0;
	return -EPERM;
}

void
ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *p)
{
	o->uid = p->uid;
	o->gid = p->gid;
	o->mode = (o->mode & ~0777u) | (p->mode & 0777u);
	o->ctime = ipc_now();
}

static void
get_perm(const struct ipc_object *o, struct ipc64_perm *p)
{
	*p = (struct ipc64_perm){
		.key = o->key,
		.uid = o->uid,
		.gid = o->gid,
		.cuid = o->cuid,
		.cgid = o->cgid,
		.mode = o->mode,
		.seq = o->seq,
	};
}

int
ipc_lock(struct ipc_table *t, int id, int bits, struct ipc_object **out)
{
	int err;

	mutex_lock(&t->lock);
	err = find(t, id, out);
	if (!err)
		err = ipc_may(*out, bits);
	if (err)
		mutex_unlock(&t->lock);
	return err;
}

int
ipc_control_lock(struct ipc_table *t, int id, struct ipc_object **out)
{
	int err;

	mutex_lock(&t->lock);
	err = find(t, id, out);
	if (!err)
		err = may_control(*out);
	if (err)
		mutex_unlock(&t->lock);
	return err;
}

int
ipc_stat_lock(struct ipc_table *t, int id, bool index, bool any,
	      struct ipc64_perm *p, struct ipc_object **out)
{
	int err;

	mutex_lock(&t->lock);
	err = index ? find_index(t, id, out) : find(t, id, out);
	if (!err && !any)
		err = ipc_may(*out, 0444);
	if (err) {
		mutex_unlock(&t->lock);
		return err;
	}
	get_perm(*out, p);
	return index ? (*out)->id : 0;
}

int
ipc_get_ref(struct ipc_table *t, int id, int bits, struct ipc_object **out)
{
	int err = ipc_lock(t, id, bits, out);

	if (err)
		return err;
	refcount_get(&(*out)->refs);
	mutex_unlock(&t->lock);
	return 0;
}

int
ipc_set(struct ipc_table *t, int id, const struct ipc64_perm *p)
{
	struct ipc_object *o;
	int err = ipc_control_lock(t, id, &o);

	if (err)
		return err;
	ipc_set_perm(o, p);
	mutex_unlock(&t->lock);
	return 0;
}

int
ipc_remove(struct ipc_table *t, int id, struct ipc_object **out)
{
	int err = ipc_control_lock(t, id, out);

	if (err)
		return err;
	ipc_unlink(t, *out);
	mutex_unlock(&t->lock);
	return 0;
}

int
ipc_show(struct ipc_table *t, struct seq_buf *b)
{
	struct ipc_object *o;
	unsigned at = 0;

	seq_printf(b, "%s", t->kind->heading);
	mutex_lock(&t->lock);
	while ((o = ipc_next(t, &at)))
		t->kind->show(b, o);
	mutex_unlock(&t->lock);
	return 0;
}

static const struct pseudo_entry entries[] = {
	{ .path = "sysvipc/shm", .mode = 0100444, .show = shm_show },
	{ .path = "sysvipc/sem", .mode = 0100444, .show = sem_show },
	{ .path = "sysvipc/msg", .mode = 0100444, .show = msg_show },
};

void
ipc_init(void)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(entries); i++) {
		int err = proc_register(&entries[i]);

		assert(!err); /* the names are new, the memory is there */
	}
}
