/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SO_ATTACH_REUSEPORT_CBPF: a program chooses among the sockets that share a
 * port by SO_REUSEPORT.  Its value is a place in their order, that in which
 * they got the port; a value beyond leaves the choice to the ends' hash.
 *
 * The program is the group's.  It hangs on the member by which it was attached,
 * and goes to another when that one leaves; members before and after have none,
 * or, bound with one of their own, the youngest's counts.  Lock: ports_lock.
 */
#include <abi/errno.h>
#include <base/atomic.h>
#include <net/bpf.h>

#include "ports_priv.h"

bool inet_steered;

#define sk_of_link(n) container_of((n), struct inet_sock, port_link)

static bool
same_group(const struct inet_sock *a, const struct inet_sock *b)
{
	return a->local.port == b->local.port &&
	       inet_same(&a->local.addr, &b->local.addr) && a->v6 == b->v6 &&
	       sock_opt(&b->sock, SOCKOPT_REUSEPORT);
}

/* A member beside sk, with a program or any; NULL. */
static struct inet_sock *
other(const struct inet_sock *sk, bool with)
{
	struct hlist_node *n;

	if (!sk->hashed)
		return NULL;
	for (n = ports_chain(sk, sk->local.port)->first; n; n = n->next) {
		struct inet_sock *o = sk_of_link(n);

		if (o != sk && same_group(sk, o) && (!with || o->steer))
			return o;
	}
	return NULL;
}

/* Takes the group's program, if it has one. */
static struct sock_prog *
take(struct inet_sock *sk)
{
	struct inet_sock *o = sk->steer ? sk : other(sk, true);
	struct sock_prog *p = o ? o->steer : NULL;

	if (o)
		o->steer = NULL;
	return p;
}

static int
attach(struct inet_sock *sk, const void *val, uint32_t len)
{
	struct sock_prog *p, *old;
	irqflags_t f;
	int err = sock_prog_load(val, len, &p);

	if (err)
		return err;
	do {
		f = spin_lock_irq(&ports_lock);
		old = take(sk);
		if (!old)
			sk->steer = p;
		spin_unlock_irq(&ports_lock, f);
		sock_prog_free(old);
	} while (old);
	WRITE_ONCE(inet_steered, true);
	return 0;
}

int
inet_steer_setopt(struct inet_sock *sk, int name, const void *val, uint32_t len)
{
	struct sock_prog *old;
	irqflags_t f;

	if (name != SO_ATTACH_REUSEPORT_CBPF && name != SO_DETACH_REUSEPORT_BPF)
		return -ENOPROTOOPT;
	if (!sock_opt(&sk->sock, SOCKOPT_REUSEPORT))
		return -EINVAL;
	if (name == SO_ATTACH_REUSEPORT_CBPF)
		return attach(sk, val, len);
	f = spin_lock_irq(&ports_lock);
	old = take(sk);
	spin_unlock_irq(&ports_lock, f);
	sock_prog_free(old);
	return old ? 0 : -ENOENT;
}

void
ports_steer_leave(struct inet_sock *sk)
{
	struct inet_sock *o = other(sk, false);

	if (o && !o->steer) {
		o->steer = sk->steer;
		sk->steer = NULL;
	}
}

unsigned
ports_steer(struct inet_sock *const *v, unsigned n, const struct bpf_packet *p)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i]->steer)
			return sock_prog_run(v[i]->steer, p);
	return UINT32_MAX;
}
