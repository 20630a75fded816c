/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections within the machine.
 *
 * connect() finds the listener, makes the other end and puts it into the
 * queue of accept(): what three packets would do.  From then on each end
 * refers to the other; a sender appends to the other's receive queue.  There
 * are no segments, so nothing is acknowledged, lost or repeated; buffers,
 * ends of stream, resets and their errors are as over Linux's lo.
 *
 * A connection that finds the queue full waits in the listener's list until
 * accept() makes room, where Linux would repeat its SYN.
 *
 * An end's reference to the other is dropped when its descriptor goes, and
 * not before: a disconnected socket may be in calls of other threads, and have
 * data that it can be read of.
 */
#include <net/tcp.h>

#include "tcp_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <base/string.h>
#include <mem/heap.h>
#include <net/netif.h>

static irqflags_t
lock(struct tcp_sock *t)
{
	return spin_lock_irq(&t->in.lock);
}

static void
unlock(struct tcp_sock *t, irqflags_t f)
{
	spin_unlock_irq(&t->in.lock, f);
}

/* A place in l's queue for one that is about to be made.  -EAGAIN: there is
 * none, -ECONNREFUSED. */
static int
take_place(struct tcp_sock *l)
{
	irqflags_t f = lock(l);
	int err = l->state != TCP_LISTEN ? -ECONNREFUSED :
		  l->nqueue > l->backlog ? -EAGAIN :
					   0;

	if (!err)
		l->nqueue++;
	unlock(l, f);
	return err;
}

static void
leave_place(struct tcp_sock *l)
{
	irqflags_t f = lock(l);

	l->nqueue--;
	unlock(l, f);
}

/* Makes c, which has everything but that, t's other end.  false: t has given
 * up meanwhile. */
static bool
marry(struct tcp_sock *t, struct tcp_sock *c)
{
	irqflags_t f;
	bool ok;

	c->peer = t;
	inet_get(&t->in);
	tcp_established(c);
	f = lock(t);
	ok = !t->closed && t->state == TCP_SYN_SENT;
	if (ok) {
		atomic_store_release(&t->peer, c);
		inet_get(&c->in);
		tcp_set_established(t);
	}
	unlock(t, f);
	if (!ok)
		inet_put(&t->in);
	else if (waitq_active(&t->in.wq))
		wait_wake_all(&t->in.wq, POLLOUT | POLLWRNORM | POLLWRBAND);
	return ok;
}

/* Joins t to a fresh child of l, for which there is a place.  -ENOMEM,
 * -ECANCELED: t has given up. */
static int
join(struct tcp_sock *t, struct tcp_sock *l)
{
	struct tcp_sock *c = tcp_new_child(l);

	if (!c) {
		leave_place(l);
		return -ENOMEM;
	}
	c->in.mcast_if = NET_IF_LO;
	c->in.mcast_ttl = (uint8_t)(t->in.ttl < 0 ? 64 : t->in.ttl);
	c->in.rcv_tos = t->in.tos;
	inet_add_child(&c->in, &t->in);
	if (!marry(t, c)) {
		inet_list_del(&c->in);
		inet_put(&c->in); /* nobody has seen it */
		leave_place(l);
		return -ECANCELED;
	}
	if (!tcp_enqueue_child(l, c, true))
		tcp_drop_child(c); /* l was closed */
	return 0;
}

/* Consumes the reference to l. */
static int
wait_for_room(struct tcp_sock *t, struct tcp_sock *l)
{
	irqflags_t f = lock(l);
	bool listens = l->state == TCP_LISTEN;
	struct tcp_sock *old = NULL;

	if (listens) {
		old = atomic_xchg(&t->listener, l);
		inet_get(&t->in);
		list_add_tail(&l->waiting, &t->queue_link);
	}
	unlock(l, f);
	if (old) /* of a connection that failed */
		inet_put(&old->in);
	if (!listens) {
		inet_put(&l->in);
		return -ECONNREFUSED;
	}
	tcp_near_admit(l); /* room may have come in between */
	return -EINPROGRESS;
}

