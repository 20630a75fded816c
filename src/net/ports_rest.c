/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of connections within the machine when the end that closed
 * first is closed: its port stays taken, in FIN_WAIT2 until the other end
 * closes and in TIME_WAIT for a minute then, for bind() without SO_REUSEADDR
 * and for /proc/net/tcp.  Nothing of the connection needs the wait, as no
 * segment can be late.
 *
 * A rest is a block of its own, so that the socket's memory is not kept.  It
 * lasts a minute from its last change; when there are too many the oldest
 * goes.  All is under the lock of the table of ports.
 */
#include <abi/errno.h>
#include <abi/inet.h>
#include <base/math.h>
#include <core/clock.h>
#include <core/timer.h>
#include <mem/heap.h>
#include <mem/page.h>

#include "ports_priv.h"

#define REST_NS	   (60 * NSEC_PER_SEC) /* Linux's for both states */
#define REST_MAX   4096u
#define REST_SHARE 16384u /* bytes of memory for each */

struct inet_rest {
	struct hlist_node link; /* by local port */
	struct list age;	/* oldest first */
	struct inet_sock *sk;	/* in FIN_WAIT2, else NULL; sk->rest */
	uint64_t until_ns;
	struct inet_end local, remote;
	uint32_t uid;
	int ifindex;
	bool v6, v6only, reuse, reuseport;
};

static struct hlist_head rests[PORTS_NHASH];
static struct list ages = LIST_INIT(ages);
static unsigned nrests;
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
	list_del(&r->age);
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
add(struct inet_sock *sk)
{
	struct inet_rest *r = kmalloc(sizeof(*r), ALLOC_ATOMIC);

	if (!r)
		return NULL;
	if (nrests >= most())
		forget(list_first_entry(&ages, struct inet_rest, age));
	r->sk = NULL;
	r->local = sk->local;
	r->remote = sk->remote;
	r->uid = sk->sock.uid;
	r->ifindex = sk->sock.ifindex;
	r->v6 = sk->v6;
	r->v6only = sk->v6only;
	r->reuse = sock_opt(&sk->sock, SOCKOPT_REUSEADDR);
	r->reuseport = sock_opt(&sk->sock, SOCKOPT_REUSEPORT);
	hlist_add(&rests[r->local.port % PORTS_NHASH], &r->link);
	age_from_now(r);
	nrests++;
	return r;
}

void
inet_leave(struct inet_sock *sk, bool holds)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	ports_unlist(sk);
	sk->left = true;
	if (holds && !sk->waited) {
		sk->rest = add(sk);
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
		list_del(&r->age);
		age_from_now(r);
	} else if (!sk->left && !sk->waited) {
		ignore(add(sk) == NULL);
	}
	sk->waited = true;
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
		out->state = r->sk ? TCP_FIN_WAIT2 : TCP_TIME_WAIT;
		out->v6 = r->v6;
		*at = chain << 16 | (skip + 1);
	}
	spin_unlock_irq(&ports_lock, f);
	return n != NULL;
}

unsigned
inet_rest_count(void)
{
	return READ_ONCE(nrests);
}
