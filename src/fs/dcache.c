/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of directory entries.
 *
 * Being in the cache is worth one reference; each child holds one of its
 * parent.  So an entry whose count is one, and that is hashed, is used by
 * nobody and can go; the compare-exchange from one to zero decides against a
 * lock-free walk, which takes references only from non-zero counts.
 *
 * Changes to chains, lists, names and parents are made under one lock
 * (RANK_DCACHE).  A walk without it may miss an entry that moves (it then
 * looks again, slowly) and may see a mixture of old and new name: `seq`
 * changes around each move, and tells.  Names are never overwritten: a move
 * gives the entry a new buffer and the old one is freed later.
 *
 * An entry that is positive stays so until it is removed; a negative one may
 * become positive, under its directory's lock.
 */
#include "fs_priv.h"

#include <abi/errno.h>
#include <base/assert.h>
#include <base/hash.h>
#include <base/string.h>
#include <fs/notify.h>
#include <mem/heap.h>
#include <mem/page.h>

#define HASH_BITS 12
/* Entries kept at most, per MiB of memory; a floor for small machines. */
#define KEEP_PER_MIB 64u
#define KEEP_MIN     512u

static struct hlist_head *table;
static struct spinlock lock = SPINLOCK_INIT(RANK_DCACHE);
static struct list lru = LIST_INIT(lru); /* [lock] hashed entries */
static size_t count, limit;		 /* [lock] */
static uint32_t seq;			 /* [lock w, a r] odd: moving */
static struct cache *dentry_mem;

struct old_name {
	struct reclaim_head reclaim;
	char text[];
};

uint32_t
dname_hash(const char *name, size_t len)
{
	uint32_t h = DNAME_SEED;

	for (size_t i = 0; i < len; i++)
		h = dname_hash_step(h, (uint8_t)name[i]);
	return h;
}

static inline struct hlist_head *
chain(const struct dentry *parent, uint32_t hash)
{
	uint64_t h = ((uint64_t)parent >> 6) * 0x9e3779b97f4a7c15ull;

	h ^= hash;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ull;
	return &table[h >> (64 - HASH_BITS)];
}

uint32_t
dcache_seq(void)
{
	return atomic_load_acquire(&seq);
}

/* Both end with NUL and a component holds none, so this stops in time even
 * where name and length of d are of different moments. */
