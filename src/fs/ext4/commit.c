/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commit.  It runs in the thread that asks for it, one at a time
 * (commit_lock).
 *
 * No new handles; the open ones end; the blocks' copies go to the log in
 * groups of a descriptor and what it describes; file data in flight comes in;
 * a flush; the commit block; a flush.  As soon as the handles have ended the
 * next transaction may begin: only who changes a block that is not yet copied
 * waits for the copy.
 */
#include "ext4.h"
#include "jdisk.h"
#include "journal.h"
#include "journal_priv.h"

#include <abi/errno.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/endian.h>
#include <base/hash.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <dev/blk.h>
#include <fs/bdev.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>

/* ---- our I/O ---- */

static void
io_done(struct bio *b)
{
	struct journal *j = b->arg;

	if (b->status)
		atomic_store_relaxed(&j->io_err, b->status);
	bio_free(b);
	if (atomic_sub(&j->io, 1) == 0 && waitq_active(&j->wq))
		wait_wake_all(&j->wq, 0);
}

static void
wait_counter(struct journal *j, const uint32_t *n)
{
	struct wait_entry e;

	if (!atomic_load_acquire(n))
		return;
	wait_start(&j->wq, &e, false);
	while (atomic_load_acquire(n))
		ignore(wait_sleep(&e, TIME_NEVER)); /* no signals */
	wait_end(&j->wq, &e);
}

int
journal_wait_io(struct journal *j)
{
	wait_counter(j, &j->io);
	return atomic_load_relaxed(&j->io_err);
}

static struct bio *
start_bio(struct journal *j, uint64_t block, unsigned nvecs)
{
	struct bio *b = bio_alloc(nvecs, ALLOC_NOIO); /* waits, never NULL */

	b->dev = j->s->dev;
	b->op = BIO_WRITE;
	b->sector = block << (j->block_shift - BLK_SECTOR_SHIFT);
	b->done = io_done;
	b->arg = j;
	return b;
}

static void
submit(struct journal *j, struct bio *b)
{
	if (!b)
		return;
	atomic_add(&j->io, 1);
	bio_submit(b);
}

/* Writes each page's first block to its place; places are ascending, and
 * those that follow one another go in one request. */
void
journal_write_blocks(struct journal *j, struct page **pages,
		     const uint64_t *blocks, unsigned n)
{
	unsigned max = j->s->dev->max_vecs ? j->s->dev->max_vecs : 1;
	struct bio *b = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (b && (blocks[i] != blocks[i - 1] + 1 || b->nvecs >= max ||
			  bio_add(b, pages[i], 0, j->block_size))) {
			submit(j, b);
			b = NULL;
		} else if (b) {
			continue;
		}
		b = start_bio(j, blocks[i], n - i < max ? n - i : max);
		ignore(bio_add(b, pages[i], 0, j->block_size)); /* is empty */
	}
	submit(j, b);
}

/* ---- the journal's superblock ---- */

int
journal_write_super(struct journal *j)
{
	struct jbd2_super *d = (void *)j->super;
	uint64_t block = journal_block(j, 0);
	struct page *p = j->commit_page;

	d->s_sequence = cpu_to_be32(j->tail_tid);
	d->s_start = cpu_to_be32(j->empty ? 0 : j->tail);
	d->s_errno = cpu_to_be32((uint32_t)j->err);
	if (j->csum) {
		d->s_checksum = 0;
		d->s_checksum = cpu_to_be32(crc32c(~0u, d, sizeof(*d)));
	}
	memcpy(page_addr(p), j->super, j->block_size);
	atomic_store_relaxed(&j->io_err, 0);
	journal_write_blocks(j, &p, &block, 1);
	return journal_wait_io(j);
}

/* The oldest transaction that the log must keep has changed: what it gave up
 * may be overwritten once the disk knows. */
int
journal_update_tail(struct journal *j)
{
	uint32_t tail = j->head, tid = atomic_load_relaxed(&j->committed) + 1;
	uint32_t freed;
	int err;

	spin_lock(&j->lock);
	if (!list_empty(&j->ckpts)) {
		struct jtx *t = list_first_entry(&j->ckpts, struct jtx, link);

		tail = t->log_start;
		tid = t->tid;
	}
	spin_unlock(&j->lock);
	if (tail == j->tail)
		return 0;
	freed = tail > j->tail ? tail - j->tail :
				 tail + (j->last - j->first) - j->tail;
	err = bdev_flush(j->s->dev);
	j->tail = tail;
	j->tail_tid = tid;
	if (!err)
		err = journal_write_super(j);
	if (!err)
		err = bdev_flush(j->s->dev);
	if (err)
		return err;
	spin_lock(&j->lock);
	j->free += freed;
	spin_unlock(&j->lock);
	return 0;
}

