/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring_register: files, buffers, an eventfd, and what there is.
 *
 * The table of files is changed under the submission lock and the ring's
 * lock; either is enough to read it.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <abi/uio.h>
#include <base/string.h>
#include <file/eventfd.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define BUFFER_MAX (1ull << 30) /* bytes of one */

struct file *
uring_fixed_file(struct uring *u, uint32_t index)
{
	irqflags_t flags = spin_lock_irq(&u->lock);
	struct file *f = index < u->nfiles ? u->files[index] : NULL;

	if (f)
		file_get(f);
	spin_unlock_irq(&u->lock, flags);
	return f;
}

/* Puts f at a place of the table; what was there. */
static struct file *
exchange(struct uring *u, unsigned index, struct file *f)
{
	irqflags_t flags = spin_lock_irq(&u->lock);
	struct file *old = u->files[index];

	u->files[index] = f;
	spin_unlock_irq(&u->lock, flags);
	return old;
}

/* -1: an empty place.  A ring in itself would never go. */
static int
file_of(int fd, struct file **out)
{
	int err;

	*out = NULL;
	if (fd == -1)
		return 0;
	err = fd_get(thread_current()->fds, fd, out);
	if (err) {
		*out = NULL;
		return err;
	}
	if (uring_is(*out)) {
		file_put(*out);
		*out = NULL;
		return -EBADF;
	}
	return 0;
}

static void
drop_files(struct file **files, unsigned n)
{
	while (n)
		if (files[--n])
			file_put(files[n]);
	kfree(files);
}

static long
register_files(struct uring *u, const int32_t __user *fds, unsigned n)
{
	struct file **files;
	irqflags_t f;
	unsigned k;
	int32_t fd;
	int err;

	if (u->files)
		return -EBUSY;
	if (!n)
		return -EINVAL;
	if (n > URING_MAX_FILES)
		return -EMFILE;
	files = kcalloc(n, sizeof(struct file *), ALLOC_KERNEL);
	if (!files)
		return -ENOMEM;
	for (k = 0; k < n; k++) {
		err = copy_from_user(&fd, fds + k, sizeof(fd));
		if (!err)
			err = file_of(fd, &files[k]);
		if (err) {
			drop_files(files, k);
			return err;
		}
	}
	f = spin_lock_irq(&u->lock);
	u->files = files;
	u->nfiles = n;
	spin_unlock_irq(&u->lock, f);
	return 0;
}

static long
unregister_files(struct uring *u)
{
	struct file **files = u->files;
	unsigned n = u->nfiles;
	irqflags_t f;

	if (!files)
		return -ENXIO;
	f = spin_lock_irq(&u->lock);
	u->files = NULL;
	u->nfiles = 0;
	spin_unlock_irq(&u->lock, f);
	drop_files(files, n);
	return 0;
}

/* How many places were changed, or the first's error. */
static long
update_files(struct uring *u, unsigned offset, const int32_t __user *fds,
	     unsigned n)
{
	struct file *f;
	unsigned k;
	int32_t fd;
	int err = 0;

	if (!u->files)
		return -ENXIO;
	if (offset > u->nfiles || n > u->nfiles - offset)
		return -EINVAL;
	for (k = 0; k < n; k++) {
		err = copy_from_user(&fd, fds + k, sizeof(fd));
		if (err)
			break;
		if (fd == -2) /* stays */
			continue;
		err = file_of(fd, &f);
		/* A place whose new file is none is empty, as on Linux. */
		f = exchange(u, offset + k, f);
		if (f)
			file_put(f);
		if (err)
			break;
	}
	return k ? (long)k : err;
}

/* The operation: within a submission, so the table is ours. */
long
uring_files_update(struct uring_req *r)
{
	if (r->sqe.op_flags || r->sqe.file_index)
		return -EINVAL;
	if (!r->sqe.len)
		return -EINVAL;
	if (thread_current()->kernel)
		return -EOPNOTSUPP; /* linked behind one that waited */
	return update_files(r->ring, (unsigned)r->sqe.off,
			    (const int32_t __user *)r->sqe.addr, r->sqe.len);
}

