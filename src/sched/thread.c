/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: creation, the table by tid, references, end.
 *
 * Life: thread_create*() gives two references: the caller's (it may start
 * the thread, once, or discard it) and the scheduler's, which goes when the
 * dead thread has left its CPU.  thread_start() consumes the caller's.  A
 * thread is in the table from creation until it is dead; table readers take
 * no lock, so the memory goes by deferred reclamation.
 *
 * Tids of user threads are given in order and come round at TID_MAX, as on
 * Linux; kernel threads have numbers that no program sees.
 */
#include "sched_priv.h"

#include <abi/errno.h>
#include <arch/upcall.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/hlist.h>
#include <base/limits.h>
#include <core/clock.h>
#include <core/panic.h>
#include <mem/heap.h>
#include <mem/kmap.h>

#define TABLE_SIZE 256u

static struct spinlock table_lock = SPINLOCK_INIT(RANK_WAITQ);
static struct hlist_head table[TABLE_SIZE];   /* [table_lock w, q r] */
static unsigned nthreads;		      /* [table_lock, a read] */
static int next_tid = 1;		      /* [table_lock] */
static int next_kernel_tid = TID_KERNEL_BASE; /* [table_lock] */
static struct cache *thread_cache;
static struct thread boot_idle;
static void (*release_hook)(struct thread *);

static struct hlist_head *
bucket_of(int tid)
{
	return &table[(unsigned)tid % TABLE_SIZE];
}

static struct thread *
table_find(int tid)
{
	struct hlist_node *n;

	hlist_for_each(n, bucket_of(tid)) {
		struct thread *t = container_of(n, struct thread, table_link);

		if (t->tid == tid)
			return t;
	}
	return NULL;
}

/* 0 with a number given and the thread in the table, or -EAGAIN. */
static int
table_add(struct thread *t)
{
	irqflags_t f = spin_lock_irq(&table_lock);
	int err = -EAGAIN;

	if (nthreads >= LIMIT_THREADS)
		goto out;
	if (t->kernel) {
		t->tid = next_kernel_tid++;
	} else {
		/* At most LIMIT_THREADS numbers are taken: this ends. */
		while (table_find(next_tid))
			next_tid = next_tid + 1 < TID_MAX ? next_tid + 1 : 2;
		t->tid = next_tid;
		next_tid = next_tid + 1 < TID_MAX ? next_tid + 1 : 2;
	}
	hlist_add(bucket_of(t->tid), &t->table_link);
	atomic_store_relaxed(&nthreads, nthreads + 1);
	err = 0;
out:
	spin_unlock_irq(&table_lock, f);
	return err;
}

static void
table_remove(struct thread *t)
{
	irqflags_t f = spin_lock_irq(&table_lock);

	hlist_del(&t->table_link);
	atomic_store_relaxed(&nthreads, nthreads - 1);
	spin_unlock_irq(&table_lock, f);
}

static void
set_name(struct thread *t, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(t->name) - 1 && name[i]; i++)
		t->name[i] = name[i];
	t->name[i] = '\0';
}

static void
thread_setup(struct thread *t, const char *name)
{
	set_name(t, name);
	t->state = THREAD_RUNNING;
	t->affinity = UINT64_MAX;
	t->sync_score = SYNC_SCORE_NEW;
	list_init(&t->rq_link);
	list_init(&t->proc_link);
	list_init(&t->own_work);
	timer_init(&t->sleep_timer, sched_sleep_timeout);
}

/* Where each thread begins; interrupts are off and the queue's lock held. */
static void
thread_main(void *arg)
{
	struct thread *t = arg;

	sched_finish_switch();
	irq_enable();
	t->start_fn(t->start_arg);
	thread_exit();
}

NORETURN void
thread_enter_user(void)
{
	struct thread *t = thread_current();

	irq_disable();
	if (atomic_load_acquire(&t->pending))
		upcall_user_return(arch_user_regs(&t->arch));
	arch_enter_user();
}

static void
user_main(void *arg)
{
	(void)arg;
	thread_enter_user();
}

static int
create(const char *name, const struct arch_thread *fpu_from, bool kernel,
       struct thread **out)
{
	struct thread *t = cache_alloc(thread_cache, ALLOC_KERNEL | ALLOC_ZERO);
	int err = -ENOMEM;

	if (!t)
		return -ENOMEM;
	t->kstack = kmap_stack_alloc(KSTACK_SIZE);
	if (!t->kstack)
		goto free_thread;
	thread_setup(t, name);
	t->kernel = kernel;
	refcount_set(&t->refs, 2);
	arch_thread_init(&t->arch, t->kstack, KSTACK_SIZE, thread_main, t);
	if (!kernel) {
		err = arch_fpu_init(&t->arch, fpu_from);
		if (err)
			goto free_stack;
	}
	t->cpu = this_cpu();
	err = table_add(t);
	if (err)
		goto fini_arch;
	*out = t;
	return 0;

fini_arch:
	arch_thread_fini(&t->arch);
free_stack:
	kmap_stack_free(t->kstack, KSTACK_SIZE);
free_thread:
	cache_free(thread_cache, t);
	return err;
}

