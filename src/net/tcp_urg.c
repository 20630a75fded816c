/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Urgent data: a byte of the stream that is marked (RFC 9293, 3.8.5; RFC
 * 6093).  As programs have known it since BSD it is read apart, by MSG_OOB,
 * and ordinary reads stop in front of it and pass over it, unless SO_OOBINLINE
 * leaves it in the stream; then they only stop.
 *
 * The mark is a position of the stream, counted in rx_total.  The byte itself
 * stays in the queue until a read comes past it.  There is one mark: a second
 * one makes the first byte an ordinary one, or drops it where it is the next
 * to be read.  What is not said here of the order of these is as Linux has it.
 */
#include <net/tcp.h>

#include "tcp_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <file/file.h>
#include <vm/uio.h>

static void (*signal_owner)(int pid);

void
sock_on_urgent(void (*fn)(int pid))
{
	signal_owner = fn;
}

void
sock_signal_urgent(int owner)
{
	if (owner && signal_owner)
		signal_owner(owner);
}

/* Position of the next byte to be read.  [l] */
static uint64_t
read_at(const struct tcp_sock *t)
{
	return t->rx_total - t->rx.bytes;
}

static bool
is_inline(const struct tcp_sock *t)
{
	return sock_opt(&t->in.sock, SOCKOPT_OOBINLINE);
}

bool
tcp_at_mark(const struct tcp_sock *t)
{
	return t->urg != URG_NONE && t->urg_at == read_at(t);
}

/* The first byte of the queue is taken away unread.  [l] */
static struct nbuf *
drop_first(struct tcp_sock *t)
{
	struct nbuf *b = t->rx.head;

	t->rx.bytes--;
	t->rx_read++; /* lwIP learns of it with the next read */
	b->data++;
	if (--b->len)
		return NULL;
	t->rx.head = b->next;
	if (!t->rx.head)
		t->rx.tail = &t->rx.head;
	b->next = NULL;
	return b;
}

void
tcp_urg_arrived(struct tcp_sock *t)
{
	if (t->urg == URG_COMING && t->rx_total > t->urg_at)
		t->urg = URG_HERE;
}

void
tcp_got_urgent(struct tcp_sock *t, uint64_t at)
{
	struct nbuf *freed = NULL;
	irqflags_t f = tcp_lock(t);
	int owner = 0;
	bool fresh = !t->closed && t->state != TCP_CLOSE && at >= read_at(t) &&
		     (t->urg == URG_NONE || at > t->urg_at);

	if (fresh) {
		if (t->urg != URG_NONE && t->urg_at == read_at(t) &&
		    t->rx.bytes && !is_inline(t))
			freed = drop_first(t);
		t->urg_at = at;
		t->urg = URG_COMING;
		tcp_urg_arrived(t);
		owner = sock_owner(&t->in.sock);
	}
	tcp_unlock(t, f);
	if (freed)
		nbuf_free(freed);
	if (!fresh)
		return;
	sock_signal_urgent(owner);
	if (waitq_active(&t->in.wq))
		wait_wake_all(&t->in.wq, POLLIN | POLLRDNORM | POLLPRI);
}

/* ---- reading ---- */

size_t
tcp_urg_bound(struct tcp_sock *t, size_t len, size_t *skip, bool peek,
	      struct nbuf **freed)
{
	uint64_t at = read_at(t) + *skip;

	if (t->urg_at > at) {
		uint64_t most = t->urg_at - at;

		return len < most ? len : most;
	}
	if (t->urg_at < at || is_inline(t) || t->rx.bytes <= *skip)
		return len;
	if (peek) {
		++*skip;
	} else {
		*freed = drop_first(t);
		t->urg = URG_NONE;
	}
	return len;
}

void
tcp_urg_passed(struct tcp_sock *t)
{
	if (read_at(t) > t->urg_at)
		t->urg = URG_NONE;
}

bool
tcp_urg_stops(struct tcp_sock *t)
{
	irqflags_t f = tcp_lock(t);
	bool stops = tcp_at_mark(t);

	tcp_unlock(t, f);
	return stops;
}

bool
tcp_urg_alone(struct tcp_sock *t)
{
	irqflags_t f = tcp_lock(t);
	bool alone = t->rx.bytes == 1 && tcp_at_mark(t) && !is_inline(t);

	tcp_unlock(t, f);
	return alone;
}

uint32_t
tcp_readable(struct tcp_sock *t)
{
	uint32_t n = READ_ONCE(t->rx.bytes);
	irqflags_t f;

	if (likely(READ_ONCE(t->urg) == URG_NONE) || is_inline(t))
		return n;
	f = tcp_lock(t);
	n = t->rx.bytes;
	if (t->urg != URG_NONE && t->urg_at >= read_at(t) &&
	    t->urg_at < t->rx_total)
		n = (uint32_t)(t->urg_at - read_at(t));
	tcp_unlock(t, f);
	return n;
}

static uint8_t
byte_at(const struct tcp_sock *t, uint64_t off)
{
	const struct nbuf *b = t->rx.head;

	while (b && off >= b->len) {
		off -= b->len;
		b = b->next;
	}
	return b ? b->data[off] : 0;
}

ssize_t
tcp_urg_recv(struct tcp_sock *t, struct uio *u, struct sock_msg *m)
{
	irqflags_t f = tcp_lock(t);
	uint8_t byte = 0;
	bool over = t->rcv_shut || t->state == TCP_CLOSE;
	ssize_t r = 1;

	if (is_inline(t) || t->urg == URG_NONE || t->urg == URG_READ)
		r = -EINVAL;
	else if (t->state == TCP_CLOSE && !t->done)
		r = -ENOTCONN;
	else if (t->urg == URG_COMING)
		r = over ? 0 : -EAGAIN;
	if (r > 0) {
		byte = byte_at(t, t->urg_at - read_at(t));
		if (!(m->flags & MSG_PEEK))
			t->urg = URG_READ;
	}
	tcp_unlock(t, f);
	if (r <= 0)
		return r;
	m->out_flags |= MSG_OOB;
	if (!u->resid) {
		m->out_flags |= MSG_TRUNC;
		return 0;
	}
	return m->flags & MSG_TRUNC || uio_write(u, &byte, 1) == 1 ? 1 :
								     -EFAULT;
}
