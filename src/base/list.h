/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doubly linked lists inside the objects they link.  A head is a struct list
 * that points to itself when empty; so does a node that is on no list after
 * list_init() or list_del().
 */
#pragma once

#include <base/compiler.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return READ_ONCE(l->next) == l;
}

static inline void
list_insert(struct list *node, struct list *prev, struct list *next)
{
	node->next = next;
	node->prev = prev;
	next->prev = node;
	prev->next = node;
}

static inline void
list_add(struct list *head, struct list *node)
{
	list_insert(node, head, head->next);
}

static inline void
list_add_tail(struct list *head, struct list *node)
{
	list_insert(node, head->prev, head);
}

/* Leaves node empty, so that it may be deleted twice. */
static inline void
list_del(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline void
list_move(struct list *head, struct list *node)
{
	list_del(node);
	list_add(head, node);
}

static inline void
list_move_tail(struct list *head, struct list *node)
{
	list_del(node);
	list_add_tail(head, node);
}

/* Moves all of from to the end of head; from is empty then. */
static inline void
list_splice_tail(struct list *head, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = head->prev;
	head->prev->next = from->next;
	from->prev->next = head;
	head->prev = from->prev;
	list_init(from);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first_entry(head, type, member) \
	container_of((head)->next, type, member)
#define list_last_entry(head, type, member) \
	container_of((head)->prev, type, member)

#define list_for_each(p, head) \
	for ((p) = (head)->next; (p) != (head); (p) = (p)->next)

#define list_for_each_entry(e, head, member)                             \
	for ((e) = container_of((head)->next, __typeof__(*(e)), member); \
	     &(e)->member != (head);                                     \
	     (e) = container_of((e)->member.next, __typeof__(*(e)), member))

#define list_for_each_entry_reverse(e, head, member)                     \
	for ((e) = container_of((head)->prev, __typeof__(*(e)), member); \
	     &(e)->member != (head);                                     \
	     (e) = container_of((e)->member.prev, __typeof__(*(e)), member))

/* e may be removed in the body; n is a second cursor. */
#define list_for_each_entry_safe(e, n, head, member)                        \
	for ((e) = container_of((head)->next, __typeof__(*(e)), member),    \
	    (n) = container_of((e)->member.next, __typeof__(*(e)), member); \
	     &(e)->member != (head); (e) = (n),                             \
	    (n) = container_of((n)->member.next, __typeof__(*(n)), member))
