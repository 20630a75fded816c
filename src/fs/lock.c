/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advisory locks: flock(2), and fcntl(2)'s record locks, owned by the process
 * or by the open file.  All are kept per inode, in one list with one mutex
 * and one wait queue.
 *
 * flock locks and record locks do not see each other, as on Linux.  There is
 * one process, so its own record locks never conflict; they do with those
 * owned by open files.  A wait of a record lock of the process could only be
 * for an open file's lock, which is no cycle that EDEADLK speaks of.
 */
#include "fs_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/signal.h>
#include <base/atomic.h>
#include <file/file.h>
#include <fs/attr.h>
#include <fs/pseudo.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <sched/wait.h>

#define MAX_LOCKS 65536u /* of one file */

enum lock_kind { KIND_FLOCK, KIND_RECORD };

/* A lock, or one that somebody waits for (on that thread's stack), which hangs
 * on what it waits for: a lock, or an earlier one that waits, as on Linux.
 * That is for /proc/locks only; all who wait look again when a lock goes. */
struct lock {
	struct list link;      /* its file's locks, or its blocker's waiters */
	struct list waiters;   /* locks that wait for this one */
	const struct lock *on; /* of one that waits: its blocker, or NULL */
	enum lock_kind kind;
	const void *owner; /* the open file, or the process */
	bool ofd;
	bool write;
	int pid;	    /* who took it, for /proc/locks */
	int64_t start, end; /* both in the range */
};

struct file_locks {
	struct list link;    /* [all_lock] */
	struct inode *inode; /* [I] whose they are; not referenced */
	struct mutex mutex;
	struct list locks; /* [mutex] */
	unsigned count;	   /* [mutex] */
	struct waitq wq;   /* woken when a lock goes */
};

/* All that there are, for /proc/locks; outer to the mutex of each. */
static struct mutex all_lock = { .rank = RANK_FSALLOC,
				 .wq = WAITQ_INIT(all_lock.wq) };
static struct list all = LIST_INIT(all); /* [all_lock] */

static struct file_locks *
locks_of(struct inode *i, bool create)
{
	struct file_locks *l = atomic_load_acquire(&i->locks), *old = NULL;

	if (l || !create)
		return l;
	l = kzalloc(sizeof(*l), ALLOC_KERNEL);
	if (!l)
		return NULL;
	mutex_init(&l->mutex, RANK_SLEEP_LEAF);
	list_init(&l->locks);
	waitq_init(&l->wq);
	list_init(&l->link);
	l->inode = i;
	if (!atomic_cas(&i->locks, &old, l)) {
		kfree(l);
		return old;
	}
	mutex_lock(&all_lock);
	list_add_tail(&all, &l->link);
	mutex_unlock(&all_lock);
	return l;
}

void
locks_free(struct inode *i)
{
	struct file_locks *l = i->locks;

	if (!l)
		return;
	mutex_lock(&all_lock);
	list_del(&l->link);
	mutex_unlock(&all_lock);
	while (!list_empty(&l->locks)) {
		struct lock *k = list_first_entry(&l->locks, struct lock, link);

		list_del(&k->link);
		kfree(k);
	}
	kfree(l);
	i->locks = NULL;
}

