/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX: urgent data of streams (MSG_OOB), as Linux has it since 5.15.
 *
 * The last byte that was sent so is a message of its own, the mark: u->oob.
 * A newer one makes it an ordinary byte.  Reads end in front of it; the next
 * one passes over it, and it is lost, unless SO_OOBINLINE makes it a byte like
 * others.  When it was taken by MSG_OOB it stays as a mark without a byte,
 * off == len, which reads end at as well; one that is not the mark any more is
 * taken away by the reader.
 *
 * The queue's lock guards u->oob, as senders set it; whoever takes a message
 * off the queue holds the reader's mutex, so that the mark stays while it is
 * looked at.
 */
#include "unix_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <file/file.h>
#include <vm/uio.h>

static bool
is_inline(const struct unix_sock *u)
{
	return sock_opt(&u->sock, SOCKOPT_OOBINLINE);
}

static bool
has_byte(const struct unix_msg *m)
{
	return m && m->off < m->len;
}

bool
unix_enqueue_oob(struct unix_sock *to, struct unix_msg *m)
{
	struct socket *s = &to->sock;
	int owner = 0;
	bool ok;

	spin_lock(&to->lock);
	ok = unix_enqueue_locked(to, m);
	if (ok) {
		to->oob = m;
		owner = sock_owner(s);
	}
	spin_unlock(&to->lock);
	if (!ok)
		return false;
	sock_signal_urgent(owner);
	atomic_fence(); /* waitq_active() */
	if (waitq_active(&to->read_wq))
		wait_wake_all(&to->read_wq, POLLIN | POLLRDNORM | POLLPRI);
	return true;
}

enum unix_mark
unix_mark_at(struct unix_sock *u, struct unix_msg *m, bool some, bool peek)
{
	enum unix_mark what = MARK_NONE;

	spin_lock(&u->lock);
	if (u->oob != m)
		what = has_byte(m) ? MARK_NONE : peek ? MARK_SKIP : MARK_DROP;
	else if (some)
		what = MARK_STOP;
	else if (peek)
		what = has_byte(m) && is_inline(u) ? MARK_NONE : MARK_SKIP;
	else if (!has_byte(m) || !is_inline(u))
		what = MARK_DROP;
	if (u->oob == m && !some && !peek)
		u->oob = NULL;
	spin_unlock(&u->lock);
	return what;
}

ssize_t
unix_recv_oob(struct unix_sock *u, struct uio *uio, struct sock_msg *sm)
{
	struct unix_msg *m;
	ssize_t n = -EINVAL;
	bool there;

	mutex_lock(&u->reader);
	spin_lock(&u->lock);
	m = u->oob;
	there = has_byte(m) && !is_inline(u);
	spin_unlock(&u->lock);
	if (there) {
		n = uio->resid ? uio_write(uio, m->data + m->off, 1) : 0;
		if (n >= 0)
			n = 1; /* also where there was no room for it */
	}
	if (n > 0) {
		sm->out_flags |= MSG_OOB;
		spin_lock(&u->lock);
		if (!(sm->flags & MSG_PEEK)) {
			m->off = m->len;
			u->readable--;
		}
		spin_unlock(&u->lock);
	}
	mutex_unlock(&u->reader);
	return n;
}

bool
unix_oob_readable(struct unix_sock *u)
{
	uint32_t n;

	spin_lock(&u->lock);
	n = u->readable - (has_byte(u->oob) && !is_inline(u));
	spin_unlock(&u->lock);
	return n != 0;
}

uint32_t
unix_oob_poll(struct unix_sock *u)
{
	bool urgent;

	spin_lock(&u->lock);
	urgent = has_byte(u->oob);
	spin_unlock(&u->lock);
	return urgent ? POLLPRI : 0;
}

bool
unix_at_mark(struct unix_sock *u)
{
	struct unix_msg *m;
	bool at = false;

	spin_lock(&u->lock);
	list_for_each_entry(m, &u->queue, link) {
		at = u->oob == m;
		if (at || has_byte(m))
			break;
	}
	spin_unlock(&u->lock);
	return at;
}
