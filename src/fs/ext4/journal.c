/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions in memory: handles, and which block belongs to which
 * transaction; see journal.h.
 *
 * The number of spare jbufs is never below the number of promised credits,
 * so that ext4_bwrite() does not allocate; the same promise keeps space in
 * the log.
 */
#include "journal.h"

#include "ext4.h"
#include "quota.h"

#include <abi/errno.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/hash.h>
#include <base/string.h>
#include <core/log.h>
#include <dev/blk.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>

#define SPARE_MAX 512u
/* Blocks behind one descriptor at the least: the pages that commit is sure
 * to have. */
#define GROUP_MIN 15u

/* ---- the hash ---- */

static struct hlist_head *
chain(struct journal *j, uint64_t block)
{
	return &j->hash[hash_u64(block) & ((1u << j->hash_bits) - 1)];
}

struct jbuf *
journal_find(struct journal *j, uint64_t block)
{
	struct hlist_node *n;

	hlist_for_each(n, chain(j, block)) {
		struct jbuf *jb = container_of(n, struct jbuf, hash);

		if (jb->block == block)
			return jb;
	}
	return NULL;
}

/* In no transaction any more. */
void
journal_drop(struct journal *j, struct jbuf *jb)
{
	assert(!jb->tx && !jb->ctx && !jb->ckpt);
	hlist_del(&jb->hash);
	page_put(jb->page);
	j->nbufs--;
	if (j->nspare < SPARE_MAX) {
		list_add(&j->spare, &jb->ckpt_link);
		j->nspare++;
	} else {
		kfree(jb);
	}
}

static struct jbuf *
make(struct journal *j, const struct ext4_buf *b)
{
	struct jbuf *jb;

	if (list_empty(&j->spare))
		return NULL;
	jb = list_first_entry(&j->spare, struct jbuf, ckpt_link);
	list_del(&jb->ckpt_link);
	j->nspare--;
	memset(jb, 0, sizeof(*jb));
	jb->block = b->block;
	jb->page = b->page;
	jb->data = b->data;
	page_get(b->page);
	list_init(&jb->link[0]);
	list_init(&jb->link[1]);
	list_init(&jb->ckpt_link);
	hlist_add(chain(j, b->block), &jb->hash);
	j->nbufs++;
	return jb;
}

/* ---- handles ---- */

/* Log blocks that t will take, at most. */
uint32_t
journal_need(const struct journal *j, const struct jtx *t)
{
	uint32_t n, per = (j->block_size - 20) / 8;

	if (!t)
		return 0;
	n = t->nbufs + t->credits;
	return n + n / GROUP_MIN + t->nrevokes / per + 4;
}

struct jtx *
journal_new_tx(struct journal *j)
{
	struct jtx *t = kzalloc(sizeof(*t), ALLOC_NOFS);

	if (!t)
		return NULL;
	t->j = j;
	list_init(&t->link);
	list_init(&t->bufs);
	list_init(&t->ckpt_bufs);
	t->credits = 1; /* the superblock: commit's own */
	return t;
}

/* So many more spare jbufs than promised credits.  Lock not held. */
static int
fill_spare(struct journal *j, uint32_t want)
{
	while (atomic_load_relaxed(&j->nspare) < want) {
		struct jbuf *jb = kzalloc(sizeof(*jb), ALLOC_NOFS);

		if (!jb)
			return -ENOMEM;
		spin_lock(&j->lock);
		list_add(&j->spare, &jb->ckpt_link);
		j->nspare++;
		spin_unlock(&j->lock);
	}
	return 0;
}

/* Credits promised by all who are at it. */
static uint32_t
promised(const struct journal *j)
{
	return j->running ? j->running->credits : 0;
}

enum join { JOINED, WAIT, COMMIT, SPACE, SPARE, NEW };