/* ---- commit ---- */

static uint32_t
next_log_block(struct journal *j)
{
	uint32_t b = j->head++;

	if (j->head == j->last)
		j->head = j->first;
	spin_lock(&j->lock);
	j->free--;
	spin_unlock(&j->lock);
	return b;
}

static void
put_header(void *block, enum jbd2_type type, uint32_t tid)
{
	struct jbd2_header *h = block;

	h->h_magic = cpu_to_be32(JBD2_MAGIC);
	h->h_blocktype = cpu_to_be32(type);
	h->h_sequence = cpu_to_be32(tid);
}

/* Copies jb's block for the log; the checksum that it carries inside is
 * brought up to date first.  true: its first word must be escaped. */
static bool
copy_block(struct journal *j, struct jbuf *jb, void *to)
{
	uint32_t magic = cpu_to_be32(JBD2_MAGIC);
	bool escape;

	spin_lock(&j->lock);
	ext4_block_csum_set(j->s, jb->kind, jb->seed, jb->block, jb->data);
	memcpy(to, jb->data, j->block_size);
	jb->uncopied = false;
	spin_unlock(&j->lock);
	escape = !memcmp(to, &magic, sizeof(magic));
	if (escape)
		memset(to, 0, sizeof(magic));
	return escape;
}

static void
put_tag(struct journal *j, uint8_t *at, uint64_t block, uint32_t flags,
	uint32_t tid, const void *data)
{
	uint32_t be = cpu_to_be32(tid), c = 0;

	if (j->csum) {
		c = crc32c(j->csum_seed, &be, sizeof(be));
		c = crc32c_padded(c, data, j->block_size);
	}
	if (j->incompat & JBD2_INCOMPAT_CSUM_V3) {
		struct jbd2_tag3 t = {
			.t_blocknr = cpu_to_be32((uint32_t)block),
			.t_flags = cpu_to_be32(flags),
			.t_blocknr_high = cpu_to_be32((uint32_t)(block >> 32)),
			.t_checksum = cpu_to_be32(c),
		};

		memcpy(at, &t, sizeof(t));
	} else {
		struct jbd2_tag t = {
			.t_blocknr = cpu_to_be32((uint32_t)block),
			.t_checksum = cpu_to_be16((uint16_t)c),
			.t_flags = cpu_to_be16((uint16_t)flags),
			.t_blocknr_high = cpu_to_be32((uint32_t)(block >> 32)),
		};

		memcpy(at, &t, j->tag_bytes < 12 ? 8 : 12);
	}
}

/* Of a block whose bytes from used on are zeroes. */
static void
put_tail_csum(struct journal *j, uint8_t *block, size_t used)
{
	size_t at = j->block_size - 4;
	uint32_t c;

	if (!j->csum)
		return;
	c = crc32c(j->csum_seed, block, used);
	c = cpu_to_be32(crc32c_zeros(c, j->block_size - used));
	memcpy(block + at, &c, 4);
}

struct group *
journal_group_alloc(void)
{
	return kzalloc(sizeof(struct group), ALLOC_KERNEL);
}

/* Pages for up to want blocks and their descriptor. */
static int
group_pages(struct journal *j, struct group *g, unsigned want)
{
	unsigned n = 0;
	int err;

	if (want > GROUP_MAX)
		want = GROUP_MAX;
	g->own = want < j->npages;
	while (!g->own && n <= want) {
		g->pages[n] = page_alloc(0, ALLOC_ATOMIC);
		if (!g->pages[n])
			break;
		n++;
	}
	if (!g->own && n < j->npages) {
		while (n)
			page_put(g->pages[--n]);
		g->own = true;
	}
	if (g->own) {
		/* Whoever used them last must have ended. */
		err = journal_wait_io(j);
		if (err)
			return err;
		memcpy(g->pages, j->pages, j->npages * sizeof(*j->pages));
		n = j->npages;
	}
	g->max = n - 1;
	return 0;
}

