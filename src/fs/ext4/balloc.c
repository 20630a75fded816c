/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks: taken and given back, one lock for all groups.
 *
 * What a transaction frees is marked free in its bitmap at once, but nobody
 * gets it before that transaction is on the disk: until then a crash would
 * bring the old owner back.  Such blocks are in their group's `pending`.
 *
 * Dirty pages reserve (`delayed`); an allocation for them turns the
 * reservation into blocks.  A few blocks (spare_blocks) are kept from all
 * reservations, so that the extents' own blocks are to be had when pages
 * are written.  The reserve of the superuser is the file system's.
 *
 * A reservation takes no lock where there is plenty.  The two counters do not
 * change at one moment: while blocks are taken they count twice, with
 * alloc_lock held, so who finds no room looks again with it.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <abi/prctl.h>
#include <base/atomic.h>
#include <base/bitmap.h>
#include <base/math.h>
#include <base/string.h>
#include <file/cred.h>
#include <mem/heap.h>
#include <sched/thread.h>

struct run {
	uint32_t at, len;
};

/* Free and not pending, 64 bits from word w on. */
static inline uint64_t
free_word(const struct ext4_bitmap *m, uint32_t w)
{
	uint64_t used = m->bits[w];

	if (m->info->pending)
		used |= m->info->pending[w];
	return ~used;
}

/* First bit >= at that is free (or, inverted, not), below the end. */
static uint32_t
next_bit(const struct ext4_bitmap *m, uint32_t at, bool want_free)
{
	while (at < m->nbits) {
		uint64_t w = free_word(m, at / 64);

		if (!want_free)
			w = ~w;
		w >>= at % 64;
		if (w) {
			at += (uint32_t)__builtin_ctzll(w);
			return at < m->nbits ? at : m->nbits;
		}
		at = (at / 64 + 1) * 64;
	}
	return m->nbits;
}

static struct run
run_at(const struct ext4_bitmap *m, uint32_t at, uint32_t want)
{
	uint32_t end = next_bit(m, at, false);

	if (end - at > want)
		end = at + want;
	return (struct run){ at, end - at };
}

/* The first run of `want` at or behind `from`, going round; else the longest. */
static struct run
search(struct ext4_bitmap *m, uint32_t from, uint32_t want)
{
	struct run best = { 0, 0 };
	uint32_t at = from, limit = m->nbits;

	for (unsigned pass = 0; pass < 2; pass++) {
		while (at < limit) {
			struct run r;

			at = next_bit(m, at, true);
			if (at >= limit)
				break;
			r = run_at(m, at, want);
			if (r.len > best.len)
				best = r;
			if (best.len >= want)
				return best;
			at = r.at + r.len;
		}
		limit = from;
		at = 0;
	}
	if (best.len < m->info->max_run)
		m->info->max_run = best.len;
	return best;
}

static void
set_free_blocks(struct ext4_super *s, struct ext4_group_disk *d, uint32_t n)
{
	d->bg_free_blocks_lo = (uint16_t)n;
	if (s->desc_size >= 64)
		d->bg_free_blocks_hi = (uint16_t)(n >> 16);
}

static uint64_t
group_base(const struct ext4_super *s, uint32_t g)
{
	return s->first_data_block + (uint64_t)g * s->blocks_per_group;
}

static bool
is_frozen(struct ext4_super *s, struct ext4_group *g)
{
	if (!g->frozen_tid)
		return false;
	if (!journal_committed(s->journal, g->frozen_tid))
		return true;
	g->frozen_tid = 0;
	return false;
}

/* From one group: -ENOSPC where it has no run of `least`. */
static int
take_from(struct jhandle *h, uint32_t g, uint32_t from, uint32_t want,
	  uint32_t least, bool exact, uint64_t *start, uint32_t *len)
{
	struct ext4_super *s = h->s;
	struct ext4_group *info = ext4_group_info(s, g);
	struct ext4_bitmap m;
	struct run r;
	uint32_t left;
	int err;

	if (!info)
		return -ENOMEM;
	if (is_frozen(s, info) || info->max_run < least)
		return -ENOSPC;
	err = ext4_block_bitmap(s, g, &m);
	if (err)
		return err;
	left = ext4_desc_free_blocks(s, m.desc);
	err = -ENOSPC;
	/* A full group is not looked at again until blocks of it are freed. */
	if (left < info->max_run)
		info->max_run = left;
	if (left < least || left <= info->npending)
		goto out;
	if (from >= m.nbits)
		from = 0;
	if (exact && next_bit(&m, from, true) == from)
		r = run_at(&m, from, want);
	else if (exact)
		goto out;
	else
		r = search(&m, from, want);
	if (r.len > left) {
		err = ext4_bad(s, 0, "a group's count of free blocks");
		goto out;
	}
	if (r.len < least || !r.len)
		goto out;
	err = ext4_bitmap_write(s, h, &m);
	if (err)
		goto out;
	bitmap_fill(m.bits, r.at, r.at + r.len, true);
	set_free_blocks(s, m.desc, left - r.len);
	*start = group_base(s, g) + r.at;
	*len = r.len;
out:
	ext4_bitmap_put(&m);
	return err;
}

