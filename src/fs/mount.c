/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File-system types and mounts.
 *
 * The list of mounts changes under one mutex (RANK_PATH).  A walk goes over
 * the edge by dentry->mounted without it.  A mounted file system holds a
 * reference of its mount point, and that of its root is the mount's.
 */
#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/pith.h>
#include <abi/prctl.h>
#include <abi/statfs.h>
#include <base/assert.h>
#include <base/fmt.h>
#include <base/string.h>
#include <core/log.h>
#include <core/reclaim.h>
#include <file/cred.h>
#include <file/pipe.h>
#include <fs/attr.h>
#include <fs/namei.h>
#include <fs/notify.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>

#define MAX_TYPES  16
#define MAX_MOUNTS 1024

/* What a mount may be given; the rest is refused. */
#define MS_KNOWN                                                     \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SILENT |  \
	 MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME | \
	 MS_REMOUNT | MS_LAZYTIME)

struct mount {
	struct list link;
	unsigned id, parent_id;
	struct dentry *root;
	struct dentry *point; /* NULL: the root of all */
	struct super *sb;
	unsigned flags;
	char *source, *target, *options;
};

struct dentry *vfs_root;
int (*fs_device_open)(struct inode *i, unsigned flags, struct file **out);
int (*fs_fifo_open)(struct inode *i, unsigned flags, struct file **out);

static const struct fs_type *types[MAX_TYPES];
static unsigned ntypes;
static struct mutex mount_lock;
static struct list mounts = LIST_INIT(mounts); /* [mount_lock] */
static unsigned nmounts;
static unsigned next_id = 20;
static unsigned next_dev = 20; /* anonymous device numbers, major 0 */

void
fs_register(const struct fs_type *t)
{
	assert(ntypes < MAX_TYPES);
	types[ntypes++] = t;
}

const struct fs_type *
fs_type_get(unsigned i)
{
	return i < ntypes ? types[i] : NULL;
}

static const struct fs_type *
find_type(const char *name)
{
	for (unsigned i = 0; i < ntypes; i++)
		if (!strcmp(types[i]->name, name))
			return types[i];
	return NULL;
}

static void
mount_free(struct mount *m)
{
	kfree(m->source);
	kfree(m->target);
	kfree(m->options);
	kfree(m);
}

static struct mount *
mount_new(struct super *sb, const char *source, const char *target,
	  unsigned flags, const char *options)
{
	struct mount *m = kzalloc(sizeof(*m), ALLOC_KERNEL);

	if (!m)
		return NULL;
	list_init(&m->link);
	m->sb = sb;
	m->flags = flags & (MS_KNOWN & ~(MS_REMOUNT | MS_SILENT));
	m->source = kstrdup(source && *source ? source : "none", ALLOC_KERNEL);
	m->target = kstrdup(target, ALLOC_KERNEL);
	m->options = kstrdup(options ? options : "", ALLOC_KERNEL);
	m->root = dentry_new_root(sb);
	if (!m->source || !m->target || !m->options || !m->root) {
		if (m->root)
			dentry_put(m->root);
		mount_free(m);
		return NULL;
	}
	if (!sb->dev) {
		sb->dev = DEV_MAKE(0, next_dev);
		next_dev++;
	}
	return m;
}

static struct mount *
mount_of(const struct super *sb)
{
	struct mount *m;

	list_for_each_entry(m, &mounts, link)
		if (m->sb == sb)
			return m;
	return NULL;
}

/* The mount has ended, or never came to be.  An error of the last sync has
 * been logged by the file system; there is nobody left to tell. */
static void
super_free(struct super *sb)
{
	dcache_drop_super(sb);
	if (sb->writer)
		ignore(super_sync(sb));
	super_stop_writer(sb);
	if (sb->root)
		inode_put(sb->root);
	inode_drop_all(sb);
	if (sb->ops && sb->ops->unmount)
		sb->ops->unmount(sb);
}

int
vfs_mount_root(struct super *sb)
{
	struct mount *m = mount_new(sb, sb->type->name, "/", sb->flags, "");

	if (!m)
		return -ENOMEM;
	m->id = next_id++;
	m->parent_id = 1;
	mutex_lock(&mount_lock);
	list_add(&mounts, &m->link);
	nmounts++;
	vfs_root = m->root;
	mutex_unlock(&mount_lock);
	return 0;
}

int
fs_mount_root(const char *source, unsigned mode)
{
	struct super *lower, *sb;
	int err;

	if (mode != PITH_ROOT_OVERLAY && mode != PITH_ROOT_RO &&
	    mode != PITH_ROOT_RW)
		return -EINVAL;
	err = ext4_type.mount(&ext4_type, source,
			      mode == PITH_ROOT_RW ? 0 : MS_RDONLY, "", &lower);
	if (err)
		return err;
	sb = lower;
	if (mode == PITH_ROOT_RW && (sb->flags & MS_RDONLY)) {
		log_err("root mode rw: %s can only be read", source);
		err = -EROFS;
		goto fail;
	}
	if (mode == PITH_ROOT_OVERLAY) {
		err = overlay_create(lower, "", &sb);
		if (err)
			goto fail;
	}
	err = vfs_mount_root(sb);
	if (!err)
		return 0;
fail:
	super_free(sb);
	return err;
}

