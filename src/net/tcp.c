/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP sockets as a program sees them: connect, accept, the end, readiness
 * and errors, for near and far connections alike (tcp.h); data is in
 * tcp_data.c.
 *
 * A socket's memory stays while anybody refers to it: the file, the other
 * end of a near connection, lwIP's connection, work that is queued.
 */
#include <net/tcp.h>

#include "tcp_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <file/file.h>
#include <file/poll.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <net/dgram.h>
#include <net/settings.h>
#include <sched/thread.h>
#include <vm/uaccess.h>
#include <vm/uio.h>

#define NEAR_SNDBUF    2626560u /* what Linux reaches on lo */
#define FIRST_SNDBUF   16384u
#define FIRST_RCVBUF   131072u
#define SNDBUF_PRESSED 16384u /* where sockets hold much memory together */

#define OWN_NS 50000u /* until another look at who owns a socket */

#define EV_IN  (POLLIN | POLLRDNORM)
#define EV_OUT (POLLOUT | POLLWRNORM | POLLWRBAND)
#define EV_ALL (EV_IN | EV_OUT | POLLHUP | POLLRDHUP | POLLERR)

/* ---- life ---- */

static void
init_tcp(struct tcp_sock *t, bool v6)
{
	inet_init_sock(&t->in, &tcp_ops, v6, SOCK_STREAM, IPPROTO_TCP);
	t->state = TCP_CLOSE;
	nbuf_queue_init(&t->rx);
	nbuf_queue_init(&t->tx);
	list_init(&t->queue);
	list_init(&t->waiting);
	list_init(&t->queue_link);
	timer_init(&t->timer, tcp_far_timer);
	t->in.timer = &t->timer;
	t->in.sock.sndbuf = FIRST_SNDBUF;
	t->in.sock.rcvbuf = FIRST_RCVBUF;
	t->keepidle_s = net_settings.keepalive_time;
	t->reno = READ_ONCE(net_settings.reno);
	t->keepintvl_s = net_settings.keepalive_intvl;
	t->keepcnt = net_settings.keepalive_probes;
	t->syncnt = 6;
	t->linger2_s = 60;
	t->quickack = true;
}

int
tcp_create(bool v6, struct socket **out)
{
	struct tcp_sock *t = kzalloc(sizeof(*t), ALLOC_KERNEL);

	if (!t)
		return -ENOMEM;
	init_tcp(t, v6);
	inet_list_add(&t->in);
	*out = &t->in.sock;
	return 0;
}

struct tcp_sock *
tcp_new_child(struct tcp_sock *l)
{
	struct tcp_sock *t = kzalloc(sizeof(*t), ALLOC_ATOMIC);

	if (!t)
		return NULL;
	init_tcp(t, l->in.v6);
	inet_inherit(&t->in, &l->in);
	t->in.child = true;
	t->in.connected = true;
	t->nodelay = l->nodelay;
	t->cork = l->cork;
	t->maxseg = l->maxseg;
	t->notsent_lowat = l->notsent_lowat;
	t->reno = l->reno;
	t->keepidle_s = l->keepidle_s;
	t->keepintvl_s = l->keepintvl_s;
	t->keepcnt = l->keepcnt;
	t->linger2_s = l->linger2_s;
	t->user_timeout_ms = l->user_timeout_ms;
	return t;
}

/* ---- what happens to a connection ---- */

static void
wake(struct tcp_sock *t, uint32_t events)
{
	if (waitq_active(&t->in.wq))
		wait_wake_all(&t->in.wq, events);
}

static void
autotune_sndbuf(struct tcp_sock *t)
{
	uint64_t most = mem_total_pages() * PAGE_SIZE / 16;

	if (!sock_opt(&t->in.sock, SOCKOPT_SNDBUF_SET))
		WRITE_ONCE(
			t->in.sock.sndbuf,
			(uint32_t)min_u64(NEAR_SNDBUF, max_u64(most, 65536)));
}

void
tcp_set_established(struct tcp_sock *t)
{
	WRITE_ONCE(t->state, TCP_ESTABLISHED);
	autotune_sndbuf(t);
	t->last_rx_ns = t->last_tx_ns = clock_mono_ns();
}

