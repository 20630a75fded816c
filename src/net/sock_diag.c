/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NETLINK_SOCK_DIAG: TCP, UDP and raw sockets as ss(8) asks for them, all or
 * one.  What a program gets here is what /proc/net has, and more of each.
 *
 * Filters in byte code are refused (EOPNOTSUPP), other families are not there
 * (ENOENT, as on a Linux without the module): ss then reads /proc/net.
 */
#include "netlink.h"
#include "settings.h"

#include <abi/errno.h>
#include <abi/inet.h>
#include <abi/sock_diag.h>
#include <abi/socket.h>
#include <base/string.h>
#include <net/netif.h>

#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_RAW 255

#define ONE_MAX 700u /* bytes of one answer, about */

static uint16_t
be16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

static void
fill_id(struct inet_diag_sockid *id, const struct net_sock_info *i)
{
	id->sport = be16(i->local_port);
	id->dport = be16(i->remote_port);
	memcpy(id->src, i->local, sizeof(i->local));
	memcpy(id->dst, i->remote, sizeof(i->remote));
	id->ifindex = (uint32_t)i->ifindex;
	id->cookie[0] = (uint32_t)i->ino;
	id->cookie[1] = (uint32_t)(i->ino >> 32);
}

static bool
wants(const struct inet_diag_req_v2 *q, unsigned attr)
{
	return q->ext & 1u << (attr - 1);
}

static void
put_memory(struct nl_buf *b, const struct inet_diag_req_v2 *q,
	   const struct net_sock_info *i, const struct net_sock_more *m)
{
	uint32_t mem[4] = { m->rmem, m->wmem, 0, m->wmem };
	uint32_t sk[SK_MEMINFO_VARS] = {
		[SK_MEMINFO_RMEM_ALLOC] = m->rmem,
		[SK_MEMINFO_RCVBUF] = m->rcvbuf,
		[SK_MEMINFO_WMEM_ALLOC] = m->wmem,
		[SK_MEMINFO_SNDBUF] = m->sndbuf,
		[SK_MEMINFO_DROPS] = i->drops,
	};

	if (wants(q, INET_DIAG_MEMINFO))
		nl_attr(b, INET_DIAG_MEMINFO, mem, sizeof(mem));
	if (wants(q, INET_DIAG_SKMEMINFO))
		nl_attr(b, INET_DIAG_SKMEMINFO, sk, sizeof(sk));
}

static void
fill(struct nl_request *r, struct nl_buf *b, const struct inet_diag_req_v2 *q,
     const struct net_sock_cursor *c, const struct net_sock_info *i,
     uint16_t flags)
{
	bool tcp = q->protocol == PROTO_TCP;
	struct inet_diag_msg *d =
		nl_begin(b, SOCK_DIAG_BY_FAMILY, flags, r->hdr->seq,
			 nl_port(r->from), sizeof(*d));
	struct net_sock_more m;
	struct tcp_info ti;

	if (!d)
		return;
	d->family = (uint8_t)i->family;
	d->state = i->state;
	d->timer = i->timer;
	d->retrans = i->retransmits;
	fill_id(&d->id, i);
	d->expires = (uint32_t)(i->timer_ns / 1000000);
	d->rqueue = i->rx_queue;
	d->wqueue = i->tx_queue;
	d->uid = i->uid;
	d->inode = (uint32_t)i->ino;
	if (!c->at) { /* what is left of a connection has no more */
		nl_end(b);
		return;
	}
	net_sock_more(c, &m, tcp && wants(q, INET_DIAG_INFO) ? &ti : NULL);
	nl_attr_u8(b, INET_DIAG_SHUTDOWN, m.shutdown);
	if (wants(q, INET_DIAG_TOS))
		nl_attr_u8(b, INET_DIAG_TOS, m.tos);
	if (i->family == AF_INET6 && wants(q, INET_DIAG_TCLASS))
		nl_attr_u8(b, INET_DIAG_TCLASS, m.tclass);
	if (i->family == AF_INET6 &&
	    (i->state == TCP_LISTEN || i->state == TCP_CLOSE))
		nl_attr_u8(b, INET_DIAG_SKV6ONLY, m.v6only);
	if (q->protocol == PROTO_RAW)
		nl_attr_u8(b, INET_DIAG_PROTOCOL, (uint8_t)i->protocol);
	put_memory(b, q, i, &m);
	if (tcp && wants(q, INET_DIAG_INFO))
		nl_attr(b, INET_DIAG_INFO, &ti, sizeof(ti));
	if (tcp && wants(q, INET_DIAG_CONG))
		nl_attr_str(b, INET_DIAG_CONG, tcp_congestion_name(m.reno));
	nl_end(b);
}

