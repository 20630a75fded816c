/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the red-black tree keeps its invariants, its order and its
 * augmentation.  Method: random insertions and removals against a sorted
 * array; after each step the whole tree is walked.
 * SOURCES: src/base/rbtree.c
 */
#include "../unit.h"

#include <base/rbtree.h>

#define N 400

struct item {
	struct rb_node node;
	uint32_t key, max; /* max: largest key of the subtree */
	bool in;
};

static struct item items[N];

static struct item *
item_of(struct rb_node *n)
{
	return container_of(n, struct item, node);
}

static bool
item_less(const struct rb_node *a, const struct rb_node *b)
{
	return container_of(a, const struct item, node)->key <
	       container_of(b, const struct item, node)->key;
}

static uint32_t
max_of(struct rb_node *n)
{
	return n ? item_of(n)->max : 0;
}

static uint32_t
expect_max(struct rb_node *n)
{
	uint32_t m = item_of(n)->key;

	if (max_of(n->left) > m)
		m = max_of(n->left);
	if (max_of(n->right) > m)
		m = max_of(n->right);
	return m;
}

static void
item_update(struct rb_node *n)
{
	item_of(n)->max = expect_max(n);
}

/* Returns the number of black nodes on every path down. */
static int
check_subtree(struct rb_node *n, struct rb_node *parent, unsigned *count)
{
	int l, r;

	if (!n)
		return 1;
	CHECK(n->parent == parent);
	CHECK(!(n->red && parent && parent->red));
	CHECK_EQ(item_of(n)->max, expect_max(n));
	l = check_subtree(n->left, n, count);
	r = check_subtree(n->right, n, count);
	CHECK_EQ(l, r);
	(*count)++;
	return l + !n->red;
}

static void
check_tree(struct rb_root *root, unsigned want)
{
	unsigned count = 0, fwd = 0, back = 0;
	struct rb_node *prev = NULL;

	CHECK(!root->node || !root->node->red);
	check_subtree(root->node, NULL, &count);
	CHECK_EQ(count, want);
	for (struct rb_node *n = rb_first(root); n; n = rb_next(n)) {
		CHECK(!prev || !item_less(n, prev));
		CHECK(item_of(n)->in);
		prev = n;
		fwd++;
	}
	CHECK(prev == rb_last(root));
	for (struct rb_node *n = rb_last(root); n; n = rb_prev(n))
		back++;
	CHECK_EQ(fwd, want);
	CHECK_EQ(back, want);
}

static void
random_ops(uint64_t seed, uint32_t key_range)
{
	struct rb_root root = { NULL, item_update };
	unsigned in = 0;

	memset(items, 0, sizeof items);
	for (int step = 0; step < 6000; step++) {
		uint64_t r = unit_random(&seed);
		struct item *it = &items[r % N];

		if (!it->in) {
			it->key = (uint32_t)(r >> 32) % key_range;
			it->in = true;
			rb_insert(&root, &it->node, item_less);
			in++;
		} else if (r >> 20 & 1) {
			rb_erase(&root, &it->node);
			it->in = false;
			in--;
		} else { /* the key may not move past a neighbour */
			struct rb_node *next = rb_next(&it->node);

			if (next && item_of(next)->key > it->key) {
				it->key++;
				rb_update(&root, &it->node);
			}
		}
		if (step % 7 == 0)
			check_tree(&root, in);
	}
	for (int i = 0; i < N; i++) {
		if (!items[i].in)
			continue;
		rb_erase(&root, &items[i].node);
		items[i].in = false;
		check_tree(&root, --in);
	}
	CHECK(rb_empty(&root));
}

static void
test_random(void)
{
	random_ops(1, 1u << 30);
}

static void
test_many_equal(void)
{
	random_ops(2, 5);
}

/* Equal nodes stay in the order of insertion. */
static void
test_stable(void)
{
	struct rb_root root = RB_ROOT_INIT;
	int i = 0;

	for (i = 0; i < N; i++) {
		items[i].key = (uint32_t)i % 3;
		items[i].in = true;
		rb_insert(&root, &items[i].node, item_less);
	}
	struct rb_node *prev = NULL;

	for (struct rb_node *n = rb_first(&root); n; n = rb_next(n)) {
		if (prev && item_of(prev)->key == item_of(n)->key)
			CHECK(item_of(prev) < item_of(n));
		prev = n;
	}
}

static const struct unit_test tests[] = {
	{ "random", test_random },
	{ "many_equal", test_many_equal },
	{ "stable", test_stable },
	{ 0 },
};
UNIT_MAIN(tests)