int
thread_create(const char *name, void (*fn)(void *), void *arg,
	      struct thread **out)
{
	int err = create(name, NULL, true, out);

	if (err)
		return err;
	(*out)->start_fn = fn;
	(*out)->start_arg = arg;
	return 0;
}

int
thread_create_user(const char *name, const struct regs *regs,
		   struct thread **out)
{
	struct arch_thread *cur = &thread_current()->arch;
	int err = create(name, cur->fpu ? cur : NULL, false, out);

	if (err)
		return err;
	*arch_user_regs(&(*out)->arch) = *regs;
	(*out)->start_fn = user_main;
	(*out)->start_arg = *out;
	return 0;
}

void
thread_start(struct thread *t)
{
	sched_enqueue_new(t);
	thread_put(t);
}

void
thread_discard(struct thread *t)
{
	t->state = THREAD_DEAD;
	thread_put(t);
	thread_put(t);
}

static void
thread_reclaim(struct reclaim_head *h)
{
	struct thread *t = container_of(h, struct thread, reclaim);

	cache_free(thread_cache, t);
}

void
sched_set_release(void (*fn)(struct thread *t))
{
	release_hook = fn;
}

/* Stack and FPU area go at once: only the thread itself used them. */
void
thread_put(struct thread *t)
{
	if (!refcount_put(&t->refs))
		return;
	assert(t->state == THREAD_DEAD);
	table_remove(t);
	arch_thread_fini(&t->arch);
	kmap_stack_free(t->kstack, KSTACK_SIZE);
	t->kstack = NULL;
	if (release_hook)
		release_hook(t);
	reclaim_call(&t->reclaim, thread_reclaim);
}

/* The first thread is dead, but somebody may still hold a reference: it gets
 * t's number. */
void
thread_take_tid(struct thread *t, int tid)
{
	irqflags_t f = spin_lock_irq(&table_lock);
	struct thread *old = table_find(tid);

	hlist_del(&t->table_link);
	if (old) {
		hlist_del(&old->table_link);
		old->tid = t->tid;
		hlist_add(bucket_of(old->tid), &old->table_link);
	}
	t->tid = tid;
	hlist_add(bucket_of(tid), &t->table_link);
	spin_unlock_irq(&table_lock, f);
}

struct thread *
thread_find(int tid)
{
	struct thread *t = table_find(tid);

	if (!t || !refcount_get_unless_zero(&t->refs))
		return NULL;
	return t;
}

NORETURN void
thread_exit(void)
{
	assert(thread_current() != this_cpu()->idle_thread);
	sched_leave_own_work(thread_current());
	sched_exit_switch();
}

unsigned
thread_count(void)
{
	return atomic_load_relaxed(&nthreads);
}

#define COLLECT_MAX 16

/* Gives references to the threads of a bucket whose tids come next after
 * *after, in order; moves *after on.  Returns how many. */
static unsigned
collect(unsigned bucket, int *after, struct thread *v[COLLECT_MAX])
{
	irqflags_t f = spin_lock_irq(&table_lock);
	struct hlist_node *n;
	unsigned k = 0, i, kept = 0;

	hlist_for_each(n, &table[bucket]) {
		struct thread *t = container_of(n, struct thread, table_link);

		if (t->tid <= *after)
			continue;
		if (k == COLLECT_MAX) {
			if (t->tid > v[k - 1]->tid)
				continue;
			k--;
		}
		for (i = k++; i > 0 && v[i - 1]->tid > t->tid; i--)
			v[i] = v[i - 1];
		v[i] = t;
	}
	*after = k == COLLECT_MAX ? v[k - 1]->tid : INT32_MAX;
	/* The lock keeps them in memory, but some may be at their end. */
	for (i = 0; i < k; i++)
		if (refcount_get_unless_zero(&v[i]->refs))
			v[kept++] = v[i];
	spin_unlock_irq(&table_lock, f);
	return kept;
}

void
thread_for_each(bool (*fn)(struct thread *, void *arg), void *arg)
{
	struct thread *v[COLLECT_MAX];
	unsigned b, i, k;
	bool go = true;
	int after;

	for (b = 0; b < TABLE_SIZE && go; b++) {
		after = 0;
		while (go && after != INT32_MAX) {
			k = collect(b, &after, v);
			for (i = 0; i < k; i++) {
				if (go)
					go = fn(v[i], arg);
				thread_put(v[i]);
			}
		}
	}
}

/* The boot CPU's idle thread is what kmain() runs in; it exists before there
 * is a heap user, and makes the cache. */
struct thread *
thread_create_idle(struct cpu *c)
{
	struct thread *t = &boot_idle;

	if (!thread_cache)
		thread_cache =
			cache_create("thread", sizeof(struct thread), 64);
	else
		t = kzalloc(sizeof(*t), ALLOC_ATOMIC);
	if (!thread_cache || !t)
		panic("cpu %u: no memory for its idle thread", c->id);
	thread_setup(t, "idle");
	t->kernel = true;
	t->cpu = c;
	t->affinity = 1ull << c->id;
	t->run_start_ns = clock_mono_ns();
	refcount_set(&t->refs, 1);
	return t;
}