void
tcp_established(struct tcp_sock *t)
{
	irqflags_t f = tcp_lock(t);

	tcp_set_established(t);
	tcp_unlock(t, f);
	wake(t, EV_OUT);
}

void
tcp_got_data(struct tcp_sock *t, struct nbuf *list, uint32_t bytes)
{
	uint32_t events = EV_IN;
	irqflags_t f = tcp_lock(t);

	if (t->closed || t->state == TCP_CLOSE) {
		tcp_unlock(t, f);
		nbuf_free_list(list);
		return;
	}
	while (list) {
		struct nbuf *next = list->next;

		nbuf_join(&t->rx, list);
		list = next;
	}
	t->rx_total += bytes;
	if (unlikely(t->urg != URG_NONE)) {
		tcp_urg_arrived(t);
		events |= POLLPRI;
	}
	tcp_unlock(t, f);
	wake(t, events);
}

/* Both directions have ended in order.  [l] */
static void
finished(struct tcp_sock *t)
{
	WRITE_ONCE(t->state, TCP_CLOSE);
	atomic_store_release(&t->rcv_shut, true);
	atomic_store_release(&t->snd_shut, true);
}

void
tcp_got_fin(struct tcp_sock *t)
{
	bool near_over = false;
	irqflags_t f = tcp_lock(t);

	atomic_store_release(&t->done, true);
	atomic_store_release(&t->rcv_shut, true);
	switch (t->state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
		WRITE_ONCE(t->state, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT1:
		WRITE_ONCE(t->state, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT2:
		finished(t);
		near_over = tcp_peer(t) != NULL;
		break;
	default:
		break;
	}
	tcp_unlock(t, f);
	if (near_over)
		inet_time_wait(&t->in);
	wake(t, EV_IN | POLLRDHUP | (tcp_state(t) == TCP_CLOSE ? POLLHUP : 0));
}

void
tcp_fin_acked(struct tcp_sock *t)
{
	bool over = false;
	irqflags_t f = tcp_lock(t);

	if (t->state == TCP_FIN_WAIT1) {
		WRITE_ONCE(t->state, TCP_FIN_WAIT2);
	} else if (t->state == TCP_CLOSING || t->state == TCP_LAST_ACK) {
		finished(t);
		over = true;
	}
	tcp_unlock(t, f);
	wake(t, over ? EV_ALL : EV_OUT);
}

void
tcp_got_reset(struct tcp_sock *t, int err)
{
	struct nbuf *tx;
	bool over;
	irqflags_t f = tcp_lock(t);

	if (!err)
		err = t->state == TCP_SYN_SENT	 ? ECONNREFUSED :
		      t->state == TCP_CLOSE_WAIT ? EPIPE :
						   ECONNRESET;
	if (t->state != TCP_CLOSE)
		sock_set_error(&t->in.sock, err);
	finished(t);
	tx = nbuf_take_all(&t->tx);
	over = t->closed && tcp_peer(t);
	tcp_unlock(t, f);
	nbuf_free_list(tx);
	if (over)
		inet_rest_drop(&t->in);
	wake(t, EV_ALL);
}

uint32_t
tcp_send_limit(const struct tcp_sock *t)
{
	uint32_t n = READ_ONCE(t->in.sock.sndbuf);
	struct tcp_sock *p = tcp_peer(t);

	if (unlikely(tcp_tx_pressed()))
		return (uint32_t)min_u64(n, SNDBUF_PRESSED);
	return p ? n + READ_ONCE(p->in.sock.rcvbuf) : n;
}

uint32_t
tcp_queued(const struct tcp_sock *t)
{
	return tcp_peer(t) ? tcp_near_queued(t) :
			     READ_ONCE(t->tx.bytes) + READ_ONCE(t->tx_unacked);
}

bool
tcp_unsent_fits(const struct tcp_sock *t, unsigned times)
{
	uint32_t lowat = READ_ONCE(t->notsent_lowat);

	return likely(!lowat) || tcp_peer(t) ||
	       ((uint64_t)READ_ONCE(t->tx.bytes) + READ_ONCE(t->tx_unsent)) *
			       times <
		       lowat;
}

static bool
writable(const struct tcp_sock *t)
{
	if (!tcp_unsent_fits(t, 2))
		return false;
	return (uint64_t)tcp_queued(t) * 3 <= (uint64_t)tcp_send_limit(t) * 2;
}

/* The barrier is that of can_send() and tcp_poll(), seen from here: who makes
 * room has let go of the lock by a plain store. */
void
tcp_has_room(struct tcp_sock *t)
{
	atomic_fence();
	if (READ_ONCE(t->nospace) && writable(t)) {
		WRITE_ONCE(t->nospace, false);
		wake(t, EV_OUT);
	}
}

/* ---- waiting ---- */

/* Until ready(t), the deadline or a signal.  0, or what the call answers. */
int
tcp_wait(struct tcp_sock *t, bool (*ready)(struct tcp_sock *), bool send,
	 uint64_t deadline)
{
	struct wait_entry e;
	int err = 0;

	if (ready(t))
		return 0;
	if (!deadline)
		return -EAGAIN;
	wait_start(&t->in.wq, &e, true);
	while (!ready(t) && !err)
		err = wait_sleep(&e, deadline);
	wait_end(&t->in.wq, &e);
	return err && !ready(t) ? sock_wait_error(&t->in.sock, send, err) : 0;
}

/* ---- bind, listen, accept ---- */

/* Of the calls that make something else of a socket (listen, connect, its
 * end) one thread is in one at a time; they do not wait with it for what
 * others do. */
static void
own(struct tcp_sock *t)
{
	while (unlikely(atomic_xchg(&t->owned, true)))
		thread_delay(OWN_NS);
}

static void
disown(struct tcp_sock *t)
{
	atomic_store_release(&t->owned, false);
}

static int
tcp_bind(struct socket *s, const void *addr, uint32_t len)
{
	struct inet_sock *sk = inet_of(s);
	struct tcp_sock *t = tcp_of(sk);
	struct inet_end want;
	int err = inet_addr_in(sk, addr, len, &want);

	if (err == -ENETUNREACH)
		return -EINVAL;
	if (err)
		return err;
	if (sk->hashed || tcp_state(t) != TCP_CLOSE)
		return -EINVAL;
	if (inet_is_multicast(&want.addr) && !inet_is_v4(&want.addr))
		return -EINVAL;
	if (!inet_is_any(&want.addr) && !sk->freebind &&
	    !inet_is_multicast(&want.addr) && !inet_is_broadcast(&want.addr) &&
	    !inet_may_bind(&want.addr))
		return -EADDRNOTAVAIL;
	own(t);
	err = inet_bind_port(sk, &want);
	disown(t);
	return err;
}

/* [l] */
static void
open_again(struct tcp_sock *t, uint8_t state)
{
	WRITE_ONCE(t->rcv_shut, false);
	WRITE_ONCE(t->snd_shut, false);
	WRITE_ONCE(t->done, false);
	WRITE_ONCE(t->state, state);
}

static int
start_listen(struct tcp_sock *t, unsigned backlog)
{
	int err = 0;
	irqflags_t f;

	if (tcp_state(t) == TCP_LISTEN) {
		WRITE_ONCE(t->backlog, backlog);
		tcp_near_admit(t);
		return 0;
	}
	if (tcp_state(t) != TCP_CLOSE || t->in.connected)
		return -EINVAL;
	if (!t->in.hashed)
		err = inet_auto_port(&t->in);
	if (!err)
		err = inet_start_listen(&t->in);
	if (err)
		return err == -EADDRNOTAVAIL ? -EADDRINUSE : err;
	f = tcp_lock(t);
	WRITE_ONCE(t->backlog, backlog);
	open_again(t, TCP_LISTEN);
	t->in.sock.listening = true;
	tcp_unlock(t, f);
	return tcp_far_listen(t);
}

static int
tcp_listen(struct socket *s, int backlog)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	int err;

	if ((unsigned)backlog > (unsigned)net_settings.somaxconn)
		backlog = net_settings.somaxconn;
	own(t);
	err = start_listen(t, (unsigned)backlog);
	disown(t);
	return err;
}

bool
tcp_enqueue_child(struct tcp_sock *l, struct tcp_sock *child, bool placed)
{
	irqflags_t f = tcp_lock(l);
	bool ok = l->state == TCP_LISTEN;

	if (ok)
		list_add_tail(&l->queue, &child->queue_link);
	l->nqueue += ok;
	l->nqueue -= placed;
	tcp_unlock(l, f);
	if (ok && waitq_active(&l->in.wq))
		wait_wake(&l->in.wq, 1, EV_IN);
	return ok;
}

static struct tcp_sock *
take_child(struct tcp_sock *l)
{
	struct tcp_sock *c = NULL;
	irqflags_t f = tcp_lock(l);

	if (!list_empty(&l->queue)) {
		c = list_first_entry(&l->queue, struct tcp_sock, queue_link);
		list_del(&c->queue_link);
		l->nqueue--;
	}
	tcp_unlock(l, f);
	return c;
}

static int
tcp_accept(struct socket *s, bool nonblock, struct socket **out)
{
	struct tcp_sock *l = tcp_of(inet_of(s)), *c = NULL;
	uint64_t deadline =
		sock_deadline(s, false, nonblock ? MSG_DONTWAIT : 0);
	struct wait_entry e;
	int err = 0;

	if (tcp_state(l) != TCP_LISTEN)
		return -EINVAL;
	c = take_child(l);
	if (!c && !deadline)
		return -EAGAIN;
	if (!c) {
		wait_start_exclusive(&l->in.wq, &e, true);
		while (!(c = take_child(l)) && !err)
			err = tcp_state(l) != TCP_LISTEN ?
				      -EINVAL :
				      wait_sleep(&e, deadline);
		wait_end(&l->in.wq, &e);
		if (!list_empty(&l->queue))
			wait_wake_next(&l->in.wq);
		if (!c)
			return err == -EINVAL ? err :
						sock_wait_error(s, false, err);
	}
	tcp_near_admit(l);
	*out = &c->in.sock;
	return 0;
}

/* ---- connect ---- */

/* What the core is about to do with t, or another CPU has it do, is done. */
static void
settle(struct tcp_sock *t)
{
	if (!READ_ONCE(t->pcb))
		return;
	net_core_lock();
	net_core_unlock();
}

static int
disconnect_owned(struct tcp_sock *t)
{
	struct nbuf *rx;
	irqflags_t f;

	if (tcp_state(t) == TCP_LISTEN || (!t->in.connected && !t->connecting))
		return tcp_state(t) == TCP_LISTEN ? -EINVAL : 0;
	tcp_near_give_up(t);
	f = tcp_lock(t);
	if (t->state != TCP_CLOSE && t->state != TCP_SYN_SENT)
		sock_set_error(&t->in.sock, ECONNRESET);
	finished(t); /* before its peer is looked at: no other end comes now */
	t->connecting = false;
	rx = nbuf_take_all(&t->rx);
	tcp_unlock(t, f);
	nbuf_free_list(rx);
	if (tcp_peer(t))
		tcp_near_close(t, true);
	else if (t->pcb)
		tcp_far_do(t, FAR_ABORT);
	settle(t);
	inet_give_ends(&t->in);
	wake(t, EV_ALL);
	/* A socket whose other end may still hold it does not start anew. */
	return tcp_peer(t) || t->pcb ? -EOPNOTSUPP : 0;
}

static int
disconnect(struct tcp_sock *t)
{
	int err;

	own(t);
	err = disconnect_owned(t);
	disown(t);
	return err;
}

bool
tcp_connect_over(struct tcp_sock *t)
{
	return tcp_state(t) != TCP_SYN_SENT;
}

/* Starts it.  0: established, -EINPROGRESS, or why not. */
static int
start_connect(struct tcp_sock *t, struct inet_end *dst)
{
	struct inet_sock *sk = &t->in;
	struct inet_end src = { .scope = dst->scope };
	bool v4, near;
	irqflags_t f;
	int err;

	if (inet_is_any(&dst->addr)) {
		if (!sk->v6 || inet_is_v4(&dst->addr))
			dst->addr = inet_v4(0x0100007f);
		else
			dst->addr.b[15] = 1;
	}
	if (inet_is_multicast(&dst->addr))
		return -ENETUNREACH;
	v4 = inet_is_v4(&dst->addr);
	if (!inet_is_any(&sk->local.addr) && inet_is_v4(&sk->local.addr) != v4)
		return -ENETUNREACH;
	near = inet_is_local(&dst->addr);
	src.addr = inet_near_source(&dst->addr);
	if (!near && inet_is_loopback4(&sk->local.addr))
		return -EINVAL;
	if (!near)
		inet_need_route(&dst->addr);
	if (!near && (!tcp_far_source(dst, &src) ||
		      (sock_opt(&sk->sock, SOCKOPT_DONTROUTE) &&
		       inet_over_router(&dst->addr))))
		return -ENETUNREACH;
	err = inet_claim_ends(sk, dst, &src.addr);
	if (err)
		return err;
	f = tcp_lock(t);
	open_again(t, TCP_SYN_SENT);
	tcp_unlock(t, f);
	return near ? tcp_near_connect(t) : tcp_far_connect(t);
}

static void
as_fresh(struct tcp_sock *t)
{
	irqflags_t f = tcp_lock(t);

	open_again(t, TCP_CLOSE);
	tcp_unlock(t, f);
	inet_give_ends(&t->in);
}

/* Owned.  0: it is under way, or over. */
static int
begin_connect(struct tcp_sock *t, const void *addr, uint32_t len)
{
	struct inet_end dst;
	int err;

	if (t->in.connected || tcp_state(t) == TCP_LISTEN)
		return -EISCONN;
	settle(t); /* one that failed: its end is told before it is gone */
	if (tcp_peer(t) || t->pcb)
		return -EISCONN;
	err = inet_addr_in(&t->in, addr, len, &dst);
	if (!err)
		err = start_connect(t, &dst);
	if (err && err != -EINPROGRESS && err != -ECONNREFUSED) {
		as_fresh(t);
		return err;
	}
	t->connecting = true;
	if (err == -ECONNREFUSED)
		tcp_got_reset(t, ECONNREFUSED);
	return 0;
}

static int
tcp_connect(struct socket *s, const void *addr, uint32_t len, bool nonblock)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	uint16_t family = AF_UNSPEC;
	int err;

	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, addr, sizeof(family));
	if (family == AF_UNSPEC)
		return disconnect(t);
	own(t);
	if (!t->connecting) {
		err = begin_connect(t, addr, len);
		if (!err && nonblock)
			err = -EINPROGRESS;
	} else {
		err = tcp_state(t) == TCP_SYN_SENT && nonblock ? -EALREADY : 0;
	}
	disown(t);
	if (err)
		return err;
	err = tcp_wait(t, tcp_connect_over, true,
		       sock_deadline(s, true, nonblock ? MSG_DONTWAIT : 0));
	if (err)
		return err == -EAGAIN ? -EINPROGRESS : err;
	own(t);
	t->connecting = false;
	if (tcp_state(t) == TCP_CLOSE) {
		err = sock_take_error(s);
		as_fresh(t);
		err = err ? err : -ECONNABORTED;
	}
	disown(t);
	return err;
}

