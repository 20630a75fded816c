/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections (virtio 1.2, 5.10.6): what a packet does to one, and what one
 * sends.
 *
 * A packet from the device is input from outside: type, operation, lengths,
 * addresses and the room that it uses are checked here; virtio.c has checked
 * that all of it is there.  Packets within the machine are delivered by
 * vsock_unlock(), before anybody else sees the sockets: each makes one or
 * two others at most (an answer, then none), so that ends.
 */
#include "vsock.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <base/atomic.h>
#include <base/math.h>
#include <core/clock.h>
#include <core/timer.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>

#define ANSWERS_MAX    128u  /* to strangers, on their way; as many buffers */
#define CLOSING_MAX    1024u /* sockets without a file that wait for the end */
#define CLOSE_NS       (8 * NSEC_PER_SEC)
#define TX_QUEUED_MAX  262144u /* bytes of a socket that wait for the device */
#define PROMISE_LEAST  4096u
#define PROMISE_SHARE  4u     /* of memory: one in so many pages */
#define UPDATE_AT      65536u /* bytes of room that are worth a packet */
#define MESSAGES_EXTRA 1024u  /* empty messages in a queue */

#define EV_IN  (POLLIN | POLLRDNORM)
#define EV_OUT (POLLOUT | POLLWRNORM | POLLWRBAND)
#define EV_END (EV_IN | EV_OUT | POLLHUP | POLLRDHUP | POLLERR)

struct spinlock vsock_lock = SPINLOCK_INIT(RANK_DEVICE);

/* [vsock_lock] */
static struct list near_out = LIST_INIT(near_out); /* within the machine */
static struct list timed = LIST_INIT(timed);
static struct timer timer;
static uint64_t promised; /* by all sockets, and not yet read */
static unsigned nclosing;
static unsigned nanswers;		     /* [vsock_lock w, a] */
static uint32_t device_cid = VMADDR_CID_ANY; /* [a] */
static bool device_packets;		     /* [a] */
static bool push; /* there is something for the device */

static struct spinlock out_lock = SPINLOCK_INIT(RANK_EVENT);
static struct list device_out = LIST_INIT(device_out); /* [out_lock] */

static void deliver_near(struct vsock_pkt *p);

/* ---- the lock ---- */

irqflags_t
vsock_lock_all(void)
{
	return spin_lock_irq(&vsock_lock);
}

void
vsock_unlock(irqflags_t f)
{
	bool go;

	while (!list_empty(&near_out)) {
		struct vsock_pkt *p =
			list_first_entry(&near_out, struct vsock_pkt, link);

		list_del(&p->link);
		deliver_near(p);
	}
	go = push;
	push = false;
	spin_unlock_irq(&vsock_lock, f);
	if (go)
		vsock_device_push();
}

void
vsock_wake(struct vsock_sock *s, uint32_t events)
{
	if (waitq_active(&s->wq))
		wait_wake_all(&s->wq, events);
}

uint32_t
vsock_device_cid(void)
{
	return atomic_load_relaxed(&device_cid);
}

bool
vsock_device_packets(void)
{
	return READ_ONCE(device_packets);
}

/* ---- packets on their way ---- */

struct vsock_pkt *
vsock_next_out(void)
{
	struct vsock_pkt *p = NULL;

	spin_lock(&out_lock);
	if (!list_empty(&device_out)) {
		p = list_first_entry(&device_out, struct vsock_pkt, link);
		list_del(&p->link);
	}
	spin_unlock(&out_lock);
	return p;
}

void
vsock_unget_out(struct vsock_pkt *p)
{
	spin_lock(&out_lock);
	list_add(&device_out, &p->link);
	spin_unlock(&out_lock);
}

static void
emit(struct vsock_pkt *p, bool near)
{
	if (near) {
		list_add_tail(&near_out, &p->link);
		return;
	}
	spin_lock(&out_lock);
	list_add_tail(&device_out, &p->link);
	spin_unlock(&out_lock);
	push = true;
}

static void next_ctl(struct vsock_sock *s);

/* Takes the packet from its sender: it has been taken by the device, or
 * reached its socket.  false: it is a part of the sender, and gone. */
static bool
leave_owner(struct vsock_pkt *p)
{
	struct vsock_sock *s = p->owner;
	bool data;

	if (!s)
		return true;
	data = p != &s->ctl;
	if (data) {
		s->tx_queued -= p->len;
		p->owner = NULL;
		vsock_wake(s, EV_OUT);
	} else {
		s->busy = false;
		next_ctl(s);
	}
	vsock_put(s);
	return data;
}