/* The next blocks of t from *at on as one group; *at moves on. */
static int
write_group(struct journal *j, struct jtx *t, struct group *g, struct list **at)
{
	unsigned par = t->tid & 1;
	unsigned room = j->block_size - 12 - 16 - (j->csum ? 4 : 0);
	unsigned fit = room / j->tag_bytes, n = 0;
	uint8_t *desc = page_addr(g->pages[0]), *tag = desc + 12, *last = NULL;

	memset(desc, 0, j->block_size);
	put_header(desc, JBD2_DESCRIPTOR, t->tid);
	g->blocks[0] = journal_block(j, next_log_block(j));
	while (*at != &t->bufs && n < g->max && n < fit) {
		struct jbuf *jb = list_entry(*at, struct jbuf, link[par]);
		uint32_t flags = n ? JBD2_TAG_SAME_UUID : 0;

		*at = (*at)->next;
		if (jb->skip) {
			spin_lock(&j->lock);
			jb->uncopied = false;
			spin_unlock(&j->lock);
			continue;
		}
		n++;
		if (copy_block(j, jb, page_addr(g->pages[n])))
			flags |= JBD2_TAG_ESCAPE;
		put_tag(j, tag, jb->block, flags, t->tid,
			page_addr(g->pages[n]));
		last = tag;
		tag += j->tag_bytes;
		if (n == 1) { /* the first is followed by the UUID */
			memcpy(tag,
			       ((struct jbd2_super *)(void *)j->super)->s_uuid,
			       16);
			tag += 16;
		}
		g->blocks[n] = journal_block(j, next_log_block(j));
	}
	if (last) /* the flags' low byte: at 7 in both forms, big-endian */
		last[7] |= JBD2_TAG_LAST;
	put_tail_csum(j, desc, (size_t)(tag - desc));
	g->n = n + 1;
	if (waitq_active(&j->wq))
		wait_wake_all(&j->wq, 0); /* those that waited for copies */
	return 0;
}

static unsigned
count_written(struct jtx *t)
{
	unsigned par = t->tid & 1, n = 0;
	struct list *p;

	list_for_each(p, &t->bufs) {
		struct jbuf *jb = list_entry(p, struct jbuf, link[par]);

		n += !jb->skip;
	}
	return n;
}

static int
write_blocks(struct journal *j, struct jtx *t, struct group *g)
{
	struct list *at = t->bufs.next;
	unsigned left = count_written(t);
	int err = 0;

	while (left && !err) {
		err = group_pages(j, g, left);
		if (err)
			break;
		err = write_group(j, t, g, &at);
		journal_write_blocks(j, g->pages, g->blocks, g->n);
		left -= g->n - 1;
		if (!g->own) {
			err = journal_wait_io(j);
			for (unsigned i = 0; i <= g->max; i++)
				page_put(g->pages[i]);
		}
	}
	return err;
}

static int
write_revokes(struct journal *j, struct jtx *t, struct group *g)
{
	bool wide = j->incompat & JBD2_INCOMPAT_64BIT;
	struct jrevoke *r = t->revokes;
	unsigned size = wide ? 8 : 4;
	unsigned end = j->block_size - (j->csum ? 4 : 0);
	int err = 0;

	while (r && !err) {
		uint8_t *p;
		uint32_t used = 16, count;

		err = group_pages(j, g, 1);
		if (err)
			break;
		p = page_addr(g->pages[0]);
		memset(p, 0, j->block_size);
		put_header(p, JBD2_REVOKE, t->tid);
		for (; r && used + size <= end; r = r->next, used += size) {
			uint64_t b8 = cpu_to_be64(r->block);
			uint32_t b4 = cpu_to_be32((uint32_t)r->block);

			memcpy(p + used, wide ? (void *)&b8 : (void *)&b4,
			       size);
		}
		count = cpu_to_be32(used);
		memcpy(p + 12, &count, 4);
		put_tail_csum(j, p, used);
		g->blocks[0] = journal_block(j, next_log_block(j));
		journal_write_blocks(j, g->pages, g->blocks, 1);
	}
	return err;
}

static int
write_commit_block(struct journal *j, uint32_t tid)
{
	uint64_t now = clock_real_ns(), block;
	struct page *p = j->commit_page;
	struct jbd2_commit *c = page_addr(p);

	memset(c, 0, j->block_size);
	put_header(c, JBD2_COMMIT, tid);
	c->h_commit_sec = cpu_to_be64(now / NSEC_PER_SEC);
	c->h_commit_nsec = cpu_to_be32((uint32_t)(now % NSEC_PER_SEC));
	if (j->csum) {
		uint32_t sum = crc32c(j->csum_seed, c, sizeof(*c));

		sum = crc32c_zeros(sum, j->block_size - sizeof(*c));
		c->h_chksum[0] = cpu_to_be32(sum);
	}
	block = journal_block(j, next_log_block(j));
	journal_write_blocks(j, &p, &block, 1);
	return journal_wait_io(j);
}