static long
register_buffers(struct uring *u, const void __user *arg, unsigned n)
{
	const struct iovec __user *iov = arg;
	struct uring_buffer *b;
	struct iovec v;
	unsigned k;
	int err = 0;

	if (u->bufs)
		return -EBUSY;
	if (!n || n > URING_MAX_BUFFERS)
		return -EINVAL;
	b = kcalloc(n, sizeof(*b), ALLOC_KERNEL);
	if (!b)
		return -ENOMEM;
	for (k = 0; k < n && !err; k++) {
		if (copy_from_user(&v, iov + k, sizeof(v))) {
			err = -EFAULT;
			break;
		}
		b[k].addr = v.base;
		b[k].len = v.len;
		if (!v.base && v.len)
			err = -EFAULT;
		else if (!v.base)
			continue; /* an empty place */
		else if (!v.len || v.len > BUFFER_MAX)
			err = -EFAULT;
		else
			err = user_prefault((void __user *)v.base, v.len, true);
	}
	if (err) {
		kfree(b);
		return err;
	}
	u->bufs = b;
	u->nbufs = n;
	return 0;
}

static long
unregister_buffers(struct uring *u)
{
	if (!u->bufs)
		return -ENXIO;
	kfree(u->bufs);
	u->bufs = NULL;
	u->nbufs = 0;
	return 0;
}

static long
register_eventfd(struct uring *u, const void __user *arg)
{
	irqflags_t flags;
	struct file *f;
	int32_t fd;
	int err;

	if (u->eventfd)
		return -EBUSY;
	if (copy_from_user(&fd, arg, sizeof(fd)))
		return -EFAULT;
	err = fd_get(thread_current()->fds, fd, &f);
	if (err)
		return err;
	if (!eventfd_is(f)) {
		file_put(f);
		return -EINVAL;
	}
	flags = spin_lock_irq(&u->lock);
	u->eventfd = f;
	spin_unlock_irq(&u->lock, flags);
	return 0;
}

static long
unregister_eventfd(struct uring *u)
{
	irqflags_t flags = spin_lock_irq(&u->lock);
	struct file *f = u->eventfd;

	u->eventfd = NULL;
	spin_unlock_irq(&u->lock, flags);
	if (!f)
		return -ENXIO;
	file_put(f);
	return 0;
}

/* Which operations there are: each up to the last is. */
static long
probe(void __user *arg, unsigned n)
{
	struct io_uring_probe __user *p = arg;
	struct io_uring_probe_op __user *ops = (void __user *)(p + 1);
	struct io_uring_probe head;
	struct io_uring_probe_op op = { 0 };
	unsigned k;

	if (n > 256)
		return -EINVAL;
	if (n > IORING_OP_LAST)
		n = IORING_OP_LAST;
	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	for (k = 0; k < sizeof(head); k++)
		if (((const uint8_t *)&head)[k])
			return -EINVAL;
	head.last_op = IORING_OP_LAST - 1;
	head.ops_len = (uint8_t)n;
	for (k = 0; k < n; k++) {
		op.op = (uint8_t)k;
		op.flags = uring_has_op(k) ? IO_URING_OP_SUPPORTED : 0;
		if (copy_to_user(ops + k, &op, sizeof(op)))
			return -EFAULT;
	}
	return copy_to_user(arg, &head, sizeof(head));
}

static long
do_register(struct uring *u, unsigned op, void __user *arg, unsigned n)
{
	struct io_uring_files_update up;

	switch (op) {
	case IORING_REGISTER_BUFFERS:
		return arg ? register_buffers(u, arg, n) : -EFAULT;
	case IORING_UNREGISTER_BUFFERS:
		return arg || n ? -EINVAL : unregister_buffers(u);
	case IORING_REGISTER_FILES:
		return arg ? register_files(u, arg, n) : -EFAULT;
	case IORING_UNREGISTER_FILES:
		return arg || n ? -EINVAL : unregister_files(u);
	case IORING_REGISTER_FILES_UPDATE:
		if (!n)
			return -EINVAL;
		if (copy_from_user(&up, arg, sizeof(up)))
			return -EFAULT;
		if (up.resv)
			return -EINVAL;
		return update_files(u, up.offset,
				    (const int32_t __user *)up.fds, n);
	case IORING_REGISTER_EVENTFD:
		return n == 1 ? register_eventfd(u, arg) : -EINVAL;
	case IORING_UNREGISTER_EVENTFD:
		return arg || n ? -EINVAL : unregister_eventfd(u);
	case IORING_REGISTER_PROBE:
		return arg ? probe(arg, n) : -EINVAL;
	default:
		return -EINVAL;
	}
}

long
uring_register(struct file *f, unsigned op, void __user *arg, unsigned n)
{
	struct uring *u = f->priv;
	long r;

	mutex_lock(&u->lock_submit);
	r = do_register(u, op, arg, n);
	mutex_unlock(&u->lock_submit);
	return r;
}
