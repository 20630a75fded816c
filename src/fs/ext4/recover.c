/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's superblock, and playing the log back at mount.
 *
 * Three passes over the log, as the format wants: find its end, collect what
 * later transactions revoked, write the rest to its places.  Everything in
 * the log is input from outside: a block number is checked against the file
 * system, a count against its block, and the walk ends after as many blocks
 * as the log has.
 */
#include "ext4.h"
#include "jdisk.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/endian.h>
#include <base/hash.h>
#include <base/string.h>
#include <core/log.h>
#include <dev/blk.h>
#include <fs/bdev.h>
#include <mem/heap.h>
#include <mem/page.h>

#define MAX_RUNS    4096u
#define MAX_REVOKES (1u << 20)

uint64_t
journal_block(const struct journal *j, uint32_t log_block)
{
	unsigned low = 0, high = j->nruns;

	while (high - low > 1) {
		unsigned mid = (low + high) / 2;

		if (j->runs[mid].first <= log_block)
			low = mid;
		else
			high = mid;
	}
	return j->runs[low].pblk + (log_block - j->runs[low].first);
}

static int
refuse(struct journal *j, const char *why)
{
	log_err("ext4 %s: journal cannot be used: %s", j->s->dev->name, why);
	return -EUCLEAN;
}

/* Where the journal's blocks lie: all of them, without holes. */
static int
find_runs(struct journal *j, struct inode *i)
{
	uint32_t n = (uint32_t)(i->size >> j->block_shift), at = 0;

	if (i->size >> j->block_shift > UINT32_MAX / 2 || n < 256)
		return refuse(j, "its size");
	while (at < n) {
		struct ext4_map m;
		int err = ext4_map_block(i, at, &m);

		if (err)
			return err;
		if (!m.pblk)
			return refuse(j, "a hole in it");
		if (j->nruns == MAX_RUNS)
			return refuse(j, "too many pieces");
		if (!(j->nruns & (j->nruns - 1))) {
			unsigned room = j->nruns ? j->nruns * 2 : 1;
			struct jrun *r =
				kcalloc(room, sizeof(*r), ALLOC_KERNEL);

			if (!r)
				return -ENOMEM;
			if (j->runs)
				memcpy(r, j->runs, j->nruns * sizeof(*r));
			kfree(j->runs);
			j->runs = r;
		}
		if (m.len > n - at)
			m.len = n - at;
		j->runs[j->nruns++] = (struct jrun){ at, m.len, m.pblk };
		at += m.len;
	}
	j->last = n;
	return 0;
}

static int
read_super(struct journal *j)
{
	struct jbd2_super *d = (void *)j->super;
	uint32_t type, maxlen, c, stored;
	int err;

	err = blk_read(j->s->dev, journal_block(j, 0) << j->block_shift,
		       j->super, j->block_size);
	if (err)
		return err;
	type = be32_to_cpu(d->s_header.h_blocktype);
	if (be32_to_cpu(d->s_header.h_magic) != JBD2_MAGIC ||
	    (type != JBD2_SUPER_V1 && type != JBD2_SUPER_V2))
		return refuse(j, "its superblock");
	maxlen = be32_to_cpu(d->s_maxlen);
	j->first = be32_to_cpu(d->s_first);
	if (be32_to_cpu(d->s_blocksize) != j->block_size || maxlen < 256 ||
	    maxlen > j->last || !j->first || j->first >= maxlen - 128)
		return refuse(j, "its geometry");
	j->last = maxlen;
	if (type == JBD2_SUPER_V2) {
		j->compat = be32_to_cpu(d->s_feature_compat);
		j->incompat = be32_to_cpu(d->s_feature_incompat);
		if (d->s_feature_ro_compat)
			return refuse(j, "features that are not known");
	}
	if (j->incompat & ~(JBD2_INCOMPAT_KNOWN | JBD2_INCOMPAT_FAST_COMMIT)) {
		log_err("ext4 %s: journal features 0x%x are not supported",
			j->s->dev->name, j->incompat & ~JBD2_INCOMPAT_KNOWN);
		return -EINVAL;
	}
	if ((j->incompat & JBD2_INCOMPAT_FAST_COMMIT) && d->s_start) {
		log_err("ext4 %s: journal feature fast_commit is not "
			"supported: e2fsck must play the log back",
			j->s->dev->name);
		return -EINVAL;
	}
	if ((j->incompat & (JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3)) ==
	    (JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3))
		return refuse(j, "two kinds of checksums");
	j->csum = j->incompat & (JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3);
	if (j->csum) {
		if (d->s_checksum_type != JBD2_CRC32C)
			return refuse(j, "a checksum that is not known");
		stored = be32_to_cpu(d->s_checksum);
		d->s_checksum = 0;
		c = crc32c(~0u, d, sizeof(*d));
		d->s_checksum = cpu_to_be32(stored);
		if (c != stored)
			return refuse(j, "its superblock's checksum");
	}
	j->tail = be32_to_cpu(d->s_start);
	j->tail_tid = be32_to_cpu(d->s_sequence);
	j->empty = !j->tail;
	if (j->tail && (j->tail < j->first || j->tail >= j->last))
		return refuse(j, "the start of its log");
	return 0;
}

