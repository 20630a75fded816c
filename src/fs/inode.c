/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes: the cache by (file system, number), life and death, permissions,
 * attributes.
 *
 * One lock (RANK_DCACHE) guards the hash chains and the list of unused
 * inodes.  A count reaches zero only with that lock held, so a lookup under
 * it never sees an inode on its way out.  An unused inode stays, with
 * INODE_KEEP and a link left, until memory runs short.  The memory itself is
 * freed by deferred reclamation: a lock-free walk may still look at it.
 */
#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/prctl.h>
#include <base/assert.h>
#include <base/hash.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/cred.h>
#include <file/pipe.h>
#include <fs/acl.h>
#include <fs/attr.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <sched/wait.h>

#define HASH_BITS 10

static struct hlist_head table[1u << HASH_BITS];
static struct spinlock cache_lock = SPINLOCK_INIT(RANK_DCACHE);
static struct list unused = LIST_INIT(unused); /* [cache_lock] */
static size_t nunused;
static struct waitq ready_wq; /* somebody waits for INODE_LOADING to go */
static struct cache *inode_mem;

static struct hlist_head *
chain(const struct super *sb, uint64_t ino)
{
	uint64_t h = hash_u64(ino ^ (uint64_t)sb);

	return &table[h & ((1u << HASH_BITS) - 1)];
}

struct inode *
inode_new(struct super *sb)
{
	struct inode *i = cache_alloc(inode_mem, ALLOC_KERNEL | ALLOC_ZERO);

	if (!i)
		return NULL;
	i->sb = sb;
	refcount_set(&i->refs, 1);
	rwlock_init(&i->lock, RANK_INODE);
	list_init(&i->lru);
	list_init(&i->dirty);
	i->nlink = 1;
	return i;
}

static void
free_memory(struct reclaim_head *h)
{
	struct inode *i = container_of(h, struct inode, reclaim);

	kfree(i->link);
	cache_free(inode_mem, i);
}

/* No references, in no table. */
static void
destroy(struct inode *i)
{
	if (i->sb->ops && i->sb->ops->evict && !(i->state & INODE_FAILED))
		i->sb->ops->evict(i);
	locks_free(i);
	leases_free(i);
	if (i->fifo)
		pipe_drop_fifo(i);
	acl_put(i->acl[ACL_ACCESS]);
	acl_put(i->acl[ACL_DEFAULT]);
	reclaim_call(&i->reclaim, free_memory);
}

/* The cache's lock is held, the count has just become zero.  true: the
 * caller destroys it after the lock. */
static bool
unused_or_dead(struct inode *i)
{
	if ((i->state & INODE_KEEP) && i->nlink && !hlist_unhashed(&i->hash)) {
		if (list_empty(&i->lru)) {
			list_add_tail(&unused, &i->lru);
			nunused++;
		}
		return false;
	}
	hlist_del(&i->hash);
	if (!list_empty(&i->lru)) {
		list_del(&i->lru);
		nunused--;
	}
	list_del(&i->dirty);
	atomic_or(&i->state, INODE_DYING);
	return true;
}

void
inode_put(struct inode *i)
{
	uint32_t n = refcount_read(&i->refs);
	bool dead = false;

	while (n > 1)
		if (atomic_cas(&i->refs.n, &n, n - 1))
			return;
	spin_lock(&cache_lock);
	if (refcount_put(&i->refs))
		dead = unused_or_dead(i);
	spin_unlock(&cache_lock);
	if (dead)
		destroy(i);
}

/* A reference to an inode in the cache, with the cache's lock. */
static void
hold(struct inode *i)
{
	if (refcount_read(&i->refs) == 0) {
		refcount_set(&i->refs, 1);
		list_del(&i->lru);
		nunused--;
	} else {
		refcount_get(&i->refs);
	}
}

/* With the cache's lock. */
static struct inode *
find(struct super *sb, uint64_t ino)
{
	struct hlist_node *n;

	hlist_for_each(n, chain(sb, ino)) {
		struct inode *i = container_of(n, struct inode, hash);

		if (i->ino != ino || i->sb != sb || (i->state & INODE_FAILED))
			continue;
		hold(i);
		return i;
	}
	return NULL;
}

