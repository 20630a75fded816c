/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sampling profiler: a timer on each CPU looks at what its interrupt has
 * interrupted.  Addresses only; the host has the names.
 *
 * A CPU's samples lie in one of two buffers, each as large as a frame of the
 * control port; a thread sends them ten times a second.  What does not fit is
 * counted as lost.  The lock is that of the CPU whose samples they are.
 */
#include "profile.h"

#include "proc_priv.h"
#include "report.h"

#include <abi/pith.h>
#include <arch/context.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <base/string.h>
#include <core/backtrace.h>
#include <core/clock.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/percpu.h>
#include <core/spinlock.h>
#include <core/timer.h>
#include <dev/control.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/wait.h>
#include <vm/space.h>
#include <vm/uaccess.h>

#define DEPTH	48u /* of a stack, kernel and program together */
#define SEND_NS (NSEC_PER_SEC / 10)

struct sampler {
	struct timer timer;
	struct spinlock lock;
	uint8_t *buf[2];
	unsigned active; /* [lock] the one that is filled */
	size_t used;	 /* [lock] bytes of it */
	uint64_t lost;	 /* [lock] samples */
	bool started;	 /* [o] */
};

static struct sampler *samplers; /* [I] by CPU; NULL: off */
static unsigned nsamplers;	 /* [I] CPUs may still be coming up */
static uint64_t period_ns;	 /* [I] */
static unsigned sample_hz;	 /* [I] */
static bool stopped;		 /* [a] */
static struct mutex send_lock;	 /* one sends; RANK_TRACE */

/* ---- one sample ---- */

/* The addresses of a stack, innermost first. */
struct chain {
	uint64_t pc[DEPTH];
	unsigned n;
};

static void
push(struct chain *c, uint64_t pc)
{
	if (c->n < DEPTH)
		c->pc[c->n++] = pc;
}

static void
kernel_chain(struct chain *c, const struct thread *t, const struct regs *r)
{
	uint64_t low = (uint64_t)t->kstack, fp = regs_fp(r);

	push(c, backtrace_linked(regs_pc(r)));
	while (fp >= low && fp - low <= KSTACK_SIZE - 16 && !(fp & 7)) {
		const uint64_t *f = (const uint64_t *)fp;

		if (!f[1])
			return;
		push(c, backtrace_linked(f[1]));
		if (f[0] <= fp)
			return;
		fp = f[0];
	}
}

/* By frame pointers, where the program keeps them.  Interrupts are off: what
 * is not in memory ends the walk. */
static void
user_chain(struct chain *c, const struct regs *r)
{
	uint64_t fp = regs_fp(r), f[2];

	if (!regs_pc(r)) /* it has not been in the program yet */
		return;
	push(c, regs_pc(r));
	while (c->n < DEPTH && fp && !(fp & 7)) {
		if (copy_from_user_nofault(f, (const void __user *)fp,
					   sizeof(f)) ||
		    !f[1])
			return;
		push(c, f[1]);
		if (f[0] <= fp) /* stacks grow down: no loops */
			return;
		fp = f[0];
	}
}

static void
store(struct sampler *s, const struct pith_sample *h, const struct chain *c)
{
	size_t len = c->n * sizeof(c->pc[0]);
	uint8_t *p;

	spin_lock(&s->lock);
	p = s->buf[s->active] + s->used;
	if (s->used + sizeof(*h) + len > PITH_FRAME_MAX) {
		s->lost++;
	} else {
		memcpy(p, h, sizeof(*h));
		memcpy(p + sizeof(*h), c->pc, len);
		s->used += sizeof(*h) + len;
	}
	spin_unlock(&s->lock);
}

static void
take_sample(struct sampler *s)
{
	const struct cpu *cpu = this_cpu();
	const struct regs *r = cpu->irq_regs;
	const struct thread *t = thread_current();
	struct pith_sample h = { .thread = (uint32_t)t->tid,
				 .cpu = (uint8_t)cpu->id };
	struct chain c = { .n = 0 };

	if (t == cpu->idle_thread) {
		h.mode = PITH_SAMPLE_IDLE;
	} else if (regs_user(r)) {
		h.mode = PITH_SAMPLE_USER;
		user_chain(&c, r);
	} else {
		h.mode = PITH_SAMPLE_KERNEL;
		kernel_chain(&c, t, r);
		h.kernel = (uint8_t)c.n;
		if (!t->kernel && t->space)
			user_chain(&c, arch_user_regs(&t->arch));
	}
	h.depth = (uint8_t)c.n;
	store(s, &h, &c);
}

