/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of datagram sockets. */
#pragma once

#include <net/dgram.h>

static inline bool
dgram_is_raw(const struct inet_sock *sk)
{
	return sk->sock.type == SOCK_RAW;
}

static inline void
dgram_any_to_loopback(const struct inet_sock *sk, struct inet_end *dst)
{
	if (!inet_is_any(&dst->addr))
		return;
	if (!sk->v6 || inet_is_v4(&dst->addr))
		dst->addr = inet_v4(0x0100007f);
	else
		dst->addr.b[15] = 1;
}

/* Where a datagram is to go: an address of IPv4, too, on a socket of IPv6.
 * As inet_addr_in(). */
int dgram_dest_in(const struct inet_sock *sk, const void *addr, uint32_t len,
		  struct inet_end *out);
ssize_t dgram_send(struct socket *s, struct uio *u, struct sock_msg *m);
/* UDP_CORK is off: what waits goes. */
int dgram_uncork(struct inet_sock *sk);
/* The socket goes: what waits is dropped. */
void dgram_send_fini(struct dgram_sock *u);
