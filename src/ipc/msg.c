/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V message queues.
 *
 * A queue has one spin lock, a list of messages in order of arrival, and a
 * wait queue each for senders and receivers.  Messages are allocated and
 * copied without the lock.
 */
#include "ipc_priv.h"

#include <abi/errno.h>
#include <abi/prctl.h>
#include <abi/signal.h>
#include <base/list.h>
#include <base/string.h>
#include <core/spinlock.h>
#include <file/cred.h>
#include <fs/pseudo.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <sched/wait.h>

struct ipc_msg {
	struct list link;
	int64_t type;
	size_t len;
	char data[];
};

struct queue {
	struct ipc_object o;
	struct spinlock lock;  /* RANK_EVENT */
	struct list msgs;      /* [lock] */
	uint64_t cbytes, qnum; /* [lock] */
	uint64_t qbytes;       /* [lock] */
	int64_t stime, rtime;  /* [lock] */
	int lspid, lrpid;      /* [lock] */
	bool dead;	       /* [lock] removed */
	struct waitq senders, receivers;
};

static const struct ipc_kind queues;
static struct ipc_table table = IPC_TABLE_INIT(table, &queues);

static struct queue *
queue_of(struct ipc_object *o)
{
	return container_of(o, struct queue, o);
}

static void
free_queue(struct ipc_object *o)
{
	struct queue *q = queue_of(o);

	while (!list_empty(&q->msgs)) {
		struct ipc_msg *m =
			list_first_entry(&q->msgs, struct ipc_msg, link);

		list_del(&m->link);
		kfree(m);
	}
	kfree(q);
}

static int
make_queue(int key, uint64_t size, struct ipc_object **out)
{
	struct queue *q = kzalloc(sizeof(*q), ALLOC_KERNEL);

	(void)key, (void)size;
	if (!q)
		return -ENOMEM;
	spin_init(&q->lock, RANK_EVENT);
	list_init(&q->msgs);
	waitq_init(&q->senders);
	waitq_init(&q->receivers);
	q->qbytes = MSG_QUEUE_BYTES;
	*out = &q->o;
	return 0;
}

/* Nobody asks for one of a size. */
static uint64_t
queue_size(struct ipc_object *o)
{
	(void)o;
	return 0;
}

int
msg_get(int key, int flags)
{
	return ipc_get(&table, key, 0, flags);
}

/* ---- sending ---- */

/* -EAGAIN: full. */
static int
try_send(struct queue *q, struct ipc_msg *m)
{
	int err = 0;

	spin_lock(&q->lock);
	if (q->dead) {
		err = -EIDRM;
	} else if (m->len + q->cbytes > q->qbytes || q->qnum >= q->qbytes) {
		err = -EAGAIN;
	} else {
		list_add_tail(&q->msgs, &m->link);
		q->cbytes += m->len;
		q->qnum++;
		q->stime = ipc_now();
		q->lspid = ipc_pid();
	}
	spin_unlock(&q->lock);
	return err;
}

static int
wait_send(struct queue *q, struct ipc_msg *m)
{
	struct wait_entry e;
	int err;

	wait_start(&q->senders, &e, true);
	while ((err = try_send(q, m)) == -EAGAIN) {
		err = wait_sleep(&e, TIME_NEVER);
		if (err)
			break;
	}
	wait_end(&q->senders, &e);
	return err == -EINTR ? -ERESTARTNOHAND : err;
}

int
msg_send(int id, int64_t type, const void *data, size_t len, int flags)
{
	struct ipc_object *o;
	struct ipc_msg *m;
	struct queue *q;
	int err;

	if (type < 1)
		return -EINVAL;
	err = ipc_get_ref(&table, id, 0222, &o);
	if (err)
		return err;
	q = queue_of(o);
	m = kmalloc(sizeof(*m) + len, ALLOC_KERNEL);
	if (!m) {
		err = -ENOMEM;
		goto out;
	}
	list_init(&m->link);
	m->type = type;
	m->len = len;
	memcpy(m->data, data, len);
	err = try_send(q, m);
	if (err == -EAGAIN && !(flags & IPC_NOWAIT))
		err = wait_send(q, m);
	if (err)
		kfree(m);
	else if (waitq_active(&q->receivers))
		wait_wake_all(&q->receivers, 0);
out:
	ipc_put(&table, o);
	return err;
}

