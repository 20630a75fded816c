/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX: data.  It is copied from the program into a message before any
 * lock is taken, and out of it while the reader's mutex is held.
 *
 * What a sender may have under way is bounded by its SO_SNDBUF: on a
 * connection, by the cost of the peer's queue; of datagrams, by the sum over
 * all that it sent (wmem).
 */
#include "unix_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <file/file.h>
#include <mem/heap.h>
#include <sched/thread.h>
#include <vm/uio.h>

#define STREAM_PIECE 32768u /* a stream's message, at most */
#define NOBODY	     65534u /* the overflow uid, where none was asked for */

/* ---- making messages ---- */

static void
set_cred(struct unix_msg *m, const struct unix_sock *u,
	 const struct unix_sock *to, const struct sock_msg *sm)
{
	if (unlikely(sm->has_cred)) {
		m->cred = sm->cred;
	} else if (unlikely(sock_opt(&u->sock, SOCKOPT_PASSCRED) ||
			    sock_opt(&to->sock, SOCKOPT_PASSCRED))) {
		unix_my_cred(&m->cred);
	} else {
		m->cred.pid = 0;
		m->cred.uid = m->cred.gid = NOBODY;
	}
}

static int
take_files(struct unix_msg *m, struct sock_msg *sm)
{
	int err = unix_inflight(sm->files);

	if (err)
		return err;
	m->files = sm->files;
	sm->files = NULL;
	return 0;
}

static void
free_message(struct unix_msg *m)
{
	struct list one = LIST_INIT(one);

	if (likely(!m->files && !m->from)) {
		kfree(m);
		return;
	}
	list_add_tail(&one, &m->link);
	unix_free_messages(&one);
}

/* A message of len bytes from the program; NULL and *err. */
static struct unix_msg *
make_message(struct unix_sock *u, struct unix_sock *to, struct uio *uio,
	     uint32_t len, struct sock_msg *sm, int *err)
{
	struct unix_msg *m = kmalloc(sizeof(*m) + len, ALLOC_KERNEL);
	ssize_t n;

	if (unlikely(!m)) {
		*err = -ENOBUFS;
		return NULL;
	}
	m->len = len;
	m->off = 0;
	m->cost = (uint32_t)sizeof(*m) + len;
	m->from = NULL;
	m->files = NULL;
	if (likely(len)) {
		n = uio_read(uio, m->data, len);
		if (unlikely(n != (ssize_t)len)) {
			kfree(m);
			*err = -EFAULT;
			return NULL;
		}
	}
	set_cred(m, u, to, sm);
	if (unlikely(sm->files != NULL)) {
		*err = take_files(m, sm);
		if (*err) {
			kfree(m);
			return NULL;
		}
	}
	return m;
}

bool
unix_enqueue_locked(struct unix_sock *to, struct unix_msg *m)
{
	if (unlikely(to->dead))
		return false;
	list_add_tail(&to->queue, &m->link);
	to->queued += m->cost;
	to->readable += m->len;
	to->nqueued++;
	return true;
}

/* false: nobody will read it. */
static bool
enqueue(struct unix_sock *to, struct unix_msg *m)
{
	bool ok;

	spin_lock(&to->lock);
	ok = unix_enqueue_locked(to, m);
	spin_unlock(&to->lock);
	if (unlikely(!ok))
		return false;
	if (waitq_active(&to->read_wq))
		wait_wake(&to->read_wq, 1, POLLIN | POLLRDNORM);
	return true;
}

/* ---- streams, sending ---- */

/* Room for another piece?  Or no reason to wait any longer. */
static bool
stream_room(const struct unix_sock *u, const struct unix_sock *p)
{
	return READ_ONCE(p->queued) < READ_ONCE(u->sock.sndbuf) ||
	       READ_ONCE(u->shut) & UNIX_SHUT_WRITE;
}

static NOINLINE int
wait_stream_room(struct unix_sock *u, struct unix_sock *p, int flags)
{
	uint64_t until = sock_deadline(&u->sock, true, flags);
	struct wait_entry e UNINIT;
	int err = 0;

	if (!until)
		return -EAGAIN;
	wait_start_exclusive(&u->write_wq, &e, true);
	while (!stream_room(u, p) && !err)
		err = wait_sleep(&e, until);
	wait_end(&u->write_wq, &e);
	return sock_wait_error(&u->sock, true, err);
}

