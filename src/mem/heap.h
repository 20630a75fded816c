/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel heap: size classes over slabs, with per-CPU magazines.  Sizes
 * above half a page come in whole pages, above 2 MiB not at all.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <mem/alloc.h>

MUST_CHECK void *kmalloc(size_t size, unsigned alloc);
MUST_CHECK void *kzalloc(size_t size, unsigned alloc);
/* n * size with the overflow checked. */
MUST_CHECK void *kcalloc(size_t n, size_t size, unsigned alloc);
MUST_CHECK char *kstrdup(const char *s, unsigned alloc);
MUST_CHECK void *kmemdup(const void *p, size_t len, unsigned alloc);
void kfree(void *p); /* NULL is allowed; any context */
size_t kmalloc_usable(const void *p);

/* A cache of objects of one type. */
struct cache;
MUST_CHECK struct cache *cache_create(const char *name, size_t size,
				      size_t align);
MUST_CHECK void *cache_alloc(struct cache *c, unsigned alloc);
void cache_free(struct cache *c, void *obj);

void heap_init(void);