static void
tick(struct timer *timer)
{
	struct sampler *s = container_of(timer, struct sampler, timer);
	uint64_t now = clock_mono_ns(), next = timer->deadline_ns + period_ns;

	if (atomic_load_relaxed(&stopped))
		return;
	take_sample(s);
	/* After a time without interrupts the missed ones are left out. */
	timer_set(timer, next > now ? next : now + period_ns);
}

/* ---- sending ---- */

static void
send_cpu(struct sampler *s)
{
	irqflags_t f = spin_lock_irq(&s->lock);
	const uint8_t *buf = s->buf[s->active];
	size_t used = s->used;

	s->active ^= 1;
	s->used = 0;
	spin_unlock_irq(&s->lock, f);
	if (used)
		control_send(PITH_FRAME_SAMPLES, buf, used);
}

static void
send_all(void)
{
	mutex_lock(&send_lock);
	for (unsigned i = 0; i < nsamplers; i++)
		send_cpu(&samplers[i]);
	mutex_unlock(&send_lock);
}

static void
start_here(void *arg)
{
	struct sampler *s = &samplers[this_cpu()->id];

	(void)arg;
	if (s->started)
		return;
	s->started = true;
	timer_set(&s->timer, clock_mono_ns() + period_ns);
}

/* A CPU that comes up later is met the next time. */
static void
start_everywhere(void)
{
	irqflags_t f = irq_save();

	start_here(NULL);
	irq_restore(f);
	smp_call_others(start_here, NULL);
}

static void
sender(void *arg)
{
	unsigned online = 0;
	struct waitq wq;
	struct wait_entry e;

	(void)arg;
	waitq_init(&wq);
	while (!atomic_load_relaxed(&stopped)) {
		wait_start(&wq, &e, false);
		ignore(wait_sleep(&e, clock_mono_ns() + SEND_NS));
		wait_end(&wq, &e);
		if (online != cpu_online_count && !atomic_load(&stopped)) {
			online = cpu_online_count;
			start_everywhere();
		}
		send_all();
	}
}

void
profile_mapped(struct vm_space *space)
{
	uint64_t lost = 0;
	struct report *r;

	if (!samplers)
		return;
	send_all();
	r = report_begin(PITH_FRAME_PROFILE, space);
	if (!r) {
		log_warn("no memory to say what the samples belong to");
		return;
	}
	for (unsigned i = 0; i < nsamplers; i++)
		lost += atomic_load_relaxed(&samplers[i].lost);
	report_line(r, "rate %u", sample_hz);
	report_line(r, "cpus %u", cpu_online_count);
	report_line(r, "lost %lu", (unsigned long)lost);
	report_maps(r);
	report_end(r);
}

void
profile_end(struct vm_space *space)
{
	if (!samplers)
		return;
	atomic_store(&stopped, true);
	for (unsigned i = 0; i < nsamplers; i++)
		timer_cancel(&samplers[i].timer);
	profile_mapped(space);
}

/* ---- the start ---- */

static void
free_samplers(struct sampler *s)
{
	for (unsigned i = 0; s && i < nsamplers; i++) {
		kfree(s[i].buf[0]);
		kfree(s[i].buf[1]);
	}
	kfree(s);
}

static struct sampler *
make_samplers(void)
{
	struct sampler *s = kzalloc(nsamplers * sizeof(*s), ALLOC_KERNEL);

	for (unsigned i = 0; s && i < nsamplers; i++) {
		timer_init(&s[i].timer, tick);
		spin_init(&s[i].lock, RANK_PROFILE);
		s[i].buf[0] = kmalloc(PITH_FRAME_MAX, ALLOC_KERNEL);
		s[i].buf[1] = kmalloc(PITH_FRAME_MAX, ALLOC_KERNEL);
		if (!s[i].buf[0] || !s[i].buf[1]) {
			free_samplers(s);
			return NULL;
		}
	}
	return s;
}

void
profile_start(unsigned hz)
{
	struct sampler *s;
	struct thread *t;

	nsamplers = smp_count();
	s = make_samplers();
	if (!s || thread_create("profile", sender, NULL, &t)) {
		free_samplers(s);
		control_notice("no memory for --profile: nothing is sampled");
		return;
	}
	mutex_init(&send_lock, RANK_TRACE);
	sample_hz = hz;
	period_ns = NSEC_PER_SEC / hz;
	samplers = s;
	thread_start(t);
	start_everywhere();
}
