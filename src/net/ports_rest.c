/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of a connection when its socket is closed: its port stays
 * taken, for bind() without SO_REUSEADDR, for connect() to the same end, and
 * for /proc/net/tcp.
 *
 * Of a connection within the machine it is there from the first close on, in
 * FIN_WAIT2 until the other end closes and in TIME_WAIT for a minute then,
 * though nothing of it needs the wait, as no segment can be late.  It lasts a
 * minute from its last change; when there are too many the oldest goes.
 *
 * Of one to the outside it is there while lwIP has the connection, which
 * keeps time and bounds their number (tcp_tw_max): `conn` says which.
 *
 * A rest is a block of its own, so that the socket's memory is not kept.  All
 * is under the lock of the table of ports.
 */
#include <abi/errno.h>
#include <abi/inet.h>
#include <base/math.h>
#include <core/clock.h>
#include <core/timer.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <net/settings.h>

#include "ports_priv.h"

#define REST_NS	   (60 * NSEC_PER_SEC) /* Linux's for both states */
#define REST_MAX   4096u
#define REST_SHARE 16384u /* bytes of memory for each */

struct inet_rest {
	struct hlist_node link; /* by local port */
	struct list age;	/* near: oldest first; far: in no list */
	struct inet_sock *sk;	/* sk->rest; NULL: it stands alone */
	void *conn;		/* far: lwIP's, once it is alone */
	uint64_t until_ns;	/* near; of both the end of TIME_WAIT */
	struct inet_end local, remote;
	uint32_t uid;
	int ifindex;
	uint8_t state; /* enum tcp_linux_state; far: what it was at first */
	bool far, v6, v6only, reuse, reuseport;
	bool stamps; /* far, in TIME_WAIT: segments had time stamps */
};

static struct hlist_head rests[PORTS_NHASH];
static struct list ages = LIST_INIT(ages);
static unsigned nrests, nnear;
static struct timer timer;

static unsigned
most(void)
{
	return (unsigned)min_u64(REST_MAX,
				 mem_total_pages() * PAGE_SIZE / REST_SHARE);
}

static void
forget(struct inet_rest *r)
{
	hlist_del(&r->link);
	if (!r->far) {
		list_del(&r->age);
		nnear--;
	}
	if (r->sk)
		r->sk->rest = NULL;
	nrests--;
	kfree(r);
}

static void
on_timer(struct timer *t)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	uint64_t now = clock_mono_ns();

	while (!list_empty(&ages)) {
		struct inet_rest *r =
			list_first_entry(&ages, struct inet_rest, age);

		if (r->until_ns > now) {
			timer_set(t, r->until_ns);
			break;
		}
		forget(r);
	}
	spin_unlock_irq(&ports_lock, f);
}

void
inet_rest_init(void)
{
	timer_init(&timer, on_timer);
}

/* r is the youngest from now on. */
static void
age_from_now(struct inet_rest *r)
{
	bool first = list_empty(&ages);

	r->until_ns = clock_mono_ns() + REST_NS;
	list_add_tail(&ages, &r->age);
	if (first)
		timer_set(&timer, r->until_ns);
}

/* No memory: the port is free at once. */
static struct inet_rest *
add(struct inet_sock *sk, uint8_t state, bool far)
{
	struct inet_rest *r = kzalloc(sizeof(*r), ALLOC_ATOMIC);

	if (!r)
		return NULL;
	if (!far && nnear >= most())
		forget(list_first_entry(&ages, struct inet_rest, age));
	r->state = state;
	r->far = far;
	r->local = sk->local;
	r->remote = sk->remote;
	r->uid = sk->sock.uid;
	r->ifindex = sk->sock.ifindex;
	r->v6 = sk->v6;
	r->v6only = sk->v6only;
	r->reuse = sock_opt(&sk->sock, SOCKOPT_REUSEADDR);
	r->reuseport = sock_opt(&sk->sock, SOCKOPT_REUSEPORT);
	hlist_add(&rests[r->local.port % PORTS_NHASH], &r->link);
	if (!far) {
		age_from_now(r);
		nnear++;
	}
	nrests++;
	return r;
}

void
inet_leave(struct inet_sock *sk, uint8_t state, bool far)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	ports_unlist(sk);
	sk->left = true;
	if (state != TCP_CLOSE && !sk->waited) {
		sk->rest = add(sk, state, far);
		if (sk->rest)
			sk->rest->sk = sk;
	}
	spin_unlock_irq(&ports_lock, f);
}

void
inet_time_wait(struct inet_sock *sk)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	struct inet_rest *r = sk->rest;

	if (r) {
		sk->rest = NULL;
		r->sk = NULL;
		r->state = TCP_TIME_WAIT;
		list_del(&r->age);
		age_from_now(r);
	} else if (!sk->left && !sk->waited) {
		ignore(add(sk, TCP_TIME_WAIT, false) == NULL);
	}
	sk->waited = true;
	spin_unlock_irq(&ports_lock, f);
}

