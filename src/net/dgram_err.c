/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors of datagrams: who is told, and the error queue (ip(7), IP_RECVERR).
 *
 * An error of the network becomes the socket's pending one, which the next
 * call answers and SO_ERROR takes; where the program asked for it (IP_RECVERR,
 * for errors of IPv6 IPV6_RECVERR) it is kept in a queue beside that, with
 * what it quotes of the datagram, until recvmsg(MSG_ERRQUEUE) takes it.  Then
 * the next one of the queue becomes the pending error.  An error of this
 * machine's own (too large) is in the queue only; the call has told it.
 *
 * An entry is a struct dgram whose data starts with a struct entry_head; it
 * counts against SO_RCVBUF as what is received does.
 */
#include <net/dgram.h>

#include <abi/errno.h>
#include <abi/inet.h>
#include <abi/poll.h>
#include <base/math.h>
#include <base/string.h>
#include <mem/alloc.h>
#include <vm/uio.h>

struct entry_head {
	struct sock_extended_err ee;
	struct inet_end to; /* of the datagram */
};

static struct entry_head *
head_of(struct dgram *d)
{
	return (struct entry_head *)(void *)d->data;
}

static bool
of_network(const struct sock_extended_err *ee)
{
	return ee->origin == SO_EE_ORIGIN_ICMP ||
	       ee->origin == SO_EE_ORIGIN_ICMP6;
}

/* ---- putting in ---- */

static bool
wants_queue(const struct inet_sock *sk, const struct dgram_error *e)
{
	return inet_is_v4(&e->to.addr) ? sk->recverr : sk->recverr6;
}

static struct dgram *
make_entry(const struct dgram_error *e)
{
	struct dgram *d = dgram_alloc(
		(uint32_t)sizeof(struct entry_head) + e->len, ALLOC_ATOMIC);
	struct entry_head *h;

	if (!d)
		return NULL;
	h = head_of(d);
	memset(h, 0, sizeof(*h));
	h->ee.ee_errno = (uint32_t)e->err;
	h->ee.origin = e->origin;
	h->ee.type = e->type;
	h->ee.code = e->code;
	h->ee.info = e->info;
	h->to = e->to;
	d->m = e->m;
	if (e->len)
		e->copy(e, d->data + sizeof(*h), e->len);
	return d;
}

/* One that finds no room is dropped, as a datagram is. */
static void
queue(struct inet_sock *sk, const struct dgram_error *e)
{
	struct dgram_sock *u = dgram_of(sk);
	struct dgram *d = make_entry(e);
	irqflags_t f;
	bool fits;

	if (!d)
		return;
	f = spin_lock_irq(&sk->lock);
	fits = u->bytes + d->truesize <= sk->sock.rcvbuf;
	if (fits) {
		*u->errs_tail = d;
		u->errs_tail = &d->next;
		u->bytes += d->truesize;
	}
	spin_unlock_irq(&sk->lock, f);
	if (!fits)
		dgram_put(d);
}

void
dgram_error(struct inet_sock *sk, const struct dgram_error *e)
{
	if (wants_queue(sk, e))
		queue(sk, e);
	else if (!sk->connected || !e->hard)
		return;
	if (e->origin != SO_EE_ORIGIN_LOCAL)
		sock_set_error(&sk->sock, e->err);
	wait_wake_all(&sk->wq, POLLERR);
}

void
udp_error(const struct dgram_error *e)
{
	/* The socket that sent it: seen from the other side. */
	struct inet_sock *sk = inet_find_udp(&e->from, &e->to, 0);

	if (!sk)
		return;
	dgram_error(sk, e);
	inet_put(sk);
}

static bool
raw_sent(const struct inet_sock *sk, const struct dgram_error *e, int protocol)
{
	return sk->sock.protocol == protocol &&
	       sk->v6 == !inet_is_v4(&e->to.addr) &&
	       (inet_is_any(&sk->local.addr) ||
		inet_same(&sk->local.addr, &e->from.addr)) &&
	       (!sk->connected || inet_same(&sk->remote.addr, &e->to.addr));
}

