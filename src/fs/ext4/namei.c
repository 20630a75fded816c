/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: create, link, unlink, rename.  The vfs holds the directories' locks
 * and has checked permissions.  Each operation is one handle, so a crash
 * shows all of it or nothing.
 */
#include "ext4.h"
#include "journal.h"
#include "quota.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <base/string.h>
#include <fs/acl.h>
#include <fs/attr.h>
#include <fs/pagecache.h>
#include <mem/heap.h>

#define CREATE_CREDITS (EXT4_DIR_CREDITS + 24)
#define RENAME_CREDITS (2 * EXT4_DIR_CREDITS + 16)
#define LINK_MAX       65000u

static int
write_dir(struct jhandle *h, struct inode *dir)
{
	struct inode_attr now = { .valid = 0 };

	inode_now(&now);
	dir->mtime = dir->ctime = now.mtime;
	return ext4_iwrite(h, dir, true);
}

/* Subdirectories count as links of their parent, up to a number. */
static void
add_subdir(struct inode *dir)
{
	if (dir->nlink > 1)
		dir->nlink++;
}

static void
drop_subdir(struct inode *dir)
{
	if (dir->nlink > 2)
		dir->nlink--;
}

static bool
too_many_subdirs(const struct inode *dir)
{
	return dir->nlink >= LINK_MAX &&
	       !(ext4_sb(dir)->ro_compat & EXT4_RO_DIR_NLINK);
}

/* A new inode that will not be: evict frees it, as an orphan. */
static void
give_up(struct jhandle *h, struct inode *i)
{
	i->nlink = 0;
	if (ext4_orphan_add(h, i))
		ext4_bad(h->s, i->ino, "an inode is lost");
	journal_stop(h);
	inode_ready(i);
	inode_put(i);
}

/* A new inode with what it inherits, in a handle that is open after. */
static int
new_child(struct inode *dir, uint32_t mode, uint64_t rdev, struct jhandle *h,
	  struct inode **out)
{
	struct acl *acls[2];
	uint32_t credits = CREATE_CREDITS;
	int err = ext4_quota_ready_child(dir);

	if (!err)
		err = acl_inherit(dir, &mode, acls);
	if (err)
		return err;
	if (acls[ACL_ACCESS] || acls[ACL_DEFAULT])
		credits += EXT4_ACL_CREDITS;
	err = journal_start(ext4_sb(dir), credits, h);
	if (err)
		goto put;
	err = ext4_iready(h, dir);
	if (!err)
		err = ext4_new_inode(h, dir, mode, rdev, out);
	if (err)
		goto stop;
	for (unsigned k = 0; k < 2; k++)
		(*out)->acl[k] = acls[k];
	err = ext4_acl_init(h, *out);
	if (err)
		give_up(h, *out);
	return err;
stop:
	journal_stop(h);
put:
	acl_put(acls[ACL_ACCESS]);
	acl_put(acls[ACL_DEFAULT]);
	return err;
}

static int
create_once(struct inode *dir, const char *name, size_t len, uint32_t mode,
	    uint64_t rdev, struct inode **out)
{
	struct jhandle h;
	struct inode *i;
	int err = new_child(dir, mode, rdev, &h, &i);

	if (err)
		return err;
	if (S_ISDIR(mode))
		err = ext4_dir_init(&h, i, dir->ino);
	if (!err)
		err = ext4_dir_add(&h, dir, name, len, (uint32_t)i->ino, mode);
	if (err) {
		give_up(&h, i);
		return err;
	}
	if (S_ISDIR(mode))
		add_subdir(dir);
	err = write_dir(&h, dir);
	journal_stop(&h);
	inode_ready(i);
	if (err) { /* on the disk the name is there: nothing was lost */
		inode_put(i);
		return err;
	}
	*out = i;
	return 0;
}

