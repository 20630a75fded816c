/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the network says of itself: of one connection (TCP_INFO), and what
 * /proc/net shows: the list of sockets and what the protocols counted.
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
#include <lwip/sys.h>

/* ---- of one connection ---- */

uint32_t
tcp_far_mss(struct tcp_sock *t)
{
	struct tcp_pcb *pcb;
	uint32_t mss = 536;

	net_core_lock();
	pcb = t->pcb;
	if (pcb && pcb->state != LISTEN)
		mss = tcp_mss(pcb);
	net_core_unlock();
	return mss;
}

uint32_t
tcp_far_unsent(struct tcp_sock *t)
{
	uint32_t n = READ_ONCE(t->tx.bytes);
	struct tcp_pcb *pcb;

	net_core_lock();
	pcb = t->pcb;
	if (pcb && pcb->state != LISTEN)
		n += pcb->snd_lbb - pcb->snd_nxt;
	net_core_unlock();
	return n;
}

static void
fill_info(const struct tcp_sock *t, const struct tcp_pcb *pcb,
	  struct tcp_info *ti)
{
	ti->options = (pcb->flags & TF_TIMESTAMP ? 1 : 0) |
		      (pcb->flags & TF_SACK ? 2 : 0) |
		      (pcb->flags & TF_WND_SCALE ? 4 : 0);
	ti->wscale = (uint8_t)(pcb->snd_scale | pcb->rcv_scale << 4);
	ti->ca_state = pcb->flags & TF_RTO ? 4 : pcb->flags & TF_INFR ? 3 : 0;
	ti->retransmits = pcb->nrtx;
	ti->backoff = pcb->nrtx;
	ti->probes = t->probes;
	ti->rto = (uint32_t)pcb->rto * TCP_SLOW_INTERVAL * 1000;
	ti->ato = 40000;
	ti->snd_mss = pcb->mss;
	ti->rcv_mss = ti->advmss = pcb->mss;
	ti->unacked = (pcb->snd_nxt - pcb->lastack + pcb->mss - 1u) / pcb->mss;
	ti->rtt = (uint32_t)pcb->us_srtt / 8;
	ti->rttvar = (uint32_t)pcb->us_var / 4;
	ti->min_rtt = pcb->us_min;
	ti->snd_ssthresh = pcb->ssthresh / (pcb->mss ? pcb->mss : 1);
	/* In recovery cwnd has what is lost and what has arrived in it, too. */
	ti->snd_cwnd = pcb->cwnd / (pcb->mss ? pcb->mss : 1);
	if (pcb->flags & TF_INFR && ti->snd_cwnd > ti->snd_ssthresh)
		ti->snd_cwnd = ti->snd_ssthresh;
	ti->pmtu = pcb->mss + 40u;
	ti->reordering = pcb->dupthresh;
	ti->rcv_space = pcb->wnd_max;
	ti->snd_wnd = pcb->snd_wnd;
	ti->notsent_bytes =
		READ_ONCE(t->tx.bytes) + pcb->snd_lbb - pcb->snd_nxt;
}

void
tcp_far_info(struct tcp_sock *t, struct tcp_info *ti)
{
	uint64_t now = clock_mono_ns();
	struct tcp_pcb *pcb;

	net_core_lock();
	pcb = t->pcb;
	if (pcb && pcb->state != LISTEN)
		fill_info(t, pcb, ti);
	net_core_unlock();
	ti->bytes_received = t->rx_total;
	ti->bytes_sent = t->tx_total;
	ti->bytes_acked = t->tx_total - t->tx_unacked - t->tx.bytes;
	if (t->last_rx_ns)
		ti->last_data_recv = ti->last_ack_recv =
			(uint32_t)((now - t->last_rx_ns) / 1000000);
	if (t->last_tx_ns)
		ti->last_data_sent =
			(uint32_t)((now - t->last_tx_ns) / 1000000);
}

/* ---- lists ---- */

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

