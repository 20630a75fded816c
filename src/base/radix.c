/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The radix tree.  The root's shift says how tall the tree is; it grows by
 * putting a new root above, and shrinks only by becoming empty, so that a
 * reader that started at an old root still finds what that root covered.
 */
#include <base/atomic.h>
#include <base/radix.h>

#define RADIX_EEXIST 17
#define RADIX_ENOMEM 12

void
radix_init(struct radix_root *r, struct radix_node *(*alloc)(void),
	   void (*free)(struct radix_node *n))
{
	r->node = NULL;
	r->alloc = alloc;
	r->free = free;
}

static unsigned
slot_of(const struct radix_node *n, uint64_t index)
{
	return index >> n->shift & (RADIX_SLOTS - 1);
}

/* Does the subtree of n, as a root, reach this index? */
static bool
covers(const struct radix_node *n, uint64_t index)
{
	unsigned bits = n->shift + RADIX_BITS;

	return bits >= 64 || !(index >> bits);
}

/* The lowest node on the way to index; NULL: not there. */
static struct radix_node *
leaf_of(const struct radix_root *r, uint64_t index)
{
	struct radix_node *n = atomic_load_acquire(&r->node);

	if (!n || !covers(n, index))
		return NULL;
	while (n && n->shift)
		n = atomic_load_acquire(&n->slot[slot_of(n, index)]);
	return n;
}

/* The shift of a root that reaches index. */
static unsigned
shift_for(uint64_t index)
{
	unsigned shift = 0;

	while (shift + RADIX_BITS < 64 && index >> (shift + RADIX_BITS))
		shift += RADIX_BITS;
	return shift;
}

static int
grow(struct radix_root *r, uint64_t index)
{
	struct radix_node *n, *old;

	if (!r->node) {
		n = r->alloc();
		if (!n)
			return -RADIX_ENOMEM;
		n->shift = (uint8_t)shift_for(index);
		atomic_store_release(&r->node, n);
		return 0;
	}
	while (!covers(r->node, index)) {
		old = r->node;
		n = r->alloc();
		if (!n)
			return -RADIX_ENOMEM;
		n->shift = (uint8_t)(old->shift + RADIX_BITS);
		n->slot[0] = old;
		n->count = 1;
		for (unsigned t = 0; t < RADIX_TAGS; t++)
			n->tags[t] = old->tags[t] != 0;
		old->parent = n;
		old->offset = 0;
		atomic_store_release(&r->node, n);
	}
	return 0;
}

/* Frees empty nodes from n upward. */
static void
prune(struct radix_root *r, struct radix_node *n)
{
	while (n && !n->count) {
		struct radix_node *p = n->parent;

		if (p) {
			atomic_store_release(&p->slot[n->offset], NULL);
			p->count--;
			for (unsigned t = 0; t < RADIX_TAGS; t++)
				p->tags[t] &= ~(1ull << n->offset);
		} else {
			atomic_store_release(&r->node, NULL);
		}
		r->free(n);
		n = p;
	}
}

int
radix_insert(struct radix_root *r, uint64_t index, void *p)
{
	struct radix_node *n;
	int err = grow(r, index);

	if (err)
		return err;
	n = r->node;
	while (n->shift) {
		unsigned s = slot_of(n, index);
		struct radix_node *c = n->slot[s];

		if (!c) {
			c = r->alloc();
			if (!c) {
				prune(r, n);
				return -RADIX_ENOMEM;
			}
			c->shift = (uint8_t)(n->shift - RADIX_BITS);
			c->parent = n;
			c->offset = (uint8_t)s;
			n->count++;
			atomic_store_release(&n->slot[s], c);
		}
		n = c;
	}
	if (n->slot[slot_of(n, index)])
		return -RADIX_EEXIST;
	n->count++;
	atomic_store_release(&n->slot[slot_of(n, index)], p);
	return 0;
}

void *
radix_lookup(const struct radix_root *r, uint64_t index)
{
	struct radix_node *n = leaf_of(r, index);

	return n ? atomic_load_acquire(&n->slot[slot_of(n, index)]) : NULL;
}

void *
radix_replace(struct radix_root *r, uint64_t index, void *p)
{
	struct radix_node *n = leaf_of(r, index);
	void *old = n ? n->slot[slot_of(n, index)] : NULL;

	if (old)
		atomic_store_release(&n->slot[slot_of(n, index)], p);
	return old;
}

void *
radix_delete(struct radix_root *r, uint64_t index)
{
	struct radix_node *n = leaf_of(r, index);
	void *old = n ? n->slot[slot_of(n, index)] : NULL;

	if (!old)
		return NULL;
	for (unsigned t = 0; t < RADIX_TAGS; t++)
		radix_clear_tag(r, index, t);
	atomic_store_release(&n->slot[slot_of(n, index)], NULL);
	n->count--;
	prune(r, n);
	return old;
}

/* Tag RADIX_TAGS stands for "any entry". */
static bool
slot_wanted(const struct radix_node *n, unsigned s, unsigned tag)
{
	return tag == RADIX_TAGS || (n->tags[tag] >> s & 1);
}

/*
 * Walks down towards *index; where a slot is not wanted, moves *index to the
 * start of the next slot of that node, and begins again at the root when the
 * node is used up.
 */
static void *
next_entry(const struct radix_root *r, uint64_t *index, unsigned tag)
{
	for (;;) {
		struct radix_node *n = atomic_load_acquire(&r->node);

		if (!n || !covers(n, *index))
			return NULL;
		for (;;) {
			unsigned s = slot_of(n, *index);
			void *p = NULL;
			uint64_t step = 1ull << n->shift;

			while (s < RADIX_SLOTS) {
				p = atomic_load_acquire(&n->slot[s]);
				if (p && slot_wanted(n, s, tag))
					break;
				p = NULL;
				s++;
				*index = (*index & ~(step - 1)) + step;
				if (!*index)
					return NULL; /* wrapped */
			}
			if (!p)
				break; /* from the root again */
			if (!n->shift)
				return p;
			n = p;
		}
	}
}

void *
radix_next(const struct radix_root *r, uint64_t *index)
{
	return next_entry(r, index, RADIX_TAGS);
}

void *
radix_next_tag(const struct radix_root *r, uint64_t *index, unsigned tag)
{
	return next_entry(r, index, tag);
}

void
radix_set_tag(struct radix_root *r, uint64_t index, unsigned tag)
{
	struct radix_node *n = leaf_of(r, index);

	if (!n || !n->slot[slot_of(n, index)])
		return;
	/* A node with a tag has it in every node above. */
	for (; n; n = n->parent) {
		bool rest = n->tags[tag] != 0;

		n->tags[tag] |= 1ull << slot_of(n, index);
		if (rest)
			break;
	}
}

void
radix_clear_tag(struct radix_root *r, uint64_t index, unsigned tag)
{
	struct radix_node *n = leaf_of(r, index);

	for (; n; n = n->parent) {
		n->tags[tag] &= ~(1ull << slot_of(n, index));
		if (n->tags[tag])
			break;
	}
}

bool
radix_get_tag(const struct radix_root *r, uint64_t index, unsigned tag)
{
	struct radix_node *n = leaf_of(r, index);

	return n && (n->tags[tag] >> slot_of(n, index) & 1);
}
