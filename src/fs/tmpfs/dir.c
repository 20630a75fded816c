/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of tmpfs and overlay: entries in two trees, by name and by
 * cookie.  The lock of the directory is held (for lookup and readdir: for
 * reading) by the caller, as for all directory operations.
 *
 * Positions of readdir: 0 and 1 are "." and "..", then cookies of own
 * entries, then LOWER + the position in the lower directory.  Looking a name
 * up makes no entry, so a position stays good.
 */
#include "tmpfs.h"

#include <abi/dirent.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <base/assert.h>
#include <base/hash.h>
#include <base/string.h>
#include <file/file.h>
#include <mem/heap.h>

#define LOWER	   (1ll << 62)
#define ENTRY_SIZE 20 /* what an entry adds to a directory's size, as Linux */

static int
compare(const struct tmpfs_entry *e, uint64_t hash, const char *name,
	size_t len)
{
	if (hash != e->hash)
		return hash < e->hash ? -1 : 1;
	if (len != e->len)
		return len < e->len ? -1 : 1;
	return memcmp(name, e->name, len);
}

static struct tmpfs_entry *
find(const struct tmpfs_inode *t, const char *name, size_t len)
{
	uint64_t hash = hash_bytes(0, name, len);
	struct rb_node *n = t->names.node;

	while (n) {
		struct tmpfs_entry *e;
		int c;

		e = container_of(n, struct tmpfs_entry, by_name);
		c = compare(e, hash, name, len);
		if (!c)
			return e;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static bool
name_less(const struct rb_node *a, const struct rb_node *b)
{
	const size_t off = offsetof(struct tmpfs_entry, by_name);
	const struct tmpfs_entry *x = (const void *)((const char *)a - off);
	const struct tmpfs_entry *y = (const void *)((const char *)b - off);

	return compare(y, x->hash, x->name, x->len) < 0;
}

static bool
cookie_less(const struct rb_node *a, const struct rb_node *b)
{
	const size_t off = offsetof(struct tmpfs_entry, by_cookie);
	const struct tmpfs_entry *x = (const void *)((const char *)a - off);
	const struct tmpfs_entry *y = (const void *)((const char *)b - off);

	return x->cookie < y->cookie;
}

/* A new entry, a whiteout until it is given an inode. */
static struct tmpfs_entry *
add(struct inode *dir, const char *name, size_t len, bool hides)
{
	struct tmpfs_inode *t = tmpfs_i(dir);
	struct tmpfs_entry *e = kzalloc(sizeof(*e) + len + 1, ALLOC_KERNEL);

	if (!e)
		return NULL;
	e->hash = hash_bytes(0, name, len);
	e->len = (uint8_t)len;
	memcpy(e->name, name, len);
	e->hides = hides;
	e->cookie = t->next_cookie++;
	list_init(&e->grave);
	rb_insert(&t->names, &e->by_name, name_less);
	rb_insert(&t->order, &e->by_cookie, cookie_less);
	return e;
}

static void
erase(struct inode *dir, struct tmpfs_entry *e)
{
	struct tmpfs_inode *t = tmpfs_i(dir);

	rb_erase(&t->names, &e->by_name);
	rb_erase(&t->order, &e->by_cookie);
	kfree(e);
}

/* Takes over the reference. */
static void
fill(struct inode *dir, struct tmpfs_entry *e, struct inode *i)
{
	assert(!e->inode);
	e->inode = i;
	tmpfs_i(dir)->nreal++;
	if (!tmpfs_sb(dir)->lower)
		dir->size += ENTRY_SIZE;
}

/* Its inode, or NULL, with the reference. */
static struct inode *
take(struct inode *dir, struct tmpfs_entry *e)
{
	struct inode *i = e->inode;

	if (i) {
		tmpfs_i(dir)->nreal--;
		if (!tmpfs_sb(dir)->lower)
			dir->size -= ENTRY_SIZE;
	}
	e->inode = NULL;
	return i;
}

/* The entry becomes a whiteout, or goes.  Returns its inode as take(). */
static struct inode *
clear(struct inode *dir, struct tmpfs_entry *e)
{
	struct inode *i = take(dir, e);

	if (!e->hides)
		erase(dir, e);
	return i;
}

static void
changed(struct inode *dir)
{
	tmpfs_pin(dir);
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
}

/* ---- lookup and readdir ---- */

static int
lower_lookup(struct inode *dir, const char *name, size_t len,
	     struct inode **out)
{
	struct inode *lower = tmpfs_i(dir)->lower;
	int err;

	if (!lower)
		return -ENOENT;
	read_lock(&lower->lock);
	err = lower->ops->lookup(lower, name, len, out);
	read_unlock(&lower->lock);
	return err;
}

int
tmpfs_lookup(struct inode *dir, const char *name, size_t len,
	     struct inode **out)
{
	struct tmpfs_entry *e = find(tmpfs_i(dir), name, len);
	struct inode *lower;
	int err;

	if (e && !e->inode)
		return -ENOENT;
	if (e) {
		inode_get(e->inode);
		*out = e->inode;
		return 0;
	}
	err = lower_lookup(dir, name, len, &lower);
	if (err)
		return err;
	return overlay_wrap(dir->sb, lower, out);
}

/* First entry with a cookie >= at. */
static struct tmpfs_entry *
from_cookie(const struct tmpfs_inode *t, uint64_t at)
{
	struct rb_node *n = t->order.node, *best = NULL;

	while (n) {
		if (container_of(n, struct tmpfs_entry, by_cookie)->cookie >=
		    at) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best ? container_of(best, struct tmpfs_entry, by_cookie) : NULL;
}

struct lower_emit {
	struct dir_emit e; /* first */
	struct dir_emit *to;
	struct tmpfs_inode *dir;
};

static bool
is_dots(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

/* Passes on what no entry of our own hides. */
static bool
emit_lower(struct dir_emit *e, const char *name, size_t len, uint64_t ino,
	   int64_t next_pos, uint8_t type)
{
	struct lower_emit *l = container_of(e, struct lower_emit, e);

	if (is_dots(name, len) || find(l->dir, name, len))
		return true;
	return l->to->fn(l->to, name, len, ino, LOWER + next_pos, type);
}

static int
iterate_lower(struct inode *dir, int64_t *pos, struct dir_emit *e)
{
	struct tmpfs_inode *t = tmpfs_i(dir);
	struct lower_emit l = { .e.fn = emit_lower, .to = e, .dir = t };
	int64_t at = *pos - LOWER;
	int err;

	read_lock(&t->lower->lock);
	err = t->lower->ops->iterate(t->lower, &at, 0, &l.e);
	read_unlock(&t->lower->lock);
	*pos = LOWER + at;
	return err;
}

int
tmpfs_iterate(struct inode *dir, int64_t *pos, uint64_t parent,
	      struct dir_emit *e)
{
	struct tmpfs_inode *t = tmpfs_i(dir);
	struct tmpfs_entry *d;

	if (*pos == 0) {
		if (!e->fn(e, ".", 1, dir->ino, 1, DT_DIR))
			return 0;
		*pos = 1;
	}
	if (*pos == 1) {
		if (!e->fn(e, "..", 2, parent, 2, DT_DIR))
			return 0;
		*pos = 2;
	}
	while (*pos < LOWER) {
		d = from_cookie(t, (uint64_t)*pos);
		if (!d) {
			if (!t->lower)
				return 0;
			*pos = LOWER;
			break;
		}
		if (d->inode &&
		    !e->fn(e, d->name, d->len, d->inode->ino,
			   (int64_t)d->cookie + 1, DT_OF_MODE(d->inode->mode)))
			return 0;
		*pos = (int64_t)d->cookie + 1;
	}
	return t->lower ? iterate_lower(dir, pos, e) : 0;
}

static bool
any_entry(struct dir_emit *e, const char *name, size_t len, uint64_t ino,
	  int64_t next_pos, uint8_t type)
{
	(void)e, (void)ino, (void)next_pos, (void)type;
	return is_dots(name, len);
}

/* Only entries that are seen count.  -ENOTEMPTY, other errors. */
static int
check_empty(struct inode *dir)
{
	struct tmpfs_inode *t = tmpfs_i(dir);
	bool found = false;
	struct lower_emit l;
	struct dir_emit none = { .fn = any_entry };
	int64_t at = 0, last;
	int err = 0;

	if (t->nreal)
		return -ENOTEMPTY;
	if (!t->lower)
		return 0;
	l = (struct lower_emit){ .e.fn = emit_lower, .to = &none, .dir = t };
	read_lock(&t->lower->lock);
	do {
		last = at;
		err = t->lower->ops->iterate(t->lower, &at, 0, &l.e);
		found = (uint64_t)at < t->lower->size;
	} while (!err && !found && at != last);
	read_unlock(&t->lower->lock);
	return err ? err : found ? -ENOTEMPTY : 0;
}

/* ---- changes ---- */

/* An entry for a name that is free: a whiteout that was there, or a new one;
 * *fresh tells. */
static struct tmpfs_entry *
place(struct inode *dir, const char *name, size_t len, bool *fresh)
{
	struct tmpfs_entry *e = find(tmpfs_i(dir), name, len);

	*fresh = !e;
	return e ? e : add(dir, name, len, false);
}

int
tmpfs_create(struct inode *dir, const char *name, size_t len, uint32_t mode,
	     uint64_t rdev, struct inode **out)
{
	struct tmpfs_entry *e;
	bool fresh;
	int err;

	e = place(dir, name, len, &fresh);
	if (!e)
		return -ENOMEM;
	err = tmpfs_new_inode(dir->sb, dir, mode, rdev, out);
	if (err) {
		if (fresh)
			erase(dir, e);
		return err;
	}
	inode_get(*out);
	fill(dir, e, *out);
	if (S_ISDIR(mode))
		dir->nlink++;
	changed(dir);
	return 0;
}

int
tmpfs_symlink(struct inode *dir, const char *name, size_t len,
	      const char *target, struct inode **out)
{
	struct tmpfs_entry *e;
	struct inode *i;
	char *text;
	bool fresh;
	int err;

	text = kstrdup(target, ALLOC_KERNEL);
	if (!text)
		return -ENOMEM;
	e = place(dir, name, len, &fresh);
	err = e ? tmpfs_new_inode(dir->sb, dir, S_IFLNK | 0777, 0, &i) :
		  -ENOMEM;
	if (err) {
		if (e && fresh)
			erase(dir, e);
		kfree(text);
		return err;
	}
	i->size = strlen(text);
	i->link = text;
	inode_get(i);
	fill(dir, e, i);
	changed(dir);
	*out = i;
	return 0;
}

int
tmpfs_link(struct inode *dir, const char *name, size_t len,
	   struct inode *target)
{
	struct tmpfs_entry *e;
	bool fresh;

	if (target->nlink >= UINT32_MAX / 2)
		return -EMLINK;
	e = place(dir, name, len, &fresh);
	if (!e)
		return -ENOMEM;
	tmpfs_pin(target);
	inode_get(target);
	fill(dir, e, target);
	target->nlink++;
	inode_touch(target, ATTR_CTIME);
	changed(dir);
	return 0;
}

/* Ends a name's hold on its inode; for a directory, checks that it is empty
 * and keeps others from making entries in it. */
static int
end_inode(struct inode *dir, struct inode *target)
{
	int err;

	if (!S_ISDIR(target->mode)) {
		tmpfs_drop_link(target, 1);
		return 0;
	}
	write_lock(&target->lock);
	err = check_empty(target);
	if (!err)
		tmpfs_drop_link(target, UINT32_MAX);
	write_unlock(&target->lock);
	if (!err && dir->nlink > 2)
		dir->nlink--;
	return err;
}

int
tmpfs_unlink(struct inode *dir, const char *name, size_t len,
	     struct inode *target)
{
	struct tmpfs_entry *e = find(tmpfs_i(dir), name, len);
	bool fresh = !e;
	struct inode *i;
	int err;

	if (!e) { /* a lower name: hidden from now on */
		e = add(dir, name, len, true);
		if (!e)
			return -ENOMEM;
	}
	err = end_inode(dir, target);
	if (err) {
		if (fresh)
			erase(dir, e);
		return err;
	}
	i = clear(dir, e);
	if (i)
		inode_put(i);
	changed(dir);
	return 0;
}

/* The own entry of a name that is there, made from the lower one if need be;
 * NULL: no memory. */
static struct tmpfs_entry *
own_entry(struct inode *dir, const char *name, size_t len, struct inode *i)
{
	struct tmpfs_entry *e = find(tmpfs_i(dir), name, len);

	if (e)
		return e;
	e = add(dir, name, len, true);
	if (e) {
		tmpfs_pin(i);
		tmpfs_pin(dir);
		inode_get(i);
		fill(dir, e, i);
	}
	return e;
}

static void
move_dir_link(struct inode *from, struct inode *to)
{
	if (from == to)
		return;
	if (from->nlink > 2)
		from->nlink--;
	to->nlink++;
}

static void
exchange(struct inode *odir, struct tmpfs_entry *a, struct inode *ndir,
	 struct tmpfs_entry *b)
{
	struct inode *t = a->inode;

	a->inode = b->inode;
	b->inode = t;
	if (S_ISDIR(b->inode->mode))
		move_dir_link(odir, ndir);
	if (S_ISDIR(a->inode->mode))
		move_dir_link(ndir, odir);
	inode_touch(a->inode, ATTR_CTIME);
	inode_touch(b->inode, ATTR_CTIME);
}

int
tmpfs_rename(struct inode *odir, const char *oname, size_t olen,
	     struct inode *source, struct inode *ndir, const char *nname,
	     size_t nlen, struct inode *victim, unsigned flags)
{
	struct tmpfs_entry *a, *b;
	struct inode *whiteout = NULL;
	bool fresh = false;
	int err;

	a = own_entry(odir, oname, olen, source);
	if (!a)
		return -ENOMEM;
	if (flags & RENAME_WHITEOUT) {
		err = tmpfs_new_inode(odir->sb, odir, S_IFCHR, 0, &whiteout);
		if (err)
			return err;
	}
	b = victim ? own_entry(ndir, nname, nlen, victim) :
		     place(ndir, nname, nlen, &fresh);
	if (!b) {
		err = -ENOMEM;
		goto failed;
	}
	if (flags & RENAME_EXCHANGE) {
		exchange(odir, a, ndir, b);
		goto out;
	}
	if (victim) {
		err = end_inode(ndir, victim);
		if (err)
			goto failed;
		inode_put(take(ndir, b));
	}
	fill(ndir, b, whiteout ? take(odir, a) : clear(odir, a));
	if (whiteout)
		fill(odir, a, whiteout);
	if (S_ISDIR(source->mode))
		move_dir_link(odir, ndir);
	tmpfs_pin(source);
	inode_touch(source, ATTR_CTIME);
out:
	changed(odir);
	changed(ndir);
	return 0;
failed:
	if (whiteout) {
		whiteout->nlink = 0;
		inode_put(whiteout);
	}
	return err;
}

void
tmpfs_bury(struct inode *dir)
{
	struct tmpfs_super *s = tmpfs_sb(dir);
	struct tmpfs_inode *t = tmpfs_i(dir);
	struct rb_node *n;
	bool outer = !s->draining;

	while ((n = rb_first(&t->order))) {
		struct tmpfs_entry *e;

		e = container_of(n, struct tmpfs_entry, by_cookie);
		rb_erase(&t->order, n);
		list_add_tail(&s->graves, &e->grave);
	}
	if (!outer || list_empty(&s->graves))
		return;
	s->draining = true;
	while (!list_empty(&s->graves)) {
		struct tmpfs_entry *e;

		e = list_first_entry(&s->graves, struct tmpfs_entry, grave);
		list_del(&e->grave);
		if (e->inode)
			inode_put(e->inode);
		kfree(e);
	}
	s->draining = false;
}
