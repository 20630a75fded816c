/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections that leave the machine: lwIP's on one side, struct
 * tcp_sock on the other.
 *
 * Threads never wait for the core to send or to tell that they have read:
 * they set a bit in `todo` and let far_work() run, by themselves if the core
 * is free, else by whoever holds it.
 *
 * A connection of lwIP holds one reference to its socket, in callback_arg,
 * as long as pcb is set; each work that is queued holds another.
 *
 * Data to be sent is referred to, not copied, by lwIP's segments (txref.c).
 * Small pieces are copied into the segment with its headers, as that is
 * cheaper.
 * Received data is handed up as it lies in the device's buffers, unless it
 * is small.
 */
#include "ether.h"
#include "route.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/reclaim.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <net/lwip/far.h>
#include <net/settings.h>
#include <net/tcp.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

#include "port_hooks.h"

#define COPY_MAX  512u	/* sent: copied rather than referred to */
#define RX_COPY	  1024u /* received: the same */
#define HALF_OPEN 1024u /* handshakes under way, of one listener */
#define TRIES	  15u	/* of data: a quarter of an hour, as on Linux */
#define TRIES_END 8u	/* of a socket that is closed */
#define RETRY_NS  (NSEC_PER_SEC / 20) /* where there was no memory */
#define WND_MIN	  32768u
#define WND_MAX	  (6u << 20)

/* ---- receiving ---- */

struct rx_nbuf {
	struct nbuf b; /* first */
	struct pbuf *p;
};

static void
rx_nbuf_free(struct nbuf *b)
{
	struct rx_nbuf *r = (struct rx_nbuf *)(void *)b;

	pbuf_free(r->p);
	kfree(r);
}

static void
rx_copy_free(struct nbuf *b)
{
	atomic_sub(&net_rx_held, b->truesize);
	kfree(b);
}

/* It counts as what it takes: another end that sends byte by byte to who does
 * not read fills a window, but not the memory. */
static struct nbuf *
copy_chain(struct pbuf *p)
{
	struct nbuf *b =
		nbuf_alloc_shared(p->tot_len, ALLOC_ATOMIC, rx_copy_free);

	if (!b)
		return NULL;
	atomic_add(&net_rx_held, b->truesize);
	pbuf_copy_partial(p, b->data, p->tot_len, 0);
	pbuf_free(p);
	return b;
}

/* Each pbuf of the chain that has bytes gets a wrapper; nothing has happened
 * if one cannot be had.  One may have none: it was all headers, or its bytes
 * had come before. */
static struct nbuf *
wrap_chain(struct pbuf *p)
{
	struct nbuf *list = NULL, **end = &list, *b;
	struct pbuf *q;

	for (q = p; q; q = q->next) {
		struct rx_nbuf *r;

		if (!q->len)
			continue;
		r = kmalloc(sizeof(*r), ALLOC_ATOMIC);
		if (!r)
			goto fail;
		r->b.next = NULL;
		r->b.shares = r->b.referred = false;
		refcount_set(&r->b.refs, 1);
		r->p = q;
		r->b.data = q->payload;
		r->b.len = q->len;
		r->b.truesize = q->len;
		r->b.free = rx_nbuf_free;
		*end = &r->b;
		end = &r->b.next;
	}
	while (p) { /* the chain comes apart: each is its own from here on */
		q = p->next;
		p->next = NULL;
		p->tot_len = p->len;
		if (!p->len)
			pbuf_free(p);
		p = q;
	}
	return list;
fail:
	while (list) {
		b = list->next;
		kfree(list);
		list = b;
	}
	return NULL;
}

static bool enqueue_deferred(struct tcp_sock *t);
static void drop_deferred(struct tcp_sock *t);

static err_t
received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct tcp_sock *t = arg;
	uint32_t bytes;
	struct nbuf *list;

	(void)err;
	if (!t) {
		if (p)
			pbuf_free(p);
		return ERR_OK;
	}
	if (t->deferred)
		enqueue_deferred(t);
	if (!p) {
		tcp_got_fin(t);
		return ERR_OK;
	}
	bytes = p->tot_len;
	list = bytes <= RX_COPY ? copy_chain(p) : wrap_chain(p);
	if (!list)
		return ERR_MEM; /* lwIP keeps it and comes again */
	t->rx_out += bytes;
	if (unlikely(t->ack_now))
		tcp_ack_now(pcb);
	tcp_got_data(t, list, bytes);
	return ERR_OK;
}

