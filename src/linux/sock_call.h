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
MUST_CHECK int sock_addr_in(const void __user *uaddr, uint32_t len,
			    void *addr);
MUST_CHECK int sock_addr_out(const void *addr, uint32_t len,
			     void __user *uaddr, void __user *ulen);