/* What follows from the features. */
static void
set_layout(struct journal *j)
{
	struct jbd2_super *d = (void *)j->super;

	j->csum = j->incompat & (JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3);
	j->csum_seed = crc32c(~0u, d->s_uuid, sizeof(d->s_uuid));
	if (j->incompat & JBD2_INCOMPAT_CSUM_V3)
		j->tag_bytes = sizeof(struct jbd2_tag3);
	else
		j->tag_bytes = (j->incompat & JBD2_INCOMPAT_64BIT ? 12 : 8) +
			       (j->incompat & JBD2_INCOMPAT_CSUM_V2 ? 2 : 0);
}

bool
journal_needs_recovery(const struct journal *j)
{
	return !j->empty;
}

int
journal_open(struct ext4_super *s, uint32_t inum)
{
	struct journal *j = kzalloc(sizeof(*j), ALLOC_KERNEL);
	struct inode *i;
	int err;

	if (!j)
		return -ENOMEM;
	j->s = s;
	j->block_size = s->block_size;
	j->block_shift = s->block_shift;
	mutex_init(&j->commit_lock, RANK_JOURNAL);
	spin_init(&j->lock, RANK_PAGECACHE);
	list_init(&j->ckpts);
	list_init(&j->spare);
	waitq_init(&j->wq);
	s->journal = j;
	j->super = kmalloc(s->block_size, ALLOC_KERNEL);
	if (!j->super)
		return -ENOMEM;
	err = ext4_iget_any(s, inum, &i);
	if (err)
		return err;
	if (S_ISREG(i->mode))
		err = find_runs(j, i);
	else
		err = refuse(j, "its inode is no file");
	inode_put(i);
	if (!err)
		err = read_super(j);
	if (!err)
		set_layout(j);
	return err;
}

/* ---- the log ---- */

/* Blocks that a later transaction revoked. */
struct revoked {
	uint64_t block;
	uint32_t tid;
};

struct replay {
	struct journal *j;
	uint8_t *buf, *data;
	uint32_t at, tid, end_tid;
	uint32_t nblocks;    /* looked at so far */
	struct revoked *rev; /* sorted by block */
	uint32_t nrev, room;
	uint32_t written;
	bool bad; /* a block's checksum was wrong */
};

static int
read_log(struct replay *r, uint32_t at, uint8_t *buf)
{
	struct journal *j = r->j;

	return blk_read(j->s->dev, journal_block(j, at) << j->block_shift, buf,
			j->block_size);
}

static uint32_t
next_block(const struct journal *j, uint32_t at)
{
	return at + 1 == j->last ? j->first : at + 1;
}

static bool
tail_csum_ok(const struct journal *j, const uint8_t *block)
{
	uint32_t zero = 0, c, stored;
	size_t at = j->block_size - 4;

	if (!j->csum)
		return true;
	memcpy(&stored, block + at, 4);
	c = crc32c(j->csum_seed, block, at);
	return crc32c(c, &zero, 4) == be32_to_cpu(stored);
}

struct tag {
	uint64_t block;
	uint32_t flags, csum;
};