/* ---- the end of a connection ---- */

/* What we had no memory for comes for the last time: lwIP forgets it with the
 * connection. */
static void
take_refused(struct tcp_sock *t, struct tcp_pcb *pcb)
{
	if (likely(!pcb->refused_data))
		return;
	if (tcp_process_refused_data(pcb) != ERR_OK)
		tcp_got_reset(t, ENOMEM);
}

/* Nothing of lwIP refers to t any more. */
static void
detach(struct tcp_sock *t)
{
	t->pcb = NULL;
	inet_put(&t->in);
}

static void
failed(void *arg, err_t err)
{
	struct tcp_sock *t = arg;
	int e = 0;

	if (!t)
		return;
	if (unlikely(t->deferred))
		drop_deferred(t);
	if (err == ERR_ABRT)
		e = t->soft_error ? t->soft_error : ETIMEDOUT;
	if (err == ERR_CLSD) { /* the pcb is still there */
		take_refused(t, t->pcb);
		tcp_fin_acked(t);
	} else {
		tcp_got_reset(t, e);
	}
	detach(t);
}

static void
forget(struct tcp_sock *t, struct tcp_pcb *pcb)
{
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	detach(t);
}

#define REST 0 /* the one ext_arg: what is left in the table of ports */

static void
rest_over(u8_t id, void *rest)
{
	(void)id;
	inet_rest_over(rest);
}

/* The same where lwIP goes on alone. */
static void
leave_alone(struct tcp_sock *t, struct tcp_pcb *pcb)
{
	static const struct tcp_ext_arg_callbacks callbacks = {
		.destroy = rest_over,
	};
	struct inet_rest *r = inet_rest_far(&t->in, pcb);

	if (r) {
		tcp_ext_arg_set_callbacks(pcb, REST, &callbacks);
		tcp_ext_arg_set(pcb, REST, r);
	}
	forget(t, pcb);
}

static void
tell_rest(struct tcp_pcb *pcb)
{
	struct inet_rest *r = tcp_ext_arg_get(pcb, REST);

	if (r)
		inet_rest_waits(r, (pcb->flags & TF_TIMESTAMP) != 0);
}

uint8_t
port_tcp_tries(const struct tcp_pcb *pcb)
{
	const struct tcp_sock *t = pcb->callback_arg;

	if (!t)
		return TRIES_END;
	return pcb->state == SYN_SENT ? (uint8_t)t->syncnt : TRIES;
}

int
port_tcp_idle(void)
{
	return READ_ONCE(net_settings.start_after_idle);
}

/* For TCP_NOTSENT_LOWAT: what lwIP has and has not sent. */
static void
count_unsent(struct tcp_sock *t, const struct tcp_pcb *pcb)
{
	WRITE_ONCE(t->tx_unsent, pcb->snd_lbb - pcb->snd_nxt);
	tcp_has_room(t);
}

void
port_tcp_processed(struct tcp_pcb *pcb)
{
	struct tcp_sock *t = pcb->callback_arg;

	if (pcb->state == LISTEN)
		return;
	if (!t) {
		if (pcb->state == TIME_WAIT)
			tell_rest(pcb);
		return;
	}
	if (unlikely(t->notsent_lowat))
		count_unsent(t, pcb);
	t->last_rx_ns = clock_mono_ns();
	if (!t->tx_wait_ns)
		t->tx_wait_ns = t->last_rx_ns;
	t->probes = 0;
	if (pcb->state == FIN_WAIT_2 && tcp_state(t) == TCP_FIN_WAIT1)
		tcp_fin_acked(t);
	if (pcb->state == TIME_WAIT) {
		/* lwIP waits alone from here on. */
		take_refused(t, pcb);
		tcp_fin_acked(t);
		leave_alone(t, pcb);
		tell_rest(pcb);
	}
}

