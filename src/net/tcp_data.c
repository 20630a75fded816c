/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data through a TCP socket: sending, receiving, pages that are sent as they
 * lie.
 *
 * The receive queue is copied to the program under the socket's spin lock
 * with faults off; where the program's page is missing it is made present
 * without the lock, and the copy goes on.  So every reader sees whole,
 * ordered pieces, and a peek disturbs nobody.  Data to be sent is copied
 * from the program before any lock is taken.
 */
#include <net/tcp.h>

#include "tcp_priv.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/file.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <vm/uio.h>

#define CORK_NS	     200000000ull /* the longest that data is held back */
#define SNDBUF_LEAST 8192u
#define COPY_STRETCH 65536u /* bytes copied per time under the lock */

/* Bytes of one piece when sending much; small machines think smaller. */
static uint32_t
piece_size(void)
{
	uint32_t all = mem_total_pages() > 16384 ? 65536 : 16384;

	return all - (uint32_t)sizeof(struct nbuf);
}

/* ---- memory of what is sent ---- */

/* Bytes of memory that pieces take until they were acknowledged or read. */
static uint64_t tx_held; /* [a] */

bool
tcp_tx_pressed(void)
{
	return atomic_load_relaxed(&tx_held) >
	       mem_total_pages() * PAGE_SIZE / 8;
}

static void
piece_free(struct nbuf *b)
{
	atomic_sub(&tx_held, b->truesize);
	kfree(b);
}

static struct nbuf *
piece_alloc(uint32_t len)
{
	struct nbuf *b = nbuf_alloc_shared(len, ALLOC_KERNEL, piece_free);

	if (b)
		atomic_add(&tx_held, b->truesize);
	return b;
}

/* ---- sending ---- */

static bool
has_room(struct tcp_sock *t)
{
	return tcp_queued(t) < tcp_send_limit(t) && tcp_unsent_fits(t, 1);
}

/* Who waits is told of room each time that it found none: another thread may
 * have taken what it was woken for, or memory have become scarce. */
static bool
can_send(struct tcp_sock *t)
{
	if (has_room(t) || READ_ONCE(t->snd_shut) ||
	    READ_ONCE(t->in.sock.error))
		return true;
	WRITE_ONCE(t->nospace, true);
	atomic_fence();
	return has_room(t);
}

/* May data be sent now?  Waits for a connection under way. */
static int
check_send(struct tcp_sock *t, uint64_t deadline)
{
	int err;

	if (tcp_state(t) == TCP_SYN_SENT) {
		err = tcp_wait(t, tcp_connect_over, true, deadline);
		if (err)
			return err;
	}
	err = sock_take_error(&t->in.sock);
	if (err)
		return err;
	if (READ_ONCE(t->snd_shut) ||
	    (tcp_state(t) != TCP_ESTABLISHED && tcp_state(t) != TCP_CLOSE_WAIT))
		return -EPIPE;
	return 0;
}

/* Consumes b; urgent: its last byte is. */
static int
send_piece(struct tcp_sock *t, struct nbuf *b, bool urgent)
{
	irqflags_t f;
	int err = 0;

	if (tcp_peer(t))
		return tcp_near_send(t, b, urgent);
	f = tcp_lock(t);
	if (t->snd_shut)
		err = -EPIPE;
	else {
		t->tx_total += b->len;
		nbuf_join(&t->tx, b);
		if (unlikely(urgent))
			t->tx_urg = t->tx_total;
	}
	tcp_unlock(t, f);
	if (err)
		nbuf_free(b);
	return err;
}

/* Copies at most `room` bytes into a new piece. */
static ssize_t
make_piece(struct uio *u, size_t room, struct nbuf **out)
{
	uint32_t want =
		(uint32_t)min_u64(min_u64(room, u->resid), piece_size());
	struct nbuf *b = piece_alloc(want);
	ssize_t n;

	if (!b && want > 4000) {
		want = 4000;
		b = piece_alloc(want);
	}
	if (!b)
		return -ENOBUFS;
	n = uio_read(u, b->data, want);
	if (n <= 0) {
		nbuf_free(b);
		return n ? n : -EFAULT;
	}
	b->len = (uint32_t)n;
	*out = b;
	return n;
}

static void
push(struct tcp_sock *t, bool more)
{
	if (tcp_peer(t))
		return;
	if (more) {
		bool first = !t->cork_ns;

		if (first)
			t->cork_ns = clock_mono_ns() + CORK_NS;
		if (t->tx.bytes >= 16384)
			tcp_far_do(t, FAR_PUSH); /* full segments */
		else if (first)
			tcp_far_do(t, FAR_OPTS); /* sets the timer */
		return;
	}
	t->cork_ns = 0;
	tcp_far_do(t, FAR_PUSH);
}

/* No memory for more.  What is under way gives some back, so the socket is
 * full for now; -ENOBUFS where nothing is. */
