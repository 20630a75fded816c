/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll.
 *
 * An instance has items, one for each (descriptor, file) of interest, in a
 * tree, and a list of those that may be ready.  Each item has entries on the
 * wait queues of its file; a wake puts the item on the ready list and wakes
 * the instance's own queue.  epoll_wait asks each item on the list what it
 * has: a level-triggered item that has something stays on the list.
 *
 * Life: an item does not hold its file.  When a file's last reference goes,
 * poll_file_release() takes its items out, under the instance's lock, before
 * the file's own release; so an item found under that lock has a live file.
 *
 * Instances watch instances, and wakes and looks pass from one to the next by
 * recursion, so nesting is bounded: no loops, chains of at most
 * LIMIT_EPOLL_DEPTH instances, LIMIT_EPOLL_CHAINS of them through one edge.
 *
 * Locks: nest_lock for the edges between instances, taken before any
 * epoll.lock; epoll.lock (RANK_EPOLL, of the watching instance before that of
 * the watched) for the tree and the waits; ready_lock (spin, RANK_WAITQ2, as
 * it is taken in wake functions) for the ready list; the file's watch_lock for
 * the list of its items.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <base/limits.h>
#include <base/rbtree.h>
#include <file/anon.h>
#include <file/epoll.h>
#include <file/file.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define PRIVATE_BITS (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)
#define ITEM_QUEUES  3 /* wait queues that one file names at most */

struct epoll {
	struct refcount refs;
	struct mutex lock;    /* RANK_EPOLL */
	struct rb_root items; /* [lock] by file, descriptor */
	unsigned nitems;      /* [lock] */
	struct spinlock ready_lock;
	struct list ready; /* [ready_lock] items */
	struct waitq wq;   /* epoll_wait, and poll on the instance */
	struct list inner; /* [nest_lock] items whose file is an instance */
	struct list outer; /* [nest_lock] items whose file is this one */
};

struct item {
	struct rb_node node;	/* [lock] */
	struct epoll *ep;	/* [I] */
	struct file *file;	/* [I] not referenced */
	int fd;			/* [I] */
	uint32_t events;	/* [lock w, a] */
	uint64_t data;		/* [lock] */
	struct list ready_link; /* [ready_lock] */
	struct list file_link;	/* [file's watch_lock] */
	struct list inner_link; /* [nest_lock] in ep->inner */
	struct list outer_link; /* [nest_lock] in the file's outer */
	unsigned nqueues;
	bool too_many;
	struct {
		struct wait_entry e;
		struct waitq *q;
	} queue[ITEM_QUEUES];
};

struct item_table {
	struct poll_table pt;
	struct item *item;
};

static struct mutex nest_lock = { .rank = RANK_EPOLL,
				  .wq = WAITQ_INIT(nest_lock.wq) };
static const struct file_ops epoll_ops;

static bool
is_epoll(const struct file *f)
{
	return f->ops == &epoll_ops;
}

static struct item *
item_of(struct rb_node *n)
{
	return container_of(n, struct item, node);
}

static int
compare(const struct file *f, int fd, const struct item *i)
{
	if (f != i->file)
		return f < i->file ? -1 : 1;
	return fd < i->fd ? -1 : fd > i->fd;
}