void
raw_error(const struct dgram_error *e, int protocol)
{
	struct inet_sock *sk = NULL;
	unsigned i = 0;

	while ((sk = inet_next(INET_RAW, sk, &i)))
		if (raw_sent(sk, e, protocol))
			dgram_error(sk, e);
}

int
dgram_too_large(struct inet_sock *sk, const struct inet_end *dst, uint32_t mtu)
{
	struct dgram_error e = {
		.err = EMSGSIZE,
		.hard = false,
		.origin = SO_EE_ORIGIN_LOCAL,
		.info = mtu,
		.to = *dst,
	};

	if (inet_is_v4(&dst->addr)) {
		/* Linux tells the port that the socket is connected to. */
		e.to.port = sk->remote.port;
		e.info = (uint32_t)min_u64(mtu, 65535);
	}
	if (wants_queue(sk, &e))
		dgram_error(sk, &e);
	return -EMSGSIZE;
}

/* ---- taking out ---- */

static struct dgram *
take(struct dgram_sock *u)
{
	irqflags_t f = spin_lock_irq(&u->in.lock);
	struct dgram *d = u->errs;
	const struct sock_extended_err *next;
	int err = -1; /* stays as it is */

	if (d) {
		u->errs = d->next;
		if (!u->errs)
			u->errs_tail = &u->errs;
		u->bytes -= d->truesize;
		next = u->errs ? &head_of(u->errs)->ee : NULL;
		if (next && of_network(next))
			err = (int)next->ee_errno;
		else if (of_network(&head_of(d)->ee))
			err = 0;
		if (err >= 0)
			sock_set_error(&u->in.sock, err);
	}
	spin_unlock_irq(&u->in.lock, f);
	return d;
}

void
dgram_err_purge(struct inet_sock *sk)
{
	struct dgram_sock *u = dgram_of(sk);
	irqflags_t f = spin_lock_irq(&sk->lock);
	struct dgram *d = u->errs, *next;

	u->errs = NULL;
	u->errs_tail = &u->errs;
	for (next = d; next; next = next->next)
		u->bytes -= next->truesize;
	spin_unlock_irq(&sk->lock, f);
	for (; d; d = next) {
		next = d->next;
		dgram_put(d);
	}
}

/* The control data: what else the program wants to know of the packet that
 * told the error, then the error and who told it. */
static void
tell(struct inet_sock *sk, struct sock_msg *m, struct dgram *d)
{
	struct {
		struct sock_extended_err ee;
		union {
			struct sockaddr_in v4;
			struct sockaddr_in6 v6;
		} offender;
	} out;
	struct entry_head *h = head_of(d);
	size_t len = sk->v6 ? sizeof(out.offender.v6) : sizeof(out.offender.v4);

	memset(&out, 0, sizeof(out));
	out.ee = h->ee;
	if (of_network(&h->ee)) {
		struct inet_end from = d->m.src;

		from.port = 0;
		sock_cmsg_stamp(&sk->sock, m, d->m.stamp_ns);
		dgram_tell_control(sk, m, &d->m);
		inet_addr_out(sk->v6, &from, &out.offender);
	}
	sock_cmsg_put(m, sk->v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		      sk->v6 ? IPV6_RECVERR : IP_RECVERR, &out,
		      sizeof(out.ee) + len);
}

ssize_t
dgram_err_recv(struct inet_sock *sk, struct uio *u, struct sock_msg *m)
{
	struct dgram *d = take(dgram_of(sk));
	uint32_t len;
	size_t n;
	ssize_t r = 0;

	if (!d)
		return inet_zc_recv(sk, m);
	len = d->len - (uint32_t)sizeof(struct entry_head);
	n = min_u64(u->resid, len);
	if (n)
		r = uio_write(u, d->data + sizeof(struct entry_head), n);
	if (r >= 0 && (size_t)r < n)
		r = -EFAULT;
	if (r >= 0) {
		m->out_flags |= MSG_ERRQUEUE | (len > n ? MSG_TRUNC : 0);
		if (m->addr)
			m->addrlen =
				inet_addr_out(sk->v6, &head_of(d)->to, m->addr);
		tell(sk, m, d);
	}
	dgram_put(d);
	return r;
}