/* ---- the end ---- */

static void release(struct tcp_sock *t, bool reset);

void
tcp_drop_child(struct tcp_sock *c)
{
	release(c, true);
}

/* Connections that nobody will accept; they have no queues of their own. */
static void
drop_queue(struct tcp_sock *l)
{
	struct tcp_sock *c;

	while ((c = take_child(l)))
		release(c, true);
	tcp_near_admit(l);
}

static void
stop_listening(struct tcp_sock *t)
{
	irqflags_t f;

	tcp_far_unlisten(t);
	inet_stop_listen(&t->in);
	f = tcp_lock(t);
	finished(t);
	t->in.sock.listening = false;
	tcp_unlock(t, f);
	drop_queue(t);
	wake(t, EV_ALL);
}

static int
tcp_shutdown(struct socket *s, int how)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	bool fin = false;
	irqflags_t f;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (tcp_state(t) == TCP_LISTEN) {
		own(t);
		if (how != SHUT_WR && tcp_state(t) == TCP_LISTEN)
			stop_listening(t);
		disown(t);
		return 0;
	}
	f = tcp_lock(t);
	if (t->state == TCP_CLOSE || t->state == TCP_SYN_SENT) {
		bool was_syn = t->state == TCP_SYN_SENT;

		tcp_unlock(t, f);
		if (!was_syn)
			return -ENOTCONN;
		return disconnect(t) == -EINVAL ? -ENOTCONN : 0;
	}
	if (how != SHUT_WR)
		atomic_store_release(&t->rcv_shut, true);
	if (how != SHUT_RD && !t->snd_shut) {
		fin = true;
		atomic_store_release(&t->snd_shut, true);
		if (t->state == TCP_ESTABLISHED)
			WRITE_ONCE(t->state, TCP_FIN_WAIT1);
		else if (t->state == TCP_CLOSE_WAIT)
			WRITE_ONCE(t->state, TCP_LAST_ACK);
	}
	tcp_unlock(t, f);
	if (fin && tcp_peer(t))
		tcp_near_shutdown(t);
	else if (fin)
		tcp_far_do(t, FAR_PUSH | FAR_FIN);
	wake(t, EV_ALL);
	return 0;
}

