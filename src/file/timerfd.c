/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timerfd: a timer whose expiries are counted and read.
 *
 * Deadlines are monotonic.  One that was given as a time of the wall clock
 * keeps that time too, and watches that clock: when it is set, the deadline is
 * computed anew, and if the program asked to be told
 * (TFD_TIMER_CANCEL_ON_SET), the next read says ECANCELED.
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
	struct clock_watch watch;
	bool watches;	    /* [set_lock] watch is set */
	int clock;	    /* [I] */
	bool on_wall;	    /* [lock] wall_ns is what was asked for */
	bool may_cancel;    /* [lock] it wants to hear of steps */
	bool cancelled;	    /* [lock] one came, and nobody was told */
	uint64_t wall_ns;   /* [lock] of the next expiry */
	uint64_t deadline;  /* [lock] monotonic ns; 0: not armed */
	uint64_t interval;  /* [lock] ns; 0: once */
	uint64_t expiries;  /* [lock] since the last read */
	unsigned set_flags; /* [lock] for fdinfo */
	struct waitq wq;
};

/* One setting at a time. */
static struct mutex set_lock = { .rank = RANK_SLEEP_LEAF,
				 .wq = WAITQ_INIT(set_lock.wq) };

static const struct file_ops timerfd_ops;

/* The past: at once. */
static uint64_t
mono_of(uint64_t wall_ns)
{
	uint64_t mono = clock_mono_of(wall_ns);

	return mono ? mono : clock_mono_ns();
}

/* The deadline is over: counts, and says when the next is; 0: never. */
static uint64_t
count_expiry(struct timerfd *t, uint64_t now)
{
	uint64_t late = now - t->deadline, real, missed;

	t->expiries++;
	if (!t->interval)
		return 0;
	if (t->on_wall) {
		real = clock_real_ns();
		late = real > t->wall_ns ? real - t->wall_ns : 0;
	}
	missed = late / t->interval;
	t->expiries += missed;
	if (!t->on_wall)
		return t->deadline + (missed + 1) * t->interval;
	t->wall_ns += (missed + 1) * t->interval;
	return mono_of(t->wall_ns);
}

static void
expired(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	uint64_t now = clock_mono_ns();

	spin_lock(&t->lock);
	if (t->deadline && t->deadline <= now)
		t->deadline = count_expiry(t, now);
	if (t->deadline) /* also one that was put off meanwhile */
		timer_set(timer, t->deadline);
	spin_unlock(&t->lock);
	wait_wake_all(&t->wq, POLLIN);
}

static void
clock_stepped(struct clock_watch *w)
{
	struct timerfd *t = container_of(w, struct timerfd, watch);
	bool wake;

	spin_lock(&t->lock);
	wake = t->may_cancel;
	if (t->may_cancel) {
		t->cancelled = true;
		t->expiries++;
	}
	if (t->deadline && t->on_wall) {
		t->deadline = mono_of(t->wall_ns);
		timer_set(&t->timer, t->deadline);
	}
	spin_unlock(&t->lock);
	if (wake)
		wait_wake_all(&t->wq, POLLIN);
}

/* Expiries to hand out; 0: none; -ECANCELED: the clock was set. */
static int64_t
take(struct timerfd *t)
{
	irqflags_t f = spin_lock_irq(&t->lock);
	int64_t n = (int64_t)t->expiries;

	if (t->may_cancel && t->cancelled) {
		t->cancelled = false;
		n = -ECANCELED;
	}
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
	return n < 0 ? n : uio_write(u, &n, sizeof(n));
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

	if (t->watches)
		clock_unwatch(&t->watch);
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

static int
timerfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct timerfd *t = f->priv;
	uint64_t left, interval;

	ignore(timerfd_get(f, &left, &interval)); /* it is one */
	return ksnprintf(buf, size,
			 "clockid: %d\nticks: %lu\nsettime flags: 0%o\n"
			 "it_value: (%llu, %llu)\n"
			 "it_interval: (%llu, %llu)\n",
			 t->clock, (unsigned long)READ_ONCE(t->expiries),
			 READ_ONCE(t->set_flags), left / NSEC_PER_SEC,
			 left % NSEC_PER_SEC, interval / NSEC_PER_SEC,
			 interval % NSEC_PER_SEC);
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.seek = anon_seek,
	.poll = timerfd_poll,
	.stat = timerfd_stat,
	.release = timerfd_release,
	.link_name = timerfd_link_name,
	.fdinfo = timerfd_fdinfo,
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
	list_init(&t->watch.link);
	t->watch.stepped = clock_stepped;
	t->clock = clock;
	err = file_create(&timerfd_ops, O_RDWR | (flags & O_NONBLOCK), t, out);
	if (err) {
		kfree(t);
		return err;
	}
	(*out)->mode |= FILE_STREAM | FILE_NOSPLICE;
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

/* With both locks. */
static int
set_locked(struct timerfd *t, const struct timerfd_setting *new)
{
	t->on_wall = new->on_wall;
	t->may_cancel = new->on_wall &&new->cancel;
	t->wall_ns = new->at_ns;
	t->set_flags = new->flags;
	t->deadline = new->at_ns;
	if (new->at_ns &&new->on_wall)
		t->deadline = mono_of(new->at_ns);
	t->interval = new->interval_ns; /* told even when not armed */
	t->expiries = 0;
	if (t->deadline)
		timer_set(&t->timer, t->deadline);
	/* The setting counts; but the program did not know what it set it
	 * against. */
	if (!t->deadline || !t->may_cancel || !t->cancelled)
		return 0;
	t->cancelled = false;
	return -ECANCELED;
}

/* With set_lock. */
static void
watch(struct timerfd *t, bool on)
{
	if (on && !t->watches)
		clock_watch(&t->watch);
	else if (!on && t->watches)
		clock_unwatch(&t->watch);
	t->watches = on;
}

int
timerfd_set(struct file *f, const struct timerfd_setting *new,
	    uint64_t *old_left, uint64_t *old_interval)
{
	struct timerfd *t = f->priv;
	irqflags_t fl;
	int err;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	mutex_lock(&set_lock);
	timer_cancel(&t->timer);
	watch(t, new->on_wall && (new->cancel || new->at_ns));
	fl = spin_lock_irq(&t->lock);
	left_of(t, old_left, old_interval);
	err = set_locked(t, new);
	spin_unlock_irq(&t->lock, fl);
	mutex_unlock(&set_lock);
	return err;
}