/* No handle of t is open after this, and none comes. */
static void
close_tx(struct journal *j, struct jtx *t)
{
	struct wait_entry e;

	spin_lock(&j->lock);
	t->locked = true;
	spin_unlock(&j->lock);
	wait_start(&j->wq, &e, false);
	while (atomic_load_acquire(&t->nhandles))
		ignore(wait_sleep(&e, TIME_NEVER)); /* no signals */
	wait_end(&j->wq, &e);
}

/* t, which is closed, is the committing transaction; the next may begin. */
static void
take_tx(struct journal *j, struct jtx *t)
{
	unsigned par = t->tid & 1;
	struct list *p;

	ext4_precommit(j->s, t);
	spin_lock(&j->lock);
	t->credits = 0;
	list_for_each(p, &t->bufs) {
		struct jbuf *jb = list_entry(p, struct jbuf, link[par]);

		jb->tx = NULL;
		jb->ctx = t;
		jb->uncopied = true;
		jb->skip = jb->forget;
	}
	j->committing = t;
	j->running = NULL;
	spin_unlock(&j->lock);
	wait_wake_all(&j->wq, 0);
}

void
journal_leave_ckpt(struct jbuf *jb)
{
	if (!jb->ckpt)
		return;
	list_del(&jb->ckpt_link);
	list_init(&jb->ckpt_link);
	jb->ckpt = NULL;
}

static void
free_tx(struct jtx *t)
{
	struct jrevoke *r;
	struct jfreed *f;

	while ((r = t->revokes)) {
		t->revokes = r->next;
		kfree(r);
	}
	while ((f = t->freed)) {
		t->freed = f->next;
		kfree(f);
	}
	kfree(t);
}

/* Transactions whose blocks are all in their places. */
void
journal_trim_ckpts(struct journal *j)
{
	spin_lock(&j->lock);
	while (!list_empty(&j->ckpts)) {
		struct jtx *t = list_first_entry(&j->ckpts, struct jtx, link);

		if (!list_empty(&t->ckpt_bufs))
			break;
		list_del(&t->link);
		free_tx(t);
	}
	spin_unlock(&j->lock);
}

/* t is on the disk, or (err) never will be. */
static void
finish(struct journal *j, struct jtx *t, int err)
{
	unsigned par = t->tid & 1;
	struct jfreed *f;

	spin_lock(&j->lock);
	while (!list_empty(&t->bufs)) {
		struct jbuf *jb =
			list_entry(t->bufs.next, struct jbuf, link[par]);

		list_del(&jb->link[par]);
		list_init(&jb->link[par]);
		jb->ctx = NULL;
		jb->uncopied = false;
		journal_leave_ckpt(jb);
		if (jb->forget && !jb->tx) {
			journal_drop(j, jb);
			continue;
		}
		jb->ckpt = t;
		list_add_tail(&t->ckpt_bufs, &jb->ckpt_link);
	}
	list_add_tail(&j->ckpts, &t->link);
	j->committing = NULL;
	if (!err)
		atomic_store_release(&j->committed, t->tid);
	f = t->freed;
	t->freed = NULL;
	spin_unlock(&j->lock);
	while (f) {
		struct jfreed *next = f->next;

		ext4_freed(j->s, f->start, f->len);
		kfree(f);
		f = next;
	}
	journal_trim_ckpts(j);
	wait_wake_all(&j->wq, 0);
}

/* All of t but its commit block, and the data that it shows. */
static int
write_tx(struct journal *j, struct jtx *t, const struct page_range *data)
{
	struct group *g = j->group;
	int err;

	t->log_start = j->head;
	atomic_store_relaxed(&j->io_err, 0);
	err = write_blocks(j, t, g);
	if (!err)
		err = write_revokes(j, t, g);
	if (!err)
		err = journal_wait_io(j);
	else
		ignore(journal_wait_io(j)); /* err is the first one */
	wait_counter(j, &t->data_io);
	if (data)
		page_range_wait(data);
	return err;
}

/* The log is as it was before t was written. */
static void
rewind_log(struct journal *j, uint32_t to)
{
	uint32_t n = j->head >= to ? j->head - to :
				     j->head + (j->last - j->first) - to;

	j->head = to;
	spin_lock(&j->lock);
	j->free += n;
	spin_unlock(&j->lock);
}

/* The running transaction, closed; made where there is none. */
static struct jtx *
close_running(struct journal *j)
{
	struct jtx *t, *spare = NULL;

	if (!j->running) {
		spare = journal_new_tx(j);
		if (!spare)
			return NULL;
	}
	spin_lock(&j->lock);
	if (!j->running) {
		spare->tid = j->next_tid++;
		j->running = spare;
		spare = NULL;
	}
	t = j->running;
	spin_unlock(&j->lock);
	kfree(spare);
	close_tx(j, t);
	return t;
}

