/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no wake-up is lost, no thread runs twice at once, locks exclude, the
 * CPU is shared fairly, threads and their numbers come and go.  Method: the
 * scheduler itself on POSIX threads as CPUs; each test runs in a process of
 * its own with one and with four CPUs, under a time limit.
 * SOURCES: src/sched/sched.c src/sched/idle.c src/sched/thread.c
 * SOURCES: src/sched/wait.c
 * SOURCES: src/sched/mutex.c src/sched/work.c test/unit/host_smp/smp.c
 * SOURCES: src/core/spinlock.c test/unit/host/panic.c
 * INCLUDE: test/unit/host_smp
 */
#include "../host_smp/smp.h"
#include "../unit.h"

#include <abi/errno.h>
#include <core/clock.h>
#include <core/percpu.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/wait.h>
#include <sched/work.h>

#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_S 60

static struct completion all_done;
static unsigned left;

static void
finished(void)
{
	if (__atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) == 0)
		completion_done(&all_done);
}

static void
start(unsigned n, void (*fn)(void *), void *arg)
{
	struct thread *t;

	for (unsigned i = 0; i < n; i++) {
		CHECK(!thread_create("t", fn, arg, &t));
		thread_start(t);
	}
}

static void
run_all(unsigned n, void (*fn)(void *), void *arg)
{
	completion_init(&all_done);
	left = n;
	start(n, fn, arg);
	completion_wait(&all_done);
}

/* ---- ping-pong over two wait queues ---- */

struct ball {
	struct waitq wq;
	unsigned side; /* whose turn */
	unsigned players;
};
#define ROUNDS 20000

static void
player(void *arg)
{
	struct ball *b = arg;
	unsigned mine = __atomic_fetch_add(&b->players, 1, __ATOMIC_SEQ_CST);
	struct wait_entry e;

	for (unsigned i = 0; i < ROUNDS; i++) {
		wait_start(&b->wq, &e, false);
		while (__atomic_load_n(&b->side, __ATOMIC_ACQUIRE) != mine)
			CHECK(!wait_sleep(&e, TIME_NEVER));
		wait_end(&b->wq, &e);
		__atomic_store_n(&b->side, !mine, __ATOMIC_SEQ_CST);
		wait_wake_all(&b->wq, 0);
	}
	finished();
}

static void
ping_pong(void *arg)
{
	struct ball b = { 0 };

	(void)arg;
	waitq_init(&b.wq);
	run_all(2, player, &b);
}

/* ---- locks ---- */

struct shared {
	struct mutex m;
	struct rwlock rw;
	unsigned a, b;
};
#define LOCKERS 12
#define TURNS	3000

static void
locker(void *arg)
{
	struct shared *s = arg;

	for (unsigned i = 0; i < TURNS; i++) {
		mutex_lock(&s->m);
		CHECK(mutex_held(&s->m));
		CHECK_EQ(s->a, s->b);
		s->a++;
		if (i % 64 == 0)
			thread_yield();
		s->b++;
		mutex_unlock(&s->m);
		if (i % 16 == 0)
			thread_yield();
	}
	finished();
}

static void
rw_user(void *arg)
{
	struct shared *s = arg;

	for (unsigned i = 0; i < TURNS; i++) {
		if (i % 5 == 0) {
			write_lock(&s->rw);
			CHECK_EQ(s->a, s->b);
			s->a++;
			if (i % 3 == 0)
				thread_yield();
			s->b++;
			if (i % 2) {
				write_downgrade(&s->rw);
				CHECK_EQ(s->a, s->b);
				read_unlock(&s->rw);
			} else {
				write_unlock(&s->rw);
			}
		} else {
			read_lock(&s->rw);
			CHECK_EQ(s->a, s->b);
			if (i % 7 == 0)
				thread_yield();
			CHECK_EQ(s->a, s->b);
			read_unlock(&s->rw);
		}
	}
	finished();
}

static void
locks(void *arg)
{
	static struct shared s;

	(void)arg;
	mutex_init(&s.m, RANK_NONE);
	rwlock_init(&s.rw, RANK_NONE);
	run_all(LOCKERS, locker, &s);
	CHECK_EQ(s.a, LOCKERS * TURNS);
	s.a = s.b = 0;
	run_all(LOCKERS, rw_user, &s);
	CHECK_EQ(s.a, LOCKERS * TURNS / 5);
}

/* ---- exclusive wakes: n tokens wake n sleepers ---- */

struct tokens {
	struct waitq wq;
	unsigned free, taken;
};
#define TAKERS 16
#define TOKENS 400

