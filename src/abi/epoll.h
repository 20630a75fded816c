/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll(7).  The event is packed on x86-64 (epoll_ctl(2) and its header).
 */
#pragma once

#include <stdint.h>

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLET	       (1u << 31)

struct epoll_event {
	uint32_t events;
	uint64_t data;
}
#ifdef __x86_64__
__attribute__((packed))
#endif
;
