/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX message queues (mq_overview(7)): named queues whose descriptors are
 * files.  A name holds its queue until mq_unlink; open files hold it too.
 *
 * Locks: names_lock (sleeping leaf) for the list of names and the bytes that
 * queues may take in all; a queue's spin lock for its messages, kept in order
 * of priority, then arrival.
 */
#include "ipc_priv.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/prctl.h>
#include <abi/resource.h>
#include <abi/signal.h>
#include <base/fmt.h>
#include <base/list.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/anon.h>
#include <file/cred.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <file/poll.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <proc/process.h>
#include <proc/signal.h>
#include <sched/thread.h>
#include <sched/wait.h>
#include <vm/uio.h>

#define HARD_MSGS  65536
#define HARD_SIZE  (1 << 20) /* the heap's largest piece, and more */
#define SLOT_BYTES 80	     /* what a message costs beside its data */

struct message {
	struct list link;
	uint32_t prio;
	size_t len;
	char data[];
};

struct mqueue {
	struct refcount refs;
	struct list link;	     /* [names] empty: unlinked */
	char *name;		     /* [I] */
	uint32_t uid, gid, mode;     /* [I] */
	uint64_t ino;		     /* [I] */
	uint64_t bytes;		     /* [I] counted against the limit */
	struct timespec64 born;	     /* [I] */
	int64_t maxmsg, msgsize;     /* [I] */
	struct spinlock lock;	     /* RANK_EVENT */
	struct list msgs;	     /* [lock] */
	int64_t count;		     /* [lock] */
	size_t qsize;		     /* [lock] bytes of data */
	unsigned nreceivers;	     /* [lock] that wait */
	bool notify;		     /* [lock] somebody is to be told */
	struct mq_notice notice;     /* [lock] how */
	int notify_pid;		     /* [lock] */
	struct process *notify_proc; /* [lock] */
	struct waitq senders, receivers;
};

static struct mutex names_lock = { .rank = RANK_SLEEP_LEAF,
				   .wq = WAITQ_INIT(names_lock.wq) };
static struct list names = LIST_INIT(names); /* [names_lock] */
static unsigned nqueues;		     /* [names_lock] */
static uint64_t bytes_used;		     /* [names_lock] */

static const struct file_ops mqueue_ops;

static void
queue_put(struct mqueue *q)
{
	if (!refcount_put(&q->refs))
		return;
	mutex_lock(&names_lock);
	nqueues--;
	bytes_used -= q->bytes;
	mutex_unlock(&names_lock);
	while (!list_empty(&q->msgs)) {
		struct message *m =
			list_first_entry(&q->msgs, struct message, link);

		list_del(&m->link);
		kfree(m);
	}
	kfree(q->name);
	kfree(q);
}

/* ---- names ---- */

static int
check_attr(const struct mq_attr *a)
{
	bool may = cred_capable(thread_current()->cred, CAP_SYS_RESOURCE);
	int64_t msgs = may ? HARD_MSGS : MQ_DEFAULT_MSGS;
	int64_t size = may ? HARD_SIZE : MQ_DEFAULT_SIZE;

	if (a->maxmsg <= 0 || a->msgsize <= 0 || a->maxmsg > msgs ||
	    a->msgsize > size)
		return -EINVAL;
	return 0;
}

static void
init_queue(struct mqueue *q, uint32_t mode)
{
	const struct cred *c = thread_current()->cred;
	const struct fs_context *fs = thread_current()->fsctx;
	uint64_t now = clock_real_ns();

	refcount_set(&q->refs, 1);
	list_init(&q->link);
	list_init(&q->msgs);
	spin_init(&q->lock, RANK_EVENT);
	waitq_init(&q->senders);
	waitq_init(&q->receivers);
	q->uid = c->fsuid;
	q->gid = c->fsgid;
	q->mode = mode & 07777 & ~fs->umask;
	q->ino = anon_ino();
	q->born = (struct timespec64){ .sec = (int64_t)(now / NSEC_PER_SEC),
				       .nsec = (uint32_t)(now % NSEC_PER_SEC) };
}

/* With names_lock: a new queue, which the name holds. */
static int
create(const char *name, uint32_t mode, const struct mq_attr *attr,
       struct mqueue **out)
{
	const struct mq_attr defaults = { .maxmsg = MQ_DEFAULT_MSGS,
					  .msgsize = MQ_DEFAULT_SIZE };
	uint64_t limit = rlimit_soft(RLIMIT_MSGQUEUE), bytes;
	struct mqueue *q;