static int
ext4_create(struct inode *dir, const char *name, size_t len, uint32_t mode,
	    uint64_t rdev, struct inode **out)
{
	unsigned tries = 0;
	int err;

	if (S_ISDIR(mode) && too_many_subdirs(dir))
		return -EMLINK;
	do
		err = create_once(dir, name, len, mode, rdev, out);
	while (ext4_retry_alloc(ext4_sb(dir), err, &tries));
	return err;
}

/* A link's text: in the inode where it fits, else in a block. */
static int
put_target(struct jhandle *h, struct inode *i, const char *target, size_t len)
{
	struct ext4_inode *e = ext4_i(i);
	struct ext4_buf b;
	uint32_t lblk;
	int err;

	if (len < sizeof(e->block)) {
		memset(e->block, 0, sizeof(e->block));
		memcpy(e->block, target, len);
		i->size = e->disksize = len;
		return ext4_iwrite(h, i, true);
	}
	ext4_ext_init(e);
	err = ext4_append_block(h, i, &lblk, &b);
	if (err)
		return err;
	memcpy(b.data, target, len);
	ext4_brelse(&b);
	i->size = e->disksize = len;
	return ext4_iwrite(h, i, true);
}

static int
symlink_once(struct inode *dir, const char *name, size_t len,
	     const char *target, struct inode **out)
{
	size_t tlen = strlen(target);
	char *text = kstrdup(target, ALLOC_KERNEL);
	struct jhandle h;
	struct inode *i;
	int err;

	if (!text)
		return -ENOMEM;
	err = ext4_quota_ready_child(dir);
	if (!err)
		err = journal_start(ext4_sb(dir), CREATE_CREDITS, &h);
	if (err)
		goto free;
	err = ext4_iready(&h, dir);
	if (!err)
		err = ext4_new_inode(&h, dir, S_IFLNK | 0777, 0, &i);
	if (err) {
		journal_stop(&h);
		goto free;
	}
	err = put_target(&h, i, target, tlen);
	if (!err)
		err = ext4_dir_add(&h, dir, name, len, (uint32_t)i->ino,
				   S_IFLNK);
	if (err) {
		give_up(&h, i);
		goto free;
	}
	err = write_dir(&h, dir);
	journal_stop(&h);
	i->link = text;
	inode_ready(i);
	*out = i;
	return err;
free:
	kfree(text);
	return err;
}

static int
ext4_symlink(struct inode *dir, const char *name, size_t len,
	     const char *target, struct inode **out)
{
	struct ext4_super *s = ext4_sb(dir);
	unsigned tries = 0;
	int err;

	if (strlen(target) >= s->block_size)
		return -ENAMETOOLONG;
	do
		err = symlink_once(dir, name, len, target, out);
	while (ext4_retry_alloc(s, err, &tries));
	return err;
}

static int
ext4_link(struct inode *dir, const char *name, size_t len, struct inode *target)
{
	struct inode_attr now = { .valid = 0 };
	struct jhandle h;
	int err;

	if (target->nlink >= LINK_MAX)
		return -EMLINK;
	err = journal_start(ext4_sb(dir), EXT4_DIR_CREDITS + 8, &h);
	if (err)
		return err;
	err = ext4_iready(&h, dir);
	if (!err)
		err = ext4_iready(&h, target);
	if (!err)
		err = ext4_dir_add(&h, dir, name, len, (uint32_t)target->ino,
				   target->mode);
	if (!err && !target->nlink) /* O_TMPFILE gets a name */
		err = ext4_orphan_del(&h, target);
	if (!err) {
		inode_now(&now);
		target->nlink++;
		target->ctime = now.ctime;
		err = ext4_iwrite(&h, target, true);
	}
	if (!err)
		err = write_dir(&h, dir);
	journal_stop(&h);
	return err;
}

/* One name less for target; without any it becomes an orphan. */
static int
drop_name(struct jhandle *h, struct inode *target)
{
	struct inode_attr now = { .valid = 0 };

	inode_now(&now);
	target->ctime = now.ctime;
	if (S_ISDIR(target->mode) || target->nlink <= 1)
		target->nlink = 0;
	else
		target->nlink--;
	return target->nlink ? ext4_iwrite(h, target, true) :
			       ext4_orphan_add(h, target);
}