static int
wait_ready(struct inode *i)
{
	struct wait_entry e UNINIT;

	if (atomic_load_acquire(&i->state) & INODE_LOADING) {
		wait_start(&ready_wq, &e, false);
		while (atomic_load_acquire(&i->state) & INODE_LOADING)
			ignore(wait_sleep(&e, TIME_NEVER)); /* no signals */
		wait_end(&ready_wq, &e);
	}
	return i->state & INODE_FAILED ? -EIO : 0;
}

int
inode_get_cached(struct super *sb, uint64_t ino, struct inode **out,
		 bool *fresh)
{
	struct inode *i, *mine = NULL;
	int err;

	for (;;) {
		spin_lock(&cache_lock);
		i = find(sb, ino);
		if (!i && mine) {
			mine->ino = ino;
			mine->state = INODE_LOADING | INODE_KEEP;
			hlist_add(chain(sb, ino), &mine->hash);
		}
		spin_unlock(&cache_lock);
		if (i || mine)
			break;
		mine = inode_new(sb);
		if (!mine)
			return -ENOMEM;
	}
	if (!i) {
		*out = mine;
		*fresh = true;
		return 0;
	}
	if (mine)
		reclaim_call(&mine->reclaim, free_memory);
	err = wait_ready(i);
	if (err) {
		inode_put(i);
		return err;
	}
	*out = i;
	*fresh = false;
	return 0;
}

void
inode_ready(struct inode *i)
{
	atomic_and(&i->state, ~INODE_LOADING);
	if (waitq_active(&ready_wq))
		wait_wake_all(&ready_wq, 0);
}

/* Gives the caller's reference back. */
void
inode_fail(struct inode *i, int err)
{
	(void)err;
	spin_lock(&cache_lock);
	hlist_del(&i->hash);
	spin_unlock(&cache_lock);
	atomic_or(&i->state, INODE_FAILED);
	atomic_and(&i->state, ~(INODE_LOADING | INODE_KEEP));
	wait_wake_all(&ready_wq, 0);
	inode_put(i);
}

/* ---- dirty inodes ---- */

/*
 * The list of a super holds no references: an inode that nobody uses stays in
 * the cache while it is dirty (and has a name), and one that dies leaves the
 * list.  All under the cache's lock.
 */

void
inode_mark(struct inode *i, uint32_t bits)
{
	bool first = false;

	/* An exchange in any case: what was changed before must be seen by
	 * who clears the bits and looks after. */
	if ((atomic_fetch_or(&i->state, bits) & bits) == bits)
		return;
	if (!i->sb->writer)
		return;
	spin_lock(&cache_lock);
	if (list_empty(&i->dirty) && !(i->state & INODE_DYING)) {
		first = list_empty(&i->sb->dirty);
		i->dirty_since = clock_mono_ns();
		list_add_tail(&i->sb->dirty, &i->dirty);
	}
	spin_unlock(&cache_lock);
	if (first)
		writer_look(i->sb);
}

void
inode_mark_dirty(struct inode *i, bool size)
{
	if (i->sb->ops && i->sb->ops->write_inode)
		inode_mark(i,
			   size ? INODE_DIRTY | INODE_DIRTY_SIZE : INODE_DIRTY);
}

void
inode_clear_dirty(struct inode *i)
{
	atomic_and(&i->state, ~(INODE_DIRTY | INODE_DIRTY_SIZE));
}

struct inode *
inode_next_dirty(struct super *sb, uint64_t older_than)
{
	struct inode *i = NULL;

	spin_lock(&cache_lock);
	if (!list_empty(&sb->dirty)) {
		i = list_first_entry(&sb->dirty, struct inode, dirty);
		if (i->dirty_since > older_than)
			i = NULL;
	}
	if (i) {
		list_del(&i->dirty);
		hold(i);
		atomic_and(&i->state, ~INODE_DIRTY_PAGES);
	}
	spin_unlock(&cache_lock);
	return i;
}

void
inode_hold_dirty(struct inode *i, struct list *to)
{
	spin_lock(&cache_lock);
	list_del(&i->dirty); /* marked again meanwhile, perhaps */
	list_add_tail(to, &i->dirty);
	spin_unlock(&cache_lock);
}

