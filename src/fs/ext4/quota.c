/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage by user and group (feature quota): kept right, so that file systems
 * with it can be written.  Limits are kept as they are and stop nobody, as in
 * a Linux that mounts without the options that ask for it.
 *
 * The quota files have the form "vfsv1" of quota tools: blocks of 1 KiB, a
 * tree of four levels by the bytes of an id, and entries in data blocks.  At
 * mount all of a tree is read, and where each id's entry lies is remembered.
 * ext4_iwrite() compares what an inode was counted with, and to whom, with
 * what it has now (quota_sync), which changes entries in place in the same
 * handle.  A new id gets its entry before a handle that may need it begins
 * (quota_ready): that takes blocks.
 *
 * Locks: the file's inode lock while entries are added, then the handle;
 * quota_lock (RANK_FSALLOC2) for entries and the tree of those known.
 */
#include "quota.h"

#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/rbtree.h>
#include <base/string.h>
#include <core/log.h>
#include <dev/blk.h>
#include <file/cred.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>

#define QBLOCK_SHIFT 10
#define QBLOCK	     (1u << QBLOCK_SHIFT)
#define DEPTH	     4u
#define ROOT	     1u	 /* the block of the tree's first level */
#define ADD_CREDITS  64u /* five blocks, and places for them */

struct q_head {
	uint32_t dqh_magic, dqh_version;
	uint32_t dqi_bgrace, dqi_igrace, dqi_flags;
	uint32_t dqi_blocks, dqi_free_blk, dqi_free_entry;
};
static_assert(sizeof(struct q_head) == 32, "quota file's head");

struct q_data {
	uint32_t dqdh_next_free, dqdh_prev_free;
	uint16_t dqdh_entries, dqdh_pad1;
	uint32_t dqdh_pad2;
};
static_assert(sizeof(struct q_data) == 16, "head of a block of entries");

struct q_entry {
	uint32_t dqb_id, dqb_pad;
	uint64_t dqb_ihardlimit, dqb_isoftlimit, dqb_curinodes;
	uint64_t dqb_bhardlimit, dqb_bsoftlimit, dqb_curspace;
	uint64_t dqb_btime, dqb_itime;
};
static_assert(sizeof(struct q_entry) == 72, "an entry");
#define PER_BLOCK ((QBLOCK - sizeof(struct q_data)) / sizeof(struct q_entry))

/* Where an id's entry is. */
struct q_known {
	struct rb_node node;
	uint32_t id;
	uint32_t offset; /* in the disk's block */
	uint64_t pblk;
};

struct ext4_quota {
	uint32_t ino;	      /* [I] */
	struct inode *file;   /* [its lock] while the tree is looked at */
	struct rb_root known; /* [quota_lock] */
};

static const uint32_t magics[EXT4_QUOTAS] = { 0xd9c01f11, 0xd9c01927 };

static const struct q_entry unused;

/* ---- what is known ---- */

static struct q_known *
find(const struct ext4_quota *q, uint32_t id)
{
	struct rb_node *n = q->known.node;

	while (n) {
		struct q_known *k = container_of(n, struct q_known, node);

		if (k->id == id)
			return k;
		n = id < k->id ? n->left : n->right;
	}
	return NULL;
}

static bool
less(const struct rb_node *a, const struct rb_node *b)
{
	const size_t off = offsetof(struct q_known, node);
	const struct q_known *x = (const void *)((const char *)a - off);
	const struct q_known *y = (const void *)((const char *)b - off);

	return x->id < y->id;
}

/* ---- blocks of the file ---- */

/* Block blk of the quota file; h: to be changed. */
static int
get(struct ext4_quota *q, uint32_t blk, struct jhandle *h, struct ext4_buf *b,
    void **at)
{
	struct ext4_super *s = ext4_sb(q->file);
	uint64_t pos = (uint64_t)blk << QBLOCK_SHIFT;
	struct ext4_map m;
	int err;

	if (pos >= q->file->size)
		return -EUCLEAN;
	err = ext4_map_block(q->file, (uint32_t)(pos >> s->block_shift), &m);
	if (!err && !m.pblk)
		err = -EUCLEAN;
	if (!err)
		err = ext4_bread(s, m.pblk, b);
	if (err)
		return err;
	if (h)
		err = ext4_bwrite(h, b, JK_PLAIN, 0);
	if (err)
		ext4_brelse(b);
	else
		*at = b->data + (pos & (s->block_size - 1));
	return err;
}

static uint32_t
slot(uint32_t id, unsigned level)
{
	return id >> (8 * (DEPTH - 1 - level)) & 255;
}

