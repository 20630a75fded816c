/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orphans: files without a name that are still open, and files whose
 * truncation spans transactions.  On the disk they are a list from the
 * superblock through the inodes' i_dtime; in memory the same list, so that
 * one can be taken out of its middle.
 *
 * One that cannot be freed stays on the disk's list, for the next mount; what
 * is left of it in memory keeps its place among the others.
 *
 * orphan_lock is taken in a handle.  An inode is on the list with a link
 * count of zero or because it is being cut, and evict() takes it off.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/string.h>
#include <core/log.h>
#include <dev/blk.h>
#include <mem/heap.h>
#include <mem/page.h>

static int
set_head(struct jhandle *h, uint32_t ino)
{
	struct ext4_super *s = h->s;
	struct ext4_super_disk *d;
	struct ext4_buf b;
	int err = ext4_bread(s, EXT4_SUPER_OFFSET >> s->block_shift, &b);

	if (err)
		return err;
	err = ext4_bwrite(h, &b, JK_PLAIN, 0);
	if (!err) {
		d = (void *)(b.data +
			     (EXT4_SUPER_OFFSET & (s->block_size - 1)));
		d->s_last_orphan = ino;
	}
	ext4_brelse(&b);
	return err;
}

/* The number at this place of the list; 0: its end. */
static uint32_t
ino_at(const struct ext4_super *s, struct list *at)
{
	const struct ext4_inode *e;

	if (at == &s->orphans)
		return 0;
	e = list_entry(at, struct ext4_inode, orphan);
	return e->lost_ino ? e->lost_ino : (uint32_t)e->inode->ino;
}

bool
ext4_orphan_lose(struct inode *i)
{
	struct ext4_super *s = ext4_sb(i);
	struct ext4_inode *e = ext4_i(i);
	bool lost;

	mutex_lock(&s->orphan_lock);
	lost = !list_empty(&e->orphan);
	if (lost) {
		e->lost_ino = (uint32_t)i->ino;
		e->inode = NULL;
	}
	mutex_unlock(&s->orphan_lock);
	return lost;
}

void
ext4_orphan_free_lost(struct ext4_super *s)
{
	struct list *at = s->orphans.next;

	while (at != &s->orphans) {
		struct ext4_inode *e =
			list_entry(at, struct ext4_inode, orphan);

		at = at->next;
		if (e->lost_ino) {
			list_del(&e->orphan);
			kfree(e);
		}
	}
}

int
ext4_orphan_add(struct jhandle *h, struct inode *i)
{
	struct ext4_super *s = h->s;
	struct ext4_inode *e = ext4_i(i);
	int err = 0;

	mutex_lock(&s->orphan_lock);
	if (list_empty(&e->orphan)) {
		e->next_orphan = ino_at(s, s->orphans.next);
		err = set_head(h, (uint32_t)i->ino);
		if (!err)
			err = ext4_iwrite(h, i, false);
		if (!err)
			list_add(&s->orphans, &e->orphan);
	}
	mutex_unlock(&s->orphan_lock);
	return err;
}

/* i's own i_dtime is zero after; the caller writes the inode. */
int
ext4_orphan_del(struct jhandle *h, struct inode *i)
{
	struct ext4_super *s = h->s;
	struct ext4_inode *e = ext4_i(i), *prev;
	uint32_t next;
	int err = 0;

	mutex_lock(&s->orphan_lock);
	if (list_empty(&e->orphan))
		goto out;
	next = ino_at(s, e->orphan.next);
	if (e->orphan.prev == &s->orphans) {
		err = set_head(h, next);
	} else {
		prev = list_entry(e->orphan.prev, struct ext4_inode, orphan);
		/* One that is lost is written no more: so is this one. */
		err = prev->lost_ino ? -EIO : ext4_iready(h, prev->inode);
		if (!err) {
			prev->next_orphan = next;
			err = ext4_iwrite(h, prev->inode, false);
		}
	}
	if (!err) {
		list_del(&e->orphan);
		list_init(&e->orphan);
		e->next_orphan = 0;
	}
out:
	mutex_unlock(&s->orphan_lock);
	return err;
}

/* The disk's list becomes ours; each keeps a reference.  What is read before
 * an error is listed all the same: it is dealt with, and the rest is lost to
 * e2fsck. */
static int
load(struct ext4_super *s, uint32_t first)
{
	uint32_t ino = first, n = 0;

	while (ino) {
		struct inode *i;
		int err;

		if (ino < s->first_ino || ++n > s->ninodes)
			return ext4_bad(s, ino, "the list of orphans");
		err = ext4_iget_orphan(s, ino, &i);
		if (err)
			return err;
		if (!list_empty(&ext4_i(i)->orphan)) {
			inode_put(i);
			return ext4_bad(s, ino, "a loop of orphans");
		}
		list_add_tail(&s->orphans, &ext4_i(i)->orphan);
		ino = ext4_i(i)->next_orphan;
	}
	return 0;
}

int
ext4_orphan_cleanup(struct ext4_super *s, uint32_t first)
{
	uint32_t cut = 0, gone = 0;
	int err = load(s, first), e2 = 0;

	if (!err)
		err = ext4_orphan_file_load(s);
	/* The list was checked to its end before anything is changed. */
	while (!list_empty(&s->orphans)) {
		struct ext4_inode *e = list_first_entry(
			&s->orphans, struct ext4_inode, orphan);
		struct inode *i = e->inode;

		if (err || e2) { /* as it was, in memory only */
			list_del(&e->orphan);
			list_init(&e->orphan);
			e->no_delete = true;
		} else if (i->nlink) {
			e2 = ext4_truncate(i, i->size);
			cut++;
		} else {
			gone++;
		}
		inode_put(i); /* evict deletes what has no link */
		if (!list_empty(&s->orphans) &&
		    list_first_entry(&s->orphans, struct ext4_inode, orphan) ==
			    e) {
			/* Still there: it could not be dealt with. */
			e2 = -EIO;
			list_del(&e->orphan);
			if (e->lost_ino)
				kfree(e);
		}
	}
	if (gone || cut)
		log_info("ext4 %s: %u files deleted, %u cut that were on the "
			 "list of orphans",
			 s->dev->name, gone, cut);
	return err ? err : e2;
}