static void
done(struct vsock_pkt *p)
{
	if (!p->owner && p->hdr.op == VIRTIO_VSOCK_OP_RST)
		nanswers--;
	if (leave_owner(p))
		kfree(p);
}

void
vsock_sent(struct list *packets)
{
	irqflags_t f = vsock_lock_all();

	while (!list_empty(packets)) {
		struct vsock_pkt *p =
			list_first_entry(packets, struct vsock_pkt, link);

		list_del(&p->link);
		done(p);
	}
	vsock_unlock(f);
}

/* ---- what we promise ---- */

static uint64_t
unread(const struct vsock_sock *s)
{
	return s->promised - s->forwarded;
}

/* How much the peer may have on the way to s, from what was read on. */
static uint32_t
allowance(const struct vsock_sock *s)
{
	uint64_t all = mem_total_pages() * PAGE_SIZE / PROMISE_SHARE;
	uint64_t others = promised - unread(s);
	uint64_t room = all > others ? (all - others) / PROMISE_SHARE : 0;

	room = max_u64(room, PROMISE_LEAST);
	return (uint32_t)min_u64(min_u64(READ_ONCE(s->size), room), UINT32_MAX);
}

static void
stamp(struct vsock_sock *s, struct virtio_vsock_hdr *h)
{
	uint32_t n = allowance(s);

	h->buf_alloc = n;
	h->fwd_cnt = (uint32_t)s->forwarded;
	if (s->state != VSOCK_CONNECTING && s->state != VSOCK_CONNECTED)
		return; /* a reset: nothing will come */
	s->told = s->forwarded + n;
	if (s->told > s->promised) {
		promised += s->told - s->promised;
		s->promised = s->told;
	}
}

/* No more will come than has come. */
static void
end_promise(struct vsock_sock *s)
{
	promised -= s->promised - s->rx_total;
	s->promised = s->rx_total;
}

void
vsock_forget_unread(struct vsock_sock *s)
{
	promised -= unread(s);
}

void
vsock_forwarded(struct vsock_sock *s, uint32_t n, bool waits)
{
	uint64_t news, least;
	uint32_t room;
	int64_t left;

	s->forwarded += n;
	promised -= n;
	if (s->state != VSOCK_CONNECTED || s->peer_shut & NO_SEND)
		return;
	room = allowance(s);
	if (s->forwarded + room <= s->told)
		return;
	news = s->forwarded + room - s->told;
	left = (int64_t)(s->told - s->rx_total);
	least = min_u64(UPDATE_AT, (room + 3) / 4);
	/* Who is told late has nothing to do meanwhile. */
	if ((news >= least && left < (int64_t)max_u64(UPDATE_AT, room / 2)) ||
	    (waits && left < room))
		vsock_ctl(s, WANT_UPDATE);
}

/* ---- control packets ---- */

static uint16_t
type_of(const struct vsock_sock *s)
{
	return vsock_is_stream(s) ? VIRTIO_VSOCK_TYPE_STREAM :
				    VIRTIO_VSOCK_TYPE_SEQPACKET;
}

static uint32_t
own_cid(const struct vsock_sock *s)
{
	if (s->cid != VMADDR_CID_ANY)
		return s->cid;
	return s->near ? VMADDR_CID_LOCAL : vsock_device_cid();
}

static void
head(struct vsock_sock *s, struct vsock_pkt *p, uint16_t op)
{
	p->owner = s;
	vsock_get(s);
	p->hdr = (struct virtio_vsock_hdr){
		.src_cid = own_cid(s),
		.dst_cid = s->peer_cid,
		.src_port = s->port,
		.dst_port = s->peer_port,
		.len = p->len,
		.type = type_of(s),
		.op = op,
	};
	stamp(s, &p->hdr);
}

static void
next_ctl(struct vsock_sock *s)
{
	static const uint16_t ops[] = {
		VIRTIO_VSOCK_OP_RST,
		VIRTIO_VSOCK_OP_REQUEST,
		VIRTIO_VSOCK_OP_RESPONSE,
		VIRTIO_VSOCK_OP_CREDIT_UPDATE,
		VIRTIO_VSOCK_OP_CREDIT_REQUEST,
		VIRTIO_VSOCK_OP_SHUTDOWN,
	};
	unsigned i = 0;

	if (s->busy || !s->want)
		return;
	while (!(s->want & 1u << i))
		i++;
	s->want &= ~(1u << i);
	head(s, &s->ctl, ops[i]);
	if (1u << i == WANT_SHUTDOWN)
		s->ctl.hdr.flags = s->shut;
	s->busy = true;
	emit(&s->ctl, s->near);
}

