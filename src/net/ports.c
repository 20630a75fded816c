/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of ports: who is bound where, who listens, who gets a datagram.
 *
 * One hash by port for TCP and one for UDP hold the sockets that own a port.
 * Connections that a listener accepted share its port and are not in it, but
 * in one of their own that only bind() and listen() look at: else they are
 * found by their connection.  Listeners and datagram sockets are
 * looked up here for what comes from this machine and from outside alike.
 *
 * One spin lock, inside the core lock and outside of a socket's own.
 */
#include "ports_priv.h"

#include <abi/errno.h>
#include <abi/prctl.h>
#include <base/hash.h>
#include <base/string.h>
#include <dev/random.h>
#include <net/bpf.h>
#include <net/settings.h>
#include <net/tcp.h>

#define NHASH PORTS_NHASH

struct spinlock ports_lock = SPINLOCK_INIT(RANK_DEVICE);
static struct hlist_head tcp_ports[NHASH], udp_ports[NHASH]; /* [ports_lock] */
static struct hlist_head children[NHASH]; /* [ports_lock] accepted */
static struct list all[INET_KINDS] = {
	LIST_INIT(all[0]),
	LIST_INIT(all[1]),
	LIST_INIT(all[2]),
};				    /* [ports_lock] */
static unsigned counts[INET_KINDS]; /* [ports_lock] */

static enum inet_kind
kind_of(const struct inet_sock *sk)
{
	return sk->sock.type == SOCK_STREAM ? INET_TCP :
	       sk->sock.type == SOCK_DGRAM  ? INET_UDP :
					      INET_RAW;
}

struct hlist_head *
ports_chain(const struct inet_sock *sk, uint16_t port)
{
	return kind_of(sk) == INET_TCP ? &tcp_ports[port % NHASH] :
					 &udp_ports[port % NHASH];
}

#define sk_of_link(n) container_of((n), struct inet_sock, port_link)

/* ---- may two share a port? ---- */

struct port_claim
port_claim_of(const struct inet_sock *sk, const struct inet_addr *addr)
{
	const struct port_claim c = {
		.addr = addr,
		.uid = sk->sock.uid,
		.ifindex = sk->sock.ifindex,
		.v6 = sk->v6,
		.v6only = sk->v6only,
		.reuse = sock_opt(&sk->sock, SOCKOPT_REUSEADDR),
		.reuseport = sock_opt(&sk->sock, SOCKOPT_REUSEPORT),
		.listens = sk->tcp_listen
	};

	return c;
}

/* Could one packet be for both addresses? */
static bool
overlap(const struct port_claim *a, const struct port_claim *b)
{
	bool any_a = inet_is_any(a->addr), any_b = inet_is_any(b->addr);

	if (any_a && any_b) {
		if (a->v6 && b->v6)
			return true;
		if (a->v6 != b->v6)
			return !(a->v6 ? a->v6only : b->v6only);
		return true;
	}
	if (any_a)
		return inet_is_v4(b->addr) ? !a->v6 || !a->v6only : a->v6;
	if (any_b)
		return inet_is_v4(a->addr) ? !b->v6 || !b->v6only : b->v6;
	return inet_same(a->addr, b->addr);
}

static bool
may_share(const struct port_claim *a, const struct port_claim *b)
{
	if (a->reuse && b->reuse && !a->listens && !b->listens)
		return true;
	return a->reuseport && b->reuseport && a->uid == b->uid;
}

bool
port_claims_meet(const struct port_claim *a, const struct port_claim *b)
{
	if (a->ifindex && b->ifindex && a->ifindex != b->ifindex)
		return false;
	return overlap(a, b) && !may_share(a, b);
}

static bool
chain_meets(const struct hlist_head *h, const struct inet_sock *sk,
	    const struct port_claim *c, uint16_t port)
{
	struct hlist_node *n;

	for (n = h->first; n; n = n->next) {
		const struct inet_sock *o = sk_of_link(n);
		struct port_claim oc;

		if (o == sk || o->local.port != port)
			continue;
		oc = port_claim_of(o, &o->local.addr);
		if (port_claims_meet(c, &oc))
			return true;
	}
	return false;
}

