/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap: caches of objects of one size over slabs of one page, with a
 * magazine per cache and CPU in front.
 *
 * A slab is one frame; its struct page says the rest: priv is the cache,
 * index the first free object, mapcount the number of objects in use.  A
 * free object holds the address of the next one in its first word.  Slabs
 * with free objects are in the cache's list; full ones are in none.
 *
 * kmalloc() rounds up to a size class.  cache_create() shares a class where
 * size and alignment allow it with little waste: on a machine of 4 MB each
 * cache of its own costs a page that is mostly empty.
 *
 * Locks: a magazine belongs to its CPU, interrupts disabled; a cache's lists
 * have the cache's lock (RANK_HEAP, interrupts disabled).
 *
 * A debug kernel fills free objects and checks them when they are handed
 * out again: a write after free panics, with the cache's name.  With the
 * address sanitizer freed objects wait in a quarantine first, so that who
 * still uses one is caught in the act.  This file has no checks itself: it
 * keeps its lists in free objects.
 */
#include <mem/heap.h>

#include <base/assert.h>
#include <base/string.h>
#include <core/kasan.h>
#include <core/panic.h>
#include <core/spinlock.h>
#include <mem/page.h>

#include "mem_priv.h"

#define KMALLOC_SLAB_MAX (PAGE_SIZE / 2)
#define KMALLOC_MAX	 (2ul << 20)
#define POISON_FREE	 0x6b6b6b6b6b6b6b6bull
#define POISON_NEW	 0x5a

struct cache {
	struct spinlock lock; /* RANK_HEAP */
	uint16_t id;	      /* [I] index of its magazines */
	uint16_t per_slab;    /* [I] objects */
	uint32_t size;	      /* [I] of an object, with padding */
	uint32_t nempty;      /* [l] slabs in partial with no object used */
	struct list partial;  /* [l] slabs with a free object */
	const char *name;     /* [I] */
};

static const uint16_t class_size[] = {
	16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1360, 2048,
};
#define NCLASSES (sizeof(class_size) / sizeof(class_size[0]))

static struct cache caches[MAX_CACHES]; /* [caches_lock] growth */
static unsigned ncaches;
static struct spinlock caches_lock = SPINLOCK_INIT(RANK_HEAP);
static uint8_t class_of[KMALLOC_SLAB_MAX / 16 + 1]; /* [I] by size / 16 */
static struct heap_cpu boot_heap_cpu;
static bool heap_ready; /* [I] after boot: other CPUs may get magazines */

/*
 * Slabs.
 */

static inline void *
free_next(const void *obj)
{
	return *(void *const *)obj;
}

static inline void
set_free_next(void *obj, void *next)
{
	*(void **)obj = next;
}

#ifdef PITH_DEBUG
static void
poison_free(const struct cache *c, void *obj)
{
	uint64_t *w = obj;

	for (unsigned i = 1; i < c->size / 8; i++)
		w[i] = POISON_FREE;
}

static void
poison_check(const struct cache *c, void *obj)
{
	uint64_t *w = obj;

	kasan_unpoison(obj, c->size);
	for (unsigned i = 1; i < c->size / 8; i++)
		if (w[i] != POISON_FREE)
			panic("heap: %s object %p written after free", c->name,
			      obj);
	memset(obj, POISON_NEW, c->size);
}
#else
static inline void
poison_free(const struct cache *c, void *obj)
{
	(void)c, (void)obj;
}

static inline void
poison_check(const struct cache *c, void *obj)
{
	(void)c, (void)obj;
}
#endif

static struct page *
slab_create(struct cache *c, unsigned alloc)
{
	struct page *p = page_alloc(0, alloc & ~ALLOC_ZERO);
	char *base;
	void *next = NULL;

	if (p == NULL)
		return NULL;
	base = page_addr(p);
	for (unsigned i = c->per_slab; i-- > 0;) {
		void *obj = base + (size_t)i * c->size;

		poison_free(c, obj);
		set_free_next(obj, next);
		next = obj;
	}
	p->flags = PG_SLAB;
	p->priv = c;
	p->index = (uint64_t)next;
	p->mapcount = 0;
	mem_count(MEM_SLAB, 1);
	return p;
}

