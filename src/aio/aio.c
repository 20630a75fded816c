/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's asynchronous I/O (io_setup(2) and its kind).
 *
 * As on Linux only two kinds of requests are asynchronous: O_DIRECT reads and
 * writes, which go to the block layer and complete from there, and fsync and
 * poll; a read or write of the page cache, a pipe or a socket is done by
 * io_submit itself.  O_DIRECT that direct_start() cannot do goes to a worker.
 *
 * A context is named by the address of a page that is mapped for it, as the
 * C library's io_getevents() looks there for a ring: this one holds none (no
 * magic number), so it always asks the kernel.
 *
 * Life: the table holds a context until io_destroy(), each request and each
 * call in progress too.  Each request has its place in the count of events
 * from io_submit() on until its event is taken, so an event never lacks one.
 */
#include <aio/aio.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <abi/uio.h>
#include <aio/pool.h>
#include <aio/uring.h>
#include <base/atomic.h>
#include <base/list.h>
#include <file/eventfd.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/direct.h>
#include <fs/pagecache.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/wait.h>
#include <vm/space.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

struct aio_ctx {
	struct refcount refs;
	struct list link;     /* [table_lock] */
	uint64_t id;	      /* [I] */
	unsigned max;	      /* [I] */
	struct spinlock lock; /* RANK_AIO, interrupts off */
	unsigned used;	      /* [lock] requests and events */
	unsigned active;      /* [lock] requests under way */
	struct list events;   /* [lock] struct aio_req, done */
	struct list requests; /* [lock] under way */
	bool dead;	      /* [lock] */
	struct waitq wq;
};

struct aio_req {
	struct list link; /* [ctx lock] requests, then events */
	struct aio_ctx *ctx;
	struct file *file;
	struct file *eventfd; /* or NULL */
	uint64_t iocb;	      /* the program's address */
	struct iocb io;
	struct io_event event;
	struct uio uio;
	struct identity who;
	struct pool_work work;
	struct direct_io direct;
	struct arm arm;
	bool armed;	 /* [ctx lock] a poll that may be called off */
	bool canceled;	 /* [ctx lock, a read] */
	bool unfinished; /* [o] see direct_done() */
};

static struct mutex table_lock = { .rank = RANK_SLEEP_LEAF,
				   .wq = WAITQ_INIT(table_lock.wq) };
static struct list table = LIST_INIT(table); /* [table_lock] */
static unsigned total;			     /* [table_lock] events promised */

/* ---- contexts ---- */

void
aio_put(struct aio_ctx *c)
{
	if (refcount_put(&c->refs))
		kfree(c); /* its events have gone: end_ctx() */
}

struct aio_ctx *
aio_get(uint64_t id)
{
	struct aio_ctx *c, *found = NULL;

	mutex_lock(&table_lock);
	list_for_each_entry(c, &table, link)
		if (c->id == id) {
			refcount_get(&c->refs);
			found = c;
			break;
		}
	mutex_unlock(&table_lock);
	return found;
}

static int
reserve(unsigned nr)
{
	int err = 0;

	mutex_lock(&table_lock);
	if (total + nr > AIO_MAX_EVENTS)
		err = -EAGAIN;
	else
		total += nr;
	mutex_unlock(&table_lock);
	return err;
}

static void
unreserve(unsigned nr)
{
	mutex_lock(&table_lock);
	total -= nr;
	mutex_unlock(&table_lock);
}

int
aio_create(unsigned nr, uint64_t *id)
{
	struct aio_ctx *c;
	long at;
	int err;

	if (nr > AIO_MAX_EVENTS)
		return -EAGAIN;
	err = pool_start();
	if (!err)
		err = reserve(nr);
	if (err)
		return err;
	err = -ENOMEM;
	c = kzalloc(sizeof(*c), ALLOC_KERNEL);
	if (!c)
		goto fail;
	at = vm_map(thread_current()->space, 0, PAGE_SIZE, VMA_READ, NULL, NULL,
		    0, 0);
	if (at < 0) {
		err = (int)at;
		goto fail_free;
	}
	refcount_set(&c->refs, 1);
	list_init(&c->link);
	list_init(&c->events);
	list_init(&c->requests);
	spin_init(&c->lock, RANK_AIO);
	waitq_init(&c->wq);
	c->id = (uint64_t)at;
	c->max = nr;
	mutex_lock(&table_lock);
	list_add_tail(&table, &c->link);
	mutex_unlock(&table_lock);
	*id = c->id;
	return 0;

fail_free:
	kfree(c);
fail:
	unreserve(nr);
	return err;
}

