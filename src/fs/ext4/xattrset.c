/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing extended attributes.
 *
 * All attributes of the inode are read into one list, the change is made
 * there, and the inode's own part and the block are written anew: an
 * attribute stays where it was, a new one goes into the inode where it fits,
 * else into the block.  A block that several inodes share (others write such)
 * is left to them, and the inode gets one of its own.
 */
#include "journal.h"
#include "xattr.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <base/string.h>
#include <fs/attr.h>
#include <mem/heap.h>

#define MAX_ITEMS 512u /* a block and an inode have room for fewer */
#define CREDITS	  16u

/* ---- the list ---- */

struct item {
	uint8_t index, name_len;
	bool in_block;
	const char *name;
	const uint8_t *value;
	uint32_t size;
};

struct items {
	struct inode *i;
	struct item *v; /* room for max */
	unsigned n, max;
	uint8_t *copy;		/* of both places, before the change */
	bool had_block, shared; /* the block's */
};

static int
add_area(struct items *l, const struct ext4_xattr_area *a, bool in_block)
{
	const struct ext4_xattr_entry *e;
	const uint8_t *p = a->first;
	bool bad;

	while ((e = ext4_xattr_at(a, p, &bad))) {
		if (l->n == l->max)
			return -ENOSPC;
		l->v[l->n++] = (struct item){
			.index = e->e_name_index,
			.name_len = e->e_name_len,
			.in_block = in_block,
			.name = e->e_name,
			.value = a->base + e->e_value_offs,
			.size = e->e_value_size,
		};
		p = ext4_xattr_after(e);
	}
	return bad ? ext4_bad(ext4_sb(l->i), l->i->ino, "extended attributes") :
		     0;
}

/* Bytes of the inode's own part, and where it begins behind its magic. */
static size_t
inode_room(const struct inode *i, size_t *at)
{
	struct ext4_super *s = ext4_sb(i);

	*at = 128 + ext4_i(i)->extra_isize + 4;
	return s->inode_size <= 128 || *at + 4 > s->inode_size ?
		       0 :
		       s->inode_size - *at;
}

static int
load(struct items *l)
{
	struct inode *i = l->i;
	struct ext4_super *s = ext4_sb(i);
	const struct ext4_xattr_header *h;
	struct ext4_xattr_area a;
	struct ext4_buf b;
	uint8_t *raw;
	int err = ext4_inode_raw(s, i->ino, &b, &raw);

	if (err)
		return err;
	memcpy(l->copy, raw, s->inode_size);
	ext4_brelse(&b);
	if (ext4_xattr_inode_area(i, l->copy, &a))
		err = add_area(l, &a, false);
	if (err || !ext4_i(i)->file_acl)
		return err;
	err = ext4_xattr_block(i, &b, &a);
	if (err)
		return err;
	l->had_block = true;
	h = (const void *)b.data;
	l->shared = h->h_refcount > 1;
	memcpy(l->copy + s->inode_size, b.data, s->block_size);
	a.base = l->copy + s->inode_size;
	a.first = a.base + sizeof(*h);
	a.end = a.base + s->block_size;
	ext4_brelse(&b);
	return add_area(l, &a, true);
}

static int
find(const struct items *l, uint8_t index, const char *name, size_t len)
{
	for (unsigned k = 0; k < l->n; k++)
		if (l->v[k].index == index && l->v[k].name_len == len &&
		    !memcmp(l->v[k].name, name, len))
			return (int)k;
	return -1;
}

/* Bytes that the items of one place take. */
static size_t
bytes_of(const struct items *l, bool in_block)
{
	size_t n = 4; /* the list's end */

	for (unsigned k = 0; k < l->n; k++)
		if (l->v[k].in_block == in_block)
			n += ext4_xattr_len(l->v[k].name_len) +
			     ((l->v[k].size + 3u) & ~3u);
	return n;
}

/* Finds item k a place. */
static int
place(struct items *l, int k)
{
	struct ext4_super *s = ext4_sb(l->i);
	size_t at, room = inode_room(l->i, &at);

	l->v[k].in_block = false;
	if (bytes_of(l, false) <= room)
		return 0;
	l->v[k].in_block = true;
	return bytes_of(l, true) <= s->block_size -
					    sizeof(struct ext4_xattr_header) ?
		       0 :
		       -ENOSPC;
}

/* ---- writing ---- */

static uint32_t
entry_hash(const struct item *x)
{
	uint32_t hash = 0, w;

	for (unsigned k = 0; k < x->name_len; k++)
		hash = hash << 5 ^ hash >> 27 ^ (uint8_t)x->name[k];
	for (uint32_t at = 0; at < x->size; at += 4) {
		w = 0;
		memcpy(&w, x->value + at, x->size - at < 4 ? x->size - at : 4);
		hash = hash << 16 ^ hash >> 16 ^ w;
	}
	return hash;
}