static int
no_memory(struct tcp_sock *t)
{
	uint32_t used = tcp_queued(t);

	if (used < SNDBUF_LEAST)
		return -ENOBUFS;
	if (t->in.sock.sndbuf > used / 2)
		WRITE_ONCE(t->in.sock.sndbuf, used / 2);
	return tcp_queued(t) < tcp_send_limit(t) ? -ENOBUFS : 0;
}

/* The other end answered what was sent with a reset: this call says how much
 * it sent before, the next one the error. */
static bool
was_reset(struct tcp_sock *t)
{
	return tcp_state(t) == TCP_CLOSE;
}

static int
wait_room(struct tcp_sock *t, uint64_t deadline)
{
	int err;

	push(t, false);
	err = tcp_wait(t, can_send, true, deadline);
	return err ? err : check_send(t, deadline);
}

ssize_t
tcp_data_send(struct socket *s, struct uio *u, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	uint64_t deadline = sock_deadline(s, true, m->flags);
	bool more = m->flags & MSG_MORE || t->cork;
	size_t done = 0;
	int err = 0;

	if (m->flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	err = check_send(t, deadline);
	while (!err && u->resid) {
		struct nbuf *b;
		uint32_t used = tcp_queued(t), limit = tcp_send_limit(t);
		ssize_t n;

		if (used >= limit || !tcp_unsent_fits(t, 1)) {
			err = wait_room(t, deadline);
			continue;
		}
		n = make_piece(u, limit - used, &b);
		if (n == -ENOBUFS)
			n = no_memory(t);
		if (n <= 0) {
			err = (int)n;
			continue;
		}
		err = send_piece(t, b, m->flags & MSG_OOB && !u->resid);
		if (!err)
			done += (size_t)n;
		if (was_reset(t))
			break;
		if (u->resid)
			push(t, false);
	}
	if (done)
		push(t, more);
	if (unlikely(m->flags & MSG_ZEROCOPY) && t->in.zerocopy && done)
		inet_zc_sent(&t->in);
	return done ? (ssize_t)done : err;
}

/* A page of the page cache, sent as it lies there. */
static void
page_nbuf_free(struct nbuf *b)
{
	atomic_sub(&tx_held, b->truesize);
	page_put(b->priv);
	kfree(b);
}

static struct nbuf *
page_nbuf(const struct page_piece *v)
{
	struct nbuf *b = nbuf_alloc(0, ALLOC_KERNEL);

	if (!b)
		return NULL;
	page_get(v->page);
	b->priv = v->page;
	b->free = page_nbuf_free;
	b->data = (uint8_t *)page_addr(v->page) + v->off;
	b->len = b->truesize = v->len;
	atomic_add(&tx_held, b->truesize);
	return b;
}

ssize_t
tcp_data_pages(struct socket *s, const struct page_piece *v, unsigned n,
	       struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	uint64_t deadline = sock_deadline(s, true, m->flags);
	size_t done = 0;
	int err;

	if (!n) { /* what was announced does not come */
		push(t, t->cork);
		return 0;
	}
	err = check_send(t, deadline);
	for (unsigned i = 0; i < n && !err; i++) {
		struct nbuf *b = NULL;

		while (!err && !b) {
			if (!has_room(t))
				err = wait_room(t, deadline);
			else if (!(b = page_nbuf(&v[i])))
				err = no_memory(t);
		}
		if (err)
			break;
		err = send_piece(t, b, false);
		if (!err)
			done += v[i].len;
		if (was_reset(t))
			break;
	}
	if (done)
		push(t, m->flags & MSG_MORE || t->cork);
	return done ? (ssize_t)done : err;
}

/* ---- receiving ---- */

/* There is something to read.  A marked byte that no other follows is not: a
 * peek passes over it without taking it. */
static bool
has_data(struct tcp_sock *t)
{
	return READ_ONCE(t->rx.bytes) &&
	       (likely(READ_ONCE(t->urg) == URG_NONE) || !tcp_urg_alone(t));
}

static bool
can_recv(struct tcp_sock *t)
{
	return has_data(t) || READ_ONCE(t->rcv_shut) ||
	       tcp_state(t) == TCP_CLOSE || READ_ONCE(t->in.sock.error);
}

/* Copies from the queue's front, skip bytes in, at most len; takes it off
 * unless peeked.  Bytes; short when a page of the program is missing. */
static size_t
copy_queue(struct tcp_sock *t, struct uio *u, size_t len, size_t skip,
	   int flags, struct nbuf **freed)
{
	struct nbuf *b = t->rx.head;
	size_t done = 0;

	while (b && done < len) {
		struct nbuf *next = b->next;
		size_t n = min_u64(b->len - min_u64(skip, b->len), len - done);
		size_t got = n;

		if (skip >= b->len) {
			skip -= b->len;
			b = next;
			continue;
		}
		if (!(flags & MSG_TRUNC)) {
			ssize_t r = uio_write(u, b->data + skip, n);

			got = r > 0 ? (size_t)r : 0;
		}
		done += got;
		if (!(flags & MSG_PEEK)) {
			b->data += got;
			b->len -= (uint32_t)got;
			t->rx.bytes -= (uint32_t)got;
			if (!b->len) {
				t->rx.head = next;
				if (!next)
					t->rx.tail = &t->rx.head;
				b->next = *freed;
				*freed = b;
			}
		}
		if (got < n)
			break;
		skip = 0;
		b = next;
	}
	return done;
}

/* Tells the sender that there is room again. */
static void
room_made(struct tcp_sock *t)
{
	struct tcp_sock *p = tcp_peer(t);

	if (p) {
		tcp_has_room(p);
		return;
	}
	if (t->rx_read >= t->rx_window / 4 ||
	    (!t->rx.bytes && t->rx_read >= 16384))
		tcp_far_do(t, FAR_READ);
}

/* One stretch.  Bytes, 0: nothing there, -EFAULT. */
static ssize_t
recv_stretch(struct tcp_sock *t, struct uio *u, size_t want, size_t skip,
	     int flags)
{
	size_t len = min_u64(want, COPY_STRETCH), n = 0;
	struct nbuf *freed = NULL;
	bool some;

	if (!READ_ONCE(t->rx.bytes))
		return 0;
	for (;;) {
		irqflags_t f = tcp_lock(t);
		bool mark = unlikely(t->urg != URG_NONE);

		size_t from = skip;

		if (mark)
			len = tcp_urg_bound(t, len, &from, flags & MSG_PEEK,
					    &freed);
		some = t->rx.bytes > from;
		u->nofault = true;
		n = copy_queue(t, u, len, from, flags, &freed);
		u->nofault = false;
		if (!(flags & MSG_PEEK)) { /* the core takes it from there */
			t->rx_read += (uint32_t)n;
			t->rx_epoch_bytes += (uint32_t)n;
		}
		if (mark)
			tcp_urg_passed(t);
		tcp_unlock(t, f);
		if (n || !some || flags & MSG_TRUNC)
			break;
		if (uio_prefault(u, min_u64(u->resid, 4096), true))
			return -EFAULT;
	}
	nbuf_free_list(freed);
	if (n && !(flags & MSG_PEEK))
		room_made(t);
	return (ssize_t)n;
}

/* Nothing is there: what recv answers, 1: wait.  How it ended is looked at
 * first: what came before the end is in the queue then. */
static int
recv_empty(struct tcp_sock *t)
{
	bool done = atomic_load_acquire(&t->done);
	bool shut = atomic_load_acquire(&t->rcv_shut);
	bool failed = atomic_load_acquire(&t->in.sock.error) != 0;
	uint8_t state = atomic_load_acquire(&t->state);
	int err;

	if (has_data(t))
		return 1;
	if (done)
		return 0;
	err = failed ? sock_take_error(&t->in.sock) : 0;
	if (err)
		return err;
	if (shut)
		return 0;
	return state == TCP_CLOSE ? -ENOTCONN : 1;
}

static bool
no_more_comes(struct tcp_sock *t, uint64_t deadline)
{
	return atomic_load_acquire(&t->rcv_shut) || !deadline ||
	       tcp_state(t) == TCP_CLOSE ||
	       atomic_load_acquire(&t->in.sock.error);
}

ssize_t
tcp_data_recv(struct socket *s, struct uio *u, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	uint64_t deadline = sock_deadline(s, false, m->flags);
	int flags = m->flags & (MSG_PEEK | MSG_TRUNC), err = 0;
	size_t len = u->resid, done = 0, target;

	if (m->flags & MSG_ERRQUEUE)
		return inet_zc_recv(&t->in, m);
	if (tcp_state(t) == TCP_LISTEN)
		return -ENOTCONN;
	if (m->flags & MSG_OOB)
		return tcp_urg_recv(t, u, m);
	target = m->flags & MSG_WAITALL ? len :
					  min_u64(len, (unsigned)s->rcvlowat);
	if (!len) {
		err = can_recv(t) ? recv_empty(t) :
				    tcp_wait(t, can_recv, false, deadline);
		return err < 0 ? err : 0;
	}
	while (done < len) {
		size_t skip = flags & MSG_PEEK ? done : 0;
		ssize_t n = recv_stretch(t, u, len - done, skip, flags);

		if (n < 0) {
			err = (int)n;
			break;
		}
		done += (size_t)n;
		if (unlikely(READ_ONCE(t->urg) != URG_NONE) && done &&
		    (flags & MSG_PEEK || tcp_urg_stops(t)))
			break;
		if (done >= len || (n && READ_ONCE(t->rx.bytes) > skip))
			continue;
		if (done >= target && done)
			break;
		if (done && no_more_comes(t, deadline)) {
			if (READ_ONCE(t->rx.bytes) >
			    (flags & MSG_PEEK ? done : 0))
				continue; /* it came before the end */
			break;
		}
		if (!done) {
			err = recv_empty(t);
			if (err <= 0)
				break;
			err = 0;
		}
		if (flags & MSG_PEEK && done)
			break; /* a peek does not wait for more */
		err = tcp_wait(t, can_recv, false, deadline);
		if (err)
			break;
	}
	m->addrlen = 0;
	return done ? (ssize_t)done : err;
}
