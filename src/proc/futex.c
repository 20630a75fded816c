/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futexes.
 *
 * Buckets by hash of the key, each with a spin lock and the list of waiters,
 * which lie on the sleepers' stacks.  User memory is read without the lock
 * (the read may fault): a sleeper looks at the word, enters its bucket, and
 * looks again.  A waker changes the word before it looks at the bucket, so
 * either the second look sees the change, or the waker finds the sleeper.
 * One that was woken and sees a change too passes the wake on: the call that
 * should not have slept must not swallow a wake.
 *
 * A waker clears w->bucket last of all it does with a waiter: from then on
 * the sleeper may return and its stack is gone.
 *
 * Priority inheritance is not here: all threads are of one scheduling class.
 */
#include <proc/futex.h>

#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/futex.h>
#include <core/clock.h>
#include <mem/heap.h>
#include <vm/space.h>
#include <vm/uaccess.h>

#define BUCKET_BITS 8

struct bucket {
	struct spinlock lock; /* RANK_FUTEX */
	unsigned nwaiters;    /* [lock, a read] */
	struct list waiters;  /* [lock] in order of arrival */
} ALIGNED(64);

struct waiter {
	struct list link;     /* [bucket's lock] */
	struct futex_key key; /* [bucket's lock] requeue changes it */
	struct thread *thread;
	struct bucket *bucket; /* [bucket's lock, a read] NULL: woken */
	uint32_t bitset;
};

static struct bucket buckets[1 << BUCKET_BITS];

static struct bucket *
bucket_of(const struct futex_key *k)
{
	uint64_t h = ((uint64_t)k->owner >> 4) ^ (k->offset >> 2);

	return &buckets[h * 0x9e3779b97f4a7c15ull >> (64 - BUCKET_BITS)];
}

static bool
same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->owner == b->owner && a->offset == b->offset;
}

/* The lists are made at first use; zeroes are an unlocked lock. */
static void
bucket_lock(struct bucket *b)
{
	spin_lock(&b->lock);
	if (unlikely(!b->waiters.next)) {
		list_init(&b->waiters);
		b->lock.rank = RANK_FUTEX;
	}
}

static int
key_of(struct thread *t, const uint32_t __user *uaddr, bool shared,
       struct futex_key *k)
{
	vaddr_t addr = (vaddr_t)uaddr;

	if (addr & 3)
		return -EINVAL;
	return vm_futex_key(t->space, addr, shared, k);
}

static void
enter(struct bucket *b, struct waiter *w)
{
	bucket_lock(b);
	w->bucket = b;
	list_add_tail(&b->waiters, &w->link);
	atomic_store_relaxed(&b->nwaiters, b->nwaiters + 1);
	spin_unlock(&b->lock);
}

static void
unlink_locked(struct waiter *w)
{
	list_del(&w->link);
	atomic_store_relaxed(&w->bucket->nwaiters, w->bucket->nwaiters - 1);
}

/* true: it was still waiting. */
static bool
leave(struct waiter *w)
{
	for (;;) {
		struct bucket *b = atomic_load_acquire(&w->bucket);

		if (!b)
			return false;
		spin_lock(&b->lock);
		if (w->bucket == b) {
			unlink_locked(w);
			w->bucket = NULL;
			spin_unlock(&b->lock);
			return true;
		}
		spin_unlock(&b->lock);
	}
}

/* The thread outlives this: its memory goes by deferred reclamation. */
static void
wake_locked(struct waiter *w)
{
	struct thread *t = w->thread;

	unlink_locked(w);
	atomic_store_release(&w->bucket, NULL);
	thread_wake(t);
}

static unsigned
wake_key(const struct futex_key *k, unsigned n, uint32_t bitset)
{
	struct bucket *b = bucket_of(k);
	struct waiter *w, *next;
	unsigned woken = 0;

	/* The caller's change of the word comes first. */
	atomic_fence();
	if (!atomic_load_relaxed(&b->nwaiters) || !n)
		return 0;
	bucket_lock(b);
	list_for_each_entry_safe(w, next, &b->waiters, link) {
		if (!same_key(&w->key, k) || !(w->bitset & bitset))
			continue;
		wake_locked(w);
		if (++woken == n)
			break;
	}
	spin_unlock(&b->lock);
	return woken;
}

/* w is in its bucket.  0 woken, -ETIMEDOUT, -EINTR. */
static int
sleep_in_bucket(struct waiter *w, uint64_t deadline_ns)
{
	int err = 0;

	while (atomic_load_acquire(&w->bucket)) {
		err = thread_sleep(deadline_ns);
		if (err)
			break;
		thread_prepare_sleep(true);
	}
	thread_cancel_sleep();
	/* A wake that came first counts. */
	return leave(w) ? err : 0;
}

