/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduling: yield, affinity, policies, priorities, membarrier, rseq.
 *
 * One scheduling class: SCHED_OTHER, with BATCH and IDLE as names for it that
 * are refused; real-time policies answer EPERM, as without CAP_SYS_NICE.
 */
#include <linux/syscalls_gen.h>

#include <abi/errno.h>
#include <abi/prctl.h>
#include <abi/resource.h>
#include <abi/sched.h>
#include <arch/mmu.h>
#include <arch/smp.h>
#include <base/math.h>
#include <base/string.h>
#include <core/percpu.h>
#include <file/cred.h>
#include <linux/usertime.h>
#include <proc/process.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define SLICE_NS 4000000ull /* sched_rr_get_interval: what sched gives */

/* A thread of the program by number, 0: the caller; with a reference. */
static struct thread *
find(struct thread *t, int pid)
{
	struct thread *o;

	if (!pid || pid == t->tid) {
		thread_get(t);
		return t;
	}
	o = pid > 0 ? thread_find(pid) : NULL;
	if (o && o->proc != t->proc) {
		thread_put(o);
		o = NULL;
	}
	return o;
}

static uint64_t
online_mask(void)
{
	uint64_t mask = 0;
	unsigned i;

	for (i = 0; i < ARCH_MAX_CPUS; i++)
		if (cpus[i] && cpus[i]->online)
			mask |= 1ull << i;
	return mask;
}

long
sys_sched_yield(struct thread *t)
{
	(void)t;
	thread_yield();
	return 0;
}

long
sys_sched_setaffinity(struct thread *t, int pid, size_t len,
		      const void __user *mask)
{
	uint64_t m = 0;
	struct thread *o;
	long err;

	if (copy_from_user(&m, mask, min_size(len, sizeof(m))))
		return -EFAULT;
	o = find(t, pid);
	if (!o)
		return -ESRCH;
	err = thread_set_affinity(o, m);
	thread_put(o);
	return err;
}

long
sys_sched_getaffinity(struct thread *t, int pid, size_t len, void __user *mask)
{
	struct thread *o;
	uint64_t m;

	if (len < sizeof(m) || len & 7)
		return -EINVAL;
	o = find(t, pid);
	if (!o)
		return -ESRCH;
	m = o->affinity & online_mask();
	thread_put(o);
	if (copy_to_user(mask, &m, sizeof(m)))
		return -EFAULT;
	return sizeof(m);
}

/* ---- policies ---- */

static int
check_policy(int policy, int priority)
{
	switch (policy & ~SCHED_RESET_ON_FORK) {
	case SCHED_OTHER:
		return priority ? -EINVAL : 0;
	case SCHED_FIFO:
	case SCHED_RR:
		return priority < 1 || priority > 99 ? -EINVAL : -EPERM;
	case SCHED_DEADLINE:
		return -EPERM;
	default: /* BATCH and IDLE would be other classes */
		return -EINVAL;
	}
}

long
sys_sched_setscheduler(struct thread *t, int pid, int policy,
		       const void __user *param)
{
	struct sched_param p;
	struct thread *o;

	if (pid < 0)
		return -EINVAL;
	if (copy_from_user(&p, param, sizeof(p)))
		return -EFAULT;
	o = find(t, pid);
	if (!o)
		return -ESRCH;
	thread_put(o);
	return check_policy(policy, p.sched_priority);
}

long
sys_sched_getscheduler(struct thread *t, int pid)
{
	struct thread *o;

	if (pid < 0)
		return -EINVAL;
	o = find(t, pid);
	if (!o)
		return -ESRCH;
	thread_put(o);
	return SCHED_OTHER;
}

long
sys_sched_setparam(struct thread *t, int pid, const void __user *param)
{
	return param ? sys_sched_setscheduler(t, pid, SCHED_OTHER, param) :
		       -EINVAL;
}

