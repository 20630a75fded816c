/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V semaphores.
 *
 * A set has one spin lock and one wait queue: the operations of a call are
 * tried as a whole under the lock, and undone if one of them must wait; every
 * change wakes those who wait, who try again.
 *
 * SEM_UNDO: the adjustments belong to the process, and there is one, so they
 * are kept in the set, and checked against their range as Linux does; they
 * would be applied when the process ends, which is when the machine does.
 */
#include "ipc_priv.h"

#include <abi/errno.h>
#include <base/list.h>
#include <base/string.h>
#include <core/spinlock.h>
#include <fs/pseudo.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <sched/wait.h>

struct sem {
	uint16_t value;
	int16_t adjust; /* SEM_UNDO's sum */
	int pid;	/* of the last operation */
};

struct sem_set {
	struct ipc_object o;
	struct spinlock lock; /* RANK_EVENT */
	struct sem *sems;     /* [lock] */
	unsigned nsems;	      /* [I] */
	bool dead;	      /* [lock] removed */
	int64_t otime;	      /* [lock] */
	struct list waiters;  /* [lock] */
	struct waitq wq;
};

struct sem_waiter {
	struct list link;
	unsigned num;
	bool for_zero;
};

static const struct ipc_kind sets;
static struct ipc_table table = IPC_TABLE_INIT(table, &sets);

static struct sem_set *
set_of(struct ipc_object *o)
{
	return container_of(o, struct sem_set, o);
}

static void
free_set(struct ipc_object *o)
{
	struct sem_set *s = set_of(o);

	kfree(s->sems);
	kfree(s);
}

static int
make_set(int key, uint64_t nsems, struct ipc_object **out)
{
	struct sem_set *s;

	(void)key;
	if (!nsems)
		return -EINVAL;
	s = kzalloc(sizeof(*s), ALLOC_KERNEL);
	if (!s)
		return -ENOMEM;
	s->sems = kcalloc(nsems, sizeof(struct sem), ALLOC_KERNEL);
	if (!s->sems) {
		kfree(s);
		return -ENOMEM;
	}
	memset(s->sems, 0, nsems * sizeof(struct sem));
	spin_init(&s->lock, RANK_EVENT);
	list_init(&s->waiters);
	waitq_init(&s->wq);
	s->nsems = (unsigned)nsems;
	*out = &s->o;
	return 0;
}

static uint64_t
set_size(struct ipc_object *o)
{
	return set_of(o)->nsems;
}

int
sem_get(int key, int nsems, int flags)
{
	if (nsems < 0 || (unsigned)nsems > SEM_MAX_PER_SET)
		return -EINVAL;
	return ipc_get(&table, key, (unsigned)nsems, flags);
}

/* ---- operations ---- */

#define MUST_WAIT 1

/* One operation, with the lock: 0, MUST_WAIT, -ERANGE. */
static int
try_one(struct sem *s, const struct sembuf *op)
{
	int value = s->value + op->op, adjust = s->adjust - op->op;

	if (op->op == 0)
		return s->value ? MUST_WAIT : 0;
	if (value < 0)
		return MUST_WAIT;
	if (value > SEMVMX)
		return -ERANGE;
	if (op->flags & SEM_UNDO) {
		if (adjust < -SEMVMX - 1 || adjust > SEMVMX)
			return -ERANGE;
		s->adjust = (int16_t)adjust;
	}
	s->value = (uint16_t)value;
	return 0;
}

static void
take_back(struct sem_set *s, const struct sembuf *ops, unsigned n)
{
	while (n--) {
		struct sem *m = &s->sems[ops[n].num];

		m->value = (uint16_t)(m->value - ops[n].op);
		if (ops[n].flags & SEM_UNDO)
			m->adjust = (int16_t)(m->adjust + ops[n].op);
	}
}

/* All or none, with the lock.  MUST_WAIT: *at is the one in the way. */
static int
try_all(struct sem_set *s, const struct sembuf *ops, unsigned n, unsigned *at)
{
	unsigned i;
	int r = 0;

	for (i = 0; i < n; i++) {
		r = try_one(&s->sems[ops[i].num], &ops[i]);
		if (r)
			break;
	}
	if (r) {
		take_back(s, ops, i);
		*at = i;
		return r == MUST_WAIT && (ops[i].flags & IPC_NOWAIT) ? -EAGAIN :
								       r;
	}
	for (i = 0; i < n; i++)
		s->sems[ops[i].num].pid = ipc_pid();
	s->otime = ipc_now();
	return 0;
}

static bool
changes(const struct sembuf *ops, unsigned n)
{
	while (n--)
		if (ops[n].op)
			return true;
	return false;
}