long
futex_wait(struct thread *t, uint32_t __user *uaddr, bool shared, uint32_t val,
	   uint32_t bitset, uint64_t deadline_ns)
{
	struct waiter w = { .thread = t, .bitset = bitset };
	uint32_t now;
	int err;

	if (!bitset)
		return -EINVAL;
	err = key_of(t, uaddr, shared, &w.key);
	if (err)
		return err;
	if (user_load32(uaddr, &now))
		return -EFAULT;
	if (now != val)
		return -EAGAIN;
	enter(bucket_of(&w.key), &w);
	thread_prepare_sleep(true);
	err = user_load32(uaddr, &now) ? -EFAULT : 0;
	if (!err && now == val)
		return sleep_in_bucket(&w, deadline_ns);
	thread_cancel_sleep();
	if (!leave(&w))
		wake_key(&w.key, 1, bitset);
	return err ? err : -EAGAIN;
}

/* ---- several at once ---- */

/* 0: all have their values; -EAGAIN, -EFAULT. */
static int
look(const struct futex_want *v, unsigned n)
{
	uint32_t now;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (user_load32(v[i].uaddr, &now))
			return -EFAULT;
		if (now != v[i].val)
			return -EAGAIN;
	}
	return 0;
}

static bool
any_woken(const struct waiter *w, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (!atomic_load_acquire(&w[i].bucket))
			return true;
	return false;
}

/* Out of all buckets: the last that was woken, or err. */
static long
leave_all(struct waiter *w, unsigned n, int err)
{
	long woken = -1;
	unsigned i;

	for (i = 0; i < n; i++)
		if (!leave(&w[i]))
			woken = i;
	return woken < 0 ? err : woken;
}

static long
wait_in_buckets(struct waiter *w, const struct futex_want *v, unsigned n,
		uint64_t deadline_ns)
{
	unsigned i;
	int err;

	for (i = 0; i < n; i++)
		enter(bucket_of(&w[i].key), &w[i]);
	thread_prepare_sleep(true);
	err = look(v, n);
	while (!err && !any_woken(w, n)) {
		err = thread_sleep(deadline_ns);
		thread_prepare_sleep(true);
	}
	thread_cancel_sleep();
	return leave_all(w, n, err);
}

long
futex_wait_any(struct thread *t, const struct futex_want *v, unsigned n,
	       uint64_t deadline_ns)
{
	struct waiter *w = kcalloc(n, sizeof(*w), ALLOC_KERNEL);
	unsigned i;
	long r = 0;

	if (!w)
		return -ENOMEM;
	for (i = 0; i < n && !r; i++) {
		w[i].thread = t;
		w[i].bitset = FUTEX_BITSET_MATCH_ANY;
		r = key_of(t, v[i].uaddr, v[i].shared, &w[i].key);
	}
	if (!r)
		r = look(v, n);
	if (!r)
		r = wait_in_buckets(w, v, n, deadline_ns);
	kfree(w);
	return r;
}

long
futex_wake(struct thread *t, uint32_t __user *uaddr, bool shared, unsigned n,
	   uint32_t bitset)
{
	struct futex_key k;
	int err;

	if (!bitset)
		return -EINVAL;
	err = key_of(t, uaddr, shared, &k);
	return err ? err : (long)wake_key(&k, n, bitset);
}

static void
lock_two(struct bucket *a, struct bucket *b)
{
	if (a > b) {
		struct bucket *c = a;

		a = b;
		b = c;
	}
	bucket_lock(a);
	if (a != b)
		bucket_lock(b);
}

