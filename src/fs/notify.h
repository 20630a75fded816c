/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches on files: the hooks that tell inotify what happened, and inotify's
 * own interface (inotify.c).
 *
 * A hook costs one load and one branch while no watch exists anywhere.  It
 * may be called with sleeping locks of any rank held and no spin lock; the
 * caller holds a reference to what it names.  Masks are IN_*; IN_ISDIR is
 * added here.
 */
#pragma once

#include <abi/inotify.h>
#include <base/atomic.h>
#include <base/compiler.h>
#include <base/types.h>
#include <file/file.h>
#include <fs/vfs.h>

extern uint32_t notify_watches; /* [a] in all */

void notify_dentry_slow(struct dentry *d, uint32_t mask);
void notify_inode_slow(struct inode *i, uint32_t mask);
void notify_name_slow(struct inode *dir, uint32_t mask, const char *name,
		      uint32_t cookie);
void notify_gone_slow(struct inode *i, uint32_t mask);

static inline bool
notify_on(void)
{
	return unlikely(atomic_load_relaxed(&notify_watches) != 0);
}

/* Something happened to d: for those who watch its directory, by name, and
 * for those who watch it. */
static inline void
notify_dentry(struct dentry *d, uint32_t mask)
{
	if (notify_on())
		notify_dentry_slow(d, mask);
}

/* ... for those who watch it only. */
static inline void
notify_inode(struct inode *i, uint32_t mask)
{
	if (notify_on())
		notify_inode_slow(i, mask);
}

/* A name of a directory came or went. */
static inline void
notify_name(struct inode *dir, uint32_t mask, const char *name)
{
	if (notify_on())
		notify_name_slow(dir, mask, name, 0);
}

/* By way of an open file. */
static inline void
notify_file(struct file *f, uint32_t mask)
{
	if (notify_on() && f->dentry && !(f->mode & FILE_PATH))
		notify_dentry_slow(f->dentry, mask);
}

/* The inode's last name and its last user are gone. */
static inline void
notify_gone(struct inode *i)
{
	if (unlikely(i->watches.first != NULL) && !i->nlink)
		notify_gone_slow(i, IN_DELETE_SELF);
}

/* The number that joins the two halves of a rename. */
uint32_t notify_cookie(void);
/* Ends the watches on a file system that is to be unmounted. */
void notify_unmount(struct super *sb);

/* flags: O_NONBLOCK.  -EMFILE, -ENOMEM. */
MUST_CHECK int inotify_create(unsigned flags, struct file **out);
/* Both: -EINVAL where f is no inotify instance.  The watch's number, or
 * -EEXIST, -ENOSPC, -ENOMEM. */
MUST_CHECK int inotify_add(struct file *f, struct inode *i, uint32_t mask);
MUST_CHECK int inotify_remove(struct file *f, int wd);
bool inotify_is(const struct file *f);

#define INOTIFY_MAX_QUEUED    16384u
#define INOTIFY_MAX_INSTANCES 128u
#define INOTIFY_MAX_WATCHES   65536u