/* ---- requests ---- */

static void
req_free(struct aio_req *r)
{
	if (r->armed)
		arm_end(&r->arm);
	if (r->file)
		file_put(r->file);
	if (r->eventfd)
		file_put(r->eventfd);
	uio_fini(&r->uio);
	identity_drop(&r->who);
	r->armed = false;
	r->file = r->eventfd = NULL;
}

/* The event is there to be taken; in a context that may sleep. */
static void
complete(struct aio_req *r, long res)
{
	struct aio_ctx *c = r->ctx;
	struct file *efd = r->eventfd;
	irqflags_t f;

	r->eventfd = NULL;
	r->event = (struct io_event){ .data = r->io.data,
				      .obj = r->iocb,
				      .res = res };
	req_free(r);
	f = spin_lock_irq(&c->lock);
	list_del(&r->link);
	list_add_tail(&c->events, &r->link);
	c->active--;
	spin_unlock_irq(&c->lock, f);
	if (efd) {
		eventfd_signal(efd, 1);
		file_put(efd);
	}
	if (waitq_active(&c->wq))
		wait_wake_all(&c->wq, 0);
	aio_put(c);
}

static void
direct_work(struct pool_work *w)
{
	struct aio_req *r = container_of(w, struct aio_req, work);

	pool_release(w);
	complete(r, direct_end(&r->direct));
}

/* The device is done: the rest needs a context that may sleep.  Where the
 * result is known that is whoever takes the event, and no worker wakes. */
static void
direct_done(struct direct_io *io)
{
	struct aio_req *r = container_of(io, struct aio_req, direct);
	struct aio_ctx *c = r->ctx;
	irqflags_t f;

	if (r->eventfd || !direct_settled(io)) {
		pool_work_init(&r->work, direct_work, NULL);
		pool_queue(&r->work);
		return;
	}
	r->event = (struct io_event){
		.data = r->io.data,
		.obj = r->iocb,
		.res = io->err ? io->err : (int64_t)io->len,
	};
	r->unfinished = true; /* with its reference of the context */
	f = spin_lock_irq(&c->lock);
	list_move_tail(&c->events, &r->link);
	c->active--;
	if (waitq_active(&c->wq))
		wait_wake_all(&c->wq, 0);
	spin_unlock_irq(&c->lock, f);
}

/* An event that has been taken. */
static void
event_free(struct aio_ctx *c, struct aio_req *r)
{
	if (r->unfinished) {
		ignore(direct_end(&r->direct)); /* the event has it */
		req_free(r);
		aio_put(c);
	}
	kfree(r);
}

#define SYNCS	 (RWF_DSYNC | RWF_SYNC)
#define RW_FLAGS (RWF_HIPRI | SYNCS | RWF_NOWAIT | RWF_APPEND)

static ssize_t
do_rw(struct aio_req *r)
{
	bool write = r->io.opcode == IOCB_CMD_PWRITE ||
		     r->io.opcode == IOCB_CMD_PWRITEV;
	uint32_t flags = r->io.rw_flags;
	ssize_t n;
	int err;

	r->uio.append = write && flags & RWF_APPEND;
	r->uio.nowait = flags & RWF_NOWAIT;
	if (r->file->mode & FILE_STREAM)
		return write ? file_write(r->file, &r->uio) :
			       file_read(r->file, &r->uio);
	n = write ? file_pwrite(r->file, &r->uio, r->io.offset) :
		    file_pread(r->file, &r->uio, r->io.offset);
	if (n <= 0 || !write || !(flags & SYNCS) || !r->file->ops->fsync)
		return n;
	err = r->file->ops->fsync(r->file, 0, INT64_MAX, !(flags & RWF_SYNC));
	return err ? err : n;
}

/* A call that a signal cut short cannot be called again. */
static long
plain_error(long res)
{
	return res == -ERESTARTSYS ? -EINTR : res;
}

static void
rw_work(struct pool_work *w)
{
	struct aio_req *r = container_of(w, struct aio_req, work);
	long res = plain_error(do_rw(r));

	pool_release(w);
	complete(r, res);
}

static void
fsync_work(struct pool_work *w)
{
	struct aio_req *r = container_of(w, struct aio_req, work);
	long res = r->file->ops->fsync(r->file, 0, INT64_MAX,
				       r->io.opcode == IOCB_CMD_FDSYNC);

	pool_release(w);
	complete(r, res);
}

