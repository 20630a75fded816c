/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who writes what is dirty, and when.
 *
 * Each super that can be written has a thread.  It writes inodes that have
 * been dirty for AGE_NS, and everything, oldest first, while more is dirty
 * than the background mark (a fifth of the memory that files may take).  A
 * program that makes more dirty waits when two fifths are dirty or under way:
 * the writer of a file is held up, nobody else.  Reclaim that finds nothing
 * but dirty pages wakes the threads and waits for the end of some writing.
 *
 * w->lock is held by a pass over the super's list and by super_sync(), so
 * that a sync does not return while a pass still has an inode in its hand.
 * Inodes are taken off the list with a reference, one at a time or, by
 * super_sync(), all that are there at its start.
 */
#include "fs_priv.h"
#include "pagecache_priv.h"

#include <abi/errno.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>

#define AGE_NS	    (30 * NSEC_PER_SEC)
#define COMMIT_NS   (5 * NSEC_PER_SEC)
#define MEM_WAIT_NS (NSEC_PER_SEC / 10)
#define ENDED_EVERY 16u /* pages written between wakes of who waits */
#define FLOOR_PAGES 64u

struct writer {
	struct super *sb;  /* [I] */
	struct list link;  /* [writers_lock] */
	struct mutex lock; /* RANK_WRITER: one pass at a time */
	struct waitq wq;
	bool kicked;	    /* [a] write until below the mark */
	bool stop;	    /* [a] */
	uint64_t commit_at; /* [a] monotonic ns; 0: nothing to commit */
	struct completion ended;
};

uint64_t writeback_pending, writeback_floor;

static struct spinlock writers_lock = SPINLOCK_INIT(RANK_EVENT);
static struct list writers = LIST_INIT(writers); /* [writers_lock] */
static struct waitq progress = WAITQ_INIT(progress);

/* ---- marks ---- */

struct marks {
	uint64_t background, limit; /* pages */
};

static struct marks
marks_now(void)
{
	struct mem_stats m;
	uint64_t usable;

	mem_stats_get(&m);
	usable = m.free + m.cached;
	return (struct marks){ .background = usable / 5,
			       .limit = usable * 2 / 5 };
}

void
writeback_ended(void)
{
	uint64_t left = atomic_sub(&writeback_pending, 1);

	if (left % ENDED_EVERY == 0 && waitq_active(&progress))
		wait_wake_all(&progress, 0);
}

static void
kick_all(void)
{
	irqflags_t f = spin_lock_irq(&writers_lock);
	struct writer *w;

	list_for_each_entry(w, &writers, link) {
		if (list_empty(&w->sb->dirty))
			continue;
		atomic_store_release(&w->kicked, true);
		wait_wake_all(&w->wq, 0);
	}
	spin_unlock_irq(&writers_lock, f);
}

void
writeback_throttle_slow(void)
{
	struct marks m = marks_now();
	struct wait_entry e;

	if (atomic_load_relaxed(&writeback_pending) <= m.background)
		return;
	kick_all();
	if (atomic_load_relaxed(&writeback_pending) <= m.limit)
		return;
	wait_start(&progress, &e, true);
	while (atomic_load_relaxed(&writeback_pending) > m.limit) {
		/* A signal is no reason to fail; it lets the write go on. */
		if (wait_sleep(&e, clock_mono_ns() + MEM_WAIT_NS) == -EINTR)
			break;
		kick_all();
	}
	wait_end(&progress, &e);
}

bool
writeback_for_memory(void)
{
	uint64_t before = atomic_load_relaxed(&writeback_pending);
	struct wait_entry e;

	if (!before)
		return false;
	kick_all();
	wait_start(&progress, &e, false);
	if (atomic_load_relaxed(&writeback_pending) >= before)
		ignore(wait_sleep(&e, clock_mono_ns() + MEM_WAIT_NS));
	wait_end(&progress, &e);
	return true;
}

/* ---- inodes ---- */

int
inode_write(struct inode *i, bool datasync)
{
	const struct super_ops *ops = i->sb->ops;
	uint32_t had;
	int err;

	if (!ops || !ops->write_inode || !(i->state & INODE_DIRTY) ||
	    (datasync && !(i->state & INODE_DIRTY_SIZE)))
		return 0;
	had = atomic_fetch_and(&i->state, ~(INODE_DIRTY | INODE_DIRTY_SIZE));
	if (!(had & INODE_DIRTY))
		return 0;
	err = ops->write_inode(i);
	if (err)
		inode_mark(i, had & (INODE_DIRTY | INODE_DIRTY_SIZE));
	return err;
}

static void
write_pages_of(struct inode *i, bool wait)
{
	if (i->cache)
		page_cache_write_range(i->cache, 0, UINT64_MAX, wait);
}

/* Writes inodes that became dirty before older_than; background: until enough
 * is clean. */
