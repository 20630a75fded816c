/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of TCP (tcp(7)).  What a near connection does not need, it keeps:
 * a program reads back what it has set, as on Linux over lo.
 */
#include "settings.h"
#include <net/tcp.h>

#include <abi/errno.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>

#define KEEPIDLE_MAX  32767
#define KEEPCNT_MAX   127
#define SYNCNT_MAX    127
#define MAXSEG_MIN    88
#define MAXSEG_MAX    32767
#define FIN_TIMEOUT_S 60

static int
in_range(int v, int min, int max)
{
	return v >= min && v <= max ? 0 : -EINVAL;
}

static int
set_seconds(int *field, int v, int max)
{
	int err = in_range(v, 1, max);

	if (!err)
		WRITE_ONCE(*field, v);
	return err;
}

static int
set_cork(struct tcp_sock *t, int v)
{
	WRITE_ONCE(t->cork, v != 0);
	if (!v && t->pcb) {
		t->cork_ns = 0;
		tcp_far_do(t, FAR_PUSH);
	}
	return 0;
}

static int
set_nodelay(struct tcp_sock *t, int v)
{
	WRITE_ONCE(t->nodelay, v != 0);
	if (t->pcb) {
		if (v)
			t->cork_ns = 0;
		tcp_far_do(t, FAR_OPTS | FAR_PUSH);
	}
	return 0;
}

static int
set_maxseg(struct tcp_sock *t, int v)
{
	int err = v ? in_range(v, MAXSEG_MIN, MAXSEG_MAX) : 0;

	if (!err)
		WRITE_ONCE(t->maxseg, (uint16_t)v);
	return err;
}

static int
set_linger2(struct tcp_sock *t, int v)
{
	WRITE_ONCE(t->linger2_s, v < 0 ? -1 : !v || v > 120 ? 60 : v);
	return 0;
}

static int
set_quickack(struct tcp_sock *t, int v)
{
	WRITE_ONCE(t->quickack, v != 0);
	WRITE_ONCE(t->ack_now, v != 0);
	return 0;
}

/* Rounded up to a time at which the SYN-ACK would be repeated: 1, 3, 7 ... */
static int
set_defer(struct tcp_sock *t, int v)
{
	int s = 0, step = 1;

	while (s < v && step < 64) {
		s += step;
		step *= 2;
	}
	WRITE_ONCE(t->defer_accept_s, v > 0 ? s : 0);
	return 0;
}

int
tcp_congestion_find(const char *name)
{
	if (!strcmp(name, "cubic"))
		return false;
	return strcmp(name, "reno") ? -ENOENT : true;
}

const char *
tcp_congestion_name(bool reno)
{
	return reno ? "reno" : "cubic";
}

static int
set_congestion(struct tcp_sock *t, const void *val, uint32_t len)
{
	char name[16] = "";
	int reno;

	if (!len)
		return -EINVAL;
	memcpy(name, val, min_u64(len, sizeof(name) - 1));
	reno = tcp_congestion_find(name);
	if (reno < 0)
		return reno;
	WRITE_ONCE(t->reno, reno);
	return 0;
}

