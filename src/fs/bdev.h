/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages from block devices: the cache of a device's own blocks, where file
 * systems keep their metadata, and reads of runs of pages.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct blk_device;
struct page;
struct page_cache;

/* A cache over the whole device; NULL: no memory. */
MUST_CHECK struct page_cache *bdev_cache_create(struct blk_device *dev);
void bdev_cache_destroy(struct page_cache *pc);

/* Fills n locked pages from consecutive sectors; each is unlocked with its
 * data or its error.  Returns at once. */
void bdev_read_pages(struct blk_device *dev, uint64_t sector,
		     struct page **pages, unsigned n);
/* Writes n pages under writeback to consecutive sectors; page_write_end() is
 * called for each, from an interrupt.  Returns at once. */
void bdev_write_pages(struct blk_device *dev, uint64_t sector,
		      struct page **pages, unsigned n);
/* Writes bytes at an offset, whole sectors, and waits. */
MUST_CHECK int bdev_write(struct blk_device *dev, uint64_t offset,
			  const void *buf, size_t len);
/* A device's cache is on stable storage: waits for a flush. */
MUST_CHECK int bdev_flush(struct blk_device *dev);
/* Ends the read of a locked page without a device. */
void page_read_end(struct page *p, int err);
/* Reads bytes of consecutive sectors into a part of one page, and waits. */
MUST_CHECK int bdev_read_part(struct blk_device *dev, uint64_t sector,
			      struct page *p, uint32_t offset, uint32_t len);

/* /dev/vda and its kind (bdevfile.c): of all disks that there are by now. */
void bdev_nodes_init(void);
