/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data through AF_VSOCK sockets.
 *
 * What is sent is first taken from the peer's room (vsock_may_send), then
 * copied into packets without a lock, then queued; so senders at once never
 * exceed the room.  A message (SOCK_SEQPACKET) is several packets, which one
 * sender at a time makes; one that must not wait is sent whole or not at all.
 *
 * What is received is copied from the first piece of the queue without
 * vsock_lock: only who has the reader mutex takes pieces off.
 */
#include "vsock.h"

#include <abi/errno.h>
#include <base/math.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <vm/uio.h>

#define SMALL_PAGES 16384u /* machines below 64 MB send in smaller pieces */

static uint32_t
piece_size(void)
{
	uint32_t all = mem_total_pages() > SMALL_PAGES ? 65536 : 16384;

	return all - (uint32_t)sizeof(struct vsock_pkt);
}

/* ---- sending ---- */

/* With the lock: may anything be sent? */
static int
check_send(const struct vsock_sock *s)
{
	if (s->shut & NO_SEND || s->peer_shut & NO_RECV)
		return -EPIPE;
	return s->state == VSOCK_CONNECTED ? 0 : -ENOTCONN;
}

static bool
can_send(struct vsock_sock *s)
{
	return READ_ONCE(s->state) != VSOCK_CONNECTED || vsock_room(s) ||
	       s->shut & NO_SEND || s->peer_shut & NO_RECV;
}

/* Takes room for at most want bytes: bytes, 0 where there is none, -errno. */
static ssize_t
take_room(struct vsock_sock *s, size_t want)
{
	irqflags_t f = vsock_lock_all();
	ssize_t n = check_send(s);

	if (!n)
		n = vsock_may_send(s, (uint32_t)min_u64(want, piece_size()));
	vsock_unlock(f);
	return n;
}

static void
give_back(struct vsock_sock *s, uint32_t n)
{
	irqflags_t f = vsock_lock_all();

	vsock_unsend(s, n);
	vsock_unlock(f);
}

/* Copies n bytes, for which there is room, into a packet and sends it.
 * Bytes, fewer where the program's memory ends. */
static ssize_t
send_piece(struct vsock_sock *s, struct uio *u, uint32_t n, uint32_t flags)
{
	struct vsock_pkt *p = vsock_pkt_alloc(n, ALLOC_KERNEL);
	ssize_t got = p ? uio_read(u, p->data, n) : -ENOBUFS;
	uint32_t lost = got > 0 ? n - (uint32_t)got : n;
	irqflags_t f;
	int err;

	if (got <= 0) {
		kfree(p);
		give_back(s, n);
		return got ? got : -EFAULT;
	}
	p->len = (uint32_t)got;
	f = vsock_lock_all();
	err = check_send(s);
	if (err)
		lost = n;
	vsock_unsend(s, lost);
	if (!err)
		vsock_send_data(s, p, flags);
	vsock_unlock(f);
	if (!err)
		return got;
	kfree(p);
	return err;
}

/* Waits for room and sends what there is room for; last: the flags of the
 * piece that ends u.  Bytes or -errno. */
static ssize_t
send_some(struct vsock_sock *s, struct uio *u, uint64_t until, uint32_t last)
{
	ssize_t n;

	while (!(n = take_room(s, u->resid))) {
		n = vsock_wait(s, can_send, true, until);
		if (n)
			return n;
	}
	if (n < 0)
		return n;
	return send_piece(s, u, (uint32_t)n, (size_t)n == u->resid ? last : 0);
}