static err_t
acked(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct tcp_sock *t = arg;
	irqflags_t f;

	(void)pcb;
	if (!t)
		return ERR_OK;
	f = spin_lock_irq(&t->in.lock);
	t->tx_unacked -= (uint32_t)min_u64(len, t->tx_unacked);
	spin_unlock_irq(&t->in.lock, f);
	t->tx_wait_ns = 0; /* it goes on */
	tcp_has_room(t);
	if (READ_ONCE(t->tx.bytes))
		tcp_far_do(t, FAR_PUSH);
	return ERR_OK;
}

/* ---- sending ---- */

static err_t
write_piece(struct tcp_pcb *pcb, struct nbuf *b, uint32_t most, u8_t flags)
{
	u16_t n = (u16_t)min_u64(min_u64(b->len, most), 0xfff0);

	if (n <= COPY_MAX)
		flags |= TCP_WRITE_FLAG_COPY;
	tx_ref_writing = b;
	if (n < b->len)
		flags |= TCP_WRITE_FLAG_MORE;
	if (tcp_write(pcb, b->data, n, flags) != ERR_OK)
		return ERR_MEM;
	b->data += n;
	b->len -= n;
	return ERR_OK;
}

static void
put_back(struct tcp_sock *t, struct nbuf *list)
{
	struct nbuf *last = list;
	uint32_t bytes = list->len;
	irqflags_t f;

	while (last->next) {
		last = last->next;
		bytes += last->len;
	}
	f = spin_lock_irq(&t->in.lock);
	last->next = t->tx.head;
	if (!t->tx.head)
		t->tx.tail = &last->next;
	t->tx.head = list;
	t->tx.bytes += bytes;
	t->tx_unacked -= bytes;
	spin_unlock_irq(&t->in.lock, f);
}

/* Once the urgent byte is with lwIP. */
static void
push_urgent(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;
	irqflags_t f = spin_lock_irq(&t->in.lock);
	uint64_t behind = t->tx_total - t->tx.bytes - t->tx_urg;

	if (t->tx_urg && (int64_t)behind >= 0) {
		tcp_urgent(pcb, pcb->snd_lbb - (uint32_t)behind);
		t->tx_urg = 0;
	}
	spin_unlock_irq(&t->in.lock, f);
}

/* While more is announced, what does not fill a segment waits for it. */
static void
write_data(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;
	struct nbuf *list;
	irqflags_t f = spin_lock_irq(&t->in.lock);
	uint32_t left = t->tx.bytes;

	if (t->cork_ns)
		left -= left % tcp_mss(pcb);
	if (!t->tx_unacked)
		t->tx_wait_ns = 0;
	t->tx_unacked += t->tx.bytes;
	list = nbuf_take_all(&t->tx);
	spin_unlock_irq(&t->in.lock, f);
	while (list) {
		struct nbuf *next = list->next;

		while (list->len) {
			uint32_t len = list->len;

			if (!left) {
				put_back(t, list);
				goto out;
			}
			if (write_piece(pcb, list, left,
					next ? TCP_WRITE_FLAG_MORE : 0) !=
			    ERR_OK) {
				put_back(t, list);
				return;
			}
			left -= len - list->len;
		}
		nbuf_free(list);
		list = next;
	}
out:
	t->last_tx_ns = clock_mono_ns();
	if (!t->tx_wait_ns)
		t->tx_wait_ns = t->last_tx_ns;
}

static void
push_data(struct tcp_sock *t)
{
	write_data(t);
	if (unlikely(t->tx_urg))
		push_urgent(t);
}

void
port_tcp_urgent(struct tcp_pcb *pcb, uint32_t ahead)
{
	struct tcp_sock *t = pcb->callback_arg;

	if (t)
		tcp_got_urgent(t, READ_ONCE(t->rx_total) + ahead);
}