static void
pass(struct writer *w, uint64_t older_than, bool background)
{
	struct inode *i;

	mutex_lock(&w->lock);
	while ((i = inode_next_dirty(w->sb, older_than))) {
		write_pages_of(i, false);
		ignore(inode_write(i, false)); /* it stays dirty, then */
		inode_requeue(i);
		inode_put(i);
		if (background && atomic_load_relaxed(&writeback_pending) <
					  marks_now().background / 2)
			break;
		if (atomic_load_acquire(&w->stop))
			break;
		thread_resched_point(); /* nothing in it need have slept */
	}
	mutex_unlock(&w->lock);
}

int
super_sync(struct super *sb)
{
	struct list mine = LIST_INIT(mine);
	struct writer *w = sb->writer;
	uint32_t since = atomic_load_relaxed(&sb->wb_err);
	uint64_t now = clock_mono_ns();
	struct inode *i;
	int err = 0, e;

	if (!w)
		return sb->ops && sb->ops->sync ? sb->ops->sync(sb) : 0;
	mutex_lock(&w->lock);
	while ((i = inode_next_dirty(sb, now))) {
		inode_hold_dirty(i, &mine);
		write_pages_of(i, false);
		thread_resched_point();
	}
	while (!list_empty(&mine)) {
		i = list_first_entry(&mine, struct inode, dirty);
		if (i->cache)
			write_pages_of(i, true);
		e = inode_write(i, false);
		if (e && !err)
			err = e;
		inode_requeue(i);
		inode_put(i);
	}
	mutex_unlock(&w->lock);
	e = sb->ops->sync ? sb->ops->sync(sb) : 0;
	if (!err)
		err = e;
	if (!err && atomic_load_relaxed(&sb->wb_err) != since)
		err = -EIO;
	return err;
}

/* ---- the thread ---- */

static uint64_t
next_deadline(struct writer *w)
{
	uint64_t oldest = inode_oldest_dirty(w->sb);
	uint64_t commit = atomic_load_relaxed(&w->commit_at);
	uint64_t at = oldest == UINT64_MAX ? TIME_NEVER : oldest + AGE_NS;

	return commit && commit < at ? commit : at;
}

static void
commit_if_due(struct writer *w, uint64_t now)
{
	uint64_t at = atomic_load_relaxed(&w->commit_at);

	if (!at || now < at)
		return;
	atomic_store(&w->commit_at, 0); /* before: it may be wanted again */
	if (w->sb->ops->commit)
		w->sb->ops->commit(w->sb);
}

static void
run(void *arg)
{
	struct writer *w = arg;

	while (!atomic_load_acquire(&w->stop)) {
		struct wait_entry e;
		uint64_t now;

		wait_start(&w->wq, &e, false);
		while (!atomic_load_acquire(&w->stop) &&
		       !atomic_load_acquire(&w->kicked) &&
		       wait_sleep(&e, next_deadline(w)) != -ETIMEDOUT)
			continue;
		wait_end(&w->wq, &e);
		now = clock_mono_ns();
		if (atomic_xchg(&w->kicked, false))
			pass(w, now, true);
		if (now > AGE_NS)
			pass(w, now - AGE_NS, false);
		commit_if_due(w, now);
	}
	completion_done(&w->ended);
	thread_exit();
}

void
super_want_commit(struct super *sb)
{
	struct writer *w = sb->writer;
	uint64_t none = 0;

	if (!w || atomic_load_relaxed(&w->commit_at))
		return;
	if (atomic_cas(&w->commit_at, &none, clock_mono_ns() + COMMIT_NS))
		wait_wake_all(&w->wq, 0);
}

void
writer_look(struct super *sb)
{
	wait_wake_all(&sb->writer->wq, 0);
}

int
super_start_writer(struct super *sb)
{
	struct writer *w = kzalloc(sizeof(*w), ALLOC_KERNEL);
	struct thread *t;
	irqflags_t f;
	int err;

	if (!w)
		return -ENOMEM;
	w->sb = sb;
	mutex_init(&w->lock, RANK_WRITER);
	waitq_init(&w->wq);
	completion_init(&w->ended);
	if (!writeback_floor) {
		uint64_t floor = mem_total_pages() / 32;

		writeback_floor = floor < FLOOR_PAGES ? FLOOR_PAGES : floor;
	}
	list_init(&sb->dirty);
	err = thread_create("writeback", run, w, &t);
	if (err) {
		kfree(w);
		return err;
	}
	sb->writer = w;
	f = spin_lock_irq(&writers_lock);
	list_add_tail(&writers, &w->link);
	spin_unlock_irq(&writers_lock, f);
	thread_start(t);
	return 0;
}

bool
vfs_any_writer(void)
{
	return !list_empty(&writers); /* a look is enough: at the end */
}

void
super_stop_writer(struct super *sb)
{
	struct writer *w = sb->writer;
	irqflags_t f;

	if (!w)
		return;
	f = spin_lock_irq(&writers_lock);
	list_del(&w->link);
	spin_unlock_irq(&writers_lock, f);
	atomic_store_release(&w->stop, true);
	wait_wake_all(&w->wq, 0);
	completion_wait(&w->ended);
	sb->writer = NULL;
	kfree(w);
}
