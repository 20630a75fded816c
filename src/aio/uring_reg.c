/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring_register: an eventfd, what there is, enabling, cancelling.  Files
 * and buffers are uring_rsrc.c's, provided buffers uring_buf.c's.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <abi/time.h>
#include <base/atomic.h>
#include <core/clock.h>
#include <file/eventfd.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

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

/* A ring that was made disabled takes requests from now on, from this thread
 * if from one only. */
static long
enable(struct uring *u)
{
	if (!u->disabled)
		return -EBADFD;
	if (u->flags & IORING_SETUP_SINGLE_ISSUER)
		atomic_store_relaxed(&u->issuer, thread_current()->tid);
	atomic_store_release(&u->disabled, false);
	uring_sq_wake(u);
	return 0;
}

/* The time of a sync cancel, monotonic. */
static int
get_deadline(const struct io_uring_sync_cancel_reg *c, uint64_t *deadline)
{
	const uint64_t ns = 1000000000ull;

	*deadline = TIME_NEVER;
	if (c->sec == -1 && c->nsec == -1)
		return 0;
	if (c->sec < 0 || c->nsec < 0 || (uint64_t)c->nsec >= ns)
		return -EINVAL;
	if ((uint64_t)c->sec < TIME_NEVER / 4 / ns)
		*deadline = clock_mono_ns() + (uint64_t)c->sec * ns +
			    (uint64_t)c->nsec;
	return 0;
}

static void
count_syncs(struct uring *u, int n)
{
	irqflags_t f = spin_lock_irq(&u->lock);

	u->nsyncs += (unsigned)n;
	spin_unlock_irq(&u->lock, f);
}

/* Calls off, and waits until what could not be is over.  -ENOENT: none. */
static long
sync_cancel(struct uring *u, const struct uring_match *m, uint64_t deadline)
{
	const uint32_t all = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY;
	long r = uring_cancel_matching(u, m);
	struct wait_entry e;
	int err = 0;

	if (r != -EALREADY && !(m->flags & all))
		return r;
	count_syncs(u, 1);
	wait_start(&u->cq_wq, &e, true);
	while (!err && uring_any_matching(u, m))
		err = wait_sleep(&e, deadline);
	wait_end(&u->cq_wq, &e);
	count_syncs(u, -1);
	if (err == -ETIMEDOUT)
		return -ETIME;
	if (err)
		return -EINTR;
	return r == -EALREADY ? 0 : r;
}

static long
register_sync_cancel(struct uring *u, const void __user *arg)
{
	struct io_uring_sync_cancel_reg c;
	struct uring_match m = { 0 };
	struct uring_tag *tag = NULL;
	uint64_t deadline;
	long r;

	if (copy_from_user(&c, arg, sizeof(c)))
		return -EFAULT;
	if (c.flags &
		    ~(IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_FD |
		      IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_FD_FIXED) ||
	    c.pad[0] || c.pad[1] || c.pad[2] || c.pad[3])
		return -EINVAL;
	r = get_deadline(&c, &deadline);
	if (r)
		return r;
	m.data = c.addr;
	m.flags = c.flags;
	if (c.flags & IORING_ASYNC_CANCEL_FD) {
		if (c.flags & IORING_ASYNC_CANCEL_FD_FIXED)
			m.file = uring_fixed_file(u, (uint32_t)c.fd, &tag);
		else if (fd_get(thread_current()->fds, c.fd, &m.file))
			m.file = NULL;
		if (!m.file)
			return -EBADF;
	}
	r = sync_cancel(u, &m, deadline);
	if (m.file)
		file_put(m.file);
	uring_tag_put(tag);
	return r;
}

static long
do_register(struct uring *u, unsigned op, void __user *arg, unsigned n)
{
	switch (op) {
	case IORING_REGISTER_EVENTFD:
		return n == 1 ? register_eventfd(u, arg) : -EINVAL;
	case IORING_UNREGISTER_EVENTFD:
		return arg || n ? -EINVAL : unregister_eventfd(u);
	case IORING_REGISTER_PROBE:
		return arg ? probe(arg, n) : -EINVAL;
	case IORING_REGISTER_ENABLE_RINGS:
		return arg || n ? -EINVAL : enable(u);
	case IORING_REGISTER_PBUF_RING:
		return arg && n == 1 ? uring_register_ring(u, arg) : -EINVAL;
	case IORING_UNREGISTER_PBUF_RING:
		return arg && n == 1 ? uring_unregister_ring(u, arg) : -EINVAL;
	default:
		return uring_register_rsrc(u, op, arg, n);
	}
}

long
uring_register(struct file *f, unsigned op, void __user *arg, unsigned n)
{
	struct uring *u = f->priv;
	int issuer = atomic_load_relaxed(&u->issuer);
	long r;

	if (issuer && issuer != thread_current()->tid)
		return -EEXIST;
	/* Sleeps until others are done: not with the ring locked. */
	if (op == IORING_REGISTER_SYNC_CANCEL)
		return arg && n == 1 ? register_sync_cancel(u, arg) : -EINVAL;
	mutex_lock(&u->lock_submit);
	r = do_register(u, op, arg, n);
	mutex_unlock(&u->lock_submit);
	return r;
}
