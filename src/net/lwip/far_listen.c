/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lwIP asks before it answers a SYN: who listens, whether there is room,
 * which sequence number, and SYN cookies for those of which nothing is kept
 * (net/syncookie.h).
 *
 * All of it runs with the core lock held.
 */
#include "ether.h"

#include <base/hash.h>
#include <base/string.h>
#include <core/clock.h>
#include <dev/random.h>
#include <net/lwip/far.h>
#include <net/syncookie.h>
#include <net/tcp.h>

#include <lwip/ip.h>
#include <lwip/tcp.h>

#include "port_hooks.h"

#define COOKIE_LIFE_NS \
	((uint64_t)SYNCOOKIE_STEP_S * SYNCOOKIE_STEPS * NSEC_PER_SEC)

uint64_t tcp_cookies_sent, tcp_cookies_good, tcp_cookies_bad;
uint32_t far_isn_after;
bool far_isn_bound;
static uint64_t cookie_ns; /* when the last one was sent */

struct tcp_pcb_listen *
port_tcp_listener(struct netif *inp, uint16_t dest, uint16_t src)
{
	struct inet_end d = { .port = dest }, s = { .port = src };
	struct tcp_pcb_listen *l = NULL;
	struct inet_sock *sk;

	(void)inp;
	far_from_lwip(ip_current_dest_addr(), &d.addr);
	far_from_lwip(ip_current_src_addr(), &s.addr);
	sk = inet_find_listener(&d, &s);
	if (!sk) {
		inet_refused(true, &d);
		return NULL;
	}
	l = tcp_of(sk)->pcb; /* [core]: it goes under the lock only */
	inet_put(sk);
	return l && l->state == LISTEN ? l : NULL;
}

int
port_tcp_syn(struct tcp_pcb_listen *lpcb)
{
	const struct tcp_sock *l = lpcb->callback_arg;

	return l && READ_ONCE(l->nqueue) <= READ_ONCE(l->backlog);
}

static const uint64_t *
isn_key(void)
{
	static uint64_t key[2];

	if (!key[0])
		random_bytes(key, sizeof(key));
	return key;
}

/* RFC 6528 */
uint32_t
port_tcp_isn(const ip_addr_t *lip, uint16_t lport, const ip_addr_t *rip,
	     uint16_t rport)
{
	struct {
		struct inet_addr l, r;
		uint32_t ports;
	} in = { .ports = (uint32_t)lport << 16 | rport };
	uint32_t isn;

	far_from_lwip(lip, &in.l);
	far_from_lwip(rip, &in.r);
	isn = (uint32_t)siphash(isn_key(), &in, 36) +
	      (uint32_t)(clock_mono_ns() / 4096);
	if (far_isn_bound && (int32_t)(isn - far_isn_after) < 0)
		isn = far_isn_after;
	return isn;
}

/* ---- SYN cookies ---- */

static const uint64_t *
cookie_key(void)
{
	static uint64_t key[2];

	if (!key[0])
		random_bytes(key, sizeof(key));
	return key;
}

static struct syncookie_ends
ends_of(const ip_addr_t *lip, uint16_t lport, const ip_addr_t *rip,
	uint16_t rport, uint32_t seq)
{
	struct syncookie_ends e = { .local_port = lport,
				    .remote_port = rport,
				    .seq = seq };
	struct inet_addr a;

	far_from_lwip(lip, &a);
	memcpy(e.local, a.b, sizeof(e.local));
	far_from_lwip(rip, &a);
	memcpy(e.remote, a.b, sizeof(e.remote));
	return e;
}

uint32_t
port_tcp_cookie_make(const ip_addr_t *lip, uint16_t lport, const ip_addr_t *rip,
		     uint16_t rport, uint32_t seq, uint16_t mss)
{
	struct syncookie_ends e = ends_of(lip, lport, rip, rport, seq);

	tcp_cookies_sent++;
	cookie_ns = clock_mono_ns();
	return syncookie_make(cookie_key(), &e, cookie_ns / NSEC_PER_SEC, mss);
}

/* Where none was sent lately, none is looked for. */
uint16_t
port_tcp_cookie_check(const ip_addr_t *lip, uint16_t lport,
		      const ip_addr_t *rip, uint16_t rport, uint32_t seq,
		      uint32_t cookie)
{
	struct syncookie_ends e;
	uint64_t now = clock_mono_ns();
	uint16_t mss;

	if (!cookie_ns || now - cookie_ns > COOKIE_LIFE_NS)
		return 0;
	e = ends_of(lip, lport, rip, rport, seq);
	mss = syncookie_check(cookie_key(), &e, now / NSEC_PER_SEC, cookie);
	if (mss)
		tcp_cookies_good++;
	else
		tcp_cookies_bad++;
	return mss;
}
