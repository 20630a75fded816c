/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSG_ZEROCOPY of TCP and UDP: a program that asks for it is told by the error
 * queue when it may use its memory again, and whether it was copied.  Here it
 * always was, before send() came back, as Linux does on lo: the call is done by
 * the time that it is told of, and the program is told to do without.
 *
 * Calls are numbered; neighbours are told of in one message, as on Linux.
 */
#include <net/inet.h>

#include <abi/errno.h>
#include <abi/inet.h>
#include <abi/poll.h>
#include <base/string.h>

int
inet_zc_setopt(struct inet_sock *sk, const void *val, uint32_t len)
{
	int v, err = sock_opt_int(val, len, &v);

	if (!err && (v < 0 || v > 1))
		err = -EINVAL;
	if (!err)
		WRITE_ONCE(sk->zerocopy, v != 0);
	return err;
}

void
inet_zc_sent(struct inet_sock *sk)
{
	irqflags_t f = spin_lock_irq(&sk->lock);

	if (!sk->zc_untold)
		sk->zc_first = sk->zc_next;
	sk->zc_untold = true;
	sk->zc_next++;
	spin_unlock_irq(&sk->lock, f);
	if (waitq_active(&sk->wq))
		wait_wake_all(&sk->wq, POLLERR);
}

ssize_t
inet_zc_recv(struct inet_sock *sk, struct sock_msg *m)
{
	bool v6 = sk->v6;
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in6 nobody; /* IPv4's is its beginning */
	} e;
	irqflags_t f;
	bool any;

	memset(&e, 0, sizeof(e));
	e.ee.origin = SO_EE_ORIGIN_ZEROCOPY;
	e.ee.code = SO_EE_CODE_ZEROCOPY_COPIED;
	f = spin_lock_irq(&sk->lock);
	any = sk->zc_untold;
	e.ee.info = sk->zc_first;
	e.ee.data = sk->zc_next - 1;
	sk->zc_untold = false;
	spin_unlock_irq(&sk->lock, f);
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