static int
set_tcp(struct tcp_sock *t, int name, int v)
{
	switch (name) {
	case TCP_NODELAY:
		return set_nodelay(t, v);
	case TCP_MAXSEG:
		return set_maxseg(t, v);
	case TCP_CORK:
		return set_cork(t, v);
	case TCP_KEEPIDLE:
		return set_seconds(&t->keepidle_s, v, KEEPIDLE_MAX);
	case TCP_KEEPINTVL:
		return set_seconds(&t->keepintvl_s, v, KEEPIDLE_MAX);
	case TCP_KEEPCNT:
		return set_seconds(&t->keepcnt, v, KEEPCNT_MAX);
	case TCP_SYNCNT:
		return set_seconds(&t->syncnt, v, SYNCNT_MAX);
	case TCP_LINGER2:
		return set_linger2(t, v);
	case TCP_DEFER_ACCEPT:
		return set_defer(t, v);
	case TCP_QUICKACK:
		return set_quickack(t, v);
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		WRITE_ONCE(t->user_timeout_ms, v);
		return 0;
	case TCP_NOTSENT_LOWAT:
		WRITE_ONCE(t->notsent_lowat, (uint32_t)v);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int
tcp_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	int v, err;

	if (level == SOL_SOCKET && name == SO_ZEROCOPY)
		return inet_zc_setopt(&t->in, val, len);
	if (level == SOL_SOCKET)
		return inet_steer_setopt(&t->in, name, val, len);
	if (level != IPPROTO_TCP)
		return inet_setopt(&t->in, level, name, val, len);
	if (name == TCP_CONGESTION) {
		err = set_congestion(t, val, len);
	} else {
		err = sock_opt_int(val, len, &v);
		if (!err)
			err = set_tcp(t, name, v);
	}
	if (!err && t->pcb)
		tcp_far_do(t, FAR_OPTS);
	return err;
}

/* ---- what it says of itself ---- */

static void
near_info(const struct tcp_sock *t, struct tcp_info *ti)
{
	ti->options = 7; /* time stamps, SACK, window scaling */
	ti->wscale = 0x77;
	ti->rto = 200000;
	ti->snd_mss = t->in.v6 ? 65464 : 65483;
	ti->rcv_mss = 536;
	ti->advmss = t->in.v6 ? 65464 : 65483;
	ti->pmtu = 65535;
	ti->snd_cwnd = 10;
	ti->snd_ssthresh = 0x7fffffff;
	ti->reordering = 3;
	ti->bytes_received = t->rx_total;
	ti->bytes_sent = ti->bytes_acked = t->tx_total;
}

void
tcp_fill_info(struct tcp_sock *t, struct tcp_info *ti)
{
	memset(ti, 0, sizeof(*ti));
	ti->state = tcp_state(t);
	if (t->state == TCP_LISTEN) {
		ti->unacked = t->nqueue; /* as Linux tells the backlog */
		ti->sacked = t->backlog;
	} else if (t->peer) {
		near_info(t, ti);
	} else {
		tcp_far_info(t, ti);
	}
}

static int
get_info(struct tcp_sock *t, void *val, uint32_t *len)
{
	struct tcp_info ti;

	tcp_fill_info(t, &ti);
	*len = (uint32_t)min_u64(*len, sizeof(ti));
	memcpy(val, &ti, *len);
	return 0;
}

static int
get_maxseg(struct tcp_sock *t)
{
	if (t->peer)
		return t->in.v6 ? 65464 : 65483;
	if (t->pcb)
		return (int)tcp_far_mss(t);
	return t->maxseg ? t->maxseg : 536;
}

static int
get_tcp(struct tcp_sock *t, int name, int *v)
{
	switch (name) {
	case TCP_NODELAY:
		*v = t->nodelay;
		return 0;
	case TCP_MAXSEG:
		*v = get_maxseg(t);
		return 0;
	case TCP_CORK:
		*v = t->cork;
		return 0;
	case TCP_KEEPIDLE:
		*v = t->keepidle_s;
		return 0;
	case TCP_KEEPINTVL:
		*v = t->keepintvl_s;
		return 0;
	case TCP_KEEPCNT:
		*v = t->keepcnt;
		return 0;
	case TCP_SYNCNT:
		*v = t->syncnt;
		return 0;
	case TCP_LINGER2:
		*v = t->linger2_s;
		return 0;
	case TCP_DEFER_ACCEPT:
		*v = t->defer_accept_s;
		return 0;
	case TCP_QUICKACK:
		*v = t->quickack;
		return 0;
	case TCP_USER_TIMEOUT:
		*v = t->user_timeout_ms;
		return 0;
	case TCP_NOTSENT_LOWAT:
		*v = (int)t->notsent_lowat;
		return 0;
	case TCP_FASTOPEN:
		*v = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int
tcp_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct tcp_sock *t = tcp_of(inet_of(s));
	int v, err;

	if (level == SOL_SOCKET && name == SO_ZEROCOPY)
		return sock_put_int(val, len, t->in.zerocopy);
	if (level != IPPROTO_TCP)
		return inet_getopt(&t->in, level, name, val, len);
	if (name == TCP_INFO)
		return get_info(t, val, len);
	if (name == TCP_CONGESTION) {
		char cc[16] = "";

		strlcpy(cc, tcp_congestion_name(READ_ONCE(t->reno)),
			sizeof(cc));
		*len = (uint32_t)min_u64(*len, sizeof(cc));
		memcpy(val, cc, *len);
		return 0;
	}
	err = get_tcp(t, name, &v);
	return err ? err : sock_put_int(val, len, v);
}
