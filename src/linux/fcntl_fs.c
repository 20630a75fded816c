/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcntl(2): record locks and seals.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <fs/attr.h>
#include <fs/vfs.h>
#include <linux/fcntl_fs.h>
#include <vm/uaccess.h>

static long
get_lock(struct file *f, uint64_t arg, bool ofd)
{
	struct flock fl;

	if (copy_from_user(&fl, (const void __user *)arg, sizeof(fl)))
		return -EFAULT;
	int err = file_lock_get(f, &fl, ofd);

	if (err)
		return err;
	return copy_to_user((void __user *)arg, &fl, sizeof(fl));
}

static long
set_lock(struct file *f, uint64_t arg, bool ofd, bool wait)
{
	struct flock fl;

	if (copy_from_user(&fl, (const void __user *)arg, sizeof(fl)))
		return -EFAULT;
	return file_lock_set(f, &fl, ofd, wait);
}

long
fcntl_fs(struct file *f, int cmd, uint64_t arg)
{
	switch (cmd) {
	case F_GETLK:
	case F_OFD_GETLK:
		return get_lock(f, arg, cmd == F_OFD_GETLK);
	case F_SETLK:
	case F_SETLKW:
		return set_lock(f, arg, false, cmd == F_SETLKW);
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return set_lock(f, arg, true, cmd == F_OFD_SETLKW);
	case F_GET_SEALS:
		return tmpfs_get_seals(f);
	case F_ADD_SEALS:
		return tmpfs_add_seals(f, (uint32_t)arg);
	default:
		return -EINVAL;
	}
}