int
tcp_near_connect(struct tcp_sock *t)
{
	struct inet_sock *in = inet_find_listener(&t->in.remote, &t->in.local);
	struct tcp_sock *l;
	int err;

	if (!in)
		return -ECONNREFUSED;
	l = tcp_of(in);
	err = take_place(l);
	if (err == -EAGAIN)
		return wait_for_room(t, l);
	if (!err) {
		err = join(t, l);
		if (err)
			tcp_near_admit(l); /* the place is another's */
	}
	inet_put(in);
	return err == -ECANCELED ? -ECONNABORTED : err;
}

/* The next one, with a place in the queue unless l does not listen any more. */
static struct tcp_sock *
take_waiting(struct tcp_sock *l, bool *listens)
{
	struct tcp_sock *t = NULL;
	irqflags_t f = lock(l);

	*listens = l->state == TCP_LISTEN;
	if (!list_empty(&l->waiting) &&
	    (!*listens || l->nqueue <= l->backlog)) {
		t = list_first_entry(&l->waiting, struct tcp_sock, queue_link);
		list_del(&t->queue_link);
		if (*listens)
			l->nqueue++;
	}
	unlock(l, f);
	return t;
}

void
tcp_near_admit(struct tcp_sock *l)
{
	struct tcp_sock *t;
	bool listens;

	while ((t = take_waiting(l, &listens))) {
		int err = listens ? join(t, l) : -ECONNREFUSED;

		if (err && err != -ECANCELED)
			tcp_got_reset(t, -err);
		inet_put(&t->in);
	}
}

void
tcp_near_give_up(struct tcp_sock *t)
{
	struct tcp_sock *l = atomic_xchg(&t->listener, NULL);
	bool was;
	irqflags_t f;

	if (!l)
		return;
	f = lock(l);
	was = !list_empty(&t->queue_link) && !t->peer;
	if (was)
		list_del(&t->queue_link);
	unlock(l, f);
	if (was)
		inet_put(&t->in);
	inet_put(&l->in);
}

int
tcp_near_send(struct tcp_sock *t, struct nbuf *b, bool urgent)
{
	struct tcp_sock *p = tcp_peer(t);
	uint32_t len = b->len;
	irqflags_t f = lock(p);
	bool gone = p->closed || p->state == TCP_CLOSE;
	bool late = !gone && unlikely(p->done);
	uint64_t end = 0;

	if (!gone && !late) {
		nbuf_join(&p->rx, b);
		end = p->rx_total += len;
		t->tx_total = end;
	}
	unlock(p, f);
	if (late) { /* another thread has ended this direction meanwhile */
		nbuf_free(b);
		return -EPIPE;
	}
	if (gone) {
		/* The other end answers with a reset. */
		nbuf_free(b);
		tcp_got_reset(t, 0);
		inet_rest_drop(&p->in);
		return 0;
	}
	if (unlikely(urgent))
		tcp_got_urgent(p, end - 1); /* wakes */
	else if (waitq_active(&p->in.wq))
		wait_wake_all(&p->in.wq, POLLIN | POLLRDNORM);
	return 0;
}

uint32_t
tcp_near_queued(const struct tcp_sock *t)
{
	return READ_ONCE(tcp_peer(t)->rx.bytes);
}

void
tcp_near_shutdown(struct tcp_sock *t)
{
	tcp_got_fin(tcp_peer(t));
	tcp_fin_acked(t);
}

void
tcp_near_close(struct tcp_sock *t, bool reset)
{
	struct tcp_sock *p = tcp_peer(t);

	if (atomic_xchg(&t->near_over, true))
		return;
	if (reset)
		tcp_got_reset(p, 0);
	else if (!READ_ONCE(t->snd_shut))
		tcp_got_fin(p);
}
