/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sched stands on, with POSIX threads as CPUs and ucontext as the
 * switch.  Interrupts (timers, kicks) are taken where the interrupt flag is
 * switched on and in a halt; a halt is a timed wait.
 */
#include "smp.h"

#include "../../../src/sched/sched_priv.h"

#include <abi/errno.h>
#include <arch/context.h>
#include <arch/smp.h>
#include <arch/upcall.h>
#include <core/clock.h>
#include <core/idle.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/reclaim.h>
#include <core/spinlock.h>
#include <core/timer.h>
#include <mem/heap.h>
#include <mem/kmap.h>
#include <sched/thread.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define NTIMERS 4096

struct hcpu {
	struct cpu cpu;
	bool irq_on;
	bool in_irq;
	ucontext_t boot;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool kicked;		       /* [lock] */
	struct timer *timers[NTIMERS]; /* [lock] */
	unsigned ntimers;
};

struct hthread {
	ucontext_t ctx;
	void (*fn)(void *);
	void *arg;
};

struct cpu *cpus[ARCH_MAX_CPUS];
unsigned cpu_online_count = 1;
uint64_t direct_map_base;

static struct hcpu machine[ARCH_MAX_CPUS];
static unsigned ncpus;
static __thread struct hcpu *here;

/* Not inlined: a thread may come back on another CPU. */
static __attribute__((noinline)) struct hcpu *
me(void)
{
	struct hcpu *h = here;

	__asm__ volatile("" : "+r"(h) : : "memory");
	return h;
}

struct cpu *
this_cpu(void)
{
	return &me()->cpu;
}

struct thread *
thread_current(void)
{
	return me()->cpu.current;
}

void
cpu_relax(void)
{
	sched_yield();
}

void
cpu_relax_poll(void)
{
	sched_yield();
}

/* The wall clock is the monotonic one, and nobody sets it. */
uint64_t
clock_real_ns(void)
{
	return clock_mono_ns();
}

uint64_t
clock_mono_of(uint64_t real_ns)
{
	return real_ns;
}

void
clock_watch(struct clock_watch *w)
{
	(void)w;
}

void
clock_unwatch(struct clock_watch *w)
{
	(void)w;
}

uint64_t
clock_mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- interrupts ---- */

static struct timer *
due(struct hcpu *h)
{
	uint64_t now = clock_mono_ns();

	for (unsigned i = 0; i < h->ntimers; i++) {
		struct timer *t = h->timers[i];

		if (t->deadline_ns > now)
			continue;
		h->timers[i] = h->timers[--h->ntimers];
		t->cpu = NULL;
		t->running = true;
		return t;
	}
	return NULL;
}

static void
take_interrupts(struct hcpu *h)
{
	struct timer *t;

	h->in_irq = true;
	h->irq_on = false;
	for (;;) {
		pthread_mutex_lock(&h->lock);
		h->kicked = false;
		t = due(h);
		pthread_mutex_unlock(&h->lock);
		if (!t)
			break;
		t->fn(t);
		__atomic_store_n(&t->running, false, __ATOMIC_RELEASE);
	}
	h->irq_on = true;
	h->in_irq = false;
}

irqflags_t
irq_save(void)
{
	struct hcpu *h = me();
	bool on = h->irq_on;

	h->irq_on = false;
	return on;
}

void
irq_enable(void)
{
	struct hcpu *h = me();

	h->irq_on = true;
	if (!h->in_irq)
		take_interrupts(h);
}

void
irq_restore(irqflags_t f)
{
	if (f)
		irq_enable();
}

void
irq_disable(void)
{
	me()->irq_on = false;
}

bool
irq_enabled(void)
{
	return me()->irq_on;
}

void
cpu_halt(void)
{
	struct hcpu *h = me();
	uint64_t until = clock_mono_ns() + 5000000;
	struct timespec ts;

	pthread_mutex_lock(&h->lock);
	for (unsigned i = 0; i < h->ntimers; i++)
		if (h->timers[i]->deadline_ns < until)
			until = h->timers[i]->deadline_ns;
	ts.tv_sec = (time_t)(until / NSEC_PER_SEC);
	ts.tv_nsec = (long)(until % NSEC_PER_SEC);
	while (!h->kicked && clock_mono_ns() < until)
		pthread_cond_timedwait(&h->cond, &h->lock, &ts);
	pthread_mutex_unlock(&h->lock);
	irq_enable();
}

void
smp_kick(unsigned id)
{
	struct hcpu *h = &machine[id];

	pthread_mutex_lock(&h->lock);
	h->kicked = true;
	pthread_cond_signal(&h->cond);
	pthread_mutex_unlock(&h->lock);
}

/* ---- timers: queued where they are set, as in core ---- */

void
timer_init(struct timer *t, void (*fn)(struct timer *))
{
	memset(t, 0, sizeof(*t));
	t->fn = fn;
}

bool
timer_try_cancel(struct timer *t)
{
	for (unsigned c = 0; c < ncpus; c++) {
		struct hcpu *h = &machine[c];
		bool found = false;

		pthread_mutex_lock(&h->lock);
		for (unsigned i = 0; i < h->ntimers; i++)
			if (h->timers[i] == t) {
				h->timers[i] = h->timers[--h->ntimers];
				found = true;
				break;
			}
		pthread_mutex_unlock(&h->lock);
		if (found)
			return true;
	}
	return false;
}

