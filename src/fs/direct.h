/* SPDX-License-Identifier: Apache-2.0 */
/*
 * O_DIRECT without a thread that waits: asynchronous I/O straight to the
 * block layer.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct bio;
struct file;
struct page_cache;
struct uio;

#define DIRECT_MAX_BIOS 8u

struct direct_io {
	void (*done)(struct direct_io *io); /* [I] any context */
	struct page_cache *pc;
	int64_t pos;
	size_t len; /* of the result when all goes well */
	bool write;
	uint32_t left; /* [a] requests, and one for the submitter */
	int err;       /* [a] the first */
	unsigned n;
	struct bio *bios[DIRECT_MAX_BIOS];
};

/*
 * Starts to move all of u between memory and the device.  0: done() will be
 * called, or has been; then direct_end(), in a context that may sleep, gives
 * the result.  -EAGAIN: it takes the other way (a hole, the end of the file
 * moves, memory that cannot be lent to the device, too many pieces, a copy
 * from the cache); nothing has happened.  The file stays referenced until
 * direct_end().
 */
MUST_CHECK int direct_start(struct file *f, struct uio *u, int64_t pos,
			    bool write, struct direct_io *io);
ssize_t direct_end(struct direct_io *io);
/* Has the cache all of the range, and a part of it only the cache?  Then a read
 * is a copy from there: what was written a moment ago need not go to the
 * device first.  It may be otherwise a moment later. */
bool direct_in_cache(const struct file *f, int64_t pos, size_t len);
/* May the result be told before direct_end() has run?  Not of a write beside
 * cached pages, which direct_end() drops. */
bool direct_settled(const struct direct_io *io);