void
vsock_ctl(struct vsock_sock *s, uint32_t want)
{
	s->want |= want;
	next_ctl(s);
}

/* ---- the end ---- */

static void
drop_timer(struct vsock_sock *s)
{
	list_del(&s->timed);
}

void
vsock_set_timer(struct vsock_sock *s, uint64_t ns)
{
	uint64_t now = clock_mono_ns();

	s->deadline_ns = ns < TIME_NEVER - now ? now + ns : TIME_NEVER - 1;
	list_move_tail(&timed, &s->timed);
	if (s->deadline_ns < timer.deadline_ns)
		timer_set(&timer, s->deadline_ns);
}

void
vsock_end(struct vsock_sock *s, int err)
{
	if (s->state != VSOCK_CONNECTING && s->state != VSOCK_CONNECTED)
		return;
	if (s->state == VSOCK_CONNECTING) {
		s->state = VSOCK_FRESH;
		sock_set_error(&s->sock, err);
	} else {
		s->state = VSOCK_ENDED;
		s->peer_shut = NO_BOTH;
		if (err)
			sock_set_error(&s->sock, err);
	}
	drop_timer(s);
	end_promise(s);
	if (s->closed) {
		nclosing--;
		vsock_unbind_port(s);
	}
	vsock_wake(s, EV_END);
	vsock_del_peer(s); /* may be the last reference */
}

void
vsock_reset(struct vsock_sock *s, int err)
{
	if (s->state != VSOCK_CONNECTING && s->state != VSOCK_CONNECTED)
		return;
	s->want = 0;
	vsock_ctl(s, WANT_RESET);
	vsock_end(s, err);
}

void
vsock_close(struct vsock_sock *s)
{
	s->closed = true;
	if (s->state != VSOCK_CONNECTED)
		return;
	if (nclosing++ >= CLOSING_MAX) {
		vsock_reset(s, 0);
		return;
	}
	s->shut = NO_BOTH;
	vsock_set_timer(s, CLOSE_NS);
	vsock_ctl(s, WANT_SHUTDOWN);
}

static void
expire(struct timer *t)
{
	irqflags_t f = vsock_lock_all();
	uint64_t now = clock_mono_ns(), next = TIME_NEVER;
	struct vsock_sock *s, *n;

	t->deadline_ns = TIME_NEVER;
	list_for_each_entry_safe(s, n, &timed, timed) {
		if (s->deadline_ns > now)
			next = min_u64(next, s->deadline_ns);
		else
			vsock_reset(s, ETIMEDOUT);
	}
	if (next != TIME_NEVER)
		timer_set(t, next);
	vsock_unlock(f);
}

void
vsock_init(void)
{
	timer_init(&timer, expire);
	timer.deadline_ns = TIME_NEVER;
}

/* ---- sending ---- */

static uint32_t
credit(const struct vsock_sock *s)
{
	uint32_t away = s->tx_count - s->peer_fwd;

	return away < s->peer_alloc ? s->peer_alloc - away : 0;
}

uint32_t
vsock_room(const struct vsock_sock *s)
{
	uint32_t here =
		s->tx_queued < TX_QUEUED_MAX ? TX_QUEUED_MAX - s->tx_queued : 0;

	return (uint32_t)min_u64(here, credit(s));
}

uint32_t
vsock_may_send(struct vsock_sock *s, uint32_t want)
{
	uint32_t n = (uint32_t)min_u64(want, vsock_room(s));

	s->tx_count += n;
	s->tx_queued += n;
	if (!n && !credit(s) && !s->credit_awaited) {
		s->credit_awaited = true;
		vsock_ctl(s, WANT_CREDIT);
	}
	return n;
}

void
vsock_unsend(struct vsock_sock *s, uint32_t n)
{
	s->tx_count -= n;
	s->tx_queued -= n;
	if (n)
		vsock_wake(s, EV_OUT);
}

void
vsock_send_data(struct vsock_sock *s, struct vsock_pkt *p, uint32_t flags)
{
	head(s, p, VIRTIO_VSOCK_OP_RW);
	p->hdr.flags = flags;
	emit(p, s->near);
}

