/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What commit, checkpoint and recovery share.  All with commit_lock, but for
 * what says otherwise.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct jbuf;
struct journal;
struct jtx;
struct page;
struct page_range;

#define GROUP_MAX 128u

/* Blocks that are written at once. */
struct group {
	struct page *pages[GROUP_MAX + 1];
	uint64_t blocks[GROUP_MAX + 1];
	unsigned n, max;
	bool own; /* pages of the pool */
};

/* Until our writes have ended; the first error since io_err was cleared. */
MUST_CHECK int journal_wait_io(struct journal *j);
/* Each page's first block to its place; places are ascending, and those that
 * follow one another go in one request.  Waits for nothing. */
void journal_write_blocks(struct journal *j, struct page **pages,
			  const uint64_t *blocks, unsigned n);
/* The oldest transaction that the log must keep has changed: what it gave up
 * may be overwritten once the disk knows. */
MUST_CHECK int journal_update_tail(struct journal *j);
void journal_leave_ckpt(struct jbuf *jb); /* with j->lock */
/* Transactions whose blocks are all in their places go. */
void journal_trim_ckpts(struct journal *j);
/* t is the running one; data (or NULL) is safe with it. */
MUST_CHECK int journal_commit_tx(struct journal *j, struct jtx *t,
				 const struct page_range *data);