static void
slab_destroy(struct page *p)
{
	p->flags = 0;
	mem_count(MEM_SLAB, -1);
	page_put(p);
}

/* Takes up to n objects into objs; returns how many. */
static unsigned
slab_take_locked(struct cache *c, void **objs, unsigned n)
{
	unsigned got = 0;

	while (got < n && !list_empty(&c->partial)) {
		struct page *p = list_entry(c->partial.next, struct page, link);

		if (p->mapcount == 0)
			c->nempty--;
		while (got < n && p->index != 0) {
			void *obj = (void *)p->index;

			p->index = (uint64_t)free_next(obj);
			p->mapcount++;
			objs[got++] = obj;
		}
		if (p->index == 0)
			list_del(&p->link);
	}
	return got;
}

/* Gives one object back; returns a slab that should be destroyed, or NULL. */
static struct page *
slab_give_locked(struct cache *c, void *obj)
{
	struct page *p = page_of_addr(obj);

	assert(p->priv == c && p->mapcount > 0);
	if (p->index == 0)
		list_add(&c->partial, &p->link);
	set_free_next(obj, (void *)p->index);
	p->index = (uint64_t)obj;
	if (--p->mapcount > 0)
		return NULL;
	/* One empty slab is kept against a program that goes to and fro. */
	if (c->nempty++ == 0)
		return NULL;
	c->nempty--;
	list_del(&p->link);
	return p;
}

/* Fills objs with 1..n objects; 0: no memory.  Interrupts are disabled. */
static unsigned
cache_refill(struct cache *c, void **objs, unsigned n, unsigned alloc)
{
	struct page *p;
	unsigned got;

	spin_lock(&c->lock);
	got = slab_take_locked(c, objs, n);
	spin_unlock(&c->lock);
	if (got > 0)
		return got;
	p = slab_create(c, alloc);
	if (p == NULL)
		return 0;
	spin_lock(&c->lock);
	c->nempty++;
	list_add(&c->partial, &p->link);
	got = slab_take_locked(c, objs, n);
	spin_unlock(&c->lock);
	return got;
}

static void
cache_return(struct cache *c, void **objs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct page *dead;

		spin_lock(&c->lock);
		dead = slab_give_locked(c, objs[i]);
		spin_unlock(&c->lock);
		if (dead != NULL)
			slab_destroy(dead);
	}
}

/*
 * Objects.
 */

/* The magazines of a CPU that has none yet. */
static struct heap_cpu *
heap_cpu_create(void)
{
	unsigned order = 0;
	struct page *p;

	if (!heap_ready)
		return NULL;
	while ((PAGE_SIZE << order) < sizeof(struct heap_cpu))
		order++;
	p = page_alloc(order, ALLOC_ATOMIC | ALLOC_ZERO);
	if (p != NULL)
		this_cpu()->heap = page_addr(p);
	return this_cpu()->heap;
}

/* No object in the magazine: gets one, and some more for the magazine.  May
 * sleep as alloc says, with interrupts as the caller has them. */
static void *
cache_alloc_slow(struct cache *c, unsigned alloc)
{
	void *objs[OBJ_MAGAZINE / 2];
	irqflags_t f = irq_save();
	struct heap_cpu *h = heap_this_cpu();
	unsigned n = 1;

	if (h == NULL)
		h = heap_cpu_create();
	if (h != NULL)
		n = OBJ_MAGAZINE / 2;
	n = cache_refill(c, objs, n, ALLOC_ATOMIC);
	if (n == 0) {
		/* The atomic way had none: wait for memory with interrupts
		 * as they were, and come back for one object. */
		irq_restore(f);
		if (alloc & (ALLOC_SLEEP | ALLOC_RESERVE)) {
			struct page *p = slab_create(c, alloc);

			if (p == NULL)
				return NULL;
			f = spin_lock_irq(&c->lock);
			c->nempty++;
			list_add(&c->partial, &p->link);
			n = slab_take_locked(c, objs, 1);
			spin_unlock_irq(&c->lock, f);
		}
		return n > 0 ? objs[0] : NULL;
	}
	while (n > 1) {
		struct obj_magazine *m = &h->objs[c->id];

		/* An interrupt since the caller's look may have filled it. */
		if (m->n == OBJ_MAGAZINE) {
			cache_return(c, &objs[1], n - 1);
			break;
		}
		m->objs[m->n++] = objs[--n];
	}
	irq_restore(f);
	return objs[0];
}

