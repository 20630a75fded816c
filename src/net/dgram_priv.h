/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of datagram sockets. */
#pragma once

#include <net/dgram.h>

static inline bool
dgram_is_raw(const struct inet_sock *sk)
{
	return sk->sock.type == SOCK_RAW;
}

/* The address that a datagram to dst has when it stays here. */
static inline struct inet_addr
dgram_near_source(const struct inet_addr *dst)
{
	if (inet_is_v4(dst) && dst->b[12] == 127)
		return inet_v4(0x0100007f);
	return *dst;
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

ssize_t dgram_send(struct socket *s, struct uio *u, struct sock_msg *m);
/* UDP_CORK is off: what waits goes. */
int dgram_uncork(struct inet_sock *sk);
/* The socket goes: what waits is dropped. */
void dgram_send_fini(struct dgram_sock *u);