/* The last name of what cannot be freed stays. */
static bool
must_stay(const struct inode *i)
{
	return (S_ISDIR(i->mode) || i->nlink <= 1) && ext4_has_list(i);
}

static int
unlink_locked(struct inode *dir, const char *name, size_t len,
	      struct inode *target)
{
	struct jhandle h;
	int err = journal_start(ext4_sb(dir), 12, &h);

	if (err)
		return err;
	err = ext4_iready(&h, target);
	if (!err)
		err = ext4_iready(&h, dir);
	if (!err)
		err = ext4_dir_remove(&h, dir, name, len);
	if (!err) {
		bool is_dir = S_ISDIR(target->mode);

		err = drop_name(&h, target);
		if (is_dir)
			drop_subdir(dir);
	}
	if (!err)
		err = write_dir(&h, dir);
	journal_stop(&h);
	return err;
}

static int
ext4_unlink(struct inode *dir, const char *name, size_t len,
	    struct inode *target)
{
	int err = 0;

	if (must_stay(target))
		return -EOPNOTSUPP;
	if (!S_ISDIR(target->mode))
		return unlink_locked(dir, name, len, target);
	write_lock(&target->lock);
	err = ext4_dir_check_empty(target);
	if (!err)
		err = unlink_locked(dir, name, len, target);
	write_unlock(&target->lock);
	return err;
}

/* ---- rename ---- */

struct side {
	struct inode *dir;
	const char *name;
	size_t len;
	struct inode *inode;	/* what the name is now; NULL: nothing */
	struct inode *whiteout; /* what the old name becomes; NULL: nothing */
};

/* A directory that moves says so itself. */
static int
move_parent(struct jhandle *h, struct inode *i, struct inode *from,
	    struct inode *to)
{
	if (!S_ISDIR(i->mode) || from == to)
		return 0;
	drop_subdir(from);
	add_subdir(to);
	return ext4_dir_replace(h, i, "..", 2, (uint32_t)to->ino, S_IFDIR);
}

static int
exchange(struct jhandle *h, struct side *o, struct side *n)
{
	int err = ext4_dir_replace(h, o->dir, o->name, o->len,
				   (uint32_t)n->inode->ino, n->inode->mode);

	if (!err)
		err = ext4_dir_replace(h, n->dir, n->name, n->len,
				       (uint32_t)o->inode->ino, o->inode->mode);
	if (!err)
		err = move_parent(h, o->inode, o->dir, n->dir);
	if (!err)
		err = move_parent(h, n->inode, n->dir, o->dir);
	return err;
}

static int
move(struct jhandle *h, struct side *o, struct side *n)
{
	int err;

	if (n->inode)
		err = ext4_dir_replace(h, n->dir, n->name, n->len,
				       (uint32_t)o->inode->ino, o->inode->mode);
	else
		err = ext4_dir_add(h, n->dir, n->name, n->len,
				   (uint32_t)o->inode->ino, o->inode->mode);
	if (!err && o->whiteout)
		err = ext4_dir_replace(h, o->dir, o->name, o->len,
				       (uint32_t)o->whiteout->ino, S_IFCHR);
	else if (!err)
		err = ext4_dir_remove(h, o->dir, o->name, o->len);
	if (!err && n->inode) {
		bool is_dir = S_ISDIR(n->inode->mode);

		err = drop_name(h, n->inode);
		if (is_dir)
			drop_subdir(n->dir);
	}
	if (!err)
		err = move_parent(h, o->inode, o->dir, n->dir);
	return err;
}

