/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of extent trees.
 *
 * All changes of a leaf are one operation: some neighbouring entries are
 * replaced by some others, after those that can be joined are joined.  Where
 * the leaf has no room, one step makes some (a node is split in two, or the
 * tree grows a level), and the operation begins again; each step leaves a
 * tree that is whole.
 *
 * An index entry's key is always the first block of its child (e2fsck wants
 * it so).  The caller holds tree_lock for writing and a handle with
 * ext4_ext_credits().
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/string.h>

#define UNWRITTEN_MAX (EXT4_EXT_INIT_MAX - 1)
#define MAX_STEPS     16 /* more than a tree can need */

/* An extent in our own words. */
struct piece {
	uint32_t lblk, len;
	uint64_t pblk;
	bool unwritten;
};

struct level {
	struct ext4_buf b; /* page NULL: the root, in the inode */
	struct ext4_extent_header *h;
	int at;
};

struct path {
	struct level l[EXT4_MAX_DEPTH + 1];
	unsigned depth;
};

uint32_t
ext4_ext_credits(const struct inode *i)
{
	const struct ext4_extent_header *h = (const void *)ext4_i(i)->block;
	uint32_t depth =
		h->eh_depth <= EXT4_MAX_DEPTH ? h->eh_depth : EXT4_MAX_DEPTH;

	return (depth + 2) * 4 + 8;
}

void
ext4_ext_init(struct ext4_inode *e)
{
	struct ext4_extent_header *h = (void *)e->block;

	memset(e->block, 0, sizeof(e->block));
	h->eh_magic = EXT4_EXT_MAGIC;
	h->eh_max = (sizeof(e->block) - sizeof(*h)) / 12;
	e->flags |= EXT4_FL_EXTENTS;
}

static struct ext4_extent *
extents(struct ext4_extent_header *h)
{
	return (struct ext4_extent *)(h + 1);
}

static struct ext4_extent_idx *
indexes(struct ext4_extent_header *h)
{
	return (struct ext4_extent_idx *)(h + 1);
}

static uint64_t
child_of(const struct ext4_extent_idx *x)
{
	return (uint64_t)x->ei_leaf_hi << 32 | x->ei_leaf_lo;
}

/* Both kinds begin with their first block. */
static uint32_t
first_key(struct ext4_extent_header *h)
{
	return indexes(h)->ei_block;
}

static struct piece
get(const struct ext4_extent *e)
{
	struct piece p = { .lblk = e->ee_block, .len = e->ee_len };

	p.unwritten = p.len > EXT4_EXT_INIT_MAX;
	if (p.unwritten)
		p.len -= EXT4_EXT_INIT_MAX;
	p.pblk = (uint64_t)e->ee_start_hi << 32 | e->ee_start_lo;
	return p;
}

static void
put(struct ext4_extent *e, const struct piece *p)
{
	e->ee_block = p->lblk;
	e->ee_len = (uint16_t)(p->len + (p->unwritten ? EXT4_EXT_INIT_MAX : 0));
	e->ee_start_hi = (uint16_t)(p->pblk >> 32);
	e->ee_start_lo = (uint32_t)p->pblk;
}

/* ---- paths ---- */

static void
release(struct path *p)
{
	for (unsigned k = 1; k <= p->depth; k++)
		ext4_brelse(&p->l[k].b);
}

/* To the leaf where lblk is or would be; at of the leaf may be -1. */
static int
find_path(struct inode *i, uint32_t lblk, struct path *p)
{
	struct ext4_inode *e = ext4_i(i);
	unsigned depth;

	memset(p, 0, sizeof(*p));
	p->l[0].h = (void *)e->block;
	depth = p->l[0].h->eh_depth;
	if (!(e->flags & EXT4_FL_EXTENTS))
		return -EOPNOTSUPP;
	if (depth > EXT4_MAX_DEPTH ||
	    !ext4_ext_header_ok(p->l[0].h, sizeof(e->block), depth))
		return ext4_bad(ext4_sb(i), i->ino, "extent header");
	for (unsigned k = 0;; k++) {
		struct level *l = &p->l[k];
		int err;

		l->at = ext4_ext_search(l->h, lblk);
		if (k == depth)
			return 0;
		if (l->at < 0)
			l->at = 0;
		if (!l->h->eh_entries)
			err = ext4_bad(ext4_sb(i), i->ino, "empty index");
		else
			err = ext4_ext_node(i, child_of(&indexes(l->h)[l->at]),
					    depth - k - 1, &p->l[k + 1].b);
		if (err) {
			release(p);
			return err;
		}
		p->depth = k + 1;
		p->l[k + 1].h = (void *)p->l[k + 1].b.data;
	}
}