struct inet_rest *
inet_rest_far(struct inet_sock *sk, void *conn)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	struct inet_rest *r = sk->rest;

	if (!r && !sk->left && !sk->waited)
		r = add(sk, TCP_TIME_WAIT, true);
	if (r) {
		sk->rest = NULL;
		r->sk = NULL;
		r->conn = conn;
	}
	sk->waited = true;
	spin_unlock_irq(&ports_lock, f);
	return r;
}

void
inet_rest_waits(struct inet_rest *r, bool stamps)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	r->state = TCP_TIME_WAIT;
	r->stamps = stamps;
	r->until_ns = clock_mono_ns() + REST_NS;
	spin_unlock_irq(&ports_lock, f);
}

void
inet_rest_over(struct inet_rest *r)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	forget(r);
	spin_unlock_irq(&ports_lock, f);
}

void
inet_rest_drop(struct inet_sock *sk)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	if (sk->rest)
		forget(sk->rest);
	spin_unlock_irq(&ports_lock, f);
}

bool
ports_rest_meets(const struct port_claim *c, uint16_t port)
{
	struct hlist_node *n;

	for (n = rests[port % PORTS_NHASH].first; n; n = n->next) {
		const struct inet_rest *r =
			container_of(n, struct inet_rest, link);
		const struct port_claim o = { .addr = &r->local.addr,
					      .uid = r->uid,
					      .ifindex = r->ifindex,
					      .v6 = r->v6,
					      .v6only = r->v6only,
					      .reuse = r->reuse,
					      .reuseport = r->reuseport };

		if (r->local.port == port && port_claims_meet(c, &o))
			return true;
	}
	return false;
}

bool
ports_rest_has(uint16_t port)
{
	struct hlist_node *n;

	for (n = rests[port % PORTS_NHASH].first; n; n = n->next)
		if (container_of(n, struct inet_rest, link)->local.port == port)
			return true;
	return false;
}

/* A connection in TIME_WAIT may begin anew where its segments are told apart by
 * their time stamps (RFC 6191): if the program chose the port itself, else
 * after a second if net.ipv4.tcp_tw_reuse allows it, 1 everywhere, 2 within
 * the machine. */
static bool
reusable(const struct inet_rest *r, bool chosen)
{
	int how = READ_ONCE(net_settings.tw_reuse);

	if (r->far && !r->stamps)
		return false;
	if (chosen)
		return true;
	if (how != 1 && (r->far || !how))
		return false;
	return clock_mono_ns() + REST_NS > r->until_ns + NSEC_PER_SEC;
}

bool
ports_rest_parts(const struct inet_sock *sk, uint16_t port)
{
	struct hlist_node *n;

	for (n = rests[port % PORTS_NHASH].first; n; n = n->next) {
		const struct inet_rest *r =
			container_of(n, struct inet_rest, link);

		if (r->local.port == port &&
		    ports_same_ends(sk, &r->local, &r->remote))
			return !reusable(r, sk->hashed);
	}
	return false;
}

void
ports_rest_replace(const struct inet_sock *sk)
{
	struct hlist_node *n = rests[sk->local.port % PORTS_NHASH].first;

	while (n) {
		struct inet_rest *r = container_of(n, struct inet_rest, link);

		n = n->next;
		if (!r->far && r->local.port == sk->local.port &&
		    ports_same_ends(sk, &r->local, &r->remote))
			forget(r);
	}
}

/* *at: the chain, and which of it; a chain that changes meanwhile may show
 * some twice or not. */
bool
inet_rest_next(uint32_t *at, struct inet_rest_info *out)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	uint32_t chain = *at >> 16, skip = *at & 0xffff, i;
	struct hlist_node *n = NULL;
	const struct inet_rest *r;

	for (; chain < PORTS_NHASH && nrests; chain++, skip = 0) {
		for (n = rests[chain].first, i = skip; n && i; i--)
			n = n->next;
		if (n)
			break;
	}
	if (n) {
		uint64_t now = clock_mono_ns();

		r = container_of(n, struct inet_rest, link);
		out->local = r->local;
		out->remote = r->remote;
		out->left_ns = r->until_ns > now ? r->until_ns - now : 0;
		out->state = r->state;
		out->conn = r->conn;
		out->v6 = r->v6;
		*at = chain << 16 | (skip + 1);
	}
	spin_unlock_irq(&ports_lock, f);
	return n != NULL;
}

unsigned
inet_rest_count(void)
{
	return READ_ONCE(nnear);
}