static int
dump(struct nl_request *r, struct nl_buf *b, const struct inet_diag_req_v2 *q)
{
	struct net_sock_cursor c = { 0 };
	struct net_sock_info i;
	uint32_t len;
	int err = 0;

	if (nl_find(r, sizeof(*q), INET_DIAG_REQ_BYTECODE, &len))
		return -EOPNOTSUPP;
	while (!err && net_sock_next(q->family,
				     q->protocol == PROTO_RAW ? 0 : q->protocol,
				     &c, &i)) {
		if (!(q->states & 1u << i.state) ||
		    (q->id.sport && q->id.sport != be16(i.local_port)) ||
		    (q->id.dport && q->id.dport != be16(i.remote_port)))
			continue;
		if (b->len > NL_PIECE - ONE_MAX)
			err = nl_reply(r, b);
		fill(r, b, q, &c, &i, NLM_F_MULTI);
	}
	net_sock_done(&c);
	return err;
}

/* A listener is asked for with no other end. */
static bool
is_it(const struct inet_diag_req_v2 *q, const struct net_sock_info *i)
{
	const struct inet_diag_sockid *id = &q->id;
	size_t n = i->family == AF_INET ? 4 : 16;

	return id->sport == be16(i->local_port) &&
	       id->dport == be16(i->remote_port) &&
	       !memcmp(id->src, i->local, n) && !memcmp(id->dst, i->remote, n);
}

static int
one(struct nl_request *r, struct nl_buf *b, const struct inet_diag_req_v2 *q)
{
	struct net_sock_cursor c = { 0 };
	struct net_sock_info i;
	uint64_t cookie = q->id.cookie[0] | (uint64_t)q->id.cookie[1] << 32;
	bool any = q->id.cookie[0] == INET_DIAG_NOCOOKIE &&
		   q->id.cookie[1] == INET_DIAG_NOCOOKIE;
	int err = -ENOENT;

	while (err && net_sock_next(q->family,
				    q->protocol == PROTO_RAW ? 0 : q->protocol,
				    &c, &i)) {
		if (!is_it(q, &i))
			continue;
		if (!any && cookie != i.ino)
			break;
		fill(r, b, q, &c, &i, 0);
		err = 0;
	}
	net_sock_done(&c);
	return err;
}

int
diag_request(struct nl_request *r, bool *is_dump)
{
	struct inet_diag_req_v2 q;
	struct nl_buf b = { 0 };
	int err;

	*is_dump = (r->hdr->flags & NLM_F_DUMP) == NLM_F_DUMP;
	if (r->hdr->type == TCPDIAG_GETSOCK)
		return -EOPNOTSUPP; /* what was before families were asked */
	if (r->hdr->type != SOCK_DIAG_BY_FAMILY || r->len < 2)
		return -EINVAL;
	memset(&q, 0, sizeof(q));
	memcpy(&q, r->payload, r->len < sizeof(q) ? r->len : sizeof(q));
	if (q.family >= AF_MAX)
		return -EINVAL;
	if (q.family != AF_INET && q.family != AF_INET6)
		return -ENOENT;
	if (r->len < sizeof(q))
		return -EINVAL;
	if (q.protocol != PROTO_TCP && q.protocol != PROTO_UDP &&
	    q.protocol != PROTO_RAW)
		return -ENOENT;
	err = nl_check(r, sizeof(q));
	if (!err)
		err = *is_dump ? dump(r, &b, &q) : one(r, &b, &q);
	if (!err && b.len)
		err = nl_reply(r, &b);
	nl_buf_free(&b);
	return err;
}