/* A connection is in nobody's way who listens, if both may share. */
static bool
conflict(const struct inet_sock *sk, const struct inet_addr *addr,
	 uint16_t port)
{
	struct port_claim c = port_claim_of(sk, addr);

	if (chain_meets(ports_chain(sk, port), sk, &c, port))
		return true;
	if (kind_of(sk) != INET_TCP)
		return false;
	c.listens = false;
	return chain_meets(&children[port % NHASH], sk, &c, port) ||
	       ports_rest_meets(&c, port);
}

static void
insert(struct inet_sock *sk, uint16_t port)
{
	sk->local.port = port;
	sk->hashed = true;
	hlist_add(ports_chain(sk, port), &sk->port_link);
}

static bool
port_free(const struct inet_sock *sk, uint16_t port)
{
	struct hlist_node *n;

	for (n = ports_chain(sk, port)->first; n; n = n->next)
		if (sk_of_link(n)->local.port == port)
			return false;
	return true;
}

/* No connection has it either, nor what is left of one. */
static bool
port_unused(const struct inet_sock *sk, uint16_t port)
{
	struct hlist_node *n;

	if (!port_free(sk, port))
		return false;
	if (kind_of(sk) != INET_TCP)
		return true;
	for (n = children[port % NHASH].first; n; n = n->next)
		if (sk_of_link(n)->local.port == port)
			return false;
	return !ports_rest_has(port);
}

bool
ports_same_ends(const struct inet_sock *sk, const struct inet_end *local,
		const struct inet_end *remote)
{
	return remote->port == sk->remote.port &&
	       inet_same(&remote->addr, &sk->remote.addr) &&
	       inet_same(&local->addr, &sk->local.addr);
}

static bool
chain_has_ends(const struct hlist_head *h, const struct inet_sock *sk,
	       uint16_t port)
{
	struct hlist_node *n;

	for (n = h->first; n; n = n->next) {
		struct inet_sock *o = sk_of_link(n);

		if (o != sk && o->local.port == port && o->connected &&
		    ports_same_ends(sk, &o->local, &o->remote) &&
		    tcp_state(tcp_of(o)) != TCP_CLOSE)
			return true;
	}
	return false;
}

/* Is there, or is left, a connection between the ends that sk would have? */
static bool
ends_taken(const struct inet_sock *sk, uint16_t port)
{
	return chain_has_ends(&tcp_ports[port % NHASH], sk, port) ||
	       chain_has_ends(&children[port % NHASH], sk, port) ||
	       ports_rest_parts(sk, port);
}

static bool
ends_free(const struct inet_sock *sk, uint16_t port)
{
	return port_free(sk, port) && !ends_taken(sk, port);
}

/* Nobody else is connected from this port to the same place, and nobody is
 * bound to it without a connection. */
static bool
pair_free(const struct inet_sock *sk, uint16_t port)
{
	struct hlist_node *n;

	for (n = ports_chain(sk, port)->first; n; n = n->next) {
		const struct inet_sock *o = sk_of_link(n);

		if (o->local.port != port)
			continue;
		if (!o->connected || o->bound ||
		    (o->remote.port == sk->remote.port &&
		     inet_same(&o->remote.addr, &sk->remote.addr)))
			return false;
	}
	return kind_of(sk) != INET_TCP || !ends_taken(sk, port);
}

static uint16_t
pick_port(const struct inet_sock *sk,
	  bool (*ok)(const struct inet_sock *, uint16_t))
{
	unsigned first = (unsigned)READ_ONCE(net_settings.ports[0]);
	unsigned last = (unsigned)READ_ONCE(net_settings.ports[1]);
	unsigned n = last >= first ? last - first + 1 : 1;
	unsigned at = (unsigned)(random_u64() % n);

	for (unsigned i = 0; i < n; i++, at = at + 1 == n ? 0 : at + 1)
		if (ok(sk, (uint16_t)(first + at)))
			return (uint16_t)(first + at);
	return 0;
}