static bool
take(struct tokens *k)
{
	unsigned n = __atomic_load_n(&k->free, __ATOMIC_ACQUIRE);

	while (n)
		if (__atomic_compare_exchange_n(&k->free, &n, n - 1, false,
						__ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return true;
	return false;
}

static void
taker(void *arg)
{
	struct tokens *k = arg;
	struct wait_entry e;

	for (unsigned i = 0; i < TOKENS; i++) {
		wait_start_exclusive(&k->wq, &e, false);
		while (!take(k))
			CHECK(!wait_sleep(&e, TIME_NEVER));
		wait_end(&k->wq, &e);
		__atomic_fetch_add(&k->taken, 1, __ATOMIC_SEQ_CST);
	}
	finished();
}

static void
exclusive(void *arg)
{
	static struct tokens k;

	(void)arg;
	waitq_init(&k.wq);
	completion_init(&all_done);
	left = TAKERS;
	start(TAKERS, taker, &k);
	for (unsigned i = 0; i < TAKERS * TOKENS; i++) {
		__atomic_fetch_add(&k.free, 1, __ATOMIC_SEQ_CST);
		wait_wake(&k.wq, 1, 0);
		if (i % 8 == 0)
			thread_yield();
	}
	completion_wait(&all_done);
	CHECK_EQ(k.taken, TAKERS * TOKENS);
}

/* ---- time ---- */

static void
timeouts(void *arg)
{
	uint64_t t0 = clock_mono_ns(), t1;
	struct completion never;

	(void)arg;
	completion_init(&never);
	CHECK_EQ(completion_wait_until(&never, t0 + 3000000), -ETIMEDOUT);
	t1 = clock_mono_ns();
	CHECK(t1 - t0 >= 3000000);
	thread_delay(2000000);
	CHECK(clock_mono_ns() - t1 >= 2000000);
	CHECK_EQ(completion_wait_until(&never, 1), -ETIMEDOUT);
	completion_done(&never);
	CHECK_EQ(completion_wait_until(&never, 1), 0);
}

/* ---- fairness: threads that compute, nice 0, 0 and nice 5 ---- */

struct burner {
	struct thread *thread;
	int nice;
};

#define BURNERS	   3
#define FAIR_FROM  600000000ull	  /* ns: what anything would be at first */
#define FAIR_UNTIL 50000000000ull /* ns: a stall of the host is made up for */

static struct burner burners[BURNERS];
static uint64_t burn_start;
static bool fair; /* [a] */

/* 1024 to 1024 to 335, roughly. */
static bool
shares_are_fair(void)
{
	uint64_t got[BURNERS];

	for (int i = 0; i < BURNERS; i++)
		got[i] = thread_cpu_ns(burners[i].thread);
	return got[0] > got[1] * 7 / 10 && got[1] > got[0] * 7 / 10 &&
	       got[2] < got[0] * 6 / 10 && got[2] > got[0] / 10;
}

static void
burn(void *arg)
{
	struct burner *b = arg;
	uint64_t now;

	thread_set_nice(thread_current(), b->nice);
	CHECK(!thread_set_affinity(thread_current(), 1));
	while (!atomic_load_acquire(&fair)) {
		irq_disable();
		irq_enable();
		thread_resched_point();
		now = clock_mono_ns() - burn_start;
		CHECK(now < FAIR_UNTIL);
		if (now > FAIR_FROM && shares_are_fair())
			atomic_store_release(&fair, true);
	}
	finished();
}

static void
fairness(void *arg)
{
	(void)arg;
	fair = false;
	burners[2].nice = 5;
	completion_init(&all_done);
	left = BURNERS;
	burn_start = clock_mono_ns();
	for (int i = 0; i < BURNERS; i++) {
		CHECK(!thread_create("t", burn, &burners[i],
				     &burners[i].thread));
		thread_get(burners[i].thread);
	}
	for (int i = 0; i < BURNERS; i++)
		thread_start(burners[i].thread);
	completion_wait(&all_done);
	for (int i = 0; i < BURNERS; i++)
		thread_put(burners[i].thread);
}

/* ---- affinity: runs where it may, and only there ---- */

static void
mover(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 300; i++) {
		unsigned c = i % cpu_online_count;

		CHECK(!thread_set_affinity(thread_current(), 1ull << c));
		CHECK_EQ(this_cpu()->id, c);
		thread_yield();
		CHECK_EQ(this_cpu()->id, c);
		if (i % 10 == 0)
			thread_delay(10000);
		CHECK_EQ(this_cpu()->id, c);
	}
	CHECK_EQ(thread_set_affinity(thread_current(), 1ull << 40), -EINVAL);
	finished();
}

static void
affinity(void *arg)
{
	(void)arg;
	run_all(6, mover, NULL);
}

/* ---- one that sleeps, several that wake and move it ---- */

#define WAKERS 3
#define SLEEPS 2000

static struct thread *woken;
static unsigned inside, awake_end;

/* Twice at once, or in two queues: inside is not 0, or the CPU changes. */
static void
often_asleep(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < SLEEPS; i++) {
		unsigned n = this_cpu()->id + 1;

		CHECK_EQ(__atomic_exchange_n(&inside, n, __ATOMIC_SEQ_CST), 0);
		thread_prepare_sleep(i & 1);
		if (i % 3 == 0) {
			thread_cancel_sleep();
			thread_prepare_sleep(false);
		}
		CHECK_EQ(__atomic_exchange_n(&inside, 0, __ATOMIC_SEQ_CST), n);
		/* No sleep that signals don't end is ended by one. */
		if (thread_sleep(clock_mono_ns() + 1000000) == -EINTR)
			CHECK(i & 1 && i % 3);
	}
	__atomic_store_n(&awake_end, 1, __ATOMIC_SEQ_CST);
	finished();
}