static bool
overlaps(const struct lock *a, const struct lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

/* The first of these that is in want's way. */
static struct lock *
first_conflict(struct list *locks, const struct lock *want)
{
	struct lock *k;

	list_for_each_entry(k, locks, link)
		if (k->kind == want->kind && k->owner != want->owner &&
		    (k->write || want->write) && overlaps(k, want))
			return k;
	return NULL;
}

static struct lock *
conflict(struct file_locks *l, const struct lock *want)
{
	return first_conflict(&l->locks, want);
}

/* Who waits for k waits for nobody until it has looked again. */
static void
forget_waiters(struct lock *k)
{
	while (!list_empty(&k->waiters)) {
		struct lock *w =
			list_first_entry(&k->waiters, struct lock, link);

		list_del(&w->link);
		list_init(&w->link);
		w->on = NULL;
	}
}

/* Hangs one that waits behind those that wait for the same. */
static void
start_waiting(struct lock *w, struct lock *blocker)
{
	struct lock *k;

	while ((k = first_conflict(&blocker->waiters, w)) != NULL)
		blocker = k;
	list_add_tail(&blocker->waiters, &w->link);
	w->on = blocker;
}

static void
stop_waiting(struct lock *w)
{
	forget_waiters(w);
	list_del(&w->link);
	list_init(&w->link);
	w->on = NULL;
}

static int
add(struct file_locks *l, const struct lock *what)
{
	struct lock *k;

	if (l->count >= MAX_LOCKS)
		return -ENOLCK;
	k = kmemdup(what, sizeof(*what), ALLOC_KERNEL);
	if (!k)
		return -ENOLCK;
	list_init(&k->waiters);
	list_init(&k->link);
	list_add_tail(&l->locks, &k->link);
	l->count++;
	return 0;
}

static void
drop(struct file_locks *l, struct lock *k)
{
	forget_waiters(k);
	list_del(&k->link);
	l->count--;
	kfree(k);
}

/* Takes the range of `cut` from its owner's locks.  At most one lock is split
 * in two. */
static int
cut_range(struct file_locks *l, const struct lock *cut)
{
	struct lock *k, *n;

	list_for_each_entry_safe(k, n, &l->locks, link) {
		if (k->kind != cut->kind || k->owner != cut->owner ||
		    !overlaps(k, cut))
			continue;
		if (k->start < cut->start && k->end > cut->end) {
			struct lock rest = *k;
			int err;

			rest.start = cut->end + 1;
			err = add(l, &rest);
			if (err)
				return err;
			k->end = cut->start - 1;
		} else if (k->start < cut->start) {
			k->end = cut->start - 1;
		} else if (k->end > cut->end) {
			k->start = cut->end + 1;
		} else {
			drop(l, k);
		}
	}
	return 0;
}

/* Joins the new lock with equal neighbours, so that a program that locks byte
 * after byte does not fill the list. */
static void
join(struct file_locks *l, struct lock *want)
{
	struct lock *k, *n;

	list_for_each_entry_safe(k, n, &l->locks, link) {
		if (k->kind != want->kind || k->owner != want->owner ||
		    k->write != want->write)
			continue;
		if (k->end + 1 == want->start && want->start > 0)
			want->start = k->start;
		else if (want->end != INT64_MAX && want->end + 1 == k->start)
			want->end = k->end;
		else
			continue;
		drop(l, k);
	}
}

static int
apply(struct file_locks *l, const struct lock *want, bool unlock)
{
	struct lock k = *want;
	int err = cut_range(l, want);

	if (err)
		return err;
	if (!unlock) {
		k.pid = thread_current()->tgid;
		join(l, &k);
		err = add(l, &k);
	}
	wait_wake_all(&l->wq, 0);
	return err;
}

/* One attempt.  -EAGAIN: another is in the way; w, if not NULL, then waits
 * for it. */
static int
try_set(struct file_locks *l, const struct lock *want, bool unlock,
	struct lock *w)
{
	struct lock *k;
	int err = -EAGAIN;

	mutex_lock(&l->mutex);
	if (w)
		stop_waiting(w);
	k = unlock ? NULL : conflict(l, want);
	if (!k) {
		err = apply(l, want, unlock);
	} else {
		unsigned before = l->count;

		/* flock changes a lock in two steps: the old one is lost. */
		if (want->kind == KIND_FLOCK)
			ignore(cut_range(l, want)); /* whole: cannot fail */
		if (l->count != before)
			wait_wake_all(&l->wq, 0);
		if (w)
			start_waiting(w, k);
	}
	mutex_unlock(&l->mutex);
	return err;
}

static int
set(struct file_locks *l, const struct lock *want, bool unlock, bool wait)
{
	struct lock w = *want;
	struct wait_entry e UNINIT;
	int err, slept = 0;

	if (!wait)
		return try_set(l, want, unlock, NULL);
	w.pid = thread_current()->tgid;
	list_init(&w.link);
	list_init(&w.waiters);
	wait_start(&l->wq, &e, true);
	while ((err = try_set(l, want, unlock, &w)) == -EAGAIN && !slept)
		slept = wait_sleep(&e, TIME_NEVER);
	wait_end(&l->wq, &e);
	if (err != -EAGAIN)
		return err;
	mutex_lock(&l->mutex);
	if (!list_empty(&w.waiters)) /* they hang on another from now on */
		wait_wake_all(&l->wq, 0);
	stop_waiting(&w);
	mutex_unlock(&l->mutex);
	return slept == -EINTR ? -ERESTARTSYS : slept;
}

int
file_flock(struct file *f, int op)
{
	struct lock want = { .kind = KIND_FLOCK, .owner = f, .end = INT64_MAX };
	bool wait = !(op & LOCK_NB), unlock = false;
	struct file_locks *l;
	int err;

	switch (op & ~LOCK_NB) {
	case LOCK_SH:
		break;
	case LOCK_EX:
		want.write = true;
		break;
	case LOCK_UN:
		unlock = true;
		break;
	default:
		return -EINVAL;
	}
	if (!f->inode || (f->mode & FILE_PATH))
		return -EBADF;
	l = locks_of(f->inode, true);
	if (!l)
		return -ENOLCK;
	err = set(l, &want, unlock, wait);
	return err;
}

/* A struct flock as a range; the owner is filled in. */
static int
parse(struct file *f, const struct flock *fl, bool ofd, struct lock *k)
{
	int64_t base, end;

	switch (fl->l_whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		base = (int64_t)f->inode->size;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, fl->l_start, &base))
		return -EOVERFLOW;
	if (base < 0)
		return -EINVAL;
	if (fl->l_len > 0) {
		if (__builtin_add_overflow(base, fl->l_len - 1, &end))
			return -EOVERFLOW;
	} else if (fl->l_len < 0) {
		end = base - 1;
		if (__builtin_add_overflow(base, fl->l_len, &base) || base < 0)
			return -EINVAL;
	} else {
		end = INT64_MAX;
	}
	*k = (struct lock){
		.kind = KIND_RECORD,
		.ofd = ofd,
		.owner = ofd ? (const void *)f :
			       (const void *)thread_current()->proc,
		.start = base,
		.end = end,
	};
	return 0;
}