/* Level k is about to change. */
static int
touch(struct jhandle *h, struct inode *i, struct path *p, unsigned k)
{
	if (!k)
		return 0; /* goes with the inode */
	return ext4_bwrite(h, &p->l[k].b, JK_EXTENT, ext4_i(i)->csum_seed);
}

/* After the first entry of level k changed: the keys above. */
static int
fix_keys(struct jhandle *h, struct inode *i, struct path *p, unsigned k)
{
	while (k) {
		uint32_t key = first_key(p->l[k].h);
		struct ext4_extent_idx *x;
		int err;

		k--;
		x = &indexes(p->l[k].h)[p->l[k].at];
		if (x->ei_block == key)
			return 0;
		err = touch(h, i, p, k);
		if (err)
			return err;
		x->ei_block = key;
		if (p->l[k].at)
			return 0;
	}
	return 0;
}

/* ---- growing ---- */

/* A block for the tree: allocated, zero, in the transaction. */
static int
new_node(struct jhandle *h, struct inode *i, uint64_t goal, struct ext4_buf *b)
{
	struct ext4_super *s = h->s;
	struct ext4_extent_header *eh;
	uint64_t block;
	uint32_t n;
	int err = ext4_balloc(h, goal, 1, EXT4_ALLOC_META, &block, &n);

	if (err)
		return err;
	err = ext4_bnew(s, block, b);
	if (!err) {
		err = ext4_bwrite(h, b, JK_EXTENT, ext4_i(i)->csum_seed);
		if (err)
			ext4_brelse(b);
	}
	if (err) {
		ignore(ext4_bfree(h, block, 1)); /* err is reported */
		return err;
	}
	memset(b->data, 0, s->block_size);
	eh = (void *)b->data;
	eh->eh_magic = EXT4_EXT_MAGIC;
	eh->eh_max = (uint16_t)((s->block_size - sizeof(*eh)) / 12);
	i->blocks += s->block_size / 512;
	return 0;
}

static void
set_index(struct ext4_extent_idx *x, uint32_t key, uint64_t block)
{
	x->ei_block = key;
	x->ei_leaf_lo = (uint32_t)block;
	x->ei_leaf_hi = (uint16_t)(block >> 32);
	x->ei_unused = 0;
}

/* The root's entries move to a block of their own. */
static int
grow(struct jhandle *h, struct inode *i, uint64_t goal)
{
	struct ext4_extent_header *root = (void *)ext4_i(i)->block, *eh;
	struct ext4_buf b;
	int err;

	if (root->eh_depth >= EXT4_MAX_DEPTH)
		return -EFBIG;
	err = new_node(h, i, goal, &b);
	if (err)
		return err;
	eh = (void *)b.data;
	eh->eh_entries = root->eh_entries;
	eh->eh_depth = root->eh_depth;
	memcpy(eh + 1, root + 1, root->eh_entries * 12u);
	root->eh_depth++;
	root->eh_entries = 1;
	set_index(indexes(root), first_key(eh), b.block);
	ext4_brelse(&b);
	return 0;
}

/* Node k is full, its parent is not.  append: what comes goes to its end. */
static int
split(struct jhandle *h, struct inode *i, struct path *p, unsigned k,
      uint64_t goal, bool append)
{
	struct ext4_extent_header *from = p->l[k].h, *up = p->l[k - 1].h, *to;
	unsigned n = from->eh_entries, keep = append ? n - 1 : n / 2;
	struct ext4_extent_idx *x;
	struct ext4_buf b;
	int err = touch(h, i, p, k);

	if (!err)
		err = touch(h, i, p, k - 1);
	if (!err)
		err = new_node(h, i, goal, &b);
	if (err)
		return err;
	to = (void *)b.data;
	to->eh_depth = from->eh_depth;
	to->eh_entries = (uint16_t)(n - keep);
	memcpy(to + 1, (uint8_t *)(from + 1) + keep * 12u, (n - keep) * 12u);
	memset((uint8_t *)(from + 1) + keep * 12u, 0, (n - keep) * 12u);
	from->eh_entries = (uint16_t)keep;
	x = &indexes(up)[p->l[k - 1].at + 1];
	memmove(x + 1, x, (up->eh_entries - (p->l[k - 1].at + 1u)) * 12u);
	set_index(x, first_key(to), b.block);
	up->eh_entries++;
	ext4_brelse(&b);
	return 0;
}

