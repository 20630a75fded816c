/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes of tmpfs and overlay: birth, death, attributes, sizes, seals.
 */
#include "tmpfs.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/prctl.h>
#include <base/atomic.h>
#include <base/string.h>
#include <dev/control.h>
#include <file/cred.h>
#include <file/file.h>
#include <fs/acl.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <sched/work.h>
#include <vm/space.h>

/* As Linux's tmpfs shows directories. */
#define DIR_EMPTY_SIZE 40

void
tmpfs_pin(struct inode *i)
{
	struct tmpfs_inode *t = tmpfs_i(i);

	if (t->lower && i->nlink && !atomic_xchg(&t->pinned, true))
		inode_get(i);
}

void
tmpfs_drop_link(struct inode *i, unsigned n)
{
	struct tmpfs_inode *t = tmpfs_i(i);

	tmpfs_pin(i);
	i->nlink = i->nlink > n ? i->nlink - n : 0;
	inode_touch(i, ATTR_CTIME);
	/* The caller has another reference. */
	if (!i->nlink && atomic_xchg(&t->pinned, false))
		inode_put(i);
}

/* ---- pages ---- */

/* The user may not know that what the program writes to the root is in
 * memory, and what to do when there is no more of it. */
static void
tell_full(struct work *w)
{
	(void)w;
	control_notice("no room: what is written to the root is kept in "
		       "memory; give more with -m, or a disk with --persist or "
		       "a volume (-v)");
}

static void
root_is_full(const struct tmpfs_super *s)
{
	static struct work work = { .link = LIST_INIT(work.link),
				    .fn = tell_full };
	static bool told; /* [a] */

	if (s->lower && !atomic_xchg(&told, true))
		work_queue(&work);
}

static int
page_wanted(struct page_cache *pc, unsigned n)
{
	struct tmpfs_super *s = tmpfs_sb(pc->inode);
	uint64_t had = atomic_fetch_add(&s->npages, n);

	if (had + n > s->max_pages) {
		atomic_sub(&s->npages, n);
		root_is_full(s);
		return -ENOSPC;
	}
	tmpfs_pin(pc->inode);
	return 0;
}

static void
page_gone(struct page_cache *pc, unsigned n)
{
	atomic_sub(&tmpfs_sb(pc->inode)->npages, n);
}

static const struct page_cache_ops cache_ops = {
	.page_wanted = page_wanted,
	.page_gone = page_gone,
};

/* ---- birth and death ---- */

int
tmpfs_setup(struct inode *i)
{
	struct tmpfs_inode *t = kzalloc(sizeof(*t), ALLOC_KERNEL);

	if (!t)
		return -ENOMEM;
	list_init(&t->xattrs);
	i->priv = t;
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		i->cache = page_cache_create(i, &cache_ops, true);
		if (!i->cache)
			return -ENOMEM;
		i->ops = &tmpfs_file_ops;
		i->fops = &page_cache_file_ops;
		break;
	case S_IFDIR:
		t->next_cookie = 2; /* after "." and ".." */
		i->ops = &tmpfs_dir_ops;
		break;
	case S_IFLNK:
		i->ops = &tmpfs_link_ops;
		break;
	default:
		i->ops = &tmpfs_file_ops;
	}
	return 0;
}

static void
set_owner(struct inode *i, const struct inode *dir, uint32_t mode)
{
	const struct cred *c = thread_current()->cred;

	i->mode = mode;
	i->uid = c ? c->fsuid : 0;
	i->gid = c ? c->fsgid : 0;
	if (!dir || !(dir->mode & S_ISGID))
		return;
	i->gid = dir->gid;
	if (S_ISDIR(mode))
		i->mode |= S_ISGID;
	else if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010) && c &&
		 !cred_in_group(c, i->gid) && c->fsgid != i->gid &&
		 !cred_capable(c, CAP_FSETID))
		i->mode &= ~(uint32_t)S_ISGID;
}