/* One try; enters *w among the waiters where it must wait. */
static int
attempt(struct sem_set *s, const struct sembuf *ops, unsigned n,
	struct sem_waiter *w)
{
	unsigned at;
	int r;

	spin_lock(&s->lock);
	if (!list_empty(&w->link))
		list_del(&w->link);
	r = s->dead ? -EIDRM : try_all(s, ops, n, &at);
	if (r == MUST_WAIT) {
		w->num = ops[at].num;
		w->for_zero = ops[at].op == 0;
		list_add_tail(&s->waiters, &w->link);
	}
	spin_unlock(&s->lock);
	return r;
}

static void
leave(struct sem_set *s, struct sem_waiter *w)
{
	spin_lock(&s->lock);
	if (!list_empty(&w->link))
		list_del(&w->link);
	spin_unlock(&s->lock);
}

static int
wait_and_try(struct sem_set *s, const struct sembuf *ops, unsigned n,
	     uint64_t deadline_ns, struct sem_waiter *w)
{
	struct wait_entry e;
	int r, err;

	wait_start(&s->wq, &e, true);
	while ((r = attempt(s, ops, n, w)) == MUST_WAIT) {
		err = wait_sleep(&e, deadline_ns);
		if (err) {
			/* The last look decides, as on Linux. */
			r = attempt(s, ops, n, w);
			if (r == MUST_WAIT)
				r = err == -ETIMEDOUT ? -EAGAIN : err;
			break;
		}
	}
	wait_end(&s->wq, &e);
	leave(s, w);
	return r;
}

static int
check_ops(const struct sem_set *s, const struct sembuf *ops, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (ops[i].num >= s->nsems)
			return -EFBIG;
	return 0;
}

int
sem_op(int id, const struct sembuf *ops, unsigned n, uint64_t deadline_ns)
{
	struct sem_waiter w = { .link = LIST_INIT(w.link) };
	struct ipc_object *o;
	struct sem_set *s;
	int r;

	r = ipc_get_ref(&table, id, 0, &o);
	if (r)
		return r;
	s = set_of(o);
	r = check_ops(s, ops, n);
	if (!r)
		r = ipc_may(o, changes(ops, n) ? 0222 : 0444);
	if (!r)
		r = attempt(s, ops, n, &w);
	if (r == MUST_WAIT)
		r = wait_and_try(s, ops, n, deadline_ns, &w);
	if (!r && changes(ops, n) && waitq_active(&s->wq))
		wait_wake_all(&s->wq, 0);
	ipc_put(&table, o);
	return r;
}

/* ---- control ---- */

int
sem_stat(int id, bool index, bool any, struct semid64_ds *out)
{
	struct ipc_object *o;
	int r;

	memset(out, 0, sizeof(*out));
	r = ipc_stat_lock(&table, id, index, any, &out->perm, &o);
	if (r < 0)
		return r;
	out->otime = set_of(o)->otime;
	out->ctime = o->ctime;
	out->nsems = set_of(o)->nsems;
	ipc_unlock(&table);
	return r;
}

int
sem_set_perm(int id, const struct ipc64_perm *perm)
{
	return ipc_set(&table, id, perm);
}

int
sem_remove(int id)
{
	struct ipc_object *o;
	struct sem_set *s;
	int err = ipc_remove(&table, id, &o);

	if (err)
		return err;
	s = set_of(o);
	spin_lock(&s->lock);
	s->dead = true;
	spin_unlock(&s->lock);
	wait_wake_all(&s->wq, 0);
	ipc_put(&table, o);
	return 0;
}

static int
count_waiters(struct sem_set *s, unsigned num, bool for_zero)
{
	struct sem_waiter *w;
	int n = 0;

	list_for_each_entry(w, &s->waiters, link)
		if (w->num == num && w->for_zero == for_zero)
			n++;
	return n;
}

int
sem_query(int id, int num, int cmd)
{
	struct ipc_object *o;
	struct sem_set *s;
	int r = ipc_get_ref(&table, id, 0444, &o);

	if (r)
		return r;
	s = set_of(o);
	spin_lock(&s->lock);
	if (num < 0 || (unsigned)num >= s->nsems)
		r = -EINVAL;
	else if (cmd == SEM_GETVAL)
		r = s->sems[num].value;
	else if (cmd == SEM_GETPID)
		r = s->sems[num].pid;
	else
		r = count_waiters(s, (unsigned)num, cmd == SEM_GETZCNT);
	spin_unlock(&s->lock);
	ipc_put(&table, o);
	return r;
}