static int
no_stream(const struct unix_sock *u, const struct sock_msg *sm)
{
	if (sm->addr && sm->addrlen)
		return unix_connected(u) ? -EISCONN : -EOPNOTSUPP;
	return unix_connected(u) ? 0 : -ENOTCONN;
}

ssize_t
unix_send_stream(struct socket *s, struct uio *uio, struct sock_msg *sm)
{
	struct unix_sock *u = unix_of(s), *p = unix_connected(u);
	bool waited = false;
	ssize_t done = 0;
	int err = 0;

	if (unlikely(!p || sm->addr)) {
		err = no_stream(u, sm);
		if (err)
			return err;
	}
	if (unlikely(sm->flags & MSG_OOB && !uio->resid))
		return -EOPNOTSUPP;
	if (unlikely(READ_ONCE(u->shut) & UNIX_SHUT_WRITE))
		return -EPIPE;
	while (uio->resid) {
		bool oob = sm->flags & MSG_OOB;
		struct unix_msg *m;
		uint32_t len;

		if (unlikely(!stream_room(u, p))) {
			waited = true;
			err = wait_stream_room(u, p, sm->flags);
			if (err)
				break;
		}
		if (unlikely(READ_ONCE(u->shut) & UNIX_SHUT_WRITE)) {
			err = -EPIPE;
			break;
		}
		/* The last byte alone is urgent. */
		oob = oob && uio->resid == 1;
		len = (uint32_t)min_u64(uio->resid -
						(sm->flags & MSG_OOB && !oob),
					STREAM_PIECE);
		m = make_message(u, p, uio, len, sm, &err);
		if (unlikely(!m))
			break;
		if (unlikely(!(oob ? unix_enqueue_oob(p, m) : enqueue(p, m)))) {
			free_message(m);
			err = -EPIPE;
			break;
		}
		done += len;
	}
	/* The room that it was woken for may be more than it took. */
	if (unlikely(waited) && stream_room(u, p))
		wait_wake_next(&u->write_wq);
	return done ? done : err;
}

/* ---- reading ---- */

static struct unix_msg *
first_message(struct unix_sock *u)
{
	struct unix_msg *m = NULL;

	spin_lock(&u->lock);
	if (likely(!list_empty(&u->queue)))
		m = list_first_entry(&u->queue, struct unix_msg, link);
	spin_unlock(&u->lock);
	return m;
}

static struct unix_msg *
message_after(struct unix_sock *u, struct unix_msg *m)
{
	struct unix_msg *n = NULL;

	spin_lock(&u->lock);
	if (m->link.next != &u->queue)
		n = list_first_entry(&m->link, struct unix_msg, link);
	spin_unlock(&u->lock);
	return n;
}

/* unlink: the whole message leaves the queue.  How many are left. */
static uint32_t
took(struct unix_sock *u, struct unix_msg *m, uint32_t bytes, bool unlink)
{
	uint32_t left;

	spin_lock(&u->lock);
	u->readable -= bytes;
	if (unlink) {
		list_del(&m->link);
		u->queued -= m->cost;
		u->nqueued--;
	}
	left = u->nqueued;
	spin_unlock(&u->lock);
	return left;
}

/* After a read from a connection: the peer has room, and what is left is for
 * the next reader. */
static void
read_done(struct unix_sock *u, struct unix_sock *p)
{
	if (unlikely(waitq_active(&p->write_wq)) && unix_writable(p))
		wait_wake(&p->write_wq, 1, POLLOUT | POLLWRNORM);
	if (unlikely(!list_empty(&u->queue)) && waitq_active(&u->read_wq))
		wait_wake(&u->read_wq, 1, POLLIN | POLLRDNORM);
}

static void
tell_cred(struct unix_sock *u, const struct ucred *c, struct sock_msg *sm)
{
	if (unlikely(sock_opt(&u->sock, SOCKOPT_PASSCRED)))
		sock_cmsg_put(sm, SOL_SOCKET, SCM_CREDENTIALS, c, sizeof(*c));
}

static void
take_out_files(struct unix_msg *m, struct sock_msg *sm)
{
	bool peek = sm->flags & MSG_PEEK;

	if (likely(!m->files))
		return;
	if (!peek) {
		unix_not_inflight(m->files);
		sm->files = m->files;
		m->files = NULL;
		return;
	}
	sm->files = kmemdup(m->files, sizeof(*m->files), ALLOC_KERNEL);
	for (unsigned i = 0; sm->files && i < sm->files->n; i++)
		file_get(sm->files->f[i]);
	if (!sm->files)
		sm->out_flags |= MSG_CTRUNC;
}