int
tmpfs_new_inode(struct super *sb, struct inode *dir, uint32_t mode,
		uint64_t rdev, struct inode **out)
{
	struct tmpfs_super *s = sb->priv;
	struct acl *acls[2] = { NULL, NULL };
	struct inode *i;
	int err = dir ? acl_inherit(dir, &mode, acls) : 0;

	if (err)
		return err;
	if (atomic_fetch_add(&s->ninodes, 1) >= s->max_inodes) {
		err = -ENOSPC;
		goto fail;
	}
	i = inode_new(sb);
	if (!i) {
		err = -ENOMEM;
		goto fail;
	}
	i->acl[ACL_ACCESS] = acls[ACL_ACCESS];
	i->acl[ACL_DEFAULT] = acls[ACL_DEFAULT];
	i->ino = atomic_fetch_add(&s->next_ino, 1);
	set_owner(i, dir, mode);
	i->rdev = rdev;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	if (S_ISDIR(mode))
		i->size = s->lower ? PAGE_SIZE : DIR_EMPTY_SIZE;
	inode_touch(i, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	i->btime = i->mtime;
	err = tmpfs_setup(i);
	if (!err) {
		*out = i;
		return 0;
	}
	inode_put(i); /* evicts, and counts down */
	return err;
fail:
	acl_put(acls[ACL_ACCESS]);
	acl_put(acls[ACL_DEFAULT]);
	atomic_sub(&s->ninodes, 1);
	return err;
}

/*
 * A directory still has entries here only when its file system is unmounted.
 * They are not let go of one inside the other (the depth is the program's
 * choice) but put on a list, which the outermost call works off.
 */
void
tmpfs_evict(struct inode *i)
{
	struct tmpfs_super *s = tmpfs_sb(i);
	struct tmpfs_inode *t = tmpfs_i(i);

	if (i->cache)
		page_cache_destroy(i->cache);
	i->cache = NULL;
	if (!t)
		return;
	tmpfs_free_xattrs(i);
	if (t->lower)
		inode_put(t->lower);
	else
		atomic_sub(&s->ninodes, 1);
	if (S_ISDIR(i->mode))
		tmpfs_bury(i);
	i->priv = NULL;
	kfree(t);
}

/* ---- attributes ---- */

static int
set_size(struct inode *i, uint64_t size)
{
	struct tmpfs_inode *t = tmpfs_i(i);
	uint64_t old = i->size;

	if (size > INT64_MAX)
		return -EFBIG;
	if ((size < old && (t->seals & F_SEAL_SHRINK)) ||
	    (size > old && (t->seals & F_SEAL_GROW)))
		return -EPERM;
	atomic_store(&i->size, size);
	if (size < old)
		page_cache_truncate(i->cache, size);
	return 0;
}

static int
tmpfs_setattr(struct inode *i, const struct inode_attr *a)
{
	int err = 0;

	if (a->valid & ATTR_SIZE) {
		if (!i->cache)
			return -EINVAL;
		err = set_size(i, a->size);
		if (err)
			return err;
	}
	tmpfs_pin(i);
	inode_copy_attr(i, a);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

static void
tmpfs_getattr(struct inode *i, struct kstat *st)
{
	const struct tmpfs_inode *t = tmpfs_i(i);

	inode_stat(i, st);
	st->blksize = PAGE_SIZE;
	if (i->cache) {
		st->blocks = i->cache->npages * (PAGE_SIZE / 512);
		if (t->lower && i->cache->lower_size &&
		    st->blocks < t->lower->blocks)
			st->blocks = t->lower->blocks;
	} else if (t->lower) {
		st->blocks = t->lower->blocks;
	}
}

static int
write_begin(struct inode *i, int64_t pos, size_t len)
{
	const struct tmpfs_inode *t = tmpfs_i(i);

	if (t->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if ((t->seals & F_SEAL_GROW) && (uint64_t)pos + len > i->size)
		return -EPERM;
	tmpfs_pin(i);
	return 0;
}

static int
may_map(struct inode *i, struct file_mmap *m)
{
	const struct tmpfs_inode *t = tmpfs_i(i);

	if (!(t->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) ||
	    !(m->vma_flags & VMA_SHARED))
		return 0;
	if (m->vma_flags & VMA_WRITE)
		return -EPERM;
	m->vma_flags &= ~VMA_MAYWRITE;
	return 0;
}

/* Free, or a clean copy of what is on the disk. */
static uint64_t
available_pages(void)
{
	struct mem_stats m;
	uint64_t kept;

	mem_stats_get(&m);
	kept = m.dirty + m.shmem;
	return m.free + (m.cached > kept ? m.cached - kept : 0);
}

/* Takes memory for [off, end) at once, so that later writes cannot fail. */
static int
reserve(struct inode *i, uint64_t off, uint64_t end)
{
	struct page_cache *pc = i->cache;
	uint64_t last = (end + PAGE_SIZE - 1) >> PAGE_SHIFT;
	struct tmpfs_super *s = tmpfs_sb(i);
	uint64_t wanted = last - (off >> PAGE_SHIFT), have = pc->npages;

	/* Asked for too much: say so before all memory is gone, and with it
	 * the program, whose next page would find none. */
	if (wanted > s->max_pages ||
	    (wanted > have && wanted - have > available_pages())) {
		root_is_full(s);
		return -ENOSPC;
	}
	for (uint64_t k = off >> PAGE_SHIFT; k < last; k++) {
		struct page *p;
		int err = page_cache_allocate(pc, k, &p);

		if (err)
			return err;
		page_put(p);
		if (thread_signal_pending())
			return -EINTR;
	}
	return 0;
}

static int
tmpfs_fallocate(struct inode *i, int mode, int64_t off, int64_t len)
{
	const struct tmpfs_inode *t = tmpfs_i(i);
	uint64_t end = (uint64_t)off + (uint64_t)len;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	tmpfs_pin(i);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		if (t->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			return -EPERM;
		err = page_cache_punch(i->cache, (uint64_t)off,
				       end < i->size ? end : i->size);
	} else {
		if ((t->seals & F_SEAL_GROW) && end > i->size)
			return -EPERM;
		err = reserve(i, (uint64_t)off, end);
		if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > i->size)
			atomic_store(&i->size, end);
	}
	if (!err)
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	return err;
}

static ssize_t
tmpfs_readlink(struct inode *i, char *buf, size_t size)
{
	struct inode *lower = tmpfs_i(i)->lower;
	size_t n;

	if (!i->link)
		return lower ? lower->ops->readlink(lower, buf, size) : -EINVAL;
	n = strlen(i->link);
	if (n > size)
		n = size;
	memcpy(buf, i->link, n);
	return (ssize_t)n;
}

static int
tmpfs_tmpfile(struct inode *dir, uint32_t mode, struct inode **out)
{
	int err = tmpfs_new_inode(dir->sb, dir, mode, 0, out);

	if (!err)
		(*out)->nlink = 0;
	return err;
}

/* ---- memfd ---- */

/* The file system of files without a name; made when first needed. */
static struct tmpfs_super *anon_super; /* [a] */
static struct dentry *anon_root;
static struct mutex anon_lock = { .rank = RANK_SLEEP_LEAF,
				  .wq = WAITQ_INIT(anon_lock.wq) };

static int
make_anon_super(void)
{
	struct tmpfs_super *s;
	int err = 0;

	mutex_lock(&anon_lock);
	if (anon_super)
		goto out;
	err = tmpfs_make_super(&s);
	if (err)
		goto out;
	anon_root = dentry_new_root(&s->sb);
	if (!anon_root)
		err = -ENOMEM; /* the next call tries again with a new one */
	else
		atomic_store_release(&anon_super, s);
out:
	mutex_unlock(&anon_lock);
	return err;
}

int
tmpfs_create_anon(const char *name, unsigned oflags, uint32_t seals,
		  struct file **out)
{
	struct dentry *d;
	struct inode *i;
	int err = atomic_load_acquire(&anon_super) ? 0 : make_anon_super();

	if (err)
		return err;
	err = tmpfs_new_inode(&anon_super->sb, NULL, S_IFREG | 0777, 0, &i);
	if (err)
		return err;
	i->nlink = 0;
	tmpfs_i(i)->sealable = true;
	tmpfs_i(i)->seals = seals;
	d = dentry_new(anon_root, &anon_super->sb, name, strlen(name), 0);
	if (!d) {
		inode_put(i);
		return -ENOMEM;
	}
	d->inode = i;
	d->unhashed = true;
	err = dentry_open(d, oflags, out);
	dentry_put(d);
	return err;
}

static struct tmpfs_inode *
sealable(struct file *f)
{
	struct tmpfs_inode *t;

	if (!f->inode || f->inode->ops != &tmpfs_file_ops || !f->inode->cache)
		return NULL;
	t = tmpfs_i(f->inode);
	return t->sealable ? t : NULL;
}

int
tmpfs_get_seals(struct file *f)
{
	const struct tmpfs_inode *t = sealable(f);

	return t ? (int)t->seals : -EINVAL;
}

int
tmpfs_add_seals(struct file *f, uint32_t seals)
{
	struct tmpfs_inode *t = sealable(f);
	struct inode *i = f->inode;
	int err = 0;

	if (!(f->mode & FILE_WRITE))
		return -EPERM;
	if (seals & ~(uint32_t)(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
				F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EINVAL;
	if (!t)
		return -EINVAL;
	write_lock(&i->lock);
	if (t->seals & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & F_SEAL_WRITE) && !(t->seals & F_SEAL_WRITE) &&
		 i->cache->object.writable_maps)
		err = -EBUSY;
	else
		t->seals |= seals;
	write_unlock(&i->lock);
	return err;
}

const struct inode_ops tmpfs_file_ops = {
	.setattr = tmpfs_setattr,
	.getattr = tmpfs_getattr,
	.getxattr = tmpfs_getxattr,
	.listxattr = tmpfs_listxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
	.set_acl = tmpfs_set_acl,
	.write_begin = write_begin,
	.may_map = may_map,
	.fallocate = tmpfs_fallocate,
};

const struct inode_ops tmpfs_dir_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.iterate = tmpfs_iterate,
	.setattr = tmpfs_setattr,
	.getattr = tmpfs_getattr,
	.getxattr = tmpfs_getxattr,
	.listxattr = tmpfs_listxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
	.set_acl = tmpfs_set_acl,
};

const struct inode_ops tmpfs_link_ops = {
	.readlink = tmpfs_readlink,
	.setattr = tmpfs_setattr,
	.getattr = tmpfs_getattr,
	.getxattr = tmpfs_getxattr,
	.listxattr = tmpfs_listxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
};