static int
remember(struct ext4_quota *q, const struct ext4_buf *b,
	 const struct q_entry *e)
{
	struct ext4_super *s = ext4_sb(q->file);
	struct q_known *k = kmalloc(sizeof(*k), ALLOC_NOFS);

	if (!k)
		return -ENOMEM;
	k->id = e->dqb_id;
	k->pblk = b->block;
	k->offset = (uint32_t)((const uint8_t *)e - b->data);
	mutex_lock(&s->quota_lock);
	rb_insert(&q->known, &k->node, less);
	mutex_unlock(&s->quota_lock);
	return 0;
}

/* ---- at mount ---- */

/* The entry of id in a block of them. */
static int
load_entry(struct ext4_quota *q, uint32_t blk, uint32_t id)
{
	struct ext4_buf b;
	struct q_entry *e;
	void *at;
	int err = get(q, blk, NULL, &b, &at);

	if (err)
		return err;
	e = (void *)((uint8_t *)at + sizeof(struct q_data));
	err = -EUCLEAN;
	for (unsigned k = 0; k < PER_BLOCK && err == -EUCLEAN; k++)
		if (e[k].dqb_id == id && memcmp(&e[k], &unused, sizeof(*e)))
			err = find(q, id) ? -EUCLEAN : remember(q, &b, &e[k]);
	ext4_brelse(&b);
	return err;
}

/* Walks the tree; a path of slots stands for the recursion. */
static int
load_tree(struct ext4_quota *q, uint32_t nblocks)
{
	uint32_t at[DEPTH] = { ROOT }, next[DEPTH] = { 0 }, id = 0;
	uint64_t looks = (uint64_t)nblocks * (PER_BLOCK + 1);
	unsigned level = 0;
	int err = 0;

	while (!err) {
		struct ext4_buf b;
		uint32_t ref = 0;
		void *p;

		err = get(q, at[level], NULL, &b, &p);
		if (err)
			break;
		while (next[level] < 256 && !ref)
			memcpy(&ref, (uint8_t *)p + 4 * next[level]++, 4);
		ext4_brelse(&b);
		if (!ref) {
			if (!level)
				return 0;
			level--;
			continue;
		}
		if (ref <= ROOT || ref >= nblocks || !looks--)
			return -EUCLEAN;
		id = (id & ~(0xffu << (8 * (DEPTH - 1 - level)))) |
		     (next[level] - 1) << (8 * (DEPTH - 1 - level));
		if (level == DEPTH - 1) {
			err = load_entry(q, ref, id);
		} else {
			at[++level] = ref;
			next[level] = 0;
		}
	}
	return err;
}

static int
load_one(struct ext4_super *s, unsigned type, uint32_t ino)
{
	struct ext4_quota *q;
	struct q_head *head;
	struct ext4_buf b;
	uint32_t nblocks;
	void *at;
	int err;

	if (!ino)
		return 0;
	q = kzalloc(sizeof(*q), ALLOC_KERNEL);
	if (!q)
		return -ENOMEM;
	s->quotas[type] = q;
	q->ino = ino;
	err = ext4_iget_any(s, ino, &q->file);
	if (err)
		return err;
	err = S_ISREG(q->file->mode) ? get(q, 0, NULL, &b, &at) : -EUCLEAN;
	if (err)
		goto out;
	head = at;
	nblocks = head->dqi_blocks;
	if (head->dqh_magic != magics[type] || head->dqh_version != 1 ||
	    (uint64_t)nblocks << QBLOCK_SHIFT > q->file->size)
		err = -EUCLEAN;
	ext4_brelse(&b);
	if (!err)
		err = load_tree(q, nblocks);
out:
	inode_put(q->file);
	q->file = NULL;
	return err;
}

int
ext4_quota_load(struct ext4_super *s, const struct ext4_super_disk *d)
{
	const uint32_t inos[EXT4_QUOTAS] = { d->s_usr_quota_inum,
					     d->s_grp_quota_inum };
	int err = 0;

	if (!(s->ro_compat & EXT4_RO_QUOTA))
		return 0;
	for (unsigned k = 0; k < EXT4_QUOTAS && !err; k++)
		err = load_one(s, k, inos[k]);
	s->has_quota = !err;
	if (err)
		log_warn("ext4 %s: its quota files cannot be understood (%d)",
			 s->dev->name, err);
	return err;
}

void
ext4_quota_free(struct ext4_super *s)
{
	for (unsigned k = 0; k < EXT4_QUOTAS; k++) {
		struct ext4_quota *q = s->quotas[k];
		struct rb_node *n;

		while (q && (n = rb_first(&q->known))) {
			rb_erase(&q->known, n);
			kfree(container_of(n, struct q_known, node));
		}
		kfree(q);
		s->quotas[k] = NULL;
	}
	s->has_quota = false;
}

