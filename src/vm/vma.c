/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a vma.
 *
 * vma_create() makes it, vma_publish() puts it into the tree and its
 * object's list; from then on faults find it.  vma_kill() takes it out of
 * both, marks it dead under its own lock (a fault that waited looks again),
 * and hands it to deferred reclamation, as a walk without a lock may still
 * see it.  The references to object and file go when space->lock has been
 * released.
 *
 * All functions want space->lock held for writing.
 */
#include "space_priv.h"

#include <abi/errno.h>
#include <base/assert.h>
#include <base/limits.h>
#include <mem/heap.h>

static inline uint64_t
vma_npages(const struct vma *v)
{
	return (v->end - v->start) >> PAGE_SHIFT;
}

bool
vma_is_data(uint32_t flags)
{
	return (flags & (VMA_WRITE | VMA_SHARED | VMA_STACK)) == VMA_WRITE;
}

static void
account(struct vm_space *s, uint32_t flags, long npages)
{
	s->total_pages += (uint64_t)npages;
	if (vma_is_data(flags))
		s->data_pages += (uint64_t)npages;
	if (flags & VMA_LOCKED)
		s->locked_pages += (uint64_t)npages;
	if (s->total_pages > s->hiwater_pages)
		s->hiwater_pages = s->total_pages;
}

struct vma *
vma_create(struct vm_space *s, vaddr_t start, vaddr_t end, uint32_t flags,
	   struct vm_object *o, struct file *file, uint64_t pgoff)
{
	struct vma *v = kzalloc(sizeof(*v), ALLOC_KERNEL);

	if (v == NULL)
		return NULL;
	v->start = start;
	v->end = end;
	v->flags = flags;
	v->pgoff = pgoff;
	v->space = s;
	rwlock_init(&v->lock, RANK_VMA);
	list_init(&v->object_link);
	if (o != NULL) {
		vm_object_get(o);
		v->object = o;
	}
	if (file != NULL && vm_hooks.file_get != NULL) {
		vm_hooks.file_get(file);
		v->file = file;
	}
	return v;
}

static void
drop_references(struct vma *v)
{
	if (v->object != NULL)
		vm_object_put(v->object);
	if (v->file != NULL)
		vm_hooks.file_put(v->file);
}

void
vma_free(struct vma *v)
{
	drop_references(v);
	kfree(v);
}

static void
vma_reclaim(struct reclaim_head *h)
{
	kfree(container_of(h, struct vma, reclaim));
}

void
vma_object_link(struct vma *v)
{
	struct vm_object *o = v->object;

	if (o == NULL)
		return;
	write_lock(&o->mapping_lock);
	list_add(&o->vmas, &v->object_link);
	if ((v->flags & (VMA_SHARED | VMA_MAYWRITE)) ==
	    (VMA_SHARED | VMA_MAYWRITE))
		o->writable_maps++;
	write_unlock(&o->mapping_lock);
}

void
vma_object_unlink(struct vma *v)
{
	struct vm_object *o = v->object;

	if (o == NULL)
		return;
	write_lock(&o->mapping_lock);
	list_del(&v->object_link);
	if ((v->flags & (VMA_SHARED | VMA_MAYWRITE)) ==
	    (VMA_SHARED | VMA_MAYWRITE))
		o->writable_maps--;
	write_unlock(&o->mapping_lock);
}

void
vma_publish_linked(struct vma *v)
{
	account(v->space, v->flags, (long)vma_npages(v));
	vma_insert(v->space, v);
}

void
vma_publish(struct vma *v)
{
	vma_object_link(v);
	vma_publish_linked(v);
}

void
vma_kill(struct vma *v)
{
	account(v->space, v->flags, -(long)vma_npages(v));
	vma_erase(v->space, v);
	write_lock(&v->lock);
	v->dead = true;
	write_unlock(&v->lock);
	vma_object_unlink(v);
	list_add(&v->space->dead, &v->object_link);
}

void
vma_bury(struct vma *v)
{
	drop_references(v);
	reclaim_call(&v->reclaim, vma_reclaim);
}

/* Both bounds may change, the page of the object at an address does not. */
void
vma_set_range(struct vma *v, vaddr_t start, vaddr_t end)
{
	struct vm_object *o = v->object;

	account(v->space, v->flags, -(long)vma_npages(v));
	write_lock(&v->lock);
	if (o != NULL)
		write_lock(&o->mapping_lock);
	v->pgoff += (uint64_t)((int64_t)(start - v->start) >> PAGE_SHIFT);
	v->start = start;
	v->end = end;
	if (o != NULL)
		write_unlock(&o->mapping_lock);
	write_unlock(&v->lock);
	account(v->space, v->flags, (long)vma_npages(v));
}

void
vma_set_flags(struct vma *v, uint32_t flags)
{
	account(v->space, v->flags, -(long)vma_npages(v));
	write_lock(&v->lock);
	v->flags = flags;
	write_unlock(&v->lock);
	account(v->space, v->flags, (long)vma_npages(v));
}

int
vma_split(struct vma *v, vaddr_t at)
{
	struct vma *n;
	int err;

	assert(at > v->start && at < v->end);
	if (v->space->nvmas >= LIMIT_MAPS)
		return -ENOMEM;
	/* No large page ever belongs to two vmas. */
	err = v->populated ? vm_cut_huge(at) : 0;
	if (err)
		return err;
	n = vma_create(v->space, at, v->end, v->flags, v->object, v->file,
		       v->pgoff + ((at - v->start) >> PAGE_SHIFT));
	if (n == NULL)
		return -ENOMEM;
	n->name = v->name;
	n->zeroes = v->zeroes;
	n->populated = v->populated;
	/* Linked to the object first: an unmapping by the object that comes
	 * between the two steps then meets the range twice, never not at
	 * all. */
	account(n->space, n->flags, (long)vma_npages(n));
	vma_object_link(n);
	vma_set_range(v, v->start, at);
	vma_insert(n->space, n);
	return 0;
}

static bool
can_merge(const struct vma *a, const struct vma *b)
{
	if (a->end != b->start || a->flags != b->flags ||
	    a->object != b->object || a->file != b->file ||
	    a->name != b->name || (a->flags & VMA_SPECIAL))
		return false;
	return a->object == NULL || a->pgoff + vma_npages(a) == b->pgoff;
}

/* b's range becomes a's. */
static void
absorb(struct vma *a, struct vma *b)
{
	vaddr_t end = b->end;

	a->zeroes |= b->zeroes;
	a->populated |= b->populated;
	/* The larger a first: a fault in b's old range finds one of them. */
	vma_set_range(a, a->start, end);
	vma_kill(b);
}

struct vma *
vma_merge(struct vma *v)
{
	struct vma *o = vma_prev(v);

	if (o != NULL && can_merge(o, v)) {
		absorb(o, v);
		v = o;
	}
	o = vma_next(v);
	if (o != NULL && can_merge(v, o))
		absorb(v, o);
	return v;
}

int
vm_isolate(struct vm_space *s, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_at(s, start);
	int err;

	if (v != NULL && v->start < start) {
		err = vma_split(v, start);
		if (err)
			return err;
	}
	v = vma_at(s, end);
	if (v != NULL && v->start < end)
		return vma_split(v, end);
	return 0;
}