/* Who waits for that is told each time that there is room. */
static bool
all_sent(struct tcp_sock *t)
{
	WRITE_ONCE(t->nospace, true);
	atomic_fence();
	return !tcp_queued(t) || tcp_state(t) == TCP_CLOSE;
}

/* SO_LINGER with a time: until all is acknowledged. */
static void
linger(struct tcp_sock *t)
{
	uint64_t ns = (uint64_t)t->in.sock.linger_s * NSEC_PER_SEC;

	tcp_far_do(t, FAR_PUSH | FAR_FIN);
	ignore(tcp_wait(t, all_sent, true, clock_mono_ns() + ns));
}

/* In which state the connection goes on when its socket is closed now;
 * TCP_CLOSE: it does not. */
static uint8_t
state_left(const struct tcp_sock *t, bool reset)
{
	if (reset)
		return TCP_CLOSE;
	if (tcp_peer(t)) /* only the end that closes first waits */
		return t->state == TCP_FIN_WAIT2 ? TCP_FIN_WAIT2 : TCP_CLOSE;
	switch (t->state) {
	case TCP_ESTABLISHED:
		return TCP_FIN_WAIT1;
	case TCP_CLOSE_WAIT:
		return TCP_LAST_ACK;
	case TCP_SYN_SENT:
		return TCP_CLOSE;
	default:
		return t->state;
	}
}