static void
to_worker(struct aio_req *r, void (*fn)(struct pool_work *))
{
	identity_take(&r->who);
	pool_work_init(&r->work, fn, &r->who);
	pool_queue(&r->work);
}

/* O_DIRECT that does not wait for a device. */
static bool
at_once(const struct aio_req *r, bool write)
{
	return (r->file->mode & FILE_STREAM) ||
	       (!write && direct_in_cache(r->file, r->io.offset, r->uio.resid));
}

static int
start_rw(struct aio_req *r, bool write, bool vector)
{
	void __user *buf = (void __user *)r->io.buf;
	int err;

	if (!(r->file->mode & (write ? FILE_WRITE : FILE_READ)))
		return -EBADF;
	if ((r->file->mode & FILE_DIR) ||
	    (write ? !r->file->ops->write : !r->file->ops->read))
		return -EINVAL;
	if (r->io.rw_flags & ~RW_FLAGS ||
	    (r->io.rw_flags & RWF_NOWAIT &&
	     r->file->ops != &page_cache_file_ops))
		return -EOPNOTSUPP;
	if (vector) {
		if (r->io.nbytes > UINT32_MAX)
			return -EINVAL;
		err = uio_init_iovec(&r->uio, buf, (unsigned)r->io.nbytes);
		if (err)
			return err;
	} else {
		if (!user_range_ok(buf, r->io.nbytes))
			return -EFAULT;
		uio_init_user(&r->uio, buf, r->io.nbytes);
	}
	if (r->io.offset < 0 && !(r->file->mode & FILE_STREAM))
		return -EINVAL;
	r->direct.done = direct_done;
	if (r->file->flags & O_DIRECT) {
		struct uio u = r->uio;

		/* The pieces are shared: a refused start leaves them. */
		if (u.segs == r->uio.fast)
			u.segs = u.fast;
		else
			u.segs = NULL;
		/* What is to be synced, or added, goes the other way. */
		if (r->io.rw_flags & (SYNCS | RWF_APPEND))
			u.segs = NULL;
		err = u.segs ? direct_start(r->file, &u, r->io.offset, write,
					    &r->direct) :
			       -EAGAIN;
		if (err == 0)
			return 0;
		if (err != -EAGAIN)
			complete(r, err);
		else if (at_once(r, write))
			complete(r, plain_error(do_rw(r)));
		else
			to_worker(r, rw_work);
		return 0;
	}
	complete(r, plain_error(do_rw(r)));
	return 0;
}

/* ---- poll ---- */

static void
poll_work(struct pool_work *w)
{
	struct aio_req *r = container_of(w, struct aio_req, work);
	uint32_t ready;

	pool_release(w);
	do {
		ready = file_poll(r->file, NULL) &
			(r->arm.events | POLLERR | POLLHUP);
		if (ready || atomic_load_acquire(&r->canceled)) {
			/* As Linux has it: all that the wake was for. */
			if (ready & ~(POLLERR | POLLHUP))
				ready |= atomic_load_relaxed(&r->arm.key);
			complete(r, ready);
			return;
		}
	} while (arm_sleep(&r->arm, r->file));
}

static void
poll_fire(struct arm *a)
{
	pool_queue(&container_of(a, struct aio_req, arm)->work);
}

/* From now on it can be called off.  false: the context has ended. */
static bool
set_armed(struct aio_req *r)
{
	irqflags_t f = spin_lock_irq(&r->ctx->lock);
	bool lives = !r->ctx->dead;

	r->armed = true;
	spin_unlock_irq(&r->ctx->lock, f);
	return lives;
}

static int
start_poll(struct aio_req *r)
{
	int ready;

	if ((uint16_t)r->io.buf != r->io.buf || r->io.offset || r->io.nbytes ||
	    r->io.rw_flags)
		return -EINVAL;
	if (!r->file->ops->poll)
		return -EINVAL;
	identity_take(&r->who);
	pool_work_init(&r->work, poll_work, &r->who);
	ready = arm_start(&r->arm, r->file, (uint32_t)r->io.buf, poll_fire);
	if (ready < 0)
		return ready;
	/* Who calls it off before it sleeps makes it look once more. */
	if (!set_armed(r) || ready)
		complete(r, ready);
	else if (arm_sleep(&r->arm, r->file))
		pool_queue(&r->work);
	return 0;
}

/* ---- submission ---- */

