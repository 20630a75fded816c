/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc/net shows: the list of sockets and what the protocols counted.
 *
 * A cursor holds its place in a list by a reference to a socket; a list that
 * changes meanwhile may show some twice or not, as Linux's does.
 */
#include "ether.h"

#include <abi/inet.h>
#include <abi/socket.h>
#include <base/atomic.h>
#include <base/string.h>
#include <core/clock.h>
#include <net/dgram.h>
#include <net/lwip/far.h>
#include <net/tcp.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>

static void
fill_ends(bool v6, const struct inet_end *l, const struct inet_end *r,
	  struct net_sock_info *out)
{
	size_t skip = v6 ? 0 : 12;

	out->local_port = l->port;
	out->remote_port = r->port;
	memcpy(out->local, l->addr.b + skip, 16 - skip);
	memcpy(out->remote, r->addr.b + skip, 16 - skip);
}

static void
fill_common(const struct inet_sock *sk, struct net_sock_info *out)
{
	memset(out, 0, sizeof(*out));
	out->family = sk->v6 ? AF_INET6 : AF_INET;
	out->type = sk->sock.type;
	out->protocol = sk->sock.protocol;
	fill_ends(sk->v6, &sk->local, &sk->remote, out);
	out->uid = sk->sock.uid;
	out->ino = sk->sock.ino;
	out->ifindex = sk->sock.ifindex;
}

static void
fill_tcp(struct tcp_sock *t, struct net_sock_info *out)
{
	struct tcp_pcb *pcb;

	out->state = tcp_state(t);
	if (out->state == TCP_LISTEN) {
		out->tx_queue = t->backlog;
		out->rx_queue = t->nqueue;
		return;
	}
	out->rx_queue = READ_ONCE(t->rx.bytes);
	if (out->rx_queue && t->done)
		out->rx_queue++; /* the end counts, as on Linux */
	out->tx_queue = READ_ONCE(t->tx.bytes) + READ_ONCE(t->tx_unacked);
	net_core_lock();
	pcb = t->pcb;
	if (pcb && pcb->state != LISTEN) {
		out->retransmits = pcb->nrtx;
		if (pcb->rtime >= 0) {
			out->timer = 1;
			out->timer_ns =
				(uint64_t)(pcb->rto > pcb->rtime ?
						   pcb->rto - pcb->rtime :
						   0) *
				TCP_SLOW_INTERVAL * 1000000;
		} else if (pcb->persist_backoff) {
			out->timer = 4;
		} else if (sock_opt(&t->in.sock, SOCKOPT_KEEPALIVE)) {
			out->timer = 2;
		}
	}
	net_core_unlock();
}

/* A fresh TCP socket is in no list on Linux either. */
static bool
is_shown(struct inet_sock *sk, int family, enum inet_kind kind)
{
	if (sk->v6 != (family == AF_INET6))
		return false;
	if (kind == INET_TCP)
		return tcp_state(tcp_of(sk)) != TCP_CLOSE;
	return kind != INET_UDP || sk->hashed;
}

/* As Linux shows what it keeps no socket for. */
static bool
next_rest(int family, struct net_sock_cursor *c, struct net_sock_info *out)
{
	struct inet_rest_info r;

	do {
		if (!inet_rest_next(&c->rest, &r))
			return false;
	} while (r.v6 != (family == AF_INET6));
	memset(out, 0, sizeof(*out));
	out->family = (uint16_t)family;
	out->type = SOCK_STREAM;
	out->protocol = IPPROTO_TCP;
	out->state = r.state;
	out->timer = 3;
	out->timer_ns = r.left_ns;
	fill_ends(r.v6, &r.local, &r.remote, out);
	return true;
}

bool
net_sock_next(int family, int protocol, struct net_sock_cursor *c,
	      struct net_sock_info *out)
{
	enum inet_kind kind = protocol == IPPROTO_TCP ? INET_TCP :
			      protocol == IPPROTO_UDP ? INET_UDP :
							INET_RAW;
	struct inet_sock *sk;

