/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timerfd: a timer whose expiries are counted and read.
 *
 * Deadlines are monotonic; the system call converts wall-clock times when
 * the timer is set (a later step of the wall clock does not move it:
 * docs/limits.md, and TFD_TIMER_CANCEL_ON_SET is refused).
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <base/fmt.h>
#include <core/clock.h>
#include <core/timer.h>
#include <file/anon.h>
#include <file/eventfd.h>
#include <file/file.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uio.h>

struct timerfd {
	struct spinlock lock; /* RANK_EVENT; interrupts off */
	struct timer timer;
	int clock;	   /* [I] */
	uint64_t deadline; /* [lock] monotonic ns; 0: not armed */
	uint64_t interval; /* [lock] ns; 0: once */
	uint64_t expiries; /* [lock] since the last read */
	struct waitq wq;
};

static const struct file_ops timerfd_ops;

/* Expired and rearmed without the lock held: RANK_TIMER is inside it. */
static void
expired(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	uint64_t now = clock_mono_ns(), next = 0;

	spin_lock(&t->lock);
	if (t->deadline && t->deadline <= now) {
		t->expiries++;
		if (t->interval) {
			uint64_t missed = (now - t->deadline) / t->interval;

			t->expiries += missed;
			t->deadline += (missed + 1) * t->interval;
			next = t->deadline;
		} else {
			t->deadline = 0;
		}
	}
	spin_unlock(&t->lock);
	if (next)
		timer_set(timer, next);
	wait_wake_all(&t->wq, POLLIN);
}

/* Expiries to hand out; 0: none. */
static int64_t
take(struct timerfd *t)
{
	irqflags_t f = spin_lock_irq(&t->lock);
	int64_t n = (int64_t)t->expiries;

	t->expiries = 0;
	spin_unlock_irq(&t->lock, f);
	return n;
}

static ssize_t
timerfd_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct timerfd *t = f->priv;
	struct wait_entry w UNINIT;
	int64_t n;
	int err = 0;

	(void)pos;
	if (u->resid < 8)
		return -EINVAL;
	n = take(t);
	if (!n && file_nowait(f, u))
		return -EAGAIN;
	if (!n) {
		wait_start(&t->wq, &w, true);
		while (!(n = take(t)) && !err)
			err = wait_sleep(&w, TIME_NEVER);
		wait_end(&t->wq, &w);
		if (err)
			return -ERESTARTSYS;
	}
	return uio_write(u, &n, sizeof(n));
}

static uint32_t
timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_wait(pt, &t->wq);
	return READ_ONCE(t->expiries) ? POLLIN : 0;
}

static int
timerfd_stat(struct file *f, struct kstat *st)
{
	(void)f;
	anon_stat(st, 1, 0600);
	return 0;
}

static void
timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	t->deadline = 0;
	timer_cancel(&t->timer);
	kfree(t);
}

static int
timerfd_link_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	return ksnprintf(buf, size, "anon_inode:[timerfd]");
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.seek = anon_seek,
	.poll = timerfd_poll,
	.stat = timerfd_stat,
	.release = timerfd_release,
	.link_name = timerfd_link_name,
};

int
timerfd_create(int clock, unsigned flags, struct file **out)
{
	struct timerfd *t = kzalloc(sizeof(*t), ALLOC_KERNEL);
	int err;

	if (!t)
		return -ENOMEM;
	spin_init(&t->lock, RANK_EVENT);
	timer_init(&t->timer, expired);
	waitq_init(&t->wq);
	t->clock = clock;
	err = file_create(&timerfd_ops, O_RDWR | (flags & O_NONBLOCK), t, out);
	if (err) {
		kfree(t);
		return err;
	}
	(*out)->mode |= FILE_STREAM;
	return 0;
}

int
timerfd_clock(struct file *f)
{
	if (f->ops != &timerfd_ops)
		return -EINVAL;
	return ((struct timerfd *)f->priv)->clock;
}

static void
left_of(const struct timerfd *t, uint64_t *left, uint64_t *interval)
{
	uint64_t now = clock_mono_ns();

	*interval = t->interval;
	*left = 0;
	if (t->deadline)
		*left = t->deadline > now ? t->deadline - now : 1;
}

int
timerfd_get(struct file *f, uint64_t *left, uint64_t *interval)
{
	struct timerfd *t = f->priv;
	irqflags_t fl;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	fl = spin_lock_irq(&t->lock);
	left_of(t, left, interval);
	spin_unlock_irq(&t->lock, fl);
	return 0;
}

int
timerfd_set(struct file *f, uint64_t deadline_ns, uint64_t interval_ns,
	    uint64_t *old_left, uint64_t *old_interval)
{
	struct timerfd *t = f->priv;
	irqflags_t fl;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	timer_cancel(&t->timer);
	fl = spin_lock_irq(&t->lock);
	left_of(t, old_left, old_interval);
	t->deadline = deadline_ns;
	t->interval = deadline_ns ? interval_ns : 0;
	t->expiries = 0;
	spin_unlock_irq(&t->lock, fl);
	if (deadline_ns)
		timer_set(&t->timer, deadline_ns);
	return 0;
}