/* A group that cannot be read is passed over, as if it were full. */
static bool
goes_on(int err)
{
	return err == -ENOSPC || err == -EUCLEAN || err == -EIO;
}

static int
take_near(struct jhandle *h, uint64_t goal, uint32_t want, uint64_t *start,
	  uint32_t *len)
{
	struct ext4_super *s = h->s;
	uint32_t g, from, least = want < 2048 ? want : 2048;
	int err;

	if (goal < s->first_data_block || goal >= s->nblocks)
		goal = s->first_data_block;
	g = (uint32_t)((goal - s->first_data_block) / s->blocks_per_group);
	from = (uint32_t)((goal - s->first_data_block) % s->blocks_per_group);
	err = take_from(h, g, from, want, 1, true, start, len);
	if (!err || !goes_on(err))
		return err;
	/* A run that is long enough, near; then shorter and shorter ones. */
	for (;;) {
		for (uint32_t k = 0; k < s->ngroups; k++) {
			uint32_t at = (g + k) % s->ngroups;

			err = take_from(h, at, k ? 0 : from, want, least, false,
					start, len);
			if (!err || !goes_on(err))
				return err;
		}
		if (least == 1)
			return -ENOSPC;
		least = least > 8 ? least / 8 : 1;
	}
}

static bool
may_take_reserve(const struct ext4_super *s)
{
	const struct cred *c = thread_current()->cred;

	return !c || cred_capable(c, CAP_SYS_RESOURCE) ||
	       c->fsuid == s->root_uid ||
	       (s->root_gid && c->fsgid == s->root_gid);
}

uint64_t
ext4_available(struct ext4_super *s, bool root)
{
	uint64_t have = atomic_load_relaxed(&s->free_blocks);
	uint64_t gone = atomic_load_relaxed(&s->delayed) + s->spare_blocks;

	if (!root)
		gone += s->root_blocks;
	return have > gone ? have - gone : 0;
}

/* Up to n blocks, but `keep` stay free; how many. */
static uint32_t
reserve_some(struct ext4_super *s, uint32_t n, uint64_t keep)
{
	uint64_t old = atomic_load_relaxed(&s->delayed), have, gone;

	do {
		have = atomic_load_relaxed(&s->free_blocks);
		gone = old + keep;
		if (have <= gone)
			return 0;
		if (n > have - gone)
			n = (uint32_t)(have - gone);
	} while (!atomic_cas(&s->delayed, &old, old + n));
	return n;
}

static bool
reserve_all(struct ext4_super *s, uint32_t n, uint64_t keep)
{
	uint32_t got = reserve_some(s, n, keep);

	if (got == n)
		return true;
	ext4_unreserve(s, got);
	return false;
}

static uint64_t
kept_blocks(const struct ext4_super *s)
{
	return s->spare_blocks + (may_take_reserve(s) ? 0 : s->root_blocks);
}

int
ext4_reserve(struct ext4_super *s, uint32_t n)
{
	uint64_t keep = kept_blocks(s);
	bool ok = reserve_all(s, n, keep);

	if (likely(ok))
		return 0;
	mutex_lock(&s->alloc_lock);
	ok = reserve_all(s, n, keep);
	mutex_unlock(&s->alloc_lock);
	return ok ? 0 : -ENOSPC;
}

void
ext4_unreserve(struct ext4_super *s, uint32_t n)
{
	if (n)
		atomic_sub(&s->delayed, n);
}

/* With alloc_lock: blocks that count as reserved from here on. */
static uint32_t
claim(struct ext4_super *s, uint32_t want, unsigned flags)
{
	if (flags & EXT4_ALLOC_DELAYED)
		return want; /* they do already */
	if (flags & EXT4_ALLOC_META) {
		uint64_t have = atomic_load_relaxed(&s->free_blocks);

		want = want < have ? want : (uint32_t)have;
		atomic_add(&s->delayed, want);
		return want;
	}
	return reserve_some(s, want, kept_blocks(s));
}

int
ext4_balloc(struct jhandle *h, uint64_t goal, uint32_t want, unsigned flags,
	    uint64_t *start, uint32_t *len)
{
	struct ext4_super *s = h->s;
	uint32_t claimed, spent = 0;
	int err = -ENOSPC;

	mutex_lock(&s->alloc_lock);
	claimed = claim(s, want, flags);
	if (claimed)
		err = take_near(h, goal, claimed, start, len);
	if (!err) {
		atomic_sub(&s->free_blocks, *len);
		spent = *len;
	}
	/* What a page reserved stays reserved until it has its block. */
	ext4_unreserve(s, flags & EXT4_ALLOC_DELAYED ? spent : claimed);
	mutex_unlock(&s->alloc_lock);
	return err;
}

