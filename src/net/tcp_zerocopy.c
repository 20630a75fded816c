/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSG_ZEROCOPY of TCP: a program that asks for it is told by the error queue
 * when it may use its memory again, and whether it was copied.  Here it always
 * was, before send() came back, as Linux does on lo: the call is done by the
 * time that it is told of, and the program is told to do without.
 *
 * Calls are numbered; neighbours are told of in one message, as on Linux.
 */
#include "tcp_priv.h"

#include <abi/errno.h>
#include <abi/inet.h>
#include <abi/poll.h>
#include <base/string.h>

void
tcp_zc_sent(struct tcp_sock *t)
{
	irqflags_t f = tcp_lock(t);

	if (!t->zc_untold)
		t->zc_first = t->zc_next;
	t->zc_untold = true;
	t->zc_next++;
	tcp_unlock(t, f);
	if (waitq_active(&t->in.wq))
		wait_wake_all(&t->in.wq, POLLERR);
}

ssize_t
tcp_zc_recv(struct tcp_sock *t, struct sock_msg *m)
{
	bool v6 = t->in.v6;
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in6 nobody; /* IPv4's is its beginning */
	} e;
	irqflags_t f;
	bool any;

	memset(&e, 0, sizeof(e));
	e.ee.origin = SO_EE_ORIGIN_ZEROCOPY;
	e.ee.code = SO_EE_CODE_ZEROCOPY_COPIED;
	f = tcp_lock(t);
	any = t->zc_untold;
	e.ee.info = t->zc_first;
	e.ee.data = t->zc_next - 1;
	t->zc_untold = false;
	tcp_unlock(t, f);
	if (!any)
		return -EAGAIN;
	m->addrlen = 0;
	m->out_flags |= MSG_ERRQUEUE;
	sock_cmsg_put(m, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		      v6 ? IPV6_RECVERR : IP_RECVERR, &e,
		      sizeof(e.ee) + (v6 ? sizeof(struct sockaddr_in6) :
					   sizeof(struct sockaddr_in)));
	return 0;
}
