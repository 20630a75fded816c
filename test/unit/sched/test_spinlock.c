/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a spin lock excludes; who waits for it is not passed by one that
 * takes it again and again; a waiter whose virtual CPU does not run holds up
 * the others for a while only; tickets may come round.  Method: the lock itself with POSIX threads as CPUs.
 * SOURCES: src/core/spinlock.c test/unit/host/panic.c
 * INCLUDE: test/unit/host_smp
 */
#include "../unit.h"

#include <base/atomic.h>
#include <core/percpu.h>
#include <core/spinlock.h>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

static struct spinlock lock;
static volatile unsigned long long sum;

/* ---- what the lock stands on ---- */

/* What a thread does between two looks at the lock; NULL: lets others run. */
static __thread void (*between_looks)(void);

void
cpu_relax(void)
{
	if (between_looks)
		between_looks();
	else
		sched_yield();
}
struct cpu *
this_cpu(void)
{
	static struct cpu c;

	return &c;
}
struct thread *
thread_current(void)
{
	return NULL;
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

static void
compute(unsigned n)
{
	while (n--)
		sum++;
}

/* ---- who comes later is not before who waits ---- */

#define LOOKS 10 /* fewer than a waiter's patience */

static unsigned waiting, first_may, first_has, last_looks; /* [a] */

static void
until(unsigned *what)
{
	while (!atomic_load_acquire(what))
		usleep(20);
}

static void
first_looks(void)
{
	atomic_store_release(&waiting, 1);
	until(&first_may);
}

static void *
first_locks(void *arg)
{
	between_looks = first_looks;
	spin_lock(&lock);
	atomic_store_release(&first_has, 1);
	spin_unlock(&lock);
	return arg;
}

/* The first may look again when this one has seen the lock free often. */
static void
last_looks_too(void)
{
	if (++last_looks < LOOKS)
		return;
	atomic_store_release(&first_may, 1);
	until(&first_has);
}

static void
test_fair(void)
{
	pthread_t t;

	spin_init(&lock, RANK_NONE);
	spin_lock(&lock);
	CHECK(!pthread_create(&t, NULL, first_locks, NULL));
	until(&waiting);
	spin_unlock(&lock);
	CHECK(!spin_trylock(&lock));
	between_looks = last_looks_too;
	spin_lock(&lock);
	CHECK(first_has);
	spin_unlock(&lock);
	between_looks = NULL;
	pthread_join(t, NULL);
	CHECK_EQ(lock.word, 0);
}

/* ---- more threads than processors; tickets come round ---- */

#define LOCKERS 6
#define ROUNDS	5000

static unsigned long a, b; /* [lock] */

static void *
locker(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i % 7 == 0) {
			while (!spin_trylock(&lock))
				cpu_relax();
		} else {
			spin_lock(&lock);
		}
		CHECK_EQ(a, b);
		a++;
		compute(i % 50);
		b++;
		spin_unlock(&lock);
	}
	return arg;
}

static void
test_excludes(void)
{
	pthread_t t[LOCKERS];

	spin_init(&lock, RANK_NONE);
	lock.next = lock.serving = UINT16_MAX - 5;
	for (unsigned i = 0; i < LOCKERS; i++)
		CHECK(!pthread_create(&t[i], NULL, locker, NULL));
	for (unsigned i = 0; i < LOCKERS; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(a, LOCKERS * ROUNDS);
	CHECK_EQ(lock.word, 0);
}

/* ---- waiters that are not running ---- */

/* Comes to wait, and then its host takes its processor away. */
static uint16_t
leave_waiting(void)
{
	lock.word += SPIN_WAITER;
	return lock.next++;
}

/* The rest of spin_lock() when it is back: its turn is past. */
static void
come_back(uint16_t ticket)
{
	CHECK(ticket != lock.serving);
	CHECK((uint16_t)(ticket - lock.serving) >=
	      (uint16_t)(lock.next - lock.serving));
	lock.word -= SPIN_WAITER;
}

static void
test_absent(void)
{
	uint16_t first, second;

	spin_init(&lock, RANK_NONE);
	first = leave_waiting();
	second = leave_waiting();
	CHECK(!spin_trylock(&lock));
	for (unsigned i = 0; i < 100000; i++) { /* comes round once */
		spin_lock(&lock);
		CHECK_EQ(lock.word, SPIN_HELD + 2 * SPIN_WAITER);
		CHECK_EQ(lock.serving, lock.next);
		spin_unlock(&lock);
	}
	come_back(first);
	come_back(second);
	CHECK(spin_trylock(&lock));
	CHECK(!spin_trylock(&lock));
	spin_unlock(&lock);
	CHECK_EQ(lock.word, 0);
}

static const struct unit_test tests[] = {
	{ "fair", test_fair },
	{ "excludes", test_excludes },
	{ "absent", test_absent },
	{ NULL, NULL },
};

UNIT_MAIN(tests)