static void
tell_read(struct tcp_sock *t, bool all)
{
	struct tcp_pcb *pcb = t->pcb;
	irqflags_t f = spin_lock_irq(&t->in.lock);
	uint32_t n = all ? t->rx_out : t->rx_read;

	t->rx_read = 0;
	spin_unlock_irq(&t->in.lock, f);
	n = (uint32_t)min_u64(n, t->rx_out);
	t->rx_out -= n;
	while (n) {
		u16_t k = (u16_t)min_u64(n, 0xffff);

		tcp_recved(pcb, k);
		n -= k;
	}
}

/* A reader that takes a whole window within a second could use a larger
 * one, as long as memory is plenty. */
static void
autotune(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;
	uint64_t now = clock_mono_ns();
	uint32_t wnd = pcb->wnd_max;

	if (sock_opt(&t->in.sock, SOCKOPT_RCVBUF_SET))
		return;
	if (t->rx_epoch_bytes >= wnd) {
		if (now - t->rx_epoch_ns < NSEC_PER_SEC && wnd < WND_MAX &&
		    atomic_load_relaxed(&net_rx_held) < net_rx_limit() / 4 &&
		    wnd < net_rx_limit() / 16) {
			wnd = (uint32_t)min_u64((uint64_t)wnd * 2, WND_MAX);
			tcp_set_wnd(pcb, wnd);
			t->rx_window = wnd;
			t->in.sock.rcvbuf = (uint32_t)max_u64(
				t->in.sock.rcvbuf, (uint64_t)wnd * 2);
		}
	} else if (now - t->rx_epoch_ns < NSEC_PER_SEC) {
		return;
	}
	t->rx_epoch_ns = now;
	t->rx_epoch_bytes = 0;
}

/* ---- options and timers ---- */

static void
apply_options(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;
	bool v4 = IP_IS_V4_VAL(pcb->remote_ip);

	if (t->nodelay)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	pcb->tos = v4 ? t->in.tos : t->in.tclass;
	pcb->ttl = (u8_t)(v4 ? (t->in.ttl < 0 ? 64 : t->in.ttl) :
			       (t->in.hops < 0 ? 64 : t->in.hops));
	if (t->maxseg && t->maxseg < pcb->mss)
		pcb->mss = t->maxseg;
	tcp_cc_choose(&pcb->cc, t->reno);
	pcb->fin_wait_s = (u8_t)(t->linger2_s < 0 ? 0 : t->linger2_s);
	if (t->ack_now && pcb->flags & TF_ACK_DELAY) {
		tcp_ack_now(pcb);
		tcp_output(pcb);
	}
}

/* lwIP had no memory for what is to be sent, and no acknowledgement will come
 * to try it again. */
static bool
stuck(const struct tcp_sock *t)
{
	return READ_ONCE(t->tx.bytes) && !t->cork_ns && !t->tx_unacked;
}

/* When the timer must look again; 0: never. */
static uint64_t
next_look(const struct tcp_sock *t)
{
	uint64_t at = 0;

	if (sock_opt(&t->in.sock, SOCKOPT_KEEPALIVE))
		at = t->last_rx_ns + (uint64_t)t->keepidle_s * NSEC_PER_SEC +
		     (uint64_t)t->probes * (uint64_t)t->keepintvl_s *
			     NSEC_PER_SEC;
	if (t->user_timeout_ms && t->tx_unacked) {
		uint64_t u =
			t->tx_wait_ns + (uint64_t)t->user_timeout_ms * 1000000;

		at = at ? min_u64(at, u) : u;
	}
	if (t->cork_ns)
		at = at ? min_u64(at, t->cork_ns) : t->cork_ns;
	if (unlikely(stuck(t))) {
		uint64_t u = clock_mono_ns() + RETRY_NS;

		at = at ? min_u64(at, u) : u;
	}
	return at;
}

static void
rearm(struct tcp_sock *t)
{
	uint64_t at = t->pcb ? next_look(t) : 0;

	if (at)
		timer_set(&t->timer, at);
}

/* Ends the connection as a time-out does. */
static void
time_out(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	tcp_got_reset(t, ETIMEDOUT);
	forget(t, pcb);
	tcp_abort(pcb);
}