static inline void *
cache_take(struct cache *c, unsigned alloc)
{
	irqflags_t f = irq_save();
	struct heap_cpu *h = heap_this_cpu();
	void *obj = NULL;

	if (likely(h != NULL)) {
		struct obj_magazine *m = &h->objs[c->id];

		if (likely(m->n > 0))
			obj = m->objs[--m->n];
	}
	irq_restore(f);
	if (unlikely(obj == NULL)) {
		obj = cache_alloc_slow(c, alloc);
		if (obj == NULL)
			return NULL;
	}
	poison_check(c, obj);
	return obj;
}

#ifdef PITH_KASAN
#define QUARANTINE 256u

/* Puts obj at the end of the line; the one that has waited longest, or
 * NULL. */
static void *
quarantine(void *obj)
{
	static struct spinlock lock = SPINLOCK_INIT(RANK_HEAP);
	static void *line[QUARANTINE]; /* [lock] */
	static unsigned at;
	irqflags_t f = spin_lock_irq(&lock);
	void *old = line[at];

	line[at] = obj;
	at = (at + 1) % QUARANTINE;
	spin_unlock_irq(&lock, f);
	return old;
}
#else
static inline void *
quarantine(void *obj)
{
	return obj;
}
#endif

static inline void
cache_give(struct cache *c, void *obj)
{
	irqflags_t f;
	struct heap_cpu *h;

	poison_free(c, obj);
	kasan_poison(obj, c->size, KASAN_FREE_OBJECT);
	obj = quarantine(obj);
	if (obj == NULL)
		return;
	c = page_of_addr(obj)->priv;
	f = irq_save();
	h = heap_this_cpu();
	if (likely(h != NULL)) {
		struct obj_magazine *m = &h->objs[c->id];

		if (unlikely(m->n == OBJ_MAGAZINE)) {
			m->n = OBJ_MAGAZINE / 2;
			cache_return(c, &m->objs[m->n],
				     OBJ_MAGAZINE - OBJ_MAGAZINE / 2);
		}
		m->objs[m->n++] = obj;
	} else {
		cache_return(c, &obj, 1);
	}
	irq_restore(f);
}

static inline void
clear_words(void *p, size_t len)
{
	memset(p, 0, len);
}

/* Sizes above a slab object's: whole pages. */
static void *
alloc_large(size_t size, unsigned alloc)
{
	unsigned order = 0;
	struct page *p;

	if (size > KMALLOC_MAX)
		return NULL;
	while ((PAGE_SIZE << order) < size)
		order++;
	p = page_alloc(order, alloc);
	return p != NULL ? page_addr(p) : NULL;
}

void *
kmalloc(size_t size, unsigned alloc)
{
	struct cache *c;
	void *p;

	if (unlikely(size > KMALLOC_SLAB_MAX))
		return alloc_large(size, alloc);
	c = &caches[class_of[(size + 15) / 16]];
	p = cache_take(c, alloc);
	if ((alloc & ALLOC_ZERO) && p != NULL)
		clear_words(p, c->size);
	if (p != NULL) {
		kasan_poison(p, c->size, KASAN_REDZONE);
		kasan_unpoison(p, size);
	}
	return p;
}

void *
kzalloc(size_t size, unsigned alloc)
{
	return kmalloc(size, alloc | ALLOC_ZERO);
}

void *
kcalloc(size_t n, size_t size, unsigned alloc)
{
	size_t len;

	if (__builtin_mul_overflow(n, size, &len))
		return NULL;
	return kmalloc(len, alloc | ALLOC_ZERO);
}

void *
kmemdup(const void *p, size_t len, unsigned alloc)
{
	void *d = kmalloc(len, alloc & ~ALLOC_ZERO);

	if (d != NULL)
		memcpy(d, p, len);
	return d;
}