static int
start(struct aio_req *r)
{
	switch (r->io.opcode) {
	case IOCB_CMD_PREAD:
		return start_rw(r, false, false);
	case IOCB_CMD_PWRITE:
		return start_rw(r, true, false);
	case IOCB_CMD_PREADV:
		return start_rw(r, false, true);
	case IOCB_CMD_PWRITEV:
		return start_rw(r, true, true);
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC:
		if (r->io.buf || r->io.offset || r->io.nbytes ||
		    r->io.rw_flags || !r->file->ops->fsync)
			return -EINVAL;
		to_worker(r, fsync_work);
		return 0;
	case IOCB_CMD_POLL:
		return start_poll(r);
	default:
		return -EINVAL;
	}
}

/* Enters it among those under way: -EAGAIN when there is no room. */
static int
enter(struct aio_ctx *c, struct aio_req *r)
{
	irqflags_t f = spin_lock_irq(&c->lock);
	int err = 0;

	if (c->dead) {
		err = -EINVAL;
	} else if (c->used >= c->max) {
		err = -EAGAIN;
	} else {
		c->used++;
		c->active++;
		list_add_tail(&c->requests, &r->link);
		refcount_get(&c->refs);
	}
	spin_unlock_irq(&c->lock, f);
	return err;
}

static void
take_back(struct aio_ctx *c, struct aio_req *r)
{
	irqflags_t f;

	req_free(r);
	f = spin_lock_irq(&c->lock);
	list_del(&r->link);
	c->used--;
	c->active--;
	spin_unlock_irq(&c->lock, f);
	wait_wake_all(&c->wq, 0);
	aio_put(c);
	kfree(r);
}

/* The request's files: -EBADF; -EINVAL: no eventfd. */
static int
get_files(struct aio_req *r)
{
	struct fdtable *fds = thread_current()->fds;
	int err = fd_get(fds, (int)r->io.fildes, &r->file);

	if (err) {
		r->file = NULL;
		return err;
	}
	if (r->io.flags & IOCB_FLAG_RESFD) {
		err = fd_get(fds, (int)r->io.resfd, &r->eventfd);
		if (err) {
			r->eventfd = NULL;
			return err;
		}
		if (!eventfd_is(r->eventfd))
			return -EINVAL;
	}
	return 0;
}

static bool
well_formed(const struct iocb *io)
{
	return !io->reserved2 && (ssize_t)io->nbytes >= 0;
}

int
aio_submit(struct aio_ctx *c, uint64_t iocb)
{
	static const uint32_t key = 0;
	struct aio_req *r = kzalloc(sizeof(*r), ALLOC_KERNEL);
	int err;

	if (!r)
		return -EAGAIN;
	r->ctx = c;
	r->iocb = iocb;
	list_init(&r->link);
	err = copy_from_user(&r->io, (const void __user *)iocb, sizeof(r->io));
	if (!err && !well_formed(&r->io))
		err = -EINVAL;
	if (err) {
		kfree(r);
		return err;
	}
	err = enter(c, r);
	if (err) {
		kfree(r);
		return err;
	}
	err = get_files(r);
	if (!err)
		err = copy_to_user(&((struct iocb __user *)iocb)->key, &key,
				   sizeof(key));
	if (!err)
		err = start(r);
	if (err)
		take_back(c, r);
	return err;
}

/* Only a poll can be called off; its event says so. */
int
aio_cancel(struct aio_ctx *c, uint64_t iocb)
{
	struct aio_req *r, *found = NULL;
	irqflags_t f = spin_lock_irq(&c->lock);

	list_for_each_entry(r, &c->requests, link)
		if (r->iocb == iocb && r->armed && !r->canceled) {
			r->canceled = true;
			found = r;
			break;
		}
	if (found && arm_kick(&found->arm))
		pool_queue(&found->work);
	spin_unlock_irq(&c->lock, f);
	return found ? -EINPROGRESS : -EINVAL;
}

/* ---- events ---- */

/* Moves up to nr done requests to *out; how many. */
static long
take_events(struct aio_ctx *c, long nr, struct list *out)
{
	irqflags_t f = spin_lock_irq(&c->lock);
	long n = 0;

	while (n < nr && !list_empty(&c->events)) {
		struct aio_req *r =
			list_first_entry(&c->events, struct aio_req, link);

		list_move_tail(out, &r->link);
		c->used--;
		n++;
	}
	spin_unlock_irq(&c->lock, f);
	return n;
}

