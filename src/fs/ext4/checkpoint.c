/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoint: giving space in the log back.  In the thread that needs it,
 * with commit_lock.
 *
 * Blocks of the oldest transactions are copied and written to their places,
 * unless the running transaction has them, too: that one is committed first,
 * and then the log's copy in it is the one that counts.
 */
#include "ext4.h"
#include "journal.h"
#include "journal_priv.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/string.h>
#include <fs/bdev.h>
#include <mem/page.h>

struct ckpt_item {
	struct jbuf *jb;
	uint64_t block;
};

static void
sort_items(struct ckpt_item *v, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct ckpt_item x = v[i];
		unsigned k = i;

		for (; k && v[k - 1].block > x.block; k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
}

/* Writes some of t's blocks to their places; *pinned: how many belong to the
 * running transaction, too. */
static int
checkpoint_some(struct journal *j, struct jtx *t, unsigned *pinned)
{
	struct group *g = j->group;
	struct ckpt_item items[32];
	unsigned n = 0;
	struct list *p;
	int err = journal_wait_io(j);

	if (err)
		return err;
	*pinned = 0;
	spin_lock(&j->lock);
	list_for_each(p, &t->ckpt_bufs) {
		struct jbuf *jb = list_entry(p, struct jbuf, ckpt_link);

		if (jb->tx) {
			++*pinned;
			continue;
		}
		items[n].jb = jb;
		items[n++].block = jb->block;
		if (n == j->npages || n == ARRAY_SIZE(items))
			break;
	}
	sort_items(items, n);
	for (unsigned i = 0; i < n; i++) {
		memcpy(page_addr(j->pages[i]), items[i].jb->data,
		       j->block_size);
		g->blocks[i] = items[i].block;
	}
	spin_unlock(&j->lock);
	journal_write_blocks(j, j->pages, g->blocks, n);
	err = journal_wait_io(j);
	if (err)
		return err;
	spin_lock(&j->lock);
	for (unsigned i = 0; i < n; i++) {
		struct jbuf *jb = items[i].jb;

		/* A handle may have it by now, and the copy that was written
		 * is the committed one all the same. */
		journal_leave_ckpt(jb);
		if (!jb->tx)
			journal_drop(j, jb);
	}
	spin_unlock(&j->lock);
	return 0;
}

/* Empties the oldest transaction's list, or commits the running one, which has
 * all that is left of it: that may well free the former. */
static int
checkpoint_oldest(struct journal *j)
{
	struct jtx *t = list_first_entry(&j->ckpts, struct jtx, link);
	unsigned pinned;
	int err = 0;

	atomic_store_relaxed(&j->io_err, 0);
	while (!err && !list_empty(&t->ckpt_bufs)) {
		unsigned before = j->nbufs;

		err = checkpoint_some(j, t, &pinned);
		if (!err && pinned && j->nbufs == before && j->running &&
		    !list_empty(&t->ckpt_bufs))
			return journal_commit_tx(j, j->running, NULL);
	}
	if (!err)
		journal_trim_ckpts(j);
	return err;
}

int
journal_make_space(struct journal *j, uint32_t need)
{
	uint32_t want = (j->last - j->first) / 2;
	int err;

	if (want < need)
		want = need;
	mutex_lock(&j->commit_lock);
	err = atomic_load_relaxed(&j->err);
	while (!err && !list_empty(&j->ckpts) &&
	       (j->free < want || j->nbufs > j->max_bufs / 2)) {
		err = checkpoint_oldest(j);
		if (!err && (list_empty(&j->ckpts) || j->free < want))
			err = journal_update_tail(j);
	}
	if (!err && j->free < want)
		err = journal_update_tail(j);
	/* Only what runs is left: it must go out to make room. */
	if (!err && j->free < need && j->running && j->running->nbufs)
		err = journal_commit_tx(j, j->running, NULL);
	if (err)
		journal_abort(j, err);
	mutex_unlock(&j->commit_lock);
	return err;
}

int
journal_flush(struct journal *j)
{
	int err;

	mutex_lock(&j->commit_lock);
	err = atomic_load_relaxed(&j->err);
	if (!err && j->running && (j->running->nbufs || j->running->nrevokes))
		err = journal_commit_tx(j, j->running, NULL);
	while (!err && !list_empty(&j->ckpts))
		err = checkpoint_oldest(j);
	if (!err)
		err = bdev_flush(j->s->dev);
	if (!err && !j->empty) {
		uint32_t size = j->last - j->first;

		j->empty = true;
		j->tail = j->head;
		j->tail_tid = atomic_load_relaxed(&j->committed) + 1;
		err = journal_write_super(j);
		if (!err)
			err = bdev_flush(j->s->dev);
		spin_lock(&j->lock);
		j->free = size;
		spin_unlock(&j->lock);
	}
	if (err)
		journal_abort(j, err);
	mutex_unlock(&j->commit_lock);
	return err;
}