/*
 * The device refused data of *t, whose blocks are in the log and say that it
 * is there.  All of *t goes over to the transaction that runs, where that is
 * put right; then this one is written in *t's place, behind a commit block
 * that keeps the sequence of the log.
 */
static int
without_lost_data(struct journal *j, struct jtx **t)
{
	uint32_t start = (*t)->log_start, tid = (*t)->tid;
	struct jtx *next = close_running(j);
	int err;

	if (!next)
		return -ENOMEM;
	wait_counter(j, &next->data_io);
	journal_absorb(j, *t);
	rewind_log(j, start);
	err = ext4_lost_unwrite(j->s);
	take_tx(j, next);
	*t = next;
	if (!err)
		err = write_commit_block(j, tid);
	if (!err)
		err = write_tx(j, next, NULL);
	return err;
}

int
journal_commit_tx(struct journal *j, struct jtx *t,
		  const struct page_range *data)
{
	uint32_t start = j->head, first = t->tid;
	int err;

	close_tx(j, t);
	take_tx(j, t);
	err = write_tx(j, t, data);
	if (!err && unlikely(atomic_load_relaxed(&t->data_err))) {
		log_warn("ext4 %s: data of files could not be written (error "
			 "%d): it reads as zeroes",
			 j->s->dev->name, -t->data_err);
		err = without_lost_data(j, &t);
	}
	if (!err && j->empty) {
		j->empty = false;
		j->tail = start;
		j->tail_tid = first;
		err = journal_write_super(j);
	}
	if (!err)
		err = bdev_flush(j->s->dev);
	if (!err)
		err = write_commit_block(j, t->tid);
	if (!err)
		err = bdev_flush(j->s->dev);
	finish(j, t, err);
	if (err)
		journal_abort(j, err);
	return err;
}

int
journal_commit(struct journal *j, uint32_t tid)
{
	struct jtx *t;
	int err = 0;

	if (!tid)
		tid = journal_newest_tid(j);
	if (journal_committed(j, tid))
		return 0;
	mutex_lock(&j->commit_lock);
	t = j->running; /* ours alone to take away */
	if (!journal_committed(j, tid)) {
		err = atomic_load_relaxed(&j->err);
		if (!err && t && t->tid == tid)
			err = journal_commit_tx(j, t, NULL);
		else if (!err)
			err = -EIO;
	}
	mutex_unlock(&j->commit_lock);
	return err;
}

void
journal_drop_all(struct journal *j)
{
	struct jtx *txs[2] = { j->committing, j->running };

	spin_lock(&j->lock);
	for (unsigned b = 0; b < 1u << j->hash_bits; b++) {
		struct hlist_node *n;

		while ((n = j->hash[b].first)) {
			struct jbuf *jb = container_of(n, struct jbuf, hash);

			jb->tx = jb->ctx = jb->ckpt = NULL;
			journal_drop(j, jb);
		}
	}
	spin_unlock(&j->lock);
	while (!list_empty(&j->ckpts)) {
		struct jtx *t = list_first_entry(&j->ckpts, struct jtx, link);

		list_del(&t->link);
		free_tx(t);
	}
	for (unsigned k = 0; k < 2; k++)
		if (txs[k])
			free_tx(txs[k]);
	j->running = j->committing = NULL;
}

/*
 * Where nobody is committing, data that is being written goes to the device
 * together with the log, and the commit waits for both.  false: it is not so,
 * or there is nothing to commit.
 */
static bool
commit_with(struct journal *j, uint32_t tid, const struct page_range *data,
	    int *err)
{
	bool mine;

	if (journal_committed(j, tid) || !mutex_trylock(&j->commit_lock))
		return false;
	mine = j->running && j->running->tid == tid &&
	       !atomic_load_relaxed(&j->err);
	if (mine)
		*err = journal_commit_tx(j, j->running, data);
	mutex_unlock(&j->commit_lock);
	return mine;
}

int
journal_sync(struct journal *j, uint32_t tid, const struct page_range *data)
{
	bool flushes;
	int err;

	if (data && commit_with(j, tid, data, &err))
		return err;
	if (data)
		page_range_wait(data);
	/* A commit that begins after this moment flushes what was written
	 * before it; one that is under way may have done so already. */
	spin_lock(&j->lock);
	if (!tid && j->running)
		tid = j->running->tid;
	flushes = j->running && j->running->tid == tid && !j->running->locked;
	spin_unlock(&j->lock);
	err = journal_commit(j, tid);
	if (!err && !flushes)
		err = bdev_flush(j->s->dev);
	return err;
}
