/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify(7): instances, their watches, and the queues of events.
 *
 * A watch joins an instance and an inode: it is in the instance's tree by
 * number and in the inode's chain, and holds a reference to the inode.  It
 * ends by inotify_rm_watch, with its instance, with the file (its last name
 * and last user gone), after one event (IN_ONESHOT), or with the mount.
 *
 * One spin lock guards all chains, trees and queues: events are rare beside
 * the calls that do not make any, and those never take it.  An event is
 * copied out without the lock, after it has left the queue.  References to
 * inodes are given back after the lock.
 */
#include <fs/notify.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/fs.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <base/assert.h>
#include <base/fmt.h>
#include <base/rbtree.h>
#include <base/string.h>
#include <file/anon.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <sched/wait.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define WATCH_FLAGS (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)

struct instance {
	struct list link;	/* [lock] */
	struct rb_root watches; /* [lock] by number */
	struct list events;	/* [lock] */
	unsigned nevents;	/* [lock] */
	size_t nbytes;		/* [lock] that a read would give */
	int last_wd;		/* [lock] */
	bool overflow;		/* [lock] overflow event is queued */
	struct waitq wq;
};

struct watch {
	struct rb_node by_wd;	    /* [lock] */
	struct hlist_node by_inode; /* [lock] */
	struct instance *in;	    /* [I] */
	struct inode *inode;	    /* [I] referenced */
	struct watch *next_dead;    /* [o] */
	uint32_t mask;		    /* [lock] */
	int wd;			    /* [I] */
};

struct event {
	struct list link; /* [lock] */
	struct inotify_event e;
	char name[]; /* e.len bytes */
};

uint32_t notify_watches;

static struct spinlock lock = SPINLOCK_INIT(RANK_EVENT);
static struct list instances = LIST_INIT(instances); /* [lock] */
static uint32_t ninstances;			     /* [a] */
static uint32_t last_cookie;			     /* [a] */

static const struct file_ops inotify_ops;

/* ---- events ---- */

static size_t
event_size(const struct event *e)
{
	return sizeof(e->e) + e->e.len;
}

static void
append(struct instance *in, struct event *e)
{
	list_init(&e->link);
	list_add_tail(&in->events, &e->link);
	in->nevents++;
	in->nbytes += event_size(e);
	wait_wake_all(&in->wq, POLLIN);
}

/* An event equal to the last one that waits is not told twice. */
static bool
same_as_last(struct instance *in, int wd, uint32_t mask, const char *name)
{
	struct event *e;

	if (list_empty(&in->events) || (mask & IN_IGNORED))
		return false;
	e = container_of(in->events.prev, struct event, link);
	if (e->e.wd != wd || e->e.mask != mask || !e->e.len != !name)
		return false;
	return !name || strcmp(e->name, name) == 0;
}

static void
overflow(struct instance *in)
{
	struct event *e;

	if (in->overflow)
		return;
	/* Without memory for it the next event says so. */
	e = kzalloc(sizeof(*e), ALLOC_RESERVE);
	if (!e)
		return;
	e->e.wd = -1;
	e->e.mask = IN_Q_OVERFLOW;
	in->overflow = true;
	append(in, e);
}

static void
emit(struct instance *in, int wd, uint32_t mask, uint32_t cookie,
     const char *name)
{
	size_t n = name ? strlen(name) + 1 : 0;
	struct event *e;

	if (same_as_last(in, wd, mask, name))
		return;
	if (in->nevents >= INOTIFY_MAX_QUEUED) {
		overflow(in);
		return;
	}
	/* A name is filled with NULs to whole structures. */
	n = (n + sizeof(e->e) - 1) & ~(sizeof(e->e) - 1);
	e = kzalloc(sizeof(*e) + n, ALLOC_ATOMIC);
	if (!e) {
		overflow(in);
		return;
	}
	e->e = (struct inotify_event){ wd, mask, cookie, (uint32_t)n };
	if (name)
		memcpy(e->name, name, strlen(name));
	append(in, e);
}

/* ---- watches ---- */

static struct watch *
watch_of(struct rb_node *n)
{
	return container_of(n, struct watch, by_wd);
}

static bool
wd_less(const struct rb_node *a, const struct rb_node *b)
{
	const size_t off = offsetof(struct watch, by_wd);
	const struct watch *x = (const void *)((const char *)a - off);
	const struct watch *y = (const void *)((const char *)b - off);

	return x->wd < y->wd;
}