static void
release(struct tcp_sock *t, bool reset)
{
	struct socket *s = &t->in.sock;
	struct nbuf *rx;
	uint8_t left;
	irqflags_t f;

	if (tcp_state(t) == TCP_LISTEN) {
		tcp_far_unlisten(t);
		inet_stop_listen(&t->in);
	}
	tcp_near_give_up(t);
	if (!tcp_peer(t) && !reset && sock_opt(s, SOCKOPT_LINGER) && t->pcb)
		linger(t);
	f = tcp_lock(t);
	WRITE_ONCE(t->closed, true);
	if (t->state == TCP_LISTEN)
		WRITE_ONCE(t->state, TCP_CLOSE);
	reset |= t->rx.bytes != 0;
	if (tcp_peer(t) && !reset && t->state == TCP_ESTABLISHED)
		WRITE_ONCE(t->state, TCP_FIN_WAIT2);
	left = state_left(t, reset);
	rx = nbuf_take_all(&t->rx);
	tcp_unlock(t, f);
	nbuf_free_list(rx);
	drop_queue(t);
	inet_leave(&t->in, left, !tcp_peer(t));
	if (tcp_peer(t)) {
		tcp_near_close(t, reset);
		inet_put(&tcp_peer(t)->in);
	} else {
		tcp_far_do(t, reset ? FAR_ABORT : FAR_CLOSE);
	}
	inet_put(&t->in);
}