int
file_lock_get(struct file *f, struct flock *fl, bool ofd)
{
	struct file_locks *l;
	struct lock want, *k;
	int err;

	if (!f->inode)
		return -EBADF;
	if (fl->l_type != F_RDLCK && fl->l_type != F_WRLCK)
		return -EINVAL;
	if (ofd && fl->l_pid)
		return -EINVAL;
	err = parse(f, fl, ofd, &want);
	if (err)
		return err;
	want.write = fl->l_type == F_WRLCK;
	l = locks_of(f->inode, false);
	if (!l) {
		fl->l_type = F_UNLCK;
		return 0;
	}
	mutex_lock(&l->mutex);
	k = conflict(l, &want);
	if (k) {
		fl->l_type = k->write ? F_WRLCK : F_RDLCK;
		fl->l_whence = SEEK_SET;
		fl->l_start = k->start;
		fl->l_len = k->end == INT64_MAX ? 0 : k->end - k->start + 1;
		fl->l_pid = k->ofd ? -1 : 1;
	} else {
		fl->l_type = F_UNLCK;
	}
	mutex_unlock(&l->mutex);
	return 0;
}

int
file_lock_set(struct file *f, const struct flock *fl, bool ofd, bool wait)
{
	struct file_locks *l;
	struct lock want;
	int err;

	if (!f->inode)
		return -EBADF;
	if (ofd && fl->l_pid)
		return -EINVAL;
	err = parse(f, fl, ofd, &want);
	if (err)
		return err;
	switch (fl->l_type) {
	case F_RDLCK:
		if (!(f->mode & FILE_READ))
			return -EBADF;
		break;
	case F_WRLCK:
		if (!(f->mode & FILE_WRITE))
			return -EBADF;
		want.write = true;
		break;
	case F_UNLCK:
		break;
	default:
		return -EINVAL;
	}
	l = locks_of(f->inode, true);
	if (!l)
		return -ENOLCK;
	return set(l, &want, fl->l_type == F_UNLCK, wait);
}

