/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File data between the page cache and a 9P server.
 *
 * Reading happens in the reader's thread, a message of up to 32 pages at a
 * time.  Writing happens when the page cache says so: at each close, in
 * fsync, and in the background.
 */
#include "p9.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <fs/bdev.h>
#include <mem/page.h>

static uint32_t
reading_fid(struct p9_inode *p)
{
	uint32_t fid;

	mutex_lock(&p->lock);
	fid = p->rfid != P9_NOFID ? p->rfid :
	      p->wfid_reads	  ? p->wfid :
				    P9_NOFID;
	mutex_unlock(&p->lock);
	return fid;
}

static void
zero_from(struct page **pages, unsigned n, uint32_t from)
{
	for (unsigned k = from >> PAGE_SHIFT; k < n; k++) {
		uint32_t off = from > k * PAGE_SIZE ?
				       from - k * (uint32_t)PAGE_SIZE :
				       0;

		memset((char *)page_addr(pages[k]) + off, 0, PAGE_SIZE - off);
	}
}

/* Reads n pages, at most P9_IO_PAGES; what lies behind the end is zero. */
static int
read_run(struct inode *i, uint32_t fid, struct page **pages, unsigned n)
{
	uint64_t pos = pages[0]->index << PAGE_SHIFT;
	uint32_t want = n * (uint32_t)PAGE_SIZE, got = 0;

	while (got < want) {
		/* After a short answer, by whole pages again. */
		uint32_t at = got & ~((uint32_t)PAGE_SIZE - 1);
		struct p9_data d = { .pages = pages + (at >> PAGE_SHIFT),
				     .len = want - at };
		ssize_t r = p9_read(p9_c(i), fid, pos + at, &d);

		if (r < 0)
			return (int)r;
		if (at + (uint32_t)r <= got)
			break; /* the end of the file */
		got = at + (uint32_t)r;
	}
	zero_from(pages, n, got);
	return 0;
}

static void
read_pages(struct page_cache *pc, struct page **pages, unsigned n)
{
	struct inode *i = pc->inode;
	uint32_t fid = reading_fid(p9_i(i));

	for (unsigned k = 0; k < n;) {
		unsigned run = (unsigned)min_u64(n - k, P9_IO_PAGES);
		int err = fid == P9_NOFID ? -EIO :
					    read_run(i, fid, pages + k, run);

		while (run--)
			page_read_end(pages[k++], err);
	}
}

static int
prepare(struct page_cache *pc, struct page *p, uint32_t off, uint32_t len)
{
	(void)pc, (void)p, (void)off, (void)len;
	return 0; /* the server's room is the server's: errors come later */
}

static int
write_run(struct inode *i, uint32_t fid, struct page **pages, uint64_t pos,
	  uint32_t len)
{
	uint32_t done = 0;

	while (done < len) {
		uint32_t at = done & ~((uint32_t)PAGE_SIZE - 1);
		struct p9_data d = { .pages = pages + (at >> PAGE_SHIFT),
				     .len = len - at };
		ssize_t r = p9_write(p9_c(i), fid, pos + at, &d);

		if (r < 0)
			return (int)r;
		if (at + (uint32_t)r <= done)
			return -EIO; /* no progress */
		done = at + (uint32_t)r;
	}
	return 0;
}

static void
write_pages(struct page_cache *pc, struct page **pages, unsigned n)
{
	struct inode *i = pc->inode;
	struct p9_inode *p = p9_i(i);
	uint64_t size = atomic_load_relaxed(&i->size);
	uint32_t fid;

	mutex_lock(&p->lock);
	fid = p->wfid;
	mutex_unlock(&p->lock);
	for (unsigned k = 0; k < n;) {
		unsigned run = (unsigned)min_u64(n - k, P9_IO_PAGES);
		uint64_t pos = pages[k]->index << PAGE_SHIFT;
		int err = fid == P9_NOFID ? -EIO : 0;

		if (!err && pos < size)
			err = write_run(
				i, fid, pages + k, pos,
				(uint32_t)min_u64(run * PAGE_SIZE, size - pos));
		while (run--)
			page_write_end(pages[k++], err);
	}
}

const struct page_cache_ops p9_cache_ops = {
	.read_pages = read_pages,
	.prepare = prepare,
	.write_pages = write_pages,
};