/* With the lock. */
static enum join
try_join(struct journal *j, uint32_t credits, uint32_t *arg)
{
	struct jtx *t = j->running;
	uint32_t need;

	if (!t)
		return NEW;
	if (t->locked)
		return WAIT;
	*arg = t->tid;
	if (t->nbufs + t->credits + credits > j->max_tx && t->nbufs)
		return COMMIT;
	need = journal_need(j, t) + journal_need(j, j->committing) + credits +
	       credits / GROUP_MIN;
	if (need > j->free ||
	    (j->nbufs > j->max_bufs && !list_empty(&j->ckpts))) {
		*arg = need;
		return SPACE;
	}
	*arg = promised(j) + credits;
	if (j->nspare < *arg)
		return SPARE;
	t->nhandles++;
	t->credits += credits;
	return JOINED;
}

static void
wait_unlocked(struct journal *j)
{
	struct wait_entry e;

	wait_start(&j->wq, &e, false);
	for (;;) {
		struct jtx *t;
		bool locked;

		spin_lock(&j->lock);
		t = j->running;
		locked = t && t->locked;
		spin_unlock(&j->lock);
		if (!locked)
			break;
		ignore(wait_sleep(&e, TIME_NEVER)); /* no signals */
	}
	wait_end(&j->wq, &e);
}

int
journal_start(struct ext4_super *s, uint32_t credits, struct jhandle *h)
{
	struct journal *j = s->journal;
	struct jtx *spare = NULL;
	enum join how = WAIT, before = WAIT;
	bool first = false;
	uint32_t arg = 0;
	int err = 0;

	if (!j || !j->writable)
		return -EROFS;
	if (s->has_quota)
		credits += EXT4_QUOTA_CREDITS;
	assert(!thread_current()->journal);
	while (!err) {
		if (atomic_load_relaxed(&j->err)) {
			err = -EROFS;
			break;
		}
		spin_lock(&j->lock);
		if (!j->running && spare) {
			spare->tid = j->next_tid++;
			j->running = spare;
			spare = NULL;
			first = true;
		}
		how = try_join(j, credits, &arg);
		if (how == JOINED) {
			h->tx = j->running;
			spin_unlock(&j->lock);
			break;
		}
		spin_unlock(&j->lock);
		switch (how) {
		case WAIT:
			wait_unlocked(j);
			break;
		case COMMIT:
			err = journal_commit(j, arg);
			break;
		case SPACE:
			err = journal_make_space(j, arg);
			/* It may be all promised to handles that have changed
			 * nothing yet: let them go on. */
			if (how == before)
				thread_yield();
			break;
		case SPARE:
			err = fill_spare(j, arg);
			break;
		case NEW:
			spare = journal_new_tx(j);
			err = spare ? 0 : -ENOMEM;
			break;
		case JOINED:
			break;
		}
		before = how;
	}
	kfree(spare);
	if (err)
		return err;
	h->s = s;
	h->credits = credits;
	thread_current()->journal = h;
	if (first)
		super_want_commit(&s->sb);
	return 0;
}

int
journal_start_closed(struct ext4_super *s, uint32_t credits, struct jhandle *h)
{
	struct journal *j = s->journal;
	struct jtx *t = j->running;
	int err;

	if (s->has_quota)
		credits += EXT4_QUOTA_CREDITS;
	assert(!thread_current()->journal);
	err = fill_spare(j, promised(j) + credits);
	if (err)
		return err;
	spin_lock(&j->lock);
	if (journal_need(j, t) + credits + credits / GROUP_MIN > j->free) {
		err = -ENOSPC;
	} else {
		t->nhandles++;
		t->credits += credits;
	}
	spin_unlock(&j->lock);
	if (err)
		return err;
	*h = (struct jhandle){ .s = s, .tx = t, .credits = credits };
	thread_current()->journal = h;
	return 0;
}

void
journal_stop(struct jhandle *h)
{
	struct journal *j = h->s->journal;
	struct jtx *t = h->tx;
	bool wake;

	spin_lock(&j->lock);
	t->credits -= h->credits;
	wake = --t->nhandles == 0 && t->locked;
	spin_unlock(&j->lock);
	thread_current()->journal = NULL;
	h->tx = NULL;
	if (wake)
		wait_wake_all(&j->wq, 0);
}

