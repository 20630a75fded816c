/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases (fcntl(2), F_SETLEASE): who holds one is told before somebody opens
 * or truncates the file in a way that it does not allow, and has BREAK_NS to
 * give it up or to lower it; then it is taken.
 *
 * One mutex for all, as they are rare; a file without any costs its opener a
 * look at a pointer.  Whether others have the file open is seen in the
 * descriptor table of the process: an open that races with the setting of a
 * lease came first.
 */
#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/prctl.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <base/atomic.h>
#include <core/clock.h>
#include <file/async.h>
#include <file/cred.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/attr.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/wait.h>

#define BREAK_NS (45 * NSEC_PER_SEC) /* /proc/sys/fs/lease-break-time */

struct lease {
	struct list link;
	struct file *file;    /* [I] not referenced: its release drops it */
	int type;	      /* F_RDLCK, F_WRLCK */
	int target;	      /* what it is to become; type: it may stay */
	uint64_t deadline_ns; /* of target */
};

struct leases { /* of an inode; lives as long; all under lease_lock */
	struct list list;
	struct waitq wq; /* woken when one goes or is lowered */
};

static struct mutex lease_lock = { .rank = RANK_SLEEP_LEAF,
				   .wq = WAITQ_INIT(lease_lock.wq) };

/* ---- under the lock ---- */

static struct lease *
find(struct leases *ls, const struct file *f)
{
	struct lease *l;

	list_for_each_entry(l, &ls->list, link)
		if (l->file == f)
			return l;
	return NULL;
}

static void
become(struct leases *ls, struct lease *l, int type)
{
	l->type = l->target = type;
	if (type == F_UNLCK) {
		list_del(&l->link);
		kfree(l);
	}
	wait_wake_all(&ls->wq, 0);
}

/* Those whose time is over. */
static void
expire(struct leases *ls)
{
	uint64_t now = clock_mono_ns();
	struct lease *l, *n;

	list_for_each_entry_safe(l, n, &ls->list, link)
		if (l->target != l->type && l->deadline_ns <= now)
			become(ls, l, l->target);
}

/* May f's lease be of this type beside the others? */
static bool
fits(struct leases *ls, const struct file *f, int type)
{
	struct lease *l;

	if (type == F_UNLCK)
		return true;
	list_for_each_entry(l, &ls->list, link) {
		/* Asked to be less; what it is already changes nothing. */
		if (l->file == f && l->target != l->type && type != l->target &&
		    (l->target == F_UNLCK || type != l->type))
			return false;
		if (l->file != f && (type == F_WRLCK || l->type == F_WRLCK ||
				     l->target != l->type))
			return false;
	}
	return true;
}

/* ---- setting and reading ---- */

/* Is the file open otherwise, so that this lease would be none? */
static bool
open_elsewhere(const struct file *f, int type)
{
	struct fdtable *fds = thread_current()->fds;
	bool found = type == F_RDLCK && f->mode & FILE_WRITE;
	struct file *o;
	int fd;

	for (fd = fd_next(fds, 0, &o); fd >= 0 && !found;
	     fd = fd_next(fds, fd + 1, &o)) {
		found = o != f && o->inode == f->inode &&
			(type == F_WRLCK || o->mode & FILE_WRITE);
		file_put(o);
	}
	if (fd >= 0)
		file_put(o);
	return found;
}

static struct leases *
leases_of(struct inode *i)
{
	struct leases *ls = atomic_load_acquire(&i->leases), *old = NULL;

	if (ls)
		return ls;
	ls = kzalloc(sizeof(*ls), ALLOC_KERNEL);
	if (!ls)
		return NULL;
	list_init(&ls->list);
	waitq_init(&ls->wq);
	if (atomic_cas(&i->leases, &old, ls))
		return ls;
	kfree(ls);
	return old;
}

static int
set_locked(struct leases *ls, struct file *f, int type, struct lease **spare)
{
	struct lease *l;

	expire(ls);
	l = find(ls, f);
	if ((!l && type == F_UNLCK) || !fits(ls, f, type))
		return -EAGAIN;
	if (!l) {
		l = *spare;
		*spare = NULL;
		l->file = f;
		list_add_tail(&ls->list, &l->link);
	}
	if (type != l->type || l->target == type)
		become(ls, l, type);
	return 0;
}

