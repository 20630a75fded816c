/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futexes: wait and wake by address.  Buckets are hashed by vm_futex_key.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct thread;

MUST_CHECK long futex_wait(struct thread *t, uint32_t __user *uaddr,
			   bool shared, uint32_t val, uint32_t bitset,
			   uint64_t deadline_ns);
MUST_CHECK long futex_wake(struct thread *t, uint32_t __user *uaddr,
			   bool shared, unsigned n, uint32_t bitset);
MUST_CHECK long futex_requeue(struct thread *t, uint32_t __user *from,
			      uint32_t __user *to, bool shared, unsigned wake,
			      unsigned requeue, bool cmp, uint32_t val);
MUST_CHECK long futex_wake_op(struct thread *t, uint32_t __user *a,
			      uint32_t __user *b, bool shared, unsigned na,
			      unsigned nb, uint32_t op);
/* Waits for the first of n that is woken: its index (the last, if several
 * are); -EAGAIN: one had another value.  n is at most FUTEX_WAITV_MAX. */
struct futex_want {
	uint32_t __user *uaddr;
	uint32_t val;
	bool shared;
};
MUST_CHECK long futex_wait_any(struct thread *t, const struct futex_want *v,
			       unsigned n, uint64_t deadline_ns);
/* Thread exit: walks the robust list, marks owners dead, wakes. */
void futex_exit_robust(struct thread *t);
