/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What core and sched are to a test program of one thread, for unit tests and
 * for the file layers of test/crash: locks check their order, that they are
 * not taken twice and that they are given back; who waits on a queue is told
 * by nobody (wait_sleep() and completion_wait() are each program's own).
 */
#include "core.h"

#include <core/log.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/reclaim.h>
#include <core/spinlock.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/wait.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_HELD 64

static struct cpu the_cpu = { .id = 0, .online = true };
static struct thread the_thread = { .tid = 1, .name = "test" };
struct cpu *host_cpu = &the_cpu;
struct thread *host_thread = &the_thread;
struct cpu *cpus[ARCH_MAX_CPUS] = { &the_cpu };
unsigned cpu_online_count = 1;
uint64_t direct_map_base;
bool host_verbose;
static unsigned held[MAX_HELD], nheld; /* ranks, in the order taken */

/* ---- core ---- */

void
log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	if (!host_verbose)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void
spin_lock_slow(struct spinlock *l)
{
	(void)l;
	panic("spin lock taken twice");
}

/* Nobody reads without a lock here: at once. */
void
reclaim_call(struct reclaim_head *h, void (*fn)(struct reclaim_head *))
{
	fn(h);
}

void
reclaim_barrier(void)
{
}

/* ---- locks ---- */

static void
take(unsigned rank)
{
	/* Inodes: the parent first; the vfs sees to it. */
	if (nheld && rank <= held[nheld - 1] &&
	    !(rank == held[nheld - 1] && rank == RANK_INODE))
		panic("lock of rank %u while %u is held", rank,
		      held[nheld - 1]);
	if (nheld == MAX_HELD)
		panic("too many locks");
	held[nheld++] = rank;
}

static void
give(unsigned rank)
{
	for (unsigned k = nheld; k--;)
		if (held[k] == rank) {
			memmove(held + k, held + k + 1,
				(--nheld - k) * sizeof(held[0]));
			return;
		}
	panic("a lock of rank %u is not held", rank);
}

void
host_check_unlocked(void)
{
	if (nheld)
		panic("a lock of rank %u is held", held[0]);
	if (the_thread.journal)
		panic("a handle is open");
}

void
rwlock_init(struct rwlock *l, enum lock_rank rank)
{
	memset(l, 0, sizeof(*l));
	l->rank = (uint16_t)rank;
}

void
read_lock(struct rwlock *l)
{
	if (l->readers < 0)
		panic("read lock of what is locked for writing");
	take(l->rank);
	l->readers++;
}

bool
read_trylock(struct rwlock *l)
{
	if (l->readers < 0)
		return false;
	read_lock(l);
	return true;
}

void
read_unlock(struct rwlock *l)
{
	if (l->readers <= 0)
		panic("read unlock of an unlocked lock");
	give(l->rank);
	l->readers--;
}

void
write_lock(struct rwlock *l)
{
	if (l->readers)
		panic("write lock of a locked lock");
	take(l->rank);
	l->readers = -1;
}

void
write_unlock(struct rwlock *l)
{
	if (l->readers != -1)
		panic("write unlock of an unlocked lock");
	give(l->rank);
	l->readers = 0;
}

void
mutex_init(struct mutex *m, enum lock_rank rank)
{
	memset(m, 0, sizeof(*m));
	m->rank = (uint16_t)rank;
}

void
mutex_lock(struct mutex *m)
{
	if (m->state)
		panic("mutex of rank %u taken twice", m->rank);
	take(m->rank);
	m->state = 1;
}

bool
mutex_trylock(struct mutex *m)
{
	if (m->state)
		return false;
	mutex_lock(m);
	return true;
}

void
mutex_unlock(struct mutex *m)
{
	give(m->rank);
	m->state = 0;
}

/* ---- waiting ---- */

void
waitq_init(struct waitq *q)
{
	list_init(&q->entries);
}
void
wait_wake_all(struct waitq *q, uint32_t ev)
{
	(void)q, (void)ev;
}

void
wait_wake(struct waitq *q, unsigned n, uint32_t ev)
{
	(void)q, (void)n, (void)ev;
}

void
wait_wake_next(struct waitq *q)
{
	(void)q;
}

void
wait_start(struct waitq *q, struct wait_entry *e, bool intr)
{
	(void)q, (void)e, (void)intr;
}

void
wait_end(struct waitq *q, struct wait_entry *e)
{
	(void)q, (void)e;
}

void
completion_init(struct completion *c)
{
	c->done = false;
}
void
completion_done(struct completion *c)
{
	c->done = true;
}
