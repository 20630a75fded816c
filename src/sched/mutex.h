/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping locks: mutex and read-write lock, both ranked.  Not usable from
 * interrupts.  A writer that waits keeps new readers out.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>
#include <core/lock_rank.h>
#include <sched/wait.h>

struct mutex {
	uint32_t state;	      /* [a] 0 free, 1 held, 2 held and waited for */
	uint16_t rank;	      /* [I] */
	struct thread *owner; /* [a] */
	struct waitq wq;
};

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_lock(struct mutex *m);
MUST_CHECK int mutex_lock_intr(struct mutex *m); /* 0 or -EINTR */
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m); /* by the current thread */

struct rwlock {
	int32_t readers;	  /* [a] -1: a writer holds it */
	uint32_t writers_waiting; /* [a] */
	uint16_t rank;		  /* [I] */
	struct waitq read_wq, write_wq;
};

void rwlock_init(struct rwlock *l, enum lock_rank rank);
void read_lock(struct rwlock *l);
bool read_trylock(struct rwlock *l);
void read_unlock(struct rwlock *l);
void write_lock(struct rwlock *l);
bool write_trylock(struct rwlock *l);
void write_unlock(struct rwlock *l);
void write_downgrade(struct rwlock *l);

/* Counts down to an event: done() once, wait() any number of times. */
struct completion {
	bool done;
	struct waitq wq;
};
void completion_init(struct completion *c);
void completion_done(struct completion *c); /* any context */
void completion_wait(struct completion *c);
int completion_wait_until(struct completion *c, uint64_t deadline_ns);
