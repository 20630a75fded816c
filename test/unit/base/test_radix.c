/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the radix tree finds what was put in, in order, with its tags, frees
 * every node, and survives each failed allocation.  Method: random operations
 * against a sorted array; then the same with every n-th allocation failing.
 * SOURCES: src/base/radix.c
 */
#include "../unit.h"

#include <base/radix.h>
#include <errno.h>

#define N 300

struct entry {
	uint64_t index;
	char *p; /* NULL: not in the tree */
	bool tag[RADIX_TAGS];
};

static struct entry model[N];
static int nodes;
static int fail_after = -1; /* allocations until one fails; -1: never */

static struct radix_node *
node_alloc(void)
{
	if (fail_after == 0)
		return NULL;
	if (fail_after > 0)
		fail_after--;
	nodes++;
	return calloc(1, sizeof(struct radix_node));
}

static void
node_free(struct radix_node *n)
{
	nodes--;
	free(n);
}

/* Indices in clusters, near and far, and at the very end. */
static uint64_t
make_index(uint64_t r)
{
	switch (r % 5) {
	case 0:
		return r >> 8 & 0x3f;
	case 1:
		return r >> 8 & 0xfff;
	case 2:
		return r >> 8 & 0xffffffff;
	case 3:
		return UINT64_MAX - (r >> 8 & 0xff);
	}
	return r;
}

static int
cmp_entry(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static unsigned
make_model(uint64_t *seed)
{
	unsigned n = 0;

	memset(model, 0, sizeof model);
	for (unsigned i = 0; i < N; i++)
		model[i].index = make_index(unit_random(seed));
	qsort(model, N, sizeof model[0], cmp_entry);
	for (unsigned i = 0; i < N; i++)
		if (!n || model[n - 1].index != model[i].index)
			model[n++] = model[i];
	return n;
}

static void
check_walk(struct radix_root *r, unsigned n, int tag)
{
	uint64_t at = 0;
	unsigned i = 0;

	for (;;) {
		void *p = tag < 0 ? radix_next(r, &at) :
				    radix_next_tag(r, &at, (unsigned)tag);

		while (i < n &&
		       (!model[i].p || (tag >= 0 && !model[i].tag[tag])))
			i++;
		if (!p) {
			CHECK_EQ(i, n);
			return;
		}
		CHECK(i < n);
		CHECK_EQ(at, model[i].index);
		CHECK(p == model[i].p);
		i++;
		if (at == UINT64_MAX) {
			CHECK_EQ(i, n);
			return;
		}
		at++;
	}
}

static void
check_all(struct radix_root *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		CHECK(radix_lookup(r, model[i].index) == model[i].p);
		for (unsigned t = 0; t < RADIX_TAGS; t++)
			CHECK_EQ(radix_get_tag(r, model[i].index, t),
				 model[i].p && model[i].tag[t]);
	}
	for (int t = -1; t < RADIX_TAGS; t++)
		check_walk(r, n, t);
}

static void
one_step(struct radix_root *r, struct entry *e, uint64_t rnd)
{
	unsigned t = (unsigned)(rnd >> 8) % RADIX_TAGS;
	char *p = (char *)model + 1 + (rnd >> 16 & 0xff);
	int err;

	switch (rnd % 6) {
	case 0:
	case 1:
		err = radix_insert(r, e->index, p);
		CHECK(err == (e->p ? -EEXIST : 0) ||
		      (err == -ENOMEM && fail_after == 0));
		if (!err) {
			e->p = p;
			memset(e->tag, 0, sizeof e->tag);
		}
		break;
	case 2:
		CHECK(radix_delete(r, e->index) == e->p);
		e->p = NULL;
		break;
	case 3:
		radix_set_tag(r, e->index, t);
		e->tag[t] = e->p != NULL;
		break;
	case 4:
		radix_clear_tag(r, e->index, t);
		e->tag[t] = false;
		break;
	case 5:
		CHECK(radix_replace(r, e->index, p) == e->p);
		if (e->p)
			e->p = p;
		break;
	}
}

static void
empty_all(struct radix_root *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		CHECK(radix_delete(r, model[i].index) == model[i].p);
		model[i].p = NULL;
	}
	CHECK(!r->node);
	CHECK_EQ(nodes, 0);
}

static void
test_random(void)
{
	uint64_t seed = 3;

	for (int round = 0; round < 6; round++) {
		struct radix_root r;
		unsigned n = make_model(&seed);

		radix_init(&r, node_alloc, node_free);
		for (int step = 0; step < 4000; step++) {
			uint64_t rnd = unit_random(&seed);

			one_step(&r, &model[(rnd >> 32) % n], rnd);
			if (step % 50 == 0)
				check_all(&r, n);
		}
		empty_all(&r, n);
	}
}

static void
test_no_memory(void)
{
	uint64_t seed = 4;
	struct radix_root r;
	unsigned n = make_model(&seed);

	radix_init(&r, node_alloc, node_free);
	for (int step = 0; step < 20000; step++) {
		uint64_t rnd = unit_random(&seed);

		fail_after = (int)(rnd >> 24 & 3);
		one_step(&r, &model[(rnd >> 32) % n], rnd);
		if (step % 100 == 0)
			check_all(&r, n);
	}
	fail_after = -1;
	empty_all(&r, n);
}

/* A single far entry, removed, leaves nothing behind. */
static void
test_far_entry(void)
{
	static const uint64_t at[] = { 0,    63,	 64,	    4095,
				       4096, 1ull << 40, UINT64_MAX };
	struct radix_root r;

	radix_init(&r, node_alloc, node_free);
	for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++) {
		uint64_t from = 0;

		CHECK_EQ(radix_insert(&r, at[i], &r), 0);
		CHECK(radix_next(&r, &from) == &r);
		CHECK_EQ(from, at[i]);
		CHECK(radix_delete(&r, at[i]) == &r);
		CHECK_EQ(nodes, 0);
	}
}

static const struct unit_test tests[] = {
	{ "far_entry", test_far_entry },
	{ "random", test_random },
	{ "no_memory", test_no_memory },
	{ 0 },
};
UNIT_MAIN(tests)
