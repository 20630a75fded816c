/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal-driven I/O.  A file with O_ASYNC has an entry on each wait queue
 * that its poll operation names, as epoll's items have; a wake notes the
 * events and queues work, which looks what the file is ready for and has the
 * signal sent.  Wakes that come before the work has run make one signal of
 * each kind.
 *
 * Locks: async_lock (RANK_EPOLL, as the poll operations are called with it)
 * for what is made and taken away; events is atomic.
 */
#include <file/async.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <base/atomic.h>
#include <file/file.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/work.h>

#define QUEUES 3	  /* wait queues that one file names at most */
#define ANY    (1u << 31) /* a wake that says nothing */

struct file_async {
	struct work work;
	struct file *file; /* [I] */
	int sig, fd;	   /* [a] F_SETSIG; of the F_SETFL */
	bool on;	   /* [async_lock] the entries are on their queues */
	uint32_t events;   /* [a] POLL*, since the work ran */
	unsigned nqueues;  /* [async_lock] */
	struct {
		struct waitq *q;
		struct wait_entry e;
	} queue[QUEUES]; /* [async_lock] */
};

struct async_table {
	struct poll_table pt;
	struct file_async *a;
};

static struct mutex async_lock;
static const struct file_owner_ops *owner_ops; /* [a] */

void
file_on_owner(const struct file_owner_ops *ops)
{
	mutex_init(&async_lock, RANK_EPOLL);
	atomic_store_release(&owner_ops, ops);
}

/* ---- owners ---- */

int
file_set_owner(struct file *f, int type, int id)
{
	const struct file_owner_ops *ops = atomic_load_acquire(&owner_ops);

	if (type < F_OWNER_TID || type > F_OWNER_PGRP || id < 0)
		return -EINVAL;
	if (id && (!ops || !ops->exists(type, id)))
		return -ESRCH;
	f->owner_pid = type == F_OWNER_PGRP ? -id : id;
	f->owner_type = (uint8_t)type;
	return 0;
}

/* SIOCSPGRP and its like know pids and groups only. */
void
file_get_owner(const struct file *f, int *type, int *id)
{
	int pid = READ_ONCE(f->owner_pid);

	*type = pid < 0 ? F_OWNER_PGRP : f->owner_type;
	*id = pid < 0 ? -pid : pid;
}

/* ---- signals ---- */

static void
send(struct file_async *a, int code, uint32_t band)
{
	const struct file_owner_ops *ops = atomic_load_acquire(&owner_ops);
	int type, id;

	file_get_owner(a->file, &type, &id);
	if (id && ops)
		ops->signal(type, id, READ_ONCE(a->sig), code, band,
			    READ_ONCE(a->fd));
}

static void
async_work(struct work *w)
{
	struct file_async *a = container_of(w, struct file_async, work);
	uint32_t events = atomic_xchg(&a->events, 0), ready;

	ready = a->file->ops->poll(a->file, NULL);
	/* The ends of a pipe and a socket wake with what they know. */
	if (!(events & ANY))
		ready &= events | POLLERR | POLLHUP;
	if (ready & POLLIN)
		send(a, POLL_IN, POLLIN | POLLRDNORM);
	if (ready & (POLLHUP | POLLERR))
		send(a, POLL_HUP, POLLHUP | POLLERR);
	if (ready & POLLOUT && !(ready & (POLLHUP | POLLERR)))
		send(a, POLL_OUT, POLLOUT | POLLWRNORM | POLLWRBAND);
	if (ready & POLLPRI)
		send(a, POLL_PRI, POLLPRI | POLLRDBAND);
}

/* In any context, with the queue locked. */
static bool
on_wake(struct wait_entry *e, uint32_t events)
{
	struct file_async *a = e->arg;

	atomic_or(&a->events, events ? events : ANY);
	work_queue(&a->work);
	return false;
}

static void
add_queue(struct poll_table *pt, struct waitq *q)
{
	struct file_async *a = container_of(pt, struct async_table, pt)->a;
	struct wait_entry *e;

	if (a->nqueues == QUEUES)
		return; /* no file has more */
	e = &a->queue[a->nqueues].e;
	e->fn = on_wake;
	e->arg = a;
	a->queue[a->nqueues++].q = q;
	waitq_add(q, e);
}

static void
stop(struct file_async *a)
{
	while (a->nqueues) {
		a->nqueues--;
		waitq_remove(a->queue[a->nqueues].q, &a->queue[a->nqueues].e);
	}
	a->on = false;
}

static void
start(struct file_async *a)
{
	struct async_table t = { .pt.queue = add_queue, .a = a };

	a->on = true;
	atomic_store_relaxed(&a->events, 0);
	ignore(a->file->ops->poll(a->file, &t.pt)); /* what is, is no news */
}

/* ---- settings ---- */

/* With async_lock: NULL: no memory. */
static struct file_async *
get(struct file *f)
{
	struct file_async *a = f->async;

	if (a)
		return a;
	a = kzalloc(sizeof(*a), ALLOC_KERNEL);
	if (!a)
		return NULL;
	a->file = f;
	work_init(&a->work, async_work);
	atomic_store_release(&f->async, a);
	return a;
}

int
file_set_signal(struct file *f, uint64_t sig)
{
	struct file_async *a;

	if (sig > 64)
		return -EINVAL;
	mutex_lock(&async_lock);
	a = get(f);
	if (a)
		atomic_store_relaxed(&a->sig, (int)sig);
	mutex_unlock(&async_lock);
	return a ? 0 : -ENOMEM;
}

int
file_get_signal(const struct file *f)
{
	const struct file_async *a = atomic_load_acquire(&f->async);

	return a ? READ_ONCE(a->sig) : 0;
}

int
file_set_async(struct file *f, int fd, bool on)
{
	struct file_async *a;

	if (!f->ops->async || (!on && !atomic_load_acquire(&f->async)))
		return 0;
	mutex_lock(&async_lock);
	a = get(f);
	if (a && on)
		atomic_store_relaxed(&a->fd, fd);
	if (a && on != a->on) {
		if (on)
			start(a);
		else
			stop(a);
	}
	mutex_unlock(&async_lock);
	if (!a)
		return -ENOMEM;
	if (on)
		f->flags |= O_ASYNC;
	else
		f->flags &= ~(uint32_t)O_ASYNC;
	return 0;
}

int
file_own_signals(struct file *f, int fd)
{
	struct file_async *a;

	mutex_lock(&async_lock);
	a = get(f);
	if (a)
		atomic_store_relaxed(&a->fd, fd);
	mutex_unlock(&async_lock);
	if (!a)
		return -ENOMEM;
	if (!f->owner_pid)
		ignore(file_set_owner(f, F_OWNER_PID, thread_current()->tgid));
	return 0;
}

void
file_signal_owner(struct file *f, int code, uint32_t band)
{
	struct file_async *a = atomic_load_acquire(&f->async);

	if (a)
		send(a, code, band);
}

void
file_async_release(struct file *f)
{
	mutex_lock(&async_lock);
	stop(f->async);
	mutex_unlock(&async_lock);
	work_flush(&f->async->work);
	kfree(f->async);
	f->async = NULL;
}