/* ---- receiving ---- */

/* The message that a receiver of this type takes, or NULL. */
static struct ipc_msg *
choose(struct queue *q, int64_t type, int flags)
{
	struct ipc_msg *m, *best = NULL;
	int64_t left = type;

	list_for_each_entry(m, &q->msgs, link) {
		if (flags & MSG_COPY) {
			if (left-- == 0)
				return m;
			continue;
		}
		if (type == 0)
			return m;
		if (type > 0 &&
		    (flags & MSG_EXCEPT ? m->type != type : m->type == type))
			return m;
		/* -type is the highest wanted; of the lowest, the first */
		if (type < 0 && m->type <= -type &&
		    (!best || m->type < best->type))
			best = m;
	}
	return best;
}

/* -ENOMSG: none. */
static int
try_receive(struct queue *q, int64_t type, size_t max, int flags,
	    struct ipc_msg **out)
{
	struct ipc_msg *m;
	int err = 0;

	spin_lock(&q->lock);
	m = q->dead ? NULL : choose(q, type, flags);
	if (q->dead) {
		err = -EIDRM;
	} else if (!m) {
		err = -ENOMSG;
	} else if (m->len > max && !(flags & MSG_NOERROR)) {
		err = -E2BIG;
	} else if (flags & MSG_COPY && m->len > max) {
		err = -EINVAL; /* a copy is whole */
	} else if (flags & MSG_COPY) {
		*out = kmemdup(m, sizeof(*m) + m->len, ALLOC_ATOMIC);
		err = *out ? 0 : -ENOMEM;
	} else {
		list_del(&m->link);
		q->cbytes -= m->len;
		q->qnum--;
		q->rtime = ipc_now();
		q->lrpid = ipc_pid();
		*out = m;
	}
	spin_unlock(&q->lock);
	return err;
}

static int
wait_receive(struct queue *q, int64_t type, size_t max, int flags,
	     struct ipc_msg **out)
{
	struct wait_entry e;
	int err;

	wait_start(&q->receivers, &e, true);
	while ((err = try_receive(q, type, max, flags, out)) == -ENOMSG) {
		err = wait_sleep(&e, TIME_NEVER);
		if (err)
			break;
	}
	wait_end(&q->receivers, &e);
	return err == -EINTR ? -ERESTARTNOHAND : err;
}