static void
unlock_two(struct bucket *a, struct bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

static long
requeue_locked(const struct futex_key *kf, const struct futex_key *kt,
	       unsigned wake, unsigned requeue)
{
	struct bucket *from = bucket_of(kf), *to = bucket_of(kt);
	struct waiter *w, *next;
	unsigned woken = 0, moved = 0;
	struct list *end = from->waiters.prev;
	bool last = false;

	list_for_each_entry_safe(w, next, &from->waiters, link) {
		/* Entries that we move to the end of the same list are not
		 * looked at again. */
		if (last || list_empty(&from->waiters))
			break;
		last = &w->link == end;
		if (!same_key(&w->key, kf))
			continue;
		if (woken < wake) {
			wake_locked(w);
			woken++;
			continue;
		}
		if (moved == requeue)
			break;
		w->key = *kt;
		if (from != to) {
			unlink_locked(w);
			list_add_tail(&to->waiters, &w->link);
			atomic_store_relaxed(&to->nwaiters, to->nwaiters + 1);
			atomic_store_release(&w->bucket, to);
		}
		moved++;
	}
	return (long)woken + moved;
}

long
futex_requeue(struct thread *t, uint32_t __user *from, uint32_t __user *to,
	      bool shared, unsigned wake, unsigned requeue, bool cmp,
	      uint32_t val)
{
	struct futex_key kf, kt;
	struct bucket *bf, *bt;
	uint32_t now = val;
	size_t left;
	long n;
	int err = key_of(t, from, shared, &kf);

	if (!err)
		err = key_of(t, to, shared, &kt);
	if (err)
		return err;
	bf = bucket_of(&kf);
	bt = bucket_of(&kt);
	for (;;) {
		if (cmp && user_prefault(from, sizeof(*from), false))
			return -EFAULT;
		lock_two(bf, bt);
		/* Who changes *from and then wakes at `to` without taking the
		 * lock was seen here, or sees that somebody may come. */
		atomic_add(&bt->nwaiters, 1);
		left = cmp ? copy_from_user_nofault(&now, from, sizeof(now)) :
			     0;
		if (!left)
			break;
		atomic_sub(&bt->nwaiters, 1);
		unlock_two(bf, bt);
		if (thread_signal_pending())
			return -EINTR;
	}
	if (now != val)
		n = -EAGAIN;
	else
		n = requeue_locked(&kf, &kt, wake, requeue);
	atomic_sub(&bt->nwaiters, 1);
	unlock_two(bf, bt);
	return n;
}

/* ---- FUTEX_WAKE_OP ---- */

static int32_t
sign_extend12(uint32_t v)
{
	return (int32_t)(v << 20) >> 20;
}

static int
apply_op(uint32_t __user *b, uint32_t op, uint32_t *old)
{
	uint32_t kind = op >> 28 & 7, arg = (uint32_t)sign_extend12(op >> 12);
	uint32_t new, found;

	if (op >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = 1u << (arg & 31);
	if (kind > FUTEX_OP_XOR)
		return -ENOSYS;
	if (user_load32(b, old))
		return -EFAULT;
	for (;;) {
		switch (kind) {
		case FUTEX_OP_SET:
			new = arg;
			break;
		case FUTEX_OP_ADD:
			new = *old + arg;
			break;
		case FUTEX_OP_OR:
			new = *old | arg;
			break;
		case FUTEX_OP_ANDN:
			new = *old & ~arg;
			break;
		default:
			new = *old ^ arg;
			break;
		}
		if (user_cas32(b, *old, new, &found))
			return -EFAULT;
		if (found == *old)
			return 0;
		*old = found;
	}
}

static int
compare_op(uint32_t op, uint32_t old)
{
	int32_t v = (int32_t)old, arg = sign_extend12(op);

	switch (op >> 24 & 15) {
	case FUTEX_OP_CMP_EQ:
		return v == arg;
	case FUTEX_OP_CMP_NE:
		return v != arg;
	case FUTEX_OP_CMP_LT:
		return v < arg;
	case FUTEX_OP_CMP_LE:
		return v <= arg;
	case FUTEX_OP_CMP_GT:
		return v > arg;
	case FUTEX_OP_CMP_GE:
		return v >= arg;
	default:
		return -ENOSYS;
	}
}

long
futex_wake_op(struct thread *t, uint32_t __user *a, uint32_t __user *b,
	      bool shared, unsigned na, unsigned nb, uint32_t op)
{
	struct futex_key ka, kb;
	uint32_t old;
	long n;
	int err = key_of(t, a, shared, &ka), cmp;

	if (!err)
		err = key_of(t, b, shared, &kb);
	if (!err)
		err = apply_op(b, op, &old);
	if (err)
		return err;
	cmp = compare_op(op, old);
	if (cmp < 0)
		return cmp;
	n = wake_key(&ka, na, FUTEX_BITSET_MATCH_ANY);
	if (cmp)
		n += wake_key(&kb, nb, FUTEX_BITSET_MATCH_ANY);
	return n;
}

/* ---- robust lists ---- */

/* A lock that the thread held: marked, and one waiter woken. */
static int
owner_died(struct thread *t, vaddr_t addr, bool pending)
{
	uint32_t __user *w = (uint32_t __user *)addr;
	uint32_t v, found;

	if (addr & 3 || user_load32(w, &v))
		return -EFAULT;
	/* Died between unlocking and waking: the wake is ours to do. */
	if (pending && !v) {
		ignore(futex_wake(t, w, true, 1, FUTEX_BITSET_MATCH_ANY));
		return 0;
	}
	while ((v & FUTEX_TID_MASK) == (uint32_t)t->tid) {
		if (user_cas32(w, v, (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED,
			       &found))
			return -EFAULT;
		if (found != v) {
			v = found;
			continue;
		}
		if (v & FUTEX_WAITERS) {
			/* Private and shared waiters hash differently. */
			ignore(futex_wake(t, w, true, 1, ~0u));
			ignore(futex_wake(t, w, false, 1, ~0u));
		}
		break;
	}
	return 0;
}

void
futex_exit_robust(struct thread *t)
{
	struct robust_list_head head;
	vaddr_t first = t->robust_list, at;
	unsigned n;
	uint64_t next;

	t->robust_list = 0;
	if (copy_from_user(&head, (void __user *)first, sizeof(head)))
		return;
	at = head.list.next;
	for (n = 0; (at & ~1ull) != first && n < ROBUST_LIST_LIMIT; n++) {
		/* The next pointer first: the waker may free the entry. */
		if (copy_from_user(&next, (void __user *)(at & ~1ull),
				   sizeof(next)))
			return;
		if (at != head.list_op_pending &&
		    owner_died(t, (at & ~1ull) + (uint64_t)head.futex_offset,
			       false))
			return;
		at = next;
	}
	if (head.list_op_pending)
		ignore(owner_died(t,
				  (head.list_op_pending & ~1ull) +
					  (uint64_t)head.futex_offset,
				  true));
}