void
inode_requeue(struct inode *i)
{
	const uint32_t any = INODE_DIRTY | INODE_DIRTY_PAGES;

	bool writing;

	spin_lock(&cache_lock);
	if (i->cache && !i->cache->anonymous && i->cache->ndirty)
		atomic_or(&i->state, INODE_DIRTY_PAGES);
	/* Until the device has written them a sync must find it here. */
	writing = i->cache && !i->cache->anonymous && i->cache->nwriteback;
	list_del(&i->dirty);
	if ((i->state & any) || writing) {
		i->dirty_since = clock_mono_ns();
		list_add_tail(&i->sb->dirty, &i->dirty);
	}
	spin_unlock(&cache_lock);
}

uint64_t
inode_oldest_dirty(struct super *sb)
{
	uint64_t t = UINT64_MAX;

	spin_lock(&cache_lock);
	if (!list_empty(&sb->dirty))
		t = list_first_entry(&sb->dirty, struct inode, dirty)
			    ->dirty_since;
	spin_unlock(&cache_lock);
	return t;
}

/* ---- memory ---- */

/* Evicting it would have to wait for a device, or forget an error of one that
 * nobody has been told yet. */
static bool
busy(const struct inode *i)
{
	return !list_empty(&i->dirty) ||
	       (i->cache && !i->cache->anonymous &&
		(i->cache->ndirty || i->cache->nwriteback ||
		 errseq_unseen(&i->cache->wb_err)));
}

size_t
inode_shrink(size_t n)
{
	size_t freed = 0, looks = nunused;

	while (freed < n && looks--) {
		struct inode *i;

		spin_lock(&cache_lock);
		if (list_empty(&unused)) {
			spin_unlock(&cache_lock);
			break;
		}
		i = list_first_entry(&unused, struct inode, lru);
		if (busy(i)) {
			list_move_tail(&unused, &i->lru);
			spin_unlock(&cache_lock);
			continue;
		}
		list_del(&i->lru);
		nunused--;
		hlist_del(&i->hash);
		atomic_or(&i->state, INODE_DYING);
		spin_unlock(&cache_lock);
		destroy(i);
		freed++;
	}
	return freed;
}

void
inode_drop_all(struct super *sb)
{
	for (unsigned b = 0; b < ARRAY_SIZE(table); b++) {
		struct hlist_node *n;
		struct inode *victim;

		do {
			victim = NULL;
			spin_lock(&cache_lock);
			hlist_for_each(n, &table[b]) {
				struct inode *i;

				i = container_of(n, struct inode, hash);
				if (i->sb != sb || refcount_read(&i->refs))
					continue;
				victim = i;
				hlist_del(&i->hash);
				list_del(&i->dirty);
				atomic_or(&i->state, INODE_DYING);
				if (!list_empty(&i->lru)) {
					list_del(&i->lru);
					nunused--;
				}
				break;
			}
			spin_unlock(&cache_lock);
			if (victim)
				destroy(victim);
		} while (victim);
	}
}