char *
kstrdup(const char *s, unsigned alloc)
{
	return kmemdup(s, strlen(s) + 1, alloc);
}

void
kfree(void *obj)
{
	struct page *p;

	if (obj == NULL)
		return;
	p = page_of_addr(obj);
	if (p->flags & PG_SLAB) {
		cache_give(p->priv, obj);
		return;
	}
	assert(page_addr(p) == obj);
	page_put(p);
}

size_t
kmalloc_usable(const void *obj)
{
	const struct page *p = page_of_addr(obj);

	if (p->flags & PG_SLAB) {
		const struct cache *c = p->priv;

		kasan_unpoison(obj, c->size);
		return c->size;
	}
	return PAGE_SIZE << p->order;
}

/*
 * Caches.
 */

static struct cache *
cache_new_locked(const char *name, size_t size)
{
	struct cache *c;

	if (ncaches == MAX_CACHES)
		return NULL;
	c = &caches[ncaches];
	spin_init(&c->lock, RANK_HEAP);
	list_init(&c->partial);
	c->id = (uint16_t)ncaches++;
	c->name = name;
	c->size = (uint32_t)size;
	c->per_slab = (uint16_t)(PAGE_SIZE / size);
	return c;
}

static bool
class_fits(size_t have, size_t size, size_t align)
{
	/* Objects lie at multiples of the size from the start of a page. */
	return have >= size && have % align == 0 && (have - size) * 8 <= have;
}

struct cache *
cache_create(const char *name, size_t size, size_t align)
{
	struct cache *c = NULL;
	irqflags_t f;

	if (align < 16)
		align = 16;
	size = (size + align - 1) & ~(align - 1);
	assert(size > 0 && size <= PAGE_SIZE && (align & (align - 1)) == 0);
	f = spin_lock_irq(&caches_lock);
	for (unsigned i = 0; i < NCLASSES && c == NULL; i++)
		if (class_fits(caches[i].size, size, align))
			c = &caches[i];
	if (c == NULL)
		c = cache_new_locked(name, size);
	spin_unlock_irq(&caches_lock, f);
	return c;
}

void *
cache_alloc(struct cache *c, unsigned alloc)
{
	void *p = cache_take(c, alloc);

	if ((alloc & ALLOC_ZERO) && p != NULL)
		clear_words(p, c->size);
	return p;
}

void
cache_free(struct cache *c, void *obj)
{
	assert(page_of_addr(obj)->priv == c);
	cache_give(c, obj);
}

/* Memory is short: gives back what this CPU's magazines and the caches keep
 * for later. */
size_t
heap_shrink(void)
{
	size_t got = 0;

	for (unsigned i = 0; i < ncaches; i++) {
		struct cache *c = &caches[i];
		struct page *dead = NULL;
		irqflags_t f = irq_save();
		struct heap_cpu *h = heap_this_cpu();

		if (h != NULL) {
			cache_return(c, h->objs[i].objs, h->objs[i].n);
			h->objs[i].n = 0;
		}
		spin_lock(&c->lock);
		if (c->nempty > 0) {
			struct page *p;

			list_for_each_entry(p, &c->partial, link) {
				if (p->mapcount == 0) {
					dead = p;
					break;
				}
			}
			if (dead != NULL) {
				list_del(&dead->link);
				c->nempty--;
			}
		}
		spin_unlock(&c->lock);
		irq_restore(f);
		if (dead != NULL) {
			slab_destroy(dead);
			got++;
		}
	}
	return got;
}

void
heap_init(void)
{
	unsigned class = 0;

	for (unsigned i = 0; i < NCLASSES; i++)
		if (cache_new_locked("kmalloc", class_size[i]) == NULL)
			panic("heap: no caches");
	for (unsigned i = 0; i <= KMALLOC_SLAB_MAX / 16; i++) {
		while (class_size[class] < i * 16)
			class ++;
		class_of[i] = (uint8_t) class;
	}
	this_cpu()->heap = &boot_heap_cpu;
	heap_ready = true;
}
