/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of streams.  Streams appear at boot, or later when the host
 * adds a port, and are never removed: a port that goes away reads end of
 * file and answers EPIPE.
 */
#include <dev/stream.h>

#include <abi/errno.h>
#include <base/string.h>
#include <core/spinlock.h>
#include <sched/thread.h>

static struct spinlock lock = SPINLOCK_INIT(RANK_EVENT);
static struct list streams = LIST_INIT(streams); /* [lock] */

static struct stream *
find_locked(const char *name)
{
	struct stream *s;

	list_for_each_entry(s, &streams, link)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

int
stream_register(struct stream *s)
{
	irqflags_t f = spin_lock_irq(&lock);
	int err = find_locked(s->name) ? -EEXIST : 0;

	if (!err)
		list_add_tail(&streams, &s->link);
	spin_unlock_irq(&lock, f);
	return err;
}

struct stream *
stream_find(const char *name)
{
	irqflags_t f = spin_lock_irq(&lock);
	struct stream *s = find_locked(name);

	spin_unlock_irq(&lock, f);
	return s;
}

/* Writes what fits now, or sleeps until something may fit. */
ssize_t
stream_write_all(struct stream *s, const void *buf, size_t len, bool intr)
{
	const char *p = buf;
	size_t done = 0;
	struct wait_entry e;
	ssize_t n;
	int err;

	while (done < len) {
		n = s->ops->write(s, p + done, len - done);
		if (n < 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
		if (n)
			continue;
		wait_start(&s->wq, &e, intr);
		n = s->ops->write(s, p + done, len - done);
		err = n ? 0 : wait_sleep(&e, TIME_NEVER);
		wait_end(&s->wq, &e);
		if (n > 0)
			done += (size_t)n;
		if (err || n < 0)
			return done ? (ssize_t)done : n < 0 ? n : err;
	}
	return (ssize_t)done;
}