static void
timer_work(struct tcp_sock *t)
{
	uint64_t now = clock_mono_ns(), idle;

	if (t->cork_ns && now >= t->cork_ns) {
		t->cork_ns = 0;
		push_data(t);
		tcp_output(t->pcb);
	}
	if (t->deferred)
		enqueue_deferred(t);
	if (t->user_timeout_ms && t->tx_unacked &&
	    now - t->tx_wait_ns >= (uint64_t)t->user_timeout_ms * 1000000) {
		time_out(t);
		return;
	}
	idle = now - t->last_rx_ns;
	if (!sock_opt(&t->in.sock, SOCKOPT_KEEPALIVE) ||
	    idle < ((uint64_t)t->keepidle_s +
		    (uint64_t)t->probes * (uint64_t)t->keepintvl_s) *
			    NSEC_PER_SEC)
		return;
	if (t->user_timeout_ms ?
		    t->probes &&
			    idle >= (uint64_t)t->user_timeout_ms * 1000000 :
		    t->probes >= t->keepcnt) {
		time_out(t);
		return;
	}
	if (!t->tx_unacked)
		tcp_keepalive(t->pcb);
	t->probes++;
}

void
tcp_far_timer(struct timer *tm)
{
	struct tcp_sock *t = container_of(tm, struct tcp_sock, timer);

	/* The last reference may have gone just now; see inet_put(). */
	if (!refcount_get_unless_zero(&t->in.refs))
		return;
	tcp_far_do(t, FAR_TIMER);
	inet_put(&t->in);
}

/* ---- the work ---- */

/* While there is no memory to send the rest, the connection stays. */
static void
close_far(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	t->close_wanted = READ_ONCE(t->tx.bytes) != 0;
	if (t->close_wanted)
		return;
	tell_read(t, true);
	leave_alone(t, pcb);
	if (tcp_close(pcb) != ERR_OK)
		tcp_abort(pcb);
}

static void
far_work(struct net_work *w)
{
	struct tcp_sock *t = container_of(w, struct tcp_sock, work);
	uint32_t todo = atomic_xchg(&t->todo, 0);
	struct tcp_pcb *pcb = t->pcb;

	if (!pcb || pcb->state == LISTEN)
		goto out;
	if (todo & FAR_OPTS)
		apply_options(t);
	if (todo & FAR_READ) {
		tell_read(t, false);
		autotune(t);
	}
	if (todo & (FAR_FIN | FAR_CLOSE))
		t->cork_ns = 0; /* no more comes */
	if (todo & FAR_TIMER && unlikely(stuck(t)))
		todo |= FAR_PUSH;
	if (todo & (FAR_PUSH | FAR_FIN | FAR_CLOSE)) {
		push_data(t);
		tcp_output(pcb);
		if (unlikely(t->notsent_lowat))
			count_unsent(t, pcb);
	}
	if (todo & FAR_ABORT) {
		forget(t, pcb);
		tcp_abort(pcb);
	} else if (todo & FAR_CLOSE || unlikely(t->close_wanted)) {
		close_far(t);
	} else if (todo & FAR_FIN) {
		t->fin_wanted = true;
	}
	if (t->pcb && t->fin_wanted && !READ_ONCE(t->tx.bytes)) {
		t->fin_wanted = false;
		/* Without memory lwIP tries again by itself. */
		ignore(tcp_shutdown(pcb, 0, 1));
	}
	if (t->pcb && todo & FAR_TIMER)
		timer_work(t);
	if (t->pcb &&
	    todo & (FAR_TIMER | FAR_OPTS | FAR_PUSH | FAR_FIN | FAR_CLOSE))
		rearm(t);
out:
	if (todo & (FAR_CLOSE | FAR_ABORT))
		inet_rest_drop(&t->in); /* nothing of it is left */
	inet_put(&t->in);
}

void
tcp_far_do(struct tcp_sock *t, uint32_t what)
{
	if (atomic_fetch_or(&t->todo, what))
		return; /* who set the first bit has queued the work */
	inet_get(&t->in);
	t->work.fn = far_work;
	net_core_run(&t->work);
}

/* ---- making connections ---- */

