/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes of a 9P file system: what the server says of a file, and when it is
 * asked again.
 *
 * The host may change anything at any time.  Names are looked up at the
 * server each time (super.cache_names is false), attributes are asked for at
 * each lookup, stat and open.  Data are cached; an answer with another size
 * or modification time than the cached data had drops them, unless there are
 * changes of our own that the server does not have yet.
 *
 * Locks: inode->lock (tried only, on the way of a lookup, which may hold it
 * already as a directory), then p9_inode.lock.
 */
#include "p9.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/stat.h>
#include <base/atomic.h>
#include <base/string.h>
#include <file/file.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <sched/thread.h>

static bool
same_data(const struct p9_inode *p, const struct p9_attr *a)
{
	return p->seen_size == a->size && p->seen_mtime.sec == a->mtime.sec &&
	       p->seen_mtime.nsec == a->mtime.nsec;
}

static void
remember(struct p9_inode *p, const struct p9_attr *a)
{
	p->seen_size = a->size;
	p->seen_mtime = a->mtime;
}

/* Size and data.  The inode's lock is held for writing. */
static void
update_data(struct inode *i, const struct p9_attr *a)
{
	struct p9_inode *p = p9_i(i);

	if (i->cache && (i->cache->ndirty || i->cache->nwriteback))
		return; /* ours are newer */
	if (i->cache && !same_data(p, a))
		/* Pages that cannot go are locked: being read just now. */
		ignore(page_cache_invalidate(i->cache, 0, UINT64_MAX));
	remember(p, a);
	atomic_store(&i->size, a->size);
	i->blocks = a->blocks;
	i->mtime = a->mtime;
	i->ctime = a->ctime;
}

static void
update_attributes(struct inode *i, const struct p9_attr *a)
{
	i->mode = (i->mode & S_IFMT) | (a->mode & S_IALLUGO);
	i->uid = a->uid;
	i->gid = a->gid;
	i->nlink = (uint32_t)a->nlink;
	i->atime = a->atime;
}

int
p9_refresh(struct inode *i)
{
	struct p9_attr a;
	int err = 0;

	/* Who holds it changes the file, or its directory, right now. */
	if (!write_trylock(&i->lock))
		return 0;
	err = p9_getattr(p9_c(i), p9_i(i)->fid, &a);
	if (!err) {
		update_attributes(i, &a);
		update_data(i, &a);
	}
	write_unlock(&i->lock);
	return err;
}

static int
fill(struct inode *i, uint32_t fid, const struct p9_attr *a)
{
	struct p9_inode *p = kzalloc(sizeof(*p), ALLOC_KERNEL);

	if (!p)
		return -ENOMEM;
	p->fid = fid;
	p->rfid = p->wfid = P9_NOFID;
	mutex_init(&p->lock, RANK_FSALLOC);
	i->mode = a->mode;
	i->rdev = a->rdev;
	i->btime = a->valid & P9_GETATTR_BTIME ? a->btime : i->btime;
	switch (a->mode & S_IFMT) {
	case S_IFREG:
		i->ops = &p9_file_ops;
		i->cache = page_cache_create(i, &p9_cache_ops, false);
		if (!i->cache) {
			kfree(p);
			return -ENOMEM;
		}
		break;
	case S_IFDIR:
		i->ops = &p9_dir_ops;
		break;
	default:
		i->ops = &p9_link_ops;
	}
	i->priv = p;
	update_attributes(i, a);
	remember(p, a);
	i->size = a->size;
	i->blocks = a->blocks;
	i->mtime = a->mtime;
	i->ctime = a->ctime;
	return 0;
}

int
p9_iget(struct super *sb, uint32_t fid, struct inode **out)
{
	struct p9_client *c = sb->priv;
	struct p9_attr a;
	struct inode *i;
	bool fresh;
	int err = p9_getattr(c, fid, &a);

	if (!err)
		err = inode_get_cached(sb, a.qid.path, &i, &fresh);
	if (err)
		goto fail;
	if (!fresh) {
		p9_clunk(c, fid);
		if ((i->mode ^ a.mode) & S_IFMT) { /* the number was reused */
			inode_put(i);
			return -ESTALE;
		}
		if (write_trylock(&i->lock)) {
			update_attributes(i, &a);
			update_data(i, &a);
			write_unlock(&i->lock);
		}
		*out = i;
		return 0;
	}
	/* Without a name in use it need not stay: the server has it. */
	atomic_and(&i->state, ~INODE_KEEP);
	err = fill(i, fid, &a);
	if (err) {
		inode_fail(i, err);
		goto fail;
	}
	inode_ready(i);
	*out = i;
	return 0;
fail:
	p9_clunk(c, fid);
	return err;
}

static void
clunk_if(struct p9_client *c, uint32_t fid)
{
	if (fid != P9_NOFID)
		p9_clunk(c, fid);
}

void
p9_evict(struct inode *i)
{
	struct p9_inode *p = p9_i(i);

	if (i->cache) {
		/* What a mapping changed after the last close. */
		if (i->nlink && i->cache->ndirty)
			page_cache_write_range(i->cache, 0, UINT64_MAX, true);
		page_cache_destroy(i->cache);
	}
	i->cache = NULL;
	if (!p)
		return;
	clunk_if(p9_c(i), p->rfid);
	clunk_if(p9_c(i), p->wfid);
	p9_clunk(p9_c(i), p->fid);
	i->priv = NULL;
	kfree(p);
}