/* A directory that nothing stands in the way of. */
static int
find_point(const char *target, struct dentry **point)
{
	return path_lookup(-100, target, LOOKUP_FOLLOW | LOOKUP_DIRECTORY,
			   point);
}

static int
attach(struct mount *m, struct dentry *point)
{
	struct mount *parent;
	int err = 0;

	mutex_lock(&mount_lock);
	parent = mount_of(point->sb);
	if (nmounts >= MAX_MOUNTS)
		err = -ENOSPC;
	else if (!parent || point->mounted)
		err = -EBUSY;
	if (!err) {
		m->id = next_id++;
		m->parent_id = parent->id;
		m->point = point;
		m->root->covers = point;
		list_add_tail(&mounts, &m->link);
		nmounts++;
		atomic_store_release(&point->mounted, m->root);
	}
	mutex_unlock(&mount_lock);
	return err;
}

/* Read-only and back.  A file that is open for writing stands in the way, as
 * with Linux. */
static int
change_read_only(struct super *sb, unsigned ro)
{
	int err;

	if ((sb->flags & MS_RDONLY) == ro)
		return 0;
	if (ro && atomic_load_relaxed(&sb->nwriters))
		return -EBUSY;
	if (ro) {
		err = super_sync(sb);
		if (err)
			return err;
	}
	if (sb->ops && sb->ops->remount)
		return sb->ops->remount(sb, ro);
	if (!ro && !sb->type->nodev)
		return -EROFS; /* cannot be written at all */
	sb->flags = (sb->flags & ~MS_RDONLY) | ro;
	return 0;
}

static int
remount(struct dentry *d, unsigned flags)
{
	struct mount *m;
	int err = -EINVAL;

	mutex_lock(&mount_lock);
	m = mount_of(d->sb);
	if (m && m->root == d) {
		err = change_read_only(m->sb, flags & MS_RDONLY);
		if (!err)
			m->flags =
				flags & (MS_KNOWN & ~(MS_REMOUNT | MS_SILENT));
	}
	mutex_unlock(&mount_lock);
	return err;
}

/* The mount point's name, from the root of all. */
static char *
target_name(struct dentry *point)
{
	char *buf = kmalloc(PATH_MAX_BYTES, ALLOC_KERNEL), *p, *s = NULL;

	if (!buf)
		return NULL;
	p = dentry_path(point, vfs_root, buf, PATH_MAX_BYTES);
	if (p)
		s = kstrdup(p, ALLOC_KERNEL);
	kfree(buf);
	return s;
}

static int
mount_new_fs(const char *type, const char *source, struct dentry *point,
	     unsigned flags, const char *options)
{
	const struct fs_type *t = find_type(type);
	struct super *sb = NULL;
	struct mount *m;
	char *target;
	int err;

	if (!t)
		return -ENODEV;
	target = target_name(point);
	if (!target)
		return -ENOMEM;
	err = t->mount(t, source, flags, options ? options : "", &sb);
	if (err)
		goto out;
	sb->flags |= flags & MS_RDONLY;
	m = mount_new(sb, source, target, flags, options);
	err = m ? attach(m, point) : -ENOMEM;
	if (err) {
		if (m) {
			dentry_put(m->root);
			mount_free(m);
		}
		super_free(sb);
		goto out;
	}
	dentry_get(point); /* the mount's */
out:
	kfree(target);
	return err;
}

int
vfs_mount(const char *type, const char *source, const char *target,
	  unsigned flags, const char *options)
{
	const struct cred *c = thread_current()->cred;
	struct dentry *point;
	int err;

	if (c && !cred_capable(c, CAP_SYS_ADMIN))
		return -EPERM;
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~MS_MGC_MSK;
	err = find_point(target, &point);
	if (err)
		return err;
	/* All mounts here are private already. */
	if ((flags & ~MS_REC) == MS_PRIVATE)
		err = 0;
	else if (flags & ~MS_KNOWN)
		err = -EINVAL;
	else if (flags & MS_REMOUNT)
		err = remount(point, flags);
	else
		err = type ? mount_new_fs(type, source, point, flags, options) :
			     -EINVAL;
	dentry_put(point);
	return err;
}

/* Nobody but the mount and who wants to end it uses the root any more. */
static bool
idle(struct mount *m)
{
	dcache_drop_super(m->sb);
	return refcount_read(&m->root->refs) == 2;
}