int
journal_extend(struct jhandle *h, uint32_t credits)
{
	struct journal *j = h->s->journal;
	struct jtx *t = h->tx;
	uint32_t need;
	int err = 0;

	if (h->credits >= credits)
		return 0;
	credits -= h->credits;
	spin_lock(&j->lock);
	need = journal_need(j, t) + journal_need(j, j->committing) + credits +
	       credits / GROUP_MIN;
	if (t->locked || t->nbufs + t->credits + credits > j->max_tx ||
	    need > j->free || j->nspare < promised(j) + credits) {
		err = -EAGAIN;
	} else {
		t->credits += credits;
		h->credits += credits;
	}
	spin_unlock(&j->lock);
	return err;
}

int
journal_restart(struct jhandle *h, uint32_t credits)
{
	struct ext4_super *s = h->s;

	journal_stop(h);
	return journal_start(s, credits, h);
}

uint32_t
journal_tid(const struct jhandle *h)
{
	return h->tx->tid;
}

uint32_t
journal_newest_tid(struct journal *j)
{
	uint32_t tid;

	spin_lock(&j->lock);
	if (j->running)
		tid = j->running->tid;
	else if (j->committing)
		tid = j->committing->tid;
	else
		tid = atomic_load_relaxed(&j->committed);
	spin_unlock(&j->lock);
	return tid;
}

bool
journal_committed(const struct journal *j, uint32_t tid)
{
	return (int32_t)(atomic_load_acquire(&j->committed) - tid) >= 0;
}

/* ---- blocks ---- */

/* A block that commit still has to copy: until it has.  Lock held, and given
 * up meanwhile. */
static void
wait_copied(struct journal *j, uint64_t block)
{
	struct wait_entry e;

	spin_unlock(&j->lock);
	wait_start(&j->wq, &e, false);
	for (;;) {
		struct jbuf *jb;
		bool waits;

		spin_lock(&j->lock);
		jb = journal_find(j, block);
		waits = jb && jb->ctx && jb->uncopied;
		if (!waits)
			break;
		spin_unlock(&j->lock);
		ignore(wait_sleep(&e, TIME_NEVER)); /* no signals */
	}
	spin_unlock(&j->lock);
	wait_end(&j->wq, &e);
	spin_lock(&j->lock);
}

/* Puts jb into the handle's transaction.  With the lock. */
static int
add_to_tx(struct journal *j, struct jhandle *h, struct jbuf *jb)
{
	struct jtx *t = h->tx;

	if (jb->tx == t)
		return 0;
	if (!h->credits)
		return -EIO;
	h->credits--;
	t->credits--;
	jb->tx = t;
	jb->forget = false;
	list_add_tail(&t->bufs, &jb->link[t->tid & 1]);
	t->nbufs++;
	(void)j;
	return 0;
}

int
ext4_bwrite(struct jhandle *h, const struct ext4_buf *b, enum jkind kind,
	    uint32_t seed)
{
	struct journal *j = h->s->journal;
	struct jbuf *jb;
	int err;

	spin_lock(&j->lock);
	jb = journal_find(j, b->block);
	while (unlikely(jb && jb->ctx && jb->uncopied)) {
		wait_copied(j, b->block);
		jb = journal_find(j, b->block);
	}
	if (!jb)
		jb = h->credits ? make(j, b) : NULL;
	err = jb ? add_to_tx(j, h, jb) : -EIO;
	if (!err && jb->forget)
		err = -EIO;
	if (!err) {
		jb->kind = (uint8_t)kind;
		jb->seed = seed;
	} else if (jb && !jb->tx && !jb->ctx && !jb->ckpt) {
		journal_drop(j, jb);
	}
	spin_unlock(&j->lock);
	if (err)
		log_err("ext4: a handle of too few blocks");
	else
		ext4_buf_set_checked(h->s, b, b->block);
	return err;
}

/*
 * Memory for a note of what was freed, which must not fail half way through
 * an operation: without any, a spare jbuf and the credit that it was for.
 */
static void *
new_note(struct jhandle *h, size_t size)
{
	struct journal *j = h->s->journal;
	struct jbuf *jb = NULL;
	void *p = kmalloc(size, ALLOC_NOFS);

	static_assert(sizeof(struct jrevoke) <= sizeof(struct jbuf) &&
			      sizeof(struct jfreed) <= sizeof(struct jbuf),
		      "a spare jbuf holds a note");
	if (p)
		return p;
	spin_lock(&j->lock);
	if (h->credits && !list_empty(&j->spare)) {
		jb = list_first_entry(&j->spare, struct jbuf, ckpt_link);
		list_del(&jb->ckpt_link);
		j->nspare--;
		h->credits--;
		h->tx->credits--;
	}
	spin_unlock(&j->lock);
	return jb;
}