	if (c->rests)
		return next_rest(family, c, out);
	do
		sk = c->at = inet_next(kind, c->at, &c->index);
	while (sk && !is_shown(sk, family, kind));
	if (!sk) {
		c->rests = kind == INET_TCP;
		return c->rests && next_rest(family, c, out);
	}
	fill_common(sk, out);
	if (kind == INET_TCP) {
		fill_tcp(tcp_of(sk), out);
	} else {
		out->state = sk->connected ? TCP_ESTABLISHED : TCP_CLOSE;
		out->rx_queue = READ_ONCE(dgram_of(sk)->bytes);
		out->drops = READ_ONCE(dgram_of(sk)->drops);
	}
	return true;
}

void
net_sock_done(struct net_sock_cursor *c)
{
	if (c->at)
		inet_put(c->at);
	c->at = NULL;
}

void
net_sock_more(const struct net_sock_cursor *c, struct net_sock_more *out,
	      struct tcp_info *tcp)
{
	struct inet_sock *sk = c->at;
	bool rcv, snd;

	memset(out, 0, sizeof(*out));
	out->rcvbuf = sk->sock.rcvbuf;
	out->sndbuf = sk->sock.sndbuf;
	out->tos = sk->tos;
	out->tclass = sk->tclass;
	/* One that is bound to an address of IPv6 gets nothing else. */
	out->v6only = sk->v6only || (sk->v6 && !inet_is_any(&sk->local.addr) &&
				     !inet_is_v4(&sk->local.addr));
	if (sk->sock.type == SOCK_STREAM) {
		struct tcp_sock *t = tcp_of(sk);

		rcv = t->rcv_shut;
		snd = t->snd_shut;
		out->rmem = READ_ONCE(t->rx.bytes);
		out->wmem = t->peer ? 0 :
				      READ_ONCE(t->tx.bytes) +
					      READ_ONCE(t->tx_unacked);
		if (tcp)
			tcp_fill_info(t, tcp);
	} else {
		rcv = dgram_of(sk)->rcv_shut;
		snd = dgram_of(sk)->snd_shut;
		out->rmem = READ_ONCE(dgram_of(sk)->bytes);
	}
	out->shutdown = (uint8_t)(rcv | snd << 1);
}

void
net_counters_get(struct net_counters *c)
{
	const struct stats_ *s = &lwip_stats;

	memset(c, 0, sizeof(*c));
	net_core_lock();
	c->ip_in = (uint64_t)s->ip.recv + s->ip6.recv;
	c->ip_out = (uint64_t)s->ip.xmit + s->ip6.xmit;
	c->ip_in_hdr_errors = (uint64_t)s->ip.lenerr + s->ip.chkerr +
			      s->ip.err + s->ip6.lenerr;
	c->ip_in_discards = s->ip.memerr;
	c->ip_delivered = c->ip_in - s->ip.drop - s->ip6.drop;
	c->ip_out_no_routes = (uint64_t)s->ip.rterr + s->ip6.rterr;
	c->icmp_in = s->icmp.recv;
	c->icmp_out = s->icmp.xmit;
	c->icmp_in_errors = (uint64_t)s->icmp.lenerr + s->icmp.chkerr;
	c->tcp_in = s->tcp.recv;
	c->tcp_out = s->tcp.xmit;
	c->tcp_in_errors = (uint64_t)s->tcp.lenerr + s->tcp.chkerr;
	c->udp_in = s->udp.recv;
	c->udp_out = s->udp.xmit;
	c->udp_in_errors = (uint64_t)s->udp.lenerr + s->udp.chkerr;
	c->udp_no_ports = s->udp.proterr;
	c->tcp_tw = tcp_tw_count + inet_rest_count();
	c->tcp_cookies_sent = tcp_cookies_sent;
	c->tcp_cookies_good = tcp_cookies_good;
	c->tcp_cookies_bad = tcp_cookies_bad;
	net_core_unlock();
	c->tcp_inuse = inet_count(INET_TCP);
	c->udp_inuse = inet_count(INET_UDP);
	c->raw_inuse = inet_count(INET_RAW);
	c->mem_bytes = atomic_load_relaxed(&net_mem_bytes) +
		       atomic_load_relaxed(&net_rx_held);
}
