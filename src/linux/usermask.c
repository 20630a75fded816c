/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See usermask.h.
 */
#include <linux/usermask.h>

#include <abi/errno.h>
#include <proc/signal.h>
#include <vm/uaccess.h>

int
get_user_mask(struct thread *t, const void __user *umask, uint64_t size)
{
	uint64_t mask;

	if (!umask)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, umask, sizeof(mask)))
		return -EFAULT;
	signal_set_temp_mask(t, mask);
	return 0;
}

void
drop_user_mask(struct thread *t, const void __user *umask, long r)
{
	if (umask && r != -EINTR && r != -ERESTARTNOHAND)
		signal_restore_mask(t);
}
