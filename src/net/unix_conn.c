/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX: who is connected to whom.
 *
 * A connection is made by the connecting side, which brings the other end,
 * ready to be used, and puts it into the listener's backlog; accept takes it
 * from there.  Data may be sent before that.
 */
#include "unix_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <sched/thread.h>

/* unix_lock is held, or nobody else knows the two. */
void
unix_join(struct unix_sock *a, struct unix_sock *b)
{
	refcount_get(&a->refs);
	refcount_get(&b->refs);
	a->peer = b;
	b->peer = a;
	unix_my_cred(&a->peer_cred);
	b->peer_cred = a->peer_cred;
	unix_set_groups(a, thread_current()->cred);
	unix_set_groups(b, thread_current()->cred);
	a->has_peer_cred = b->has_peer_cred = true;
	if (unix_is_dgram(a)) {
		list_add_tail(&b->clients, &a->client_link);
		list_add_tail(&a->clients, &b->client_link);
	}
	__atomic_store_n(&a->state, UNIX_CONNECTED, __ATOMIC_RELEASE);
	__atomic_store_n(&b->state, UNIX_CONNECTED, __ATOMIC_RELEASE);
}

int
unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);
	int err = 0;

	if (unix_is_dgram(u))
		return -EOPNOTSUPP;
	spin_lock(&unix_lock);
	if (!u->addrlen) {
		err = -EINVAL;
	} else if (u->state != UNIX_OPEN && u->state != UNIX_LISTEN) {
		err = -EINVAL;
	} else {
		u->state = UNIX_LISTEN;
		s->listening = true;
		u->backlog_max = (unsigned)backlog;
		unix_my_cred(&u->cred);
		u->peer_cred = u->cred; /* SO_PEERCRED of a listener */
		unix_set_groups(u, thread_current()->cred);
		u->has_peer_cred = true;
	}
	spin_unlock(&unix_lock);
	if (!err) /* a larger backlog may have room */
		wait_wake_all(&u->write_wq, POLLOUT);
	return err;
}

/* One try: 0, -EAGAIN (backlog full), or why not. */
static int
try_connect(struct unix_sock *u, struct unix_sock *l, struct unix_sock *end)
{
	int err = 0;

	spin_lock(&unix_lock);
	if (u->state == UNIX_CONNECTED) {
		err = -EISCONN;
	} else if (u->state != UNIX_OPEN) {
		err = -EINVAL;
	} else if (l->state != UNIX_LISTEN || l->shut & UNIX_SHUT_READ) {
		err = -ECONNREFUSED;
	} else if (l->nbacklog > l->backlog_max) {
		err = -EAGAIN;
	} else {
		end->addr = l->addr;
		end->addrlen = l->addrlen;
		unix_join(u, end);
		u->peer_cred = l->cred;
		unix_set_groups(u, l->peer_groups);
		l->nbacklog++;
		list_add_tail(&l->backlog, &end->backlog_link);
	}
	spin_unlock(&unix_lock);
	return err;
}

static int
connect_to(struct unix_sock *u, struct unix_sock *l, bool nonblock)
{
	uint64_t until =
		sock_deadline(&u->sock, true, nonblock ? MSG_DONTWAIT : 0);
	struct unix_sock *end = unix_new(u->sock.type);
	struct wait_entry e UNINIT;
	int err;

	if (!end)
		return -ENOMEM;
	socket_inherit(&end->sock, &l->sock);
	err = try_connect(u, l, end);
	if (err == -EAGAIN && until) {
		wait_start_exclusive(&l->write_wq, &e, true);
		while ((err = try_connect(u, l, end)) == -EAGAIN) {
			err = wait_sleep(&e, until);
			if (!err)
				continue;
			err = sock_wait_error(&u->sock, true, err);
			break;
		}
		wait_end(&l->write_wq, &e);
	}
	wait_wake_next(&l->write_wq);
	if (err) {
		end->addrlen = 0;
		unix_release(&end->sock);
		return err;
	}
	wait_wake(&l->read_wq, 1, POLLIN | POLLRDNORM);
	unix_wake_ends(u); /* who polls sees POLLHUP go */
	return 0;
}

/* Credentials can be asked for: the other side needs a name to answer. */
static int
autobind_if_needed(struct unix_sock *u)
{
	if (sock_opt(&u->sock, SOCKOPT_PASSCRED) && !READ_ONCE(u->addrlen))
		return unix_autobind(u);
	return 0;
}