static struct tag
get_tag(const struct journal *j, const uint8_t *at)
{
	struct tag t = { 0 };

	if (j->incompat & JBD2_INCOMPAT_CSUM_V3) {
		struct jbd2_tag3 d;

		memcpy(&d, at, sizeof(d));
		t.block = be32_to_cpu(d.t_blocknr);
		t.flags = be32_to_cpu(d.t_flags);
		t.csum = be32_to_cpu(d.t_checksum);
		if (j->incompat & JBD2_INCOMPAT_64BIT)
			t.block |= (uint64_t)be32_to_cpu(d.t_blocknr_high)
				   << 32;
	} else {
		struct jbd2_tag d = { 0 };

		memcpy(&d, at, j->tag_bytes < 12 ? 8 : 12);
		t.block = be32_to_cpu(d.t_blocknr);
		t.flags = be16_to_cpu(d.t_flags);
		t.csum = be16_to_cpu(d.t_checksum);
		if (j->incompat & JBD2_INCOMPAT_64BIT)
			t.block |= (uint64_t)be32_to_cpu(d.t_blocknr_high)
				   << 32;
	}
	return t;
}

/* fn for each tag of the descriptor in r->buf; log: where its copy lies. */
static int
for_each_tag(struct replay *r,
	     int (*fn)(struct replay *r, const struct tag *t, uint32_t log),
	     uint32_t *count)
{
	struct journal *j = r->j;
	size_t at = 12, end = j->block_size - (j->csum ? 4 : 0);
	uint32_t log = next_block(j, r->at);
	int err = 0;

	*count = 0;
	while (at + j->tag_bytes <= end && !err) {
		struct tag t = get_tag(j, r->buf + at);

		++*count;
		if (fn)
			err = fn(r, &t, log);
		log = next_block(j, log);
		at += j->tag_bytes;
		if (!(t.flags & JBD2_TAG_SAME_UUID))
			at += 16;
		if (t.flags & JBD2_TAG_LAST)
			break;
	}
	return err;
}

static int
add_revoked(struct replay *r, uint64_t block)
{
	struct revoked *v;

	if (r->nrev == r->room) {
		uint32_t room = r->room ? r->room * 2 : 64;

		if (room > MAX_REVOKES)
			return -ENOMEM;
		v = kcalloc(room, sizeof(*v), ALLOC_KERNEL);
		if (!v)
			return -ENOMEM;
		if (r->rev)
			memcpy(v, r->rev, r->nrev * sizeof(*v));
		kfree(r->rev);
		r->rev = v;
		r->room = room;
	}
	r->rev[r->nrev++] = (struct revoked){ block, r->tid };
	return 0;
}

static int
read_revokes(struct replay *r)
{
	struct journal *j = r->j;
	uint32_t size = j->incompat & JBD2_INCOMPAT_64BIT ? 8 : 4, used;
	uint32_t end = j->block_size - (j->csum ? 4 : 0);

	memcpy(&used, r->buf + 12, 4);
	used = be32_to_cpu(used);
	if (used > end)
		return refuse(j, "a revoke block's length");
	for (uint32_t at = 16; at + size <= used; at += size) {
		uint64_t b8;
		uint32_t b4;
		int err;

		if (size == 8) {
			memcpy(&b8, r->buf + at, 8);
			b8 = be64_to_cpu(b8);
		} else {
			memcpy(&b4, r->buf + at, 4);
			b8 = be32_to_cpu(b4);
		}
		err = add_revoked(r, b8);
		if (err)
			return err;
	}
	return 0;
}

static void
sift(struct revoked *v, uint32_t n, uint32_t i)
{
	for (;;) {
		uint32_t c = 2 * i + 1;
		struct revoked t;

		if (c >= n)
			return;
		if (c + 1 < n && v[c + 1].block > v[c].block)
			c++;
		if (v[c].block <= v[i].block)
			return;
		t = v[c];
		v[c] = v[i];
		v[i] = t;
		i = c;
	}
}

static void
sort_revoked(struct revoked *v, uint32_t n)
{
	for (uint32_t i = n / 2; i-- > 0;)
		sift(v, n, i);
	for (uint32_t k = n; k-- > 1;) {
		struct revoked t = v[0];

		v[0] = v[k];
		v[k] = t;
		sift(v, k, 0);
	}
}