/* On success the caller's reference is gone, too. */
int
vfs_unmount(struct dentry *d, unsigned flags)
{
	const struct cred *c = thread_current()->cred;
	struct mount *m, *other;
	int err = 0;

	if (c && !cred_capable(c, CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~(unsigned)(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
		return -EINVAL;
	mutex_lock(&mount_lock);
	m = mount_of(d->sb);
	if (!m || m->root != d)
		err = -EINVAL;
	else if (!m->point)
		err = -EBUSY;
	else
		list_for_each_entry(other, &mounts, link)
			if (other->parent_id == m->id)
				err = -EBUSY;
	if (!err && !idle(m))
		err = -EBUSY;
	if (err) {
		mutex_unlock(&mount_lock);
		return err;
	}
	atomic_store_release(&m->point->mounted, NULL);
	list_del(&m->link);
	nmounts--;
	mutex_unlock(&mount_lock);
	notify_unmount(m->sb);
	reclaim_barrier();
	dentry_put(m->point);
	m->root->covers = NULL;
	dentry_put(m->root);
	dentry_put(d);
	super_free(m->sb);
	mount_free(m);
	return 0;
}

unsigned
vfs_mount_flags(const struct dentry *d)
{
	struct mount *m;
	unsigned flags = 0;

	mutex_lock(&mount_lock);
	m = mount_of(d->sb);
	if (m)
		flags = m->flags;
	mutex_unlock(&mount_lock);
	return flags;
}

int
vfs_statfs(struct dentry *d, struct statfs *st)
{
	struct super *sb = d->sb;
	unsigned flags = vfs_mount_flags(d);
	int err = 0;

	memset(st, 0, sizeof(*st));
	st->f_type = (int64_t)sb->magic;
	st->f_bsize = st->f_frsize =
		sb->block_size ? sb->block_size : (int64_t)PAGE_SIZE;
	st->f_namelen = NAME_MAX_BYTES;
	st->f_fsid[0] = (int32_t)sb->dev;
	if (sb->ops && sb->ops->statfs)
		err = sb->ops->statfs(sb, st);
	st->f_flags = ST_VALID;
	if (sb->flags & MS_RDONLY)
		st->f_flags |= ST_RDONLY;
	if (flags & MS_NOSUID)
		st->f_flags |= ST_NOSUID;
	if (flags & MS_NODEV)
		st->f_flags |= ST_NODEV;
	if (flags & MS_NOEXEC)
		st->f_flags |= ST_NOEXEC;
	/* Reading changes no access time here. */
	st->f_flags |= ST_NOATIME;
	return err;
}

static void
options_text(const struct mount *m, char *buf, size_t size)
{
	ksnprintf(buf, size, "%s%s%s%s,noatime%s%s",
		  m->sb->flags & MS_RDONLY ? "ro" : "rw",
		  m->flags & MS_NOSUID ? ",nosuid" : "",
		  m->flags & MS_NODEV ? ",nodev" : "",
		  m->flags & MS_NOEXEC ? ",noexec" : "", *m->options ? "," : "",
		  m->options);
}

void
vfs_for_each_mount(bool (*fn)(const struct mount_info *m, void *arg), void *arg)
{
	char options[256];
	struct mount *m;

	mutex_lock(&mount_lock);
	list_for_each_entry(m, &mounts, link) {
		struct mount_info info = {
			.type = m->sb->type->name,
			.source = m->source,
			.target = m->target,
			.options = options,
			.sb = m->sb,
			.id = m->id,
			.parent_id = m->parent_id,
		};

		options_text(m, options, sizeof(options));
		if (!fn(&info, arg))
			break;
	}
	mutex_unlock(&mount_lock);
}

int
vfs_sync_all(void)
{
	struct mount *m;
	int err = 0;

	mutex_lock(&mount_lock);
	list_for_each_entry_reverse(m, &mounts, link) {
		int e = super_sync(m->sb);

		if (e && !err)
			err = e;
	}
	mutex_unlock(&mount_lock);
	return err;
}

/* Files may still be open, so nothing is unmounted: read-only is as clean. */
void
vfs_shutdown(void)
{
	struct mount *m;

	mutex_lock(&mount_lock);
	list_for_each_entry_reverse(m, &mounts, link) {
		int err;

		if (!m->sb->writer || (m->sb->flags & MS_RDONLY))
			continue;
		/* Names that keep what has been deleted. */
		dcache_drop_super(m->sb);
		err = super_sync(m->sb);
		if (!err && m->sb->ops->remount)
			err = m->sb->ops->remount(m->sb, MS_RDONLY);
		if (err)
			log_err("%s: not everything could be written: error "
				"%d",
				m->target, -err);
	}
	mutex_unlock(&mount_lock);
}

void
vfs_init(void)
{
	mutex_init(&mount_lock, RANK_PATH);
	inode_cache_init();
	dcache_init();
	reclaim_init();
	fs_fifo_open = pipe_open_fifo;
	fs_register(&ext4_type);
	fs_register(&tmpfs_type);
	fs_register(&overlay_type);
}
