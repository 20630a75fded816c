/* SPDX-License-Identifier: Apache-2.0 */
/* Between tcp.c and tcp_data.c. */
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

void nbuf_free_list(struct nbuf *b);
/* Bytes on their way: sent and not taken by the other end. */
uint32_t tcp_queued(const struct tcp_sock *t);
/* Until ready(t), the deadline or a signal.  0, or what the call answers. */
MUST_CHECK int tcp_wait(struct tcp_sock *t, bool (*ready)(struct tcp_sock *),
			bool send, uint64_t deadline);
bool tcp_connect_over(struct tcp_sock *t);

ssize_t tcp_data_send(struct socket *s, struct uio *u, struct sock_msg *m);
ssize_t tcp_data_recv(struct socket *s, struct uio *u, struct sock_msg *m);
ssize_t tcp_data_pages(struct socket *s, const struct page_piece *v,
		       unsigned n, struct sock_msg *m);