int
file_set_lease(struct file *f, int fd, int type)
{
	struct cred *c = thread_current()->cred;
	struct lease *spare;
	struct leases *ls;
	int err;

	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (!f->inode || !S_ISREG(f->inode->mode))
		return -EINVAL;
	if (c && c->fsuid != f->inode->uid && !cred_capable(c, CAP_LEASE))
		return -EACCES;
	if (type != F_UNLCK && open_elsewhere(f, type))
		return -EAGAIN;
	ls = leases_of(f->inode);
	spare = kzalloc(sizeof(*spare), ALLOC_KERNEL);
	err = ls && spare ? 0 : -ENOMEM;
	if (!err && type != F_UNLCK)
		err = file_own_signals(f, fd);
	if (!err) {
		list_init(&spare->link);
		mutex_lock(&lease_lock);
		err = set_locked(ls, f, type, &spare);
		mutex_unlock(&lease_lock);
	}
	kfree(spare);
	return err;
}

int
file_get_lease(struct file *f)
{
	struct leases *ls =
		f->inode ? atomic_load_acquire(&f->inode->leases) : NULL;
	int type = F_UNLCK;
	struct lease *l;

	if (!ls)
		return type;
	mutex_lock(&lease_lock);
	expire(ls);
	l = find(ls, f);
	if (l)
		type = l->target;
	mutex_unlock(&lease_lock);
	return type;
}

void
leases_release(struct file *f)
{
	struct leases *ls = atomic_load_acquire(&f->inode->leases);
	struct lease *l;

	if (likely(!ls))
		return;
	mutex_lock(&lease_lock);
	l = find(ls, f);
	if (l)
		become(ls, l, F_UNLCK);
	mutex_unlock(&lease_lock);
}

/* ---- breaking ---- */

/* The next of those in the way that is to be asked to become less, with a
 * reference; NULL: all have been, *until says when the first has to have, 0
 * that there are none. */
static struct file *
next_to_ask(struct leases *ls, bool write, uint64_t *until)
{
	int target = write ? F_UNLCK : F_RDLCK;
	struct file *f = NULL;
	struct lease *l;

	*until = 0;
	mutex_lock(&lease_lock);
	expire(ls);
	list_for_each_entry(l, &ls->list, link) {
		bool asked = l->target != l->type;

		if (!write && l->type != F_WRLCK)
			continue;
		if (!asked)
			l->deadline_ns = clock_mono_ns() + BREAK_NS;
		if (!*until || l->deadline_ns < *until)
			*until = l->deadline_ns;
		if (asked && (!write || l->target == F_UNLCK))
			continue;
		l->target = target;
		/* One that is being closed gives it up in a moment. */
		if (refcount_get_unless_zero(&l->file->refs)) {
			f = l->file;
			break;
		}
	}
	mutex_unlock(&lease_lock);
	return f;
}

static uint64_t
ask(struct leases *ls, bool write)
{
	struct file *f;
	uint64_t until;

	while ((f = next_to_ask(ls, write, &until)) != NULL) {
		file_signal_owner(f, POLL_MSG, POLLIN | POLLRDNORM | POLLMSG);
		file_put(f);
	}
	return until;
}

int
inode_break_leases(struct inode *i, bool write, bool nonblock)
{
	struct leases *ls = atomic_load_acquire(&i->leases);
	struct wait_entry e UNINIT;
	uint64_t until;
	int err = 0;

	if (!ls)
		return 0;
	wait_start(&ls->wq, &e, true);
	while ((until = ask(ls, write)) != 0 && !err) {
		err = nonblock ? -EAGAIN : wait_sleep(&e, until);
		if (err == -ETIMEDOUT)
			err = 0; /* it is taken now */
	}
	wait_end(&ls->wq, &e);
	return err == -EINTR ? -ERESTARTSYS : err;
}

/* The inode goes, and no file has it open. */
void
leases_free(struct inode *i)
{
	kfree(i->leases);
	i->leases = NULL;
}
