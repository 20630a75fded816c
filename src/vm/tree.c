/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of vmas by address.
 *
 * Writers hold space->lock.  Faults look a vma up with no lock: nodes are
 * freed by deferred reclamation only, so a walk that meets a rotation can
 * miss, or go astray for a while, but never touches freed memory; it is
 * bounded, and whoever it finds is checked again under the vma's own lock.
 * A miss proves nothing and is looked up again under space->lock.
 */
#include "space_priv.h"

#include <base/atomic.h>

#define MAX_DEPTH 64 /* of a walk without a lock */

static inline struct vma *
vma_of(struct rb_node *n)
{
	return n != NULL ? container_of(n, struct vma, node) : NULL;
}

struct vma *
vma_find(struct vm_space *s, vaddr_t addr)
{
	struct rb_node *n = s->vmas.node;
	struct vma *best = NULL;

	while (n != NULL) {
		struct vma *v = vma_of(n);

		if (addr < v->end) {
			best = v;
			if (addr >= v->start)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct vma *
vma_at(struct vm_space *s, vaddr_t addr)
{
	struct vma *v = vma_find(s, addr);

	return v != NULL && v->start <= addr ? v : NULL;
}

struct vma *
vma_next(struct vma *v)
{
	return vma_of(rb_next(&v->node));
}

struct vma *
vma_prev(struct vma *v)
{
	return vma_of(rb_prev(&v->node));
}

struct vma *
vma_last(struct vm_space *s)
{
	return vma_of(rb_last(&s->vmas));
}

void
vma_insert(struct vm_space *s, struct vma *v)
{
	struct rb_node **link = &s->vmas.node;
	struct rb_node *parent = NULL;

	while (*link != NULL) {
		parent = *link;
		link = v->start < vma_of(parent)->start ? &parent->left :
							  &parent->right;
	}
	__atomic_thread_fence(__ATOMIC_RELEASE);
	rb_link(&v->node, parent, link);
	rb_insert_color(&s->vmas, &v->node);
	s->nvmas++;
}

void
vma_erase(struct vm_space *s, struct vma *v)
{
	rb_erase(&s->vmas, &v->node);
	s->nvmas--;
}

struct vma *
vma_lookup_fast(struct vm_space *s, vaddr_t addr)
{
	struct rb_node *n = __atomic_load_n(&s->vmas.node, __ATOMIC_CONSUME);

	for (unsigned i = 0; n != NULL && i < MAX_DEPTH; i++) {
		struct vma *v = vma_of(n);

		if (addr >= __atomic_load_n(&v->end, __ATOMIC_RELAXED))
			n = __atomic_load_n(&n->right, __ATOMIC_CONSUME);
		else if (addr < __atomic_load_n(&v->start, __ATOMIC_RELAXED))
			n = __atomic_load_n(&n->left, __ATOMIC_CONSUME);
		else
			return v;
	}
	return NULL;
}

static inline bool
vma_holds(const struct vma *v, vaddr_t addr)
{
	return !v->dead && addr >= v->start && addr < v->end;
}

struct vma *
vma_lookup_read(struct vm_space *s, vaddr_t addr)
{
	struct vma *v = vma_lookup_fast(s, addr);

	if (likely(v != NULL && read_trylock(&v->lock))) {
		if (likely(vma_holds(v, addr)))
			return v;
		read_unlock(&v->lock);
	}
	read_lock(&s->lock);
	v = vma_at(s, addr);
	if (v != NULL)
		read_lock(&v->lock);
	read_unlock(&s->lock);
	return v;
}
