/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Red-black trees inside the objects they order.
 *
 * The caller walks down to find the place (rb_link), then rb_insert_color()
 * balances; or rb_insert() does both with a comparison.  An augmented tree
 * gives a function that recomputes a node from its children; it is called
 * for every node whose subtree changed.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct rb_node {
	struct rb_node *parent, *left, *right;
	bool red;
};

struct rb_root {
	struct rb_node *node;
	void (*update)(struct rb_node *n); /* NULL: not augmented */
};

#define RB_ROOT_INIT \
	{            \
		0, 0 \
	}

static inline bool
rb_empty(const struct rb_root *r)
{
	return !r->node;
}

/* Puts n at *link, a NULL child pointer of parent (or the root's). */
void rb_link(struct rb_node *n, struct rb_node *parent, struct rb_node **link);
void rb_insert_color(struct rb_root *r, struct rb_node *n);
/* Equal nodes go behind those that are there. */
void rb_insert(struct rb_root *r, struct rb_node *n,
	       bool (*less)(const struct rb_node *a, const struct rb_node *b));
void rb_erase(struct rb_root *r, struct rb_node *n);
/* Recomputes n and all above it after its own key data changed. */
void rb_update(struct rb_root *r, struct rb_node *n);

struct rb_node *rb_first(const struct rb_root *r);
struct rb_node *rb_last(const struct rb_root *r);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);