static struct item *
item_find(struct epoll *ep, const struct file *f, int fd)
{
	struct rb_node *n = ep->items.node;

	while (n) {
		int c = compare(f, fd, item_of(n));

		if (!c)
			return item_of(n);
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static void
item_insert(struct epoll *ep, struct item *i)
{
	struct rb_node **link = &ep->items.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = compare(i->file, i->fd, item_of(parent)) < 0 ?
			       &parent->left :
			       &parent->right;
	}
	rb_link(&i->node, parent, link);
	rb_insert_color(&ep->items, &i->node);
	ep->nitems++;
}

static void
epoll_put(struct epoll *ep)
{
	if (refcount_put(&ep->refs))
		kfree(ep);
}

/* ---- readiness ---- */

static void
make_ready(struct item *i)
{
	struct epoll *ep = i->ep;
	irqflags_t f = spin_lock_irq(&ep->ready_lock);

	if (list_empty(&i->ready_link))
		list_add_tail(&ep->ready, &i->ready_link);
	spin_unlock_irq(&ep->ready_lock, f);
}

/* In any context, with the file's queue locked. */
static bool
on_wake(struct wait_entry *e, uint32_t events)
{
	struct item *i = e->arg;
	uint32_t wanted = READ_ONCE(i->events) & ~PRIVATE_BITS;

	/* A one-shot item that has fired wants nothing, not even errors. */
	if (!wanted || (events && !(events & (wanted | POLLERR | POLLHUP))))
		return false;
	make_ready(i);
	/* An exclusive item takes the wake only where somebody waits: if
	 * nobody does, another instance is to have it. */
	if (!waitq_active(&i->ep->wq))
		return false;
	wait_wake(&i->ep->wq, 1, POLLIN);
	return true;
}

static void
item_queue(struct poll_table *pt, struct waitq *q)
{
	struct item *i = container_of(pt, struct item_table, pt)->item;
	struct wait_entry *e;

	if (i->nqueues == ITEM_QUEUES) {
		i->too_many = true;
		return;
	}
	e = &i->queue[i->nqueues].e;
	e->fn = on_wake;
	e->arg = i;
	e->exclusive = i->events & EPOLLEXCLUSIVE;
	i->queue[i->nqueues++].q = q;
	waitq_add(q, e);
}

/* What the item's file has for it now. */
static uint32_t
item_poll(struct item *i, struct poll_table *pt)
{
	uint32_t wanted = i->events & ~PRIVATE_BITS;

	if (!wanted)
		return 0;
	return file_poll(i->file, pt) & (wanted | POLLERR | POLLHUP);
}

static void
ready_now(struct item *i)
{
	make_ready(i);
	if (waitq_active(&i->ep->wq))
		wait_wake(&i->ep->wq, 1, POLLIN);
}

/* ---- items ---- */

/* Takes the item out of everything and frees it; ep->lock is held, and
 * nest_lock if the file is an instance. */
static void
item_remove(struct item *i)
{
	struct epoll *ep = i->ep;
	irqflags_t f;

	list_del(&i->inner_link);
	list_del(&i->outer_link);
	for (unsigned k = 0; k < i->nqueues; k++)
		waitq_remove(i->queue[k].q, &i->queue[k].e);
	f = spin_lock_irq(&ep->ready_lock);
	list_del(&i->ready_link);
	spin_unlock_irq(&ep->ready_lock, f);
	f = spin_lock_irq(&i->file->watch_lock);
	list_del(&i->file_link);
	spin_unlock_irq(&i->file->watch_lock, f);
	rb_erase(&ep->items, &i->node);
	ep->nitems--;
	kfree(i);
}

static int
item_add(struct epoll *ep, int fd, struct file *f, const struct epoll_event *ev)
{
	struct item_table it = { .pt.queue = item_queue };
	struct item *i = kzalloc(sizeof(*i), ALLOC_KERNEL);
	irqflags_t fl;

	if (!i)
		return -ENOMEM;
	i->ep = ep;
	i->file = f;
	i->fd = fd;
	i->events = ev->events | POLLERR | POLLHUP;
	i->data = ev->data;
	list_init(&i->ready_link);
	list_init(&i->file_link);
	list_init(&i->inner_link);
	list_init(&i->outer_link);
	if (is_epoll(f)) {
		list_add_tail(&ep->inner, &i->inner_link);
		list_add_tail(&((struct epoll *)f->priv)->outer,
			      &i->outer_link);
	}
	item_insert(ep, i);
	fl = spin_lock_irq(&f->watch_lock);
	list_add_tail(&f->watchers, &i->file_link);
	spin_unlock_irq(&f->watch_lock, fl);
	it.item = i;
	if (item_poll(i, &it.pt))
		ready_now(i);
	if (i->too_many) {
		item_remove(i);
		return -ENOSPC;
	}
	return 0;
}

static int
item_modify(struct item *i, const struct epoll_event *ev)
{
	if ((i->events | ev->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	i->events = ev->events | POLLERR | POLLHUP;
	i->data = ev->data;
	if (item_poll(i, NULL))
		ready_now(i);
	return 0;
}

/* The chains of instances that begin at one, going one way. */
struct chains {
	const struct epoll *stop; /* an instance that must not be met */
	unsigned count, longest;
	bool loop;
};

/* One more instance of a chain; false: enough is known. */
static bool
chain_step(struct chains *c, const struct epoll *ep, const struct list *next,
	   unsigned length)
{
	if (length > c->longest)
		c->longest = length;
	if (list_empty(next))
		c->count++;
	c->loop |= ep == c->stop;
	return !c->loop && length <= LIMIT_EPOLL_DEPTH &&
	       c->count <= LIMIT_EPOLL_CHAINS;
}

static void
chains_inward(struct chains *c, struct epoll *ep, unsigned length)
{
	struct item *i;

	if (!chain_step(c, ep, &ep->inner, length))
		return;
	list_for_each_entry(i, &ep->inner, inner_link)
		chains_inward(c, i->file->priv, length + 1);
}

static void
chains_outward(struct chains *c, struct epoll *ep, unsigned length)
{
	struct item *i;

	if (!chain_step(c, ep, &ep->outer, length))
		return;
	list_for_each_entry(i, &ep->outer, outer_link)
		chains_outward(c, i->ep, length + 1);
}

/* May ep watch the instance f?  nest_lock is held. */
static int
check_nesting(struct epoll *ep, struct file *f)
{
	struct chains in = { .stop = ep }, out = { .stop = NULL };

	chains_inward(&in, f->priv, 1);
	chains_outward(&out, ep, 1);
	if (in.loop)
		return -ELOOP;
	if (in.longest + out.longest > LIMIT_EPOLL_DEPTH ||
	    (uint64_t)in.count * out.count > LIMIT_EPOLL_CHAINS)
		return -EINVAL;
	return 0;
}

/* An exclusive item has these and no others. */
#define EXCLUSIVE_BITS                                                  \
	(POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | \
	 EPOLLEXCLUSIVE)

int
epoll_control(struct file *epf, int op, int fd, struct file *f,
	      const struct epoll_event *ev)
{
	struct epoll *ep = epf->priv;
	bool nested = is_epoll(f);
	struct item *i;
	int err = 0;

	if (!f->ops->poll)
		return -EPERM;
	if (!is_epoll(epf) || f == epf)
		return -EINVAL;
	if (op == EPOLL_CTL_ADD && ev->events & EPOLLEXCLUSIVE &&
	    (nested || ev->events & ~EXCLUSIVE_BITS))
		return -EINVAL;
	if (op == EPOLL_CTL_MOD && ev->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	if (nested) {
		mutex_lock(&nest_lock);
		if (op == EPOLL_CTL_ADD)
			err = check_nesting(ep, f);
		if (err)
			goto out_nest;
	}
	mutex_lock(&ep->lock);
	i = item_find(ep, f, fd);
	switch (op) {
	case EPOLL_CTL_ADD:
		err = i ? -EEXIST : item_add(ep, fd, f, ev);
		break;
	case EPOLL_CTL_MOD:
		err = i ? item_modify(i, ev) : -ENOENT;
		break;
	case EPOLL_CTL_DEL:
		if (i)
			item_remove(i);
		else
			err = -ENOENT;
		break;
	default:
		err = -EINVAL;
	}
	mutex_unlock(&ep->lock);
out_nest:
	if (nested)
		mutex_unlock(&nest_lock);
	return err;
}

static void
release_items(struct file *f)
{
	for (;;) {
		irqflags_t fl = spin_lock_irq(&f->watch_lock);
		struct epoll *ep = NULL;
		struct item *i, *n;

		if (!list_empty(&f->watchers)) {
			ep = list_first_entry(&f->watchers, struct item,
					      file_link)
				     ->ep;
			refcount_get(&ep->refs);
		}
		spin_unlock_irq(&f->watch_lock, fl);
		if (!ep)
			return;
		mutex_lock(&ep->lock);
		/* All of this instance's items on f, if they are still there:
		 * only holders of ep->lock take them off. */
		list_for_each_entry_safe(i, n, &f->watchers, file_link)
			if (i->ep == ep)
				item_remove(i);
		mutex_unlock(&ep->lock);
		epoll_put(ep);
	}
}

void
poll_file_release(struct file *f)
{
	if (is_epoll(f))
		mutex_lock(&nest_lock);
	release_items(f);
	if (is_epoll(f))
		mutex_unlock(&nest_lock);
}

/* ---- waiting ---- */

/* Takes the first item off the given list. */
static struct item *
take_first(struct epoll *ep, struct list *from)
{
	irqflags_t f = spin_lock_irq(&ep->ready_lock);
	struct item *i = NULL;

	if (!list_empty(from)) {
		i = list_first_entry(from, struct item, ready_link);
		list_del(&i->ready_link);
	}
	spin_unlock_irq(&ep->ready_lock, f);
	return i;
}

/* One event to the program; false: a fault. */
static bool
deliver(struct item *i, uint32_t revents, struct epoll_event __user *to)
{
	struct epoll_event ev = { revents, i->data };

	if (copy_to_user(to, &ev, sizeof(ev)))
		return false;
	if (i->events & EPOLLONESHOT)
		i->events &= PRIVATE_BITS;
	else if (!(i->events & EPOLLET))
		make_ready(i); /* still there next time, as far as we know */
	return true;
}

static long
collect(struct epoll *ep, struct epoll_event __user *events, int max)
{
	struct list todo = LIST_INIT(todo);
	struct item *i;
	irqflags_t f;
	long n = 0;

	mutex_lock(&ep->lock);
	f = spin_lock_irq(&ep->ready_lock);
	list_splice_tail(&todo, &ep->ready);
	spin_unlock_irq(&ep->ready_lock, f);
	while (n < max && (i = take_first(ep, &todo)) != NULL) {
		uint32_t revents;

		/* A file on its way out has no reference left, but waits for
		 * ep->lock before it goes: it is safe to ask. */
		revents = item_poll(i, NULL);
		if (revents && !deliver(i, revents, &events[n])) {
			make_ready(i);
			if (!n)
				n = -EFAULT;
			break;
		}
		n += revents != 0;
	}
	/* What was not looked at is first next time. */
	f = spin_lock_irq(&ep->ready_lock);
	list_splice_tail(&todo, &ep->ready);
	list_splice_tail(&ep->ready, &todo);
	spin_unlock_irq(&ep->ready_lock, f);
	mutex_unlock(&ep->lock);
	/* What is left, and what is level-triggered, is for others as well. */
	if (!list_empty(&ep->ready))
		wait_wake_next(&ep->wq);
	return n;
}

long
epoll_wait_events(struct file *epf, struct epoll_event __user *events, int max,
		  uint64_t deadline_ns)
{
	struct epoll *ep = epf->priv;
	struct wait_entry e UNINIT;
	long n;
	int err = 0;

	if (max <= 0 || max > INT32_MAX / (int)sizeof(*events))
		return -EINVAL;
	if (!user_range_ok(events, (size_t)max * sizeof(*events)))
		return -EFAULT;
	if (!is_epoll(epf))
		return -EINVAL;
	for (;;) {
		if (!list_empty(&ep->ready)) {
			n = collect(ep, events, max);
			if (n)
				return n;
		}
		if (!deadline_ns || err == -ETIMEDOUT)
			return 0;
		if (err)
			return err;
		wait_start_exclusive(&ep->wq, &e, true);
		while (list_empty(&ep->ready) && !err)
			err = wait_sleep(&e, deadline_ns);
		wait_end(&ep->wq, &e);
	}
}

/* ---- the instance as a file ---- */

static uint32_t
epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->priv;
	struct list todo = LIST_INIT(todo);
	uint32_t ev = 0;
	struct item *i;
	irqflags_t fl;

	poll_wait(pt, &ep->wq);
	if (list_empty(&ep->ready))
		return 0;
	/* Something may be ready: ask, and drop what is not. */
	mutex_lock(&ep->lock);
	fl = spin_lock_irq(&ep->ready_lock);
	list_splice_tail(&todo, &ep->ready);
	spin_unlock_irq(&ep->ready_lock, fl);
	while (!ev && (i = take_first(ep, &todo)) != NULL) {
		if (item_poll(i, NULL)) {
			make_ready(i);
			ev = POLLIN | POLLRDNORM;
		}
	}
	fl = spin_lock_irq(&ep->ready_lock);
	list_splice_tail(&ep->ready, &todo);
	spin_unlock_irq(&ep->ready_lock, fl);
	mutex_unlock(&ep->lock);
	return ev;
}

static int
epoll_stat(struct file *f, struct kstat *st)
{
	(void)f;
	anon_stat(st, 1, 0600);
	return 0;
}

static void
epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;
	struct rb_node *n;

	mutex_lock(&nest_lock);
	mutex_lock(&ep->lock);
	while ((n = rb_first(&ep->items)) != NULL)
		item_remove(item_of(n));
	mutex_unlock(&ep->lock);
	mutex_unlock(&nest_lock);
	epoll_put(ep);
}

static int
epoll_link_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	return ksnprintf(buf, size, "anon_inode:[eventpoll]");
}

static const struct file_ops epoll_ops = {
	.seek = anon_seek,
	.poll = epoll_poll,
	.stat = epoll_stat,
	.release = epoll_release,
	.link_name = epoll_link_name,
};

int
epoll_create_file(struct file **out)
{
	struct epoll *ep = kzalloc(sizeof(*ep), ALLOC_KERNEL);
	int err;

	if (!ep)
		return -ENOMEM;
	refcount_set(&ep->refs, 1);
	mutex_init(&ep->lock, RANK_EPOLL);
	spin_init(&ep->ready_lock, RANK_WAITQ2);
	list_init(&ep->ready);
	list_init(&ep->inner);
	list_init(&ep->outer);
	waitq_init(&ep->wq);
	err = file_create(&epoll_ops, O_RDWR, ep, out);
	if (err) {
		kfree(ep);
		return err;
	}
	(*out)->mode |= FILE_STREAM;
	return 0;
}