static struct watch *
find_wd(struct instance *in, int wd)
{
	struct rb_node *n = in->watches.node;

	while (n && watch_of(n)->wd != wd)
		n = wd < watch_of(n)->wd ? n->left : n->right;
	return n ? watch_of(n) : NULL;
}

/* Takes it out; it goes on the list of those to free after the lock. */
static void
end_watch(struct watch *w, bool say, struct watch **dead)
{
	rb_erase(&w->in->watches, &w->by_wd);
	hlist_del(&w->by_inode);
	atomic_sub(&notify_watches, 1);
	if (say)
		emit(w->in, w->wd, IN_IGNORED, 0, NULL);
	w->next_dead = *dead;
	*dead = w;
}

static void
free_dead(struct watch *w)
{
	while (w) {
		struct watch *next = w->next_dead;

		inode_put(w->inode);
		kfree(w);
		w = next;
	}
}

/* Tells all who watch i.  excl: what happened is to a name that is gone. */
static void
tell(struct inode *i, uint32_t mask, const char *name, uint32_t cookie,
     bool excl, struct watch **dead)
{
	struct hlist_node *n = i->watches.first, *next;

	for (; n; n = next) {
		struct watch *w = container_of(n, struct watch, by_inode);
		uint32_t m = w->mask;

		next = n->next;
		if (!(m & mask & IN_ALL_EVENTS) ||
		    (excl && (m & IN_EXCL_UNLINK)))
			continue;
		emit(w->in, w->wd, mask, cookie, name);
		if (m & IN_ONESHOT)
			end_watch(w, true, dead);
	}
}

static uint32_t
with_type(const struct inode *i, uint32_t mask)
{
	return S_ISDIR(i->mode) && mask != IN_MOVE_SELF ? mask | IN_ISDIR :
							  mask;
}

void
notify_dentry_slow(struct dentry *d, uint32_t mask)
{
	struct inode *i = d->inode, *dir;
	struct watch *dead = NULL;

	mask = with_type(i, mask);
	/* Name and parent are of one moment or two: a rename at the same time
	 * has no order with this.  Both stay allocated, as nothing sleeps. */
	spin_lock(&lock);
	dir = d->parent != d ? d->parent->inode : NULL;
	if (dir && dir->watches.first)
		tell(dir, mask, atomic_load_acquire(&d->name), 0, d->unhashed,
		     &dead);
	if (i->watches.first)
		tell(i, mask, NULL, 0, false, &dead);
	spin_unlock(&lock);
	free_dead(dead);
}

void
notify_inode_slow(struct inode *i, uint32_t mask)
{
	struct watch *dead = NULL;

	if (!i->watches.first)
		return;
	spin_lock(&lock);
	tell(i, with_type(i, mask), NULL, 0, false, &dead);
	spin_unlock(&lock);
	free_dead(dead);
}

void
notify_name_slow(struct inode *dir, uint32_t mask, const char *name,
		 uint32_t cookie)
{
	struct watch *dead = NULL;

	if (!dir->watches.first)
		return;
	spin_lock(&lock);
	tell(dir, mask, name, cookie, false, &dead);
	spin_unlock(&lock);
	free_dead(dead);
}

void
notify_gone_slow(struct inode *i, uint32_t mask)
{
	struct watch *dead = NULL;

	spin_lock(&lock);
	while (i->watches.first) {
		struct watch *w =
			container_of(i->watches.first, struct watch, by_inode);

		if ((w->mask & mask) || mask == IN_UNMOUNT)
			emit(w->in, w->wd, mask, 0, NULL);
		end_watch(w, true, &dead);
	}
	spin_unlock(&lock);
	free_dead(dead);
}

/* One watched inode of sb, referenced, or NULL. */
static struct inode *
watched_of(struct super *sb)
{
	struct inode *found = NULL;
	struct instance *in;
	struct rb_node *n;

	spin_lock(&lock);
	list_for_each_entry(in, &instances, link)
		for (n = rb_first(&in->watches); n && !found; n = rb_next(n))
			if (watch_of(n)->inode->sb == sb)
				found = watch_of(n)->inode;
	if (found)
		inode_get(found);
	spin_unlock(&lock);
	return found;
}