int
unix_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	struct unix_sock *u = unix_of(s), *to;
	const struct sockaddr_un *sa;
	int err = unix_check_addr(addr, len, &sa);

	if (!err)
		err = autobind_if_needed(u);
	if (!err)
		err = unix_find(sa, len, u->sock.type, &to);
	if (err)
		return err;
	err = connect_to(u, to, nonblock);
	unix_put(to);
	return err;
}

struct unix_sock *
unix_leave_peer(struct unix_sock *u)
{
	struct unix_sock *p = u->peer;

	u->peer = NULL;
	u->state = UNIX_OPEN;
	list_del(&u->client_link);
	list_init(&u->client_link);
	return p;
}

/* to NULL: disconnects. */
static int
set_peer(struct unix_sock *u, struct unix_sock *to)
{
	struct unix_sock *old = NULL;
	int err = 0;

	spin_lock(&unix_lock);
	if (to && to->peer && to->peer != u) {
		err = -EPERM; /* it talks to another one only */
	} else {
		if (u->peer)
			old = unix_leave_peer(u);
		if (to) {
			refcount_get(&to->refs);
			u->peer = to;
			u->state = UNIX_CONNECTED;
			list_add_tail(&to->clients, &u->client_link);
		}
	}
	spin_unlock(&unix_lock);
	if (old)
		unix_put(old);
	return err;
}

int
unix_connect_dgram(struct socket *s, const void *addr, uint32_t len,
		   bool nonblock)
{
	struct unix_sock *u = unix_of(s), *to;
	const struct sockaddr_un *sa = addr;
	int err;

	if (!unix_is_dgram(u))
		return unix_connect(s, addr, len, nonblock);
	if (len < sizeof(sa->family))
		return -EINVAL;
	if (sa->family == AF_UNSPEC)
		return set_peer(u, NULL);
	err = unix_check_addr(addr, len, &sa);
	if (!err)
		err = autobind_if_needed(u);
	if (!err)
		err = unix_find(sa, len, SOCK_DGRAM, &to);
	if (err)
		return err;
	err = set_peer(u, to);
	unix_put(to);
	return err;
}

/* 0, -EAGAIN (none there), -EINVAL. */
static int
take_backlog(struct unix_sock *l, struct unix_sock **out)
{
	struct unix_sock *end;
	int err = 0;

	spin_lock(&unix_lock);
	if (l->state != UNIX_LISTEN) {
		err = -EINVAL;
	} else if (!list_empty(&l->backlog)) {
		end = list_first_entry(&l->backlog, struct unix_sock,
				       backlog_link);
		list_del(&end->backlog_link);
		list_init(&end->backlog_link);
		l->nbacklog--;
		*out = end;
	} else {
		err = l->shut & UNIX_SHUT_READ ? -EINVAL : -EAGAIN;
	}
	spin_unlock(&unix_lock);
	return err;
}

int
unix_accept(struct socket *s, bool nonblock, struct socket **out)
{
	struct unix_sock *l = unix_of(s), *end;
	uint64_t until = sock_deadline(s, false, nonblock ? MSG_DONTWAIT : 0);
	struct wait_entry e UNINIT;
	int err;

	if (unix_is_dgram(l))
		return -EOPNOTSUPP;
	err = take_backlog(l, &end);
	if (err == -EAGAIN && until) {
		wait_start_exclusive(&l->read_wq, &e, true);
		while ((err = take_backlog(l, &end)) == -EAGAIN) {
			err = wait_sleep(&e, until);
			if (!err)
				continue;
			err = sock_wait_error(s, false, err);
			break;
		}
		wait_end(&l->read_wq, &e);
		if (!list_empty(&l->backlog))
			wait_wake_next(&l->read_wq);
	}
	if (err)
		return err;
	wait_wake(&l->write_wq, 1, POLLOUT);
	*out = &end->sock;
	return 0;
}

int
unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = unix_of(s), *p = NULL;
	uint32_t mine, theirs = 0;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	mine = (uint32_t)how + 1; /* SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2 */
	if (mine & UNIX_SHUT_READ)
		theirs |= UNIX_SHUT_WRITE;
	if (mine & UNIX_SHUT_WRITE)
		theirs |= UNIX_SHUT_READ;
	spin_lock(&unix_lock);
	atomic_store_release(&u->shut, u->shut | mine);
	if (!unix_is_dgram(u) && u->peer) {
		p = u->peer;
		refcount_get(&p->refs);
		atomic_store_release(&p->shut, p->shut | theirs);
	}
	spin_unlock(&unix_lock);
	unix_wake_ends(u);
	if (p) {
		unix_wake_ends(p);
		unix_put(p);
	}
	return 0;
}