/* ---- packets that come ---- */

/* What a reset means: a request was refused; else it is an end like any
 * other. */
static int
end_error(const struct vsock_sock *s)
{
	return s->state == VSOCK_CONNECTING ? ECONNRESET : 0;
}

bool
vsock_answers_wait(void)
{
	return atomic_load_relaxed(&nanswers) >= ANSWERS_MAX;
}

/* Whoever sent h to nobody is told so.  p, which came with it or is NULL,
 * becomes the answer, or is freed when there are too many. */
static void
refuse(const struct virtio_vsock_hdr *h, struct vsock_pkt *p, bool near)
{
	struct virtio_vsock_hdr answer = {
		.src_cid = h->dst_cid,
		.dst_cid = h->src_cid,
		.src_port = h->dst_port,
		.dst_port = h->src_port,
		.type = h->type,
		.op = VIRTIO_VSOCK_OP_RST,
	};
	struct vsock_sock *s;

	if (h->op == VIRTIO_VSOCK_OP_RST)
		goto out;
	if (near) {
		s = vsock_find_peer(true, &answer);
		if (s)
			vsock_end(s, end_error(s));
		goto out;
	}
	/* Not met: the device gets no buffers meanwhile. */
	if (!p || nanswers >= 2 * ANSWERS_MAX)
		goto out;
	p->off = p->len = 0;
	p->hdr = answer;
	nanswers++;
	emit(p, false);
	return;
out:
	kfree(p);
}

static void
note_credit(struct vsock_sock *s, const struct virtio_vsock_hdr *h)
{
	bool none = !vsock_room(s);

	s->peer_alloc = h->buf_alloc;
	s->peer_fwd = h->fwd_cnt;
	s->credit_awaited = false;
	if (none && vsock_room(s))
		vsock_wake(s, EV_OUT);
}

/* A message is whole: its length goes into the queue of lengths. */
static int
end_message(struct vsock_sock *s, uint32_t flags)
{
	uint32_t n = s->message_len;

	/* Empty ones use nothing of what was promised. */
	if (s->nmessages > s->rx.bytes + MESSAGES_EXTRA)
		return -ENOBUFS;
	if (flags & VIRTIO_VSOCK_SEQ_EOR)
		n |= MESSAGE_EOR;
	s->message_len = 0;
	s->nmessages++;
	return vsock_queue_bytes(&s->messages, &n, sizeof(n));
}

/* p is the socket's from here on. */
static void
got_data(struct vsock_sock *s, struct vsock_pkt *p)
{
	uint32_t flags = p->hdr.flags, n = p->len - p->off;
	int err = 0;

	if (s->rx_total + n > s->promised) {
		kfree(p);
		vsock_reset(s, ECONNRESET);
		return;
	}
	s->rx_total += n;
	if (s->closed || s->shut & NO_RECV) {
		kfree(p); /* nobody will read it */
		vsock_forwarded(s, n, false);
		return;
	}
	vsock_queue_packet(&s->rx, p);
	if (!vsock_is_stream(s)) {
		s->message_len += n;
		if (!(flags & VIRTIO_VSOCK_SEQ_EOM))
			return;
		err = end_message(s, flags);
	}
	if (err)
		vsock_reset(s, ECONNRESET);
	else
		vsock_wake(s, EV_IN);
}

static void
got_shutdown(struct vsock_sock *s, uint32_t flags)
{
	s->peer_shut |= (uint8_t)(flags & NO_BOTH);
	if (s->peer_shut == NO_BOTH)
		vsock_reset(s, 0); /* as the answer; what came can be read */
	else
		vsock_wake(s, EV_END);
}

/* Of a connection that is there. */
static void
got_connected(struct vsock_sock *s, const struct virtio_vsock_hdr *h,
	      struct vsock_pkt *p)
{
	switch (h->op) {
	case VIRTIO_VSOCK_OP_RW:
		if (!p)
			break;
		got_data(s, p);
		return;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		got_shutdown(s, h->flags);
		break;
	case VIRTIO_VSOCK_OP_RST:
		vsock_end(s, 0);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		vsock_ctl(s, WANT_UPDATE);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	default: /* a request, an answer, or what does not exist */
		vsock_reset(s, ECONNRESET);
		break;
	}
	kfree(p);
}