static int
rename_once(struct side *o, struct side *n, unsigned flags)
{
	struct inode_attr now = { .valid = 0 };
	struct jhandle h;
	int err = journal_start(ext4_sb(o->dir),
				RENAME_CREDITS + CREATE_CREDITS, &h);

	if (err)
		return err;
	o->whiteout = NULL;
	if (flags & RENAME_WHITEOUT)
		err = ext4_new_inode(&h, o->dir, S_IFCHR, 0, &o->whiteout);
	if (err) {
		journal_stop(&h);
		return err;
	}
	err = ext4_iready(&h, o->inode);
	if (!err && n->inode)
		err = ext4_iready(&h, n->inode);
	if (!err)
		err = ext4_iready(&h, o->dir);
	if (!err)
		err = ext4_iready(&h, n->dir);
	if (!err)
		err = flags & RENAME_EXCHANGE ? exchange(&h, o, n) :
						move(&h, o, n);
	inode_now(&now);
	if (!err) {
		o->inode->ctime = now.ctime;
		err = ext4_iwrite(&h, o->inode, true);
	}
	if (!err && (flags & RENAME_EXCHANGE)) {
		n->inode->ctime = now.ctime;
		err = ext4_iwrite(&h, n->inode, true);
	}
	if (!err)
		err = write_dir(&h, o->dir);
	if (!err && o->dir != n->dir)
		err = write_dir(&h, n->dir);
	if (err && o->whiteout) {
		give_up(&h, o->whiteout);
		return err;
	}
	journal_stop(&h);
	if (o->whiteout) {
		inode_ready(o->whiteout);
		inode_put(o->whiteout);
	}
	return err;
}

static int
ext4_rename(struct inode *odir, const char *oname, size_t olen,
	    struct inode *source, struct inode *ndir, const char *nname,
	    size_t nlen, struct inode *victim, unsigned flags)
{
	struct side o = { odir, oname, olen, source, NULL };
	struct side n = { ndir, nname, nlen, victim, NULL };
	bool replaces_dir =
		victim && S_ISDIR(victim->mode) && !(flags & RENAME_EXCHANGE);
	unsigned tries = 0;
	int err = 0;

	if (S_ISDIR(source->mode) && odir != ndir && !victim &&
	    too_many_subdirs(ndir))
		return -EMLINK;
	if (victim && !(flags & RENAME_EXCHANGE) && must_stay(victim))
		return -EOPNOTSUPP;
	/* A file that replaces another is expected to be whole after a crash
	 * even without fsync: its blocks go into this transaction. */
	if (victim && source->cache)
		page_cache_write_range(source->cache, 0, UINT64_MAX, false);
	if (flags & RENAME_WHITEOUT)
		err = ext4_quota_ready_child(odir);
	if (replaces_dir) {
		write_lock(&victim->lock);
		if (!err)
			err = ext4_dir_check_empty(victim);
	}
	if (!err)
		do
			err = rename_once(&o, &n, flags);
		while (ext4_retry_alloc(ext4_sb(odir), err, &tries));
	if (replaces_dir)
		write_unlock(&victim->lock);
	return err;
}

static int
ext4_tmpfile(struct inode *dir, uint32_t mode, struct inode **out)
{
	struct jhandle h;
	struct inode *i;
	int err = new_child(dir, mode, 0, &h, &i);

	if (err)
		return err;
	i->nlink = 0;
	err = ext4_orphan_add(&h, i);
	if (err) {
		give_up(&h, i);
		return err;
	}
	journal_stop(&h);
	inode_ready(i);
	*out = i;
	return 0;
}

const struct inode_ops ext4_dir_ops = {
	.lookup = ext4_lookup,
	.create = ext4_create,
	.symlink = ext4_symlink,
	.link = ext4_link,
	.unlink = ext4_unlink,
	.rename = ext4_rename,
	.tmpfile = ext4_tmpfile,
	.iterate = ext4_iterate,
	.setattr = ext4_setattr,
	.get_flags = ext4_get_flags,
	.set_flags = ext4_set_flags,
	.getxattr = ext4_getxattr,
	.listxattr = ext4_listxattr,
	.setxattr = ext4_setxattr,
	.removexattr = ext4_removexattr,
	.set_acl = ext4_set_acl,
};
