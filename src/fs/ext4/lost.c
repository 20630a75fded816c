/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data that the device refused, of blocks that were nobody's before.
 *
 * The blocks hold what a deleted file left there, and the transaction that
 * gives them to a file says that they are written.  So the end of such a
 * write leaves a note (any context), before the page's writeback ends:
 *   - from then on the blocks read as zeroes (ext4_lost_hide);
 *   - no page of a file goes to the disk before the notes are dealt with, so
 *     data that is written again cannot meet its old note (data.c, direct.c:
 *     they commit);
 *   - the commit whose data it is, makes the blocks unwritten before anything
 *     is on the disk (commit.c, ext4_lost_unwrite).
 * Notes are taken away with the journal's commit_lock only, which holds off
 * the end of an inode that has some (ext4_lost_evict).
 *
 * Without memory for a note nothing can be told apart any more: no data is
 * read, and the next commit fails.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <mem/heap.h>

/* Blocks made unwritten at once. */
#define MAX_STEP 16384u

struct lost {
	struct list link;
	struct inode *i; /* [commit_lock] NULL: it is gone, the journal, too */
	uint64_t pblk;
	uint32_t len;
};

void
ext4_lost_note(struct inode *i, uint64_t pblk, uint32_t len)
{
	struct ext4_super *s = ext4_sb(i);
	struct lost *l = kmalloc(sizeof(*l), ALLOC_ATOMIC | ALLOC_RESERVE);
	irqflags_t f;

	if (!l) {
		atomic_store_relaxed(&s->lost_all, true);
		atomic_add(&s->nlost, 1);
		return;
	}
	*l = (struct lost){ .i = i, .pblk = pblk, .len = len };
	list_init(&l->link);
	atomic_add(&ext4_i(i)->nlost, 1);
	f = spin_lock_irq(&s->lost_lock);
	list_add_tail(&s->lost, &l->link);
	spin_unlock_irq(&s->lost_lock, f);
	atomic_add(&s->nlost, 1);
}

int
ext4_lost_hide(struct ext4_super *s, struct ext4_map *m)
{
	struct lost *l;
	irqflags_t f;

	if (likely(!atomic_load_acquire(&s->nlost)) || !m->pblk)
		return 0;
	if (atomic_load_relaxed(&s->lost_all))
		return -EIO;
	f = spin_lock_irq(&s->lost_lock);
	list_for_each_entry(l, &s->lost, link) {
		uint64_t end = l->pblk + l->len;

		if (m->pblk >= l->pblk && m->pblk < end) {
			if (m->len > end - m->pblk)
				m->len = (uint32_t)(end - m->pblk);
			m->unwritten = true;
		} else if (m->pblk < l->pblk && m->pblk + m->len > l->pblk) {
			m->len = (uint32_t)(l->pblk - m->pblk);
		}
	}
	spin_unlock_irq(&s->lost_lock, f);
	return 0;
}

/* The next blocks of l in its file from *lblk on; *more: there were some.
 * The file may have been cut or moved since. */
static int
unwrite_next(struct jhandle *h, struct lost *l, uint32_t *lblk, bool *more)
{
	uint64_t end = l->pblk + l->len;
	struct ext4_map m;
	uint32_t last;
	int err = ext4_ext_end(l->i, &last);

	*more = false;
	for (; !err && *lblk < last; *lblk += m.len) {
		uint64_t from, to;

		err = ext4_map_locked(l->i, *lblk, &m);
		if (err)
			break;
		from = m.pblk > l->pblk ? m.pblk : l->pblk;
		to = m.pblk + m.len < end ? m.pblk + m.len : end;
		if (!m.pblk || m.unwritten || from >= to)
			continue;
		if (to - from > MAX_STEP)
			to = from + MAX_STEP;
		*lblk += (uint32_t)(from - m.pblk);
		err = ext4_ext_set_unwritten(h, l->i, *lblk,
					     (uint32_t)(to - from));
		*more = true;
		break;
	}
	return err;
}

static int
unwrite(struct ext4_super *s, struct lost *l)
{
	struct ext4_inode *e = ext4_i(l->i);
	struct jhandle h;
	uint32_t lblk = 0;
	bool more = true;
	int err = 0;

	while (more && !err) {
		err = journal_start_closed(s, ext4_ext_credits(l->i) + 8, &h);
		if (err)
			break;
		write_lock(&e->tree_lock);
		err = unwrite_next(&h, l, &lblk, &more);
		e->last_pblk = 0;
		if (!err && more)
			err = ext4_iwrite(&h, l->i, true);
		write_unlock(&e->tree_lock);
		journal_stop(&h);
	}
	return err;
}

static struct lost *
first(struct ext4_super *s)
{
	irqflags_t f = spin_lock_irq(&s->lost_lock);
	struct lost *l = list_empty(&s->lost) ?
				 NULL :
				 list_first_entry(&s->lost, struct lost, link);

	spin_unlock_irq(&s->lost_lock, f);
	return l;
}

static void
forget(struct ext4_super *s, struct lost *l)
{
	irqflags_t f = spin_lock_irq(&s->lost_lock);

	list_del(&l->link);
	spin_unlock_irq(&s->lost_lock, f);
	atomic_sub(&s->nlost, 1);
	if (l->i) /* which may go from here on */
		atomic_sub(&ext4_i(l->i)->nlost, 1);
	kfree(l);
}

int
ext4_lost_unwrite(struct ext4_super *s)
{
	int err = atomic_load_relaxed(&s->lost_all) ? -ENOMEM : 0;
	struct lost *l;

	while (!err && (l = first(s))) {
		if (l->i)
			err = unwrite(s, l);
		if (!err)
			forget(s, l);
	}
	return err;
}

void
ext4_lost_settle(struct ext4_super *s)
{
	/* Where that fails the journal says so to all who come. */
	if (unlikely(atomic_load_acquire(&s->nlost)))
		ignore(journal_commit(s->journal, 0));
}

void
ext4_lost_evict(struct inode *i)
{
	struct ext4_super *s = ext4_sb(i);
	struct lost *l;
	irqflags_t f;

	if (likely(!atomic_load_acquire(&ext4_i(i)->nlost)))
		return;
	ext4_lost_settle(s);
	mutex_lock(&s->journal->commit_lock);
	f = spin_lock_irq(&s->lost_lock);
	list_for_each_entry(l, &s->lost, link)
		if (l->i == i)
			l->i = NULL;
	spin_unlock_irq(&s->lost_lock, f);
	mutex_unlock(&s->journal->commit_lock);
}

void
ext4_lost_free(struct ext4_super *s)
{
	struct lost *l;

	while ((l = first(s))) {
		l->i = NULL;
		forget(s, l);
	}
}
