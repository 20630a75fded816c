/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors in flight: those of AF_UNIX sockets that lie in messages of
 * AF_UNIX sockets can hold each other after every program's descriptor is
 * closed.
 *
 * A candidate is a socket whose file has no reference but those in messages.
 * From each candidate's count the references are taken that lie in queues of
 * candidates; what is left above zero is held from outside, and so is all
 * that can be received from there.  The rest is garbage: their messages are
 * taken away and freed.  Nobody can make a candidate reachable meanwhile: a
 * call on a socket holds a reference to its file, so the socket would be no
 * candidate, and its queue would count as outside.
 *
 * A pass looks at all that is in flight.  It is made when a socket is closed,
 * but no more often than one in GC_SHARE of the number in flight, so that a
 * close costs the same however many there are.
 *
 * Messages are freed by whoever drops them, from a list, not by recursion: a
 * chain of sockets, each in the next one's queue, has any length.
 */
#include "unix_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/prctl.h>
#include <abi/resource.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <mem/heap.h>
#include <sched/thread.h>

#define GC_SHARE 16u

/* A thread that is freeing messages; on its stack. */
struct drain {
	struct list link;
	struct list msgs; /* [unix_lock] */
	struct thread *owner;
};

static struct list drains = LIST_INIT(drains);	     /* [unix_lock] */
static struct list in_flight = LIST_INIT(in_flight); /* [unix_lock] */
static uint64_t nfiles;	  /* [unix_lock] files of any kind in flight */
static uint64_t nsockets; /* [unix_lock, a read] of them AF_UNIX */
static bool collecting;	  /* [unix_lock] */
static uint64_t closes;	  /* [a] since the last pass */

static struct unix_sock *
unix_of_file(struct file *f)
{
	struct socket *s = socket_of(f);

	return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}

int
unix_inflight(struct sock_files *f)
{
	uint64_t limit = rlimit_soft(RLIMIT_NOFILE);
	int err = 0;

	spin_lock(&unix_lock);
	if (nfiles > limit && !sock_capable(CAP_SYS_RESOURCE) &&
	    !sock_capable(CAP_SYS_ADMIN)) {
		err = -ETOOMANYREFS;
		goto out;
	}
	nfiles += f->n;
	for (unsigned i = 0; i < f->n; i++) {
		struct unix_sock *u = unix_of_file(f->f[i]);

		if (!u)
			continue;
		nsockets++;
		if (!u->inflight++)
			list_add_tail(&in_flight, &u->inflight_link);
	}
out:
	spin_unlock(&unix_lock);
	return err;
}

void
unix_not_inflight(struct sock_files *f)
{
	spin_lock(&unix_lock);
	nfiles -= f->n;
	for (unsigned i = 0; i < f->n; i++) {
		struct unix_sock *u = unix_of_file(f->f[i]);

		if (!u)
			continue;
		nsockets--;
		if (!--u->inflight)
			list_del(&u->inflight_link);
	}
	spin_unlock(&unix_lock);
}

/* ---- freeing ---- */

/* The sender's buffer has room again. */
static void
give_back(struct unix_msg *m)
{
	struct unix_sock *from = m->from;

	if (!from)
		return;
	atomic_sub(&from->wmem, m->cost);
	if (waitq_active(&from->write_wq) && unix_writable(from))
		wait_wake(&from->write_wq, 1, POLLOUT | POLLWRNORM);
	unix_put(from);
}

static void
free_one(struct unix_msg *m)
{
	give_back(m);
	if (m->files) {
		unix_not_inflight(m->files);
		sock_files_free(m->files);
	}
	kfree(m);
}

/* The list of this thread if it is freeing already. */
static struct drain *
my_drain(void)
{
	struct thread *me = thread_current();
	struct drain *d;

	list_for_each_entry(d, &drains, link)
		if (d->owner == me)
			return d;
	return NULL;
}

static struct unix_msg *
next_of(struct drain *d)
{
	struct unix_msg *m = NULL;

	spin_lock(&unix_lock);
	if (list_empty(&d->msgs)) {
		list_del(&d->link);
	} else {
		m = list_first_entry(&d->msgs, struct unix_msg, link);
		list_del(&m->link);
	}
	spin_unlock(&unix_lock);
	return m;
}

