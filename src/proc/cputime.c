/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU time of threads and of the process, and which part of it was spent in
 * the program and which in the kernel for it.
 *
 * The time as a whole is exact.  Its parts are by samples (sched.c), as on a
 * Linux that counts ticks: the time is divided as the samples are, and
 * neither part ever falls, nor exceeds the whole.
 *
 * Lock: the process's signal lock, for the list of threads and for what was
 * told last.
 */
#include <proc/process.h>

#include <core/spinlock.h>
#include <sched/thread.h>

/* total * part / all, all > 0 and part <= all < 2^32: a machine that counts
 * 250 samples a second on each of 64 CPUs does so for three days; then both
 * are halved until they fit. */
static uint64_t
share(uint64_t total, uint64_t part, uint64_t all)
{
	while (all >> 32) {
		all >>= 1;
		part >>= 1;
	}
	return total / all * part + total % all * part / all;
}

static void
divide(uint64_t total, uint64_t user, uint64_t kernel, uint64_t *utime,
       uint64_t *stime)
{
	uint64_t s = 0, u;

	if (total <= *utime + *stime)
		return; /* clocks of two CPUs may differ a little */
	if (kernel)
		s = share(total, kernel, user + kernel);
	if (s < *stime)
		s = *stime;
	u = total - s;
	if (u < *utime) {
		u = *utime;
		s = total - u;
	}
	*utime = u;
	*stime = s;
}

struct cpu_times
process_cpu_times_locked(struct process *p)
{
	uint64_t ns = p->dead_cpu_ns, user = p->dead_user_samples,
		 kernel = p->dead_kernel_samples;
	struct thread *t;

	list_for_each_entry(t, &p->threads, proc_link) {
		ns += thread_cpu_ns(t);
		user += READ_ONCE(t->user_samples);
		kernel += READ_ONCE(t->kernel_samples);
	}
	divide(ns, user, kernel, &p->utime_ns, &p->stime_ns);
	return (struct cpu_times){ p->utime_ns, p->stime_ns };
}

struct cpu_times
process_cpu_times(struct process *p)
{
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	struct cpu_times v = process_cpu_times_locked(p);

	spin_unlock_irq(&p->sig.lock, f);
	return v;
}

struct cpu_times
thread_cpu_times(struct thread *t)
{
	irqflags_t f = spin_lock_irq(&t->proc->sig.lock);
	struct cpu_times v;

	divide(thread_cpu_ns(t), READ_ONCE(t->user_samples),
	       READ_ONCE(t->kernel_samples), &t->utime_ns, &t->stime_ns);
	v = (struct cpu_times){ t->utime_ns, t->stime_ns };
	spin_unlock_irq(&t->proc->sig.lock, f);
	return v;
}

uint64_t
process_cpu_ns(struct process *p)
{
	struct thread *t;
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	uint64_t ns = p->dead_cpu_ns;

	list_for_each_entry(t, &p->threads, proc_link)
		ns += thread_cpu_ns(t);
	spin_unlock_irq(&p->sig.lock, f);
	return ns;
}