/* ---- giving back ---- */

/* Blocks of one group. */
static int
free_in_group(struct jhandle *h, uint32_t g, uint32_t at, uint32_t len)
{
	struct ext4_super *s = h->s;
	struct ext4_bitmap m;
	uint32_t left;
	int err = ext4_block_bitmap(s, g, &m);

	if (err)
		return err;
	left = ext4_desc_free_blocks(s, m.desc);
	if (at + len > m.nbits || bitmap_count(m.bits, at, at + len) != len) {
		err = ext4_bad(s, 0, "blocks freed that are free");
		goto out;
	}
	err = journal_note_freed(h, group_base(s, g) + at, len);
	if (!err)
		err = ext4_bitmap_write(s, h, &m);
	if (err)
		goto out;
	if (!m.info->pending)
		m.info->pending = kzalloc(s->block_size, ALLOC_NOFS);
	if (m.info->pending) {
		bitmap_fill(m.info->pending, at, at + len, true);
		m.info->npending += len;
	} else { /* no memory for the list: leave the whole group alone */
		m.info->frozen_tid = journal_tid(h);
	}
	bitmap_fill(m.bits, at, at + len, false);
	set_free_blocks(s, m.desc, left + len);
	s->free_blocks += len;
	s->freed_pending += len;
out:
	ext4_bitmap_put(&m);
	return err;
}

int
ext4_bfree_ready(struct jhandle *h, uint64_t start, uint32_t len)
{
	struct ext4_super *s = h->s;
	uint32_t g, last;
	int err = 0;

	if (start < s->first_data_block || start >= s->nblocks || !len ||
	    len > s->nblocks - start)
		return ext4_bad(s, 0, "blocks freed that do not exist");
	start -= s->first_data_block;
	g = (uint32_t)(start / s->blocks_per_group);
	last = (uint32_t)((start + len - 1) / s->blocks_per_group);
	mutex_lock(&s->alloc_lock);
	for (; g <= last && !err; g++) {
		struct ext4_bitmap m;

		err = ext4_block_bitmap(s, g, &m);
		if (err)
			break;
		err = ext4_bitmap_write(s, h, &m);
		ext4_bitmap_put(&m);
	}
	mutex_unlock(&s->alloc_lock);
	return err;
}

int
ext4_bfree(struct jhandle *h, uint64_t start, uint32_t len)
{
	struct ext4_super *s = h->s;
	int err = 0;

	if (start < s->first_data_block || start >= s->nblocks ||
	    len > s->nblocks - start)
		return ext4_bad(s, 0, "blocks freed that do not exist");
	mutex_lock(&s->alloc_lock);
	while (len && !err) {
		uint64_t rel = start - s->first_data_block;
		uint32_t g = (uint32_t)(rel / s->blocks_per_group);
		uint32_t at = (uint32_t)(rel % s->blocks_per_group);
		uint32_t n = s->blocks_per_group - at;

		if (n > len)
			n = len;
		err = free_in_group(h, g, at, n);
		start += n;
		len -= n;
	}
	mutex_unlock(&s->alloc_lock);
	return err;
}

void
ext4_freed(struct ext4_super *s, uint64_t start, uint32_t len)
{
	mutex_lock(&s->alloc_lock);
	s->freed_pending -= len;
	while (len) {
		uint64_t rel = start - s->first_data_block;
		uint32_t at = (uint32_t)(rel % s->blocks_per_group);
		uint32_t n = s->blocks_per_group - at;
		struct ext4_group *g;

		if (n > len)
			n = len;
		g = ext4_group_info(s, (uint32_t)(rel / s->blocks_per_group));
		if (g && g->pending && g->npending) {
			/* Those freed while the list could not be had are
			 * not in it: count what is. */
			g->npending -=
				(uint32_t)bitmap_count(g->pending, at, at + n);
			bitmap_fill(g->pending, at, at + n, false);
			if (!g->npending) {
				kfree(g->pending);
				g->pending = NULL;
			}
		}
		if (g)
			g->max_run = UINT32_MAX;
		start += n;
		len -= n;
	}
	mutex_unlock(&s->alloc_lock);
}

bool
ext4_retry_alloc(struct ext4_super *s, int err, unsigned *tries)
{
	if (err != -ENOSPC || ++*tries > 3)
		return false;
	/* Another's commit may just have given out what was not to be had. */
	if (!atomic_load_relaxed(&s->freed_pending))
		return *tries == 1;
	return journal_commit(s->journal, 0) == 0;
}