static ssize_t
send_stream(struct vsock_sock *s, struct uio *u, uint64_t until)
{
	size_t done = 0;
	ssize_t n = 0;

	while (u->resid) {
		n = send_some(s, u, until, 0);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	return done ? (ssize_t)done : n;
}

/* -EMSGSIZE: never; -EAGAIN: not whole at this time. */
static int
message_fits(struct vsock_sock *s, size_t len, bool whole)
{
	irqflags_t f = vsock_lock_all();
	int err = check_send(s);

	if (!err && len > s->peer_alloc)
		err = -EMSGSIZE;
	if (!err && whole && vsock_room(s) < len) {
		vsock_ctl(s, WANT_CREDIT); /* its last word may be old */
		err = -EAGAIN;
	}
	vsock_unlock(f);
	return err;
}

static ssize_t
send_message(struct vsock_sock *s, struct uio *u, uint64_t until, int flags)
{
	uint32_t last = VIRTIO_VSOCK_SEQ_EOM |
			(flags & MSG_EOR ? VIRTIO_VSOCK_SEQ_EOR : 0);
	size_t len = u->resid;
	ssize_t n;

	while (u->resid) {
		n = send_some(s, u, until, last);
		if (n < 0)
			return n;
	}
	return (ssize_t)len;
}

static ssize_t
send_packet(struct vsock_sock *s, struct uio *u, uint64_t until, int flags)
{
	ssize_t n;

	if (!u->resid)
		return 0; /* Linux sends no empty message, either */
	if (!until && !mutex_trylock(&s->sender))
		return -EAGAIN;
	if (until && mutex_lock_intr(&s->sender))
		return -EINTR;
	n = message_fits(s, u->resid, !until);
	if (!n)
		n = send_message(s, u, until, flags);
	mutex_unlock(&s->sender);
	return n;
}

ssize_t
vsock_send(struct socket *sock, struct uio *u, struct sock_msg *m)
{
	struct vsock_sock *s = vsock_of(sock);
	uint64_t until = sock_deadline(sock, true, m->flags);
	irqflags_t f;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->addrlen)
		return READ_ONCE(s->state) == VSOCK_CONNECTED ? -EISCONN :
								-EOPNOTSUPP;
	f = vsock_lock_all();
	err = check_send(s);
	vsock_unlock(f);
	if (err)
		return err;
	return vsock_is_stream(s) ? send_stream(s, u, until) :
				    send_packet(s, u, until, m->flags);
}

/* ---- receiving ---- */

static bool
no_more(const struct vsock_sock *s)
{
	return READ_ONCE(s->state) != VSOCK_CONNECTED || s->shut & NO_RECV ||
	       s->peer_shut & NO_SEND;
}

/* A place in the queue of what came. */
struct place {
	struct vsock_pkt *p; /* NULL: before the first */
	uint32_t off;
};

/* How many bytes are there in one piece; 0: no more.  A piece that was read
 * to its end may have grown since, and only then comes the next one. */
static uint32_t
bytes_at(struct vsock_sock *s, struct place *at)
{
	irqflags_t f = vsock_lock_all();
	struct list *next = at->p ? at->p->link.next : s->rx.pieces.next;
	uint32_t n = at->p ? at->p->len - at->off : 0;

	if (!n && next != &s->rx.pieces) {
		at->p = list_entry(next, struct vsock_pkt, link);
		at->off = at->p->off;
		n = at->p->len - at->off;
	}
	vsock_unlock(f);
	return n;
}

/* Copies at most len bytes from the front of the queue, and leaves them
 * there.  With the reader mutex.  Bytes, or -EFAULT. */