	if (!attr)
		attr = &defaults;
	if (nqueues >= MQ_MAX_QUEUES)
		return -ENOSPC;
	bytes = (uint64_t)attr->maxmsg * ((uint64_t)attr->msgsize + SLOT_BYTES);
	if (bytes > limit || bytes_used > limit - bytes)
		return -EMFILE;
	q = kzalloc(sizeof(*q), ALLOC_KERNEL);
	if (!q)
		return -ENOMEM;
	init_queue(q, mode);
	q->name = kstrdup(name, ALLOC_KERNEL);
	if (!q->name) {
		kfree(q);
		return -ENOMEM;
	}
	q->maxmsg = attr->maxmsg;
	q->msgsize = attr->msgsize;
	q->bytes = bytes;
	bytes_used += bytes;
	nqueues++;
	list_add_tail(&names, &q->link);
	*out = q;
	return 0;
}

static struct mqueue *
find(const char *name)
{
	struct mqueue *q;

	list_for_each_entry(q, &names, link)
		if (strcmp(q->name, name) == 0)
			return q;
	return NULL;
}

static int
may_open(const struct mqueue *q, int oflags)
{
	static const uint8_t want[4] = { 4, 2, 6, 6 };
	const struct cred *c = thread_current()->cred;
	unsigned bits = q->mode & 7;

	if ((oflags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (c->fsuid == q->uid)
		bits = q->mode >> 6 & 7;
	else if (c->fsgid == q->gid || cred_in_group(c, q->gid))
		bits = q->mode >> 3 & 7;
	if (!(want[oflags & O_ACCMODE] & ~bits) ||
	    cred_capable(c, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

static int
check_name(const char *name)
{
	size_t len = strlen(name);

	if (!len)
		return -ENOENT;
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EACCES;
	return len > NAME_MAX_BYTES ? -ENAMETOOLONG : 0;
}

int
mq_open_file(const char *name, int oflags, uint32_t mode,
	     const struct mq_attr *attr, struct file **out)
{
	struct mqueue *q;
	int err = check_name(name);

	if (err)
		return err;
	mutex_lock(&names_lock);
	q = find(name);
	if (q && (oflags & O_CREAT) && (oflags & O_EXCL))
		err = -EEXIST;
	else if (q)
		err = may_open(q, oflags);
	else if (!(oflags & O_CREAT))
		err = -ENOENT;
	else if (attr)
		err = check_attr(attr);
	if (!err && !q)
		err = create(name, mode, attr, &q);
	if (!err)
		refcount_get(&q->refs);
	mutex_unlock(&names_lock);
	if (err)
		return err;
	err = file_create(&mqueue_ops,
			  (unsigned)oflags & (O_ACCMODE | O_NONBLOCK), q, out);
	if (err) {
		queue_put(q);
		return err;
	}
	return 0;
}

int
mq_unlink_name(const char *name)
{
	const struct cred *c = thread_current()->cred;
	struct mqueue *q;
	int err = check_name(name);

	if (err)
		return err;
	mutex_lock(&names_lock);
	q = find(name);
	if (!q)
		err = -ENOENT;
	else if (c->fsuid != q->uid && !cred_capable(c, CAP_FOWNER))
		err = -EPERM; /* the directory of queues is sticky */
	else
		list_del(&q->link);
	mutex_unlock(&names_lock);
	if (!err)
		queue_put(q);
	return err;
}

/* ---- messages ---- */

int
mq_check(struct file *f, bool write, int64_t *msgsize)
{
	if (f->ops != &mqueue_ops ||
	    !(f->mode & (write ? FILE_WRITE : FILE_READ)))
		return -EBADF;
	*msgsize = ((struct mqueue *)f->priv)->msgsize;
	return 0;
}

/* ---- notification ---- */

/* What is to be told, and to whom. */
struct news {
	bool any;
	struct mq_notice notice;
	struct process *to;
};

/* The registration ends; with the lock. */
static void
take_notice(struct mqueue *q, struct news *n)
{
	n->any = q->notify;
	if (!q->notify)
		return;
	q->notify = false;
	n->notice = q->notice;
	n->to = q->notify_proc;
}

static void
send_signal(const struct news *n)
{
	struct siginfo info;

	memset(&info, 0, sizeof(info));
	info.si_signo = n->notice.sig;
	info.si_code = SI_MESGQ;
	info.u.rt.pid = ipc_pid();
	info.u.rt.uid = thread_current()->cred->uid;
	memcpy(&info.u.rt.value, &n->notice.value, sizeof(n->notice.value));
	ignore(signal_send_process(n->to, info.si_signo, &info)); /* full */
}

/* Without the lock; why: MQ_WOKEN or MQ_REMOVED, which only a socket hears. */
static void
tell(struct news *n, uint8_t why)
{
	struct mq_notice *o = &n->notice;

	if (!n->any)
		return;
	if (o->how == SIGEV_SIGNAL && why == MQ_WOKEN)
		send_signal(n);
	if (o->how != SIGEV_THREAD)
		return;
	o->cookie[MQ_COOKIE_LEN - 1] = why;
	o->tell(o->sock, o->cookie, MQ_COOKIE_LEN);
	file_put(o->sock);
}

/* ---- messages ---- */

/* -EAGAIN: full. */
static int
try_send(struct mqueue *q, struct message *m, struct news *news)
{
	struct list *at;

	spin_lock(&q->lock);
	if (q->count >= q->maxmsg) {
		spin_unlock(&q->lock);
		return -EAGAIN;
	}
	/* Behind the last one of the same or a higher priority. */
	for (at = q->msgs.prev; at != &q->msgs; at = at->prev)
		if (list_entry(at, struct message, link)->prio >= m->prio)
			break;
	list_add(at, &m->link);
	q->count++;
	q->qsize += m->len;
	/* The first message in an empty queue, and nobody waits for it: who
	 * asked is told, once. */
	if (q->count == 1 && !q->nreceivers)
		take_notice(q, news);
	spin_unlock(&q->lock);
	if (waitq_active(&q->receivers))
		wait_wake(&q->receivers, 1, POLLIN);
	return 0;
}

static int
wait_send(struct mqueue *q, struct message *m, struct news *news,
	  uint64_t deadline_ns)
{
	struct wait_entry e;
	int err;

	wait_start_exclusive(&q->senders, &e, true);
	while ((err = try_send(q, m, news)) == -EAGAIN) {
		err = wait_sleep(&e, deadline_ns);
		if (err) {
			err = err == -EINTR ? -ERESTARTSYS : err;
			break;
		}
	}
	wait_end(&q->senders, &e);
	if (READ_ONCE(q->count) < q->maxmsg)
		wait_wake_next(&q->senders);
	return err;
}

int
mq_send(struct file *f, const void *data, size_t len, uint32_t prio,
	uint64_t deadline_ns)
{
	struct mqueue *q = f->priv;
	struct message *m = kmalloc(sizeof(*m) + len, ALLOC_KERNEL);
	struct news news;
	int err;

	if (!m)
		return -ENOMEM;
	news.any = false;
	list_init(&m->link);
	m->prio = prio;
	m->len = len;
	memcpy(m->data, data, len);
	err = try_send(q, m, &news);
	if (err == -EAGAIN && !file_nonblock(f))
		err = wait_send(q, m, &news, deadline_ns);
	if (err)
		kfree(m);
	tell(&news, MQ_WOKEN);
	return err;
}

static struct message *
take(struct mqueue *q, int waiting)
{
	struct message *m = NULL;

	spin_lock(&q->lock);
	q->nreceivers += (unsigned)waiting;
	if (q->count) {
		m = list_first_entry(&q->msgs, struct message, link);
		list_del(&m->link);
		q->count--;
		q->qsize -= m->len;
	}
	spin_unlock(&q->lock);
	return m;
}

static int
wait_take(struct mqueue *q, uint64_t deadline_ns, struct message **out)
{
	struct wait_entry e;
	int err = 0;

	wait_start_exclusive(&q->receivers, &e, true);
	*out = take(q, 1);
	while (!*out && !err) {
		err = wait_sleep(&e, deadline_ns);
		*out = take(q, 0);
	}
	wait_end(&q->receivers, &e);
	if (READ_ONCE(q->count))
		wait_wake_next(&q->receivers);
	spin_lock(&q->lock);
	q->nreceivers--;
	spin_unlock(&q->lock);
	if (*out)
		return 0;
	return err == -EINTR ? -ERESTARTSYS : err;
}

/* The message's bytes in *data, to be freed by kfree(). */
ssize_t
mq_receive(struct file *f, size_t room, uint32_t *prio, uint64_t deadline_ns,
	   void **data)
{
	struct mqueue *q = f->priv;
	struct message *m;
	ssize_t len;
	int err;

	(void)room; /* checked against msgsize */
	m = take(q, 0);
	if (!m) {
		if (file_nonblock(f))
			return -EAGAIN;
		err = wait_take(q, deadline_ns, &m);
		if (err)
			return err;
	}
	if (waitq_active(&q->senders))
		wait_wake(&q->senders, 1, POLLOUT);
	len = (ssize_t)m->len;
	*prio = m->prio;
	memmove(m, m->data, m->len);
	*data = m;
	return len;
}

int
mq_notify_set(struct file *f, const struct mq_notice *notice)
{
	struct mqueue *q = f->priv;
	struct news old;
	int err = 0;

	if (f->ops != &mqueue_ops)
		return -EBADF;
	old.any = false;
	spin_lock(&q->lock);
	if (!notice) {
		take_notice(q, &old); /* the one process is who asked */
	} else if (q->notify) {
		err = -EBUSY;
	} else {
		q->notify = true;
		q->notice = *notice;
		q->notify_pid = ipc_pid();
		q->notify_proc = thread_current()->proc;
	}
	spin_unlock(&q->lock);
	tell(&old, MQ_REMOVED);
	return err;
}

int
mq_attributes(struct file *f, struct mq_attr *out)
{
	const struct mqueue *q = f->priv;

	if (f->ops != &mqueue_ops)
		return -EBADF;
	*out = (struct mq_attr){
		.flags = f->flags & O_NONBLOCK,
		.maxmsg = q->maxmsg,
		.msgsize = q->msgsize,
		.curmsgs = READ_ONCE(q->count),
	};
	return 0;
}

/* ---- the file ---- */

static ssize_t
mqueue_read(struct file *f, struct uio *u, int64_t *pos)
{
	struct mqueue *q = f->priv;
	char buf[80];
	ssize_t r;
	size_t n;

	spin_lock(&q->lock);
	n = (size_t)ksnprintf(
		buf, sizeof(buf),
		"QSIZE:%-10lu NOTIFY:%-5d "
		"SIGNO:%-5d NOTIFY_PID:%-6d\n",
		(unsigned long)q->qsize, q->notify ? q->notice.how : 0,
		q->notify && q->notice.how == SIGEV_SIGNAL ? q->notice.sig : 0,
		q->notify ? q->notify_pid : 0);
	spin_unlock(&q->lock);
	if (*pos < 0 || (uint64_t)*pos >= n)
		return 0;
	n -= (size_t)*pos;
	if (n > u->resid)
		n = u->resid;
	r = uio_write(u, buf + *pos, n);
	if (r > 0)
		*pos += r;
	return r;
}

static int64_t
mqueue_seek(struct file *f, int64_t off, int whence)
{
	if (whence == SEEK_CUR)
		off += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

static uint32_t
mqueue_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = f->priv;
	int64_t count;

	poll_wait(pt, &q->receivers);
	poll_wait(pt, &q->senders);
	count = READ_ONCE(q->count);
	return (count ? POLLIN | POLLRDNORM : 0) |
	       (count < q->maxmsg ? POLLOUT | POLLWRNORM : 0);
}

static int
mqueue_stat(struct file *f, struct kstat *st)
{
	const struct mqueue *q = f->priv;

	anon_stat(st, q->ino, S_IFREG | q->mode);
	st->uid = q->uid;
	st->gid = q->gid;
	st->size = 80; /* of the text that read() gives */
	st->nlink = list_empty(&q->link) ? 0 : 1;
	st->atime.sec = st->mtime.sec = st->ctime.sec = q->born.sec;
	st->atime.nsec = st->mtime.nsec = st->ctime.nsec = q->born.nsec;
	return 0;
}

static void
mqueue_flush(struct file *f)
{
	struct mqueue *q = f->priv;
	struct news old;

	/* A registration ends when its process closes the queue. */
	spin_lock(&q->lock);
	take_notice(q, &old);
	spin_unlock(&q->lock);
	tell(&old, MQ_REMOVED);
}

static void
mqueue_release(struct file *f)
{
	queue_put(f->priv);
}

static int
mqueue_link_name(struct file *f, char *buf, size_t size)
{
	const struct mqueue *q = f->priv;

	return ksnprintf(buf, size, "/%s%s", q->name,
			 list_empty(&q->link) ? " (deleted)" : "");
}

static const struct file_ops mqueue_ops = {
	.read = mqueue_read,
	.seek = mqueue_seek,
	.poll = mqueue_poll,
	.stat = mqueue_stat,
	.flush = mqueue_flush,
	.release = mqueue_release,
	.link_name = mqueue_link_name,
};