/* Has transaction tid's copy of block been revoked by it or a later one? */
static bool
is_revoked(const struct replay *r, uint64_t block, uint32_t tid)
{
	uint32_t low = 0, high = r->nrev;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (r->rev[mid].block < block)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < r->nrev && r->rev[low].block == block; low++)
		if ((int32_t)(r->rev[low].tid - tid) >= 0)
			return true;
	return false;
}

static int
replay_block(struct replay *r, const struct tag *t, uint32_t log)
{
	struct journal *j = r->j;
	uint32_t be = cpu_to_be32(r->tid), c, magic = cpu_to_be32(JBD2_MAGIC);
	int err;

	if (is_revoked(r, t->block, r->tid))
		return 0;
	if (t->block >= j->s->nblocks)
		return refuse(j, "a block number in its log");
	err = read_log(r, log, r->data);
	if (err)
		return err;
	if (j->csum) {
		c = crc32c(j->csum_seed, &be, sizeof(be));
		c = crc32c(c, r->data, j->block_size);
		if (!(j->incompat & JBD2_INCOMPAT_CSUM_V3))
			c &= 0xffff;
		if (c != t->csum) {
			r->bad = true;
			return 0;
		}
	}
	if (t->flags & JBD2_TAG_ESCAPE)
		memcpy(r->data, &magic, sizeof(magic));
	r->written++;
	return bdev_write(j->s->dev, t->block << j->block_shift, r->data,
			  j->block_size);
}

static bool
commit_ok(const struct journal *j, uint8_t *block)
{
	struct jbd2_commit *c = (void *)block;
	uint32_t stored = c->h_chksum[0], sum;

	if (!j->csum)
		return true;
	c->h_chksum[0] = 0;
	sum = crc32c(j->csum_seed, block, j->block_size);
	c->h_chksum[0] = stored;
	return sum == be32_to_cpu(stored);
}

enum pass { SCAN, REVOKES, REPLAY };

/* One walk over the log.  Ends at the first block that does not belong. */
static int
walk(struct replay *r, enum pass pass)
{
	struct journal *j = r->j;
	struct jbd2_header *h = (void *)r->buf;
	uint32_t count;
	int err = 0;

	r->at = j->tail;
	r->tid = j->tail_tid;
	r->nblocks = 0;
	while (!err) {
		uint32_t type;

		if (pass != SCAN && r->tid == r->end_tid)
			break;
		if (r->nblocks >= j->last - j->first)
			break;
		err = read_log(r, r->at, r->buf);
		if (err)
			break;
		type = be32_to_cpu(h->h_blocktype);
		if (be32_to_cpu(h->h_magic) != JBD2_MAGIC ||
		    be32_to_cpu(h->h_sequence) != r->tid)
			break;
		if ((type == JBD2_DESCRIPTOR || type == JBD2_REVOKE) &&
		    !tail_csum_ok(j, r->buf))
			break;
		count = 0;
		if (type == JBD2_DESCRIPTOR) {
			err = for_each_tag(r,
					   pass == REPLAY ? replay_block : NULL,
					   &count);
		} else if (type == JBD2_REVOKE) {
			if (pass == REVOKES)
				err = read_revokes(r);
		} else if (type == JBD2_COMMIT) {
			if (!commit_ok(j, r->buf))
				break;
			r->tid++;
		} else {
			break;
		}
		r->nblocks += count + 1;
		for (uint32_t k = 0; k <= count; k++)
			r->at = next_block(j, r->at);
	}
	if (pass == SCAN)
		r->end_tid = r->tid;
	return err;
}

/* The log is empty: its superblock says so. */
static int
mark_empty(struct journal *j, uint32_t tid)
{
	struct jbd2_super *d = (void *)j->super;

	j->empty = true;
	j->tail_tid = tid;
	d->s_start = 0;
	d->s_sequence = cpu_to_be32(tid);
	if (j->csum) {
		d->s_checksum = 0;
		d->s_checksum = cpu_to_be32(crc32c(~0u, d, sizeof(*d)));
	}
	return bdev_write(j->s->dev, journal_block(j, 0) << j->block_shift,
			  j->super, j->block_size);
}