static void
attach(struct tcp_sock *t, struct tcp_pcb *pcb)
{
	uint32_t wnd = t->in.sock.rcvbuf / 2;

	t->pcb = pcb;
	inet_get(&t->in);
	tcp_arg(pcb, t);
	tcp_recv(pcb, received);
	tcp_sent(pcb, acked);
	tcp_err(pcb, failed);
	if (sock_opt(&t->in.sock, SOCKOPT_RCVBUF_SET) && wnd > tcp_wnd_default)
		tcp_set_wnd(pcb, wnd);
	t->rx_window = pcb->wnd_max;
	t->rx_epoch_ns = t->last_rx_ns = clock_mono_ns();
}

bool
tcp_far_source(const struct inet_end *dst, struct inet_end *src)
{
	bool v4 = inet_is_v4(&dst->addr);
	struct net_route r;

	if (net_route_lookup(v4 ? AF_INET : AF_INET6,
			     v4 ? dst->addr.b + 12 : dst->addr.b, &r) ||
	    !r.has_src)
		return false;
	if (v4) {
		src->addr = inet_v4(0);
		memcpy(src->addr.b + 12, r.src, 4);
	} else {
		memcpy(src->addr.b, r.src, 16);
	}
	return true;
}

static err_t
connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct tcp_sock *t = arg;

	(void)pcb, (void)err;
	if (t) {
		apply_options(t);
		tcp_established(t);
		rearm(t);
	}
	return ERR_OK;
}

/* The table of ports let this one begin: what it found is the end of one that
 * may begin anew, behind the numbers it had (RFC 6191), or is about to go. */
static bool
begin_anew(struct tcp_pcb *pcb, const ip_addr_t *dst, uint16_t port)
{
	struct tcp_pcb *old =
		tcp_lookup(&pcb->local_ip, pcb->local_port, dst, port);

	if (!old)
		return true;
	if (old->state != TIME_WAIT)
		return false;
	far_isn_after = old->snd_nxt + 0x10000;
	far_isn_bound = true;
	tcp_abort(old);
	return true;
}

int
tcp_far_connect(struct tcp_sock *t)
{
	struct tcp_pcb *pcb;
	ip_addr_t dst;
	struct netif *n;
	err_t e = ERR_MEM;

	net_core_lock();
	pcb = tcp_new_ip_type(inet_is_v4(&t->in.remote.addr) ? IPADDR_TYPE_V4 :
							       IPADDR_TYPE_V6);
	if (pcb) {
		far_to_lwip(&t->in.local.addr, NULL, &pcb->local_ip);
		pcb->local_port = t->in.local.port;
		far_to_lwip(&t->in.remote.addr, NULL, &dst);
		n = ip_route(&pcb->local_ip, &dst);
		if (IP_IS_V6_VAL(dst) && n) {
			far_to_lwip(&t->in.remote.addr, n, &dst);
			far_to_lwip(&t->in.local.addr, n, &pcb->local_ip);
		}
		attach(t, pcb);
		apply_options(t);
		e = begin_anew(pcb, &dst, t->in.remote.port) ?
			    tcp_connect(pcb, &dst, t->in.remote.port,
					connected) :
			    ERR_USE;
		far_isn_bound = false;
		if (e != ERR_OK) {
			forget(t, pcb);
			tcp_close(pcb);
		}
	}
	net_core_unlock();
	return e == ERR_OK  ? -EINPROGRESS :
	       e == ERR_RTE ? -ENETUNREACH :
	       e == ERR_USE ? -EADDRNOTAVAIL :
			      -ENOMEM;
}

/* ---- listening ---- */

static bool
enqueue_deferred(struct tcp_sock *t)
{
	struct tcp_sock *l = t->listener;
	bool ok;

	t->deferred = false;
	t->listener = NULL;
	ok = tcp_enqueue_child(l, t, false);
	inet_put(&l->in);
	if (!ok)
		tcp_drop_child(t);
	return ok;
}

/* It ends before anything came: nobody learns of it, as on Linux. */
static void
drop_deferred(struct tcp_sock *t)
{
	struct tcp_sock *l = t->listener;

	t->deferred = false;
	t->listener = NULL;
	inet_put(&l->in);
	tcp_drop_child(t);
}