int
msg_receive(int id, int64_t type, size_t max, int flags, struct ipc_msg **out,
	    size_t *len)
{
	struct ipc_object *o;
	struct queue *q;
	int err;

	if ((flags & MSG_COPY) &&
	    ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	if (type == INT64_MIN) /* has no positive form */
		type = -INT64_MAX;
	err = ipc_get_ref(&table, id, 0444, &o);
	if (err)
		return err;
	q = queue_of(o);
	err = try_receive(q, type, max, flags, out);
	if (err == -ENOMSG && !(flags & IPC_NOWAIT))
		err = wait_receive(q, type, max, flags, out);
	if (!err) {
		*len = (*out)->len < max ? (*out)->len : max;
		if (waitq_active(&q->senders))
			wait_wake_all(&q->senders, 0);
	}
	ipc_put(&table, o);
	return err;
}

int64_t
msg_type(const struct ipc_msg *m)
{
	return m->type;
}

const void *
msg_data(const struct ipc_msg *m)
{
	return m->data;
}

/* ---- control ---- */

int
msg_stat(int id, bool index, bool any, struct msqid64_ds *out)
{
	struct ipc_object *o;
	struct queue *q;
	int r;

	memset(out, 0, sizeof(*out));
	r = ipc_stat_lock(&table, id, index, any, &out->perm, &o);
	if (r < 0)
		return r;
	q = queue_of(o);
	out->ctime = o->ctime;
	spin_lock(&q->lock);
	out->stime = q->stime;
	out->rtime = q->rtime;
	out->cbytes = q->cbytes;
	out->qnum = q->qnum;
	out->qbytes = q->qbytes;
	out->lspid = q->lspid;
	out->lrpid = q->lrpid;
	spin_unlock(&q->lock);
	ipc_unlock(&table);
	return r;
}

int
msg_set(int id, const struct ipc64_perm *perm, uint64_t qbytes)
{
	struct ipc_object *o;
	struct queue *q;
	int err = ipc_control_lock(&table, id, &o);

	if (err)
		return err;
	if (qbytes > MSG_QUEUE_BYTES &&
	    !cred_capable(thread_current()->cred, CAP_SYS_RESOURCE)) {
		err = -EPERM;
		goto out;
	}
	q = queue_of(o);
	ipc_set_perm(o, perm);
	spin_lock(&q->lock);
	q->qbytes = qbytes;
	spin_unlock(&q->lock);
	/* Who sleeps may be let in now. */
	wait_wake_all(&q->senders, 0);
out:
	ipc_unlock(&table);
	return err;
}

int
msg_remove(int id)
{
	struct ipc_object *o;
	struct queue *q;
	int err = ipc_remove(&table, id, &o);

	if (err)
		return err;
	q = queue_of(o);
	spin_lock(&q->lock);
	q->dead = true;
	spin_unlock(&q->lock);
	wait_wake_all(&q->senders, 0);
	wait_wake_all(&q->receivers, 0);
	ipc_put(&table, o);
	return 0;
}

int
msg_limits(struct msginfo *out, bool usage)
{
	uint64_t msgs = 0, bytes = 0;
	struct ipc_object *o;
	unsigned at = 0;
	int top;

	mutex_lock(&table.lock);
	while ((o = ipc_next(&table, &at))) {
		msgs += queue_of(o)->qnum;
		bytes += queue_of(o)->cbytes;
	}
	*out = (struct msginfo){
		.msgpool = (int)(MSG_MAX_QUEUES * MSG_QUEUE_BYTES / 1024),
		.msgmap = (int)MSG_QUEUE_BYTES,
		.msgmax = (int)MSG_MAX_BYTES,
		.msgmnb = (int)MSG_QUEUE_BYTES,
		.msgmni = (int)MSG_MAX_QUEUES,
		.msgssz = 16,
		.msgtql = (int)MSG_QUEUE_BYTES,
		.msgseg = 0xffff,
	};
	if (usage) {
		out->msgpool = (int)table.used;
		out->msgmap = (int)msgs;
		out->msgtql = (int)bytes;
	}
	top = ipc_top(&table);
	mutex_unlock(&table.lock);
	return top;
}

static void
show_queue(struct seq_buf *b, struct ipc_object *o)
{
	const struct queue *q = queue_of(o);

	seq_printf(b,
		   "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u"
		   " %5u %10ld %10ld %10ld\n",
		   o->key, o->id, o->mode, (unsigned long)q->cbytes,
		   (unsigned long)q->qnum, (unsigned)q->lspid,
		   (unsigned)q->lrpid, o->uid, o->gid, o->cuid, o->cgid,
		   (long)q->stime, (long)q->rtime, (long)o->ctime);
}

int
msg_show(struct seq_buf *b, void *arg)
{
	(void)arg;
	return ipc_show(&table, b);
}

static const struct ipc_kind queues = {
	.max = MSG_MAX_QUEUES,
	.make = make_queue,
	.free = free_queue,
	.size = queue_size,
	.heading = "       key      msqid perms      cbytes       qnum lspid"
		   " lrpid   uid   gid  cuid  cgid      stime      rtime"
		   "      ctime\n",
	.show = show_queue,
};