int
journal_recover(struct journal *j)
{
	struct replay r = { .j = j };
	int err = -ENOMEM;

	if (j->empty)
		return 0;
	r.buf = kmalloc(j->block_size, ALLOC_KERNEL);
	r.data = kmalloc(j->block_size, ALLOC_KERNEL);
	if (r.buf && r.data)
		err = walk(&r, SCAN);
	if (!err)
		err = walk(&r, REVOKES);
	if (!err) {
		sort_revoked(r.rev, r.nrev);
		err = walk(&r, REPLAY);
	}
	if (!err)
		err = bdev_flush(j->s->dev);
	if (!err && r.bad)
		err = refuse(j, "a block in its log has a wrong checksum");
	if (!err)
		err = mark_empty(j, r.end_tid + 1);
	if (!err)
		err = bdev_flush(j->s->dev);
	if (!err)
		log_info("ext4 %s: journal played back: %u blocks",
			 j->s->dev->name, r.written);
	kfree(r.buf);
	kfree(r.data);
	kfree(r.rev);
	return err;
}

/* ---- ready to write ---- */

/* The features that we write with; the log is empty. */
static void
choose_features(struct journal *j)
{
	struct jbd2_super *d = (void *)j->super;

	d->s_header.h_blocktype = cpu_to_be32(JBD2_SUPER_V2);
	j->compat &= ~JBD2_COMPAT_CHECKSUM;
	j->incompat &= ~(JBD2_INCOMPAT_ASYNC_COMMIT | JBD2_INCOMPAT_CSUM_V2 |
			 JBD2_INCOMPAT_FAST_COMMIT);
	j->incompat |= JBD2_INCOMPAT_REVOKE;
	if (j->s->incompat & EXT4_INCOMPAT_64BIT)
		j->incompat |= JBD2_INCOMPAT_64BIT;
	if (j->s->csum) {
		j->incompat |= JBD2_INCOMPAT_CSUM_V3;
		d->s_checksum_type = JBD2_CRC32C;
	}
	d->s_feature_compat = cpu_to_be32(j->compat);
	d->s_feature_incompat = cpu_to_be32(j->incompat);
	set_layout(j);
}

int
journal_start_writing(struct journal *j)
{
	uint64_t ram = mem_total_pages();
	uint32_t size = j->last - j->first;

	choose_features(j);
	j->max_bufs = (uint32_t)(ram / 8 < 65536 ? ram / 8 : 65536);
	if (j->max_bufs < 96)
		j->max_bufs = 96;
	j->max_tx = size / 4;
	if (j->max_tx > j->max_bufs / 2)
		j->max_tx = j->max_bufs / 2;
	j->hash_bits = 7;
	while (j->hash_bits < 14 && (1u << j->hash_bits) < j->max_bufs / 4)
		j->hash_bits++;
	j->hash = kcalloc(1u << j->hash_bits, sizeof(*j->hash), ALLOC_KERNEL);
	j->group = journal_group_alloc();
	j->commit_page = page_alloc(0, ALLOC_KERNEL);
	if (!j->hash || !j->group || !j->commit_page)
		return -ENOMEM;
	while (j->npages < ARRAY_SIZE(j->pages)) {
		struct page *p = page_alloc(0, ALLOC_KERNEL);

		if (!p && j->npages < 16)
			return -ENOMEM;
		if (!p)
			break;
		j->pages[j->npages++] = p;
	}
	j->head = j->tail = j->first;
	j->free = size;
	j->next_tid = j->tail_tid ? j->tail_tid : 1;
	j->tail_tid = j->next_tid;
	j->committed = j->next_tid - 1;
	j->writable = true;
	return 0;
}

static void
free_spare(struct journal *j)
{
	while (!list_empty(&j->spare)) {
		struct jbuf *jb =
			list_first_entry(&j->spare, struct jbuf, ckpt_link);

		list_del(&jb->ckpt_link);
		kfree(jb);
	}
}

void
journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->hash)
		journal_drop_all(j);
	free_spare(j);
	for (unsigned i = 0; i < j->npages; i++)
		page_put(j->pages[i]);
	if (j->commit_page)
		page_put(j->commit_page);
	kfree(j->group);
	kfree(j->hash);
	kfree(j->runs);
	kfree(j->super);
	j->s->journal = NULL;
	kfree(j);
}