int
inode_permission_cred(struct inode *i, unsigned mask, uint32_t uid,
		      uint32_t gid, const struct cred *c)
{
	const struct acl *acl;
	uint32_t mode = i->mode;
	unsigned bits = mode & 7;

	if (uid == i->uid) {
		bits = mode >> 6 & 7;
	} else if ((mode & 070) && /* else, as in Linux, the mode */
		   (acl = atomic_load_consume(&i->acl[ACL_ACCESS]))) {
		if (!acl_permission(acl, i, mask, uid, gid, c))
			return 0;
		bits = 0;
	} else if (gid == i->gid || cred_in_group(c, i->gid)) {
		bits = mode >> 3 & 7;
	}
	if ((bits & mask) == mask)
		return 0;
	/* A capability opens all but the execution of what nobody may
	 * execute. */
	if (S_ISDIR(mode)) {
		if (!(mask & 2) && cred_capable(c, CAP_DAC_READ_SEARCH))
			return 0;
		return cred_capable(c, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (mask == 4 && cred_capable(c, CAP_DAC_READ_SEARCH))
		return 0;
	if (!(mask & 1) || (mode & S_IXUGO))
		if (cred_capable(c, CAP_DAC_OVERRIDE))
			return 0;
	return -EACCES;
}

int
inode_permission(struct inode *i, unsigned mask)
{
	const struct cred *c = thread_current()->cred;

	if (!c) /* the kernel itself */
		return 0;
	if ((mask & 2) && (i->state & INODE_IMMUTABLE))
		return -EPERM;
	return inode_permission_cred(i, mask, c->fsuid, c->fsgid, c);
}

bool
inode_owner_or_capable(const struct inode *i)
{
	const struct cred *c = thread_current()->cred;

	return !c || c->fsuid == i->uid || cred_capable(c, CAP_FOWNER);
}

/* Times of files go in steps of the coarse clock, as Linux's: a file that is
 * written over and synced again and again is not one whose inode must go
 * through the journal each time. */
static struct timespec64
file_time(void)
{
	uint64_t now = clock_real_ns();

	now -= now % CLOCK_COARSE_NS;
	return (struct timespec64){ .sec = (int64_t)(now / NSEC_PER_SEC),
				    .nsec = (uint32_t)(now % NSEC_PER_SEC) };
}

void
inode_now(struct inode_attr *a)
{
	a->atime = a->mtime = a->ctime = file_time();
}

static bool
set_time(struct timespec64 *t, struct timespec64 now)
{
	if (t->sec == now.sec && t->nsec == now.nsec)
		return false;
	*t = now;
	return true;
}

/* What the file system can store of t, as it will be read back. */
static struct timespec64
storable(const struct inode *i, struct timespec64 t)
{
	const struct super *sb = i->sb;

	if (!sb->time_max)
		return t;
	if (t.sec < sb->time_min || t.sec > sb->time_max)
		t.sec = t.sec < sb->time_min ? sb->time_min : sb->time_max;
	if (t.sec == sb->time_min || t.sec == sb->time_max)
		t.nsec = 0;
	return t;
}

void
inode_copy_attr(struct inode *i, const struct inode_attr *a)
{
	if (a->valid & ATTR_MODE)
		i->mode = (i->mode & S_IFMT) | (a->mode & S_IALLUGO);
	if (a->valid & ATTR_UID)
		i->uid = a->uid;
	if (a->valid & ATTR_GID)
		i->gid = a->gid;
	if (a->valid & ATTR_ATIME)
		i->atime = storable(i, a->atime);
	if (a->valid & ATTR_MTIME)
		i->mtime = storable(i, a->mtime);
}

void
inode_touch(struct inode *i, unsigned attr_times)
{
	struct timespec64 now = file_time();
	bool changed = false;

	if (attr_times & ATTR_ATIME)
		changed |= set_time(&i->atime, now);
	if (attr_times & ATTR_MTIME)
		changed |= set_time(&i->mtime, now);
	if (attr_times & ATTR_CTIME)
		changed |= set_time(&i->ctime, now);
	if (changed)
		inode_mark_dirty(i, false);
}

static struct kstat_time
time_of(const struct inode *i, struct timespec64 t)
{
	return (struct kstat_time){ .sec = t.sec,
				    .nsec = i->sb->whole_seconds ? 0 : t.nsec };
}

void
inode_stat(struct inode *i, struct kstat *st)
{
	st->dev = i->sb->dev;
	st->ino = i->ino;
	st->rdev = i->rdev;
	st->size = i->size;
	st->blocks = i->blocks;
	st->mode = i->mode;
	st->nlink = i->nlink;
	st->uid = i->uid;
	st->gid = i->gid;
	st->blksize = i->sb->block_size ? i->sb->block_size : PAGE_SIZE;
	st->have_btime = i->btime.sec != 0 || i->btime.nsec != 0;
	st->attributes = 0;
	st->attributes_mask = 0;
	st->mnt_id = 0;
	if (i->state & INODE_IMMUTABLE)
		st->attributes |= STATX_ATTR_IMMUTABLE;
	if (i->state & INODE_APPEND)
		st->attributes |= STATX_ATTR_APPEND;
	st->atime = time_of(i, i->atime);
	st->mtime = time_of(i, i->mtime);
	st->ctime = time_of(i, i->ctime);
	st->btime = time_of(i, i->btime);
}

int
inode_getattr(struct inode *i, struct kstat *st)
{
	if (i->ops->getattr)
		i->ops->getattr(i, st);
	else
		inode_stat(i, st);
	return 0;
}

void
inode_cache_init(void)
{
	waitq_init(&ready_wq);
	inode_mem = cache_create("inode", sizeof(struct inode), 64);
	assert(inode_mem);
}