static void
tcp_release(struct socket *s)
{
	release(tcp_of(inet_of(s)),
		sock_opt(s, SOCKOPT_LINGER) && !s->linger_s);
}

/* ---- readiness ---- */

/* The byte that is marked, next in line, is not there for who polls. */
static NOINLINE uint32_t
poll_urgent(struct tcp_sock *t, uint32_t have, uint32_t *mask)
{
	irqflags_t f = tcp_lock(t);

	if (t->urg == URG_HERE)
		*mask |= POLLPRI;
	if (have && tcp_at_mark(t) && !sock_opt(&t->in.sock, SOCKOPT_OOBINLINE))
		have--;
	tcp_unlock(t, f);
	return have;
}

static uint32_t
tcp_poll(struct socket *s, struct poll_table *pt)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	uint32_t mask = 0;
	bool rcv_shut, snd_shut;
	uint8_t state;

	poll_wait(pt, &t->in.wq);
	state = tcp_state(t);
	if (state == TCP_LISTEN)
		return list_empty(&t->queue) ? 0 : EV_IN;
	rcv_shut = READ_ONCE(t->rcv_shut);
	snd_shut = READ_ONCE(t->snd_shut);
	if ((rcv_shut && snd_shut) || state == TCP_CLOSE)
		mask |= POLLHUP;
	if (rcv_shut)
		mask |= EV_IN | POLLRDHUP;
	if (state != TCP_SYN_SENT) {
		uint32_t have = READ_ONCE(t->rx.bytes);

		if (unlikely(READ_ONCE(t->urg) != URG_NONE))
			have = poll_urgent(t, have, &mask);
		if (have && have >= (unsigned)s->rcvlowat)
			mask |= EV_IN;
		if (snd_shut || state == TCP_CLOSE || writable(t)) {
			mask |= POLLOUT | POLLWRNORM;
		} else {
			WRITE_ONCE(t->nospace, true);
			atomic_fence();
			if (writable(t))
				mask |= POLLOUT | POLLWRNORM;
		}
	}
	if (READ_ONCE(s->error) || unlikely(READ_ONCE(t->in.zc_untold)))
		mask |= POLLERR;
	return mask;
}