/* ---- attributes ---- */

void
p9_getattr_inode(struct inode *i, struct kstat *st)
{
	ignore(p9_refresh(i)); /* what was known last is the answer then */
	inode_stat(i, st);
	st->blksize = P9_IO_BYTES;
}

/* Takes over what the server made of a change of ours. */
static void
update_after_change(struct inode *i)
{
	struct p9_attr a;

	if (p9_getattr(p9_c(i), p9_i(i)->fid, &a))
		return;
	update_attributes(i, &a);
	i->ctime = a.ctime;
	i->mtime = a.mtime;
	i->blocks = a.blocks;
	if (!i->cache || !(i->cache->ndirty || i->cache->nwriteback))
		remember(p9_i(i), &a);
}

int
p9_setattr_inode(struct inode *i, const struct inode_attr *a)
{
	unsigned valid = 0;
	int err;

	if (a->valid & ATTR_MODE)
		valid |= P9_SET_MODE;
	if (a->valid & ATTR_UID)
		valid |= P9_SET_UID;
	if (a->valid & ATTR_GID)
		valid |= P9_SET_GID;
	if (a->valid & ATTR_SIZE) {
		if (!i->cache)
			return -EINVAL;
		valid |= P9_SET_SIZE;
	}
	if (a->valid & ATTR_ATIME)
		valid |= P9_SET_ATIME | P9_SET_ATIME_SET;
	if (a->valid & ATTR_MTIME) {
		valid |= P9_SET_MTIME | P9_SET_MTIME_SET;
		/* Data that come later would give it a time of their own. */
		if (i->cache && i->cache->ndirty)
			page_cache_write_range(i->cache, 0, UINT64_MAX, true);
	}
	err = p9_setattr(p9_c(i), p9_i(i)->fid, valid, a);
	if (err)
		return err;
	if (a->valid & ATTR_SIZE) {
		uint64_t old = i->size;

		atomic_store(&i->size, a->size);
		if (a->size < old)
			page_cache_truncate(i->cache, a->size);
	}
	update_after_change(i);
	return 0;
}

/* ---- open files ---- */

/* Opens another fid of the file. */
static int
open_fid(struct inode *i, unsigned flags, uint32_t *out)
{
	struct p9_client *c = p9_c(i);
	uint32_t fid;
	int err = p9_walk(c, p9_i(i)->fid, NULL, 0, &fid);

	if (err)
		return err;
	err = p9_lopen(c, fid, flags);
	if (err)
		p9_clunk(c, fid);
	else
		*out = fid;
	return err;
}

static int
open_for_writing(struct inode *i, struct p9_inode *p)
{
	/* Both ways, as a part of a page is written by way of the whole. */
	int err = open_fid(i, O_RDWR, &p->wfid);

	p->wfid_reads = !err;
	if (err == -EACCES)
		err = open_fid(i, O_WRONLY, &p->wfid);
	return err;
}

int
p9_open_fids(struct inode *i, bool read, bool write)
{
	struct p9_inode *p = p9_i(i);
	int err = 0;

	mutex_lock(&p->lock);
	if (write && p->wfid == P9_NOFID)
		err = open_for_writing(i, p);
	if (!err && read && p->rfid == P9_NOFID &&
	    !(p->wfid != P9_NOFID && p->wfid_reads))
		err = open_fid(
			i, S_ISDIR(i->mode) ? O_RDONLY | O_DIRECTORY : O_RDONLY,
			&p->rfid);
	mutex_unlock(&p->lock);
	return err;
}

int
p9_open(struct inode *i, unsigned flags, struct file **out)
{
	unsigned mode = flags & O_ACCMODE;
	int err = p9_open_fids(i, mode != O_WRONLY, mode != O_RDONLY);

	if (!err)
		err = p9_refresh(i);
	return err ? err : file_create(&page_cache_file_ops, flags, NULL, out);
}

static void
write_out(struct inode *i)
{
	struct p9_attr a;

	page_cache_write_range(i->cache, 0, UINT64_MAX, true);
	/* The server's new time is that of these data, not of a change by
	 * the host. */
	if (!i->cache->ndirty && !i->cache->nwriteback &&
	    !p9_getattr(p9_c(i), p9_i(i)->fid, &a) && a.size == i->size) {
		remember(p9_i(i), &a);
		i->mtime = a.mtime;
		i->ctime = a.ctime;
		i->blocks = a.blocks;
	}
}

/* A descriptor is closed: from here on the host sees what was written. */
void
p9_flush(struct inode *i)
{
	if (i->cache && (i->cache->ndirty || i->cache->nwriteback))
		write_out(i);
}

int
p9_fsync_inode(struct inode *i, bool datasync, const struct page_range *data)
{
	struct p9_inode *p = p9_i(i);
	uint32_t fid;

	(void)data; /* who wrote them has waited for the host */
	mutex_lock(&p->lock);
	fid = p->wfid != P9_NOFID ? p->wfid : p->rfid;
	mutex_unlock(&p->lock);
	return fid == P9_NOFID ? 0 : p9_fsync(p9_c(i), fid, datasync);
}

const struct inode_ops p9_file_ops = {
	.open = p9_open,
	.flush = p9_flush,
	.setattr = p9_setattr_inode,
	.getattr = p9_getattr_inode,
	.getxattr = p9_getxattr,
	.listxattr = p9_listxattr,
	.setxattr = p9_setxattr,
	.removexattr = p9_removexattr,
};
