/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU time of threads and of the process, and which part of it was spent in
 * the program and which in the kernel for it.
 *
 * The time as a whole is exact.  Its parts are by samples (sched.c), as on a
 * Linux that counts ticks: a thread's time is divided as its samples are, and
 * neither part ever falls, nor exceeds the whole.  The process's is the sum of
 * its threads'.
 *
 * Lock: the process's signal lock, for the list of threads and for what was
 * told last.
 */
#include <proc/process.h>

#include <core/spinlock.h>
#include <sched/thread.h>

/* total * part / all, all > 0 and part <= all; both are halved until the
 * product fits. */
static uint64_t
share(uint64_t total, uint64_t part, uint64_t all)
{
	while (all >> 32) {
		all >>= 1;
		part >>= 1;
	}
	return total / all * part + total % all * part / all;
}

static struct cpu_times
divide(struct thread *t)
{
	uint64_t total = thread_cpu_ns(t), s = 0, u;
	uint64_t user = READ_ONCE(t->sampled_user_ns),
		 kernel = READ_ONCE(t->sampled_kernel_ns);

	/* Clocks of two CPUs may differ a little. */
	if (total > t->utime_ns + t->stime_ns) {
		if (kernel)
			s = share(total, kernel, user + kernel);
		if (s < t->stime_ns)
			s = t->stime_ns;
		u = total - s;
		if (u < t->utime_ns) {
			u = t->utime_ns;
			s = total - u;
		}
		t->utime_ns = u;
		t->stime_ns = s;
	}
	return (struct cpu_times){ t->utime_ns, t->stime_ns };
}

struct cpu_times
process_cpu_times_locked(struct process *p)
{
	struct cpu_times sum = { p->dead_utime_ns, p->dead_stime_ns }, v;
	struct thread *t;

	list_for_each_entry(t, &p->threads, proc_link) {
		v = divide(t);
		sum.user_ns += v.user_ns;
		sum.system_ns += v.system_ns;
	}
	return sum;
}

void
process_keep_cpu_times(struct process *p, struct thread *t)
{
	struct cpu_times v = divide(t);

	p->dead_utime_ns += v.user_ns;
	p->dead_stime_ns += v.system_ns;
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
	struct cpu_times v = divide(t);

	spin_unlock_irq(&t->proc->sig.lock, f);
	return v;
}

uint64_t
process_cpu_ns_locked(struct process *p)
{
	uint64_t ns = p->dead_utime_ns + p->dead_stime_ns;
	struct thread *t;

	list_for_each_entry(t, &p->threads, proc_link)
		ns += thread_cpu_ns(t);
	return ns;
}

uint64_t
process_cpu_ns(struct process *p)
{
	irqflags_t f = spin_lock_irq(&p->sig.lock);
	uint64_t ns = process_cpu_ns_locked(p);

	spin_unlock_irq(&p->sig.lock, f);
	return ns;
}
