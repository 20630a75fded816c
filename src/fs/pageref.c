/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of the cache by reference, for sendfile and splice: what a reader
 * gets is the page itself, so it shows what is written to the file while the
 * reference is held, as on Linux.
 */
#include "fs_priv.h"
#include "pagecache_priv.h"

#include <abi/errno.h>
#include <base/math.h>
#include <file/file.h>
#include <fs/pagecache.h>
#include <fs/vfs.h>
#include <mem/page.h>

/* The pages' bytes below end. */
static void
set_piece(struct page_piece *v, struct page *p, uint64_t pos, uint64_t end)
{
	v->page = p;
	v->off = (uint32_t)(pos & PAGE_MASK);
	v->len = (uint32_t)min_u64(PAGE_SIZE - v->off, end - pos);
}

ssize_t
page_cache_read_pages(struct file *f, struct page_piece *v, unsigned *n,
		      size_t len, int64_t *pos)
{
	struct page_cache *pc = f->inode->cache;
	struct page_cache *disk = pc->anonymous ? pc->lower : pc;
	uint64_t size = atomic_load_relaxed(&f->inode->size);
	uint64_t at = (uint64_t)*pos, end, first = at >> PAGE_SHIFT;
	unsigned i = 0;
	int err = 0;

	if (*pos < 0)
		return -EINVAL;
	if (at >= size) {
		*n = 0;
		return 0;
	}
	end = at + min_u64(len, size - at);
	end = min_u64(end, (first + *n) << PAGE_SHIFT);
	if (disk && !radix_lookup(&pc->pages, first) &&
	    !radix_lookup(&disk->pages, first))
		pc_read_ahead(disk, first, (end - 1 - at) / PAGE_SIZE + 1,
			      true);
	for (; i < *n && at < end; i++) {
		struct page *p;

		err = page_cache_get(pc, at >> PAGE_SHIFT, &p);
		if (err)
			break;
		set_piece(&v[i], p, at, end);
		at += v[i].len;
	}
	*n = i;
	if (!i)
		return err == -ENXIO ? 0 : err; /* cut meanwhile: the end */
	if (disk)
		pc_read_at(disk, first, (at - 1) >> PAGE_SHIFT);
	len = at - (uint64_t)*pos;
	*pos = (int64_t)at;
	return (ssize_t)len;
}
