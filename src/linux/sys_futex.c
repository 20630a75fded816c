/* SPDX-License-Identifier: Apache-2.0 */
/*
 * futex(2) and robust lists: decode, call proc.
 */
#include <linux/syscalls_gen.h>

#include <abi/errno.h>
#include <abi/futex.h>
#include <abi/signal.h>
#include <linux/usertime.h>
#include <mem/heap.h>
#include <proc/futex.h>
#include <proc/process.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

/* A relative wait goes on to its first deadline after a signal that had no
 * handler. */
static long
restart_wait(struct thread *t, const uint64_t a[4])
{
	long n = futex_wait(t, (uint32_t __user *)a[0], a[1] >> 32,
			    (uint32_t)a[1], (uint32_t)a[2], a[3]);

	return n == -EINTR ? -ERESTART_RESTARTBLOCK : n;
}

static long
do_wait(struct thread *t, uint32_t __user *uaddr, int op, uint32_t val,
	const void __user *timeout, uint32_t bitset)
{
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	bool absolute = (op & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
	int clock =
		op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	uint64_t deadline;
	long n = get_user_deadline(timeout, clock, absolute, &deadline);

	if (n)
		return n;
	n = futex_wait(t, uaddr, shared, val, bitset, deadline);
	if (n != -EINTR)
		return n;
	if (deadline == TIME_NEVER)
		return -ERESTARTSYS;
	t->sig->restart = restart_wait;
	t->sig->restart_args[0] = (uint64_t)uaddr;
	t->sig->restart_args[1] = (uint64_t)shared << 32 | val;
	t->sig->restart_args[2] = bitset;
	t->sig->restart_args[3] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

long
sys_futex(struct thread *t, uint32_t __user *uaddr, int op, uint32_t val,
	  const void __user *timeout, uint32_t __user *uaddr2, uint32_t val3)
{
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	int cmd = op & FUTEX_CMD_MASK;
	int val2 = (int)(uintptr_t)timeout;

	if (op & FUTEX_CLOCK_REALTIME && cmd != FUTEX_WAIT &&
	    cmd != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
		return do_wait(t, uaddr, op, val, timeout,
			       FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return do_wait(t, uaddr, op, val, timeout, val3);
	case FUTEX_WAKE:
		/* Linux wakes one when asked for none. */
		return futex_wake(t, uaddr, shared, (int)val > 0 ? val : 1,
				  FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(t, uaddr, shared, (int)val > 0 ? val : 1,
				  val3);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		if ((int)val < 0 || val2 < 0)
			return -EINVAL;
		return futex_requeue(t, uaddr, uaddr2, shared, val,
				     (unsigned)val2, cmd == FUTEX_CMP_REQUEUE,
				     val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(t, uaddr, uaddr2, shared,
				     (int)val > 0 ? val : 1,
				     val2 > 0 ? (unsigned)val2 : 1, val3);
	default: /* priority inheritance, and what no Linux had */
		return -ENOSYS;
	}
}

long
sys_set_robust_list(struct thread *t, vaddr_t head, size_t len)
{
	if (len != sizeof(struct robust_list_head))
		return -EINVAL;
	t->robust_list = head;
	return 0;
}

long
sys_get_robust_list(struct thread *t, int pid, void __user *head,
		    void __user *len)
{
	uint64_t size = sizeof(struct robust_list_head), addr;
	struct thread *o = t;

	if (pid)
		o = thread_find(pid);
	else
		thread_get(o);
	if (!o)
		return -ESRCH;
	addr = o->robust_list;
	if (o->proc != t->proc) {
		thread_put(o);
		return -ESRCH;
	}
	thread_put(o);
	if (copy_to_user(len, &size, sizeof(size)))
		return -EFAULT;
	return copy_to_user(head, &addr, sizeof(addr));
}

static int
get_want(const struct futex_waitv __user *from, struct futex_want *to)
{
	struct futex_waitv w;

	if (copy_from_user(&w, from, sizeof(w)))
		return -EFAULT;
	if (w.flags & ~(FUTEX2_SIZE_MASK | (uint32_t)FUTEX2_PRIVATE) ||
	    (w.flags & FUTEX2_SIZE_MASK) != FUTEX2_SIZE_U32 || w.reserved)
		return -EINVAL;
	if (w.val > UINT32_MAX)
		return -EINVAL;
	to->uaddr = (uint32_t __user *)w.uaddr;
	to->val = (uint32_t)w.val;
	to->shared = !(w.flags & FUTEX2_PRIVATE);
	return 0;
}

long
sys_futex_waitv(struct thread *t, const void __user *waiters, uint32_t n,
		uint32_t flags, const void __user *timeout, int clock)
{
	const struct futex_waitv __user *from = waiters;
	struct futex_want *v;
	uint64_t deadline;
	unsigned i;
	long r;

	if (flags || !n || n > FUTEX_WAITV_MAX || !waiters)
		return -EINVAL;
	if (timeout && clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
		return -EINVAL;
	r = get_user_deadline(timeout, clock, true, &deadline);
	if (r)
		return r;
	v = kcalloc(n, sizeof(*v), ALLOC_KERNEL);
	if (!v)
		return -ENOMEM;
	for (i = 0; i < n && !r; i++)
		r = get_want(&from[i], &v[i]);
	if (!r)
		r = futex_wait_any(t, v, n, deadline);
	kfree(v);
	return r == -EINTR ? -ERESTARTSYS : r;
}