/* With the lock. */
static void
set_one(struct sem *m, unsigned value)
{
	m->value = (uint16_t)value;
	m->adjust = 0;
	m->pid = ipc_pid();
}

static void
touch(struct sem_set *s)
{
	mutex_lock(&table.lock);
	s->o.ctime = ipc_now();
	mutex_unlock(&table.lock);
	wait_wake_all(&s->wq, 0);
}

int
sem_set_value(int id, int num, int val)
{
	struct ipc_object *o;
	struct sem_set *s;
	int err;

	if (val < 0 || val > SEMVMX)
		return -ERANGE;
	err = ipc_get_ref(&table, id, 0, &o);
	if (err)
		return err;
	s = set_of(o);
	if (num < 0 || (unsigned)num >= s->nsems)
		err = -EINVAL;
	else
		err = ipc_may(o, 0222);
	if (!err) {
		spin_lock(&s->lock);
		if (s->dead)
			err = -EIDRM;
		else
			set_one(&s->sems[num], (unsigned)val);
		spin_unlock(&s->lock);
		touch(s);
	}
	ipc_put(&table, o);
	return err;
}

int
sem_count(int id, bool write)
{
	struct ipc_object *o;
	int n = ipc_get_ref(&table, id, write ? 0222 : 0444, &o);

	if (n)
		return n;
	n = (int)set_of(o)->nsems;
	ipc_put(&table, o);
	return n;
}

/* The set that sem_count() asked about may have become another one. */
static int
ref_of(int id, int bits, unsigned n, struct ipc_object **out)
{
	int err = ipc_get_ref(&table, id, bits, out);

	if (!err && set_of(*out)->nsems != n) {
		ipc_put(&table, *out);
		err = -EIDRM;
	}
	return err;
}

int
sem_get_all(int id, uint16_t *val, unsigned n)
{
	struct ipc_object *o;
	struct sem_set *s;
	unsigned i;
	int err = ref_of(id, 0444, n, &o);

	if (err)
		return err;
	s = set_of(o);
	spin_lock(&s->lock);
	for (i = 0; i < n; i++)
		val[i] = s->sems[i].value;
	spin_unlock(&s->lock);
	ipc_put(&table, o);
	return 0;
}

int
sem_set_all(int id, const uint16_t *val, unsigned n)
{
	struct ipc_object *o;
	struct sem_set *s;
	unsigned i;
	int err;

	for (i = 0; i < n; i++)
		if (val[i] > SEMVMX)
			return -ERANGE;
	err = ref_of(id, 0222, n, &o);
	if (err)
		return err;
	s = set_of(o);
	spin_lock(&s->lock);
	for (i = 0; i < n; i++)
		set_one(&s->sems[i], val[i]);
	spin_unlock(&s->lock);
	touch(s);
	ipc_put(&table, o);
	return 0;
}

int
sem_limits(struct seminfo *out, bool usage)
{
	unsigned at = 0, sems = 0;
	struct ipc_object *o;
	int top;

	mutex_lock(&table.lock);
	while ((o = ipc_next(&table, &at)))
		sems += set_of(o)->nsems;
	*out = (struct seminfo){
		.semmap = (int)(SEM_MAX_SETS * SEM_MAX_PER_SET),
		.semmni = (int)SEM_MAX_SETS,
		.semmns = (int)(SEM_MAX_SETS * SEM_MAX_PER_SET),
		.semmnu = (int)(SEM_MAX_SETS * SEM_MAX_PER_SET),
		.semmsl = (int)SEM_MAX_PER_SET,
		.semopm = (int)SEM_MAX_OPS,
		.semume = (int)SEM_MAX_OPS,
		.semusz = usage ? (int)table.used : 20,
		.semvmx = SEMVMX,
		.semaem = usage ? (int)sems : SEMVMX,
	};
	top = ipc_top(&table);
	mutex_unlock(&table.lock);
	return top;
}

static void
show_set(struct seq_buf *b, struct ipc_object *o)
{
	const struct sem_set *s = set_of(o);

	seq_printf(b, "%10d %10d  %4o %10u %5u %5u %5u %5u %10ld %10ld\n",
		   o->key, o->id, o->mode, s->nsems, o->uid, o->gid, o->cuid,
		   o->cgid, (long)s->otime, (long)o->ctime);
}

int
sem_show(struct seq_buf *b, void *arg)
{
	(void)arg;
	return ipc_show(&table, b);
}

static const struct ipc_kind sets = {
	.max = SEM_MAX_SETS,
	.make = make_set,
	.free = free_set,
	.size = set_size,
	.heading = "       key      semid perms      nsems   uid   gid"
		   "  cuid  cgid      otime      ctime\n",
	.show = show_set,
};
