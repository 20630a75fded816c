/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes of ext4: a list in the inode behind its extra fields,
 * and one in a block of its own.  Values in inodes of their own (ea_inode)
 * are a feature that mount refuses.  (xattrset.c changes them.)
 */
#include "xattr.h"
#include "ext4.h"

#include <abi/errno.h>
#include <base/string.h>

/* By e_name_index; NULL: not for programs, or not known. */
const char *const ext4_xattr_prefixes[EXT4_XATTR_PREFIXES] = {
	[1] = "user.",
	[2] = "system.posix_acl_access",
	[3] = "system.posix_acl_default",
	[4] = "trusted.",
	[6] = "security.",
};

/* The next entry at p, or NULL at the end; *bad: it does not fit. */
const struct ext4_xattr_entry *
ext4_xattr_at(const struct ext4_xattr_area *a, const uint8_t *p, bool *bad)
{
	const struct ext4_xattr_entry *e = (const void *)p;
	uint32_t none;

	*bad = true;
	if (p + sizeof(none) > a->end)
		return NULL;
	memcpy(&none, p, sizeof(none));
	if (!none) {
		*bad = false;
		return NULL;
	}
	if (p + sizeof(*e) > a->end ||
	    (size_t)(a->end - p) - sizeof(*e) < e->e_name_len)
		return NULL;
	if (e->e_value_inum || e->e_value_size > (size_t)(a->end - a->base) ||
	    e->e_value_offs > (size_t)(a->end - a->base) - e->e_value_size)
		return NULL;
	*bad = false;
	return e;
}

/* Full name into buf of 300 bytes: its length, or 0. */
static size_t
full_name(const struct ext4_xattr_entry *e, char *buf)
{
	const char *prefix = e->e_name_index < EXT4_XATTR_PREFIXES ?
				     ext4_xattr_prefixes[e->e_name_index] :
				     NULL;
	size_t n;

	if (!prefix)
		return 0;
	n = strlen(prefix);
	memcpy(buf, prefix, n);
	memcpy(buf + n, e->e_name, e->e_name_len);
	buf[n + e->e_name_len] = '\0';
	return n + e->e_name_len;
}

/* fn returns nonzero to stop; that is the result. */
typedef ssize_t entry_fn(const struct ext4_xattr_entry *e, const char *name,
			 size_t len, const uint8_t *value, void *arg);

static ssize_t
walk_list(struct inode *i, const struct ext4_xattr_area *a, entry_fn *fn,
	  void *arg)
{
	const uint8_t *p = a->first;
	const struct ext4_xattr_entry *e;
	char name[300];
	bool bad;

	while ((e = ext4_xattr_at(a, p, &bad))) {
		size_t len = full_name(e, name);
		ssize_t r =
			len ? fn(e, name, len, a->base + e->e_value_offs, arg) :
			      0;

		if (r)
			return r;
		p = ext4_xattr_after(e);
	}
	return bad ? ext4_bad(ext4_sb(i), i->ino, "extended attributes") : 0;
}

bool
ext4_xattr_inode_area(const struct inode *i, const uint8_t *raw,
		      struct ext4_xattr_area *a)
{
	struct ext4_super *s = ext4_sb(i);
	uint32_t at = 128 + ext4_i(i)->extra_isize, magic;

	if (s->inode_size <= 128 || at + 8 > s->inode_size)
		return false;
	memcpy(&magic, raw + at, sizeof(magic));
	a->first = a->base = raw + at + 4;
	a->end = raw + s->inode_size;
	return magic == EXT4_XATTR_MAGIC;
}

static ssize_t
walk_inode(struct inode *i, entry_fn *fn, void *arg)
{
	struct ext4_xattr_area a;
	struct ext4_buf b;
	uint8_t *raw;
	ssize_t r = ext4_inode_raw(ext4_sb(i), i->ino, &b, &raw);

	if (r)
		return r;
	if (ext4_xattr_inode_area(i, raw, &a))
		r = walk_list(i, &a, fn, arg);
	ext4_brelse(&b);
	return r;
}

int
ext4_xattr_block(struct inode *i, struct ext4_buf *b, struct ext4_xattr_area *a)
{
	struct ext4_super *s = ext4_sb(i);
	uint64_t nr = ext4_i(i)->file_acl;
	const struct ext4_xattr_header *h;
	int err = ext4_bread(s, nr, b);

	if (err)
		return err;
	h = (const void *)b->data;
	if (h->h_magic != EXT4_XATTR_MAGIC || h->h_blocks != 1)
		err = ext4_bad(s, i->ino, "attribute block");
	else if (!ext4_buf_checked(s, b, nr)) {
		if (!ext4_xattr_csum_ok(s, nr, b->data))
			err = ext4_bad(s, i->ino, "attribute block's checksum");
		else
			ext4_buf_set_checked(s, b, nr);
	}
	if (err)
		ext4_brelse(b);
	a->base = b->data;
	a->first = b->data + sizeof(*h);
	a->end = b->data + s->block_size;
	return err;
}

static ssize_t
walk_block(struct inode *i, entry_fn *fn, void *arg)
{
	struct ext4_xattr_area a;
	struct ext4_buf b;
	ssize_t r;

	if (!ext4_i(i)->file_acl)
		return 0;
	r = ext4_xattr_block(i, &b, &a);
	if (r)
		return r;
	r = walk_list(i, &a, fn, arg);
	ext4_brelse(&b);
	return r;
}

static ssize_t
walk_all(struct inode *i, entry_fn *fn, void *arg)
{
	ssize_t r = walk_inode(i, fn, arg);

	return r ? r : walk_block(i, fn, arg);
}

struct get {
	const char *name;
	void *buf;
	size_t size, len;
	bool found;
};

static ssize_t
get_one(const struct ext4_xattr_entry *e, const char *name, size_t len,
	const uint8_t *value, void *arg)
{
	struct get *g = arg;

	(void)len;
	if (strcmp(name, g->name))
		return 0;
	g->found = true;
	g->len = e->e_value_size;
	if (!g->size)
		return 1;
	if (g->len > g->size)
		return -ERANGE;
	memcpy(g->buf, value, g->len);
	return 1;
}

ssize_t
ext4_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct get g = { .name = name, .buf = buf, .size = size };
	ssize_t r = walk_all(i, get_one, &g);

	if (r < 0)
		return r;
	return g.found ? (ssize_t)g.len : -ENODATA;
}

struct names {
	char *buf;
	size_t size, len;
};

static ssize_t
list_one(const struct ext4_xattr_entry *e, const char *name, size_t len,
	 const uint8_t *value, void *arg)
{
	struct names *l = arg;

	(void)e, (void)value;
	if (l->size) {
		if (l->size - l->len < len + 1)
			return -ERANGE;
		memcpy(l->buf + l->len, name, len + 1);
	}
	l->len += len + 1;
	return 0;
}

ssize_t
ext4_listxattr(struct inode *i, char *buf, size_t size)
{
	struct names l = { .buf = buf, .size = size };
	ssize_t r = walk_all(i, list_one, &l);

	return r < 0 ? r : (ssize_t)l.len;
}