void
notify_unmount(struct super *sb)
{
	struct inode *i;

	if (!notify_on())
		return;
	while ((i = watched_of(sb))) {
		notify_gone_slow(i, IN_UNMOUNT);
		inode_put(i);
	}
}

uint32_t
notify_cookie(void)
{
	return atomic_add(&last_cookie, 1);
}

/* ---- system calls ---- */

bool
inotify_is(const struct file *f)
{
	return f->ops == &inotify_ops;
}

/* With the lock: the watch of this instance on i, or NULL. */
static struct watch *
find_inode(struct instance *in, struct inode *i)
{
	struct hlist_node *n;

	hlist_for_each(n, &i->watches) {
		struct watch *w = container_of(n, struct watch, by_inode);

		if (w->in == in)
			return w;
	}
	return NULL;
}

/* The next number after the last one given: they wrap, and then the ones in
 * use are passed over. */
static int
next_wd(struct instance *in)
{
	int wd = in->last_wd;

	do {
		wd = wd == INT32_MAX ? 1 : wd + 1;
	} while (find_wd(in, wd));
	in->last_wd = wd;
	return wd;
}

static int
change_watch(struct watch *w, uint32_t mask)
{
	if (mask & IN_MASK_CREATE)
		return -EEXIST;
	if (mask & IN_MASK_ADD)
		w->mask |= mask & WATCH_FLAGS;
	else
		w->mask = mask & WATCH_FLAGS;
	return w->wd;
}

int
inotify_add(struct file *f, struct inode *i, uint32_t mask)
{
	struct instance *in = f->priv;
	struct watch *w, *mine;
	int wd;

	if (!inotify_is(f))
		return -EINVAL;
	mine = kzalloc(sizeof(*mine), ALLOC_KERNEL);
	if (!mine)
		return -ENOMEM;
	spin_lock(&lock);
	w = find_inode(in, i);
	if (w) {
		wd = change_watch(w, mask);
	} else if (notify_watches >= INOTIFY_MAX_WATCHES) {
		wd = -ENOSPC;
	} else {
		wd = next_wd(in);
		mine->in = in;
		mine->inode = i;
		mine->mask = mask & WATCH_FLAGS;
		mine->wd = wd;
		inode_get(i);
		rb_insert(&in->watches, &mine->by_wd, wd_less);
		hlist_add(&i->watches, &mine->by_inode);
		atomic_add(&notify_watches, 1);
		mine = NULL;
	}
	spin_unlock(&lock);
	kfree(mine);
	return wd;
}

int
inotify_remove(struct file *f, int wd)
{
	struct instance *in = f->priv;
	struct watch *w, *dead = NULL;

	if (!inotify_is(f))
		return -EINVAL;
	spin_lock(&lock);
	w = find_wd(in, wd);
	if (w)
		end_watch(w, true, &dead);
	spin_unlock(&lock);
	free_dead(dead);
	return w ? 0 : -EINVAL;
}

/* ---- the file ---- */

/* The first event, if it fits in `room` bytes: it, NULL (none), or *err. */
static struct event *
take(struct instance *in, size_t room, int *err)
{
	struct event *e = NULL;

	*err = 0;
	spin_lock(&lock);
	if (!list_empty(&in->events)) {
		e = list_first_entry(&in->events, struct event, link);
		if (event_size(e) > room) {
			e = NULL;
			*err = -EINVAL;
		} else {
			list_del(&e->link);
			in->nevents--;
			in->nbytes -= event_size(e);
			if (e->e.mask & IN_Q_OVERFLOW)
				in->overflow = false;
		}
	}
	spin_unlock(&lock);
	return e;
}

static struct event *
wait_take(struct instance *in, size_t room, int *err)
{
	struct wait_entry w;
	struct event *e;

	wait_start(&in->wq, &w, true);
	while (!(e = take(in, room, err)) && !*err) {
		*err = wait_sleep(&w, TIME_NEVER);
		if (*err) {
			*err = -ERESTARTSYS;
			break;
		}
	}
	wait_end(&in->wq, &w);
	return e;
}