/* Copies them out; what cannot be copied is lost, as its place is. */
static long
put_events(struct aio_ctx *c, struct list *l, struct io_event __user *to,
	   long done)
{
	bool ok = true;
	long n = 0;

	while (!list_empty(l)) {
		struct aio_req *r = list_first_entry(l, struct aio_req, link);

		list_del(&r->link);
		if (ok &&
		    copy_to_user(&to[done + n], &r->event, sizeof(r->event)))
			ok = false;
		n += ok;
		event_free(c, r);
	}
	return ok || n ? n : -EFAULT;
}

static bool
enough(struct aio_ctx *c)
{
	irqflags_t f = spin_lock_irq(&c->lock);
	bool is = !list_empty(&c->events) || c->dead;

	spin_unlock_irq(&c->lock, f);
	return is;
}

static int
wait_event(struct aio_ctx *c, uint64_t deadline_ns)
{
	struct wait_entry e;
	int err = 0;

	wait_start(&c->wq, &e, true);
	while (!enough(c) && !err)
		err = wait_sleep(&e, deadline_ns);
	wait_end(&c->wq, &e);
	return err;
}

long
aio_wait(struct aio_ctx *c, long min, long nr, struct io_event __user *events,
	 uint64_t deadline_ns)
{
	long done = 0, n;
	int err;

	for (;;) {
		struct list got = LIST_INIT(got);

		if (take_events(c, nr - done, &got)) {
			n = put_events(c, &got, events, done);
			if (n < 0)
				return done ? done : n;
			done += n;
		}
		if (done >= min || done >= nr)
			return done;
		if (atomic_load_relaxed(&c->dead))
			return done ? done : -EINVAL;
		err = wait_event(c, deadline_ns);
		if (err == -ETIMEDOUT)
			return done;
		if (err)
			return done ? done : -EINTR;
	}
}

/* ---- the end ---- */

static void
cancel_polls(struct aio_ctx *c)
{
	irqflags_t f = spin_lock_irq(&c->lock);
	struct aio_req *r;

	c->dead = true;
	list_for_each_entry(r, &c->requests, link) {
		pool_interrupt(&r->work);
		if (!r->armed || r->canceled)
			continue;
		r->canceled = true;
		if (arm_kick(&r->arm))
			pool_queue(&r->work);
	}
	spin_unlock_irq(&c->lock, f);
}

static bool
quiet(struct aio_ctx *c)
{
	irqflags_t f = spin_lock_irq(&c->lock);
	bool is = c->active == 0;

	spin_unlock_irq(&c->lock, f);
	return is;
}

/* Events that nobody takes any more. */
static void
drop_events(struct aio_ctx *c)
{
	struct list got = LIST_INIT(got);

	while (take_events(c, INT64_MAX, &got))
		while (!list_empty(&got)) {
			struct aio_req *r =
				list_first_entry(&got, struct aio_req, link);

			list_del(&r->link);
			event_free(c, r);
		}
}

/* The caller has taken it out of the table. */
static void
end_ctx(struct aio_ctx *c)
{
	struct wait_entry e;

	cancel_polls(c);
	wait_wake_all(&c->wq, 0);
	wait_start(&c->wq, &e, false);
	while (!quiet(c))
		ignore(wait_sleep(&e, TIME_NEVER)); /* not interruptible */
	wait_end(&c->wq, &e);
	drop_events(c);
	unreserve(c->max);
}

int
aio_destroy(uint64_t id)
{
	struct vm_space *space = thread_current()->space;
	struct aio_ctx *c = aio_get(id);
	bool mine;

	if (!c)
		return -EINVAL;
	mutex_lock(&table_lock);
	mine = !list_empty(&c->link);
	if (mine)
		list_del(&c->link);
	mutex_unlock(&table_lock);
	if (mine) {
		end_ctx(c);
		ignore(vm_unmap(space, id,
				PAGE_SIZE)); /* ours, if it is there */
		aio_put(c);
	}
	aio_put(c);
	return mine ? 0 : -EINVAL;
}

void
aio_end_all(void)
{
	struct aio_ctx *c;

	uring_end_all();
	for (;;) {
		mutex_lock(&table_lock);
		c = list_empty(&table) ?
			    NULL :
			    list_first_entry(&table, struct aio_ctx, link);
		if (c)
			list_del(&c->link);
		mutex_unlock(&table_lock);
		if (!c)
			return;
		end_ctx(c);
		aio_put(c);
	}
}