static void
sender_name(const struct unix_sock *from, struct sock_msg *sm)
{
	if (!sm->addr || !from)
		return;
	sm->addrlen = __atomic_load_n(&from->addrlen, __ATOMIC_ACQUIRE);
	memcpy(sm->addr, &from->addr, sm->addrlen);
}

/* ---- streams, receiving ---- */

/* May bytes of m be given out together with those of first? */
static bool
same_sender(const struct unix_sock *u, const struct unix_msg *first,
	    const struct ucred *c, const struct unix_msg *m)
{
	if (!first)
		return true;
	return !sock_opt(&u->sock, SOCKOPT_PASSCRED) ||
	       !memcmp(c, &m->cred, sizeof(*c));
}

static void
count_peek(struct unix_sock *u, const struct sock_msg *sm, ssize_t n)
{
	int off = READ_ONCE(u->sock.peek_off);

	if (likely(off < 0))
		return;
	if (sm->flags & MSG_PEEK)
		off += (int)n;
	else
		off = n > off ? 0 : off - (int)n;
	WRITE_ONCE(u->sock.peek_off, off);
}

/* One message's part; *whole: all of it was taken.  Bytes or -EFAULT. */
static ssize_t
copy_out(struct unix_msg *m, struct uio *uio, uint32_t skip, bool *whole)
{
	uint32_t left = m->len - m->off - skip;
	uint32_t want = (uint32_t)min_u64(left, uio->resid);
	ssize_t n = uio_write(uio, m->data + m->off + skip, want);

	*whole = n == (ssize_t)left;
	return n;
}

/* What comes after m, which is gone then, or only looked over. */
static NOINLINE struct unix_msg *
pass_mark(struct unix_sock *u, struct unix_msg *m, bool drop)
{
	if (!drop)
		return message_after(u, m);
	took(u, m, m->len - m->off, true);
	free_message(m);
	return first_message(u);
}

/* The queue's bytes as far as they belong together; the reader mutex is
 * held.  *stop: what comes next doesn't belong to them. */
static ssize_t
read_queue(struct unix_sock *u, struct uio *uio, struct sock_msg *sm,
	   const struct unix_msg **first, struct ucred *c, bool *stop)
{
	bool peek = sm->flags & MSG_PEEK, whole;
	uint32_t skip =
		peek && u->sock.peek_off > 0 ? (uint32_t)u->sock.peek_off : 0;
	struct unix_msg *m = first_message(u), *next;
	ssize_t done = 0, n;

	for (; m && uio->resid; m = next) {
		if (unlikely(READ_ONCE(u->oob) == m || m->off == m->len)) {
			enum unix_mark k = unix_mark_at(
				u, m, done || *first != NULL, peek);

			*stop = k == MARK_STOP;
			if (*stop)
				break;
			if (k != MARK_NONE) {
				next = pass_mark(u, m, k == MARK_DROP);
				continue;
			}
		}
		if (skip >= m->len - m->off) {
			skip -= m->len - m->off;
			next = message_after(u, m);
			continue;
		}
		if (!same_sender(u, *first, c, m)) {
			*stop = true;
			break;
		}
		n = copy_out(m, uio, skip, &whole);
		if (unlikely(n < 0))
			return done ? done : n;
		skip = 0;
		done += n;
		if (!*first) {
			*c = m->cred;
			*first = m;
			tell_cred(u, c, sm);
		}
		*stop = m->files != NULL; /* they end what comes at once */
		take_out_files(m, sm);
		if (peek) {
			next = message_after(u, m);
		} else {
			m->off += (uint32_t)n;
			took(u, m, (uint32_t)n, whole);
			if (!whole)
				break;
			free_message(m);
			next = *stop || !uio->resid ? NULL : first_message(u);
		}
		if (*stop)
			break;
	}
	return done;
}

static bool
stream_readable(struct unix_sock *u)
{
	if (READ_ONCE(u->sock.error) || READ_ONCE(u->shut) & UNIX_SHUT_READ)
		return true;
	return unlikely(READ_ONCE(u->oob) != NULL) ? unix_oob_readable(u) :
						     !list_empty(&u->queue);
}

/* A wake that a reader leaves without data was another's. */
static int
reader_leaves(struct unix_sock *u, int err)
{
	if (err && !list_empty(&u->queue))
		wait_wake_next(&u->read_wq);
	return sock_wait_error(&u->sock, false, err);
}

