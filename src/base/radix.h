/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A radix tree from 64-bit index to pointer, 64 slots a node.
 *
 * One writer at a time (the owner's lock); readers need no lock if nodes are
 * freed by deferred reclamation (radix_root.free does that).  Up to three tag
 * bits per entry ("dirty") are kept in every node above it, so that a search
 * for tagged entries skips the rest.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define RADIX_BITS  6
#define RADIX_SLOTS 64
#define RADIX_TAGS  3

struct radix_node {
	void *slot[RADIX_SLOTS];
	uint64_t tags[RADIX_TAGS];
	struct radix_node *parent;
	uint8_t shift;	     /* of the index for this node's slots */
	uint8_t offset;	     /* in the parent */
	uint16_t count;	     /* slots in use */
	uint64_t reclaim[2]; /* for the owner's deferred free */
};

struct radix_root {
	struct radix_node *node;	   /* NULL: empty */
	struct radix_node *(*alloc)(void); /* zeroed, or NULL */
	void (*free)(struct radix_node *n);
};

void radix_init(struct radix_root *r, struct radix_node *(*alloc)(void),
		void (*free)(struct radix_node *n));

/* 0, -EEXIST (something is there), -ENOMEM.  p is not NULL. */
MUST_CHECK int radix_insert(struct radix_root *r, uint64_t index, void *p);
/* The entry, or NULL.  No lock needed, see above. */
void *radix_lookup(const struct radix_root *r, uint64_t index);
/* Replaces an entry that exists; returns the old one, or NULL. */
void *radix_replace(struct radix_root *r, uint64_t index, void *p);
/* Removes and returns the entry, or NULL. */
void *radix_delete(struct radix_root *r, uint64_t index);
/* First entry with an index >= *index (updated), or NULL. */
void *radix_next(const struct radix_root *r, uint64_t *index);
/* The same among entries with the tag. */
void *radix_next_tag(const struct radix_root *r, uint64_t *index, unsigned tag);
void radix_set_tag(struct radix_root *r, uint64_t index, unsigned tag);
void radix_clear_tag(struct radix_root *r, uint64_t index, unsigned tag);
bool radix_get_tag(const struct radix_root *r, uint64_t index, unsigned tag);
