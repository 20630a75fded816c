/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventfd: a 64-bit counter that is readable while it is not zero.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <base/fmt.h>
#include <file/anon.h>
#include <file/eventfd.h>
#include <file/file.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uio.h>

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	struct spinlock lock; /* RANK_EVENT */
	uint64_t count;	      /* [lock] */
	bool semaphore;	      /* [I] */
	struct waitq wq;
	uint64_t id;
};

/* Takes the value, if there is one. */
static bool
take(struct eventfd *e, uint64_t *v)
{
	irqflags_t f = spin_lock_irq(&e->lock);
	bool got = e->count != 0;

	*v = e->semaphore ? 1 : e->count;
	if (got)
		e->count -= *v;
	spin_unlock_irq(&e->lock, f);
	return got;
}

static bool
give(struct eventfd *e, uint64_t v)
{
	irqflags_t f = spin_lock_irq(&e->lock);
	bool fits = COUNT_MAX - e->count >= v;

	if (fits)
		e->count += v;
	spin_unlock_irq(&e->lock, f);
	return fits;
}

static int
wait_take(struct eventfd *e, uint64_t *v)
{
	struct wait_entry w UNINIT;
	bool got;
	int err = 0;

	wait_start_exclusive(&e->wq, &w, true);
	while (!(got = take(e, v)) && !err)
		err = wait_sleep(&w, TIME_NEVER);
	wait_end(&e->wq, &w);
	return got ? 0 : -ERESTARTSYS;
}

static int
wait_give(struct eventfd *e, uint64_t v)
{
	struct wait_entry w UNINIT;
	bool given;
	int err = 0;

	wait_start(&e->wq, &w, true);
	while (!(given = give(e, v)) && !err)
		err = wait_sleep(&w, TIME_NEVER);
	wait_end(&e->wq, &w);
	return given ? 0 : -ERESTARTSYS;
}

static ssize_t
eventfd_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct eventfd *e = f->priv;
	uint64_t v;
	int err;

	(void)pos;
	if (u->resid < sizeof(v))
		return -EINVAL;
	if (!take(e, &v)) {
		if (file_nowait(f, u))
			return -EAGAIN;
		err = wait_take(e, &v);
		if (err)
			return err;
	}
	if (waitq_active(&e->wq))
		wait_wake_all(&e->wq, POLLOUT);
	return uio_write(u, &v, sizeof(v));
}

static ssize_t
eventfd_write(struct file *f, struct uio *u, int64_t *pos)
{
	struct eventfd *e = f->priv;
	uint64_t v;
	ssize_t n;

	(void)pos;
	if (u->resid < sizeof(v))
		return -EINVAL;
	n = uio_read(u, &v, sizeof(v));
	if (n < 0)
		return n;
	if (v == UINT64_MAX)
		return -EINVAL;
	if (!give(e, v)) {
		int err = file_nowait(f, u) ? -EAGAIN : wait_give(e, v);

		if (err)
			return err;
	}
	if (waitq_active(&e->wq))
		wait_wake(&e->wq, 1, POLLIN);
	return sizeof(v);
}

static uint32_t
eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	uint64_t count;

	poll_wait(pt, &e->wq);
	count = READ_ONCE(e->count);
	return (count ? POLLIN : 0) | (count < COUNT_MAX ? POLLOUT : 0);
}

static int
eventfd_stat(struct file *f, struct kstat *st)
{
	(void)f;
	anon_stat(st, 1, 0600);
	return 0;
}

static void
eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static int
eventfd_link_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	return ksnprintf(buf, size, "anon_inode:[eventfd]");
}

static int
eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct eventfd *e = f->priv;

	return ksnprintf(buf, size, "eventfd-count: %16lx\neventfd-id: %lu\n",
			 (unsigned long)e->count, (unsigned long)e->id);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.seek = anon_seek,
	.poll = eventfd_poll,
	.stat = eventfd_stat,
	.release = eventfd_release,
	.link_name = eventfd_link_name,
	.fdinfo = eventfd_fdinfo,
};

bool
eventfd_is(const struct file *f)
{
	return f->ops == &eventfd_ops;
}

void
eventfd_signal(struct file *f, uint64_t n)
{
	struct eventfd *e = f->priv;
	irqflags_t flags = spin_lock_irq(&e->lock);

	e->count += COUNT_MAX - e->count < n ? COUNT_MAX - e->count : n;
	spin_unlock_irq(&e->lock, flags);
	if (waitq_active(&e->wq))
		wait_wake(&e->wq, 1, POLLIN);
}

int
eventfd_create(uint32_t count, bool semaphore, unsigned flags,
	       struct file **out)
{
	struct eventfd *e = kzalloc(sizeof(*e), ALLOC_KERNEL);
	int err;

	if (!e)
		return -ENOMEM;
	spin_init(&e->lock, RANK_EVENT);
	waitq_init(&e->wq);
	e->count = count;
	e->semaphore = semaphore;
	e->id = anon_ino();
	err = file_create(&eventfd_ops, O_RDWR | (flags & O_NONBLOCK), e, out);
	if (err) {
		kfree(e);
		return err;
	}
	(*out)->mode |= FILE_STREAM | FILE_NOSPLICE;
	return 0;
}