long
sys_sched_getparam(struct thread *t, int pid, void __user *param)
{
	struct sched_param p = { 0 };
	long err = sys_sched_getscheduler(t, pid);

	if (err < 0)
		return err;
	return copy_to_user(param, &p, sizeof(p));
}

long
sys_sched_get_priority_max(struct thread *t, int policy)
{
	(void)t;
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return 99;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		return 0;
	default:
		return -EINVAL;
	}
}

long
sys_sched_get_priority_min(struct thread *t, int policy)
{
	long max = sys_sched_get_priority_max(t, policy);

	return max == 99 ? 1 : max;
}

long
sys_sched_rr_get_interval(struct thread *t, int pid, void __user *interval)
{
	long err = sys_sched_getscheduler(t, pid);

	if (err < 0)
		return err;
	return put_user_timespec(interval, SLICE_NS);
}

/* What a later version adds must not ask for anything. */
static int
zeros_beyond(const void __user *from, uint32_t size, uint32_t known)
{
	for (uint32_t at = known; at < size; at++) {
		uint8_t c;

		if (copy_from_user(&c, (const char __user *)from + at, 1))
			return -EFAULT;
		if (c)
			return -E2BIG;
	}
	return 0;
}

long
sys_sched_setattr(struct thread *t, int pid, const void __user *uattr,
		  uint32_t flags)
{
	struct sched_attr a;
	struct thread *o;
	uint32_t size;
	int err;

	if (pid < 0 || flags || !uattr)
		return -EINVAL;
	if (copy_from_user(&size, uattr, sizeof(size)))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
		return -E2BIG;
	memset(&a, 0, sizeof(a));
	if (copy_from_user(&a, uattr, min_size(size, sizeof(a))))
		return -EFAULT;
	err = zeros_beyond(uattr, size, sizeof(a));
	if (err)
		return err;
	if (a.sched_flags)
		return -EINVAL;
	o = find(t, pid);
	if (!o)
		return -ESRCH;
	err = check_policy((int)a.sched_policy, (int)a.sched_priority);
	if (!err && (a.sched_nice < -20 || a.sched_nice > 19))
		err = -EINVAL;
	if (!err && a.sched_nice < o->nice &&
	    !cred_capable(t->cred, CAP_SYS_NICE))
		err = -EPERM;
	if (!err)
		thread_set_nice(o, a.sched_nice);
	thread_put(o);
	return err;
}

long
sys_sched_getattr(struct thread *t, int pid, void __user *uattr, uint32_t size,
		  uint32_t flags)
{
	struct sched_attr a;
	struct thread *o;

	if (pid < 0 || flags || !uattr || size < SCHED_ATTR_SIZE_VER0 ||
	    size > PAGE_SIZE)
		return -EINVAL;
	o = find(t, pid);
	if (!o)
		return -ESRCH;
	memset(&a, 0, sizeof(a));
	a.size = (uint32_t)min_size(size, sizeof(a));
	a.sched_nice = o->nice;
	thread_put(o);
	return copy_to_user(uattr, &a, a.size);
}

/* ---- nice values ---- */

long
sys_getpriority(struct thread *t, int which, int who)
{
	struct thread *o;
	long n;

	if (which == PRIO_USER || which == PRIO_PGRP) {
		if (who && who != (which == PRIO_USER ? (int)t->cred->uid :
							t->proc->pgid))
			return -ESRCH;
		return 20 - t->nice;
	}
	if (which != PRIO_PROCESS)
		return -EINVAL;
	o = find(t, who);
	if (!o)
		return -ESRCH;
	n = 20 - o->nice;
	thread_put(o);
	return n;
}

struct nice_args {
	struct process *p;
	int nice;
};

static bool
set_nice(struct thread *t, void *arg)
{
	const struct nice_args *a = arg;

	if (t->proc == a->p)
		thread_set_nice(t, a->nice);
	return true;
}