static NOINLINE int
wait_stream_data(struct unix_sock *u, uint32_t seen, int flags)
{
	uint64_t until = sock_deadline(&u->sock, false, flags);
	struct wait_entry e UNINIT;
	int err = 0;

	if (!until)
		return -EAGAIN;
	wait_start_exclusive(&u->read_wq, &e, true);
	while (!err && (seen ? READ_ONCE(u->readable) <= seen &&
					!(READ_ONCE(u->shut) & UNIX_SHUT_READ) :
			       !stream_readable(u)))
		err = wait_sleep(&e, until);
	wait_end(&u->read_wq, &e);
	return reader_leaves(u, err);
}

/* How a connection ended, as far as it is known.  It is asked for before the
 * queue is looked at: what came before the end is there then. */
struct ending {
	bool shut, failed;
};

static struct ending
ending_of(const struct unix_sock *u)
{
	struct ending e = {
		.shut = atomic_load_acquire(&u->shut) & UNIX_SHUT_READ,
		.failed = atomic_load_acquire(&u->sock.error) != 0,
	};

	return e;
}

/* Nothing was there: 1 at the end of the stream, 0 after a wait. */
static int
stream_empty(struct unix_sock *u, const struct sock_msg *sm, bool some,
	     uint32_t seen, struct ending e)
{
	int err = e.failed && !some ? sock_take_error(&u->sock) : 0;

	if (err)
		return err;
	return e.shut ? 1 : wait_stream_data(u, seen, sm->flags);
}

ssize_t
unix_recv_stream(struct socket *s, struct uio *uio, struct sock_msg *sm)
{
	struct unix_sock *u = unix_of(s), *p = unix_connected(u);
	const struct unix_msg *first = NULL;
	size_t want;
	struct ucred c;
	ssize_t done = 0, n;

	if (unlikely(sm->flags & (MSG_OOB | MSG_ERRQUEUE)))
		return sm->flags & MSG_OOB ? unix_recv_oob(u, uio, sm) :
					     -EAGAIN;
	if (unlikely(!p))
		return -EINVAL;
	want = sm->flags & MSG_WAITALL ?
		       uio->resid :
		       min_size(uio->resid, (size_t)s->rcvlowat);
	for (;;) {
		struct ending e = ending_of(u);
		bool stop = false;

		mutex_lock(&u->reader);
		n = read_queue(u, uio, sm, &first, &c, &stop);
		if (n > 0)
			count_peek(u, sm, n);
		mutex_unlock(&u->reader);
		if (unlikely(n < 0))
			break;
		done += n;
		if (likely((size_t)done >= want && done) || stop || !uio->resid)
			break;
		/* The rest may be with a sender that waits for room. */
		if (done && !(sm->flags & MSG_PEEK))
			read_done(u, p);
		n = stream_empty(u, sm, done != 0,
				 sm->flags & MSG_PEEK ? (uint32_t)done : 0, e);
		if (n)
			break;
		if (sm->flags & MSG_PEEK && done)
			break;
	}
	if (done > 0) {
		if (unlikely(sm->addr != NULL))
			sender_name(p, sm);
		if (!(sm->flags & MSG_PEEK))
			read_done(u, p);
		else
			wait_wake_next(&u->read_wq); /* it is still there */
		return done;
	}
	return n < 0 ? n : 0;
}

/* ---- datagrams and sequenced packets, sending ---- */

/* Where it goes, with a reference. */
static int
find_target(struct unix_sock *u, struct sock_msg *sm, struct unix_sock **out)
{
	const struct sockaddr_un *sa;
	int err = 0;

	if (sm->addr && sm->addrlen && unix_is_dgram(u)) {
		err = unix_check_addr(sm->addr, sm->addrlen, &sa);
		return err ? err : unix_find(sa, sm->addrlen, SOCK_DGRAM, out);
	}
	spin_lock(&unix_lock);
	if (!u->peer)
		err = -ENOTCONN;
	else
		refcount_get(&u->peer->refs);
	*out = u->peer;
	spin_unlock(&unix_lock);
	return err;
}

/* Has the sender's buffer no room?  One that is larger than what is left goes
 * when alone. */
static bool
sender_full(const struct unix_sock *u, const struct unix_sock *to,
	    uint32_t cost)
{
	uint32_t used = unix_is_dgram(u) ? atomic_load_relaxed(&u->wmem) :
					   READ_ONCE(to->queued);

	return used && (uint64_t)used + cost > READ_ONCE(u->sock.sndbuf);
}