/* Entries of a block are sorted; by what is ext4's. */
static bool
before(const struct item *a, const struct item *b)
{
	if (a->index != b->index)
		return a->index < b->index;
	if (a->name_len != b->name_len)
		return a->name_len < b->name_len;
	return memcmp(a->name, b->name, a->name_len) < 0;
}

static void
sort(struct items *l)
{
	for (unsigned k = 1; k < l->n; k++) {
		struct item x = l->v[k];
		unsigned m = k;

		for (; m && before(&x, &l->v[m - 1]); m--)
			l->v[m] = l->v[m - 1];
		l->v[m] = x;
	}
}

/* Entries from first on, values from end down; returns the hash of all. */
static uint32_t
fill_area(const struct items *l, bool in_block, uint8_t *first, uint8_t *base,
	  uint8_t *end)
{
	uint32_t all = 0;

	memset(first, 0, (size_t)(end - first));
	for (unsigned k = 0; k < l->n; k++) {
		const struct item *x = &l->v[k];
		struct ext4_xattr_entry *e = (void *)first;

		if (x->in_block != in_block)
			continue;
		e->e_name_len = x->name_len;
		e->e_name_index = x->index;
		e->e_value_size = x->size;
		memcpy(e->e_name, x->name, x->name_len);
		if (x->size) {
			end -= (x->size + 3u) & ~3u;
			memcpy(end, x->value, x->size);
			e->e_value_offs = (uint16_t)(end - base);
		}
		if (in_block) {
			e->e_hash = entry_hash(x);
			all = all << 16 ^ all >> 16 ^ e->e_hash;
		}
		first += ext4_xattr_len(x->name_len);
	}
	return all;
}

static int
write_inode_part(struct jhandle *h, struct items *l)
{
	struct inode *i = l->i;
	struct ext4_buf b;
	uint8_t *raw, *first;
	uint32_t magic = EXT4_XATTR_MAGIC;
	size_t at;
	int err;

	if (!inode_room(i, &at))
		return 0;
	err = ext4_inode_raw_write(h, i, &b, &raw);
	if (err)
		return err;
	first = raw + at;
	mutex_lock(&ext4_i(i)->raw_lock);
	if (bytes_of(l, false) == 4)
		magic = 0;
	memcpy(first - 4, &magic, 4);
	fill_area(l, false, first, first, raw + h->s->inode_size);
	mutex_unlock(&ext4_i(i)->raw_lock);
	ext4_brelse(&b);
	return 0;
}

/* A block more or less, beside writeback, which gives the file some. */
static void
count_block(struct inode *i, int n)
{
	write_lock(&ext4_i(i)->tree_lock);
	i->blocks += (uint64_t)(int64_t)(n * (int)(i->sb->block_size / 512));
	write_unlock(&ext4_i(i)->tree_lock);
}

/* The old block: one user less. */
static int
leave_block(struct jhandle *h, struct inode *i)
{
	struct ext4_inode *e = ext4_i(i);
	struct ext4_xattr_header *x;
	struct ext4_xattr_area a;
	struct ext4_buf b;
	int err = ext4_xattr_block(i, &b, &a);

	if (err)
		return err;
	x = (void *)b.data;
	if (x->h_refcount > 1) {
		err = ext4_bwrite(h, &b, JK_XATTR, 0);
		if (!err)
			x->h_refcount--;
	} else {
		err = ext4_bfree_ready(h, e->file_acl, 1);
		if (!err)
			err = journal_forget(h, e->file_acl);
		if (!err)
			err = ext4_bfree(h, e->file_acl, 1);
	}
	ext4_brelse(&b);
	if (!err) {
		e->file_acl = 0;
		count_block(i, -1);
	}
	return err;
}

static int
write_block_part(struct jhandle *h, struct items *l)
{
	struct ext4_super *s = h->s;
	struct inode *i = l->i;
	struct ext4_inode *e = ext4_i(i);
	struct ext4_xattr_header *x;
	struct ext4_buf b;
	uint64_t block;
	uint32_t n;
	int err = 0;

	if (l->had_block && (l->shared || bytes_of(l, true) == 4))
		err = leave_block(h, i);
	if (err || bytes_of(l, true) == 4)
		return err;
	if (e->file_acl) {
		err = ext4_bread(s, e->file_acl, &b);
		if (err)
			return err;
		err = ext4_bwrite(h, &b, JK_XATTR, 0);
	} else {
		err = ext4_balloc(h,
				  s->first_data_block +
					  (i->ino - 1) / s->inodes_per_group *
						  (uint64_t)s->blocks_per_group,
				  1, 0, &block, &n);
		if (err)
			return err;
		err = ext4_bnew(s, block, &b);
		if (!err)
			err = ext4_bwrite(h, &b, JK_XATTR, 0);
		if (err) {
			ignore(ext4_bfree(h, block, 1)); /* err is reported */
		} else {
			e->file_acl = block;
			count_block(i, 1);
		}
	}
	if (!err) {
		x = (void *)b.data;
		memset(x, 0, sizeof(*x));
		x->h_magic = EXT4_XATTR_MAGIC;
		x->h_refcount = x->h_blocks = 1;
		x->h_hash = fill_area(l, true, b.data + sizeof(*x), b.data,
				      b.data + s->block_size);
	}
	ext4_brelse(&b);
	return err;
}

