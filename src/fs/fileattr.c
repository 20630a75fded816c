/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of a file that chattr(1) and lsattr(1) show, and the other ioctls
 * that regular files and directories share.
 *
 * Two interfaces to the same bits: FS_IOC_{GET,SET}FLAGS has the words of
 * ext2, FS_IOC_FS{GET,SET}XATTR those of XFS.  What a flag means that may be
 * set, the file system does or nobody does (ops->set_flags answers for it).
 */
#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <abi/inotify.h>
#include <abi/prctl.h>
#include <base/compiler.h>
#include <file/cred.h>
#include <file/file.h>
#include <fs/notify.h>
#include <fs/vfs.h>
#include <mem/page.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

static const struct {
	uint32_t flag, xflag;
} words[] = {
	{ FS_FL_IMMUTABLE, 0x08 }, { FS_FL_APPEND, 0x10 },
	{ FS_FL_SYNC, 0x20 },	   { FS_FL_NOATIME, 0x40 },
	{ FS_FL_NODUMP, 0x80 },	   { FS_FL_PROJINHERIT, 0x200 },
	{ FS_FL_DAX, 0x8000 },
};

static int
set_flags(struct file *f, uint32_t mask, uint32_t flags)
{
	const uint32_t guarded = FS_FL_IMMUTABLE | FS_FL_APPEND;
	const struct cred *c = thread_current()->cred;
	struct inode *i = f->inode;
	uint32_t old;
	int err;

	if (!i->ops->set_flags)
		return -ENOTTY;
	if (vfs_read_only(f->dentry))
		return -EROFS;
	if (!inode_owner_or_capable(i))
		return -EPERM;
	write_lock(&i->lock);
	old = i->ops->get_flags(i);
	flags = (old & ~mask) | (flags & mask);
	if (((old ^ flags) & guarded) && c &&
	    !cred_capable(c, CAP_LINUX_IMMUTABLE))
		err = -EPERM;
	else
		err = i->ops->set_flags(i, flags);
	write_unlock(&i->lock);
	if (!err)
		notify_dentry(f->dentry, IN_ATTRIB);
	return err;
}

static long
get_xflags(struct inode *i, uint64_t arg)
{
	struct fsxattr x = { .fsx_xflags = 0 };
	uint32_t flags = i->ops->get_flags(i);

	for (unsigned k = 0; k < ARRAY_SIZE(words); k++)
		if (flags & words[k].flag)
			x.fsx_xflags |= words[k].xflag;
	return copy_to_user((void __user *)arg, &x, sizeof(x));
}

static long
set_xflags(struct file *f, uint64_t arg)
{
	uint32_t mask = 0, flags = 0;
	struct fsxattr x;
	int err = copy_from_user(&x, (const void __user *)arg, sizeof(x));

	if (err)
		return err;
	if (x.fsx_projid)
		return -EOPNOTSUPP;
	for (unsigned k = 0; k < ARRAY_SIZE(words); k++) {
		mask |= words[k].flag;
		if (x.fsx_xflags & words[k].xflag)
			flags |= words[k].flag;
	}
	return set_flags(f, mask, flags);
}

static long
flags_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct inode *i = f->inode;
	int n;

	if (!i->ops->get_flags)
		return -ENOTTY;
	switch (cmd) {
	case FS_IOC_GETFLAGS:
		n = (int)i->ops->get_flags(i);
		return copy_to_user((void __user *)arg, &n, sizeof(n));
	case FS_IOC_SETFLAGS:
		if (copy_from_user(&n, (const void __user *)arg, sizeof(n)))
			return -EFAULT;
		return set_flags(f, ~0u, (uint32_t)n);
	case FS_IOC_FSGETXATTR:
		return get_xflags(i, arg);
	default:
		return set_xflags(f, arg);
	}
}

long
inode_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct super *sb = f->inode->sb;
	int n;

	switch (cmd) {
	case FIGETBSZ:
		n = (int)(sb->block_size ? sb->block_size : PAGE_SIZE);
		return copy_to_user((void __user *)arg, &n, sizeof(n));
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS:
	case FS_IOC_FSGETXATTR:
	case FS_IOC_FSSETXATTR:
		return flags_ioctl(f, cmd, arg);
	case FICLONE:
	case FICLONERANGE:
	case FIDEDUPERANGE:
		return -EOPNOTSUPP; /* no file system here shares blocks */
	default:
		return -ENOTTY;
	}
}