static inline bool
same_name(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

struct dentry *
dcache_find(const struct dentry *parent, const char *name, size_t len,
	    uint32_t hash)
{
	struct hlist_node *n;

	hlist_for_each(n, chain(parent, hash)) {
		struct dentry *d = container_of(n, struct dentry, hash);

		if (d->name_hash != hash || d->parent != parent ||
		    d->name_len != len)
			continue;
		if (same_name(atomic_load_acquire(&d->name), name, len))
			return d;
	}
	return NULL;
}

/* Second chance for the next scan. */
static inline void
mark_used(struct dentry *d)
{
	if (!d->referenced)
		d->referenced = true;
}

struct dentry *
dcache_find_get(struct dentry *parent, const char *name, size_t len,
		uint32_t hash)
{
	struct dentry *d;

	spin_lock(&lock);
	d = dcache_find(parent, name, len, hash);
	if (d && !refcount_get_unless_zero(&d->refs))
		d = NULL;
	if (d)
		mark_used(d);
	spin_unlock(&lock);
	return d;
}

static struct old_name *
name_alloc(const char *name, size_t len)
{
	struct old_name *n = kmalloc(sizeof(*n) + len + 1, ALLOC_KERNEL);

	if (!n)
		return NULL;
	memcpy(n->text, name, len);
	n->text[len] = '\0';
	return n;
}

static void
name_free(struct reclaim_head *h)
{
	kfree(container_of(h, struct old_name, reclaim));
}

struct dentry *
dentry_new(struct dentry *parent, struct super *sb, const char *name,
	   size_t len, uint32_t hash)
{
	struct dentry *d = cache_alloc(dentry_mem, ALLOC_KERNEL | ALLOC_ZERO);

	if (!d)
		return NULL;
	d->name = d->inline_name;
	if (len >= sizeof(d->inline_name)) {
		struct old_name *n = name_alloc(name, len);

		if (!n) {
			cache_free(dentry_mem, d);
			return NULL;
		}
		d->name = n->text;
	} else {
		memcpy(d->inline_name, name, len);
	}
	refcount_set(&d->refs, 1);
	d->name_len = (uint16_t)len;
	d->name_hash = hash;
	d->sb = sb;
	d->parent = parent ? parent : d;
	list_init(&d->lru);
	if (parent)
		dentry_get(parent);
	return d;
}

struct dentry *
dentry_new_root(struct super *sb)
{
	struct dentry *d = dentry_new(NULL, sb, "/", 1, 0);

	if (!d)
		return NULL;
	inode_get(sb->root);
	d->inode = sb->root;
	return d;
}

static void
free_memory(struct reclaim_head *h)
{
	struct dentry *d = container_of(h, struct dentry, reclaim);

	if (d->name != d->inline_name)
		kfree(container_of(d->name, struct old_name, text[0]));
	cache_free(dentry_mem, d);
}

/* The count is zero and the entry in no chain. */
static void
destroy(struct dentry *d)
{
	while (d) {
		struct dentry *parent = d->parent != d ? d->parent : NULL;
		struct inode *i = d->inode;

		reclaim_call(&d->reclaim, free_memory);
		if (i) {
			notify_gone(i);
			inode_put(i);
		}
		d = parent && refcount_put(&parent->refs) ? parent : NULL;
	}
}

void
dentry_put(struct dentry *d)
{
	if (refcount_put(&d->refs)) {
		assert(hlist_unhashed(&d->hash));
		destroy(d);
	}
}

struct dentry *
dcache_insert(struct dentry *d)
{
	struct dentry *other;
	size_t excess;

	spin_lock(&lock);
	other = dcache_find(d->parent, d->name, d->name_len, d->name_hash);
	if (other && refcount_get_unless_zero(&other->refs)) {
		spin_unlock(&lock);
		dentry_put(d);
		return other;
	}
	refcount_get(&d->refs);
	hlist_add(chain(d->parent, d->name_hash), &d->hash);
	list_add_tail(&lru, &d->lru);
	count++;
	excess = count > limit ? count - limit : 0;
	spin_unlock(&lock);
	if (excess)
		dcache_shrink(excess + 16);
	return d;
}

void
dentry_instantiate(struct dentry *d, struct inode *i)
{
	assert(!d->inode);
	atomic_store_release(&d->inode, i);
}

/* With the lock; the cache's reference becomes the caller's. */
static bool
unhash(struct dentry *d)
{
	if (hlist_unhashed(&d->hash))
		return false;
	hlist_del(&d->hash);
	list_del(&d->lru);
	count--;
	return true;
}

void
dcache_remove(struct dentry *d, bool deleted)
{
	bool was;

	spin_lock(&lock);
	was = unhash(d);
	if (deleted)
		d->unhashed = true;
	spin_unlock(&lock);
	if (was)
		dentry_put(d);
}

static void
set_name(struct dentry *d, struct old_name *n, size_t len, uint32_t hash)
{
	char *old = d->name;

	atomic_store_release(&d->name, n->text);
	d->name_len = (uint16_t)len;
	d->name_hash = hash;
	if (old != d->inline_name) {
		struct old_name *o =
			container_of(old, struct old_name, text[0]);

		reclaim_call(&o->reclaim, name_free);
	}
}

static void
rehash(struct dentry *d, struct dentry *parent)
{
	bool hashed = !hlist_unhashed(&d->hash);

	hlist_del(&d->hash);
	atomic_store_release(&d->parent, parent);
	if (hashed)
		hlist_add(chain(parent, d->name_hash), &d->hash);
}

int
dcache_move(struct dentry *d, struct dentry *parent, const char *name,
	    size_t len, uint32_t hash)
{
	struct old_name *n = name_alloc(name, len);
	struct dentry *old;

	if (!n)
		return -ENOMEM;
	dentry_get(parent);
	spin_lock(&lock);
	atomic_store(&seq, seq + 1);
	old = d->parent;
	set_name(d, n, len, hash);
	rehash(d, parent);
	atomic_store(&seq, seq + 1);
	spin_unlock(&lock);
	dentry_put(old);
	return 0;
}

int
dcache_exchange(struct dentry *a, struct dentry *b)
{
	struct old_name *na = name_alloc(b->name, b->name_len);
	struct old_name *nb = name_alloc(a->name, a->name_len);
	size_t la = a->name_len, lb = b->name_len;
	uint32_t ha = a->name_hash, hb = b->name_hash;
	struct dentry *pa = a->parent, *pb = b->parent;

	if (!na || !nb) {
		kfree(na);
		kfree(nb);
		return -ENOMEM;
	}
	/* The parents' references go over with the places. */
	spin_lock(&lock);
	atomic_store(&seq, seq + 1);
	set_name(a, na, lb, hb);
	set_name(b, nb, la, ha);
	rehash(a, pb);
	rehash(b, pa);
	atomic_store(&seq, seq + 1);
	spin_unlock(&lock);
	return 0;
}

bool
dentry_is_below(struct dentry *d, struct dentry *top)
{
	bool below = false;

	spin_lock(&lock);
	for (;;) {
		if (d == top) {
			below = true;
			break;
		}
		if (d->parent == d) {
			if (!d->covers)
				break;
			d = d->covers;
		} else {
			d = d->parent;
		}
	}
	spin_unlock(&lock);
	return below;
}

/* Whose entries are to go: of a file system, of a directory, or any. */
struct of {
	const struct super *sb;
	const struct dentry *dir;
};

/* Takes up to n unused entries out, after at most `scan` looks. */
static size_t
shrink(size_t n, size_t scan, const struct of *only)
{
	struct dentry *victims = NULL, *d;
	size_t freed = 0;

	spin_lock(&lock);
	while (freed < n && scan-- && !list_empty(&lru)) {
		uint32_t one = 1;

		d = list_first_entry(&lru, struct dentry, lru);
		list_move_tail(&lru, &d->lru);
		if (only && only->sb && d->sb != only->sb)
			continue;
		if (only && only->dir && d->parent != only->dir)
			continue;
		if (d->referenced && !only) {
			d->referenced = false;
			continue;
		}
		if (d->mounted || !atomic_cas(&d->refs.n, &one, 0))
			continue;
		unhash(d);
		d->next_victim = victims;
		victims = d;
		freed++;
	}
	spin_unlock(&lock);
	while ((d = victims)) {
		victims = d->next_victim;
		destroy(d);
	}
	return freed;
}

size_t
dcache_shrink(size_t n)
{
	return shrink(n, n * 2 + 32, NULL);
}

void
dcache_drop_super(struct super *sb)
{
	const struct of all = { .sb = sb };

	/* Each round frees leaves and so makes their parents leaves. */
	while (shrink(SIZE_MAX, count, &all))
		;
}

void
dcache_drop_children(struct dentry *dir)
{
	const struct of children = { .dir = dir };

	/* Ours, or somebody has it open, or names that were looked for. */
	if (refcount_read(&dir->refs) > 1)
		shrink(SIZE_MAX, count, &children);
}

/* One step up, over the edge of a mounted file system. */
static struct dentry *
up(struct dentry *d, struct dentry *root)
{
	while (d != root && d->parent == d && d->covers)
		d = d->covers;
	return d;
}

static bool
prepend(char *buf, char **p, const char *s, size_t len)
{
	if ((size_t)(*p - buf) < len)
		return false;
	*p -= len;
	memcpy(*p, s, len);
	return true;
}

char *
dentry_path(struct dentry *d, struct dentry *root, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	char *p = buf + size;
	bool ok = size > 1;

	if (!ok)
		return NULL;
	*--p = '\0';
	spin_lock(&lock);
	/* Names that come and go by themselves have no entries that leave. */
	if (d->unhashed ||
	    (d->inode && !d->sb->cache_names && !READ_ONCE(d->inode->nlink)))
		ok = prepend(buf, &p, deleted, sizeof(deleted) - 1);
	d = up(d, root);
	if (d == root || d->parent == d)
		ok = ok && prepend(buf, &p, "/", 1);
	while (ok && d != root && d->parent != d) {
		ok = prepend(buf, &p, d->name, d->name_len) &&
		     prepend(buf, &p, "/", 1);
		d = up(d->parent, root);
	}
	spin_unlock(&lock);
	return ok ? p : NULL;
}

void
dcache_init(void)
{
	dentry_mem = cache_create("dentry", sizeof(struct dentry), 64);
	table = kzalloc(sizeof(*table) << HASH_BITS, ALLOC_KERNEL);
	assert(dentry_mem && table);
	limit = mem_total_pages() / 256 * KEEP_PER_MIB;
	if (limit < KEEP_MIN)
		limit = KEEP_MIN;
}