void
unix_free_messages(struct list *msgs)
{
	struct unix_msg *m, *n;
	struct drain here, *d;

	list_for_each_entry_safe(m, n, msgs, link) {
		if (m->files)
			continue;
		list_del(&m->link);
		free_one(m);
	}
	if (list_empty(msgs))
		return;
	spin_lock(&unix_lock);
	d = my_drain();
	if (!d) {
		list_init(&here.msgs);
		here.owner = thread_current();
		list_add_tail(&drains, &here.link);
	}
	list_for_each_entry_safe(m, n, msgs, link) {
		list_del(&m->link);
		list_add_tail(d ? &d->msgs : &here.msgs, &m->link);
	}
	spin_unlock(&unix_lock);
	if (d)
		return; /* further out on this stack they are freed */
	while ((m = next_of(&here)) != NULL) {
		free_one(m);
		thread_resched_point();
	}
}

/* ---- collecting; unix_lock is held ---- */

typedef void child_fn(struct unix_sock *child, struct list *work);

static void
each_in_queue(struct unix_sock *u, child_fn *fn, struct list *work)
{
	struct unix_msg *m;

	spin_lock(&u->lock);
	list_for_each_entry(m, &u->queue, link) {
		for (unsigned i = 0; m->files && i < m->files->n; i++) {
			struct unix_sock *c = unix_of_file(m->files->f[i]);

			if (c && c->gc_candidate)
				fn(c, work);
		}
	}
	spin_unlock(&u->lock);
}

/* What waits at a listener lies in the queues of its connections. */
static void
each_child(struct unix_sock *u, child_fn *fn, struct list *work)
{
	struct unix_sock *end;

	each_in_queue(u, fn, work);
	list_for_each_entry(end, &u->backlog, backlog_link)
		each_in_queue(end, fn, work);
}

static void
uncount(struct unix_sock *c, struct list *work)
{
	(void)work;
	c->gc_refs--;
}

static void
reach(struct unix_sock *c, struct list *work)
{
	c->gc_candidate = false;
	list_add_tail(work, &c->gc_link);
}

/* Marks what is held from outside, and what hangs on it. */
static void
mark(void)
{
	struct list work = LIST_INIT(work);
	struct unix_sock *u;

	list_for_each_entry(u, &in_flight, inflight_link)
		if (u->gc_candidate && u->gc_refs > 0)
			reach(u, &work);
	while (!list_empty(&work)) {
		u = list_first_entry(&work, struct unix_sock, gc_link);
		list_del(&u->gc_link);
		each_child(u, reach, &work);
	}
}

/* Messages with descriptors go to the list; others die with the socket. */
static void
take_messages(struct unix_sock *u, struct list *out)
{
	struct unix_msg *m, *n;

	spin_lock(&u->lock);
	list_for_each_entry_safe(m, n, &u->queue, link) {
		if (!m->files)
			continue;
		list_del(&m->link);
		list_add_tail(out, &m->link);
		u->queued -= m->cost;
		u->nqueued--;
		u->readable -= m->len - m->off;
	}
	spin_unlock(&u->lock);
}

static void
sweep(struct list *out)
{
	struct unix_sock *u, *end;

	list_for_each_entry(u, &in_flight, inflight_link) {
		if (!u->gc_candidate)
			continue;
		take_messages(u, out);
		list_for_each_entry(end, &u->backlog, backlog_link)
			take_messages(end, out);
	}
}

void
unix_gc(void)
{
	struct list garbage = LIST_INIT(garbage);
	struct unix_sock *u;

	if (likely(!atomic_load_relaxed(&nsockets)) ||
	    atomic_add(&closes, 1) < atomic_load_relaxed(&nsockets) / GC_SHARE)
		return;
	spin_lock(&unix_lock);
	if (collecting) {
		/* Often a close of what is being collected. */
		spin_unlock(&unix_lock);
		return;
	}
	collecting = true;
	atomic_store_relaxed(&closes, 0);
	list_for_each_entry(u, &in_flight, inflight_link) {
		u->gc_refs = u->inflight;
		u->gc_candidate =
			refcount_read(&u->sock.file->refs) == u->inflight;
	}
	list_for_each_entry(u, &in_flight, inflight_link)
		if (u->gc_candidate)
			each_child(u, uncount, NULL);
	mark();
	sweep(&garbage);
	spin_unlock(&unix_lock);
	unix_free_messages(&garbage);
	spin_lock(&unix_lock);
	collecting = false;
	spin_unlock(&unix_lock);
}