/* ---- a new id ---- */

/* Room in the file for all that one entry may take: nothing after can find
 * the disk full. */
static int
make_room(struct jhandle *h, struct ext4_quota *q, const struct q_head *head)
{
	uint64_t need = (head->dqi_blocks + (uint64_t)DEPTH) << QBLOCK_SHIFT;
	uint32_t mask = h->s->block_size - 1, lblk;
	struct inode *f = q->file;
	struct ext4_buf b;

	if (f->size >= need)
		return 0;
	f->size = (f->size + mask) & ~(uint64_t)mask;
	ext4_i(f)->disksize = f->size;
	while (f->size < need) {
		int err = ext4_append_block(h, f, &lblk, &b);

		if (err)
			return err;
		ext4_brelse(&b);
	}
	return 0;
}

/* One block more for the tree, zeroes. */
static int
take_block(struct jhandle *h, struct ext4_quota *q, struct q_head *head,
	   uint32_t *blk)
{
	struct ext4_buf b;
	void *at;
	int err;

	*blk = head->dqi_free_blk ? head->dqi_free_blk : head->dqi_blocks;
	err = get(q, *blk, h, &b, &at);
	if (err)
		return err;
	if (head->dqi_free_blk)
		head->dqi_free_blk = ((struct q_data *)at)->dqdh_next_free;
	else
		head->dqi_blocks++;
	memset(at, 0, QBLOCK);
	ext4_brelse(&b);
	return 0;
}

/* Takes a block of entries that is full off the list of those that are not;
 * it is the first. */
static int
leave_list(struct jhandle *h, struct ext4_quota *q, struct q_head *head,
	   struct q_data *d)
{
	uint32_t next = d->dqdh_next_free;
	struct ext4_buf b;
	void *at;
	int err;

	if (next) {
		err = get(q, next, h, &b, &at);
		if (err)
			return err;
		((struct q_data *)at)->dqdh_prev_free = 0;
		ext4_brelse(&b);
	}
	head->dqi_free_entry = next;
	d->dqdh_next_free = d->dqdh_prev_free = 0;
	return 0;
}

/* An entry for id in a block that has room. */
static int
place_entry(struct jhandle *h, struct ext4_quota *q, struct q_head *head,
	    uint32_t id, uint32_t *blk)
{
	struct q_entry *e;
	struct q_data *d;
	struct ext4_buf b;
	unsigned k;
	void *at;
	int err = 0;

	*blk = head->dqi_free_entry;
	if (!*blk)
		err = take_block(h, q, head, blk);
	if (!err)
		err = get(q, *blk, h, &b, &at);
	if (err)
		return err;
	head->dqi_free_entry = *blk;
	d = at;
	e = (void *)(d + 1);
	for (k = 0; k < PER_BLOCK; k++)
		if (!memcmp(&e[k], &unused, sizeof(*e)))
			break;
	if (k == PER_BLOCK || d->dqdh_entries >= PER_BLOCK) {
		err = ext4_bad(h->s, q->file->ino, "a list of quota entries");
	} else {
		e[k].dqb_id = id;
		if (!id) /* all zeroes would be no entry */
			e[k].dqb_itime = 1;
		err = remember(q, &b, &e[k]);
		if (err)
			memset(&e[k], 0, sizeof(*e));
		else
			d->dqdh_entries++;
	}
	if (!err && d->dqdh_entries == PER_BLOCK)
		err = leave_list(h, q, head, d);
	ext4_brelse(&b);
	return err;
}

/* The way to blk in the tree. */
static int
link_entry(struct jhandle *h, struct ext4_quota *q, struct q_head *head,
	   uint32_t id, uint32_t data)
{
	uint32_t blk = ROOT;

	for (unsigned level = 0; level < DEPTH; level++) {
		struct ext4_buf b;
		uint32_t *refs, ref;
		void *at;
		int err = get(q, blk, h, &b, &at);

		if (err)
			return err;
		refs = at;
		ref = refs[slot(id, level)];
		if (level == DEPTH - 1)
			ref = refs[slot(id, level)] = data;
		else if (!ref)
			err = take_block(h, q, head, &ref);
		if (!err)
			refs[slot(id, level)] = ref;
		ext4_brelse(&b);
		if (err)
			return err;
		blk = ref;
	}
	return 0;
}