/* Has the receiver's queue none? */
static bool
receiver_full(struct unix_sock *u, struct unix_sock *to)
{
	return unix_is_dgram(u) && unix_dgram_full(u, to);
}

/* 0: it may go; -EAGAIN: no room. */
static int
may_send(struct unix_sock *u, struct unix_sock *to, uint32_t cost)
{
	struct unix_sock *left = NULL;
	int err = 0;

	if (READ_ONCE(u->shut) & UNIX_SHUT_WRITE)
		return -EPIPE;
	if (!unix_is_dgram(u)) {
		if (READ_ONCE(to->shut) & UNIX_SHUT_READ)
			return -EPIPE;
		return sender_full(u, to, cost) ? -EAGAIN : 0;
	}
	spin_lock(&unix_lock);
	if (to->state == UNIX_CLOSED) {
		err = -ECONNREFUSED;
		if (u->peer == to)
			left = unix_leave_peer(u);
	} else if (to->peer && to->peer != u && to != u) {
		err = -EPERM;
	} else if (to->shut & UNIX_SHUT_READ) {
		err = -EPIPE;
	} else if (receiver_full(u, to) || sender_full(u, to, cost)) {
		err = -EAGAIN;
	}
	spin_unlock(&unix_lock);
	if (left)
		unix_put(left);
	return err;
}

/* Waits at its own queue for its buffer, at the receiver's for its queue. */
static NOINLINE int
wait_packet_room(struct unix_sock *u, struct unix_sock *to, uint32_t cost,
		 int flags)
{
	uint64_t until = sock_deadline(&u->sock, true, flags);
	bool full = receiver_full(u, to);
	struct waitq *wq = full ? &to->write_wq : &u->write_wq;
	struct wait_entry e UNINIT;
	int err = 0;

	if (!until)
		return -EAGAIN;
	wait_start(wq, &e, true);
	/* Still, and for that reason: of another it is not told here. */
	if (may_send(u, to, cost) == -EAGAIN &&
	    (full ? receiver_full(u, to) : sender_full(u, to, cost)))
		err = wait_sleep(&e, until);
	wait_end(wq, &e);
	return sock_wait_error(&u->sock, true, err);
}

static int
send_packet(struct unix_sock *u, struct unix_sock *to, struct uio *uio,
	    uint32_t len, struct sock_msg *sm)
{
	uint32_t cost = (uint32_t)sizeof(struct unix_msg) + len;
	struct unix_msg *m;
	int err;

	while ((err = may_send(u, to, cost)) == -EAGAIN) {
		err = wait_packet_room(u, to, cost, sm->flags);
		if (err)
			return err;
	}
	if (err)
		return err;
	m = make_message(u, to, uio, len, sm, &err);
	if (!m)
		return err;
	if (unlikely(unix_is_log(to))) {
		unix_log_tell(m->data, m->len);
		free_message(m);
		return 0;
	}
	if (unix_is_dgram(u)) {
		refcount_get(&u->refs);
		m->from = u;
		atomic_add(&u->wmem, m->cost);
	}
	if (!enqueue(to, m)) {
		free_message(m);
		return unix_is_dgram(u) ? -ECONNREFUSED : -EPIPE;
	}
	return 0;
}

ssize_t
unix_send_packet(struct socket *s, struct uio *uio, struct sock_msg *sm)
{
	struct unix_sock *u = unix_of(s), *to;
	size_t len = uio->resid;
	int err;

	if (sm->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!unix_is_dgram(u) && !unix_connected(u))
		return -ENOTCONN;
	if (sock_opt(s, SOCKOPT_PASSCRED) && !READ_ONCE(u->addrlen)) {
		err = unix_autobind(u);
		if (err)
			return err;
	}
	err = find_target(u, sm, &to);
	if (err)
		return err;
	if (len + sizeof(struct unix_msg) > s->sndbuf)
		err = -EMSGSIZE;
	else
		err = send_packet(u, to, uio, (uint32_t)len, sm);
	unix_put(to);
	return err ? err : (ssize_t)len;
}

/* ---- datagrams and sequenced packets, receiving ---- */

/* The first message, or with SO_PEEK_OFF the one at that offset; the reader
 * mutex is held. */
static struct unix_msg *
packet_at(struct unix_sock *u, const struct sock_msg *sm, uint32_t *skip)
{
	struct unix_msg *m = first_message(u);
	int off = READ_ONCE(u->sock.peek_off);

	*skip = 0;
	if (!(sm->flags & MSG_PEEK) || off <= 0)
		return m;
	*skip = (uint32_t)off;
	while (m && *skip >= m->len && m->len) {
		*skip -= m->len;
		m = message_after(u, m);
	}
	return m;
}

