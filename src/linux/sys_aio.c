/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of asynchronous I/O: Linux AIO and io_uring.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <aio/aio.h>
#include <aio/uring.h>
#include <base/string.h>
#include <core/clock.h>
#include <dev/blk.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <linux/syscalls_gen.h>
#include <linux/usermask.h>
#include <linux/usertime.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

/* ---- Linux AIO ---- */

long
sys_io_setup(struct thread *t, uint32_t nr, void __user *uctx)
{
	uint64_t id;
	int err;

	(void)t;
	if (copy_from_user(&id, uctx, sizeof(id)))
		return -EFAULT;
	if (id || !nr)
		return -EINVAL;
	err = aio_create(nr, &id);
	if (err)
		return err;
	if (copy_to_user(uctx, &id, sizeof(id))) {
		ignore(aio_destroy(id)); /* just made */
		return -EFAULT;
	}
	return 0;
}

long
sys_io_destroy(struct thread *t, uint64_t ctx)
{
	(void)t;
	return aio_destroy(ctx);
}

long
sys_io_submit(struct thread *t, uint64_t ctx, int64_t nr,
	      const void __user *iocbs)
{
	const uint64_t __user *list = iocbs;
	struct blk_plug plug;
	struct aio_ctx *c;
	uint64_t iocb;
	int64_t done = 0;
	int err = 0;

	(void)t;
	if (nr < 0)
		return -EINVAL;
	c = aio_get(ctx);
	if (!c)
		return -EINVAL;
	blk_plug(&plug);
	for (; done < nr; done++) {
		err = copy_from_user(&iocb, list + done, sizeof(iocb));
		if (!err)
			err = aio_submit(c, iocb);
		if (err)
			break;
	}
	blk_unplug(&plug);
	aio_put(c);
	return done ? done : err;
}

long
sys_io_cancel(struct thread *t, uint64_t ctx, uint64_t iocb,
	      void __user *result)
{
	struct aio_ctx *c;
	uint32_t key;
	long r;

	(void)t, (void)result;
	if (copy_from_user(&key, &((const struct iocb __user *)iocb)->key,
			   sizeof(key)))
		return -EFAULT;
	if (key)
		return -EINVAL;
	c = aio_get(ctx);
	if (!c)
		return -EINVAL;
	r = aio_cancel(c, iocb);
	aio_put(c);
	return r;
}

static long
get_events(uint64_t ctx, int64_t min, int64_t nr, void __user *events,
	   const void __user *timeout)
{
	uint64_t deadline;
	struct aio_ctx *c;
	long r = get_user_timeout(timeout, &deadline);

	if (r)
		return r;
	c = aio_get(ctx);
	if (!c)
		return -EINVAL;
	r = -EINVAL;
	if (min >= 0 && min <= nr)
		r = aio_wait(c, min, nr, events, deadline);
	aio_put(c);
	return r;
}

long
sys_io_getevents(struct thread *t, uint64_t ctx, int64_t min, int64_t nr,
		 void __user *events, const void __user *timeout)
{
	(void)t;
	return get_events(ctx, min, nr, events, timeout);
}

long
sys_io_pgetevents(struct thread *t, uint64_t ctx, int64_t min, int64_t nr,
		  void __user *events, const void __user *timeout,
		  const void __user *usig)
{
	struct {
		uint64_t mask, size;
	} sig = { 0, 0 };
	const void __user *mask;
	long r;

	if (usig && copy_from_user(&sig, usig, sizeof(sig)))
		return -EFAULT;
	mask = (const void __user *)sig.mask;
	r = get_user_mask(t, mask, sig.size);
	if (r)
		return r;
	r = get_events(ctx, min, nr, events, timeout);
	drop_user_mask(t, mask, r);
	return r;
}

/* ---- io_uring ---- */

long
sys_io_uring_setup(struct thread *t, uint32_t entries, void __user *uparams)
{
	struct io_uring_params p;
	struct file *f;
	int fd, err;

	if (copy_from_user(&p, uparams, sizeof(p)))
		return -EFAULT;
	err = uring_create(entries, &p, &f);
	if (err)
		return err;
	fd = fd_reserve(t->fds, 0, true);
	if (fd < 0) {
		file_put(f);
		return fd;
	}
	if (copy_to_user(uparams, &p, sizeof(p))) {
		fd_unreserve(t->fds, fd);
		file_put(f);
		return -EFAULT;
	}
	fd_install(t->fds, fd, f);
	return fd;
}

static int
get_ring(struct thread *t, int fd, struct file **f)
{
	int err = fd_get(t->fds, fd, f);

	if (err)
		return err;
	if (uring_is(*f))
		return 0;
	file_put(*f);
	return -EOPNOTSUPP;
}

/* What the last two arguments say: a mask, or a structure with a time. */
static int
get_ext(const void __user *arg, size_t size, uint32_t flags,
	struct io_uring_getevents_arg *out, uint64_t *deadline)
{
	*deadline = TIME_NEVER;
	memset(out, 0, sizeof(*out));
	if (!(flags & IORING_ENTER_EXT_ARG)) {
		out->sigmask = (uint64_t)arg;
		out->sigmask_sz = (uint32_t)size;
		return 0;
	}
	if (size != sizeof(*out))
		return -EINVAL;
	if (copy_from_user(out, arg, sizeof(*out)))
		return -EFAULT;
	if (out->pad)
		return -EINVAL;
	return get_user_timeout((const void __user *)out->ts, deadline);
}

long
sys_io_uring_enter(struct thread *t, int fd, uint32_t to_submit,
		   uint32_t min_complete, uint32_t flags,
		   const void __user *arg, size_t size)
{
	struct io_uring_getevents_arg ext;
	const void __user *mask;
	uint64_t deadline;
	struct file *f;
	long r;

	if (flags & ~(IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP |
		      IORING_ENTER_SQ_WAIT | IORING_ENTER_EXT_ARG))
		return -EINVAL;
	r = get_ring(t, fd, &f);
	if (r)
		return r;
	if (!(flags & IORING_ENTER_GETEVENTS)) {
		r = uring_enter(f, to_submit, 0, flags, TIME_NEVER);
		goto out;
	}
	r = get_ext(arg, size, flags, &ext, &deadline);
	if (r)
		goto out;
	mask = (const void __user *)ext.sigmask;
	r = get_user_mask(t, mask, ext.sigmask_sz);
	if (r)
		goto out;
	r = uring_enter(f, to_submit, min_complete, flags, deadline);
	drop_user_mask(t, mask, r);
out:
	file_put(f);
	return r;
}

long
sys_io_uring_register(struct thread *t, int fd, uint32_t op, void __user *arg,
		      uint32_t nr)
{
	struct file *f;
	long r = get_ring(t, fd, &f);

	if (r)
		return r;
	r = uring_register(f, op, arg, nr);
	file_put(f);
	return r;
}