static ssize_t
copy_out(struct vsock_sock *s, struct uio *u, size_t len)
{
	struct place at = { NULL, 0 };
	size_t done = 0;
	uint32_t have;

	while (done < len && (have = bytes_at(s, &at))) {
		size_t want = min_u64(have, len - done);
		ssize_t n = uio_write(u, at.p->data + at.off, want);

		if (n < 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
		at.off += (uint32_t)n;
		if ((size_t)n < want)
			break;
	}
	return (ssize_t)done;
}

/* n bytes have been read, or are thrown away. */
static void
take_off(struct vsock_sock *s, uint32_t n, bool waits)
{
	irqflags_t f = vsock_lock_all();

	vsock_queue_take(&s->rx, NULL, n);
	vsock_forwarded(s, n, waits);
	vsock_unlock(f);
}

/* What recv answers without a connection; 0: there is or was one. */
static int
check_recv(const struct vsock_sock *s, int flags)
{
	uint8_t state = READ_ONCE(s->state);

	if (state != VSOCK_CONNECTED && state != VSOCK_ENDED)
		return -ENOTCONN;
	return flags & MSG_OOB ? -EOPNOTSUPP : 0;
}

static bool
has_data(struct vsock_sock *s)
{
	return READ_ONCE(s->rx.bytes) || no_more(s);
}

static ssize_t
recv_stream(struct vsock_sock *s, struct uio *u, int flags, uint64_t until)
{
	size_t target = flags & MSG_WAITALL ?
				u->resid :
				min_u64(u->resid, (unsigned)s->sock.rcvlowat);
	size_t done = 0;
	ssize_t n;

	for (;;) {
		mutex_lock(&s->reader);
		n = copy_out(s, u, u->resid);
		if (n > 0 && !(flags & MSG_PEEK))
			take_off(s, (uint32_t)n,
				 done + (size_t)n < target && until);
		mutex_unlock(&s->reader);
		if (n < 0)
			break;
		done += (size_t)n;
		/* A peek begins at the front each time: it ends here. */
		if (done >= target || (done && flags & MSG_PEEK))
			break;
		if (no_more(s) && !READ_ONCE(s->rx.bytes))
			break;
		n = vsock_wait(s, has_data, false, until);
		if (n < 0)
			break;
	}
	return done ? (ssize_t)done : n < 0 ? n : 0;
}

static bool
has_message(struct vsock_sock *s)
{
	return READ_ONCE(s->nmessages) || no_more(s);
}

/* The length of the first message; false: there is none. */
static bool
first_message(struct vsock_sock *s, uint32_t *n)
{
	irqflags_t f = vsock_lock_all();
	bool there = s->nmessages != 0;

	if (there)
		vsock_queue_peek(&s->messages, n, sizeof(*n));
	vsock_unlock(f);
	return there;
}

static void
drop_message(struct vsock_sock *s, uint32_t len)
{
	irqflags_t f = vsock_lock_all();

	vsock_queue_take(&s->messages, NULL, sizeof(len));
	s->nmessages--;
	vsock_unlock(f);
	take_off(s, len, true);
}

/* With the reader mutex.  *there: there was one. */
static ssize_t
read_message(struct vsock_sock *s, struct uio *u, struct sock_msg *m,
	     bool *there)
{
	size_t room = u->resid;
	uint32_t len, eor;
	ssize_t n;

	*there = first_message(s, &len);
	if (!*there)
		return 0;
	eor = len & MESSAGE_EOR;
	len &= ~MESSAGE_EOR;
	n = copy_out(s, u, min_u64(len, room));
	if (!(m->flags & MSG_PEEK))
		drop_message(s, len);
	if (n < 0)
		return n;
	if (eor)
		m->out_flags |= MSG_EOR;
	if (len > room)
		m->out_flags |= MSG_TRUNC;
	return m->flags & MSG_TRUNC ? (ssize_t)len : n;
}

static ssize_t
recv_packet(struct vsock_sock *s, struct uio *u, struct sock_msg *m,
	    uint64_t until)
{
	bool there;
	ssize_t n;

	for (;;) {
		mutex_lock(&s->reader);
		n = read_message(s, u, m, &there);
		mutex_unlock(&s->reader);
		if (there || (no_more(s) && !READ_ONCE(s->nmessages)))
			return n;
		n = vsock_wait(s, has_message, false, until);
		if (n < 0)
			return n;
	}
}

ssize_t
vsock_recv(struct socket *sock, struct uio *u, struct sock_msg *m)
{
	struct vsock_sock *s = vsock_of(sock);
	uint64_t until = sock_deadline(sock, false, m->flags);
	int err = check_recv(s, m->flags);

	m->addrlen = 0;
	if (err)
		return err;
	if (s->shut & NO_RECV || !u->resid)
		return 0;
	return vsock_is_stream(s) ? recv_stream(s, u, m->flags, until) :
				    recv_packet(s, u, m, until);
}