static long
put_user_int(uint64_t arg, int v)
{
	return copy_to_user((void __user *)arg, &v, sizeof(v));
}

static long
tcp_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	irqflags_t f;
	bool at;

	switch (cmd) {
	case SIOCINQ:
		if (tcp_state(t) == TCP_LISTEN)
			return -EINVAL;
		return put_user_int(arg, (int)tcp_readable(t));
	case SIOCOUTQ:
		if (tcp_state(t) == TCP_LISTEN)
			return -EINVAL;
		return put_user_int(arg, tcp_peer(t) ? 0 : (int)tcp_queued(t));
	case SIOCOUTQNSD:
		if (tcp_state(t) == TCP_LISTEN)
			return -EINVAL;
		return put_user_int(arg,
				    tcp_peer(t) ? 0 : (int)tcp_far_unsent(t));
	case SIOCATMARK:
		f = tcp_lock(t);
		at = tcp_at_mark(t);
		tcp_unlock(t, f);
		return put_user_int(arg, at);
	default:
		return -ENOTTY;
	}
}

static int
tcp_name(struct socket *s, bool peer, void *addr, uint32_t *len)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	int err = -ENOTCONN;

	own(t); /* a connection that begins has half an address */
	if (!peer ||
	    (tcp_state(t) != TCP_CLOSE && tcp_state(t) != TCP_SYN_SENT))
		err = inet_name(&t->in, peer, addr, len);
	disown(t);
	return err;
}

static void
tcp_changed(struct socket *s, int name)
{
	struct tcp_sock *t = tcp_of(inet_of(s));

	if (name == SO_KEEPALIVE && t->pcb)
		tcp_far_do(t, FAR_OPTS);
	if (name == SO_RCVLOWAT)
		wake(t, EV_IN);
}

const struct socket_ops tcp_ops = {
	.bind = tcp_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.name = tcp_name,
	.send = tcp_data_send,
	.recv = tcp_data_recv,
	.send_pages = tcp_data_pages,
	.shutdown = tcp_shutdown,
	.getopt = tcp_getopt,
	.setopt = tcp_setopt,
	.changed = tcp_changed,
	.poll = tcp_poll,
	.ioctl = tcp_ioctl,
	.release = tcp_release,
};
