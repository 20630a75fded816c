/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system calls on sockets share (sys_net.c, sys_msg.c).
 */
#pragma once

#include <abi/socket.h>
#include <base/compiler.h>
#include <base/types.h>
#include <net/socket.h>

struct file;
struct socket;
struct thread;
struct uio;

/* *f referenced, *s of it: -EBADF, -ENOTSOCK. */
MUST_CHECK int sock_get(struct thread *t, int fd, struct file **f,
			struct socket **s);
/* addr has room for SOCKADDR_MAX bytes. */
MUST_CHECK int sock_addr_in(const void __user *uaddr, uint32_t len, void *addr);
/* ---- on a file that is known to be a socket's, for io_uring ---- */
/* A message as the program described it, copied once. */
struct msg_in {
	struct user_msghdr h;
	uint8_t addr[SOCKADDR_MAX]; /* a sender's: h.namelen bytes */
};
/* And its vector, which is the caller's to end on success; u NULL: not. */
MUST_CHECK int sock_msg_in(struct msg_in *m, const void __user *umsg,
			   bool sends, struct uio *u);
/* The calls: flags as given, nothing of the file's own. */
long sock_sendmsg_on(struct thread *t, struct socket *s, struct msg_in *m,
		     struct uio *u, int flags);
long sock_recvmsg_on(struct thread *t, struct socket *s,
		     const struct user_msghdr *h, void __user *umsg,
		     struct uio *u, int flags);
/* All that came goes to one buffer (struct io_uring_recvmsg_out); *got is how
 * much data.  The bytes used, or -errno. */
long sock_recvmsg_multi(struct thread *t, struct socket *s,
			const struct user_msghdr *h, struct uio *u, int flags,
			long *got);
long sock_accept_on(struct thread *t, struct socket *s, bool nonblock,
		    void __user *uaddr, void __user *ulen, int flags);
/* Files without descriptors. */
MUST_CHECK int sock_accept_file(struct socket *s, bool nonblock,
				void __user *uaddr, void __user *ulen,
				int flags, struct file **f);
MUST_CHECK int sock_make_file(int family, int type, int protocol,
			      struct file **f);
MUST_CHECK int sock_addr_out(const void *addr, uint32_t len, void __user *uaddr,
			     void __user *ulen);
