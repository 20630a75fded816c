/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system calls on sockets share (sys_net.c, sys_msg.c).
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct file;
struct socket;
struct thread;

/* *f referenced, *s of it: -EBADF, -ENOTSOCK. */
MUST_CHECK int sock_get(struct thread *t, int fd, struct file **f,
			struct socket **s);
/* addr has room for SOCKADDR_MAX bytes. */
MUST_CHECK int sock_addr_in(const void __user *uaddr, uint32_t len, void *addr);
/* The calls on a file that is known to be a socket's, for io_uring: flags as
 * given, nothing of the file's own. */
struct socket;
long sock_sendmsg_on(struct thread *t, struct socket *s,
		     const void __user *umsg, int flags);
long sock_recvmsg_on(struct thread *t, struct socket *s, void __user *umsg,
		     int flags);
long sock_accept_on(struct thread *t, struct socket *s, bool nonblock,
		    void __user *uaddr, void __user *ulen, int flags);
MUST_CHECK int sock_addr_out(const void *addr, uint32_t len, void __user *uaddr,
			     void __user *ulen);