static void
waker(void *arg)
{
	unsigned kind = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; !__atomic_load_n(&awake_end, __ATOMIC_SEQ_CST);
	     i++) {
		if (kind == 0)
			CHECK(!thread_set_affinity(
				woken, 1ull << i % cpu_online_count));
		else if (kind == 1)
			thread_interrupt(woken, 0);
		else
			thread_wake(woken);
		if (i % 8 == 0)
			thread_yield();
	}
	finished();
}

static void
wakers(void *arg)
{
	(void)arg;
	completion_init(&all_done);
	left = WAKERS + 1;
	CHECK(!thread_create("s", often_asleep, NULL, &woken));
	thread_get(woken);
	thread_start(woken);
	for (uintptr_t i = 0; i < WAKERS; i++)
		start(1, waker, (void *)i);
	completion_wait(&all_done);
	thread_put(woken);
}

/* ---- interrupts of sleeps ---- */

static void
sleeper(void *arg)
{
	int err;

	do {
		thread_prepare_sleep(true);
		err = thread_sleep(TIME_NEVER);
	} while (!err);
	CHECK_EQ(err, -EINTR);
	/* The mark stays: the next sleep doesn't begin. */
	thread_prepare_sleep(true);
	CHECK_EQ(thread_sleep(TIME_NEVER), -EINTR);
	thread_prepare_sleep(false);
	CHECK_EQ(thread_sleep(clock_mono_ns() + 100000), -ETIMEDOUT);
	(void)arg;
	finished();
}

static void
interrupts(void *arg)
{
	struct thread *t;

	(void)arg;
	for (unsigned i = 0; i < 200; i++) {
		completion_init(&all_done);
		left = 1;
		CHECK(!thread_create("s", sleeper, NULL, &t));
		thread_get(t);
		thread_start(t);
		if (i % 3)
			thread_yield();
		thread_interrupt(t, PENDING_SIGNAL);
		completion_wait(&all_done);
		thread_put(t);
	}
}

/* ---- many threads come and go; the table keeps up ---- */

static void
short_life(void *arg)
{
	(void)arg;
	thread_yield();
	finished();
}

static bool
count_one(struct thread *t, void *arg)
{
	CHECK(t->tid > 0);
	++*(unsigned *)arg;
	return true;
}

static void
lives(void *arg)
{
	unsigned before = thread_count(), n;
	struct thread *t, *f;

	(void)arg;
	for (unsigned i = 0; i < 50; i++)
		run_all(40, short_life, NULL);
	/* The last ones have said so, but may not be off their CPUs. */
	for (unsigned i = 0; i < 1000 && thread_count() > before; i++)
		thread_delay(1000000);
	CHECK_EQ(thread_count(), before);
	n = 0;
	thread_for_each(count_one, &n);
	CHECK_EQ(n, before);
	CHECK(!thread_create("never", short_life, NULL, &t));
	f = thread_find(t->tid);
	CHECK(f == t);
	thread_put(f);
	thread_discard(t);
	CHECK_EQ(thread_count(), before);
	CHECK(!thread_find(12345));
}

/* ---- work ---- */

static unsigned ran;

static void
count_work(struct work *w)
{
	(void)w;
	__atomic_fetch_add(&ran, 1, __ATOMIC_SEQ_CST);
}

static void
works(void *arg)
{
	struct work w;

	(void)arg;
	work_start();
	work_init(&w, count_work);
	for (unsigned i = 0; i < 500; i++) {
		work_queue(&w);
		work_flush(&w);
		CHECK_EQ(ran, i + 1);
	}
	work_queue(&w);
	work_queue(&w);
	work_flush(&w);
	CHECK(ran == 501 || ran == 502);
}

/* ---- each in a process of its own, with 1 and 4 CPUs ---- */

static void
in_machine(unsigned ncpus, void (*fn)(void *))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(LIMIT_S);
		host_smp_run(ncpus, fn, NULL);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status)
		printf("%u CPUs: status %#x\n", ncpus, status);
	CHECK_EQ(status, 0);
}

#define TEST(name)                    \
	static void test_##name(void) \
	{                             \
		in_machine(1, name);  \
		in_machine(4, name);  \
	}
TEST(ping_pong)
TEST(locks)
TEST(exclusive)
TEST(timeouts)
TEST(fairness)
TEST(affinity)
TEST(wakers)
TEST(interrupts)
TEST(lives)
TEST(works)

static const struct unit_test tests[] = {
	{ "ping_pong", test_ping_pong },
	{ "locks", test_locks },
	{ "exclusive", test_exclusive },
	{ "timeouts", test_timeouts },
	{ "fairness", test_fairness },
	{ "affinity", test_affinity },
	{ "wakers", test_wakers },
	{ "interrupts", test_interrupts },
	{ "lives", test_lives },
	{ "works", test_works },
	{ NULL, NULL },
};

UNIT_MAIN(tests)