static ssize_t
inotify_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct instance *in = f->priv;
	ssize_t done = 0, n;
	struct event *e;
	int err;

	(void)pos;
	for (;;) {
		e = take(in, u->resid, &err);
		if (!e && done)
			return done;
		if (!e && !err) {
			if (file_nowait(f, u))
				return -EAGAIN;
			e = wait_take(in, u->resid, &err);
		}
		if (!e)
			return err;
		n = uio_write(u, &e->e, event_size(e));
		err = n == (ssize_t)event_size(e) ? 0 : -EFAULT;
		done += n;
		kfree(e);
		if (err)
			return err;
	}
}

static uint32_t
inotify_poll(struct file *f, struct poll_table *pt)
{
	struct instance *in = f->priv;

	poll_wait(pt, &in->wq);
	return READ_ONCE(in->nevents) ? POLLIN | POLLRDNORM : 0;
}

static long
inotify_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	const struct instance *in = f->priv;
	int n = (int)READ_ONCE(in->nbytes);

	if (cmd != FIONREAD)
		return -ENOTTY;
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

/* As Linux has it: a position that nothing moves. */
static int64_t
inotify_seek(struct file *f, int64_t off, int whence)
{
	(void)f, (void)off, (void)whence;
	return 0;
}

static int
inotify_stat(struct file *f, struct kstat *st)
{
	(void)f;
	anon_stat(st, 1, 0600);
	return 0;
}

static void
inotify_release(struct file *f)
{
	struct instance *in = f->priv;
	struct watch *dead = NULL;

	spin_lock(&lock);
	list_del(&in->link);
	while (in->watches.node)
		end_watch(watch_of(in->watches.node), false, &dead);
	spin_unlock(&lock);
	free_dead(dead);
	while (!list_empty(&in->events)) {
		struct event *e =
			list_first_entry(&in->events, struct event, link);

		list_del(&e->link);
		kfree(e);
	}
	atomic_sub(&ninstances, 1);
	kfree(in);
}

static int
inotify_link_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	return ksnprintf(buf, size, "anon_inode:inotify");
}

/* The last watch with a number below wd, or NULL; with the lock. */
static const struct watch *
watch_before(const struct instance *in, int wd)
{
	const struct watch *found = NULL;
	struct rb_node *n = in->watches.node;

	while (n) {
		const struct watch *w = watch_of(n);

		if (w->wd < wd) {
			found = w;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	return found;
}

/* The newest first, as on Linux.  There may be thousands: the lock is taken
 * for one at a time, and those that go meanwhile are told or not. */
static int
inotify_fdinfo(struct file *f, char *buf, size_t size)
{
	struct instance *in = f->priv;
	const struct watch *w;
	uint64_t ino = 0, dev = 0;
	uint32_t mask = 0;
	size_t len = 0;
	int wd = INT32_MAX;

	while (len < size) {
		spin_lock(&lock);
		w = watch_before(in, wd);
		if (w) {
			wd = w->wd;
			ino = w->inode->ino;
			dev = w->inode->sb->dev;
			mask = w->mask;
		}
		spin_unlock(&lock);
		if (!w)
			break;
		len += (size_t)ksnprintf(
			buf + len, size - len,
			"inotify wd:%x ino:%lx sdev:%lx mask:%x "
			"ignored_mask:0\n",
			wd, (unsigned long)ino, (unsigned long)dev, mask);
	}
	return (int)len;
}

int
inotify_create(unsigned flags, struct file **out)
{
	struct instance *in;
	int err = -ENOMEM;

	if (atomic_add(&ninstances, 1) > INOTIFY_MAX_INSTANCES) {
		err = -EMFILE;
		goto fail;
	}
	in = kzalloc(sizeof(*in), ALLOC_KERNEL);
	if (!in)
		goto fail;
	list_init(&in->link);
	list_init(&in->events);
	waitq_init(&in->wq);
	err = file_create(&inotify_ops, O_RDONLY | (flags & O_NONBLOCK), in,
			  out);
	if (err)
		goto fail_free;
	(*out)->mode |= FILE_STREAM | FILE_NOSPLICE;
	spin_lock(&lock);
	list_add_tail(&instances, &in->link);
	spin_unlock(&lock);
	return 0;

fail_free:
	kfree(in);
fail:
	atomic_sub(&ninstances, 1);
	return err;
}

static const struct file_ops inotify_ops = {
	.async = true,
	.read = inotify_read,
	.seek = inotify_seek,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.stat = inotify_stat,
	.release = inotify_release,
	.link_name = inotify_link_name,
	.fdinfo = inotify_fdinfo,
};