int
inet_bind_port(struct inet_sock *sk, const struct inet_end *want)
{
	uint16_t port = want->port;
	irqflags_t f;
	int err = 0;

	if (port && port < READ_ONCE(net_settings.port_priv) &&
	    !sock_capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	f = spin_lock_irq(&ports_lock);
	if (sk->hashed)
		err = -EINVAL;
	else if (!port && sk->bind_no_port)
		sk->local = *want;
	else if (!port && !(port = pick_port(sk, port_unused)))
		err = -EADDRINUSE;
	else if (want->port && conflict(sk, &want->addr, port))
		err = -EADDRINUSE;
	if (!err) {
		sk->bound_addr = !inet_is_any(&want->addr);
		sk->bound = want->port != 0;
	}
	if (!err && port) {
		sk->local = *want;
		insert(sk, port);
	}
	spin_unlock_irq(&ports_lock, f);
	return err;
}

int
inet_auto_port(struct inet_sock *sk)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	uint16_t port = 0;

	if (!sk->hashed) {
		port = pick_port(sk, sk->connected ? port_free : port_unused);
		if (!port && sk->connected)
			port = pick_port(sk, pair_free);
		if (port)
			insert(sk, port);
	}
	spin_unlock_irq(&ports_lock, f);
	return sk->hashed ? 0 : -EADDRNOTAVAIL;
}

int
inet_claim_ends(struct inet_sock *sk, const struct inet_end *dst,
		const struct inet_addr *src)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	uint16_t port = 0;
	int err = 0;

	sk->remote = *dst;
	if (inet_is_any(&sk->local.addr))
		sk->local.addr = *src;
	if (!sk->hashed) {
		port = pick_port(sk, ends_free);
		if (!port)
			port = pick_port(sk, pair_free);
		if (port)
			insert(sk, port);
		else
			err = -EADDRNOTAVAIL;
	} else if (ends_taken(sk, sk->local.port)) {
		err = -EADDRNOTAVAIL;
	}
	if (!err) {
		sk->connected = true;
		sk->waited = false;
		ports_rest_replace(sk);
	}
	spin_unlock_irq(&ports_lock, f);
	return err;
}

void
inet_give_ends(struct inet_sock *sk)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	sk->connected = false;
	if (!sk->bound) {
		if (unlikely(sk->steer))
			ports_steer_leave(sk);
		if (sk->hashed)
			hlist_del(&sk->port_link);
		sk->hashed = sk->tcp_listen = false;
	}
	inet_reset_local(sk);
	spin_unlock_irq(&ports_lock, f);
}

void
inet_drop_port(struct inet_sock *sk)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	if (unlikely(sk->steer))
		ports_steer_leave(sk);
	if (sk->hashed)
		hlist_del(&sk->port_link);
	sk->hashed = sk->bound = sk->tcp_listen = false;
	spin_unlock_irq(&ports_lock, f);
}

void
ports_unlist(struct inet_sock *sk)
{
	if (unlikely(sk->steer))
		ports_steer_leave(sk);
	hlist_del(&sk->port_link); /* of either table, or none */
	sk->hashed = sk->bound = sk->tcp_listen = false;
	if (!list_empty(&sk->all_link)) {
		list_del(&sk->all_link);
		counts[kind_of(sk)]--;
	}
}

int
inet_start_listen(struct inet_sock *sk)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	int err = 0;

	sk->tcp_listen = true;
	if (conflict(sk, &sk->local.addr, sk->local.port)) {
		sk->tcp_listen = false;
		err = -EADDRINUSE;
	}
	spin_unlock_irq(&ports_lock, f);
	return err;
}

void
inet_stop_listen(struct inet_sock *sk)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	sk->tcp_listen = false;
	spin_unlock_irq(&ports_lock, f);
}

/* ---- who is it for? ---- */

/* How well a socket fits; 0: not at all. */
static unsigned
score(const struct inet_sock *sk, const struct inet_end *dst,
      const struct inet_end *src, int ifindex)
{
	unsigned s = 1;

	if (sk->local.port != dst->port)
		return 0;
	if (inet_is_any(&sk->local.addr)) {
		if (inet_is_v4(&dst->addr) ? sk->v6 && sk->v6only : !sk->v6)
			return 0;
		/* As on Linux, an exact family counts. */
		s += inet_is_v4(&dst->addr) == !sk->v6;
	} else if (inet_same(&sk->local.addr, &dst->addr)) {
		s += 4;
	} else {
		return 0;
	}
	if (sk->sock.ifindex) {
		if (sk->sock.ifindex != ifindex)
			return 0;
		s += 4;
	}
	if (sk->connected && !sk->tcp_listen) {
		if (sk->remote.port != src->port ||
		    !inet_same(&sk->remote.addr, &src->addr))
			return 0;
		s += 8;
	}
	return s;
}