/* Of one that was asked for. */
static void
got_answer(struct vsock_sock *s, uint16_t op)
{
	if (op == VIRTIO_VSOCK_OP_RESPONSE) {
		s->state = VSOCK_CONNECTED;
		drop_timer(s);
		vsock_wake(s, EV_OUT);
	} else if (op == VIRTIO_VSOCK_OP_RST) {
		vsock_end(s, ECONNRESET);
	} else {
		vsock_reset(s, EPROTO);
	}
}

/* The new socket is like its listener. */
static struct vsock_sock *
make_child(struct vsock_sock *l, const struct virtio_vsock_hdr *h, bool near)
{
	struct vsock_sock *s = vsock_new(l->sock.type, ALLOC_ATOMIC);

	if (!s)
		return NULL;
	socket_inherit(&s->sock, &l->sock);
	s->size = l->size;
	s->size_min = l->size_min;
	s->size_max = l->size_max;
	s->timeout_ticks = l->timeout_ticks;
	s->near = near;
	s->cid = (uint32_t)h->dst_cid;
	s->port = h->dst_port;
	s->peer_cid = (uint32_t)h->src_cid;
	s->peer_port = h->src_port;
	s->state = VSOCK_CONNECTED;
	return s;
}

/* false: it can't be taken. */
static bool
got_request(struct vsock_sock *l, const struct virtio_vsock_hdr *h, bool near)
{
	struct vsock_sock *s;

	if (h->type != type_of(l) || l->nqueue > l->backlog)
		return false;
	s = make_child(l, h, near);
	if (!s)
		return false;
	note_credit(s, h);
	vsock_add_peer(s);
	list_add_tail(&l->queue, &s->queue_link);
	l->nqueue++;
	vsock_ctl(s, WANT_RESPONSE);
	if (waitq_active(&l->wq))
		wait_wake(&l->wq, 1, EV_IN);
	return true;
}

/* May it have come from there, to here? */
static bool
addresses_ok(const struct virtio_vsock_hdr *h)
{
	uint32_t cid = vsock_device_cid();

	return h->dst_cid == cid && h->src_cid != cid &&
	       h->src_cid != VMADDR_CID_LOCAL && h->src_cid < VMADDR_CID_ANY;
}

/* p has the data, is nobody's any more, and is taken over; NULL: there is
 * none to be kept.  h is not a part of it. */
static void
deliver(const struct virtio_vsock_hdr *h, struct vsock_pkt *p, bool near)
{
	struct vsock_sock *s = vsock_find_peer(near, h), *l;

	if (s && h->type == type_of(s)) {
		vsock_get(s);
		note_credit(s, h);
		if (s->state == VSOCK_CONNECTING) {
			got_answer(s, h->op);
			kfree(p);
		} else {
			got_connected(s, h, p);
		}
		vsock_put(s);
		return;
	}
	l = !s && h->op == VIRTIO_VSOCK_OP_REQUEST ?
		    vsock_find_listener((uint32_t)h->dst_cid, h->dst_port) :
		    NULL;
	if (l && got_request(l, h, near))
		kfree(p);
	else
		refuse(h, p, near);
}

/* Nothing is allocated, so nothing is lost for lack of memory. */
static void
deliver_near(struct vsock_pkt *p)
{
	struct virtio_vsock_hdr h = p->hdr;

	deliver(&h, leave_owner(p) ? p : NULL, true);
}

void
vsock_received(struct list *packets)
{
	irqflags_t f = vsock_lock_all();
	struct virtio_vsock_hdr h;

	while (!list_empty(packets)) {
		struct vsock_pkt *p =
			list_first_entry(packets, struct vsock_pkt, link);

		list_del(&p->link);
		h = p->hdr;
		if (addresses_ok(&h))
			deliver(&h, p, false);
		else
			kfree(p); /* there is nobody to be told */
	}
	vsock_unlock(f);
}

/* ---- the device comes and goes ---- */

static void
end_far(struct vsock_sock *s)
{
	if (!s->near)
		vsock_end(s, ECONNRESET);
}

void
vsock_device_up(uint32_t cid, bool packets)
{
	WRITE_ONCE(device_packets, packets);
	atomic_store_release(&device_cid, cid);
}

void
vsock_device_reset(uint32_t cid)
{
	irqflags_t f = vsock_lock_all();

	WRITE_ONCE(device_cid, cid);
	vsock_each_peer(end_far);
	vsock_unlock(f);
}
