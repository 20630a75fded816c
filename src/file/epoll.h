/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll(7): interest lists and ready lists.
 */
#pragma once

#include <abi/epoll.h>
#include <base/compiler.h>
#include <base/types.h>

struct file;

MUST_CHECK int epoll_create_file(struct file **out);

/* EPOLL_CTL_*: 0, -EBADF and so on as epoll_ctl(2); -EINVAL: ep is not an
 * epoll file. */
MUST_CHECK int epoll_control(struct file *ep, int op, int fd, struct file *f,
			     const struct epoll_event *ev);

/* Up to max events to the program's array; waits until the deadline (0: a
 * look only).  Number, or -EINTR, -EFAULT, -EINVAL. */
long epoll_wait_events(struct file *ep, struct epoll_event __user *events,
		       int max, uint64_t deadline_ns);
