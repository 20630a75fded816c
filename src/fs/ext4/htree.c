/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash tree of a directory: from a name's hash to the block where it is.
 * Its root is the directory's first block, behind "." and ".."; nodes are
 * blocks that look empty to who does not know.  A table's first entry has no
 * hash but the table's limit and count in its place.
 *
 * The low bit of a hash in a table says that the block before it holds names
 * of the same hash, too (without the bit): a search goes on there.
 *
 * -ENODEV says that the tree cannot be used (a version that is not known, a
 * structure that is odd): the blocks hold the names all the same.
 */
#include "ext4.h"
#include "journal.h"

#include <abi/errno.h>
#include <base/string.h>
#include <mem/heap.h>

#define MAX_LEVELS 3

/* ---- hashes ("Hash Tree Directories" in the document of ext4.h) ---- */

static uint32_t
legacy_hash(const char *name, size_t len, bool is_unsigned)
{
	uint32_t h0 = 0x12a3fe2d, h1 = 0x37abe8f9;

	while (len--) {
		int c = is_unsigned ? (uint8_t)*name : (int8_t)*name;
		uint32_t h;

		name++;
		h = h1 + (h0 ^ (uint32_t)(c * 7152373));
		if (h & 0x80000000u)
			h -= 0x7fffffffu;
		h1 = h0;
		h0 = h;
	}
	return h0 << 1;
}

/* The next words of the name, padded by its length. */
static void
words_of(const char *name, size_t len, uint32_t *buf, int n, bool is_unsigned)
{
	uint32_t pad = (uint32_t)len | (uint32_t)len << 8, val;
	size_t left = len, max = (size_t)n * 4;

	pad |= pad << 16;
	val = pad;
	if (left > max)
		left = max;
	for (size_t k = 0; k < left; k++) {
		int c = is_unsigned ? (uint8_t)name[k] : (int8_t)name[k];

		val = (uint32_t)c + (val << 8);
		if (k % 4 == 3) {
			*buf++ = val;
			val = pad;
			n--;
		}
	}
	if (--n >= 0)
		*buf++ = val;
	while (--n >= 0)
		*buf++ = pad;
}