/* [core] */
static void
fill_timer(const struct tcp_pcb *pcb, struct net_sock_info *out)
{
	out->retransmits = pcb->nrtx;
	if (pcb->rtime >= 0) {
		out->timer = 1;
		out->timer_ns = (uint64_t)(pcb->rto > pcb->rtime ?
						   pcb->rto - pcb->rtime :
						   0) *
				TCP_SLOW_INTERVAL * 1000000;
	} else if (pcb->persist_backoff) {
		out->timer = 4;
	}
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
		fill_timer(pcb, out);
		if (!out->timer && sock_opt(&t->in.sock, SOCKOPT_KEEPALIVE))
			out->timer = 2;
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

static uint64_t
left_ns(uint32_t most_ms, uint32_t past_ms)
{
	return past_ms < most_ms ? (uint64_t)(most_ms - past_ms) * 1000000 : 0;
}

/* [core] A connection that lwIP ends alone. */
static void
fill_alone(const struct tcp_pcb *pcb, struct net_sock_info *out)
{
	static const uint8_t states[] = {
		[ESTABLISHED] = TCP_FIN_WAIT1, [FIN_WAIT_1] = TCP_FIN_WAIT1,
		[FIN_WAIT_2] = TCP_FIN_WAIT2,  [CLOSE_WAIT] = TCP_LAST_ACK,
		[CLOSING] = TCP_CLOSING,       [LAST_ACK] = TCP_LAST_ACK,
		[TIME_WAIT] = TCP_TIME_WAIT,
	};

	out->state = states[pcb->state];
	if (out->state == TCP_TIME_WAIT) {
		out->timer = 3;
		out->timer_ns = left_ns(2 * TCP_MSL, sys_now() - pcb->tmr);
	} else if (out->state == TCP_FIN_WAIT2) {
		out->timer = 3;
		out->timer_ns =
			left_ns(pcb->fin_wait_s * 1000u,
				(tcp_ticks - pcb->tmr) * TCP_SLOW_INTERVAL);
	} else {
		out->tx_queue = pcb->snd_lbb - pcb->lastack;
		fill_timer(pcb, out);
	}
}

/* As Linux shows what it keeps no socket for. */
static bool
next_rest(int family, struct net_sock_cursor *c, struct net_sock_info *out)
{
	struct inet_rest_info r;
	bool found;

	net_core_lock();
	do
		found = inet_rest_next(&c->rest, &r);
	while (found && r.v6 != (family == AF_INET6));
	if (found) {
		memset(out, 0, sizeof(*out));
		out->family = (uint16_t)family;
		out->type = SOCK_STREAM;
		out->protocol = IPPROTO_TCP;
		out->state = r.state;
		fill_ends(r.v6, &r.local, &r.remote, out);
		if (r.conn) {
			fill_alone(r.conn, out);
		} else if (r.state == TCP_FIN_WAIT2 ||
			   r.state == TCP_TIME_WAIT) {
			out->timer = 3;
			out->timer_ns = r.left_ns;
		}
	}
	net_core_unlock();
	return found;
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

		out->reno = t->reno;
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
	c->ip_in = s->ip.recv;
	c->ip_out = s->ip.xmit;
	c->ip_in_hdr_errors = (uint64_t)s->ip.lenerr + s->ip.chkerr + s->ip.err;
	c->ip_in_discards = s->ip.memerr;
	c->ip_delivered = c->ip_in - s->ip.drop;
	c->ip_out_no_routes = s->ip.rterr;
	c->ip6_in = s->ip6.recv;
	c->ip6_in_hdr_errors = (uint64_t)s->ip6.lenerr + s->ip6.err;
	c->ip6_in_protos = s->ip6.proterr;
	c->ip6_in_discards = s->ip6.memerr;
	c->ip6_delivered = c->ip6_in - s->ip6.drop;
	c->ip6_out = s->ip6.xmit;
	c->ip6_out_no_routes = s->ip6.rterr;
	c->ip6_frag_created = s->ip6_frag.xmit;
	c->icmp6_in = s->icmp6.recv;
	c->icmp6_in_errors = (uint64_t)s->icmp6.lenerr + s->icmp6.chkerr;
	c->icmp6_out = s->icmp6.xmit;
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
