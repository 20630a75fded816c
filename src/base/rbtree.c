/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Red-black trees (Guibas and Sedgewick 1978; the case analysis follows the
 * usual textbook form with parent pointers).  Invariants: the root is black,
 * a red node has black children, every path down has the same number of
 * black nodes.
 */
#include <base/rbtree.h>

static bool
is_red(const struct rb_node *n)
{
	return n && n->red;
}

static void
update(struct rb_root *r, struct rb_node *n)
{
	if (r->update && n)
		r->update(n);
}

void
rb_update(struct rb_root *r, struct rb_node *n)
{
	for (; n && r->update; n = n->parent)
		r->update(n);
}

/* Makes child take old's place below old's parent. */
static void
replace(struct rb_root *r, struct rb_node *old, struct rb_node *child)
{
	struct rb_node *p = old->parent;

	if (!p)
		r->node = child;
	else if (p->left == old)
		p->left = child;
	else
		p->right = child;
	if (child)
		child->parent = p;
}

static void
rotate_left(struct rb_root *r, struct rb_node *n)
{
	struct rb_node *c = n->right;

	replace(r, n, c);
	n->right = c->left;
	if (n->right)
		n->right->parent = n;
	c->left = n;
	n->parent = c;
	update(r, n);
	update(r, c);
}

static void
rotate_right(struct rb_root *r, struct rb_node *n)
{
	struct rb_node *c = n->left;

	replace(r, n, c);
	n->left = c->right;
	if (n->left)
		n->left->parent = n;
	c->right = n;
	n->parent = c;
	update(r, n);
	update(r, c);
}

void
rb_link(struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	n->parent = parent;
	n->left = n->right = 0;
	n->red = true;
	*link = n;
}

void
rb_insert_color(struct rb_root *r, struct rb_node *n)
{
	rb_update(r, n);
	while (is_red(n->parent)) {
		struct rb_node *p = n->parent, *g = p->parent;
		bool left = p == g->left;
		struct rb_node *uncle = left ? g->right : g->left;

		if (is_red(uncle)) {
			p->red = uncle->red = false;
			g->red = true;
			n = g;
			continue;
		}
		if (left && n == p->right) {
			rotate_left(r, p);
			p = n;
		} else if (!left && n == p->left) {
			rotate_right(r, p);
			p = n;
		}
		p->red = false;
		g->red = true;
		if (left)
			rotate_right(r, g);
		else
			rotate_left(r, g);
		break;
	}
	r->node->red = false;
}

void
rb_insert(struct rb_root *r, struct rb_node *n,
	  bool (*less)(const struct rb_node *a, const struct rb_node *b))
{
	struct rb_node **link = &r->node, *parent = 0;

	while (*link) {
		parent = *link;
		link = less(n, parent) ? &parent->left : &parent->right;
	}
	rb_link(n, parent, link);
	rb_insert_color(r, n);
}

/* x, a child of p (or the root), lacks one black on its paths. */
static void
erase_color(struct rb_root *r, struct rb_node *x, struct rb_node *p)
{
	while (x != r->node && !is_red(x)) {
		bool left = x == p->left;
		struct rb_node *s = left ? p->right : p->left;

		if (s->red) {
			s->red = false;
			p->red = true;
			if (left)
				rotate_left(r, p);
			else
				rotate_right(r, p);
			s = left ? p->right : p->left;
		}
		if (!is_red(s->left) && !is_red(s->right)) {
			s->red = true;
			x = p;
			p = x->parent;
			continue;
		}
		if (left && !is_red(s->right)) {
			s->left->red = false;
			s->red = true;
			rotate_right(r, s);
			s = p->right;
		} else if (!left && !is_red(s->left)) {
			s->right->red = false;
			s->red = true;
			rotate_left(r, s);
			s = p->left;
		}
		s->red = p->red;
		p->red = false;
		if (left) {
			s->right->red = false;
			rotate_left(r, p);
		} else {
			s->left->red = false;
			rotate_right(r, p);
		}
		x = r->node;
		break;
	}
	if (x)
		x->red = false;
}

void
rb_erase(struct rb_root *r, struct rb_node *n)
{
	struct rb_node *child, *parent;
	bool red;

	if (n->left && n->right) {
		struct rb_node *s = n->right;

		/* The successor takes n's place and colour. */
		while (s->left)
			s = s->left;
		child = s->right;
		red = s->red;
		parent = s->parent == n ? s : s->parent;
		if (s->parent != n) {
			replace(r, s, child);
			s->right = n->right;
			s->right->parent = s;
		}
		replace(r, n, s);
		s->left = n->left;
		s->left->parent = s;
		s->red = n->red;
	} else {
		child = n->left ? n->left : n->right;
		parent = n->parent;
		red = n->red;
		replace(r, n, child);
	}
	rb_update(r, parent);
	if (!red && r->node)
		erase_color(r, child, parent);
}

struct rb_node *
rb_first(const struct rb_root *r)
{
	struct rb_node *n = r->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *
rb_last(const struct rb_root *r)
{
	struct rb_node *n = r->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *
rb_next(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->right) {
		for (p = n->right; p->left; p = p->left)
			;
		return p;
	}
	for (p = n->parent; p && n == p->right; p = p->parent)
		n = p;
	return p;
}

struct rb_node *
rb_prev(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->left) {
		for (p = n->left; p->right; p = p->right)
			;
		return p;
	}
	for (p = n->parent; p && n == p->left; p = p->parent)
		n = p;
	return p;
}