/* A handshake is complete. */
static err_t
accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct tcp_sock *l = arg, *t;

	if (err != ERR_OK || !pcb)
		return ERR_VAL;
	t = l && tcp_state(l) == TCP_LISTEN ? tcp_new_child(l) : NULL;
	if (!t)
		return ERR_MEM; /* lwIP resets it */
	far_from_lwip(&pcb->local_ip, &t->in.local.addr);
	far_from_lwip(&pcb->remote_ip, &t->in.remote.addr);
	t->in.local.port = pcb->local_port;
	t->in.remote.port = pcb->remote_port;
	t->in.mcast_if = netif_get_index(ip_current_input_netif());
	if (!ip_current_is_v6()) {
		t->in.mcast_ttl = IPH_TTL(ip4_current_header());
		t->in.rcv_tos = IPH_TOS(ip4_current_header());
	}
	inet_list_add(&t->in);
	attach(t, pcb);
	apply_options(t);
	tcp_established(t);
	rearm(t);
	if (l->defer_accept_s) {
		t->deferred = true;
		t->listener = l;
		inet_get(&l->in);
		timer_set(&t->timer,
			  clock_mono_ns() +
				  (uint64_t)l->defer_accept_s * NSEC_PER_SEC);
		return ERR_OK;
	}
	if (tcp_enqueue_child(l, t, false))
		return ERR_OK;
	forget(t, pcb);
	inet_list_del(&t->in);
	inet_put(&t->in);
	return ERR_MEM;
}

int
tcp_far_listen(struct tcp_sock *t)
{
	struct tcp_pcb *pcb, *l = NULL;
	u8_t type = !t->in.v6	 ? IPADDR_TYPE_V4 :
		    t->in.v6only ? IPADDR_TYPE_V6 :
				   IPADDR_TYPE_ANY;

	net_core_lock();
	pcb = tcp_new_ip_type(type);
	if (pcb) {
		if (!inet_is_any(&t->in.local.addr))
			far_to_lwip(&t->in.local.addr, NULL, &pcb->local_ip);
		pcb->local_port = t->in.local.port;
		l = tcp_listen_with_backlog(pcb, 255);
		if (!l)
			tcp_close(pcb);
	}
	if (l) {
		((struct tcp_pcb_listen *)(void *)l)->backlog = HALF_OPEN;
		tcp_arg(l, t);
		tcp_accept(l, accepted);
		t->pcb = l;
		inet_get(&t->in);
	}
	net_core_unlock();
	return l ? 0 : -ENOBUFS;
}

void
tcp_far_unlisten(struct tcp_sock *t)
{
	struct tcp_pcb *l;

	net_core_lock();
	l = t->pcb;
	if (l && l->state == LISTEN) {
		tcp_arg(l, NULL);
		tcp_accept(l, NULL);
		tcp_close(l);
		t->pcb = NULL;
	} else {
		l = NULL;
	}
	net_core_unlock();
	if (l)
		inet_put(&t->in);
}

/* ---- errors from outside ---- */

void
tcp_far_error(const struct inet_end *src, const struct inet_end *dst, int err,
	      bool hard, uint32_t mtu)
{
	struct tcp_sock *t;
	struct tcp_pcb *pcb;
	ip_addr_t l, r;

	far_to_lwip(&src->addr, ip_current_input_netif(), &l);
	far_to_lwip(&dst->addr, ip_current_input_netif(), &r);
	pcb = tcp_lookup(&l, src->port, &r, dst->port);
	if (!pcb || pcb->state == TIME_WAIT || pcb->state == LISTEN)
		return;
	if (mtu) {
		tcp_path_mtu(pcb, (u16_t)min_u64(mtu, 0xffff));
		return;
	}
	t = pcb->callback_arg;
	if (!t)
		return;
	if (hard && pcb->state == SYN_SENT) {
		tcp_got_reset(t, err);
		forget(t, pcb);
		tcp_abort(pcb);
	} else {
		t->soft_error = err;
		if (inet_is_v4(&dst->addr) ? t->in.recverr : t->in.recverr6) {
			sock_set_error(&t->in.sock, err);
			wait_wake_all(&t->in.wq, POLLERR);
		}
	}
}
