/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each POSIX thread is a thread of the kernel on a CPU of its own.  Spin
 * locks, mutexes and wait queues are the kernel's; here are sleeping and
 * waking, memory, and the little that they stand on.
 *
 * READ_ONCE and WRITE_ONCE are marks that an access is meant to race: the
 * compiler calls functions for them, which do nothing.
 */
#include "threads.h"

#include "../unit.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <core/clock.h>
#include <core/percpu.h>
#include <core/reclaim.h>
#include <core/spinlock.h>
#include <mem/heap.h>
#include <sched/thread.h>

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define NTHREADS 8

struct host_thread {
	struct thread t;
	struct cpu cpu;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned self;
	void (*fn)(unsigned self, void *arg);
	void *arg;
};

static __thread struct host_thread *here;

#define VOLATILE(n)                             \
	void __tsan_volatile_read##n(void *p);  \
	void __tsan_volatile_write##n(void *p); \
	void __tsan_volatile_read##n(void *p)   \
	{                                       \
		(void)p;                        \
	}                                       \
	void __tsan_volatile_write##n(void *p)  \
	{                                       \
		(void)p;                        \
	}
VOLATILE(1)
VOLATILE(2)
VOLATILE(4)
VOLATILE(8)

struct thread *
thread_current(void)
{
	return &here->t;
}
struct cpu *
this_cpu(void)
{
	return &here->cpu;
}
irqflags_t
irq_save(void)
{
	return 0;
}
void
irq_restore(irqflags_t f)
{
	(void)f;
}
void
cpu_relax(void)
{
	sched_yield();
}
void
thread_resched_point(void)
{
}

uint64_t
clock_mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- sleeping ---- */

void
thread_prepare_sleep(bool intr)
{
	here->t.sleep_intr = intr;
	atomic_xchg(&here->t.state, THREAD_SLEEPING);
}

void
thread_cancel_sleep(void)
{
	atomic_store_release(&here->t.state, THREAD_RUNNING);
}

int
thread_sleep(uint64_t deadline_ns)
{
	struct host_thread *h = here;
	struct timespec ts = { (time_t)(deadline_ns / NSEC_PER_SEC),
			       (long)(deadline_ns % NSEC_PER_SEC) };
	int err = 0;

	pthread_mutex_lock(&h->lock);
	while (!err && atomic_load(&h->t.state) == THREAD_SLEEPING) {
		if (deadline_ns == TIME_NEVER)
			pthread_cond_wait(&h->cond, &h->lock);
		else if (pthread_cond_timedwait(&h->cond, &h->lock, &ts))
			err = -ETIMEDOUT;
	}
	atomic_store(&h->t.state, THREAD_RUNNING);
	pthread_mutex_unlock(&h->lock);
	return err;
}

bool
thread_wake(struct thread *t)
{
	struct host_thread *h = container_of(t, struct host_thread, t);
	uint8_t s = THREAD_SLEEPING;
	bool woken;

	pthread_mutex_lock(&h->lock);
	woken = atomic_cas(&t->state, &s, THREAD_RUNNING);
	if (woken)
		pthread_cond_signal(&h->cond);
	pthread_mutex_unlock(&h->lock);
	return woken;
}

/* ---- memory: at once to the sanitizer ---- */

void *
kmalloc(size_t size, unsigned alloc)
{
	(void)alloc;
	return malloc(size);
}
void *
kzalloc(size_t size, unsigned alloc)
{
	(void)alloc;
	return calloc(1, size);
}
void *
kmemdup(const void *p, size_t size, unsigned alloc)
{
	void *to = kmalloc(size, alloc);

	return to ? memcpy(to, p, size) : NULL;
}
void
kfree(void *p)
{
	free(p);
}

/* ---- start ---- */

static void *
start(void *arg)
{
	here = arg;
	here->fn(here->self, here->arg);
	return NULL;
}

void
host_threads_run(unsigned n, void (*fn)(unsigned self, void *arg), void *arg)
{
	static struct host_thread all[NTHREADS];
	pthread_t thread[NTHREADS];
	pthread_condattr_t ca;

	CHECK(n <= NTHREADS);
	pthread_condattr_init(&ca);
	pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++) {
		all[i] =
			(struct host_thread){ .self = i, .fn = fn, .arg = arg };
		all[i].t.tid = (int)i + 1;
		all[i].cpu.id = i;
		pthread_mutex_init(&all[i].lock, NULL);
		pthread_cond_init(&all[i].cond, &ca);
	}
	for (unsigned i = 0; i < n; i++)
		CHECK(!pthread_create(&thread[i], NULL, start, &all[i]));
	for (unsigned i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
}