/* Members of a group of SO_REUSEPORT fit equally well: the pair of ends
 * chooses among them, so that a connection's packets stay together. */
static struct inet_sock *
best_of(struct hlist_head *h, bool listeners, const struct inet_end *dst,
	const struct inet_end *src, int ifindex)
{
	struct inet_sock *best = NULL;
	unsigned top = 0, same = 0;
	struct hlist_node *n;
	uint64_t pick;

	for (n = h->first; n; n = n->next) {
		struct inet_sock *sk = sk_of_link(n);
		unsigned s;

		if (sk->tcp_listen != listeners)
			continue;
		s = score(sk, dst, src, ifindex);
		if (s > top) {
			top = s;
			same = 1;
			best = sk;
		} else if (s && s == top) {
			same++;
		}
	}
	if (same < 2 || !sock_opt(&best->sock, SOCKOPT_REUSEPORT))
		return best;
	pick = hash_u64(src->addr.d[1] ^ src->addr.d[0] ^
			((uint64_t)src->port << 16 | dst->port)) %
	       same;
	for (n = h->first; n; n = n->next) {
		struct inet_sock *sk = sk_of_link(n);

		if (sk->tcp_listen == listeners &&
		    score(sk, dst, src, ifindex) == top && pick-- == 0)
			return sk;
	}
	return best;
}

#define STEER_MAX 64 /* members of a group that a program chooses among */

/* If a program chooses among those that fit as well as best: whom. */
static NOINLINE struct inet_sock *
steered(struct hlist_head *h, struct inet_sock *best,
	const struct inet_end *dst, const struct inet_end *src, int ifindex,
	const struct bpf_packet *p)
{
	unsigned top = score(best, dst, src, ifindex), at, k = STEER_MAX;
	struct inet_sock *v[STEER_MAX];
	struct hlist_node *n;

	/* The youngest comes first in the chain. */
	for (n = h->first; n && k; n = n->next) {
		struct inet_sock *sk = sk_of_link(n);

		if (sk->tcp_listen == best->tcp_listen &&
		    sock_opt(&sk->sock, SOCKOPT_REUSEPORT) &&
		    score(sk, dst, src, ifindex) == top)
			v[--k] = sk;
	}
	at = ports_steer(v + k, STEER_MAX - k, p);
	return at < STEER_MAX - k ? v[k + at] : best;
}

static struct inet_sock *
find(struct hlist_head *h, bool listeners, const struct inet_end *dst,
     const struct inet_end *src, int ifindex, const struct bpf_packet *p)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	struct inet_sock *sk = best_of(h, listeners, dst, src, ifindex);

	if (sk && unlikely(p))
		sk = steered(h, sk, dst, src, ifindex, p);
	if (sk)
		inet_get(sk);
	spin_unlock_irq(&ports_lock, f);
	return sk;
}

/* A SYN has none. */
static bool
no_data(const void *ctx, uint32_t off, void *to, uint32_t n)
{
	(void)ctx;
	(void)off;
	(void)to;
	(void)n;
	return false;
}

struct inet_sock *
inet_find_listener(const struct inet_end *dst, const struct inet_end *src)
{
	const struct bpf_packet p = { .load = no_data };

	return find(&tcp_ports[dst->port % NHASH], true, dst, src, 0,
		    READ_ONCE(inet_steered) ? &p : NULL);
}

struct inet_sock *
inet_find_udp(const struct inet_end *dst, const struct inet_end *src,
	      int ifindex)
{
	return find(&udp_ports[dst->port % NHASH], false, dst, src, ifindex,
		    NULL);
}

struct inet_sock *
inet_find_steered(const struct inet_end *dst, const struct inet_end *src,
		  int ifindex, const struct bpf_packet *p)
{
	return find(&udp_ports[dst->port % NHASH], false, dst, src, ifindex, p);
}

static bool
is_loopback(const struct inet_addr *a)
{
	static const struct inet_addr one = { .b = { [15] = 1 } };

	return inet_is_loopback4(a) || inet_same(a, &one);
}