/* One step towards room in the leaf of p. */
static int
make_room(struct jhandle *h, struct inode *i, struct path *p, uint64_t goal)
{
	struct level *leaf = &p->l[p->depth];

	for (unsigned k = p->depth; k; k--) {
		bool append = leaf->at + 1 >= leaf->h->eh_entries;

		if (p->l[k - 1].h->eh_entries >= p->l[k - 1].h->eh_max)
			continue;
		for (unsigned j = 0; j < k; j++)
			append = append &&
				 p->l[j].at + 1 >= p->l[j].h->eh_entries;
		return split(h, i, p, k, goal, append);
	}
	return grow(h, i, goal);
}

/* ---- shrinking ---- */

static int
free_node(struct jhandle *h, struct inode *i, uint64_t block)
{
	int err = journal_forget(h, block);

	if (!err)
		err = ext4_bfree(h, block, 1);
	i->blocks -= h->s->block_size / 512;
	return err;
}

/* The leaf of p has become empty: it goes, and what above it is empty, too. */
static int
drop_leaf(struct jhandle *h, struct inode *i, struct path *p)
{
	unsigned k = p->depth;
	int err = 0;

	while (k && !err) {
		struct level *up = &p->l[k - 1];
		unsigned behind = up->h->eh_entries - (up->at + 1u);
		struct ext4_extent_idx *x = &indexes(up->h)[up->at];

		err = touch(h, i, p, k - 1);
		if (!err)
			err = free_node(h, i, p->l[k].b.block);
		if (err)
			return err;
		memmove(x, x + 1, behind * 12u);
		up->h->eh_entries--;
		k--;
		if (up->h->eh_entries) {
			if (up->at == 0)
				err = fix_keys(h, i, p, k);
			return err;
		}
	}
	p->l[0].h->eh_depth = 0;
	return err;
}

/* The root's only child fits into it: one level less.  Where that cannot be
 * begun, the tree is whole as it is. */
static int
try_shrink(struct jhandle *h, struct inode *i)
{
	struct ext4_extent_header *root = (void *)ext4_i(i)->block, *eh;
	struct ext4_buf b;
	int err;

	while (root->eh_depth && root->eh_entries == 1) {
		uint64_t block = child_of(indexes(root));

		if (ext4_ext_node(i, block, root->eh_depth - 1u, &b))
			return 0;
		eh = (void *)b.data;
		if (eh->eh_entries > root->eh_max ||
		    ext4_bfree_ready(h, block, 1)) {
			ext4_brelse(&b);
			return 0;
		}
		root->eh_entries = eh->eh_entries;
		root->eh_depth = eh->eh_depth;
		memcpy(root + 1, eh + 1, eh->eh_entries * 12u);
		ext4_brelse(&b);
		err = free_node(h, i, block);
		if (err)
			return err;
	}
	return 0;
}

/* ---- the one operation ---- */

static bool
can_join(const struct piece *a, const struct piece *b)
{
	uint32_t max = a->unwritten ? UNWRITTEN_MAX : EXT4_EXT_INIT_MAX;

	return a->unwritten == b->unwritten && a->lblk + a->len == b->lblk &&
	       a->pblk + a->len == b->pblk && a->len + b->len <= max;
}

/* Adds b to the n pieces of v. */
static unsigned
append(struct piece *v, unsigned n, const struct piece *b)
{
	if (!b->len)
		return n;
	if (n && can_join(&v[n - 1], b)) {
		v[n - 1].len += b->len;
		return n;
	}
	v[n] = *b;
	return n + 1;
}

/* The leaf of p will be empty: what drop_leaf() needs. */
static int
ready_to_drop(struct jhandle *h, struct inode *i, struct path *p)
{
	int err = 0;

	for (unsigned k = p->depth; k && !err; k--) {
		err = touch(h, i, p, k - 1);
		if (!err)
			err = ext4_bfree_ready(h, p->l[k].b.block, 1);
		if (p->l[k - 1].h->eh_entries > 1)
			break;
	}
	return err;
}

/* Entries [at, at + del) of the leaf become v[0..n). */
static int
replace(struct jhandle *h, struct inode *i, struct path *p, unsigned at,
	unsigned del, const struct piece *v, unsigned n)
{
	struct ext4_extent_header *eh = p->l[p->depth].h;
	struct ext4_extent *e = extents(eh);
	unsigned old = eh->eh_entries;
	int err = touch(h, i, p, p->depth);

	if (!err && old - del + n == 0)
		err = ready_to_drop(h, i, p);
	if (err)
		return err;
	memmove(e + at + n, e + at + del, (old - at - del) * sizeof(*e));
	for (unsigned k = 0; k < n; k++)
		put(&e[at + k], &v[k]);
	eh->eh_entries = (uint16_t)(old - del + n);
	if (eh->eh_entries < old)
		memset(e + eh->eh_entries, 0,
		       (old - eh->eh_entries) * sizeof(*e));
	if (!eh->eh_entries)
		return drop_leaf(h, i, p);
	return at == 0 ? fix_keys(h, i, p, p->depth) : 0;
}