bool
timer_cancel(struct timer *t)
{
	bool was = timer_try_cancel(t);

	while (__atomic_load_n(&t->running, __ATOMIC_ACQUIRE))
		sched_yield();
	return was;
}

void
timer_set(struct timer *t, uint64_t deadline_ns)
{
	struct hcpu *h = me();

	timer_try_cancel(t);
	pthread_mutex_lock(&h->lock);
	if (h->ntimers == NTIMERS)
		panic("too many timers");
	t->deadline_ns = deadline_ns;
	h->timers[h->ntimers++] = t;
	pthread_mutex_unlock(&h->lock);
}

/* ---- the rest of core and mem ---- */

void
idle_poll(void)
{
}
bool
idle_begin(struct idle_due *due, bool awake)
{
	(void)due, (void)awake;
	return false;
}
bool
idle_look(struct idle_due *due)
{
	(void)due;
	return false;
}
bool
idle_end(struct idle_due *due)
{
	(void)due;
	return false;
}
void
reclaim_quiescent(void)
{
}
void
reclaim_run(void)
{
}
void
watchdog_init(void)
{
}
void
sched_reclaim_init(void)
{
}

/* Readers on other CPUs may look a little longer: never freed. */
void
reclaim_call(struct reclaim_head *h, void (*fn)(struct reclaim_head *))
{
	(void)h, (void)fn;
}

struct cache {
	size_t size;
};

struct cache *
cache_create(const char *name, size_t size, size_t align)
{
	static struct cache c;

	(void)name, (void)align;
	c.size = (size + 63) & ~63ul;
	return &c;
}

void *
cache_alloc(struct cache *c, unsigned alloc)
{
	void *p = aligned_alloc(64, c->size);

	(void)alloc;
	return p ? memset(p, 0, c->size) : NULL;
}

void
cache_free(struct cache *c, void *p)
{
	(void)c;
	free(p);
}
void *
kzalloc(size_t size, unsigned alloc)
{
	(void)alloc;
	return calloc(1, size);
}
void *
kmap_stack_alloc(size_t size)
{
	return malloc(size * 4);
}
void
kmap_stack_free(void *stack, size_t size)
{
	(void)size;
	free(stack);
}

/* ---- the switch ---- */

static void
trampoline(unsigned lo, unsigned hi)
{
	struct hthread *h = (void *)((uint64_t)hi << 32 | lo);

	h->fn(h->arg);
}

void
arch_thread_init(struct arch_thread *at, void *kstack, size_t size,
		 void (*fn)(void *), void *arg)
{
	struct hthread *h = calloc(1, sizeof(*h));

	h->fn = fn;
	h->arg = arg;
	getcontext(&h->ctx);
	h->ctx.uc_stack.ss_sp = kstack;
	h->ctx.uc_stack.ss_size = size * 4;
	makecontext(&h->ctx, (void (*)(void))trampoline, 2,
		    (unsigned)(uintptr_t)h,
		    (unsigned)((uint64_t)(uintptr_t)h >> 32));
	at->ksp = (uint64_t)h;
	at->kstack_top = (uint64_t)kstack + size * 4;
}

void
arch_switch(struct arch_thread *prev, struct arch_thread *next)
{
	ucontext_t *from = &me()->boot, *to = &me()->boot;

	if (prev->ksp)
		from = &((struct hthread *)prev->ksp)->ctx;
	if (next->ksp)
		to = &((struct hthread *)next->ksp)->ctx;
	swapcontext(from, to);
}

int
arch_fpu_init(struct arch_thread *at, const struct arch_thread *from)
{
	(void)at, (void)from;
	return 0;
}

void
arch_thread_fini(struct arch_thread *at)
{
	free((void *)at->ksp);
	at->ksp = 0;
}
void
arch_enter_user(void)
{
	panic("no user mode here");
}

/* ---- start ---- */

static void *
cpu_main(void *arg)
{
	here = arg;
	upcall_cpu_started();
}

struct run_args {
	void (*fn)(void *);
	void *arg;
};

static void
run_main(void *arg)
{
	struct run_args *a = arg;

	a->fn(a->arg);
	fflush(stdout);
	_exit(0);
}

void
host_smp_run(unsigned n, void (*fn)(void *), void *arg)
{
	static struct run_args a;
	pthread_condattr_t ca;
	struct thread *t;
	pthread_t pt;

	a = (struct run_args){ fn, arg };
	ncpus = n;
	pthread_condattr_init(&ca);
	pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++) {
		machine[i].cpu.id = i;
		machine[i].cpu.self = &machine[i].cpu;
		pthread_mutex_init(&machine[i].lock, NULL);
		pthread_cond_init(&machine[i].cond, &ca);
		cpus[i] = &machine[i].cpu;
	}
	here = &machine[0];
	here->cpu.online = true;
	sched_init();
	for (unsigned i = 1; i < n; i++)
		pthread_create(&pt, NULL, cpu_main, &machine[i]);
	while (__atomic_load_n(&cpu_online_count, __ATOMIC_ACQUIRE) < n)
		sched_yield();
	if (thread_create("main", run_main, &a, &t))
		abort();
	thread_start(t);
	sched_idle();
}
