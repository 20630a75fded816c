/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of a block device's blocks, and reading and writing pages by
 * bios.
 *
 * A request covers as many consecutive pages as the device takes; several
 * are in flight at once.  Completion runs in an interrupt: it marks the pages
 * and unlocks them, and the tree's reference keeps each until then, since a
 * locked page does not leave its tree.
 */
#include <fs/bdev.h>

#include "fs_priv.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/string.h>
#include <dev/blk.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/page.h>

#define SECTORS_PER_PAGE (PAGE_SIZE / BLK_SECTOR_SIZE)

void
page_read_end(struct page *p, int err)
{
	atomic_or(&p->flags, err ? PG_ERROR : PG_UPTODATE);
	page_unlock(p);
}

static void
read_done(struct bio *b)
{
	for (uint32_t i = 0; i < b->nvecs; i++)
		page_read_end(b->vecs[i].page, b->status);
	bio_free(b);
}

static void
write_done(struct bio *b)
{
	for (uint32_t i = 0; i < b->nvecs; i++)
		page_write_end(b->vecs[i].page, b->status);
	bio_free(b);
}

static struct bio *
new_bio(struct blk_device *dev, enum bio_op op, uint64_t sector, unsigned nvecs)
{
	struct bio *b = bio_alloc(nvecs, ALLOC_NOIO); /* waits, never NULL */

	b->dev = dev;
	b->op = op;
	b->sector = sector;
	b->done = op == BIO_READ ? read_done : write_done;
	return b;
}

void
bdev_read_pages(struct blk_device *dev, uint64_t sector, struct page **pages,
		unsigned n)
{
	unsigned max = dev->max_vecs ? dev->max_vecs : 1;
	struct bio *b = NULL;

	for (unsigned i = 0; i < n; i++, sector += SECTORS_PER_PAGE) {
		uint64_t left =
			sector < dev->sectors ? dev->sectors - sector : 0;
		uint32_t len = PAGE_SIZE;

		if (!left) {
			page_read_end(pages[i], -EIO);
			continue;
		}
		if (left < SECTORS_PER_PAGE) {
			len = (uint32_t)left * BLK_SECTOR_SIZE;
			memset((char *)page_addr(pages[i]) + len, 0,
			       PAGE_SIZE - len);
		}
		if (b && (b->nvecs >= max || bio_add(b, pages[i], 0, len))) {
			bio_submit(b);
			b = NULL;
		} else if (b) {
			continue;
		}
		b = new_bio(dev, BIO_READ, sector, n - i < max ? n - i : max);
		if (bio_add(b, pages[i], 0, len)) { /* room for one is sure */
			bio_free(b);
			b = NULL;
			page_read_end(pages[i], -EIO);
		}
	}
	if (b)
		bio_submit(b);
}

void
bdev_write_pages(struct blk_device *dev, uint64_t sector, struct page **pages,
		 unsigned n)
{
	unsigned max = dev->max_vecs ? dev->max_vecs : 1;
	struct bio *b = NULL;

	for (unsigned i = 0; i < n; i++, sector += SECTORS_PER_PAGE) {
		if (b &&
		    (b->nvecs >= max || bio_add(b, pages[i], 0, PAGE_SIZE))) {
			bio_submit(b);
			b = NULL;
		} else if (b) {
			continue;
		}
		b = new_bio(dev, BIO_WRITE, sector, n - i < max ? n - i : max);
		if (bio_add(b, pages[i], 0, PAGE_SIZE)) {
			bio_free(b); /* room for one is sure */
			b = NULL;
			page_write_end(pages[i], -EIO);
		}
	}
	if (b)
		bio_submit(b);
}

int
bdev_write(struct blk_device *dev, uint64_t offset, const void *buf, size_t len)
{
	struct page *p = page_alloc(0, ALLOC_NOFS);
	const uint8_t *from = buf;
	int err = 0;

	if (!p)
		return -ENOMEM;
	while (len && !err) {
		uint32_t n = len < PAGE_SIZE ? (uint32_t)len : PAGE_SIZE;
		struct bio *b =
			new_bio(dev, BIO_WRITE, offset >> BLK_SECTOR_SHIFT, 1);

		memcpy(page_addr(p), from, n);
		err = bio_add(b, p, 0, n);
		b->done = NULL;
		if (!err)
			err = bio_submit_wait(b);
		bio_free(b);
		from += n;
		offset += n;
		len -= n;
	}
	page_put(p);
	return err;
}

int
bdev_flush(struct blk_device *dev)
{
	struct bio *b = bio_alloc(0, ALLOC_NOIO);
	int err;

	b->dev = dev;
	b->op = BIO_FLUSH;
	err = bio_submit_wait(b);
	bio_free(b);
	return err;
}

int
bdev_read_part(struct blk_device *dev, uint64_t sector, struct page *p,
	       uint32_t offset, uint32_t len)
{
	struct bio *b = new_bio(dev, BIO_READ, sector, 1);
	int err = bio_add(b, p, offset, len);

	b->done = NULL;
	if (!err)
		err = bio_submit_wait(b);
	bio_free(b);
	return err;
}

static void
cache_read_pages(struct page_cache *pc, struct page **pages, unsigned n)
{
	bdev_read_pages(pc->inode->priv, pages[0]->index * SECTORS_PER_PAGE,
			pages, n);
}

static const struct page_cache_ops cache_ops = {
	.read_pages = cache_read_pages,
};

struct page_cache *
bdev_cache_create(struct blk_device *dev)
{
	struct inode *i = kzalloc(sizeof(*i), ALLOC_KERNEL);
	struct page_cache *pc =
		i ? page_cache_create(i, &cache_ops, false) : NULL;

	if (!pc) {
		kfree(i);
		return NULL;
	}
	i->size = dev->sectors << BLK_SECTOR_SHIFT;
	i->priv = dev;
	i->cache = pc;
	return pc;
}

void
bdev_cache_destroy(struct page_cache *pc)
{
	struct inode *i = pc->inode;

	page_cache_destroy(pc);
	kfree(i);
}