long
sys_setpriority(struct thread *t, int which, int who, int nice)
{
	struct nice_args a = { .p = t->proc };
	struct thread *o = t;
	long err = 0;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	nice = (int)max_i64(min_i64(nice, 19), -20);
	if (which != PRIO_PROCESS && who &&
	    who != (which == PRIO_USER ? (int)t->cred->uid : t->proc->pgid))
		return -ESRCH;
	o = find(t, which == PRIO_PROCESS ? who : 0);
	if (!o)
		return -ESRCH;
	if (nice < o->nice && !cred_capable(t->cred, CAP_SYS_NICE))
		err = -EACCES;
	if (!err && which == PRIO_PROCESS)
		thread_set_nice(o, nice);
	a.nice = nice;
	if (!err && which != PRIO_PROCESS)
		thread_for_each(set_nice, &a);
	thread_put(o);
	return err;
}

/* ---- where am I ---- */

long
sys_getcpu(struct thread *t, void __user *cpu, void __user *node,
	   const void __user *cache)
{
	uint32_t id = this_cpu()->id, zero = 0;

	(void)t;
	(void)cache; /* unused since Linux 2.6.24 */
	if (cpu && copy_to_user(cpu, &id, sizeof(id)))
		return -EFAULT;
	if (node && copy_to_user(node, &zero, sizeof(zero)))
		return -EFAULT;
	return 0;
}

long
sys_rseq(struct thread *t, uint64_t area, uint32_t len, int flags, uint32_t sig)
{
	struct rseq_abi a;

	if (flags & RSEQ_FLAG_UNREGISTER) {
		if (flags & ~RSEQ_FLAG_UNREGISTER || t->rseq_addr != area ||
		    !area || t->rseq_len != len)
			return -EINVAL;
		if (t->rseq_sig != sig)
			return -EPERM;
		memset(&a, 0, sizeof(a));
		a.cpu_id = RSEQ_CPU_ID_UNINITIALIZED;
		if (copy_to_user((void __user *)area, &a, sizeof(a)))
			return -EFAULT;
		t->rseq_addr = 0;
		t->rseq_len = 0;
		return 0;
	}
	if (flags)
		return -EINVAL;
	if (t->rseq_addr) {
		if (t->rseq_addr != area || t->rseq_len != len)
			return -EINVAL;
		return t->rseq_sig != sig ? -EPERM : -EBUSY;
	}
	if (area & 31 || len != sizeof(a))
		return -EINVAL;
	if (!user_range_ok((void __user *)area, len))
		return -EFAULT;
	t->rseq_addr = area;
	t->rseq_len = len;
	t->rseq_sig = sig;
	/* The area is filled in on the way back. */
	atomic_or(&t->pending, PENDING_RSEQ);
	return 0;
}

/* ---- membarrier ---- */

#define MB_COMMANDS                                                \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | \
	 MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |                \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED |                        \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |               \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |              \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

static void
barrier_here(void *arg)
{
	(void)arg;
	atomic_fence();
}

/* An interrupt is a full barrier, and IRET serialises the instruction
 * stream, which is what SYNC_CORE asks for. */
static long
barrier_everywhere(void)
{
	atomic_fence();
	if (cpu_online_count > 1)
		smp_call_others(barrier_here, NULL);
	return 0;
}

long
sys_membarrier(struct thread *t, int cmd, uint32_t flags, int cpu)
{
	uint32_t *ready = &t->proc->membarrier;

	(void)cpu; /* only with a flag that we don't take */
	if (flags)
		return -EINVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return MB_COMMANDS;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		return barrier_everywhere();
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		atomic_or(ready, (uint32_t)cmd);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		if (!(atomic_load_relaxed(ready) &
		      MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
			return -EPERM;
		return barrier_everywhere();
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		if (!(atomic_load_relaxed(ready) &
		      MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE))
			return -EPERM;
		return barrier_everywhere();
	default:
		return -EINVAL;
	}
}