static int
store_in(struct jhandle *h, struct items *l)
{
	int err;

	sort(l);
	err = write_block_part(h, l);
	if (!err)
		err = write_inode_part(h, l);
	return err ? err : ext4_iwrite(h, l->i, true);
}

static int
store(struct items *l)
{
	struct inode_attr now = { .valid = 0 };
	struct inode *i = l->i;
	struct jhandle h;
	int err = journal_start(ext4_sb(i), CREDITS, &h);

	if (err)
		return err;
	inode_now(&now);
	i->ctime = now.ctime;
	err = store_in(&h, l);
	journal_stop(&h);
	return err;
}

/* ---- calls ---- */

/* The index of a name's prefix and the rest: -EOPNOTSUPP. */
static int
split_name(const char *name, uint8_t *index, const char **rest)
{
	for (unsigned k = 1; k < EXT4_XATTR_PREFIXES; k++) {
		const char *p = ext4_xattr_prefixes[k];
		size_t n = p ? strlen(p) : 0;

		if (!n || strncmp(name, p, n))
			continue;
		/* The ACLs' names are whole, others go on. */
		if ((p[n - 1] == '.') == !name[n])
			continue;
		*index = (uint8_t)k;
		*rest = name + n;
		return 0;
	}
	return -EOPNOTSUPP;
}

/* The change itself, to the list. */
static int
change_list(struct items *l, uint8_t index, const char *name, const void *val,
	    size_t len, int flags)
{
	int k = find(l, index, name, strlen(name));

	if (k >= 0 && (flags & XATTR_CREATE))
		return -EEXIST;
	if (k < 0 && (!val || (flags & XATTR_REPLACE)))
		return -ENODATA;
	if (!val) {
		l->v[k] = l->v[--l->n];
		return 0;
	}
	if ((k < 0 && l->n == l->max) || len > ext4_sb(l->i)->block_size)
		return -ENOSPC;
	if (k < 0)
		k = (int)l->n++;
	l->v[k] = (struct item){ .index = index,
				 .name_len = (uint8_t)strlen(name),
				 .name = name,
				 .value = val,
				 .size = (uint32_t)len };
	return place(l, k);
}

int
ext4_xattr_change(struct inode *i, const char *name, const void *val,
		  size_t len, int flags)
{
	struct ext4_super *s = ext4_sb(i);
	struct items l = { .i = i, .max = MAX_ITEMS };
	uint8_t index;
	const char *rest;
	int err = split_name(name, &index, &rest);

	if (err)
		return err;
	l.v = kmalloc(MAX_ITEMS * sizeof(*l.v), ALLOC_KERNEL);
	l.copy = kmalloc(s->inode_size + s->block_size, ALLOC_KERNEL);
	err = l.v && l.copy ? load(&l) : -ENOMEM;
	if (!err)
		err = change_list(&l, index, rest, val, len, flags);
	if (!err)
		err = store(&l);
	kfree(l.copy);
	kfree(l.v);
	return err;
}

int
ext4_xattr_init(struct jhandle *h, struct inode *i,
		const struct ext4_xattr_value *v, unsigned n)
{
	struct item items[2];
	struct items l = { .i = i, .v = items, .max = ARRAY_SIZE(items) };
	int err = n > l.max ? -ENOSPC : 0;

	for (unsigned k = 0; k < n && !err; k++) {
		items[l.n++] = (struct item){ .index = v[k].index,
					      .name = "",
					      .value = v[k].value,
					      .size = v[k].size };
		err = place(&l, (int)k);
	}
	return err ? err : store_in(h, &l);
}

int
ext4_setxattr(struct inode *i, const char *name, const void *val, size_t len,
	      int flags)
{
	return ext4_xattr_change(i, name, val ? val : "", len, flags);
}

int
ext4_removexattr(struct inode *i, const char *name)
{
	return ext4_xattr_change(i, name, NULL, 0, 0);
}

int
ext4_xattr_drop(struct jhandle *h, struct inode *i)
{
	return ext4_i(i)->file_acl ? leave_block(h, i) : 0;
}