static int
add_locked(struct ext4_super *s, struct ext4_quota *q, uint32_t id)
{
	struct jhandle h;
	struct ext4_buf b;
	uint32_t data;
	void *head;
	bool there;
	int err;

	mutex_lock(&s->quota_lock);
	there = find(q, id);
	mutex_unlock(&s->quota_lock);
	if (there)
		return 0;
	err = journal_start(s, ADD_CREDITS, &h);
	if (err)
		return err;
	err = get(q, 0, &h, &b, &head);
	if (!err) {
		err = make_room(&h, q, head);
		if (!err)
			err = place_entry(&h, q, head, id, &data);
		if (!err)
			err = link_entry(&h, q, head, id, data);
		ext4_brelse(&b);
	}
	if (!err)
		err = ext4_iwrite(&h, q->file, true);
	journal_stop(&h);
	return err;
}

static int
ready_one(struct ext4_super *s, struct ext4_quota *q, uint32_t id)
{
	unsigned tries = 0;
	struct inode *file;
	bool there;
	int err;

	if (!q)
		return 0;
	mutex_lock(&s->quota_lock);
	there = find(q, id);
	mutex_unlock(&s->quota_lock);
	if (there)
		return 0;
	err = ext4_iget_any(s, q->ino, &file);
	if (err)
		return err;
	write_lock(&file->lock);
	q->file = file;
	do
		err = add_locked(s, q, id);
	while (ext4_retry_alloc(s, err, &tries));
	q->file = NULL;
	write_unlock(&file->lock);
	inode_put(file);
	return err;
}

int
ext4_quota_ready(struct ext4_super *s, uint32_t uid, uint32_t gid)
{
	int err;

	if (!s->has_quota)
		return 0;
	err = ready_one(s, s->quotas[EXT4_QUOTA_USER], uid);
	return err ? err : ready_one(s, s->quotas[EXT4_QUOTA_GROUP], gid);
}

int
ext4_quota_ready_child(const struct inode *dir)
{
	const struct cred *c = thread_current()->cred;

	return ext4_quota_ready(ext4_sb(dir), c ? c->fsuid : 0,
				dir->mode & S_ISGID ? dir->gid :
				c		    ? c->fsgid :
						      0);
}

/* ---- counting ---- */

/* Lock held. */
static int
change(struct jhandle *h, struct ext4_quota *q, uint32_t id, int64_t inodes,
       int64_t blocks)
{
	struct q_known *k = q ? find(q, id) : NULL;
	struct q_entry *e;
	struct ext4_buf b;
	int64_t left;
	int err;

	/* Without an entry it was not counted before, either. */
	if (!k || (!inodes && !blocks))
		return 0;
	err = ext4_bread(h->s, k->pblk, &b);
	if (err)
		return err;
	err = ext4_bwrite(h, &b, JK_PLAIN, 0);
	if (!err) {
		e = (void *)(b.data + k->offset);
		left = (int64_t)e->dqb_curinodes + inodes;
		e->dqb_curinodes = left > 0 ? (uint64_t)left : 0;
		left = (int64_t)e->dqb_curspace + blocks * 512;
		e->dqb_curspace = left > 0 ? (uint64_t)left : 0;
		if (!memcmp(e, &unused, sizeof(*e)))
			e->dqb_itime = 1;
	}
	ext4_brelse(&b);
	return err;
}

static int
transfer(struct jhandle *h, struct ext4_quota *q, const struct ext4_counted *a,
	 uint32_t from, const struct ext4_counted *b, uint32_t to)
{
	int err;

	if (from == to)
		return change(h, q, to, (int64_t)b->inodes - a->inodes,
			      (int64_t)(b->blocks - a->blocks));
	err = change(h, q, from, -(int64_t)a->inodes, -(int64_t)a->blocks);
	return err ? err : change(h, q, to, b->inodes, (int64_t)b->blocks);
}

int
ext4_quota_sync(struct jhandle *h, struct inode *i)
{
	struct ext4_super *s = h->s;
	struct ext4_counted *was = &ext4_i(i)->counted;
	struct ext4_counted now = { .uid = i->uid, .gid = i->gid };
	int err;

	if (!s->has_quota || (i->ino < s->first_ino && i->ino != EXT4_ROOT_INO))
		return 0;
	if (!ext4_i(i)->gone) {
		now.inodes = 1;
		now.blocks = i->blocks;
	}
	mutex_lock(&s->quota_lock);
	err = transfer(h, s->quotas[EXT4_QUOTA_USER], was, was->uid, &now,
		       now.uid);
	if (!err)
		err = transfer(h, s->quotas[EXT4_QUOTA_GROUP], was, was->gid,
			       &now, now.gid);
	if (!err)
		*was = now;
	mutex_unlock(&s->quota_lock);
	return err;
}

void
ext4_quota_loaded(struct inode *i)
{
	ext4_i(i)->counted = (struct ext4_counted){
		.uid = i->uid, .gid = i->gid, .inodes = 1, .blocks = i->blocks
	};
}