#define MAX_INDENT 100u /* Linux has no bound; nor a reader who counts */

static void
show_lock(struct seq_buf *s, unsigned n, unsigned depth, const struct inode *i,
	  const struct lock *k)
{
	const char *kind = k->kind == KIND_FLOCK ? "FLOCK " :
			   k->ofd		 ? "OFDLCK" :
						   "POSIX ";

	seq_printf(s, "%u: ", n);
	if (depth)
		seq_printf(s, "%*s-> ",
			   (int)(depth < MAX_INDENT ? depth : MAX_INDENT) - 1,
			   "");
	seq_printf(s, "%s ADVISORY  %s %d %02x:%02x:%lu %ld ", kind,
		   k->write ? "WRITE" : "READ", k->ofd ? -1 : k->pid,
		   (unsigned)(i->sb->dev >> 8) & 0xfff,
		   (unsigned)i->sb->dev & 0xff, (unsigned long)i->ino,
		   (long)k->start);
	if (k->end == INT64_MAX)
		seq_printf(s, "EOF\n");
	else
		seq_printf(s, "%ld\n", (long)k->end);
}

/* A lock and, below it, who waits for it; no recursion, as the depth is the
 * program's. */
static void
show_tree(struct seq_buf *s, unsigned n, const struct inode *i,
	  const struct lock *top)
{
	const struct lock *k = top;
	unsigned depth = 0;

	for (;;) {
		show_lock(s, n, depth, i, k);
		if (!list_empty(&k->waiters)) {
			k = list_first_entry(&k->waiters, struct lock, link);
			depth++;
			continue;
		}
		while (k != top && k->link.next == &k->on->waiters) {
			k = k->on;
			depth--;
		}
		if (k == top)
			return;
		k = list_entry(k->link.next, struct lock, link);
	}
}

int
locks_show(struct seq_buf *s, void *arg)
{
	struct file_locks *l;
	struct lock *k;
	unsigned n = 0;

	(void)arg;
	mutex_lock(&all_lock);
	list_for_each_entry(l, &all, link) {
		mutex_lock(&l->mutex);
		list_for_each_entry(k, &l->locks, link)
			show_tree(s, ++n, l->inode, k);
		mutex_unlock(&l->mutex);
	}
	mutex_unlock(&all_lock);
	return 0;
}

static void
drop_owner(struct inode *i, const void *owner, bool records_only)
{
	struct file_locks *l = i ? locks_of(i, false) : NULL;
	struct lock *k, *n;

	if (!l)
		return;
	mutex_lock(&l->mutex);
	list_for_each_entry_safe(k, n, &l->locks, link)
		if (k->owner == owner &&
		    (!records_only || k->kind == KIND_RECORD))
			drop(l, k);
	wait_wake_all(&l->wq, 0);
	mutex_unlock(&l->mutex);
}

/* Closing any descriptor of a file ends all the process's record locks. */
void
locks_flush(struct file *f)
{
	drop_owner(f->inode, thread_current()->proc, true);
}

void
locks_release(struct file *f)
{
	drop_owner(f->inode, f, false);
}