static void
packet_gone(struct unix_sock *u, struct unix_msg *m)
{
	struct unix_sock *c;

	/* Just below the limit: who is connected to us may send again. */
	if (took(u, m, m->len, true) != u->dgram_qlen || !unix_is_dgram(u))
		return;
	wait_wake_all(&u->write_wq, POLLOUT | POLLWRNORM);
	spin_lock(&unix_lock);
	list_for_each_entry(c, &u->clients, client_link)
		if (waitq_active(&c->write_wq))
			wait_wake_all(&c->write_wq, POLLOUT | POLLWRNORM);
	spin_unlock(&unix_lock);
}

/* One message, if there is one: its bytes; -EAGAIN. */
static ssize_t
read_packet(struct unix_sock *u, struct uio *uio, struct sock_msg *sm)
{
	bool peek = sm->flags & MSG_PEEK;
	struct unix_msg *m;
	uint32_t skip, left, want;
	ssize_t n;

	mutex_lock(&u->reader);
	m = packet_at(u, sm, &skip);
	if (m && !peek)
		packet_gone(u, m);
	if (!peek)
		mutex_unlock(&u->reader);
	if (!m) {
		n = -EAGAIN;
		goto out;
	}
	left = m->len - skip;
	want = (uint32_t)min_u64(left, uio->resid);
	n = want ? uio_write(uio, m->data + skip, want) : 0;
	if (n != (ssize_t)want) {
		n = -EFAULT; /* the message is lost, as on Linux */
		goto out_free;
	}
	if (want < left)
		sm->out_flags |= MSG_TRUNC;
	sender_name(unix_is_dgram(u) ? m->from : u->peer, sm);
	tell_cred(u, &m->cred, sm);
	take_out_files(m, sm);
	if (sm->flags & MSG_TRUNC)
		n = left;
	count_peek(u, sm, peek ? want : m->len);
out_free:
	if (!peek)
		free_message(m);
out:
	if (peek)
		mutex_unlock(&u->reader);
	return n;
}

static NOINLINE int
wait_packet(struct unix_sock *u, int flags)
{
	uint64_t until = sock_deadline(&u->sock, false, flags);
	struct wait_entry e UNINIT;
	int err = 0;

	if (!until)
		return -EAGAIN;
	wait_start_exclusive(&u->read_wq, &e, true);
	while (!stream_readable(u) && !err)
		err = wait_sleep(&e, until);
	wait_end(&u->read_wq, &e);
	return reader_leaves(u, err);
}

ssize_t
unix_recv_packet(struct socket *s, struct uio *uio, struct sock_msg *sm)
{
	struct unix_sock *u = unix_of(s), *p;
	bool waited = false;
	ssize_t n;

	if (sm->flags & MSG_OOB)
		return -EOPNOTSUPP;
	p = unix_is_dgram(u) ? NULL : unix_connected(u);
	if (!unix_is_dgram(u) && !p)
		return -ENOTCONN;
	for (;;) {
		struct ending e = ending_of(u);
		int err;

		n = read_packet(u, uio, sm);
		if (n != -EAGAIN)
			break;
		err = e.failed ? sock_take_error(s) : 0;
		if (err)
			return err;
		if (e.shut) {
			/* Datagrams: a call that may not wait is told so. */
			if (unix_is_dgram(u) && sm->flags & MSG_DONTWAIT)
				return -EAGAIN;
			return 0;
		}
		waited = true;
		err = wait_packet(u, sm->flags);
		if (err)
			return err;
	}
	if (p && !(sm->flags & MSG_PEEK))
		read_done(u, p);
	else if (unlikely(waited) && !list_empty(&u->queue))
		wait_wake_next(&u->read_wq); /* of two wakes, or of a peek */
	return n;
}

void
unix_purge(struct unix_sock *u)
{
	struct list msgs = LIST_INIT(msgs);
	struct unix_msg *m, *n;

	spin_lock(&u->lock);
	u->dead = true;
	list_for_each_entry_safe(m, n, &u->queue, link) {
		list_del(&m->link);
		list_add_tail(&msgs, &m->link);
	}
	u->queued = u->nqueued = u->readable = 0;
	u->oob = NULL;
	spin_unlock(&u->lock);
	unix_free_messages(&msgs);
}
