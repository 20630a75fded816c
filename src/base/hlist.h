/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash chains: a head of one pointer.  Readers without a lock may walk a
 * chain while one writer changes it, if removed nodes are freed by deferred
 * reclamation: a removed node keeps its next pointer.
 */
#pragma once

#include <base/atomic.h>
#include <base/compiler.h>

struct hlist_node {
	struct hlist_node *next, **pprev; /* pprev NULL: on no chain */
};

struct hlist_head {
	struct hlist_node *first;
};

static inline bool
hlist_unhashed(const struct hlist_node *n)
{
	return !n->pprev;
}

static inline void
hlist_add(struct hlist_head *h, struct hlist_node *n)
{
	n->next = h->first;
	n->pprev = &h->first;
	if (h->first)
		h->first->pprev = &n->next;
	atomic_store_release(&h->first, n);
}

static inline void
hlist_del(struct hlist_node *n)
{
	if (!n->pprev)
		return;
	atomic_store_release(n->pprev, n->next);
	if (n->next)
		n->next->pprev = n->pprev;
	n->pprev = NULL;
}

#define hlist_for_each(p, head)                              \
	for ((p) = atomic_load_acquire(&(head)->first); (p); \
	     (p) = atomic_load_acquire(&(p)->next))
