/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of TCP sockets. */
#pragma once

#include <net/tcp.h>

static inline irqflags_t
tcp_lock(struct tcp_sock *t)
{
	return spin_lock_irq(&t->in.lock);
}

static inline void
tcp_unlock(struct tcp_sock *t, irqflags_t f)
{
	spin_unlock_irq(&t->in.lock, f);
}

/* The other end, if it is near. */
static inline struct tcp_sock *
tcp_peer(const struct tcp_sock *t)
{
	return atomic_load_acquire(&t->peer);
}

void nbuf_free_list(struct nbuf *b);
void tcp_set_established(struct tcp_sock *t); /* its lock is held */
/* Bytes on their way: sent and not taken by the other end. */
uint32_t tcp_queued(const struct tcp_sock *t);
/* Until ready(t), the deadline or a signal.  0, or what the call answers. */
MUST_CHECK int tcp_wait(struct tcp_sock *t, bool (*ready)(struct tcp_sock *),
			bool send, uint64_t deadline);
bool tcp_connect_over(struct tcp_sock *t);

/* Sockets hold so much memory together that each is to hold little. */
bool tcp_tx_pressed(void);
ssize_t tcp_data_send(struct socket *s, struct uio *u, struct sock_msg *m);
ssize_t tcp_data_recv(struct socket *s, struct uio *u, struct sock_msg *m);
ssize_t tcp_data_pages(struct socket *s, const struct page_piece *v, unsigned n,
		       struct sock_msg *m);

/* ---- tcp_urg.c; unless it says otherwise the caller holds t's lock ---- */

bool tcp_at_mark(const struct tcp_sock *t);
/* Data came. */
void tcp_urg_arrived(struct tcp_sock *t);
/* There is a mark.  How much of len may be read, skip bytes in; passes over
 * the byte that is marked where it is the next. */
size_t tcp_urg_bound(struct tcp_sock *t, size_t len, size_t *skip, bool peek,
		     struct nbuf **freed);
/* Data was read. */
void tcp_urg_passed(struct tcp_sock *t);
/* No lock: a read that has something ends here. */
bool tcp_urg_stops(struct tcp_sock *t);
/* No lock: the marked byte is all there is, and not for a read. */
bool tcp_urg_alone(struct tcp_sock *t);
/* No lock: bytes in front of the mark, or all. */
uint32_t tcp_readable(struct tcp_sock *t);
/* No lock: recv with MSG_OOB. */
ssize_t tcp_urg_recv(struct tcp_sock *t, struct uio *u, struct sock_msg *m);