bool
inet_take_untold(bool tcp, const struct inet_end *dst)
{
	struct hlist_head *h = tcp ? tcp_ports : udp_ports;
	struct inet_sock *found = NULL;
	struct hlist_node *n;
	irqflags_t f = spin_lock_irq(&ports_lock);

	for (n = h[dst->port % NHASH].first; n && !found; n = n->next) {
		struct inet_sock *sk = sk_of_link(n);

		if (sk->local.port == dst->port && sk->tcp_listen == tcp &&
		    !sk->connected && !sk->told &&
		    inet_is_v4(&sk->local.addr) == inet_is_v4(&dst->addr) &&
		    is_loopback(&sk->local.addr))
			found = sk;
	}
	if (found)
		found->told = true;
	spin_unlock_irq(&ports_lock, f);
	return found != NULL;
}

/* A socket gets a multicast datagram if it joined the group, or, as is
 * Linux's default, if anybody did; and if it is bound to the group or to no
 * address. */
static bool
wants_multi(const struct inet_sock *sk, const struct inet_end *dst,
	    const struct inet_end *src, int ifindex)
{
	if (sk->local.port != dst->port ||
	    (sk->sock.ifindex && sk->sock.ifindex != ifindex))
		return false;
	if (!inet_is_any(&sk->local.addr) &&
	    !inet_same(&sk->local.addr, &dst->addr))
		return false;
	if (inet_is_any(&sk->local.addr) &&
	    (inet_is_v4(&dst->addr) ? sk->v6 && sk->v6only : !sk->v6))
		return false;
	if (sk->connected && (sk->remote.port != src->port ||
			      !inet_same(&sk->remote.addr, &src->addr)))
		return false;
	return !inet_is_multicast(&dst->addr) ||
	       inet_hears(sk, &dst->addr, &src->addr, ifindex);
}

#define MULTI_MAX 64 /* receivers of one datagram */

void
inet_each_udp(const struct inet_end *dst, const struct inet_end *src,
	      int ifindex, void (*fn)(struct inet_sock *sk, void *arg),
	      void *arg)
{
	struct inet_sock *v[MULTI_MAX];
	struct hlist_node *n;
	unsigned k = 0;
	irqflags_t f = spin_lock_irq(&ports_lock);

	for (n = udp_ports[dst->port % NHASH].first; n && k < MULTI_MAX;
	     n = n->next) {
		struct inet_sock *sk = sk_of_link(n);

		if (!wants_multi(sk, dst, src, ifindex))
			continue;
		inet_get(sk);
		v[k++] = sk;
	}
	spin_unlock_irq(&ports_lock, f);
	while (k) {
		fn(v[--k], arg);
		inet_put(v[k]);
	}
}

/* ---- all of them ---- */

void
inet_add_child(struct inet_sock *c, const struct inet_sock *of)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	c->local = of->remote;
	c->remote = of->local;
	spin_unlock_irq(&ports_lock, f);
	inet_list_add(c);
}

void
inet_list_add(struct inet_sock *sk)
{
	enum inet_kind k = kind_of(sk);
	irqflags_t f = spin_lock_irq(&ports_lock);

	list_add_tail(&all[k], &sk->all_link);
	counts[k]++;
	if (sk->child)
		hlist_add(&children[sk->local.port % NHASH], &sk->port_link);
	spin_unlock_irq(&ports_lock, f);
}

void
inet_list_del(struct inet_sock *sk)
{
	irqflags_t f = spin_lock_irq(&ports_lock);

	ports_unlist(sk);
	spin_unlock_irq(&ports_lock, f);
}

struct inet_sock *
inet_next(enum inet_kind kind, struct inet_sock *prev, unsigned *index)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	struct list *at = all[kind].next;
	struct inet_sock *found = NULL;

	if (prev && !list_empty(&prev->all_link))
		at = prev->all_link.next;
	else /* it is gone: by the number of those that were seen */
		for (unsigned i = 0; i < *index && at != &all[kind]; i++)
			at = at->next;
	if (at != &all[kind]) {
		found = list_entry(at, struct inet_sock, all_link);
		inet_get(found);
	}
	++*index;
	spin_unlock_irq(&ports_lock, f);
	if (prev)
		inet_put(prev);
	return found;
}

unsigned
inet_count(enum inet_kind kind)
{
	irqflags_t f = spin_lock_irq(&ports_lock);
	unsigned n = counts[kind];

	spin_unlock_irq(&ports_lock, f);
	return n;
}