/*
 * The extent that holds lblk (del), or the place for one there, becomes the
 * n <= 3 pieces of v, with join joined with their neighbours where that is
 * possible.
 */
static int
edit_how(struct jhandle *h, struct inode *i, uint32_t lblk, bool del,
	 const struct piece *v, unsigned n, bool join)
{
	uint64_t goal = n ? v[0].pblk : 0;
	int err = 0;

	for (unsigned step = 0; step < MAX_STEPS; step++) {
		struct piece out[5], x;
		struct level *leaf;
		struct path p;
		unsigned m = 0, first, count;

		err = find_path(i, lblk, &p);
		if (err)
			return err;
		leaf = &p.l[p.depth];
		first = (unsigned)(leaf->at + !del);
		count = del;
		if (first > 0 && join) {
			x = get(&extents(leaf->h)[first - 1]);
			m = append(out, m, &x);
			first--;
			count++;
		}
		for (unsigned k = 0; k < n; k++)
			if (join)
				m = append(out, m, &v[k]);
			else
				out[m++] = v[k];
		if (join && first + count < leaf->h->eh_entries) {
			x = get(&extents(leaf->h)[first + count]);
			m = append(out, m, &x);
			count++;
		}
		if (leaf->h->eh_entries - count + m <= leaf->h->eh_max) {
			bool fewer = m < count;

			err = replace(h, i, &p, first, count, out, m);
			release(&p);
			return !err && fewer ? try_shrink(h, i) : err;
		}
		err = make_room(h, i, &p, goal);
		release(&p);
		if (err)
			return err;
	}
	return ext4_bad(h->s, i->ino, "extent tree that cannot grow");
}

static int
edit(struct jhandle *h, struct inode *i, uint32_t lblk, bool del,
     const struct piece *v, unsigned n)
{
	return edit_how(h, i, lblk, del, v, n, true);
}

int
ext4_ext_insert(struct jhandle *h, struct inode *i, uint32_t lblk, uint32_t len,
		uint64_t pblk, bool unwritten)
{
	struct piece v = { lblk, len, pblk, unwritten };
	int err;

	if (!len || len > (unwritten ? UNWRITTEN_MAX : EXT4_EXT_INIT_MAX))
		return -EIO;
	err = edit(h, i, lblk, false, &v, 1);
	if (!err)
		i->blocks += (uint64_t)len * (h->s->block_size / 512);
	return err;
}

/* The extent that holds lblk: 0, or -ENOENT. */
static int
find_extent(struct inode *i, uint32_t lblk, struct piece *x)
{
	struct path p;
	struct level *leaf;
	int err = find_path(i, lblk, &p);

	if (err)
		return err;
	leaf = &p.l[p.depth];
	if (leaf->at < 0) {
		err = -ENOENT;
	} else {
		*x = get(&extents(leaf->h)[leaf->at]);
		if (!x->len || x->lblk > UINT32_MAX - x->len)
			err = ext4_bad(ext4_sb(i), i->ino, "extent");
	}
	release(&p);
	return err;
}

static int
set_state(struct jhandle *h, struct inode *i, uint32_t lblk, uint32_t len,
	  bool unwritten)
{
	struct piece x, v[3];
	uint32_t off;
	int err = find_extent(i, lblk, &x);

	if (err)
		return err == -ENOENT ? -EIO : err;
	off = lblk - x.lblk;
	if (x.unwritten == unwritten || off >= x.len || len > x.len - off)
		return -EIO;
	v[0] = (struct piece){ x.lblk, off, x.pblk, !unwritten };
	v[1] = (struct piece){ lblk, len, x.pblk + off, unwritten };
	v[2] = (struct piece){ lblk + len, x.len - off - len,
			       x.pblk + off + len, !unwritten };
	return edit(h, i, lblk, true, v, 3);
}

int
ext4_ext_set_written(struct jhandle *h, struct inode *i, uint32_t lblk,
		     uint32_t len)
{
	return set_state(h, i, lblk, len, false);
}

int
ext4_ext_set_unwritten(struct jhandle *h, struct inode *i, uint32_t lblk,
		       uint32_t len)
{
	return len > UNWRITTEN_MAX ? -EIO : set_state(h, i, lblk, len, true);
}