int
journal_forget(struct jhandle *h, uint64_t block)
{
	struct journal *j = h->s->journal;
	struct jrevoke *r = new_note(h, sizeof(*r));
	struct jbuf *jb;
	int err = 0;

	if (!r)
		return -ENOMEM;
	spin_lock(&j->lock);
	jb = journal_find(j, block);
	if (jb) {
		err = add_to_tx(j, h, jb);
		if (!err)
			jb->forget = true;
	}
	if (!err) {
		r->block = block;
		r->next = h->tx->revokes;
		h->tx->revokes = r;
		h->tx->nrevokes++;
		r = NULL;
	}
	spin_unlock(&j->lock);
	kfree(r);
	return err;
}

int
journal_note_freed(struct jhandle *h, uint64_t start, uint32_t len)
{
	struct journal *j = h->s->journal;
	struct jfreed *f, *n = NULL;
	bool merged = false;

	for (;;) {
		spin_lock(&j->lock);
		f = h->tx->freed;
		if (f && f->start + f->len == start) {
			f->len += len;
			merged = true;
		} else if (f && start + len == f->start) {
			f->start = start;
			f->len += len;
			merged = true;
		} else if (n) {
			n->start = start;
			n->len = len;
			n->next = f;
			h->tx->freed = n;
			n = NULL;
			merged = true;
		}
		spin_unlock(&j->lock);
		if (merged)
			break;
		n = new_note(h, sizeof(*n));
		if (!n)
			return -ENOMEM;
	}
	kfree(n);
	return 0;
}

/* ---- taking a transaction back ---- */

/* Its blocks are copied to the log, which the running one's will write over.
 * A block freed in t is nobody else's yet, so a revoke of t's stays true. */
static void
absorb_blocks(struct jtx *t, struct jtx *into)
{
	while (!list_empty(&t->bufs)) {
		struct jbuf *jb =
			list_entry(t->bufs.next, struct jbuf, link[t->tid & 1]);

		list_del(&jb->link[t->tid & 1]);
		list_init(&jb->link[t->tid & 1]);
		jb->ctx = NULL;
		if (jb->tx == into)
			continue;
		jb->tx = into;
		list_add_tail(&into->bufs, &jb->link[into->tid & 1]);
		into->nbufs++;
	}
}

void
journal_absorb(struct journal *j, struct jtx *t)
{
	struct jtx *into = j->running;
	struct jrevoke **r = &t->revokes;
	struct jfreed **f = &t->freed;

	assert(((t->tid ^ into->tid) & 1) && !t->data_io);
	spin_lock(&j->lock);
	absorb_blocks(t, into);
	while (*r)
		r = &(*r)->next;
	*r = into->revokes;
	into->revokes = t->revokes;
	into->nrevokes += t->nrevokes;
	while (*f)
		f = &(*f)->next;
	*f = into->freed;
	into->freed = t->freed;
	j->committing = NULL;
	spin_unlock(&j->lock);
	kfree(t);
}

/* ---- file data ---- */

struct jtx *
journal_data_start(struct jhandle *h)
{
	atomic_add(&h->tx->data_io, 1);
	return h->tx;
}

void
journal_data_end(struct jtx *tx, int err)
{
	struct journal *j = tx->j;

	if (err)
		atomic_store_relaxed(&tx->data_err, err);
	/* After the last one tx may be gone. */
	if (atomic_sub(&tx->data_io, 1) == 0 && waitq_active(&j->wq))
		wait_wake_all(&j->wq, 0);
}

void
journal_abort(struct journal *j, int err)
{
	int none = 0;

	if (!atomic_cas(&j->err, &none, err))
		return;
	log_err("ext4 %s: journal aborted (error %d): read-only from now on",
		j->s->dev->name, -err);
	j->s->sb.flags |= 1; /* MS_RDONLY */
	wait_wake_all(&j->wq, 0);
}