static uint32_t
rol(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void
md4_round(uint32_t b[4], const uint32_t in[8], unsigned round)
{
	static const uint8_t order[3][8] = {
		{ 0, 1, 2, 3, 4, 5, 6, 7 },
		{ 1, 3, 5, 7, 0, 2, 4, 6 },
		{ 3, 7, 2, 6, 1, 5, 0, 4 },
	};
	static const uint8_t shift[3][4] = {
		{ 3, 7, 11, 19 },
		{ 3, 5, 9, 13 },
		{ 3, 9, 11, 15 },
	};
	static const uint32_t add[3] = { 0, 0x5a827999, 0x6ed9eba1 };

	for (unsigned k = 0; k < 8; k++) {
		/* a is the word that changes; b, c, d those that follow. */
		unsigned a = (4 - k % 4) % 4;
		uint32_t x = b[(a + 1) % 4], y = b[(a + 2) % 4];
		uint32_t z = b[(a + 3) % 4], f;

		if (round == 0)
			f = z ^ (x & (y ^ z));
		else if (round == 1)
			f = (x & y) + ((x ^ y) & z);
		else
			f = x ^ y ^ z;
		b[a] = rol(b[a] + f + in[order[round][k]] + add[round],
			   shift[round][k % 4]);
	}
}

static void
half_md4(uint32_t buf[4], const uint32_t in[8])
{
	uint32_t b[4] = { buf[0], buf[1], buf[2], buf[3] };

	for (unsigned round = 0; round < 3; round++)
		md4_round(b, in, round);
	for (unsigned k = 0; k < 4; k++)
		buf[k] += b[k];
}

static void
tea(uint32_t buf[4], const uint32_t in[4])
{
	uint32_t sum = 0, b0 = buf[0], b1 = buf[1];

	for (unsigned n = 0; n < 16; n++) {
		sum += 0x9e3779b9;
		b0 += ((b1 << 4) + in[0]) ^ (b1 + sum) ^ ((b1 >> 5) + in[1]);
		b1 += ((b0 << 4) + in[2]) ^ (b0 + sum) ^ ((b0 >> 5) + in[3]);
	}
	buf[0] += b0;
	buf[1] += b1;
}

int
ext4_dirhash(const struct ext4_super *s, uint8_t version, const char *name,
	     size_t len, struct ext4_hash *out)
{
	uint32_t buf[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	uint32_t in[8];
	bool uns = version >= 3;
	unsigned step;

	if (version > 5)
		return -EINVAL;
	version = (uint8_t)(version % 3);
	for (unsigned k = 0; k < 4; k++)
		if (s->hash_seed[k]) {
			memcpy(buf, s->hash_seed, sizeof(buf));
			break;
		}
	out->minor = 0;
	if (version == 0) {
		out->major = legacy_hash(name, len, uns);
	} else {
		step = version == 1 ? 32 : 16;
		for (;; name += step, len -= step) {
			words_of(name, len, in, (int)step / 4, uns);
			if (version == 1)
				half_md4(buf, in);
			else
				tea(buf, in);
			if (len <= step)
				break;
		}
		out->major = buf[version == 1 ? 1 : 0];
		out->minor = buf[version == 1 ? 2 : 1];
	}
	out->major &= ~1u;
	if (out->major == 0xfffffffeu) /* means the end of a directory */
		out->major = 0xfffffffcu;
	return 0;
}

/* ---- tables ---- */

struct dx_entry {
	uint32_t hash, block;
};
struct dx_count { /* in place of the first entry's hash */
	uint16_t limit, count;
};
struct dx_info {
	uint32_t reserved;
	uint8_t hash_version, info_length, levels, unused;
};
static_assert(sizeof(struct dx_entry) == 8, "dx_entry");
static_assert(sizeof(struct dx_info) == 8, "dx_info");

#define ROOT_INFO  24u /* behind the entries of "." and ".." */
#define ROOT_TABLE 32u
#define NODE_TABLE 8u

struct frame {
	struct ext4_buf b;
	struct dx_entry *e; /* [0] is limit and count */
	unsigned at;	    /* the entry that was followed */
};

struct dx_path {
	struct frame f[MAX_LEVELS];
	unsigned n; /* frames in use */
	uint8_t version;
	struct ext4_hash hash;
};

static struct dx_count *
count_of(struct dx_entry *e)
{
	return (void *)e;
}

static unsigned
limit_for(const struct ext4_super *s, unsigned table)
{
	return (s->block_size - table - (s->csum ? 8 : 0)) / 8;
}

static void
release(struct dx_path *p)
{
	while (p->n)
		ext4_brelse(&p->f[--p->n].b);
}

static uint32_t
block_of(const struct dx_entry *e)
{
	return e->block & 0x0fffffffu;
}

/* The last entry whose hash is not above, at least 0. */
static unsigned
search(struct dx_entry *e, uint32_t hash)
{
	unsigned low = 1, high = count_of(e)->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (e[mid].hash > hash)
			high = mid;
		else
			low = mid + 1;
	}
	return low - 1;
}

static int
open_frame(struct inode *dir, struct dx_path *p, uint32_t lblk, unsigned table)
{
	struct ext4_super *s = ext4_sb(dir);
	struct frame *f = &p->f[p->n];
	int err = ext4_dir_block(dir, lblk, &f->b);

	if (err)
		return err;
	p->n++;
	f->e = (void *)(f->b.data + table);
	if (count_of(f->e)->limit != limit_for(s, table) ||
	    !count_of(f->e)->count ||
	    count_of(f->e)->count > count_of(f->e)->limit)
		return -ENODEV;
	return 0;
}

/* Down to the frame whose entry leads to the leaf. */
static int
open_path(struct inode *dir, const char *name, size_t len, struct dx_path *p)
{
	struct ext4_super *s = ext4_sb(dir);
	const struct dx_info *info;
	unsigned levels;
	int err;

	p->n = 0;
	err = open_frame(dir, p, 0, ROOT_TABLE);
	if (err)
		goto fail;
	info = (const void *)(p->f[0].b.data + ROOT_INFO);
	p->version = info->hash_version;
	levels = info->levels;
	err = -ENODEV;
	if (p->version > 2 || info->info_length != 8 || info->unused ||
	    levels >= MAX_LEVELS)
		goto fail;
	if (s->hash_unsigned)
		p->version += 3;
	if (ext4_dirhash(s, p->version, name, len, &p->hash))
		goto fail;
	for (;;) {
		struct frame *f = &p->f[p->n - 1];

		f->at = search(f->e, p->hash.major);
		if (!levels--)
			return 0;
		err = open_frame(dir, p, block_of(&f->e[f->at]), NODE_TABLE);
		if (err)
			goto fail;
	}
fail:
	release(p);
	return err;
}

/* To the next leaf, if it may hold the same hash: 1, 0 or an error. */
static int
next_leaf(struct inode *dir, struct dx_path *p)
{
	unsigned k = p->n, top = p->n;
	int err;

	while (k && p->f[k - 1].at + 1u >= count_of(p->f[k - 1].e)->count)
		k--;
	if (!k)
		return 0;
	p->f[k - 1].at++;
	if ((p->f[k - 1].e[p->f[k - 1].at].hash & ~1u) != p->hash.major)
		return 0;
	while (p->n > k)
		ext4_brelse(&p->f[--p->n].b);
	while (p->n < top) {
		struct frame *f = &p->f[p->n - 1];

		err = open_frame(dir, p, block_of(&f->e[f->at]), NODE_TABLE);
		if (err)
			return err;
		p->f[p->n - 1].at = 0;
	}
	return 1;
}

int
ext4_htree_find(struct inode *dir, const char *name, size_t len,
		struct ext4_buf *b, uint32_t *at)
{
	struct dx_path p;
	int err;

	/* "." and ".." are in the root's block. */
	if (!(ext4_i(dir)->flags & EXT4_FL_INDEX) || name[0] == '.')
		if (!(ext4_i(dir)->flags & EXT4_FL_INDEX) || len == 1 ||
		    (len == 2 && name[1] == '.'))
			return -ENODEV;
	err = open_path(dir, name, len, &p);
	if (err)
		return err;
	for (;;) {
		struct frame *f = &p.f[p.n - 1];

		err = ext4_dir_search_block(dir, block_of(&f->e[f->at]), name,
					    len, b, at);
		if (err != -ENOENT)
			break;
		err = next_leaf(dir, &p);
		if (err <= 0) {
			err = err ? err : -ENOENT;
			break;
		}
	}
	release(&p);
	return err;
}

/* ---- adding ---- */

static int
touch(struct jhandle *h, struct inode *dir, const struct ext4_buf *b)
{
	return ext4_bwrite(h, b, JK_DIR, ext4_i(dir)->csum_seed);
}

/* An entry behind the one followed in f, which has room. */
static void
insert_index(struct frame *f, uint32_t hash, uint32_t block)
{
	unsigned n = count_of(f->e)->count, at = f->at + 1;

	memmove(&f->e[at + 1], &f->e[at], (n - at) * sizeof(*f->e));
	f->e[at] = (struct dx_entry){ hash, block };
	count_of(f->e)->count++;
}

struct name_ref {
	uint32_t hash;
	uint16_t at, size;
};

/* The names of a leaf, by hash. */
static int
collect(struct ext4_super *s, struct inode *dir, uint8_t version,
	const uint8_t *block, struct name_ref *v, unsigned *n)
{
	uint32_t at = 0, end = ext4_dir_room(s);

	*n = 0;
	while (at < end) {
		const struct ext4_dirent *d = ext4_dirent_at(s, block, at);
		struct ext4_hash hash;
		unsigned k;

		if (!d)
			return ext4_bad(s, dir->ino, "directory entry");
		if (d->inode && d->name_len) {
			if (ext4_dirhash(s, version, d->name, d->name_len,
					 &hash))
				return -ENODEV;
			for (k = (*n)++; k && v[k - 1].hash > hash.major; k--)
				v[k] = v[k - 1];
			v[k] = (struct name_ref){ hash.major, (uint16_t)at,
						  (uint16_t)ext4_rec_len(
							  d->name_len) };
		}
		at += d->rec_len;
	}
	return 0;
}

/* Writes names [from, to) of old, without gaps, into block. */
static void
pack(struct ext4_super *s, uint8_t *block, const uint8_t *old,
     const struct name_ref *v, unsigned from, unsigned to)
{
	struct ext4_dirent *last = NULL;
	uint32_t at = 0;

	ext4_dir_init_block(s, block);
	for (unsigned k = from; k < to; k++) {
		last = (void *)(block + at);
		memcpy(last, old + v[k].at, v[k].size);
		last->rec_len = v[k].size;
		at += v[k].size;
	}
	if (last)
		last->rec_len =
			(uint16_t)(last->rec_len + ext4_dir_room(s) - at);
}

/* Where to cut so that both halves have about the same bytes. */
static unsigned
middle(const struct name_ref *v, unsigned n)
{
	uint32_t total = 0, sum = 0;
	unsigned k;

	for (k = 0; k < n; k++)
		total += v[k].size;
	for (k = 0; k < n - 1 && sum + v[k].size <= total / 2; k++)
		sum += v[k].size;
	return k ? k : 1;
}

/* A leaf that is full becomes two; *b is then the one for the hash. */
static int
split_leaf(struct jhandle *h, struct inode *dir, struct dx_path *p,
	   struct ext4_buf *b)
{
	struct ext4_super *s = h->s;
	unsigned max = s->block_size / 12 + 1, n, cut;
	struct name_ref *v = kmalloc(max * sizeof(*v), ALLOC_NOFS);
	uint8_t *old = kmalloc(s->block_size, ALLOC_NOFS);
	struct frame *f = &p->f[p->n - 1];
	struct ext4_buf nb;
	uint32_t lblk, hash;
	int err = -ENOMEM;

	if (!v || !old)
		goto out;
	memcpy(old, b->data, s->block_size);
	err = collect(s, dir, p->version, old, v, &n);
	if (!err && n < 2)
		err = -ENODEV;
	if (!err)
		err = touch(h, dir, b);
	if (!err)
		err = touch(h, dir, &f->b);
	if (!err)
		err = ext4_append_block(h, dir, &lblk, &nb);
	if (err)
		goto out;
	cut = middle(v, n);
	hash = v[cut].hash;
	pack(s, b->data, old, v, 0, cut);
	pack(s, nb.data, old, v, cut, n);
	insert_index(f, hash + (hash == v[cut - 1].hash), lblk);
	if (p->hash.major >= hash) {
		struct ext4_buf t = *b;

		*b = nb;
		nb = t;
	}
	ext4_brelse(&nb);
out:
	kfree(v);
	kfree(old);
	return err;
}

/* The table of frame k is full; the one above it is not. */
static int
split_node(struct jhandle *h, struct inode *dir, struct dx_path *p, unsigned k)
{
	struct ext4_super *s = h->s;
	struct frame *f = &p->f[k];
	unsigned n = count_of(f->e)->count, keep = n / 2;
	struct ext4_dirent *d;
	struct dx_entry *e;
	struct ext4_buf b;
	uint32_t lblk;
	int err = touch(h, dir, &f->b);

	if (!err)
		err = touch(h, dir, &p->f[k - 1].b);
	if (!err)
		err = ext4_append_block(h, dir, &lblk, &b);
	if (err)
		return err;
	d = (void *)b.data;
	d->rec_len = (uint16_t)s->block_size;
	e = (void *)(b.data + NODE_TABLE);
	memcpy(e, &f->e[keep], (n - keep) * sizeof(*e));
	insert_index(&p->f[k - 1], f->e[keep].hash, lblk);
	count_of(e)->limit = (uint16_t)limit_for(s, NODE_TABLE);
	count_of(e)->count = (uint16_t)(n - keep);
	count_of(f->e)->count = (uint16_t)keep;
	ext4_brelse(&b);
	return 0;
}

/* The root's table is full: it moves to a node of its own. */
static int
grow_root(struct jhandle *h, struct inode *dir, struct dx_path *p)
{
	struct ext4_super *s = h->s;
	struct frame *f = &p->f[0];
	struct dx_info *info = (void *)(f->b.data + ROOT_INFO);
	unsigned n = count_of(f->e)->count;
	unsigned max = s->incompat & EXT4_INCOMPAT_LARGEDIR ? 2 : 1;
	struct ext4_dirent *d;
	struct dx_entry *e;
	struct ext4_buf b;
	uint32_t lblk;
	int err;

	if (info->levels >= max)
		return -ENOSPC;
	err = touch(h, dir, &f->b);
	if (!err)
		err = ext4_append_block(h, dir, &lblk, &b);
	if (err)
		return err;
	d = (void *)b.data;
	d->rec_len = (uint16_t)s->block_size;
	e = (void *)(b.data + NODE_TABLE);
	memcpy(e, f->e, n * sizeof(*e));
	count_of(e)->limit = (uint16_t)limit_for(s, NODE_TABLE);
	count_of(e)->count = (uint16_t)n;
	count_of(f->e)->count = 1;
	f->e[0].block = lblk;
	info->levels++;
	ext4_brelse(&b);
	return 0;
}

/* One step towards room in the last frame. */
static int
make_room(struct jhandle *h, struct inode *dir, struct dx_path *p)
{
	for (unsigned k = p->n - 1; k; k--)
		if (count_of(p->f[k - 1].e)->count <
		    count_of(p->f[k - 1].e)->limit)
			return split_node(h, dir, p, k);
	return grow_root(h, dir, p);
}

int
ext4_htree_add(struct jhandle *h, struct inode *dir, const char *name,
	       size_t len, uint32_t ino, uint32_t mode)
{
	struct ext4_super *s = h->s;
	int err = 0;

	for (unsigned step = 0; step < 3 * MAX_LEVELS; step++) {
		struct dx_path p;
		struct ext4_buf b;
		struct frame *f;

		err = open_path(dir, name, len, &p);
		if (err)
			return err;
		f = &p.f[p.n - 1];
		err = ext4_dir_block(dir, block_of(&f->e[f->at]), &b);
		if (err) {
			release(&p);
			return err;
		}
		err = touch(h, dir, &b);
		if (!err)
			err = ext4_dir_put(s, b.data, name, len, ino, mode);
		if (err != -ENOSPC)
			goto done;
		if (count_of(f->e)->count < count_of(f->e)->limit) {
			err = split_leaf(h, dir, &p, &b);
			if (!err)
				err = ext4_dir_put(s, b.data, name, len, ino,
						   mode);
			goto done;
		}
		ext4_brelse(&b);
		err = make_room(h, dir, &p);
		release(&p);
		if (err)
			return err;
		continue;
done:
		ext4_brelse(&b);
		release(&p);
		return err;
	}
	return ext4_bad(s, dir->ino, "hash tree that cannot grow");
}

int
ext4_htree_make(struct jhandle *h, struct inode *dir)
{
	struct ext4_super *s = h->s;
	struct ext4_inode *e = ext4_i(dir);
	struct ext4_dirent *dot, *dots, *d;
	struct dx_entry *table;
	struct dx_info *info;
	struct ext4_buf root, leaf;
	uint32_t at, lblk, parent, end = ext4_dir_room(s), to = 0;
	int err = ext4_dir_block(dir, 0, &root);

	if (err)
		return err;
	dot = (void *)root.data;
	dots = (void *)(root.data + dot->rec_len);
	err = -ENODEV;
	if (s->hash_version > 2 || dot->rec_len != 12 || dot->name_len != 1 ||
	    dots->name_len != 2 || dots->rec_len < 12 ||
	    12u + dots->rec_len > end)
		goto out;
	parent = dots->inode;
	at = 12u + dots->rec_len;
	err = touch(h, dir, &root);
	if (!err)
		err = ext4_append_block(h, dir, &lblk, &leaf);
	if (err)
		goto out;
	/* All other names to the new block, as they lie. */
	ext4_dir_init_block(s, leaf.data);
	d = NULL;
	while (at < end) {
		const struct ext4_dirent *o = ext4_dirent_at(s, root.data, at);

		if (!o) {
			err = ext4_bad(s, dir->ino, "directory entry");
			break;
		}
		if (o->inode) {
			d = (void *)(leaf.data + to);
			memcpy(d, o, ext4_rec_len(o->name_len));
			d->rec_len = (uint16_t)ext4_rec_len(o->name_len);
			to += d->rec_len;
		}
		at += o->rec_len;
	}
	if (d)
		d->rec_len = (uint16_t)(d->rec_len + end - to);
	ext4_brelse(&leaf);
	if (err)
		goto out;
	memset(root.data + ROOT_INFO, 0, s->block_size - ROOT_INFO);
	dots->rec_len = (uint16_t)(s->block_size - 12);
	dots->inode = parent;
	info = (void *)(root.data + ROOT_INFO);
	info->hash_version = s->hash_version;
	info->info_length = 8;
	table = (void *)(root.data + ROOT_TABLE);
	count_of(table)->limit = (uint16_t)limit_for(s, ROOT_TABLE);
	count_of(table)->count = 1;
	table[0].block = lblk;
	e->flags |= EXT4_FL_INDEX;
	err = ext4_iwrite(h, dir, true);
out:
	ext4_brelse(&root);
	return err;
}