int
ext4_ext_remove_last(struct jhandle *h, struct inode *i, uint32_t from,
		     uint32_t to, bool *more)
{
	struct piece x, v[2];
	uint32_t a, b, last;
	int err = find_extent(i, to, &x);

	*more = false;
	if (err)
		return err == -ENOENT ? 0 : err;
	last = x.lblk + x.len - 1;
	if (last < from)
		return 0;
	a = x.lblk > from ? x.lblk : from;
	b = last < to ? last : to;
	v[0] = (struct piece){ x.lblk, a - x.lblk, x.pblk, x.unwritten };
	v[1] = (struct piece){ b + 1, last - b, x.pblk + (b + 1 - x.lblk),
			       x.unwritten };
	err = ext4_bfree_ready(h, x.pblk + (a - x.lblk), b - a + 1);
	if (!err)
		err = edit(h, i, x.lblk, true, v, 2);
	if (err)
		return err;
	i->blocks -= (uint64_t)(b - a + 1) * (h->s->block_size / 512);
	*more = a > from;
	return ext4_bfree(h, x.pblk + (a - x.lblk), b - a + 1);
}

/* ---- moving ---- */

int
ext4_ext_cut(struct jhandle *h, struct inode *i, uint32_t lblk)
{
	struct piece x, v[2];
	uint32_t off;
	int err = find_extent(i, lblk, &x);

	if (err)
		return err == -ENOENT ? 0 : err;
	off = lblk - x.lblk;
	if (!off || off >= x.len)
		return 0;
	v[0] = (struct piece){ x.lblk, off, x.pblk, x.unwritten };
	v[1] = (struct piece){ lblk, x.len - off, x.pblk + off, x.unwritten };
	return edit_how(h, i, lblk, true, v, 2, false);
}

/* The first block of the leaf behind p's; false: p's is the last. */
static bool
next_leaf(const struct path *p, uint32_t *lblk)
{
	for (unsigned k = p->depth; k; k--) {
		struct ext4_extent_header *h = p->l[k - 1].h;
		int at = p->l[k - 1].at + 1;

		if (at < h->eh_entries) {
			*lblk = indexes(h)[at].ei_block;
			return true;
		}
	}
	return false;
}

/* Entries [first, end) of the leaf move by that many blocks. */
static int
shift(struct jhandle *h, struct inode *i, struct path *p, unsigned first,
      unsigned end, int64_t by)
{
	struct ext4_extent *e = extents(p->l[p->depth].h);
	int err = 0;

	/* The keys above change, too: what can fail comes first. */
	for (unsigned k = 0; k <= p->depth && !err; k++)
		err = touch(h, i, p, k);
	if (err)
		return err;
	for (unsigned k = first; k < end; k++)
		e[k].ee_block = (uint32_t)(e[k].ee_block + by);
	return first ? 0 : fix_keys(h, i, p, p->depth);
}

int
ext4_ext_shift_left(struct jhandle *h, struct inode *i, uint32_t *from,
		    uint32_t by, bool *more)
{
	struct ext4_extent_header *eh;
	struct path p;
	unsigned first;
	int err = find_path(i, *from, &p);

	*more = false;
	if (err)
		return err;
	eh = p.l[p.depth].h;
	first = (unsigned)(p.l[p.depth].at + 1);
	if (first && extents(eh)[first - 1].ee_block >= *from)
		first--;
	if (first < eh->eh_entries) {
		*from = extents(eh)[eh->eh_entries - 1].ee_block + 1;
		*more = true;
		err = shift(h, i, &p, first, eh->eh_entries, -(int64_t)by);
	} else {
		*more = next_leaf(&p, from);
	}
	release(&p);
	return err;
}

int
ext4_ext_shift_right(struct jhandle *h, struct inode *i, uint32_t from,
		     uint32_t *end, uint32_t by, bool *more)
{
	struct ext4_extent *e;
	struct path p;
	unsigned first, n;
	int err;

	*more = false;
	if (*end <= from)
		return 0;
	err = find_path(i, *end - 1, &p);
	if (err)
		return err;
	e = extents(p.l[p.depth].h);
	n = first = (unsigned)(p.l[p.depth].at + 1);
	while (first && e[first - 1].ee_block >= from)
		first--;
	if (first < n) {
		*end = e[first].ee_block;
		*more = first == 0 && *end > from;
		err = shift(h, i, &p, first, n, by);
	}
	release(&p);
	return err;
}

int
ext4_ext_end(struct inode *i, uint32_t *end)
{
	struct piece x;
	int err = find_extent(i, UINT32_MAX - 1, &x);

	*end = err ? 0 : x.lblk + x.len;
	return err == -ENOENT ? 0 : err;
}
